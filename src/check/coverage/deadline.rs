//! Deadlines: how long ago each copy was looked at, which of them is late, and which will be at the speed measured here.
//!
//! Invariant: a copy that was never looked at counts from when it was made; what will be late is worked out for the copies in
//! the order in which a rolling check takes them, and in memory that does not grow with their number. Linee guida AgID 4.5 f.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Known, Seen};
use crate::check::Mode;
use crate::id::PackageRef;

/// A copy of a package.
#[derive(Debug, Clone, Copy)]
pub struct CopyFacts<'a> {
    /// The package.
    pub package: &'a PackageRef,
    /// What the operator calls its vault.
    pub vault: &'a str,
    /// When the copy was made.
    pub made: Timestamp,
    /// Its bytes.
    pub bytes: u64,
}

/// How the copies in one vault stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Age {
    /// How many there are.
    pub copies: u64,
    /// Of which so many were never looked at.
    pub never: u64,
    /// When the one that has waited longest was looked at, or made.
    pub oldest: Timestamp,
    /// Which that is.
    pub package: PackageRef,
    /// Copies whose deadline is over.
    pub overdue: u64,
    /// Copies that were bad when they were last looked at.
    pub bad: u64,
    /// Copies that could not be read when they were last looked at.
    pub unread: u64,
}

/// How all copies stand to the deadline of a mode.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The mode.
    pub mode: Mode,
    /// How often each copy must be looked at.
    pub every: SignedDuration,
    /// By vault.
    pub ages: BTreeMap<String, Age>,
    now: Timestamp,
    /// Bytes by the day on which they must be read: days from now, in the past below zero.
    waiting: BTreeMap<i64, u64>,
}

const DAY: i64 = 86_400;

impl Standing {
    /// Of no copies yet.
    pub fn new(mode: Mode, every: SignedDuration, now: Timestamp) -> Self {
        Self { mode, every, ages: BTreeMap::new(), now, waiting: BTreeMap::new() }
    }

    /// Takes in a copy and what is known of it.
    pub fn add(&mut self, copy: CopyFacts<'_>, known: Option<Known>) {
        let looked = known.and_then(|known| known.looked);
        let since = looked.unwrap_or(copy.made);
        let first =
            || Age { copies: 0, never: 0, oldest: since, package: copy.package.clone(), overdue: 0, bad: 0, unread: 0 };
        let age = self.ages.entry(copy.vault.to_owned()).or_insert_with(first);
        age.copies += 1;
        age.never += u64::from(looked.is_none());
        if since < age.oldest {
            age.oldest = since;
            age.package.clone_from(copy.package);
        }
        let left = since.saturating_add(self.every).unwrap_or(Timestamp::MAX).duration_since(self.now);
        age.overdue += u64::from(left <= SignedDuration::ZERO);
        age.bad += u64::from(known.is_some_and(|known| known.seen == Seen::Bad));
        age.unread += u64::from(known.is_some_and(|known| known.seen == Seen::Unchecked));
        let bytes = self.waiting.entry(left.as_secs().div_euclid(DAY)).or_default();
        *bytes = bytes.saturating_add(copy.bytes);
    }

    /// When the copy that has waited longest, of all vaults, was looked at or made.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.ages.values().map(|age| age.oldest).min()
    }

    /// Copies whose deadline is over.
    pub fn overdue(&self) -> u64 {
        self.ages.values().map(|age| age.overdue).sum()
    }

    /// Copies that were never looked at.
    pub fn never(&self) -> u64 {
        self.ages.values().map(|age| age.never).sum()
    }

    /// The first deadline still to come, or over.
    pub fn next(&self) -> Option<Timestamp> {
        self.oldest().map(|oldest| oldest.saturating_add(self.every).unwrap_or(Timestamp::MAX))
    }

    /// The day of the first deadline that will be missed when every night reads so many bytes, the longest waiting first: whole
    /// days from now. Those missed already are not asked about: they are overdue.
    pub fn will_miss(&self, a_night: u64) -> Option<i64> {
        let mut before = 0_u128;
        for (day, bytes) in &self.waiting {
            before += u128::from(*bytes);
            let nights = before.div_ceil(u128::from(a_night.max(1)));
            if *day >= 0 && nights > u128::try_from(*day).unwrap_or(0) + 1 {
                return Some(*day);
            }
        }
        None
    }
}
