//! What the journal holds now, in memory: where each record stands, and which of its documents are not sealed yet.
//!
//! Invariant: a segment goes only when every document of every record in it was released, oldest first, and never the
//! last one, so that the next number survives.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::format::{RecordHead, Stored};
use crate::id::{DocumentId, ReceiptId, Sequence};

/// A document of a record that is not sealed yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub id: DocumentId,
    pub large: bool,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub segment: u64,
    pub offset: u64,
    pub receipt: ReceiptId,
    pub accepted_at: Timestamp,
    /// Content bytes, wherever they stand.
    pub bytes: u64,
    pub unsealed: Vec<Kept>,
}

/// How much the journal holds, for metrics and back-pressure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Records with a document that is not sealed.
    pub records: u64,
    /// Documents that are not sealed.
    pub documents: u64,
    /// Content bytes of those records.
    pub bytes: u64,
    /// When the oldest of them was accepted.
    pub oldest: Option<Timestamp>,
    /// Segments on disk.
    pub segments: u64,
    /// The number the next accepted deposit will have.
    pub next: u64,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pub slots: BTreeMap<u64, Slot>,
    /// Records not wholly released, by segment; every segment on disk has its line.
    pub segments: BTreeMap<u64, u64>,
    pub active: u64,
    /// Up to where the active segment is durable.
    pub durable: u64,
    pub next: u64,
    /// The highest number of a durable record seen; zero when none was.
    pub highest: u64,
    /// Numbers set aside by recovery: issued perhaps, never used again.
    pub voided: Vec<(Sequence, Sequence)>,
    pub documents: u64,
    pub bytes: u64,
}

impl Index {
    /// Takes a durable record, leaving out what is sealed already.
    pub fn add(&mut self, segment: u64, offset: u64, head: &RecordHead, sealed: &dyn Fn(DocumentId) -> bool) {
        self.highest = self.highest.max(head.sequence.0);
        let unsealed = head.documents.iter().filter(|document| !sealed(document.id));
        let unsealed: Vec<Kept> =
            unsealed.map(|document| Kept { id: document.id, large: document.stored == Stored::File }).collect();
        self.segments.entry(segment).or_default();
        if unsealed.is_empty() {
            return;
        }
        *self.segments.entry(segment).or_default() += 1;
        self.documents += unsealed.len() as u64;
        let bytes = head.documents_length();
        self.bytes = self.bytes.saturating_add(bytes);
        let (receipt, accepted_at) = (head.receipt, head.accepted_at);
        self.slots.insert(head.sequence.0, Slot { segment, offset, receipt, accepted_at, bytes, unsealed });
    }

    /// Lets go of a document; says whether it was held and whether its content is a file.
    pub fn release(&mut self, sequence: Sequence, document: DocumentId) -> Option<Kept> {
        let slot = self.slots.get_mut(&sequence.0)?;
        let at = slot.unsealed.iter().position(|kept| kept.id == document)?;
        let kept = slot.unsealed.remove(at);
        self.documents -= 1;
        if slot.unsealed.is_empty() {
            self.bytes = self.bytes.saturating_sub(slot.bytes);
            if let Some(left) = self.segments.get_mut(&slot.segment) {
                *left -= 1;
            }
            self.slots.remove(&sequence.0);
        }
        Some(kept)
    }

    /// The oldest segments that nothing holds any more.
    pub fn free(&self) -> Vec<u64> {
        let free = self.segments.iter().take_while(|(number, left)| **left == 0 && **number < self.active);
        free.map(|(number, _)| *number).collect()
    }

    pub fn load(&self) -> Load {
        Load {
            records: self.slots.len() as u64,
            documents: self.documents,
            bytes: self.bytes,
            oldest: self.slots.values().next().map(|slot| slot.accepted_at),
            segments: self.segments.len() as u64,
            next: self.next,
        }
    }
}
