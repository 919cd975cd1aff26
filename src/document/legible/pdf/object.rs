//! PDF objects (ISO 32000-1 section 7.3): as much of them as finding the pages needs.
//!
//! Invariant: depth and number of items are bounded; strings are skipped, never kept.

use std::collections::BTreeMap;

/// Nesting of arrays and dictionaries.
const MAX_DEPTH: usize = 32;
/// Items of one array or dictionary.
const MAX_ITEMS: usize = 100_000;

/// An object.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    Null,
    Bool,
    Number(f64),
    Name(String),
    /// A string of either kind; what it says is nobody's business here.
    Text,
    Array(Vec<Object>),
    Dictionary(BTreeMap<String, Object>),
    /// Number of an indirect object.
    Reference(u32),
}

impl Object {
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Dictionary(entries) => entries.get(key),
            _ => None,
        }
    }

    pub fn integer(&self) -> Option<u64> {
        match self {
            Self::Number(number) if *number >= 0.0 && *number < 1e15 && number.fract() == 0.0 => Some(*number as u64),
            _ => None,
        }
    }

    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }

    pub fn reference(&self) -> Option<u32> {
        match self {
            Self::Reference(number) => Some(*number),
            _ => None,
        }
    }
}

/// Reads objects from bytes.
pub struct Parser<'a> {
    bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Parser<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: at.min(bytes.len()) }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Over blanks and comments.
    pub fn skip(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | 0x0c | 0 => self.at += 1,
                b'%' => {
                    while self.peek().is_some_and(|b| b != b'\n' && b != b'\r') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    /// Over this word, when it stands here.
    pub fn word(&mut self, word: &[u8]) -> bool {
        self.skip();
        let here = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        if here {
            self.at += word.len();
        }
        here
    }

    /// A whole number without sign.
    pub fn number(&mut self) -> Option<u64> {
        self.skip();
        let rest = self.bytes.get(self.at..)?;
        let length = rest.iter().take(20).take_while(|b| b.is_ascii_digit()).count();
        let number = std::str::from_utf8(&rest[..length]).ok()?.parse().ok()?;
        self.at += length;
        Some(number)
    }

    pub fn object(&mut self) -> Option<Object> {
        self.nested(0)
    }

    fn nested(&mut self, depth: usize) -> Option<Object> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.skip();
        match self.peek()? {
            b'/' => self.read_name().map(Object::Name),
            b'(' => self.string(),
            b'<' if self.bytes.get(self.at + 1) == Some(&b'<') => {
                self.at += 2;
                let mut entries = BTreeMap::new();
                loop {
                    self.skip();
                    if self.word(b">>") {
                        return Some(Object::Dictionary(entries));
                    }
                    let key = self.read_name()?;
                    let value = self.nested(depth + 1)?;
                    if entries.len() >= MAX_ITEMS {
                        return None;
                    }
                    entries.insert(key, value);
                }
            }
            b'<' => {
                let end = self.bytes.get(self.at..)?.iter().position(|b| *b == b'>')?;
                self.at += end + 1;
                Some(Object::Text)
            }
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                loop {
                    self.skip();
                    if self.word(b"]") {
                        return Some(Object::Array(items));
                    }
                    if items.len() >= MAX_ITEMS {
                        return None;
                    }
                    items.push(self.nested(depth + 1)?);
                }
            }
            b'0'..=b'9' | b'+' | b'-' | b'.' => self.numeric(),
            _ => {
                let words: [(&[u8], Object); 3] =
                    [(b"true", Object::Bool), (b"false", Object::Bool), (b"null", Object::Null)];
                words.into_iter().find_map(|(word, object)| self.word(word).then_some(object))
            }
        }
    }

    fn read_name(&mut self) -> Option<String> {
        if self.peek()? != b'/' {
            return None;
        }
        let rest = &self.bytes[self.at + 1..];
        let regular = |b: &u8| b.is_ascii_graphic() && !b"()<>[]{}/%".contains(b) || *b >= 0x80;
        let length = rest.iter().take(256).take_while(|b| regular(b)).count();
        let name = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length + 1;
        Some(name)
    }

    fn string(&mut self) -> Option<Object> {
        let mut open = 0usize;
        loop {
            match self.peek()? {
                b'\\' => self.at += 1,
                b'(' => open += 1,
                b')' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Some(Object::Text);
            }
        }
    }

    /// A number, or the reference that begins with one.
    fn numeric(&mut self) -> Option<Object> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take(32).take_while(|b| b.is_ascii_digit() || b"+-.".contains(b)).count();
        let number: f64 = std::str::from_utf8(&rest[..length]).ok()?.parse().ok()?;
        self.at += length;
        if rest[..length].iter().all(u8::is_ascii_digit) {
            let back = self.at;
            let generation = self.number();
            let after = self.bytes.get(self.at + 1).is_none_or(|b| !b.is_ascii_alphanumeric());
            self.skip();
            if generation.is_some()
                && self.peek() == Some(b'R')
                && (after || self.bytes.get(self.at + 1) != Some(&b'G'))
            {
                self.at += 1;
                return (number <= f64::from(u32::MAX)).then_some(Object::Reference(number as u32));
            }
            self.at = back;
        }
        Some(Object::Number(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_read_and_depth_is_bounded() {
        let text =
            b"<< /Type /Catalog % nota\n /Pages 2 0 R /Kids [3 0 R 4 0 R] /N -1.5 /S (a\\)(b)) /H <AB> /B true >>";
        let object = Parser::new(text, 0).object().unwrap();
        assert_eq!(object.get("Type").and_then(Object::name), Some("Catalog"));
        assert_eq!(object.get("Pages").and_then(Object::reference), Some(2));
        assert_eq!(object.get("Kids"), Some(&Object::Array(vec![Object::Reference(3), Object::Reference(4)])));
        assert_eq!((object.get("N"), object.get("S")), (Some(&Object::Number(-1.5)), Some(&Object::Text)));
        assert_eq!(Parser::new(&[b'['; 10_000], 0).object(), None);
        for bad in [&b"<<"[..], b"(", b"<", b"[1", b"/", b"<< /A >>", b""] {
            let _ = Parser::new(bad, 0).object();
        }
    }
}
