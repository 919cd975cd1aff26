//! The consistency of a period: what a provider's own audit asks of the rows of each transmission.
//!
//! Invariant: memory is bounded: a transmission is kept as hashes, and beyond [`MOST_TRANSACTIONS`] or
//! [`MOST_RECIPIENTS`] the rest is counted as not checked, never silently. What a finding names is a check, a count and
//! line numbers, never an address or an identifier. What may simply stand in the file before or after is no contradiction.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};

use jiff::{SignedDuration, Timestamp};

use super::event::{Event, Kind, addresses};
use crate::error::{Code, Finding};

/// Transmissions looked at: some hundred bytes each.
const MOST_TRANSACTIONS: usize = 200_000;
/// Recipients looked at, in all.
const MOST_RECIPIENTS: usize = 1_000_000;
/// Lines named by a finding.
const EXAMPLES: usize = 5;
/// After so long an outcome or a notice is due (DM 2 November 2005, delay notices at 12 and 24 hours).
const DUE: SignedDuration = SignedDuration::from_hours(24);

/// One recipient of a transmission.
struct Recipient {
    address: u64,
    certified: bool,
    taken: u8,
    delivered: u8,
    failed: u8,
    notified: bool,
}

/// What is known of a transmission.
struct Transaction {
    line: u64,
    first: Option<Timestamp>,
    sender: u64,
    domain: u64,
    /// Order does not count.
    list: u64,
    recipients: Vec<Recipient>,
    accepted: u8,
    refused: u8,
    envelopes: u8,
    viruses: u8,
    virus_errors: u8,
    wrong: u16,
}

macro_rules! checks {
    ($( $name:ident = $wire:literal, $detail:literal; )*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Check { $( $name, )* }

        impl Check {
            const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            fn place(self) -> &'static str {
                match self { $( Self::$name => concat!("transactions/", $wire), )* }
            }

            fn detail(self) -> &'static str {
                match self { $( Self::$name => $detail, )* }
            }
        }
    };
}

checks! {
    Sender = "sender", "the rows of one transmission name different senders";
    List = "recipients", "the rows of one transmission name different recipients";
    AcceptanceTwice = "acceptance-twice", "accepted more than once";
    AcceptanceMissing = "acceptance-missing", "sent from a domain of this log, with an envelope and no acceptance";
    RefusedAndAccepted = "refused-and-accepted", "accepted and refused";
    EnvelopeTwice = "envelope-twice", "more than one envelope";
    EnvelopeMissing = "envelope-missing", "accepted, and no envelope";
    TakenTwice = "taken-twice", "a recipient taken in charge more than once";
    OutcomeTwice = "outcome-twice", "a recipient delivered, or failed, more than once";
    DeliveredAndFailed = "delivered-and-failed", "a recipient delivered and failed";
    Outside = "outside", "a row about somebody who is not among the recipients";
    VirusWithoutError = "virus-without-error", "malware found without its failure notice";
    ErrorWithoutVirus = "error-without-virus", "a failure for malware that no row found";
    Missing = "outcome-missing", "no outcome and no delay notice after 24 hours";
}

/// The transmissions of a log.
pub struct Transactions {
    hasher: RandomState,
    known: HashMap<u128, Transaction>,
    recipients: usize,
    /// Rows of transmissions that were not looked at.
    beyond: u64,
    beyond_line: u64,
    last: Option<Timestamp>,
}

impl Transactions {
    pub fn new() -> Self {
        Self { hasher: RandomState::new(), known: HashMap::new(), recipients: 0, beyond: 0, beyond_line: 0, last: None }
    }

    /// How many transmissions were met; when not all were looked at, at least so many.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    fn hash(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }

