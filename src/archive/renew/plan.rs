//! What ends when, what must be done about it, and whether there is time enough.
//!
//! Invariant: a package or a stamp has at most one task, for what ends first; a digest that must be replaced goes before everything
//! else, since it takes the documents themselves. Times to come are worked out from the speed measured here and now.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::ages::{Aging, Subject};
use crate::archive::Archive;
use crate::archive::access::{Action, Actor};
use crate::archive::state::unpoisoned;
use crate::clock::{iso_ms, iso_seconds};
use crate::error::{Code, Finding, Result, Severity};
use crate::evidence::digest::Algorithm;
use crate::package::generation::{Method, object_digests};
use crate::retention::Algorithms;

/// Packages read to measure how fast this machine is.
const SAMPLES: usize = 8;
/// How long the measuring may take.
const SAMPLING: SignedDuration = SignedDuration::from_millis(1500);
/// What writing and reading back three small files takes on a disk that syncs, beside what is measured.
const SECONDS_A_PACKAGE: f64 = 0.1;

/// What falls due within this time goes with what is due now: each run costs a token, and what is renewed for one reason today and
/// for another tomorrow was renewed once for nothing.
const TOGETHER: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::archive) enum Ending {
    /// The certificate of the time-stamping unit, or of who issued it.
    Certificate,
    /// The digest algorithm.
    Digest,
    /// The kind of key that signed the token.
    Key,
    /// Nothing ends: no configured anchor proves the token at all.
    Untrusted,
}

impl Ending {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Digest => "digest",
            Self::Key => "key",
            Self::Untrusted => "untrusted",
        }
    }
}

/// What is to be done about one package or stamp.
#[derive(Debug, Clone)]
pub(in crate::archive) struct Task {
    pub(super) aging: Aging,
    pub(super) method: Method,
    /// With which digest algorithm.
    pub(super) algorithm: Algorithm,
    /// What ends.
    pub ending: Ending,
    /// From when on it is to be done; `None` when nothing ends.
    pub due: Option<Timestamp>,
    /// When it ends.
    pub deadline: Option<Timestamp>,
}

impl Task {
    pub(in crate::archive) fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Whether a run that is due anyway takes it along: it will be due soon, and more than half of the time until then is over.
    pub(super) fn goes_along(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| {
            let half = due.saturating_sub(due.duration_since(self.made()) / 2).unwrap_or(due);
            now >= half && due.duration_since(now) <= TOGETHER
        })
    }

    /// Whether it is about a stamp of the chain, and not about a package.
    pub(in crate::archive) fn is_stamp(&self) -> bool {
        matches!(self.aging.subject, Subject::Stamp(_))
    }

    /// When its newest token was made.
    pub(in crate::archive) fn made(&self) -> Timestamp {
        self.aging.token.made
    }

    /// The task of one of them. `None` when nothing it rests on has an end.
    fn of(aging: Aging, table: &Algorithms) -> Option<Self> {
        let token = &aging.token;
        let algorithm = token.algorithm;
        let made = token.made;
        let stamp = |ending, end: Option<Timestamp>| {
            end.map(|end| (table.due(made, end), end, ending, Method::TimeStamp, algorithm))
        };
        let successor = table.successor(algorithm).filter(|_| aging.whole);
        // A digest can be replaced whenever it ended; a key only if the authority has another by now, so an end that was
        // there when the token was made is nothing that a new token would mend.
        let digest = table.digest_end(algorithm).and_then(|end| match successor {
            Some(next) => Some((table.due(made, end), end, Ending::Digest, Method::HashTree, next)),
            None => stamp(Ending::Digest, Some(end)).filter(|_| end > made),
        });
        let Some(signed) = &token.signed else {
            return Some(Self {
                method: Method::TimeStamp,
                algorithm,
                ending: Ending::Untrusted,
                due: None,
                deadline: None,
                aging,
            });
        };
        let certificate = stamp(Ending::Certificate, Some(signed.until));
        let key = stamp(Ending::Key, table.key_end(&signed.key).filter(|end| *end > made));
        let (mut due, mut end, mut ending, mut method, mut algorithm) = [digest, certificate, key]
            .into_iter()
            .flatten()
            .min_by_key(|(due, _, ending, ..)| (*due, *ending != Ending::Digest))?;
        // A new tree has a new token: it does for both.
        if let Some((rehash, digest_end, Ending::Digest, Method::HashTree, next)) = digest
            && rehash.duration_since(due) <= TOGETHER
        {
            (ending, method, algorithm) = (Ending::Digest, Method::HashTree, next);
            (due, end) = (due.min(rehash), end.min(digest_end));
        }
        Some(Self { aging, method, algorithm, ending, due: Some(due), deadline: Some(end) })
    }
}

