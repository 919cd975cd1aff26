//! Files written in place, bit by bit: nothing of them counts before they are finished.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use super::names::remove_file;
use super::open::{open_directory, open_plain, parent};
use super::{MODE_SECRET, os};
use crate::error::{AtPath as _, Result};

/// Bytes of a copy that are in memory at a time.
const COPIED_AT_ONCE: usize = 256 << 10;

/// A file being written in place (a package's content, a spooled body): nothing of it counts until [`Writing::finish`].
#[derive(Debug)]
pub struct Writing {
    file: File,
    path: PathBuf,
    mode: u32,
}

impl Writing {
    /// Starts a file under its final name, truncating what an interrupted attempt left. The name is not durable yet.
    pub fn start(path: &Path, mode: u32) -> Result<Self> {
        if path.exists() {
            remove_file(path)?;
        }
        let file = os::create(path, MODE_SECRET).at_path(path)?;
        Ok(Self { file, path: path.to_owned(), mode })
    }

    /// Sets the mode, syncs content (`fchmod`, `fsync`) and the directory that holds the name; durable on return.
    pub fn finish(self) -> Result<()> {
        let directory = open_directory(parent(&self.path)).at_path(parent(&self.path))?;
        os::set_mode(&self.file, &self.path, self.mode).at_path(&self.path)?;
        os::sync(&self.file, &self.path).at_path(&self.path)?;
        os::sync_folder(&directory, parent(&self.path)).at_path(parent(&self.path))
    }

    /// Syncs content but leaves the directory to the caller, who syncs it once for many files with [`super::sync_dir`].
    pub fn finish_without_dir(self) -> Result<()> {
        os::set_mode(&self.file, &self.path, self.mode).at_path(&self.path)?;
        os::sync(&self.file, &self.path).at_path(&self.path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        os::write(&self.file, &self.path, bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Copies a file to a new name, 0444 or as told, durable on return; returns its length.
pub fn copy_new(from: &Path, to: &Path, mode: u32) -> Result<u64> {
    let mut source = open_plain(from)?;
    let mut target = Writing::start(to, mode)?;
    let mut buffer = vec![0; COPIED_AT_ONCE];
    let mut length = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                target.write_all(&buffer[..n]).at_path(to)?;
                length += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e).at_path(from),
        }
    }
    target.finish()?;
    Ok(length)
}
