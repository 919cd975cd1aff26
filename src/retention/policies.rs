//! The policies of an archive: `policies/<id>@<n>.toml`, compiled in and copied into a new archive.
//!
//! Invariant: only adopted versions run. A file is known by its name and the SHA-256 of its bytes; the caller compares
//! these with the chain ([`Policies::check_adopted`]). A version never changes: a new one stands beside it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::algorithms::Algorithms;
use super::policy::{Policy, Retention};
use crate::durable;
use crate::error::{AtPath, Code, Error, Finding, Result};
use crate::hash::Sha256;
use crate::id::PolicyId;
use crate::package::closing::Closing;

/// Larger than any policy a person writes.
const LARGEST_FILE: u64 = 64 * 1024;
/// More versions than an archive adopts in a century.
const MOST_FILES: usize = 4096;

/// A policy and the file it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// The policy.
    pub policy: Policy,
    /// SHA-256 of the file's bytes, as on the chain.
    pub sha256: Sha256,
}

/// All policies of an archive, every version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies(BTreeMap<PolicyId, BTreeMap<u32, PolicyFile>>);

macro_rules! builtin {
    ($($name:literal),* $(,)?) => { &[ $( ($name, include_str!(concat!("../../policies/", $name))) ),* ] };
}

impl Policies {
    /// The policies that come with Custode: file name and text.
    pub fn builtin() -> &'static [(&'static str, &'static str)] {
        builtin![
            "aggregation-10y@1.toml",
            "algorithms@1.toml",
            "alone@1.toml",
            "daily@1.toml",
            "default@1.toml",
            "generic-10y@1.toml",
            "identity-20y@1.toml",
            "invoice-10y@1.toml",
            "pec-correspondence-10y@1.toml",
            "pec-log-30m@1.toml",
            "pec-virus-30m@1.toml",
        ]
    }

    /// The built-in ones, parsed.
    pub fn standard() -> Result<Self> {
        Self::from_files(Self::builtin().iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    /// Everything in an archive's `policies/` folder. A file that is not a policy under its own name is an error.
    pub fn load(directory: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory).at_path(directory)? {
            let path = entry.at_path(directory)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            let Some(name) = name.filter(|name| name.ends_with(".toml") && path.is_file()) else {
                return Err(Error::new(Code::NotAdopted, "not a policy file").at(path.display()));
            };
            if files.len() >= MOST_FILES {
                return Err(
                    Error::new(Code::ConfigInvalid, format!("more than {MOST_FILES} files")).at(directory.display())
                );
            }
            let mut text = String::new();
            let file = durable::open_plain(&path)?;
            file.take(LARGEST_FILE + 1).read_to_string(&mut text).at_path(&path)?;
            if text.len() as u64 > LARGEST_FILE {
                return Err(
                    Error::new(Code::ConfigInvalid, format!("larger than {LARGEST_FILE} bytes")).at(path.display())
                );
            }
            files.push((name, text));
        }
        Self::from_files(files)
    }

    fn from_files(files: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut all = Self::default();
        for (name, text) in files {
            let place = format!("policies/{name}");
            let policy = Policy::parse(&text, &place)?;
            if policy.file_name() != name {
                let detail = format!("the file holds {}", policy.file_name());
                return Err(Error::new(Code::NotAdopted, detail).at(place));
            }
            let file = PolicyFile { sha256: Sha256::of(text.as_bytes()), policy };
            all.0.entry(file.policy.id().clone()).or_default().insert(file.policy.version(), file);
        }
        Ok(all)
    }

    /// Every difference between the folder and what the chain says was adopted (file name to digest).
    pub fn check_adopted(&self, adopted: &BTreeMap<String, Sha256>) -> Vec<Finding> {
        let found: BTreeMap<String, Sha256> = self.iter().map(|file| (file.policy.file_name(), file.sha256)).collect();
        let place = |name: &str| format!("policies/{name}");
        let unknown = found.iter().filter_map(|(name, sha256)| match adopted.get(name) {
            Some(known) if known == sha256 => None,
            Some(_) => Some(Finding::error(Code::NotAdopted, place(name), "the file was edited after adoption")),
            None => Some(Finding::error(Code::NotAdopted, place(name), "the file was never adopted")),
        });
        let missing = adopted.keys().filter(|name| !found.contains_key(*name));
        unknown
            .chain(missing.map(|name| Finding::error(Code::NotAdopted, place(name), "the adopted file is missing")))
            .collect()
    }

    /// The newest version.
    pub fn latest(&self, id: &PolicyId) -> Option<&PolicyFile> {
        self.0.get(id)?.last_key_value().map(|(_, file)| file)
    }

    /// One version.
    pub fn get(&self, id: &PolicyId, version: u32) -> Option<&PolicyFile> {
        self.0.get(id)?.get(&version)
    }

    /// Every version of every policy, by name and version.
    pub fn iter(&self) -> impl Iterator<Item = &PolicyFile> {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// The newest version of a retention policy.
    pub fn retention(&self, id: &PolicyId) -> Result<&Retention> {
        match self.latest(id).map(|file| &file.policy) {
            Some(Policy::Retention(policy)) => Ok(policy),
            _ => Err(Error::new(Code::NotAdopted, format!("there is no retention policy `{id}`")).at("policies")),
        }
    }

    /// The newest version of the table of algorithms.
    pub fn algorithms(&self) -> Result<&Algorithms> {
        let tables = self.0.values().filter_map(|versions| versions.last_key_value());
        let mut table = tables.filter_map(|(_, file)| match &file.policy {
            Policy::Algorithms(table) => Some(table),
            _ => None,
        });
        let missing = || Error::new(Code::NotAdopted, "there is no table of algorithms").at("policies");
        table.next_back().ok_or_else(missing)
    }

    /// The newest version of a closing rule.
    pub fn closing(&self, id: &PolicyId) -> Result<&Closing> {
        match self.latest(id).map(|file| &file.policy) {
            Some(Policy::Closing(rule, _)) => Ok(rule),
            _ => Err(Error::new(Code::NotAdopted, format!("there is no closing rule `{id}`")).at("policies")),
        }
    }
}

#[cfg(test)]
#[path = "policies_tests.rs"]
mod tests;
