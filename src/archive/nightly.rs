//! `custode nightly`: seal what is due, check everything, keep the report. For cron and the systemd timer.

use serde_json::{Value, json};

use super::Archive;
use super::access::{Action, Actor};
use super::alarms::Alarm;
use super::inspect::CheckRequest;
use crate::error::{Code, Result};
use crate::evidence::sign::is_waiting;
use crate::id::CheckId;

impl Archive {
    /// What must happen every night.
    pub fn nightly(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::Check)?;
        self.tidy_revocation()?;
        self.gather_revocation();
        let sealed = match self.close_packages(None, false) {
            Ok(report) => json!({ "sealed": report.sealed, "findings": report.findings }),
            // A night without an authority, or without the signer, is not a night without a check.
            Err(error)
                if matches!(error.code, Code::TsaDown | Code::ArchiveRestored | Code::ChainForked)
                    || is_waiting(error.code) =>
            {
                json!({
                    "sealed": [], "findings": [{ "code": error.code, "place": error.place, "message": error.detail }],
                })
            }
            Err(error) => return Err(error),
        };
        if self.witnesses.held().is_none() {
            self.chain_refusals()?;
            self.ledger.chain_accesses()?;
            self.stamp_when_due(true);
            self.ask_witnesses();
        }
        let id = CheckId::new(self.clock.now());
        let check = self.check(actor, id, &CheckRequest::default(), &|_, _| {})?;
        self.walk_conversations(self.clock.now())?;
        let alarms: Vec<Value> = self.alarms(actor)?.iter().map(Alarm::to_json).collect();
        let errors = alarms.iter().filter(|alarm| alarm["severity"] == "error").count();
        let alarms = json!({ "total": alarms.len(), "errors": errors, "alarms": alarms });
        Ok(json!({ "seal": sealed, "check": check, "alarms": alarms }))
    }
}
