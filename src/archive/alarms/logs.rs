//! Logs of PEC providers: not deposited by their hour, not time-stamped in good time, days missing.
//!
//! Invariant: a day of an installation counts as covered only by a log (or a declaration of no traffic) that the archive
//! has acknowledged; a day that is still to come is covered by none, whatever a log says of itself. DPR 68/2005 art. 11: saved at least every 24 hours without gaps, with a time-stamp each.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::Alarm;
use crate::archive::Archive;
use crate::catalog::{Criterion, DocumentRow, MAX_LIMIT, Op, Query, Value as Indexed};
use crate::clock::{end_of_italian_day, italian_day, italy};
use crate::document::reader::term_of_log;
use crate::error::{Code, Result, Severity};

/// How far back gaps are looked for: the term of keeping, after which the logs themselves go.
const LOOK_BACK_MONTHS: i64 = 30;
/// How long before its term a log that is not time-stamped yet is an alarm.
const BEFORE_TERM: SignedDuration = SignedDuration::from_hours(4);
/// An installation that was not heard of for so long is not expected any more, unless the configuration names it.
const SILENT_DAYS: i64 = 30;
/// More days than any span that one file may cover: a wrong year must not make the archive count to it.
const LONGEST_SPAN: i64 = 366;

/// The class these alarms are about.
const CLASS: &str = "pec-log";

/// The days a log covers, as its metadata say.
pub(in crate::archive) fn period(row: &DocumentRow) -> Option<(Date, Date)> {
    let date = |name: &str| {
        row.fields.iter().find(|field| field.name == name).and_then(|field| match field.value {
            Indexed::Date(date) => Some(date),
            _ => None,
        })
    };
    let last = date("period_end").or_else(|| date("day"))?;
    let first = date("period_start").or_else(|| date("day")).filter(|first| *first <= last).unwrap_or(last);
    Some((first, last))
}

/// The installation that wrote a log: its own name, or the provider's code or name where a provider has only one.
fn installation(row: &DocumentRow) -> Option<String> {
    ["installation", "provider_code", "provider"].into_iter().find_map(|name| {
        row.fields.iter().find(|field| field.name == name).and_then(|field| match &field.value {
            Indexed::Keyword(text) | Indexed::Text(text) => Some(text.clone()),
            _ => None,
        })
    })
}

/// The days covered, of each installation.
type Covered = BTreeMap<String, BTreeSet<Date>>;

impl Archive {
    pub(super) fn log_alarms(&self, now: Timestamp) -> Result<Vec<Alarm>> {
        let mut alarms = self.unstamped_logs(now)?;
        let covered = self.covered(now)?;
        let settings = &self.config.logs;
        let today = italian_day(now);
        alarms.extend(covered.iter().flat_map(|(name, days)| gaps(name, days)));
        let mut expected: BTreeSet<&str> = settings.installations.iter().map(String::as_str).collect();
        let alive = today.saturating_sub(SILENT_DAYS.days());
        expected.extend(covered.iter().filter(|(_, d)| d.last().is_some_and(|l| *l >= alive)).map(|(n, _)| n.as_str()));
        for name in expected {
            let last = covered.get(name).and_then(|days| days.last()).copied();
            alarms.extend(not_deposited(name, last, now, settings.expected_by));
        }
        Ok(alarms)
    }

    /// Accepted logs whose term is near, or over, and that no time-stamp covers yet.
    fn unstamped_logs(&self, now: Timestamp) -> Result<Vec<Alarm>> {
        let mut alarms = Vec::new();
        let query = Query { class: CLASS.parse().ok(), limit: MAX_LIMIT, ..Query::default() };
        self.each_row(&query, &[&self.unsealed], |row| {
            let Some((_, last)) = period(&row) else { return };
            let Some(term) = term_of_log(last) else { return };
            let from = term.saturating_sub(BEFORE_TERM).unwrap_or(term);
            if now >= from {
                let over = now >= term;
                alarms.push(Alarm {
                    code: Code::PecLogNotStamped,
                    severity: if over { Severity::Error } else { Severity::Warning },
                    place: format!("document {}", row.id),
                    // A log deposited after that was late from its first moment.
                    since: from.max(row.accepted_at),
                    detail: format!("its term {} {term}", if over { "was" } else { "is" }),
                });
            }
        })?;
        Ok(alarms)
    }

    fn covered(&self, now: Timestamp) -> Result<Covered> {
        let today = italian_day(now);
        let back = today.saturating_sub(LOOK_BACK_MONTHS.months());
        let criteria = vec![Criterion { field: "period_end".to_owned(), op: Op::Ge, value: back.to_string() }];
        let query = Query { class: CLASS.parse().ok(), criteria, limit: MAX_LIMIT, ..Query::default() };
        let mut covered = Covered::new();
        self.each_row(&query, &self.catalogs(), |row| {
            let (Some(name), Some((first, last))) = (installation(&row), period(&row)) else { return };
            let days = days_within((first, last), back, today);
            covered.entry(name).or_default().extend(days);
        })?;
        Ok(covered)
    }
}

/// The days of a log, from `back` to today.
fn days_within((first, last): (Date, Date), back: Date, today: Date) -> impl Iterator<Item = Date> {
    let first = first.max(last.saturating_sub(LONGEST_SPAN.days())).max(back);
    let last = last.min(today);
    first.series(1.day()).take_while(move |day| *day <= last)
}

