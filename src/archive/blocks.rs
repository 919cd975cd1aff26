//! Refusals as people meet them: read back, chained in batches, unblocked with a reason.

use serde_json::{Value, json};

use super::Archive;
use super::access::{Action, Actor};
use super::init::object;
use crate::chain::Kind;
use crate::error::{Code, Error, Result};
use crate::id::RefusalId;
use crate::intake::refusal::view;

impl Archive {
    /// A refusal: the negative outcome with all its controls.
    pub fn refusal(&self, actor: &Actor, id: RefusalId) -> Result<Value> {
        let missing = || Error::new(Code::NotFound, "no such refusal").at(id);
        let refusal = self.refusals.get(id)?.ok_or_else(missing)?;
        let class = refusal.refused.class.as_ref().map(|(class, _)| class);
        if actor.may(Action::ReadReceipts, class).is_err() {
            actor.may(Action::ReadOwnReceipts, class)?;
            if refusal.refused.producer != actor.producer() {
                // Not even that it exists is somebody else's business.
                return Err(missing());
            }
        }
        Ok(view(&refusal))
    }

    /// The objects refused so often that they are blocked.
    pub fn blocks(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::ReadReceipts)?;
        let blocked: Vec<Value> = self
            .refusals
            .blocked()
            .into_iter()
            .map(|refusal| json!({ "refusal": refusal, "location": format!("/v1/refusals/{refusal}") }))
            .collect();
        Ok(json!({ "blocked": blocked }))
    }

    /// Lets an object be tried again; a manager's act, with a reason.
    pub fn unblock(&self, actor: &Actor, refusal: RefusalId, reason: &str) -> Result<Value> {
        let missing = || Error::new(Code::NotFound, "no such refusal").at(refusal);
        let known = self.refusals.get(refusal)?.ok_or_else(missing)?;
        actor.may(Action::Unblock, known.refused.class.as_ref().map(|(class, _)| class))?;
        let by = actor.as_person()?;
        self.refusals.unblock(refusal, by, reason, self.clock.now())?;
        self.chain_refusals()?;
        Ok(json!({ "refusal": refusal, "unblocked": true }))
    }

    /// Puts on the chain how far the log of refusals goes, when it went on.
    pub(super) fn chain_refusals(&self) -> Result<()> {
        let mut chained = super::state::unpoisoned(self.chained_refusals.lock());
        let head = self.refusals.head();
        if *chained == Some(head) || head.lines == 0 {
            return Ok(());
        }
        self.ledger.append(Kind::Refusals, object(json!({ "lines": head.lines, "sha256": head.sha256 })))?;
        *chained = Some(head);
        Ok(())
    }
}
