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
use crate::error::{AtPath, Result};
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
