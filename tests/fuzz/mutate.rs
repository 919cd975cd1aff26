//! Deterministic damage: what transmissions, editors and enemies do to files, from a seeded generator.

use custode::corpus::Rng;

/// Longest input made: long enough to show quadratic behaviour, short enough for thousands of trials.
pub const LONGEST: usize = 64 * 1024;

/// Bytes that mean something to some format.
const SPECIAL: &[u8] = b"\0\x01\x7f\x80\xff\r\n\t <>&\"'=;:,-/%()\\0909\x30\x31\x82\xa0";

/// Damages `input` one to four times. `others` are whole files to splice with, `words` the format's dictionary.
pub fn mutate(input: &[u8], others: &[(&str, &[u8])], words: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..rng.between(1, 4) {
        once(&mut bytes, others, words, rng);
        bytes.truncate(LONGEST);
    }
    bytes
}

fn once(bytes: &mut Vec<u8>, others: &[(&str, &[u8])], words: &[Vec<u8>], rng: &mut Rng) {
    let at = below(rng, bytes.len() + 1);
    let range = at..(at + rng.size(1, 2048)).min(bytes.len());
    match rng.below(20) {
        // Bits and bytes.
        0..=4 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
        5..=7 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = *rng.pick(SPECIAL);
            }
        }
        // Losses.
        8 => bytes.truncate(at),
        9 => drop(bytes.drain(range)),
        // Repetitions, now and then up to the limit: nesting, endless lists, long lines.
        10 | 11 => {
            let piece = bytes[range].to_vec();
            insert(bytes, at, &piece);
        }
        12 => {
            let piece = bytes[range].to_vec();
            fill(bytes, at, &piece, rng);
        }
        13 if !words.is_empty() => {
            let word = rng.pick(words).clone();
            fill(bytes, at, &word, rng);
        }
        // Words of the format where they do not belong.
        14 | 15 if !words.is_empty() => insert(bytes, at, &rng.pick(words).clone()),
        16 if !words.is_empty() => {
            let word = rng.pick(words);
            let end = (at + word.len()).min(bytes.len());
            bytes.splice(at..end, word.iter().copied());
        }
        // The beginning of this, the end of another.
        17 if !others.is_empty() => {
            let (_, other) = rng.pick(others);
            let from = below(rng, other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        18 => bytes.iter_mut().skip(at).take(64).filter(|b| b.is_ascii_digit()).for_each(|b| *b = b'9'),
        _ => {
            let noise = rng.bytes(range.len().min(64));
            bytes.splice(range.start..range.start + noise.len(), noise);
        }
    }
}

fn below(rng: &mut Rng, limit: usize) -> usize {
    usize::try_from(rng.below(limit as u64)).unwrap_or(0)
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

/// Inserts a piece again and again, up to [`LONGEST`] one time in eight.
fn fill(bytes: &mut Vec<u8>, at: usize, piece: &[u8], rng: &mut Rng) {
    let room = LONGEST.saturating_sub(bytes.len());
    let wanted = if rng.chance(125) { room } else { room / 16 };
    let piece = piece.repeat(wanted / piece.len().max(1));
    insert(bytes, at, &piece);
}
