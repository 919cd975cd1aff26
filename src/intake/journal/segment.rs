//! One segment, read without trusting it: lines, headers, records, digests.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use super::format::{HEAD_LIMIT, HEADER_LIMIT, HEADER_START, Header, RecordHead, segment_name};
use super::scan::{Placed, Until};
use crate::durable;
use crate::error::{AtPath, Result};
use crate::hash::Sha256;

/// A stretch of a file, read as if it were a file of its own.
#[derive(Debug)]
pub struct Section {
    file: std::sync::Arc<File>,
    start: u64,
    length: u64,
    position: u64,
}

impl Section {
    pub(super) fn new(file: std::sync::Arc<File>, start: u64, length: u64) -> Self {
        Self { file, start, length, position: 0 }
    }

    /// Its length.
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.position);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.file.read_at(&mut buffer[..wanted], self.start + self.position)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Section {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::End(n) => self.length.checked_add_signed(n),
            SeekFrom::Current(n) => self.position.checked_add_signed(n),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// A segment that is being read.
pub(super) struct Reading {
    file: std::sync::Arc<File>,
    path: PathBuf,
    pub number: u64,
    /// Bytes that count.
    pub end: u64,
}

impl Reading {
    pub fn open(folder: &Path, number: u64, until: Until) -> Result<Self> {
        let path = folder.join(segment_name(number));
        let file = durable::open_plain(&path)?;
        let length = file.metadata().at_path(&path)?.len();
        let end = match until {
            Some((active, durable)) if active == number => length.min(durable),
            _ => length,
        };
        Ok(Self { file: std::sync::Arc::new(file), path, number, end })
    }

    /// The line that starts at `offset`, without its newline.
    fn line(&self, offset: u64, limit: usize) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut at = offset;
        while at < self.end && line.len() < limit {
            let mut piece = [0; 4096];
            let wanted = usize::try_from(self.end - at).unwrap_or(usize::MAX).min(piece.len());
            self.file.read_exact_at(&mut piece[..wanted], at).at_path(&self.path)?;
            if let Some(newline) = piece[..wanted].iter().position(|&b| b == b'\n') {
                line.extend_from_slice(&piece[..newline]);
                return Ok(Some(line));
            }
            line.extend_from_slice(&piece[..wanted]);
            at += wanted as u64;
        }
        Ok(None)
    }

    pub fn header(&self, offset: u64) -> Result<Option<(Header, Vec<u8>)>> {
        let line = self.line(offset, HEADER_LIMIT)?;
        Ok(line.and_then(|line| Some((Header::parse(&line)?, line))))
    }

    pub fn digest(&self, offset: u64, length: u64) -> Result<Sha256> {
        let mut section = Section::new(self.file.clone(), offset, length);
        let mut buffer = vec![0; 256 * 1024];
        let mut hasher = sha2::Sha256::new();
        loop {
            match section.read(&mut buffer).at_path(&self.path)? {
                0 => return Ok(Sha256(hasher.finalize().into())),
                n => hasher.update(&buffer[..n]),
            }
        }
    }

    /// The records of a payload; the error says what is wrong and where.
    pub fn records(&self, header: &Header, start: u64) -> Result<Result<Vec<Placed>, (u64, String)>> {
        let end = start + header.length;
        let mut at = start;
        let mut found = Vec::new();
        let mut expected = header.first;
        while at < end {
            let Some(line) = self.line(at, HEAD_LIMIT)? else {
                return Ok(Err((at, "a record's head does not end".into())));
            };
            let Ok(head) = serde_json::from_slice::<RecordHead>(&line) else {
                return Ok(Err((at, "a record's head cannot be read".into())));
            };
            let length = head.parts_length().and_then(|parts| parts.checked_add(line.len() as u64 + 2));
            let Some(next) = length.and_then(|length| at.checked_add(length)).filter(|next| *next <= end) else {
                return Ok(Err((at, "a record is longer than its batch".into())));
            };
            if head.sequence.0 != expected {
                return Ok(Err((at, format!("number {} where {expected} was due", head.sequence))));
            }
            expected += 1;
            found.push(Placed { offset: at, length: next - at, head });
            at = next;
        }
        if expected != header.last.wrapping_add(1) {
            return Ok(Err((at, format!("number {expected} is missing"))));
        }
        Ok(Ok(found))
    }

    /// Where the first valid header at or after `from` stands.
    pub fn next_header(&self, from: u64, mark: Option<&str>) -> Result<Option<u64>> {
        let mut at = from;
        let mut buffer = vec![0; 1 << 20];
        while at < self.end {
            let wanted = usize::try_from(self.end - at).unwrap_or(usize::MAX).min(buffer.len());
            self.file.read_exact_at(&mut buffer[..wanted], at).at_path(&self.path)?;
            let piece = &buffer[..wanted];
            for hit in memchr_all(piece) {
                let offset = at + hit as u64;
                if let Some((header, _)) = self.header(offset)?
                    && header.segment == self.number
                    && mark.is_none_or(|mark| header.mark == mark)
                {
                    return Ok(Some(offset));
                }
            }
            if wanted < buffer.len() {
                break;
            }
            // A start may lie across two pieces.
            at += (wanted - HEADER_START.len() + 1) as u64;
        }
        Ok(None)
    }
}

fn memchr_all(piece: &[u8]) -> impl Iterator<Item = usize> + '_ {
    piece.windows(HEADER_START.len()).enumerate().filter(|(_, w)| *w == HEADER_START).map(|(at, _)| at)
}
