//! The archive's signer: whose certificate signs packages, and what became of the last attempt.
//!
//! Invariant: nothing is signed with a certificate of somebody whom `[[signers]]` does not name; a signer that fails delays a
//! signature and is an alarm, and nothing acknowledged depends on it.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use super::Archive;
use super::alarms::said_of_signer as said;
use super::config::{Config, KeyIn, Secret, Signing as Configured, TokenKey};
use super::keys::Keys;
use super::state::unpoisoned;
use crate::clock::Clock;
use crate::error::{Code, Error, Finding, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::sign::credential::certificates;
use crate::evidence::sign::pkcs12::Pkcs12;
use crate::evidence::sign::{AskSecret, Credential, Deferred, Patient, RefusedPin, Signer, cades, is_waiting};
use crate::evidence::trust::{Chain, Purpose};
use crate::evidence::x509::Certificate;
use crate::exhibit::report::SignedBy;
use crate::hash::Sha256;
use crate::package::pindex::agents::Agent;
use crate::package::pindex::authorised;

/// Why signatures wait, and since when.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub code: Code,
    pub detail: String,
    pub since: Timestamp,
}

/// The archive's signer, when there is one.
pub(super) struct Signing {
    signer: Option<Arc<dyn Signer>>,
    /// Who may sign.
    agents: Vec<Agent>,
    /// Whether receipts are signed when they are sealed.
    pub receipts: bool,
    /// Whether reports are signed.
    pub reports: bool,
    /// How long before the certificate expires it is an alarm.
    pub alarm_before: SignedDuration,
    trouble: Mutex<Option<Trouble>>,
}

impl Signing {
    /// From the configuration. The signer is asked who it is: one whose certificate goes with nobody in `[[signers]]`, or has
    /// expired, and one that does not answer is a finding, for the archive must open, and take documents, without it.
    pub fn open(config: &Config, keys: &Keys) -> (Self, Option<Finding>) {
        let agents: Vec<Agent> = config.signers.iter().map(|signer| signer.agent.clone()).collect();
        let signer = config.signing.as_ref().map(|wanted| signer(wanted, keys.refused_pin()));
        let configured = config.signing.as_ref();
        let signing = Self {
            signer,
            agents,
            receipts: configured.is_some_and(|wanted| wanted.receipts),
            reports: configured.is_some_and(|wanted| wanted.reports),
            alarm_before: configured.map_or(SignedDuration::ZERO, |wanted| wanted.alarm_before.signed()),
            trouble: Mutex::default(),
        };
        let finding = match signing.credential() {
            None | Some(Ok(_)) => None,
            Some(Err(error)) => Some(Finding::warning(error.code, error.place, error.detail)),
        };
        (signing, finding)
    }

    /// Whether a signer is configured.
    pub fn is_configured(&self) -> bool {
        self.signer.is_some()
    }

    /// The certificate and its chain; none without a signer. [`Code::SignerMismatch`] when nobody named holds it.
    pub fn credential(&self) -> Option<Result<Arc<Credential>>> {
        let found = self.signer.as_ref()?.credential();
        Some(found.and_then(|credential| {
            if authorised::holder(&self.agents, &credential.certificate).is_none() {
                let why = authorised::described(&self.agents, &credential.certificate);
                return Err(Error::new(Code::SignerMismatch, why).at("custode.toml [signer]"));
            }
            Ok(credential)
        }))
    }

    /// Signs the bytes with this SHA-256; `None` without a signer. What became of it is remembered for the alarms.
    pub fn sign(&self, sha256: Sha256, clock: &dyn Clock) -> Option<Result<Vec<u8>>> {
        let signer = self.signer.as_ref()?;
        let now = clock.now();
        let signed = self.credential()?.and_then(|_| cades::sign(signer.as_ref(), sha256, now));
        let mut trouble = unpoisoned(self.trouble.lock());
        match &signed {
            Ok(_) => *trouble = None,
            Err(error) if is_waiting(error.code) => {
                let since = trouble.as_ref().map_or(now, |known| known.since);
                *trouble = Some(Trouble { code: error.code, detail: said(error), since });
            }
            Err(_) => {}
        }
        Some(signed)
    }

