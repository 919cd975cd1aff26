//! DER, written and read by hand: what is signed must be the bytes themselves, never a re-encoding of them.
//!
//! The reader is strict (ITU-T X.690 clause 10: definite, minimal lengths) and never copies; it cannot overrun its slice. The
//! writer makes canonical DER (sorted `SET OF`, minimal integers).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::error::{Code, Error, Result};
use crate::evidence::Oid;

/// Tag numbers of the universal class that are used here.
pub mod tag {
    #![allow(missing_docs)]
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const BIT_STRING: u8 = 0x03;
    pub const OCTET_STRING: u8 = 0x04;
    pub const NULL: u8 = 0x05;
    pub const OID: u8 = 0x06;
    pub const UTF8: u8 = 0x0c;
    pub const PRINTABLE: u8 = 0x13;
    pub const IA5: u8 = 0x16;
    pub const UTC_TIME: u8 = 0x17;
    pub const GENERALIZED_TIME: u8 = 0x18;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
    /// Context tag, primitive.
    pub const fn context(number: u8) -> u8 {
        0x80 | number
    }
    /// Context tag, constructed.
    pub const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// The error of this module: unreadable ASN.1, and what was expected.
pub(crate) fn malformed(what: impl Into<String>) -> Error {
    Error::new(Code::DerMalformed, what)
}

// -- writing -----------------------------------------------------------------------------------------------------------

/// Appends a definite, minimal length.
pub(crate) fn push_length(out: &mut Vec<u8>, length: usize) {
    if length < 0x80 {
        out.push(length as u8);
        return;
    }
    let bytes = length.to_be_bytes();
    let skip = bytes.iter().take_while(|b| **b == 0).count();
    out.push(0x80 | (bytes.len() - skip) as u8);
    out.extend_from_slice(&bytes[skip..]);
}

/// One element from its tag and content.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    push_length(&mut out, content.len());
    out.extend_from_slice(content);
    out
}

/// One constructed element from its parts, in the order given.
pub fn constructed(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    tlv(tag, &parts.concat())
}

/// `SEQUENCE` of these elements.
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    constructed(tag::SEQUENCE, parts)
}

/// `SET OF` under `tag`, sorted as DER asks (X.690 clause 11.6).
pub fn set_of(tag: u8, mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    tlv(tag, &parts.concat())
}

/// `OBJECT IDENTIFIER`.
pub fn oid(oid: &Oid) -> Vec<u8> {
    tlv(tag::OID, oid.as_bytes())
}

/// `INTEGER` from an unsigned big-endian number.
pub fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let skip = bytes.iter().take_while(|b| **b == 0).count();
    let bytes = &bytes[skip..];
    let mut content = Vec::with_capacity(bytes.len() + 1);
    if bytes.first().is_none_or(|b| b & 0x80 != 0) {
        content.push(0);
    }
    content.extend_from_slice(bytes);
    tlv(tag::INTEGER, &content)
}

/// A small `INTEGER`.
pub fn small(number: u32) -> Vec<u8> {
    unsigned(&number.to_be_bytes())
}

/// `OCTET STRING`.
pub fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(tag::OCTET_STRING, bytes)
}

/// `BIT STRING` of whole octets.
pub fn bits(bytes: &[u8]) -> Vec<u8> {
    constructed(tag::BIT_STRING, &[&[0], bytes])
}

/// `BIT STRING` of named bits, without trailing zeros (X.690 clause 11.2.2).
pub fn named_bits(set: &[u8]) -> Vec<u8> {
    let Some(last) = set.iter().max() else { return tlv(tag::BIT_STRING, &[0]) };
    let mut content = vec![0u8; 2 + usize::from(last / 8)];
    content[0] = 7 - last % 8;
    for bit in set {
        content[1 + usize::from(bit / 8)] |= 0x80 >> (bit % 8);
    }
    tlv(tag::BIT_STRING, &content)
}

/// `BOOLEAN TRUE`.
pub fn true_() -> Vec<u8> {
    tlv(tag::BOOLEAN, &[0xff])
}

/// `NULL`.
pub fn null() -> Vec<u8> {
    tlv(tag::NULL, &[])
}

