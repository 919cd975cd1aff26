//! `report.json`: what a bundle holds, and every file of it with its SHA-256; and the note that signs it.
//!
//! Invariant: what the report says of a document is said again, and better, by the files it lists; a verifier believes the
//! files. The report's own part is the list: with its signature nothing can be altered, added or taken away unseen.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::chain::reign::{Change, Reason};
use crate::clock::iso_ms;
use crate::document::Metadata;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{BundleId, ClassId, DocumentId, PackageRef, ReceiptId};

/// What `schema` says.
pub const SCHEMA: &str = "urn:custode:bundle:1";
/// Largest report read: some hundreds of thousands of documents.
pub const MAX_REPORT: u64 = 512 << 20;

/// One document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Its identifier.
    pub id: DocumentId,
    /// Its original name.
    pub name: String,
    /// Where its bytes are in the bundle.
    pub file: String,
    /// Length.
    pub bytes: u64,
    /// Media type.
    pub media_type: String,
    /// SHA-256.
    pub sha256: Sha256,
    /// Class.
    pub class: ClassId,
    /// Version of the class.
    pub class_version: u32,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Its receipt.
    pub receipt: ReceiptId,
    /// Its package.
    pub package: PackageRef,
    /// The package's entry on the chain.
    pub entry: u64,
    /// Time of the first time-stamp that leads to an anchor of the archive: it existed at the latest then.
    pub exists_since: Timestamp,
    /// Metadata file in the bundle.
    pub metadata_file: String,
    /// RdV in the bundle.
    pub rdv: String,
    /// Signed note of the RdV in the bundle.
    pub note: String,
    /// Detached signature of the RdV in the bundle, where receipts are signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rdv_signature: Option<String>,
    /// Manifest in the bundle.
    pub manifest: String,
    /// RFC 4998 record in the bundle.
    pub evidence: String,
    /// Its metadata.
    pub metadata: Metadata,
    /// What was found of the revocation of its signers' certificates when it was sealed, a line a signature.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocation: Vec<serde_json::Value>,
}

/// One package that documents of the bundle come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Series and number.
    pub package: PackageRef,
    /// Its entry on the chain.
    pub entry: u64,
    /// Whether it is in the bundle as a whole.
    pub whole: bool,
    /// Who signed its index, as the certificate says; only of whole packages, and only when somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<serde_json::Value>,
    /// Entries of the renewals of its evidence, oldest first; of whole packages only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renewals: Vec<u64>,
}

/// A change of the archive's key, as its entry on the chain says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    /// The entry: both keys signed it.
    pub entry: u64,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The key until then (vkey).
    pub old: String,
    /// The key from then on (vkey).
    pub new: String,
}

impl From<&Change> for KeyChange {
    fn from(change: &Change) -> Self {
        Self {
            entry: change.seq,
            at: change.at,
            reason: change.reason,
            old: change.old.to_string(),
            new: change.new.to_string(),
        }
    }
}

/// By whom the report is signed, as its certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBy {
    /// Who holds the certificate, as RFC 4514 writes names.
    pub subject: String,
    /// The certificate.
    pub certificate_sha256: Sha256,
}

/// One file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Path.
    pub name: String,
    /// Length.
    pub bytes: u64,
    /// SHA-256.
    pub sha256: Sha256,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// The bundle.
    pub bundle: BundleId,
    /// When it was made.
    pub made_at: Timestamp,
    /// The archive: origin of its chain.
    pub archive: String,
    /// Whose documents they are.
    pub holder: String,
    /// Version of Custode.
    pub engine: String,
    /// Whether the archive has profile `trial`.
    pub trial: bool,
    /// "PROVA: senza valore legale", in a trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// The documents.
    pub documents: Vec<Document>,
    /// Their packages.
    pub packages: Vec<Package>,
    /// Every change of the archive's key before the bundle's checkpoint, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyChange>,
    /// Who signed this report, where somebody did: its signature ([`REPORT_SIGNATURE`](super::REPORT_SIGNATURE)) cannot be listed
    /// below, and so is announced here. Without it nobody signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<SignedBy>,
    /// Every file but the report, its note and its signature.
    pub files: Vec<Listed>,
}

impl Report {
    /// Its bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::new(Code::Internal, "the report cannot be written").because(e))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads one.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let wrong = |what: String| Error::new(Code::BundleInvalid, what).at(super::REPORT);
        let report: Self = serde_json::from_slice(bytes)
            .map_err(|e| wrong(format!("not a report: line {}, column {}", e.line(), e.column())))?;
        if report.schema != SCHEMA {
            return Err(wrong("another schema than this version reads".to_owned()));
        }
        Ok(report)
    }

    /// The text that the archive signs under `<archive>/bundle`: origin, bundle, SHA-256 of the report, instant.
    pub fn note_text(&self, bytes: &[u8]) -> String {
        let origin = super::origin(&self.archive);
        format!("{origin}\n{}\n{}\n{}\n", self.bundle, Sha256::of(bytes), iso_ms(self.made_at))
    }
}
