//! The primitive operations: each is one thing that a disk does or does not do, and everything durable is made of them.
//!
//! Invariant: outside this file no operation of `durable` changes a file, a name or a folder, so whoever stands between
//! [`perform`] and the system sees all of them. Release builds put nothing there.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::MODE_DIR;

/// An operation about to be done.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(debug_assertions), allow(dead_code))]
pub(super) enum Op<'a> {
    /// `mkdir`.
    MakeFolder(&'a Path),
    /// `open(O_CREAT)` of a file that is not there.
    Create(&'a Path),
    /// `write` behind what was written before, to a file of which nothing counts yet.
    Write(&'a File, &'a Path, &'a [u8]),
    /// `write(O_APPEND)`, to a file of which something counts already.
    Append(&'a File, &'a Path, &'a [u8]),
    /// `pwrite` of the bytes that stand there already.
    Rewrite(&'a File, &'a Path, u64, &'a [u8]),
    /// `ftruncate`.
    SetLength(&'a File, &'a Path, u64),
    /// `fchmod`.
    SetMode(&'a File, &'a Path, u32),
    /// `fsync` or `fdatasync`.
    SyncFile(&'a File, &'a Path),
    /// `fsync` of a directory.
    SyncFolder(&'a Path),
    /// `link`.
    Link(&'a Path, &'a Path),
    /// `rename`.
    Rename(&'a Path, &'a Path),
    /// `unlink`.
    Remove(&'a Path),
    /// `unlink` of what nobody would miss.
    Discard(&'a Path),
    /// `unlink` and `rmdir` of a folder and all in it.
    RemoveTree(&'a Path),
}

#[cfg(debug_assertions)]
fn perform<T>(op: Op<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    super::fault::step(op)?;
    super::trial::perform(op, act)
}

#[cfg(not(debug_assertions))]
#[inline(always)]
fn perform<T>(_: Op<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    act()
}

pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    perform(Op::MakeFolder(path), || DirBuilder::new().mode(MODE_DIR).create(path))
}

/// A new file, to be read and written.
pub(super) fn create(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(mode);
    perform(Op::Create(path), || options.open(path))
}

pub(super) fn write(mut file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    perform(Op::Write(file, path, bytes), || file.write_all(bytes))
}

pub(super) fn append(mut file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    perform(Op::Append(file, path, bytes), || file.write_all(bytes))
}

/// Not for a file opened with `O_APPEND`: Linux would append.
pub(super) fn rewrite(file: &File, path: &Path, at: u64, bytes: &[u8]) -> io::Result<()> {
    perform(Op::Rewrite(file, path, at, bytes), || file.write_all_at(bytes, at))
}

pub(super) fn set_length(file: &File, path: &Path, length: u64) -> io::Result<()> {
    perform(Op::SetLength(file, path, length), || file.set_len(length))
}

pub(super) fn set_mode(file: &File, path: &Path, mode: u32) -> io::Result<()> {
    perform(Op::SetMode(file, path, mode), || file.set_permissions(fs::Permissions::from_mode(mode)))
}

pub(super) fn sync(file: &File, path: &Path) -> io::Result<()> {
    perform(Op::SyncFile(file, path), || file.sync_all())
}

pub(super) fn sync_data(file: &File, path: &Path) -> io::Result<()> {
    perform(Op::SyncFile(file, path), || file.sync_data())
}

/// `directory` is the open descriptor of the folder `path`.
pub(super) fn sync_folder(directory: &File, path: &Path) -> io::Result<()> {
    perform(Op::SyncFolder(path), || directory.sync_all())
}

pub(super) fn link(from: &Path, to: &Path) -> io::Result<()> {
    perform(Op::Link(from, to), || fs::hard_link(from, to))
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    perform(Op::Rename(from, to), || fs::rename(from, to))
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    perform(Op::Remove(path), || fs::remove_file(path))
}

pub(super) fn discard(path: &Path) -> io::Result<()> {
    perform(Op::Discard(path), || fs::remove_file(path))
}

pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    perform(Op::RemoveTree(path), || fs::remove_dir_all(path))
}
