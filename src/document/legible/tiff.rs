//! TIFF (revision 6): the chain of its pages walked, each page's data inside the file and as many as its size asks for
//! ([`super::strips`]).
//!
//! Invariant: bounded pages, entries and strips, and no page twice: a chain that comes back to itself ends.

use std::collections::HashSet;

use super::strips::{self, MAX_UNPACKED};
use super::{MAX_PIXELS, Seen, within};

const MAX_PAGES: u32 = 2_000;
const MAX_ENTRIES: usize = 4_096;
const MAX_STRIPS: usize = 1_000_000;
/// Samples of a pixel of which the bits are read.
const MAX_SAMPLES: usize = 64;

pub fn look(bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    if let Err(detail) = walk(bytes, &mut seen) {
        seen.unreadable(detail);
    }
    seen
}

struct File<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl File<'_> {
    fn short(&self, at: usize) -> Option<u16> {
        let pair: [u8; 2] = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let four: [u8; 4] = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }

    /// Values of an entry of unsigned numbers: its first `most`.
    fn values(&self, entry: usize, most: usize) -> Option<Vec<u32>> {
        let (kind, count) = (self.short(entry + 2)?, self.long(entry + 4)? as usize);
        let size = match kind {
            1 => 1,
            3 => 2,
            4 => 4,
            _ => return None,
        };
        let whole = count.checked_mul(size)?;
        let at = if whole <= 4 { entry + 8 } else { self.long(entry + 8)? as usize };
        self.bytes.get(at..at.checked_add(whole)?)?;
        let one = |n: usize| match size {
            1 => self.bytes.get(at + n).map(|b| u32::from(*b)),
            2 => self.short(at + 2 * n).map(u32::from),
            _ => self.long(at + 4 * n),
        };
        (0..count.min(most)).map(one).collect()
    }

    fn rational(&self, entry: usize) -> Option<u32> {
        if self.short(entry + 2)? != 5 {
            return None;
        }
        let at = self.long(entry + 8)? as usize;
        let (over, under) = (self.long(at)?, self.long(at.checked_add(4)?)?);
        over.checked_div(under)
    }
}

fn walk(bytes: &[u8], seen: &mut Seen) -> Result<(), &'static str> {
    let big_endian = match bytes.get(..4) {
        Some(b"MM\0*") => true,
        Some(b"II*\0") => false,
        _ => return Err("no TIFF header"),
    };
    let file = File { bytes, big_endian };
    let mut next = file.long(4).ok_or("cut short")? as usize;
    let mut met = HashSet::new();
    let (mut pages, mut left) = (0, MAX_UNPACKED);
    while next != 0 {
        if !met.insert(next) {
            return Err("its pages come back to one another");
        }
        if pages >= MAX_PAGES {
            return Err("too many pages");
        }
        let entries = usize::from(file.short(next).ok_or("a page lies outside the file")?);
        if entries > MAX_ENTRIES {
            return Err("too many entries");
        }
        page(&file, (next + 2, entries), seen, pages == 0, &mut left)?;
        pages += 1;
        seen.pages = Some(pages);
        next = file.long(next + 2 + 12 * entries).ok_or("cut short")? as usize;
    }
    if pages == 0 { Err("no page") } else { Ok(()) }
}

fn page(
    file: &File<'_>,
    (at, entries): (usize, usize),
    seen: &mut Seen,
    first: bool,
    left: &mut u64,
) -> Result<(), &'static str> {
    let (mut width, mut height, mut dpi, mut unit) = (None, None, None, 2);
    let mut page = strips::Page::default();
    for entry in (0..entries).map(|n| at + 12 * n) {
        let tag = file.short(entry).ok_or("cut short")?;
        let one = || file.values(entry, 1).and_then(|values| values.first().copied());
        match tag {
            256 => width = one(),
            257 => height = one(),
            258 => page.bits = file.values(entry, MAX_SAMPLES).unwrap_or_default(),
            259 => page.compression = one(),
            262 => page.photometric = one(),
            277 => page.samples = one(),
            278 => page.rows_per_strip = one(),
            282 => dpi = file.rational(entry),
            284 => page.planar = one(),
            296 => unit = one().unwrap_or(2),
            322 => page.tile.0 = one(),
            323 => page.tile.1 = one(),
            // Strips or tiles.
            273 | 324 => page.offsets = file.values(entry, MAX_STRIPS).ok_or("its data are not listed")?,
            279 | 325 => page.lengths = file.values(entry, MAX_STRIPS).ok_or("its data are not listed")?,
            _ => {}
        }
    }
    let (Some(width), Some(height)) = (width, height) else { return Err("a page without size") };
    if page.offsets.is_empty() || page.offsets.len() != page.lengths.len() {
        return Err("a page without data");
    }
    if page.lengths.contains(&0) {
        return Err("a page's data lie outside the file");
    }
    (page.width, page.height) = (width, height);
    strips::look(file.bytes, &page, left)?;
    if first {
        within(seen, width, height, MAX_PIXELS);
        seen.dpi = match unit {
            2 => dpi,
            3 => dpi.map(|dots| (u64::from(dots) * 254 / 100).try_into().unwrap_or(u32::MAX)),
            _ => None,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    #[test]
    fn pages_are_counted_and_their_data_looked_for() {
        let tiff = corpus::tiff(3);
        let seen = look(&tiff);
        assert_eq!((seen.pages, seen.width, seen.height), (Some(3), Some(16), Some(12)));
        assert!(seen.findings.is_empty(), "{:?}", seen.findings);
        assert!(!look(&tiff[..tiff.len() - 1]).findings.is_empty());
    }

    #[test]
    fn a_chain_that_comes_back_ends() {
        let mut tiff = corpus::tiff(1);
        let first = u32::from_le_bytes(tiff[4..8].try_into().unwrap()) as usize;
        let entries = usize::from(u16::from_le_bytes(tiff[first..first + 2].try_into().unwrap()));
        let next = first + 2 + 12 * entries;
        tiff[next..next + 4].copy_from_slice(&(first as u32).to_le_bytes());
        assert!(look(&tiff).findings[0].message.contains("come back"));
    }
}
