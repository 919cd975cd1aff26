//! The development authority of trial archives: everything works offline, and nothing it makes proves anything.
//!
//! Its certificates, its policy's place and its name say so. It refuses what a real one refuses (SHA-1, unknown policies,
//! extensions), and honours nonce and certReq (ETSI EN 319 422).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::clock::{Clock, truncate_ms};
use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::anchors::Anchors;
use crate::evidence::cms::build::{Spec, sign};
use crate::evidence::cms::unwrap::{armour, pem_blocks};
use crate::evidence::key::SigningKey;
use crate::evidence::oids;
use crate::evidence::tsp::query::{Query, random_128};
use crate::evidence::tsp::reply::{Failure, granted, refused};
use crate::evidence::tsp::{Accuracy, Authority, Policy, TstInfo};
use crate::evidence::x509::{Certificate, Dn, Issuer, Profile, Purposes, issue};

/// What it is called, everywhere.
pub const NAME: &str = "PROVA - SENZA VALORE LEGALE";

/// Its policy: an arc that needs no registration (ITU-T X.667).
pub const POLICY: &str = "2.25.116238734498752340986720945867203945867";

/// How long its certificates last: longer than any trial.
const YEARS: i64 = 20;

/// An authority of our own; the key that issued its certificate is forgotten at once.
pub struct DevelopmentAuthority {
    key: SigningKey,
    key_der: Vec<u8>,
    certificate: Certificate,
    root: Certificate,
    policy: Policy,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for DevelopmentAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DevelopmentAuthority")
    }
}

impl DevelopmentAuthority {
    /// A new one, valid from a day before now.
    pub fn create(clock: Arc<dyn Clock>) -> Result<Self> {
        let out_of_range = |_| Error::new(Code::Internal, "the clock is out of range");
        let day = SignedDuration::from_hours(24);
        let from = clock.now().checked_sub(day).map_err(out_of_range)?;
        let from = Timestamp::from_second(from.as_second()).map_err(out_of_range)?;
        let to = from.checked_add(day * i32::try_from(YEARS * 365).unwrap_or(i32::MAX)).map_err(out_of_range)?;
        let name = |what: &str| Dn::new().country("IT").organization("Custode").common_name(format!("{NAME} ({what})"));

        let (root_key, _) = SigningKey::generate_p256()?;
        let spki = root_key.spki_der()?;
        let root = Profile {
            serial: random_128()?.to_vec(),
            path_length: Some(0),
            ..Profile::authority(name("radice"), &spki, Issuer::Own(&root_key), 1, from, to)
        };
        let root = issue(&root)?;
        let (key, key_der) = SigningKey::generate_p256()?;
        let spki = key.spki_der()?;
        let issuer = Issuer::Authority { key: &root_key, certificate: &root };
        let leaf = Profile {
            serial: random_128()?.to_vec(),
            purposes: Some(Purposes { critical: true, list: vec![oids::KP_TIME_STAMPING] }),
            ..Profile::leaf(name("marcatura"), &spki, issuer, 1, from, to)
        };
        let leaf = issue(&leaf)?;
        Self::assemble(key, key_der, &leaf, &root, clock)
    }

    fn assemble(
        key: SigningKey,
        key_der: Vec<u8>,
        certificate: &[u8],
        root: &[u8],
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let (certificate, root) = (Certificate::parse(certificate)?, Certificate::parse(root)?);
        if key.spki_der()? != certificate.spki() {
            return Err(Error::new(Code::KeyMissing, "key and certificate of the development authority differ"));
        }
        certificate.verify_signature(root.spki())?;
        Ok(Self { key, key_der, certificate, root, policy: POLICY.parse()?, clock })
    }

    /// Key and certificates as one PEM text, to keep in the keys' folder (mode 0600).
    pub fn to_pem(&self) -> String {
        [
            armour("PRIVATE KEY", &self.key_der),
            armour("CERTIFICATE", self.certificate.der()),
            armour("CERTIFICATE", self.root.der()),
        ]
        .concat()
    }

    /// From the text of [`Self::to_pem`].
    pub fn from_pem(text: &str, clock: Arc<dyn Clock>) -> Result<Self> {
        let broken = || Error::new(Code::KeyMissing, "not the PEM file of a development authority");
        let keys = pem_blocks(text.as_bytes(), &["PRIVATE KEY"]).map_err(|_| broken())?;
        let certificates = pem_blocks(text.as_bytes(), &["CERTIFICATE"]).map_err(|_| broken())?;
        let ([key], [certificate, root]) = (keys.as_slice(), certificates.as_slice()) else { return Err(broken()) };
        Self::assemble(SigningKey::from_pkcs8_der(key)?, key.clone(), certificate, root, clock)
    }

    /// The certificate its tokens lead to, alone, for whoever verifies with another program.
    pub fn root_pem(&self) -> String {
        armour("CERTIFICATE", self.root.der())
    }

    /// The anchor its tokens are judged by.
    pub fn anchors(&self) -> Result<Anchors> {
        Anchors::from_der(vec![self.root.der().to_vec()])
    }

    fn refusal(&self, query: &Query) -> Option<Vec<u8>> {
        let refuse = |failure, text| Some(refused(failure, text));
        match DigestAlgorithm::from_oid(&query.algorithm) {
            Ok(algorithm) if algorithm.is_weak() => refuse(Failure::BadAlgorithm, "SHA-256 or better is needed"),
            Ok(algorithm) if algorithm.length() != query.imprint.len() => {
                refuse(Failure::BadDataFormat, "the imprint has a wrong length")
            }
            Err(_) => refuse(Failure::BadAlgorithm, "unknown digest algorithm"),
            Ok(_) if query.policy.as_ref().is_some_and(|policy| *policy != self.policy) => {
                refuse(Failure::UnacceptedPolicy, "only its own policy")
            }
            Ok(_) if query.extensions => refuse(Failure::UnacceptedExtension, "no extensions"),
            Ok(_) => None,
        }
    }
}

impl Authority for DevelopmentAuthority {
    fn name(&self) -> &str {
        NAME
    }

    fn stamp(&self, request: &[u8]) -> Result<Vec<u8>> {
        let Ok(query) = Query::parse(request) else {
            return Ok(refused(Failure::BadRequest, "not a readable request"));
        };
        if let Some(refusal) = self.refusal(&query) {
            return Ok(refusal);
        }
        let info = TstInfo {
            policy: self.policy.clone(),
            algorithm: query.algorithm,
            imprint: query.imprint,
            serial: random_128()?.to_vec(),
            gen_time: truncate_ms(self.clock.now()),
            accuracy: Some(Accuracy { seconds: 1, ..Accuracy::default() }),
            ordering: false,
            nonce: query.nonce,
        };
        let content = info.to_der(self.certificate.subject());
        let root = [self.root.der().to_vec()];
        let token = sign(&Spec {
            content_type: oids::TST_INFO,
            include_certificate: query.certificate,
            extra_certificates: if query.certificate { &root } else { &[] },
            signing_time: Some(info.gen_time),
            signing_certificate_v2: true,
            ..Spec::new(&content, &self.key, self.certificate.der())
        })?;
        Ok(granted(&token))
    }
}
