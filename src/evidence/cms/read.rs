//! Reads signed data without re-encoding it, and verifies each signer with separate verdicts (RFC 5652 section 5.4 to 5.6).
//!
//! Invariant: the bytes a signature is verified over are the signer's own, with the one change the standard asks for (the tag of
//! `[0]` becomes `SET OF`); attributes that came out of order from a BER file are sorted when the plain order does not verify.

use jiff::Timestamp;

use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::{self, DigestAlgorithm};
use crate::evidence::asn1::{self, Reader, Tlv, malformed, tag};
use crate::evidence::cms::{Content, revocation};
use crate::evidence::x509::Certificate;
use crate::evidence::{Oid, oids};

/// Signers read from one file; more is hostile.
pub const MAX_SIGNERS: usize = 64;

/// Certificates read from one file; more is hostile.
pub const MAX_CERTIFICATES: usize = 128;

/// Signed data.
#[derive(Debug, Clone)]
pub struct SignedData {
    /// Type of the content.
    pub content_type: Oid,
    /// The content; `None` when detached.
    pub content: Option<Vec<u8>>,
    /// Certificates that travel inside, as many as could be read.
    pub certificates: Vec<Certificate>,
    /// Revocation lists and OCSP answers that travel inside, in DER; nothing in them is believed yet.
    pub revocation: Vec<Vec<u8>>,
    /// Signers, at least one.
    pub signers: Vec<SignerInfo>,
}

/// How a signer names its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerId {
    /// DER Name of the issuer and DER INTEGER.
    IssuerSerial(Vec<u8>, Vec<u8>),
    /// subjectKeyIdentifier.
    KeyId(Vec<u8>),
}

/// One signer, in its own bytes.
#[derive(Debug, Clone)]
pub struct SignerInfo {
    /// Which certificate.
    pub id: SignerId,
    /// Digest algorithm; an error when unknown.
    digest: std::result::Result<DigestAlgorithm, String>,
    /// Content of the `[0]` element, if there are signed attributes.
    attributes: Option<Vec<u8>>,
    signature_identifier: Vec<u8>,
    signature: Vec<u8>,
    /// Identifiers of the unsigned attributes (counter-signatures, time-stamps).
    pub unsigned: Vec<(Oid, Vec<u8>)>,
}

/// One verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Looked at and right.
    Good,
    /// Looked at and wrong.
    Bad(String),
    /// Nothing to look at: absent, or what it needs is.
    Absent(String),
    /// Made with an algorithm that is not known here: neither right nor wrong.
    Unknown(String),
}

impl From<Error> for Verdict {
    /// What went wrong while looking: only an algorithm that is not known here leaves the question open.
    fn from(error: Error) -> Self {
        match error.code {
            Code::SignatureAlgorithm => Self::Unknown(error.detail),
            _ => Self::Bad(error.detail),
        }
    }
}

impl Verdict {
    /// Looked at and right.
    pub fn is_good(&self) -> bool {
        *self == Self::Good
    }
}

/// What verifying one signer gave. Trust in the certificate is another question (`x509::path::find`).
#[derive(Debug, Clone)]
pub struct SignerReport {
    /// The message-digest attribute (or, without attributes, nothing: the signature covers the content itself).
    pub digest: Verdict,
    /// The content-type attribute.
    pub content_type: Verdict,
    /// The signature over attributes or content.
    pub signature: Verdict,
    /// ESS signing-certificate (v2 or v1): absent means plain CMS, not CAdES.
    pub signing_certificate: Verdict,
    /// The signer's certificate, when it is there.
    pub certificate: Option<Certificate>,
    /// Signing time as claimed.
    pub signing_time: Option<Timestamp>,
    /// Digest algorithm, when known.
    pub algorithm: Option<DigestAlgorithm>,
    /// The signature verifies over the attributes in DER order, which is not the order they came in.
    pub reordered: bool,
}

impl SignerReport {
    /// Digest, content type and signature are right, and the signing certificate is right or absent.
    pub fn is_good(&self) -> bool {
        self.digest.is_good()
            && self.content_type.is_good()
            && self.signature.is_good()
            && matches!(self.signing_certificate, Verdict::Good | Verdict::Absent(_))
    }

    /// Right, but with SHA-1.
    pub fn is_weak(&self) -> bool {
        self.algorithm.is_some_and(DigestAlgorithm::is_weak)
    }
}

