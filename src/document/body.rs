//! The bytes of a document, wherever they are; read any number of times, never changed.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::PathBuf;

use bytes::Bytes;

use crate::error::{AtPath, Result};

/// What a document's bytes are read through.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek + ?Sized> ReadSeek for T {}

/// A document's bytes: small ones in memory, large ones in a file.
#[derive(Debug, Clone)]
pub enum Body {
    /// In memory.
    Memory(Bytes),
    /// In a file that nobody writes to any more.
    File(PathBuf),
}

impl Body {
    /// Opens the bytes at their beginning.
    pub fn open(&self) -> io::Result<Box<dyn ReadSeek + Send>> {
        Ok(match self {
            Self::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
            Self::File(path) => Box::new(File::open(path)?),
        })
    }

    /// Length in bytes.
    pub fn len(&self) -> io::Result<u64> {
        match self {
            Self::Memory(bytes) => Ok(bytes.len() as u64),
            Self::File(path) => Ok(std::fs::metadata(path)?.len()),
        }
    }

    /// Whether there are no bytes at all.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The first bytes, at most `limit`.
    pub fn head(&self, limit: usize) -> Result<Bytes> {
        match self {
            Self::Memory(bytes) => Ok(bytes.slice(..bytes.len().min(limit))),
            Self::File(path) => {
                let mut head = Vec::new();
                File::open(path).and_then(|file| file.take(limit as u64).read_to_end(&mut head)).at_path(path)?;
                Ok(head.into())
            }
        }
    }

    /// All bytes, or `None` when there are more than `limit`.
    pub fn whole(&self, limit: usize) -> Result<Option<Bytes>> {
        let head = self.head(limit.saturating_add(1))?;
        Ok((head.len() <= limit).then_some(head))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Memory(bytes.into())
    }
}