/// Groups what is to be done into runs: one method, one digest algorithm, and, where documents are read again, no more
/// bytes than `most`.
pub(super) fn runs(tasks: Vec<Task>, most: u64) -> Vec<(Method, Algorithm, Vec<Aging>)> {
    let mut runs: Vec<(Method, Algorithm, Vec<Aging>, u64)> = Vec::new();
    for task in tasks {
        let bytes = if task.method == Method::HashTree { task.aging.bytes } else { 0 };
        let open = runs
            .iter_mut()
            .rev()
            .find(|(method, algorithm, ..)| (*method, *algorithm) == (task.method, task.algorithm));
        match open {
            Some((_, _, packages, sum)) if *sum + bytes <= most => {
                packages.push(task.aging);
                *sum += bytes;
            }
            _ => runs.push((task.method, task.algorithm, vec![task.aging], bytes)),
        }
    }
    runs.into_iter().map(|(method, algorithm, packages, _)| (method, algorithm, packages)).collect()
}

/// How fast this machine renews.
#[derive(Debug, Clone, Copy)]
struct Speed {
    bytes_per_second: Option<f64>,
    seconds_per_package: f64,
    measured: u64,
}

impl Speed {
    fn seconds(&self, method: Method, packages: u64, bytes: u64) -> f64 {
        let reading = match (method, self.bytes_per_second) {
            (Method::HashTree, Some(speed)) => bytes as f64 / speed,
            _ => 0.0,
        };
        packages as f64 * self.seconds_per_package + reading
    }
}

/// What has the same task.
#[derive(Default)]
struct Line {
    packages: u64,
    /// Stamps of the chain.
    stamps: u64,
    documents: u64,
    bytes: u64,
    due: Option<Timestamp>,
    made: Option<(Timestamp, Timestamp)>,
}

type Key = (Option<Timestamp>, Ending, Method, Algorithm, Algorithm, String);

impl Archive {
    /// The task of every package and stamp that has one.
    pub(in crate::archive) fn tasks(&self, findings: &mut Vec<Finding>) -> Result<Vec<Task>> {
        let table = unpoisoned(self.policies.read()).algorithms()?.clone();
        let ages = self.ages(findings)?;
        let mut ended: BTreeMap<String, u64> = BTreeMap::new();
        for signed in ages.iter().filter_map(|aging| Some((aging.token.made, aging.token.signed.as_ref()?))) {
            if table.key_end(&signed.1.key).is_some_and(|end| end <= signed.0) {
                *ended.entry(signed.1.key.to_string()).or_default() += 1;
            }
        }
        for (key, packages) in ended {
            findings.push(Finding::warning(Code::RenewalKey, key, format!("{packages} packages and stamps")));
        }
        Ok(ages.into_iter().filter_map(|aging| Task::of(aging, &table)).collect())
    }

