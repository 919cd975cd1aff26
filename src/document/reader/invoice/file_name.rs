//! File names by the rule of the exchange system: country, transmitter, underscore, progressive (section 6). A hint:
//! portals rename files.

use crate::error::{Code, Finding};

/// Notes a name that does not follow the rule.
pub(super) fn check(name: &str, findings: &mut Vec<Finding>) {
    if !follows_rule(name) {
        findings.push(Finding::info(Code::InvoiceName, "name", ""));
    }
}

fn follows_rule(name: &str) -> bool {
    // Extensions in any case; the country is in capital letters.
    let stem = [".xml.p7m", ".xml"].into_iter().find_map(|suffix| {
        let stem = name.len().checked_sub(suffix.len())?;
        name.get(stem..).filter(|end| end.eq_ignore_ascii_case(suffix)).map(|_| &name[..stem])
    });
    let Some(stem) = stem else { return false };
    is_base(stem)
}

/// Whether a name without extensions follows the rule: then it is one transmitter's, and SdI takes it once.
pub fn is_base(stem: &str) -> bool {
    let Some((transmitter, progressive)) = stem.split_once('_') else { return false };
    let alphanumeric = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
    let Some((country, code)) = transmitter.split_at_checked(2) else { return false };
    let code_length = if country == "IT" { 11..=16 } else { 2..=28 };
    country.bytes().all(|b| b.is_ascii_uppercase())
        && code_length.contains(&code.len())
        && alphanumeric(code)
        && (1..=5).contains(&progressive.len())
        && alphanumeric(progressive)
}

#[cfg(test)]
mod tests {
    #[test]
    fn names() {
        for good in
            ["IT01234567890_00001.xml", "IT01234567890_a1.XML", "ITABCDEF80A01H501X_1.xml.p7m", "FRxx_12345.xml"]
        {
            assert!(super::follows_rule(good), "{good}");
        }
        for bad in [
            "fattura.xml",
            "it01234567890_00001.xml",
            "IT123_1.xml",
            "IT01234567890_000001.xml",
            "IT01234567890_1.pdf",
            "è_1.xml",
            "IT01234567890__1.xml",
        ] {
            assert!(!super::follows_rule(bad), "{bad}");
        }
    }
}
