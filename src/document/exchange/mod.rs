//! What the exchange system (SdI) answered about an invoice file, and what state that leaves it in (`reference/fatturapa`
//! section 8.4).
//!
//! Invoices and notifications are put together by IdentificativoSdI, by digest and, where it follows SdI's rule, by file name without
//! extensions; one file sent twice has two identifiers and two courses. Invariants: pure, no input or output; the order in which
//! documents came never matters, so a notification may precede its invoice; a file is its bytes, whatever its name, and what is said of
//! one is not said of another; every tie that a notification claims is compared and the comparison said: a name or a digest that
//! does not match is a finding, and never parts what the identifier ties; a notification whose signature is not valid decides nothing, and
//! one that is not signed, as some channels give them, is marked.

mod course;
mod files;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::proof::Proof;
use super::reader::is_sdi_base;
use crate::error::{Code, Finding};
use crate::hash::Sha256;
use crate::id::DocumentId;
use files::{Certainty, Files};

/// An invoice file that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// The document: the file itself, or a message that carries it.
    pub document: DocumentId,
    /// Whether the document is a message that carries the file.
    pub carried: bool,
    /// Digest of the file as deposited, or as it was attached.
    pub sha256: Sha256,
    /// File name without extensions.
    pub file_base: Option<String>,
    /// SdI's identifier, when the producer told it.
    pub sdi_identifier: Option<String>,
    /// Supplier, numbers and date in one text: two files that say the same are one invoice in two dresses. None when not known.
    pub says: Option<String>,
}

/// A notification that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The document.
    pub document: DocumentId,
    /// RC, NS, MC, NE, EC, SE, DT, AT or MT.
    pub kind: String,
    /// What its signatures prove.
    pub proof: Proof,
    /// The worst conclusion on its signatures, as its metadata say it.
    pub verdict: Option<String>,
    /// IdentificativoSdI.
    pub sdi_identifier: Option<String>,
    /// NomeFile without extensions.
    pub file_base: Option<String>,
    /// Hash, or HashFileOriginale.
    pub file_sha256: Option<String>,
    /// PecMessageId: the message that brought the invoice in.
    pub pec_message_id: Option<String>,
    /// When it happened.
    pub instant: Option<Timestamp>,
    /// EC01 or EC02 of an outcome.
    pub outcome: Option<String>,
    /// The one invoice of a lot that an outcome is about.
    pub reference: Option<String>,
}

/// Where an invoice file is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// No notification is held.
    Unknown,
    /// Taken in by SdI, no more is known.
    Sent,
    /// Scartata: not transmitted, and by law not issued.
    Rejected,
    /// Could not be delivered, so far or at all.
    Undelivered,
    /// Delivered.
    Delivered,
    /// Sent and undeliverable: the attestation stands for delivery.
    Attested,
    /// Nothing within the term: closed for both sides, which is no acceptance.
    Expired,
    /// Refused by the public body.
    Refused,
    /// Of a lot, some accepted and some refused.
    Partly,
    /// Accepted by the public body.
    Accepted,
}

impl State {
    /// Every one, with its word on the wire, in English and in Italian.
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 10] = [
        (Self::Unknown, "unknown", "no notification is held", "nessuna notifica conservata"),
        (Self::Sent, "sent", "sent", "trasmessa"),
        (Self::Rejected, "rejected", "rejected by SdI: not issued", "scartata dallo SdI: non emessa"),
        (Self::Undelivered, "undelivered", "not delivered", "mancata consegna"),
        (Self::Delivered, "delivered", "delivered", "consegnata"),
        (Self::Attested, "attested", "transmission attested, delivery impossible", "attestata, recapito impossibile"),
        (Self::Expired, "expired", "terms elapsed", "decorrenza dei termini"),
        (Self::Refused, "refused", "refused", "rifiutata"),
        (Self::Partly, "partly-accepted", "partly accepted", "accettata in parte"),
        (Self::Accepted, "accepted", "accepted", "accettata"),
    ];

    fn entry(self) -> (Self, &'static str, &'static str, &'static str) {
        Self::ALL.into_iter().find(|(state, ..)| *state == self).unwrap_or(Self::ALL[0])
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        self.entry().1
    }

    /// For people: English and Italian.
    pub fn title(self) -> (&'static str, &'static str) {
        (self.entry().2, self.entry().3)
    }
}

/// What comparing something with what is held gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compared {
    /// The same.
    Match,
    /// Not the same.
    Mismatch,
    /// The notification does not say it.
    NotSaid,
    /// What it would be compared with is not held.
    NotHeld,
}

impl Compared {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Mismatch => "mismatch",
            Self::NotSaid => "not-said",
            Self::NotHeld => "not-held",
        }
    }
}

