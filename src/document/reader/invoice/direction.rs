//! Issued or received: told from the holder's own VAT number or tax code, because the "seller" of an integration or a
//! self-invoice is the other party while the buyer issues the file (`reference/fatturapa` section 4).
//!
//! Invariant: `unknown` rather than a guess, whenever the holder is neither party or nobody said who it is.

use super::search;
use crate::document::reader::Extraction;

/// Issued by the buyer.
const BY_BUYER: [&str; 10] = ["TD16", "TD17", "TD18", "TD19", "TD20", "TD21", "TD22", "TD23", "TD28", "TD29"];

/// Fills `direction`: `issued`, `received`, `self` or `unknown`.
pub(super) fn read(holder: &[String], out: &mut Extraction) {
    let text = |field: &str| out.fields.get(field).and_then(|value| value.as_str()).unwrap_or_default();
    let own: Vec<String> = holder.iter().map(|code| bare(code)).filter(|code| !code.is_empty()).collect();
    let holds =
        |party: &str| ["vat", "tax_code"].iter().any(|kind| own.contains(&bare(text(&format!("{party}_{kind}")))));
    let by_buyer = BY_BUYER.contains(&text("document_type")) || text("issuer") == "CC";
    let direction = match (holds("seller"), holds("buyer")) {
        (true, true) => "self",
        (true, false) if by_buyer => "received",
        (true, false) => "issued",
        (false, true) if by_buyer => "issued",
        (false, true) => "received",
        (false, false) => "unknown",
    };
    out.set("direction", direction);
}

/// A code without country, blanks and the prefixes of agents' identifiers.
fn bare(code: &str) -> String {
    let code = search::code(code);
    let code = ["VATIT", "TINIT", "IT"]
        .iter()
        .find_map(|prefix| {
            code.strip_prefix(prefix).filter(|digits| digits.len() == 11 && digits.bytes().all(|b| b.is_ascii_digit()))
        })
        .map_or(code.clone(), str::to_owned);
    code.strip_prefix("TINIT").map_or(code.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direction(holder: &str, kind: &str, issuer: &str) -> String {
        let mut out = Extraction::default();
        out.set("seller_vat", "IT01234567890");
        out.set("buyer_tax_code", "ABCDEF80A01H501X");
        out.set("document_type", kind);
        out.set("issuer", issuer);
        read(&[holder.to_owned()], &mut out);
        out.fields["direction"].as_str().unwrap().to_owned()
    }

    #[test]
    fn by_the_holder_and_the_kind() {
        for (holder, kind, issuer, expected) in [
            ("VATIT-01234567890", "TD01", "", "issued"),
            ("01234567890", "TD17", "", "received"),
            ("abcdef80a01h501x", "TD01", "", "received"),
            ("TINIT-ABCDEF80A01H501X", "TD17", "", "issued"),
            ("ABCDEF80A01H501X", "TD01", "CC", "issued"),
            ("09876543210", "TD01", "", "unknown"),
            ("", "TD01", "", "unknown"),
        ] {
            assert_eq!(direction(holder, kind, issuer), expected, "{holder} {kind} {issuer}");
        }
    }
}
