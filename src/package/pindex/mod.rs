//! The index of a package: `PIndex.xml`, UNI 11386:2020 (SInCRO).
//!
//! [`write()`](write::write) makes it from a plan, [`read()`](check::read) reads it part by part, checks it against the
//! structure of the schema and against what the schema cannot say, and gives what a check needs. Invariant: one FileGroup
//! a document and one a receipt; every element and attribute carries the prefix; hashes are SHA-256 of the stored bytes in
//! lower-case hex; what is written passes the check here before it is kept.

pub mod check;
pub mod element;
mod schema;
pub mod write;

use jiff::civil::Date;

use crate::hash::Sha256;

/// Namespace of the index.
pub const NAMESPACE: &str = "http://www.uni.com/U3011/sincro-v2/";
/// Namespace of the element that ties a package to its series.
pub const SERIES_NAMESPACE: &str = "urn:custode:series:1";
/// Prefix of a Relation's value that names a document of another package.
pub const ELSEWHERE: &str = "urn:custode:elsewhere:";

/// AgentName, and with it `agentType`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentName {
    /// A legal person.
    Formal(String),
    /// A natural person.
    Natural {
        /// First name.
        first: String,
        /// Last name.
        last: String,
    },
}

/// The act that founds a role, or the manual in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelevantDocument {
    /// Title.
    pub title: String,
    /// Version.
    pub version: Option<String>,
    /// Date.
    pub date: Option<Date>,
    /// SHA-256 of the document.
    pub sha256: Option<Sha256>,
}

impl std::fmt::Display for RelevantDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.title)?;
        if let Some(version) = &self.version {
            write!(f, ", versione {version}")?;
        }
        if let Some(date) = self.date {
            write!(f, ", {date}")?;
        }
        Ok(())
    }
}

/// Submitter, holder or signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its name.
    pub name: AgentName,
    /// AgentID, as the schema's pattern asks (`VATIT-…`); left out when there is none.
    pub id: Option<String>,
    /// The acts that found the role: one at least.
    pub documents: Vec<RelevantDocument>,
}

/// A holder and its role (`soggetto produttore` …).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub agent: Agent,
    /// `holderRole`.
    pub role: String,
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
