//! Revocation lists and OCSP answers that travel inside signed data (RFC 5652 section 10.2.1, RFC 5940, RFC 5126 section 6.3.4).
//!
//! Invariant: they are handed on as they came, few of them; whether any is believed is for who looks at it.

use crate::evidence::asn1::{Reader, Tlv, tag};
use crate::evidence::cms::read::SignerInfo;
use crate::evidence::oids;
use crate::evidence::revocation::dressed;

/// Lists and answers read from one file, and from one signer; more is hostile.
pub(super) const MAX_ITEMS: usize = 64;

/// RevocationInfoChoice: a list, or an OCSP answer. Other kinds are passed over.
pub(super) fn info(element: &Tlv<'_>) -> Option<Vec<u8>> {
    if element.tag == tag::SEQUENCE {
        return Some(element.raw.to_vec());
    }
    if element.tag != tag::constructed(1) {
        return None;
    }
    let mut fields = element.inside();
    match fields.next().ok()?.oid().ok()? {
        oids::RI_OCSP_RESPONSE => Some(fields.next().ok()?.raw.to_vec()),
        // What some writers put there instead.
        oids::OCSP_BASIC => Some(dressed(fields.next().ok()?.raw)),
        _ => None,
    }
}

/// What the revocation-values attribute holds: lists, and answers without their dress. It is not signed, and need not be: each
/// carries its issuer's signature.
pub fn values(signer: &SignerInfo) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    let items = |bytes: &[u8]| -> Option<Vec<Vec<u8>>> {
        let all = Reader::only(bytes, tag::SEQUENCE).ok()?.inside().all().ok()?;
        Some(all.iter().take(MAX_ITEMS).map(|item| item.raw.to_vec()).collect())
    };
    for (_, values) in signer.unsigned.iter().filter(|(kind, _)| *kind == oids::REVOCATION_VALUES) {
        let Ok(fields) = Reader::only(values, tag::SEQUENCE).and_then(|value| value.inside().all()) else { continue };
        for field in fields {
            let list = items(field.value).unwrap_or_default().into_iter();
            let room = MAX_ITEMS.saturating_sub(found.len());
            if field.tag == tag::constructed(0) {
                found.extend(list.take(room));
            } else if field.tag == tag::constructed(1) {
                found.extend(list.take(room).map(|basic| dressed(&basic)));
            }
        }
    }
    found
}
