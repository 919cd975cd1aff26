//! Lines of a log in any encoding, one at a time, each bounded.
//!
//! Invariant: memory does not grow with the file, nor with one line that never ends; no byte is dropped silently: a line
//! that is too long is given cut and marked.

use std::io::{BufRead, Read};

use encoding_rs::{Encoding, WINDOWS_1252};

/// Longest line kept. A message to five hundred recipients is forty kilobytes.
const LONGEST: usize = 256 << 10;

/// A line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1.
    pub number: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Longer than what is kept.
    pub cut: bool,
}

/// The lines of a stream.
pub struct Lines<R> {
    source: R,
    number: u64,
    /// The byte that ends a line.
    end: u8,
}

impl<R: BufRead> Lines<R> {
    /// Lines that end with this byte.
    pub fn ending(source: R, end: u8) -> Self {
        Self { source, number: 0, end }
    }

    /// The next line; with `\n` as its end, `\r\n` and a lone `\r` at the end of the file end it too.
    pub fn next_line(&mut self) -> std::io::Result<Option<Line>> {
        let mut line = Line { number: self.number + 1, bytes: Vec::new(), cut: false };
        loop {
            let chunk = self.source.fill_buf()?;
            if chunk.is_empty() {
                if line.bytes.is_empty() && !line.cut {
                    return Ok(None);
                }
                break;
            }
            let end = memchr::memchr(self.end, chunk);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = LONGEST - line.bytes.len();
            line.cut |= part.len() > room;
            line.bytes.extend_from_slice(&part[..part.len().min(room)]);
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.source.consume(used);
            if end.is_some() {
                break;
            }
        }
        self.number += 1;
        if line.bytes.last() == Some(&b'\r') {
            line.bytes.pop();
        }
        Ok(Some(line))
    }
}

/// How the bytes of a line were read as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// ASCII or UTF-8.
    Plain,
    /// UTF-8 that had been taken for ISO-8859-1 and encoded again.
    Doubled,
    /// Neither: read as windows-1252.
    Western,
    /// Characters were lost before the line was written.
    Replaced,
}

/// A line as text: UTF-8, UTF-8 encoded twice, or windows-1252; real logs mix them line by line.
pub fn text(bytes: &[u8]) -> (String, Reading) {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => (text.to_owned(), Reading::Plain),
        Ok(text) => match undouble(text) {
            Some(once) => (once, Reading::Doubled),
            None if text.contains('\u{fffd}') => (text.to_owned(), Reading::Replaced),
            None => (text.to_owned(), Reading::Plain),
        },
        Err(_) => (WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(), Reading::Western),
    }
}

/// `Ã¨` back to `è`, when the whole line is so.
fn undouble(text: &str) -> Option<String> {
    let (bytes, _, lost) = WINDOWS_1252.encode(text);
    if lost {
        return None;
    }
    let once = std::str::from_utf8(&bytes).ok()?;
    (!once.is_ascii() && once.chars().count() < text.chars().count()).then(|| once.to_owned())
}

/// A stream in a declared encoding, or with a UTF-16 byte order mark, as UTF-8.
pub struct Decoded<R> {
    source: R,
    decoder: encoding_rs::Decoder,
    input: Vec<u8>,
    output: Vec<u8>,
    given: usize,
    ended: bool,
    /// Whether some bytes were not of the encoding.
    pub lossy: bool,
}

impl<R: Read> Decoded<R> {
    pub fn new(source: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder();
        Self { source, decoder, input: Vec::new(), output: Vec::new(), given: 0, ended: false, lossy: false }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        while self.given == self.output.len() && !self.ended {
            self.input.resize(16 << 10, 0);
            let read = self.source.read(&mut self.input)?;
            self.ended = read == 0;
            let room = self.decoder.max_utf8_buffer_length(read).unwrap_or(64 << 10);
            self.output.resize(room, 0);
            let (_, _, written, lossy) = self.decoder.decode_to_utf8(&self.input[..read], &mut self.output, self.ended);
            self.lossy |= lossy;
            self.output.truncate(written);
            self.given = 0;
        }
        let count = into.len().min(self.output.len() - self.given);
        into[..count].copy_from_slice(&self.output[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_every_way_and_are_bounded() {
        let all = |text: &[u8]| {
            let end = if text.contains(&b'\n') { b'\n' } else { b'\r' };
            let mut lines = Lines::ending(std::io::BufReader::with_capacity(7, text), end);
            std::iter::from_fn(|| lines.next_line().unwrap()).map(|line| line.bytes).collect::<Vec<_>>()
        };
        assert_eq!(all(b"uno\r\ndue\n\ntre"), [&b"uno"[..], b"due", b"", b"tre"]);
        assert_eq!(all(b"uno\rdue lunga\r\rtre\r"), [&b"uno"[..], b"due lunga", b"", b"tre"]);
        assert_eq!(all(b"").len(), 0);
        let long = vec![b'x'; LONGEST + 10];
        let mut lines = Lines::ending(&long[..], b'\n');
        let line = lines.next_line().unwrap().unwrap();
        assert!(line.cut && line.bytes.len() == LONGEST && lines.next_line().unwrap().is_none());
    }

    #[test]
    fn encodings_are_told_apart_line_by_line() {
        assert_eq!(text("perché".as_bytes()), ("perché".into(), Reading::Plain));
        assert_eq!(text(b"perch\xe9"), ("perché".into(), Reading::Western));
        assert_eq!(text("perchÃ©".as_bytes()), ("perché".into(), Reading::Doubled));
        assert_eq!(text("perch\u{fffd}".as_bytes()).1, Reading::Replaced);
        assert_eq!(text(b"\xEF\xBB\xBFa").0, "a");
    }

    #[test]
    fn wide_text_is_decoded_on_the_way() {
        let wide: Vec<u8> = "à;b\nc".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut out = String::new();
        Decoded::new(&wide[..], encoding_rs::UTF_16LE).read_to_string(&mut out).unwrap();
        assert_eq!(out, "à;b\nc");
    }
}
