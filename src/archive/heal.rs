//! Going on after an error that closed the chain: a disk that was full or failed for a while.
//!
//! Invariant: the chain is read and verified again before anything is appended to it, and what an interrupted append made
//! true is in force before the next use-case sees it. Nobody has to restart a server because a disk was full.

use super::Archive;
use super::access::Access;
use super::adoption;
use super::open::Adopted;
use super::state::unpoisoned;
use crate::document::class::Classes;
use crate::error::Result;
use crate::id::Sequence;
use crate::retention::Policies;

impl Archive {
    /// Opens the chain again when an error closed it. Fails as long as the cause lasts.
    pub(super) fn heal(&self) -> Result<()> {
        if !self.ledger.is_closed() {
            return Ok(());
        }
        for finding in self.ledger.reopen()? {
            tracing::warn!(code = finding.code.as_str(), place = %finding.place, "{}", finding.message);
        }
        self.settle_keys()?;
        let adopted = Adopted::of(&self.ledger)?;
        adoption::settle(&self.layout, &adopted)?;
        *unpoisoned(self.classes.write()) = Classes::load(&self.layout.schemas())?;
        *unpoisoned(self.policies.write()) = Policies::load(&self.layout.policies())?;
        *unpoisoned(self.access.write()) = Access::load(&self.ledger)?.0;
        *unpoisoned(self.chained_refusals.lock()) = adopted.refusals;
        // What was sealed since counts as well, and is found out again by the next package.
        *unpoisoned(self.chained_numbers.lock()) = Sequence(adopted.issued);
        self.renewals.replace(adopted.renewals);
        self.copies.replace(adopted.holdings);
        *unpoisoned(self.checks.lock()) = adopted.checks;
        self.reload_coverage()?;
        tracing::warn!("the chain is open again after an error");
        Ok(())
    }
}
