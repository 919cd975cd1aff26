//! The bytes of a journal: batches of records in segments.
//!
//! A batch is one JSON line (the header) and its payload; a record is one JSON line (the head) and its parts one after the
//! other: RdV, note, manifest, then for each document its metadata file and, when it is not large, its content; a newline
//! ends it. Invariant: every byte of a segment is under a digest: the payload under the header's `sha256`, the header under
//! its own `check`, and each header's digest stands in the next one's `previous`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::hash::Sha256;
use crate::id::{DocumentId, Lane, ReceiptId, Sequence};

/// A header line is longer than this only when it is not one.
pub(super) const HEADER_LIMIT: usize = 64 * 1024;
/// A record's head grows by about 300 bytes a document; this bounds what a damaged file can make us read.
pub(super) const HEAD_LIMIT: usize = 16 * 1024 * 1024;

const CHECK: &str = ",\"check\":\"";
/// How a header line begins: what a search after a bad batch looks for.
pub(super) const HEADER_START: &[u8] = b"{\"batch\":";

/// The batch before, in this segment or in the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Previous {
    pub segment: u64,
    pub offset: u64,
    /// SHA-256 of its header line.
    pub sha256: Sha256,
}

impl Previous {
    /// What the first batch of a lane says.
    pub const NONE: Self = Self { segment: 0, offset: 0, sha256: Sha256::ZERO };
}

/// The end of an earlier segment that counts for nothing: bytes from `offset` on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetAside {
    pub segment: u64,
    pub offset: u64,
    /// Digest of those bytes, when they were found by recovery. After a failed sync nobody can say what the disk holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// Numbers that may have been issued with those bytes and are not used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<(u64, u64)>,
}

/// The header of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub batch: u64,
    pub lane: Lane,
    pub segment: u64,
    /// Random, the same in all headers of a segment: a document that looks like a header does not know it.
    pub mark: String,
    /// Number of the first record, or of the record to come when the batch is empty.
    pub first: u64,
    /// Number of the last record; `first - 1` when the batch is empty.
    pub last: u64,
    /// Bytes of payload.
    pub length: u64,
    /// SHA-256 of the payload.
    pub sha256: Sha256,
    /// The last instant given in this lane; the next one is not earlier.
    pub at: Timestamp,
    pub previous: Previous,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<SetAside>,
}

/// Closes a JSON object with a digest of itself, so that one flipped bit is seen without looking at any other line.
pub(in crate::intake) fn checked_line<T: Serialize>(object: &T) -> Vec<u8> {
    let mut line = serde_json::to_vec(object).expect("what intake writes has no map with keys that are not text");
    line.pop();
    let check = Sha256::of(&line);
    line.extend_from_slice(CHECK.as_bytes());
    line.extend_from_slice(check.to_string().as_bytes());
    line.extend_from_slice(b"\"}");
    line
}

/// The object that [`checked_line`] closed; `None` when one bit is not as it was written.
pub(in crate::intake) fn open_line<T: serde::de::DeserializeOwned>(line: &[u8]) -> Option<T> {
    let split = line.len().checked_sub(CHECK.len() + 64 + 2)?;
    let (content, check) = line.split_at(split);
    let expected = format!("{CHECK}{}\"}}", Sha256::of(content));
    if check != expected.as_bytes() {
        return None;
    }
    let mut json = content.to_vec();
    json.push(b'}');
    serde_json::from_slice(&json).ok()
}

impl Header {
    /// The line, without its newline.
    pub fn line(&self) -> Vec<u8> {
        checked_line(self)
    }

    /// Reads a line; `None` when one bit of it is not as it was written.
    pub fn parse(line: &[u8]) -> Option<Self> {
        open_line(line)
    }

    /// Whether it carries no record.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// Length and digest of one part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Length.
    pub bytes: u64,
    /// SHA-256.
    pub sha256: Sha256,
}

impl Part {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: Sha256::of(bytes) }
    }
}

/// Where the content of a document stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stored {
    /// In the record.
    Inline,
    /// In a file of its own: `bodies/<document id>`.
    File,
}

/// One document of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentHead {
    /// The document.
    pub id: DocumentId,
    /// Its metadata file.
    pub metadata: Part,
    /// Its content.
    pub content: Part,
    /// Where the content stands.
    pub stored: Stored,
}

/// The first line of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordHead {
    /// Its number in the lane.
    pub sequence: Sequence,
    /// Its receipt.
    pub receipt: ReceiptId,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The RdV.
    pub rdv: Part,
    /// The signed note.
    pub note: Part,
    /// The index of the deposit.
    pub manifest: Part,
    /// The documents, in the order of the deposit.
    pub documents: Vec<DocumentHead>,
}

impl RecordHead {
    /// The parts in the order they are written, with the document they belong to; large contents are not among them.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Option<DocumentId>, Part)> + '_ {
        let own = [self.rdv, self.note, self.manifest].into_iter().map(|part| (None, part));
        own.chain(self.documents.iter().flat_map(|document| {
            let content = (document.stored == Stored::Inline).then_some((Some(document.id), document.content));
            std::iter::once((Some(document.id), document.metadata)).chain(content)
        }))
    }

    /// Bytes of all parts together; `None` when a damaged head makes that absurd.
    pub(super) fn parts_length(&self) -> Option<u64> {
        self.parts().try_fold(0u64, |sum, (_, part)| sum.checked_add(part.bytes))
    }

    /// Bytes of all documents, wherever they stand.
    pub fn documents_length(&self) -> u64 {
        self.documents.iter().fold(0, |sum, document| sum.saturating_add(document.content.bytes))
    }
}

pub(super) fn segment_name(number: u64) -> String {
    format!("segment-{number:08}")
}

pub(super) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("segment-")?;
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_header_is_seen() {
        let header = Header {
            batch: 3,
            lane: Lane(1),
            segment: 1,
            mark: "ab".repeat(16),
            first: 1,
            last: 4,
            length: 17,
            sha256: Sha256::of(b"x"),
            at: "2026-11-22T10:00:00.123Z".parse().unwrap(),
            previous: Previous::NONE,
            set_aside: vec![SetAside { segment: 1, offset: 2, sha256: None, numbers: Some((1, 2)) }],
        };
        let line = header.line();
        assert_eq!(Header::parse(&line), Some(header));
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut flipped = line.clone();
                flipped[at] ^= 1 << bit;
                assert_eq!(Header::parse(&flipped), None, "byte {at}, bit {bit}");
            }
        }
        assert_eq!(Header::parse(&line[..line.len() - 1]), None);
        assert_eq!(Header::parse(b""), None);
    }
}
