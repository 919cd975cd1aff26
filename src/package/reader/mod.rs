//! **The** reader of packages: check, exhibit and the rebuilding of the catalog all go through it.
//!
//! It hides compression (and later encryption): callers name a member and get its bytes. Invariant: memory is bounded by
//! one frame whatever the file says, no more is inflated than table of contents and seek table allow, and a member read
//! whole is compared with its SHA-256 before its last byte is given as good.

mod index;
mod member;
mod scan;

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

pub use member::MemberReader;
pub use scan::{Scanned, Seen, derive_toc};

use super::files::{Files, Folder, Listed, ReadSeek};
use super::member::Kind;
use super::numbers::{self, Numbers};
use super::seek::{Frames, SeekTable};
use super::toc::{self, Record, Toc};
use crate::error::{AtPlace, Code, Error, Finding, Result};

/// An open package.
pub struct Package {
    files: Arc<dyn Files>,
    table: Arc<SeekTable>,
    toc: Toc,
}

impl Package {
    /// Opens a package: reads the seek table and the table of contents and holds them against each other.
    pub fn open(files: Arc<dyn Files>) -> Result<Self> {
        let table = SeekTable::read(&mut *files.open(super::CONTENT)?)?;
        let bytes = read_whole(&mut *files.open(super::TOC)?, super::TOC, toc::MAX_BYTES)?;
        let toc = Toc::parse(bytes, &table)?;
        Ok(Self { files, table: Arc::new(table), toc })
    }

    /// Opens a package whose table of contents is lost or wrong: it is derived from the content, all of which is read.
    pub fn open_deriving(files: Arc<dyn Files>) -> Result<Self> {
        let table = SeekTable::read(&mut *files.open(super::CONTENT)?)?;
        let toc = derive_toc(&*files)?;
        Ok(Self { files, table: Arc::new(table), toc })
    }

    /// Opens the package in a folder.
    pub fn open_folder(path: &Path) -> Result<Self> {
        Self::open(Arc::new(Folder::new(path)))
    }

    /// The table of contents.
    pub fn toc(&self) -> &Toc {
        &self.toc
    }

    /// The files of the package.
    pub fn list(&self) -> Result<Vec<Listed>> {
        self.files.list()
    }

    /// Opens one of the package's files: index, signature, evidence.
    pub fn open_file(&self, name: &str) -> Result<Box<dyn ReadSeek>> {
        self.files.open(name)
    }

    /// One of the package's small files, whole; an error when it is larger than `limit`.
    pub fn read_file(&self, name: &str, limit: u64) -> Result<Vec<u8>> {
        read_whole(&mut *self.files.open(name)?, name, limit)
    }

    /// The lane numbers inside.
    pub fn numbers(&self) -> Result<Numbers> {
        Numbers::parse(&self.read_file(super::NUMBERS, numbers::MAX_BYTES)?)
    }

    /// Where a member is and how long; [`Code::NotFound`] when it is not in this package.
    pub fn find(&self, kind: Kind, id: Uuid) -> Result<Record> {
        self.toc.find(kind, id).ok_or_else(|| Error::new(Code::NotFound, "not in this package").at(id))
    }

    /// Opens a member, whole or a range of it. Only the frames it touches are decompressed. Read to its end, a whole
    /// member that is not what the table of contents says ends in an error of kind `InvalidData`.
    /// [`Code::RangeInvalid`] when the range lies outside.
    pub fn open_member(&self, kind: Kind, id: Uuid, range: Option<Range<u64>>) -> Result<MemberReader> {
        let record = self.find(kind, id)?;
        let frames = Frames::new(self.files.open(super::CONTENT)?)?;
        MemberReader::new(frames, Arc::clone(&self.table), record, range)
    }

