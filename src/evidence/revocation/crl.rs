//! A certificate revocation list in its own bytes (RFC 5280 section 5).

use std::ops::Range;

use jiff::Timestamp;

use super::Told;
use crate::error::Result;
use crate::evidence::algorithm;
use crate::evidence::asn1::{Reader, Tlv, malformed, tag};
use crate::evidence::x509::Certificate;

/// Largest list read: the largest public ones have some megabytes.
const MAX_BYTES: usize = 32 << 20;
/// keyUsage bit that allows signing lists.
const CRL_SIGN: usize = 6;

/// A list; nothing in it is believed until its issuer's key verified it.
#[derive(Debug, Clone)]
pub struct Crl {
    der: Vec<u8>,
    tbs: Range<usize>,
    identifier: Range<usize>,
    signature: Range<usize>,
    issuer: Range<usize>,
    /// Content of revokedCertificates; empty when there are none.
    revoked: Range<usize>,
    /// When it was made.
    pub this_update: Timestamp,
    /// When there will be another.
    pub next_update: Option<Timestamp>,
}

impl Crl {
    /// Reads DER. Partial lists (delta, by distribution point or reason) are refused: they cannot say "not revoked".
    pub fn parse(der: &[u8]) -> Result<Self> {
        if der.len() > MAX_BYTES {
            return Err(malformed("larger than a revocation list may be"));
        }
        let range = |part: &[u8]| {
            let start = part.as_ptr() as usize - der.as_ptr() as usize;
            start..start + part.len()
        };
        let mut outer = Reader::only(der, tag::SEQUENCE)?.inside();
        let tbs = outer.expect(tag::SEQUENCE)?;
        let identifier = outer.expect(tag::SEQUENCE)?;
        let signature = outer.next()?.whole_bits()?;
        outer.finish()?;
        let mut fields = tbs.inside();
        fields.optional(tag::INTEGER)?;
        if fields.expect(tag::SEQUENCE)?.raw != identifier.raw {
            return Err(malformed("the list names two signature algorithms"));
        }
        let issuer = fields.expect(tag::SEQUENCE)?;
        let this_update = fields.next()?.time()?;
        let is_time = |tag: Option<u8>| matches!(tag, Some(tag::UTC_TIME | tag::GENERALIZED_TIME));
        let next_update = if is_time(fields.peek()) { Some(fields.next()?.time()?) } else { None };
        let revoked = fields.optional(tag::SEQUENCE)?.map_or(0..0, |list| range(list.value));
        if let Some(extensions) = fields.optional(tag::constructed(0))? {
            for item in Reader::only(extensions.value, tag::SEQUENCE)?.inside().all()? {
                if is_critical(&item)? {
                    return Err(malformed("a partial revocation list, or one with a critical extension"));
                }
            }
        }
        fields.finish()?;
        Ok(Self {
            tbs: range(tbs.raw),
            identifier: range(identifier.raw),
            signature: range(signature),
            issuer: range(issuer.raw),
            revoked,
            this_update,
            next_update,
            der: der.to_vec(),
        })
    }

    /// All its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether this authority signed it, and may.
    pub fn is_signed_by(&self, issuer: &Certificate) -> bool {
        let part = |range: &Range<usize>| &self.der[range.clone()];
        part(&self.issuer) == issuer.subject()
            && issuer.key_usage_allows(CRL_SIGN).unwrap_or(false)
            && algorithm::verify(issuer.spki(), part(&self.identifier), None, part(&self.tbs), part(&self.signature))
                .is_ok()
    }

    pub(super) fn look(&self, certificate: &Certificate, issuer: &Certificate) -> Option<Told> {
        if certificate.issuer() != issuer.subject() || !self.is_signed_by(issuer) {
            return None;
        }
        let revoked = self.entry(certificate.serial_element()).ok()?;
        Some(Told { this_update: self.this_update, next_update: self.next_update, revoked })
    }

    /// When this serial number was revoked. An entry that cannot be read makes the whole list unusable.
    fn entry(&self, serial: &[u8]) -> Result<Option<Timestamp>> {
        let mut entries = Reader::new(&self.der[self.revoked.clone()]);
        while !entries.is_empty() {
            let mut fields = entries.expect(tag::SEQUENCE)?.inside();
            if fields.expect(tag::INTEGER)?.raw == serial {
                return fields.next()?.time().map(Some);
            }
        }
        Ok(None)
    }
}

fn is_critical(extension: &Tlv<'_>) -> Result<bool> {
    let mut fields = extension.inside();
    fields.expect(tag::OID)?;
    Ok(fields.optional(tag::BOOLEAN)?.is_some_and(|flag| flag.value.first().is_some_and(|b| *b != 0)))
}
