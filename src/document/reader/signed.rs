//! XML taken out of its signature: `.p7m` in every dress seen in the field (DER, BER, base64, PEM, twice signed), up to
//! five layers. What is taken out is derived data; the preserved object stays the file as received
//! (`reference/fatturapa` section 7.1). Each layer is handed to whoever judges signatures before the next is opened.
//!
//! Invariant: what cannot be opened has a code of its own: empty, too short, plain text, a placeholder, cut short,
//! detached, too many layers; what merely has bytes behind it is opened and marked.

use std::borrow::Cow;

use super::Extraction;
use super::xml::{self, MAX_BYTES};
use crate::document::{Body, Context};
use crate::error::{Code, Finding, Result};
use crate::evidence::cms::unwrap::{is_encoded_twice, mime_body};
use crate::evidence::cms::{self, is_cut_short};
use crate::evidence::judge::{Purpose, unread};

/// Signatures around signatures.
const MAX_LAYERS: usize = 5;
/// The shortest signed data there can be is longer than this.
const SHORTEST: usize = 16;

/// The innermost content.
pub struct Opened<'a> {
    /// Its bytes.
    pub content: Cow<'a, [u8]>,
    /// Signatures around it.
    pub layers: usize,
}

/// The whole body, when it is not larger than what is read in depth; otherwise a finding says so.
pub fn whole(body: &Body, findings: &mut Vec<Finding>) -> Result<Option<bytes::Bytes>> {
    let whole = body.whole(MAX_BYTES)?;
    if whole.is_none() {
        findings.push(Finding::warning(Code::ReaderTooLarge, "content", "larger than 16 MiB"));
    }
    Ok(whole)
}

/// Opens a file layer by layer and judges every signer of every layer by the context, when there is one.
pub fn open_judged<'a>(bytes: &'a [u8], context: Option<&Context<'_>>, out: &mut Extraction) -> Option<Opened<'a>> {
    let judge = context.map(|context| context.judge(None));
    let mut reports = Vec::new();
    let opened = open(bytes, &mut out.findings, &mut |signed, place| {
        // What cannot be judged at all was opened all the same: the reader says how many layers there were.
        if let Some(Ok(found)) = judge.map(|judge| judge.opened(signed, None, Purpose::Signature, place)) {
            reports.extend(found);
        }
    });
    out.signatures.extend(reports);
    opened
}

/// The XML inside, of a file of this name. What is not XML is a finding of severity error.
pub fn root(opened: &Opened<'_>, name: &str, apart: xml::Apart<'_>, findings: &mut Vec<Finding>) -> Option<xml::Node> {
    if opened.layers == 0 && name.to_ascii_lowercase().ends_with(".p7m") {
        findings.push(Finding::warning(Code::P7mPlain, "name", ""));
    }
    match xml::parse(&opened.content, apart) {
        Ok(parsed) => {
            findings.extend(parsed.findings);
            Some(parsed.root)
        }
        Err(fault) => {
            findings.push(fault);
            None
        }
    }
}

/// Judges the XML signatures inside and says whether there is any, at whatever depth; without a context nothing is judged. One that
/// cannot be taken for a signature at all is said to be there and not to have been judged.
pub fn judge_xml(content: &[u8], root: &xml::Node, context: Option<&Context<'_>>, out: &mut Extraction) -> bool {
    let named = root.holds("Signature");
    let Some(judge) = context.map(|context| context.judge(None)) else { return named };
    let mut reports = match judge.xades(content, "Signature") {
        Ok(reports) => reports,
        Err(error) if named => vec![unread("Signature", error.code, "it cannot be read as a signature")],
        // What only looks as if it mentioned one.
        Err(_) => Vec::new(),
    };
    if named && reports.is_empty() {
        reports.push(unread(
            "Signature",
            Code::SignatureUnsupported,
            "an element of that name that is no XML signature",
        ));
    }
    out.signatures.extend(reports.iter().cloned());
    !reports.is_empty()
}

/// Opens a file layer by layer; `judge` sees the signed data of each and its place. `None` when it cannot be opened, and then a
/// finding says why.
pub fn open<'a>(
    bytes: &'a [u8],
    findings: &mut Vec<Finding>,
    judge: &mut dyn FnMut(&cms::Opened, &str),
) -> Option<Opened<'a>> {
    let mut opened = Opened { content: Cow::Borrowed(bytes), layers: 0 };
    while looks_signed(&opened.content) {
        let place = format!("layer {}", opened.layers + 1);
        if opened.layers == MAX_LAYERS {
            findings.push(Finding::error(Code::P7mTooDeep, place, ""));
            return None;
        }
        let mut signed = match cms::open(&opened.content) {
            Ok(signed) => signed,
            Err(e) => {
                findings.push(unopened(&opened.content, e.code, &e.detail, place));
                return None;
            }
        };
        if signed.data.content.is_none() {
            findings.push(Finding::error(Code::P7mDetached, place, ""));
            return None;
        }
        judge(&signed, &place);
        let content = signed.data.content.take().unwrap_or_default();
        opened = Opened { content: Cow::Owned(content), layers: opened.layers + 1 };
    }
    Some(opened)
}

