//! How far the numbers of the lane went, on the chain: until a document is sealed, nothing else there says that it was accepted.
//!
//! Invariant (I1): once an entry `intake` names a number, a journal that lost it (an older copy put back, a tail that a disk
//! forgot) is found out, and the number is never given again. Written with the other batches (refusals, accesses), so that
//! intake never waits for it.

use serde_json::json;

use super::Archive;
use super::init::object;
use super::open::LANE;
use super::state::unpoisoned;
use crate::chain::Kind;
use crate::error::Result;

impl Archive {
    /// Puts on the chain how far the numbers went, when nothing there says so yet.
    pub(super) fn chain_numbers(&self) -> Result<()> {
        let mut chained = unpoisoned(self.chained_numbers.lock());
        let issued = self.journal.issued();
        if issued <= *chained {
            return Ok(());
        }
        self.ledger.append(Kind::Intake, object(json!({ "lane": LANE, "issued": issued })))?;
        *chained = issued;
        Ok(())
    }
}