/// A notification in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The document.
    pub document: DocumentId,
    /// Its kind.
    pub kind: String,
    /// What its signatures prove.
    pub proof: Proof,
    /// The worst conclusion on its signatures, as its metadata say it.
    pub verdict: Option<String>,
    /// Whether it counts for the state of the file.
    pub counts: bool,
    /// When it happened.
    pub instant: Option<Timestamp>,
    /// Its NomeFile against the invoice's.
    pub name: Compared,
    /// Its Hash against the stored file's SHA-256.
    pub hash: Compared,
    /// Its PecMessageId against the transmissions held.
    pub pec: Compared,
}

/// What happened to one transmission of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// IdentificativoSdI.
    pub sdi_identifier: Option<String>,
    /// Where it ended.
    pub state: State,
    /// Its notifications in time.
    pub steps: Vec<Step>,
}

/// An invoice file and everything SdI said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The documents that are the file.
    pub invoices: Vec<DocumentId>,
    /// The messages that carry it; where both are empty only notifications are held.
    pub carriers: Vec<DocumentId>,
    /// Its name without extensions.
    pub file_base: Option<String>,
    /// The state that counts: of the transmission that went furthest.
    pub state: State,
    /// Whether the invoice counts as issued; unknown while nothing says it.
    pub issued: Option<bool>,
    /// What signatures prove of the notifications that decided, the least proved of them. None where none did.
    pub proof: Option<Proof>,
    /// Each transmission.
    pub courses: Vec<Course>,
    /// What does not fit.
    pub findings: Vec<Finding>,
}

/// Puts invoices and notifications together. `pec` are the identifiers of the transmissions held.
pub fn exchanges(invoices: &[Invoice], notifications: &[Notification], pec: &BTreeSet<String>) -> Vec<Exchange> {
    let keys: Vec<Vec<(u8, String)>> = invoices
        .iter()
        .map(|one| keys(&one.sdi_identifier, &one.file_base, Some(one.sha256.to_string())))
        .chain(notifications.iter().map(|one| keys(&one.sdi_identifier, &one.file_base, one.file_sha256.clone())))
        .collect();
    let mut groups: BTreeMap<usize, (Vec<&Invoice>, Vec<&Notification>)> = BTreeMap::new();
    for (n, group) in together(&keys).into_iter().enumerate() {
        let entry = groups.entry(group).or_default();
        match n.checked_sub(invoices.len()) {
            None => entry.0.push(&invoices[n]),
            Some(n) => entry.1.push(&notifications[n]),
        }
    }
    let pec: BTreeSet<String> = pec.iter().map(|one| one.to_lowercase()).collect();
    let mut found: Vec<Exchange> = Vec::new();
    for (invoices, notifications) in groups.into_values() {
        let files = Files::of(&invoices, &notifications);
        if invoices.is_empty() {
            let all = notifications.into_iter().map(|one| (one, Certainty::Known)).collect();
            found.push(exchange(&[], all, &pec));
            continue;
        }
        for (digest, documents) in files.each() {
            let of_it = notifications.iter().filter_map(|one| Some((*one, files.is_of(digest, one)?)));
            found.push(exchange(documents, of_it.collect(), &pec));
        }
    }
    found.sort_by(|a, b| (&a.file_base, &a.invoices, &a.carriers).cmp(&(&b.file_base, &b.invoices, &b.carriers)));
    found
}

/// SdI writes 0 for an identifier it does not know.
fn known_identifier(id: Option<&str>) -> Option<String> {
    let id = id?.trim().to_lowercase();
    id.bytes().any(|b| b != b'0').then_some(id)
}

/// Everything that a document can be tied by, of comparable spelling.
fn keys(sdi: &Option<String>, base: &Option<String>, sha256: Option<String>) -> Vec<(u8, String)> {
    let said =
        |n: u8, text: Option<String>| text.map(|t| t.trim().to_lowercase()).filter(|t| !t.is_empty()).map(|t| (n, t));
    let sdi = known_identifier(sdi.as_deref());
    // Anybody's file may be called `fattura.xml`; by SdI's rule a name is one transmitter's, and used once.
    let base = base.as_ref().map(|base| base.to_uppercase()).filter(|base| is_sdi_base(base));
    [said(0, sdi), said(1, base), said(2, sha256)].into_iter().flatten().collect()
}

/// For each member the group it is in: those that share a key, directly or through others.
fn together(keys: &[Vec<(u8, String)>]) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..keys.len()).collect();
    fn root(parent: &mut [usize], mut n: usize) -> usize {
        while parent[n] != n {
            parent[n] = parent[parent[n]];
            n = parent[n];
        }
        n
    }
    let mut first: BTreeMap<&(u8, String), usize> = BTreeMap::new();
    for (n, keys) in keys.iter().enumerate() {
        for key in keys {
            let other = *first.entry(key).or_insert(n);
            let (a, b) = (root(&mut parent, n), root(&mut parent, other));
            parent[a.max(b)] = a.min(b);
        }
    }
    (0..keys.len()).map(|n| root(&mut parent, n)).collect()
}

