//! Transfer encodings undone piece by piece (RFC 2045 section 6): base64, quoted-printable; everything else is as it is.
//!
//! Invariant: whatever the input, memory stays at a few times the longest piece; what does not decode is noted, not lost in
//! silence.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Undoes a transfer encoding.
pub struct Decoder {
    kind: Kind,
    /// Digits or a `=XX` not complete yet.
    held: Vec<u8>,
    out: Vec<u8>,
    /// Something was not as the encoding says.
    pub damaged: bool,
}

enum Kind {
    Identity,
    Base64,
    QuotedPrintable,
}

impl Decoder {
    /// For this Content-Transfer-Encoding, in lower case.
    pub fn new(encoding: &str) -> Self {
        let kind = match encoding {
            "base64" => Kind::Base64,
            "quoted-printable" => Kind::QuotedPrintable,
            _ => Kind::Identity,
        };
        Self { kind, held: Vec::new(), out: Vec::new(), damaged: false }
    }

    /// Takes a piece and gives what it decodes to.
    pub fn update(&mut self, piece: &[u8], sink: &mut dyn FnMut(&[u8])) {
        self.out.clear();
        match self.kind {
            Kind::Identity => return sink(piece),
            Kind::Base64 => {
                for line in piece.split(|b| *b == b'\n') {
                    self.held.extend_from_slice(line.trim_ascii());
                }
                let whole = self.held.len() / 4 * 4;
                let rest = self.held.split_off(whole);
                self.digits(false);
                self.held.extend_from_slice(&rest);
            }
            Kind::QuotedPrintable => self.quoted(piece, false),
        }
        sink(&self.out);
    }

    /// Gives what is left.
    pub fn finish(&mut self, sink: &mut dyn FnMut(&[u8])) {
        self.out.clear();
        match self.kind {
            Kind::Identity => return,
            Kind::Base64 => self.digits(true),
            Kind::QuotedPrintable => self.quoted(b"", true),
        }
        sink(&self.out);
    }

    /// Decodes the digits held; those that make no whole byte stay, unless they are the last.
    fn digits(&mut self, last: bool) {
        if self.held.is_empty() || LENIENT.decode_vec(&self.held, &mut self.out).is_ok() {
            return self.held.clear();
        }
        // Blanks within lines, padding before the end, characters of another alphabet: decode what there is.
        self.out.clear();
        let held = std::mem::take(&mut self.held);
        let mut parts = held.split(|b| *b == b'=').peekable();
        while let Some(part) = parts.next() {
            let mut digits: Vec<u8> =
                part.iter().copied().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).collect();
            self.damaged |= part.iter().filter(|b| !b.is_ascii_whitespace()).count() > digits.len();
            if parts.peek().is_none() && !last {
                self.held = digits.split_off(digits.len() / 4 * 4);
            } else if digits.len() % 4 == 1 {
                // A lone digit holds no byte.
                digits.pop();
                self.damaged = true;
            }
            self.damaged |= LENIENT.decode_vec(&digits, &mut self.out).is_err();
        }
    }

    fn quoted(&mut self, piece: &[u8], last: bool) {
        let text = [std::mem::take(&mut self.held), piece.to_vec()].concat();
        let mut at = 0;
        while at < text.len() {
            let plain = memchr::memchr(b'=', &text[at..]).map_or(text.len(), |found| at + found);
            self.out.extend_from_slice(&text[at..plain]);
            at = plain;
            let rest = &text[at..];
            match rest {
                [] => {}
                [b'=', b'\r', b'\n', ..] => at += 3,
                [b'=', b'\n', ..] => at += 2,
                [b'=', high, low, ..] => {
                    let digit = |b: u8| char::from(b).to_digit(16);
                    match (digit(*high), digit(*low)) {
                        (Some(high), Some(low)) => {
                            self.out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                            at += 3;
                        }
                        _ => {
                            self.damaged = true;
                            self.out.push(b'=');
                            at += 1;
                        }
                    }
                }
                _ if last => {
                    self.damaged |= rest.len() > 1;
                    at = text.len();
                }
                _ => {
                    self.held = rest.to_vec();
                    at = text.len();
                }
            }
        }
    }
}

/// Decodes at once; `None` when something was not as the encoding says.
pub fn decoded(encoding: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new(encoding);
    let mut out = Vec::with_capacity(bytes.len());
    decoder.update(bytes, &mut |piece| out.extend_from_slice(piece));
    decoder.finish(&mut |piece| out.extend_from_slice(piece));
    (!decoder.damaged).then_some(out)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// In pieces of every small size the result is the same.
    fn of(encoding: &str, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut seen: Option<(Vec<u8>, bool)> = None;
        for size in [1, 2, 3, 5, 7, 64, bytes.len().max(1)] {
            let mut decoder = Decoder::new(encoding);
            let mut out = Vec::new();
            for piece in bytes.chunks(size) {
                decoder.update(piece, &mut |piece| out.extend_from_slice(piece));
            }
            decoder.finish(&mut |piece| out.extend_from_slice(piece));
            let now = (out, decoder.damaged);
            assert_eq!(*seen.get_or_insert_with(|| now.clone()), now, "in pieces of {size}");
        }
        seen.unwrap()
    }

    #[test]
    fn base64_in_every_wrapping() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = STANDARD.encode(&bytes);
        let wrapped: Vec<String> =
            text.as_bytes().chunks(76).map(|l| String::from_utf8(l.to_vec()).unwrap() + " \r\n").collect();
        for form in [text.clone(), wrapped.concat(), text.trim_end_matches('=').to_owned(), format!("\n\n{text}\n")] {
            assert_eq!(of("base64", form.as_bytes()), (bytes.clone(), false));
        }
        assert_eq!(of("base64", b"TWFu IGlz").0, b"Man is");
        assert_eq!(of("base64", b""), (Vec::new(), false));
        assert!(decoded("base64", b"MII...njA==").is_none());
        assert_eq!(of("base64", b"QUJD*!*REVG").0, b"ABCDEF");
        assert_eq!(of("base64", b"QUI=\r\nQ0Q=\r\n").0, b"ABCD");
        assert_eq!(of("8bit", b"=E9"), (b"=E9".to_vec(), false));
    }

    #[test]
    fn quoted_printable() {
        assert_eq!(of("quoted-printable", b"perch=E9 =\r\ns=3D=\nx"), (b"perch\xe9 s=x".to_vec(), false));
        assert_eq!(of("quoted-printable", b"a=zz="), (b"a=zz".to_vec(), true));
    }
}
