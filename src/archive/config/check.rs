//! `[check]` and `[legibility]`: how often every copy and every document is looked at, and what a night may take for it.
//!
//! Invariant: no term is longer than the law's: integrity is verified at intervals of at most five years (Linee guida AgID 4.5 f).

use toml::Spanned;

use super::limits::{between, secs};
use super::locate::Problems;
use super::raw;
use super::resolve::{line, optional};
use super::resolved::Config;
use crate::check::{Budget, Deadlines};
use crate::units::Lapse;

/// What rots silently is found while other copies are good: disks are read through four times a year.
const EVERY: Lapse = Lapse::from_secs(90 * 86_400);
/// A night's full check of a small archive is over long before; one of a large one leaves the disks to the day's work.
const BUDGET: &str = "2h";
/// What no full check reaches within a week is at least read through.
const QUICK_EVERY: Lapse = Lapse::from_secs(7 * 86_400);
/// A quarter of the full check's.
const QUICK_BUDGET: &str = "30min";
/// A kill costs so much of a check; each time is a line and an entry on the chain.
const NOTE_EVERY: Lapse = Lapse::from_secs(60);
/// Formats die slower than disks; the law allows five.
const LEGIBLE_EVERY: Lapse = Lapse::from_secs(365 * 86_400);
/// Some hundred thousand documents a night.
const LEGIBLE_BUDGET: &str = "30min";
/// Five years, without their leap days.
const LONGEST: u64 = 5 * 365 * 86_400;

/// How often every copy is looked at, and what a night may take for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Every byte of every copy by a full check.
    pub every: Lapse,
    /// What a night's full check may take.
    pub budget: Budget,
    /// Every byte of every copy by a quick check, where no full one came by.
    pub quick_every: Lapse,
    /// What a night's quick check may take.
    pub quick_budget: Budget,
    /// How often a check keeps what it has looked at.
    pub note_every: Lapse,
}

/// How often every document is decoded, and what a night may take for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Legibility {
    /// Every document.
    pub every: Lapse,
    /// What a night may take.
    pub budget: Budget,
    /// One document in so many, by this clause of the manual; all of them without.
    pub sample: Option<(u64, String)>,
}

impl Config {
    /// The terms that hold for every copy and every document.
    pub fn deadlines(&self) -> Deadlines {
        Deadlines { full: self.check.every, legibility: self.legibility.every }
    }
}

/// A term: from a day to what the law allows.
fn term(given: &Option<Spanned<Lapse>>, key: &str, default: Lapse, problems: &mut Problems<'_>) -> Option<Lapse> {
    let Some(given) = given else { return Some(default) };
    if secs(86_400, LONGEST + 1).contains(given.get_ref()) {
        return Some(*given.get_ref());
    }
    let why = "expected 1d to 5y (1825d): integrity and legibility are verified at least every five years (Linee guida AgID 4.5 f)";
    problems.wrong(&given.span(), key, why);
    None
}

pub(super) fn check(table: Option<Spanned<raw::Check>>, problems: &mut Problems<'_>) -> Option<Check> {
    let table = table.map(Spanned::into_inner).unwrap_or_default();
    let every = term(&table.every, "check.every", EVERY, problems);
    let quick_every = term(&table.quick_every, "check.quick_every", QUICK_EVERY, problems);
    let note_every = between(&table.note_every, "check.note_every", NOTE_EVERY, secs(0, 3601), problems);
    let budget = budget(&table.budget, "check.budget", BUDGET, problems);
    let quick_budget = self::budget(&table.quick_budget, "check.quick_budget", QUICK_BUDGET, problems);
    Some(Check {
        every: every?,
        budget: budget?,
        quick_every: quick_every?,
        quick_budget: quick_budget?,
        note_every: note_every?,
    })
}

pub(super) fn legibility(table: Option<Spanned<raw::Legibility>>, problems: &mut Problems<'_>) -> Option<Legibility> {
    let table = table.map(Spanned::into_inner).unwrap_or_default();
    let every = term(&table.every, "legibility.every", LEGIBLE_EVERY, problems);
    let budget = budget(&table.budget, "legibility.budget", LEGIBLE_BUDGET, problems);
    let one_in = between(&table.sample_one_in, "legibility.sample_one_in", 1, 1..1_000_001, problems)?;
    let named = table.sample.filter(|clause| !clause.get_ref().trim().is_empty());
    let clause = optional(&named, "legibility.sample", problems, line)?;
    let sample = match (one_in, clause) {
        (1, _) => None,
        (one_in, Some(clause)) => Some((one_in, clause)),
        (_, None) => {
            let why = "legibility.sample_one_in needs the clause of the manual of conservation that allows a sample";
            problems.missing(None, "legibility.sample", why);
            return None;
        }
    };
    Some(Legibility { every: every?, budget: budget?, sample })
}

/// A budget, or the default; a time or a size.
fn budget(given: &Option<Spanned<String>>, key: &str, default: &str, problems: &mut Problems<'_>) -> Option<Budget> {
    let read = |text: &str| text.parse::<Budget>().map_err(|error| error.detail);
    optional(given, key, problems, read)?.or_else(|| read(default).ok())
}
