//! What every copy of a package is, file by file, held against the chain.
//!
//! Invariant: a file is good only when all its bytes were read and are those the chain committed; every vault that is there is
//! read in full before anything is taken from it.

use std::collections::BTreeMap;
use std::io::Read as _;

use super::Kept;
use crate::archive::Archive;
use crate::error::{Code, Error, Result};
use crate::hash::{Digests, Hasher};
use crate::id::PackageRef;
use crate::package::FileFacts;
use crate::vault::{ReadSeek, Source, StoredFile, Vault};

/// Read at a time.
const STEP: usize = 1 << 20;

/// What stands in the place of a file.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// As committed.
    Good,
    /// Nothing.
    Missing,
    /// Other bytes: what they are, and the length that the vault tells.
    Altered(Digests, u64),
    /// A link, a pipe, a folder.
    NotPlain,
    /// It could not be read to its end.
    Unreadable(String),
}

impl State {
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Good)
    }

    /// In words, for reports.
    pub fn to_text(&self) -> String {
        match self {
            Self::Good => "good".to_owned(),
            Self::Missing => "missing".to_owned(),
            Self::Altered(found, length) => format!("altered: {length} bytes, SHA-256 {}", found.sha256),
            Self::NotPlain => "not a plain file".to_owned(),
            Self::Unreadable(why) => format!("cannot be read: {why}"),
        }
    }
}

/// One copy.
pub(super) struct CopySeen<'a> {
    pub kept: &'a Kept,
    /// Whether the package has a folder there.
    pub folder: bool,
    /// One a file, in the order of [`Survey::files`].
    pub states: Vec<State>,
}

impl CopySeen<'_> {
    pub fn vault(&self) -> &dyn Vault {
        self.kept.vault.as_ref()
    }

    /// What of the copy is not as committed.
    pub fn bad(&self) -> Vec<usize> {
        (0..self.states.len()).filter(|n| !self.states[*n].is_good()).collect()
    }
}

/// Every copy of one package.
pub(super) struct Survey<'a> {
    pub files: Vec<FileFacts>,
    pub copies: Vec<CopySeen<'a>>,
    /// Vaults that are not there, or whose folder could not be listed.
    pub away: Vec<(String, Error)>,
}

impl<'a> Survey<'a> {
    /// The first copy in which a file is good.
    pub fn good(&self, file: usize) -> Option<&CopySeen<'a>> {
        self.copies.iter().find(|copy| copy.states[file].is_good())
    }

    /// For each file, whichever vault has it right.
    pub fn sources(&self) -> Sources<'_> {
        let pairs = self.files.iter().enumerate();
        Sources(pairs.filter_map(|(n, file)| Some((file.name.as_str(), self.good(n)?.vault()))).collect())
    }
}

/// For each file of a package, the vault that it is taken from.
pub(super) struct Sources<'a>(pub BTreeMap<&'a str, &'a dyn Vault>);

impl Source for Sources<'_> {
    fn name(&self) -> &str {
        "copies"
    }

    fn open(&self, package: &PackageRef, file: &str) -> Result<Box<dyn ReadSeek + Send>> {
        let vault = self.0.get(file).ok_or_else(|| Error::new(Code::CopiesLost, "").at(file))?;
        vault.open(package, file)
    }
}

impl Archive {
    /// Reads every file of a package in every vault that is there. `progress` is told of every step's bytes.
    pub(super) fn survey(&self, package: &PackageRef, progress: &mut dyn FnMut(u64)) -> Result<Survey<'_>> {
        let files = self.committed_files(package)?.files;
        let (mut copies, mut away) = (Vec::new(), Vec::new());
        for kept in &self.copies.kept {
            let vault = kept.vault.as_ref();
            let listed = vault.mounted().and_then(|()| match vault.exists(package)? {
                true => vault.list_files(package).map(Some),
                false => Ok(None),
            });
            match listed {
                Ok(listed) => {
                    let all = listed.as_deref().unwrap_or_default();
                    let states = files.iter().map(|file| look(vault, package, file, all, progress)).collect();
                    copies.push(CopySeen { kept, folder: listed.is_some(), states });
                }
                Err(error) => away.push((vault.name().to_owned(), error)),
            }
        }
        Ok(Survey { files, copies, away })
    }
}

fn look(
    vault: &dyn Vault,
    package: &PackageRef,
    file: &FileFacts,
    listed: &[StoredFile],
    progress: &mut dyn FnMut(u64),
) -> State {
    let Some(found) = listed.iter().find(|found| found.name == file.name) else { return State::Missing };
    if !found.regular {
        return State::NotPlain;
    }
    // One byte too many is enough to know that it is longer.
    let read = vault.open(package, &file.name).and_then(|open| {
        let (mut hasher, mut buffer, mut open) = (Hasher::new(), vec![0; STEP], open.take(file.length + 1));
        loop {
            let n = open.read(&mut buffer).map_err(|e| Error::io(&file.name, e))?;
            if n == 0 {
                return Ok(hasher.finish());
            }
            hasher.update(&buffer[..n]);
            progress(n as u64);
        }
    });
    let expected = Digests { bytes: file.length, sha256: file.sha256, blake3: file.blake3 };
    match read {
        Ok(digests) if digests == expected => State::Good,
        Ok(digests) => State::Altered(digests, found.bytes),
        Err(error) => State::Unreadable(error.detail),
    }
}