fn exchange(invoices: &[&Invoice], notifications: Vec<(&Notification, Certainty)>, pec: &BTreeSet<String>) -> Exchange {
    let mut findings = Vec::new();
    let bases: BTreeSet<String> =
        invoices.iter().filter_map(|one| one.file_base.as_ref()).map(|base| base.to_uppercase()).collect();
    let digests: BTreeSet<String> = invoices.iter().map(|one| one.sha256.to_string()).collect();
    let held = Held { bases: &bases, digests: &digests, pec };
    let named =
        notifications.iter().filter_map(|(one, _)| one.file_base.as_ref()).map(|base| base.to_uppercase()).min();
    // What has no identifier of its own belongs to the only transmission, or to one without identifier.
    let mut sent: BTreeMap<Option<String>, Vec<(&Notification, Certainty)>> = BTreeMap::new();
    for (one, certainty) in notifications {
        sent.entry(known_identifier(one.sdi_identifier.as_deref())).or_default().push((one, certainty));
    }
    if sent.len() == 2
        && let Some(unnamed) = sent.remove(&None)
        && let Some(only) = sent.values_mut().next()
    {
        only.extend(unnamed);
    }
    let mut courses: Vec<Course> = Vec::new();
    for (sdi_identifier, mut notifications) in sent {
        notifications.sort_by_key(|(one, _)| (one.instant.unwrap_or(Timestamp::MAX), one.kind.clone(), one.document));
        let steps: Vec<Step> = notifications.iter().map(|(one, sure)| held.step(one, *sure, &mut findings)).collect();
        let counting: Vec<&Notification> =
            notifications.iter().zip(&steps).filter(|(_, step)| step.counts).map(|((one, _), _)| *one).collect();
        let state = course::state(&counting, &mut findings);
        courses.push(Course { sdi_identifier, state, steps });
    }
    let state = courses.iter().map(|course| course.state).max_by_key(|state| match state {
        // A second sending of the same name is rejected as a duplicate, and takes nothing from the first.
        State::Rejected => 1,
        State::Unknown => 0,
        other => 2 + *other as usize,
    });
    let state = state.unwrap_or(State::Unknown);
    let issued = match state {
        State::Unknown | State::Sent => None,
        State::Rejected => Some(false),
        _ => Some(true),
    };
    let deciding = courses.iter().filter(|course| course.state == state).flat_map(|course| &course.steps);
    // What comes with the invoice to the buyer decides nothing, and is never signed.
    let proof = deciding.filter(|step| step.counts && step.kind != "MT").map(|step| step.proof).max();
    let documents = |carried: bool| {
        let some = invoices.iter().filter(|one| one.carried == carried).map(|one| one.document);
        some.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    findings.sort_by(|a, b| (a.code.as_str(), &a.place).cmp(&(b.code.as_str(), &b.place)));
    Exchange {
        invoices: documents(false),
        carriers: documents(true),
        file_base: bases.first().cloned().or(named),
        state,
        issued,
        proof,
        courses,
        findings,
    }
}

/// What a notification is compared with.
struct Held<'a> {
    bases: &'a BTreeSet<String>,
    digests: &'a BTreeSet<String>,
    pec: &'a BTreeSet<String>,
}

impl Held<'_> {
    fn step(&self, one: &Notification, certainty: Certainty, findings: &mut Vec<Finding>) -> Step {
        let compare = |said: Option<String>, held: &BTreeSet<String>| match said {
            None => Compared::NotSaid,
            Some(_) if held.is_empty() => Compared::NotHeld,
            Some(said) if held.contains(&said) => Compared::Match,
            Some(_) => Compared::Mismatch,
        };
        let name = compare(one.file_base.as_ref().map(|base| base.to_uppercase()), self.bases);
        let hash = compare(one.file_sha256.as_ref().map(|hash| hash.trim().to_lowercase()), self.digests);
        let pec = match compare(one.pec_message_id.as_ref().map(|id| id.to_lowercase()), self.pec) {
            // Other transmissions that are held say nothing of one that is not.
            Compared::Mismatch => Compared::NotHeld,
            other => other,
        };
        let mut note = |code, detail: &str| findings.push(Finding::warning(code, one.document.to_string(), detail));
        if name == Compared::Mismatch {
            note(Code::ExchangeName, "");
        }
        if hash == Compared::Mismatch {
            note(Code::ExchangeHash, "");
        }
        if certainty == Certainty::Ambiguous {
            note(Code::ExchangeAmbiguous, "");
        }
        // MT is never signed; EC comes from the buyer, who need not sign.
        let by_sdi = !matches!(one.kind.as_str(), "MT" | "EC");
        match one.proof {
            Proof::Invalid => note(Code::ExchangeInvalid, ""),
            Proof::Unsigned if by_sdi => note(Code::ExchangeUnproved, "not signed"),
            Proof::Unverified => note(Code::ExchangeUnproved, "not verified"),
            _ => {}
        }
        Step {
            document: one.document,
            kind: one.kind.clone(),
            proof: one.proof,
            verdict: one.verdict.clone(),
            counts: certainty == Certainty::Known && one.proof != Proof::Invalid,
            instant: one.instant,
            name,
            hash,
            pec,
        }
    }
}
