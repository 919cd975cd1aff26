//! A signer whose key is in a PKCS#12 file (RFC 7292), opened with a password that stands elsewhere.
//!
//! Invariant: the file is read when it is first needed and again until it opens, so that a file system that is not mounted yet
//! or a password that is put right needs no restart; the password is not kept, the key is. Signing is done by aws-lc.

mod cipher;
mod contents;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub use contents::{Contents, parse};

use super::credential::key_file;
use super::{AskSecret, Credential, Signer, waiting};
use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::key::SigningKey;
use crate::evidence::x509::Certificate;

/// A key and its certificate, opened.
struct Open {
    key: SigningKey,
    credential: Arc<Credential>,
}

/// A signer whose key is in a PKCS#12 file.
pub struct Pkcs12 {
    path: PathBuf,
    password: AskSecret,
    chain: Vec<Certificate>,
    open: Mutex<Option<Arc<Open>>>,
}

impl Pkcs12 {
    /// The file, how to get its password, and certificates of its chain besides those inside. Nothing is read yet.
    pub fn new(path: PathBuf, password: AskSecret, chain: Vec<Certificate>) -> Self {
        Self { path, password, chain, open: Mutex::new(None) }
    }

    fn opened(&self) -> Result<Arc<Open>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = &*open {
            return Ok(Arc::clone(open));
        }
        let found = Arc::new(self.read()?);
        *open = Some(Arc::clone(&found));
        Ok(found)
    }

    fn read(&self) -> Result<Open> {
        let place = self.path.display().to_string();
        let down = |error: Error| waiting(error, &place);
        let bytes = key_file(&self.path).map_err(down)?;
        let password = (self.password)().map_err(down)?;
        let contents = parse(&bytes, &password).map_err(down)?;
        let (key, credential) = contents.signer(&self.chain).map_err(|e| e.at(self.path.display()))?;
        Ok(Open { key, credential: Arc::new(credential) })
    }
}

impl Signer for Pkcs12 {
    fn credential(&self) -> Result<Arc<Credential>> {
        Ok(Arc::clone(&self.opened()?.credential))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let failed = |e: Error| Error::new(Code::SignerKey, e.detail).at(self.path.display());
        self.opened()?.key.sign(DigestAlgorithm::Sha256, message).map_err(failed)
    }
}

impl std::fmt::Debug for Pkcs12 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pkcs12").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
