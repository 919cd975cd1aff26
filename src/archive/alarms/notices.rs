//! Alarms that somebody cannot be told of.
//!
//! Invariant: it goes when the target takes a notice again; others are told of it meanwhile.

use super::Alarm;
use crate::archive::Archive;
use crate::error::{Code, Severity};

impl Archive {
    pub(super) fn notice_alarms(&self) -> Vec<Alarm> {
        let failing = self.notices.failing().into_iter().map(|failing| Alarm {
            code: Code::NoticeFailed,
            severity: Severity::Warning,
            place: failing.target,
            since: failing.since,
            detail: failing.detail,
        });
        failing.collect()
    }
}
