//! ISO 8601 periods of years, months and days: `P20Y`, `P30M`.
//!
//! Invariant: positive, and short enough that no date of a document runs out of the calendar by it alone.

use std::fmt;
use std::str::FromStr;

use jiff::Span;
use serde::{Deserialize, Deserializer};

use crate::error::{Code, Error, Result};

/// An ISO 8601 period of years, months and days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    years: i16,
    months: i32,
    days: i32,
}

impl Period {
    /// For calendar arithmetic.
    pub fn span(&self) -> Span {
        Span::new().years(self.years).months(self.months).days(self.days)
    }
}

impl FromStr for Period {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || Error::new(Code::Usage, "expected an ISO 8601 period of up to 200 years, as in P20Y, P30M or P1Y6M");
        let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or_else(wrong)?;
        let mut parts = [0_i32; 3];
        let mut next_unit = 0;
        while !rest.is_empty() {
            let (digits, after) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
            let unit = after.chars().next().and_then(|unit| "YMD".find(unit)).ok_or_else(wrong)?;
            if unit < next_unit {
                return Err(wrong());
            }
            parts[unit] = digits.parse().map_err(|_| wrong())?;
            next_unit = unit + 1;
            rest = &after[1..];
        }
        let [years, months, days] = parts;
        let fits = years <= 200 && months <= 2400 && days <= 73_000 && parts.iter().any(|n| *n > 0);
        if !fits {
            return Err(wrong());
        }
        Ok(Self { years: years as i16, months, days })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P")?;
        for (number, unit) in [(i32::from(self.years), 'Y'), (self.months, 'M'), (self.days, 'D')] {
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|e: Error| serde::de::Error::custom(e.detail))
    }
}
