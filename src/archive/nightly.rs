//! `custode nightly`: seal what is due, renew evidence that is about to age, check everything, keep the report. For cron and the systemd timer.

use serde_json::{Value, json};

use super::Archive;
use super::access::{Action, Actor};
use super::alarms::Alarm;
use super::inspect::CheckRequest;
use crate::check::{Budget, Mode};
use crate::error::{Code, Kind, Result};
use crate::evidence::sign::is_waiting;
use crate::id::CheckId;
use crate::units::Lapse;

impl Archive {
    /// What must happen every night; how it went is told to whoever is named in `[alarms]`.
    pub fn nightly(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::Check)?;
        let night = self.night(actor);
        self.tell_of_night(&night);
        night
    }

    fn night(&self, actor: &Actor) -> Result<Value> {
        let (seal, renewal) = self.night_work(actor)?;
        self.finish_repairs_nightly();
        // Before the check, which then finds them all.
        let copies = self.catch_up_copies((None, None)).to_json();
        let check = self.check_nightly(Mode::Full, &self.config.check.budget)?;
        let quick = self.quick_nightly()?;
        let legibility = self.legibility_nightly()?;
        let repair = self.repair_nightly()?;
        self.walk_conversations(self.clock.now())?;
        let alarms: Vec<Value> = self.alarms(actor)?.iter().map(Alarm::to_json).collect();
        let errors = alarms.iter().filter(|alarm| alarm["severity"] == "error").count();
        let alarms = json!({ "total": alarms.len(), "errors": errors, "alarms": alarms });
        Ok(json!({
            "seal": seal, "renewal": renewal, "copies": copies, "check": check, "quick": quick, "legibility": legibility, "repair": repair,
            "alarms": alarms,
        }))
    }

    /// Checks within a budget, what has waited longest first; after another check, when one is running.
    fn check_nightly(&self, mode: Mode, budget: &Budget) -> Result<Value> {
        let mode = Some(mode.as_str().to_owned());
        let request = CheckRequest { mode, budget: Some(budget.to_string()), ..CheckRequest::default() };
        let turn = self.checking.wait(CheckId::new(self.clock.now()));
        self.checked(&turn, &request, &|_, _| {})
    }

    /// A quick look at what no check has read for long, in an archive that a full one does not get through in a night; none
    /// when there is nothing of the kind.
    fn quick_nightly(&self) -> Result<Option<Value>> {
        self.due_nightly(Mode::Quick, self.config.check.quick_every, &self.config.check.quick_budget)
    }

    /// Documents are decoded in the second half of their term: every document twice in it when all goes well.
    fn legibility_nightly(&self) -> Result<Option<Value>> {
        let half = Lapse::from_ms(self.config.legibility.every.as_ms() / 2);
        self.due_nightly(Mode::Legibility, half, &self.config.legibility.budget)
    }

    /// What was not looked at for so long; none when there is no such thing.
    fn due_nightly(&self, mode: Mode, age: Lapse, budget: &Budget) -> Result<Option<Value>> {
        if self.standing(mode, age, self.clock.now())?.overdue() == 0 {
            return Ok(None);
        }
        let request = CheckRequest {
            mode: Some(mode.as_str().to_owned()),
            older_than: Some(age.to_string()),
            budget: Some(budget.to_string()),
            ..CheckRequest::default()
        };
        let turn = self.checking.wait(CheckId::new(self.clock.now()));
        self.checked(&turn, &request, &|_, _| {}).map(Some)
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
            self.chain_numbers()?;
            self.chain_refusals()?;
            self.ledger.chain_accesses()?;
            self.stamp_when_due(true);
            self.ask_witnesses();
        }
        Ok((sealed, renewal))
    }
}
