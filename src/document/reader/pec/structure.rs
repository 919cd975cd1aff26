//! A message's parts by their places, found line by line in memory that does not grow with it.
//!
//! Delimiters are matched as complete lines (`reference/pec` section 5: boundaries may start like others); when a prefix would
//! have matched too, parsers disagree about this message, and that is noted. Multiparts are entered, enclosed messages never:
//! who wants to look into one scans its range. Places are exact to the byte, because a signature covers a part as stored
//! (RFC 8551 section 3.5.3: without the line end that belongs to the delimiter).

use std::io;
use std::ops::Range;

use super::part::Info;
use super::source::Source;

/// Longest piece of a line looked at: delimiters have at most 74 characters.
const LINE: usize = 64 << 10;
/// Header block of a message, and of a part: what is longer is not read to its end.
const MAX_HEADER: usize = 256 << 10;
const MAX_PART_HEADER: usize = 32 << 10;
/// Multiparts within multiparts.
const MAX_DEPTH: usize = 16;
/// Parts noted.
const MAX_PARTS: usize = 2000;

/// One part.
#[derive(Debug)]
pub struct Part {
    /// The part it stands in; the message itself stands in none.
    pub parent: Option<usize>,
    /// Its number among its siblings, from 1.
    pub number: usize,
    /// Where its header begins.
    pub start: u64,
    /// Its body, without the line end that belongs to the delimiter after it.
    pub body: Range<u64>,
    /// What its header says.
    pub info: Info,
}

impl Part {
    /// Header and body: what a signature covers.
    pub fn whole(&self) -> Range<u64> {
        self.start..self.body.end
    }
}

/// A message taken apart.
#[derive(Debug, Default)]
pub struct Structure {
    /// The header block of the message, ending with an empty line.
    pub header: Vec<u8>,
    /// The parts in order; the first is the message itself.
    pub parts: Vec<Part>,
    /// The header was longer than what is read.
    pub header_cut: bool,
    /// Exact and prefix matching of delimiters disagree.
    pub ambiguous: bool,
    /// Multiparts nested too deeply.
    pub too_deep: bool,
    /// More parts than are noted.
    pub too_many: bool,
    /// The message ended before its last delimiter.
    pub truncated: bool,
}

impl Structure {
    /// Parts that stand directly in this one.
    pub fn children(&self, parent: usize) -> impl Iterator<Item = (usize, &Part)> {
        // Children come after their parent.
        self.parts.iter().enumerate().skip(parent + 1).filter(move |(_, part)| part.parent == Some(parent))
    }

    /// Numbers of a part and of those it stands in, as IMAP writes them: `2.1`; the message itself has none.
    pub fn path(&self, part: usize) -> String {
        let mut numbers = Vec::new();
        let mut at = Some(part);
        while let Some(part) = at {
            if self.parts[part].parent.is_some() {
                numbers.push(self.parts[part].number.to_string());
            }
            at = self.parts[part].parent;
        }
        numbers.reverse();
        numbers.join(".")
    }

    /// Takes the message in this range apart.
    pub fn scan(source: &Source, range: Range<u64>) -> io::Result<Self> {
        let mut scan = Scan {
            source,
            out: Self::default(),
            open: Vec::new(),
            unclosed: Vec::new(),
            state: State::Outside,
            content_end: range.start,
        };
        let mut first = true;
        source.lines(range.clone(), LINE, &mut |at, line, begins| {
            if std::mem::take(&mut first) {
                let mark = if line.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
                // The first line of an mbox file belongs to the file, not to the message.
                let skipped = if line.starts_with(b"From ") { line.len() as u64 } else { mark };
                scan.begin(None, at + skipped);
                if skipped > 3 {
                    return Ok(());
                }
            }
            scan.line(at, line, begins)
        })?;
        if first {
            scan.begin(None, range.start);
        }
        scan.finish(range.end)
    }
}

/// An open multipart.
struct Open {
    part: usize,
    boundary: Vec<u8>,
    children: usize,
}

#[derive(Clone, Copy)]
enum State {
    /// In the header of the part.
    Header(usize),
    /// In the body of a part.
    Body,
    /// Before the first delimiter of a multipart or after its last.
    Outside,
}

