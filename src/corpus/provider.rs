//! The providers' signatures: a throw-away authority, three providers' S/MIME certificates and one signer of files.
//!
//! Invariant: everything follows from the keys in `keys/` and the year of the signature; a provider's certificate names its
//! service address (rfc822Name) as the technical rules ask, lives three years and covers the year it signs in.

use std::collections::HashMap;

use jiff::civil::date;
use jiff::{Timestamp, tz::TimeZone};

use super::names::PROVIDERS;
use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::asn1::{self, tag};
use crate::evidence::cms::build::{self, Spec};
use crate::evidence::key::SigningKey;
use crate::evidence::oids;
use crate::evidence::x509::{Dn, Extension, Issuer, KeyUsage, Profile, Purposes, issue};

/// A provider's habits: the variants that readers meet.
pub struct Style {
    /// Media type of the signature part.
    pub protocol: &'static str,
    /// `micalg` for SHA-256, as this provider writes it.
    pub micalg: &'static str,
    /// The same for SHA-1.
    pub micalg_sha1: &'static str,
    /// Start of a boundary; one begins with many dashes.
    pub boundary: &'static str,
    /// Whether `daticert.xml` stands before `postacert.eml`.
    pub daticert_first: bool,
}

/// Habits, in the order of [`PROVIDERS`].
pub const STYLES: [Style; 3] = [
    Style {
        protocol: "application/x-pkcs7-signature",
        micalg: "sha-256",
        micalg_sha1: "sha1",
        boundary: "----",
        daticert_first: true,
    },
    Style {
        protocol: "application/pkcs7-signature",
        micalg: "\"sha-256\"",
        micalg_sha1: "\"sha1\"",
        boundary: "----------=_",
        daticert_first: false,
    },
    Style {
        protocol: "application/x-pkcs7-signature",
        micalg: "sha256",
        micalg_sha1: "SHA1",
        boundary: "=_Part_",
        daticert_first: true,
    },
];

const AUTHORITY_KEY: &str = include_str!("keys/authority.pem");
const PROVIDER_KEYS: [&str; 3] =
    [include_str!("keys/provider-1.pem"), include_str!("keys/provider-2.pem"), include_str!("keys/provider-3.pem")];
const SIGNER_KEY: &str = include_str!("keys/signer.pem");

/// Index of the file signer among certificates, after the providers.
const SIGNER: usize = PROVIDERS.len();

/// Keys and the certificates issued so far.
pub struct Keys {
    authority: SigningKey,
    root: Vec<u8>,
    providers: Vec<SigningKey>,
    signer: SigningKey,
    certificates: HashMap<(usize, i16), Vec<u8>>,
}

fn instant(year: i16) -> Result<Timestamp> {
    date(year, 1, 1)
        .to_zoned(TimeZone::UTC)
        .map(|zoned| zoned.timestamp())
        .map_err(|e| Error::new(Code::Usage, format!("year {year}: {e}")))
}

impl Keys {
    /// Reads the sample keys and issues the authority's certificate.
    pub fn new() -> Result<Self> {
        let authority = SigningKey::from_pkcs8_pem(AUTHORITY_KEY)?;
        let spki = authority.spki_der()?;
        let name = Dn::new()
            .country("IT")
            .organization("Autorita Esempio")
            .common_name("CA di prova usa e getta - SENZA VALORE LEGALE");
        let root = issue(&Profile::authority(name, &spki, Issuer::Own(&authority), 1, instant(2000)?, instant(2049)?))?;
        let providers = PROVIDER_KEYS.iter().map(|pem| SigningKey::from_pkcs8_pem(pem)).collect::<Result<_>>()?;
        let signer = SigningKey::from_pkcs8_pem(SIGNER_KEY)?;
        Ok(Self { authority, root, providers, signer, certificates: HashMap::new() })
    }

    /// DER certificate of the throw-away authority: the anchor of every signature in the corpus.
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// Detached signature over a MIME part; `weak` makes it SHA-1, as much mail of past years is.
    pub fn sign_mail(&mut self, provider: usize, part: &[u8], at: Timestamp, weak: bool) -> Result<Vec<u8>> {
        let certificate = self.certificate(provider, at)?;
        let chain = [self.root.clone()];
        let digest = if weak { DigestAlgorithm::Sha1 } else { DigestAlgorithm::Sha256 };
        build::sign(&Spec {
            attached: false,
            extra_certificates: &chain,
            digest,
            signing_time: Some(at),
            ..Spec::new(part, &self.providers[provider], &certificate)
        })
    }

    /// The same with a certificate of another time: expired, or not valid yet.
    pub fn sign_mail_dated(
        &mut self,
        provider: usize,
        part: &[u8],
        at: Timestamp,
        dated: Timestamp,
    ) -> Result<Vec<u8>> {
        let certificate = self.certificate(provider, dated)?;
        let chain = [self.root.clone()];
        build::sign(&Spec {
            attached: false,
            extra_certificates: &chain,
            signing_time: Some(at),
            ..Spec::new(part, &self.providers[provider], &certificate)
        })
    }

