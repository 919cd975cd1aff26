//! PEC conversations that lack a receipt past its time: the completeness alarm (`reference/pec` section 8: 12 and 24 hours).
//!
//! Invariant: an alarm names the document that the conversation is seen from and how many outcomes it lacks; who the
//! recipients are is for whoever may read that document.

use jiff::Timestamp;

use super::Alarm;
use crate::archive::Archive;
use crate::error::{Code, Result, Severity};

impl Archive {
    pub(super) fn conversation_alarms(&self, now: Timestamp) -> Result<Vec<Alarm>> {
        let found = self.incomplete_conversations(now)?;
        let mut alarms: Vec<Alarm> = found
            .incomplete
            .iter()
            .map(|one| {
                let mut lacks = Vec::new();
                if one.acceptance {
                    lacks.push("the acceptance".to_owned());
                }
                if one.outcomes > 0 {
                    lacks.push(format!("outcomes of {} recipients", one.outcomes));
                }
                if one.in_part {
                    lacks.push("looked at in part, it is too large".to_owned());
                }
                // What a provider owes is asked for; nothing that the archive holds is in danger.
                Alarm {
                    code: Code::ConversationIncomplete,
                    severity: Severity::Warning,
                    place: format!("document {}", one.document),
                    since: one.since,
                    detail: lacks.join(", "),
                }
            })
            .collect();
        if found.more > 0 {
            alarms.push(Alarm {
                code: Code::ConversationIncomplete,
                severity: Severity::Warning,
                place: "conversations".to_owned(),
                since: found.incomplete.last().map_or(now, |one| one.since),
                detail: format!("{} more that are not listed", found.more),
            });
        }
        Ok(alarms)
    }
}
