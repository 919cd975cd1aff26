//! The chain not time-stamped for too long, and a clock that an authority disagrees with.
//!
//! Invariant: an offset is an alarm while the last token that was asked for shows it; the next good one ends it.

use jiff::Timestamp;

use super::Alarm;
use crate::archive::Archive;
use crate::error::{Code, Severity};

impl Archive {
    pub(super) fn stamp_alarms(&self, now: Timestamp) -> Vec<Alarm> {
        let mut alarms = Vec::new();
        let alarm = |code, place: &str, since, detail| {
            let severity = Severity::Warning;
            Alarm { code, severity, place: place.to_owned(), since, detail }
        };
        // Twice the period: one night without an authority is no reason to wake anybody.
        let every = self.config.tsa.checkpoint_every.signed();
        if let Some(since) = self.unstamped_since().filter(|since| now.duration_since(*since) >= every * 2) {
            alarms.push(alarm(Code::StampLate, "chain", since, String::new()));
        }
        if let Some(last) = self.authorities.last_offset()
            && last.by.abs() > self.config.tsa.max_offset.signed()
        {
            let (ms, way) = (last.by.as_millis().abs(), if last.by.is_negative() { "behind" } else { "ahead of" });
            let detail = format!("its clock is {ms} ms {way} ours");
            alarms.push(alarm(Code::ClockOffset, &last.authority, last.at, detail));
        }
        alarms
    }
}
