//! Whether an image or a page can still be read: decoded to its end, not only known by its first bytes.
//!
//! Invariant: bounds come before allocation (a header may promise 65535 by 65535 pixels); what is looked at less than
//! whole says so; nothing here panics or loops on what it reads. Linee guida AgID 4.5 f (integrity **and legibility**).

mod decode;
mod jpeg;
mod pdf;
mod png;
mod strips;
mod tiff;

pub use decode::{Decoded, MAX_BYTES as MAX_DECODED, decode};

use super::Body;
use crate::error::{Code, Finding, Result};

/// Largest file decoded: it is in memory once.
const MAX_BYTES: usize = 48 << 20;
/// Most pixels of an image: a sheet of A3 at 600 dots an inch is seventy million.
const MAX_PIXELS: u64 = 100_000_000;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Pixels of a line, of the first page.
    pub width: Option<u32>,
    /// Lines, of the first page.
    pub height: Option<u32>,
    /// Pages.
    pub pages: Option<u32>,
    /// Dots an inch, when the file says.
    pub dpi: Option<u32>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

impl Seen {
    fn unreadable(&mut self, detail: &str) {
        self.findings.push(Finding::warning(Code::LegibleDamaged, "content", detail));
    }
}

/// Looks at a document of this media type; `None` when nothing here can.
pub fn look(media_type: &str, body: &Body) -> Result<Option<Seen>> {
    let look: fn(&[u8]) -> Seen = match media_type {
        "image/jpeg" => jpeg::look,
        "image/png" => png::look,
        "image/tiff" => tiff::look,
        "application/pdf" => pdf::look,
        _ => return Ok(None),
    };
    let Some(bytes) = body.whole(MAX_BYTES)? else {
        let finding = Finding::warning(Code::ReaderTooLarge, "content", "larger than 48 MiB");
        return Ok(Some(Seen { findings: vec![finding], ..Seen::default() }));
    };
    Ok(Some(look(&bytes)))
}

/// Looks at bytes as if they were of this media type; for fuzzing.
#[doc(hidden)]
pub fn look_at(media_type: &str, bytes: &[u8]) {
    let _ = look(media_type, &Body::from(bytes.to_vec()));
}

/// Whether so many pixels are decoded at all; else a finding says why not.
fn within(seen: &mut Seen, width: u32, height: u32, most: u64) -> bool {
    seen.width = Some(width);
    seen.height = Some(height);
    if width == 0 || height == 0 {
        seen.unreadable("an image without pixels");
        return false;
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels > most {
        let detail = format!("more than {} million pixels: not decoded", most / 1_000_000);
        seen.findings.push(Finding::warning(Code::LegibleTooLarge, "content", detail));
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    #[test]
    fn cut_and_flipped_files_never_panic_and_are_mostly_noticed() {
        for (media_type, whole) in corpus::legible_samples() {
            let good = look(media_type, &Body::from(whole.clone())).unwrap().unwrap();
            assert!(good.findings.is_empty(), "{media_type}: {:?}", good.findings);
            assert!(good.pages.is_some() || good.width.is_some(), "{media_type}");
            let step = (whole.len() / 60).max(1);
            let mut noticed = 0;
            for at in (0..whole.len()).step_by(step) {
                let cut = look(media_type, &Body::from(whole[..at].to_vec())).unwrap().unwrap();
                noticed += usize::from(!cut.findings.is_empty());
                let mut flipped = whole.clone();
                flipped[at] ^= 0x5a;
                look_at(media_type, &flipped);
            }
            assert!(noticed >= 50, "{media_type}: only {noticed} cuts were noticed");
        }
    }

    #[test]
    fn other_formats_are_not_looked_at() {
        assert_eq!(look("text/plain", &Body::from(b"x".to_vec())).unwrap(), None);
    }
}
