//! PEC conversations: what the messages and receipts of one transmission say together (`reference/pec` sections 2, 7, 8).
//!
//! A transaction is what shares an *identificativo*; the sender's copy joins by the client's message id, which a client
//! may use again: then there are two transactions. For each of them: was it accepted, and what became of every recipient.
//! Invariants: pure, no input or output; the order in which messages came never matters; the same bytes held twice count
//! once; recipients are compared without case; a finding names a place (`recipient 2`, a document), never an address; what a
//! provider should have signed and nobody the archive believes did is shown, has a finding and decides nothing: anybody can write a
//! daticert (`reference/pec` section 9).

mod brief;
mod group;
mod judge;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

use super::proof::Proof;
use crate::error::Finding;
use crate::hash::Sha256;
use crate::id::DocumentId;

/// What sort of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The message as the sender's client sent it: an ordinary message.
    Copy,
    /// Ricevuta di accettazione.
    Acceptance,
    /// Avviso di non accettazione.
    NonAcceptance,
    /// Busta di trasporto.
    Envelope,
    /// Ricevuta di presa in carico: provider to provider.
    TakenInCharge,
    /// Ricevuta di avvenuta consegna.
    Delivery,
    /// Avviso di mancata consegna.
    NonDelivery,
    /// Avviso di mancata consegna per superamento dei tempi massimi: of 12 or of 24 hours.
    Delay,
    /// Avviso di rilevazione virus: provider to provider.
    VirusDetected,
    /// Busta di anomalia: belongs to no transaction.
    Anomaly,
}

impl Kind {
    const NAMES: [(Self, &'static str); 10] = [
        (Self::Copy, "messaggio-ordinario"),
        (Self::Acceptance, "accettazione"),
        (Self::NonAcceptance, "non-accettazione"),
        (Self::Envelope, "posta-certificata"),
        (Self::TakenInCharge, "presa-in-carico"),
        (Self::Delivery, "avvenuta-consegna"),
        (Self::NonDelivery, "errore-consegna"),
        (Self::Delay, "preavviso-errore-consegna"),
        (Self::VirusDetected, "rilevazione-virus"),
        (Self::Anomaly, "busta-anomalia"),
    ];

    /// The kind that a `kind` field names.
    pub fn of(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// Its name in daticert and metadata.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// Whether it goes to the sender's mailbox, so that whoever holds it sent the message.
    fn goes_to_the_sender(self) -> bool {
        matches!(self, Self::Acceptance | Self::NonAcceptance | Self::Delivery | Self::NonDelivery | Self::Delay)
    }
}

/// A recipient as a message lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// The address.
    pub address: String,
    /// `certificato`, or `esterno`, for whom no receipt ever comes.
    pub certified: bool,
}

/// What is known of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The document.
    pub document: DocumentId,
    /// Its digest.
    pub sha256: Sha256,
    /// What it is.
    pub kind: Kind,
    /// What its signatures prove.
    pub proof: Proof,
    /// The worst conclusion on its signatures, as its metadata say it.
    pub verdict: Option<String>,
    /// *Identificativo* of the transaction.
    pub identifier: Option<String>,
    /// The client's message id, as daticert and headers tell it; of a copy, its own.
    pub msgids: Vec<String>,
    /// When what it certifies happened.
    pub instant: Option<Timestamp>,
    /// Who sent the original.
    pub sender: Option<String>,
    /// All recipients of the original.
    pub recipients: Vec<Addressee>,
    /// The one recipient it is about (`consegna`).
    pub about: Option<String>,
    /// *errore-esteso*.
    pub error_detail: Option<String>,
    /// Whether it is said to be outgoing mail of the mailbox it belongs to.
    pub outgoing: Option<bool>,
    /// Of a *breve* receipt: the files it speaks of. None of any other, and when that is not known.
    pub brief: Option<Vec<Attached>>,
    /// Of an original with its files: each with every SHA-1 that a *breve* receipt may hold of it. None when that is not known.
    pub files: Option<Vec<Attached>>,
}

