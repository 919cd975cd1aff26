//! Names: folders made, files and folders renamed and removed.

use std::fs;
use std::io;
use std::path::Path;

use super::open::{open_directory, open_plain, parent};
use super::os;
use crate::error::{AtPath as _, Result};

/// Makes a folder and every missing parent; durable on return. Fine when it is already there; an empty one may be what a
/// process made that was stopped before it synced the name.
/// `mkdir` each, `fsync` of each parent that gained a name or holds an empty folder's.
pub fn create_dir_all(path: &Path) -> Result<()> {
    if path.is_dir() {
        let empty = fs::read_dir(path).at_path(path)?.next().is_none();
        return if empty { sync_dir(parent(path)) } else { Ok(()) };
    }
    let above = parent(path);
    if above != path {
        create_dir_all(above)?;
    }
    let directory = open_directory(above).at_path(above)?;
    match os::make_folder(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other.at_path(path)?,
    }
    os::sync_folder(&directory, above).at_path(above)
}

/// Renames within one file system; both directories durable on return. Replaces a file, never a folder with something in
/// it.
/// `open` both directories, `rename`, `fsync` both.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let (old, new) = (parent(from), parent(to));
    let old_directory = open_directory(old).at_path(old)?;
    let new_directory = open_directory(new).at_path(new)?;
    os::rename(from, to).at_path(to)?;
    os::sync_folder(&new_directory, new).at_path(new)?;
    if old != new { os::sync_folder(&old_directory, old).at_path(old) } else { Ok(()) }
}

/// Removes a file; durable on return. Fine when it is not there.
/// `open(dir)`, `unlink`, `fsync(dir)`.
pub fn remove_file(path: &Path) -> Result<()> {
    let directory = open_directory(parent(path)).at_path(parent(path))?;
    match os::remove(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.at_path(path)?,
    }
    os::sync_folder(&directory, parent(path)).at_path(parent(path))
}

/// Removes a temporary file that was never durable and that nobody would miss: not synced, so it may be there again after
/// a power cut. Fine when it is not there.
/// `unlink`.
pub fn discard(path: &Path) -> Result<()> {
    match os::discard(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.at_path(path),
    }
}

/// Removes a folder and all in it (staging, a projection: never a sealed package); durable on return.
pub fn remove_dir_all(path: &Path) -> Result<()> {
    let directory = open_directory(parent(path)).at_path(parent(path))?;
    match os::remove_tree(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.at_path(path)?,
    }
    os::sync_folder(&directory, parent(path)).at_path(parent(path))
}

/// Syncs a directory: the names in it are durable on return.
pub fn sync_dir(path: &Path) -> Result<()> {
    let directory = open_directory(path).at_path(path)?;
    os::sync_folder(&directory, path).at_path(path)
}

/// Syncs a folder and those below it, so many levels deep: whatever names are seen there are durable on return, also those that
/// a process made which was stopped before it synced them. What it *wrote* is another matter: see [`super::Appending::assure`].
/// Fine when it is not there.
/// `fsync` of each directory.
pub fn sync_tree(path: &Path, levels: u32) -> Result<()> {
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.at_path(path)?,
    };
    for entry in entries.take_while(|_| levels > 0) {
        let entry = entry.at_path(path)?;
        if entry.file_type().at_path(&entry.path())?.is_dir() {
            sync_tree(&entry.path(), levels - 1)?;
        }
    }
    sync_dir(path)
}

/// Syncs a file somebody else wrote (sled's database file).
pub fn sync_file(path: &Path) -> Result<()> {
    let file = open_plain(path)?;
    os::sync(&file, path).at_path(path)
}
