//! What was an alarm when it was looked last, what happened since, and who was told of it: one small file.
//!
//! Invariant: an event is forgotten when everybody was told of it, or when there are too many, and then the next notice says how many
//! are missing; one that begins and ends while nobody can be told is two events. The file is no evidence: one that cannot be read is
//! begun anew, and what stands is told again.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::archive::alarms::Alarm;
use crate::durable;
use crate::error::{Code, Error, Result, Severity};

/// Most alarms told one by one; the gravest and oldest come first, and how many there are in all is told as well.
const MOST: usize = 500;
/// Most events that wait for somebody who cannot be told.
const MOST_EVENTS: usize = 1000;

/// An alarm as it is told: without its detail, which is for those who run the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub code: Code,
    pub severity: Severity,
    pub place: String,
    pub since: Timestamp,
}

impl Told {
    fn key(&self) -> String {
        format!("{} {}", self.code.as_str(), self.place)
    }
}

/// How a night went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Night {
    /// Of the check.
    pub outcome: String,
    /// Alarms of severity error.
    pub errors: u64,
    /// Why it came to no end.
    pub code: Option<Code>,
}

impl Night {
    pub fn is_good(&self) -> bool {
        self.outcome == "good" && self.errors == 0
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    Began(Told),
    Worse(Told),
    Ended(Told),
    Night(Night),
    /// Nothing new: what stands is said again.
    Reminder,
    Test,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    pub number: u64,
    pub at: Timestamp,
    pub what: What,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Events there were.
    count: u64,
    /// When the last of them was.
    last: Option<Timestamp>,
    /// Alarms there are in all.
    pub total: usize,
    pub standing: BTreeMap<String, Told>,
    pub events: Vec<Event>,
    /// The last event that each target was told of.
    targets: BTreeMap<String, u64>,
}

impl State {
    pub fn read(path: &Path) -> Self {
        let read = durable::read_plain(path).and_then(|bytes| {
            serde_json::from_slice(&bytes).map_err(|e| Error::new(Code::StagingAltered, e.to_string()))
        });
        read.unwrap_or_else(|error| {
            if error.code != Code::FileMissing {
                tracing::warn!(path = %path.display(), "what was told is not known any more: {}", error.detail);
            }
            Self::default()
        })
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::new(Code::Internal, e.to_string()))
    }

