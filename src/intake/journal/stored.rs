//! Reading a record back: what was acknowledged, byte for byte, or an error.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::{HEAD_LIMIT, Part, RecordHead, Stored};
use super::segment::Section;
use crate::durable;
use crate::error::{AtPath, Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{DocumentId, Sequence};

/// A head of one document takes about a kilobyte.
const HEAD_BUFFER: usize = 2048;
/// Memory set aside for a part in advance; most parts are a few kilobytes.
const MOST_FORESEEN: usize = 64 * 1024;

/// A durable record. It stays readable while it is held, even when the journal lets go of its segment meanwhile.
#[derive(Debug)]
pub struct StoredRecord {
    /// What it is made of.
    pub head: RecordHead,
    file: Arc<File>,
    path: PathBuf,
    /// Where its parts begin.
    start: u64,
    bodies: PathBuf,
}

impl StoredRecord {
    pub(super) fn open(
        file: Arc<File>,
        segment: &Path,
        offset: u64,
        sequence: Sequence,
        bodies: PathBuf,
    ) -> Result<Self> {
        let mut line = Vec::new();
        // The file is shared: a section has a position of its own.
        let length = file.metadata().at_path(segment)?.len().saturating_sub(offset).min(HEAD_LIMIT as u64);
        let head = Section::new(Arc::clone(&file), offset, length);
        BufReader::with_capacity(HEAD_BUFFER, head).read_until(b'\n', &mut line).at_path(segment)?;
        let start = offset + line.len() as u64;
        let wrong = |what: &str| {
            Error::new(Code::JournalDamaged, what.to_owned()).at(format!("{} at byte {offset}", segment.display()))
        };
        let head: RecordHead = serde_json::from_slice(&line).map_err(|_| wrong("a record's head cannot be read"))?;
        if head.sequence != sequence {
            return Err(wrong("another record stands there"));
        }
        Ok(Self { head, file, path: segment.to_owned(), start, bodies })
    }

    /// Number `n` of the parts, checked against its digest.
    fn part(&self, n: usize) -> Result<Vec<u8>> {
        let wrong = |what: String| Error::new(Code::JournalDamaged, what).at(self.path.display());
        let before: u64 = self.head.parts().take(n).fold(0, |sum, (_, part)| sum.saturating_add(part.bytes));
        let Some((_, Part { bytes, sha256 })) = self.head.parts().nth(n) else {
            return Err(wrong(format!("the record has no part {n}")));
        };
        // What a head claims is not believed before it is there.
        let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(usize::MAX).min(MOST_FORESEEN));
        let start = self.start.saturating_add(before);
        let mut section = Section::new(self.file.clone(), start, bytes);
        section.read_to_end(&mut content).at_path(&self.path)?;
        if Sha256::of(&content) != sha256 {
            return Err(wrong(format!("part {n} of number {} is altered", self.head.sequence)));
        }
        Ok(content)
    }

    /// The RdV.
    pub fn rdv(&self) -> Result<Vec<u8>> {
        self.part(0)
    }

    /// The signed note.
    pub fn note(&self) -> Result<Vec<u8>> {
        self.part(1)
    }

    /// The index of the deposit.
    pub fn manifest(&self) -> Result<Vec<u8>> {
        self.part(2)
    }

    fn find(&self, document: DocumentId) -> Result<(usize, usize)> {
        let mut part = 3;
        for (at, head) in self.head.documents.iter().enumerate() {
            if head.id == document {
                return Ok((at, part));
            }
            part += if head.stored == Stored::Inline { 2 } else { 1 };
        }
        Err(Error::new(Code::NotFound, "the record has no such document").at(document))
    }

    /// A document's metadata file.
    pub fn metadata(&self, document: DocumentId) -> Result<Vec<u8>> {
        let (_, part) = self.find(document)?;
        self.part(part)
    }

    /// A document's content. Its digest is the reader's to compare: it may be large.
    pub fn open_document(&self, document: DocumentId) -> Result<Section> {
        let (at, part) = self.find(document)?;
        let head = &self.head.documents[at];
        match head.stored {
            Stored::Inline => {
                let before: u64 = self.head.parts().take(part + 1).fold(0, |sum, (_, p)| sum.saturating_add(p.bytes));
                Ok(Section::new(self.file.clone(), self.start.saturating_add(before), head.content.bytes))
            }
            Stored::File => {
                let path = self.bodies.join(document.to_string());
                let file = durable::open_plain(&path).map_err(|e| missing_body(document, e))?;
                Ok(Section::new(Arc::new(file), 0, head.content.bytes))
            }
        }
    }
}

fn missing_body(document: DocumentId, cause: Error) -> Error {
    Error::new(Code::JournalBody, cause.to_string()).at(format!("intake bodies/{document}")).because(cause)
}
