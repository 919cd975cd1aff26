//! Telling people of alarms: who is told, what, and when again.
//!
//! Invariants: what begins, gets worse or ends is told once to everybody who is named in `[alarms]`, across restarts, in order, and
//! late rather than never; telling waits for nobody who deposits, and nobody who deposits waits for it. A notice holds codes, places
//! and instants, as alarms do: nothing personal and no secret. Linee guida AgID 4.5 (monitoring).

mod mail;
mod notice;
mod state;
mod webhook;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Archive;
use super::access::{Action, Actor};
use super::alarms::Alarm;
use super::config::Config;
use super::layout::Layout;
use super::state::unpoisoned;
use crate::durable;
use crate::error::{Code, Error, Result, Severity};
use notice::Notice;
use state::{Night, State, What};

/// The longest that a target which does not take notices is left alone.
const REST: SignedDuration = SignedDuration::from_hours(1);

/// Somebody who is told, in the outside world.
///
/// Nothing is tried again inside: the next turn does. Time is bounded by the implementation, whatever the other side does.
trait Target: Send + Sync {
    /// What it is called in answers, logs and alarms: without credentials, and without what an address may hold of them.
    fn name(&self) -> &str;

    /// Tells it. [`Code::NoticeFailed`] when it did not take the notice, and why.
    fn tell(&self, notice: &Notice<'_>) -> Result<()>;
}

/// Why a target does not take notices, since when, and when it is tried again.
#[derive(Debug, Clone)]
pub(super) struct Failing {
    pub target: String,
    pub since: Timestamp,
    pub detail: String,
    times: u32,
    next: Timestamp,
}

/// Everybody who is told, and what they know.
pub(super) struct Notices {
    targets: Vec<Box<dyn Target>>,
    path: PathBuf,
    state: Mutex<State>,
    /// One round of telling at a time.
    telling: Mutex<()>,
    failing: Mutex<BTreeMap<String, Failing>>,
}

impl Notices {
    /// From the configuration, with what was told before. Nobody is reached yet.
    pub fn open(config: &Config, layout: &Layout) -> Self {
        let mut targets: Vec<Box<dyn Target>> = Vec::new();
        for (n, settings) in config.notices.webhooks.iter().enumerate() {
            targets.push(Box::new(webhook::Webhook::new(n + 1, settings)));
        }
        for (n, settings) in config.notices.mails.iter().enumerate() {
            targets.push(Box::new(mail::Mail::new(n + 1, settings)));
        }
        let path = layout.notices().join("state.json");
        let mut state = if targets.is_empty() { State::default() } else { State::read(&path) };
        state.know(targets.iter().map(|target| target.name()));
        Self { targets, path, state: Mutex::new(state), telling: Mutex::default(), failing: Mutex::default() }
    }

    /// Whether nobody is told.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Who does not take notices now.
    pub fn failing(&self) -> Vec<Failing> {
        unpoisoned(self.failing.lock()).values().cloned().collect()
    }

    /// Events that somebody was not told of yet.
    pub fn waiting(&self) -> usize {
        unpoisoned(self.state.lock()).waiting()
    }

    /// Changes what is known; durable on return when it changed.
    fn change(&self, change: impl FnOnce(&mut State) -> bool) -> Result<()> {
        let mut state = unpoisoned(self.state.lock());
        if !change(&mut state) {
            return Ok(());
        }
        durable::create_dir_all(self.path.parent().unwrap_or(Path::new(".")))?;
        durable::replace(&self.path, &state.to_bytes()?, durable::MODE_SECRET)
    }

    fn failed(&self, name: &str, error: &Error, now: Timestamp, every: SignedDuration) {
        metrics::counter!("custode_notices_failed_total").increment(1);
        tracing::warn!(told = name, code = error.code.as_str(), "not told: {}", error.detail);
        let mut failing = unpoisoned(self.failing.lock());
        let known = failing.remove(name);
        let times = known.as_ref().map_or(0, |known| known.times).saturating_add(1);
        let rest = (every * 2_i32.pow(times.min(7) - 1)).min(REST);
        let failure = Failing {
            target: name.to_owned(),
            since: known.map_or(now, |known| known.since),
            detail: error.detail.clone(),
            times,
            next: now.saturating_add(rest).unwrap_or(now),
        };
        failing.insert(name.to_owned(), failure);
    }

