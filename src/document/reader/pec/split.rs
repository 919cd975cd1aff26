//! A message taken apart line by line, in memory that does not grow with it: a 100 MB message costs a few hundred KiB.
//!
//! Delimiters are matched as complete lines (`reference/pec` section 5: boundaries may start like others); when a
//! prefix would have matched too, parsers disagree about this message, and that is noted. Multiparts are entered,
//! enclosed messages never. Only parts that may be `daticert.xml` are kept, up to a limit.

use std::io::{self, BufRead};

use mail_parser::{HeaderName, MessageParser, MimeHeaders};

/// Longest piece of a line looked at: delimiters have at most 74 characters.
const LINE: usize = 64 << 10;
/// Header block of the message, and of a part.
const MAX_HEADER: usize = 256 << 10;
const MAX_PART_HEADER: usize = 32 << 10;
/// Multiparts within multiparts.
const MAX_DEPTH: usize = 8;
/// Parts noted.
const MAX_PARTS: usize = 2000;
/// Raw bytes kept of a part that may be `daticert.xml`: 1 MiB after decoding.
const MAX_KEPT: usize = 3 << 19;
/// Parts kept.
const MAX_KEPT_PARTS: usize = 4;

/// One part.
#[derive(Debug, Default)]
pub struct Part {
    /// The part it stands in; the message itself stands in none.
    pub parent: Option<usize>,
    /// Media type in lower case.
    pub media_type: String,
    /// Its name, decoded.
    pub name: Option<String>,
    /// Content-Transfer-Encoding in lower case.
    pub encoding: String,
    /// Its raw body, when it may be `daticert.xml`.
    pub raw: Option<Vec<u8>>,
    /// Whether it was too long to be kept.
    pub too_long: bool,
}

/// A message taken apart.
#[derive(Debug, Default)]
pub struct Split {
    /// The header block, ending with an empty line.
    pub header: Vec<u8>,
    /// The parts in order; the first is the message itself.
    pub parts: Vec<Part>,
    /// The header was longer than what is read.
    pub header_cut: bool,
    /// Exact and prefix matching of delimiters disagree.
    pub ambiguous: bool,
    /// Nested too deeply, or too many parts.
    pub too_deep: bool,
    /// The message ended before its last delimiter.
    pub truncated: bool,
}

impl Split {
    /// Parts that stand directly in this one.
    pub fn children(&self, parent: usize) -> impl Iterator<Item = (usize, &Part)> {
        self.parts.iter().enumerate().filter(move |(_, part)| part.parent == Some(parent))
    }
}

/// An open multipart.
struct Open {
    part: usize,
    boundary: Vec<u8>,
}

enum State {
    /// In the header of the part.
    Header { part: usize, block: Vec<u8>, limit: usize },
    /// In the body of the part.
    Body { part: usize },
    /// Before the first delimiter of a multipart or after its last.
    Outside,
}

/// Takes a message apart.
pub fn split(reader: &mut dyn BufRead) -> io::Result<Split> {
    let mut out = Split::default();
    out.parts.push(Part::default());
    let mut state = State::Header { part: 0, block: Vec::new(), limit: MAX_HEADER };
    let mut open: Vec<Open> = Vec::new();
    let mut line = Vec::with_capacity(512);
    let (mut at_start, mut first) = (true, true);
    loop {
        line.clear();
        let ends = piece(reader, &mut line)?;
        if line.is_empty() {
            break;
        }
        let starts = std::mem::replace(&mut at_start, ends);
        if std::mem::take(&mut first) && line.starts_with(b"From ") {
            // The first line of an mbox file belongs to the file, not to the message.
            continue;
        }
        let delimiter =
            if starts && line.starts_with(b"--") { delimiter(&line, &open, &mut out.ambiguous) } else { None };
        if let Some((level, last)) = delimiter {
            if let State::Header { part, block, .. } = state {
                // A part that ends inside its header has no body.
                enter(&mut out, part, &block, &mut Vec::new());
            }
            state = if last {
                open.truncate(level);
                State::Outside
            } else {
                open.truncate(level + 1);
                begin(&mut out, open[level].part)
            };
            continue;
        }
        state = match state {
            State::Header { part, mut block, limit } => {
                if starts && matches!(line.as_slice(), b"\n" | b"\r\n") {
                    enter(&mut out, part, &block, &mut open)
                } else {
                    let room = limit.saturating_sub(block.len());
                    out.header_cut |= room < line.len();
                    block.extend_from_slice(&line[..room.min(line.len())]);
                    State::Header { part, block, limit }
                }
            }
            State::Body { part } => {
                keep(&mut out.parts[part], &line);
                State::Body { part }
            }
            State::Outside => State::Outside,
        };
    }
    if let State::Header { part, block, .. } = state {
        enter(&mut out, part, &block, &mut open);
    }
    out.truncated = !open.is_empty();
    Ok(out)
}