/// A file of an original, or what stands for it in a *breve* receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// SHA-1 in hexadecimal; none in a receipt whose part holds none.
    pub hashes: Vec<String>,
    /// Its name, as names are compared; may be empty.
    pub name: String,
}

/// How long a receipt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// From acceptance: the time of the first delay notice.
    pub late_after: SignedDuration,
    /// From acceptance: nothing may come after it.
    pub missing_after: SignedDuration,
}

impl Default for Terms {
    /// 12 and 24 hours (`reference/pec` section 2, step 5).
    fn default() -> Self {
        Self { late_after: SignedDuration::from_hours(12), missing_after: SignedDuration::from_hours(24) }
    }
}

/// Whose mailbox a transaction is seen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Receipts are expected here.
    Sent,
    /// A recipient's: receipts went elsewhere.
    Received,
    /// Cannot be told from what is held.
    Unknown,
}

/// What became of the transmission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transmission {
    /// The acceptance is held.
    Accepted,
    /// Refused at submission.
    NotAccepted,
    /// Both.
    Contradictory,
    /// Sent, and the acceptance is not held though it must be somewhere.
    AcceptanceMissing,
    /// Sent, and the acceptance may still come.
    Submitted,
    /// Received here: nothing is known of the other recipients.
    Received,
    /// Cannot be told.
    Unknown,
}

/// What became of one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Accepted, its outcome may still come.
    Accepted,
    /// Delivered.
    Delivered,
    /// Not delivered, or closed by the 24 hour notice.
    Failed,
    /// Twelve hours and no outcome, or the notice that says so.
    Late,
    /// Its time is over and no outcome is held.
    Missing,
    /// Both delivered and not.
    Contradictory,
    /// On ordinary mail (*esterno*): nothing comes.
    NotExpected,
    /// The message was not accepted, so nobody gets it.
    NotSent,
    /// No recipient of this message.
    Stranger,
    /// Cannot be told from what is held.
    Unknown,
}

/// What the hashes of a *breve* receipt say of the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Brief {
    /// Every file of the original held has its own, under its own name.
    Match,
    /// Those that are there are right, and a file of the original has none.
    Partial,
    /// One at least is of none of its files, or of another than it is named after.
    Mismatch,
    /// No original with its files is held: nothing to compare with.
    NotHeld,
}

macro_rules! words {
    ($name:ident: $( $variant:ident = $word:literal, $en:literal, $it:literal; )*) => {
        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];
            /// The word on the wire.
            pub fn as_str(self) -> &'static str { match self { $( Self::$variant => $word, )* } }
            /// For people: English and Italian.
            pub fn title(self) -> (&'static str, &'static str) { match self { $( Self::$variant => ($en, $it), )* } }
        }
    };
}

words! { Direction:
    Sent = "sent", "sent", "inviato";
    Received = "received", "received", "ricevuto";
    Unknown = "unknown", "unknown", "non determinabile";
}

words! { Transmission:
    Accepted = "accepted", "accepted", "accettato";
    NotAccepted = "not-accepted", "not accepted", "non accettato";
    Contradictory = "contradictory", "contradictory", "contraddittorio";
    AcceptanceMissing = "acceptance-missing", "acceptance missing", "accettazione mancante";
    Submitted = "submitted", "submitted", "inviato, in attesa di accettazione";
    Received = "received", "received", "ricevuto";
    Unknown = "unknown", "unknown", "non determinabile";
}

words! { Delivery:
    Accepted = "accepted", "accepted, outcome awaited", "accettato, esito atteso";
    Delivered = "delivered", "delivered", "consegnato";
    Failed = "failed", "not delivered", "non consegnato";
    Late = "late", "late", "in ritardo";
    Missing = "missing", "outcome missing", "esito mancante";
    Contradictory = "contradictory", "contradictory", "contraddittorio";
    NotExpected = "not-expected", "ordinary mail: no receipt is expected", "posta ordinaria: nessuna ricevuta attesa";
    NotSent = "not-sent", "not sent", "non inviato";
    Stranger = "stranger", "not a recipient of this message", "estraneo ai destinatari";
    Unknown = "unknown", "unknown", "non determinabile";
}

