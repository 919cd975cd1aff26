//! Where in `custode.toml` something stands: line and column for people, and the list of everything that is wrong.

use std::fmt::Display;
use std::ops::Range;

use toml::Spanned;

use super::FILE_NAME;
use crate::error::{Code, Error, Finding, Result};

/// `custode.toml:LINE:COL` of a byte of the text; both count from 1, columns in characters.
pub(super) fn place(text: &str, byte: usize) -> String {
    let mut byte = byte.min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    let before = &text[..byte];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    format!("{FILE_NAME}:{line}:{column}")
}

/// What the TOML reader found wrong: syntax, an unknown key, a wrong type.
pub(super) fn toml_error(text: &str, error: &toml::de::Error) -> Error {
    let missing = error.message().starts_with("missing field");
    let code = if missing { Code::ConfigMissing } else { Code::ConfigInvalid };
    // Without a span (an unexpected end) the end of the text is the place.
    let byte = error.span().map_or(text.trim_end().len(), |span| span.start);
    let said = error.message().trim().replace('\n', "; ");
    let detail = match key_at(text, byte) {
        Some(key) if !said.contains(key) => format!("`{key}`: {said}"),
        _ => said,
    };
    Error::new(code, detail).at(place(text, byte))
}

/// The key whose value is at this byte.
fn key_at(text: &str, byte: usize) -> Option<&str> {
    let start = text.get(..byte)?.rfind('\n').map_or(0, |at| at + 1);
    let key = text[start..].split('=').next()?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    (!key.is_empty() && key.len() < 64 && key.chars().all(plain)).then_some(key)
}

/// Collects everything that is wrong, each with its place.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: Vec<Finding>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// A value that is not accepted.
    pub(super) fn wrong(&mut self, span: &Range<usize>, key: &str, accepted: impl Display) {
        self.add(Code::ConfigInvalid, span.start, format!("`{key}`: {accepted}"));
    }

    /// A key that must be there; `near` is the table it belongs to, or none for the end of the file.
    pub(super) fn missing(&mut self, near: Option<&Range<usize>>, key: &str, accepted: impl Display) {
        let byte = near.map_or(self.text.trim_end().len(), |span| span.start);
        self.add(Code::ConfigMissing, byte, format!("`{key}`: {accepted}"));
    }

    fn add(&mut self, code: Code, byte: usize, detail: String) {
        self.found.push(Finding::error(code, place(self.text, byte), detail));
    }

    /// Parses a text value, or notes why not.
    pub(super) fn parse<T>(
        &mut self,
        value: &Spanned<String>,
        key: &str,
        parse: impl FnOnce(&str) -> std::result::Result<T, String>,
    ) -> Option<T> {
        match parse(value.get_ref().trim()) {
            Ok(parsed) => Some(parsed),
            Err(accepted) => {
                self.wrong(&value.span(), key, accepted);
                None
            }
        }
    }

    /// The whole, when nothing was wrong; else one error that carries every finding and the place of the first.
    pub(super) fn finish<T>(mut self, whole: Option<T>) -> Result<T> {
        match (whole, self.found.is_empty()) {
            (Some(whole), true) => Ok(whole),
            (None, true) => Err(Error::new(Code::ConfigInvalid, "not understood").at(FILE_NAME)),
            (_, false) => {
                self.found.sort_by_key(|finding| line_and_column(&finding.place));
                let first = &self.found[0];
                let details: Vec<String> = self.found.iter().map(|f| format!("{}: {}", f.place, f.message)).collect();
                Err(Error::new(first.code, details.join("; ")).at(&first.place).with_findings(self.found))
            }
        }
    }
}

fn line_and_column(place: &str) -> (usize, usize) {
    let mut numbers = place.rsplit(':').map(|part| part.parse().unwrap_or(0));
    let column = numbers.next().unwrap_or(0);
    (numbers.next().unwrap_or(0), column)
}
