//! The question put to a responder (RFC 6960 section 4.1, in the profile of RFC 5019: one certificate, no nonce, so that responders
//! may answer with what they made beforehand).

use super::ocsp::issuer_key;
use crate::error::Result;
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::asn1;
use crate::evidence::asn1::malformed;
use crate::evidence::x509::Certificate;

/// DER OCSPRequest. SHA-1 names the issuer and protects nothing here; it is what every responder knows.
pub fn request(certificate: &Certificate, issuer: &Certificate) -> Result<Vec<u8>> {
    let digest = DigestAlgorithm::Sha1;
    let key = issuer_key(issuer).ok_or_else(|| malformed("the issuer's key cannot be read"))?;
    let id = asn1::sequence(&[
        &asn1::sequence(&[&asn1::oid(&digest.oid()), &asn1::null()]),
        &asn1::octets(&digest.of(certificate.issuer())),
        &asn1::octets(&digest.of(key)),
        certificate.serial_element(),
    ]);
    Ok(asn1::sequence(&[&asn1::sequence(&[&asn1::sequence(&[&asn1::sequence(&[&id])])])]))
}
