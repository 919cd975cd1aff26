//! A line of `records/coverage.jsonl`: what a part of a check looked at, when, in which mode, with which outcome.
//!
//! Invariant: a line says of stretches of packages what was seen, so that its size follows from how scattered they are and not
//! from how many there are; it names packages, vaults by their random ids, and codes: nothing personal. Formats, "Chain and
//! records": a line whose digest the chain does not hold has no effect.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::spans::Spans;
use crate::check::Mode;
use crate::clock::iso_ms;
use crate::error::{Code, Error, Result};
use crate::id::{CheckId, PackageRef, SeriesId};

/// Most stretches of one line: some 30 bytes each, far below what a record may have.
const MAX_STRETCHES: usize = 16_000;
/// Most packages named with a code; what else is bad stands in its stretch.
const MAX_CODES: usize = 1000;

/// What was seen of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// All of it was read, and is as it should be.
    Good,
    /// Looked at, as far as there is a reader for what is in it (legibility only).
    Partial,
    /// It could not be read.
    Unchecked,
    /// It is not as it should be.
    Bad,
}

impl Seen {
    /// Whether it was looked at at all.
    pub fn is_looked_at(self) -> bool {
        self != Self::Unchecked
    }
}

/// Copies in one vault with one outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// The id in its `vault.id`.
    pub vault: String,
    /// What was seen.
    pub seen: Seen,
    /// By series: stretches of numbers, first and last.
    pub packages: BTreeMap<SeriesId, Vec<(u64, u64)>>,
}

/// A part of a check: what was finished since the part before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The check.
    pub check: CheckId,
    /// How deep it looked.
    pub mode: Mode,
    /// When the first of these packages was begun: all of them were read after it.
    #[serde(serialize_with = "instant")]
    pub from: Timestamp,
    /// Milliseconds it took, by a clock that never jumps.
    pub ms: u64,
    /// Bytes read, in all copies.
    pub bytes: u64,
    /// What was seen.
    pub copies: Vec<Copies>,
    /// The first finding of packages that are not good, as far as they are named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<(PackageRef, Code)>,
}

fn instant<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&iso_ms(*at))
}

impl Part {
    /// The members of its line.
    pub fn fields(&self) -> Result<Map<String, Value>> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => Ok(fields),
            _ => Err(Error::new(Code::Internal, "a part of a check is an object")),
        }
    }

    /// From the members of a line. `None` when they do not say what was looked at: such a line claims nothing.
    pub fn parse(fields: &Map<String, Value>) -> Option<Self> {
        let part: Self = serde_json::from_value(Value::Object(fields.clone())).ok()?;
        let stretches = part.copies.iter().flat_map(|copies| copies.packages.values().flatten());
        stretches.clone().all(|(first, last)| (1..=*last).contains(first)).then_some(part)
    }
}

/// What is finished and in no line yet.
#[derive(Debug, Default)]
pub struct Gathering {
    from: Option<Timestamp>,
    bytes: u64,
    copies: BTreeMap<(String, Seen), BTreeMap<SeriesId, Spans<()>>>,
    codes: Vec<(PackageRef, Code)>,
}

impl Gathering {
    /// Takes in a package: when it was begun, bytes read of it, and what was seen of its copies by the ids of their vaults.
    pub fn add(
        &mut self,
        package: &PackageRef,
        begun: Timestamp,
        bytes: u64,
        seen: &[(String, Seen)],
        code: Option<Code>,
    ) {
        if seen.is_empty() {
            return;
        }
        self.from = Some(self.from.map_or(begun, |from| from.min(begun)));
        self.bytes += bytes;
        for (vault, seen) in seen {
            let series = self.copies.entry((vault.clone(), *seen)).or_default();
            series.entry(package.series.clone()).or_default().update(package.number, package.number, |_| ());
        }
        if let Some(code) = code.filter(|_| self.codes.len() < MAX_CODES) {
            self.codes.push((package.clone(), code));
        }
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.from.is_none()
    }

    /// Whether no more fits into one line.
    pub fn is_full(&self) -> bool {
        let stretches = self.copies.values().flat_map(BTreeMap::values).map(Spans::len);
        self.codes.len() >= MAX_CODES || stretches.sum::<usize>() >= MAX_STRETCHES
    }

    /// The part, after so many milliseconds; `None` when nothing was finished.
    pub fn part(&self, check: CheckId, mode: Mode, ms: u64) -> Option<Part> {
        let series = |series: &BTreeMap<SeriesId, Spans<()>>| {
            series
                .iter()
                .map(|(id, spans)| (id.clone(), spans.iter().map(|(first, last, ())| (first, last)).collect()))
                .collect()
        };
        let copies = self.copies.iter().map(|((vault, seen), packages)| Copies {
            vault: vault.clone(),
            seen: *seen,
            packages: series(packages),
        });
        let copies = copies.collect();
        Some(Part { check, mode, from: self.from?, ms, bytes: self.bytes, copies, codes: self.codes.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_million_packages_is_short_and_says_which() {
        let at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let mut gathering = Gathering::default();
        assert!(gathering.part(CheckId::new(at), Mode::Full, 1).is_none());
        for number in 1..=1_000_000 {
            let package: PackageRef = format!("generic/{number}").parse().unwrap();
            let seen = if number == 500 { Seen::Bad } else { Seen::Good };
            let code = (seen == Seen::Bad).then_some(Code::PackageFileAltered);
            gathering.add(&package, at, 10, &[("a".into(), seen), ("b".into(), Seen::Good)], code);
        }
        let part = gathering.part(CheckId::new(at), Mode::Full, 7).unwrap();
        let fields = part.fields().unwrap();
        let text = Value::Object(fields.clone()).to_string();
        assert!(text.len() < 600, "{text}");
        assert_eq!(fields["copies"][0]["packages"]["generic"], serde_json::json!([[1, 499], [501, 1_000_000]]));
        assert_eq!(fields["codes"], serde_json::json!([["generic/500", "package-file-altered"]]));
        assert_eq!(Part::parse(&fields), Some(part));
    }

    #[test]
    fn scattered_packages_fill_a_line_before_it_is_too_long() {
        let at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let mut gathering = Gathering::default();
        let mut number = 9_000_000_000_u64;
        while !gathering.is_full() {
            let package: PackageRef = format!("identity-document/{number}").parse().unwrap();
            gathering.add(&package, at, 1, &[("f".repeat(32), Seen::Good)], None);
            number += 2;
        }
        let text =
            Value::Object(gathering.part(CheckId::new(at), Mode::Quick, 1).unwrap().fields().unwrap()).to_string();
        assert!(text.len() < crate::chain::MAX_RECORD / 2, "{} bytes", text.len());
    }

    #[test]
    fn what_is_no_stretch_claims_nothing() {
        let line = |packages: Value| {
            let value = serde_json::json!({
                "check": "0199c0de-0000-7000-8000-00000000000c", "mode": "full", "from": "2026-11-22T10:00:00.000Z", "ms": 1, "bytes": 1,
                "copies": [{ "vault": "a", "seen": "good", "packages": packages }],
            });
            Part::parse(value.as_object().unwrap())
        };
        assert!(line(serde_json::json!({ "generic": [[1, 2], [4, 4]] })).is_some());
        for bad in [
            serde_json::json!({ "generic": [[2, 1]] }),
            serde_json::json!({ "generic": [[0, 1]] }),
            serde_json::json!({ "generic": [[1]] }),
            serde_json::json!({ "../x": [[1, 2]] }),
            serde_json::json!(null),
        ] {
            assert!(line(bad.clone()).is_none(), "{bad}");
        }
    }
}
