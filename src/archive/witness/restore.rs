//! `custode restore declare`: somebody says that what was witnessed beyond this copy is lost.
//!
//! Invariant: the entry names what was witnessed and what was found, so that whoever holds the lost part can always show it; it
//! is the only entry that an older state takes. Two histories of one size are never declared away. The reason is personal
//! matter: it stands in the record's erasable part.

use serde_json::{Value, json};

use super::{gravest, worst};
use crate::archive::Archive;
use crate::archive::access::{Action, Actor};
use crate::archive::init::object;
use crate::chain::{Claim, Kind, NewRecord, Restored, Tip};
use crate::error::{Code, Error, Result};

/// Longest reason kept.
const LONGEST_REASON: usize = 2000;

impl Archive {
    /// Declares that this older state is the archive from now on. [`Code::RestoreNothing`] when nothing witnessed is missing,
    /// [`Code::ChainForked`] when there are two histories.
    pub fn declare_restoration(&self, actor: &Actor, reason: &str) -> Result<Value> {
        self.declare_restoration_against(actor, reason, &[])
    }

    /// As [`Archive::declare_restoration`], with what others kept beside what the witnesses saw.
    pub(in crate::archive) fn declare_restoration_against(
        &self,
        actor: &Actor,
        reason: &str,
        claims: &[Claim],
    ) -> Result<Value> {
        self.may(actor, Action::DeclareRestoration)?;
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
            return Err(Error::new(Code::ReasonNeeded, format!("1 to {LONGEST_REASON} characters")).at("reason"));
        }
        let witnessed = self.witnesses.look_again(&self.ledger);
        let held = gravest(witnessed.into_iter().chain(worst(&self.ledger, claims.to_vec())));
        let held = held.ok_or_else(|| Error::new(Code::RestoreNothing, ""))?;
        if held.code != Code::ArchiveRestored {
            // Nobody can declare which of two histories is the one.
            return Err(Error::new(Code::ChainForked, held.error().detail).at(&held.claim.place));
        }
        let head = self.ledger.head();
        let restored = Restored {
            witnessed: Tip { size: held.claim.size, root: held.claim.root },
            found: Tip { size: head.size, root: head.root },
        };
        let facts = serde_json::to_value(restored).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        let mut fields = object(facts.clone());
        fields.insert("by".into(), json!(actor.who));
        let personal = Some(object(json!({ "reason": reason, "seen": held.claim.place })));
        let record = NewRecord { kind: "restorations".to_owned(), fields, personal };
        let record = self.ledger.append_with_record(Kind::Restore, object(facts), record)?;
        // Whoever else has seen more than this is heard before the archive goes on.
        let still = self.witnesses.look_again(&self.ledger);
        tracing::warn!(witnessed = held.claim.size, found = head.size, "a restoration was declared");
        Ok(json!({
            "record": record.id, "entry": record.seq, "witnessed": restored.witnessed, "found": restored.found,
            "appends": still.is_none(),
        }))
    }
}