/// `GeneralizedTime`, UTC, milliseconds without trailing zeros (RFC 3161 section 2.4.2).
pub fn generalized_time(instant: Timestamp) -> Vec<u8> {
    let civil = TimeZone::UTC.to_datetime(instant);
    let mut text = format!("{}", civil.strftime("%Y%m%d%H%M%S"));
    let ms = civil.subsec_nanosecond() / 1_000_000;
    if ms > 0 {
        text.push_str(format!(".{ms:03}").trim_end_matches('0'));
    }
    text.push('Z');
    tlv(tag::GENERALIZED_TIME, text.as_bytes())
}

/// `Time` of RFC 5280 and CMS: UTCTime until 2049, then GeneralizedTime; whole seconds.
pub fn time(instant: Timestamp) -> Vec<u8> {
    let civil = TimeZone::UTC.to_datetime(instant);
    if (1950..2050).contains(&civil.year()) {
        tlv(tag::UTC_TIME, civil.strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
    } else {
        tlv(tag::GENERALIZED_TIME, civil.strftime("%Y%m%d%H%M%SZ").to_string().as_bytes())
    }
}

// -- reading -----------------------------------------------------------------------------------------------------------

/// One element: its tag, its content, and all of its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Tlv<'a> {
    /// First identifier octet.
    pub tag: u8,
    /// Content octets.
    pub value: &'a [u8],
    /// Identifier, length and content octets.
    pub raw: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// Reads what is inside.
    pub fn inside(&self) -> Reader<'a> {
        Reader::new(self.value)
    }

    /// The identifier, when this is one.
    pub fn oid(&self) -> Result<Oid> {
        if self.tag != tag::OID {
            return Err(malformed(format!("expected an OBJECT IDENTIFIER, found tag {:#04x}", self.tag)));
        }
        Oid::from_bytes(self.value).map_err(|e| malformed(format!("object identifier: {e}")))
    }

    /// Octets of a whole-octet `BIT STRING`.
    pub fn whole_bits(&self) -> Result<&'a [u8]> {
        match (self.tag, self.value) {
            (tag::BIT_STRING, [0, rest @ ..]) => Ok(rest),
            _ => Err(malformed("expected a BIT STRING of whole octets")),
        }
    }

    /// Whether a named bit is set.
    pub fn bit(&self, number: usize) -> bool {
        self.value.get(1 + number / 8).is_some_and(|octet| octet & (0x80 >> (number % 8)) != 0)
    }

    /// A small non-negative `INTEGER`.
    pub fn small(&self) -> Result<u32> {
        let bytes = self.unsigned()?;
        if bytes.len() > 4 {
            return Err(malformed("integer out of range"));
        }
        Ok(bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
    }

    /// Magnitude of a non-negative `INTEGER`, without leading zeros.
    pub fn unsigned(&self) -> Result<&'a [u8]> {
        let first = *self.value.first().ok_or_else(|| malformed("empty INTEGER"))?;
        if first & 0x80 != 0 {
            return Err(malformed("negative INTEGER"));
        }
        let skip = self.value.iter().take_while(|b| **b == 0).count();
        Ok(&self.value[skip..])
    }

    /// UTCTime or GeneralizedTime with `Z`; fractions are kept down to the nanosecond.
    pub fn time(&self) -> Result<Timestamp> {
        parse_time(self.tag, self.value).ok_or_else(|| malformed("not a UTC time"))
    }
}

fn parse_time(tag: u8, value: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(value).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if tag == tag::GENERALIZED_TIME => (whole, Some(fraction)),
        Some(_) => return None,
        None => (text, None),
    };
    if !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, rest): (i16, &str) = match (tag, whole.len()) {
        (tag::UTC_TIME, 12) => {
            let yy: i16 = whole[..2].parse().ok()?;
            (if yy < 50 { 2000 + yy } else { 1900 + yy }, &whole[2..])
        }
        (tag::GENERALIZED_TIME, 14) => (whole[..4].parse().ok()?, &whole[4..]),
        _ => return None,
    };
    let field = |i: usize| rest[2 * i..2 * i + 2].parse::<i8>().ok();
    let nanos = match fraction {
        None => 0,
        Some(f) if f.is_empty() || f.len() > 9 || !f.bytes().all(|b| b.is_ascii_digit()) => return None,
        Some(f) => format!("{f:0<9}").parse::<i32>().ok()?,
    };
    let civil = DateTime::new(year, field(0)?, field(1)?, field(2)?, field(3)?, field(4)?, nanos).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