impl SignedData {
    /// Reads DER ContentInfo (after [`super::unwrap()`] when it comes from outside).
    pub fn parse(der: &[u8]) -> Result<Self> {
        let mut outer = Reader::only(der, tag::SEQUENCE)?.inside();
        if outer.next()?.oid()? != oids::SIGNED_DATA {
            return Err(malformed("CMS, but not signed data"));
        }
        let wrapper = outer.expect(tag::constructed(0))?;
        outer.finish()?;
        let mut fields = Reader::only(wrapper.value, tag::SEQUENCE)?.inside();
        fields.expect(tag::INTEGER)?;
        fields.expect(tag::SET)?;

        let mut encapsulated = fields.expect(tag::SEQUENCE)?.inside();
        let content_type = encapsulated.next()?.oid()?;
        let content = match encapsulated.optional(tag::constructed(0))? {
            Some(wrapper) => {
                let mut inner = wrapper.inside();
                let element = inner.next()?;
                inner.finish()?;
                // PKCS#7 (RFC 2315) allowed any type here: then the content octets are what is digested.
                Some(element.value.to_vec())
            }
            None => None,
        };
        encapsulated.finish()?;

        let mut certificates = Vec::new();
        if let Some(set) = fields.optional(tag::constructed(0))? {
            let elements = set.inside().all()?;
            if elements.len() > MAX_CERTIFICATES {
                return Err(malformed("too many certificates"));
            }
            // Attribute certificates and unreadable ones are passed over: a signer that needs them will miss them.
            certificates.extend(
                elements.iter().filter(|e| e.tag == tag::SEQUENCE).filter_map(|e| Certificate::parse(e.raw).ok()),
            );
        }
        let mut revocation = Vec::new();
        if let Some(set) = fields.optional(tag::constructed(1))? {
            let elements = set.inside().all()?;
            revocation.extend(elements.iter().take(revocation::MAX_ITEMS).filter_map(revocation::info));
        }
        let signers = fields.expect(tag::SET)?.inside().all()?;
        fields.finish()?;
        if signers.is_empty() || signers.len() > MAX_SIGNERS {
            return Err(malformed(format!("{} signers", signers.len())));
        }
        let signers = signers.iter().map(SignerInfo::parse).collect::<Result<_>>()?;
        Ok(Self { content_type, content, certificates, revocation, signers })
    }

    /// Verifies every signer over the content inside, or over `detached` when there is none.
    pub fn verify(&self, detached: Option<&[u8]>) -> Result<Vec<SignerReport>> {
        let content = self.content.as_deref().or(detached);
        let content = content.ok_or_else(|| Error::new(Code::P7mDetached, "the signed content is not there"))?;
        Ok(self.signers.iter().map(|signer| signer.verify(self, content)).collect())
    }
}

impl SignerInfo {
    /// Reads a SignerInfo element.
    pub(crate) fn parse(element: &Tlv<'_>) -> Result<Self> {
        if element.tag != tag::SEQUENCE {
            return Err(malformed("expected a SignerInfo"));
        }
        let mut fields = element.inside();
        fields.expect(tag::INTEGER)?;
        let sid = fields.next()?;
        let id = match sid.tag {
            tag::SEQUENCE => {
                let mut parts = sid.inside();
                let id = SignerId::IssuerSerial(
                    parts.expect(tag::SEQUENCE)?.raw.to_vec(),
                    parts.expect(tag::INTEGER)?.raw.to_vec(),
                );
                parts.finish()?;
                id
            }
            0x80 => SignerId::KeyId(sid.value.to_vec()),
            _ => return Err(malformed("signer not named")),
        };
        let digest = algorithm::parse_digest(&fields.expect(tag::SEQUENCE)?).map_err(|e| e.detail);
        let attributes = fields.optional(tag::constructed(0))?.map(|set| set.value.to_vec());
        let signature_identifier = fields.expect(tag::SEQUENCE)?.raw.to_vec();
        let signature = fields.expect(tag::OCTET_STRING)?.value.to_vec();
        let mut unsigned = Vec::new();
        if let Some(set) = fields.optional(tag::constructed(1))? {
            for item in set.inside().all()? {
                let mut parts = item.inside();
                let kind = parts.expect(tag::OID)?;
                let values = parts.expect(tag::SET)?.value.to_vec();
                if let Ok(kind) = kind.oid() {
                    unsigned.push((kind, values));
                }
            }
        }
        fields.finish()?;
        Ok(Self { id, digest, attributes, signature_identifier, signature, unsigned })
    }

