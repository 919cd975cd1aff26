//! Reading one member through its frames.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use sha2::Digest as _;

use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::package::seek::{Frames, SeekTable};
use crate::package::toc::Record;

/// The bytes of a member, or of a range of it; decompresses one frame at a time.
pub struct MemberReader {
    frames: Frames,
    table: Arc<SeekTable>,
    record: Record,
    next: u64,
    end: u64,
    /// Only for a whole member: a range cannot be compared.
    hasher: Option<sha2::Sha256>,
}

impl MemberReader {
    pub(super) fn new(
        frames: Frames,
        table: Arc<SeekTable>,
        record: Record,
        range: Option<Range<u64>>,
    ) -> Result<Self> {
        let start = record
            .tar_offset(&table)
            .ok_or_else(|| Error::new(Code::TocDisagrees, "a record points outside the content").at(record.id))?;
        let whole = 0..record.length;
        let wanted = range.unwrap_or(whole.clone());
        if wanted.start > wanted.end || wanted.end > record.length {
            return Err(Error::new(Code::RangeInvalid, format!("the document has {} bytes", record.length)));
        }
        let hasher = (wanted == whole).then(sha2::Sha256::new);
        Ok(Self { frames, table, record, next: start + wanted.start, end: start + wanted.end, hasher })
    }

    /// Where it is and how long the whole member is.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Bytes still to come.
    pub fn left(&self) -> u64 {
        self.end - self.next
    }

    /// Compares the whole member, once, before its last bytes are given.
    fn compare(&mut self) -> io::Result<()> {
        let Some(hasher) = self.hasher.take() else { return Ok(()) };
        if Sha256(hasher.finalize().into()) == self.record.sha256 {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "SHA-256 differs from the table of contents"))
    }

    pub(super) fn into_frames(self) -> Frames {
        self.frames
    }
}

impl Read for MemberReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.next == self.end {
            // An empty member was never compared: it is here.
            return self.compare().map(|()| 0);
        }
        let frame = self.table.frame_at(self.next);
        let inside = (self.next - self.table.tar_start(frame)) as usize;
        let left = usize::try_from(self.left()).unwrap_or(usize::MAX);
        let tar = self.frames.get(&self.table, frame).map_err(|e| {
            let kind =
                if e.code == Code::PackageFileAltered { io::ErrorKind::InvalidData } else { io::ErrorKind::Other };
            io::Error::new(kind, e)
        })?;
        let available = &tar[inside..];
        let n = buffer.len().min(available.len()).min(left);
        buffer[..n].copy_from_slice(&available[..n]);
        self.next += n as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..n]);
        }
        if self.next == self.end {
            self.compare()?;
        }
        Ok(n)
    }
}
