//! The profile of an archive, written in genesis and never changed, and what follows from it.
//!
//! Invariant: a trial archive can neither be reached from outside nor be taken for a real one; a production archive does
//! not run on a development authority or without the documents that found the roles of those who act, nor with copies where they may not be.

use serde::{Deserialize, Serialize};

use super::agents::Agent;
use super::resolved::Config;
use super::{FILE_NAME, template};
use crate::error::{Code, Error, Finding, Result};

/// What an archive is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// To try things out: development time-stamps, loopback only.
    Trial,
    /// The real thing.
    Production,
}

impl Profile {
    /// What is stamped on every receipt, index, report and page.
    pub fn stamp(self) -> Option<&'static str> {
        match self {
            Self::Trial => Some("PROVA: senza valore legale"),
            Self::Production => None,
        }
    }

    /// The word in genesis and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Production => "production",
        }
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Profile {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "trial" => Ok(Self::Trial),
            "production" => Ok(Self::Production),
            _ => Err(Error::new(Code::Usage, "expected `trial` or `production`")),
        }
    }
}

impl Config {
    /// Everything in the configuration that this profile does not allow; empty when it may run.
    pub fn profile_findings(&self, profile: Profile) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut forbid = |key: &str, detail: &str| {
            found.push(Finding::error(Code::ProfileForbids, format!("{FILE_NAME} {key}"), detail));
        };
        let acting = [("submitter", &self.submitter)]
            .into_iter()
            .chain(std::iter::once(("holder", &self.holder.agent)))
            .chain(self.other_holders.iter().map(|holder| ("holders", &holder.agent)))
            .chain(self.signers.iter().map(|signer| ("signers", &signer.agent)));
        for (key, agent) in acting {
            if agent.documents.is_empty() {
                forbid(key, "`documents`: at least one relevant document is needed (UNI 11386:2020, RelevantDocument)");
            }
            if profile == Profile::Production && is_trial(agent) {
                forbid(key, "still says that it is a trial; write the real name and documents");
            }
        }
        match profile {
            Profile::Trial => {
                if !self.http.listen.ip().is_loopback() {
                    forbid("http.listen", "a trial archive listens on loopback only, as in 127.0.0.1:8480");
                }
            }
            Profile::Production => {
                for vault in &self.vaults {
                    // Without a country nobody can say that it is an allowed one.
                    if vault.country.as_ref().is_none_or(|country| !self.copies.countries.contains(country)) {
                        let detail = format!(
                            "`{}`: `country` must say where it is, and that must be one of copies.countries",
                            vault.name
                        );
                        forbid("vault", &detail);
                    }
                }
                if self.tsa.authorities.is_empty() {
                    forbid("tsa.authorities", "a production archive needs at least one time-stamping authority");
                }
                if self.tsa.anchors.is_empty() {
                    forbid("tsa.anchors", "a production archive needs the certificates its time-stamps are judged by");
                }
            }
        }
        found
    }

    /// [`Config::profile_findings`] as an error that carries them all.
    pub fn check_profile(&self, profile: Profile) -> Result<()> {
        let found = self.profile_findings(profile);
        let Some(first) = found.first() else { return Ok(()) };
        let details: Vec<String> = found.iter().map(|f| format!("{}: {}", f.place, f.message)).collect();
        Err(Error::new(Code::ProfileForbids, format!("profile {profile}: {}", details.join("; ")))
            .at(&first.place)
            .with_findings(found))
    }
}

fn is_trial(agent: &Agent) -> bool {
    agent.name.to_string().starts_with(template::TRIAL_MARK)
        || agent.documents.iter().any(|document| document.title.starts_with(template::TRIAL_MARK))
}
