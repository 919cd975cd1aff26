//! A reversible encoding for characters that XML cannot carry.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;

use crate::document::markup::allowed;

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
