//! `vault.id`: which vault this is, of which archive. Its presence says that the disk is mounted.
//!
//! Invariant: written once, when a folder becomes a vault, and never again; a folder without it, or with another's, is not
//! written to and not read from, so that an empty mount point never passes for a vault that lost everything and two disks that
//! were swapped never pass for each other.

use std::io::Read as _;
use std::path::Path;

use super::ID_FILE;
use crate::durable;
use crate::error::{AtPath as _, Code, Error, Result};

/// An id, an origin (200 characters at most), a name; no file decides our memory.
const MOST: u64 = 512;

/// What `vault.id` says: three lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Random, 32 hexadecimal digits.
    pub id: String,
    /// Origin of the archive it belongs to.
    pub origin: String,
    /// What it was called when it became a vault.
    pub name: String,
}

impl Identity {
    /// A fresh one.
    pub fn new(origin: &str, name: &str) -> Result<Self> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|e| Error::new(Code::Io, format!("no randomness: {e}")))?;
        Ok(Self { id: hex::encode(random), origin: origin.to_owned(), name: name.to_owned() })
    }

    /// Reads what stands in a folder. `vault-missing` when there is nothing, or nothing that is one.
    pub fn read(root: &Path) -> Result<Self> {
        let path = root.join(ID_FILE);
        let missing = |detail: String| Error::new(Code::VaultMissing, detail).at(path.display());
        let mut text = String::new();
        let file = durable::open_plain(&path).map_err(|e| missing(format!("{}: {}", e.code.as_str(), e.detail)))?;
        file.take(MOST).read_to_string(&mut text).map_err(|e| missing(e.to_string()))?;
        let lines: Vec<&str> = text.lines().collect();
        let [id, origin, name] = lines.as_slice() else { return Err(missing("not a vault's id".into())) };
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        if id.len() != 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) || !plain(origin) || !plain(name) {
            return Err(missing("not a vault's id".into()));
        }
        let found = Self { id: (*id).to_owned(), origin: (*origin).to_owned(), name: (*name).to_owned() };
        // As it was written, to the last byte.
        if found.text() == text { Ok(found) } else { Err(missing("not a vault's id".into())) }
    }

    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.id, self.origin, self.name)
    }

    /// Makes a folder this vault; durable on return. A folder that is one already is an error and is left alone.
    pub fn write(&self, root: &Path) -> Result<()> {
        durable::create_dir_all(root)?;
        durable::write_new(&root.join(ID_FILE), self.text().as_bytes(), durable::MODE_SEALED)
    }

    /// Removes what is left when a stop fell between the file and the clearing up of what it was made of.
    pub fn clear_up(root: &Path) -> Result<()> {
        let left = root.join(format!(".{ID_FILE}.tmp"));
        if left.exists() { durable::remove_file(&left) } else { Ok(()) }
    }

    /// Whether a folder may become a vault: it is not there, or holds nothing. A disk's own `lost+found` is nothing.
    pub fn is_free(root: &Path) -> Result<bool> {
        Ok(!root.join(ID_FILE).exists() && Self::is_empty(root)?)
    }

    /// Whether a folder holds nothing but, perhaps, a vault's id.
    pub fn is_empty(root: &Path) -> Result<bool> {
        let entries = match std::fs::read_dir(root) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(true),
            entries => entries.at_path(root)?,
        };
        // The temporary of a `vault.id` that a stop left half written is nobody's.
        let nothing = ["lost+found".to_owned(), ID_FILE.to_owned(), format!(".{ID_FILE}.tmp")];
        for entry in entries {
            if !nothing.contains(&entry.at_path(root)?.file_name().to_string_lossy().into_owned()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Held against the vault that is expected: `vault/other` says whose this one is.
    pub fn must_be(&self, id: &str, origin: &str, name: &str, root: &Path) -> Result<()> {
        if (self.id.as_str(), self.origin.as_str(), self.name.as_str()) == (id, origin, name) {
            return Ok(());
        }
        let found = match self.origin == origin {
            true => format!("vault `{}` is here, not `{name}`", self.name),
            false => format!("a vault of the archive {} is here, not `{name}`", self.origin),
        };
        Err(Error::new(Code::VaultOther, found).at(root.display()))
    }
}
