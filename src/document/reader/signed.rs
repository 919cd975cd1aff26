//! XML taken out of its signature: `.p7m` in every dress seen in the field (DER, BER, base64, PEM, twice signed), up to
//! five layers. What is taken out is derived data; the preserved object stays the file as received
//! (`reference/fatturapa` section 7.1). Signatures are found here, not judged.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::xml::MAX_BYTES;
use crate::document::Body;
use crate::error::{Code, Finding, Result};

/// Signatures around signatures.
const MAX_LAYERS: usize = 5;
/// BER levels: counter-signed files nest a dozen.
const MAX_DEPTH: usize = 64;

const OID_SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

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
    while let Some(der) = der_of(&opened.content) {
        let place = format!("layer {}", opened.layers + 1);
        if opened.layers == MAX_LAYERS {
            findings.push(Finding::error(Code::DerTooDeep, place, "signed more than five times over"));
            return Ok(None);
        }
        match content_of(&der) {
            Ok(content) => opened = Opened { content, layers: opened.layers + 1 },
            Err(code) => {
                findings.push(Finding::error(code, place, ""));
                return Ok(None);
            }
        }
    }
    Ok(Some(opened))
}

/// The bytes as BER, out of base64 or PEM; `None` when they are none of these.
fn der_of(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.first() == Some(&0x30) && bytes.get(1).is_some_and(|b| *b >= 0x80) {
        return Some(bytes.to_vec());
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii();
    let text = match text.strip_prefix(b"-----BEGIN ") {
        Some(rest) => {
            let body = rest.splitn(2, |b| *b == b'\n').nth(1)?;
            body.split(|b| *b == b'-').next()?
        }
        None => text,
    };
    if text.first() != Some(&b'M') {
        return None;
    }
    let digits: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    LENIENT.decode(digits).ok().filter(|der| der.first() == Some(&0x30))
}

/// A cursor over BER.
struct Ber<'a>(&'a [u8]);

/// Tag and content; for indefinite length the content still carries its end marker.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
}

impl<'a> Ber<'a> {
    fn next(&mut self, depth: usize) -> Result<Element<'a>, Code> {
        if depth > MAX_DEPTH {
            return Err(Code::DerTooDeep);
        }
        let malformed = Code::DerMalformed;
        let (&tag, rest) = self.0.split_first().ok_or(malformed)?;
        let (&first, rest) = rest.split_first().ok_or(malformed)?;
        if tag & 0x1f == 0x1f {
            return Err(malformed);
        }
        if first == 0x80 {
            if tag & 0x20 == 0 {
                return Err(malformed);
            }
            let mut inside = Ber(rest);
            while !inside.0.starts_with(&[0, 0]) {
                inside.next(depth + 1)?;
            }
            let length = rest.len() - inside.0.len();
            self.0 = &inside.0[2..];
            return Ok(Element { tag, content: &rest[..length] });
        }
        let (length, rest) = match first {
            0x81..=0x84 => {
                let count = usize::from(first & 0x7f);
                let digits = rest.get(..count).ok_or(malformed)?;
                (digits.iter().fold(0usize, |n, b| n << 8 | usize::from(*b)), &rest[count..])
            }
            0..=0x7f => (usize::from(first), rest),
            _ => return Err(malformed),
        };
        let content = rest.get(..length).ok_or(malformed)?;
        self.0 = &rest[length..];
        Ok(Element { tag, content })
    }

    fn expect(&mut self, tag: u8) -> Result<Ber<'a>, Code> {
        let element = self.next(0)?;
        if element.tag == tag { Ok(Ber(element.content)) } else { Err(Code::DerMalformed) }
    }
}

/// `SignedData/encapContentInfo/eContent` (RFC 5652 section 5.1), chunks of a constructed string joined.
fn content_of(der: &[u8]) -> Result<Vec<u8>, Code> {
    let mut info = Ber(der).expect(0x30)?;
    if info.expect(0x06)?.0 != OID_SIGNED_DATA {
        return Err(Code::DerMalformed);
    }
    let mut signed = info.expect(0xa0)?.expect(0x30)?;
    signed.expect(0x02)?;
    signed.expect(0x31)?;
    let mut encapsulated = signed.expect(0x30)?;
    encapsulated.expect(0x06)?;
    if encapsulated.0.is_empty() {
        return Err(Code::P7mDetached);
    }
    let mut explicit = encapsulated.expect(0xa0)?;
    let mut content = Vec::new();
    let octets = explicit.next(0)?;
    join(&octets, &mut content, 0)?;
    Ok(content)
}

