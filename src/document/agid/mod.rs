//! The metadata file of a document: AgID Allegato 5 (`DocumentoInformatico`, and of an aggregation besides
//! `AggregazioneDocumentaliInformatiche`: exact structure, no namespace) inside our own root, which carries the salt and everything that the catalog row and the JSON receipt need to be rebuilt from
//! this file alone.
//!
//! Invariants: [`parse()`] is the exact inverse of [`render`] for our part; the text is always valid XML 1.0, whatever
//! characters names and values hold; the same input gives the same bytes. The file is tied to the document when it is
//! accepted (Linee Guida 2.1.1): its SHA-256 stands in the manifest.

mod aggregazione;
mod informatico;
mod parse;
mod text;

pub(super) use informatico::is_element;
pub use parse::parse;

use jiff::Timestamp;

use super::class::Class;
use super::format::Format;
use super::markup::Writer;
use super::reader::ReaderKind;
use super::{Metadata, Origin, Origins};
use crate::clock::iso_ms;
use crate::error::{Code, Control, ControlOutcome, Finding, Severity};
use crate::hash::{Digests, Sha256};
use crate::id::{ClassId, DocumentId, ReceiptId};

/// Our namespace.
pub const NAMESPACE: &str = "urn:custode:metadata:1";

/// Whose documents they are, as configured.
#[derive(Debug, Clone, Default)]
pub struct Holder {
    /// Name.
    pub name: String,
    /// VAT numbers and tax codes, with or without country: they tell incoming from outgoing.
    pub codes: Vec<String>,
    /// Mailboxes, for the same.
    pub addresses: Vec<String>,
}

/// Another document tied to this one: of its deposit, or a member of an aggregation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tied {
    /// Its identifier.
    pub id: DocumentId,
    /// Its hash.
    pub sha256: Sha256,
    /// What it is, in Italian.
    pub description: String,
}

/// Everything the metadata file is made of.
#[derive(Debug, Clone)]
pub struct AgidInput<'a> {
    /// The document's class.
    pub class: &'a Class,
    /// The document.
    pub document: DocumentId,
    /// Its receipt.
    pub receipt: ReceiptId,
    /// The deposit's idempotency key, when one was given.
    pub idempotency_key: Option<&'a str>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Its original name.
    pub name: &'a str,
    /// Its format.
    pub format: &'a Format,
    /// Its length and digests.
    pub digests: Digests,
    /// 128 random bits: the file's hash discloses nothing about its content.
    pub salt: [u8; 16],
    /// Its metadata, merged.
    pub metadata: &'a Metadata,
    /// Where each field comes from.
    pub origins: &'a Origins,
    /// What was noticed.
    pub findings: &'a [Finding],
    /// What was controlled.
    pub controls: &'a [Control],
    /// Whose it is.
    pub holder: &'a Holder,
    /// The system that produced the deposit (AgID's `Produttore`, a software).
    pub system: &'a str,
    /// Its attachments within the deposit.
    pub attachments: &'a [Tied],
    /// The document it is an attachment of.
    pub primary: Option<&'a Tied>,
    /// Of an aggregation, the members that are held.
    pub members: &'a [Tied],
}

/// Our part of a metadata file, read back.
#[derive(Debug, Clone, PartialEq)]
pub struct AgidFile {
    /// The salt.
    pub salt: [u8; 16],
    /// The document's class.
    pub class: ClassId,
    /// The class's version.
    pub class_version: u32,
    /// The document.
    pub document: DocumentId,
    /// Its receipt.
    pub receipt: ReceiptId,
    /// The deposit's idempotency key.
    pub idempotency_key: Option<String>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Its original name.
    pub name: String,
    /// Its format.
    pub format: Format,
    /// Its length and digests.
    pub digests: Digests,
    /// Its metadata.
    pub metadata: Metadata,
    /// Where each field comes from; a field without origin was given.
    pub origins: Origins,
    /// What was noticed.
    pub findings: Vec<Finding>,
    /// What was controlled.
    pub controls: Vec<Control>,
}

/// The bytes of `metadata/<document id>.xml`.
pub fn render(input: &AgidInput) -> Vec<u8> {
    let mut xml = Writer::new();
    xml.open("Metadati", &[("xmlns", NAMESPACE)]);
    xml.leaf("Sale", &hex::encode(input.salt));
    informatico::write(&mut xml, input);
    if input.class.reader == ReaderKind::Aggregation {
        aggregazione::write(&mut xml, input);
    }

    xml.open("Campi", &[("classe", input.class.id.as_str()), ("versione", &input.class.version.to_string())]);
    for (name, value) in input.metadata {
        let origin = input.origins.get(name).copied().unwrap_or(Origin::Given);
        let attributes = [("nome", &*text::encode(name)), ("origine", origin.as_str())];
        xml.leaf_with("Campo", &attributes, &text::json(value));
    }
    xml.close("Campi");

    xml.open("Rilievi", &[]);
    for finding in input.findings {
        let place = text::encode(&finding.place);
        let severity = severity_word(finding.severity);
        let attributes = [("codice", finding.code.as_str()), ("gravita", severity), ("luogo", &*place)];
        xml.leaf_with("Rilievo", &attributes, &text::encode(&finding.message));
    }
    xml.close("Rilievi");

    xml.open("Controlli", &[]);
    for control in input.controls {
        let (name, place) = (text::encode(&control.control), text::encode(&control.place));
        let mut attributes = vec![("nome", &*name), ("esito", control.outcome.italian()), ("luogo", &*place)];
        attributes.extend(control.code.map(|code| ("codice", code.as_str())));
        xml.leaf_with("Controllo", &attributes, "");
    }
    xml.close("Controlli");

    let (document, receipt) = (input.document.to_string(), input.receipt.to_string());
    let accepted = iso_ms(input.accepted_at);
    let key = input.idempotency_key.map(text::encode);
    let mut attributes = vec![("documento", &*document), ("ricevuta", &*receipt), ("accettato", &*accepted)];
    attributes.extend(key.as_deref().map(|key| ("chiave", key)));
    xml.open("Versamento", &attributes);
    let digests = &input.digests;
    let (bytes, sha256, blake3) = (digests.bytes.to_string(), digests.sha256.to_string(), digests.blake3.to_string());
    let (media_type, extension) = (text::encode(&input.format.media_type), text::encode(&input.format.extension));
    let attributes = [
        ("byte", &*bytes),
        ("sha256", &*sha256),
        ("blake3", &*blake3),
        ("formato", &*media_type),
        ("estensione", &*extension),
    ];
    xml.leaf_with("File", &attributes, &text::encode(input.name));
    xml.close("Versamento");
    xml.close("Metadati");
    xml.finish()
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "errore",
        Severity::Warning => "avvertimento",
        Severity::Info => "informazione",
    }
}

fn severity_of(word: &str) -> Option<Severity> {
    [Severity::Error, Severity::Warning, Severity::Info].into_iter().find(|s| severity_word(*s) == word)
}

fn outcome_of(word: &str) -> Option<ControlOutcome> {
    use ControlOutcome as O;
    [O::Positive, O::Negative, O::Warning, O::NotActivated, O::NotExecuted].into_iter().find(|o| o.italian() == word)
}

fn code_of(word: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.as_str() == word)
}

#[cfg(test)]
mod tests;
