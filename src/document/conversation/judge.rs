//! What became of one transaction and of each of its recipients (`reference/pec` section 8, expected set).

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::{SignedDuration, Timestamp};

use super::{Addressee, Brief, Delivery, Direction, Kind, Message, Recipient, Terms, Transaction, Transmission};
use crate::error::{Code, Finding};

/// The second notice never comes before 22 hours (`reference/pec` section 2, step 5).
const FINAL_NOTICE: SignedDuration = SignedDuration::from_hours(22);

pub(super) fn transaction(messages: &[&Message], terms: Terms, now: Timestamp) -> Transaction {
    let distinct = distinct(messages);
    let mut group = Group { messages, originals: originals(&distinct), distinct, findings: Vec::new() };
    let direction = group.direction();
    let accepted_at = group.of(Kind::Acceptance).filter_map(|m| m.instant).min();
    let started_at = group.started_at();
    let elapsed = started_at.map(|start| now.duration_since(start));
    let state = group.state(direction, elapsed.is_some_and(|elapsed| elapsed >= terms.missing_after));
    let recipients = group.recipients(direction, state, terms, elapsed);
    group.before_acceptance(accepted_at);
    group.doubled_acceptance();
    group.spellings();
    group.mismatches();
    let missing = state == Transmission::AcceptanceMissing || recipients.iter().any(|r| r.state == Delivery::Missing);
    let due = started_at.and_then(|start| start.checked_add(terms.missing_after).ok()).filter(|due| *due <= now);
    let placed = messages.iter().map(|m| m.placed(group.brief(m))).collect();
    let mut findings = group.findings;
    findings.sort_by(|a, b| (a.code.as_str(), &a.place).cmp(&(b.code.as_str(), &b.place)));
    let first = |pick: fn(&Message) -> Option<&String>| messages.iter().find_map(|m| pick(m)).cloned();
    Transaction {
        identifier: first(|m| m.identifier.as_ref().filter(|_| m.kind != Kind::Copy)),
        msgid: first(|m| m.msgids.first()),
        sender: first(|m| m.sender.as_ref()),
        direction,
        state,
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

/// Hashes of the files of each original that is held. The envelope's original is signed by a provider; copies are asked only where
/// there is none.
fn originals<'a>(messages: &[&'a Message]) -> Vec<HashSet<&'a str>> {
    let held = |kind| {
        let files = messages.iter().filter(move |m| m.kind == kind).filter_map(|m| m.files.as_ref());
        files.map(|files| files.iter().map(String::as_str).collect()).collect::<Vec<_>>()
    };
    let envelopes = held(Kind::Envelope);
    if envelopes.is_empty() { held(Kind::Copy) } else { envelopes }
}

struct Group<'a> {
    messages: &'a [&'a Message],
    originals: Vec<HashSet<&'a str>>,
    distinct: Vec<&'a Message>,
    findings: Vec<Finding>,
}

impl<'a> Group<'a> {
    fn of(&self, kind: Kind) -> impl Iterator<Item = &'a Message> {
        self.distinct.iter().copied().filter(move |message| message.kind == kind)
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
        if self.messages.iter().any(|m| m.kind.goes_to_the_sender()) || said(true) {
            Direction::Sent
        } else if said(false) {
            Direction::Received
        } else {
            Direction::Unknown
        }
    }

    /// The acceptance; else the envelope, made in the same moment; else the earliest that is certified; last what a client's
    /// clock said.
    fn started_at(&self) -> Option<Timestamp> {
        let earliest = |kinds: &[Kind]| {
            let some = self.messages.iter().filter(|m| kinds.contains(&m.kind));
            some.filter_map(|m| m.instant).min()
        };
        let certified = [Kind::NonAcceptance, Kind::TakenInCharge, Kind::Delivery, Kind::NonDelivery, Kind::Delay];
        earliest(&[Kind::Acceptance])
            .or_else(|| earliest(&[Kind::Envelope]))
            .or_else(|| earliest(&certified))
            .or_else(|| earliest(&[Kind::Copy]))
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
        let listed = |kinds: &[Kind]| {
            let mut some = self.distinct.iter().filter(|m| kinds.contains(&m.kind) && !m.recipients.is_empty());
            some.next().map(|m| m.recipients.clone())
        };
        let receipts = [Kind::NonAcceptance, Kind::Delivery, Kind::NonDelivery, Kind::Delay, Kind::TakenInCharge];
        let found = listed(&[Kind::Acceptance])
            .or_else(|| listed(&[Kind::Envelope]))
            .or_else(|| listed(&receipts))
            .or_else(|| listed(&[Kind::VirusDetected, Kind::Copy]))
            .unwrap_or_default();
        let all =
            |recipients: &[Addressee]| -> BTreeSet<String> { recipients.iter().map(|r| fold(&r.address)).collect() };
        let certified = [Kind::Acceptance, Kind::Envelope, Kind::Delivery, Kind::NonDelivery, Kind::Delay];
        let expected = all(&found);
        let differ: Vec<_> = self
            .distinct
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
        let unique = distinct(receipts);
        let delivered: Vec<&&Message> = unique.iter().filter(|m| m.kind == Kind::Delivery).collect();
        let refused: Vec<&&Message> = unique.iter().filter(|m| m.kind == Kind::NonDelivery).collect();
        let notices: Vec<&&Message> = unique.iter().filter(|m| m.kind == Kind::Delay).collect();
        let last: Vec<&&Message> = notices.iter().filter(|m| self.is_final(m, &notices)).copied().collect();
        let failures = refused.len() + last.len();
        let state = match (one.certified, delivered.len(), failures) {
            (false, ..) => {
                if !unique.is_empty() {
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
            at: decisive.filter_map(|m| m.instant).min(),
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

    fn before_acceptance(&mut self, accepted_at: Option<Timestamp>) {
        let Some(accepted_at) = accepted_at else { return };
        let outcomes = [Kind::Delivery, Kind::NonDelivery, Kind::Delay, Kind::TakenInCharge];
        let early: Vec<_> = self
            .distinct
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

    /// What the hashes of a *breve* receipt are. One original that has all the files is enough: nobody makes a file to a hash.
    fn brief(&self, receipt: &Message) -> Option<Brief> {
        if receipt.brief.is_empty() {
            return None;
        }
        let all_in = |files: &HashSet<&str>| receipt.brief.iter().all(|hash| files.contains(hash.as_str()));
        Some(match self.originals.iter().any(all_in) {
            _ if self.originals.is_empty() => Brief::NotHeld,
            true => Brief::Match,
            false => Brief::Mismatch,
        })
    }

    fn mismatches(&mut self) {
        let wrong = |m: &&&Message| self.brief(m) == Some(Brief::Mismatch);
        let wrong: Vec<_> = self.distinct.iter().filter(wrong).map(|m| m.document).collect();
        for document in wrong {
            self.note(Code::ConversationBreve, document, "");
        }
    }
}

/// An address as it is compared.
fn fold(address: &str) -> String {
    address.trim().trim_start_matches('<').trim_end_matches('>').trim().to_lowercase()
}