fn join(octets: &Element, out: &mut Vec<u8>, depth: usize) -> Result<(), Code> {
    match octets.tag {
        0x04 => out.extend_from_slice(octets.content),
        0x24 if depth < MAX_DEPTH => {
            let mut chunks = Ber(octets.content);
            while !chunks.0.is_empty() {
                let chunk = chunks.next(depth)?;
                join(&chunk, out, depth + 1)?;
            }
        }
        0x24 => return Err(Code::DerTooDeep),
        _ => return Err(Code::DerMalformed),
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag, 0x84];
        out.extend_from_slice(&u32::try_from(content.len()).unwrap().to_be_bytes());
        out.extend_from_slice(content);
        out
    }

    fn endless(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, 0x80], content, &[0, 0]].concat()
    }

    /// SignedData without signers around this content: enough for taking it out.
    pub(crate) fn wrap(content: &[u8]) -> Vec<u8> {
        let data = tlv(0x30, &[tlv(0x06, &OID_SIGNED_DATA[..8]), tlv(0xa0, &tlv(0x04, content))].concat());
        let signed = tlv(0x30, &[tlv(0x02, &[1]), tlv(0x31, &[]), data, tlv(0x31, &[])].concat());
        tlv(0x30, &[tlv(0x06, OID_SIGNED_DATA), tlv(0xa0, &signed)].concat())
    }

    fn streamed(content: &[u8]) -> Vec<u8> {
        let chunks: Vec<u8> = content.chunks(3).flat_map(|chunk| tlv(0x04, chunk)).collect();
        let data = endless(0x30, &[tlv(0x06, &OID_SIGNED_DATA[..8]), endless(0xa0, &endless(0x24, &chunks))].concat());
        let signed = endless(0x30, &[tlv(0x02, &[1]), tlv(0x31, &[]), data, tlv(0x31, &[])].concat());
        endless(0x30, &[tlv(0x06, OID_SIGNED_DATA), endless(0xa0, &signed)].concat())
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
        for der in [wrap(xml), streamed(xml)] {
            let base64 = LENIENT.encode(&der);
            let lines: Vec<String> =
                base64.as_bytes().chunks(64).map(|l| String::from_utf8_lossy(l).into_owned()).collect();
            let pem = format!("-----BEGIN PKCS7-----\r\n{}\r\n-----END PKCS7-----\r\n", lines.join("\r\n"));
            for dress in
                [der.clone(), [&der[..], b"\n"].concat(), base64.clone().into(), lines.join("\r\n").into(), pem.into()]
            {
                assert_eq!(opened(dress), Ok((xml.to_vec(), 1)));
            }
            assert_eq!(opened(wrap(&der)), Ok((xml.to_vec(), 2)));
        }
    }

    #[test]
    fn bad_signatures_have_codes() {
        let detached = {
            let data = tlv(0x30, &tlv(0x06, &OID_SIGNED_DATA[..8]));
            let signed = tlv(0x30, &[tlv(0x02, &[1]), tlv(0x31, &[]), data].concat());
            tlv(0x30, &[tlv(0x06, OID_SIGNED_DATA), tlv(0xa0, &signed)].concat())
        };
        assert_eq!(opened(detached), Err(Code::P7mDetached));
        let mut cut = wrap(b"<a/>");
        cut.truncate(30);
        assert_eq!(opened(cut), Err(Code::DerMalformed));
        assert_eq!(opened([0x30, 0x80].repeat(100)), Err(Code::DerTooDeep));
        let six = (0..6).fold(b"<a/>".to_vec(), |inner, _| wrap(&inner));
        assert_eq!(opened(six), Err(Code::DerTooDeep));
    }
}
