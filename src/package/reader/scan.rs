//! Walking the whole content as the tar it is, without believing the table of contents.
//!
//! Invariant: a walk without findings has seen every byte of the tar: canonical headers, data, zero padding, kinds in
//! order and never mixed in a frame, members cut as the writer cuts them, two empty blocks at the end and nothing after.
//! After a damaged frame the walk goes on at the next frame that begins with a header.

use std::collections::HashSet;

use sha2::Digest as _;

use super::super::files::Files;
use super::super::member::{Kind, Member};
use super::super::plan::MAX_DOCUMENTS;
use super::super::seek::{FRAME, Frames, SeekTable};
use super::super::tar::{BLOCK, END, Header, padded};
use super::super::toc::{Record, Toc};
use crate::error::{Code, Error, Finding, Result};
use crate::hash::Sha256;

/// One member as found in the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What its path says.
    pub member: Member,
    /// Where it is, how long, and the SHA-256 of what is there.
    pub record: Record,
}

/// Outcome of a walk over the whole content.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Scanned {
    /// Members found.
    pub members: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames read, of how many.
    pub frames: (u64, u64),
    /// What is wrong; none means that every byte was looked at and is in order.
    pub findings: Vec<Finding>,
}

/// Derives the table of contents again from the content alone.
pub fn derive_toc(files: &dyn Files) -> Result<Toc> {
    let table = SeekTable::read(&mut *files.open(crate::package::CONTENT)?)?;
    let mut records = Vec::new();
    let mut frames = Frames::new(files.open(crate::package::CONTENT)?)?;
    let scanned = scan(&mut frames, &table, &mut |seen| records.push(seen.record))?;
    match scanned.findings.into_iter().next() {
        None => Ok(Toc::build(records)),
        Some(finding) => Err(Error::new(finding.code, finding.message).at(finding.place)),
    }
}

pub(super) fn scan(frames: &mut Frames, table: &SeekTable, each: &mut dyn FnMut(&Seen)) -> Result<Scanned> {
    let mut walk = Walk { frames, table, kind: 0, met: HashSet::new(), scanned: Scanned::default() };
    walk.scanned.frames.1 = table.frames() as u64;
    let mut frame = 0;
    // The last frame is the end of the tar.
    let last = table.frames() - 1;
    while frame < last {
        match walk.unit(frame, last, each) {
            Ok(next) => frame = next,
            Err(e) if e.code == Code::PackageFileAltered => {
                let place =
                    if e.place.is_empty() { format!("{} frame {frame}", super::super::CONTENT) } else { e.place };
                walk.scanned.findings.push(Finding::error(e.code, place, e.detail));
                frame += 1;
                while frame < last && !walk.begins_with_header(frame)? {
                    frame += 1;
                }
            }
            Err(e) => return Err(e),
        }
    }
    match walk.frames.get(table, last) {
        Ok(tar) if tar == END => walk.scanned.frames.0 += 1,
        Ok(_) => walk.scanned.findings.push(Finding::error(
            Code::PackageFileAltered,
            format!("{} frame {last}", super::super::CONTENT),
            "the tar does not end here",
        )),
        Err(e) if e.code == Code::PackageFileAltered => {
            walk.scanned.findings.push(Finding::error(e.code, e.place, e.detail));
        }
        Err(e) => return Err(e),
    }
    Ok(walk.scanned)
}

struct Walk<'a> {
    frames: &'a mut Frames,
    table: &'a SeekTable,
    kind: u8,
    met: HashSet<(uuid::Uuid, u8)>,
    scanned: Scanned,
}

impl Walk<'_> {
    /// Reads the members of one frame, or one member over several; gives the frame after.
    fn unit(&mut self, frame: usize, last: usize, each: &mut dyn FnMut(&Seen)) -> Result<usize> {
        let wrong = |what: &str| Error::new(Code::PackageFileAltered, what);
        let mut at = 0;
        let mut kind_here = None;
        loop {
            let tar = self.frames.get(self.table, frame)?;
            let (header, header_length) = Header::parse(&tar[at..])?;
            let member = Member::from_path(&header.path).ok_or_else(|| wrong("a path that is no member's"))?;
            if *kind_here.get_or_insert(member.kind) != member.kind || (member.kind as u8) < self.kind {
                return Err(wrong("kinds mixed or out of order"));
            }
            let total = header_length as u64 + padded(header.size);
            let large = total > FRAME as u64;
            if large && at != 0 {
                return Err(wrong("a large member that does not begin its frame"));
            }
            let record = Record {
                id: member.id,
                kind: member.kind,
                frame: frame as u32,
                offset: (at + header_length) as u32,
                length: header.size,
                sha256: Sha256::ZERO,
            };
            // Before anything is read: hostile sizes stop here.
            let end = self.table.tar_start(frame) + at as u64;
            let end = end.checked_add(total).filter(|end| *end <= self.table.tar_start(last));
            let end = end.ok_or_else(|| wrong("a member longer than the content"))?;
            let sha256 = self.hash(&record, end)?;
            self.kind = member.kind as u8;
            if self.met.len() >= Kind::ALL.len() * MAX_DOCUMENTS || !self.met.insert((member.id, member.kind as u8)) {
                return Err(wrong("a member twice, or too many"));
            }
            self.scanned.members += 1;
            self.scanned.bytes += header.size;
            each(&Seen { member, record: Record { sha256, ..record } });
            let after = self.table.frame_at(end - 1) + 1;
            if large {
                let full = (frame..after - 1).all(|f| self.table.tar_size(f) == FRAME as u64);
                if self.table.tar_start(after) != end || !full {
                    return Err(wrong("a large member that does not fill its frames alone"));
                }
                self.scanned.frames.0 += (after - frame) as u64;
                return Ok(after);
            }
            if after != frame + 1 {
                return Err(wrong("a small member cut between frames"));
            }
            at += total as usize;
            if at as u64 == self.table.tar_size(frame) {
                self.scanned.frames.0 += 1;
                return Ok(after);
            }
        }
    }

    /// SHA-256 of a member's data; its padding, up to `end` of the tar, must be zero.
    fn hash(&mut self, record: &Record, end: u64) -> Result<Sha256> {
        let mut hasher = sha2::Sha256::new();
        let mut next = self.table.tar_start(record.frame as usize) + u64::from(record.offset);
        let data_end = next + record.length;
        while next < end {
            let frame = self.table.frame_at(next);
            let from = (next - self.table.tar_start(frame)) as usize;
            let tar = &self.frames.get(self.table, frame)?[from..];
            let data = tar.len().min(usize::try_from(data_end.saturating_sub(next)).unwrap_or(usize::MAX));
            hasher.update(&tar[..data]);
            let padding = (tar.len() - data).min(usize::try_from(end - next - data as u64).unwrap_or(usize::MAX));
            if tar[data..data + padding].iter().any(|b| *b != 0) {
                return Err(Error::new(Code::PackageFileAltered, "padding that is not zero"));
            }
            next += (data + padding) as u64;
        }
        Ok(Sha256(hasher.finalize().into()))
    }

    fn begins_with_header(&mut self, frame: usize) -> Result<bool> {
        match self.frames.get(self.table, frame) {
            Ok(tar) => Ok(tar.len() >= BLOCK && Header::parse(tar).is_ok()),
            Err(e) if e.code == Code::PackageFileAltered => Ok(false),
            Err(e) => Err(e),
        }
    }
}
