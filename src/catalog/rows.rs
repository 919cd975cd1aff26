//! What the catalog holds: one row a document, a deposit, a package.
//!
//! Invariant: every row can be made again from the plain files (chain entries, package members, journal); nothing true
//! stands only here (architecture, I2).

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::terms::Value;
use crate::hash::Sha256;
use crate::id::{ClassId, DocumentId, Lane, PackageRef, ReceiptId, Sequence, SeriesId};

/// One document, sealed or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentRow {
    /// Its id.
    pub id: DocumentId,
    /// The receipt (deposit) it came with.
    pub receipt: ReceiptId,
    /// The lane of the deposit.
    pub lane: Lane,
    /// The deposit's number in the lane.
    pub sequence: Sequence,
    /// Its class.
    pub class: ClassId,
    /// The class version it was understood by.
    pub class_version: u32,
    /// When its deposit was accepted (milliseconds).
    pub accepted_at: Timestamp,
    /// The name it was deposited under; text only, never a path.
    pub name: String,
    /// Media type recognised from the content.
    pub media_type: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
    /// The package it is in; `None` while it is accepted and not yet sealed.
    pub package: Option<PackageRef>,
    /// The class's indexed fields, as [`super::indexed`] takes them from the metadata.
    pub fields: Vec<Indexed>,
}

/// One value of one indexed field; a field with several values stands several times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Indexed {
    /// The field's name in the class.
    pub name: String,
    /// The value and its kind.
    pub value: Value,
}

/// One deposit: the way from a receipt or a replay key to its documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepositRow {
    /// The receipt.
    pub receipt: ReceiptId,
    /// Its lane.
    pub lane: Lane,
    /// Its number in the lane.
    pub sequence: Sequence,
    /// The class of the deposit.
    pub class: ClassId,
    /// When it was accepted (milliseconds).
    pub accepted_at: Timestamp,
    /// **All** its documents, in the order of the manifest, whatever package each is in.
    pub documents: Vec<DocumentId>,
    /// Keyed hash of the idempotency key, hex; from the manifest's `replay`.
    pub replay_key: Option<String>,
    /// Keyed hash of the fingerprint, hex; from the manifest's `replay`.
    pub replay_fingerprint: Option<String>,
}

/// Where a package is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PackageState {
    /// In the vault.
    Sealed,
    /// Its documents were written into packages of their cohorts.
    Regrouped,
    /// Scartato: content gone, chain entry and evidence kept.
    Disposed,
    /// Handed to another conservator.
    Transferred,
}

/// One package, as its chain entry (and later entries about it) describe it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRow {
    /// Series and number.
    pub package: PackageRef,
    /// Class version of everything in it.
    pub class_version: u32,
    /// Its entry on the chain.
    pub entry: u64,
    /// Instant of that entry.
    pub sealed_at: Timestamp,
    /// Its cohort of expiry (`2036`, `2029-05`, `open`).
    pub cohort: String,
    /// The expiry in force; `None` when open.
    pub expiry: Option<Date>,
    /// How many documents.
    pub documents: u64,
    /// Their bytes.
    pub bytes: u64,
    /// SHA-256 of `PIndex.xml`.
    pub pindex: Sha256,
    /// Where it is in its life.
    pub state: PackageState,
}

impl PackageRow {
    /// The series it belongs to.
    pub fn series(&self) -> &SeriesId {
        &self.package.series
    }
}

/// Place of a document in every list: newest first. Never changes in a document's life, so a cursor made of it stays
/// good while documents arrive, are sealed and are regrouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    pub(super) ms: u64,
    pub(super) sequence: u64,
    pub(super) lane: u64,
    pub(super) id: u128,
}

impl Order {
    /// The document's place.
    pub fn of(row: &DocumentRow) -> Self {
        Self::new(row.accepted_at, row.sequence, row.lane, row.id.0)
    }

    pub(super) fn new(at: Timestamp, sequence: Sequence, lane: Lane, id: uuid::Uuid) -> Self {
        Self {
            ms: super::terms::ordered(at.as_millisecond()),
            sequence: sequence.0,
            lane: lane.0.into(),
            id: id.as_u128(),
        }
    }

    /// As text for `cursor`.
    pub(super) fn cursor(&self) -> String {
        format!("{:016x}{:016x}{:04x}{:032x}", self.ms, self.sequence, self.lane, self.id)
    }

    /// Back from a cursor.
    pub(super) fn of_cursor(text: &str) -> Option<Self> {
        if text.len() != 68 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        Some(Self {
            ms: u64::from_str_radix(&text[..16], 16).ok()?,
            sequence: u64::from_str_radix(&text[16..32], 16).ok()?,
            lane: u64::from_str_radix(&text[32..36], 16).ok()?,
            id: u128::from_str_radix(&text[36..], 16).ok()?,
        })
    }
}
