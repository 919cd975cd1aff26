//! Where a certificate says that its issuer tells of revocations: lists (cRLDistributionPoints, RFC 5280 section 4.2.1.13) and
//! responders (authorityInfoAccess, section 4.2.2.1).
//!
//! Invariant: an address is only ever text here; whether it may be asked is decided by the list of hosts that a person wrote
//! ([`super::fetch`]).

use crate::error::Result;
use crate::evidence::asn1::{Reader, Tlv, tag};
use crate::evidence::oids;
use crate::evidence::x509::Certificate;

/// Addresses taken from one certificate; real ones have one or two of each.
const MAX_ADDRESSES: usize = 4;
/// Longest address taken.
const MAX_LENGTH: usize = 1024;

/// Addresses of whole lists signed by the certificate's own issuer. An extension that cannot be read names none.
pub fn lists(certificate: &Certificate) -> Vec<url::Url> {
    let Some(extension) = certificate.extension(&oids::CRL_DISTRIBUTION_POINTS) else { return Vec::new() };
    kept(points(&extension.value).unwrap_or_default())
}

/// Addresses of OCSP responders. An extension that cannot be read names none.
pub fn responders(certificate: &Certificate) -> Vec<url::Url> {
    let Some(extension) = certificate.extension(&oids::AUTHORITY_INFO_ACCESS) else { return Vec::new() };
    kept(accesses(&extension.value).unwrap_or_default())
}

fn points(value: &[u8]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for point in Reader::only(value, tag::SEQUENCE)?.inside().all()? {
        let mut fields = point.inside();
        let name = fields.optional(tag::constructed(0))?;
        // For some reasons only, or by another authority: such a list cannot say "not revoked".
        if !fields.is_empty() {
            continue;
        }
        let Some(name) = name else { continue };
        if let Some(full) = name.inside().optional(tag::constructed(0))? {
            found.extend(full.inside().all()?.iter().filter_map(address));
        }
    }
    Ok(found)
}

fn accesses(value: &[u8]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for access in Reader::only(value, tag::SEQUENCE)?.inside().all()? {
        let mut fields = access.inside();
        if fields.next()?.oid()? == oids::AD_OCSP {
            found.extend(address(&fields.next()?));
        }
    }
    Ok(found)
}

/// uniformResourceIdentifier of a GeneralName.
fn address(name: &Tlv<'_>) -> Option<String> {
    let fits = name.tag == tag::context(6) && name.value.len() <= MAX_LENGTH;
    fits.then(|| String::from_utf8(name.value.to_vec()).ok()).flatten()
}

fn kept(found: Vec<String>) -> Vec<url::Url> {
    let web = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    found.iter().filter_map(|text| url::Url::parse(text.trim()).ok()).filter(web).take(MAX_ADDRESSES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::asn1;
    use crate::evidence::fixtures::pki;
    use crate::evidence::x509::Extension;

    fn uri(text: &str) -> Vec<u8> {
        asn1::tlv(tag::context(6), text.as_bytes())
    }

    fn point(text: &str, rest: &[u8]) -> Vec<u8> {
        let full = asn1::constructed(tag::constructed(0), &[&uri(text)]);
        asn1::sequence(&[&asn1::constructed(tag::constructed(0), &[&full]), rest])
    }

    #[test]
    fn only_whole_lists_and_responders_over_http_are_sources() {
        let list = asn1::sequence(&[
            &point("http://crl.example.it/ca.crl", &[]),
            &point("ldap://ldap.example.it/ca", &[]),
            &point("http://crl.example.it/partial.crl", &asn1::tlv(tag::context(1), &[1, 0x40])),
        ]);
        let access = |kind: &crate::evidence::Oid, text| asn1::sequence(&[&asn1::oid(kind), &uri(text)]);
        let issuers = crate::evidence::Oid::new_unwrap("1.3.6.1.5.5.7.48.2");
        let info = asn1::sequence(&[
            &access(&issuers, "http://ca.example.it/ca.cer"),
            &access(&oids::AD_OCSP, "https://ocsp.example.it/"),
        ]);
        let with = |id, value: &[u8]| {
            let value = value.to_vec();
            let leaf = pki(|p| p.more.push(Extension { id, critical: false, value })).leaf;
            Certificate::parse(&leaf).unwrap()
        };
        let texts = |urls: Vec<url::Url>| urls.iter().map(ToString::to_string).collect::<Vec<_>>();
        let listed = with(oids::CRL_DISTRIBUTION_POINTS, &list);
        assert_eq!(texts(lists(&listed)), ["http://crl.example.it/ca.crl"]);
        assert!(responders(&listed).is_empty());
        let answered = with(oids::AUTHORITY_INFO_ACCESS, &info);
        assert_eq!(texts(responders(&answered)), ["https://ocsp.example.it/"]);
        for cut in 0..list.len() {
            assert!(lists(&with(oids::CRL_DISTRIBUTION_POINTS, &list[..cut])).is_empty());
        }
    }
}
