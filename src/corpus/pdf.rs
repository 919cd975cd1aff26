//! A PDF written by hand (ISO 32000-1, version 1.4): text in Helvetica, and one grey JPEG a page when asked for.
//!
//! Invariant: the cross-reference table holds the true offsets; no date and no random identifier, so the same input gives
//! the same bytes.

/// A page.
pub struct Page<'a> {
    /// Lines of text, in the WinAnsi repertoire.
    pub lines: Vec<String>,
    /// A grey-scale JPEG with its width and height in pixels.
    pub scan: Option<(&'a [u8], u32, u32)>,
}

fn string(text: &str) -> Vec<u8> {
    let mut out = vec![b'('];
    for c in text.chars() {
        let byte = match c {
            '\u{2019}' => b'\'',
            '\u{2013}' => b'-',
            _ => u8::try_from(u32::from(c)).unwrap_or(b'?'),
        };
        if matches!(byte, b'(' | b')' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b')');
    out
}

fn stream(dictionary: &str, content: &[u8]) -> Vec<u8> {
    let mut out = format!("<< {dictionary} /Length {} >>\nstream\n", content.len()).into_bytes();
    out.extend_from_slice(content);
    out.extend_from_slice(b"\nendstream");
    out
}

/// The whole file.
pub fn document(title: &str, pages: &[Page<'_>]) -> Vec<u8> {
    // Objects 1 to 4: catalog, page tree, font, information; then three a page: page, content, scan (or a null).
    let kids: Vec<String> = (0..pages.len()).map(|i| format!("{} 0 R", 5 + 3 * i)).collect();
    let mut info = b"<< /Title ".to_vec();
    info.extend(string(title));
    info.extend_from_slice(b" /Producer (Custode, generatore di esempi) >>");
    let mut objects: Vec<Vec<u8>> = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()).into_bytes(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_vec(),
        info,
    ];
    for (i, page) in pages.iter().enumerate() {
        let (content, scan) = (6 + 3 * i, 7 + 3 * i);
        let image = if page.scan.is_some() { format!(" /XObject << /S {scan} 0 R >>") } else { String::new() };
        objects.push(
            format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {content} 0 R \
                 /Resources << /Font << /F 3 0 R >>{image} >> >>"
            )
            .into_bytes(),
        );
        let mut drawing = Vec::new();
        if page.scan.is_some() {
            drawing.extend_from_slice(b"q 400 0 0 300 97 60 cm /S Do Q\n");
        }
        drawing.extend_from_slice(b"BT /F 11 Tf 14 TL 60 780 Td\n");
        for line in &page.lines {
            drawing.extend(string(line));
            drawing.extend_from_slice(b" Tj T*\n");
        }
        drawing.extend_from_slice(b"ET");
        objects.push(stream("", &drawing));
        objects.push(match page.scan {
            Some((jpeg, width, height)) => stream(
                &format!(
                    "/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceGray \
                     /BitsPerComponent 8 /Filter /DCTDecode"
                ),
                jpeg,
            ),
            None => b"null".to_vec(),
        });
    }
    let mut out = b"%PDF-1.4\n%\xE2\xE3\xCF\xD3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (i, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", out.len()));
        out.extend_from_slice(format!("{} 0 obj\n", i + 1).as_bytes());
        out.extend_from_slice(object);
        out.extend_from_slice(b"\nendobj\n");
    }
    let start = out.len();
    out.extend_from_slice(table.as_bytes());
    out.extend_from_slice(
        format!("trailer\n<< /Size {} /Root 1 0 R /Info 4 0 R >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1)
            .as_bytes(),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cross_reference_table_is_true() {
        let jpeg = [0xFF, 0xD8, 0xFF, 0xD9];
        let page = Page { lines: vec!["Perché (no)?".to_owned()], scan: Some((&jpeg, 8, 8)) };
        let pdf = document("Prova", &[page, Page { lines: Vec::new(), scan: None }]);
        let text: String = pdf.iter().map(|b| char::from(*b)).collect();
        let start: usize = text.rsplit("startxref\n").next().unwrap().lines().next().unwrap().parse().unwrap();
        assert!(text[..].chars().skip(start).collect::<String>().starts_with("xref\n0 11\n"));
        let rows: Vec<&str> =
            text.split("65535 f \n").nth(1).unwrap().split("trailer").next().unwrap().lines().collect();
        assert_eq!(rows.len(), 10);
        for (i, row) in rows.iter().enumerate() {
            let offset: usize = row[..10].parse().unwrap();
            assert!(pdf[offset..].starts_with(format!("{} 0 obj\n", i + 1).as_bytes()), "object {}", i + 1);
        }
        assert!(text.contains(r"(Perch\u{e9} \(no\)?)".replace(r"\u{e9}", "\u{e9}").as_str()));
    }
}
