//! Sizes and durations as people write them in files: `"150MB"`, `"1GiB"`, `"24h"`.
//!
//! Invariant: a unit is always said or the number counts the smallest one (bytes, seconds); nothing is rounded, nothing
//! overflows, and what is not understood is an error that says what is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Code, Error, Result};

/// What [`Size`] accepts.
pub const SIZE_ACCEPTED: &str =
    "a whole number of bytes with a unit: B, KB, MB, GB, TB (thousands) or KiB, MiB, GiB, TiB (1024s), as in \"150MB\"";
/// What [`Lapse`] accepts.
pub const LAPSE_ACCEPTED: &str = "a whole number with a unit: ms, s, min, h, d or y (365 days), as in \"24h\"; several may follow one another, as in \"1h 30min\"";

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

/// A length of time, in whole milliseconds; never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lapse(u64);

/// A century: longer than anything an archive waits for, and far from every overflow.
const LONGEST_MS: u64 = 36_525 * 86_400_000;

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

impl FromStr for Size {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::new(Code::Usage, format!("expected {SIZE_ACCEPTED}"));
        let (number, unit) = digits(text.trim());
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            _ => return Err(wrong()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(|| Error::new(Code::Usage, "the size is too large"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 8] = [
            (1 << 40, "TiB"),
            (1_000_000_000_000, "TB"),
            (1 << 30, "GiB"),
            (1_000_000_000, "GB"),
            (1 << 20, "MiB"),
            (1_000_000, "MB"),
            (1 << 10, "KiB"),
            (1_000, "KB"),
        ];
        match UNITS.iter().find(|(factor, _)| self.0 > 0 && self.0.is_multiple_of(*factor)) {
            Some((factor, unit)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Lapse {
    /// So many milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// So many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1000)
    }

    /// In milliseconds.
    pub const fn as_ms(self) -> u64 {
        self.0
    }

    /// For the standard library and tokio.
    pub const fn std(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// For arithmetic on instants.
    pub fn signed(self) -> SignedDuration {
        SignedDuration::from_millis(i64::try_from(self.0).unwrap_or(i64::MAX))
    }
}

impl FromStr for Lapse {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::new(Code::Usage, format!("expected {LAPSE_ACCEPTED}"));
        let mut rest = text.trim();
        let mut total: u64 = 0;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let (number, after) = digits(rest);
            let number: u64 = number.parse().map_err(|_| wrong())?;
            let after = after.trim_start();
            let (unit, after) = after.split_at(after.bytes().take_while(u8::is_ascii_alphabetic).count());
            let factor: u64 = match unit {
                "ms" => 1,
                "s" => 1_000,
                "min" | "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                "y" => 365 * 86_400_000,
                // A bare number counts seconds, but only alone: `1h 30` would be a guess.
                "" if total == 0 && after.is_empty() => 1_000,
                _ => return Err(wrong()),
            };
            total = number
                .checked_mul(factor)
                .and_then(|ms| total.checked_add(ms))
                .filter(|ms| *ms <= LONGEST_MS)
                .ok_or_else(|| Error::new(Code::Usage, "the duration is longer than a century"))?;
            rest = after.trim_start();
        }
        Ok(Self(total))
    }
}

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0s"),
            ms if ms % (365 * 86_400_000) == 0 => write!(f, "{}y", ms / (365 * 86_400_000)),
            ms if ms % 86_400_000 == 0 => write!(f, "{}d", ms / 86_400_000),
            ms if ms % 3_600_000 == 0 => write!(f, "{}h", ms / 3_600_000),
            ms if ms % 60_000 == 0 => write!(f, "{}min", ms / 60_000),
            ms if ms % 1_000 == 0 => write!(f, "{}s", ms / 1_000),
            ms => write!(f, "{ms}ms"),
        }
    }
}

macro_rules! text_or_number {
    ($name:ident, $accepted:expr) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl de::Visitor<'_> for Visitor {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($accepted)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(|e: Error| E::custom(e.detail))
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$name, E> {
                        number.to_string().parse().map_err(|e: Error| E::custom(e.detail))
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$name, E> {
                        number.to_string().parse().map_err(|e: Error| E::custom(e.detail))
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }
    };
}

text_or_number!(Size, SIZE_ACCEPTED);
text_or_number!(Lapse, LAPSE_ACCEPTED);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes) in [("0", 0), ("150MB", 150_000_000), ("1 GiB", 1 << 30), ("1500", 1500), ("3kib", 3072)] {
            assert_eq!(text.parse::<Size>().unwrap().0, bytes, "{text}");
        }
        for bytes in [0, 1, 999, 1000, 1024, 150_000_000, 1 << 30, 5 << 40, u64::MAX] {
            assert_eq!(Size(bytes).to_string().parse::<Size>().unwrap().0, bytes);
        }
        for bad in ["", "MB", "-1", "1.5GB", "1 XB", "18446744073709551616", "99999999TiB", "1MBB", "１MB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        for (text, ms) in [
            ("24h", 86_400_000),
            ("1h 30min", 5_400_000),
            ("2ms", 2),
            ("90", 90_000),
            ("1d12h", 129_600_000),
            ("5y", 157_680_000_000),
        ] {
            assert_eq!(text.parse::<Lapse>().unwrap().as_ms(), ms, "{text}");
        }
        for ms in [0, 1, 1000, 31_536_000_000, 31_622_400_000, 60_000, 5_400_000, 86_400_000, 86_400_001] {
            assert_eq!(Lapse::from_ms(ms).to_string().parse::<Lapse>().unwrap().as_ms(), ms);
        }
        for bad in ["", "h", "-1s", "1.5h", "1h 30", "99999d", "1 week", "18446744073709551615d"] {
            assert!(bad.parse::<Lapse>().is_err(), "{bad}");
        }
    }
}
