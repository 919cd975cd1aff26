//! Which packages were renewed, and by which entries: a projection of the chain, in memory.
//!
//! Invariant: a package's list has an entry a generation, from 2 on, in order; what does not follow is damage and stops the
//! opening. Some ten bytes a renewal and package: it grows with what is on the chain, not with what was sealed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use super::ages::Known;
use crate::archive::state::unpoisoned;
use crate::chain::Entry;
use crate::error::{Code, Error, Result};
use crate::id::PackageRef;
use crate::package::generation::Renewal;

/// Entries kept in memory, some 100 KiB each.
const MOST_PARSED: usize = 64;

/// The renewals of an archive.
#[derive(Default)]
pub(in crate::archive) struct Renewals {
    entries: RwLock<BTreeMap<PackageRef, Vec<u64>>>,
    /// How often something was noted.
    noted: AtomicU64,
    working: Mutex<()>,
    /// Entries read lately: one is of many packages, which are mostly asked for one after the other.
    parsed: Mutex<BTreeMap<u64, Arc<Renewal>>>,
    pub(super) known: Mutex<Known>,
}

impl Renewals {
    /// Takes in a `renewal` entry, in the order of the chain.
    pub fn note(&self, entry: &Entry) -> Result<()> {
        let wrong = |what: &str| Error::new(Code::ChainAltered, what).at(format!("chain/entries, entry {}", entry.seq));
        let renewal: Renewal = serde_json::from_value(entry.object.clone().into())
            .map_err(|_| wrong("a renewal entry that does not say what it renews"))?;
        let mut entries = unpoisoned(self.entries.write());
        for renewed in renewal.packages {
            let known = entries.entry(renewed.package).or_default();
            if known.len() as u64 + 2 != u64::from(renewed.generation) {
                return Err(wrong("a renewal that does not follow the evidence before"));
            }
            known.push(entry.seq);
        }
        self.noted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// How often something was noted: what was learned before may be used while this stays the same.
    pub fn noted(&self) -> u64 {
        self.noted.load(Ordering::SeqCst)
    }

    /// What the chain says now, after it was read again.
    pub fn replace(&self, other: Self) {
        *unpoisoned(self.entries.write()) = unpoisoned(other.entries.into_inner());
        self.noted.fetch_add(1, Ordering::SeqCst);
        unpoisoned(self.parsed.lock()).clear();
    }

    /// The entries that renewed a package, oldest first.
    pub fn of(&self, package: &PackageRef) -> Vec<u64> {
        unpoisoned(self.entries.read()).get(package).cloned().unwrap_or_default()
    }

    /// What an entry says, read once for all its packages.
    pub(super) fn parsed(&self, seq: u64, read: impl FnOnce() -> Result<Renewal>) -> Result<Arc<Renewal>> {
        if let Some(known) = unpoisoned(self.parsed.lock()).get(&seq) {
            return Ok(Arc::clone(known));
        }
        let renewal = Arc::new(read()?);
        let mut parsed = unpoisoned(self.parsed.lock());
        if parsed.len() >= MOST_PARSED {
            parsed.pop_first();
        }
        parsed.insert(seq, Arc::clone(&renewal));
        Ok(renewal)
    }

    /// One renewal at a time.
    pub fn working(&self) -> MutexGuard<'_, ()> {
        unpoisoned(self.working.lock())
    }
}
