//! Instants as logs write them: ISO with an offset or without, `Mar 10 2026 09:00:00`, the same without year, months in
//! Italian or English, a weekday before or not, `10/03/2026 09:00:00`.
//!
//! Invariant: local times are Italian legal time; a year that is not written comes from the period the file declares, or
//! from the day it was received: never a guess of its own.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, ToSpan};

use crate::clock::italy;

/// An instant as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// With its offset.
    Exact(Timestamp),
    /// Italian legal time.
    Local(DateTime),
    /// Without its year: month, day, time.
    Yearless(i8, i8, Time),
}

/// What gives a year to those written without.
#[derive(Debug, Clone, Copy)]
pub struct Years {
    /// First and last day that the file declares to cover.
    pub period: Option<(Date, Date)>,
    /// The day it was received, in Italy.
    pub received: Option<Date>,
}

impl Moment {
    /// The instant; `None` for a day that does not exist.
    pub fn resolve(self, years: &Years) -> Option<Timestamp> {
        let local = match self {
            Self::Exact(instant) => return Some(instant),
            Self::Local(local) => local,
            Self::Yearless(month, day, time) => years.day(month, day)?.to_datetime(time),
        };
        italy().to_ambiguous_timestamp(local).compatible().ok()
    }
}

impl Years {
    fn day(&self, month: i8, day: i8) -> Option<Date> {
        let of = |year: i16| Date::new(year, month, day).ok();
        let Some((first, last)) = self.period else {
            // The last such day that was not after the reception (a day of grace for clocks).
            let received = self.received?;
            let latest = received.saturating_add(1.day());
            let year = received.year();
            return (year - 4..=year + 1).rev().filter_map(of).find(|day| *day <= latest);
        };
        let (early, late) = (first.saturating_sub(1.day()), last.saturating_add(1.day()));
        let inside = (early.year()..=late.year()).rev().take(8).filter_map(of).find(|day| (early..=late).contains(day));
        inside.or_else(|| of(last.year())).or_else(|| of(first.year()))
    }
}

/// English and Italian names, first letters.
const MONTHS: [&[&str]; 12] = [
    &["jan", "gen"],
    &["feb"],
    &["mar"],
    &["apr"],
    &["may", "mag"],
    &["jun", "giu"],
    &["jul", "lug"],
    &["aug", "ago"],
    &["sep", "set"],
    &["oct", "ott"],
    &["nov"],
    &["dec", "dic"],
];

fn month(word: &str) -> Option<i8> {
    let start = word.get(..3)?.to_ascii_lowercase();
    let at = MONTHS.iter().position(|names| names.contains(&start.as_str()))?;
    // A name, perhaps whole or with a full stop: not the beginning of any word of a log line.
    let rest_fits = word[3..].bytes().all(|b| b.is_ascii_alphabetic() || b == b'.');
    (rest_fits && word.len() <= 10).then_some(at as i8 + 1)
}

fn time(word: &str) -> Option<Time> {
    let word = word.trim_end_matches([',', ';', ':']);
    let bytes = word.as_bytes();
    let shaped = bytes.len() >= 8 && bytes.get(2) == Some(&b':') && bytes.get(5) == Some(&b':');
    if !shaped || !bytes[..2].iter().chain(&bytes[3..5]).chain(&bytes[6..8]).all(u8::is_ascii_digit) {
        return None;
    }
    // A fraction is kept when it is one.
    word.replace(',', ".").parse().ok().or_else(|| word[..8].parse().ok())
}

fn number<T: std::str::FromStr>(word: &str, digits: std::ops::RangeInclusive<usize>) -> Option<T> {
    let word = word.trim_end_matches([',', '.']);
    let fits = digits.contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
    if fits { word.parse().ok() } else { None }
}

/// `10/03/2026` or `10-03-2026`.
fn slashed(word: &str) -> Option<Date> {
    let mut parts = word.split(['/', '-']);
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Date::new(number(year, 4..=4)?, number(month, 1..=2)?, number(day, 1..=2)?).ok()
}

/// One instant that is the whole of a text, as in a CSV cell.
pub fn parse(text: &str) -> Option<Moment> {
    let text = text.trim();
    if text.len() > 64 {
        return None;
    }
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Some(Moment::Exact(exact));
    }
    if text.len() >= 16
        && let Ok(local) = text.parse::<DateTime>()
    {
        return Some(Moment::Local(local));
    }
    prefix(text).filter(|(_, length)| *length == text.len()).map(|(moment, _)| moment)
}

