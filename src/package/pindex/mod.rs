//! The index of a package: `PIndex.xml`, UNI 11386:2020 (SInCRO).
//!
//! [`write()`](write::write) makes it from a plan, [`read()`](check::read) reads it part by part, checks it against the
//! structure of the schema and against what the schema cannot say, and gives what a check needs. Invariant: one FileGroup
//! a document and one a receipt; every element and attribute carries the prefix; hashes are SHA-256 of the stored bytes in
//! lower-case hex; what is written passes the check here before it is kept.

pub mod agents;
pub mod authorised;
pub mod check;
pub mod element;
mod schema;
pub mod write;

use agents::{Agent, HolderRole, RelevantDocument};

/// Namespace of the index.
pub const NAMESPACE: &str = "http://www.uni.com/U3011/sincro-v2/";
/// Namespace of the element that ties a package to its series.
pub const SERIES_NAMESPACE: &str = "urn:custode:series:1";
/// Prefix of a Relation's value that names a document of another package.
pub const ELSEWHERE: &str = "urn:custode:elsewhere:";

/// A holder and its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub agent: Agent,
    /// `holderRole`.
    pub role: HolderRole,
}

/// Somebody entitled to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Who.
    pub agent: Agent,
    /// `signerRole`, free text.
    pub role: Option<String>,
}

/// What the configuration gives to every index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Who submits.
    pub submitter: Agent,
    /// Whose documents they are: one at least.
    pub holders: Vec<Holder>,
    /// Who may sign: one at least.
    pub signers: Vec<Signer>,
    /// The manual of conservation in force, cited in LawsAndRegulations; nothing is cited when none was adopted.
    pub manual: Option<RelevantDocument>,
}

#[cfg(test)]
pub(crate) mod tests;
