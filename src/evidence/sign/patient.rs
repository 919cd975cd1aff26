//! A bound on how long a signer may take: a token that hangs must not hold up sealing for ever, nor pile up threads.
//!
//! Invariant: at most one question is out at any time; while one hangs, the next is answered at once with
//! [`Code::SignerSlow`]. An answer that comes too late is dropped: the next closing run asks again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Credential, Signer};
use crate::error::{Code, Error, Result};

/// A signer that is waited for so long and no longer.
#[derive(Debug)]
pub struct Patient {
    inner: Arc<dyn Signer>,
    timeout: Duration,
    busy: Arc<AtomicBool>,
    /// One question at a time, also from two threads.
    turn: Mutex<()>,
}

impl Patient {
    /// Waits for `inner` at most `timeout` a question.
    pub fn new(inner: Arc<dyn Signer>, timeout: Duration) -> Self {
        Self { inner, timeout, busy: Arc::default(), turn: Mutex::new(()) }
    }

    fn ask<T: Send + 'static>(&self, question: impl FnOnce(&dyn Signer) -> Result<T> + Send + 'static) -> Result<T> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if self.busy.swap(true, Ordering::SeqCst) {
            return Err(Error::new(Code::SignerSlow, "it still owes the answer to an earlier question"));
        }
        let (answer, waiting) = channel();
        let (inner, busy) = (Arc::clone(&self.inner), Arc::clone(&self.busy));
        let asked = std::thread::Builder::new().name("custode-signer".to_owned()).spawn(move || {
            let said = question(inner.as_ref());
            busy.store(false, Ordering::SeqCst);
            // Nobody listens any more when it took too long.
            let _ = answer.send(said);
        });
        if let Err(error) = asked {
            self.busy.store(false, Ordering::SeqCst);
            return Err(Error::new(Code::SignerDown, format!("no thread to ask it: {error}")));
        }
        match waiting.recv_timeout(self.timeout) {
            Ok(said) => said,
            Err(RecvTimeoutError::Timeout) => {
                let seconds = self.timeout.as_secs_f64();
                Err(Error::new(Code::SignerSlow, format!("no answer within {seconds} seconds")))
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.busy.store(false, Ordering::SeqCst);
                Err(Error::new(Code::SignerDown, "its driver panicked"))
            }
        }
    }
}

impl Signer for Patient {
    fn credential(&self) -> Result<Arc<Credential>> {
        self.ask(|signer| signer.credential())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let message = message.to_vec();
        self.ask(move |signer| signer.sign(&message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::sign::twin::{Fault, Twin};

    #[test]
    fn a_signer_that_hangs_is_asked_once_and_again_when_it_has_answered() {
        let twin = Arc::new(Twin::new());
        let patient = Patient::new(Arc::clone(&twin) as _, Duration::from_millis(50));
        assert!(!patient.sign(b"message").unwrap().is_empty());
        twin.fail(Fault::Hangs);
        assert_eq!(patient.sign(b"message").unwrap_err().code, Code::SignerSlow);
        assert_eq!(patient.sign(b"message").unwrap_err().code, Code::SignerSlow);
        assert_eq!(twin.asked(), 2, "a signer that owes an answer is not asked again");
        twin.work();
        let began = std::time::Instant::now();
        while patient.sign(b"message").is_err() {
            assert!(began.elapsed() < Duration::from_secs(10), "it never came back");
            std::thread::sleep(Duration::from_millis(10));
        }
        twin.fail(Fault::Panics);
        assert_eq!(patient.sign(b"message").unwrap_err().code, Code::SignerDown);
        twin.fail(Fault::Down);
        assert_eq!(patient.sign(b"message").unwrap_err().code, Code::SignerDown);
    }
}
