//! The request (RFC 3161 section 2.4.1).

use crate::error::{Code, Error, Result};
use crate::evidence::Oid;
use crate::evidence::algorithm;
use crate::evidence::asn1::{self, Reader, malformed, tag};
use crate::evidence::digest::{Algorithm, Digest};
use crate::evidence::tsp::Policy;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Digest algorithm of what is to be stamped.
    pub algorithm: Oid,
    /// Its digest.
    pub imprint: Vec<u8>,
    /// Policy asked for.
    pub policy: Option<Policy>,
    /// Magnitude of the nonce.
    pub nonce: Option<Vec<u8>>,
    /// Whether the signer's certificate is to come along.
    pub certificate: bool,
    /// Whether extensions are asked for; none are understood.
    pub extensions: bool,
}

impl Query {
    /// A request for this digest, asking for the certificate.
    pub fn new(imprint: impl Into<Digest>) -> Self {
        let imprint = imprint.into();
        Self {
            algorithm: imprint.algorithm().oid(),
            imprint: imprint.bytes().to_vec(),
            policy: None,
            nonce: None,
            certificate: true,
            extensions: false,
        }
    }

    /// DER.
    pub fn to_der(&self) -> Vec<u8> {
        asn1::sequence(&[
            &asn1::small(1),
            &imprint_der(&self.algorithm, &self.imprint),
            &self.policy.as_ref().map(Policy::to_der).unwrap_or_default(),
            &self.nonce.as_deref().map(asn1::unsigned).unwrap_or_default(),
            &if self.certificate { asn1::true_() } else { Vec::new() },
        ])
    }

    /// Reads a DER request.
    pub fn parse(der: &[u8]) -> Result<Self> {
        let mut fields = Reader::only(der, tag::SEQUENCE)?.inside();
        if fields.expect(tag::INTEGER)?.small()? != 1 {
            return Err(malformed("version of the request"));
        }
        let (algorithm, imprint) = parse_imprint(&fields.expect(tag::SEQUENCE)?)?;
        let policy = fields.optional(tag::OID)?.map(|element| Policy::parse(&element)).transpose()?;
        let nonce = fields.optional(tag::INTEGER)?.map(|n| n.unsigned().map(<[u8]>::to_vec)).transpose()?;
        let certificate = fields.optional(tag::BOOLEAN)?.is_some_and(|b| b.value.first().is_some_and(|b| *b != 0));
        let extensions = fields.optional(tag::constructed(0))?.is_some();
        fields.finish()?;
        Ok(Self { algorithm, imprint, policy, nonce, certificate, extensions })
    }

    /// The imprint, when its algorithm is one that evidence may be made with.
    pub fn digest(&self) -> Result<Digest> {
        let algorithm = Algorithm::from_oid(&self.algorithm)?;
        let digest = Digest::from_bytes(&self.imprint).filter(|digest| digest.algorithm() == algorithm);
        digest.ok_or_else(|| malformed("the imprint of the request has a wrong length"))
    }
}

/// DER MessageImprint.
pub(super) fn imprint_der(algorithm: &Oid, value: &[u8]) -> Vec<u8> {
    // NULL parameters: what every deployed client writes and every authority reads.
    asn1::sequence(&[&asn1::sequence(&[&asn1::oid(algorithm), &asn1::null()]), &asn1::octets(value)])
}

/// Algorithm and value of a MessageImprint.
pub(super) fn parse_imprint(element: &asn1::Tlv<'_>) -> Result<(Oid, Vec<u8>)> {
    let mut fields = element.inside();
    let (algorithm, _) = algorithm::parse_identifier(&fields.next()?)?;
    let value = fields.expect(tag::OCTET_STRING)?.value.to_vec();
    fields.finish()?;
    Ok((algorithm, value))
}

/// DER request for this digest, asking for the certificate.
pub fn request(imprint: impl Into<Digest>, nonce: Option<&[u8]>) -> Vec<u8> {
    Query { nonce: nonce.map(<[u8]>::to_vec), ..Query::new(imprint) }.to_der()
}

/// As [`request`], with a fresh random nonce of 128 bits: what to send.
pub fn new_request(imprint: impl Into<Digest>) -> Result<Vec<u8>> {
    Ok(request(imprint, Some(&random_128()?)))
}

/// 128 random bits, the first of them never zero so that the number keeps its length.
pub(super) fn random_128() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| Error::new(Code::Internal, format!("no randomness: {e}")))?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(bytes)
}
