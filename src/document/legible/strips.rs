//! The strips and tiles of a TIFF page: whether there are as many as its size asks for, and whether each holds all its lines.
//!
//! What is stored plainly, deflated or packed is unpacked and counted; the other compressions (LZW, fax, JPEG) are looked at no further
//! than their place in the file. Invariant: nothing unpacked is kept, and no more than [`MAX_UNPACKED`] bytes of one file are.

use std::io::Read;

use flate2::bufread::ZlibDecoder;

/// Bytes unpacked of one file: some ten pages of A4 in colour at 600 dots an inch.
pub const MAX_UNPACKED: u64 = 1 << 30;

/// What a page says of its data; absent entries have the format's defaults.
#[derive(Debug, Default)]
pub struct Page {
    pub width: u32,
    pub height: u32,
    pub bits: Vec<u32>,
    pub samples: Option<u32>,
    pub compression: Option<u32>,
    pub photometric: Option<u32>,
    pub planar: Option<u32>,
    pub rows_per_strip: Option<u32>,
    pub tile: (Option<u32>, Option<u32>),
    pub offsets: Vec<u32>,
    pub lengths: Vec<u32>,
}

const MISSING: &str = "a page lacks some of its data";
const NO_SIZE: &str = "a page whose size cannot be";

impl Page {
    /// Samples of one plane, planes.
    fn planes(&self) -> (u64, u64) {
        let samples = u64::from(self.samples.unwrap_or(1));
        if self.planar == Some(2) { (1, samples) } else { (samples, 1) }
    }

    /// Lines and bytes a line of the pieces of one plane, in order.
    fn pieces(&self) -> Option<impl Iterator<Item = u64>> {
        let (samples, _) = self.planes();
        let bits = u64::from(self.bits.first().copied().unwrap_or(1));
        let line = move |width: u32| Some(u64::from(width).checked_mul(samples)?.checked_mul(bits)?.div_ceil(8));
        let height = u64::from(self.height);
        let (lines, across, bytes, last) = match self.tile {
            (Some(width), Some(length)) if width > 0 && length > 0 => {
                let (across, length) = (u64::from(self.width.div_ceil(width)), u64::from(length));
                (length, across, line(width)?, length)
            }
            (None, None) => {
                let lines = u64::from(self.rows_per_strip.unwrap_or(u32::MAX)).clamp(1, height.max(1));
                let rest = height % lines;
                (lines, 1, line(self.width)?, if rest == 0 { lines } else { rest })
            }
            _ => return None,
        };
        let count = height.div_ceil(lines).checked_mul(across)?;
        let size = move |n: u64| (if n + 1 == count { last } else { lines }).saturating_mul(bytes);
        Some((0..count).map(size))
    }
}

/// Looks at the data of a page; `left` is what may still be unpacked of the file. What is wrong otherwise.
pub fn look(file: &[u8], page: &Page, left: &mut u64) -> Result<(), &'static str> {
    let pieces = page.pieces().ok_or(NO_SIZE)?;
    let (_, planes) = page.planes();
    let found = page.offsets.iter().zip(&page.lengths);
    // Subsampled colours have fewer bytes than their pixels say.
    let whole = page.photometric != Some(6) && !page.bits.windows(2).any(|pair| pair[0] != pair[1]);
    let (mut met, mut sizes) = (0u64, Vec::new());
    for size in pieces {
        met += 1;
        if met.saturating_mul(planes) > page.offsets.len() as u64 {
            return Err(MISSING);
        }
        sizes.push(size);
    }
    if sizes.is_empty() {
        return Ok(());
    }
    for (size, (offset, length)) in sizes.iter().cycle().zip(found) {
        let (from, length) = (*offset as usize, *length as usize);
        let Some(data) = from.checked_add(length).and_then(|end| file.get(from..end)) else {
            return Err("a page's data lie outside the file");
        };
        if !whole || *size > *left {
            continue;
        }
        let held = match page.compression.unwrap_or(1) {
            1 => length as u64,
            8 | 32946 => {
                *left -= size;
                inflated(data, *size)
            }
            32773 => {
                *left -= size;
                unpacked(data)
            }
            _ => *size,
        };
        if held < *size {
            return Err(MISSING);
        }
    }
    Ok(())
}

/// Bytes that zlib's data expand to, counted no further than wanted.
fn inflated(data: &[u8], wanted: u64) -> u64 {
    let mut source = ZlibDecoder::new(data).take(wanted);
    let mut buffer = [0; 16 << 10];
    let mut count = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) | Err(_) => return count,
            Ok(n) => count += n as u64,
        }
    }
}

