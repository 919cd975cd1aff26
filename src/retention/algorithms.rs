//! The table of algorithms: until when each may be relied on, and how long before an end evidence is renewed.
//!
//! Invariant: what is not in the table has ended: a digest nobody vouches for must not be the one that holds an archive. At
//! least one digest has no end before those of all others, so there is always something to renew with. ETSI TS 119 312.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::policy::{Basis, Text};
use crate::evidence::algorithm::KeyStrength;
use crate::evidence::digest::Algorithm;
use crate::id::PolicyId;
use crate::units::Lapse;

/// Evidence younger than this is not renewed for an end that was known when it was made: an authority that keeps to an old
/// algorithm must not cost a token a night.
const YOUNG: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A digest algorithm of hash trees.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigestEnd {
    /// Which.
    pub name: Algorithm,
    /// The last day on which it is good; `None` when no end was announced.
    pub until: Option<Date>,
    /// Who says so.
    pub basis: Basis,
}

/// A kind of key that signs time-stamps.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEnd {
    /// `rsa` or `ec`.
    pub key: KeyKind,
    /// The smallest size the line is for.
    pub bits: usize,
    /// The last day on which it is good; `None` when no end was announced.
    pub until: Option<Date>,
    /// Who says so.
    pub basis: Basis,
}

/// Kinds of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// RSA.
    Rsa,
    /// Elliptic curves.
    Ec,
}

/// The table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Algorithms {
    /// Its name.
    pub id: PolicyId,
    /// Its version.
    pub version: u32,
    /// What it is about.
    pub title: Text,
    /// How long before an end renewal is due.
    pub margin: Lapse,
    /// Digests, the most preferred first.
    pub digests: Vec<DigestEnd>,
    /// Keys of time-stamps.
    pub keys: Vec<KeyEnd>,
}

impl Algorithms {
    pub(super) fn validate(&self) -> Result<(), &'static str> {
        if self.digests.is_empty() || self.keys.is_empty() {
            return Err("at least one [[digest]] and one [[signature]] are needed");
        }
        let repeated = |n: usize, name: Algorithm| self.digests[..n].iter().any(|line| line.name == name);
        if self.digests.iter().enumerate().any(|(n, line)| repeated(n, line.name)) {
            return Err("a [[digest]] stands twice");
        }
        if self.digests.iter().all(|line| line.until.is_some()) {
            return Err("at least one [[digest]] must have no end: evidence is renewed with it");
        }
        Ok(())
    }

    /// When a digest algorithm ends: the end of its last day; long ago when the table does not know it.
    pub fn digest_end(&self, algorithm: Algorithm) -> Option<Timestamp> {
        match self.digests.iter().find(|line| line.name == algorithm) {
            Some(line) => line.until.and_then(end_of_day),
            None => Some(Timestamp::UNIX_EPOCH),
        }
    }

    /// When keys like this one end; long ago when the table does not know any that small.
    pub fn key_end(&self, key: &KeyStrength) -> Option<Timestamp> {
        let (kind, bits) = match key {
            KeyStrength::Rsa(bits) => (KeyKind::Rsa, *bits),
            KeyStrength::Ec(bits) => (KeyKind::Ec, *bits),
        };
        let fitting = self.keys.iter().filter(|line| line.key == kind && line.bits <= bits);
        match fitting.max_by_key(|line| line.bits) {
            Some(line) => line.until.and_then(end_of_day),
            None => Some(Timestamp::UNIX_EPOCH),
        }
    }

    /// The digest for hash trees that are renewed because this one ends: the first in the table that lasts longer.
    pub fn successor(&self, algorithm: Algorithm) -> Option<Algorithm> {
        let end = self.digest_end(algorithm)?;
        let lasting = |line: &&DigestEnd| self.digest_end(line.name).is_none_or(|other| other > end);
        self.digests.iter().filter(|line| line.name != algorithm).find(lasting).map(|line| line.name)
    }

    /// The digest for evidence made now: the most preferred of the table that is not within the margin of its end, for what is made
    /// then would have to be renewed at once.
    pub fn for_new(&self, now: Timestamp) -> Option<Algorithm> {
        let lasting = |line: &&DigestEnd| {
            let end = self.digest_end(line.name);
            end.is_none_or(|end| end.saturating_sub(self.margin.signed()).is_ok_and(|early| now < early))
        };
        self.digests.iter().find(lasting).map(|line| line.name)
    }

    /// When evidence made at `made` is to be renewed for something that ends at `end`: the margin before, but never in the
    /// first half of its life, nor in its first thirty days; and with a quarter of its life left, however short that is.
    pub fn due(&self, made: Timestamp, end: Timestamp) -> Timestamp {
        let life = end.duration_since(made);
        let half = made.saturating_add(life / 2).unwrap_or(end);
        let young = made.saturating_add(YOUNG.min(life / 4 * 3)).unwrap_or(end);
        let early = end.saturating_sub(self.margin.signed()).unwrap_or(made);
        early.max(half).max(young).min(end)
    }
}

