//! Format recognition from the content. The name is a hint: it decides nothing but between forms of the same bytes
//! (`text/plain` or `text/csv`), and when it disagrees that is a finding. AgID Allegato 2 wants the format known by
//! content; general detectors know neither `.eml` nor `.p7m` and call a time-stamp reply a certificate, so these are
//! sniffed here.

pub mod register;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Finding};
use crate::evidence::cms::unwrap::{is_encoded_twice, mime_body};
use crate::evidence::xades::encoding::wide;

/// How many bytes are looked at.
pub const HEAD: usize = 64 << 10;

/// A recognised format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Media type.
    pub media_type: String,
    /// Extension for the member of a package, without dot.
    pub extension: String,
}

/// The extension of a package's member of this media type, without dot; `bin` for one that is not known.
pub fn extension_for(media_type: &str) -> &'static str {
    register::entry(media_type).map_or("bin", |entry| entry.extension())
}

impl Format {
    fn known(media_type: &str) -> Self {
        Self { media_type: media_type.to_owned(), extension: extension_for(media_type).to_owned() }
    }

    /// Whether nothing was recognised.
    pub fn is_unknown(&self) -> bool {
        self.media_type == "application/octet-stream"
    }
}

/// Recognises a format from the first bytes (up to [`HEAD`]) of a document.
pub fn recognise(head: &[u8], name: &str) -> Format {
    if unmarked(head).trim_ascii().is_empty() {
        // A log without lines is a text all the same; a mark, or an empty line, is none.
        return Format::known(match extension_of(name).as_deref() {
            Some("csv") => "text/csv",
            Some("log" | "txt") => "text/plain",
            _ => "application/octet-stream",
        });
    }
    if let Some(der) = der_of(head, extension_of(name).as_deref() == Some("p7m")) {
        return der_kind(&der).map_or_else(|| Format::known("application/octet-stream"), Format::known);
    }
    if head.starts_with(b"II*\0") || head.starts_with(b"MM\0*") {
        return Format::known("image/tiff");
    }
    if let Some(found) = infer::get(head) {
        // What `infer` says of text formats and of DER is left to the code below.
        let own = matches!(found.matcher_type(), infer::MatcherType::Text)
            || found.mime_type() == "application/x-x509-ca-cert";
        if !own {
            return match register::entry(found.mime_type()) {
                Some(entry) => Format::known(&entry.media_type),
                None => Format { media_type: found.mime_type().to_owned(), extension: found.extension().to_owned() },
            };
        }
    }
    Format::known(text_kind(head, name).unwrap_or("application/octet-stream"))
}

/// A finding when the name promises something else, or when nothing was recognised.
pub fn compare_with_name(format: &Format, name: &str) -> Vec<Finding> {
    if format.is_unknown() {
        return vec![Finding::warning(Code::FormatUnknown, "content", "")];
    }
    let Some(extension) = extension_of(name) else { return Vec::new() };
    let promised = register::all().iter().any(|entry| entry.extensions.contains(&extension));
    let fits = extension == format.extension
        || register::entry(&format.media_type).is_some_and(|entry| entry.extensions.contains(&extension));
    if promised && !fits {
        return vec![Finding::warning(Code::FormatMismatch, "name", format!("the content is {}", format.media_type))];
    }
    Vec::new()
}

/// The last extension of a name, in lower case.
pub fn extension_of(name: &str) -> Option<String> {
    let (stem, extension) = name.rsplit_once('.')?;
    let plain = !stem.is_empty() && extension.len() <= 8 && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| extension.to_ascii_lowercase())
}

/// The first bytes as DER or BER, taken out of base64 or PEM when they are in it.
fn der_of(head: &[u8], p7m: bool) -> Option<std::borrow::Cow<'_, [u8]>> {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    // Only what is named as a signed file: by its content it might be a whole message.
    let text = if p7m { mime_body(text).unwrap_or(text) } else { text };
    if head.first() == Some(&0x30)
        && tlv(head).is_some()
        && !head.iter().take(512).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
    {
        return Some(head.into());
    }
    let body = match text.strip_prefix(b"-----BEGIN ") {
        Some(rest) => {
            let kind = rest.split(|b| *b == b'\n').next()?;
            if ![&b"PKCS7-----"[..], b"CMS-----", b"PKCS #7 SIGNED DATA-----"].contains(&kind.trim_ascii_end()) {
                return None;
            }
            rest.splitn(2, |b| *b == b'\n').nth(1)?
        }
        None => text,
    };
    // 30 80, 30 81, 30 82 … in base64 always begin with M: a quick no for ordinary text.
    let der = match body.first()? {
        b'M' => head_of_base64(body)?,
        b'T' if is_encoded_twice(body) => head_of_base64(&head_of_base64(body)?)?,
        _ => return None,
    };
    (der.first() == Some(&0x30) && der_kind(&der).is_some()).then(|| der.into())
}