/// Bytes that PackBits expands to (TIFF 6.0 section 9): counted, not made.
fn unpacked(mut data: &[u8]) -> u64 {
    let mut count = 0;
    while let Some((&head, rest)) = data.split_first() {
        let (taken, made) = match head {
            0..=127 => (usize::from(head) + 1, u64::from(head) + 1),
            128 => (0, 0),
            129..=255 => (1, 257 - u64::from(head)),
        };
        if rest.len() < taken {
            return count;
        }
        count += made;
        data = &rest[taken..];
    }
    count
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn judge(page: &Page, data: &[u8]) -> Result<(), &'static str> {
        look(data, page, &mut MAX_UNPACKED.clone())
    }

    /// One strip that is the whole file, 16 by 12 grey pixels.
    fn strip(compression: u32, data: &[u8]) -> Page {
        let (offsets, lengths) = (vec![0], vec![data.len() as u32]);
        Page {
            width: 16,
            height: 12,
            bits: vec![8],
            compression: Some(compression),
            offsets,
            lengths,
            ..Page::default()
        }
    }

    fn deflated(bytes: &[u8]) -> Vec<u8> {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(bytes).unwrap();
        zlib.finish().unwrap()
    }

    #[test]
    fn every_line_must_be_there() {
        let plain = vec![7; 192];
        assert_eq!(judge(&strip(1, &plain), &plain), Ok(()));
        assert_eq!(judge(&strip(1, &plain[..191]), &plain[..191]), Err(MISSING));
        let (whole, cut) = (deflated(&plain), deflated(&plain[..191]));
        assert_eq!(judge(&strip(8, &whole), &whole), Ok(()));
        assert_eq!(judge(&strip(32946, &cut), &cut), Err(MISSING));
        assert_eq!(judge(&strip(8, b"not zlib at all"), b"not zlib at all"), Err(MISSING));
        // 128 alike, then 64 as they are.
        let packed = [&[129, 7, 63][..], &[9; 64]].concat();
        assert_eq!(judge(&strip(32773, &packed), &packed), Ok(()));
        assert_eq!(judge(&strip(32773, &packed[..60]), &packed[..60]), Err(MISSING));
        // What is not unpacked here is believed.
        assert_eq!(judge(&strip(4, b"fax"), b"fax"), Ok(()));
        // Nor is what would be too much.
        assert_eq!(look(b"x", &strip(8, b"x"), &mut 100), Ok(()));
    }

    #[test]
    fn as_many_pieces_as_the_size_asks_for() {
        let data = vec![0; 4096];
        let strips = |rows, lengths: &[u32]| Page {
            rows_per_strip: Some(rows),
            offsets: vec![0; lengths.len()],
            lengths: lengths.to_vec(),
            ..strip(1, &data)
        };
        assert_eq!(judge(&strips(5, &[80, 80, 32]), &data), Ok(()));
        assert_eq!(judge(&strips(5, &[80, 80, 31]), &data), Err(MISSING));
        assert_eq!(judge(&strips(5, &[80, 80]), &data), Err(MISSING));
        assert_eq!(judge(&strips(0, &[16; 12]), &data), Ok(()));
        assert_eq!(judge(&strips(12, &[5000]), &data), Err("a page's data lie outside the file"));
        let planes = Page { samples: Some(3), planar: Some(2), ..strips(12, &[192; 3]) };
        assert_eq!(judge(&planes, &data), Ok(()));
        assert_eq!(judge(&Page { offsets: vec![0; 2], ..planes }, &data), Err(MISSING));
        let tiles = |count: usize| Page {
            tile: (Some(8), Some(8)),
            offsets: vec![0; count],
            lengths: vec![64; count],
            ..strip(1, &data)
        };
        assert_eq!(judge(&tiles(4), &data), Ok(()));
        assert_eq!(judge(&tiles(3), &data), Err(MISSING));
        assert_eq!(judge(&Page { tile: (Some(0), Some(8)), ..tiles(4) }, &data), Err(NO_SIZE));
        // Black and white, one bit a pixel, and sizes that nobody has.
        assert_eq!(judge(&Page { bits: Vec::new(), ..strips(12, &[24]) }, &data), Ok(()));
        let vast = Page { width: u32::MAX, height: u32::MAX, samples: Some(u32::MAX), ..strip(1, &data) };
        assert_eq!(judge(&vast, &data), Err(NO_SIZE));
    }
}
