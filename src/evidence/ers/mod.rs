//! Evidence records (RFC 4998): proof that a document existed unaltered since a time-stamp, renewable without the
//! documents beside it.
//!
//! [`tree`] builds hash trees, [`record`] writes, reads and verifies the DER record, [`mod@file`] is `evidence/0001.tree`: all
//! hashes of a package's tree, from which the record of any of its documents is derived. Invariant: SHA-256 only, DER
//! only; no time-stamp is judged here, callers pass the judge.

mod der;
pub mod file;
pub mod record;
pub mod tree;

pub use file::{Group, TreeFile};
pub use record::{Record, Verified, verify};
pub use tree::Tree;

#[cfg(test)]
mod tests;
