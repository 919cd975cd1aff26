//! JPEG (ITU-T T.81): the whole entropy-coded data decoded, at an eighth of the size where the format allows it.
//!
//! Invariant: size and kind are known before anything is allocated; progressive images, whose coefficients are kept until
//! the last scan, have a smaller bound.

use std::io::Cursor;

use jpeg_decoder::{CodingProcess, Decoder};

use super::{MAX_PIXELS, Seen, within};
use crate::error::{Code, Finding};

/// Coefficients of a progressive image take six bytes a pixel.
const MAX_PROGRESSIVE: u64 = 24_000_000;
/// What the decoder may allocate for an image at an eighth of its size.
const MAX_BUFFER: usize = 256 << 20;

pub fn look(bytes: &[u8]) -> Seen {
    let mut seen = Seen { dpi: density(bytes), ..Seen::default() };
    // The decoder's own mistakes are findings about the file, too.
    let decoded = std::panic::catch_unwind(|| decode(bytes));
    match decoded {
        Ok((at_first, outcome)) => {
            if let Some((width, height, progressive)) = at_first {
                let most = if progressive { MAX_PROGRESSIVE } else { MAX_PIXELS };
                if !within(&mut seen, width, height, most) {
                    return seen;
                }
            }
            match outcome {
                Ok(()) => {}
                Err(jpeg_decoder::Error::Unsupported(_)) => {
                    let detail = "a form of JPEG that is not decoded here";
                    seen.findings.push(Finding::warning(Code::LegibleUnknown, "content", detail));
                }
                Err(_) => seen.unreadable("not decoded to its end"),
            }
        }
        Err(_) => seen.unreadable("not decoded"),
    }
    if seen.findings.is_empty() && !bytes.trim_ascii_end().windows(2).rev().take(64 << 10).any(|w| w == [0xff, 0xd9]) {
        seen.unreadable("the end of the image is missing");
    }
    seen
}

type First = Option<(u32, u32, bool)>;

fn decode(bytes: &[u8]) -> (First, Result<(), jpeg_decoder::Error>) {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    if let Err(error) = decoder.read_info() {
        return (None, Err(error));
    }
    let Some(info) = decoder.info() else { return (None, Ok(())) };
    let progressive = info.coding_process == CodingProcess::DctProgressive;
    let first = Some((u32::from(info.width), u32::from(info.height), progressive));
    let pixels = u64::from(info.width) * u64::from(info.height);
    if pixels > if progressive { MAX_PROGRESSIVE } else { MAX_PIXELS } {
        return (first, Ok(()));
    }
    decoder.set_max_decoding_buffer_size(MAX_BUFFER);
    let outcome = match info.coding_process {
        CodingProcess::Lossless => Ok((info.width, info.height)),
        _ => decoder.scale(1, 1),
    };
    (first, outcome.and_then(|_| decoder.decode()).map(drop))
}

/// Dots an inch, from the JFIF header.
fn density(bytes: &[u8]) -> Option<u32> {
    let at = bytes.get(..512.min(bytes.len()))?.windows(5).position(|window| window == b"JFIF\0")?;
    let &[_, _, unit, a, b, ..] = bytes.get(at + 5..at + 12)? else { return None };
    let across = u32::from(u16::from_be_bytes([a, b]));
    match unit {
        1 if across > 1 => Some(across),
        2 if across > 1 => Some((across * 254 + 50) / 100),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    #[test]
    fn a_photograph_is_decoded_and_a_cut_one_is_noticed() {
        let card = corpus::jpeg();
        let seen = look(&card);
        assert_eq!((seen.width, seen.height), (Some(680), Some(428)));
        assert!(seen.findings.is_empty(), "{:?}", seen.findings);
        for part in [2, 3, 10] {
            let seen = look(&card[..card.len() - card.len() / part]);
            assert_eq!(seen.findings[0].code, Code::LegibleDamaged, "{part}");
        }
    }

    #[test]
    fn a_header_that_promises_too_much_is_not_followed() {
        let mut card = corpus::jpeg();
        let frame = card.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        card[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
        let seen = look(&card);
        assert_eq!((seen.width, seen.findings[0].code), (Some(65_535), Code::LegibleTooLarge));
    }
}
