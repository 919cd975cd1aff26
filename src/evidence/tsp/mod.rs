//! Time-stamps (RFC 3161, 5816; ETSI EN 319 422): asked for, made for trial archives, verified.
//!
//! Invariant I8: no time-stamp is accepted unverified. A reply is bytes from outside until [`Rules`] judged it, also when it
//! comes from our own development authority.

pub mod authorities;
pub mod dev;
pub mod http;
mod policy;
mod query;
mod reply;
mod token;
mod verify;

pub use authorities::{Authorities, Offset, Stamped};
pub use dev::DevelopmentAuthority;
pub use http::HttpAuthority;
pub use policy::Policy;
pub use query::{Query, new_request, request};
pub use reply::{MAX_REPLY, token_of_reply};
pub use token::{Accuracy, Token, TstInfo};
pub use verify::{Rules, verify_reply, verify_stamp, verify_token};

use crate::error::Result;

/// Somebody who stamps time.
///
/// An implementation only carries bytes: what it gives is judged by the caller ([`Authorities::stamp`]), which also retries.
pub trait Authority: Send + Sync {
    /// What people call it, for logs and errors.
    fn name(&self) -> &str;

    /// The policy its tokens must name, when one was configured.
    fn policy(&self) -> Option<&Policy> {
        None
    }

    /// Sends one DER request and gives the DER reply, at most [`MAX_REPLY`] bytes, unverified. Blocks, never longer than its timeout.
    /// An error means that no reply came; a refusal is a reply.
    fn stamp(&self, request: &[u8]) -> Result<Vec<u8>>;
}

#[cfg(test)]
mod tests;
