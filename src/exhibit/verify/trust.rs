//! Whom the reader believes, and the judge of tokens and signatures that follows from it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use jiff::Timestamp;

use crate::chain::note::Verifier;
use crate::error::{Code, Error, Finding, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::digest::Digest;
use crate::evidence::ers::{Judge as Judges, Judged, judge};
use crate::evidence::trust::{Purpose, Trust as Believed};
use crate::evidence::x509::name;
use crate::hash::Sha256;
use crate::package::pindex::agents::Agent;
use crate::package::signed;

/// Anchors from a source of the reader's own.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Certificates of time-stamping authorities, and of those who certify signers.
    pub anchors: Option<Anchors>,
    /// The archive's public key.
    pub key: Option<Verifier>,
    /// Witnesses that must have cosigned the checkpoint.
    pub witnesses: Vec<Verifier>,
}

impl Trust {
    /// From PEM files and a vkey, or a file that holds one. Neither is needed: what is not given is not believed.
    pub fn load(certificates: &[PathBuf], key: Option<&str>, witnesses: &[String]) -> Result<Self> {
        let anchors = match certificates {
            [] => None,
            files => Some(Anchors::from_pem_files(files)?),
        };
        let key = key.map(Verifier::from_text_or_file);
        let witnesses = witnesses.iter().map(|text| Verifier::from_text_or_file(text)).collect::<Result<Vec<_>>>()?;
        Ok(Self { anchors, key: key.transpose()?, witnesses })
    }
}

/// The bundle's own certificates.
pub(super) fn parse(pem: &[u8]) -> Result<Anchors> {
    Anchors::parse(pem).map_err(|e| Error::new(Code::BundleFileAltered, e.detail))
}

/// Whether a finding says that a chain ends at nobody who is believed.
fn leads_nowhere(finding: &Finding) -> bool {
    matches!(finding.code, Code::SignatureChainNotChecked | Code::SignatureUntrusted | Code::SignatureIssuerMissing)
}

/// Judges tokens and signatures: with the reader's anchors, else with the bundle's own, remembering that it was so.
pub(super) struct Judge {
    given: Option<Anchors>,
    own: Anchors,
    signers: Signers,
    missing: RefCell<BTreeSet<String>>,
    /// One token covers many documents.
    known: RefCell<HashMap<(Sha256, Digest), Judged>>,
}

/// Whom to believe about signatures.
struct Signers {
    given: Option<Believed>,
    own: Believed,
    /// Signatures that no given anchor leads to.
    missing: RefCell<BTreeSet<String>>,
    judged: Cell<u64>,
}

impl Judge {
    /// `own` and `own_signers` came with the bundle.
    pub fn new(given: Option<Anchors>, own: Anchors, own_signers: Anchors) -> Self {
        let believing = |anchors| Believed::empty().with(Purpose::Signature, anchors);
        let signers = Signers {
            given: given.clone().map(believing),
            own: believing(own_signers),
            missing: RefCell::default(),
            judged: Cell::new(0),
        };
        Self { given, own, signers, missing: RefCell::default(), known: RefCell::default() }
    }

    /// Judges a detached signature at the time of its package's token.
    pub fn signature(&self, p7s: &[u8], sha256: Sha256, at: Timestamp, agents: Option<&[Agent]>) -> Vec<Finding> {
        let signers = &self.signers;
        signers.judged.set(signers.judged.get() + 1);
        let judge = |trust| signed::judge(p7s, sha256, at, agents, trust);
        let Some(given) = &signers.given else { return judge(&signers.own).findings };
        let judged = judge(given);
        if !judged.findings.iter().any(leads_nowhere) {
            return judged.findings;
        }
        let who = judged.signer.map(|(certificate, _)| name::text(certificate.issuer())).unwrap_or_default();
        signers.missing.borrow_mut().insert(format!("no given certificate leads to the signer's authority: {who}"));
        judge(&signers.own).findings
    }

    /// Whether there was a signature to judge.
    pub fn judged_signatures(&self) -> bool {
        self.signers.judged.get() > 0
    }

    /// Authorities of signers that no given anchor leads to.
    pub fn missing_signers(&self) -> Vec<String> {
        self.signers.missing.borrow().iter().cloned().collect()
    }

    fn decide(&self, token: &[u8], imprint: &Digest) -> Result<Judged> {
        let Some(given) = &self.given else { return self.own.judge(token, imprint) };
        let judged = given.judge(token, imprint)?;
        let Some(why) = &judged.untrusted else { return Ok(judged) };
        let own = self.own.judge(token, imprint)?;
        // A token that not even the bundle's certificates lead to is nobody's anchor to miss: a later one must prove all.
        if own.untrusted.is_none() {
            self.missing.borrow_mut().insert(why.clone());
        }
        Ok(own)
    }

    /// Issuers that no given anchor leads to.
    pub fn missing(&self) -> Vec<String> {
        self.missing.borrow().iter().cloned().collect()
    }
}

impl Judges for Judge {
    fn stamped(&self, token: &[u8]) -> Result<Digest> {
        judge::stamped(token)
    }

    fn judge(&self, token: &[u8], imprint: &Digest) -> Result<Judged> {
        let key = (Sha256::of(token), *imprint);
        if let Some(judged) = self.known.borrow().get(&key) {
            return Ok(judged.clone());
        }
        let judged = self.decide(token, imprint)?;
        self.known.borrow_mut().insert(key, judged.clone());
        Ok(judged)
    }
}
