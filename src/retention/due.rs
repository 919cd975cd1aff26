//! Due dates: start event + period, in calendar arithmetic, and the cohort that the result falls in.
//!
//! The start day is not counted (c.c. art. 2963); the term ends with the last instant in Europe/Rome of the day of the
//! same number; a missing day is the last of its month; disposal is possible from the day after expiry. Invariants: an
//! event that is absent, unreadable or out of any calendar makes a document `open`, never due; a date that is mistyped or made
//! up ([`Unfit`]) starts nothing, and acceptance, which is later than any real event, stands in where the class allows it.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, date};
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::policy::{CohortUnit, Pick, Retention, Rounding, Shift, Start};
pub use crate::clock::italian_day;
use crate::document::class::Class;
pub use crate::document::class::start::Unfit;
use crate::error::{Code, Error, Result};

/// The field name that stands for the instant of acceptance in a policy's `start`.
pub const ACCEPTED_AT: &str = "accepted_at";

/// Documents that fall due together: a package holds one cohort (invariant I5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cohort {
    /// Expiry in this year: `2036`.
    Year(i16),
    /// Expiry in this month: `2046-03`.
    Month(i16, i8),
    /// The start event has not happened: `open`.
    Open,
}

impl Cohort {
    /// The last day of the cohort; none when open.
    pub fn end(self) -> Option<Date> {
        match self {
            Self::Year(year) => Date::new(year, 12, 31).ok(),
            Self::Month(year, month) => Date::new(year, month, 1).ok().map(Date::last_of_month),
            Self::Open => None,
        }
    }
}

impl fmt::Display for Cohort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Year(year) => write!(f, "{year:04}"),
            Self::Month(year, month) => write!(f, "{year:04}-{month:02}"),
            Self::Open => f.write_str("open"),
        }
    }
}

impl FromStr for Cohort {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let number = |digits: &str, length: usize| {
            (digits.len() == length && digits.bytes().all(|b| b.is_ascii_digit()))
                .then(|| digits.parse::<i16>().ok())?
        };
        let read = match text.split_once('-') {
            _ if text == "open" => Some(Self::Open),
            None => number(text, 4).map(Self::Year),
            Some((year, month)) => match (number(year, 4), number(month, 2)) {
                (Some(year), Some(month @ 1..=12)) => Some(Self::Month(year, month as i8)),
                _ => None,
            },
        };
        read.ok_or_else(|| Error::new(Code::Usage, "expected a cohort: YYYY, YYYY-MM or open"))
    }
}

impl Serialize for Cohort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cohort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|e: Error| serde::de::Error::custom(e.detail))
    }
}

/// The event a term runs from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartEvent {
    /// Its name in the policy: `certificate-issued`.
    pub event: String,
    /// The metadata field that told it, or `accepted_at`.
    pub field: String,
    /// Its day in Italy, after the policy's shift.
    pub date: Date,
}

/// Until when a document is kept, and from what that follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// What the term runs from; none when it has not happened or cannot be read.
    pub start: Option<StartEvent>,
    /// Last day of the bare term.
    pub term_end: Option<Date>,
    /// Last day of keeping: the bare term rounded as the policy says. None: never due.
    pub expiry: Option<Date>,
    /// The cohort of packages it belongs to.
    pub cohort: Cohort,
    /// A field whose date was to start the term and could not, and why.
    pub passed_over: Option<(String, Unfit)>,
}

impl Due {
    const OPEN: Self = Self { start: None, term_end: None, expiry: None, cohort: Cohort::Open, passed_over: None };

    /// First day on which a disposal could be executed.
    pub fn executable_from(&self) -> Option<Date> {
        self.expiry.and_then(|day| day.tomorrow().ok())
    }
}

/// What a class says of the events that start its terms.
#[derive(Debug, Clone, Copy)]
pub struct Events<'a> {
    /// Where the class keeps the event of the policy's *last* start step, and, by `accepted_at` among them, whether acceptance
    /// stands in for it; when there are none, the policy's own fields count. The class knows its fields, the policy what to make
    /// of them.
    pub fields: &'a [String],
    /// The first day that may start a term.
    pub not_before: Date,
    /// When the document was accepted.
    pub accepted_at: Timestamp,
}

/// When a document with this metadata falls due under this policy.
pub fn due(policy: &Retention, metadata: &Map<String, Value>, events: Events<'_>) -> Due {
    let last = policy.start.len().saturating_sub(1);
    for (i, step) in policy.start.iter().enumerate() {
        let of_step = Events { fields: if i == last { events.fields } else { &[] }, ..events };
        match start_event(step, of_step, metadata) {
            Told::Absent => continue,
            // An event that happened on a day nobody can read must not be skipped for an earlier one.
            Told::Unreadable => return Due::OPEN,
            Told::On(event) => return from_event(policy, event),
            Told::Unfit(field, why) => {
                let due = from_acceptance(policy, events).map_or(Due::OPEN, |event| from_event(policy, event));
                return Due { passed_over: Some((field, why)), ..due };
            }
        }
    }
    Due::OPEN
}

