//! Evidence whose renewal is late, or that nobody's anchor proves.
//!
//! Invariant: an alarm is about what ends, not about packages: one line an end, with how many packages it is for. It goes
//! when they are renewed. RFC 4998 section 5; Linee guida AgID 4.7.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::Alarm;
use crate::archive::Archive;
use crate::archive::renew::{Ending, Task};
use crate::clock::iso_seconds;
use crate::error::{Code, Result, Severity};

/// How long after it was due a renewal is late: a week of nights forgives an authority that is down.
const LATE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long before an end a renewal that is late becomes grave.
const GRAVE: SignedDuration = SignedDuration::from_hours(60 * 24);

/// How many packages and stamps of the chain.
#[derive(Default)]
struct Count {
    packages: u64,
    stamps: u64,
}

impl Count {
    fn add(&mut self, task: &Task) {
        if task.is_stamp() {
            self.stamps += 1;
        } else {
            self.packages += 1;
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stamps {
            0 => write!(f, "{} packages", self.packages),
            stamps => write!(f, "{} packages, {stamps} stamps of the chain", self.packages),
        }
    }
}

impl Archive {
    pub(super) fn renewal_alarms(&self, now: Timestamp) -> Result<Vec<Alarm>> {
        let mut findings = Vec::new();
        // An end and what ends: since when it was due, and how many packages and stamps.
        let mut late: BTreeMap<(Timestamp, Ending), (Timestamp, Count)> = BTreeMap::new();
        let mut untrusted: Option<(Timestamp, Count)> = None;
        for task in self.tasks(&mut findings)? {
            match (task.due, task.deadline) {
                (Some(due), Some(end)) if due.saturating_add(LATE).unwrap_or(end) <= now || end <= now => {
                    let entry = late.entry((end, task.ending)).or_insert((due, Count::default()));
                    entry.0 = entry.0.min(due);
                    entry.1.add(&task);
                }
                (None, _) if task.ending == Ending::Untrusted => {
                    let entry = untrusted.get_or_insert((task.made(), Count::default()));
                    entry.0 = entry.0.min(task.made());
                    entry.1.add(&task);
                }
                _ => {}
            }
        }
        let mut alarms: Vec<Alarm> = late
            .into_iter()
            .map(|((end, ending), (due, count))| Alarm {
                code: Code::RenewalLate,
                severity: if end.saturating_sub(GRAVE).unwrap_or(now) <= now {
                    Severity::Error
                } else {
                    Severity::Warning
                },
                place: format!("renewal {}", ending.as_str()),
                since: due,
                detail: format!("{count}; it ends {}", iso_seconds(end)),
            })
            .collect();
        if let Some((since, count)) = untrusted {
            alarms.push(Alarm {
                code: Code::RenewalUntrusted,
                severity: Severity::Warning,
                place: "renewal".to_owned(),
                since,
                detail: count.to_string(),
            });
        }
        // What has a newest token that cannot be read cannot be renewed: `check` says what is wrong with it.
        let broken = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        if let Some(first) = findings.iter().find(|finding| finding.severity == Severity::Error) {
            alarms.push(Alarm {
                code: first.code,
                severity: Severity::Error,
                place: first.place.clone(),
                since: now,
                detail: format!("{broken} packages or stamps whose newest time-stamp cannot be judged"),
            });
        }
        alarms.extend(findings.iter().filter(|finding| finding.code == Code::RenewalKey).map(|finding| Alarm {
            code: finding.code,
            severity: Severity::Warning,
            place: format!("renewal {}", finding.place),
            since: now,
            detail: String::new(),
        }));
        Ok(alarms)
    }
}
