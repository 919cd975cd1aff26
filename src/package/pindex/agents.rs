//! Who acts: holders, submitter, signers, manager, conservator, as PIndex describes them (UNI 11386:2020, Agent).
//!
//! Invariant: an [`AgentId`] fits the pattern of the XSD; an empty one is left out; nothing is made up.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::Serialize;

use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// What [`AgentId`] accepts.
pub const AGENT_ID_ACCEPTED: &str = "expected an identifier as in PIndex.xsd: PAS, IDC, PNO, TIN, VAT, NTR or two \
     characters and a colon, then two capital letters for the country, a hyphen, and letters and digits; as in VATIT-01234567890";

/// An identifier as ETSI EN 319 412-1 writes it: `VATIT-01234567890`, `TINIT-…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct AgentId(String);

impl AgentId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AgentId {
    type Err = Error;
    /// `(PAS|IDC|PNO|TIN|VAT|NTR|([A-Za-z0-9]{2}:))[A-Z]{2}\-[a-zA-Z0-9]+`, nothing before or after; at most 64.
    fn from_str(text: &str) -> Result<Self> {
        let bytes = text.as_bytes();
        let scheme = match bytes.get(..3) {
            Some(b"PAS" | b"IDC" | b"PNO" | b"TIN" | b"VAT" | b"NTR") => true,
            Some([a, b, b':']) => a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric(),
            _ => false,
        };
        let country = bytes.get(3..5).is_some_and(|part| part.iter().all(u8::is_ascii_uppercase));
        let number = bytes.get(6..).is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_alphanumeric));
        if scheme && country && bytes.get(5) == Some(&b'-') && number && text.len() <= 64 {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::new(Code::Usage, AGENT_ID_ACCEPTED))
        }
    }
}

/// `holderRole` of PIndex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolderRole {
    /// soggetto produttore
    Producer,
    /// soggetto proprietario
    Owner,
    /// soggetto possessore
    Possessor,
    /// soggetto detentore
    Keeper,
}

impl HolderRole {
    const ALL: [Self; 4] = [Self::Producer, Self::Owner, Self::Possessor, Self::Keeper];

    /// The word of the XSD.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Producer => "soggetto produttore",
            Self::Owner => "soggetto proprietario",
            Self::Possessor => "soggetto possessore",
            Self::Keeper => "soggetto detentore",
        }
    }
}

impl FromStr for HolderRole {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let known = Self::ALL.into_iter().find(|role| role.as_str() == text);
        known.ok_or_else(|| {
            "expected \"soggetto produttore\", \"soggetto proprietario\", \"soggetto possessore\" or \"soggetto detentore\""
                .to_owned()
        })
    }
}

/// AgentName; also decides `agentType`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentName {
    /// A natural person.
    Natural {
        /// FirstName
        first: String,
        /// LastName
        last: String,
    },
    /// A legal person: FormalName.
    Legal(String),
}

impl AgentName {
    /// `agentType` of PIndex.
    pub fn agent_type(&self) -> &'static str {
        match self {
            Self::Natural { .. } => "natural person",
            Self::Legal(_) => "legal person",
        }
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Natural { first, last } => write!(f, "{first} {last}"),
            Self::Legal(name) => f.write_str(name),
        }
    }
}

/// The act that founds a role: agreement, manual, delegation (PIndex RelevantDocument).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelevantDocument {
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: Option<String>,
    /// Its date.
    pub date: Option<Date>,
    /// SHA-256 of its file.
    pub sha256: Option<Sha256>,
}

impl fmt::Display for RelevantDocument {
    /// As PIndex cites it: `Manuale di conservazione, versione 1.0, 2026-01-01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

/// Somebody who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Name, and with it whether natural or legal person.
    pub name: AgentName,
    /// AgentID; left out when not configured.
    pub id: Option<AgentId>,
    /// The acts that found the role.
    pub documents: Vec<RelevantDocument>,
}

impl Agent {
    /// Whether two agents are the same subject: the same identifier, or without identifiers the same name.
    pub fn is_same_subject(&self, other: &Self) -> bool {
        match (&self.id, &other.id) {
            (Some(a), Some(b)) if a == b => true,
            // Two different identifiers of the same kind are two subjects; a VAT and a tax code may be one.
            (Some(a), Some(b)) if a.as_str().get(..5) == b.as_str().get(..5) => false,
            _ => folded(&self.name.to_string()) == folded(&other.name.to_string()),
        }
    }
}

/// A name without case, spacing and punctuation: "Esempio S.r.l." and "ESEMPIO SRL" are one.
pub(super) fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
