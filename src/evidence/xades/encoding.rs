//! Which characters the bytes of an XML document are: byte-order mark, the first bytes, the declaration (XML 1.0 section 2.11 and
//! appendix F).
//!
//! Invariant: [`decode`] is strict, because a document that is not in the encoding it names cannot be what was signed; the lenient
//! reading of others' files is the document readers' own.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};

use super::tree::MAX_BYTES;
use crate::error::{Code, Error, Result};

/// Blanks passed over before the first `<`.
const MAX_BLANKS: usize = 64;

/// UTF-16 without its mark, known by how markup begins in it: `<` and one more ASCII character, each beside a zero.
pub fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let (encoding, low) = match bytes {
        [0, high, ..] if *high != 0 => (UTF_16BE, 1),
        [low, 0, ..] if *low != 0 => (UTF_16LE, 0),
        _ => return None,
    };
    let ascii = |pair: &[u8]| (pair.get(1 - low) == Some(&0)).then(|| pair[low]);
    let mut pairs = bytes.chunks_exact(2).map(ascii).take(MAX_BLANKS).skip_while(|c| c.is_some_and(blank));
    let (first, second) = (pairs.next()??, pairs.next()??);
    (first == b'<' && (second.is_ascii_alphabetic() || b"?!_".contains(&second))).then_some(encoding)
}

fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// To UTF-8 with the line ends that XML 1.0 section 2.11 gives every processor. A document that is not in the encoding it names
/// cannot be what was signed.
pub fn decode(bytes: &[u8]) -> Result<String> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::new(Code::XmlTooDeep, "larger than 16 MiB"));
    }
    let wrong = || Error::new(Code::XmlEncoding, "not in the encoding it names");
    let text = if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]).ok_or_else(wrong)?
    } else if let Some(encoding) = wide(bytes) {
        encoding.decode_without_bom_handling_and_without_replacement(bytes).ok_or_else(wrong)?
    } else if let Some(label) = declared(bytes).filter(|label| !label.eq_ignore_ascii_case("utf-8")) {
        if ["iso-8859-1", "latin1", "iso8859-1"].contains(&label.to_ascii_lowercase().as_str()) {
            // The web's table gives windows-1252 that name; XML's software does not.
            Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect())
        } else {
            // Bytes in which a declaration could be read so far are no UTF-16, whatever it says.
            let encoding = Encoding::for_label(label.as_bytes()).filter(|e| ![UTF_16LE, UTF_16BE].contains(e));
            let encoding = encoding.ok_or_else(wrong)?;
            encoding.decode_without_bom_handling_and_without_replacement(bytes).ok_or_else(wrong)?
        }
    } else {
        Cow::Borrowed(std::str::from_utf8(bytes).map_err(|_| wrong())?)
    };
    Ok(if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.into_owned() })
}

fn declared(bytes: &[u8]) -> Option<String> {
    let head = bytes[..bytes.len().min(256)].strip_prefix(b"<?xml")?;
    let head = String::from_utf8_lossy(head);
    let value = head.split("?>").next()?.split("encoding").nth(1)?.trim_start().strip_prefix('=')?.trim_start();
    value.trim_start_matches(['"', '\'']).split(['"', '\'']).next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(order).collect()
    }

    #[test]
    fn utf16_is_known_without_its_mark() {
        for text in ["<a/>", "<?xml version='1.0'?><a/>", "\r\n <!-- x --><a/>", "<_/>", "<p:a/>"] {
            assert_eq!(wide(&utf16(text, u16::to_le_bytes)), Some(UTF_16LE), "{text}");
            assert_eq!(wide(&utf16(text, u16::to_be_bytes)), Some(UTF_16BE), "{text}");
            assert_eq!(decode(&utf16(text, u16::to_le_bytes)).unwrap(), text.replace("\r\n", "\n"));
            assert_eq!(wide(text.as_bytes()), None);
        }
        for text in ["", "<", "< a", "a<b", "\0\0", &" ".repeat(200)] {
            assert_eq!(wide(&utf16(text, u16::to_le_bytes)), None, "{text:?}");
        }
        assert_eq!(wide(b"<\0/"), None);
    }

    #[test]
    fn what_is_not_in_the_encoding_it_names_is_refused() {
        let code = |bytes: &[u8]| decode(bytes).unwrap_err().code;
        assert_eq!(code(b"<?xml version='1.0' encoding='utf-16'?><a/>"), Code::XmlEncoding);
        assert_eq!(code(b"<?xml version='1.0' encoding='ebcdic-it'?><a/>"), Code::XmlEncoding);
        assert_eq!(code(b"<?xml version='1.0' encoding='Utf-8'?><a>\xe8</a>"), Code::XmlEncoding);
        assert_eq!(code(b"\xff\xfe<\0a"), Code::XmlEncoding);
        let latin = decode(b"<?xml version='1.0' encoding='iso-8859-1'?><a>\xe8\x80</a>").unwrap();
        assert!(latin.ends_with("<a>\u{e8}\u{80}</a>"));
        let western = decode(b"<?xml version='1.0' encoding='Windows-1252'?><a>\xe8\x80</a>").unwrap();
        assert!(western.ends_with("<a>\u{e8}\u{20ac}</a>"));
    }
}