    /// What ends when, how long renewing it takes here, and whether that is soon enough: `feasible` is false when it is not.
    pub fn renew_plan(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::Check)?;
        let mut findings = Vec::new();
        let now = self.clock.now();
        let tasks = self.tasks(&mut findings)?;
        let speed = self.measure(&tasks);
        let mut lines: BTreeMap<Key, Line> = BTreeMap::new();
        for task in &tasks {
            let token = &task.aging.token;
            let signed = token.signed.as_ref().map_or(String::new(), |signed| signed.key.to_string());
            let key = (task.deadline, task.ending, task.method, token.algorithm, task.algorithm, signed);
            let line = lines.entry(key).or_default();
            match task.aging.subject {
                Subject::Package(_) => line.packages += 1,
                Subject::Stamp(_) => line.stamps += 1,
            }
            line.documents += task.aging.documents;
            line.bytes += task.aging.bytes;
            line.due = [line.due, task.due].into_iter().flatten().min();
            let (first, last) = line.made.unwrap_or((token.made, token.made));
            line.made = Some((first.min(token.made), last.max(token.made)));
        }
        // What has no end stands last.
        let mut lines: Vec<(Key, Line)> = lines.into_iter().collect();
        lines.sort_by_key(|(key, _)| (key.0.is_none(), key.0));
        let (mut table, mut feasible, mut busy_until) = (Vec::new(), true, now);
        for ((deadline, ending, method, from, to, key), line) in lines {
            let seconds = speed.seconds(method, line.packages, line.bytes);
            let start = line.due.unwrap_or(now).max(busy_until);
            let done = start.saturating_add(SignedDuration::from_secs_f64(seconds.min(1e12))).unwrap_or(Timestamp::MAX);
            let late = deadline.is_some_and(|deadline| done > deadline);
            if deadline.is_some() {
                busy_until = done;
            }
            if late {
                feasible = false;
                let end = deadline.map_or(String::new(), iso_seconds);
                let what = format!("{} packages, {} stamps, end {end}", line.packages, line.stamps);
                findings.push(Finding::error(Code::RenewalLate, "renewal", what));
            }
            let due = line.due.is_some_and(|due| due <= now);
            table.push(json!({
                "ending": ending, "method": method, "digest": from, "renewed_with": to,
                "key": Some(key).filter(|key| !key.is_empty()),
                "stamped_at": line.made.map(|(first, last)| [iso_seconds(first), iso_seconds(last)]),
                "packages": line.packages, "stamps": line.stamps, "documents": line.documents, "bytes": line.bytes,
                "due": line.due.map(iso_seconds), "deadline": deadline.map(iso_seconds),
                "is_due": due, "seconds": seconds.ceil() as u64, "late": late,
            }));
        }
        Ok(json!({
            "as_of": iso_ms(now),
            "lines": table,
            "speed": {
                "bytes_per_second": speed.bytes_per_second.map(f64::round),
                "seconds_per_package": speed.seconds_per_package,
                "measured_bytes": speed.measured,
            },
            "feasible": feasible && findings.iter().all(|finding| finding.severity != Severity::Error),
            "findings": findings,
        }))
    }

    /// Reads some packages as a renewal would, and times it.
    fn measure(&self, tasks: &[Task]) -> Speed {
        let (mut read, mut reading, mut opened, mut opening) = (0_u64, 0.0, 0_u32, 0.0);
        let package = |task: &Task| match &task.aging.subject {
            Subject::Package(package) => Some((package.clone(), task.aging.whole)),
            // A stamp is two small files; all of them are written as two more.
            Subject::Stamp(_) => None,
        };
        let packages: Vec<_> = tasks.iter().filter_map(package).collect();
        let step = (packages.len() / SAMPLES).max(1);
        let began = Instant::now();
        for (package, whole) in packages.iter().step_by(step).take(SAMPLES) {
            let started = Instant::now();
            if self.history(package).and_then(|history| history.record(None)).is_err() {
                continue;
            }
            opening += started.elapsed().as_secs_f64();
            opened += 1;
            if !whole {
                continue;
            }
            let started = Instant::now();
            let outcome = self.package_entry(package).and_then(|entry| {
                self.with_package(&entry, package, |reader| {
                    let mut bytes = 0;
                    object_digests(reader, &[Algorithm::Sha512], &mut |n| bytes += n).map(|_| bytes)
                })
            });
            // A package that is damaged says nothing of the speed; `check` says what it is.
            if let Ok(bytes) = outcome {
                read += bytes;
                reading += started.elapsed().as_secs_f64();
            }
            if began.elapsed() > SAMPLING.unsigned_abs() {
                break;
            }
        }
        let each = if opened > 0 { opening / f64::from(opened) } else { 0.0 };
        Speed {
            bytes_per_second: (read > 0 && reading > 0.0).then(|| read as f64 / reading),
            seconds_per_package: each + SECONDS_A_PACKAGE,
            measured: read,
        }
    }
}
