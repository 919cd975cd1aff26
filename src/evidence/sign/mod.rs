//! Signatures in the legal sense: by a certificate of the manager or of the organisation's seal, held by somebody outside.
//!
//! What for: the index of a package, receipts and reports get a detached CAdES-BES signature (ETSI EN 319 122-1; AgID
//! guidelines 4.2 and 4.7). A [`Signer`] is the key and its certificate, in a PKCS#12 file or in a PKCS#11 token; [`cades`]
//! makes the signature and looks at it before anybody else does. Invariant: a signer that is down, slow or refuses its PIN
//! is an error with a code of its own and never a signature that does not verify; the archive's Ed25519 mark is another
//! thing, and never called a signature of this kind.

pub mod cades;
pub mod credential;
mod deferred;
mod patient;
mod pin;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
pub mod pkcs12;
#[cfg(test)]
pub(crate) mod twin;

use std::fmt::Debug;
use std::sync::Arc;

pub use credential::Credential;
pub use deferred::{Deferred, SetUp};
pub use patient::Patient;
pub use pin::RefusedPin;

use crate::error::{Code, Error, Result};

/// Gives a PIN or password when it is needed; nobody keeps it longer than that.
pub type AskSecret = Box<dyn Fn() -> Result<String> + Send + Sync>;

/// Somebody's key and certificate, in the outside world.
///
/// Nothing is durable on return of either method, and neither tries again: the next closing run does. Every error is one
/// that [`is_waiting`] knows. Implementations bound what they read; time is bounded by [`Patient`] around them.
pub trait Signer: Send + Sync + Debug {
    /// The certificate that signatures are made with, and its chain. May be asked before every signature: what does not
    /// change is remembered. Errors: down, PIN refused (a file that its password does not open), no key.
    fn credential(&self) -> Result<Arc<Credential>>;

    /// The signature of `message` digested with SHA-256: RSA PKCS#1 v1.5, or ECDSA P-256 as DER. Precondition: the key is
    /// that of [`Signer::credential`]; who calls verifies. Errors: down, PIN refused, no key.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>>;
}

/// Whether an error means that a signature has to wait for its signer, and for nothing else.
pub fn is_waiting(code: Code) -> bool {
    matches!(
        code,
        Code::SignerDown
            | Code::SignerSlow
            | Code::SignerPin
            | Code::SignerKey
            | Code::SignerExpired
            | Code::SignerRevoked
            | Code::SignerMismatch
            | Code::SignatureRequired
    )
}

/// An error for which a signature waits, whatever kept the signer from working; it names `place` when it names nothing else.
fn waiting(error: Error, place: &str) -> Error {
    let (code, detail) = match error.code {
        code if is_waiting(code) => (code, error.detail),
        code => (Code::SignerDown, format!("{}: {}", code.as_str(), error.detail)),
    };
    let place = if error.place.is_empty() { place.to_owned() } else { error.place };
    let told = Error::new(code, detail).at(place);
    match error.hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}
