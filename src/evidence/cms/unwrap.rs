//! From what people send as `.p7m`, `.p7s`, `.tsr` to DER: byte order mark, PEM armour and base64 are taken off, BER becomes DER.
//!
//! All the shapes of real files are met (indefinite lengths, octet strings in chunks, base64 in one line or many, a newline after
//! the end). The result is for *reading*: the preserved object is always the file as received. Memory is bounded by a small
//! multiple of the input, depth by [`MAX_DEPTH`], and nothing here panics on any input.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::error::{Code, Error, Result};
use crate::evidence::asn1::{malformed, push_length};

/// Nesting allowed: real counter-signed files have a dozen indefinite levels, some parsers gave up on them.
pub const MAX_DEPTH: usize = 64;

/// Size allowed before decoding; the same as the default limit of a deposit.
pub const MAX_BYTES: usize = 256 * 1024 * 1024;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// DER of the outermost element: armour off, BER to DER. Blanks and zeros after it are dropped; anything else there is an error.
pub fn unwrap(bytes: &[u8]) -> Result<Vec<u8>> {
    if bytes.len() > MAX_BYTES {
        return Err(malformed("larger than the limit for signed data"));
    }
    let binary = unarmour(bytes)?;
    let (der, used) = ber_to_der(&binary)?;
    if binary[used..].iter().any(|b| !matches!(b, 0 | b' ' | b'\r' | b'\n' | b'\t')) {
        return Err(malformed(format!("{} bytes follow the signed data", binary.len() - used)));
    }
    Ok(der)
}

/// Whether what could not be unwrapped begins as signed data does and simply ends too early.
pub fn is_cut_short(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let text = mime_body(text).unwrap_or(text);
    if text.starts_with(b"-----BEGIN ") && !text.windows(9).any(|w| w == b"-----END ") {
        return true;
    }
    let binary = match unarmour(bytes) {
        Ok(binary) => binary,
        // One digit too many is what base64 cut anywhere leaves in one case of four.
        Err(_) => match base64(&text[..text.len().saturating_sub(1)]) {
            Ok(binary) if binary.first() == Some(&0x30) => binary.into(),
            _ => return false,
        },
    };
    let mut input = Input { bytes: &binary, at: 0 };
    // The length of the whole says more than there is; or it says nothing, and the end is never met.
    match input.header(binary.len()) {
        Ok(Header { length: Some(_), .. }) => false,
        Ok(Header { length: None, .. }) => {
            matches!(ber_to_der(&binary), Err(e) if e.code == Code::DerMalformed && e.detail.starts_with(CUT_SHORT))
        }
        Err(e) => e.detail.starts_with(CUT_SHORT),
    }
}

/// How every complaint about missing bytes begins.
const CUT_SHORT: &str = "cut short";

pub(super) fn unarmour(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>> {
    if bytes.first() == Some(&0x30) {
        return Ok(bytes.into());
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    if text.is_empty() {
        return Err(malformed("empty"));
    }
    if text.starts_with(b"<") {
        return Err(malformed("markup, not signed data"));
    }
    let text = mime_body(text).unwrap_or(text);
    let decoded = if text.starts_with(b"-----") {
        let labels = ["PKCS7", "CMS", "PKCS #7 SIGNED DATA"];
        pem_blocks(text, &labels)?.into_iter().next().ok_or_else(|| malformed("PEM of another kind"))?
    } else {
        base64(text)?
    };
    if decoded.first() == Some(&0x30) {
        return Ok(decoded.into());
    }
    // Once more, where one program encoded what another had encoded already.
    let again = is_encoded_twice(text).then(|| base64(&decoded).ok()).flatten();
    let again = again.filter(|decoded| decoded.first() == Some(&0x30));
    again.map(Into::into).ok_or_else(|| malformed("base64 of something else"))
}

/// Whether this begins as base64 of base64 of signed data does.
pub fn is_encoded_twice(text: &[u8]) -> bool {
    // `MIA`, `MIG`, `MII` … of which the first two characters never change.
    text.starts_with(b"TUl")
}

/// The base64 of signed data dressed as a MIME part, as `openssl smime` and `openssl cms` write it when nobody says otherwise.
pub fn mime_body(bytes: &[u8]) -> Option<&[u8]> {
    /// Header lines looked at: there are four.
    const LINES: usize = 20;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let (mut signed, mut base64, mut rest) = (false, false, text);
    for _ in 0..LINES {
        let end = rest.iter().take(1024).position(|byte| *byte == b'\n')?;
        let line = rest[..end].trim_ascii().to_ascii_lowercase();
        rest = &rest[end + 1..];
        if line.is_empty() {
            return (signed && base64).then_some(rest);
        }
        signed |= line.starts_with(b"content-type:") && line.windows(10).any(|word| word == b"pkcs7-mime");
        base64 |= line.starts_with(b"content-transfer-encoding:") && line.ends_with(b"base64");
    }
    None
}

fn base64(text: &[u8]) -> Result<Vec<u8>> {
    let compact: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace() && *b != 0).collect();
    LENIENT.decode(compact).map_err(|e| malformed(format!("neither ASN.1 nor base64: {e}")))
}

/// Bodies of all PEM blocks with one of these labels, in order (RFC 7468, leniently).
pub fn pem_blocks(bytes: &[u8], labels: &[&str]) -> Result<Vec<Vec<u8>>> {
    let text = String::from_utf8_lossy(bytes);
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|l| l.strip_suffix("-----")) {
            open = Some((label.to_owned(), String::new()));
        } else if line.starts_with("-----END ") {
            if let Some((label, body)) = open.take().filter(|(label, _)| labels.contains(&label.as_str())) {
                blocks.push(base64(body.as_bytes()).map_err(|e| malformed(format!("PEM of {label}: {}", e.detail)))?);
            }
        } else if let Some((_, body)) = &mut open
            && !line.contains(':')
        {
            body.push_str(line);
        }
    }
    if open.is_some_and(|(label, _)| labels.contains(&label.as_str())) {
        return Err(malformed("PEM block without its end"));
    }
    Ok(blocks)
}

