//! XML taken out of its signature: `.p7m` in every dress seen in the field (DER, BER, base64, PEM, twice signed), up to
//! five layers. What is taken out is derived data; the preserved object stays the file as received
//! (`reference/fatturapa` section 7.1). Signatures are found here, not judged.

use super::xml::MAX_BYTES;
use crate::document::Body;
use crate::error::{Code, Finding, Result};
use crate::evidence::cms::{SignedData, unwrap};

/// Signatures around signatures.
const MAX_LAYERS: usize = 5;

/// The innermost content.
pub struct Opened {
    /// Its bytes.
    pub content: Vec<u8>,
    /// Signatures around it.
    pub layers: usize,
}

/// Opens a body; `None` when it cannot be opened, and then a finding says why.
pub fn open(body: &Body, findings: &mut Vec<Finding>) -> Result<Option<Opened>> {
    let Some(whole) = body.whole(MAX_BYTES)? else {
        findings.push(Finding::warning(Code::ReaderTooLarge, "content", "larger than 16 MiB"));
        return Ok(None);
    };
    let mut opened = Opened { content: whole.to_vec(), layers: 0 };
    while looks_signed(&opened.content) {
        let place = format!("layer {}", opened.layers + 1);
        if opened.layers == MAX_LAYERS {
            findings.push(Finding::error(Code::DerTooDeep, place, "signed more than five times over"));
            return Ok(None);
        }
        let signed = match unwrap(&opened.content).and_then(|der| SignedData::parse(&der)) {
            Ok(signed) => signed,
            Err(e) => {
                findings.push(Finding::error(e.code, place, e.detail));
                return Ok(None);
            }
        };
        let Some(content) = signed.content else {
            findings.push(Finding::error(Code::P7mDetached, place, ""));
            return Ok(None);
        };
        opened = Opened { content, layers: opened.layers + 1 };
    }
    Ok(Some(opened))
}

/// ASN.1, its base64 (30 80, 30 81, 30 82 … always begin with M) or PEM; XML begins with none of these.
fn looks_signed(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    bytes.first() == Some(&0x30) || text.first() == Some(&b'M') || text.starts_with(b"-----BEGIN ")
}

#[cfg(test)]
pub(super) mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::evidence::cms::{Spec, sign};
    use crate::evidence::fixtures::{at, pki};

    /// A CAdES signature around this content.
    pub fn wrap(content: &[u8]) -> Vec<u8> {
        let pki = pki(|_| {});
        sign(&Spec::cades(content, &pki.leaf_key, &pki.leaf, at("2026-03-10T09:00:00Z"))).unwrap()
    }

    fn opened(bytes: Vec<u8>) -> Result<(Vec<u8>, usize), Code> {
        let mut findings = Vec::new();
        match open(&bytes.into(), &mut findings).unwrap() {
            Some(opened) => Ok((opened.content, opened.layers)),
            None => Err(findings[0].code),
        }
    }

    #[test]
    fn every_dress_comes_off() {
        let xml = b"<?xml version=\"1.0\"?><a>contenuto</a>";
        assert_eq!(opened(xml.to_vec()), Ok((xml.to_vec(), 0)));
        let der = wrap(xml);
        let base64 = STANDARD.encode(&der);
        let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|l| std::str::from_utf8(l).unwrap()).collect();
        let lines = lines.join("\r\n");
        let pem = format!("-----BEGIN PKCS7-----\r\n{lines}\r\n-----END PKCS7-----\r\n");
        for dress in [der.clone(), [&der[..], b"\n"].concat(), base64.into(), lines.into(), pem.into()] {
            assert_eq!(opened(dress), Ok((xml.to_vec(), 1)));
        }
        assert_eq!(opened(wrap(&der)), Ok((xml.to_vec(), 2)));
    }

    #[test]
    fn bad_signatures_have_codes() {
        let pki = pki(|_| {});
        let detached = Spec { attached: false, ..Spec::new(b"<a/>", &pki.leaf_key, &pki.leaf) };
        assert_eq!(opened(sign(&detached).unwrap()), Err(Code::P7mDetached));
        let mut cut = wrap(b"<a/>");
        cut.truncate(30);
        assert_eq!(opened(cut), Err(Code::DerMalformed));
        assert_eq!(opened([0x30, 0x80].repeat(100)), Err(Code::DerTooDeep));
        let six = (0..6).fold(b"<a/>".to_vec(), |inner, _| wrap(&inner));
        assert_eq!(opened(six), Err(Code::DerTooDeep));
    }
}
