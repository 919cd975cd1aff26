//! Copies of sealed packages: which vaults there are, what each holds, and what is to be done about it.
//!
//! `bind` ties a vault to the archive for ever, `write` makes the copies that a seal needs, `catch_up` the others, `read` takes
//! whichever is good, `repair` puts bad ones right after `survey` has looked at all of them. Invariant: what a vault must hold is what the chain says it holds
//! ([`Holdings`]); no folder takes the place of another silently, no bad copy is passed over silently. Linee guida AgID 4.7
//! (integrity of every copy), 4.10 (where copies are).

mod act;
mod bind;
mod catch_up;
mod derogation;
mod lost;
mod policy;
mod read;
mod repair;
mod stream;

mod survey;
mod suspects;
mod view;
mod write;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use jiff::Timestamp;

use super::state::unpoisoned;
use crate::chain::{Entry, Kind};
use crate::error::{Code, Error, Result};
use crate::id::PackageRef;
use crate::package::copies::Holdings;
use crate::package::generation::Renewal;
use crate::vault::Vault;

pub(super) use bind::{bound_offline, settle};
pub use derogation::NewDerogation;
pub(super) use read::member_facts;
pub use repair::RepairRequest;
pub(super) use suspects::Suspects;
pub(super) use write::{digests, must_hold};

/// A vault and what is known of it.
pub(super) struct Kept {
    pub vault: Arc<dyn Vault>,
    pub site: Option<String>,
    pub country: Option<String>,
    pub operator: Option<String>,
    /// Whether the chain knows it; one that was refused is never written to.
    pub bound: bool,
}

/// The copies of an archive.
pub(super) struct Copies {
    /// In the order of custode.toml; never empty.
    pub kept: Vec<Kept>,
    holdings: RwLock<Holdings>,
    pub suspects: Arc<Suspects>,
    /// One at a time copies or repairs.
    working: Mutex<()>,
    /// Something was sealed or renewed since the last catching up.
    pub due: AtomicBool,
    /// Since when a vault cannot be used.
    down: Mutex<BTreeMap<String, Timestamp>>,
}

impl Copies {
    pub fn new(kept: Vec<Kept>, holdings: Holdings) -> Self {
        Self {
            kept,
            holdings: RwLock::new(holdings),
            suspects: Arc::default(),
            working: Mutex::default(),
            due: AtomicBool::new(false),
            down: Mutex::default(),
        }
    }

    /// Takes in an entry that says something of copies.
    pub fn note(&self, entry: &Entry) -> Result<()> {
        let mut holdings = unpoisoned(self.holdings.write());
        note(&mut holdings, entry)
    }

    /// What the chain says now, after it was read again.
    pub fn replace(&self, holdings: Holdings) {
        *unpoisoned(self.holdings.write()) = holdings;
    }

    /// All vaults, in their order.
    pub fn vaults(&self) -> Vec<Arc<dyn Vault>> {
        self.kept.iter().map(|kept| Arc::clone(&kept.vault)).collect()
    }

    /// Packages of which a vault lacks something.
    pub fn behind(&self, vault: &dyn Vault) -> Vec<PackageRef> {
        unpoisoned(self.holdings.read()).behind(vault.id()).cloned().collect()
    }

    /// The entry that says first that a vault has a copy of a package.
    pub fn since(&self, package: &PackageRef, vault: &dyn Vault) -> Option<u64> {
        unpoisoned(self.holdings.read()).since(package, vault.id())
    }

    /// The last entry that says that a vault's bad copy of a package was put right.
    pub fn restored(&self, package: &PackageRef, vault: &dyn Vault) -> Option<u64> {
        unpoisoned(self.holdings.read()).restored(package, vault.id())
    }

    /// Bytes of a package's files, in one copy.
    pub fn stored(&self, package: &PackageRef) -> u64 {
        unpoisoned(self.holdings.read()).stored(package)
    }

    /// Whether the chain names a whole copy in this vault.
    pub fn is_whole(&self, package: &PackageRef, vault: &dyn Vault) -> bool {
        unpoisoned(self.holdings.read()).is_whole(package, vault.id())
    }

    /// Asks whether a vault is there; since when it is not, and why.
    pub fn away(&self, vault: &dyn Vault, now: Timestamp) -> Option<(Timestamp, Error)> {
        let mut down = unpoisoned(self.down.lock());
        match vault.mounted() {
            Ok(()) => {
                down.remove(vault.name());
                None
            }
            Err(error) => Some((*down.entry(vault.name().to_owned()).or_insert(now), error)),
        }
    }

    /// One at a time copies or repairs.
    pub fn working(&self) -> MutexGuard<'_, ()> {
        unpoisoned(self.working.lock())
    }
}

/// Takes an entry into what the chain says of copies.
pub(super) fn note(holdings: &mut Holdings, entry: &Entry) -> Result<()> {
    let wrong = || {
        Error::new(Code::ChainAltered, "an entry misses its fields").at(format!("chain/entries, entry {}", entry.seq))
    };
    match entry.kind {
        Kind::Genesis => {
            let first = entry.object.get("vaults").and_then(|vaults| vaults[0]["id"].as_str());
            *holdings = Holdings::new(first);
        }
        Kind::Package => {
            let number = entry.object.get("number").and_then(serde_json::Value::as_u64).ok_or_else(wrong)?;
            let series = entry.object.get("series").and_then(serde_json::Value::as_str).ok_or_else(wrong)?.parse()?;
            holdings.sealed(entry.seq, &PackageRef { series, number }, &entry.object);
        }
        Kind::Renewal => {
            let renewal: Renewal = serde_json::from_value(entry.object.clone().into()).map_err(|_| wrong())?;
            holdings.renewed(entry.seq, &renewal);
        }
        Kind::Repair => holdings.repaired(entry.seq, &entry.object),
        _ => {}
    }
    Ok(())
}