    /// Notes a row.
    pub fn see(&mut self, line: u64, event: &Event, at: Option<Timestamp>) {
        if event.kind == Kind::Sistema || event.identifier.is_empty() {
            return;
        }
        self.last = self.last.max(at);
        let identifier = event.identifier.to_lowercase();
        let key = u128::from(self.hash(&identifier)) << 64 | u128::from(self.hasher.hash_one((&identifier, 1u8)));
        let sender = self.hash(&event.sender);
        let domain = self.hash(event.sender.rsplit('@').next().unwrap_or_default());
        let listed: Vec<(u64, bool)> =
            addresses(&event.recipients).map(|(a, certified)| (self.hash(&a), certified)).collect();
        let list = listed.iter().fold(0u64, |sum, (address, _)| sum.wrapping_add(*address));
        let named = |text: &str| addresses(text).map(|(address, _)| self.hash(&address)).collect::<Vec<_>>();
        let (delivered, taken) = (named(&event.delivered), named(&event.taken));
        let room = self.known.len() < MOST_TRANSACTIONS && self.recipients + listed.len() <= MOST_RECIPIENTS;
        let transaction = match self.known.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if !room => {
                self.beyond += 1;
                if self.beyond == 1 {
                    self.beyond_line = line;
                }
                return;
            }
            Entry::Vacant(entry) => {
                self.recipients += listed.len();
                let recipient = |(address, certified): &(u64, bool)| Recipient {
                    address: *address,
                    certified: *certified,
                    taken: 0,
                    delivered: 0,
                    failed: 0,
                    notified: false,
                };
                let mut recipients: Vec<Recipient> = listed.iter().map(recipient).collect();
                recipients.sort_by_key(|recipient| recipient.address);
                recipients.dedup_by_key(|recipient| recipient.address);
                entry.insert(Transaction {
                    line,
                    first: at,
                    sender,
                    domain,
                    list,
                    recipients,
                    accepted: 0,
                    refused: 0,
                    envelopes: 0,
                    viruses: 0,
                    virus_errors: 0,
                    wrong: 0,
                })
            }
        };
        transaction.see(event, (sender, list), listed.is_empty(), &delivered, &taken);
    }

    /// What is not consistent, and what is open at the end of the period.
    pub fn findings(&self) -> Vec<Finding> {
        // A domain is the provider's own when it accepted a message of it.
        let own: std::collections::HashSet<u64> =
            self.known.values().filter(|t| t.accepted > 0).map(|t| t.domain).collect();
        let mut wrong: Vec<(u64, Vec<u64>)> = vec![(0, Vec::new()); Check::ALL.len()];
        let (mut open, mut before) = (0u64, 0u64);
        for transaction in self.known.values() {
            let due = transaction.first.zip(self.last).is_some_and(|(first, last)| last.duration_since(first) >= DUE);
            let verdict = transaction.verdict(own.contains(&transaction.domain), due);
            for check in Check::ALL.iter().filter(|check| verdict & (1 << **check as u16) != 0) {
                let (count, lines) = &mut wrong[*check as usize];
                *count += 1;
                lines.push(transaction.line);
                if lines.len() > 4 * EXAMPLES {
                    lines.sort_unstable();
                    lines.truncate(EXAMPLES);
                }
            }
            open += u64::from(transaction.open());
            before += u64::from(transaction.accepted == 0 && transaction.envelopes == 0 && transaction.refused == 0);
        }
        let mut findings = Vec::new();
        for (check, (count, mut lines)) in Check::ALL.iter().zip(wrong) {
            if count > 0 {
                lines.sort_unstable();
                let lines: Vec<String> = lines.iter().take(EXAMPLES).map(u64::to_string).collect();
                let detail = format!("{}: {count} transactions, from line {}", check.detail(), lines.join(", "));
                findings.push(Finding::warning(Code::PecLogInconsistent, check.place(), detail));
            }
        }
        if open > 0 {
            let detail = format!("{open} transactions have recipients without an outcome yet");
            findings.push(Finding::info(Code::PecLogOpen, "transactions/open", detail));
        }
        if before > 0 {
            let detail = format!("{before} transactions began before this log");
            findings.push(Finding::info(Code::PecLogOpen, "transactions/before", detail));
        }
        if self.beyond > 0 {
            let detail = format!(
                "{} transactions were looked at; {} rows of others, from line {} on, were only counted",
                self.known.len(),
                self.beyond,
                self.beyond_line
            );
            findings.push(Finding::warning(Code::PecLogUnchecked, "transactions", detail));
        }
        findings
    }
}

