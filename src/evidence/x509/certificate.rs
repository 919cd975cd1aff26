//! A certificate as it came: fields are ranges of its own bytes (RFC 5280 section 4.1), nothing is re-encoded.

use std::ops::Range;

use jiff::Timestamp;

use crate::error::Result;
use crate::evidence::algorithm;
use crate::evidence::asn1::{self, Reader, malformed, tag};
use crate::evidence::{Oid, oids};

/// Certificates larger than this are refused: real ones have some kilobytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// One extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Which one.
    pub id: Oid,
    /// Whether who does not understand it must refuse.
    pub critical: bool,
    /// DER inside the OCTET STRING.
    pub value: Vec<u8>,
}

/// basicConstraints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraints {
    /// A certification authority.
    pub ca: bool,
    /// How many intermediate certificates may follow.
    pub path_length: Option<u32>,
}

/// extKeyUsage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedKeyUsage {
    /// Critical.
    pub critical: bool,
    /// Purposes.
    pub purposes: Vec<Oid>,
}

/// A parsed certificate; its bytes and where things are in them.
#[derive(Debug, Clone)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Range<usize>,
    serial: Range<usize>,
    issuer: Range<usize>,
    subject: Range<usize>,
    spki: Range<usize>,
    signature_identifier: Range<usize>,
    signature: Range<usize>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// Extensions in their order.
    pub extensions: Vec<Extension>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl Certificate {
    /// Reads one DER certificate; nothing may follow it.
    pub fn parse(der: &[u8]) -> Result<Self> {
        if der.len() > MAX_BYTES {
            return Err(malformed("certificate larger than 64 KiB"));
        }
        let range = |part: &[u8]| {
            let start = part.as_ptr() as usize - der.as_ptr() as usize;
            start..start + part.len()
        };
        let mut outer = Reader::only(der, tag::SEQUENCE)?.inside();
        let tbs = outer.expect(tag::SEQUENCE)?;
        let signature_identifier = outer.expect(tag::SEQUENCE)?;
        let signature = outer.next()?.whole_bits()?;
        outer.finish()?;

        let mut fields = tbs.inside();
        let _version = fields.optional(tag::constructed(0))?;
        let serial = fields.expect(tag::INTEGER)?;
        let inner_identifier = fields.expect(tag::SEQUENCE)?;
        if inner_identifier.raw != signature_identifier.raw {
            return Err(malformed("the certificate names two signature algorithms"));
        }
        let issuer = fields.expect(tag::SEQUENCE)?;
        let mut validity = fields.expect(tag::SEQUENCE)?.inside();
        let (not_before, not_after) = (validity.next()?.time()?, validity.next()?.time()?);
        validity.finish()?;
        let subject = fields.expect(tag::SEQUENCE)?;
        let spki = fields.expect(tag::SEQUENCE)?;
        for unique_id in [1, 2] {
            // Both are primitive BIT STRINGs under implicit tags; some old encoders made them constructed.
            fields.optional(tag::context(unique_id))?;
            fields.optional(tag::constructed(unique_id))?;
        }
        let extensions = match fields.optional(tag::constructed(3))? {
            Some(element) => parse_extensions(&element)?,
            None => Vec::new(),
        };
        fields.finish()?;
        Ok(Self {
            tbs: range(tbs.raw),
            serial: range(serial.raw),
            issuer: range(issuer.raw),
            subject: range(subject.raw),
            spki: range(spki.raw),
            signature_identifier: range(signature_identifier.raw),
            signature: range(signature),
            not_before,
            not_after,
            extensions,
            der: der.to_vec(),
        })
    }

    /// All its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// DER Name of the issuer.
    pub fn issuer(&self) -> &[u8] {
        &self.der[self.issuer.clone()]
    }

    /// DER Name of the subject.
    pub fn subject(&self) -> &[u8] {
        &self.der[self.subject.clone()]
    }

    /// DER INTEGER of the serial number.
    pub fn serial_element(&self) -> &[u8] {
        &self.der[self.serial.clone()]
    }

    /// DER SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.der[self.spki.clone()]
    }

    /// Valid at this instant, both ends included.
    pub fn valid_at(&self, at: Timestamp) -> bool {
        self.not_before <= at && at <= self.not_after
    }

    /// Verifies that the holder of `spki` signed this certificate.
    pub fn verify_signature(&self, spki: &[u8]) -> Result<()> {
        let identifier = &self.der[self.signature_identifier.clone()];
        algorithm::verify(spki, identifier, None, &self.der[self.tbs.clone()], &self.der[self.signature.clone()])
    }

    /// Whether it is signed with SHA-1.
    pub fn is_signed_weakly(&self) -> bool {
        let element = Reader::only(&self.der[self.signature_identifier.clone()], tag::SEQUENCE);
        element.and_then(|element| algorithm::parse_identifier(&element)).is_ok_and(|(oid, _)| oid == oids::RSA_SHA1)
    }

    /// The extension with this identifier.
    pub fn extension(&self, id: &Oid) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.id == *id)
    }

    /// basicConstraints; absent is `None`.
    pub fn basic_constraints(&self) -> Result<Option<BasicConstraints>> {
        let Some(extension) = self.extension(&oids::BASIC_CONSTRAINTS) else { return Ok(None) };
        let mut reader = Reader::only(&extension.value, tag::SEQUENCE)?.inside();
        let ca = reader.optional(tag::BOOLEAN)?.is_some_and(|b| b.value.first().is_some_and(|b| *b != 0));
        let path_length = reader.optional(tag::INTEGER)?.map(|n| n.small()).transpose()?;
        reader.finish()?;
        Ok(Some(BasicConstraints { ca, path_length }))
    }

    /// Whether keyUsage allows the use with this bit number; absent allows everything.
    pub fn key_usage_allows(&self, bit: usize) -> Result<bool> {
        let Some(extension) = self.extension(&oids::KEY_USAGE) else { return Ok(true) };
        Ok(Reader::only(&extension.value, tag::BIT_STRING)?.bit(bit))
    }

    /// extKeyUsage; absent is `None`.
    pub fn extended_key_usage(&self) -> Result<Option<ExtendedKeyUsage>> {
        let Some(extension) = self.extension(&oids::EXTENDED_KEY_USAGE) else { return Ok(None) };
        let purposes = Reader::only(&extension.value, tag::SEQUENCE)?.inside().all()?;
        let purposes = purposes.iter().map(asn1::Tlv::oid).collect::<Result<_>>()?;
        Ok(Some(ExtendedKeyUsage { critical: extension.critical, purposes }))
    }

    /// subjectKeyIdentifier.
    pub fn subject_key_id(&self) -> Option<Vec<u8>> {
        let extension = self.extension(&oids::SUBJECT_KEY_ID)?;
        Reader::only(&extension.value, tag::OCTET_STRING).ok().map(|id| id.value.to_vec())
    }

    /// rfc822Names of subjectAltName.
    pub fn emails(&self) -> Result<Vec<String>> {
        let Some(extension) = self.extension(&oids::SUBJECT_ALT_NAME) else { return Ok(Vec::new()) };
        let names = Reader::only(&extension.value, tag::SEQUENCE)?.inside().all()?;
        let mails = names.iter().filter(|name| name.tag == tag::context(1));
        Ok(mails.map(|name| String::from_utf8_lossy(name.value).into_owned()).collect())
    }

    /// First value of one kind of attribute (say commonName) of the subject.
    pub fn subject_attribute(&self, kind: &Oid) -> Option<String> {
        name_attribute(self.subject(), kind)
    }

    /// First value of one kind of attribute of the issuer.
    pub fn issuer_attribute(&self, kind: &Oid) -> Option<String> {
        name_attribute(self.issuer(), kind)
    }
}

fn parse_extensions(element: &asn1::Tlv<'_>) -> Result<Vec<Extension>> {
    let mut extensions: Vec<Extension> = Vec::new();
    for item in Reader::only(element.value, tag::SEQUENCE)?.inside().all()? {
        let mut reader = item.inside();
        let id = reader.next()?.oid()?;
        let critical = reader.optional(tag::BOOLEAN)?.is_some_and(|b| b.value.first().is_some_and(|b| *b != 0));
        let value = reader.expect(tag::OCTET_STRING)?.value.to_vec();
        reader.finish()?;
        if extensions.iter().any(|known| known.id == id) {
            return Err(malformed(format!("extension {id} stands twice")));
        }
        extensions.push(Extension { id, critical, value });
    }
    Ok(extensions)
}

/// First value of one kind of attribute of a DER Name, as text.
fn name_attribute(name: &[u8], kind: &Oid) -> Option<String> {
    for set in Reader::only(name, tag::SEQUENCE).ok()?.inside().all().ok()? {
        for pair in set.inside().all().ok()? {
            let mut reader = pair.inside();
            if reader.next().ok()?.oid().ok()? == *kind {
                let value = reader.next().ok()?;
                return Some(super::name::string(&value));
            }
        }
    }
    None
}
