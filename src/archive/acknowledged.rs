//! What stands in the journal, held against what the archive signed.
//!
//! Invariant: nothing of an unsealed deposit is shown, indexed or sealed that its signed receipt does not cover: the note's
//! signature covers the RdV and the manifest's digest, and these cover every content and every metadata file. The journal's
//! own digests have no key: they tell a torn write, not somebody who wrote it anew.

use super::Archive;
use super::deposit::note_facts;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{DocumentId, Sequence};
use crate::intake::journal::StoredRecord;
use crate::intake::manifest::{Item, Manifest};
use crate::intake::receipt::{Facts, check_note, rdv};
use crate::package::plan::Receipt;

/// A record whose receipt, manifest and list of documents are those the archive signed.
pub(super) struct Acknowledged {
    pub record: StoredRecord,
    pub facts: Facts,
    pub manifest: Manifest,
    pub rdv: Vec<u8>,
    pub note: Vec<u8>,
}

impl Acknowledged {
    /// A document as the receipt names it.
    pub fn item(&self, id: DocumentId) -> Result<&Item> {
        let item = self.facts.deposit.documents.iter().find(|item| item.id == id);
        item.ok_or_else(|| Error::new(Code::ReceiptMismatch, "not in its receipt").at(format!("document {id}")))
    }

    /// A document's metadata file.
    pub fn metadata(&self, id: DocumentId) -> Result<Vec<u8>> {
        let bytes = self.record.metadata(id)?;
        if self.item(id)?.metadata_sha256 == Sha256::of(&bytes) {
            return Ok(bytes);
        }
        Err(Error::new(Code::ReceiptMismatch, "its metadata are not those receipted").at(format!("document {id}")))
    }

    /// The receipt as a plan lists it.
    pub fn receipt(&self) -> Receipt {
        Receipt {
            id: self.facts.deposit.receipt,
            rdv_sha256: Sha256::of(&self.rdv),
            note_sha256: Sha256::of(&self.note),
            manifest_sha256: self.facts.manifest_sha256,
        }
    }
}

impl Archive {
    /// The record of a number, verified; `None` when the journal has let it go.
    pub(super) fn acknowledged(&self, sequence: Sequence) -> Result<Option<Acknowledged>> {
        self.journal.record(sequence)?.map(|record| self.acknowledge(record)).transpose()
    }

    /// A record, verified.
    pub(super) fn acknowledge(&self, record: StoredRecord) -> Result<Acknowledged> {
        let (rdv, note, manifest) = (record.rdv()?, record.note()?, record.manifest()?);
        let facts = rdv::parse(&rdv)?;
        let text = note_facts(self, &note)?;
        check_note(&text, &crate::intake::receipt::origin(&self.origin), &facts, &rdv)?;
        let place = || format!("number {}", record.head.sequence);
        if facts.manifest_sha256 != Sha256::of(&manifest) {
            return Err(Error::new(Code::ReceiptMismatch, "the manifest is not the one receipted").at(place()));
        }
        // A good receipt under another number would be shown in that one's place.
        if facts.sequence != record.head.sequence {
            return Err(Error::new(Code::ReceiptMismatch, "the receipt is of another number").at(place()));
        }
        let manifest = Manifest::parse(&manifest)?;
        Ok(Acknowledged { record, facts, manifest, rdv, note })
    }
}
