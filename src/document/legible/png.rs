//! PNG (ISO/IEC 15948): every chunk's checksum, and the image data inflated line by line.
//!
//! Invariant: one buffer, whatever the image's size: a line is read and forgotten.

use std::io::Read;

use flate2::Crc;
use flate2::bufread::ZlibDecoder;

use super::{MAX_PIXELS, Seen, within};

/// Most chunks: an image has a dozen, or one for every few kilobytes of data.
const MAX_CHUNKS: usize = 100_000;

struct Header {
    width: u32,
    height: u32,
    /// Bits of one pixel.
    bits: u64,
    interlaced: bool,
}

pub fn look(bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    if let Err(detail) = walk(bytes, &mut seen) {
        seen.unreadable(detail);
    }
    seen
}

fn walk(bytes: &[u8], seen: &mut Seen) -> Result<(), &'static str> {
    let mut rest = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n").ok_or("no PNG signature")?;
    let mut header: Option<Header> = None;
    let mut data: Vec<&[u8]> = Vec::new();
    for _ in 0..MAX_CHUNKS {
        let (kind, content, after) = chunk(rest)?;
        rest = after;
        match (kind, &header) {
            (b"IHDR", None) => header = Some(read_header(content)?),
            (_, None) => return Err("the first chunk is not its header"),
            (b"IHDR", Some(_)) => return Err("two headers"),
            (b"IDAT", Some(_)) => data.push(content),
            (b"pHYs", Some(_)) => seen.dpi = dpi(content),
            (b"IEND", Some(header)) => {
                if !within(seen, header.width, header.height, MAX_PIXELS) {
                    return Ok(());
                }
                return inflate(&data, header);
            }
            _ => {}
        }
    }
    Err("too many chunks")
}

type Chunk<'a> = (&'a [u8], &'a [u8], &'a [u8]);

fn chunk(bytes: &[u8]) -> Result<Chunk<'_>, &'static str> {
    const CUT: &str = "cut short";
    let length = bytes.get(..4).ok_or(CUT)?;
    let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
    let end = length.checked_add(8).ok_or(CUT)?;
    let body = bytes.get(4..end).ok_or(CUT)?;
    let sum = bytes.get(end..end.checked_add(4).ok_or(CUT)?).ok_or(CUT)?;
    let mut crc = Crc::new();
    crc.update(body);
    if crc.sum().to_be_bytes() != sum {
        return Err("a checksum does not fit");
    }
    Ok((&body[..4], &body[4..], &bytes[end + 4..]))
}

fn read_header(content: &[u8]) -> Result<Header, &'static str> {
    let &[a, b, c, d, e, f, g, h, depth, colour, 0, 0, interlace @ (0 | 1)] = content else {
        return Err("its header is not one");
    };
    let samples = match (colour, depth) {
        (0, 1 | 2 | 4 | 8 | 16) | (3, 1 | 2 | 4 | 8) => 1,
        (2, 8 | 16) => 3,
        (4, 8 | 16) => 2,
        (6, 8 | 16) => 4,
        _ => return Err("colours that PNG does not have"),
    };
    Ok(Header {
        width: u32::from_be_bytes([a, b, c, d]),
        height: u32::from_be_bytes([e, f, g, h]),
        bits: samples * u64::from(depth),
        interlaced: interlace == 1,
    })
}

fn dpi(content: &[u8]) -> Option<u32> {
    let &[a, b, c, d, _, _, _, _, 1] = content else { return None };
    // Pixels a metre.
    let metre = u64::from(u32::from_be_bytes([a, b, c, d]));
    u32::try_from((metre * 254 + 5_000) / 10_000).ok().filter(|dpi| *dpi > 0)
}

fn inflate(data: &[&[u8]], header: &Header) -> Result<(), &'static str> {
    let source = Joined { parts: data, at: 0 };
    let mut pixels = ZlibDecoder::new(std::io::BufReader::with_capacity(64 << 10, source));
    // Adam7: seven smaller images one after the other.
    const PASSES: [(u32, u32, u32, u32); 7] =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
    let whole = [(0, 0, 1, 1)];
    let passes: &[(u32, u32, u32, u32)] = if header.interlaced { &PASSES } else { &whole };
    let mut buffer = vec![0; 64 << 10];
    for (x, y, dx, dy) in passes {
        let across = u64::from(header.width.saturating_sub(*x).div_ceil(*dx));
        let down = header.height.saturating_sub(*y).div_ceil(*dy);
        if across == 0 {
            continue;
        }
        let line = (across * header.bits).div_ceil(8);
        for _ in 0..down {
            let mut filter = [0];
            pixels.read_exact(&mut filter).map_err(|_| "the image data end too early")?;
            if filter[0] > 4 {
                return Err("a filter that PNG does not have");
            }
            let mut left = line;
            while left > 0 {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                pixels.read_exact(&mut buffer[..count]).map_err(|_| "the image data end too early")?;
                left -= count as u64;
            }
        }
    }
    // The check value of the compressed data comes after their last byte.
    if pixels.read(&mut buffer).map_err(|_| "the image data do not fit their check value")? > 0 {
        return Err("more image data than pixels");
    }
    Ok(())
}

/// The data chunks one after the other.
struct Joined<'a> {
    parts: &'a [&'a [u8]],
    at: usize,
}

impl Read for Joined<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let Some(first) = self.parts.first() else { return Ok(0) };
            if self.at == first.len() {
                self.parts = &self.parts[1..];
                self.at = 0;
                continue;
            }
            let count = (first.len() - self.at).min(into.len());
            into[..count].copy_from_slice(&first[self.at..self.at + count]);
            self.at += count;
            return Ok(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    #[test]
    fn an_image_is_decoded_to_its_last_line() {
        for interlaced in [false, true] {
            let png = corpus::png(37, 21, interlaced);
            let seen = look(&png);
            assert_eq!((seen.width, seen.height, seen.dpi), (Some(37), Some(21), Some(300)));
            assert!(seen.findings.is_empty(), "{:?}", seen.findings);
        }
    }

    #[test]
    fn a_header_that_promises_too_much_allocates_nothing() {
        let mut png = corpus::png(8, 8, false);
        png[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        let mut crc = Crc::new();
        crc.update(&png[12..29]);
        png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        assert_eq!(look(&png).findings[0].code.as_str(), "legible/too-large");
        // Within the bound, and still more than there is.
        png[16..24].copy_from_slice(&[0, 0, 0x20, 0, 0, 0, 0x20, 0]);
        let mut crc = Crc::new();
        crc.update(&png[12..29]);
        png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        assert_eq!(look(&png).findings[0].code.as_str(), "legible/damaged");
    }
}
