//! Base64 as it streams by: length, SHA-256 and format of what it stands for, without ever holding it.
//!
//! Attachments inside invoices are most of their bytes (`reference/fatturapa` section 9): white space anywhere, nothing at
//! all, or rubbish. Invariant: memory is one buffer and the head that formats are recognised from, whatever the length.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest as _, Sha256 as Hasher};

use crate::document::format::{self, Format};
use crate::hash::Sha256;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Base64 digits decoded at a time; a multiple of four.
const BLOCK: usize = 4096;
/// Decoded bytes kept for recognising the format.
const HEAD: usize = 4096;

/// What base64 text stands for.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// Length.
    pub bytes: u64,
    /// SHA-256.
    pub sha256: Sha256,
    /// Format, from the content alone.
    pub format: Format,
    /// Whether all of it was base64; otherwise the rest is of what could be decoded.
    pub clean: bool,
}

/// Takes base64 text in pieces.
#[derive(Debug)]
pub struct Base64Text {
    digits: Vec<u8>,
    padded: bool,
    clean: bool,
    hasher: Hasher,
    bytes: u64,
    head: Vec<u8>,
}

impl Default for Base64Text {
    fn default() -> Self {
        let (digits, head) = (Vec::with_capacity(BLOCK), Vec::new());
        Self { digits, padded: false, clean: true, hasher: Hasher::new(), bytes: 0, head }
    }
}

impl Base64Text {
    /// Takes the next piece.
    pub fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if !self.padded => {
                    self.digits.push(byte);
                    if self.digits.len() == BLOCK {
                        self.flush();
                    }
                }
                b'=' => self.padded = true,
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ => self.clean = false,
            }
        }
    }

    fn flush(&mut self) {
        match LENIENT.decode(&self.digits) {
            Ok(part) => {
                self.hasher.update(&part);
                self.bytes += part.len() as u64;
                let room = HEAD.saturating_sub(self.head.len()).min(part.len());
                self.head.extend_from_slice(&part[..room]);
            }
            Err(_) => self.clean = false,
        }
        self.digits.clear();
    }

    /// The end.
    pub fn finish(mut self) -> Decoded {
        if self.digits.len() % 4 == 1 {
            // One digit holds no byte.
            self.digits.pop();
            self.clean = false;
        }
        self.flush();
        let sha256 = Sha256(self.hasher.finalize().into());
        Decoded { bytes: self.bytes, sha256, format: format::recognise(&self.head, ""), clean: self.clean }
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn decoded(pieces: &[&str]) -> Decoded {
        let mut text = Base64Text::default();
        pieces.iter().for_each(|piece| text.push(piece));
        text.finish()
    }

    #[test]
    fn any_cut_and_any_white_space_give_the_same() {
        let content: Vec<u8> = b"%PDF-1.4\n".iter().copied().chain((0..20_000u32).map(|n| (n * 7) as u8)).collect();
        let text = STANDARD.encode(&content);
        let lines: Vec<&str> = text.as_bytes().chunks(77).map(|l| std::str::from_utf8(l).unwrap()).collect();
        for one in [decoded(&[&text]), decoded(&[&lines.join(" \r\n\t")]), decoded(&lines)] {
            assert_eq!((one.bytes, one.sha256, one.clean), (content.len() as u64, Sha256::of(&content), true));
            assert_eq!(one.format.media_type, "application/pdf");
        }
    }

    #[test]
    fn nothing_and_rubbish_are_told_apart() {
        let none = decoded(&["  \n"]);
        assert_eq!((none.bytes, none.sha256, none.clean), (0, Sha256::of(b""), true));
        assert_eq!((decoded(&["QQ"]).bytes, decoded(&["QQ"]).clean), (1, true));
        assert!(!decoded(&["QUJD", "$"]).clean);
        assert!(!decoded(&["QQ==QQ=="]).clean);
        assert_eq!((decoded(&["QUJDR"]).bytes, decoded(&["QUJDR"]).clean), (3, false));
    }
}