    /// The same with this digest algorithm.
    pub fn sign_mail_by(
        &mut self,
        provider: usize,
        part: &[u8],
        at: Timestamp,
        digest: DigestAlgorithm,
    ) -> Result<Vec<u8>> {
        let certificate = self.certificate(provider, at)?;
        let chain = [self.root.clone()];
        build::sign(&Spec {
            attached: false,
            extra_certificates: &chain,
            digest,
            signing_time: Some(at),
            ..Spec::new(part, &self.providers[provider], &certificate)
        })
    }

    /// The same under an authority that may only certify addresses of `domain`, as the providers' own may.
    pub fn sign_mail_constrained(
        &mut self,
        provider: usize,
        part: &[u8],
        at: Timestamp,
        domain: &str,
    ) -> Result<Vec<u8>> {
        let (from, to) = (instant(2020)?, instant(2040)?);
        let name = Dn::new().country("IT").organization("Autorita Esempio").common_name("CA con vincoli di nome");
        let spki = self.signer.spki_der()?;
        let root = Issuer::Authority { key: &self.authority, certificate: &self.root };
        let mut profile = Profile::authority(name, &spki, root, 7, from, to);
        let base = asn1::sequence(&[&asn1::tlv(tag::context(1), domain.as_bytes())]);
        let permitted = asn1::sequence(&[&asn1::tlv(tag::constructed(0), &base)]);
        profile.more.push(Extension { id: oids::NAME_CONSTRAINTS, critical: true, value: permitted });
        let middle = issue(&profile)?;
        let issuer = Issuer::Authority { key: &self.signer, certificate: &middle };
        let certificate = self.provider_certificate(provider, issuer, 8, from, to)?;
        let chain = [self.root.clone(), middle.clone()];
        build::sign(&Spec {
            attached: false,
            extra_certificates: &chain,
            signing_time: Some(at),
            ..Spec::new(part, &self.providers[provider], &certificate)
        })
    }

    fn provider_certificate(
        &self,
        who: usize,
        issuer: Issuer<'_>,
        serial: u32,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<u8>> {
        let (provider, domain) = PROVIDERS[who];
        let spki = self.providers[who].spki_der()?;
        let name = Dn::new().country("IT").organization(provider).common_name(provider);
        let mut profile = Profile::leaf(name, &spki, issuer, serial, from, to);
        profile.emails = vec![format!("posta-certificata@{domain}")];
        profile.purposes = Some(Purposes { critical: false, list: vec![oids::KP_EMAIL_PROTECTION] });
        issue(&profile)
    }

    /// A person's own S/MIME signature: this address in the certificate, the content inside or not.
    pub fn sign_as(&self, address: &str, content: &[u8], at: Timestamp, attached: bool) -> Result<Vec<u8>> {
        let year = at.to_zoned(TimeZone::UTC).year();
        let (from, to) = (instant(year - 1)?, instant(year + 2)?);
        let issuer = Issuer::Authority { key: &self.authority, certificate: &self.root };
        let spki = self.signer.spki_der()?;
        let name = Dn::new().country("IT").common_name("MITTENTE DI PROVA ESEMPIO");
        let mut profile = Profile::leaf(name, &spki, issuer, 99, from, to);
        profile.emails = vec![address.to_owned()];
        profile.purposes = Some(Purposes { critical: false, list: vec![oids::KP_EMAIL_PROTECTION] });
        let certificate = issue(&profile)?;
        build::sign(&Spec { attached, signing_time: Some(at), ..Spec::new(content, &self.signer, &certificate) })
    }

    /// CAdES-B-B with the content inside (`.p7m`).
    pub fn sign_file(&mut self, content: &[u8], at: Timestamp) -> Result<Vec<u8>> {
        let certificate = self.certificate(SIGNER, at)?;
        build::sign(&Spec::cades(content, &self.signer, &certificate, at))
    }

    /// The same signature beside a certificate that is another's, and without its content.
    pub fn sign_file_badly(&mut self, content: &[u8], at: Timestamp, attached: bool) -> Result<Vec<u8>> {
        let certificate = self.certificate(if attached { 0 } else { SIGNER }, at)?;
        build::sign(&Spec { attached, ..Spec::cades(content, &self.signer, &certificate, at) })
    }

    fn certificate(&mut self, who: usize, at: Timestamp) -> Result<Vec<u8>> {
        let year = at.to_zoned(TimeZone::UTC).year();
        if let Some(known) = self.certificates.get(&(who, year)) {
            return Ok(known.clone());
        }
        let (from, to) = (instant(year - 1)?, instant(year + 2)?);
        let issuer = Issuer::Authority { key: &self.authority, certificate: &self.root };
        let serial = u32::try_from(who).unwrap_or(0) * 10_000 + u32::try_from(year).unwrap_or(0) + 100_000;
        let certificate = if who == SIGNER {
            let spki = self.signer.spki_der()?;
            let name = Dn::new().country("IT").common_name("FIRMATARIO DI PROVA ESEMPIO");
            let mut profile = Profile::leaf(name, &spki, issuer, serial, from, to);
            profile.key_usage = vec![KeyUsage::ContentCommitment];
            issue(&profile)?
        } else {
            self.provider_certificate(who, issuer, serial, from, to)?
        };
        self.certificates.insert((who, year), certificate.clone());
        Ok(certificate)
    }
}
