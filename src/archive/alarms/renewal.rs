//! Evidence whose renewal is late, or that nobody's anchor proves.
//!
//! Invariant: an alarm is about what ends, not about packages: one line an end, with how many packages it is for. It goes
//! when they are renewed. RFC 4998 section 5; Linee guida AgID 4.7.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Alarm;
use crate::archive::Archive;
use crate::archive::renew::Ending;
use crate::clock::iso_seconds;
use crate::error::{Code, Result, Severity};

/// How long after it was due a renewal is late: a week of nights forgives an authority that is down.
const LATE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long before an end a renewal that is late becomes grave.
const GRAVE: SignedDuration = SignedDuration::from_hours(60 * 24);

impl Archive {
    pub(super) fn renewal_alarms(&self, now: Timestamp) -> Result<Vec<Alarm>> {
        let mut findings = Vec::new();
        // An end and what ends: since when it was due, and how many packages.
        let mut late: BTreeMap<(Timestamp, Ending), (Timestamp, u64)> = BTreeMap::new();
        let mut untrusted: Option<(Timestamp, u64)> = None;
        for task in self.tasks(&mut findings)? {
            match (task.due, task.deadline) {
                (Some(due), Some(end)) if due.saturating_add(LATE).unwrap_or(end) <= now || end <= now => {
                    let entry = late.entry((end, task.ending)).or_insert((due, 0));
                    *entry = (entry.0.min(due), entry.1 + 1);
                }
                (None, _) if task.ending == Ending::Untrusted => {
                    let made = task.made();
                    untrusted = Some(untrusted.map_or((made, 1), |(first, count)| (first.min(made), count + 1)));
                }
                _ => {}
            }
        }
        let mut alarms: Vec<Alarm> = late
            .into_iter()
            .map(|((end, ending), (due, packages))| Alarm {
                code: Code::RenewalLate,
                severity: if end.saturating_sub(GRAVE).unwrap_or(now) <= now {
                    Severity::Error
                } else {
                    Severity::Warning
                },
                place: format!("renewal {}", ending.as_str()),
                since: due,
                detail: format!("{packages} packages; it ends {}", iso_seconds(end)),
            })
            .collect();
        if let Some((since, packages)) = untrusted {
            alarms.push(Alarm {
                code: Code::RenewalUntrusted,
                severity: Severity::Warning,
                place: "renewal".to_owned(),
                since,
                detail: format!("{packages} packages"),
            });
        }
        // A package whose newest token cannot be read cannot be renewed: `check` says what is wrong with it.
        let broken = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        if let Some(first) = findings.iter().find(|finding| finding.severity == Severity::Error) {
            alarms.push(Alarm {
                code: first.code,
                severity: Severity::Error,
                place: first.place.clone(),
                since: now,
                detail: format!("{broken} packages whose newest time-stamp cannot be judged"),
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
