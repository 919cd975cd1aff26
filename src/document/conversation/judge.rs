//! What became of one transaction and of each of its recipients (`reference/pec` section 8, expected set).
//!
//! Invariant: only messages that count decide anything, be it a state, a term or who the recipients are; where there is none of
//! them, what the others say is shown, and no outcome follows from it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::brief::{self, Original};
use super::{Addressee, Brief, Delivery, Direction, Kind, Message, Recipient, Terms, Transaction, Transmission};
use crate::document::proof::Proof;
use crate::error::{Code, Finding};

/// The second notice never comes before 22 hours (`reference/pec` section 2, step 5).
const FINAL_NOTICE: SignedDuration = SignedDuration::from_hours(22);

pub(super) fn transaction(messages: &[&Message], terms: Terms, now: Timestamp) -> Transaction {
    let distinct = distinct(messages);
    let counting: Vec<&Message> = distinct.iter().copied().filter(|message| message.counts()).collect();
    let mut group = Group { messages, originals: originals(&distinct), distinct, counting, findings: Vec::new() };
    let direction = group.direction();
    let accepted_at = group.of(Kind::Acceptance).filter_map(|m| m.instant).min();
    let started_at = group.started_at();
    let elapsed = started_at.map(|start| now.duration_since(start));
    let state = group.state(direction, elapsed.is_some_and(|elapsed| elapsed >= terms.missing_after));
    let recipients = group.recipients(direction, state, terms, elapsed);
    group.not_counting();
    group.before_acceptance(accepted_at);
    group.doubled_acceptance();
    group.spellings();
    group.mismatches();
    let missing = state == Transmission::AcceptanceMissing || recipients.iter().any(|r| r.state == Delivery::Missing);
    let due = started_at.and_then(|start| start.checked_add(terms.missing_after).ok()).filter(|due| *due <= now);
    let placed = messages.iter().map(|m| m.placed(group.brief(m))).collect();
    let mut findings = std::mem::take(&mut group.findings);
    findings.sort_by(|a, b| (a.code.as_str(), &a.place).cmp(&(b.code.as_str(), &b.place)));
    let answers = group.of(Kind::Acceptance).chain(group.of(Kind::NonAcceptance));
    let proof = answers.map(|m| m.proof).min();
    let known = group.counting.iter().chain(messages);
    let first = |pick: fn(&Message) -> Option<&String>| known.clone().find_map(|m| pick(m)).cloned();
    Transaction {
        identifier: first(|m| m.identifier.as_ref().filter(|_| m.kind != Kind::Copy)),
        msgid: first(|m| m.msgids.first()),
        sender: first(|m| m.sender.as_ref()),
        direction,
        state,
        proof,
        started_at,
        recipients,
        messages: placed,
        findings,
        overdue_since: due.filter(|_| missing && direction == Direction::Sent),
    }
}

/// The same bytes count once, however often they were deposited.
fn distinct<'a>(messages: &[&'a Message]) -> Vec<&'a Message> {
    let mut seen = BTreeSet::new();
    messages.iter().filter(|message| seen.insert(message.sha256.0)).copied().collect()
}

/// The files of each original that is held. The envelope's original is signed by a provider; copies, and what only looks
/// like an envelope, are asked where there is none.
fn originals<'a>(messages: &[&'a Message]) -> Vec<Original<'a>> {
    let held = |signed: bool| {
        let original = move |m: &&&Message| {
            matches!(m.kind, Kind::Envelope | Kind::Copy) && (m.kind == Kind::Envelope && m.counts()) == signed
        };
        let files = messages.iter().filter(original).filter_map(|m| m.files.as_ref());
        files.map(|files| Original::of(files)).collect::<Vec<_>>()
    };
    let envelopes = held(true);
    if envelopes.is_empty() { held(false) } else { envelopes }
}

struct Group<'a> {
    messages: &'a [&'a Message],
    originals: Vec<Original<'a>>,
    distinct: Vec<&'a Message>,
    /// Those of them that count.
    counting: Vec<&'a Message>,
    findings: Vec<Finding>,
}