/// What the first two thousand digits decode to.
fn head_of_base64(body: &[u8]) -> Option<Vec<u8>> {
    let mut digits: Vec<u8> = Vec::with_capacity(2048);
    for byte in body.iter().filter(|b| !b.is_ascii_whitespace()).take(2048) {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => digits.push(*byte),
            b'=' | b'-' => break,
            _ => return None,
        }
    }
    digits.truncate(digits.len() / 4 * 4);
    STANDARD.decode(&digits).ok()
}

/// Tag, content start and content end (as far as the bytes go) of the first element; BER's indefinite length too.
fn tlv(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0x80 => (usize::MAX, rest),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let digits = rest.get(..count)?;
            (digits.iter().fold(0usize, |n, b| n << 8 | usize::from(*b)), &rest[count..])
        }
        0..=0x7f => (usize::from(first), rest),
        _ => return None,
    };
    let end = length.min(rest.len());
    Some((tag, &rest[..end], &rest[end..]))
}

const OID_SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const OID_PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7];
const OID_TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];

fn der_kind(der: &[u8]) -> Option<&'static str> {
    let (0x30, outer, _) = tlv(der)? else { return None };
    match tlv(outer)? {
        (0x06, oid, rest) if oid == OID_SIGNED_DATA => Some(signed_data_kind(rest).unwrap_or("application/pkcs7-mime")),
        (0x06, oid, _) if oid.starts_with(OID_PKCS7) => Some("application/pkcs7-mime"),
        (0x30, inner, rest) => {
            // A reply opens with its status (an integer), a certificate with its version ([0]) or serial number.
            let (first, ..) = tlv(inner)?;
            if is_reply(inner, rest) {
                return Some("application/timestamp-reply");
            }
            (first == 0xa0 || first == 0x02).then_some("application/pkix-cert")
        }
        _ => None,
    }
}

/// A status of 0 to 5 and then nothing, or a token (RFC 3161 section 2.4.2).
fn is_reply(status: &[u8], rest: &[u8]) -> bool {
    let small = matches!(tlv(status), Some((0x02, [0..=5], _)));
    let token = |(_, token, _): (u8, _, _)| matches!(tlv(token), Some((0x06, oid, _)) if oid == OID_SIGNED_DATA);
    small && (rest.is_empty() || tlv(rest).is_some_and(token))
}

/// Detached, a time-stamp token, or with content.
fn signed_data_kind(rest: &[u8]) -> Option<&'static str> {
    let (0xa0, explicit, _) = tlv(rest)? else { return None };
    let (0x30, signed, _) = tlv(explicit)? else { return None };
    let (0x02, _, rest) = tlv(signed)? else { return None };
    let (0x31, _, rest) = tlv(rest)? else { return None };
    let (0x30, encapsulated, _) = tlv(rest)? else { return None };
    let (0x06, oid, content) = tlv(encapsulated)? else { return None };
    if oid == OID_TST_INFO {
        return Some("application/timestamp-token");
    }
    // Indefinite length: what follows the type is either the content or the end marker 00 00.
    let detached = content.is_empty() || content.starts_with(&[0, 0]);
    Some(if detached { "application/pkcs7-signature" } else { "application/pkcs7-mime" })
}

