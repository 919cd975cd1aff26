//! What an operation does to a disk.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::durable::os::Op;

/// Something that happened to the disk. Files are named by their inode: names come and go.
#[derive(Debug, Clone)]
pub enum Event {
    /// A folder was made.
    Folder(PathBuf),
    /// A file was made, with this inode.
    Created(PathBuf, u64),
    /// Bytes were added at the end of a file.
    Written(u64, Vec<u8>),
    /// Bytes were written again where they stood, from this offset on.
    Rewritten(u64, u64, Vec<u8>),
    /// A file got this length.
    Length(u64, u64),
    /// A file got this mode.
    Mode(u64, u32),
    /// A file was synced.
    Synced(u64),
    /// A file could not be synced: what was not on disk yet may never get there, and no later call will say so.
    SyncFailed(u64),
    /// The names in a folder were synced.
    FolderSynced(PathBuf),
    /// They could not be.
    FolderSyncFailed(PathBuf),
    /// A file got a second name.
    Linked(PathBuf, PathBuf),
    /// A file or folder got another name.
    Renamed(PathBuf, PathBuf),
    /// A file, or an empty folder, lost its name.
    Removed(PathBuf),
    /// The trial says how far it is.
    Mark(usize),
}

impl fmt::Display for Event {
    /// For people who read why a trial failed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(inode, bytes) => write!(f, "written: {} bytes to inode {inode}", bytes.len()),
            Self::Rewritten(inode, at, bytes) => {
                write!(f, "written again: {} bytes at {at} of inode {inode}", bytes.len())
            }
            other => write!(f, "{other:?}"),
        }
    }
}

impl Op<'_> {
    pub(super) fn path(&self) -> &Path {
        match self {
            Op::MakeFolder(path) | Op::Create(path) | Op::SyncFolder(path) | Op::Remove(path) => path,
            Op::Discard(path) | Op::RemoveTree(path) | Op::Link(_, path) | Op::Rename(_, path) => path,
            Op::Write(_, path, _) | Op::Append(_, path, _) | Op::SyncFile(_, path) => path,
            Op::SetLength(_, path, _) | Op::SetMode(_, path, _) | Op::Rewrite(_, path, ..) => path,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Op::MakeFolder(_) => "mkdir",
            Op::Create(_) => "create",
            Op::Write(..) => "write",
            Op::Append(..) => "append",
            Op::Rewrite(..) => "write again",
            Op::SetLength(..) => "truncate",
            Op::SetMode(..) => "chmod",
            Op::SyncFile(..) => "fsync",
            Op::SyncFolder(_) => "fsync folder",
            Op::Link(..) => "link",
            Op::Rename(..) => "rename",
            Op::Remove(_) | Op::Discard(_) => "unlink",
            Op::RemoveTree(_) => "remove tree",
        }
    }

    /// What it will have done to the disk.
    pub(super) fn events(&self) -> io::Result<Vec<Event>> {
        Ok(match *self {
            Op::MakeFolder(path) => vec![Event::Folder(path.to_owned())],
            // Its inode is known afterwards only.
            Op::Create(path) => vec![Event::Created(path.to_owned(), 0)],
            Op::Write(file, _, bytes) | Op::Append(file, _, bytes) => {
                vec![Event::Written(inode(file)?, bytes.to_vec())]
            }
            Op::Rewrite(file, _, at, bytes) => vec![Event::Rewritten(inode(file)?, at, bytes.to_vec())],
            Op::SetLength(file, _, length) => vec![Event::Length(inode(file)?, length)],
            Op::SetMode(file, _, mode) => vec![Event::Mode(inode(file)?, mode)],
            Op::SyncFile(file, _) => vec![Event::Synced(inode(file)?)],
            Op::SyncFolder(path) => vec![Event::FolderSynced(path.to_owned())],
            Op::Link(from, to) => vec![Event::Linked(from.to_owned(), to.to_owned())],
            Op::Rename(from, to) => vec![Event::Renamed(from.to_owned(), to.to_owned())],
            Op::Remove(path) | Op::Discard(path) => vec![Event::Removed(path.to_owned())],
            Op::RemoveTree(path) => tree(path)?.into_iter().map(Event::Removed).collect(),
        })
    }
}

pub(super) fn inode(file: &File) -> io::Result<u64> {
    file.metadata().map(|facts| facts.ino())
}

/// A folder and all in it, in the order in which it can be removed.
pub(super) fn tree(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    let mut names: Vec<OsString> = fs::read_dir(folder)?.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    for name in names {
        let path = folder.join(name);
        if fs::symlink_metadata(&path)?.is_dir() {
            all.extend(tree(&path)?);
        } else {
            all.push(path);
        }
    }
    all.push(folder.to_owned());
    Ok(all)
}
