//! Bytes by their place: of a message in memory without a copy, of one in a file without loading it.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use crate::document::Body;
use crate::error::{AtPath, Result};

/// Read at a time from a file.
const CHUNK: usize = 256 << 10;

/// Takes a line: its place, its bytes with their end, whether they begin a line.
pub type OnLine<'a> = dyn FnMut(u64, &[u8], bool) -> io::Result<()> + 'a;

/// Where a message's bytes are.
pub enum Source<'a> {
    /// In memory.
    Memory(Cow<'a, [u8]>),
    /// In a file of this length.
    File(File, u64),
}

impl<'a> Source<'a> {
    /// The bytes of a document.
    pub fn of(body: &'a Body) -> Result<Self> {
        Ok(match body {
            Body::Memory(bytes) => Self::Memory(Cow::Borrowed(bytes)),
            Body::File(path) => {
                let file = File::open(path).at_path(path)?;
                let length = file.metadata().at_path(path)?.len();
                Self::File(file, length)
            }
        })
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }

    /// Gives the bytes of a range, piece by piece.
    pub fn feed(&self, range: Range<u64>, sink: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => sink(slice(bytes, &range)),
            Self::File(file, _) => {
                let mut at = range.start;
                let mut chunk = vec![0; CHUNK.min(usize::try_from(range.end.saturating_sub(at)).unwrap_or(CHUNK))];
                while at < range.end {
                    let room = chunk.len().min(usize::try_from(range.end - at).unwrap_or(CHUNK));
                    let read = read_at(file, &mut chunk[..room], at)?;
                    if read == 0 {
                        break;
                    }
                    sink(&chunk[..read]);
                    at += read as u64;
                }
            }
        }
        Ok(())
    }

    /// The bytes of a range, at most `limit` of them.
    pub fn bytes(&self, range: Range<u64>, limit: usize) -> io::Result<Cow<'_, [u8]>> {
        let range = range.start..range.end.min(range.start.saturating_add(limit as u64));
        match self {
            Self::Memory(bytes) => Ok(Cow::Borrowed(slice(bytes, &range))),
            Self::File(..) => {
                let mut out = Vec::new();
                self.feed(range, &mut |piece| out.extend_from_slice(piece))?;
                Ok(Cow::Owned(out))
            }
        }
    }

    /// Calls `line` with every line of a range, its end included: its place, its bytes, whether they begin a line. A line longer
    /// than `longest` comes in pieces.
    pub fn lines(&self, range: Range<u64>, longest: usize, line: &mut OnLine<'_>) -> io::Result<()> {
        match self {
            Self::Memory(bytes) => {
                let mut begins = true;
                cut(slice(bytes, &range), range.start, longest, true, &mut begins, line)?;
            }
            Self::File(file, _) => {
                let mut buffer = vec![0; CHUNK.max(2 * longest)];
                let (mut held, mut at, mut begins) = (0, range.start, true);
                loop {
                    let wanted = range.end.saturating_sub(at + held as u64);
                    let room = (buffer.len() - held).min(usize::try_from(wanted).unwrap_or(CHUNK));
                    let read = read_at(file, &mut buffer[held..held + room], at + held as u64)?;
                    held += read;
                    let last = read == 0;
                    let used = cut(&buffer[..held], at, longest, last, &mut begins, line)?;
                    if last {
                        break;
                    }
                    buffer.copy_within(used..held, 0);
                    at += used as u64;
                    held -= used;
                }
            }
        }
        Ok(())
    }
}

/// Cuts whole lines, and pieces of lines that are too long; the rest too when it is the last. Says how much was used.
fn cut(
    bytes: &[u8],
    place: u64,
    longest: usize,
    last: bool,
    begins: &mut bool,
    line: &mut OnLine<'_>,
) -> io::Result<usize> {
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let window = &rest[..rest.len().min(longest)];
        let end = match memchr::memchr(b'\n', window) {
            Some(end) => end + 1,
            None if window.len() == longest || last => window.len(),
            None => break,
        };
        line(place + at as u64, &rest[..end], *begins)?;
        *begins = rest[end - 1] == b'\n';
        at += end;
    }
    Ok(at)
}

fn slice<'b>(bytes: &'b [u8], range: &Range<u64>) -> &'b [u8] {
    let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
    bytes.get(at(range.start)..at(range.end)).unwrap_or_default()
}

fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, at) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn memory_and_file_give_the_same_lines() {
        let mut text = b"a\r\n\nlunga ".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * CHUNK));
        text.extend_from_slice(b"\nfine\r\nsenza");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&text).unwrap();
        let sources = [Source::Memory(Cow::Borrowed(&text)), Source::File(file, text.len() as u64)];
        let mut seen = Vec::new();
        for source in &sources {
            let mut lines = Vec::new();
            let range = 1..source.len() - 2;
            source
                .lines(range.clone(), 1000, &mut |at, line, begins| {
                    lines.push((at, line.to_vec(), begins));
                    Ok(())
                })
                .unwrap();
            let joined: Vec<u8> = lines.iter().flat_map(|(_, line, _)| line.clone()).collect();
            assert_eq!(joined, text[1..text.len() - 2]);
            assert_eq!(source.bytes(range, 5).unwrap().as_ref(), b"\r\n\nlu");
            seen.push(lines);
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!(seen[0][0], (1, b"\r\n".to_vec(), true));
        assert!(!seen[0][3].2 && seen[0].last().unwrap().2);
    }
}
