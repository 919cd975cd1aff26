//! What sort of body a holder is. Who it is, and in which role, is said with the index's own types.

use std::str::FromStr;

use serde::Serialize;

pub use crate::package::pindex::agents::{AGENT_ID_ACCEPTED, Agent, AgentId, AgentName, HolderRole, RelevantDocument};

/// What sort of holder: decides whether a disposal needs an authority's act (D.Lgs. 42/2004, art. 21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HolderKind {
    /// A public body.
    Public,
    /// A private one whose archive was declared of historical interest.
    DeclaredPrivate,
    /// A private one.
    Private,
}

impl FromStr for HolderKind {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "public" => Ok(Self::Public),
            "declared-private" => Ok(Self::DeclaredPrivate),
            "private" => Ok(Self::Private),
            _ => Err("expected \"public\", \"declared-private\" or \"private\"".to_owned()),
        }
    }
}