struct Scan<'a> {
    source: &'a Source<'a>,
    out: Structure,
    open: Vec<Open>,
    /// Parts whose end is not known yet, in order.
    unclosed: Vec<usize>,
    state: State,
    /// Where the line before ended, without its line end.
    content_end: u64,
}

impl Scan<'_> {
    fn line(&mut self, at: u64, line: &[u8], begins: bool) -> io::Result<()> {
        let end = at + line.len() as u64;
        if begins
            && line.starts_with(b"--")
            && let Some((level, last)) = self.delimiter(line)
        {
            self.delimited(at, end, level, last)?;
            self.content_end = end;
            return Ok(());
        }
        if let State::Header(part) = self.state
            && begins
            && matches!(line, b"\n" | b"\r\n")
        {
            self.enter(part, at, end)?;
        }
        self.content_end = match line {
            [.., b'\r', b'\n'] => end - 2,
            [.., b'\n'] => end - 1,
            _ => end,
        };
        Ok(())
    }

    /// The open multipart whose complete delimiter this line is, innermost first, and whether it is its last.
    fn delimiter(&mut self, line: &[u8]) -> Option<(usize, bool)> {
        let text = &line.trim_ascii_end().get(2..)?;
        let mut exact = None;
        let mut prefixed = false;
        for (level, multipart) in self.open.iter().enumerate().rev() {
            let Some(rest) = text.strip_prefix(multipart.boundary.as_slice()) else { continue };
            match rest {
                b"" | b"--" if exact.is_none() => exact = Some((level, rest == b"--")),
                _ => prefixed = true,
            }
        }
        self.out.ambiguous |= prefixed;
        exact
    }

    fn delimited(&mut self, at: u64, after: u64, level: usize, last: bool) -> io::Result<()> {
        if let State::Header(part) = self.state {
            // A part that ends inside its header has no body.
            self.enter(part, at, at)?;
        }
        let multipart = self.open[level].part;
        while let Some(part) = self.unclosed.pop_if(|part| *part != multipart) {
            self.close(part, self.content_end);
        }
        if last {
            self.open.truncate(level);
            self.state = State::Outside;
            return Ok(());
        }
        self.open.truncate(level + 1);
        self.open[level].children += 1;
        self.begin(Some(level), after);
        Ok(())
    }

    /// A new part.
    fn begin(&mut self, level: Option<usize>, start: u64) {
        if self.out.parts.len() >= MAX_PARTS {
            self.out.too_many = true;
            self.state = State::Outside;
            return;
        }
        let (parent, number) = match level {
            Some(level) => (Some(self.open[level].part), self.open[level].children),
            None => (None, 1),
        };
        let part = self.out.parts.len();
        self.out.parts.push(Part { parent, number, start, body: start..start, info: Info::default() });
        self.unclosed.push(part);
        self.state = State::Header(part);
    }

    fn close(&mut self, part: usize, end: u64) {
        let part = &mut self.out.parts[part];
        part.body.start = part.body.start.max(part.start);
        part.body.end = end.max(part.body.start);
    }

    /// The header of a part is complete: what is it, and what follows?
    fn enter(&mut self, part: usize, header_end: u64, body: u64) -> io::Result<()> {
        let limit = if part == 0 { MAX_HEADER } else { MAX_PART_HEADER };
        let start = self.out.parts[part].start;
        self.out.header_cut |= header_end.saturating_sub(start) > limit as u64;
        let mut block = self.source.bytes(start..header_end, limit)?.into_owned();
        block.extend_from_slice(b"\r\n");
        let (info, boundary) = Info::read(&block);
        let noted = &mut self.out.parts[part];
        noted.info = info;
        noted.body = body..body;
        if part == 0 {
            self.out.header = block;
        }
        self.state = match boundary {
            Some(_) if self.open.len() >= MAX_DEPTH => {
                self.out.too_deep = true;
                State::Body
            }
            Some(boundary) => {
                self.open.push(Open { part, boundary, children: 0 });
                State::Outside
            }
            None => State::Body,
        };
        Ok(())
    }

    fn finish(mut self, end: u64) -> io::Result<Structure> {
        self.out.truncated = !self.open.is_empty();
        if let State::Header(part) = self.state {
            // A header without the empty line that ends it.
            self.enter(part, end, end)?;
            self.out.truncated = true;
        }
        while let Some(part) = self.unclosed.pop() {
            self.close(part, end);
        }
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests;
