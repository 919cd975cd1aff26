//! Files written whole, under a name that never shows half of them.

use std::io;
use std::path::{Path, PathBuf};

use super::open::{open_directory, parent};
use super::{MODE_SECRET, os};
use crate::error::{AtPath as _, Result};

fn temporary(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    path.with_file_name(name)
}

/// Writes a file that must not be there yet; content and name are durable on return, and no half file is ever visible.
/// An existing file is an error of kind `AlreadyExists` and is left alone.
/// `open(dir)`, `open(tmp, O_CREAT|O_TRUNC)`, `write`, `fsync(tmp)`, `link(tmp, path)` (fails if present), `unlink(tmp)`,
/// `fsync(dir)`.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let directory = open_directory(parent(path)).at_path(parent(path))?;
    let tmp = temporary(path);
    write_temporary(&tmp, bytes, mode).at_path(&tmp)?;
    os::link(&tmp, path).at_path(path)?;
    os::remove(&tmp).at_path(&tmp)?;
    os::sync_folder(&directory, parent(path)).at_path(parent(path)).inspect_err(|_| {
        // Whoever tries again must not find it and take it for durable.
        let _ = os::discard(path);
    })
}

/// Writes or replaces a file; on return the new content is durable under its name, and at no moment is the name missing
/// or half written.
/// `open(dir)`, `open(tmp)`, `write`, `fsync(tmp)`, `rename(tmp, path)`, `fsync(dir)`.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let directory = open_directory(parent(path)).at_path(parent(path))?;
    let tmp = temporary(path);
    write_temporary(&tmp, bytes, mode).at_path(&tmp)?;
    os::rename(&tmp, path).at_path(path)?;
    os::sync_folder(&directory, parent(path)).at_path(parent(path))
}

fn write_temporary(tmp: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    // A temporary left by a power cut may be read-only; it is nobody's, so it goes.
    if tmp.exists() {
        os::discard(tmp)?;
    }
    let file = os::create(tmp, MODE_SECRET)?;
    os::write(&file, tmp, bytes)?;
    os::set_mode(&file, tmp, mode)?;
    os::sync(&file, tmp)
}
