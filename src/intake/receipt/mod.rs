//! The receipt (rapporto di versamento, RdV): what is promised to whoever deposited.
//!
//! [`rdv`] writes and reads the XML, once, in Italian with English labels, whatever the locale; `note` is what is signed
//! (a C2SP note); [`view()`] is the JSON that programs read. Invariants: the RdV says what the manifest says plus number,
//! instant and chain; `parse` is the exact inverse of `render`; the same facts give the same bytes for ever
//! (`reference/conservazione` I-6 to I-9b; AgID guidelines 4.7 d).

mod note;
pub mod rdv;
mod view;
pub(in crate::intake) mod xml;

pub use note::{NoteFacts, check_note, note_text, open_note, origin};
pub use view::{Shown, view};

use jiff::Timestamp;

use crate::hash::Sha256;
use crate::id::Sequence;
use crate::intake::manifest::Deposit;

/// What profile `trial` stamps on everything.
pub const TRIAL: &str = "PROVA: senza valore legale";
/// The conservation status a receipt gives (SACER: taken in charge).
pub const STATUS: &str = "PRESA_IN_CARICO";

/// Everything a receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What was deposited, by whom, and the controls made.
    pub deposit: Deposit,
    /// SHA-256 of the manifest: the digest of the whole deposit.
    pub manifest_sha256: Sha256,
    /// The number.
    pub sequence: Sequence,
    /// When it was accepted: the receipt's own instant, in whole milliseconds.
    pub accepted_at: Timestamp,
    /// Size of the chain at that moment.
    pub chain_size: u64,
    /// Its root: an older state of the archive contradicts this.
    pub chain_root: Sha256,
    /// Version of Custode that wrote it.
    pub engine: String,
    /// Whether the archive has profile `trial`.
    pub trial: bool,
}

/// This version.
pub const ENGINE: &str = env!("CARGO_PKG_VERSION");

#[cfg(test)]
pub(in crate::intake) mod tests;