fn end_of_day(day: Date) -> Option<Timestamp> {
    day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::{Policies, Policy};

    fn table(text: &str) -> Algorithms {
        match Policy::parse(text, "test").unwrap() {
            Policy::Algorithms(table) => table,
            other => panic!("{other:?}"),
        }
    }

    fn standard() -> String {
        let files = Policies::builtin();
        files.iter().find(|(name, _)| *name == "algorithms@1.toml").unwrap().1.to_owned()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_built_in_table_is_read() {
        let table = table(&standard());
        assert_eq!(table.digest_end(Algorithm::Sha256), None);
        assert_eq!(table.successor(Algorithm::Sha256), None);
        assert_eq!(table.key_end(&KeyStrength::Rsa(2048)), Some(at("2031-01-01T00:00:00Z")));
        assert_eq!(table.key_end(&KeyStrength::Rsa(4096)), None);
        assert_eq!(table.key_end(&KeyStrength::Ec(256)), None);
        // What nobody vouches for has ended.
        assert_eq!(table.key_end(&KeyStrength::Rsa(1024)), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(table.key_end(&KeyStrength::Ec(192)), Some(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_digest_that_ends_has_a_successor_that_lasts_longer() {
        let ending = |first: &str, second: &str| {
            let text = standard().replace("name = \"SHA-256\"\n", &format!("name = \"SHA-256\"\n{first}"));
            table(&text.replace("name = \"SHA-512\"\n", &format!("name = \"SHA-512\"\n{second}")))
        };
        let one = ending("until = \"2030-06-30\"\n", "");
        assert_eq!(one.digest_end(Algorithm::Sha256), Some(at("2030-07-01T00:00:00Z")));
        assert_eq!(one.successor(Algorithm::Sha256), Some(Algorithm::Sha512));
        let sooner = ending("until = \"2030-06-30\"\n", "until = \"2029-06-30\"\n");
        assert_eq!(sooner.successor(Algorithm::Sha256), Some(Algorithm::Sha384));
        let later = ending("until = \"2030-06-30\"\n", "until = \"2040-06-30\"\n");
        assert_eq!(later.successor(Algorithm::Sha256), Some(Algorithm::Sha512));
    }

    #[test]
    fn new_evidence_is_made_with_what_is_not_about_to_end() {
        let now = at("2030-01-01T00:00:00Z");
        assert_eq!(table(&standard()).for_new(now), Some(Algorithm::Sha256));
        let until = |day: &str| {
            table(&standard().replace("name = \"SHA-256\"\n", &format!("name = \"SHA-256\"\nuntil = \"{day}\"\n")))
        };
        assert_eq!(until("2031-06-30").for_new(now), Some(Algorithm::Sha256));
        // Within the margin, on its last day, and after.
        for day in ["2030-06-30", "2030-01-01", "2029-12-31", "2020-01-01"] {
            assert_eq!(until(day).for_new(now), Some(Algorithm::Sha512), "{day}");
        }
    }

    #[test]
    fn tables_that_make_no_sense_are_refused() {
        let text = standard();
        for bad in [
            text.replace("name = \"SHA-384\"", "name = \"SHA-512\""),
            text.replace("name = \"SHA-384\"", "name = \"SHA-1\""),
            text.replace("key = \"ec\"", "key = \"dsa\""),
            text.replace("\n[digest.basis]", "\nuntil = \"2030-01-01\"\n[digest.basis]"),
            text.replace("margin = \"365d\"\n", ""),
            text.replace("id = \"algorithms\"", "id = \"others\""),
        ] {
            assert!(Policy::parse(&bad, "test").is_err(), "{bad}");
        }
    }

    #[test]
    fn renewal_is_due_a_margin_before_the_end_but_not_at_once() {
        let table = table(&standard());
        let made = at("2026-01-01T00:00:00Z");
        // Ten years: a year before. One year: halfway. Forty days: after thirty. Ten days, of which thirty
        // would be too many: when a quarter is left.
        for (end, due) in [
            ("2036-01-01T00:00:00Z", "2035-01-01T00:00:00Z"),
            ("2027-01-01T00:00:00Z", "2026-07-02T12:00:00Z"),
            ("2026-02-10T00:00:00Z", "2026-01-31T00:00:00Z"),
            ("2026-01-11T00:00:00Z", "2026-01-08T12:00:00Z"),
        ] {
            assert_eq!(table.due(made, at(end)), at(due), "{end}");
        }
    }
}
