//! Witnesses: somebody outside who saw how long a chain was, so that an older state of a whole archive put in its place, or
//! two histories under one key, are noticed.
//!
//! Invariant: a witness cosigns a checkpoint only when it continues the last one it cosigned for that log, and what it
//! cosigned is durable before it answers. What a witness says about an archive counts only as far as the archive's own
//! signature goes: a witness can keep silent, it cannot invent. Clause: C2SP tlog-witness, tlog-cosignature.

mod http;
mod keeper;
mod request;

pub use http::HttpWitness;
pub use keeper::{Answer, Keeper, create_key, forget};
pub use request::{AddCheckpoint, MAX_BODY};

use super::note::Verifier;
use crate::error::Result;

/// What a witness told who asked it for a cosignature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Signature lines, unverified.
    Cosigned(String),
    /// The proof did not start from what it saw last: it saw this many entries.
    OtherSize(u64),
    /// Anything else: the HTTP status.
    Refused(u16),
}

/// Somebody outside who cosigns checkpoints.
///
/// An implementation only carries bytes: what it gives is verified by the caller, who also retries.
pub trait Witness: Send + Sync {
    /// The key its cosignatures are verified with.
    fn key(&self) -> &Verifier;

    /// Asks for a cosignature. Blocks, never longer than its timeout. An error ([`crate::error::Code::WitnessDown`]) means that
    /// no answer came; the witness may or may not have kept the checkpoint, and may be asked again.
    fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<Told>;

    /// The last checkpoint it cosigned for this origin, unverified; `None` when there is none. Blocks, never longer than its
    /// timeout.
    fn last(&self, origin: &str) -> Result<Option<String>>;

    /// The last checkpoint it cosigned that the key of this origin with this key id signed, unverified; for a log that changed its
    /// key since. `None` when there is none, or the witness (not ours) keeps none.
    fn last_of(&self, origin: &str, key_id: &str) -> Result<Option<String>>;
}
