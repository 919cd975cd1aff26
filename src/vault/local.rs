//! A vault in a folder: `SERIES/NNNNNNNN/`, files 0444, and `vault.id`.
//!
//! A package is copied into a hidden folder beside its place (staging may be on another file system), each file synced, and
//! published by one rename; readers see all of it or nothing. Links are never followed inside a package.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::copying::{fetch, holds};
use super::{ID_FILE, Identity, Listing, ReadSeek, Source, StoredFile, Vault, check_name};
use crate::durable::{self, MODE_SEALED};
use crate::error::{AtPath, Code, Error, Result};
use crate::hash::Digests;
use crate::id::{PackageRef, SeriesId};

/// Packages in a local folder.
#[derive(Debug)]
pub struct LocalVault {
    root: PathBuf,
    name: String,
    id: String,
    origin: String,
    /// Why it may not be used, whatever stands in its folder.
    refused: Option<(Code, String)>,
    writing: Mutex<()>,
}

impl LocalVault {
    /// Makes the folder a vault of this archive: writes a fresh `vault.id`, durable on return. A folder that is one already
    /// keeps its id; one of another archive is `vault/other`.
    pub fn create(root: &Path, name: &str, origin: &str) -> Result<Self> {
        if root.join(ID_FILE).exists() {
            Identity::clear_up(root)?;
        } else {
            Identity::new(origin, name)?.write(root)?;
        }
        let found = Identity::read(root)?;
        let vault = Self::bound(root, name, &found.id, origin);
        vault.mounted()?;
        Ok(vault)
    }

    /// The vault with this id of the archive with this origin, in this folder; whether it is there shows when it is used:
    /// `vault-missing` when `vault.id` is absent or unreadable, `vault/other` when it says another id or archive.
    pub fn bound(root: &Path, name: &str, id: &str, origin: &str) -> Self {
        let (root, name, id, origin) = (root.to_owned(), name.to_owned(), id.to_owned(), origin.to_owned());
        Self { root, name, id, origin, refused: None, writing: Mutex::new(()) }
    }

    /// A vault that is configured and may not be used, and why.
    pub fn refused(root: &Path, name: &str, why: &Error) -> Self {
        Self { refused: Some((why.code, why.detail.clone())), ..Self::bound(root, name, "", "") }
    }

    /// The folder it lives in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn folder(&self, package: &PackageRef) -> PathBuf {
        self.root.join(package.series.as_str()).join(package.folder())
    }

    fn writer(&self) -> MutexGuard<'_, ()> {
        // The guard protects no data, only the order of system calls; a panic elsewhere does not spoil it.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a folder on the way to this file is a link. The vault's own folder may be one: that is where it is mounted.
    fn leads_elsewhere(&self, package: &PackageRef, file: &str) -> bool {
        let series = self.root.join(package.series.as_str());
        let mut on_the_way = vec![series, self.folder(package)];
        let mut below = self.folder(package);
        let parts: Vec<&str> = file.split('/').collect();
        for part in &parts[..parts.len() - 1] {
            below.push(part);
            on_the_way.push(below.clone());
        }
        on_the_way.iter().any(|folder| fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_symlink()))
    }

    /// Brings a file into a published package: beside its name first, then over it.
    fn fetch_into(&self, from: &dyn Source, package: &PackageRef, file: &str, digests: &Digests) -> Result<()> {
        let to = self.folder(package).join(file);
        let above = to.parent().unwrap_or(&self.root).to_owned();
        durable::create_dir_all(&above)?;
        let making = above.join(format!(".{}.making", to.file_name().unwrap_or_default().to_string_lossy()));
        fetch(from, package, file, digests, &making)?;
        durable::rename(&making, &to)?;
        forget_cache(&to);
        Ok(())
    }

    /// A missing file of a vault that is not there is a missing vault.
    fn missing_or(&self, error: Error) -> Error {
        if error.code != Code::FileMissing {
            return error;
        }
        self.mounted().err().unwrap_or(error)
    }
}

impl Vault for LocalVault {
    fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn mounted(&self) -> Result<()> {
        if let Some((code, why)) = &self.refused {
            return Err(Error::new(*code, why.clone()).at(self.root.display()));
        }
        Identity::read(&self.root)?.must_be(&self.id, &self.origin, &self.name, &self.root)
    }

