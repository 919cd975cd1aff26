//! Readers: one a class. A reader looks inside a document and gives fields and findings; it never alters the bytes,
//! never loads a large document whole and never panics on what it reads.

mod identity;
mod invoice;
mod notification;
mod pec;
mod pec_log;
mod signed;
mod xml;

pub use pec_log::term_of_log;

use serde::{Deserialize, Serialize};

use super::format::Format;
use super::{Body, Metadata};
use crate::error::{Finding, Result};

/// Which reader a class names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReaderKind {
    /// PEC messages: envelope, receipts, ordinary mail.
    Pec,
    /// PEC messages with a virus: outer headers and daticert only.
    PecVirus,
    /// FatturaPA, plain or signed.
    Invoice,
    /// Notifications of the exchange system.
    SdiNotification,
    /// Identity documents: metadata are given.
    IdentityDocument,
    /// Logs of a PEC provider: metadata are given.
    PecLog,
    /// Nothing is looked at.
    Generic,
}

/// What a reader gets.
pub struct Input<'a> {
    /// The document.
    pub body: &'a Body,
    /// Its name, a hint.
    pub name: &'a str,
    /// Its recognised format.
    pub format: &'a Format,
    /// What the producer gave; only the readers of classes without extraction look at it.
    pub given: &'a Metadata,
}

/// What a reader found.
#[derive(Debug, Default)]
pub struct Extraction {
    /// Fields of the class.
    pub fields: Metadata,
    /// What was noticed, with code and place, never with a value.
    pub findings: Vec<Finding>,
}

impl Extraction {
    /// Sets a field unless the text is empty.
    fn set(&mut self, name: &str, text: &str) {
        if !text.trim().is_empty() {
            self.fields.insert(name.to_owned(), text.trim().into());
        }
    }

    /// Sets a list unless it is empty.
    fn set_list(&mut self, name: &str, items: Vec<String>) {
        if !items.is_empty() {
            self.fields.insert(name.to_owned(), items.into());
        }
    }
}

/// A reader. Contract: errors are input/output errors; anything wrong with the document is a finding, of severity error
/// only when the class cannot hold such a document; memory is bounded by the reader's own constants.
pub trait Reader: Sync {
    /// Reads a document whose format its class admits.
    fn read(&self, input: &Input) -> Result<Extraction>;
}

/// The reader of that kind.
pub fn of(kind: ReaderKind) -> &'static dyn Reader {
    match kind {
        ReaderKind::Pec => &pec::PecReader,
        ReaderKind::PecVirus => &pec::VirusReader,
        ReaderKind::Invoice => &invoice::InvoiceReader,
        ReaderKind::SdiNotification => &notification::NotificationReader,
        ReaderKind::IdentityDocument => &identity::IdentityReader,
        ReaderKind::PecLog => &pec_log::PecLogReader,
        ReaderKind::Generic => &GenericReader,
    }
}

struct GenericReader;

impl Reader for GenericReader {
    fn read(&self, _: &Input) -> Result<Extraction> {
        Ok(Extraction::default())
    }
}

/// The class that XML, plain or signed, says it belongs to.
pub(super) fn class_of_xml(body: &Body) -> Result<Option<&'static str>> {
    let mut ignored = Vec::new();
    let Some(opened) = signed::open(body, &mut ignored)? else { return Ok(None) };
    Ok(match xml::root_name(&opened.content).as_deref() {
        Some("FatturaElettronica" | "FatturaElettronicaSemplificata") => Some("invoice"),
        Some(root) if notification::kind_of_root(root).is_some() => Some("sdi-notification"),
        _ => None,
    })
}

/// Documents for the tests of the whole room.
#[cfg(test)]
pub(super) mod samples {
    pub use super::invoice::tests::INVOICE;
    pub use super::pec::tests::delivery as pec;
    pub use super::signed::tests::wrap as signed;
}
