//! How an adopted class or policy gets into its folder: the file waits in `staging/`, its entry on the chain is the commit,
//! then it takes its place.
//!
//! Invariant: `schemas/` and `policies/` hold adopted files only, so a stop in the middle of an adoption never leaves one
//! that the next start would refuse; an entry on the chain never lacks its file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::layout::Layout;
use super::open::Adopted;
use crate::durable;
use crate::error::{AtPath, Code, Error, Result};
use crate::hash::Sha256;

const WAITING: &str = "adopting-";

fn waiting(layout: &Layout, file: &str) -> PathBuf {
    layout.staging().join(format!("{WAITING}{file}"))
}

/// Keeps a file that is about to be adopted; durable on return.
pub(super) fn prepare(layout: &Layout, file: &str, bytes: &[u8]) -> Result<()> {
    durable::replace(&waiting(layout, file), bytes, durable::MODE_SEALED)
}

/// Puts a prepared file into its place, once its entry is on the chain.
pub(super) fn place(layout: &Layout, file: &str) -> Result<()> {
    let folder = if file.ends_with(".json") { layout.schemas() } else { layout.policies() };
    durable::rename(&waiting(layout, file), &folder.join(file))
}

/// Ends what a stop interrupted: a file whose entry is on the chain takes its place, any other was never adopted and goes.
pub(super) fn settle(layout: &Layout, adopted: &Adopted) -> Result<()> {
    let staging = layout.staging();
    if !staging.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(&staging).at_path(&staging)? {
        let path = entry.at_path(&staging)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.strip_prefix('.').is_some_and(|name| name.starts_with(WAITING)) {
            durable::remove_file(&path)?;
        }
        let Some(file) = name.strip_prefix(WAITING) else { continue };
        let (known, folder): (&BTreeMap<String, Sha256>, _) = if file.ends_with(".json") {
            (&adopted.classes, layout.schemas())
        } else {
            (&adopted.policies, layout.policies())
        };
        let sha256 = Sha256::of(&durable::read_plain(&path)?);
        if known.get(file) == Some(&sha256) && !folder.join(file).exists() {
            place(layout, file)?;
        } else {
            durable::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Every adopted file is there to its last byte, and no other is: held against the chain before anything reads what it says, so
/// that an edit is called one whatever it did to the text.
pub(super) fn as_adopted(layout: &Layout, adopted: &Adopted) -> Result<()> {
    let folders = [(layout.schemas(), ".json", &adopted.classes), (layout.policies(), ".toml", &adopted.policies)];
    for (folder, extension, known) in folders {
        let refuse =
            |name: &str, detail: &str| Err(Error::new(Code::NotAdopted, detail).at(folder.join(name).display()));
        for entry in std::fs::read_dir(&folder).at_path(&folder)? {
            let name = entry.at_path(&folder)?.file_name().to_string_lossy().into_owned();
            if name.ends_with(extension) && !known.contains_key(&name) {
                return refuse(&name, "the chain does not know this file");
            }
        }
        for (name, sha256) in known {
            match durable::read_plain(&folder.join(name)) {
                Ok(bytes) if Sha256::of(&bytes) == *sha256 => {}
                Ok(_) => return refuse(name, "the chain does not know this file as it is"),
                Err(error) if error.code == Code::FileMissing => return refuse(name, "the adopted file is missing"),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}
