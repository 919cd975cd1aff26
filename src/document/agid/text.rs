//! XML 1.0 text, always valid: a writer, and a reversible encoding for characters that XML cannot carry.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

/// Writes elements with two blanks of indentation a level.
pub(super) struct Writer {
    out: String,
    depth: usize,
}

impl Writer {
    pub fn new() -> Self {
        Self { out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), depth: 0 }
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            // Writing to a String cannot fail.
            let _ = write!(self.out, " {key}=\"{}\"", escape(value));
        }
        self.out.push('>');
    }

    /// Opens an element that has children.
    pub fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.out.push('\n');
        self.depth += 1;
    }

    /// Closes what was opened.
    pub fn close(&mut self, name: &str) {
        self.depth -= 1;
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
        self.end(name);
    }

    fn end(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push_str(">\n");
    }

    /// An element with text only.
    pub fn leaf(&mut self, name: &str, text: &str) {
        self.leaf_with(name, &[], text);
    }

    /// An element with attributes and text.
    pub fn leaf_with(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.start(name, attributes);
        self.out.push_str(&escape(text));
        self.end(name);
    }

    pub fn finish(self) -> Vec<u8> {
        self.out.into_bytes()
    }
}

/// Whether XML 1.0 section 2.2 allows the character.
fn allowed(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Markup escaped; a character that XML cannot carry is shown as U+FFFD. What must come back exactly is [`encode`]d first.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Raw, these would be changed by attribute-value and line-end normalisation.
            '\r' | '\n' | '\t' => {
                let _ = write!(out, "&#{};", c as u32);
            }
            c if allowed(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
    out
}

/// Reversible: a backslash becomes two, control characters and non-characters become `\uXXXX`.
pub(super) fn encode(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c == '\\' || c < ' ' || !allowed(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if c < ' ' || !allowed(c) => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The inverse of [`encode`]; `None` when the text was not encoded so.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.as_bytes().first()? {
            b'\\' => {
                out.push('\\');
                rest = &rest[1..];
            }
            b'u' => {
                let code = u32::from_str_radix(rest.get(1..5)?, 16).ok()?;
                out.push(char::from_u32(code)?);
                rest = &rest[5..];
            }
            _ => return None,
        }
    }
    out.push_str(rest);
    Some(out)
}

/// A value as JSON that XML can carry: what serde leaves raw and XML forbids is escaped the JSON way, which is possible
/// because such characters only ever stand inside strings.
pub(super) fn json(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().all(allowed) { text } else { text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_comes_back() {
        let all: String =
            ('\0'..='\u{2ff}').chain(['\u{fffd}', '\u{fffe}', '\u{ffff}', '\u{1f4a9}', '\\', 'u']).collect();
        let encoded = encode(&all);
        assert!(encoded.chars().all(allowed));
        assert_eq!(decode(&encoded).unwrap(), all);
        assert_eq!(decode("\\x"), None);
        assert_eq!(decode("\\u00"), None);
        assert_eq!(decode("\\u00è"), None);
        let value = Value::String(all);
        let text = json(&value);
        assert!(text.chars().all(allowed));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
