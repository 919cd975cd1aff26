//! Small images and pages, whole and well-formed, in every form that legibility is looked at in.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use super::pdf::{self, Page};
use super::picture;
use super::rng::Rng;

/// A specimen card, 680 by 428.
pub fn jpeg() -> Vec<u8> {
    picture::card(&mut Rng::new(7), "FAC-SIMILE", &["ESEMPIO".to_owned()], true)
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(bytes).expect("writing to memory does not fail");
    zlib.finish().expect("writing to memory does not fail")
}

/// A colour PNG at 300 dots an inch.
pub fn png(width: u32, height: u32, interlaced: bool) -> Vec<u8> {
    let mut rng = Rng::new(11);
    let whole = [(0, 0, 1, 1)];
    let adam7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
    let passes: &[(u32, u32, u32, u32)] = if interlaced { &adam7 } else { &whole };
    let mut lines = Vec::new();
    for (x, y, dx, dy) in passes {
        let (across, down) = (width.saturating_sub(*x).div_ceil(*dx), height.saturating_sub(*y).div_ceil(*dy));
        for line in 0..if across == 0 { 0 } else { down } {
            lines.push((line % 5) as u8);
            lines.extend(rng.bytes(across as usize * 3));
        }
    }
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], content: &[u8]| {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(content);
        out.extend_from_slice(&u32::try_from(content.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(kind);
        out.extend_from_slice(content);
        out.extend_from_slice(&crc.sum().to_be_bytes());
    };
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend_from_slice(&[8, 2, 0, 0, u8::from(interlaced)]);
    chunk(b"IHDR", &header);
    // 11811 pixels a metre.
    chunk(b"pHYs", &[0, 0, 0x2e, 0x23, 0, 0, 0x2e, 0x23, 1]);
    let data = deflated(&lines);
    let (one, two) = data.split_at(data.len() / 2);
    chunk(b"IDAT", one);
    chunk(b"IDAT", two);
    chunk(b"IEND", &[]);
    out
}

/// A grey TIFF of so many pages, 16 by 12 each.
pub fn tiff(pages: u32) -> Vec<u8> {
    const SIZE: (u32, u32) = (16, 12);
    let mut out = b"II*\0".to_vec();
    out.extend_from_slice(&8u32.to_le_bytes());
    for page in 0..pages {
        let entries: [(u16, u32); 7] =
            [(256, SIZE.0), (257, SIZE.1), (258, 8), (259, 1), (262, 1), (273, 0), (279, SIZE.0 * SIZE.1)];
        let data = u32::try_from(out.len()).unwrap_or(0) + 2 + 12 * 7 + 4;
        out.extend_from_slice(&7u16.to_le_bytes());
        for (tag, value) in entries {
            let value = if tag == 273 { data } else { value };
            out.extend_from_slice(&tag.to_le_bytes());
            out.extend_from_slice(&4u16.to_le_bytes());
            out.extend_from_slice(&1u32.to_le_bytes());
            out.extend_from_slice(&value.to_le_bytes());
        }
        let next = if page + 1 < pages { data + SIZE.0 * SIZE.1 } else { 0 };
        out.extend_from_slice(&next.to_le_bytes());
        out.extend(std::iter::repeat_n(0xe0u8, (SIZE.0 * SIZE.1) as usize));
    }
    out
}

/// A PDF of so many pages with a cross-reference table.
pub fn pdf(pages: usize) -> Vec<u8> {
    let page = |n: usize| Page { lines: vec![format!("FAC-SIMILE, pagina {}", n + 1)], scan: None };
    pdf::document("Fac-simile", &(0..pages).map(page).collect::<Vec<_>>())
}

/// The same in the form of version 1.5: objects in a stream, and a cross-reference stream with predictors.
pub fn pdf_with_streams(pages: usize) -> Vec<u8> {
    // 1 catalog, 2 tree, then the pages; all in the object stream, which is the object after them.
    let kids: Vec<String> = (0..pages).map(|n| format!("{} 0 R", n + 3)).collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{}] /Count {pages} >>", kids.join(" ")),
    ];
    objects.extend((0..pages).map(|_| "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>".to_owned()));
    let (mut numbers, mut bodies) = (String::new(), String::new());
    for (n, object) in objects.iter().enumerate() {
        numbers.push_str(&format!("{} {} ", n + 1, bodies.len()));
        bodies.push_str(object);
        bodies.push('\n');
    }
    let holder = objects.len() + 1;
    let mut out = b"%PDF-1.5\n%\xE2\xE3\xCF\xD3\n".to_vec();
    let at_holder = out.len();
    let data = deflated(format!("{numbers}{bodies}").as_bytes());
    out.extend_from_slice(
        format!(
            "{holder} 0 obj\n<< /Type /ObjStm /N {} /First {} /Filter /FlateDecode /Length {} >>\nstream\n",
            objects.len(),
            numbers.len(),
            data.len()
        )
        .as_bytes(),
    );
    out.extend_from_slice(&data);
    out.extend_from_slice(b"\nendstream\nendobj\n");
    let start = out.len();
    let mut rows: Vec<[u8; 4]> = vec![[0, 0, 0, 255]];
    let place = |at: usize| u16::try_from(at).unwrap_or(0).to_be_bytes();
    for n in 0..objects.len() {
        let [a, b] = place(holder);
        rows.push([2, a, b, n as u8]);
    }
    for at in [at_holder, start] {
        let [a, b] = place(at);
        rows.push([1, a, b, 0]);
    }
    let mut predicted = Vec::new();
    let mut above = [0u8; 4];
    for row in &rows {
        predicted.push(2);
        predicted.extend(row.iter().zip(above).map(|(byte, up)| byte.wrapping_sub(up)));
        above = *row;
    }
    let data = deflated(&predicted);
    out.extend_from_slice(
        format!(
            "{} 0 obj\n<< /Type /XRef /Size {} /W [1 2 1] /Root 1 0 R /Filter /FlateDecode /DecodeParms << /Predictor 12 /Columns 4 >> /Length {} >>\nstream\n",
            holder + 1,
            rows.len(),
            data.len()
        )
        .as_bytes(),
    );
    out.extend_from_slice(&data);
    out.extend_from_slice(format!("\nendstream\nendobj\nstartxref\n{start}\n%%EOF\n").as_bytes());
    out
}

/// One of each, with its media type.
pub fn legible_samples() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("image/jpeg", jpeg()),
        ("image/png", png(37, 21, false)),
        ("image/png", png(37, 21, true)),
        ("image/tiff", tiff(3)),
        ("application/pdf", pdf(2)),
        ("application/pdf", pdf_with_streams(2)),
    ]
}