    fn put(&self, staging: &Path, package: &PackageRef, files: &[String]) -> Result<()> {
        files.iter().try_for_each(|file| check_name(file))?;
        let _writer = self.writer();
        self.mounted()?;
        let folder = self.folder(package);
        if fs::symlink_metadata(&folder).is_ok() {
            // Published by a process that may have been stopped before it synced the name.
            durable::sync_dir(folder.parent().unwrap_or(&self.root))?;
            return files.iter().try_for_each(|file| match same(&staging.join(file), &folder.join(file))? {
                Some(true) => Ok(()),
                Some(false) => Err(Error::new(Code::VaultExists, "").at(folder.join(file).display())),
                None => {
                    Err(Error::new(Code::VaultExists, "published without this file").at(folder.join(file).display()))
                }
            });
        }
        let series = self.root.join(package.series.as_str());
        durable::create_dir_all(&series)?;
        let making = series.join(format!(".{}.making", package.folder()));
        durable::remove_dir_all(&making)?;
        durable::create_dir_all(&making)?;
        for file in files {
            let target = making.join(file);
            durable::create_dir_all(target.parent().unwrap_or(&making))?;
            durable::copy_new(&staging.join(file), &target, MODE_SEALED)?;
            forget_cache(&target);
        }
        durable::rename(&making, &folder)
    }

    fn add(&self, staging: &Path, package: &PackageRef, files: &[String]) -> Result<()> {
        files.iter().try_for_each(|file| check_name(file))?;
        let _writer = self.writer();
        self.mounted()?;
        let folder = self.folder(package);
        fs::symlink_metadata(&folder).at_path(&folder)?;
        for file in files {
            let (from, to) = (staging.join(file), folder.join(file));
            match same(&from, &to)? {
                // As above.
                Some(true) => {
                    durable::sync_dir(to.parent().unwrap_or(&folder))?;
                    continue;
                }
                Some(false) => return Err(Error::new(Code::VaultExists, "").at(to.display())),
                None => {}
            }
            let above = to.parent().unwrap_or(&folder).to_owned();
            durable::create_dir_all(&above)?;
            let making = above.join(format!(".{}.making", to.file_name().unwrap_or_default().to_string_lossy()));
            durable::copy_new(&from, &making, MODE_SEALED)?;
            // `same` said that the name is free, and this vault has one writer: the rename replaces nothing.
            durable::rename(&making, &to)?;
            forget_cache(&to);
        }
        Ok(())
    }

    fn receive(&self, from: &dyn Source, package: &PackageRef, files: &[(String, Digests)]) -> Result<()> {
        files.iter().try_for_each(|(file, _)| check_name(file))?;
        let _writer = self.writer();
        self.mounted()?;
        let folder = self.folder(package);
        if fs::symlink_metadata(&folder).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            let series = self.root.join(package.series.as_str());
            durable::create_dir_all(&series)?;
            let making = series.join(format!(".{}.making", package.folder()));
            durable::remove_dir_all(&making)?;
            durable::create_dir_all(&making)?;
            for (file, digests) in files {
                let target = making.join(file);
                durable::create_dir_all(target.parent().unwrap_or(&making))?;
                fetch(from, package, file, digests, &target)?;
                forget_cache(&target);
            }
            return durable::rename(&making, &folder);
        }
        // Published by a process that may have been stopped before it synced the name.
        durable::sync_dir(folder.parent().unwrap_or(&self.root))?;
        for (file, digests) in files {
            match holds(self, package, file, digests)? {
                // As above.
                Some(true) => durable::sync_dir(folder.join(file).parent().unwrap_or(&folder))?,
                Some(false) => return Err(Error::new(Code::VaultExists, "").at(folder.join(file).display())),
                None if self.leads_elsewhere(package, file) => return Err(foreign(&folder.join(file))),
                // A link or a pipe under that name is not the file, and is not ours to replace here.
                None if fs::symlink_metadata(folder.join(file)).is_ok() => {
                    return Err(Error::new(Code::VaultExists, "").at(folder.join(file).display()));
                }
                None => self.fetch_into(from, package, file, digests)?,
            }
        }
        Ok(())
    }

    fn restore(&self, from: &dyn Source, package: &PackageRef, file: &str, digests: &Digests) -> Result<()> {
        check_name(file)?;
        let _writer = self.writer();
        self.mounted()?;
        let path = self.folder(package).join(file);
        fs::symlink_metadata(self.folder(package)).at_path(&path)?;
        if self.leads_elsewhere(package, file) {
            return Err(foreign(&path));
        }
        self.fetch_into(from, package, file, digests)
    }

    fn delete(&self, package: &PackageRef, files: &[String]) -> Result<()> {
        files.iter().try_for_each(|file| check_name(file))?;
        let _writer = self.writer();
        self.mounted()?;
        let folder = self.folder(package);
        for file in files {
            let path = folder.join(file);
            if fs::symlink_metadata(&path).is_ok() {
                durable::remove_file(&path)?;
            }
            let above = path.parent().unwrap_or(&folder);
            if fs::read_dir(above).is_ok_and(|mut entries| entries.next().is_none()) {
                durable::remove_dir_all(above)?;
            }
        }
        if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none()) {
            durable::remove_dir_all(&folder)?;
        }
        Ok(())
    }

    fn open(&self, package: &PackageRef, file: &str) -> Result<Box<dyn ReadSeek + Send>> {
        check_name(file)?;
        let path = self.folder(package).join(file);
        if self.leads_elsewhere(package, file) {
            return Err(foreign(&path));
        }
        let open = plain_file(&path).map_err(|error| self.missing_or(error))?;
        Ok(Box::new(open))
    }

    fn exists(&self, package: &PackageRef) -> Result<bool> {
        self.mounted()?;
        Ok(is_folder(&self.folder(package))? && !self.leads_elsewhere(package, ""))
    }

    fn list_series(&self) -> Result<Listing<SeriesId>> {
        self.mounted()?;
        list(&self.root, |name, is_dir| match name {
            ID_FILE if !is_dir => Some(None),
            name if is_dir => name.parse().ok().map(Some),
            _ => None,
        })
    }

    fn list_packages(&self, series: &SeriesId) -> Result<Listing<PackageRef>> {
        self.mounted()?;
        let folder = self.root.join(series.as_str());
        if !is_folder(&folder)? {
            return Ok(Listing { items: Vec::new(), foreign: Vec::new() });
        }
        list(&folder, |name, is_dir| {
            let package = PackageRef { series: series.clone(), number: name.parse().ok().filter(|n| *n > 0)? };
            (is_dir && package.folder() == name).then_some(Some(package))
        })
    }

    fn list_files(&self, package: &PackageRef) -> Result<Vec<StoredFile>> {
        self.mounted()?;
        let folder = self.folder(package);
        let mut found = Vec::new();
        if self.leads_elsewhere(package, "") {
            return Ok(found);
        }
        walk(&folder, "", &mut found)?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }
}

