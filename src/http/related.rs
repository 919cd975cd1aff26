//! The shape of `GET /v1/documents/{id}/related`, for `/openapi.json` and its readers. The answer itself is made by
//! [`crate::archive::related`]; a test holds the two together.

use serde::Serialize;
use utoipa::ToSchema;

/// A text in both languages.
#[derive(Debug, Serialize, ToSchema)]
pub struct Both {
    /// English.
    pub en: String,
    /// Italian.
    pub it: String,
}

/// Everything related to a document.
#[derive(Debug, Serialize, ToSchema)]
pub struct Related {
    /// The document asked about.
    pub document: String,
    /// Its receipt.
    pub receipt: String,
    /// The other documents of its deposit, as in lists.
    pub same_deposit: Vec<serde_json::Value>,
    /// What shares a value with it, by namespace, and what that leads to.
    pub links: Vec<Link>,
    /// Its PEC conversation.
    pub conversation: Option<Conversation>,
    /// Its invoice files, and what SdI answered.
    pub invoice: Option<Invoice>,
    /// The aggregations it is in, or that it is.
    pub aggregations: Vec<Aggregation>,
    /// Related documents of classes that the caller may not read.
    pub not_shown: u64,
    /// `rounds`, `values`, `documents`: where the search ended before its end.
    pub bounds_reached: Vec<String>,
    /// For the next page of `links`; null on the last.
    pub cursor: Option<String>,
}

/// Documents related in one namespace.
#[derive(Debug, Serialize, ToSchema)]
pub struct Link {
    /// `pec`, `msgid`, `sdi`, `sdi-file`, `sha256`, `document`, `subject`, `aggregation`, or a class's own.
    pub namespace: String,
    /// The fields that hold the value in the documents found.
    pub fields: Vec<String>,
    /// As in lists, with `steps` (1: directly) and `match` (`exact`, or `case` when only upper and lower case differ).
    pub documents: Vec<serde_json::Value>,
}

/// A PEC conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversation {
    /// Its transmissions, earliest first.
    pub transactions: Vec<Transaction>,
    /// Messages that belong to none of them.
    pub loose: Vec<PlacedMessage>,
}

/// One transmission.
#[derive(Debug, Serialize, ToSchema)]
pub struct Transaction {
    /// Identificativo.
    pub identifier: Option<String>,
    /// The client's message id.
    pub msgid: Option<String>,
    /// The sender.
    pub sender: Option<String>,
    /// `sent`, `received`, `unknown`.
    pub direction: String,
    /// For people.
    pub direction_text: Both,
    /// `accepted`, `not-accepted`, `contradictory`, `acceptance-missing`, `submitted`, `received`, `unknown`.
    pub state: String,
    /// For people.
    pub state_text: Both,
    /// What the signature proves of the acceptance or refusal that decided: `trusted`, or `unanchored` where no anchors are configured.
    pub proof: Option<String>,
    /// For people.
    pub proof_text: Option<Both>,
    /// What the terms run from.
    pub started_at: Option<String>,
    /// Since when something expected is missing.
    pub overdue_since: Option<String>,
    /// Every recipient.
    pub recipients: Vec<Recipient>,
    /// Every message, in the order of what they certify.
    pub messages: Vec<PlacedMessage>,
    /// What does not fit.
    pub findings: Vec<serde_json::Value>,
}

/// A recipient.
#[derive(Debug, Serialize, ToSchema)]
pub struct Recipient {
    /// Address.
    pub address: String,
    /// On certified mail.
    pub certified: bool,
    /// `accepted`, `delivered`, `failed`, `late`, `missing`, `contradictory`, `not-expected`, `not-sent`, `stranger`,
    /// `unknown`.
    pub state: String,
    /// For people.
    pub state_text: Both,
    /// When the outcome happened.
    pub at: Option<String>,
    /// What the signature proves of the receipt that decided: `trusted`, or `unanchored` where no anchors are configured.
    pub proof: Option<String>,
    /// For people.
    pub proof_text: Option<Both>,
    /// The receipts about it.
    pub documents: Vec<String>,
}

/// A message of a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlacedMessage {
    /// The document.
    pub document: String,
    /// Its kind.
    pub kind: String,
    /// When what it certifies happened.
    pub instant: Option<String>,
    /// The worst conclusion on its signatures: `valid`, `valid-weak`, `time-not-proved`, `indeterminate`, `invalid`, `unsigned`.
    pub signature_verdict: Option<String>,
    /// What they prove: `trusted`, `unanchored`, `untrusted`, `unverified`, `unsigned`, `invalid`.
    pub proof: String,
    /// For people.
    pub proof_text: Both,
    /// Whether it counts for the states of transmission and recipients.
    pub counts: bool,
    /// Of a breve receipt whose original is held: whether its hashes are the original's.
    pub hashes_match: Option<bool>,
    /// Of a breve receipt: `match` when every file of the original has its hash under its own name, `incomplete` when some have none,
    /// `mismatch`, `not-held` when there is no original to compare with.
    pub hashes: Option<String>,
    /// For people.
    pub hashes_text: Option<Both>,
}

/// Invoice files and what SdI answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invoice {
    /// One of each file.
    pub files: Vec<InvoiceFile>,
}

/// An invoice file.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceFile {
    /// The documents that are this file, to the byte.
    pub documents: Vec<String>,
    /// The messages that carry it; where both lists are empty only notifications are held.
    pub carried_by: Vec<String>,
    /// Its name without extensions.
    pub file_base: Option<String>,
    /// `unknown`, `sent`, `rejected`, `undelivered`, `delivered`, `attested`, `expired`, `refused`, `partly-accepted`,
    /// `accepted`.
    pub state: String,
    /// For people.
    pub state_text: Both,
    /// Whether it counts as issued.
    pub issued: Option<bool>,
    /// What signatures prove of the notifications that decided, the least proved of them: `trusted`, `unanchored`, `untrusted`,
    /// `unverified`, `unsigned`. SdI's notifications come unsigned through some channels: then this is what they say, and no more.
    pub proof: Option<String>,
    /// For people.
    pub proof_text: Option<Both>,
    /// Each transmission, with its identifier, state and notifications (`name`, `hash`, `pec`: `match`, `mismatch`,
    /// `not-said`, `not-held`; `signature_verdict`, `proof`, and whether it `counts`).
    pub transmissions: Vec<serde_json::Value>,
    /// What does not fit.
    pub findings: Vec<serde_json::Value>,
}

/// An aggregation.
#[derive(Debug, Serialize, ToSchema)]
pub struct Aggregation {
    /// Its identifier, the same in all versions.
    pub aggregation: String,
    /// The document that holds its latest version; null while none is held.
    pub document: Option<String>,
    /// `fascicolo`, `serie-documentale`, `serie-di-fascicoli`.
    pub kind: Option<String>,
    /// Number of the latest version.
    pub version: Option<u64>,
    /// Whether it is closed.
    pub closed: Option<bool>,
    /// `listed` by the aggregation, `named` by the document, or `self`.
    pub membership: Vec<String>,
}
