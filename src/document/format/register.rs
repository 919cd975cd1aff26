//! The register of formats (`schemas/formats.json`): media type, extensions, PRONOM identifier, what AgID Allegato 2 is
//! known to say, and how far each is checked; and which version of its format a document is.
//!
//! Invariant: what is not known for sure says so; a version is read from the content, never from a name. Linee guida AgID,
//! Allegato 2 (formats), and 4.5 g (obsolescence watched).

use std::sync::LazyLock;

use serde::Deserialize;

use super::Format;
use crate::document::Body;
use crate::error::Result;

/// Bytes in which the version of a page is looked for: the metadata of PDF/A are not compressed, and mostly near an end.
const LOOKED_AT: usize = 2 << 20;

/// How well a PRONOM identifier is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Known.
    Sure,
    /// The usual one; other versions have others.
    Likely,
}

/// How far a format is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checker {
    /// By its first bytes.
    Recognised,
    /// Its structure is walked.
    Structure,
    /// Decoded to its end.
    Decoded,
    /// By the reader of a class.
    Read,
}

/// One version of a format.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Its name.
    pub version: String,
    /// PRONOM identifier.
    pub puid: String,
    /// How well that is known.
    pub puid_confidence: Confidence,
}

/// Title in both languages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Title {
    /// Italian.
    pub it: String,
    /// English.
    pub en: String,
}

/// One format.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Media type.
    pub media_type: String,
    /// Extensions that names may have; the first is that of a package's member.
    pub extensions: Vec<String>,
    /// For people.
    pub title: Title,
    /// `named` when AgID Allegato 2 is known to admit it.
    pub agid: Option<String>,
    /// How far it is checked.
    pub checker: Checker,
    /// PRONOM identifier, when it does not depend on the version.
    #[serde(default)]
    pub puid: Option<String>,
    /// How well that is known.
    #[serde(default)]
    pub puid_confidence: Option<Confidence>,
    /// Versions told apart.
    #[serde(default)]
    pub versions: Vec<Version>,
}

impl Entry {
    /// The extension of a package's member.
    pub fn extension(&self) -> &str {
        self.extensions.first().map_or("bin", String::as_str)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Register {
    #[serde(rename = "title")]
    _title: String,
    #[serde(rename = "version")]
    _version: u32,
    #[serde(rename = "keys")]
    _keys: serde_json::Value,
    formats: Vec<Entry>,
}

static REGISTER: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let register: Register =
        serde_json::from_str(include_str!("../../../schemas/formats.json")).expect("the register is read by a test");
    register.formats
});

/// Every format.
pub fn all() -> &'static [Entry] {
    &REGISTER
}

/// The format of this media type.
pub fn entry(media_type: &str) -> Option<&'static Entry> {
    all().iter().find(|entry| entry.media_type == media_type)
}

/// What can be said of a document's format beyond its media type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// Its version, or the profile it claims (`PDF/A-2b`).
    pub version: Option<String>,
    /// PRONOM identifier.
    pub puid: Option<String>,
}

/// Reads the version of a document's format from its content.
pub fn details(format: &Format, body: &Body) -> Result<Details> {
    let Some(entry) = entry(&format.media_type) else { return Ok(Details::default()) };
    let version = match format.media_type.as_str() {
        "application/pdf" => pdf(&body.head(LOOKED_AT)?),
        "image/jpeg" => Some(jpeg(&body.head(64)?)),
        "image/gif" => body.head(6)?.get(3..6).map(|version| String::from_utf8_lossy(version).into_owned()),
        "image/webp" => match body.head(16)?.get(12..16) {
            Some(b"VP8 ") => Some("lossy".to_owned()),
            Some(b"VP8L") => Some("lossless".to_owned()),
            Some(b"VP8X") => Some("extended".to_owned()),
            _ => None,
        },
        _ => None,
    };
    let known = version.as_ref().and_then(|version| entry.versions.iter().find(|known| known.version == *version));
    let puid = known.map(|known| known.puid.clone()).or_else(|| entry.puid.clone());
    // A header may say anything: only what the register knows is said of it.
    Ok(Details { version: known.map(|known| known.version.clone()), puid })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The claim of PDF/A, or the version of the header.
fn pdf(bytes: &[u8]) -> Option<String> {
    // `<pdfaid:part>2</pdfaid:part>` or `pdfaid:part="2"`.
    let value = |key: &[u8]| {
        let rest = &bytes[find(bytes, key)? + key.len()..];
        rest.iter().take(8).copied().find(u8::is_ascii_alphanumeric).map(char::from)
    };
    if let (Some(part), Some(conformance)) = (value(b"pdfaid:part"), value(b"pdfaid:conformance")) {
        return Some(format!("PDF/A-{part}{}", conformance.to_ascii_lowercase()));
    }
    let at = find(&bytes[..bytes.len().min(1024)], b"%PDF-")? + 5;
    Some(String::from_utf8_lossy(bytes.get(at..at + 3)?).into_owned())
}

fn jpeg(head: &[u8]) -> String {
    match (head.get(6..10), head.get(11..13)) {
        (Some(b"JFIF"), Some([major, minor])) => format!("JFIF {major}.{minor:02}"),
        (Some(b"Exif"), _) => "Exif".to_owned(),
        _ => "raw".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;
    use crate::document::format::recognise;

    #[test]
    fn the_register_is_whole() {
        let mut met = std::collections::BTreeSet::new();
        for entry in all() {
            assert!(met.insert(&entry.media_type), "{} twice", entry.media_type);
            assert!(!entry.extensions.is_empty() && !entry.title.it.is_empty() && !entry.title.en.is_empty());
            assert_eq!(entry.puid.is_some(), entry.puid_confidence.is_some(), "{}", entry.media_type);
            assert!(entry.agid.as_deref().is_none_or(|status| status == "named"), "{}", entry.media_type);
            for puid in entry.puid.iter().chain(entry.versions.iter().map(|version| &version.puid)) {
                let number = puid.strip_prefix("x-fmt/").or(puid.strip_prefix("fmt/")).unwrap();
                assert!(number.parse::<u32>().is_ok(), "{puid}");
            }
        }
        assert!(met.len() >= 25);
    }

    #[test]
    fn versions_come_from_the_content() {
        let details = |bytes: Vec<u8>| {
            let format = recognise(&bytes, "");
            let details = details(&format, &bytes.into()).unwrap();
            format!(
                "{} {} {}",
                format.media_type,
                details.version.unwrap_or_default(),
                details.puid.unwrap_or_default()
            )
        };
        assert_eq!(details(corpus::pdf(1)), "application/pdf 1.4 fmt/18");
        let claim =
            [corpus::pdf(1), b"<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>".to_vec()];
        assert_eq!(details(claim.concat()), "application/pdf PDF/A-2b fmt/477");
        assert_eq!(details(b"%PDF-9.9\n".to_vec()), "application/pdf  ");
        assert!(details(corpus::jpeg()).starts_with("image/jpeg JFIF 1.0"));
        assert_eq!(details(b"GIF89a\x01\0\x01\0".to_vec()), "image/gif 89a fmt/4");
        assert_eq!(details(b"a;b;c\n1;2;3\n4;5;6\n".to_vec()), "text/csv  x-fmt/18");
        assert_eq!(details(vec![0, 1, 2, 3]), "application/octet-stream  ");
    }
}