    /// The single value of a signed attribute: absent, or twice, or with several values is told apart.
    pub fn attribute(&self, kind: &Oid) -> Result<Option<Tlv<'_>>> {
        let Some(bytes) = &self.attributes else { return Ok(None) };
        let mut found = None;
        for item in Reader::new(bytes).all()? {
            let mut parts = item.inside();
            // Compared as bytes: an identifier that our type cannot hold must not hide the others.
            if parts.expect(tag::OID)?.value != kind.as_bytes() {
                continue;
            }
            let mut values = parts.expect(tag::SET)?.inside();
            let value = values.next()?;
            values.finish()?;
            parts.finish()?;
            if found.replace(value).is_some() {
                return Err(malformed(format!("signed attribute {kind} stands twice")));
            }
        }
        Ok(found)
    }

    /// The signature value (what a CAdES-T time-stamp covers).
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// When, as the signer says.
    pub fn claimed_time(&self) -> Option<Timestamp> {
        self.attribute(&oids::SIGNING_TIME).ok().flatten().and_then(|value| value.time().ok())
    }

    /// Identifier of the signature algorithm.
    pub fn signature_algorithm(&self) -> Result<Oid> {
        let element = Reader::only(&self.signature_identifier, tag::SEQUENCE)?;
        algorithm::parse_identifier(&element).map(|(oid, _)| oid)
    }

    /// The signer's certificate among these.
    pub fn certificate<'a>(&self, candidates: &'a [Certificate]) -> Option<&'a Certificate> {
        candidates.iter().find(|certificate| match &self.id {
            SignerId::IssuerSerial(issuer, serial) => {
                certificate.issuer() == issuer && certificate.serial_element() == serial
            }
            SignerId::KeyId(id) => certificate.subject_key_id().as_ref() == Some(id),
        })
    }

    fn verify(&self, data: &SignedData, content: &[u8]) -> SignerReport {
        let certificate = self.certificate(&data.certificates).cloned();
        self.verify_with(data.content_type, content, certificate)
    }

    /// Digest algorithm, when known here.
    pub fn digest_algorithm(&self) -> Option<DigestAlgorithm> {
        self.digest.as_ref().ok().copied()
    }

    /// Whether there are signed attributes. Without them the signature covers the content itself.
    pub fn has_attributes(&self) -> bool {
        self.attributes.is_some()
    }

    /// Verifies over `content` with a certificate found by the caller.
    pub fn verify_with(&self, kind: Oid, content: &[u8], certificate: Option<Certificate>) -> SignerReport {
        self.verify_content(Some(kind), Content::Bytes(content), certificate)
    }

    /// The same over content that may be known by its digests only. A counter-signature has no type of content (RFC 5652
    /// section 11.4): then `kind` is none.
    pub fn verify_content(
        &self,
        kind: Option<Oid>,
        content: Content<'_>,
        certificate: Option<Certificate>,
    ) -> SignerReport {
        let signing_time = self.claimed_time();
        let signing_certificate = match &certificate {
            Some(certificate) => self.ess(certificate).unwrap_or_else(Verdict::from),
            None => Verdict::Absent("the signer's certificate is not there".into()),
        };
        let (signature, reordered) = match &certificate {
            Some(certificate) => match self.check_signature(content, certificate) {
                Ok(reordered) => (Verdict::Good, reordered),
                Err(error) => (error.into(), false),
            },
            None => (Verdict::Absent("the signer's certificate is not there".into()), false),
        };
        SignerReport {
            digest: self.check_digest(content).unwrap_or_else(Verdict::from),
            content_type: match kind {
                Some(kind) => self.check_content_type(kind).unwrap_or_else(Verdict::from),
                None => Verdict::Good,
            },
            signature,
            reordered,
            signing_certificate,
            certificate,
            signing_time,
            algorithm: self.digest_algorithm(),
        }
    }

    fn algorithm(&self) -> Result<DigestAlgorithm> {
        self.digest.clone().map_err(|detail| Error::new(Code::SignatureAlgorithm, detail))
    }

    fn check_digest(&self, content: Content<'_>) -> Result<Verdict> {
        let algorithm = self.algorithm()?;
        if self.attributes.is_none() {
            // Then the signature itself covers the content and check_signature says all.
            return Ok(Verdict::Good);
        }
        let value = self.attribute(&oids::MESSAGE_DIGEST)?.ok_or_else(|| malformed("no message-digest attribute"))?;
        if value.tag != tag::OCTET_STRING {
            return Err(malformed("message-digest is not an octet string"));
        }
        let Some(computed) = content.digest(algorithm) else {
            return Ok(Verdict::Absent("the digest of the content was not computed with this algorithm".into()));
        };
        if value.value == &computed[..] {
            Ok(Verdict::Good)
        } else {
            Ok(Verdict::Bad("the content is not what was signed".into()))
        }
    }

    fn check_content_type(&self, kind: Oid) -> Result<Verdict> {
        if self.attributes.is_none() {
            // RFC 5652 section 5.3: without attributes only id-data may be signed.
            let good = kind == oids::DATA;
            return Ok(if good { Verdict::Good } else { Verdict::Bad("signed attributes are required".into()) });
        }
        let value = self.attribute(&oids::CONTENT_TYPE)?.ok_or_else(|| malformed("no content-type attribute"))?;
        let same = value.oid()? == kind;
        Ok(if same { Verdict::Good } else { Verdict::Bad("the content-type attribute says otherwise".into()) })
    }

    /// Whether it verified only after the attributes were sorted.
    fn check_signature(&self, content: Content<'_>, certificate: &Certificate) -> Result<bool> {
        let digest = self.algorithm()?;
        let check = |message: Content<'_>| {
            let identifier = &self.signature_identifier;
            algorithm::verify_content(certificate.spki(), identifier, Some(digest), message, &self.signature)
        };
        let Some(bytes) = &self.attributes else { return check(content).map(|()| false) };
        let plain = asn1::tlv(tag::SET, bytes);
        let as_they_came = check(Content::Bytes(&plain));
        if as_they_came.is_ok() {
            return Ok(false);
        }
        let sorted = Reader::new(bytes).all()?.iter().map(|item| item.raw.to_vec()).collect();
        let sorted = asn1::set_of(tag::SET, sorted);
        if sorted == plain { as_they_came.map(|()| false) } else { check(Content::Bytes(&sorted)).map(|()| true) }
    }

    /// RFC 5035 section 3 and 4: the first certificate identifier must be the signer's, hash and, if given, issuerSerial.
    fn ess(&self, certificate: &Certificate) -> Result<Verdict> {
        let v2 = self.attribute(&oids::SIGNING_CERTIFICATE_V2)?;
        let v1 = self.attribute(&oids::SIGNING_CERTIFICATE)?;
        if v1.is_none() && v2.is_none() {
            return Ok(Verdict::Absent("no signing-certificate attribute".into()));
        }
        for (value, is_v2) in [(v2, true), (v1, false)] {
            let Some(value) = value else { continue };
            if !ess_names(&value, is_v2, certificate)? {
                return Ok(Verdict::Bad("the signing-certificate attribute names another certificate".into()));
            }
        }
        Ok(Verdict::Good)
    }
}

