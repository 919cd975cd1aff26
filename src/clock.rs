//! The one clock. Nothing else in Custode asks what time it is (invariant I8), so that tests can and so that a clock
//! that steps backwards is noticed instead of being written into evidence.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::error::{Code, Error, Result};

/// Where the present comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present instant, UTC.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // In debug builds a test may shift the clock of the real binary, in seconds, to see what a clock does to evidence.
        #[cfg(debug_assertions)]
        if let Some(shift) = std::env::var("CUSTODE_TEST_CLOCK_SHIFT").ok().and_then(|s| s.parse::<i64>().ok()) {
            return Timestamp::now().saturating_add(SignedDuration::from_secs(shift)).unwrap_or(Timestamp::MAX);
        }
        Timestamp::now()
    }
}

/// A clock for tests: stands still until moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Starts at this instant (millisecond precision).
    pub fn at(instant: Timestamp) -> Self {
        Self(AtomicI64::new(instant.as_millisecond()))
    }

    /// Moves by so many milliseconds, also backwards.
    pub fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

/// How far a clock may step back before it is an error: NTP slews by less, an operator's mistake by more.
pub const TOLERATED_STEP: SignedDuration = SignedDuration::from_secs(1);

/// Guards a sequence of instants (journal, chain): never gives one earlier than the last it gave.
#[derive(Debug)]
pub struct Forward(Mutex<Timestamp>);

impl Forward {
    /// Nothing earlier than `last` will be given.
    pub fn after(last: Timestamp) -> Self {
        Self(Mutex::new(last))
    }

    /// The present, in whole milliseconds and never before the last instant given. A step back of at most
    /// [`TOLERATED_STEP`] gives the last instant again; a larger one is [`Code::ClockBackwards`] and gives nothing.
    pub fn now(&self, clock: &dyn Clock) -> Result<Timestamp> {
        let now = truncate_ms(clock.now());
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if now >= *last {
            *last = now;
            return Ok(now);
        }
        if last.duration_since(now) <= TOLERATED_STEP {
            return Ok(*last);
        }
        Err(Error::new(
            Code::ClockBackwards,
            format!("the clock says {now}, but {last} was already written", last = *last),
        ))
    }
}

/// The time zone of Italian terms and days.
pub fn italy() -> TimeZone {
    // The zone is compiled in; UTC stands in only if that ever failed.
    TimeZone::get("Europe/Rome").unwrap_or(TimeZone::UTC)
}

/// The day, in Italy, of an instant.
pub fn italian_day(instant: Timestamp) -> Date {
    instant.to_zoned(italy()).date()
}

/// The first instant after a day in Italy; none at the end of the calendar.
pub fn end_of_italian_day(day: Date) -> Option<Timestamp> {
    let midnight = day.tomorrow().ok()?.at(0, 0, 0, 0);
    italy().to_ambiguous_timestamp(midnight).compatible().ok()
}

/// Whole milliseconds: what receipts and the chain write (`2026-11-22T10:00:00.123Z`).
pub fn truncate_ms(instant: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(instant.as_millisecond()).unwrap_or(instant)
}

/// `2026-11-22T10:00:00.123Z`: UTC, always three decimals.
pub fn iso_ms(instant: Timestamp) -> String {
    format!("{instant:.3}")
}

/// `2026-11-22T10:00:00Z`: UTC, whole seconds, as `xs:dateTime`.
pub fn iso_seconds(instant: Timestamp) -> String {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_stepping_backwards_is_an_error_and_a_slew_is_not() {
        let start: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let clock = ManualClock::at(start);
        let forward = Forward::after(start);
        clock.advance_ms(5_000);
        let later = forward.now(&clock).unwrap();
        clock.advance_ms(-800);
        assert_eq!(forward.now(&clock).unwrap(), later);
        clock.advance_ms(-10_000);
        assert_eq!(forward.now(&clock).unwrap_err().code, Code::ClockBackwards);
        clock.advance_ms(60_000);
        assert!(forward.now(&clock).unwrap() > later);
    }

    #[test]
    fn a_day_in_italy_ends_at_its_own_midnight() {
        let end = |day: &str| end_of_italian_day(day.parse().unwrap()).unwrap().to_string();
        assert_eq!(end("2026-03-10"), "2026-03-10T23:00:00Z");
        assert_eq!(end("2026-07-10"), "2026-07-10T22:00:00Z");
        assert_eq!(end_of_italian_day(Date::MAX), None);
    }

    #[test]
    fn instants_are_written_with_three_decimals() {
        assert_eq!(iso_ms("2026-11-22T10:00:00Z".parse().unwrap()), "2026-11-22T10:00:00.000Z");
        assert_eq!(iso_seconds("2026-11-22T10:00:00.9Z".parse().unwrap()), "2026-11-22T10:00:00Z");
    }
}
