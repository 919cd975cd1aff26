//! An answer about some certificates (RFC 6960 section 4.2), signed by their issuer or by a responder it appointed.

use jiff::Timestamp;

use super::Told;
use crate::error::Result;
use crate::evidence::algorithm::{self, DigestAlgorithm};
use crate::evidence::asn1::{self, Reader, Tlv, malformed, tag};
use crate::evidence::oids;
use crate::evidence::x509::Certificate;

/// Largest answer read: real ones have some kilobytes.
const MAX_BYTES: usize = 256 << 10;
/// Certificates and single answers looked at.
const MAX_CERTIFICATES: usize = 8;
const MAX_SINGLE: usize = 64;
/// ENUMERATED.
const ENUMERATED: u8 = 0x0a;

/// An answer; nothing in it is believed until the issuer's or its responder's key verified it.
#[derive(Debug, Clone)]
pub struct OcspResponse {
    der: Vec<u8>,
    data: Vec<u8>,
    identifier: Vec<u8>,
    signature: Vec<u8>,
    certificates: Vec<Certificate>,
    singles: Vec<Single>,
    /// When it was made.
    pub produced_at: Timestamp,
}

#[derive(Debug, Clone)]
struct Single {
    algorithm: DigestAlgorithm,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    serial: Vec<u8>,
    /// `Some(None)`: good; none: unknown.
    status: Option<Option<Timestamp>>,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
}

impl OcspResponse {
    /// Reads a successful answer in DER.
    pub fn parse(der: &[u8]) -> Result<Self> {
        if der.len() > MAX_BYTES {
            return Err(malformed("larger than an answer of OCSP"));
        }
        let mut outer = Reader::only(der, tag::SEQUENCE)?.inside();
        if outer.expect(ENUMERATED)?.value != [0] {
            return Err(malformed("the responder did not answer"));
        }
        let mut bytes = Reader::only(outer.expect(tag::constructed(0))?.value, tag::SEQUENCE)?.inside();
        if bytes.next()?.oid()? != oids::OCSP_BASIC {
            return Err(malformed("an answer of OCSP of another kind"));
        }
        let mut basic = Reader::only(bytes.expect(tag::OCTET_STRING)?.value, tag::SEQUENCE)?.inside();
        let data = basic.expect(tag::SEQUENCE)?;
        let identifier = basic.expect(tag::SEQUENCE)?.raw.to_vec();
        let signature = basic.next()?.whole_bits()?.to_vec();
        let mut certificates = Vec::new();
        if let Some(list) = basic.optional(tag::constructed(0))? {
            let all = Reader::only(list.value, tag::SEQUENCE)?.inside().all()?;
            certificates.extend(all.iter().take(MAX_CERTIFICATES).filter_map(|c| Certificate::parse(c.raw).ok()));
        }
        let mut fields = data.inside();
        fields.optional(tag::constructed(0))?;
        // By name or by key: whoever it says to be, its key decides.
        fields.next()?;
        let produced_at = fields.expect(tag::GENERALIZED_TIME)?.time()?;
        let singles = fields.expect(tag::SEQUENCE)?.inside().all()?;
        if singles.len() > MAX_SINGLE {
            return Err(malformed("too many answers in one"));
        }
        let singles = singles.iter().map(single).collect::<Result<_>>()?;
        Ok(Self {
            der: der.to_vec(),
            data: data.raw.to_vec(),
            identifier,
            signature,
            certificates,
            singles,
            produced_at,
        })
    }

    /// All its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether this authority, or a responder it appointed for this purpose, signed it.
    pub fn is_signed_for(&self, issuer: &Certificate) -> bool {
        let by = |key: &Certificate| {
            algorithm::verify(key.spki(), &self.identifier, None, &self.data, &self.signature).is_ok()
        };
        by(issuer)
            || self.certificates.iter().any(|responder| {
                let purposes = responder.extended_key_usage().ok().flatten().map(|usage| usage.purposes);
                responder.issuer() == issuer.subject()
                    && purposes.is_some_and(|purposes| purposes.contains(&oids::KP_OCSP_SIGNING))
                    && responder.valid_at(self.produced_at)
                    && responder.verify_signature(issuer.spki()).is_ok()
                    && by(responder)
            })
    }

    pub(super) fn look(&self, certificate: &Certificate, issuer: &Certificate) -> Option<Told> {
        let key = issuer_key(issuer)?;
        let single = self.singles.iter().find(|single| {
            single.serial == certificate.serial_element()
                && single.name_hash == single.algorithm.of(certificate.issuer())
                && single.key_hash == single.algorithm.of(key)
        })?;
        let revoked = single.status?;
        if certificate.issuer() != issuer.subject() || !self.is_signed_for(issuer) {
            return None;
        }
        Some(Told { this_update: single.this_update, next_update: single.next_update, revoked })
    }
}

/// A BasicOCSPResponse, as CAdES carries it, in the dress that responders give it.
pub fn dressed(basic: &[u8]) -> Vec<u8> {
    let bytes = asn1::sequence(&[&asn1::oid(&oids::OCSP_BASIC), &asn1::octets(basic)]);
    asn1::sequence(&[&asn1::tlv(ENUMERATED, &[0]), &asn1::constructed(tag::constructed(0), &[&bytes])])
}

/// Octets of the issuer's key, without tag, length and unused bits.
pub(super) fn issuer_key(issuer: &Certificate) -> Option<&[u8]> {
    let mut fields = Reader::only(issuer.spki(), tag::SEQUENCE).ok()?.inside();
    fields.expect(tag::SEQUENCE).ok()?;
    fields.next().ok()?.whole_bits().ok()
}

fn single(element: &Tlv<'_>) -> Result<Single> {
    let mut fields = element.inside();
    let mut id = fields.expect(tag::SEQUENCE)?.inside();
    let algorithm = algorithm::parse_digest(&id.expect(tag::SEQUENCE)?)?;
    let name_hash = id.expect(tag::OCTET_STRING)?.value.to_vec();
    let key_hash = id.expect(tag::OCTET_STRING)?.value.to_vec();
    let serial = id.expect(tag::INTEGER)?.raw.to_vec();
    let status = fields.next()?;
    let status = match status.tag {
        0x80 => Some(None),
        0xa1 => Some(Some(status.inside().expect(tag::GENERALIZED_TIME)?.time()?)),
        _ => None,
    };
    let this_update = fields.expect(tag::GENERALIZED_TIME)?.time()?;
    let next_update = fields
        .optional(tag::constructed(0))?
        .map(|next| next.inside().expect(tag::GENERALIZED_TIME)?.time())
        .transpose()?;
    Ok(Single { algorithm, name_hash, key_hash, serial, status, this_update, next_update })
}