    /// A member of at most `limit` bytes, whole and compared with its SHA-256.
    pub fn read_member(&self, kind: Kind, id: Uuid, limit: u64) -> Result<Vec<u8>> {
        let record = self.find(kind, id)?;
        if record.length > limit {
            return Err(Error::new(Code::TocDisagrees, "larger than anything of its kind").at(id));
        }
        // The table may claim any length: memory grows with what is there, not with what is claimed.
        let mut bytes = Vec::with_capacity(record.length.min(1 << 20) as usize);
        self.open_member(kind, id, None)?.read_to_end(&mut bytes).map_err(|e| content_error(id, e))?;
        Ok(bytes)
    }

    /// Gives every member of these kinds, in the order of the content, decompressing each frame once and no frame of
    /// another kind. What `each` leaves unread is read here, so that every member given was compared with its SHA-256;
    /// the first that differs ends the walk with [`Code::ContentAltered`].
    pub fn each_member(
        &self,
        kinds: &[Kind],
        each: &mut dyn FnMut(&Record, &mut dyn Read) -> Result<()>,
    ) -> Result<()> {
        let mut records: Vec<_> = self.toc.iter().filter(|r| kinds.contains(&r.kind)).collect();
        records.sort_by_key(|r| (r.frame, r.offset));
        let mut frames = Frames::new(self.files.open(super::CONTENT)?)?;
        for record in records {
            let mut reader = MemberReader::new(frames, Arc::clone(&self.table), record, None)?;
            each(&record, &mut reader)?;
            std::io::copy(&mut reader, &mut std::io::sink()).map_err(|e| content_error(record.id, e))?;
            frames = reader.into_frames();
        }
        Ok(())
    }

    /// Reads the whole content and holds it against the table of contents: every member's SHA-256, position and length,
    /// nothing missing, nothing besides, every byte of the tar accounted for. `each` sees every member found, in order;
    /// what is wrong is in the findings, each naming the frame or the member. An error means that it could not be
    /// looked at.
    pub fn verify_content(&self, each: &mut dyn FnMut(&Seen)) -> Result<Scanned> {
        let mut frames = Frames::new(self.files.open(super::CONTENT)?)?;
        let mut found = Vec::new();
        let mut scanned = scan::scan(&mut frames, &self.table, &mut |seen| {
            found.push(seen.record);
            each(seen);
        })?;
        found.sort_by_key(|r| (r.id, r.kind));
        let mut seen = found.iter().peekable();
        for listed in self.toc.iter() {
            while let Some(extra) = seen.next_if(|r| (r.id, r.kind) < (listed.id, listed.kind)) {
                scanned.findings.push(Finding::error(Code::TocDisagrees, extra.id.to_string(), "not in the table"));
            }
            match seen.next_if(|r| (r.id, r.kind) == (listed.id, listed.kind)) {
                None => scanned.findings.push(missing(&listed)),
                Some(found) if *found == listed => {}
                Some(found) if found.sha256 != listed.sha256 => scanned.findings.push(Finding::error(
                    Code::ContentAltered,
                    listed.id.to_string(),
                    format!("{:?}: SHA-256 differs from the table of contents", listed.kind),
                )),
                Some(_) => scanned.findings.push(Finding::error(
                    Code::TocDisagrees,
                    listed.id.to_string(),
                    "another place or length",
                )),
            }
        }
        for extra in seen {
            scanned.findings.push(Finding::error(Code::TocDisagrees, extra.id.to_string(), "not in the table"));
        }
        Ok(scanned)
    }
}

fn missing(listed: &Record) -> Finding {
    let detail = format!("{:?} of {} bytes, frame {}", listed.kind, listed.length, listed.frame);
    Finding::error(Code::ContentMissing, listed.id.to_string(), detail)
}

/// An error met while reading a member: altered bytes by their own code, input/output by its own.
pub fn content_error(id: Uuid, error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::InvalidData {
        Error::new(Code::ContentAltered, error.to_string()).at(id).because(error)
    } else {
        Error::io(id, error)
    }
}

fn read_whole(file: &mut dyn ReadSeek, name: &str, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).at(name)?;
    if bytes.len() as u64 > limit {
        return Err(Error::new(Code::PackageFileAltered, "larger than any such file").at(name));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