/// Reads up to a line end, at most [`LINE`] bytes; says whether the line end was reached.
fn piece(reader: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    loop {
        let available = match reader.fill_buf() {
            Ok(available) => available,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        if available.is_empty() {
            return Ok(true);
        }
        let room = LINE - line.len();
        let window = &available[..available.len().min(room)];
        let end = window.iter().position(|b| *b == b'\n').map(|at| at + 1);
        let taken = end.unwrap_or(window.len());
        line.extend_from_slice(&window[..taken]);
        reader.consume(taken);
        if end.is_some() || line.len() == LINE {
            return Ok(end.is_some());
        }
    }
}

/// The open multipart whose complete delimiter this line is, innermost first, and whether it is its last.
fn delimiter(line: &[u8], open: &[Open], ambiguous: &mut bool) -> Option<(usize, bool)> {
    let text = line.trim_ascii_end();
    let mut exact = None;
    let mut prefixed = false;
    for (level, multipart) in open.iter().enumerate().rev() {
        let Some(rest) = text[2..].strip_prefix(multipart.boundary.as_slice()) else { continue };
        match rest {
            b"" | b"--" if exact.is_none() => exact = Some((level, rest == b"--")),
            _ => prefixed = true,
        }
    }
    *ambiguous |= prefixed;
    exact
}

fn begin(out: &mut Split, parent: usize) -> State {
    if out.parts.len() >= MAX_PARTS {
        out.too_deep = true;
        return State::Outside;
    }
    out.parts.push(Part { parent: Some(parent), ..Part::default() });
    State::Header { part: out.parts.len() - 1, block: Vec::new(), limit: MAX_PART_HEADER }
}

/// The header of a part is complete: what is it, and what follows?
fn enter(out: &mut Split, part: usize, block: &[u8], open: &mut Vec<Open>) -> State {
    let block = [block, b"\r\n\r\n"].concat();
    let mut boundary = None;
    if let Some(message) = MessageParser::default().parse_headers(&block) {
        let root = message.root_part();
        let noted = &mut out.parts[part];
        noted.media_type = root.content_type().map_or_else(
            || "text/plain".to_owned(),
            |t| format!("{}/{}", t.ctype(), t.subtype().unwrap_or_default()).to_ascii_lowercase(),
        );
        noted.name = root.attachment_name().map(decoded_name);
        let encoding = message.header(HeaderName::ContentTransferEncoding).and_then(|value| value.as_text());
        noted.encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
        if noted.media_type.starts_with("multipart/") {
            boundary = root.content_type().and_then(|t| t.attribute("boundary")).map(|b| b.as_bytes().to_vec());
        }
    } else {
        out.parts[part].media_type = "text/plain".to_owned();
    }
    if part == 0 {
        out.header = block;
    }
    match boundary.filter(|boundary| !boundary.is_empty()) {
        Some(_) if open.len() >= MAX_DEPTH => {
            out.too_deep = true;
            State::Body { part }
        }
        Some(boundary) => {
            open.push(Open { part, boundary });
            State::Outside
        }
        None => {
            let kept = out.parts.iter().filter(|p| p.raw.is_some()).count();
            let noted = &mut out.parts[part];
            if part > 0 && may_be_daticert(noted) && kept < MAX_KEPT_PARTS {
                noted.raw = Some(Vec::new());
            }
            State::Body { part }
        }
    }
}

/// Encoded words inside quoted parameters: technically wrong, common.
fn decoded_name(name: &str) -> String {
    if !name.contains("=?") {
        return name.trim().to_owned();
    }
    let block = format!("Subject: {name}\r\n\r\n");
    let message = MessageParser::default().parse_headers(block.as_bytes());
    message.and_then(|m| m.subject().map(|s| s.trim().to_owned())).unwrap_or_else(|| name.trim().to_owned())
}

/// By name first; unnamed or differently named XML may be it too, by its content.
fn may_be_daticert(part: &Part) -> bool {
    let named = part.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("daticert.xml"));
    named || matches!(part.media_type.as_str(), "application/xml" | "text/xml")
}

fn keep(part: &mut Part, line: &[u8]) {
    let Some(raw) = &mut part.raw else { return };
    if raw.len() + line.len() > MAX_KEPT {
        part.raw = None;
        part.too_long = true;
    } else {
        raw.extend_from_slice(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Split {
        split(&mut text.as_bytes()).unwrap()
    }

    fn types(split: &Split) -> Vec<&str> {
        split.parts.iter().map(|p| p.media_type.as_str()).collect()
    }

    #[test]
    fn delimiters_are_whole_lines() {
        for end in ["\n", "\r\n"] {
            let text = [
                "Content-Type: multipart/mixed; boundary=\"--b\"",
                "",
                "preamble",
                "----b",
                "Content-Type: text/plain",
                "",
                "----bb is text",
                "----b  ",
                "Content-Type: message/rfc822",
                "",
                "Content-Type: multipart/mixed; boundary=x",
                "",
                "--x",
                "",
                "----b--",
                "epilogue",
                "",
            ]
            .join(end);
            let split = of(&text);
            assert_eq!(types(&split), ["multipart/mixed", "text/plain", "message/rfc822"]);
            assert!(split.ambiguous && !split.truncated);
        }
    }

    #[test]
    fn cut_short_and_nested_too_deeply() {
        assert!(of("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx").truncated);
        let mut deep = String::new();
        for level in 0..40 {
            deep.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}x\n\n--b{level}x\n"));
        }
        let split = of(&deep);
        assert!(split.too_deep);
        assert_eq!(split.parts.len(), MAX_DEPTH + 1);
        let many = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\n".repeat(MAX_PARTS + 5));
        assert_eq!(of(&many).parts.len(), MAX_PARTS);
    }

    #[test]
    fn long_lines_cost_nothing() {
        let text = format!(
            "Subject: {}\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx--b--\n--b--\n",
            "s".repeat(4 << 20)
        );
        let split = of(&text);
        assert!(split.header_cut && split.header.len() <= MAX_HEADER + 4);
        let body = format!(
            "A: b\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/xml\n\n{}\n--b--\n",
            "y".repeat(4 << 20)
        );
        let split = of(&body);
        assert!(split.parts[1].too_long && split.parts[1].raw.is_none() && !split.truncated);
    }
}
