//! Files that only grow.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::open::{open_checked, open_directory, parent};
use super::os;
use crate::error::{AtPath as _, Result};

/// Bytes that are written again at a time.
const AT_ONCE: usize = 256 << 10;

/// A file that only grows (journal segment, chain, records).
#[derive(Debug)]
pub struct Appending {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Appending {
    /// Opens for appending, making the file when it is not there; its name is durable on return. One that is there and empty
    /// may be what a process made that was stopped before it synced the name.
    /// `open(dir)`, `open(O_CREAT|O_EXCL)`, `fsync(dir)` unless something stands in it.
    pub fn open(path: &Path, mode: u32) -> Result<Self> {
        let directory = open_directory(parent(path)).at_path(parent(path))?;
        if !path.exists() {
            match os::create(path, mode) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => drop(made.at_path(path)?),
            }
        }
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.append(true).read(true).custom_flags(flags.bits() as i32);
        let file = open_checked(&options, path)?;
        let length = file.metadata().at_path(path)?.len();
        if length == 0 {
            os::sync_folder(&directory, parent(path)).at_path(parent(path))?;
        }
        Ok(Self { file, path: path.to_owned(), length })
    }

    /// Appends and syncs; durable on return. After an error nothing is known of the tail: the caller must not append to
    /// this file again (and never retries the sync).
    /// `write(O_APPEND)`, `fdatasync`.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        os::append(&self.file, &self.path, bytes).at_path(&self.path)?;
        os::sync_data(&self.file, &self.path).at_path(&self.path)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Makes durable what stands from `offset` to the end, and the file's name, whatever became of the process that wrote it.
    ///
    /// It may have been stopped before its sync; or its sync may have failed, and then the system takes pages for written that
    /// never were: they read well, and no further sync would write them. So the same bytes are written once more, in their
    /// place, which at no moment leaves less on the disk.
    /// `pwrite` (through a descriptor without `O_APPEND`), `fdatasync`, `fsync(dir)`.
    pub fn assure(&self, offset: u64) -> Result<()> {
        let directory = open_directory(parent(&self.path)).at_path(parent(&self.path))?;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let again = open_checked(OpenOptions::new().write(true).custom_flags(flags.bits() as i32), &self.path)?;
        let mut buffer =
            vec![0; AT_ONCE.min(usize::try_from(self.length - offset.min(self.length)).unwrap_or(AT_ONCE))];
        let mut at = offset;
        while at < self.length {
            let part = usize::try_from(self.length - at).map_or(buffer.len(), |left| left.min(buffer.len()));
            self.file.read_exact_at(&mut buffer[..part], at).at_path(&self.path)?;
            os::rewrite(&again, &self.path, at, &buffer[..part]).at_path(&self.path)?;
            at += part as u64;
        }
        os::sync_data(&again, &self.path).at_path(&self.path)?;
        os::sync_folder(&directory, parent(&self.path)).at_path(parent(&self.path))
    }

    /// Cuts the file back to `length` and syncs: only for a tail that recovery has copied elsewhere first.
    pub fn cut(&mut self, length: u64) -> Result<()> {
        os::set_length(&self.file, &self.path, length).at_path(&self.path)?;
        os::sync(&self.file, &self.path).at_path(&self.path)?;
        self.length = length;
        Ok(())
    }

    /// Length of what is durable.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