impl<'a> Group<'a> {
    fn of(&self, kind: Kind) -> impl Iterator<Item = &'a Message> {
        self.counting.iter().copied().filter(move |message| message.kind == kind)
    }

    fn has(&self, kind: Kind) -> bool {
        self.of(kind).next().is_some()
    }

    fn note(&mut self, code: Code, place: impl ToString, detail: &str) {
        self.findings.push(Finding::warning(code, place.to_string(), detail));
    }

    fn direction(&self) -> Direction {
        let original = |m: &&&Message| matches!(m.kind, Kind::Envelope | Kind::Copy);
        let said = |way| self.messages.iter().filter(original).any(|m| m.outgoing == Some(way));
        let to_the_sender = |messages: &[&Message]| messages.iter().any(|m| m.kind.goes_to_the_sender());
        if to_the_sender(&self.counting) || said(true) {
            Direction::Sent
        } else if said(false) {
            Direction::Received
        } else if to_the_sender(self.messages) {
            // Whatever it is worth, it came to the mailbox that the receipts are expected in.
            Direction::Sent
        } else {
            Direction::Unknown
        }
    }

    /// The acceptance; else the envelope, made in the same moment; else the earliest that is certified; then the same of what does
    /// not count; last what a client's clock said.
    fn started_at(&self) -> Option<Timestamp> {
        let earliest = |messages: &[&Message], kinds: &[Kind]| {
            let some = messages.iter().filter(|m| kinds.contains(&m.kind));
            some.filter_map(|m| m.instant).min()
        };
        let certified = [Kind::NonAcceptance, Kind::TakenInCharge, Kind::Delivery, Kind::NonDelivery, Kind::Delay];
        let told = |messages: &[&Message]| {
            earliest(messages, &[Kind::Acceptance])
                .or_else(|| earliest(messages, &[Kind::Envelope]))
                .or_else(|| earliest(messages, &certified))
        };
        told(&self.counting).or_else(|| told(self.messages)).or_else(|| earliest(self.messages, &[Kind::Copy]))
    }

    fn state(&mut self, direction: Direction, over: bool) -> Transmission {
        let outcome = [Kind::Delivery, Kind::NonDelivery, Kind::Delay].into_iter().any(|kind| self.has(kind));
        match (self.has(Kind::Acceptance), self.has(Kind::NonAcceptance)) {
            (true, true) => {
                self.note(Code::ConversationContradicts, "accettazione", "accepted and not accepted");
                Transmission::Contradictory
            }
            (true, false) => Transmission::Accepted,
            (false, true) => {
                if outcome {
                    self.note(Code::ConversationContradicts, "non-accettazione", "not accepted, with outcomes");
                }
                Transmission::NotAccepted
            }
            (false, false) => match direction {
                Direction::Sent if outcome || over => {
                    self.note(Code::ConversationNoAcceptance, "accettazione", "");
                    Transmission::AcceptanceMissing
                }
                Direction::Sent => Transmission::Submitted,
                Direction::Received => Transmission::Received,
                Direction::Unknown => Transmission::Unknown,
            },
        }
    }

    /// Who the message was sent to: the acceptance says it of all; else the envelope; else whatever tells.
    fn addressees(&mut self) -> Vec<Addressee> {
        let listed = |messages: &[&Message], kinds: &[Kind]| {
            let mut some = messages.iter().filter(|m| kinds.contains(&m.kind) && !m.recipients.is_empty());
            some.next().map(|m| m.recipients.clone())
        };
        let receipts = [Kind::NonAcceptance, Kind::Delivery, Kind::NonDelivery, Kind::Delay, Kind::TakenInCharge];
        let told = |messages: &[&Message]| {
            listed(messages, &[Kind::Acceptance])
                .or_else(|| listed(messages, &[Kind::Envelope]))
                .or_else(|| listed(messages, &receipts))
                .or_else(|| listed(messages, &[Kind::VirusDetected, Kind::Copy]))
        };
        let found = told(&self.counting).or_else(|| told(&self.distinct)).unwrap_or_default();
        let all =
            |recipients: &[Addressee]| -> BTreeSet<String> { recipients.iter().map(|r| fold(&r.address)).collect() };
        let certified = [Kind::Acceptance, Kind::Envelope, Kind::Delivery, Kind::NonDelivery, Kind::Delay];
        let expected = all(&found);
        let differ: Vec<_> = self
            .counting
            .iter()
            .filter(|m| certified.contains(&m.kind) && !m.recipients.is_empty() && all(&m.recipients) != expected)
            .map(|m| m.document)
            .collect();
        for document in differ {
            self.note(Code::ConversationRecipients, document, "");
        }
        let mut seen = BTreeSet::new();
        found.into_iter().filter(|one| seen.insert(fold(&one.address))).collect()
    }

    fn recipients(
        &mut self,
        direction: Direction,
        state: Transmission,
        terms: Terms,
        elapsed: Option<SignedDuration>,
    ) -> Vec<Recipient> {
        let addressees = self.addressees();
        let mut about: BTreeMap<String, Vec<&Message>> = BTreeMap::new();
        let certified: Vec<&Addressee> = addressees.iter().filter(|one| one.certified).collect();
        let outcomes = [Kind::Delivery, Kind::NonDelivery, Kind::Delay];
        let all: Vec<&Message> = self.messages.iter().copied().filter(|m| outcomes.contains(&m.kind)).collect();
        for message in all {
            match (&message.about, certified.as_slice()) {
                (Some(address), _) => about.entry(fold(address)).or_default().push(message),
                // An empty `consegna` can mean one recipient only when there is only one.
                (None, [only]) => about.entry(fold(&only.address)).or_default().push(message),
                (None, _) => self.note(Code::ConversationStranger, message.document, "names no recipient"),
            }
        }
        let mut found = Vec::with_capacity(addressees.len());
        for (n, one) in addressees.iter().enumerate() {
            let receipts = about.remove(&fold(&one.address)).unwrap_or_default();
            let place = format!("recipient {}", n + 1);
            let open = self.open(direction, state, terms, elapsed);
            found.push(self.recipient(one, &receipts, &place, open));
        }
        for (_, receipts) in about {
            for receipt in &receipts {
                self.note(Code::ConversationStranger, receipt.document, "");
            }
            found.push(Recipient {
                address: receipts[0].about.clone().unwrap_or_default(),
                certified: true,
                state: Delivery::Stranger,
                at: receipts.iter().filter_map(|m| m.instant).min(),
                proof: receipts.iter().map(|m| m.proof).min(),
                documents: receipts.iter().map(|m| m.document).collect(),
            });
        }
        found
    }

    /// What a recipient without an outcome is.
    fn open(
        &self,
        direction: Direction,
        state: Transmission,
        terms: Terms,
        elapsed: Option<SignedDuration>,
    ) -> Delivery {
        let passed = |term| elapsed.is_some_and(|elapsed| elapsed >= term);
        match state {
            Transmission::NotAccepted => Delivery::NotSent,
            _ if direction != Direction::Sent => Delivery::Unknown,
            _ if passed(terms.missing_after) => Delivery::Missing,
            _ if passed(terms.late_after) => Delivery::Late,
            Transmission::Accepted | Transmission::Contradictory | Transmission::AcceptanceMissing => {
                Delivery::Accepted
            }
            Transmission::Submitted | Transmission::Received | Transmission::Unknown => Delivery::Unknown,
        }
    }

    fn recipient(&mut self, one: &Addressee, receipts: &[&Message], place: &str, open: Delivery) -> Recipient {
        let unique: Vec<&Message> = distinct(receipts).into_iter().filter(|message| message.counts()).collect();
        let delivered: Vec<&&Message> = unique.iter().filter(|m| m.kind == Kind::Delivery).collect();
        let refused: Vec<&&Message> = unique.iter().filter(|m| m.kind == Kind::NonDelivery).collect();
        let notices: Vec<&&Message> = unique.iter().filter(|m| m.kind == Kind::Delay).collect();
        let last: Vec<&&Message> = notices.iter().filter(|m| self.is_final(m, &notices)).copied().collect();
        let failures = refused.len() + last.len();
        let state = match (one.certified, delivered.len(), failures) {
            (false, ..) => {
                if !receipts.is_empty() {
                    self.note(Code::ConversationStranger, place, "esterno");
                }
                Delivery::NotExpected
            }
            (true, 0, 0) if !notices.is_empty() && open == Delivery::Accepted => Delivery::Late,
            (true, 0, 0) => open,
            (true, 0, _) => Delivery::Failed,
            (true, _, 0) => Delivery::Delivered,
            (true, _, _) => {
                self.note(Code::ConversationContradicts, place, "delivered and not delivered");
                Delivery::Contradictory
            }
        };
        if one.certified && (delivered.len() > 1 || failures > 1) {
            self.note(Code::ConversationDuplicate, place, "");
        }
        let decisive = delivered.iter().chain(&refused).chain(&last);
        Recipient {
            address: one.address.clone(),
            certified: one.certified,
            state,
            at: decisive.clone().filter_map(|m| m.instant).min(),
            proof: decisive.map(|m| m.proof).min(),
            documents: receipts.iter().map(|m| m.document).collect(),
        }
    }

    /// Both notices have one kind: the second is told by its time, else by what it says, else by the one before it.
    fn is_final(&self, notice: &Message, all: &[&&Message]) -> bool {
        let from = self.of(Kind::Acceptance).filter_map(|m| m.instant).min();
        let from = from.or_else(|| self.of(Kind::Envelope).filter_map(|m| m.instant).min());
        if let (Some(from), Some(at)) = (from, notice.instant) {
            return at.duration_since(from) >= FINAL_NOTICE;
        }
        let text = notice.error_detail.as_deref().unwrap_or_default().to_lowercase();
        if text.contains("ventiquattro") || text.contains("24 ore") {
            return true;
        }
        // Without a text about the hours: a notice that comes well after another one is the second.
        let gap = FINAL_NOTICE - SignedDuration::from_hours(14);
        notice
            .instant
            .is_some_and(|at| all.iter().filter_map(|other| other.instant).any(|other| at.duration_since(other) >= gap))
    }

    /// What a provider should have signed, and nobody that is believed did.
    fn not_counting(&mut self) {
        let others: Vec<_> = self.distinct.iter().filter(|m| !m.counts()).map(|m| (m.document, m.proof)).collect();
        for (document, proof) in others {
            let code = match proof {
                Proof::Unsigned => Code::ConversationUnsigned,
                Proof::Invalid => Code::ConversationInvalid,
                _ => Code::ConversationUntrusted,
            };
            self.note(code, document, "");
        }
    }

    fn before_acceptance(&mut self, accepted_at: Option<Timestamp>) {
        let Some(accepted_at) = accepted_at else { return };
        let outcomes = [Kind::Delivery, Kind::NonDelivery, Kind::Delay, Kind::TakenInCharge];
        let early: Vec<_> = self
            .counting
            .iter()
            .filter(|m| outcomes.contains(&m.kind) && m.instant.is_some_and(|at| at < accepted_at))
            .map(|m| m.document)
            .collect();
        for document in early {
            self.note(Code::ConversationEarly, document, "");
        }
    }

    fn doubled_acceptance(&mut self) {
        for kind in [Kind::Acceptance, Kind::NonAcceptance] {
            if self.of(kind).count() > 1 {
                self.note(Code::ConversationDuplicate, kind.as_str(), "");
            }
        }
    }

    fn spellings(&mut self) {
        let plain = |text: &str| text.trim().trim_start_matches('<').trim_end_matches('>').trim().to_owned();
        let named = self.messages.iter().filter(|m| m.kind != Kind::Copy);
        let spellings: BTreeSet<String> = named.filter_map(|m| m.identifier.as_deref()).map(plain).collect();
        if spellings.len() > 1 {
            self.findings.push(Finding::info(Code::ConversationCase, "identifier", ""));
        }
    }

    /// What the hashes of a *breve* receipt are.
    fn brief(&self, receipt: &Message) -> Option<Brief> {
        brief::compare(receipt.brief.as_deref()?, &self.originals)
    }

    fn mismatches(&mut self) {
        for (brief, code) in [(Brief::Mismatch, Code::ConversationBreve), (Brief::Partial, Code::ConversationBrevePart)]
        {
            let wrong = |m: &&&Message| self.brief(m) == Some(brief);
            let wrong: Vec<_> = self.distinct.iter().filter(wrong).map(|m| m.document).collect();
            for document in wrong {
                self.note(code, document, "");
            }
        }
    }
}

/// An address as it is compared.
fn fold(address: &str) -> String {
    address.trim().trim_start_matches('<').trim_end_matches('>').trim().to_lowercase()
}
