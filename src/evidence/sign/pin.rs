//! A PIN that was refused is not tried again by itself: three wrong ones lock a token for good.
//!
//! A closing run comes every few seconds, and every night brings a new process, so the refusal outlives both: a keyed digest
//! of the refused PIN is kept (0600, beside the keys). Invariant: the digest is of a PIN that does *not* open the token,
//! under the archive's secret; another PIN is tried once; one that is accepted removes the mark.

use std::path::PathBuf;

use crate::durable;
use crate::error::{Code, Error, Result};

/// The memory of a refused PIN.
#[derive(Clone)]
pub struct RefusedPin {
    path: PathBuf,
    key: [u8; 32],
}

impl RefusedPin {
    /// Kept in this file, under the archive's secret.
    pub fn new(path: PathBuf, secret: &[u8]) -> Self {
        Self { path, key: blake3::derive_key("custode 2026 a PIN that the signer refused v1", secret) }
    }

    fn mark(&self, pin: &str) -> String {
        blake3::keyed_hash(&self.key, pin.as_bytes()).to_hex().to_string()
    }

    /// [`Code::SignerPin`] when this is the PIN that was refused.
    pub fn may_try(&self, pin: &str) -> Result<()> {
        match durable::read_plain_text(&self.path) {
            Ok(kept) if kept.trim() == self.mark(pin) => {
                let why = "the token has refused this PIN before; it is not tried again";
                let hint =
                    format!("correct the PIN; if the token was put right instead, remove {}", self.path.display());
                Err(Error::new(Code::SignerPin, why).hint(hint))
            }
            Ok(_) => Ok(()),
            Err(error) if error.code == Code::FileMissing => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The token refused it: durable on return.
    pub fn refused(&self, pin: &str) -> Result<()> {
        durable::replace(&self.path, format!("{}\n", self.mark(pin)).as_bytes(), durable::MODE_SECRET)
    }

    /// The token took a PIN: whatever was refused before is forgotten.
    pub fn accepted(&self) -> Result<()> {
        if self.path.exists() { durable::remove_file(&self.path) } else { Ok(()) }
    }
}

impl std::fmt::Debug for RefusedPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefusedPin").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_pin_is_not_tried_again_and_another_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signer.refused");
        let memory = RefusedPin::new(path.clone(), b"secret");
        memory.may_try("1234").unwrap();
        memory.refused("1234").unwrap();
        assert_eq!(memory.may_try("1234").unwrap_err().code, Code::SignerPin);
        memory.may_try("4321").unwrap();
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(!kept.contains("1234") && !format!("{memory:?}").contains("secret"));
        // Another process, the same archive; and another archive.
        assert!(RefusedPin::new(path.clone(), b"secret").may_try("1234").is_err());
        RefusedPin::new(path.clone(), b"other").may_try("1234").unwrap();
        memory.accepted().unwrap();
        memory.accepted().unwrap();
        assert!(!path.exists());
        memory.may_try("1234").unwrap();
    }
}
