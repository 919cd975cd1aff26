//! `custode.toml`: read *raw* (what was typed), then *resolved* (what it means, validated), so that nothing later can be
//! invalid.
//!
//! Invariant: a [`Config`] is whole and consistent; whatever is wrong with the file is an error that names file, line and
//! column and says what is accepted, and every such error is given at once. Secrets are referenced by file or
//! environment, never inline.

mod agents;
mod check;
mod limits;
mod locate;
mod notices;
mod profile;
mod raw;
mod resolve;
mod resolved;
mod revocation;
mod signer;
mod template;
mod trust;
mod vaults;
mod witness;

pub use agents::{Agent, AgentId, AgentName, HolderKind, HolderRole, RelevantDocument};
pub use check::{Check, Legibility};
pub use notices::{Mail, Notices, Security, Webhook};
pub use profile::Profile;
pub use resolved::*;
pub use template::Template;
pub use vaults::{LOCAL, same_folder};

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::durable;
use crate::error::{AtPath, Code, Error, Result};
use crate::hash::Sha256;

/// Name of the file in the archive's folder.
pub const FILE_NAME: &str = "custode.toml";

/// Larger than any configuration a person writes.
const LARGEST_FILE: u64 = 1024 * 1024;

impl Config {
    /// Reads `custode.toml` of the archive in `archive`; it may be a link, since operators keep it with their other files. Relative paths in it are resolved against that folder.
    pub fn load(archive: &Path) -> Result<Self> {
        let path = archive.join(FILE_NAME);
        Self::parse(&text_of(durable::open_linked(&path)?, &path)?, archive)
    }

    /// As [`Config::load`], for who acts on it: refused when others can write to it, since it names programs that run, keys
    /// that sign and certificates that are believed. Gives the digest of the file too.
    pub fn load_own(archive: &Path) -> Result<(Self, Sha256)> {
        let path = archive.join(FILE_NAME);
        let file = durable::open_linked(&path)?;
        must_be_ours(&file, &path)?;
        let text = text_of(file, &path)?;
        Ok((Self::parse(&text, archive)?, Sha256::of(text.as_bytes())))
    }

    /// As [`Config::load`], from the text of the file.
    pub fn parse(text: &str, archive: &Path) -> Result<Self> {
        let raw: raw::Raw = toml::from_str(text).map_err(|e| locate::toml_error(text, &e))?;
        resolve::resolve(raw, text, archive)
    }
}

/// An error when others than root and who runs this process can write to a file of trust.
pub(super) fn must_be_ours(file: &File, path: &Path) -> Result<()> {
    if durable::only_ours(file, path)? {
        return Ok(());
    }
    Err(Error::new(Code::ConfigWritable, "its group, others, or an owner who is neither root nor this process's")
        .at(path.display()))
}

fn text_of(file: File, path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).at_path(path)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(Error::new(Code::ConfigInvalid, format!("larger than {LARGEST_FILE} bytes")).at(FILE_NAME));
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Error::new(Code::ConfigInvalid, format!("not UTF-8 at byte {at}; expected UTF-8 text")).at(FILE_NAME)
    })
}

#[cfg(test)]
mod tests;