    /// Why signatures wait, when the last attempt failed.
    pub fn trouble(&self) -> Option<Trouble> {
        unpoisoned(self.trouble.lock()).clone()
    }
}

impl Archive {
    /// Signs the bytes with this SHA-256; `None` without a signer. [`Code::SignerRevoked`] where a revoked one must not.
    pub(super) fn signed(&self, sha256: Sha256) -> Option<Result<Vec<u8>>> {
        if self.signing.is_configured()
            && let Err(error) = self.signer_may_sign()
        {
            return Some(Err(error));
        }
        self.signing.sign(sha256, self.clock.as_ref())
    }

    /// The signature of a report, where reports are signed. A signer that fails is an alarm: what was found must be read all the
    /// same.
    pub(super) fn signed_report(&self, what: &str, sha256: Sha256) -> Option<Vec<u8>> {
        if !self.signing.reports {
            return None;
        }
        match self.signed(sha256)? {
            Ok(der) => Some(der),
            Err(error) => {
                tracing::warn!(code = error.code.as_str(), what, detail = %error.detail, "the report is not signed");
                None
            }
        }
    }

    /// Whose certificate would sign a report now. A signer that does not say is an alarm, and the report is not signed.
    pub(super) fn signer_of_report(&self, what: &str) -> Option<SignedBy> {
        match self.signing.credential()? {
            Ok(credential) => Some(SignedBy {
                subject: credential.subject(),
                certificate_sha256: Sha256::of(credential.certificate.der()),
            }),
            Err(error) => {
                tracing::warn!(code = error.code.as_str(), what, detail = %error.detail, "the report is not signed");
                None
            }
        }
    }

    /// What the signer's certificate leads to, when that is somebody the archive believes.
    pub(super) fn signer_anchor(&self) -> Option<Anchors> {
        let credential = self.signing.credential()?.ok()?;
        let now = self.clock.now();
        match self.trust.chain(&credential.certificate, &credential.chain, Purpose::Signature, now) {
            Chain::Path(path) => Anchors::from_der(vec![path.last()?.der().to_vec()]).ok(),
            _ => None,
        }
    }
}

fn signer(wanted: &Configured, refused: RefusedPin) -> Arc<dyn Signer> {
    let (chain, key) = (wanted.chain.clone(), wanted.key.clone());
    let set_up = move || -> Result<Arc<dyn Signer>> {
        let chain = certificates(&chain)?;
        match &key {
            KeyIn::Pkcs12 { file, password } => Ok(Arc::new(Pkcs12::new(file.clone(), ask(password), chain))),
            KeyIn::Pkcs11(key) => token(key, chain, refused.clone()),
        }
    };
    Arc::new(Patient::new(Arc::new(Deferred::new(Box::new(set_up))), wanted.timeout.std()))
}

#[cfg(feature = "pkcs11")]
fn token(key: &TokenKey, chain: Vec<Certificate>, refused: RefusedPin) -> Result<Arc<dyn Signer>> {
    use super::config::TokenName;
    use crate::evidence::sign::pkcs11::{Place, Token};
    let place = Place {
        module: key.module.clone(),
        token: match &key.token {
            TokenName::Label(label) => Ok(label.clone()),
            TokenName::Slot(slot) => Err(*slot),
        },
        label: key.key_label.clone(),
        id: key.key_id.clone(),
    };
    let own = key.certificate.as_slice();
    let certificate = certificates(own)?.into_iter().next();
    Ok(Arc::new(Token::new(place, certificate, chain, ask(&key.pin), refused)))
}

#[cfg(not(feature = "pkcs11"))]
fn token(_: &TokenKey, _: Vec<Certificate>, _: RefusedPin) -> Result<Arc<dyn Signer>> {
    let why = "`signer.kind`: this program was built without PKCS#11";
    Err(Error::new(Code::ConfigInvalid, why)
        .at("custode.toml [signer]")
        .hint("build it with `cargo build --features pkcs11`, or use a PKCS#12 file"))
}

fn ask(secret: &Secret) -> AskSecret {
    let secret = secret.clone();
    Box::new(move || secret.read())
}
