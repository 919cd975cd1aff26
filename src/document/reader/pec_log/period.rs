//! Which days a log covers, which installation wrote it, and by when it must be time-stamped.
//!
//! Invariant: what was given comes first, then the file's name (`PEC<n>-yyyy-mm-dd.log`, or a span with `#`), then the
//! events themselves; a day is a day in Italy, summer and winter.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::clock::{end_of_italian_day, italian_day};
use crate::document::Metadata;

/// Longer than any span in one file.
const LONGEST_DAYS: i32 = 3660;

/// The instant by which the log of a period that ends with this day must be time-stamped: 24 hours after its end.
pub fn term_of_log(last_day: Date) -> Option<Timestamp> {
    end_of_italian_day(last_day)?.checked_add(SignedDuration::from_hours(24)).ok()
}

/// What the file's name says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// `PEC2`.
    pub installation: Option<String>,
    /// First and last day.
    pub days: Option<(Date, Date)>,
}

/// Reads `PEC2-2006-05-10#2007-01-19.log.p7m` and the like; other names say nothing.
pub fn named(name: &str) -> Named {
    let stem = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut said = Named::default();
    if let Some((first, _)) = stem.split_once(['-', '_', '.'])
        && let Some(number) =
            first.get(3..).filter(|_| first.is_char_boundary(3) && first[..3].eq_ignore_ascii_case("PEC"))
        && (1..=6).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        said.installation = Some(format!("PEC{number}"));
    }
    let bytes = stem.as_bytes();
    let mut days = Vec::new();
    let mut at = 0;
    while at + 10 <= bytes.len() && days.len() < 2 {
        // Between other digits it would be a number, not a day.
        let apart = at == 0 || !bytes[at - 1].is_ascii_digit();
        let day = stem.get(at..at + 10).filter(|_| apart && !bytes.get(at + 10).is_some_and(u8::is_ascii_digit));
        match day.and_then(|day| day.parse::<Date>().ok()) {
            Some(day) => {
                days.push(day);
                at += 10;
            }
            None => at += 1,
        }
    }
    let span = days.len() == 2 && stem.contains('#');
    said.days = days.first().map(|first| (*first, if span { days[1] } else { *first })).and_then(ordered);
    said
}

fn ordered((first, last): (Date, Date)) -> Option<(Date, Date)> {
    let days = first.until(last).ok()?.get_days();
    (first <= last && days <= LONGEST_DAYS).then_some((first, last))
}

/// The days that the producer declared.
pub fn given(metadata: &Metadata) -> Option<(Date, Date)> {
    let day = |name: &str| {
        let text = metadata.get(name).and_then(Value::as_str)?;
        crate::document::merge::date(text)
    };
    let last = day("period_end").or_else(|| day("day")).or_else(|| day("period_start"))?;
    let first = day("period_start").unwrap_or(last);
    ordered((first, last))
}

/// The days that the events fall on.
pub fn of_events(first: Timestamp, last: Timestamp) -> (Date, Date) {
    (italian_day(first), italian_day(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_installation_and_days() {
        let said = |name: &str| {
            let Named { installation, days } = named(name);
            let days = days.map(|(first, last)| format!("{first}#{last}")).unwrap_or_default();
            format!("{} {days}", installation.unwrap_or_default())
        };
        assert_eq!(said("PEC1-2006-05-10.log.p7m"), "PEC1 2006-05-10#2006-05-10");
        assert_eq!(said("PEC2-2006-05-10#2007-01-19.log.p7m"), "PEC2 2006-05-10#2007-01-19");
        assert_eq!(said("pec12_2026-03-10.csv"), "PEC12 2026-03-10#2026-03-10");
        assert_eq!(said("registro-2026-03-10.csv"), " 2026-03-10#2026-03-10");
        for nothing in ["log.csv", "PEC1-2026-13-10.log", "x12026-03-101.log", "PEC-x.log", "è-", ""] {
            assert_eq!(named(nothing).days, None, "{nothing}");
        }
        assert_eq!(named("PEC1-2027-01-19#2006-05-10.log").days, None);
    }

    #[test]
    fn the_term_is_a_day_after_the_last_midnight() {
        let term = |day: &str| term_of_log(day.parse().unwrap()).unwrap().to_string();
        assert_eq!(term("2026-03-10"), "2026-03-11T23:00:00Z");
        // The day after is the one of 23 hours: the term is 24 hours all the same.
        assert_eq!(term("2026-03-28"), "2026-03-29T23:00:00Z");
        assert_eq!(term_of_log(Date::MAX), None);
    }
}
