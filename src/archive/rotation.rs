//! Changing the key that the archive signs with, by plan or because somebody else may have it.
//!
//! Invariant: at every moment exactly one key is in force, and the chain says which; the next key is durable before the chain
//! names it, and the old seed goes only after. What was signed in a key's reign stays valid ([`crate::chain::reign`]). Nothing on the
//! chain says who asked for it. Clause: ETSI TS 119 312 (keys do not live for ever); AgID guidelines, traceability of operations.

use serde_json::{Value, json};

use super::Archive;
use super::access::{Action, Actor};
use super::state::unpoisoned;
use crate::chain::reign::{Change, Reason};
use crate::clock::iso_ms;
use crate::error::{Code, Error, Result};

impl Archive {
    /// Makes a new key and puts it in force; the facts of the change. Deposits go on meanwhile: each receipt is under the key that
    /// was in force at the size of the chain it names. What a stop leaves half done is finished at the next opening.
    pub fn rotate_key(&self, actor: &Actor, reason: Reason) -> Result<Value> {
        self.may(actor, Action::ChangeKey)?;
        self.heal()?;
        // Asked before a key is made, not only before the entry.
        self.witnesses.may_take(&self.ledger)?;
        let removed = {
            let keys = unpoisoned(self.keys.lock());
            // Closed meanwhile: a change may be half done, and its key must not be written over.
            if self.ledger.is_closed() {
                return Err(Error::new(Code::ChainClosed, "an error closed it"));
            }
            let next = keys.prepare(&self.origin)?;
            self.ledger.change_key(&next, reason)?;
            keys.settle(&next)
        };
        if let Err(error) = &removed {
            tracing::error!(
                code = error.code.as_str(),
                "the old key's seed is still there, until the next start: {error}"
            );
        }
        let keys = self.ledger.keys();
        let change = keys.changes().last().ok_or_else(|| Error::new(Code::Internal, "a change was just made"))?;
        tracing::warn!(entry = change.seq, %reason, key = %change.new.id(), "the archive's key was changed");
        // At once, while the checkpoint bears both signatures: a witness that knows only the old key takes it.
        self.ask_witnesses();
        let mut facts = facts(change);
        facts["entry"] = change.seq.into();
        facts["old_seed_removed"] = removed.is_ok().into();
        facts["unsealed"] = self.journal.load().documents.into();
        Ok(facts)
    }

    /// Every key that the archive has had, oldest first, with its reign in sizes of the chain.
    pub fn keys(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::ReadChain)?;
        let keys = self.ledger.keys();
        let list: Vec<Value> = std::iter::once(None)
            .chain(keys.changes().iter().map(Some))
            .zip(keys.keys())
            .map(|(change, key)| {
                let since = change.map_or(0, |change| change.seq + 1);
                let ended = keys.ended(since);
                json!({
                    "id": key.id(), "vkey": key.to_string(), "in_force": ended.is_none(),
                    "from_size": since, "from": change.map(|change| iso_ms(change.at)),
                    "to_size": ended.map(|change| change.seq), "to": ended.map(|change| iso_ms(change.at)),
                    "ended_because": ended.map(|change| change.reason),
                })
            })
            .collect();
        Ok(json!({ "archive": keys.name(), "keys": list }))
    }

    /// Finishes a change of key that an error or a stop interrupted.
    pub(super) fn settle_keys(&self) -> Result<()> {
        let keys = unpoisoned(self.keys.lock());
        keys.settle(&self.ledger.signer())
    }
}

fn facts(change: &Change) -> Value {
    json!({
        "number": change.number, "at": iso_ms(change.at), "reason": change.reason,
        "old": change.old.to_string(), "new": change.new.to_string(),
    })
}
