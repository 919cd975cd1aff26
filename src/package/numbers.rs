//! The lane numbers inside a package: file `numbers`.
//!
//! It survives disposal and holds nothing personal: with it `check` accounts for every number ever issued. Format: the
//! line `custode numbers 1 <count of lanes>`, then for each lane, ascending, unsigned LEB128: lane, count of numbers,
//! first number, and the difference from each number to the next. Invariant: sorted, without repetition, one encoding.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{Lane, Sequence};

const HEADER: &str = "custode numbers 1 ";
/// Largest file read: a number takes at least a byte, and a package has at most a million documents.
pub const MAX_BYTES: u64 = 32 << 20;

/// A set of lane numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Numbers(BTreeMap<Lane, BTreeSet<Sequence>>);

/// What the chain says of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// How many.
    pub count: u64,
    /// The smallest of any lane.
    pub min: u64,
    /// The largest of any lane.
    pub max: u64,
    /// SHA-256 of the file.
    pub sha256: Sha256,
}

impl FromIterator<(Lane, Sequence)> for Numbers {
    fn from_iter<I: IntoIterator<Item = (Lane, Sequence)>>(all: I) -> Self {
        let mut numbers = Self::default();
        for (lane, sequence) in all {
            numbers.0.entry(lane).or_default().insert(sequence);
        }
        numbers
    }
}

impl Numbers {
    /// All of them, by lane and number.
    pub fn iter(&self) -> impl Iterator<Item = (Lane, Sequence)> + '_ {
        self.0.iter().flat_map(|(lane, numbers)| numbers.iter().map(|n| (*lane, *n)))
    }

    /// Whether this number is inside.
    pub fn contains(&self, lane: Lane, sequence: Sequence) -> bool {
        self.0.get(&lane).is_some_and(|numbers| numbers.contains(&sequence))
    }

    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = format!("{HEADER}{}\n", self.0.len()).into_bytes();
        for (lane, numbers) in &self.0 {
            put(&mut bytes, u64::from(lane.0));
            put(&mut bytes, numbers.len() as u64);
            let mut before = 0;
            for number in numbers {
                put(&mut bytes, number.0 - before);
                before = number.0;
            }
        }
        bytes
    }

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        Self::decode(bytes).ok_or_else(|| Error::new(Code::NumbersDisagree, "not as written here").at(super::NUMBERS))
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().take(64).position(|b| *b == b'\n')?;
        let lanes: u64 = std::str::from_utf8(&bytes[..end]).ok()?.strip_prefix(HEADER)?.parse().ok()?;
        let mut rest = &bytes[end + 1..];
        let mut numbers = Self::default();
        for _ in 0..lanes {
            let lane = Lane(u16::try_from(take(&mut rest)?).ok()?);
            let count = take(&mut rest)?;
            let mut set = BTreeSet::new();
            let mut last = 0_u64;
            for _ in 0..count {
                last = last.checked_add(take(&mut rest)?)?;
                set.insert(Sequence(last));
            }
            numbers.0.insert(lane, set);
        }
        // Whatever is not the one encoding of these numbers (order, repetition, longer varints) is refused.
        (rest.is_empty() && numbers.encode() == bytes).then_some(numbers)
    }

    /// What the chain says of them.
    pub fn summary(&self) -> Summary {
        Summary {
            count: self.iter().count() as u64,
            min: self.iter().map(|(_, n)| n.0).min().unwrap_or(0),
            max: self.iter().map(|(_, n)| n.0).max().unwrap_or(0),
            sha256: Sha256::of(&self.encode()),
        }
    }
}

fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_known_file() {
        let numbers: Numbers =
            [(1, 300), (1, 301), (2, 5), (1, 1)].map(|(l, n)| (Lane(l), Sequence(n))).into_iter().collect();
        assert_eq!(numbers.encode(), b"custode numbers 1 2\n\x01\x03\x01\xab\x02\x01\x02\x01\x05");
        let summary = numbers.summary();
        assert_eq!((summary.count, summary.min, summary.max), (4, 1, 301));
        assert!(numbers.contains(Lane(2), Sequence(5)) && !numbers.contains(Lane(2), Sequence(300)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(all in proptest::collection::vec((0_u16..4, 1_u64..u64::MAX), 0..50)) {
            let numbers: Numbers = all.into_iter().map(|(l, n)| (Lane(l), Sequence(n))).collect();
            prop_assert_eq!(Numbers::parse(&numbers.encode()).unwrap(), numbers);
        }

        #[test]
        fn anything_read_is_written_alike(tail in proptest::collection::vec(any::<u8>(), 0..60), lanes in 0_u64..4) {
            let mut bytes = format!("{HEADER}{lanes}\n").into_bytes();
            bytes.extend(tail);
            if let Ok(numbers) = Numbers::parse(&bytes) {
                prop_assert_eq!(numbers.encode(), bytes);
            }
        }
    }
}