/// The instant that a line begins with, and how many bytes it takes.
pub fn prefix(line: &str) -> Option<(Moment, usize)> {
    let mut at = 0;
    let (mut day, mut named, mut year, mut clock, mut whole) =
        (None::<i8>, None::<i8>, None::<i16>, None, None::<Date>);
    for word in line.split(' ').take(8) {
        let end = at + word.len();
        let start = std::mem::replace(&mut at, end + 1);
        if word.is_empty() {
            continue;
        }
        if start == 0 || clock.is_none() {
            // `2026-03-10T09:00:00+01:00` in one word.
            if let Ok(exact) = word.parse::<Timestamp>() {
                return Some((Moment::Exact(exact), end));
            }
            if word.len() >= 16
                && let Ok(local) = word.parse::<DateTime>()
            {
                return Some((Moment::Local(local), end));
            }
        }
        if let Some(found) = time(word).filter(|_| clock.is_none()) {
            clock = Some((found, end));
        } else if let Some(found) = number(word, 4..=4).filter(|_| year.is_none()) {
            year = Some(found);
        } else if let Some(found) = number(word, 1..=2).filter(|_| day.is_none() && clock.is_none()) {
            day = Some(found);
        } else if let Some(found) = word.parse().ok().or_else(|| slashed(word)).filter(|_| clock.is_none()) {
            whole = Some(found);
        } else if let Some(found) = month(word).filter(|_| clock.is_none()) {
            // `mar` may be Tuesday before it is March: the last one counts.
            named = Some(found);
        } else if clock.is_none() && weekday(word) {
            continue;
        } else {
            break;
        }
        let dated = whole.is_some() || (day.is_some() && named.is_some());
        // The year may stand after the time (`10:00:00 2026`): one more word is looked at.
        if let (Some((clock, clock_end)), true) = (clock, dated) {
            let after = line.get(clock_end..).unwrap_or_default();
            let next = after.trim_start_matches(' ').split(' ').next().unwrap_or_default();
            let (year, end) = match (year, number::<i16>(next, 4..=4)) {
                (None, Some(found)) if whole.is_none() && (1990..2200).contains(&found) => {
                    (Some(found), clock_end + (after.len() - after.trim_start_matches(' ').len()) + next.len())
                }
                _ => (year, clock_end),
            };
            return build(whole, day, named, year, clock).map(|moment| (moment, end));
        }
    }
    None
}

fn weekday(word: &str) -> bool {
    const DAYS: [&str; 13] =
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "lun", "mer", "gio", "ven", "sab", "dom"];
    word.len() <= 10 && word.get(..3).is_some_and(|start| DAYS.contains(&start.to_ascii_lowercase().as_str()))
}

fn build(whole: Option<Date>, day: Option<i8>, month: Option<i8>, year: Option<i16>, time: Time) -> Option<Moment> {
    if let Some(date) = whole {
        return Some(Moment::Local(date.to_datetime(time)));
    }
    let (day, month) = (day?, month?);
    match year {
        Some(year) => Date::new(year, month, day).ok().map(|date| Moment::Local(date.to_datetime(time))),
        // Any leap year knows all days.
        None => Date::new(2000, month, day).ok().map(|_| Moment::Yearless(month, day, time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, period: &str) -> Option<String> {
        let (first, last) = period.split_once('#').unwrap_or((period, period));
        let period = first.parse().ok().zip(last.parse().ok());
        let years = Years { period, received: "2026-11-22".parse().ok() };
        prefix(text).and_then(|(moment, _)| moment.resolve(&years)).map(|instant| instant.to_string())
    }

    #[test]
    fn every_form_seen_is_read() {
        for text in [
            "2026-03-10T09:00:00+01:00 pecd",
            "2026-03-10T08:00:00Z pecd",
            "2026-03-10 09:00:00 pecd host1",
            "Mar 10 2026 09:00:00 pecd",
            "mar 10 mar 2026 09:00:00 pecd",
            "Tue Mar 10 09:00:00 2026 pecd",
            "10 marzo 2026 09:00:00 pecd",
            "10/03/2026 09:00:00 pecd",
            "10-03-2026 09:00:00 pecd",
            "Mar 10 09:00:00 pecd host1 [1]:",
            "Mar  10 09:00:00 pecd",
        ] {
            assert_eq!(at(text, "2026-03-10").as_deref(), Some("2026-03-10T08:00:00Z"), "{text}");
        }
        for text in ["", "pecd", "09:00:00", "Mar 32 09:00:00", "Foo 10 09:00:00", "Mar 10 25:00:00", "1234 5678"] {
            assert_eq!(at(text, "2026-03-10"), None, "{text}");
        }
    }

    #[test]
    fn a_missing_year_comes_from_the_period() {
        assert_eq!(at("Dic 31 23:30:00 x", "2006-05-10#2007-01-19").as_deref(), Some("2006-12-31T22:30:00Z"));
        assert_eq!(at("Jan 19 10:00:00 x", "2006-05-10#2007-01-19").as_deref(), Some("2007-01-19T09:00:00Z"));
        // Just after midnight of the file's day.
        assert_eq!(at("Gen 1 00:00:02 x", "2006-12-31").as_deref(), Some("2006-12-31T23:00:02Z"));
        // Nothing declared: the last such day before the file came.
        assert_eq!(at("Dic 31 23:30:00 x", "").as_deref(), Some("2025-12-31T22:30:00Z"));
        assert_eq!(at("Feb 29 10:00:00 x", "").as_deref(), Some("2024-02-29T09:00:00Z"));
    }

    #[test]
    fn the_rest_of_the_line_begins_where_the_instant_ends() {
        for (line, rest) in [("Mar 10 09:00:00 pecd host", " pecd host"), ("Mar 10 09:00:00 2026 pecd", " pecd")] {
            let (_, end) = prefix(line).unwrap();
            assert_eq!(&line[end..], rest);
        }
    }
}
