//! Whether the certificate of the archive's own signer was revoked: asked as for the signers of documents, before it signs.
//!
//! Invariants: what is not known stops nothing; a revocation that is known is an alarm, and in `production` nothing is signed any
//! more: packages wait, deposits go on. What says so, good or bad, is sealed in `trust/` of the packages that were signed.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Archive;
use super::gather::Run;
use super::sealed::file_name;
use crate::archive::state::unpoisoned;
use crate::clock::{iso_ms, iso_seconds};
use crate::error::{Code, Error, Result};
use crate::evidence::revocation::{Status, look};
use crate::evidence::trust::{Chain, Purpose};
use crate::hash::Sha256;
use crate::package::PINDEX_SIGNATURE;
use crate::package::writer::Staging;

/// What was found of the signer's certificate.
#[derive(Debug, Clone)]
pub(in crate::archive) struct Found {
    certificate: Sha256,
    at: Timestamp,
    /// Since when it, or the certificate of one above it, is revoked.
    pub revoked: Option<Timestamp>,
    /// Something says of every certificate of the path whether it was.
    known: bool,
    /// What says so: names of files in `trust/`, and their bytes.
    sources: Vec<(String, Vec<u8>)>,
}

impl Found {
    fn word(&self) -> &'static str {
        match (self.revoked, self.known) {
            (Some(_), _) => "revoked",
            (None, true) => "good",
            (None, false) => "unknown",
        }
    }

    /// `trust/signer.json`: what was known of the certificate when it signed, and by what.
    fn described(&self) -> Value {
        json!({
            "certificate_sha256": self.certificate,
            "judged_at": iso_ms(self.at),
            "revocation": self.word(),
            "revoked_since": self.revoked.map(iso_seconds),
            "sources": self.sources.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        })
    }
}

impl Archive {
    /// Looks at the signer's certificate by what is kept and, where hosts are listed, by what is asked for. Never an error: what
    /// could not be had is not known, and asked for again.
    pub(super) fn look_at_signer(&self) {
        if !self.revocation.on {
            return;
        }
        let Some(Ok(credential)) = self.signing.credential() else { return };
        let at = self.clock.now();
        let chain = self.trust.chain(&credential.certificate, &credential.chain, Purpose::Signature, at);
        // Whoever leads nowhere has an alarm of its own; nothing is asked of addresses that anybody may have written.
        let Chain::Path(path) = chain else { return };
        let mut run = Run::default();
        if let Err(error) = self.obtain_path(&path, at, &mut run, !self.revocation.fetcher.is_off()) {
            tracing::warn!(code = error.code.as_str(), detail = %error.detail, "the signer's revocation was not looked at");
        }
        let certificate = Sha256::of(credential.certificate.der());
        let mut found = Found { certificate, at, revoked: None, known: path.len() > 1, sources: Vec::new() };
        for pair in path.windows(2) {
            let (status, source) = look(&pair[0], &pair[1], &[self.trust.revocation(), &run.material], at);
            match status {
                Status::Revoked(since) => found.revoked = Some(found.revoked.map_or(since, |known| known.min(since))),
                Status::Good(_) => {}
                Status::Unknown => found.known = false,
            }
            found.sources.extend(source.map(|item| (file_name(item), item.der().to_vec())));
        }
        if let Some(since) = found.revoked {
            tracing::error!(since = %iso_seconds(since), "the signer's certificate is revoked");
        }
        *unpoisoned(self.revocation.signer.lock()) = Some(found);
    }

    /// What was last found of the signer's certificate, when it is still the one configured.
    pub(in crate::archive) fn signer_found(&self) -> Option<Found> {
        let found = unpoisoned(self.revocation.signer.lock()).clone()?;
        let credential = self.signing.credential()?.ok()?;
        (Sha256::of(credential.certificate.der()) == found.certificate).then_some(found)
    }

    /// [`Code::SignerRevoked`] when nothing may be signed any more.
    pub(in crate::archive) fn signer_may_sign(&self) -> Result<()> {
        if self.profile != crate::archive::config::Profile::Production {
            return Ok(());
        }
        match self.signer_found().and_then(|found| found.revoked) {
            Some(since) => Err(Error::new(Code::SignerRevoked, format!("since {}", iso_seconds(since))).at("signer")),
            None => Ok(()),
        }
    }

    /// Puts into a package that is signed what says whether its signer was revoked. Before the run of the package is fixed.
    pub(in crate::archive) fn seal_signer(&self, staging: &Staging) -> Result<()> {
        if staging.done(PINDEX_SIGNATURE)?.is_none() {
            return Ok(());
        }
        let Some(found) = self.signer_found() else { return Ok(()) };
        for (name, der) in &found.sources {
            staging.trust(name, der)?;
        }
        // Last: where it is, everything it names is.
        let text = serde_json::to_vec(&found.described()).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        staging.trust("signer.json", &text).map(drop)
    }
}
