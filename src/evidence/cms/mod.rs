//! Signed data (RFC 5652), as CAdES (ETSI EN 319 122), S/MIME and time-stamp tokens use it.

pub mod build;
pub mod content;
pub mod open;
pub mod read;
pub mod revocation;
pub mod unwrap;

pub use build::{Signs, Spec, sign};
pub use content::{Content, DigestSet, Digester};
pub use open::{Form, Opened, is_encrypted, open};
pub use read::{SignedData, SignerReport, Verdict};
pub use unwrap::{is_cut_short, unwrap};

#[cfg(test)]
mod tests;
