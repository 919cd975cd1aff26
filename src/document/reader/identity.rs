//! Identity documents and their companions: metadata are given by the on-boarding service, the format is recognised,
//! nothing is read from the image. What looks wrong is said by field name; no value ever leaves this module.

use jiff::civil::Date;
use serde_json::Value;

use super::{Extraction, Input, Reader};
use crate::error::{Code, Finding, Result};

pub struct IdentityReader;

impl Reader for IdentityReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        let mut extraction = Extraction::default();
        let text = |name: &str| input.given.get(name).and_then(Value::as_str).map(str::trim);
        let mut wrong = |name: &str, detail: &str| {
            extraction.findings.push(Finding::warning(Code::IdentityField, format!("metadata/{name}"), detail));
        };
        if text("tax_code").is_some_and(|code| !tax_code_plausible(code)) {
            wrong("tax_code", "its check character does not fit");
        }
        let date = |name: &str| text(name).and_then(|text| text.parse::<Date>().ok());
        if let (Some(issued), Some(expires)) = (date("issued_on"), date("expires_on"))
            && expires < issued
        {
            wrong("expires_on", "before the date of issue");
        }
        if let (Some(born), Some(issued)) = (date("birth_date"), date("issued_on"))
            && issued < born
        {
            wrong("birth_date", "after the date of issue");
        }
        Ok(extraction)
    }
}

/// Values of characters in odd positions of a tax code (DM 23 December 1976): digits as the letters A to J.
const ODD: [u32; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];

/// Whether a tax code of 16 characters, or of 11 digits, carries its right check character.
fn tax_code_plausible(code: &str) -> bool {
    let code = code.to_ascii_uppercase();
    let bytes = code.as_bytes();
    match bytes.len() {
        11 if bytes.iter().all(u8::is_ascii_digit) => {
            let sum: u32 = bytes.iter().enumerate().fold(0, |sum, (position, byte)| {
                let digit = u32::from(byte - b'0');
                sum + if position % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
            });
            sum.is_multiple_of(10)
        }
        16 if bytes.iter().all(u8::is_ascii_alphanumeric) => {
            let sum: u32 = bytes[..15].iter().enumerate().fold(0, |sum, (position, byte)| {
                let value = u32::from(if byte.is_ascii_digit() { byte - b'0' } else { byte - b'A' });
                sum + if position % 2 == 0 { ODD[value as usize] } else { value }
            });
            u32::from(bytes[15]) == u32::from(b'A') + sum % 26
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_characters() {
        assert!(tax_code_plausible("RSSMRA80A01H501U"));
        assert!(!tax_code_plausible("RSSMRA80A01H501X"));
        assert!(tax_code_plausible("00000000000"));
        assert!(!tax_code_plausible("00000000001"));
        assert!(!tax_code_plausible("abc"));
    }
}
