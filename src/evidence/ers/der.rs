//! The little DER (ITU-T X.690) that an evidence record needs.
//!
//! Invariant: what is read has one encoding only (definite, shortest lengths), nothing is copied before its length was
//! found to be inside the input, and there is no recursion.

pub const SEQUENCE: u8 = 0x30;
pub const OCTETS: u8 = 0x04;
pub const INTEGER: u8 = 0x02;
pub const OID: u8 = 0x06;
pub const NULL: u8 = 0x05;

/// Tag, length and contents.
pub fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = contents.len();
    if length < 0x80 {
        bytes.push(length as u8);
    } else {
        let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
        bytes.push(0x80 | digits.len() as u8);
        bytes.extend(digits);
    }
    bytes.extend_from_slice(contents);
    bytes
}

/// Several values one after the other.
pub fn concat<I: IntoIterator<Item = Vec<u8>>>(values: I) -> Vec<u8> {
    values.into_iter().flatten().collect()
}

/// Values not yet read.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next value: tag, contents, and all its bytes.
    pub fn next(&mut self) -> Option<(u8, &'a [u8], &'a [u8])> {
        let bytes = self.0;
        let (&tag, &first) = (bytes.first()?, bytes.get(1)?);
        let (length, head) = if first < 0x80 {
            (usize::from(first), 2)
        } else {
            let count = usize::from(first & 0x7f);
            let digits = bytes.get(2..2 + count).filter(|d| (1..=4).contains(&count) && d[0] != 0)?;
            let length = digits.iter().fold(0_usize, |n, d| n << 8 | usize::from(*d));
            (length >= 0x80).then_some((length, 2 + count))?
        };
        let whole = bytes.get(..head.checked_add(length)?)?;
        self.0 = &bytes[whole.len()..];
        Some((tag, &whole[head..], whole))
    }

    /// The contents of the next value, which must have this tag.
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|next| next.0 == tag).map(|next| next.1)
    }

    /// The contents of the next value when it has this tag; otherwise nothing is read.
    pub fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&tag) { self.expect(tag) } else { None }
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
