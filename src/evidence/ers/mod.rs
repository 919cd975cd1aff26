//! Evidence records (RFC 4998): proof that a document existed unaltered since a time-stamp, renewable without the
//! documents beside it.
//!
//! [`tree`] builds hash trees; [`stamp`] and [`record`] are the DER structures, [`mod@verify`] judges them, ours or anybody's;
//! [`mod@file`] and [`link`] are `evidence/NNNN.tree`: the hashes of one generation of evidence, from which, with those
//! before ([`history`]), the record of any document is derived; [`roll`] is the same for what was stamped each by itself.
//! Invariant: DER only, SHA-2 only; no time-stamp is judged
//! here, callers pass the [`Judge`].

mod der;
pub mod file;
pub mod history;
pub mod judge;
pub mod link;
pub mod record;
pub mod roll;
pub mod stamp;
pub mod tree;
pub mod verify;

pub use file::{Group, TreeFile};
pub use history::History;
pub use judge::{Judge, Judged, Remembering};
pub use link::Link;
pub use record::Record;
pub use roll::Roll;
pub use tree::Tree;
pub use verify::{Verified, known, verify};

#[cfg(test)]
pub(crate) mod stand_in;
#[cfg(test)]
mod tests;
