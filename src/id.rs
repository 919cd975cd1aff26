//! Identifiers: random, time-ordered, and never personal.
//!
//! Documents, receipts, refusals, records, checks and bundles have UUIDv7 identifiers (RFC 9562); they say when, never
//! who. Classes, policies and series have short names that are safe in a path and in a URL.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::error::{Code, Error, Result};

static CONTEXT: std::sync::LazyLock<std::sync::Mutex<uuid::timestamp::context::ContextV7>> =
    std::sync::LazyLock::new(|| std::sync::Mutex::new(uuid::timestamp::context::ContextV7::new()));

/// A new UUIDv7 for this instant; monotone within the process.
pub fn new_uuid(now: Timestamp) -> Uuid {
    let context = CONTEXT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, nanos))
}

macro_rules! uuid_id {
    ($($name:ident, $doc:literal;)*) => { $(
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new one for this instant.
            pub fn new(now: Timestamp) -> Self {
                Self(new_uuid(now))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                match Uuid::try_parse(text) {
                    Ok(uuid) if text.len() == 36 => Ok(Self(uuid)),
                    _ => Err(Error::new(Code::Usage, "not an identifier (expected 0199…-….-7…)")),
                }
            }
        }

        // In what was written by an archive each identifier has one text; people may type it as they like.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                let id = Uuid::try_parse(&text).ok().map(Self).filter(|id| id.to_string() == *text);
                id.ok_or_else(|| serde::de::Error::custom("expected an identifier in lower case, 0199…-….-7…"))
            }
        }
    )* };
}

uuid_id! {
    DocumentId, "A document.";
    ReceiptId, "A receipt (RdV), and with it its deposit.";
    RefusalId, "A refusal.";
    RecordId, "A line in `records/`.";
    CheckId, "A check and its report.";
    BundleId, "A bundle (PdD).";
    PersonId, "A person or system that can hold tokens.";
    TokenId, "A token; says nothing of the token itself.";
}

macro_rules! name_id {
    ($($name:ident, $doc:literal;)*) => { $(
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                let fits = (1..=64).contains(&text.len())
                    && text.starts_with(|c: char| c.is_ascii_lowercase())
                    && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
                if fits { Ok(Self(text.to_owned())) } else {
                    Err(Error::new(Code::Usage, "expected a name of 1 to 64 lower-case letters, digits and hyphens"))
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(|e: Error| serde::de::Error::custom(e.detail))
            }
        }
    )* };
}

name_id! {
    ClassId, "A metadata class (`pec-message`, `invoice` …).";
    PolicyId, "A retention or closing policy.";
    SeriesId, "A series: the packages of one class; named as the class.";
}

impl From<&ClassId> for SeriesId {
    fn from(class: &ClassId) -> Self {
        Self(class.0.clone())
    }
}

/// One intake writer; 1 when embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lane(pub u16);

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of a lane's gap-free sequence; the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A package by series and number: `pec-message/7`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageRef {
    /// The series.
    pub series: SeriesId,
    /// 1, 2, 3 …
    pub number: u64,
}

impl PackageRef {
    /// The number as folder name: eight digits.
    pub fn folder(&self) -> String {
        format!("{:08}", self.number)
    }
}

impl fmt::Display for PackageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.series, self.number)
    }
}

impl FromStr for PackageRef {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::new(Code::Usage, "expected SERIES/NUMBER, as in pec-message/7");
        let (series, number) = text.split_once('/').ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        if number == 0 {
            return Err(wrong());
        }
        Ok(Self { series: series.parse()?, number })
    }
}

impl Serialize for PackageRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PackageRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|e: Error| serde::de::Error::custom(e.detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_ascend_within_one_millisecond() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let ids: Vec<_> = (0..1000).map(|_| DocumentId::new(now)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(ids[0].to_string().parse::<DocumentId>().unwrap(), ids[0]);
    }

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for bad in ["", "..", "a/b", "A", "é", "1a", &"a".repeat(65)] {
            assert!(bad.parse::<ClassId>().is_err(), "{bad}");
        }
        assert_eq!("pec-message/7".parse::<PackageRef>().unwrap().folder(), "00000007");
        assert!("pec-message/0".parse::<PackageRef>().is_err());
    }
}
