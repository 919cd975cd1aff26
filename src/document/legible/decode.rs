//! Whether a document of any format can still be read to its end by the reader of its format.
//!
//! Invariant: what there is no reader for, what is encrypted or larger than is decoded is *not decoded*: never legible, and never
//! damaged. What a reader looks at is what it says: pages of a PDF are reached and not drawn, parts of a message are parted and
//! not opened. Linee guida AgID 4.5 f (integrity **and legibility**), Allegato 2 (formats).

use super::look;
use crate::document::Body;
use crate::document::format::{HEAD, recognise};
use crate::document::reader;
use crate::error::{Code, Finding, Result};
use crate::evidence::tsp::{TstInfo, token_of_reply};
use crate::evidence::x509::Certificate;

/// Largest document decoded: it is in memory once, and a signed one twice.
pub const MAX_BYTES: u64 = 48 << 20;

/// What became of decoding a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// It was read to its end.
    Legible,
    /// It cannot be: what is wrong.
    Damaged(String),
    /// Nobody here can say: why, and of which media type.
    Not(Code, String),
}

/// Decodes a document; `name` is a hint, as everywhere.
pub fn decode(body: &Body, name: &str) -> Result<Decoded> {
    let Some(bytes) = body.whole(usize::try_from(MAX_BYTES).unwrap_or(usize::MAX))? else {
        return Ok(Decoded::Not(Code::ReaderTooLarge, recognise(&body.head(HEAD)?, name).media_type));
    };
    let mut content = bytes;
    let mut name = name;
    let media_type = loop {
        let media_type = recognise(&content[..content.len().min(HEAD)], name).media_type;
        if media_type != "application/pkcs7-mime" {
            break media_type;
        }
        // What is signed is what somebody will want to read.
        match reader::signed_content(&content) {
            Ok(inner) => content = inner.into(),
            Err(found) => {
                return Ok(match found.code {
                    Code::P7mEncrypted => Decoded::Not(Code::LegibleEncrypted, media_type),
                    Code::P7mDetached | Code::P7mTooDeep | Code::DerTooDeep => {
                        Decoded::Not(Code::LegibleUnknown, media_type)
                    }
                    code => Decoded::Damaged(format!("{media_type}: {}", code.as_str())),
                });
            }
        }
        name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    };
    Ok(of_type(&media_type, content.to_vec()))
}

fn of_type(media_type: &str, bytes: Vec<u8>) -> Decoded {
    let damaged = |why: &str| Decoded::Damaged(format!("{media_type}: {why}"));
    let when = |good: bool, why: &str| if good { Decoded::Legible } else { damaged(why) };
    match media_type {
        "application/xml" => match reader::read_xml(&bytes) {
            Ok(()) => Decoded::Legible,
            Err(found) if found.code == Code::XmlMalformed => damaged(&format!("not well-formed, {}", found.place)),
            Err(_) => Decoded::Not(Code::LegibleUnknown, media_type.to_owned()),
        },
        "message/rfc822" => message(&bytes),
        "application/json" => {
            when(serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok(), "not JSON to its end")
        }
        "text/plain" | "text/csv" | "text/html" => {
            if is_text(&bytes) {
                return Decoded::Legible;
            }
            // One of a hundred older encodings, or damage: nothing in it says which.
            Decoded::Not(Code::LegibleUnknown, media_type.to_owned())
        }
        "application/timestamp-token" => when(TstInfo::of_token(&bytes).is_ok(), "no token"),
        "application/timestamp-reply" => {
            let token = token_of_reply(&bytes).and_then(|token| TstInfo::of_token(&token));
            when(token.is_ok(), "no reply with a token")
        }
        "application/pkix-cert" => when(Certificate::parse(&bytes).is_ok(), "no certificate"),
        _ => seen(media_type, bytes),
    }
}

/// Images and pages.
fn seen(media_type: &str, bytes: Vec<u8>) -> Decoded {
    let Ok(Some(seen)) = look(media_type, &Body::from(bytes)) else {
        return Decoded::Not(Code::LegibleNoReader, media_type.to_owned());
    };
    let finding = |code: fn(&Finding) -> bool| seen.findings.iter().find(|found| code(found));
    if let Some(found) = finding(|found| found.code == Code::LegibleDamaged) {
        return Decoded::Damaged(format!("{media_type}: {}", found.message));
    }
    match seen.findings.first() {
        Some(found) => Decoded::Not(found.code, media_type.to_owned()),
        None => Decoded::Legible,
    }
}

