//! Custode: a long-term archive for digital documents under Italian law (*conservazione a norma*).
//!
//! Rooms stand on floors and imports point downward only: `archive` (5), `intake`, `check`, `exhibit` (4), `package`,
//! `chain` (3), `document`, `evidence`, `vault`, `catalog` (2), and the ground (1): `durable`, `clock`, `id`, `hash`,
//! `outbound`, `error`. `http` and `cli` (6) call use-cases of `archive` and print.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod clock;
pub mod durable;
pub mod error;
pub mod hash;
pub mod id;
pub mod outbound;
pub mod units;

pub mod catalog;
pub mod corpus;
pub mod document;
pub mod evidence;
pub mod vault;

pub mod chain;
pub mod package;

pub mod check;
pub mod exhibit;
pub mod intake;
pub mod retention;

pub mod archive;

pub mod cli;
pub mod http;

#[cfg(test)]
#[path = "../tests/support/judges.rs"]
mod judges;

#[cfg(test)]
#[path = "../tests/support/second_verifier.rs"]
mod second_verifier;
