//! Copies that were not checked in time, that will not be at the speed measured here, or that were bad the last time.
//!
//! Invariant: one line a vault and a kind, however many copies it is about; what will be late is said weeks before, from the
//! bytes a second of past checks and what a night may take. Linee guida AgID 4.5 f (integrity and legibility verified at
//! intervals of at most five years).

use jiff::{SignedDuration, Timestamp};

use super::Alarm;
use crate::archive::Archive;
use crate::archive::state::unpoisoned;
use crate::check::coverage::{DOCUMENTS, Standing};
use crate::check::{Budget, Mode, Outcome};
use crate::clock::iso_ms;
use crate::error::{Code, Result, Severity};
use crate::units::Lapse;

/// How long before its end a term is an alarm when nobody has looked by then: three weeks, and less where terms are short.
const NEAR: SignedDuration = SignedDuration::from_hours(21 * 24);

/// A mode with its deadline, and what a night may take for it.
struct Term<'a> {
    mode: Mode,
    every: Lapse,
    budget: &'a Budget,
}

impl Archive {
    fn deadlines(&self) -> [Term<'_>; 2] {
        let (check, legibility) = (&self.config.check, &self.config.legibility);
        [
            Term { mode: Mode::Full, every: check.every, budget: &check.budget },
            Term { mode: Mode::Legibility, every: legibility.every, budget: &legibility.budget },
        ]
    }

    pub(super) fn coverage_alarms(&self, now: Timestamp) -> Result<Vec<Alarm>> {
        let mut alarms = Vec::new();
        if let Some(ahead) = self.coverage(now)?.ahead() {
            alarms.push(Alarm {
                code: Code::CheckAhead,
                severity: Severity::Error,
                place: "records/coverage.jsonl".to_owned(),
                since: now,
                detail: iso_ms(ahead),
            });
        }
        for term in self.deadlines() {
            let standing = self.standing(term.mode, term.every, now)?;
            self.overdue(&term, &standing, now, &mut alarms);
            self.will_be_late(&term, &standing, now, &mut alarms)?;
        }
        Ok(alarms)
    }

    fn overdue(&self, term: &Term<'_>, standing: &Standing, now: Timestamp, alarms: &mut Vec<Alarm>) {
        let mode = term.mode.as_str();
        for (vault, age) in &standing.ages {
            let mut alarm = |code, severity, since, detail| {
                let place = match vault.as_str() {
                    DOCUMENTS => mode.to_owned(),
                    vault => format!("{mode}, vault {vault}"),
                };
                alarms.push(Alarm { code, severity, place, since, detail });
            };
            if age.overdue > 0 {
                let since = age.oldest.saturating_add(standing.every).unwrap_or(now);
                let detail = format!(
                    "{} of {} copies; {} waits since {}",
                    age.overdue,
                    age.copies,
                    age.package,
                    iso_ms(age.oldest)
                );
                alarm(Code::CheckOverdue, Severity::Error, since, detail);
            }
            if age.bad > 0 {
                // A document that is not legible was so, mostly, when it was deposited: nobody here can mend it.
                let (code, severity) = match term.mode {
                    Mode::Legibility => (Code::LegibleDamaged, Severity::Warning),
                    _ => (Code::CheckStillBad, Severity::Error),
                };
                alarm(code, severity, age.oldest, format!("{} packages", age.bad));
            }
        }
    }

    /// What will be late: because nights do not get through, or because there are none.
    fn will_be_late(
        &self,
        term: &Term<'_>,
        standing: &Standing,
        now: Timestamp,
        alarms: &mut Vec<Alarm>,
    ) -> Result<()> {
        let mut late = |since, detail| {
            let place = term.mode.as_str().to_owned();
            alarms.push(Alarm { code: Code::CheckLate, severity: Severity::Warning, place, since, detail });
        };
        let a_night = match term.budget {
            Budget::Bytes(bytes) => Some(bytes.0),
            Budget::Time(time) => {
                let speed = self.coverage(now)?.speed(term.mode);
                speed.map(|speed| speed.saturating_mul(time.as_ms() / 1000).max(speed))
            }
        };
        if let Some((a_night, day)) = a_night.and_then(|a_night| Some((a_night, standing.will_miss(a_night)?))) {
            let detail = format!("the first in {day} days: a night reads {a_night} bytes within {}", term.budget);
            late(now, detail);
            return Ok(());
        }
        let near = NEAR.min(SignedDuration::from_secs(standing.every.as_secs() / 4));
        let Some(next) = standing.next().filter(|next| *next > now && next.duration_since(now) < near) else {
            return Ok(());
        };
        late(next.saturating_sub(near).unwrap_or(now), format!("the first at {}, and no check came by", iso_ms(next)));
        Ok(())
    }

    /// Sets the gauges of checks: the age of the oldest by mode and vault, what is overdue, what came of the last one.
    pub(in crate::archive) fn gauge_coverage(&self) {
        let now = self.clock.now();
        for (mode, (at, outcome)) in &unpoisoned(self.checks.lock()).last {
            let outcome = match outcome {
                Outcome::Good => 0.0,
                Outcome::Unchecked => 1.0,
                Outcome::Bad => 2.0,
            };
            metrics::gauge!("custode_check_last_outcome", "mode" => mode.as_str()).set(outcome);
            metrics::gauge!("custode_check_last_start_seconds", "mode" => mode.as_str()).set(at.as_second() as f64);
        }
        for term in self.deadlines() {
            let Ok(standing) = self.standing(term.mode, term.every, now) else { continue };
            for (vault, age) in standing.ages {
                let labels = [("mode", term.mode.as_str().to_owned()), ("vault", vault)];
                metrics::gauge!("custode_check_oldest_age_seconds", &labels)
                    .set(now.duration_since(age.oldest).as_secs_f64());
                metrics::gauge!("custode_check_overdue_copies", &labels).set(age.overdue as f64);
            }
        }
    }
}
