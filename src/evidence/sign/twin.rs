//! The twin of a signer: in memory, and faulty when it is told to be.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use super::{Credential, Signer};
use crate::error::{Code, Error, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::fixtures::{Pki, pki};
use crate::evidence::x509::Certificate;

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Down,
    Hangs,
    Panics,
    Pin,
    /// It signs something else than what it was given.
    Lies,
}

pub(crate) struct Twin {
    pub pki: Pki,
    fault: Mutex<Fault>,
    freed: Condvar,
    asked: AtomicU64,
}

impl std::fmt::Debug for Twin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Twin")
    }
}

impl Twin {
    pub fn new() -> Self {
        Self { pki: pki(|_| {}), fault: Mutex::new(Fault::None), freed: Condvar::new(), asked: AtomicU64::new(0) }
    }

    pub fn fail(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
        self.freed.notify_all();
    }

    pub fn work(&self) {
        self.fail(Fault::None);
    }

    /// Signatures asked for.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Signer for Twin {
    fn credential(&self) -> Result<Arc<Credential>> {
        let root = Certificate::parse(&self.pki.root).unwrap();
        Credential::new(Certificate::parse(&self.pki.leaf).unwrap(), &[root]).map(Arc::new)
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut fault = *self.fault.lock().unwrap();
        if fault == Fault::Hangs {
            let held = self.freed.wait_while(self.fault.lock().unwrap(), |fault| *fault == Fault::Hangs).unwrap();
            fault = *held;
        }
        match fault {
            Fault::Down => Err(Error::new(Code::SignerDown, "unplugged")),
            Fault::Pin => Err(Error::new(Code::SignerPin, "wrong")),
            Fault::Panics => {
                // Not through the test's own hook: it is expected here.
                std::panic::resume_unwind(Box::new("a broken driver"))
            }
            Fault::Lies => self.pki.leaf_key.sign(DigestAlgorithm::Sha256, b"something else"),
            Fault::None | Fault::Hangs => self.pki.leaf_key.sign(DigestAlgorithm::Sha256, message),
        }
    }
}
