//! The message a user wrote, found inside an envelope or a receipt: its own headers, and its parts.

use serde_json::{Value, json};

use super::headers::Headers;
use super::source::Source;
use super::structure::{Part, Structure};
use super::transfer;
use crate::clock::iso_ms;
use crate::error::{AtPlace, Result};

/// A carried message that had to be decoded to be read at all; the rules carry it as it is.
const MAX_DECODED: usize = 32 << 20;

/// A message inside another.
pub struct Original<'a> {
    /// Where its bytes are: those of the envelope, unless it had to be decoded.
    pub source: Inner<'a>,
    /// Its parts.
    pub structure: Structure,
    /// Its headers.
    pub headers: Headers,
}

/// The enclosing message's bytes, or own ones.
pub enum Inner<'a> {
    Within(&'a Source<'a>),
    Decoded(Source<'static>),
}

impl Inner<'_> {
    /// The bytes.
    pub fn source(&self) -> &Source<'_> {
        match self {
            Self::Within(source) => source,
            Self::Decoded(source) => source,
        }
    }
}

impl<'a> Original<'a> {
    /// Opens the message that a part carries; `None` when it cannot be read as one.
    pub fn open(source: &'a Source<'a>, part: &Part) -> Result<Option<Self>> {
        let encoded = matches!(part.info.encoding.as_str(), "base64" | "quoted-printable");
        let (inner, range) = if encoded {
            let raw = source.bytes(part.body.clone(), MAX_DECODED).at("content")?;
            let Some(bytes) = transfer::decoded(&part.info.encoding, &raw) else { return Ok(None) };
            let length = bytes.len() as u64;
            (Inner::Decoded(Source::Memory(bytes.into())), 0..length)
        } else {
            (Inner::Within(source), part.body.clone())
        };
        let structure = Structure::scan(inner.source(), range).at("content")?;
        let Some(headers) = Headers::read(&structure.header) else { return Ok(None) };
        Ok(Some(Self { source: inner, structure, headers }))
    }

    /// What its headers say, as a field of the document.
    pub fn to_json(&self) -> Value {
        let Headers { from, to, cc, subject, message_id, reference, reply_to, receipt_type, .. } = &self.headers;
        let mut out = serde_json::Map::new();
        let mut set = |name: &str, value: Value| {
            let empty = value.as_str().is_some_and(str::is_empty) || value.as_array().is_some_and(Vec::is_empty);
            if !empty {
                out.insert(name.to_owned(), value);
            }
        };
        if let Some(instant) = self.headers.instant {
            set("date", json!(iso_ms(instant)));
        }
        set("from", json!(from));
        set("to", json!(to));
        set("cc", json!(cc));
        set("reply_to", json!(reply_to));
        set("subject", json!(subject));
        set("message_id", json!(message_id));
        set("reference_message_id", json!(reference));
        set("receipt_type", json!(receipt_type));
        Value::Object(out)
    }
}
