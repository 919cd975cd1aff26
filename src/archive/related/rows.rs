//! From catalog rows to what the pure models of [`crate::document`] are about.
//!
//! Invariant: only indexed fields are looked at, so a look at a conversation of a thousand messages opens no package.

use std::collections::HashSet;

use jiff::Timestamp;

use super::ties::{Held, Known, SHA256, of_namespace};
use crate::catalog::{DocumentRow, Value};
use crate::document::conversation::{Addressee, Kind, Message};
use crate::document::exchange::{Invoice, Notification};
use crate::document::reader::ReaderKind;

/// The text of a field.
pub(super) fn text(row: &DocumentRow, field: &str) -> Option<String> {
    texts(row, field).next()
}

/// Every value of a field, as text.
pub(super) fn texts<'a>(row: &'a DocumentRow, field: &'a str) -> impl Iterator<Item = String> + 'a {
    row.fields.iter().filter(move |indexed| indexed.name == field).map(|indexed| match &indexed.value {
        Value::Keyword(text) | Value::Text(text) => text.clone(),
        other => other.to_json().as_str().map_or_else(|| other.to_json().to_string(), str::to_owned),
    })
}

/// The instant of a field.
fn instant(row: &DocumentRow, field: &str) -> Option<Timestamp> {
    row.fields.iter().filter(|indexed| indexed.name == field).find_map(|indexed| match &indexed.value {
        Value::Instant(at) => Some(*at),
        _ => None,
    })
}

/// A row as a message of a conversation; nothing when it is none.
pub(super) fn message(known: &Known, row: &DocumentRow) -> Option<Message> {
    let reader = known.reader(row)?;
    if !matches!(reader, ReaderKind::Pec | ReaderKind::PecVirus) {
        return None;
    }
    let kind = Kind::of(&text(row, "kind")?)?;
    let external: HashSet<String> = texts(row, "recipients_external").map(|address| address.to_lowercase()).collect();
    let recipients: Vec<Addressee> = texts(row, "recipients")
        .map(|address| Addressee { certified: !external.contains(&address.to_lowercase()), address })
        .collect();
    // What the sender's client called the message: its own Message-ID in the copy, what refers to it elsewhere.
    let msgids = match kind {
        Kind::Copy => texts(row, "message_id").collect(),
        _ => texts(row, "msgid").chain(texts(row, "reference_message_id")).collect(),
    };
    let sender = text(row, "sender");
    let mailbox = text(row, "mailbox");
    let is_the_senders = mailbox.zip(sender.as_ref()).map(|(mailbox, sender)| mailbox.eq_ignore_ascii_case(sender));
    let outgoing = match text(row, "flow").as_deref() {
        Some("U") => Some(true),
        Some("E") => Some(false),
        _ => is_the_senders,
    };
    Some(Message {
        document: row.id,
        sha256: row.sha256,
        kind,
        identifier: text(row, "identifier"),
        msgids,
        instant: instant(row, "instant"),
        sender,
        recipients,
        about: text(row, "delivered_to"),
        error_detail: text(row, "error_detail"),
        outgoing,
        brief: texts(row, "breve_sha1").collect(),
        files: files(row, kind),
    })
}

/// What a *breve* receipt may say of the files of an original; nothing of a message that is none, and nothing of one that asked for
/// other receipts or has too many files: those were not noted.
fn files(row: &DocumentRow, kind: Kind) -> Option<Vec<String>> {
    if !matches!(kind, Kind::Envelope | Kind::Copy) {
        return None;
    }
    let noted: Vec<String> = texts(row, "original_sha1").collect();
    let asked = text(row, "receipt_type");
    let without = text(row, "attachments").as_deref() == Some("0");
    let brief = asked.as_deref() == Some("breve") || (kind == Kind::Copy && asked.is_none());
    (!noted.is_empty() || (without && brief)).then_some(noted)
}

/// A row as an invoice file.
pub(super) fn invoice(known: &Known, row: &DocumentRow) -> Option<Invoice> {
    (known.reader(row)? == ReaderKind::Invoice).then(|| {
        let held = known.held(row);
        Invoice {
            document: row.id,
            sha256: row.sha256,
            file_base: first(&held, "sdi-file"),
            sdi_identifier: first(&held, "sdi"),
        }
    })
}

/// A row as a notification.
pub(super) fn notification(known: &Known, row: &DocumentRow) -> Option<Notification> {
    if known.reader(row)? != ReaderKind::SdiNotification {
        return None;
    }
    let held = known.held(row);
    let parts = ["invoice_number", "invoice_year", "invoice_position"];
    let reference: Vec<String> = parts.into_iter().filter_map(|field| text(row, field)).collect();
    Some(Notification {
        document: row.id,
        kind: text(row, "kind")?,
        sdi_identifier: first(&held, "sdi"),
        file_base: first(&held, "sdi-file"),
        file_sha256: first(&held, SHA256),
        pec_message_id: first(&held, "pec"),
        instant: instant(row, "instant"),
        outcome: text(row, "outcome"),
        reference: Some(reference.join("/")).filter(|text| !text.is_empty()),
    })
}

fn first(held: &[Held], namespace: &str) -> Option<String> {
    of_namespace(held, namespace).next().map(str::to_owned)
}