/// Walks elements one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads these bytes from the start.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Exactly one element with this tag and nothing after it.
    pub fn only(bytes: &'a [u8], tag: u8) -> Result<Tlv<'a>> {
        let mut reader = Self::new(bytes);
        let element = reader.expect(tag)?;
        reader.finish()?;
        Ok(element)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Tag of the next element.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element.
    #[allow(clippy::should_implement_trait)] // fails, so it is not an iterator
    pub fn next(&mut self) -> Result<Tlv<'a>> {
        let bytes = self.rest;
        let (&tag, rest) = bytes.split_first().ok_or_else(|| malformed("ended where an element was expected"))?;
        if tag & 0x1f == 0x1f {
            return Err(malformed("tag number above 30"));
        }
        let (&first, rest) = rest.split_first().ok_or_else(|| malformed("ended before a length"))?;
        let (length, header) = if first < 0x80 {
            (usize::from(first), 2)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 || rest.len() < count {
                return Err(malformed("length not definite, too large or cut"));
            }
            let length = rest[..count].iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
            if rest[0] == 0 || length < 0x80 {
                return Err(malformed("length not minimal"));
            }
            (usize::try_from(length).map_err(|_| malformed("length too large"))?, 2 + count)
        };
        let end = header.checked_add(length).filter(|end| *end <= bytes.len());
        let end = end.ok_or_else(|| malformed("an element is longer than what holds it"))?;
        self.rest = &bytes[end..];
        Ok(Tlv { tag, value: &bytes[header..end], raw: &bytes[..end] })
    }

    /// The next element, which must have this tag.
    pub fn expect(&mut self, tag: u8) -> Result<Tlv<'a>> {
        let element = self.next()?;
        if element.tag != tag {
            return Err(malformed(format!("expected tag {tag:#04x}, found {:#04x}", element.tag)));
        }
        Ok(element)
    }

    /// The next element when it has this tag.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Tlv<'a>>> {
        if self.peek() == Some(tag) { self.next().map(Some) } else { Ok(None) }
    }

    /// All elements left.
    pub fn all(mut self) -> Result<Vec<Tlv<'a>>> {
        let mut elements = Vec::new();
        while !self.is_empty() {
            elements.push(self.next()?);
        }
        Ok(elements)
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(malformed(format!("{} bytes too many", self.rest.len()))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_and_without_fractions_come_back() {
        for text in ["2026-11-22T10:00:00Z", "2026-11-22T10:00:00.25Z", "2049-12-31T23:59:59.001Z"] {
            let instant: Timestamp = text.parse().unwrap();
            let der = generalized_time(instant);
            assert_eq!(Reader::new(&der).next().unwrap().time().unwrap(), instant);
        }
        let der = generalized_time("2026-11-22T10:00:00.250Z".parse().unwrap());
        assert_eq!(&der[2..], b"20261122100000.25Z");
        let late: Timestamp = "2051-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(time(late)[0], tag::GENERALIZED_TIME);
        assert_eq!(Reader::new(&time(late)).next().unwrap().time().unwrap(), late);
    }

    #[test]
    fn lengths_must_be_definite_and_minimal_and_fit() {
        for bad in [&[0x30, 0x80, 0, 0][..], &[0x04, 0x81, 0x01, 0], &[0x04, 0x05, 1], &[0x04], &[], &[0x1f, 0x01, 0]] {
            assert!(Reader::new(bad).next().is_err(), "{bad:02x?}");
        }
        let long = octets(&[7; 300]);
        assert_eq!(&long[..4], &[0x04, 0x82, 0x01, 0x2c]);
        assert_eq!(Reader::only(&long, tag::OCTET_STRING).unwrap().value.len(), 300);
    }

    #[test]
    fn integers_and_named_bits_are_canonical() {
        assert_eq!(unsigned(&[0, 0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0]), [2, 1, 0]);
        assert_eq!(named_bits(&[5, 6]), [3, 2, 1, 0x06]);
        assert_eq!(named_bits(&[0]), [3, 2, 7, 0x80]);
    }
}
