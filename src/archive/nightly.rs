//! `custode nightly`: seal what is due, renew evidence that is about to age, check everything, keep the report. For cron and the systemd timer.

use serde_json::{Value, json};

use super::Archive;
use super::access::{Action, Actor};
use super::alarms::Alarm;
use super::inspect::CheckRequest;
use crate::error::{Code, Kind, Result};
use crate::evidence::sign::is_waiting;
use crate::id::CheckId;

impl Archive {
    /// What must happen every night.
    pub fn nightly(&self, actor: &Actor) -> Result<Value> {
        let (seal, renewal) = self.night_work(actor)?;
        self.finish_repairs_nightly();
        // Before the check, which then finds them all.
        let copies = self.catch_up_copies((None, None)).to_json();
        let id = CheckId::new(self.clock.now());
        let check = self.check(actor, id, &CheckRequest::default(), &|_, _| {})?;
        let repair = self.repair_nightly()?;
        self.walk_conversations(self.clock.now())?;
        let alarms: Vec<Value> = self.alarms(actor)?.iter().map(Alarm::to_json).collect();
        let errors = alarms.iter().filter(|alarm| alarm["severity"] == "error").count();
        let alarms = json!({ "total": alarms.len(), "errors": errors, "alarms": alarms });
        Ok(
            json!({ "seal": seal, "renewal": renewal, "copies": copies, "check": check, "repair": repair, "alarms": alarms }),
        )
    }

    /// The night's work without its check: what was sealed, and what was renewed. Reports as in [`Archive::nightly`]; for whoever
    /// checks at another time.
    pub fn night_work(&self, actor: &Actor) -> Result<(Value, Value)> {
        self.may(actor, Action::Check)?;
        self.tidy_revocation()?;
        self.gather_revocation();
        let sealed = match self.close_packages(None, false) {
            Ok(report) => json!({ "sealed": report.sealed, "findings": report.findings }),
            // A night without an authority, or without the signer, is not a night without a check.
            Err(error)
                if matches!(
                    error.code,
                    Code::CopiesTooFew | Code::TsaDown | Code::ArchiveRestored | Code::ArchiveForked
                ) || is_waiting(error.code) =>
            {
                json!({
                    "sealed": [], "findings": [{ "code": error.code, "place": error.place, "message": error.detail }],
                })
            }
            Err(error) => return Err(error),
        };
        let renewal = match self.renew_nightly() {
            Ok(report) => report.to_json(),
            // As above; what is late is an alarm.
            Err(error) => json!({
                "runs": [], "left": 0,
                "findings": [{
                    "code": error.code, "place": error.place,
                    "severity": if error.code.kind() == Kind::Unavailable { "warning" } else { "error" },
                    "message": format!("{}: {}", error.code.text(crate::error::Lang::En), error.detail),
                }],
            }),
        };
        if self.witnesses.held().is_none() {
            self.chain_refusals()?;
            self.ledger.chain_accesses()?;
            self.stamp_when_due(true);
            self.ask_witnesses();
        }
        Ok((sealed, renewal))
    }
}
