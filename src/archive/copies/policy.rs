//! How many copies there are, where, and whether that is enough for this archive.
//!
//! Invariant: a production archive neither serves nor seals with fewer than two vaults at two sites, unless its manager recorded
//! a derogation that is in force; fewer than three copies or two sites are said in any case. The rules name no number: three
//! copies at two sites are good practice (ISO/IEC 27001), which the manual of conservation has to justify (Linee guida AgID 4.8).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::derogation;
use crate::archive::Archive;
use crate::archive::config::Profile;
use crate::error::{Code, Error, Result};

/// What a production archive must have.
const REQUIRED: (usize, usize) = (2, 2);
/// What any archive had better have.
const ADVISED: (usize, usize) = (3, 2);

impl Archive {
    /// How many vaults the chain knows, and at how many sites they are. Those whose site nobody said count as one.
    pub(in crate::archive) fn copies_and_sites(&self) -> (usize, usize) {
        let bound = || self.copies.kept.iter().filter(|kept| kept.bound);
        let sites: BTreeSet<String> =
            bound().map(|kept| kept.site.as_deref().unwrap_or_default().trim().to_lowercase()).collect();
        (bound().count(), sites.len())
    }

    /// Whether this archive may serve and seal with the copies it makes.
    pub fn copies_are_allowed(&self) -> Result<()> {
        if self.profile != Profile::Production || !less(self.copies_and_sites(), REQUIRED) {
            return Ok(());
        }
        if derogation::in_force(&self.ledger, self.clock.now())?.is_some() {
            return Ok(());
        }
        let (copies, sites) = self.copies_and_sites();
        Err(Error::new(Code::CopiesTooFew, format!("{copies} vaults at {sites} sites")).at("custode.toml vault"))
    }

    /// Whether there are fewer copies or sites than advised, in words. A trial with a single vault is as it should be.
    pub(in crate::archive) fn copies_are_few(&self) -> Option<String> {
        let found = self.copies_and_sites();
        if !less(found, ADVISED) || self.profile == Profile::Trial && self.copies.kept.len() == 1 {
            return None;
        }
        Some(format!("{} vaults at {} sites", found.0, found.1))
    }

    /// Until when a derogation of the manager holds; none without one.
    pub(in crate::archive) fn derogation_until(&self, now: Timestamp) -> Result<Option<jiff::civil::Date>> {
        derogation::in_force(&self.ledger, now)
    }
}

fn less(found: (usize, usize), wanted: (usize, usize)) -> bool {
    found.0 < wanted.0 || found.1 < wanted.1
}