fn more(count: &mut u8) {
    *count = count.saturating_add(1);
}

impl Transaction {
    fn see(&mut self, event: &Event, (sender, list): (u64, u64), unlisted: bool, delivered: &[u64], taken: &[u64]) {
        if self.sender != sender && !event.sender.is_empty() {
            self.note(Check::Sender);
        }
        if self.list != list && !unlisted {
            self.note(Check::List);
        }
        let virus = event.error.to_lowercase().contains("virus");
        match event.kind {
            Kind::Accettazione => more(&mut self.accepted),
            Kind::NonAccettazione => more(&mut self.refused),
            Kind::PostaCertificata | Kind::BustaAnomalia => more(&mut self.envelopes),
            Kind::RilevazioneVirus => more(&mut self.viruses),
            Kind::ErroreConsegna if virus => more(&mut self.virus_errors),
            _ => {}
        }
        // A row that names nobody is about the only recipient there is.
        let only = match self.recipients.as_slice() {
            [one] => vec![one.address],
            _ => Vec::new(),
        };
        let about = |named: &[u64]| if named.is_empty() { only.clone() } else { named.to_vec() };
        let (whom, count): (Vec<u64>, fn(&mut Recipient)) = match event.kind {
            Kind::PresaInCarico => (about(taken), |r| more(&mut r.taken)),
            Kind::AvvenutaConsegna => (about(delivered), |r| more(&mut r.delivered)),
            Kind::ErroreConsegna => (about(delivered), |r| more(&mut r.failed)),
            Kind::Preavviso => (about(delivered), |r| r.notified = true),
            _ => return,
        };
        for address in whom {
            // In order of address: a list of thousands, all named by one row, must not be walked for each.
            match self.recipients.binary_search_by_key(&address, |recipient| recipient.address) {
                Ok(at) => count(&mut self.recipients[at]),
                Err(_) => self.note(Check::Outside),
            }
        }
    }

    fn note(&mut self, check: Check) {
        self.wrong |= 1 << check as u16;
    }

    fn open(&self) -> bool {
        let waits = |r: &Recipient| r.certified && r.delivered == 0 && r.failed == 0;
        self.refused == 0 && self.envelopes > 0 && self.recipients.iter().any(waits)
    }

