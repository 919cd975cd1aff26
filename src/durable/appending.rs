//! Files that only grow.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::open::{open_checked, open_directory, parent};
use super::os;
use crate::error::{AtPath as _, Result};

/// A file that only grows (journal segment, chain, records).
#[derive(Debug)]
pub struct Appending {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Appending {
    /// Opens for appending, making the file (name durable) when it is not there.
    pub fn open(path: &Path, mode: u32) -> Result<Self> {
        let fresh = !path.exists();
        let directory = open_directory(parent(path)).at_path(parent(path))?;
        if fresh {
            match os::create(path, mode) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => drop(made.at_path(path)?),
            }
        }
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.append(true).read(true).custom_flags(flags.bits() as i32);
        let file = open_checked(&options, path)?;
        if fresh {
            os::sync_folder(&directory, parent(path)).at_path(parent(path))?;
        }
        let length = file.metadata().at_path(path)?.len();
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