words! { Brief:
    Match = "match", "hashes of the original held", "impronte dell'originale conservato";
    Partial = "incomplete", "hashes of some files of the original held only", "impronte solo di alcuni file dell'originale conservato";
    Mismatch = "mismatch", "hashes that are NOT the original's", "impronte che NON sono dell'originale";
    NotHeld = "not-held", "hashes not compared: no original held", "impronte non confrontate: originale non conservato";
}

/// A recipient and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address, as the most authoritative message writes it.
    pub address: String,
    /// Whether it is on certified mail.
    pub certified: bool,
    /// What became of it.
    pub state: Delivery,
    /// When the outcome happened.
    pub at: Option<Timestamp>,
    /// What the signature proves of the receipt that decided; the best, when several did. None where nothing was decided.
    pub proof: Option<Proof>,
    /// The receipts about it, those that decide nothing among them.
    pub documents: Vec<DocumentId>,
}

/// A message in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The document.
    pub document: DocumentId,
    /// What it is.
    pub kind: Kind,
    /// What its signatures prove.
    pub proof: Proof,
    /// The worst conclusion on its signatures, as its metadata say it.
    pub verdict: Option<String>,
    /// Whether it counts for what became of the transmission.
    pub counts: bool,
    /// When what it certifies happened.
    pub instant: Option<Timestamp>,
    /// Of a *breve* receipt that names files: whether its hashes are the original's.
    pub hashes: Option<Brief>,
}

/// One transmission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// *Identificativo*; none when no message that is held tells it.
    pub identifier: Option<String>,
    /// The client's message id.
    pub msgid: Option<String>,
    /// Who sent it.
    pub sender: Option<String>,
    /// Whose mailbox it is seen from.
    pub direction: Direction,
    /// What became of it.
    pub state: Transmission,
    /// What the signature proves of the acceptance, or of the refusal, that decided.
    pub proof: Option<Proof>,
    /// What the terms run from: the acceptance, else the earliest that is known.
    pub started_at: Option<Timestamp>,
    /// Every recipient.
    pub recipients: Vec<Recipient>,
    /// Every message, in the order of what they certify.
    pub messages: Vec<Placed>,
    /// What does not fit.
    pub findings: Vec<Finding>,
    /// Since when something expected is missing.
    pub overdue_since: Option<Timestamp>,
}

/// Messages put together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conversation {
    /// The transmissions, earliest first.
    pub transactions: Vec<Transaction>,
    /// Messages that belong to none: anomaly envelopes, and what names nothing or too much.
    pub loose: Vec<Placed>,
}

/// What these messages say together, at this instant.
pub fn judge(messages: &[Message], terms: Terms, now: Timestamp) -> Conversation {
    let (groups, loose) = group::group(messages);
    let mut transactions: Vec<Transaction> =
        groups.into_iter().map(|group| judge::transaction(&group, terms, now)).collect();
    transactions.sort_by(|a, b| (a.started_at, &a.identifier, &a.msgid).cmp(&(b.started_at, &b.identifier, &b.msgid)));
    Conversation { transactions, loose: loose.into_iter().map(|message| message.placed(None)).collect() }
}

impl Message {
    /// Whether whoever holds it sent the original: only then receipts are expected here.
    pub fn tells_of_sending(&self) -> bool {
        let original = matches!(self.kind, Kind::Envelope | Kind::Copy);
        self.kind.goes_to_the_sender() || (original && self.outgoing == Some(true))
    }

    /// Whether what it says counts: a copy is nobody's word but the sender's, everything else is a provider's or nothing.
    fn counts(&self) -> bool {
        matches!(self.kind, Kind::Copy | Kind::Anomaly) || self.proof.is_relied_on()
    }

    fn placed(&self, hashes: Option<Brief>) -> Placed {
        Placed {
            document: self.document,
            kind: self.kind,
            proof: self.proof,
            verdict: self.verdict.clone(),
            counts: self.counts(),
            instant: self.instant,
            hashes,
        }
    }

    /// The order of what is certified: the same for the same messages, whenever each came.
    fn order(&self) -> impl Ord + use<> {
        (self.instant.unwrap_or(Timestamp::MAX), self.kind, self.sha256.0, self.document)
    }
}
