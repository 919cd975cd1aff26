//! Distinguished names as text (RFC 4514), most specific part first; bounded, because a name may hold anything.

use std::fmt::Write as _;

use crate::evidence::asn1::{Reader, Tlv, tag};
use crate::evidence::{Oid, oids};

/// Characters shown of a name.
const MAX_TEXT: usize = 1000;

/// Short names of RFC 4514 section 3 and the usual ones beyond it.
const SHORT: [(Oid, &str); 10] = [
    (oids::COMMON_NAME, "CN"),
    (oids::COUNTRY, "C"),
    (oids::LOCALITY, "L"),
    (oids::ORGANIZATION, "O"),
    (oids::ORGANIZATIONAL_UNIT, "OU"),
    (oids::SURNAME, "SN"),
    (oids::GIVEN_NAME, "GN"),
    (oids::SERIAL_NUMBER, "serialNumber"),
    (oids::ORGANIZATION_IDENTIFIER, "organizationIdentifier"),
    (oids::EMAIL_ADDRESS, "emailAddress"),
];

/// A DER Name as text; what cannot be read is left out.
pub fn text(name: &[u8]) -> String {
    let mut parts = Vec::new();
    let Ok(sets) = Reader::only(name, tag::SEQUENCE).and_then(|name| name.inside().all()) else { return String::new() };
    for set in sets.iter().rev() {
        let Ok(pairs) = set.inside().all() else { continue };
        let pairs: Vec<String> = pairs.iter().filter_map(pair).collect();
        parts.push(pairs.join("+"));
    }
    let text = parts.join(",");
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn pair(element: &Tlv<'_>) -> Option<String> {
    let mut reader = element.inside();
    let kind = reader.next().ok()?.oid().ok()?;
    let value = string(&reader.next().ok()?);
    let known = SHORT.iter().find(|(oid, _)| *oid == kind).map(|(_, short)| (*short).to_owned());
    let mut out = known.unwrap_or_else(|| kind.to_string());
    out.push('=');
    for (at, c) in value.chars().enumerate() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => {
                out.push('\\');
                out.push(c);
            }
            '#' | ' ' if at == 0 => {
                out.push('\\');
                out.push(c);
            }
            // Writing to a String cannot fail.
            c if c.is_control() => drop(write!(out, "\\{:02X}", u32::from(c))),
            c => out.push(c),
        }
    }
    Some(out)
}

/// The text of a directory string, whatever its type.
pub(super) fn string(value: &Tlv<'_>) -> String {
    match value.tag {
        // BMPString: UTF-16, big endian.
        0x1e => {
            let units: Vec<u16> =
                value.value.chunks_exact(2).map(|unit| u16::from_be_bytes([unit[0], unit[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        // TeletexString: what writers put there is ISO-8859-1.
        0x14 if std::str::from_utf8(value.value).is_err() => value.value.iter().map(|b| char::from(*b)).collect(),
        _ => String::from_utf8_lossy(value.value).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::x509::Dn;

    #[test]
    fn names_read_as_people_write_them() {
        let name = Dn::new().country("IT").organization("Esempio, S.r.l.").common_name("a\u{0}b").to_der();
        assert_eq!(text(&name), "CN=a\\00b,O=Esempio\\, S.r.l.,C=IT");
        assert_eq!(text(b"\x30\x05rest"), "");
        assert_eq!(text(&Dn::new().common_name("x".repeat(5000)).to_der()).chars().count(), MAX_TEXT + 1);
    }
}
