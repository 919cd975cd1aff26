//! Time-stamp policies. Their identifiers may have arcs of 128 bits (2.25.UUID), more than the common type can hold.

use std::fmt;
use std::str::FromStr;

use crate::error::{Code, Error, Result};
use crate::evidence::asn1::{Tlv, malformed, tag, tlv};

/// Longest identifier read.
const MAX_BYTES: usize = 128;

/// Identifier of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Policy(Vec<u8>);

impl Policy {
    /// From an `OBJECT IDENTIFIER` element.
    pub(crate) fn parse(element: &Tlv<'_>) -> Result<Self> {
        let value = element.value;
        let whole = value.last().is_some_and(|last| last & 0x80 == 0);
        if element.tag != tag::OID || !whole || value.len() > MAX_BYTES {
            return Err(malformed("policy identifier"));
        }
        Ok(Self(value.to_vec()))
    }

    /// DER.
    pub(crate) fn to_der(&self) -> Vec<u8> {
        tlv(tag::OID, &self.0)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arc: u128 = 0;
        let mut first = true;
        for octet in &self.0 {
            arc = arc << 7 | u128::from(octet & 0x7f);
            if octet & 0x80 != 0 {
                continue;
            }
            if first {
                let root = (arc / 40).min(2);
                write!(f, "{root}.{}", arc - root * 40)?;
            } else {
                write!(f, ".{arc}")?;
            }
            (arc, first) = (0, false);
        }
        Ok(())
    }
}

impl FromStr for Policy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::new(Code::Usage, "not an object identifier (expected digits and dots)");
        let arcs = text.split('.').map(|arc| arc.parse::<u128>().map_err(|_| bad())).collect::<Result<Vec<_>>>()?;
        let [root, second, rest @ ..] = arcs.as_slice() else { return Err(bad()) };
        if *root > 2 || (*root < 2 && *second > 39) {
            return Err(bad());
        }
        let mut value = Vec::new();
        push_arc(&mut value, (root * 40).checked_add(*second).ok_or_else(bad)?);
        rest.iter().for_each(|arc| push_arc(&mut value, *arc));
        if value.len() > MAX_BYTES { Err(bad()) } else { Ok(Self(value)) }
    }
}

fn push_arc(out: &mut Vec<u8>, arc: u128) {
    let groups = (128 - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group > 0 { 0x80 } else { 0 };
        out.push((arc >> (7 * group)) as u8 & 0x7f | more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_huge_arcs_come_back() {
        for text in ["0.4.0.2023.1.1", "1.2.840.113549", "2.5.29.32.0", "2.25.340282366920938463463374607431768211455"]
        {
            assert_eq!(text.parse::<Policy>().unwrap().to_string(), text);
        }
        assert_eq!("1.2.840.113549".parse::<Policy>().unwrap().0, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]);
        for bad in ["", "1", "3.1", "1.40", "1.2.x", "1..2"] {
            assert!(bad.parse::<Policy>().is_err(), "{bad}");
        }
    }
}
