//! Closing rules: when an open package stops taking documents and is sealed.
//!
//! Invariant: pure arithmetic over what is open and the present instant; nothing empty is ever closed; the first limit
//! reached decides. Asked for by Linee guida AgID 4.1 (a package closes within the terms the manual declares).

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::id::PolicyId;
use crate::units::{Lapse, Size};

/// Most documents that a rule may let a package hold: a package's index is one XML file that people must still open.
pub const MOST_DOCUMENTS: u64 = 1_000_000;

/// A closing rule, as in `policies/<id>@<n>.toml` with `kind = "closing"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Its name.
    pub id: PolicyId,
    /// Its version.
    pub version: u32,
    /// Close at so many documents.
    pub documents: Option<u64>,
    /// Close at so many bytes of documents.
    pub bytes: Option<Size>,
    /// Close when the oldest document was accepted so long ago.
    pub age: Option<Lapse>,
    /// Close when the Italian day of the oldest document is over.
    pub day_end: bool,
    /// Every document in a package of its own, with a closing run and a time-stamp of its own.
    pub alone: bool,
    /// Whether a package is sealed only when its index is signed (`signature = "required"`).
    pub signature: bool,
}

/// What an open package holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenPackage {
    /// Documents in it.
    pub documents: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the oldest of them was accepted.
    pub oldest: Timestamp,
}

/// Which limit closes a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The number of documents.
    Documents,
    /// Their bytes.
    Bytes,
    /// The age of the oldest.
    Age,
    /// The end of the day.
    DayEnd,
    /// A person or program asked (`custode seal`).
    Asked,
}

impl Closing {
    /// Whether the package is to be closed now, and why.
    pub fn should_close(&self, open: &OpenPackage, now: Timestamp) -> Option<Reason> {
        if open.documents == 0 {
            return None;
        }
        // What is sealed alone waits for nobody.
        if self.alone || self.documents.is_some_and(|limit| open.documents >= limit) {
            return Some(Reason::Documents);
        }
        if self.bytes.is_some_and(|limit| open.bytes >= limit.0) {
            return Some(Reason::Bytes);
        }
        if self.age_deadline(open.oldest).is_some_and(|deadline| now >= deadline) {
            return Some(Reason::Age);
        }
        self.day_deadline(open.oldest).filter(|deadline| now >= *deadline).map(|_| Reason::DayEnd)
    }

    /// The instant at which time alone closes a package whose oldest document is of `oldest`; none when only count or
    /// bytes do.
    pub fn deadline(&self, oldest: Timestamp) -> Option<Timestamp> {
        [self.age_deadline(oldest), self.day_deadline(oldest)].into_iter().flatten().min()
    }

    /// Whether a document of `next` bytes still fits in a package that holds `documents` and `bytes`. The first always
    /// does, however large.
    pub fn fits(&self, documents: u64, bytes: u64, next: u64) -> bool {
        documents == 0
            || !self.alone
                && (self.documents.is_none_or(|limit| documents < limit)
                    && self.bytes.is_none_or(|limit| bytes.saturating_add(next) <= limit.0))
    }

    fn age_deadline(&self, oldest: Timestamp) -> Option<Timestamp> {
        self.age.map(|age| oldest.saturating_add(age.signed()).unwrap_or(Timestamp::MAX))
    }

    fn day_deadline(&self, oldest: Timestamp) -> Option<Timestamp> {
        if !self.day_end {
            return None;
        }
        // The zone is compiled in; should it ever be missing, UTC ends the day an hour or two late, never early.
        let zone = TimeZone::get("Europe/Rome").unwrap_or(TimeZone::UTC);
        let tomorrow = oldest.to_zoned(zone).tomorrow().and_then(|day| day.start_of_day());
        Some(tomorrow.map_or(Timestamp::MAX, |day| day.timestamp()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(day_end: bool) -> Closing {
        Closing {
            id: "default".parse().unwrap(),
            version: 1,
            documents: Some(10_000),
            bytes: Some(Size(1 << 30)),
            age: (!day_end).then(|| Lapse::from_secs(86_400)),
            day_end,
            alone: false,
            signature: false,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_limit_reached_closes() {
        let oldest = at("2026-11-22T10:00:00Z");
        let open = |documents, bytes| OpenPackage { documents, bytes, oldest };
        let soon = at("2026-11-23T09:59:59.999Z");
        assert_eq!(rule(false).should_close(&open(9_999, (1 << 30) - 1), soon), None);
        assert_eq!(rule(false).should_close(&open(10_000, 1), soon), Some(Reason::Documents));
        assert_eq!(rule(false).should_close(&open(1, 1 << 30), soon), Some(Reason::Bytes));
        assert_eq!(rule(false).should_close(&open(1, 1), at("2026-11-23T10:00:00Z")), Some(Reason::Age));
        assert_eq!(rule(false).should_close(&open(0, 0), at("2099-01-01T00:00:00Z")), None);
        // A clock set back closes nothing by age.
        assert_eq!(rule(false).should_close(&open(1, 1), at("2020-01-01T00:00:00Z")), None);
    }

    #[test]
    fn a_day_ends_at_midnight_in_italy_summer_and_winter() {
        for (oldest, before, end) in [
            ("2026-11-22T10:00:00Z", "2026-11-22T22:59:59.999Z", "2026-11-22T23:00:00Z"),
            ("2026-07-22T10:00:00Z", "2026-07-22T21:59:59.999Z", "2026-07-22T22:00:00Z"),
            // 23:30 in Rome is the same day; 00:30 in Rome is already the next.
            ("2026-11-22T22:30:00Z", "2026-11-22T22:59:00Z", "2026-11-22T23:00:00Z"),
            ("2026-11-22T23:30:00Z", "2026-11-23T22:59:00Z", "2026-11-23T23:00:00Z"),
            // The day of 25 hours.
            ("2026-10-24T22:30:00Z", "2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z"),
        ] {
            let open = OpenPackage { documents: 1, bytes: 1, oldest: at(oldest) };
            assert_eq!(rule(true).should_close(&open, at(before)), None, "{oldest}");
            assert_eq!(rule(true).should_close(&open, at(end)), Some(Reason::DayEnd), "{oldest}");
            assert_eq!(rule(true).deadline(open.oldest), Some(at(end)));
        }
    }

    #[test]
    fn what_is_sealed_alone_closes_at_once_and_takes_no_company() {
        let alone = Closing { alone: true, ..rule(true) };
        let now = at("2026-11-22T10:00:00Z");
        let open = OpenPackage { documents: 1, bytes: 1, oldest: now };
        assert_eq!(alone.should_close(&open, now), Some(Reason::Documents));
        assert_eq!(rule(true).should_close(&open, now), None);
        assert!(alone.fits(0, 0, 1) && !alone.fits(1, 1, 1));
    }

    #[test]
    fn a_package_never_grows_past_its_limits_but_takes_one_large_document() {
        let rule = rule(false);
        assert!(rule.fits(0, 0, 5 << 30));
        assert!(!rule.fits(1, 1 << 30, 1));
        assert!(rule.fits(1, (1 << 30) - 1, 1));
        assert!(!rule.fits(10_000, 0, 0));
        assert!(!rule.fits(1, 1, u64::MAX));
    }
}
