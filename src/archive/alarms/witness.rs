//! Witnesses that have not seen what was sealed, and what they have seen that is not here.
//!
//! Invariant: an alarm goes when the cosignature is there. A witness that is not required has an hour before it is an alarm.

use jiff::{SignedDuration, Timestamp};

use super::Alarm;
use crate::archive::Archive;
use crate::chain::Forgotten;
use crate::error::{Code, Result, Severity};

/// How long it is told that a witness forgot: it happened, and nothing that the archive does undoes it.
const TOLD: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How long a witness that is not required may be behind: a restart, a short outage.
const PATIENCE: SignedDuration = SignedDuration::from_hours(1);

impl Archive {
    pub(super) fn witness_alarms(&self, now: Timestamp) -> Result<Vec<Alarm>> {
        let mut alarms = Vec::new();
        if let Some(held) = self.witnesses.held() {
            let error = held.error();
            let (place, detail) = (error.place, error.detail);
            alarms.push(Alarm { code: held.code, severity: Severity::Error, place, since: now, detail });
        }
        for stranger in self.witnesses.strangers() {
            let (place, detail) = (stranger.place, stranger.message);
            alarms.push(Alarm { code: stranger.code, severity: Severity::Error, place, since: now, detail });
        }
        for key in self.witnesses.keys() {
            let told = |forgot: &Forgotten| now.duration_since(forgot.at) < TOLD;
            if let Some(forgot) = self.ledger.forgotten(&key).filter(told) {
                alarms.push(Alarm {
                    code: Code::WitnessForgot,
                    severity: Severity::Error,
                    place: format!("witness {}", key.name()),
                    since: forgot.at,
                    detail: format!("it had cosigned {} entries and knew of {}", forgot.cosigned, forgot.named),
                });
            }
        }
        for late in self.late_witnesses()? {
            if !late.required && now.duration_since(late.since) < PATIENCE {
                continue;
            }
            let required = if late.required { "required; " } else { "" };
            let why = late.why.map(|why| format!(": {why}")).unwrap_or_default();
            alarms.push(Alarm {
                code: Code::WitnessMissing,
                severity: if late.required { Severity::Error } else { Severity::Warning },
                place: format!("witness {}", late.witness),
                since: late.since,
                detail: format!("{required}it has seen {} of {} entries{why}", late.seen.0, late.seen.1),
            });
        }
        Ok(alarms)
    }
}
