//! Files for people, outside the archive.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::open::{open_directory, parent};
use super::os;
use crate::error::{AtPath as _, Result};

/// Whoever asked for the file decides who reads it, by their umask.
const MODE_OF_OTHERS: u32 = 0o666;

/// A file for whoever asked for it, outside the archive: written beside its place and given its name when it is whole.
/// An existing file of that name is never touched: not when it starts, not when somebody made one meanwhile. Dropped
/// unfinished, nothing is left.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    done: bool,
}

impl NewFile {
    /// Starts it. An existing file (or anything else) of that name is an error of kind `AlreadyExists`.
    pub fn start(path: &Path) -> Result<Self> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists)).at_path(path);
        }
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.part", std::process::id()));
        let temporary = path.with_file_name(name);
        let file = os::create(&temporary, MODE_OF_OTHERS).at_path(&temporary)?;
        Ok(Self { file, temporary, path: path.to_owned(), done: false })
    }

    /// Gives it its name; durable on return.
    /// `fsync`, `link` (fails if present), `unlink`, `fsync(dir)`.
    pub fn finish(mut self) -> Result<()> {
        let directory = open_directory(parent(&self.path)).at_path(parent(&self.path))?;
        os::sync(&self.file, &self.temporary).at_path(&self.temporary)?;
        match os::link(&self.temporary, &self.path) {
            Ok(()) => os::discard(&self.temporary).at_path(&self.temporary)?,
            // A stick without hard links: looked at, then renamed; nobody else writes there in between, mostly.
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists && fs::symlink_metadata(&self.path).is_err() => {
                os::rename(&self.temporary, &self.path).at_path(&self.path)?;
            }
            Err(e) => return Err(e).at_path(&self.path),
        }
        self.done = true;
        os::sync_folder(&directory, parent(&self.path)).at_path(parent(&self.path))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        os::write(&self.file, &self.temporary, bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.done {
            // Nobody was promised anything of it.
            let _ = os::discard(&self.temporary);
        }
    }
}