    /// From now on these are told. Who is new is told from here on, beginning with what stands.
    pub fn know<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let before = std::mem::take(&mut self.targets);
        self.targets = names.map(|name| (name.to_owned(), before.get(name).copied().unwrap_or(self.count))).collect();
        if self.targets.keys().any(|name| !before.contains_key(name)) {
            self.last = None;
        }
    }

    /// Adds an event; `true`.
    pub fn add(&mut self, now: Timestamp, what: What) -> bool {
        self.count += 1;
        self.last = Some(now);
        self.events.push(Event { number: self.count, at: now, what });
        let beyond = self.events.len().saturating_sub(MOST_EVENTS);
        self.events.drain(..beyond);
        true
    }

    /// Compares the alarms of now, the gravest first, with those of before; whether anything is to be kept.
    pub fn look(&mut self, now: Timestamp, alarms: &[Alarm], remind: SignedDuration) -> bool {
        let before = std::mem::take(&mut self.standing);
        let mut happened = Vec::new();
        for alarm in alarms.iter().take(MOST) {
            let (code, severity, place) = (alarm.code, alarm.severity, alarm.place.clone());
            let mut told = Told { code, severity, place, since: alarm.since };
            let key = told.key();
            if self.standing.contains_key(&key) {
                continue;
            }
            match before.get(&key) {
                None => happened.push(What::Began(told.clone())),
                Some(known) => {
                    // Some alarms know only that they are so now.
                    told.since = known.since.min(told.since);
                    if known.severity < severity {
                        happened.push(What::Worse(told.clone()));
                    }
                }
            }
            self.standing.insert(key, told);
        }
        let ended = before.iter().filter(|(key, _)| !self.standing.contains_key(*key));
        happened.extend(ended.map(|(_, told)| What::Ended(told.clone())));
        let due = self.last.is_none_or(|last| now.duration_since(last) >= remind);
        if happened.is_empty() && due && !self.standing.is_empty() {
            happened.push(What::Reminder);
        }
        let changed = !happened.is_empty() || before != self.standing || self.total != alarms.len();
        self.total = alarms.len();
        for what in happened {
            self.add(now, what);
        }
        changed
    }

    /// What a target was not told yet, and how many events it will never be told of.
    pub fn untold(&self, name: &str) -> (Vec<Event>, u64) {
        let through = self.targets.get(name).copied().unwrap_or(self.count);
        let events: Vec<Event> = self.events.iter().filter(|event| event.number > through).cloned().collect();
        let lost = events.first().map_or(0, |first| first.number - through - 1);
        (events, lost)
    }

    /// A target was told of everything up to this event; `true`.
    pub fn told(&mut self, name: &str, through: u64) -> bool {
        self.targets.insert(name.to_owned(), through);
        let all = self.targets.values().copied().min().unwrap_or(self.count);
        self.events.retain(|event| event.number > all);
        true
    }

    /// Events that somebody was not told of.
    pub fn waiting(&self) -> usize {
        self.targets.keys().map(|name| self.untold(name).0.len()).max().unwrap_or(0)
    }

    /// As it is, with one event: that this is a test.
    pub fn test(&self, now: Timestamp) -> Self {
        let mut test = self.clone();
        test.events = vec![Event { number: self.count, at: now, what: What::Test }];
        test
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn alarm(code: Code, severity: Severity) -> Alarm {
        let since = at("2026-11-22T09:00:00Z");
        Alarm { code, severity, place: "vault secondo".into(), since, detail: "RSSMRA80A01H501U".into() }
    }

    fn told(state: &State, target: &str) -> Vec<&'static str> {
        let word = |event: &Event| match event.what {
            What::Began(_) => "began",
            What::Worse(_) => "worse",
            What::Ended(_) => "ended",
            What::Night(_) => "night",
            What::Reminder => "reminder",
            What::Test => "test",
        };
        state.untold(target).0.iter().map(word).collect()
    }

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    #[test]
    fn each_change_is_told_once_and_a_day_later_what_stands() {
        let mut state = State::default();
        state.know(["a", "b"].into_iter());
        let now = at("2026-11-22T10:00:00Z");
        let (warning, error) = (alarm(Code::CopyBehind, Severity::Warning), alarm(Code::CopyBehind, Severity::Error));
        assert!(state.look(now, std::slice::from_ref(&warning), DAY));
        assert!(!state.look(now, std::slice::from_ref(&warning), DAY), "the same is nothing new");
        assert_eq!(told(&state, "a"), ["began"]);
        assert!(!String::from_utf8(state.to_bytes().unwrap()).unwrap().contains("RSSMRA"), "a detail was kept");
        assert!(state.look(now, &[error], DAY) && state.look(now, std::slice::from_ref(&warning), DAY));
        assert_eq!(told(&state, "a"), ["began", "worse"], "better is not told");
        assert!(state.look(now, &[], DAY) && !state.look(now, &[], DAY));
        assert_eq!(told(&state, "a"), ["began", "worse", "ended"]);
        // Kept and read again it goes on where it was; who was told of it hears of it no more.
        let mut state: State = serde_json::from_slice(&state.to_bytes().unwrap()).unwrap();
        state.told("a", 3);
        assert_eq!((told(&state, "a").len(), state.untold("b").0.len(), state.waiting()), (0, 3, 3));
        state.told("b", 3);
        assert_eq!((state.events.len(), state.waiting()), (0, 0));
        state.look(now, std::slice::from_ref(&warning), DAY);
        state.told("a", 4);
        assert!(!state.look(at("2026-11-23T09:59:59Z"), std::slice::from_ref(&warning), DAY));
        assert!(state.look(at("2026-11-23T10:00:00Z"), std::slice::from_ref(&warning), DAY));
        assert_eq!(told(&state, "a"), ["reminder"]);
        // Who is new hears what stands, and not what was before.
        state.know(["a", "b", "c"].into_iter());
        assert!(state.look(at("2026-11-23T10:00:01Z"), &[warning], DAY));
        assert_eq!(told(&state, "c"), ["reminder"]);
    }

    #[test]
    fn what_waits_is_bounded_and_what_is_lost_is_counted() {
        let mut state = State::default();
        state.know(["a"].into_iter());
        let now = at("2026-11-22T10:00:00Z");
        for _ in 0..1200 {
            state.look(now, &[alarm(Code::CopyBad, Severity::Error)], DAY);
            state.look(now, &[], DAY);
        }
        let (events, lost) = state.untold("a");
        assert_eq!((events.len(), lost), (MOST_EVENTS, 1400));
        let numbered = |n| Alarm { place: format!("document {n}"), ..alarm(Code::CopyBad, Severity::Error) };
        let many: Vec<Alarm> = (0..2000).map(numbered).collect();
        state.look(now, &many, DAY);
        assert_eq!((state.standing.len(), state.total), (MOST, 2000));
    }
}
