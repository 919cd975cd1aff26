//! `custode.toml`: read *raw* (what was typed), then *resolved* (what it means, validated), so that nothing later can be
//! invalid.
//!
//! Invariant: a [`Config`] is whole and consistent; whatever is wrong with the file is an error that names file, line and
//! column and says what is accepted, and every such error is given at once. Secrets are referenced by file or
//! environment, never inline.

mod agents;
mod limits;
mod locate;
mod profile;
mod raw;
mod resolve;
mod resolved;
mod template;
mod trust;

pub use agents::{Agent, AgentId, AgentName, HolderKind, HolderRole, RelevantDocument};
pub use profile::Profile;
pub use resolved::*;
pub use template::Template;

use std::io::Read;
use std::path::Path;

use crate::durable;
use crate::error::{AtPath, Code, Error, Result};

/// Name of the file in the archive's folder.
pub const FILE_NAME: &str = "custode.toml";

/// Larger than any configuration a person writes.
const LARGEST_FILE: u64 = 1024 * 1024;

impl Config {
    /// Reads `custode.toml` of the archive in `archive`; it may be a link, since operators keep it with their other files. Relative paths in it are resolved against that folder.
    pub fn load(archive: &Path) -> Result<Self> {
        let path = archive.join(FILE_NAME);
        let mut bytes = Vec::new();
        let file = durable::open_linked(&path)?;
        file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).at_path(&path)?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(Error::new(Code::ConfigInvalid, format!("larger than {LARGEST_FILE} bytes")).at(FILE_NAME));
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            Error::new(Code::ConfigInvalid, format!("not UTF-8 at byte {at}; expected UTF-8 text")).at(FILE_NAME)
        })?;
        Self::parse(&text, archive)
    }

    /// As [`Config::load`], from the text of the file.
    pub fn parse(text: &str, archive: &Path) -> Result<Self> {
        let raw: raw::Raw = toml::from_str(text).map_err(|e| locate::toml_error(text, &e))?;
        resolve::resolve(raw, text, archive)
    }
}

#[cfg(test)]
mod tests;
