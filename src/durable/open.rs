//! Opening what is there: plain files and nothing else, never more of them in memory than is bearable.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::error::{AtPath, Code, Error, Result};

/// The folder that holds this name.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// `O_DIRECTORY`: a pipe that stands in a folder's place is an error and not a wait.
pub(super) fn open_directory(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

fn not_plain(path: &Path) -> Error {
    Error::new(Code::FileNotPlain, "").at(path.display())
}

pub(super) fn open_checked(options: &OpenOptions, path: &Path) -> Result<File> {
    let file = match options.open(path) {
        // A link under `O_NOFOLLOW`; a socket, or a device that is not there.
        Err(e)
            if [rustix::io::Errno::LOOP, rustix::io::Errno::NXIO]
                .map(|n| Some(n.raw_os_error()))
                .contains(&e.raw_os_error()) =>
        {
            return Err(not_plain(path));
        }
        other => other.at_path(path)?,
    };
    if file.metadata().at_path(path)?.is_file() { Ok(file) } else { Err(not_plain(path)) }
}

/// Opens a file of the archive for reading: a plain file and nothing else. Whoever can write to the folder could put a
/// link, a pipe or a device there, and reading it would show something else or wait for ever.
/// `open(O_NOFOLLOW|O_NONBLOCK)`, `fstat`.
pub fn open_plain(path: &Path) -> Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    open_checked(OpenOptions::new().read(true).custom_flags(flags.bits() as i32), path)
}

/// Opens a file that belongs to whoever runs the archive (its configuration, keys, anchors): a link is followed, since
/// operators keep such files elsewhere on purpose, but what is at its end must be a file.
/// `open(O_NONBLOCK)`, `fstat`.
pub fn open_linked(path: &Path) -> Result<File> {
    open_checked(OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32), path)
}

/// Whether nobody but root and who runs this process can write to an open file: neither group nor others by its mode, nor
/// another owner, who could change the mode.
pub fn only_ours(file: &File, path: &Path) -> Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let facts = file.metadata().at_path(path)?;
    let owner = facts.uid();
    Ok(facts.mode() & 0o022 == 0 && (owner == 0 || owner == rustix::process::geteuid().as_raw()))
}

/// [`Code::SecretExposed`] unless nobody but root and who runs this process can read, or change, an open file that holds a secret:
/// 0600 or 0400. A file of root's that its group may read is root's way to hand it to a service (systemd's `LoadCredential`).
pub fn must_be_secret(file: &File, path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let facts = file.metadata().at_path(path)?;
    let us = rustix::process::geteuid().as_raw();
    let handed = facts.uid() == 0 && us != 0 && facts.mode() & 0o037 == 0;
    if handed || ((facts.uid() == 0 || facts.uid() == us) && facts.mode() & 0o077 == 0) {
        return Ok(());
    }
    let detail = format!("mode {:04o}, owner {}", facts.mode() & 0o7777, facts.uid());
    Err(Error::new(Code::SecretExposed, detail).at(path.display()))
}

/// Largest file that is read whole: as large as an index of a package may be. No file decides our memory.
const LARGEST_WHOLE: u64 = 1 << 30;

fn read_whole(file: File, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::take(file, LARGEST_WHOLE + 1).read_to_end(&mut bytes).at_path(path)?;
    if bytes.len() as u64 > LARGEST_WHOLE {
        return Err(Error::new(Code::Io, format!("larger than {LARGEST_WHOLE} bytes")).at(path.display()));
    }
    Ok(bytes)
}

fn as_text(bytes: Vec<u8>, path: &Path) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error::new(Code::Io, "not UTF-8 text").at(path.display()))
}

/// The bytes of a file of the archive; see [`open_plain`].
pub fn read_plain(path: &Path) -> Result<Vec<u8>> {
    read_whole(open_plain(path)?, path)
}

/// The text of a file of the archive; see [`open_plain`].
pub fn read_plain_text(path: &Path) -> Result<String> {
    as_text(read_plain(path)?, path)
}

/// The bytes of a file that may be a link; see [`open_linked`].
pub fn read_linked(path: &Path) -> Result<Vec<u8>> {
    read_whole(open_linked(path)?, path)
}

/// The text of a file that may be a link; see [`open_linked`].
pub fn read_linked_text(path: &Path) -> Result<String> {
    as_text(read_linked(path)?, path)
}
