//! Issues certificates: for the development time-stamping authority and for the corpus, never for real people.
//!
//! With an RSA issuer the bytes depend on nothing but the arguments.

use jiff::Timestamp;

use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::asn1::{self, Reader, tag};
use crate::evidence::key::SigningKey;
use crate::evidence::x509::Certificate;
use crate::evidence::{Oid, oids};

/// A distinguished name, most general part first.
#[derive(Debug, Clone, Default)]
pub struct Dn(Vec<(Oid, String)>);

impl Dn {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, kind: Oid, value: impl Into<String>) -> Self {
        self.0.push((kind, value.into()));
        self
    }

    /// Adds countryName.
    #[must_use]
    pub fn country(self, value: impl Into<String>) -> Self {
        self.with(oids::COUNTRY, value)
    }

    /// Adds organizationName.
    #[must_use]
    pub fn organization(self, value: impl Into<String>) -> Self {
        self.with(oids::ORGANIZATION, value)
    }

    /// Adds commonName.
    #[must_use]
    pub fn common_name(self, value: impl Into<String>) -> Self {
        self.with(oids::COMMON_NAME, value)
    }

    /// DER Name.
    pub fn to_der(&self) -> Vec<u8> {
        let parts: Vec<Vec<u8>> = self
            .0
            .iter()
            .map(|(kind, value)| {
                // RFC 5280 appendix A: these two are PrintableString.
                let printable = matches!(*kind, oids::COUNTRY | oids::SERIAL_NUMBER);
                let value = asn1::tlv(if printable { tag::PRINTABLE } else { tag::UTF8 }, value.as_bytes());
                asn1::constructed(tag::SET, &[&asn1::sequence(&[&asn1::oid(kind), &value])])
            })
            .collect();
        asn1::tlv(tag::SEQUENCE, &parts.concat())
    }
}

/// Who signs the certificate.
#[derive(Debug)]
pub enum Issuer<'a> {
    /// The subject itself: a root.
    Own(&'a SigningKey),
    /// An authority.
    Authority {
        /// Its key.
        key: &'a SigningKey,
        /// Its DER certificate.
        certificate: &'a [u8],
    },
}

/// Bits of keyUsage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum KeyUsage {
    /// Signs data.
    DigitalSignature = 0,
    /// Non-repudiation.
    ContentCommitment = 1,
    /// Enciphers keys.
    KeyEncipherment = 2,
    /// Signs certificates.
    KeyCertSign = 5,
    /// Signs revocation lists.
    CrlSign = 6,
}

/// extKeyUsage to write.
#[derive(Debug, Clone)]
pub struct Purposes {
    /// Critical.
    pub critical: bool,
    /// Purposes.
    pub list: Vec<Oid>,
}

/// What the certificate says. Start from [`Profile::leaf`] or [`Profile::authority`].
#[derive(Debug)]
pub struct Profile<'a> {
    /// Who it is for.
    pub subject: Dn,
    /// DER SubjectPublicKeyInfo of the subject.
    pub subject_spki: &'a [u8],
    /// Who signs.
    pub issuer: Issuer<'a>,
    /// Serial number, big-endian, at most 20 octets.
    pub serial: Vec<u8>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// A certification authority.
    pub ca: bool,
    /// pathLenConstraint of an authority.
    pub path_length: Option<u32>,
    /// keyUsage (critical); empty leaves it out.
    pub key_usage: Vec<KeyUsage>,
    /// extKeyUsage.
    pub purposes: Option<Purposes>,
    /// rfc822Names of subjectAltName.
    pub emails: Vec<String>,
    /// Further extensions.
    pub more: Vec<super::Extension>,
    /// Digest of the signature.
    pub digest: DigestAlgorithm,
}

impl<'a> Profile<'a> {
    /// An end entity that signs.
    pub fn leaf(
        subject: Dn,
        subject_spki: &'a [u8],
        issuer: Issuer<'a>,
        serial: u32,
        from: Timestamp,
        to: Timestamp,
    ) -> Self {
        Self {
            subject,
            subject_spki,
            issuer,
            serial: serial.to_be_bytes().to_vec(),
            not_before: from,
            not_after: to,
            ca: false,
            path_length: None,
            key_usage: vec![KeyUsage::DigitalSignature],
            purposes: None,
            emails: Vec::new(),
            more: Vec::new(),
            digest: DigestAlgorithm::Sha256,
        }
    }

