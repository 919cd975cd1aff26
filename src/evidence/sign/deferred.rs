//! A signer that is set up when it is first needed, and again until that works: a file of its chain that is not there, or a driver
//! that is not, makes signatures wait and keeps nothing from opening.
//!
//! Invariant: whatever fails is one of the errors for which a signature waits ([`is_waiting`](super::is_waiting)).

use std::sync::{Arc, Mutex, PoisonError};

use super::{Credential, Signer, waiting};
use crate::error::Result;

/// Sets a signer up; nothing is asked of it yet.
pub type SetUp = Box<dyn Fn() -> Result<Arc<dyn Signer>> + Send + Sync>;

/// A signer that may not be there yet.
pub struct Deferred {
    set_up: SetUp,
    signer: Mutex<Option<Arc<dyn Signer>>>,
}

impl Deferred {
    /// The signer that this gives when it can.
    pub fn new(set_up: SetUp) -> Self {
        Self { set_up, signer: Mutex::default() }
    }

    fn signer(&self) -> Result<Arc<dyn Signer>> {
        let mut signer = self.signer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signer) = &*signer {
            return Ok(Arc::clone(signer));
        }
        let found = (self.set_up)().map_err(|error| waiting(error, "custode.toml [signer]"))?;
        *signer = Some(Arc::clone(&found));
        Ok(found)
    }
}

impl Signer for Deferred {
    fn credential(&self) -> Result<Arc<Credential>> {
        self.signer()?.credential()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        self.signer()?.sign(message)
    }
}

impl std::fmt::Debug for Deferred {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deferred")
    }
}
