//! From catalog rows to what the pure models of [`crate::document`] are about.
//!
//! Invariant: only indexed fields are looked at, so a look at a conversation of a thousand messages opens no package.

use std::collections::HashSet;

use jiff::Timestamp;

use super::ties::{Held, Known, SDI_FILE, SHA256, of_namespace};
use crate::catalog::{DocumentRow, Value};
use crate::document::conversation::{Addressee, Attached, Kind, Message};
use crate::document::exchange::{Invoice, Notification};
use crate::document::proof::Proof;
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
        proof: proof(row),
        verdict: text(row, "signature_verdict"),
        identifier: text(row, "identifier"),
        msgids,
        instant: instant(row, "instant"),
        sender,
        recipients,
        about: text(row, "delivered_to"),
        error_detail: text(row, "error_detail"),
        outgoing,
        brief: brief(row, kind),
        files: files(row, kind),
    })
}

/// What the signatures of a document prove, as found when it was received.
fn proof(row: &DocumentRow) -> Proof {
    Proof::from_word(text(row, "proof").as_deref())
}

/// The files that a *breve* receipt speaks of; nothing of another receipt, and nothing of one with too many files: they were not noted.
fn brief(row: &DocumentRow, kind: Kind) -> Option<Vec<Attached>> {
    if kind != Kind::Delivery || text(row, "receipt_type").as_deref() != Some("breve") {
        return None;
    }
    let noted = attached(row, "breve_files");
    (!noted.is_empty() || without_attachments(row)).then_some(noted)
}

/// What a *breve* receipt may say of the files of an original; nothing of a message that is none, and nothing of one that asked for
/// other receipts or has too many files: those were not noted.
fn files(row: &DocumentRow, kind: Kind) -> Option<Vec<Attached>> {
    if !matches!(kind, Kind::Envelope | Kind::Copy) {
        return None;
    }
    let noted = attached(row, "original_files");
    let asked = text(row, "receipt_type");
    let brief = asked.as_deref() == Some("breve") || (kind == Kind::Copy && asked.is_none());
    (!noted.is_empty() || (without_attachments(row) && brief)).then_some(noted)
}

fn without_attachments(row: &DocumentRow) -> bool {
    text(row, "attachments").as_deref() == Some("0")
}

/// `<sha1>,<sha1>…/<name>`, as the reader of messages writes it.
fn attached(row: &DocumentRow, field: &str) -> Vec<Attached> {
    let one = |text: String| {
        let (hashes, name) = text.split_once('/')?;
        let hashes = hashes.split(',').filter(|hash| hash.len() == 40).map(str::to_owned).collect();
        Some(Attached { hashes, name: name.to_owned() })
    };
    texts(row, field).filter_map(one).collect()
}

/// A row as the invoice files that it holds: itself, or those that a message carries.
pub(super) fn invoices(known: &Known, row: &DocumentRow) -> Vec<Invoice> {
    match known.reader(row) {
        Some(ReaderKind::Invoice) => vec![Invoice {
            document: row.id,
            carried: false,
            sha256: row.sha256,
            file_base: known.said(row, SDI_FILE),
            sdi_identifier: first(&known.held(row), "sdi"),
            says: says(row),
        }],
        Some(ReaderKind::Pec) => texts(row, "carried_invoices").filter_map(|text| carried(row, &text)).collect(),
        _ => Vec::new(),
    }
}

/// `<sha256>/<base name>`.
fn carried(row: &DocumentRow, text: &str) -> Option<Invoice> {
    let (sha256, base) = text.split_once('/')?;
    let file_base = Some(base.trim().to_uppercase()).filter(|base| !base.is_empty());
    let sha256 = sha256.parse().ok()?;
    Some(Invoice { document: row.id, carried: true, sha256, file_base, sdi_identifier: None, says: None })
}

/// Supplier, numbers and date.
fn says(row: &DocumentRow) -> Option<String> {
    let parts = ["seller_vat", "seller_tax_code", "date", "number", "numbers"];
    let said: Vec<String> = parts.into_iter().map(|field| texts(row, field).collect::<Vec<_>>().join(",")).collect();
    let whole = !said[2].is_empty() && !said[3..].concat().is_empty() && !said[..2].concat().is_empty();
    whole.then(|| said.join("|"))
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
        proof: proof(row),
        verdict: text(row, "signature_verdict"),
        sdi_identifier: first(&held, "sdi"),
        file_base: known.said(row, SDI_FILE),
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