    fn may_try(&self, name: &str, now: Timestamp) -> bool {
        unpoisoned(self.failing.lock()).get(name).is_none_or(|failing| failing.next <= now)
    }
}

impl Archive {
    /// Works alarms out and tells whoever does not know. What cannot be told waits; never an error of the archive's.
    pub(super) fn tell(&self) {
        if self.notices.is_empty() {
            return;
        }
        if let Err(error) = self.note_alarms() {
            tracing::error!(code = error.code.as_str(), place = %error.place, "notices cannot be kept: {}", error.detail);
        }
        self.tell_what_waits(false);
    }

    /// As [`Archive::tell`], after a night, which is told itself when it was not good, or when every night is.
    pub(super) fn tell_of_night(&self, night: &Result<Value>) {
        if self.notices.is_empty() {
            return;
        }
        let night = match night {
            Ok(report) => Night {
                outcome: report["check"]["outcome"].as_str().unwrap_or("unchecked").to_owned(),
                errors: report["alarms"]["errors"].as_u64().unwrap_or(0),
                code: None,
            },
            Err(error) => Night { outcome: "unchecked".to_owned(), errors: 0, code: Some(error.code) },
        };
        if !night.is_good() || self.config.notices.every_night {
            let now = self.clock.now();
            if let Err(error) = self.notices.change(|state| state.add(now, What::Night(night))) {
                tracing::error!(code = error.code.as_str(), "notices cannot be kept: {}", error.detail);
            }
        }
        self.tell();
    }

    /// Works alarms out and tells, now, whoever does not know; what each target said.
    pub fn send_alarms(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::Technical)?;
        self.note_alarms()?;
        Ok(json!({ "targets": self.tell_what_waits(true) }))
    }

    /// Tells every target that this is a test, now; what each said.
    pub fn test_alarms(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::Technical)?;
        let _one_at_a_time = unpoisoned(self.notices.telling.lock());
        let state = unpoisoned(self.notices.state.lock()).test(self.clock.now());
        let told = self.notices.targets.iter().map(|target| {
            let notice = self.notice(&state, &state.events, 0);
            outcome(target.name(), &target.tell(&notice))
        });
        Ok(json!({ "targets": told.collect::<Vec<_>>() }))
    }

    fn note_alarms(&self) -> Result<()> {
        let now = self.clock.now();
        // That they cannot be worked out must be looked at as well.
        let mut alarms = self.all_alarms().unwrap_or_else(|error| {
            let (code, detail, place) = (error.code, error.detail, "alarms".to_owned());
            vec![Alarm { code, severity: Severity::Error, place, since: now, detail }]
        });
        alarms.retain(|alarm| alarm.severity >= self.config.notices.least);
        let remind = self.config.notices.remind.signed();
        self.notices.change(|state| state.look(now, &alarms, remind))
    }

    /// Tells each target what it was not told yet; those that rest only when `all` are asked.
    fn tell_what_waits(&self, all: bool) -> Vec<Value> {
        let _one_at_a_time = unpoisoned(self.notices.telling.lock());
        let mut told = Vec::new();
        for target in &self.notices.targets {
            if self.is_ending() {
                break;
            }
            let (name, now) = (target.name(), self.clock.now());
            let state = unpoisoned(self.notices.state.lock()).clone();
            let (events, lost) = state.untold(name);
            let Some(last) = events.last().map(|event| event.number) else { continue };
            if !all && !self.notices.may_try(name, now) {
                continue;
            }
            let said = target.tell(&self.notice(&state, &events, lost));
            told.push(outcome(name, &said));
            match said {
                Ok(()) => {
                    metrics::counter!("custode_notices_told_total").increment(1);
                    unpoisoned(self.notices.failing.lock()).remove(name);
                    // Not kept means told twice, which does less harm than not at all.
                    if let Err(error) = self.notices.change(|state| state.told(name, last)) {
                        tracing::error!(code = error.code.as_str(), "what was told cannot be kept: {}", error.detail);
                    }
                }
                Err(error) => self.notices.failed(name, &error, now, self.config.notices.every.signed()),
            }
        }
        told
    }
}

fn outcome(name: &str, said: &Result<()>) -> Value {
    match said {
        Ok(()) => json!({ "target": name, "told": true }),
        Err(error) => json!({ "target": name, "told": false, "code": error.code, "message": error.detail }),
    }
}

/// Why a target was not told.
fn failed(detail: impl Into<String>) -> Error {
    Error::new(Code::NoticeFailed, detail.into())
}
