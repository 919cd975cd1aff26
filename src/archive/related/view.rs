//! Conversations and exchanges as JSON, with what people read in both languages.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::clock::iso_ms;
use crate::document::conversation::{Brief, Conversation, Placed, Recipient, Transaction};
use crate::document::exchange::{Course, Exchange, Step};
use crate::document::proof::Proof;
use crate::error::{Finding, Lang};
use crate::id::DocumentId;

/// Leaves the transactions that a message is in, and those that the same copy belongs to.
pub(super) fn only_around(conversation: &mut Conversation, document: DocumentId) {
    let has = |transaction: &Transaction| transaction.messages.iter().any(|message| message.document == document);
    let msgids: Vec<String> =
        conversation.transactions.iter().filter(|one| has(one)).filter_map(|one| one.msgid.clone()).collect();
    let again = |one: &Transaction| {
        one.msgid.as_ref().is_some_and(|own| msgids.iter().any(|msgid| msgid.eq_ignore_ascii_case(own)))
    };
    conversation.transactions.retain(|one| has(one) || again(one));
    let related: HashSet<DocumentId> = conversation.transactions.iter().flat_map(documents).collect();
    conversation.loose.retain(|placed| placed.document == document || related.contains(&placed.document));
}

fn documents(transaction: &Transaction) -> impl Iterator<Item = DocumentId> {
    transaction.messages.iter().map(|message| message.document)
}

/// A conversation.
pub(super) fn conversation(conversation: &Conversation) -> Value {
    json!({
        "transactions": conversation.transactions.iter().map(transaction).collect::<Vec<_>>(),
        "loose": conversation.loose.iter().map(placed).collect::<Vec<_>>(),
    })
}

fn transaction(one: &Transaction) -> Value {
    json!({
        "identifier": one.identifier,
        "msgid": one.msgid,
        "sender": one.sender,
        "direction": one.direction.as_str(),
        "direction_text": both(one.direction.title()),
        "state": one.state.as_str(),
        "state_text": both(one.state.title()),
        "proof": one.proof.map(Proof::as_str),
        "proof_text": one.proof.map(|proof| both(proof.title())),
        "started_at": one.started_at.map(iso_ms),
        "overdue_since": one.overdue_since.map(iso_ms),
        "recipients": one.recipients.iter().map(recipient).collect::<Vec<_>>(),
        "messages": one.messages.iter().map(placed).collect::<Vec<_>>(),
        "findings": findings(&one.findings),
    })
}

fn recipient(one: &Recipient) -> Value {
    json!({
        "address": one.address,
        "certified": one.certified,
        "state": one.state.as_str(),
        "state_text": both(one.state.title()),
        "at": one.at.map(iso_ms),
        "proof": one.proof.map(Proof::as_str),
        "proof_text": one.proof.map(|proof| both(proof.title())),
        "documents": one.documents,
    })
}

fn placed(one: &Placed) -> Value {
    json!({
        "document": one.document,
        "kind": one.kind.as_str(),
        "instant": one.instant.map(iso_ms),
        "signature_verdict": one.verdict,
        "proof": one.proof.as_str(),
        "proof_text": both(one.proof.title()),
        "counts": one.counts,
        "hashes_match": one.hashes.filter(|hashes| *hashes != Brief::NotHeld).map(|hashes| hashes == Brief::Match),
        "hashes": one.hashes.map(Brief::as_str),
        "hashes_text": one.hashes.map(|hashes| both(hashes.title())),
    })
}

/// What SdI answered, file by file.
pub(super) fn exchanges(files: &[Exchange]) -> Value {
    json!({ "files": files.iter().map(exchange).collect::<Vec<_>>() })
}

fn exchange(one: &Exchange) -> Value {
    json!({
        "documents": one.invoices,
        "carried_by": one.carriers,
        "file_base": one.file_base,
        "state": one.state.as_str(),
        "state_text": both(one.state.title()),
        "issued": one.issued,
        "proof": one.proof.map(Proof::as_str),
        "proof_text": one.proof.map(|proof| both(proof.title())),
        "transmissions": one.courses.iter().map(course).collect::<Vec<_>>(),
        "findings": findings(&one.findings),
    })
}

fn course(one: &Course) -> Value {
    json!({
        "sdi_identifier": one.sdi_identifier,
        "state": one.state.as_str(),
        "state_text": both(one.state.title()),
        "notifications": one.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn step(one: &Step) -> Value {
    json!({
        "document": one.document,
        "kind": one.kind,
        "instant": one.instant.map(iso_ms),
        "signature_verdict": one.verdict,
        "proof": one.proof.as_str(),
        "proof_text": both(one.proof.title()),
        "counts": one.counts,
        "name": one.name.as_str(),
        "hash": one.hash.as_str(),
        "pec": one.pec.as_str(),
    })
}

fn both((en, it): (&str, &str)) -> Value {
    json!({ "en": en, "it": it })
}

/// Findings with the Italian text of their code too.
fn findings(findings: &[Finding]) -> Vec<Value> {
    let one = |finding: &Finding| {
        let mut value = json!(finding);
        value["messaggio"] = json!(finding.code.text(Lang::It));
        value
    };
    findings.iter().map(one).collect()
}
