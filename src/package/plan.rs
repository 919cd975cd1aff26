//! The plan of a package: everything decided before the first byte is packed.
//!
//! `staging/SERIES-N/plan.json`, synced before anything else of the package exists and after every document was re-read
//! against its receipt. Invariant: a plan is never abandoned and never changed; recovery goes on from it. All files of the
//! package follow from it, from the documents and from the index header.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::member::{Kind, Member};
use super::numbers::Numbers;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{ClassId, DocumentId, Lane, PackageRef, PolicyId, ReceiptId, Sequence};

/// Most documents a package may have; closing rules ask for far fewer. It bounds what readers allocate.
pub const MAX_DOCUMENTS: usize = 1 << 20;

/// A policy and the version of it that was adopted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// The policy.
    pub id: PolicyId,
    /// Its version.
    pub version: u32,
}

/// A package this one was made from (regroup, import).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The earlier package.
    pub package: PackageRef,
    /// Its identifier (PVolume/ID).
    pub uuid: Uuid,
    /// SHA-256 of its index as stored.
    pub pindex_sha256: Sha256,
}

/// A link from one document to another, written as Relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What the other is to this one, in Italian: `ricevuta di`, `notifica SdI di`.
    pub relation: String,
    /// The other document, in this package or in another.
    pub document: DocumentId,
}

/// One document of the package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its identifier.
    pub id: DocumentId,
    /// Its receipt.
    pub receipt: ReceiptId,
    /// Lane of the receipt.
    pub lane: Lane,
    /// Number of the receipt in its lane.
    pub sequence: Sequence,
    /// Extension of its member, as [`super::member::is_extension`] says.
    pub extension: String,
    /// Media type recognised.
    pub media_type: String,
    /// Length in bytes, as acknowledged.
    pub bytes: u64,
    /// SHA-256, as acknowledged.
    pub sha256: Sha256,
    /// SHA-256 of its metadata file, as acknowledged.
    pub metadata_sha256: Sha256,
    /// Short title for people, written in the index.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Links to other documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

/// One receipt whose documents, or some of them, are in the package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Its identifier.
    pub id: ReceiptId,
    /// SHA-256 of the RdV.
    pub rdv_sha256: Sha256,
    /// SHA-256 of the signed note.
    pub note_sha256: Sha256,
    /// SHA-256 of the manifest.
    pub manifest_sha256: Sha256,
}

/// The plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Series and number.
    pub package: PackageRef,
    /// Identifier of the package.
    pub uuid: Uuid,
    /// When it was planned: the package's time everywhere (tar, index).
    pub planned_at: Timestamp,
    /// Class of its documents.
    pub class: ClassId,
    /// Version of the class.
    pub class_version: u32,
    /// Identifier of the holder, as configured.
    pub holder: String,
    /// `trial` or `production`, as in genesis.
    pub profile: String,
    /// Cohort of expiry: `2036`, `2036-04` or `open`.
    pub cohort: String,
    /// Expiry at sealing; `None` when the start event has not happened.
    pub expiry: Option<Date>,
    /// Retention policy in force.
    pub policy: PolicyVersion,
    /// SHA-256 of the index of the package before it in the series; zeros for number 1.
    pub previous: Sha256,
    /// Earlier packages it derives from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// The documents, in packing order.
    pub documents: Vec<Document>,
    /// The receipts, in packing order.
    pub receipts: Vec<Receipt>,
}

impl Plan {
    /// Reads a plan and checks that it holds together.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let plan: Self = serde_json::from_slice(json)
            .map_err(|e| Error::new(Code::Internal, format!("plan not readable: {e}")).because(e))?;
        plan.validate()?;
        Ok(plan)
    }

    /// The plan as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(|e| Error::new(Code::Internal, e.to_string()).because(e))
    }

    /// Refuses a plan that could not give a correct package: no document, one twice, a document whose receipt is not
    /// there or a receipt without document, an extension that cannot stand in a path, number 1 with a predecessor.
    pub fn validate(&self) -> Result<()> {
        let wrong = |what: &str| Err(Error::new(Code::Internal, what).at(format!("plan of {}", self.package)));
        if self.documents.is_empty() || self.documents.len() > MAX_DOCUMENTS {
            return wrong("a package has between one document and the limit");
        }
        if (self.package.number == 1) != (self.previous == Sha256::ZERO) {
            return wrong("the first package of a series, and no other, follows nothing");
        }
        let mut documents: Vec<_> = self.documents.iter().map(|d| d.id).collect();
        documents.sort_unstable();
        documents.dedup();
        if documents.len() != self.documents.len() {
            return wrong("a document stands twice");
        }
        let mut receipts: Vec<_> = self.receipts.iter().map(|r| r.id).collect();
        receipts.sort_unstable();
        receipts.dedup();
        if receipts.len() != self.receipts.len() {
            return wrong("a receipt stands twice");
        }
        let mut used: Vec<_> = self.documents.iter().map(|d| d.receipt).collect();
        used.sort_unstable();
        used.dedup();
        if used != receipts {
            return wrong("receipts and documents do not belong together");
        }
        for document in &self.documents {
            Member::document(document.id.0, &document.extension)?;
        }
        Ok(())
    }

    /// The lane numbers inside.
    pub fn numbers(&self) -> Numbers {
        self.documents.iter().map(|d| (d.lane, d.sequence)).collect()
    }

    /// All members in packing order, with the SHA-256 each must have.
    pub fn members(&self) -> Result<Vec<(Member, Sha256)>> {
        let mut all = Vec::with_capacity(2 * self.documents.len() + 3 * self.receipts.len());
        for d in &self.documents {
            all.push((Member::document(d.id.0, &d.extension)?, d.sha256));
        }
        for d in &self.documents {
            all.push((Member::descriptive(Kind::Metadata, d.id.0)?, d.metadata_sha256));
        }
        for (kind, digest) in [
            (Kind::Receipt, (|r| r.rdv_sha256) as fn(&Receipt) -> Sha256),
            (Kind::Note, |r| r.note_sha256),
            (Kind::Manifest, |r| r.manifest_sha256),
        ] {
            for r in &self.receipts {
                all.push((Member::descriptive(kind, r.id.0)?, digest(r)));
            }
        }
        Ok(all)
    }

    /// Total length of the documents.
    pub fn bytes(&self) -> u64 {
        self.documents.iter().map(|d| d.bytes).sum()
    }
}
