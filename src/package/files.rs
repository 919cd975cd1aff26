//! The files of one package, wherever they are kept.
//!
//! The seam to the vaults: the reader asks for files by name and gets plain bytes it can seek in. Encryption of personal
//! classes will be another implementation of [`Files`] around this one.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use crate::durable;
use crate::error::{AtPath, Code, Error, Result};
use crate::vault::VaultFiles;

/// Something to read from and seek in.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send + ?Sized> ReadSeek for T {}

/// A file of a package as listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Path inside the package folder, with `/`.
    pub name: String,
    /// Length in bytes.
    pub length: u64,
}

/// The files of one package.
pub trait Files: Send + Sync {
    /// Opens a file by its name (`PIndex.xml`, `evidence/0001.ers`). [`Code::FileMissing`] when it is not there.
    fn open(&self, name: &str) -> Result<Box<dyn ReadSeek>>;

    /// All files, sorted by name.
    fn list(&self) -> Result<Vec<Listed>>;
}

/// Files in a folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The package in this folder.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl Files for Folder {
    fn open(&self, name: &str) -> Result<Box<dyn ReadSeek>> {
        let safe = !name.is_empty() && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if !safe {
            return Err(Error::new(Code::Usage, "not the name of a package's file").at(name));
        }
        let path = self.0.join(name);
        let file = durable::open_plain(&path)?;
        Ok(Box::new(file))
    }

    fn list(&self) -> Result<Vec<Listed>> {
        let mut all = Vec::new();
        let mut folders = vec![(self.0.clone(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            for entry in std::fs::read_dir(&folder).at_path(&folder)? {
                let entry = entry.at_path(&folder)?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                // A link is listed as what it is, never followed: it has no business in a package.
                let facts = entry.metadata().at_path(&entry.path())?;
                if facts.is_dir() && name.matches('/').count() < 4 {
                    folders.push((entry.path(), format!("{name}/")));
                } else {
                    all.push(Listed { name, length: facts.len() });
                }
            }
        }
        all.sort();
        Ok(all)
    }
}

impl Files for VaultFiles {
    fn open(&self, name: &str) -> Result<Box<dyn ReadSeek>> {
        Ok(Box::new(VaultFiles::open(self, name)?))
    }

    fn list(&self) -> Result<Vec<Listed>> {
        let all = VaultFiles::list(self)?;
        Ok(all.into_iter().map(|file| Listed { name: file.name, length: file.bytes }).collect())
    }
}
