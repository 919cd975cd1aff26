//! The operating system's lock, and what stands in the locked file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::open::open_checked;
use super::{MODE_SECRET, os};
use crate::error::{AtPath as _, Result};

/// Takes the exclusive operating-system lock of `path` (made when missing, 0600). `None` when another process holds it.
/// The lock lives as long as the returned file.
pub fn lock(path: &Path) -> Result<Option<File>> {
    if !path.exists() {
        match os::create(path, MODE_SECRET) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => drop(made.at_path(path)?),
        }
    }
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(flags.bits() as i32);
    let file = open_checked(&options, path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(e)) => Err(e).at_path(path),
    }
}

/// Writes over what stands in a file, in place: a rename would leave the lock on a file that nobody else sees any more.
/// Not synced: the contents count only while the lock is held, and no lock outlives a power cut.
/// `open(O_NOFOLLOW)`, `ftruncate`, `write`.
pub fn overwrite(path: &Path, bytes: &[u8]) -> Result<()> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = open_checked(OpenOptions::new().write(true).custom_flags(flags.bits() as i32), path)?;
    os::set_length(&file, path, 0).at_path(path)?;
    os::write(&file, path, bytes).at_path(path)
}