fn is_text(bytes: &[u8]) -> bool {
    let wide = |of: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks(2).map(|two| <[u8; 2]>::try_from(two).map(of));
        let units: std::result::Result<Vec<u16>, _> = units.collect();
        units.is_ok_and(|units| String::from_utf16(&units).is_ok())
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => std::str::from_utf8(bytes).is_ok(),
    }
}

/// Parts a message; each part's transfer encoding is decoded to its end.
fn message(bytes: &[u8]) -> Decoded {
    let parsed = mail_parser::MessageParser::default().parse(bytes);
    match parsed {
        Some(message) if !message.parts.is_empty() && !message.headers().is_empty() => {
            // Mail programs of thirty years have made what no rule allows: what is odd was so when it was received.
            match message.parts.iter().any(|part| part.is_encoding_problem) {
                true => Decoded::Not(Code::LegibleUnknown, "message/rfc822".to_owned()),
                false => Decoded::Legible,
            }
        }
        _ => Decoded::Damaged("message/rfc822: no headers".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;

    fn of(bytes: &[u8], name: &str) -> Decoded {
        decode(&Body::from(bytes.to_vec()), name).unwrap()
    }

    #[test]
    fn every_format_with_a_reader_is_legible_whole_and_damaged_when_cut() {
        let mut samples: Vec<(Vec<u8>, &str)> =
            corpus::legible_samples().into_iter().map(|(_, bytes)| (bytes, "x")).collect();
        samples.push((b"<?xml version=\"1.0\"?><a><b c=\"d\">\xc3\xa8</b></a>".to_vec(), "x.xml"));
        samples.push((b"{\"a\": [1, 2, 3]}".to_vec(), "x.json"));
        for (whole, name) in samples {
            assert_eq!(of(&whole, name), Decoded::Legible, "{name}");
            let cut = of(&whole[..whole.len() - whole.len() / 3], name);
            assert!(matches!(cut, Decoded::Damaged(_)), "{name}: {cut:?}");
        }
        assert_eq!(of("perché no\n".as_bytes(), "x.txt"), Decoded::Legible);
        assert_eq!(of(b"From: a@b.example\r\nSubject: x\r\n\r\ntesto\r\n", "x.eml"), Decoded::Legible);
    }

    #[test]
    fn what_nobody_can_read_here_is_neither_legible_nor_damaged() {
        let not = |code, kind: &str| Decoded::Not(code, kind.to_owned());
        assert_eq!(of(&[0, 1, 2, 3, 200], "x.bin"), not(Code::LegibleNoReader, "application/octet-stream"));
        assert_eq!(of(b"perch\xe9 no, a capo\n", "x.txt"), not(Code::LegibleUnknown, "text/plain"));
        assert_eq!(
            of(b"PK\x03\x04............................", "x.zip"),
            not(Code::LegibleNoReader, "application/zip")
        );
    }

    #[test]
    fn what_is_signed_is_read_inside() {
        use crate::document::reader::samples;
        assert_eq!(of(&samples::signed(b"<a><b/></a>"), "x.xml.p7m"), Decoded::Legible);
        assert!(matches!(of(&samples::signed(b"<a><b></a>"), "x.xml.p7m"), Decoded::Damaged(_)));
        let whole = samples::signed(b"<a><b/></a>");
        assert!(matches!(of(&whole[..whole.len() - 9], "x.xml.p7m"), Decoded::Damaged(_)));
    }

    #[test]
    fn hostile_documents_end() {
        for bytes in ["<a>".repeat(100_000), "<a ".repeat(50_000), "[".repeat(100_000), "{\"a\":".repeat(50_000)] {
            for name in ["x.xml", "x.json", "x.txt"] {
                assert_ne!(of(bytes.as_bytes(), name), Decoded::Damaged(String::new()));
            }
        }
    }
}
