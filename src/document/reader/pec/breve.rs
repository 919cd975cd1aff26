//! Hashes of a breve receipt: `<name>.hash` parts instead of the files themselves (`reference/pec` section 7).
//!
//! The rules say the hash should be taken on the base64-encoded part and elsewhere on its entire content: providers differ, so
//! of an original whose sender asked for brief receipts every one of these is noted, and a receipt is compared with them whichever
//! comes first, without the content being opened again. Names are not compared: providers write them in many ways, and the hash is
//! what the receipt certifies. Invariant: memory does not grow with a file.

use std::io;

use aws_lc_rs::digest::{Context as Hasher, SHA1_FOR_LEGACY_USE_ONLY};
use serde_json::{Value, json};

use super::source::Source;
use super::structure::{Part, Structure};
use super::transfer::{self, Decoder};
use crate::error::{AtPlace, Result};

/// A `.hash` part holds forty digits and perhaps blanks.
const MAX_HASH_PART: usize = 256;
/// Files of an original whose hashes are noted: five or so each, all of them indexed. Of more, none are: a hash that is missing from a
/// list that was cut would look like another file's.
const MAX_FILES: usize = 100;

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
}

/// SHA-1 of everything a provider may have meant, of every file of an original; `None` when there are too many files to say.
pub(super) fn of_files(source: &Source, structure: &Structure) -> Result<Option<Vec<String>>> {
    let is_file = |part: &&Part| part.info.name.is_some() || part.info.media_type == "message/rfc822";
    // The first part is the message itself: a name it may have is nothing that a receipt replaces.
    let files: Vec<&Part> = structure.parts.iter().skip(1).filter(is_file).collect();
    if files.len() > MAX_FILES || structure.too_many || structure.too_deep {
        return Ok(None);
    }
    let mut found = Vec::new();
    for part in files {
        for digest in of_part(source, part).at("content")? {
            if !found.contains(&digest) {
                found.push(digest);
            }
        }
    }
    Ok(Some(found))
}

/// Body as transmitted and decoded, and the whole part; as stored and in CRLF, with and without its last line end.
fn of_part(source: &Source, part: &Part) -> io::Result<Vec<String>> {
    let mut whole = [Hashed::new(), Hashed::new()];
    source.feed(part.start..part.body.start, &mut |piece| whole[0].take(piece))?;
    let mut decoder = Decoder::new(&part.info.encoding);
    let mut decoded = Hasher::new(&SHA1_FOR_LEGACY_USE_ONLY);
    source.feed(part.body.clone(), &mut |piece| {
        whole.iter_mut().for_each(|form| form.take(piece));
        decoder.update(piece, &mut |bytes| decoded.update(bytes));
    })?;
    decoder.finish(&mut |bytes| decoded.update(bytes));
    let content = (!decoder.damaged).then(|| hex(decoded));
    Ok(content.into_iter().chain(whole.into_iter().flat_map(Hashed::finish)).collect())
}

/// Bytes hashed as they are stored and in CRLF, of which the last line ends are held back until it is known that they are the last.
struct Hashed {
    stored: Hasher,
    canonical: Hasher,
    ends: usize,
    last: u8,
}

impl Hashed {
    fn new() -> Self {
        let hasher = Hasher::new(&SHA1_FOR_LEGACY_USE_ONLY);
        Self { stored: hasher.clone(), canonical: hasher, ends: 0, last: 0 }
    }

    fn take(&mut self, piece: &[u8]) {
        self.stored.update(piece);
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match line {
                [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] => (text, true),
                text => (text, false),
            };
            // A carriage return at the end of a piece may belong to the line end that the next piece begins with.
            let (text, returns) = match text {
                [text @ .., b'\r'] if !ended => (text, true),
                text => (text, false),
            };
            if self.last == b'\r' && line != b"\n" {
                self.text(b"\r");
            }
            self.text(text);
            self.ends += usize::from(ended);
            self.last = if returns { b'\r' } else { 0 };
        }
    }

    fn text(&mut self, text: &[u8]) {
        if !text.is_empty() {
            self.line_ends();
            self.canonical.update(text);
        }
    }

    fn line_ends(&mut self) {
        for _ in 0..std::mem::take(&mut self.ends) {
            self.canonical.update(b"\r\n");
        }
    }

    fn finish(mut self) -> [String; 4] {
        if self.last == b'\r' {
            self.text(b"\r");
        }
        let trimmed = self.canonical.clone();
        let mut ended = trimmed.clone();
        ended.update(b"\r\n");
        self.line_ends();
        [hex(trimmed), hex(ended), hex(self.stored), hex(self.canonical)]
    }
}

fn hex(hasher: Hasher) -> String {
    hex::encode(hasher.finish())
}

/// Every bare LF becomes CRLF.
#[cfg(test)]
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
    use std::borrow::Cow;
    use std::io::Write as _;

    use aws_lc_rs::digest;

    use super::*;

    const ORIGINAL: &str = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntesto\n--b\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\nQUJD\nREVG\n\n--b--\n";

    fn sha1(of: &[u8]) -> String {
        hex::encode(digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, of))
    }

    fn found(original: &[u8]) -> Option<Vec<String>> {
        let source = Source::Memory(Cow::Borrowed(original));
        of_files(&source, &Structure::scan(&source, 0..source.len()).unwrap()).unwrap()
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
                let found = found(stored.as_bytes()).unwrap();
                // Bare line feeds can only have been hashed where they are stored.
                let known = said.contains(&b'\r') || said == b"ABCDEF" || stored == ORIGINAL;
                assert_eq!(found.contains(&sha1(said)), known, "{said:?}");
                assert!(!found.contains(&sha1(b"altro")) && !found.contains(&sha1(b"testo")));
            }
        }
    }

    #[test]
    fn line_ends_count_alike_in_pieces_of_every_size() {
        for text in ["a\r\nb\n\r\nc\r\r\n\r\n\n", "\r\n", "", "a\rb\r", "\n\n\na", "a\r\n\r"] {
            let canonical = crlf(text.as_bytes());
            let mut trimmed = canonical.as_slice();
            while let Some(shorter) = trimmed.strip_suffix(b"\r\n") {
                trimmed = shorter;
            }
            let expected = [trimmed, &[trimmed, b"\r\n"].concat(), text.as_bytes(), &canonical].map(sha1);
            for size in 1..=text.len().max(1) {
                let mut hashed = Hashed::new();
                text.as_bytes().chunks(size).for_each(|piece| hashed.take(piece));
                assert_eq!(hashed.finish(), expected, "{text:?} in pieces of {size}");
            }
        }
    }

    #[test]
    fn a_file_on_disk_gives_what_memory_gives_and_too_many_files_give_nothing() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(ORIGINAL.as_bytes()).unwrap();
        let source = Source::File(file, ORIGINAL.len() as u64);
        let structure = Structure::scan(&source, 0..source.len()).unwrap();
        assert_eq!(of_files(&source, &structure).unwrap(), found(ORIGINAL.as_bytes()));
        let part = &ORIGINAL[ORIGINAL.find("--b\nContent-Type").unwrap()..ORIGINAL.find("--b--").unwrap()];
        let many = ORIGINAL.replace(part, &part.repeat(MAX_FILES + 1));
        assert_eq!(found(many.as_bytes()), None);
    }
}