fn text_kind(head: &[u8], name: &str) -> Option<&'static str> {
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        let wide: Vec<u8> = head[2..].iter().copied().filter(|b| *b != 0).take(4096).collect();
        return Some(if wide.trim_ascii_start().starts_with(b"<") && looks_like_xml(&wide) {
            "application/xml"
        } else {
            "text/plain"
        });
    }
    if wide(head).is_some() {
        return Some("application/xml");
    }
    let text = unmarked(head);
    let start = text.trim_ascii_start();
    if start.is_empty() {
        return None;
    }
    if looks_like_xml(start) {
        return Some("application/xml");
    }
    if looks_like_mail(text) {
        return Some("message/rfc822");
    }
    let extension = extension_of(name);
    let called_text = matches!(extension.as_deref(), Some("log" | "csv" | "txt"));
    if !is_text(text, called_text) {
        return None;
    }
    let lower: Vec<u8> = start.iter().take(64).map(u8::to_ascii_lowercase).collect();
    if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") {
        return Some("text/html");
    }
    if matches!(start[0], b'{' | b'[')
        && (extension.as_deref() == Some("json") || serde_json::from_slice::<serde::de::IgnoredAny>(start).is_ok())
    {
        return Some("application/json");
    }
    Some(if extension.as_deref() == Some("csv") || looks_like_csv(start) { "text/csv" } else { "text/plain" })
}

/// Control characters that no text has make it binary. In what is called a text, zeros may stand where a disk was not written
/// to its end, and one or two others: a log that has them is a log all the same.
fn is_text(bytes: &[u8], called_text: bool) -> bool {
    let zeros = bytes.iter().filter(|b| **b == 0).count();
    let others = bytes.iter().filter(|b| matches!(b, 1..=8 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f)).count();
    zeros + others == 0 || (called_text && 2 * zeros < bytes.len() && others <= 1 + bytes.len() / 100)
}

/// Without the byte-order mark, and without those that programs put before one that is there: the mark itself, or what
/// becomes of it when it is taken for ISO-8859-1 and encoded again.
fn unmarked(mut head: &[u8]) -> &[u8] {
    while let Some(rest) = head.strip_prefix(b"\xEF\xBB\xBF").or_else(|| head.strip_prefix(b"\xC3\xAF\xC2\xBB\xC2\xBF"))
    {
        head = rest;
    }
    head
}

fn looks_like_xml(start: &[u8]) -> bool {
    // Any instruction will do, but that of a web page's program.
    let instruction = start.strip_prefix(b"<?").and_then(|rest| rest.first()).is_some_and(u8::is_ascii_alphabetic)
        && !start.starts_with(b"<?php");
    if instruction || start.starts_with(b"<!--") {
        return true;
    }
    let lower: Vec<u8> = start.iter().take(64).map(u8::to_ascii_lowercase).collect();
    if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") {
        return false;
    }
    lower.starts_with(b"<!doctype")
        || (lower.first() == Some(&b'<') && lower.get(1).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_'))
}

/// Header fields (RFC 5322 section 2.2) that only messages begin with.
const MAIL_FIELDS: &[&str] = &[
    "return-path",
    "received",
    "delivered-to",
    "message-id",
    "from",
    "to",
    "date",
    "subject",
    "mime-version",
    "content-type",
    "x-trasporto",
    "x-ricevuta",
    "x-riferimento-message-id",
    "sender",
    "reply-to",
    "x-tiporicevuta",
    "dkim-signature",
];

/// Whether the bytes begin with header lines, two of which belong to messages. A line of a megabyte still counts.
fn looks_like_mail(text: &[u8]) -> bool {
    let mut known = 0;
    for (number, line) in text.split(|b| *b == b'\n').take(200).enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if number > 0 && matches!(line[0], b' ' | b'\t') || (number == 0 && line.starts_with(b"From ")) {
            continue;
        }
        let Some(colon) = line.iter().take(100).position(|b| *b == b':') else { return known >= 3 };
        let field = line[..colon].trim_ascii_end();
        if field.is_empty() || !field.iter().all(|b| b.is_ascii_graphic()) {
            return known >= 3;
        }
        let field = String::from_utf8_lossy(field).to_ascii_lowercase();
        known += usize::from(MAIL_FIELDS.contains(&field.as_str()));
    }
    known >= 2
}

/// At least two lines with the same number, two or more, of one separator.
fn looks_like_csv(text: &[u8]) -> bool {
    let lines: Vec<&[u8]> = text.split(|b| *b == b'\n').filter(|l| !l.trim_ascii().is_empty()).take(5).collect();
    let complete = if lines.len() > 2 { &lines[..lines.len() - 1] } else { &lines[..] };
    complete.len() >= 2
        && [b';', b',', b'\t', b'|'].iter().any(|separator| {
            let counts: Vec<usize> = complete.iter().map(|l| l.iter().filter(|b| *b == separator).count()).collect();
            counts[0] >= 2 && counts.iter().all(|c| *c == counts[0])
        })
}

#[cfg(test)]
mod tests;