/// As [`due`], with the start event as a class declares it.
pub fn due_in_class(policy: &Retention, class: &Class, metadata: &Map<String, Value>, accepted_at: Timestamp) -> Due {
    let mut fields = class.start_event.clone();
    if class.start_event_or_accepted {
        fields.push(ACCEPTED_AT.to_owned());
    }
    due(policy, metadata, Events { fields: &fields, not_before: class.start_not_before, accepted_at })
}

/// Acceptance in the place of an event that cannot have been: never earlier than what happened, so the term is never shorter.
fn from_acceptance(policy: &Retention, events: Events<'_>) -> Option<StartEvent> {
    let step = policy.start.last()?;
    let said_by = if events.fields.is_empty() { &step.fields[..] } else { events.fields };
    let day = said_by.iter().any(|field| field == ACCEPTED_AT).then(|| italian_day(events.accepted_at))?;
    Some(StartEvent { event: step.event.clone(), field: ACCEPTED_AT.to_owned(), date: shift(day, step.shift)? })
}

fn from_event(policy: &Retention, event: StartEvent) -> Due {
    let Some(term_end) = add_period(event.date, policy) else {
        return Due { start: Some(event), ..Due::OPEN };
    };
    let cohort = match policy.cohort {
        CohortUnit::Year => Cohort::Year(term_end.year()),
        CohortUnit::Month => Cohort::Month(term_end.year(), term_end.month()),
    };
    let expiry = match policy.rounding {
        Rounding::Cohort => cohort.end(),
        Rounding::None => Some(term_end),
    };
    Due { start: Some(event), term_end: Some(term_end), expiry, cohort, passed_over: None }
}

fn add_period(start: Date, policy: &Retention) -> Option<Date> {
    let end = start.checked_add(policy.period.span()).ok()?;
    // A cohort is written with four digits.
    (1..=9999).contains(&end.year()).then_some(end)
}

enum Told {
    Absent,
    Unreadable,
    /// It cannot have been on that day.
    Unfit(String, Unfit),
    On(StartEvent),
}

fn start_event(step: &Start, events: Events<'_>, metadata: &Map<String, Value>) -> Told {
    // A class that names fields also says whether acceptance stands in for them; else the policy does.
    let said_by = if events.fields.is_empty() { &step.fields[..] } else { events.fields };
    let accepted_on = italian_day(events.accepted_at);
    let from_acceptance = said_by.iter().any(|field| field == ACCEPTED_AT);
    let mut found: Option<(&str, Date)> = None;
    for field in said_by.iter().filter(|field| *field != ACCEPTED_AT) {
        let value = match metadata.get(field) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) if text.trim().is_empty() => continue,
            Some(value) => value,
        };
        let Some(day) = day_of(value, step.shift) else { return Told::Unreadable };
        if let Some(why) = Unfit::of(day, events.not_before, accepted_on) {
            return Told::Unfit(field.clone(), why);
        }
        match step.pick {
            Pick::First => {
                found = Some((field, day));
                break;
            }
            Pick::Latest if found.is_none_or(|(_, known)| day > known) => found = Some((field, day)),
            Pick::Latest => {}
        }
    }
    if found.is_none() && from_acceptance {
        found = Some((ACCEPTED_AT, accepted_on));
    }
    let Some((field, day)) = found else { return Told::Absent };
    let Some(shifted) = shift(day, step.shift) else { return Told::Unreadable };
    Told::On(StartEvent { event: step.event.clone(), field: field.to_owned(), date: shifted })
}

fn shift(day: Date, by: Shift) -> Option<Date> {
    match by {
        Shift::None => Some(day),
        Shift::EndOfNextYear => Date::new(day.year().checked_add(1)?, 12, 31).ok(),
    }
}

/// A metadata value as a day: `2026-03-14`, `2026-03-14T10:00:00` (Italian wall clock), an instant with its offset (the
/// day it was in Italy), or, where only the year matters, `2026`.
fn day_of(value: &Value, shift: Shift) -> Option<Date> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.as_i64()?.to_string(),
        _ => return None,
    };
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    if text.len() == 4 && digits(0, 4) {
        return match shift {
            Shift::EndOfNextYear => Date::new(text.parse().ok()?, 1, 1).ok().filter(|day| day.year() >= 1),
            Shift::None => None,
        };
    }
    // Years of five digits and before the first are no dates of documents; jiff would take them.
    if !(digits(0, 4) && bytes.get(4) == Some(&b'-')) {
        return None;
    }
    let day = if text.len() == 10 {
        text.parse::<Date>().ok()?
    } else if let Ok(instant) = text.parse::<Timestamp>() {
        italian_day(instant)
    } else {
        text.parse::<DateTime>().ok()?.date()
    };
    (day >= date(1, 1, 1)).then_some(day)
}

/// Whole days from `today` until the expiry is over; negative when it is past. None when never due.
pub fn days_left(due: &Due, today: Date) -> Option<i64> {
    let span = today.until((Unit::Day, due.executable_from()?)).ok()?;
    Some(i64::from(span.get_days()))
}

#[cfg(test)]
#[path = "due_tests.rs"]
mod tests;
