//! From a certificate to an anchor, judged at a given time (RFC 5280 section 6).
//!
//! Candidate paths are found here (by name, then by signature, bounded in depth and number); whether a path holds is decided by
//! the `certval` engine behind [`PathRules`], with signatures verified by this room's own table of algorithms. Revocation
//! is not looked at: no network, and old tokens carry none.

use certval::{
    CertificationPath, CertificationPathResults, CertificationPathSettings, Error as EngineError, PDVCertificate,
    PDVTrustAnchorChoice, PathValidationStatus, PkiEnvironment, TimeOfInterest, validate_path_rfc5280,
};
use der::{Decode as _, Encode as _};
use jiff::Timestamp;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::anchor::TrustAnchorChoice;
use x509_cert::certificate::{CertificateInner, Raw};

use crate::error::{Code, Error, Result};
use crate::evidence::algorithm;
use crate::evidence::anchors::Anchors;
use crate::evidence::oids;
use crate::evidence::x509::Certificate;

/// Longest path, anchor included: real ones have three or four certificates.
pub const MAX_DEPTH: usize = 8;

/// How many signatures of candidates are verified before giving up: a hostile bag of look-alikes costs no more than this.
const MAX_STEPS: usize = 256;

/// Decides whether one candidate path holds at an instant.
pub trait PathRules {
    /// `intermediates` go from the anchor's child to the target's issuer. An error says which rule was broken.
    fn judge(
        &self,
        anchor: &Certificate,
        intermediates: &[&Certificate],
        target: &Certificate,
        at: Timestamp,
    ) -> Result<()>;
}

/// RFC 5280 by `certval`.
#[derive(Debug, Default, Clone, Copy)]
pub struct Rfc5280 {
    /// Accepts what was good practice once: certificates signed with SHA-1, authorities with RSA keys of 1024 bits. For mail and
    /// invoices of past years, never for time-stamps.
    pub legacy: bool,
}

impl PathRules for Rfc5280 {
    fn judge(
        &self,
        anchor: &Certificate,
        intermediates: &[&Certificate],
        target: &Certificate,
        at: Timestamp,
    ) -> Result<()> {
        let unreadable = |e: der::Error| Error::new(Code::SignaturePath, format!("certificate not readable: {e}"));
        let decode = |certificate: &Certificate| PDVCertificate::try_from(certificate.der()).map_err(unreadable);
        let anchor = CertificateInner::<Raw>::from_der(anchor.der()).map_err(unreadable)?;
        let anchor = PDVTrustAnchorChoice::try_from(TrustAnchorChoice::Certificate(anchor)).map_err(unreadable)?;
        let intermediates = intermediates.iter().map(|c| decode(c)).collect::<Result<Vec<_>>>()?;
        let path = CertificationPath::new(anchor, intermediates, decode(target)?);

        let mut settings = CertificationPathSettings::new();
        let seconds = u64::try_from(at.as_second()).map_err(|_| Error::new(Code::SignaturePath, "time before 1970"))?;
        settings.set_time_of_interest(TimeOfInterest::from_unix_secs(seconds).map_err(unreadable)?);
        // The anchor was configured by a person; the path ends there because we put it there.
        settings.set_require_ta_store(false);
        settings.set_check_revocation_status(false);
        settings.set_min_rsa_modulus_bits(if self.legacy { 1024 } else { 2048 });

        let mut environment = PkiEnvironment::new();
        environment.add_verify_signature_message_callback(if self.legacy { verify_any } else { verify_strong });
        validate_path_rfc5280(&environment, &settings, &path, &mut CertificationPathResults::new())
            .map_err(|e| Error::new(code_of(&e), format!("certificate path: {e:?}")))
    }
}

/// What people want to be told apart: outside its time, outside what its authority may name, any other rule.
fn code_of(error: &EngineError) -> Code {
    match error {
        EngineError::PathValidation(PathValidationStatus::InvalidNotAfterDate) => Code::SignatureExpired,
        EngineError::PathValidation(PathValidationStatus::InvalidNotBeforeDate) => Code::SignatureNotYetValid,
        EngineError::PathValidation(PathValidationStatus::NameConstraintsViolation) => Code::SignatureNameConstraint,
        _ => Code::SignaturePath,
    }
}

