//! Hashes of a breve receipt: `<name>.hash` parts instead of the files themselves (`reference/pec` section 7).
//!
//! The rules say the hash should be taken on the base64-encoded part and elsewhere on its entire content: providers differ, so
//! of an original whose sender asked for brief receipts every one of these is noted, and a receipt is compared with them whichever
//! comes first, without the content being opened again. Each file is one line, `<sha1>,<sha1>…/<name>`, of an original and of a
//! receipt alike: a hash says something only of the file it is named after, and a file without one is not certified. Parts that a
//! receipt leaves as they are (a signature, what is signed in the opaque form) stand for themselves. Invariant: memory does not grow
//! with a file.

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

/// Characters of a name that are compared.
const MAX_NAME: usize = 200;
/// In the place of a hash that is not one.
const UNREADABLE: &str = "?";

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
        let Some(stem) = part.info.name.as_deref().and_then(stem) else { return Ok(None) };
        Ok(digits(source, part)?.map(|sha1| Self { name: stem.to_owned(), sha1 }))
    }

    /// As in the field `hashes`.
    pub fn to_json(&self) -> Value {
        json!({ "name": self.name, "sha1": self.sha1 })
    }
}

/// The name of the file that a part of this name stands in for.
fn stem(name: &str) -> Option<&str> {
    let (stem, end) = name.split_at_checked(name.len().checked_sub(5)?)?;
    end.eq_ignore_ascii_case(".hash").then_some(stem)
}

/// What the part holds, when that is a SHA-1.
fn digits(source: &Source, part: &Part) -> Result<Option<String>> {
    let raw = source.bytes(part.body.clone(), MAX_HASH_PART).at("content")?;
    let decoded = transfer::decoded(&part.info.encoding, &raw).unwrap_or_default();
    let text = decoded.trim_ascii();
    let digits = text.len() == 40 && text.iter().all(u8::is_ascii_hexdigit);
    Ok(digits.then(|| String::from_utf8_lossy(text).to_ascii_lowercase()))
}

/// The files of a message and where they stand; `None` when there are too many to say.
fn files(structure: &Structure) -> Option<impl Iterator<Item = (usize, &Part)>> {
    let is_file = |(_, part): &(usize, &Part)| part.info.name.is_some() || part.info.media_type == "message/rfc822";
    // The first part is the message itself: a name it may have is nothing that a receipt replaces.
    let files = || structure.parts.iter().enumerate().skip(1).filter(is_file);
    (files().count() <= MAX_FILES && !structure.too_many && !structure.too_deep).then(files)
}

/// Every file of an original, with SHA-1 of everything a provider may have meant; `None` when there are too many files to say.
pub(super) fn of_files(source: &Source, structure: &Structure) -> Result<Option<Vec<String>>> {
    let Some(files) = files(structure) else { return Ok(None) };
    let lines = files.map(|(_, part)| Ok(line(&of_part(source, part).at("content")?, part.info.name.as_deref())));
    lines.collect::<Result<Vec<_>>>().map(Some)
}

/// Every file that a brief receipt speaks of, and the places of parts that should hold a hash and do not.
pub(super) fn of_receipt(source: &Source, structure: &Structure) -> Result<Option<(Vec<String>, Vec<String>)>> {
    let Some(files) = files(structure) else { return Ok(None) };
    let (mut lines, mut unreadable) = (Vec::new(), Vec::new());
    for (at, part) in files {
        let name = part.info.name.as_deref();
        lines.push(match name.and_then(stem) {
            None => line(&of_part(source, part).at("content")?, name),
            Some(stem) => {
                let digits = digits(source, part)?;
                if digits.is_none() {
                    unreadable.push(structure.path(at));
                }
                line(digits.as_slice(), Some(stem))
            }
        });
    }
    Ok(Some((lines, unreadable)))
}

/// Hashes and name of a file in one line. The name as it is compared: without path and case, and no longer than it need be.
fn line(hashes: &[String], name: Option<&str>) -> String {
    let name = name.unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default();
    let words: Vec<&str> = name.split_whitespace().collect();
    let name: String = words.join(" ").to_lowercase().chars().take(MAX_NAME).collect();
    let mut distinct: Vec<&str> = Vec::with_capacity(hashes.len());
    hashes.iter().for_each(|hash| {
        if !distinct.contains(&hash.as_str()) {
            distinct.push(hash)
        }
    });
    format!("{}/{name}", if distinct.is_empty() { UNREADABLE.to_owned() } else { distinct.join(",") })
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

    fn receipt(text: &str) -> (Vec<String>, Vec<String>) {
        let source = Source::Memory(Cow::Borrowed(text.as_bytes()));
        of_receipt(&source, &Structure::scan(&source, 0..source.len()).unwrap()).unwrap().unwrap()
    }

    #[test]
    fn a_receipt_names_each_file_with_its_hash_or_without() {
        let part = |name: &str, inside: &str| format!("--b\nContent-Type: text/plain; name=\"{name}\"\n\n{inside}\n");
        let hash = "0123456789abcdef0123456789ABCDEF01234567";
        let (lines, unreadable) = receipt(&format!(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntesto\n{}{}{}--b--\n",
            part("C:\\\\Doc  Uno.pdf.HASH", hash),
            part("due.pdf.hash", &hash[1..]),
            part("smime.p7s", "x"),
        ));
        assert_eq!(lines[..2], [format!("{}/doc uno.pdf", hash.to_lowercase()), "?/due.pdf".to_owned()]);
        assert!(lines[2].contains(&sha1(b"x")) && lines[2].ends_with("/smime.p7s"), "{lines:?}");
        assert_eq!(unreadable, ["3"]);
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
                assert!(found.len() == 1 && found[0].ends_with("/a.pdf"), "{found:?}");
                let found: Vec<String> = found[0].split(['/', ',']).map(str::to_owned).collect();
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