/// Why signed data could not be opened: the code of what it is instead.
fn unopened(bytes: &[u8], code: Code, detail: &str, place: String) -> Finding {
    if code == Code::SignatureCut || is_cut_short(bytes) {
        return Finding::error(Code::P7mTruncated, place, "");
    }
    if cms::is_encrypted(bytes) {
        return Finding::error(Code::P7mEncrypted, place, "");
    }
    if bytes.first() != Some(&0x30)
        && let Some(other) = not_signed(bytes)
    {
        return Finding::error(other, place, "");
    }
    // What is ASN.1 and not signed data cannot be kept as such.
    let code = if matches!(code, Code::DerTooDeep) { code } else { Code::DerMalformed };
    Finding::error(code, place, detail)
}

/// What a file is that was promised to be signed data and cannot even be taken for it; `None` when it may be.
pub fn not_signed(bytes: &[u8]) -> Option<Code> {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii();
    if text.is_empty() {
        return Some(Code::P7mEmpty);
    }
    let armoured = |b: &u8| b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b"+/=-".contains(b);
    let plain = !bytes.iter().any(|b| matches!(b, 0..=8 | 0x0e..=0x1f));
    if text.starts_with(b"MI") && !text.iter().all(armoured) {
        return Some(Code::P7mPlaceholder);
    }
    if text.len() < SHORTEST {
        return Some(Code::P7mShort);
    }
    // A sequence in a sequence in a sequence has no character that a text could not have.
    if bytes.starts_with(&[0x30, 0x80]) && cms::open(bytes).is_err_and(|error| error.code == Code::DerTooDeep) {
        return Some(Code::DerTooDeep);
    }
    plain.then_some(Code::P7mText)
}

/// ASN.1, its base64 (30 80, 30 81, 30 82 … always begin with M), PEM or a MIME part; XML begins with none of these.
fn looks_signed(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    bytes.first() == Some(&0x30)
        || text.first() == Some(&b'M')
        || text.starts_with(b"-----BEGIN ")
        || is_encoded_twice(text)
        || mime_body(bytes).is_some()
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
        let mut judged = 0;
        let opened = open(&bytes, &mut findings, &mut |_, _| judged += 1);
        match opened {
            Some(opened) => {
                assert_eq!(judged, opened.layers);
                Ok((opened.content.into_owned(), opened.layers))
            }
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
        let bom = [b"\xEF\xBB\xBF\r\n ", lines.as_bytes()].concat();
        for dress in [der.clone(), [&der[..], b"\n"].concat(), base64.into(), lines.into(), pem.into(), bom] {
            assert_eq!(opened(dress), Ok((xml.to_vec(), 1)));
        }
        assert_eq!(opened(wrap(&der)), Ok((xml.to_vec(), 2)));
        let trailing = [&der[..], b"GARBAGE"].concat();
        let mut seen = 0;
        open(&trailing, &mut Vec::new(), &mut |signed, _| seen = signed.trailing).unwrap();
        assert_eq!(seen, 7);
    }

    #[test]
    fn bad_signatures_have_codes() {
        let pki = pki(|_| {});
        let detached = Spec { attached: false, ..Spec::new(b"<a/>", &pki.leaf_key, &pki.leaf) };
        assert_eq!(opened(sign(&detached).unwrap()), Err(Code::P7mDetached));
        let whole = wrap(b"<a/>");
        let base64 = STANDARD.encode(&whole);
        let pem = format!("-----BEGIN PKCS7-----\n{base64}");
        for cut in [whole[..30].to_vec(), whole[..whole.len() - 1].to_vec(), base64[..400].into(), pem.into()] {
            assert_eq!(opened(cut), Err(Code::P7mTruncated));
        }
        assert_eq!(opened(vec![0x30, 0x80, 6, 1, 0x2a]), Err(Code::P7mTruncated));
        assert_eq!(opened(vec![0x30, 0x03, 6, 1, 0x2a]), Err(Code::DerMalformed));
        assert_eq!(opened([0x30, 0x80].repeat(100)), Err(Code::DerTooDeep));
        assert_eq!(opened(b"MII...qualcosa che non e'".to_vec()), Err(Code::P7mPlaceholder));
        assert_eq!(opened(b"Mi dispiace, il file non e' disponibile.".to_vec()), Err(Code::P7mText));
        let six = (0..6).fold(b"<a/>".to_vec(), |inner, _| wrap(&inner));
        assert_eq!(opened(six), Err(Code::P7mTooDeep));
    }

    #[test]
    fn what_is_no_signed_data_is_named() {
        for (bytes, code) in [
            (&b""[..], Some(Code::P7mEmpty)),
            (b" \r\n", Some(Code::P7mEmpty)),
            (b"0\x80", Some(Code::P7mShort)),
            (b"MII...njA==", Some(Code::P7mPlaceholder)),
            (b"MIIB", Some(Code::P7mShort)),
            (&[0x30, 0x80].repeat(30_000), Some(Code::DerTooDeep)),
            (b"Non e' una firma ma una nota.", Some(Code::P7mText)),
            (b"\x50\x4b\x03\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", None),
        ] {
            assert_eq!(not_signed(bytes), code);
        }
    }
}