/// Runs of days without a log between the first and the last of an installation.
fn gaps(name: &str, days: &BTreeSet<Date>) -> Vec<Alarm> {
    let mut found = Vec::new();
    let mut before: Option<Date> = None;
    for day in days {
        let next = before.and_then(|before| before.tomorrow().ok());
        if let (Some(first), Ok(last)) = (next, day.yesterday())
            && first <= last
        {
            found.push(Alarm {
                code: Code::PecLogGap,
                severity: Severity::Error,
                place: format!("installation {name}, {}", run(first, last)),
                since: end_of_italian_day(first).unwrap_or(Timestamp::UNIX_EPOCH),
                detail: String::new(),
            });
        }
        before = Some(*day);
    }
    found
}

/// What an expected installation has not deposited although its hour is past.
fn not_deposited(name: &str, last: Option<Date>, now: Timestamp, by: jiff::civil::Time) -> Option<Alarm> {
    // The last day whose log should be here: yesterday's, once the hour of today has struck.
    let due = |day: Date| {
        let at = day.tomorrow().ok()?.to_datetime(by);
        italy().to_ambiguous_timestamp(at).compatible().ok()
    };
    let yesterday = italian_day(now).yesterday().ok()?;
    let until = if due(yesterday)? <= now { yesterday } else { yesterday.yesterday().ok()? };
    let first = match last {
        Some(last) => last.tomorrow().ok()?,
        // Never seen: only what is due now, for nobody knows since when it should have come.
        None => until,
    };
    if first > until {
        return None;
    }
    let over = term_of_log(first).is_some_and(|term| term <= now);
    Some(Alarm {
        code: Code::PecLogNotDeposited,
        severity: if over { Severity::Error } else { Severity::Warning },
        place: format!("installation {name}, {}", run(first, until)),
        since: due(first)?,
        detail: String::new(),
    })
}

/// `2026-03-02`, or `2026-03-02 to 2026-03-04`.
fn run(first: Date, last: Date) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn gaps_are_runs_of_days_between_the_first_and_the_last() {
        let days: BTreeSet<Date> = [1, 2, 5, 6, 8].map(|day| date(2026, 3, day)).into();
        let places: Vec<String> = gaps("PEC1", &days).into_iter().map(|alarm| alarm.place).collect();
        assert_eq!(places, ["installation PEC1, 2026-03-03 to 2026-03-04", "installation PEC1, 2026-03-07"]);
        assert!(gaps("PEC1", &[date(2026, 3, 1)].into()).is_empty() && gaps("PEC1", &BTreeSet::new()).is_empty());
    }

    #[test]
    fn a_day_still_to_come_is_covered_by_nothing() {
        let (back, today) = (date(2023, 9, 22), date(2026, 3, 22));
        let of = |first, last| days_within((first, last), back, today).collect::<Vec<_>>();
        assert_eq!(of(date(9998, 11, 22), date(9998, 11, 22)), []);
        assert_eq!(of(date(2026, 3, 20), date(2026, 3, 24)), [20, 21, 22].map(|day| date(2026, 3, day)));
        // So a log with a mistyped year leaves neither a gap nor the alarm of the days that follow unsaid.
        let covered: BTreeSet<Date> =
            of(date(2026, 3, 9), date(2026, 3, 9)).into_iter().chain(of(Date::MAX, Date::MAX)).collect();
        assert!(gaps("PEC1", &covered).is_empty());
        let last = covered.last().copied();
        assert!(not_deposited("PEC1", last, at("2026-03-22T09:00:00Z"), time(6, 0, 0, 0)).is_some());
    }

    #[test]
    fn a_log_is_expected_by_its_hour_in_italy() {
        let six = time(6, 0, 0, 0);
        let last = Some(date(2026, 3, 9));
        let alarm = |now: &str| not_deposited("PEC1", last, at(now), six);
        // 11 March, 05:59 in Italy: the log of the 10th is not due yet.
        assert_eq!(alarm("2026-03-11T04:59:00Z"), None);
        let due = alarm("2026-03-11T05:00:00Z").unwrap();
        assert_eq!((due.severity, due.place.as_str()), (Severity::Warning, "installation PEC1, 2026-03-10"));
        assert_eq!(due.since, at("2026-03-11T05:00:00Z"));
        // The term of the 10th is the end of the 11th.
        assert_eq!(alarm("2026-03-11T22:59:59Z").unwrap().severity, Severity::Warning);
        let over = alarm("2026-03-12T05:00:00Z").unwrap();
        assert_eq!(
            (over.severity, over.place.as_str()),
            (Severity::Error, "installation PEC1, 2026-03-10 to 2026-03-11")
        );
        // Summer time: six o'clock is 04:00Z.
        assert!(not_deposited("PEC1", Some(date(2026, 7, 1)), at("2026-07-03T03:59:00Z"), six).is_none());
        assert!(not_deposited("PEC1", Some(date(2026, 7, 1)), at("2026-07-03T04:00:00Z"), six).is_some());
        let never = not_deposited("PEC2", None, at("2026-03-11T09:00:00Z"), six).unwrap();
        assert_eq!(never.place, "installation PEC2, 2026-03-10");
    }
}
