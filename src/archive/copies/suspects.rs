//! Copies that were found bad and not put right yet: what the alarm names.
//!
//! Invariant: noted when a read passes a copy over or a check names it, taken out when it was repaired or a later check found
//! it good. In memory: the nightly check finds them again, and the chain keeps its verdict.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::Timestamp;

use crate::archive::state::unpoisoned;
use crate::error::{Code, Error};
use crate::id::PackageRef;

/// Remembered at most: an archive with more bad copies has been heard.
const MOST: usize = 10_000;

/// What was seen of a bad copy.
#[derive(Debug, Clone)]
pub(in crate::archive) struct Suspect {
    pub since: Timestamp,
    pub code: Code,
    pub detail: String,
}

/// Bad copies, by vault and package.
#[derive(Default)]
pub(in crate::archive) struct Suspects(Mutex<BTreeMap<(PackageRef, String), Suspect>>);

impl Suspects {
    /// A copy is bad.
    pub fn note(&self, package: &PackageRef, vault: &str, error: &Error, now: Timestamp) {
        let mut all = unpoisoned(self.0.lock());
        let key = (package.clone(), vault.to_owned());
        if all.len() < MOST && !all.contains_key(&key) {
            tracing::error!(code = error.code.as_str(), %package, vault, place = %error.place, "a copy is bad: {}", error.detail);
            metrics::counter!("custode_copies_bad_total", "vault" => vault.to_owned()).increment(1);
            let detail = if error.place.is_empty() {
                error.detail.clone()
            } else {
                format!("{}: {}", error.place, error.detail)
            };
            all.insert(key, Suspect { since: now, code: error.code, detail });
        }
    }

    /// It is good, or good again.
    pub fn clear(&self, package: &PackageRef, vault: &str) {
        unpoisoned(self.0.lock()).remove(&(package.clone(), vault.to_owned()));
    }

    /// Whether a copy is known to be bad.
    pub fn holds(&self, package: &PackageRef, vault: &str) -> bool {
        unpoisoned(self.0.lock()).contains_key(&(package.clone(), vault.to_owned()))
    }

    /// All of them.
    pub fn all(&self) -> Vec<(PackageRef, String, Suspect)> {
        let all = unpoisoned(self.0.lock());
        all.iter().map(|((package, vault), seen)| (package.clone(), vault.clone(), seen.clone())).collect()
    }
}
