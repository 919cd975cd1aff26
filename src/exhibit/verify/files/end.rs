//! The end of a zip: what it declares, and whether that is what there is (APPNOTE 4.3.14 to 4.3.16).
//!
//! Invariant: the end stands at the very end, without a comment; number, place and length of the directory are said once or twice,
//! and each time as they are, so that no two readers find two directories.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

/// Length of the record at the end; of the one for large files and of its locator, which stand before it.
const END: u64 = 22;
const END64: u64 = 56;
const LOCATOR64: u64 = 20;

/// What the end of a zip declares.
pub(super) struct End {
    pub entries: u64,
    /// Length of the directory.
    pub directory: u64,
    /// Where the directory begins.
    start: u64,
    /// Where what follows the directory begins.
    at: u64,
}

/// Little-endian numbers, one after the other.
struct Numbers<'a>(&'a [u8]);

impl Numbers<'_> {
    fn next(&mut self, octets: usize) -> u64 {
        let (own, rest) = self.0.split_at(octets);
        self.0 = rest;
        own.iter().rev().fold(0, |number, octet| number << 8 | u64::from(*octet))
    }
}

impl End {
    /// `None` when the file does not end as a zip does.
    pub fn of(file: &File) -> io::Result<Option<Self>> {
        let length = file.metadata()?.len();
        let mut tail = [0; (END64 + LOCATOR64 + END) as usize];
        let there = length.min(tail.len() as u64) as usize;
        let from = tail.len() - there;
        file.read_exact_at(&mut tail[from..], length - there as u64)?;
        let (large, end) = tail.split_at((END64 + LOCATOR64) as usize);
        Ok(if large[END64 as usize..].starts_with(b"PK\x06\x07") {
            Self::large(large, end, length)
        } else {
            Self::small(end, length)
        })
    }

    /// Disks, entries twice, length and place of the directory; of a record without a comment.
    fn fields(end: &[u8]) -> Option<[u64; 4]> {
        let mut numbers = Numbers(end.strip_prefix(b"PK\x05\x06")?);
        let disks = [numbers.next(2), numbers.next(2)];
        let fields = [numbers.next(2), numbers.next(2), numbers.next(4), numbers.next(4)];
        (disks == [0, 0] && numbers.next(2) == 0).then_some(fields)
    }

    fn small(end: &[u8], length: u64) -> Option<Self> {
        let [entries, again, directory, start] = Self::fields(end)?;
        (entries == again).then_some(Self { entries, directory, start, at: length.checked_sub(END)? })
    }

    fn large(large: &[u8], end: &[u8], length: u64) -> Option<Self> {
        let at = length.checked_sub(END64 + LOCATOR64 + END)?;
        let (record, locator) = large.split_at(END64 as usize);
        let mut numbers = Numbers(record.strip_prefix(b"PK\x06\x06")?);
        // What follows the length; versions mean nothing here; disks.
        let right = numbers.next(8) == END64 - 12;
        numbers.next(4);
        let right = right && numbers.next(8) == 0;
        let fields = [numbers.next(8), numbers.next(8), numbers.next(8), numbers.next(8)];
        let mut numbers = Numbers(&locator[4..]);
        let right = right && [numbers.next(4), numbers.next(8), numbers.next(4)] == [0, at, 1];
        let most = [0xffff, 0xffff, 0xffff_ffff, 0xffff_ffff];
        let mut said = Self::fields(end)?.into_iter().zip(fields).zip(most);
        let right = right && said.all(|((said, is), most)| said == most || said == is);
        let [entries, again, directory, start] = fields;
        (right && entries == again).then_some(Self { entries, directory, start, at })
    }

    /// Whether entries (start, end, whether a descriptor follows), directory and end stand side by side from the first byte to the
    /// last; `found` is where the directory was read.
    pub fn closes(&self, entries: &[(u64, u64, bool)], found: Range<u64>) -> bool {
        let starts = entries.iter().map(|(start, _, _)| *start).skip(1).chain([self.start]);
        // A descriptor has a mark or not, and lengths of four octets or eight (APPNOTE 4.3.9).
        let beside = |(end, described): (u64, bool), next: u64| match described {
            true => next.checked_sub(end).is_some_and(|gap| matches!(gap, 12 | 16 | 20 | 24)),
            false => next == end,
        };
        let first = entries.first().map_or(self.start, |(start, _, _)| *start);
        let entries = entries.iter().zip(starts).all(|((_, end, described), next)| beside((*end, *described), next));
        let directory = self.start.checked_add(self.directory) == Some(self.at) && found == (self.start..self.at);
        first == 0 && entries && directory
    }
}
