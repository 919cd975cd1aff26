//! Names of the chain's and records' files, and the one bounded line reader.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::entry::{Entry, MAX_LINE};
use crate::durable;
use crate::error::{AtPath, Code, Error, Result};

/// Longest record line or personal part: far above any act, far below what would hurt memory.
pub const MAX_RECORD: usize = 1 << 20;

/// Most findings listed about one file: one cause can show on every line after it, and a hostile file on millions.
pub(super) const MAX_FINDINGS: usize = 50;

/// Where everything is, under one archive.
#[derive(Debug, Clone)]
pub(super) struct Files {
    archive: PathBuf,
}

impl Files {
    pub fn of(archive: &Path) -> Self {
        Self { archive: archive.to_owned() }
    }

    /// A file of `chain/`.
    pub fn chain(&self, name: &str) -> PathBuf {
        self.archive.join("chain").join(name)
    }

    pub fn records(&self) -> PathBuf {
        self.archive.join("records")
    }

    pub fn record(&self, kind: &str) -> PathBuf {
        self.records().join(format!("{kind}.jsonl"))
    }

    /// The personal part of a record.
    pub fn side(&self, kind: &str, id: &str) -> PathBuf {
        self.records().join(kind).join(format!("{id}.json"))
    }

    pub fn quarantine(&self) -> PathBuf {
        self.archive.join("quarantine")
    }
}

/// Record kinds are names that cannot leave their folder.
pub(super) fn check_record_kind(kind: &str) -> Result<()> {
    let fits = (1..=64).contains(&kind.len())
        && kind.starts_with(|c: char| c.is_ascii_lowercase())
        && kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits { Ok(()) } else { Err(Error::new(Code::Usage, "a kind of record is a short lower-case name")) }
}

/// A file's bytes, `None` when it is not there; larger than `limit` is an error, so that no file decides our memory.
pub(super) fn read_bounded(path: &Path, limit: usize) -> Result<Option<Vec<u8>>> {
    let file = match durable::open_plain(path) {
        Err(e) if e.code == Code::FileMissing => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut bytes).at_path(path)?;
    if bytes.len() > limit {
        return Err(Error::new(Code::ChainAltered, format!("larger than {limit} bytes")).at(path.display()));
    }
    Ok(Some(bytes))
}

/// One line as it stands in a file.
#[derive(Debug)]
pub(super) struct RawLine {
    /// Offset of its first byte.
    pub offset: u64,
    /// Its bytes without the newline; cut at the limit when `too_long`.
    pub bytes: Vec<u8>,
    /// Whether a newline ends it.
    pub complete: bool,
    /// Whether it is longer than the limit.
    pub too_long: bool,
}

/// Reads lines in memory bounded by `limit`, whatever the file holds.
pub(super) struct Lines {
    reader: BufReader<File>,
    offset: u64,
    limit: usize,
}

impl Lines {
    /// From this offset on; `None` when there is no such file.
    pub fn open(path: &Path, offset: u64, limit: usize) -> Result<Option<Self>> {
        let mut file = match durable::open_plain(path) {
            Err(e) if e.code == Code::FileMissing => return Ok(None),
            other => other?,
        };
        file.seek(SeekFrom::Start(offset)).at_path(path)?;
        Ok(Some(Self { reader: BufReader::with_capacity(1 << 16, file), offset, limit }))
    }

    /// The next line, complete or not; `None` at the end.
    pub fn next_line(&mut self) -> io::Result<Option<RawLine>> {
        let mut line = RawLine { offset: self.offset, bytes: Vec::new(), complete: false, too_long: false };
        loop {
            let chunk = self.reader.fill_buf()?;
            if chunk.is_empty() {
                return Ok((self.offset > line.offset).then_some(line));
            }
            let newline = chunk.iter().position(|b| *b == b'\n');
            let part = &chunk[..newline.unwrap_or(chunk.len())];
            let room = self.limit.saturating_sub(line.bytes.len());
            line.too_long |= part.len() > room;
            line.bytes.extend_from_slice(&part[..part.len().min(room)]);
            let used = part.len() + usize::from(newline.is_some());
            self.reader.consume(used);
            self.offset += used as u64;
            if newline.is_some() {
                line.complete = true;
                return Ok(Some(line));
            }
        }
    }
}

/// Reads the first `size` entries of an archive that is not open: for who makes it again from what was kept. A line that is no entry is
/// [`Code::ChainAltered`]; whether the lines are those of the checkpoint is [`super::verify`]'s to say.
pub fn each_entry_of(archive: &Path, size: u64, each: &mut dyn FnMut(Entry) -> Result<()>) -> Result<()> {
    let path = Files::of(archive).chain("entries");
    let missing = || Error::new(Code::ChainAltered, "entries are missing").at(path.display());
    let mut lines = Lines::open(&path, 0, MAX_LINE)?.ok_or_else(missing)?;
    for _ in 0..size {
        let line =
            lines.next_line().at_path(&path)?.filter(|line| line.complete && !line.too_long).ok_or_else(missing)?;
        each(Entry::parse(&line.bytes)?)?;
    }
    Ok(())
}