/// PEM block of these bytes.
pub fn armour(label: &str, der: &[u8]) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        text.push_str(std::str::from_utf8(line).unwrap_or_default());
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// One BER element as DER lengths and whole strings, and how many bytes of the input it took. The order of sets is *not* changed
/// here: whoever needs DER order (signed attributes) sorts, so that DER in gives the same bytes out.
pub fn ber_to_der(bytes: &[u8]) -> Result<(Vec<u8>, usize)> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut input = Input { bytes, at: 0 };
    element(&mut input, bytes.len(), 0, &mut out)?;
    Ok((out, input.at))
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

struct Header {
    tag: std::ops::Range<usize>,
    /// `None` is the indefinite form.
    length: Option<usize>,
}

impl Input<'_> {
    fn byte(&mut self, end: usize) -> Result<u8> {
        if self.at >= end {
            return Err(malformed(format!("cut short at byte {}", self.at)));
        }
        self.at += 1;
        Ok(self.bytes[self.at - 1])
    }

    fn header(&mut self, end: usize) -> Result<Header> {
        let start = self.at;
        if self.byte(end)? & 0x1f == 0x1f {
            while self.byte(end)? & 0x80 != 0 {
                if self.at - start > 5 {
                    return Err(malformed("tag number too large"));
                }
            }
        }
        let tag = start..self.at;
        let first = self.byte(end)?;
        let length = match first {
            0x80 => None,
            0..0x80 => Some(usize::from(first)),
            _ => {
                let mut length = 0usize;
                for _ in 0..first & 0x7f {
                    if length >> 32 != 0 {
                        return Err(malformed("length too large"));
                    }
                    length = length << 8 | usize::from(self.byte(end)?);
                }
                Some(length)
            }
        };
        if length.is_some_and(|length| length > end - self.at) {
            return Err(malformed(format!("cut short: an element at byte {start} is longer than what holds it")));
        }
        Ok(Header { tag, length })
    }

    /// Whether the content that ends at `end` (definite) or with two zeros (indefinite) is over; takes the zeros.
    fn over(&mut self, definite: Option<usize>, end: usize) -> Result<bool> {
        match definite {
            Some(stop) => Ok(self.at >= stop),
            None if self.bytes[self.at..end].starts_with(&[0, 0]) => {
                self.at += 2;
                Ok(true)
            }
            None if self.at >= end => Err(malformed("cut short inside an indefinite length")),
            None => Ok(false),
        }
    }
}

/// Puts the length that `out[from..]` turned out to have before it.
fn close(out: &mut Vec<u8>, from: usize) {
    let mut length = Vec::with_capacity(5);
    push_length(&mut length, out.len() - from);
    out.splice(from..from, length);
}