    /// A certification authority.
    pub fn authority(
        subject: Dn,
        subject_spki: &'a [u8],
        issuer: Issuer<'a>,
        serial: u32,
        from: Timestamp,
        to: Timestamp,
    ) -> Self {
        Self {
            ca: true,
            key_usage: vec![KeyUsage::KeyCertSign, KeyUsage::CrlSign],
            ..Self::leaf(subject, subject_spki, issuer, serial, from, to)
        }
    }
}

/// DER certificate, version 3.
pub fn issue(profile: &Profile<'_>) -> Result<Vec<u8>> {
    if profile.serial.len() > 20 || profile.serial.iter().all(|b| *b == 0) {
        return Err(Error::new(Code::Usage, "a serial number has 1 to 20 octets and is not zero"));
    }
    let subject = profile.subject.to_der();
    let subject_key_id = key_id(profile.subject_spki)?;
    let (key, issuer_name, authority_key_id) = match &profile.issuer {
        Issuer::Own(key) => (*key, subject.clone(), subject_key_id.clone()),
        Issuer::Authority { key, certificate } => {
            let certificate = Certificate::parse(certificate)?;
            let id = certificate.subject_key_id().map_or_else(|| key_id(certificate.spki()), Ok)?;
            (*key, certificate.subject().to_vec(), id)
        }
    };

    let mut extensions = Vec::new();
    if profile.ca {
        let path = profile.path_length.map(asn1::small).unwrap_or_default();
        let value = asn1::sequence(&[&asn1::true_(), &path]);
        extensions.push(extension(&oids::BASIC_CONSTRAINTS, true, &value));
    }
    if !profile.key_usage.is_empty() {
        let bits: Vec<u8> = profile.key_usage.iter().map(|usage| *usage as u8).collect();
        extensions.push(extension(&oids::KEY_USAGE, true, &asn1::named_bits(&bits)));
    }
    if let Some(purposes) = &profile.purposes {
        let list: Vec<u8> = purposes.list.iter().flat_map(asn1::oid).collect();
        extensions.push(extension(&oids::EXTENDED_KEY_USAGE, purposes.critical, &asn1::tlv(tag::SEQUENCE, &list)));
    }
    if !profile.emails.is_empty() {
        let list: Vec<u8> =
            profile.emails.iter().flat_map(|mail| asn1::tlv(tag::context(1), mail.as_bytes())).collect();
        extensions.push(extension(&oids::SUBJECT_ALT_NAME, false, &asn1::tlv(tag::SEQUENCE, &list)));
    }
    extensions.push(extension(&oids::SUBJECT_KEY_ID, false, &asn1::octets(&subject_key_id)));
    let authority = asn1::sequence(&[&asn1::tlv(tag::context(0), &authority_key_id)]);
    extensions.push(extension(&oids::AUTHORITY_KEY_ID, false, &authority));
    for more in &profile.more {
        extensions.push(extension(&more.id, more.critical, &more.value));
    }

    let identifier = key.algorithm().signature_identifier(profile.digest);
    let tbs = asn1::sequence(&[
        &asn1::constructed(tag::constructed(0), &[&asn1::small(2)]),
        &asn1::unsigned(&profile.serial),
        &identifier,
        &issuer_name,
        &asn1::sequence(&[&asn1::time(profile.not_before), &asn1::time(profile.not_after)]),
        &subject,
        profile.subject_spki,
        &asn1::constructed(tag::constructed(3), &[&asn1::tlv(tag::SEQUENCE, &extensions.concat())]),
    ]);
    let value = key.sign(profile.digest, &tbs)?;
    Ok(asn1::sequence(&[&tbs, &identifier, &asn1::bits(&value)]))
}

fn extension(id: &Oid, critical: bool, value: &[u8]) -> Vec<u8> {
    let flag = if critical { asn1::true_() } else { Vec::new() };
    asn1::sequence(&[&asn1::oid(id), &flag, &asn1::octets(value)])
}

/// RFC 7093 section 2 method 1: the leftmost 160 bits of the SHA-256 of the key's bits.
fn key_id(spki: &[u8]) -> Result<Vec<u8>> {
    let mut reader = Reader::only(spki, tag::SEQUENCE)?.inside();
    reader.next()?;
    let bits = reader.next()?.whole_bits()?;
    Ok(DigestAlgorithm::Sha256.of(bits)[..20].to_vec())
}
