//! The coverage ledger (`records/coverage.jsonl`): which copy of which package was looked at when, in which mode, with which
//! outcome. From it a rolling check knows what has waited longest, and an alarm what will be late.
//!
//! Invariants: what no committed line says was not looked at; an instant that has not come yet is not believed, so that a clock
//! that jumped never pushes a deadline away; looking at legibility is never looking at integrity. Linee guida AgID 4.5 f
//! (integrity and legibility verified at intervals of at most five years).

mod deadline;
mod line;
mod spans;

pub use deadline::{Age, CopyFacts, Standing};
pub use line::{Copies, Gathering, Part, Seen};

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use self::spans::Spans;
use super::Mode;
use crate::chain::RecordLine;
use crate::id::{CheckId, PackageRef, SeriesId};

/// How far an instant may be ahead of the clock and still be believed: clocks of one machine differ by less, from one boot to
/// the next.
const TOLERATED: SignedDuration = SignedDuration::from_mins(5);
/// Parts that the speed is measured by: some weeks of nights, so that one slow night is no alarm.
const MEASURED: usize = 32;
/// Less than this says more of the start of a check than of its speed.
const LEAST_BYTES: u64 = 1 << 20;

/// What stands for the vault where it is about documents and not about their copies.
pub const DOCUMENTS: &str = "documents";

/// What is known of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// When it was last looked at; `None` when it never was, or nobody knows when.
    pub looked: Option<Timestamp>,
    /// What was seen last.
    pub seen: Seen,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    known: BTreeMap<(Mode, String), BTreeMap<SeriesId, Spans<Known>>>,
    /// Milliseconds and bytes of the last parts.
    measured: BTreeMap<Mode, VecDeque<(u64, u64)>>,
    checks: BTreeSet<CheckId>,
    ahead: Option<Timestamp>,
    latest: Option<Timestamp>,
}

impl Coverage {
    /// Takes in a line in force, by a clock that shows `now`. One that does not say what was looked at claims nothing.
    pub fn take_line(&mut self, line: &RecordLine, now: Timestamp) {
        if let Some(part) = Part::parse(&line.fields) {
            self.take(line.at, &part, now);
        }
    }

    /// Takes in a part whose line was written at `at`.
    pub fn take(&mut self, at: Timestamp, part: &Part, now: Timestamp) {
        self.checks.insert(part.check);
        let at = at.max(part.from);
        self.latest = self.latest.max(Some(at));
        // The chain never goes back: what follows a line from the future has its instant, and is not believed either.
        let believed = at.duration_since(now) <= TOLERATED;
        if !believed {
            self.ahead = self.ahead.max(Some(at));
        }
        for copies in &part.copies {
            let known = self.known.entry((part.mode, copies.vault.clone())).or_default();
            let looked = (believed && copies.seen.is_looked_at()).then_some(part.from);
            for (series, stretches) in &copies.packages {
                let spans = known.entry(series.clone()).or_default();
                for (first, last) in stretches {
                    spans.update(*first, *last, |before| Known {
                        looked: before.and_then(|before| before.looked).max(looked),
                        seen: copies.seen,
                    });
                }
            }
        }
        if part.bytes >= LEAST_BYTES && part.ms > 0 {
            let measured = self.measured.entry(part.mode).or_default();
            measured.push_back((part.ms, part.bytes));
            if measured.len() > MEASURED {
                measured.pop_front();
            }
        }
    }

    /// What is known of the copy of a package in a vault (by its id): when it was last looked at as deep as this mode looks, and
    /// what was seen last. A full check looks deeper than a quick one; neither says anything of legibility.
    pub fn last(&self, mode: Mode, vault: &str, package: &PackageRef) -> Option<Known> {
        let of = |mode| -> Option<Known> {
            self.known.get(&(mode, vault.to_owned()))?.get(&package.series)?.get(package.number)
        };
        let newer = |one: Known, other: Known| if other.looked > one.looked { other } else { one };
        match mode {
            Mode::Quick => match (of(Mode::Quick), of(Mode::Full)) {
                (Some(quick), Some(full)) => Some(newer(quick, full)),
                (quick, full) => quick.or(full),
            },
            Mode::Full => match (of(Mode::Full), of(Mode::Quick)) {
                // A quick look since then that found it bad asks for a full one.
                (full, Some(quick)) if quick.seen == Seen::Bad && quick.looked > full.and_then(|full| full.looked) => {
                    Some(Known { looked: full.and_then(|full| full.looked), seen: Seen::Bad })
                }
                (full, _) => full,
            },
            Mode::Legibility => self.legible(package),
        }
    }

    /// As [`Coverage::last`] for legibility, which is the documents' and not the copies': whatever vault they were read from.
    fn legible(&self, package: &PackageRef) -> Option<Known> {
        let all = self.known.iter().filter(|((mode, _), _)| *mode == Mode::Legibility);
        let all = all.filter_map(|(_, series)| series.get(&package.series)?.get(package.number));
        all.max_by_key(|known| known.looked)
    }

    /// Bytes a second, of the last checks in this mode; `None` when too little was read to know.
    pub fn speed(&self, mode: Mode) -> Option<u64> {
        let parts = self.measured.get(&mode)?;
        let (ms, bytes) = parts.iter().fold((0_u64, 0_u64), |sum, part| (sum.0 + part.0, sum.1.saturating_add(part.1)));
        u64::try_from(u128::from(bytes) * 1000 / u128::from(ms.max(1))).ok()
    }

    /// The latest instant in it that has not come yet: the clock jumped.
    pub fn ahead(&self) -> Option<Timestamp> {
        self.ahead
    }

    /// Whether by a clock that shows `now` other lines would be believed than were.
    pub fn is_other_at(&self, now: Timestamp) -> bool {
        let future = self.latest.is_some_and(|latest| latest.duration_since(now) > TOLERATED);
        future != self.ahead.is_some()
    }

    /// The checks that left lines.
    pub fn checks(&self) -> &BTreeSet<CheckId> {
        &self.checks
    }
}

#[cfg(test)]
mod tests;