fn element(input: &mut Input<'_>, end: usize, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::new(Code::DerTooDeep, format!("more than {MAX_DEPTH} levels")));
    }
    let header = input.header(end)?;
    let tag = input.bytes[header.tag.start];
    if tag & 0x20 == 0 {
        let length = header.length.ok_or_else(|| malformed("a primitive element of indefinite length"))?;
        out.extend_from_slice(&input.bytes[header.tag]);
        push_length(out, length);
        out.extend_from_slice(&input.bytes[input.at..input.at + length]);
        input.at += length;
        return Ok(());
    }
    let definite = header.length.map(|length| input.at + length);
    let inner_end = definite.unwrap_or(end);
    if tag == 0x24 {
        // OCTET STRING in chunks: one primitive string.
        out.push(0x04);
        let from = out.len();
        chunks(input, definite, inner_end, depth + 1, out)?;
        close(out, from);
        return Ok(());
    }
    out.extend_from_slice(&input.bytes[header.tag]);
    let from = out.len();
    while !input.over(definite, inner_end)? {
        element(input, inner_end, depth + 1, out)?;
    }
    close(out, from);
    Ok(())
}

fn chunks(input: &mut Input<'_>, definite: Option<usize>, end: usize, depth: usize, out: &mut Vec<u8>) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::new(Code::DerTooDeep, format!("more than {MAX_DEPTH} levels")));
    }
    while !input.over(definite, end)? {
        let header = input.header(end)?;
        match (input.bytes[header.tag.start], header.length) {
            (0x04, Some(length)) => {
                out.extend_from_slice(&input.bytes[input.at..input.at + length]);
                input.at += length;
            }
            (0x24, length) => {
                let stop = length.map(|length| input.at + length);
                chunks(input, stop, stop.unwrap_or(end), depth + 1, out)?;
            }
            _ => return Err(malformed("an octet string in chunks holds something else")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::asn1::{octets, sequence, small};

    const MIME: &str = "MIME-Version: 1.0\r\nContent-Disposition: attachment; filename=\"smime.p7m\"\r\n\
        Content-Type: application/x-pkcs7-mime; smime-type=signed-data; name=\"smime.p7m\"\r\nContent-Transfer-Encoding: base64\r\n";

    #[test]
    fn der_comes_out_as_it_went_in_and_armour_comes_off() {
        let der = sequence(&[&small(7), &octets(&[1; 300]), &sequence(&[])]);
        let body = base64::engine::general_purpose::STANDARD.encode(&der);
        let wrapped: String =
            body.as_bytes().chunks(10).map(|c| format!("{}\r\n", String::from_utf8_lossy(c))).collect();
        for form in [
            der.clone(),
            [&der[..], b"\n"].concat(),
            body.clone().into_bytes(),
            wrapped.into_bytes(),
            format!("\u{feff}  {body}").into_bytes(),
            armour("PKCS7", &der).into_bytes(),
            base64::engine::general_purpose::STANDARD.encode(&body).into_bytes(),
            armour("CMS", &der).into_bytes(),
            format!("{MIME}\r\n{body}\r\n").into_bytes(),
            format!("\n{}\n{body}", MIME.replace('\r', "")).into_bytes(),
        ] {
            assert_eq!(unwrap(&form).unwrap(), der);
        }
        assert!(unwrap(&[&der[..], b"garbage"].concat()).is_err());
        for (from, to) in [("base64", "8bit"), ("pkcs7-mime", "pkcs7-signature"), ("\r\n", "")] {
            assert!(unwrap(format!("{}\r\n{body}", MIME.replace(from, to)).as_bytes()).is_err(), "{to}");
        }
        for hostile in [&b"<xml/>"[..], b"", b"\xef\xbb\xbf", b"MII...njA==", b"0\x80", b"-----BEGIN PKCS7-----\nMIIB"]
        {
            assert!(unwrap(hostile).is_err(), "{hostile:?}");
        }
    }

    #[test]
    fn indefinite_lengths_and_chunked_strings_become_der() {
        let ber = [
            &[0x30, 0x80, 0x02, 0x81, 0x01, 0x07, 0x24, 0x80, 0x04, 0x02, b'a', b'b'][..],
            &[0x24, 0x80, 0x04, 0x01, b'c', 0, 0, 0x24, 0x03, 0x04, 0x01, b'd', 0, 0, 0, 0],
        ]
        .concat();
        assert_eq!(unwrap(&ber).unwrap(), sequence(&[&small(7), &octets(b"abcd")]));
    }

    #[test]
    fn depth_is_bounded_with_both_forms_and_cutting_is_an_error() {
        for (opening, count) in [(&[0x30, 0x80][..], 100_000), (&[0x24, 0x80], 100_000)] {
            let bomb = [&[0x30, 0x80], opening.repeat(count).as_slice()].concat();
            assert_eq!(unwrap(&bomb).unwrap_err().code, Code::DerTooDeep);
        }
        let deep = [[0x30, 0x80].repeat(40), vec![0; 80]].concat();
        assert!(unwrap(&deep).is_ok());
        for cut in 1..deep.len() {
            assert!(unwrap(&deep[..cut]).is_err());
        }
    }
}
