//! The table of contents: file `toc`, from which one member is found without reading the others.
//!
//! Format: the 8 bytes `CUSTTOC1`, the number of records (u64), then the records, 68 bytes each, ascending by member id
//! and kind; integers little-endian:
//!
//! | bytes | |
//! |---|---|
//! | 16 | member id (UUID) |
//! | 1 | kind ([`Kind`]) |
//! | 3 | zero |
//! | 4 | first frame |
//! | 4 | offset of the data inside that frame, decompressed |
//! | 8 | length of the data |
//! | 32 | SHA-256 of the data |
//!
//! Invariant: derivable from the content (the reader's scan gives the same bytes), so it proves nothing and may be lost.

use uuid::Uuid;

use super::member::Kind;
use super::plan::MAX_DOCUMENTS;
use super::seek::SeekTable;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

const MAGIC: &[u8; 8] = b"CUSTTOC1";
const HEAD: usize = 16;
const RECORD: usize = 68;
/// Largest table read: a member of every kind for each document a package may have.
pub const MAX_BYTES: u64 = (HEAD + Kind::ALL.len() * MAX_DOCUMENTS * RECORD) as u64;

/// Where one member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Document or receipt id.
    pub id: Uuid,
    /// What it is.
    pub kind: Kind,
    /// Frame in which its data begins.
    pub frame: u32,
    /// Offset of its data in that frame, decompressed.
    pub offset: u32,
    /// Length of its data.
    pub length: u64,
    /// SHA-256 of its data.
    pub sha256: Sha256,
}

impl Record {
    fn encode(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[0..16].copy_from_slice(self.id.as_bytes());
        bytes[16] = self.kind as u8;
        bytes[20..24].copy_from_slice(&self.frame.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.offset.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.length.to_le_bytes());
        bytes[36..68].copy_from_slice(&self.sha256.0);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; RECORD] = bytes.try_into().ok()?;
        let le = |from: usize, to: usize| bytes[from..to].iter().rev().fold(0_u64, |v, b| v << 8 | u64::from(*b));
        (bytes[17..20] == [0; 3]).then_some(())?;
        Some(Self {
            id: Uuid::from_slice(&bytes[0..16]).ok()?,
            kind: Kind::from_byte(bytes[16])?,
            frame: le(20, 24) as u32,
            offset: le(24, 28) as u32,
            length: le(28, 36),
            sha256: Sha256(bytes[36..68].try_into().ok()?),
        })
    }

    /// Offset of its data in the tar, when it lies wholly inside.
    pub fn tar_offset(&self, table: &SeekTable) -> Option<u64> {
        let inside = u64::from(self.offset) <= table.tar_size(self.frame as usize);
        let start = table.tar_start(self.frame as usize).checked_add(u64::from(self.offset))?;
        let end = start.checked_add(self.length)?;
        (inside && (self.frame as usize) < table.frames() && end <= table.tar_length()).then_some(start)
    }
}

/// A table of contents, kept as the file's bytes: a member is found by bisection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toc(Vec<u8>);

impl Toc {
    /// Makes the table of these members.
    pub fn build(mut records: Vec<Record>) -> Self {
        records.sort_by_key(|r| (r.id, r.kind));
        let mut bytes = Vec::with_capacity(HEAD + records.len() * RECORD);
        bytes.extend(MAGIC);
        bytes.extend((records.len() as u64).to_le_bytes());
        for record in &records {
            bytes.extend(record.encode());
        }
        Self(bytes)
    }

    /// Reads the file: header, order, every record inside the content.
    pub fn parse(bytes: Vec<u8>, table: &SeekTable) -> Result<Self> {
        let wrong = |what: &str| Err(Error::new(Code::TocDisagrees, what).at(super::TOC));
        if bytes.len() < HEAD || !bytes.starts_with(MAGIC) || !(bytes.len() - HEAD).is_multiple_of(RECORD) {
            return wrong("not a table of contents");
        }
        if bytes[8..HEAD] != (((bytes.len() - HEAD) / RECORD) as u64).to_le_bytes() {
            return wrong("number of records");
        }
        let toc = Self(bytes);
        let mut last = None;
        for raw in toc.0[HEAD..].chunks_exact(RECORD) {
            let Some(record) = Record::decode(raw) else { return wrong("a record that says nothing") };
            let key = Some((record.id, record.kind));
            if key <= last {
                return wrong("records out of order");
            }
            if record.tar_offset(table).is_none() {
                return wrong("a record points outside the content");
            }
            last = key;
        }
        Ok(toc)
    }

    /// The file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        (self.0.len() - HEAD) / RECORD
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All members, by id and kind.
    pub fn iter(&self) -> impl Iterator<Item = Record> + '_ {
        self.0[HEAD..].chunks_exact(RECORD).filter_map(Record::decode)
    }

    /// Where this member is.
    pub fn find(&self, kind: Kind, id: Uuid) -> Option<Record> {
        let key = |i: usize| &self.0[HEAD + i * RECORD..HEAD + i * RECORD + 17];
        let (mut low, mut high) = (0, self.len());
        let mut wanted = [0; 17];
        wanted[..16].copy_from_slice(id.as_bytes());
        wanted[16] = kind as u8;
        while low < high {
            let middle = low + (high - low) / 2;
            match key(middle).cmp(&wanted[..]) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    return Record::decode(&self.0[HEAD + middle * RECORD..HEAD + (middle + 1) * RECORD]);
                }
            }
        }
        None
    }
}