/// Whether a folder stands there. That nobody may look, or that the disk does not answer, is an error and no answer.
fn is_folder(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(meta.is_dir()),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(e).at_path(path),
    }
}

/// A plain file and nothing else. To a vault, whose copies can be told apart, anything else is a missing file.
fn plain_file(path: &Path) -> Result<File> {
    durable::open_plain(path).map_err(|error| match error.code {
        Code::FileNotPlain => foreign(path),
        _ => error,
    })
}

fn foreign(path: &Path) -> Error {
    Error::new(Code::FileMissing, "there is something else under that name").at(path.display())
}

/// Whether two files hold the same bytes; `None` when the second is not there.
fn same(ours: &Path, theirs: &Path) -> Result<Option<bool>> {
    if fs::symlink_metadata(theirs).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let (mut a, mut b) = (
        durable::open_plain(ours)?,
        match plain_file(theirs) {
            Err(error) if error.code == Code::FileMissing => return Ok(Some(false)),
            other => other?,
        },
    );
    if a.metadata().at_path(ours)?.len() != b.metadata().at_path(theirs)?.len() {
        return Ok(Some(false));
    }
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let n = a.read(&mut left).at_path(ours)?;
        if n == 0 {
            return Ok(Some(true));
        }
        match b.read_exact(&mut right[..n]) {
            Ok(()) if left[..n] == right[..n] => {}
            Ok(()) => return Ok(Some(false)),
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(false)),
            Err(e) => return Err(Error::io(theirs.display(), e)),
        }
    }
}

/// Drops a synced file from the page cache, so that reading it back reads the disk. Only advice: failure changes nothing.
fn forget_cache(path: &Path) {
    if let Ok(file) = durable::open_plain(path) {
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
    }
}

/// Sorts a folder's entries: `Some(Some(item))` belongs, `Some(None)` belongs and is not listed, `None` is foreign.
fn list<T: Ord>(folder: &Path, accept: impl Fn(&str, bool) -> Option<Option<T>>) -> Result<Listing<T>> {
    let mut listing = Listing { items: Vec::new(), foreign: Vec::new() };
    for entry in fs::read_dir(folder).at_path(folder)? {
        let entry = entry.at_path(folder)?;
        // A link is foreign, wherever it leads: what stands behind it is not in this vault.
        let is_dir = entry.file_type().at_path(&entry.path())?.is_dir();
        match entry.file_name().to_str().and_then(|name| accept(name, is_dir)) {
            Some(item) => listing.items.extend(item),
            None => listing.foreign.push(entry.file_name().to_string_lossy().into_owned()),
        }
    }
    listing.items.sort();
    listing.foreign.sort();
    Ok(listing)
}

/// Collects everything below `folder`. A package is two levels deep; below that a folder is named and not entered.
fn walk(folder: &Path, above: &str, found: &mut Vec<StoredFile>) -> Result<()> {
    for entry in fs::read_dir(folder).at_path(folder)? {
        let entry = entry.at_path(folder)?;
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        let meta = entry.metadata().at_path(&entry.path())?;
        if meta.is_dir() && above.is_empty() && !name.starts_with('.') {
            walk(&entry.path(), &format!("{name}/"), found)?;
            continue;
        }
        let regular = meta.is_file() && check_name(&name).is_ok();
        found.push(StoredFile { name, bytes: meta.len(), mode: meta.permissions().mode() & 0o7777, regular });
    }
    Ok(())
}