    fn verdict(&self, own: bool, due: bool) -> u16 {
        let mut wrong = self.wrong;
        let mut note = |check: Check, is: bool| wrong |= u16::from(is) << check as u16;
        note(Check::AcceptanceTwice, self.accepted > 1);
        note(Check::AcceptanceMissing, own && self.accepted == 0 && self.refused == 0 && self.envelopes > 0);
        note(Check::RefusedAndAccepted, self.accepted > 0 && self.refused > 0);
        note(Check::EnvelopeTwice, self.envelopes > 1);
        note(Check::EnvelopeMissing, self.accepted > 0 && self.envelopes == 0);
        note(Check::VirusWithoutError, self.viruses > self.virus_errors);
        note(Check::ErrorWithoutVirus, self.virus_errors > self.viruses);
        for recipient in &self.recipients {
            let Recipient { certified, taken, delivered, failed, notified, .. } = recipient;
            note(Check::TakenTwice, *taken > 1);
            note(Check::OutcomeTwice, *delivered > 1 || *failed > 1);
            note(Check::DeliveredAndFailed, *delivered > 0 && *failed > 0);
            note(Check::Missing, due && *certified && self.open() && delivered + failed == 0 && !notified);
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as `kind sender recipients about [error]`, a minute apart.
    fn places(rows: &[&str]) -> Vec<String> {
        let mut transactions = Transactions::new();
        for (n, row) in rows.iter().enumerate() {
            let parts: Vec<&str> = row.split(' ').collect();
            let get = |at: usize| parts.get(at).copied().unwrap_or_default().trim_matches('-').to_owned();
            let event = Event {
                identifier: "1@x.example".into(),
                at: None,
                kind: Kind::of(parts[0], ""),
                sender: get(1),
                recipients: get(2),
                provider: String::new(),
                delivered: get(3),
                taken: get(3),
                error: get(4),
            };
            let at = Timestamp::from_second(n as i64 * 60).unwrap();
            transactions.see(n as u64 + 1, &event, Some(at));
        }
        transactions.findings().into_iter().map(|f| f.place.trim_start_matches("transactions/").to_owned()).collect()
    }

    const SENT: [&str; 2] = ["accettazione a@x b@y:certificato", "posta-certificata a@x b@y:certificato"];
    const TAKEN: &str = "presa-in-carico a@x b@y:certificato b@y";
    const DELIVERED: &str = "avvenuta-consegna a@x b@y:certificato b@y";
    const FAILED: &str = "errore-consegna a@x b@y:certificato b@y";

    #[test]
    fn a_whole_transmission_says_nothing() {
        assert!(places(&[SENT[0], SENT[1], TAKEN, DELIVERED]).is_empty());
        assert!(places(&["Accettazione A@x B@Y:certificato", SENT[1], TAKEN, FAILED]).len() <= 2);
        assert!(places(&["non-accettazione a@x b@y:certificato"]).is_empty());
        // Several recipients in another order.
        assert!(
            places(&[
                "accettazione a@x b@y:certificato;c@z:certificato",
                "posta-certificata a@x c@z:certificato;b@y:certificato",
                "avvenuta-consegna a@x b@y:certificato;c@z:certificato c@z",
                "avvenuta-consegna a@x b@y:certificato;c@z:certificato b@y",
            ])
            .is_empty()
        );
    }

    #[test]
    fn every_contradiction_has_its_check() {
        for (rows, expected) in [
            (
                vec![SENT[0], SENT[1], TAKEN, DELIVERED, "posta-certificata z@x b@y:certificato"],
                vec!["sender", "envelope-twice"],
            ),
            (vec![SENT[0], "posta-certificata a@x c@y:certificato", DELIVERED], vec!["recipients"]),
            (vec![SENT[0], SENT[0], SENT[1], DELIVERED], vec!["acceptance-twice"]),
            (vec![SENT[0], DELIVERED], vec!["envelope-missing"]),
            (vec![SENT[0], SENT[1], TAKEN, TAKEN, DELIVERED], vec!["taken-twice"]),
            (vec![SENT[0], SENT[1], DELIVERED, DELIVERED], vec!["outcome-twice"]),
            (vec![SENT[0], SENT[1], DELIVERED, FAILED], vec!["delivered-and-failed"]),
            (vec![SENT[0], SENT[1], DELIVERED, "presa-in-carico a@x b@y:certificato e@y"], vec!["outside"]),
            (vec![SENT[0], SENT[1], "rilevazione-virus a@x b@y:certificato", DELIVERED], vec!["virus-without-error"]),
            (vec![SENT[0], SENT[1], "errore-consegna a@x b@y:certificato b@y virus"], vec!["error-without-virus"]),
            (vec![SENT[0], "non-accettazione a@x b@y:certificato", SENT[1], DELIVERED], vec!["refused-and-accepted"]),
            (vec![SENT[0], SENT[1], TAKEN], vec!["open"]),
            (vec![DELIVERED], vec!["before"]),
        ] {
            assert_eq!(places(&rows), expected, "{rows:?}");
        }
    }

    #[test]
    fn what_is_beyond_the_bound_is_said() {
        let mut transactions = Transactions::new();
        let mut event = Event::system(None);
        event.kind = Kind::PostaCertificata;
        for n in 0..=MOST_TRANSACTIONS {
            event.identifier = n.to_string();
            transactions.see(n as u64, &event, None);
        }
        assert_eq!(transactions.len(), MOST_TRANSACTIONS);
        let codes: Vec<Code> = transactions.findings().iter().map(|f| f.code).collect();
        assert!(codes.contains(&Code::PecLogUnchecked));
    }
}
