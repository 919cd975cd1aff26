//! Hashes of a breve receipt: `<name>.hash` parts instead of the files themselves (`reference/pec` section 7).
//!
//! The rules say the hash should be taken on the base64-encoded part and elsewhere on its entire content: providers differ, so
//! whoever holds the original accepts any of these.

use std::borrow::Cow;

use aws_lc_rs::digest;
use serde_json::{Value, json};

use super::source::Source;
use super::structure::{Part, Structure};
use super::transfer;
use crate::error::{AtPlace, Result};

/// A `.hash` part holds forty digits and perhaps blanks.
const MAX_HASH_PART: usize = 256;

/// What a breve receipt says of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hash {
    /// Name of the file, without `.hash`.
    pub name: String,
    /// Its SHA-1 in lower-case hex.
    pub sha1: String,
}

impl Hash {
    /// From the part that stands in for a file; `None` when the part is something else.
    pub(super) fn of(source: &Source, part: &Part) -> Result<Option<Self>> {
        let Some(name) = part.info.name.as_deref() else { return Ok(None) };
        let stem = name.len().checked_sub(5).and_then(|at| name.split_at_checked(at));
        let Some((stem, ".hash" | ".HASH")) = stem else { return Ok(None) };
        let raw = source.bytes(part.body.clone(), MAX_HASH_PART).at("content")?;
        let decoded = transfer::decoded(&part.info.encoding, &raw).unwrap_or_default();
        let text = decoded.trim_ascii();
        let digits = text.len() == 40 && text.iter().all(u8::is_ascii_hexdigit);
        Ok(digits.then(|| Self { name: stem.to_owned(), sha1: String::from_utf8_lossy(text).to_ascii_lowercase() }))
    }

    /// As in the field `hashes`.
    pub fn to_json(&self) -> Value {
        json!({ "name": self.name, "sha1": self.sha1 })
    }

    /// From the field `hashes`.
    pub fn from_json(value: &Value) -> Option<Self> {
        Some(Self { name: value.get("name")?.as_str()?.to_owned(), sha1: value.get("sha1")?.as_str()?.to_owned() })
    }
}

/// Whether a file of the original is what the receipt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Match {
    /// The hash is that of the file.
    Same,
    /// There is a file of that name, and the hash is not its.
    Differs,
    /// The original has no file of that name.
    Missing,
}

/// Compares the original message, unmodified, with the hashes of a breve receipt: one answer each.
pub fn breve_matches(original: &[u8], hashes: &[Hash]) -> Vec<Match> {
    let source = Source::Memory(Cow::Borrowed(original));
    let Ok(structure) = Structure::scan(&source, 0..source.len()) else {
        return vec![Match::Missing; hashes.len()];
    };
    let mut of_part: Vec<Option<Vec<String>>> = structure.parts.iter().map(|_| None).collect();
    hashes
        .iter()
        .map(|hash| {
            let mut found = Match::Missing;
            for (part, digests) in structure.parts.iter().zip(&mut of_part) {
                if part.info.name.as_deref() != Some(hash.name.as_str()) {
                    continue;
                }
                if digests.get_or_insert_with(|| digests_of(&source, part)).contains(&hash.sha1) {
                    return Match::Same;
                }
                found = Match::Differs;
            }
            found
        })
        .collect()
}

/// SHA-1 of everything a provider may have meant: body as transmitted and decoded, the whole part; with and without its last
/// line end, in CRLF.
fn digests_of(source: &Source, part: &Part) -> Vec<String> {
    let bytes = |range| source.bytes(range, usize::MAX).map(Cow::into_owned).unwrap_or_default();
    let sha1 = |bytes: &[u8]| hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes));
    let body = bytes(part.body.clone());
    let mut out = Vec::new();
    if let Some(decoded) = transfer::decoded(&part.info.encoding, &body) {
        out.push(sha1(&decoded));
    }
    for stored in [body, bytes(part.whole())] {
        let canonical = crlf(&stored);
        let mut trimmed = canonical.as_slice();
        while let Some(shorter) = trimmed.strip_suffix(b"\r\n") {
            trimmed = shorter;
        }
        for form in [trimmed.to_vec(), [trimmed, b"\r\n"].concat(), stored, canonical] {
            let digest = sha1(&form);
            if !out.contains(&digest) {
                out.push(digest);
            }
        }
    }
    out
}

/// Every bare LF becomes CRLF.
pub(super) fn crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    let mut at = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        let line = &bytes[at..end];
        out.extend_from_slice(line);
        out.extend_from_slice(if line.ends_with(b"\r") { b"\n" } else { b"\r\n" });
        at = end + 1;
    }
    out.extend_from_slice(&bytes[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGINAL: &str = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntesto\n--b\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\nQUJD\nREVG\n\n--b--\n";

    fn hash(name: &str, of: &[u8]) -> Hash {
        let sha1 = hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, of));
        Hash { name: name.to_owned(), sha1 }
    }

    #[test]
    fn encoded_and_decoded_are_both_accepted() {
        for said in [
            &b"ABCDEF"[..],
            b"QUJD\r\nREVG",
            b"QUJD\r\nREVG\r\n",
            b"QUJD\nREVG\n",
            b"Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\nREVG\r\n",
        ] {
            for stored in [ORIGINAL.to_owned(), ORIGINAL.replace('\n', "\r\n")] {
                let hashes = [hash("a.pdf", said), hash("a.pdf", b"altro"), hash("b.pdf", said)];
                let found = breve_matches(stored.as_bytes(), &hashes);
                // Bare line feeds can only have been hashed where they are stored.
                let first = if said.contains(&b'\r') || said == b"ABCDEF" || stored == ORIGINAL {
                    Match::Same
                } else {
                    Match::Differs
                };
                assert_eq!(found, [first, Match::Differs, Match::Missing], "{said:?}");
            }
        }
        let kept = hash("a.pdf", b"x");
        assert_eq!(Hash::from_json(&kept.to_json()), Some(kept));
    }
}
