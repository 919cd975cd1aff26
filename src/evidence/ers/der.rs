//! The little DER (ITU-T X.690) that an evidence record needs.
//!
//! Invariant: what is read has one encoding only (definite, shortest lengths), nothing is copied before its length was
//! found to be inside the input, and there is no recursion. Each way of not being DER has a code of its own.

use crate::error::{Code, Error, Result};
use crate::evidence::asn1;

pub const SEQUENCE: u8 = 0x30;
pub const OCTETS: u8 = 0x04;
pub const INTEGER: u8 = 0x02;
pub const OID: u8 = 0x06;
pub const NULL: u8 = 0x05;

/// Tag, length and contents.
pub fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(contents.len() + 6);
    push_head(&mut bytes, tag, contents.len());
    bytes.extend_from_slice(contents);
    bytes
}

/// Tag and length of a value that is written after it: what a package's hundred thousand records are put together with,
/// without a copy for each level.
pub fn push_head(bytes: &mut Vec<u8>, tag: u8, length: usize) {
    bytes.push(tag);
    asn1::push_length(bytes, length);
}

/// Length of the whole value that has contents of this length.
pub fn size(contents: usize) -> usize {
    let octets = if contents < 0x80 { 0 } else { (usize::BITS - contents.leading_zeros()).div_ceil(8) as usize };
    2 + octets + contents
}

/// Several values one after the other.
pub fn concat<I: IntoIterator<Item: AsRef<[u8]>>>(values: I) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Block by block: a token has thousands of bytes, and a package a hundred thousand records.
    for value in values {
        bytes.extend_from_slice(value.as_ref());
    }
    bytes
}

/// What is not as RFC 4998 and DER ask.
pub fn malformed(what: &str) -> Error {
    Error::new(Code::EvidenceMalformed, what)
}

/// One value: tag, contents, and all its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    pub tag: u8,
    pub contents: &'a [u8],
    pub whole: &'a [u8],
}

/// Values not yet read.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next value.
    pub fn next(&mut self) -> Result<Value<'a>> {
        let cut = || malformed("it ends in the middle of a value");
        let bytes = self.0;
        let (&tag, &first) = (bytes.first().ok_or_else(cut)?, bytes.get(1).ok_or_else(cut)?);
        let (length, head) = if first < 0x80 {
            (usize::from(first), 2)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 {
                return Err(Error::new(Code::EvidenceLength, "an indefinite length: BER, not DER"));
            }
            if count > 4 {
                return Err(malformed("a length of more than four octets"));
            }
            let digits = bytes.get(2..2 + count).ok_or_else(cut)?;
            let length = digits.iter().fold(0_usize, |n, d| n << 8 | usize::from(*d));
            if length < 0x80 || digits[0] == 0 {
                return Err(Error::new(Code::EvidenceLength, "a length that is not the shortest: BER, not DER"));
            }
            (length, 2 + count)
        };
        let end = head.checked_add(length).ok_or_else(cut)?;
        let whole = bytes.get(..end).ok_or_else(cut)?;
        self.0 = &bytes[end..];
        Ok(Value { tag, contents: &whole[head..], whole })
    }

    /// The contents of the next value, which must have this tag.
    pub fn expect(&mut self, tag: u8) -> Result<&'a [u8]> {
        let next = self.next()?;
        if next.tag == tag {
            return Ok(next.contents);
        }
        Err(malformed(&format!("tag {:02x} where {tag:02x} was expected", next.tag)))
    }

    /// The contents of the next value when it has this tag; otherwise nothing is read.
    pub fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>> {
        if self.0.first() == Some(&tag) { self.expect(tag).map(Some) } else { Ok(None) }
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        Err(Error::new(Code::EvidenceTrailing, format!("{} bytes after the last value", self.0.len())))
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
