//! Which days a log covers, which installation wrote it, and by when it must be time-stamped.
//!
//! Invariant: what was given comes first, then the file's name (`PEC<n>-yyyy-mm-dd.log`, or a span with `#`; other ways of
//! writing a day count when there is none of that), then the events themselves; a day is a day in Italy, summer and winter. A day
//! that cannot be (30 February, before PEC, still to come, a span turned over) is said and not taken from a name.

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
    /// What looks like a day and cannot be the log's, in a few words.
    pub odd: Option<&'static str>,
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
    // As providers write them, before dates of other kinds that may stand beside.
    let days = [DASHED, COMPACT, ITALIAN].iter().map(|read| days_in(stem, *read)).find(|days| !days.is_empty());
    let days = days.unwrap_or_default();
    let span = days.len() == 2 && stem.contains('#');
    let read = days.first().map(|first| (*first, if span { days[1] } else { *first }));
    said.days = read.and_then(ordered);
    said.odd = match read {
        Some(_) if said.days.is_none() => Some("a span that ends before it begins, or is too long"),
        // One of two days, and the other is none.
        Some(_) if stem.contains('#') && !span => Some("no day of the calendar, or of a year without PEC"),
        None if looks_dated(stem) => Some("no day of the calendar, or of a year without PEC"),
        _ => None,
    };
    said
}

/// Whether four digits, two and two stand there with a dash between, as providers write days; whatever day that would be.
fn looks_dated(stem: &str) -> bool {
    let shape = |text: &[u8]| {
        text.iter().enumerate().all(|(at, b)| if at == 4 || at == 7 { *b == b'-' } else { b.is_ascii_digit() })
    };
    let bytes = stem.as_bytes();
    (0..bytes.len().saturating_sub(9)).any(|at| {
        let apart = |at: Option<&u8>| !at.is_some_and(u8::is_ascii_digit);
        apart(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && shape(&bytes[at..at + 10])
            && apart(bytes.get(at + 10))
    })
}

/// Whether the last of these days was over when the archive received the log: a day that is not may still see events.
pub fn is_over((_, last): (Date, Date), received_at: Timestamp) -> bool {
    end_of_italian_day(last).is_some_and(|end| end <= received_at)
}

/// At most two days of one way of writing them. Between other digits it would be a number, not a day.
fn days_in(stem: &str, (length, read): Written) -> Vec<Date> {
    let bytes = stem.as_bytes();
    let mut days = Vec::new();
    let mut at = 0;
    while at + length <= bytes.len() && days.len() < 2 {
        let apart = at == 0 || !bytes[at - 1].is_ascii_digit();
        let text =
            stem.get(at..at + length).filter(|_| apart && !bytes.get(at + length).is_some_and(u8::is_ascii_digit));
        match text.and_then(read) {
            Some(day) => {
                days.push(day);
                at += length;
            }
            None => at += 1,
        }
    }
    days
}

/// How a day is written: its length, and what reads it.
type Written = (usize, fn(&str) -> Option<Date>);

fn day(year: &str, month: &str, day: &str) -> Option<Date> {
    if ![year, month, day].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    // Before PEC there was no log; and a number is not taken for a day.
    let year = year.parse().ok().filter(|year| (2000..2100).contains(year))?;
    Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()
}

/// `2006-12-31`.
const DASHED: Written = (10, |text| {
    let shaped = text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    shaped.then(|| day(text.get(..4)?, text.get(5..7)?, text.get(8..)?)).flatten()
});
/// `20061231`.
const COMPACT: Written = (8, |text| {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| day(&text[..4], &text[4..6], &text[6..])).flatten()
});
/// `31-12-2006`, with any of three separators; `2006_12_31` too.
const ITALIAN: Written = (10, |text| {
    let parts: Vec<&str> =
        text.split(['-', '_', '.']).filter(|part| part.bytes().all(|b| b.is_ascii_digit())).collect();
    match parts.as_slice() {
        [first, month, last] if first.len() == 2 && month.len() == 2 && last.len() == 4 => day(last, month, first),
        [first, month, last] if first.len() == 4 && month.len() == 2 && last.len() == 2 => day(first, month, last),
        _ => None,
    }
});

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
    use jiff::civil::date;

    use super::*;

    #[test]
    fn names_say_installation_and_days() {
        let said = |name: &str| {
            let Named { installation, days, .. } = named(name);
            let days = days.map(|(first, last)| format!("{first}#{last}")).unwrap_or_default();
            format!("{} {days}", installation.unwrap_or_default())
        };
        assert_eq!(said("PEC1-2006-05-10.log.p7m"), "PEC1 2006-05-10#2006-05-10");
        assert_eq!(said("PEC2-2006-05-10#2007-01-19.log.p7m"), "PEC2 2006-05-10#2007-01-19");
        assert_eq!(said("pec12_2026-03-10.csv"), "PEC12 2026-03-10#2026-03-10");
        assert_eq!(said("registro-2026-03-10.csv"), " 2026-03-10#2026-03-10");
        for name in
            ["20061231.log", "log_pec_20061231.txt.gz", "pec-31-12-2006.log", "31.12.2006.csv", "x_2006_12_31_y.log"]
        {
            assert_eq!(said(name), " 2006-12-31#2006-12-31", "{name}");
        }
        assert_eq!(said("esportato-20270102-PEC1-2006-12-31.log"), " 2006-12-31#2006-12-31");
        assert_eq!(said("PEC1-20061201#20061231.log"), "PEC1 2006-12-01#2006-12-31");
        for nothing in
            ["20061331.log", "19991231.log", "120061231.log", "20061231120000.log", "31-12-06.log", "è31é12è2006.log"]
        {
            assert_eq!(named(nothing).days, None, "{nothing}");
        }
        for nothing in ["log.csv", "PEC1-2026-13-10.log", "x12026-03-101.log", "PEC-x.log", "è-", ""] {
            assert_eq!(named(nothing).days, None, "{nothing}");
        }
        assert_eq!(named("PEC1-2027-01-19#2006-05-10.log").days, None);
        // What looks like a day and cannot be one is said; a name without any is not odd.
        for odd in [
            "PEC1-9998-11-22.log",
            "PEC1-1926-11-22.log.p7m",
            "PEC1-2026-02-30.log",
            "PEC1-2026-13-10.log",
            "PEC1-2026-03-10#2026-02-30.log",
            "PEC1-2026-03-10#2026-03-01.log",
        ] {
            assert!(named(odd).odd.is_some(), "{odd}");
        }
        for plain in
            ["log.csv", "PEC1-2026-03-10.log", "x12026-03-101.log", "PEC1-2006-05-10#2007-01-19.log", "é-2026-3-1", ""]
        {
            assert_eq!(named(plain).odd, None, "{plain}");
        }
    }

    #[test]
    fn a_day_is_over_at_midnight_in_italy() {
        let days = (date(2026, 3, 9), date(2026, 3, 10));
        assert!(!is_over(days, "2026-03-10T22:59:59Z".parse().unwrap()));
        assert!(is_over(days, "2026-03-10T23:00:00Z".parse().unwrap()));
        assert!(!is_over((Date::MAX, Date::MAX), "2026-03-10T23:00:00Z".parse().unwrap()));
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
