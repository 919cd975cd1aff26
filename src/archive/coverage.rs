//! Whose turn it is to check, and what checks have looked at so far, in memory.
//!
//! Invariant: one check at a time, since two would read the same disks for the same answer; what is in memory is what the lines
//! of `records/coverage.jsonl` say whose digests the chain holds. AgID guidelines 4.5 f.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::Archive;
use super::state::unpoisoned;
use crate::chain::{COVERAGE, Entry, Kind, NewRecord};
use crate::check::coverage::{CopyFacts, Coverage, DOCUMENTS, Part, Seen, Standing};
use crate::check::{Mode, Outcome, Report};
use crate::error::{Code, Error, Result};
use crate::id::CheckId;
use crate::units::Lapse;

/// Whose turn it is.
#[derive(Default)]
pub(super) struct Checking(Mutex<Option<Holder>>, Condvar);

enum Holder {
    /// It was given its id and will come.
    Claimed(CheckId),
    /// It runs.
    Running,
}

/// The turn to check; given back when dropped.
pub(super) struct CheckTurn<'a> {
    checking: &'a Checking,
    id: CheckId,
}

impl CheckTurn<'_> {
    /// Whose it is.
    pub fn id(&self) -> CheckId {
        self.id
    }
}

impl Drop for CheckTurn<'_> {
    fn drop(&mut self) {
        *unpoisoned(self.checking.0.lock()) = None;
        self.checking.1.notify_all();
    }
}

impl Checking {
    /// Takes the turn for a check that will come.
    pub fn claim(&self, id: CheckId) -> Result<()> {
        let mut holder = unpoisoned(self.0.lock());
        if holder.is_some() {
            return Err(Error::new(Code::CheckRunning, ""));
        }
        *holder = Some(Holder::Claimed(id));
        Ok(())
    }

    /// Takes the turn, claimed or free.
    pub fn enter(&self, id: CheckId) -> Result<CheckTurn<'_>> {
        let mut holder = unpoisoned(self.0.lock());
        match *holder {
            Some(Holder::Claimed(known)) if known == id => {}
            None => {}
            Some(_) => return Err(Error::new(Code::CheckRunning, "")),
        }
        *holder = Some(Holder::Running);
        Ok(CheckTurn { checking: self, id })
    }

    /// Waits for the turn.
    pub fn wait(&self, id: CheckId) -> CheckTurn<'_> {
        let holder = unpoisoned(self.0.lock());
        let mut holder = unpoisoned(self.1.wait_while(holder, |holder| holder.is_some()));
        *holder = Some(Holder::Running);
        CheckTurn { checking: self, id }
    }
}

/// What the chain knows of checks.
#[derive(Debug, Clone, Default)]
pub(super) struct Checks {
    /// Those that have their entry.
    pub ended: BTreeSet<CheckId>,
    /// By mode, when the last one began and what came of it.
    pub last: BTreeMap<Mode, (Timestamp, Outcome)>,
}

impl Checks {
    /// Takes in an entry of kind `check`. One that says too little is no check.
    pub fn note(&mut self, object: &Map<String, Value>) {
        let read = |name: &str| object.get(name).cloned().unwrap_or_default();
        let (Ok(id), Ok(mode), Ok(outcome), Ok(at)) = (
            serde_json::from_value(read("id")),
            serde_json::from_value(read("mode")),
            serde_json::from_value(read("outcome")),
            serde_json::from_value(read("started_at")),
        ) else {
            return;
        };
        self.ended.insert(id);
        // One that was interrupted says nothing of what it would have found.
        if object.get("interrupted").is_none() {
            self.last.insert(mode, (at, outcome));
        }
    }

    /// Takes in an entry of the chain.
    pub fn note_entry(&mut self, entry: &Entry) {
        if entry.kind == Kind::Check {
            self.note(&entry.object);
        }
    }
}

impl Archive {
    /// What checks looked at, as the clock stands now.
    pub(super) fn coverage(&self, now: Timestamp) -> Result<MutexGuard<'_, Coverage>> {
        let mut coverage = unpoisoned(self.coverage.lock());
        if coverage.is_other_at(now) {
            *coverage = self.read_coverage(now)?;
        }
        Ok(coverage)
    }

    /// Reads the ledger again.
    pub(super) fn reload_coverage(&self) -> Result<()> {
        let coverage = self.read_coverage(self.clock.now())?;
        *unpoisoned(self.coverage.lock()) = coverage;
        Ok(())
    }

    fn read_coverage(&self, now: Timestamp) -> Result<Coverage> {
        let mut coverage = Coverage::default();
        self.ledger.each_record(COVERAGE, |line| coverage.take_line(line, now))?;
        Ok(coverage)
    }

    /// Keeps what a check has finished, as a line and its entry; whether it did. The check goes on without.
    pub(super) fn keep_part(&self, part: &Part) -> bool {
        let kept = part.fields().and_then(|fields| self.ledger.append_record(COVERAGE, fields, None));
        match kept {
            Ok(line) => {
                unpoisoned(self.coverage.lock()).take(line.at, part, self.clock.now());
                true
            }
            Err(error) => {
                tracing::warn!(code = error.code.as_str(), "a part of a check could not be kept: {error}");
                false
            }
        }
    }

    /// Appends the entry of a check, which commits the last line of what it looked at.
    pub(super) fn note_check(&self, report: &Report, entry: Map<String, Value>) -> Result<()> {
        match &report.rest {
            Some(part) => {
                let record = NewRecord { kind: COVERAGE.to_owned(), fields: part.fields()?, personal: None };
                let line = self.ledger.append_with_record(Kind::Check, entry.clone(), record)?;
                unpoisoned(self.coverage.lock()).take(line.at, part, self.clock.now());
            }
            None => drop(self.ledger.append(Kind::Check, entry.clone())?),
        }
        unpoisoned(self.checks.lock()).note(&entry);
        Ok(())
    }

    /// How every copy stands to a deadline.
    pub(super) fn standing(&self, mode: Mode, every: Lapse, now: Timestamp) -> Result<Standing> {
        let mut standing = Standing::new(mode, every.signed(), now);
        let mut times: BTreeMap<u64, Timestamp> = BTreeMap::new();
        let mut time = |seq: u64| -> Result<Timestamp> {
            if let Some(at) = times.get(&seq) {
                return Ok(*at);
            }
            let at = self.ledger.entry(seq)?.at;
            times.insert(seq, at);
            Ok(at)
        };
        let coverage = self.coverage(now)?;
        for row in self.catalog.packages(None)? {
            if mode == Mode::Legibility {
                let (vault, made, bytes) = (DOCUMENTS, row.sealed_at, row.bytes);
                let copy = CopyFacts { package: &row.package, vault, made, bytes };
                standing.add(copy, coverage.last(mode, "", &row.package));
                continue;
            }
            for kept in &self.copies.kept {
                let vault = kept.vault.as_ref();
                let Some(since) = self.copies.since(&row.package, vault) else { continue };
                let made = if since == row.entry { row.sealed_at } else { time(since)? };
                let mut known = coverage.last(mode, vault.id(), &row.package);
                if let Some(known) = known.as_mut().filter(|known| known.seen == Seen::Bad)
                    && let Some(seq) = self.copies.restored(&row.package, vault)
                    && Some(time(seq)?) > known.looked
                {
                    // Put right since: the next check looks at it first.
                    known.seen = Seen::Unchecked;
                }
                let bytes = self.copies.stored(&row.package);
                let copy = CopyFacts { package: &row.package, vault: vault.name(), made, bytes };
                standing.add(copy, known);
            }
        }
        Ok(standing)
    }
}