fn ess_names(value: &Tlv<'_>, is_v2: bool, certificate: &Certificate) -> Result<bool> {
    if value.tag != tag::SEQUENCE {
        return Err(malformed("signing-certificate attribute"));
    }
    let mut list = value.inside().expect(tag::SEQUENCE)?.inside();
    let mut first = list.expect(tag::SEQUENCE)?.inside();
    let mut algorithm = if is_v2 { DigestAlgorithm::Sha256 } else { DigestAlgorithm::Sha1 };
    if is_v2 && let Some(identifier) = first.optional(tag::SEQUENCE)? {
        algorithm = algorithm::parse_digest(&identifier)?;
    }
    let hash = first.expect(tag::OCTET_STRING)?;
    if hash.value != algorithm.of(certificate.der()) {
        return Ok(false);
    }
    let Some(issuer_serial) = first.optional(tag::SEQUENCE)? else { return Ok(true) };
    let mut parts = issuer_serial.inside();
    let names = parts.expect(tag::SEQUENCE)?;
    let serial = parts.expect(tag::INTEGER)?;
    let directory_name = asn1::constructed(tag::constructed(4), &[certificate.issuer()]);
    Ok(serial.raw == certificate.serial_element() && names.value == directory_name)
}

#[cfg(test)]
impl SignerInfo {
    /// As a careless BER writer would store them.
    pub(crate) fn reverse_attributes(&mut self) {
        let bytes = self.attributes.take().unwrap();
        let items: Vec<Vec<u8>> = Reader::new(&bytes).all().unwrap().iter().rev().map(|i| i.raw.to_vec()).collect();
        assert_ne!(items.concat(), bytes);
        self.attributes = Some(items.concat());
    }
}