fn verify_strong(
    environment: &PkiEnvironment,
    message: &[u8],
    signature: &der::asn1::BitString,
    identifier: &AlgorithmIdentifierOwned,
    spki: &SubjectPublicKeyInfoOwned,
) -> certval::Result<()> {
    if identifier.oid == oids::RSA_SHA1 {
        return Err(EngineError::PathValidation(PathValidationStatus::SignatureVerificationFailure));
    }
    verify_any(environment, message, signature, identifier, spki)
}

fn verify_any(
    _: &PkiEnvironment,
    message: &[u8],
    signature: &der::asn1::BitString,
    identifier: &AlgorithmIdentifierOwned,
    spki: &SubjectPublicKeyInfoOwned,
) -> certval::Result<()> {
    let bad = EngineError::PathValidation(PathValidationStatus::SignatureVerificationFailure);
    let (Ok(spki), Ok(identifier)) = (spki.to_der(), identifier.to_der()) else { return Err(bad) };
    algorithm::verify(&spki, &identifier, None, message, signature.raw_bytes()).map_err(|_| bad)
}

/// Why no path was found.
#[derive(Debug)]
pub enum PathError {
    /// Nothing leads to a configured anchor.
    Untrusted,
    /// Something does, but breaks a rule: expired then, not an authority, signature wrong …
    Invalid(Error),
}

/// The path from `target` to one of `anchors` through `bag`, valid at `at`: target first, anchor last.
pub fn find(
    target: &Certificate,
    bag: &[Certificate],
    anchors: &Anchors,
    at: Timestamp,
    rules: &dyn PathRules,
) -> Result<Vec<Certificate>, PathError> {
    let mut search = Search { target, bag, anchors, at, rules, steps: 0, broken: None };
    let mut chain = Vec::new();
    if let Some(anchor) = search.climb(target, &mut chain) {
        let mut path = vec![target.clone()];
        path.extend(chain.into_iter().cloned());
        // A target that is itself an anchor is its own path.
        if path.last() != Some(anchor) {
            path.push(anchor.clone());
        }
        return Ok(path);
    }
    Err(search.broken.map_or(PathError::Untrusted, PathError::Invalid))
}

struct Search<'a> {
    target: &'a Certificate,
    bag: &'a [Certificate],
    anchors: &'a Anchors,
    at: Timestamp,
    rules: &'a dyn PathRules,
    steps: usize,
    broken: Option<Error>,
}

impl<'a> Search<'a> {
    /// Depth first; `chain` holds the certificates between target (excluded) and `current` (included, when not the target).
    fn climb(&mut self, current: &'a Certificate, chain: &mut Vec<&'a Certificate>) -> Option<&'a Certificate> {
        for anchor in self.anchors.certificates() {
            let itself = anchor == self.target;
            if !(itself || may_issue(anchor) && issued(anchor, current)) {
                continue;
            }
            if itself {
                if self.target.valid_at(self.at) {
                    return Some(anchor);
                }
                let early = self.at < self.target.not_before;
                let code = if early { Code::SignatureNotYetValid } else { Code::SignatureExpired };
                self.broken = Some(Error::new(code, "the anchor was not valid then"));
                continue;
            }
            let down: Vec<&Certificate> = chain.iter().rev().copied().collect();
            match self.rules.judge(anchor, &down, self.target, self.at) {
                Ok(()) => return Some(anchor),
                Err(error) => self.broken = Some(error),
            }
        }
        if chain.len() + 2 >= MAX_DEPTH {
            return None;
        }
        for issuer in self.bag {
            if issuer.subject() != current.issuer() || issuer == self.target || chain.contains(&issuer) {
                continue;
            }
            self.steps += 1;
            if self.steps > MAX_STEPS {
                return None;
            }
            if !issued(issuer, current) {
                continue;
            }
            chain.push(issuer);
            if let Some(anchor) = self.climb(issuer, chain) {
                return Some(anchor);
            }
            chain.pop();
        }
        None
    }
}

/// By name and by signature; whether it was allowed to is for the rules.
fn issued(issuer: &Certificate, subject: &Certificate) -> bool {
    issuer.subject() == subject.issuer() && subject.verify_signature(issuer.spki()).is_ok()
}

/// RFC 5280 asks no authority flag of an anchor; a configured end entity must still not issue. Old roots without extensions may.
fn may_issue(anchor: &Certificate) -> bool {
    anchor.extensions.is_empty() || anchor.basic_constraints().is_ok_and(|c| c.is_some_and(|c| c.ca))
}
