//! What a check knows of what it did not look at: how old it is, what is late, what was bad when it was last looked at.
//!
//! Invariant (I7): a rolling check that left something out is good only when every deadline still holds and nothing of what it
//! left out was bad or unread the last time; interface page, "Verdicts".

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use super::coverage::{self, CopyFacts, Coverage as Ledger, Seen, Standing};
use super::report::{Deadline, Finding, Place};
use super::sealed::{OnChain, Sealed};
use super::{Budget, Mode, Scope, Subject};
use crate::clock::iso_ms;
use crate::error::Code;
use crate::units::Lapse;

/// What was asked of a rolling check, and how far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rolling {
    /// Only copies that were not looked at for so long.
    pub older_than: Option<Lapse>,
    /// How long, or how much.
    pub budget: Option<Budget>,
    /// Packages that were to be looked at.
    pub due: u64,
    /// Of which so many are left.
    pub left: u64,
}

impl Rolling {
    pub(super) fn new(scope: &Scope, due: u64, left: u64) -> Self {
        Self { older_than: scope.older_than, budget: scope.budget, due, left }
    }
}

/// See the module.
pub(super) struct Waiting<'a> {
    pub subject: &'a Subject<'a>,
    pub scope: &'a Scope,
    pub on_chain: &'a OnChain,
    pub ledger: &'a Ledger,
    pub taken: &'a HashSet<(u64, usize)>,
    pub now: Timestamp,
}

type Ages = (BTreeMap<Mode, Option<Timestamp>>, BTreeMap<Mode, Deadline>);

impl Waiting<'_> {
    /// How old the oldest look of each mode is, and how all copies stand to the deadlines.
    pub fn ages(&self) -> Ages {
        let (mut oldest, mut deadlines) = Ages::default();
        if self.on_chain.packages.is_empty() {
            return (oldest, deadlines);
        }
        for mode in Mode::ALL {
            let every = self.subject.deadlines.and_then(|deadlines| deadlines.of(mode));
            let standing = self.standing(mode, every.unwrap_or(Lapse::from_secs(0)), &|_| true);
            oldest.insert(mode, standing.oldest().filter(|_| standing.never() == 0));
            if let Some(every) = every {
                let deadline = Deadline { every, next: standing.next(), overdue: standing.overdue() };
                deadlines.insert(mode, deadline);
            }
        }
        (oldest, deadlines)
    }

    fn standing(&self, mode: Mode, every: Lapse, wanted: &dyn Fn(&Sealed) -> bool) -> Standing {
        let mut standing = Standing::new(mode, every.signed(), self.now);
        for sealed in self.on_chain.packages.iter().filter(|sealed| wanted(sealed)) {
            let of_mode = |vault: &str| self.ledger.last(mode, vault, &sealed.package);
            if mode == Mode::Legibility {
                // Of the documents, not of their copies.
                let bytes = sealed.object.bytes;
                let copy = CopyFacts { package: &sealed.package, vault: coverage::DOCUMENTS, made: sealed.at, bytes };
                standing.add(copy, of_mode(""));
                continue;
            }
            for vault in &self.subject.vaults {
                // What no entry says is there cannot be late: that it lags is said elsewhere.
                let Some(made) = self.on_chain.made(sealed, vault.id()) else { continue };
                let copy = CopyFacts { package: &sealed.package, vault: vault.name(), made, bytes: sealed.stored() };
                standing.add(copy, of_mode(vault.id()));
            }
        }
        standing
    }

    /// What keeps a rolling check from being good although nothing that it read was bad.
    pub fn findings(&self) -> Vec<Finding> {
        if !self.scope.is_rolling() {
            return Vec::new();
        }
        let mut findings = Vec::new();
        let of_copies = |vault: &str| (vault != coverage::DOCUMENTS).then(|| vault.to_owned());
        let place = |vault: &str| Place { vault: of_copies(vault), ..Place::default() };
        let mode = self.scope.mode;
        if let Some(every) = self.subject.deadlines.and_then(|deadlines| deadlines.of(mode)) {
            let standing = self.standing(mode, every, &|sealed| self.scope.holds(&sealed.package));
            for (vault, age) in standing.ages.iter().filter(|(_, age)| age.overdue > 0) {
                let detail = format!("{} copies; {} waits since {}", age.overdue, age.package, iso_ms(age.oldest));
                findings.push(Finding::new(Code::CheckOverdue, place(vault), &detail));
            }
        }
        for (n, vault) in self.subject.vaults.iter().enumerate() {
            let (mut bad, mut unread) = (Vec::new(), Vec::new());
            for sealed in self.on_chain.packages.iter().filter(|sealed| self.scope.holds(&sealed.package)) {
                if self.taken.contains(&(sealed.seq, n)) {
                    continue;
                }
                match self.ledger.last(mode, vault.id(), &sealed.package).map(|known| known.seen) {
                    // What is not legible stays so: it is an alarm, and no verdict on what else was looked at.
                    Some(Seen::Bad) if mode == Mode::Legibility => {}
                    Some(Seen::Bad) => bad.push(&sealed.package),
                    Some(Seen::Unchecked) => unread.push(&sealed.package),
                    _ => {}
                }
            }
            for (code, packages) in [(Code::CheckStillBad, bad), (Code::NotLookedAt, unread)] {
                if let Some(first) = packages.first() {
                    let detail = format!("{} copies, {first} the first; they were not looked at again", packages.len());
                    findings.push(Finding::new(code, place(vault.name()), &detail));
                }
            }
        }
        findings
    }
}
