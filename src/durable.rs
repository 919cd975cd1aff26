//! What survives a power cut. Nobody else calls `fsync`, `rename`, `link` or `unlink` (invariant I8).
//!
//! Each function says what is durable when it returns, and its comment gives the sequence of system calls. A directory's
//! descriptor is opened *before* the name in it changes and synced through that same descriptor, or a write error on the
//! directory would be lost. `fsync` is never retried: after an error the kernel may have dropped the dirty pages, and a
//! second call would lie.
//!
//! In debug builds every durable step is counted and can be made the last one (`CUSTODE_TEST_ABORT_AT=n` aborts the
//! process *before* step n, as a power cut would) or fail (`CUSTODE_TEST_FAIL=enospc@n`, `eio@n`; `@n+` from n on).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{AtPath, Code, Error, Result};

/// Mode of what is never written again.
pub const MODE_SEALED: u32 = 0o444;
/// Mode of secrets.
pub const MODE_SECRET: u32 = 0o600;
/// Mode of everything else an archive holds.
pub const MODE_PLAIN: u32 = 0o640;
/// Mode of folders.
pub const MODE_DIR: u32 = 0o750;

#[cfg(debug_assertions)]
mod fault {
    use std::io;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static STEPS: AtomicU64 = AtomicU64::new(0);
    static ABORT_AT: LazyLock<Option<u64>> =
        LazyLock::new(|| std::env::var("CUSTODE_TEST_ABORT_AT").ok().and_then(|n| n.parse().ok()));
    static FAIL: LazyLock<Option<(i32, u64, bool)>> = LazyLock::new(|| {
        let text = std::env::var("CUSTODE_TEST_FAIL").ok()?;
        let (what, at) = text.split_once('@')?;
        let errno = match what {
            "enospc" => rustix::io::Errno::NOSPC.raw_os_error(),
            _ => rustix::io::Errno::IO.raw_os_error(),
        };
        let onwards = at.ends_with('+');
        Some((errno, at.trim_end_matches('+').parse().ok()?, onwards))
    });

    pub fn step() -> io::Result<()> {
        if ABORT_AT.is_none() && FAIL.is_none() {
            return Ok(());
        }
        let n = STEPS.fetch_add(1, Ordering::SeqCst) + 1;
        if *ABORT_AT == Some(n) {
            std::process::abort();
        }
        match *FAIL {
            Some((errno, at, onwards)) if n == at || (onwards && n > at) => Err(io::Error::from_raw_os_error(errno)),
            _ => Ok(()),
        }
    }
}

#[cfg(not(debug_assertions))]
mod fault {
    #[inline(always)]
    pub fn step() -> std::io::Result<()> {
        Ok(())
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// `O_DIRECTORY`: a pipe that stands in a folder's place is an error and not a wait.
fn open_directory(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

fn not_plain(path: &Path) -> Error {
    Error::new(Code::FileNotPlain, "").at(path.display())
}

fn open_checked(options: &OpenOptions, path: &Path) -> Result<File> {
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

fn sync(file: &File) -> io::Result<()> {
    fault::step()?;
    file.sync_all()
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    path.with_file_name(name)
}

/// Makes a folder and every missing parent; durable on return. Fine when it is already there.
/// `mkdir` each, `fsync` of each parent that gained a name.
pub fn create_dir_all(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = parent(path);
    if above != path {
        create_dir_all(above)?;
    }
    let directory = open_directory(above).at_path(above)?;
    fault::step().at_path(path)?;
    match DirBuilder::new().mode(MODE_DIR).create(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other.at_path(path)?,
    }
    sync(&directory).at_path(above)
}

/// Writes a file that must not be there yet; content and name are durable on return, and no half file is ever visible.
/// An existing file is an error of kind `AlreadyExists` and is left alone.
/// `open(dir)`, `open(tmp, O_CREAT|O_TRUNC)`, `write`, `fsync(tmp)`, `link(tmp, path)` (fails if present), `unlink(tmp)`,
/// `fsync(dir)`.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let directory = open_directory(parent(path)).at_path(parent(path))?;
    let tmp = temporary(path);
    write_temporary(&tmp, bytes, mode).at_path(&tmp)?;
    fault::step().and_then(|()| fs::hard_link(&tmp, path)).at_path(path)?;
    fault::step().and_then(|()| fs::remove_file(&tmp)).at_path(&tmp)?;
    sync(&directory).at_path(parent(path))
}

/// Writes or replaces a file; on return the new content is durable under its name, and at no moment is the name missing
/// or half written.
/// `open(dir)`, `open(tmp)`, `write`, `fsync(tmp)`, `rename(tmp, path)`, `fsync(dir)`.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let directory = open_directory(parent(path)).at_path(parent(path))?;
    let tmp = temporary(path);
    write_temporary(&tmp, bytes, mode).at_path(&tmp)?;
    fault::step().and_then(|()| fs::rename(&tmp, path)).at_path(path)?;
    sync(&directory).at_path(parent(path))
}

fn write_temporary(tmp: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    // A temporary left by a power cut may be read-only; it is nobody's, so it goes.
    if tmp.exists() {
        fs::remove_file(tmp)?;
    }
    fault::step()?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(tmp)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    sync(&file)
}

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
        fault::step().at_path(path)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path).at_path(path)?;
        Ok(Self { file, path: path.to_owned(), mode })
    }

    /// Sets the mode, syncs content (`fchmod`, `fsync`) and the directory that holds the name; durable on return.
    pub fn finish(self) -> Result<()> {
        let directory = open_directory(parent(&self.path)).at_path(parent(&self.path))?;
        self.file.set_permissions(fs::Permissions::from_mode(self.mode)).at_path(&self.path)?;
        sync(&self.file).at_path(&self.path)?;
        sync(&directory).at_path(parent(&self.path))
    }

    /// Syncs content but leaves the directory to the caller, who syncs it once for many files with [`sync_dir`].
    pub fn finish_without_dir(self) -> Result<()> {
        self.file.set_permissions(fs::Permissions::from_mode(self.mode)).at_path(&self.path)?;
        sync(&self.file).at_path(&self.path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A file for whoever asked for it, outside the archive: written beside its place and given its name when it is whole.
/// An existing file of that name is never touched: not when it starts, not when somebody made one meanwhile. Dropped
/// unfinished, nothing is left.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    done: bool,
}

impl NewFile {
    /// Starts it. An existing file (or anything else) of that name is an error of kind `AlreadyExists`.
    pub fn start(path: &Path) -> Result<Self> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists)).at_path(path);
        }
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.part", std::process::id()));
        let temporary = path.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary).at_path(&temporary)?;
        Ok(Self { file, temporary, path: path.to_owned(), done: false })
    }

    /// Gives it its name; durable on return.
    /// `fsync`, `link` (fails if present), `unlink`, `fsync(dir)`.
    pub fn finish(mut self) -> Result<()> {
        let directory = open_directory(parent(&self.path)).at_path(parent(&self.path))?;
        sync(&self.file).at_path(&self.temporary)?;
        fault::step().at_path(&self.path)?;
        match fs::hard_link(&self.temporary, &self.path) {
            Ok(()) => fs::remove_file(&self.temporary).at_path(&self.temporary)?,
            // A stick without hard links: looked at, then renamed; nobody else writes there in between, mostly.
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists && fs::symlink_metadata(&self.path).is_err() => {
                fs::rename(&self.temporary, &self.path).at_path(&self.path)?;
            }
            Err(e) => return Err(e).at_path(&self.path),
        }
        self.done = true;
        sync(&directory).at_path(parent(&self.path))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.done {
            // Nobody was promised anything of it.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

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
            fault::step().at_path(path)?;
        }
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.append(true).read(true).create(true).mode(mode).custom_flags(flags.bits() as i32);
        let file = open_checked(&options, path)?;
        if fresh {
            sync(&directory).at_path(parent(path))?;
        }
        let length = file.metadata().at_path(path)?.len();
        Ok(Self { file, path: path.to_owned(), length })
    }

    /// Appends and syncs; durable on return. After an error nothing is known of the tail: the caller must not append to
    /// this file again (and never retries the sync).
    /// `write(O_APPEND)`, `fdatasync`.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        fault::step().and_then(|()| self.file.write_all(bytes)).at_path(&self.path)?;
        fault::step().and_then(|()| self.file.sync_data()).at_path(&self.path)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Cuts the file back to `length` and syncs: only for a tail that recovery has copied elsewhere first.
    pub fn cut(&mut self, length: u64) -> Result<()> {
        fault::step().and_then(|()| self.file.set_len(length)).at_path(&self.path)?;
        sync(&self.file).at_path(&self.path)?;
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

/// Renames within one file system; both directories durable on return. Replaces a file, never a folder with something in
/// it.
/// `open` both directories, `rename`, `fsync` both.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let (old, new) = (parent(from), parent(to));
    let old_directory = open_directory(old).at_path(old)?;
    let new_directory = open_directory(new).at_path(new)?;
    fault::step().and_then(|()| fs::rename(from, to)).at_path(to)?;
    sync(&new_directory).at_path(new)?;
    if old != new { sync(&old_directory).at_path(old) } else { Ok(()) }
}

/// Removes a file; durable on return. Fine when it is not there.
/// `open(dir)`, `unlink`, `fsync(dir)`.
pub fn remove_file(path: &Path) -> Result<()> {
    let directory = open_directory(parent(path)).at_path(parent(path))?;
    fault::step().at_path(path)?;
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.at_path(path)?,
    }
    sync(&directory).at_path(parent(path))
}

/// Removes a temporary file that was never durable and that nobody would miss: not synced, so it may be there again after
/// a power cut. Fine when it is not there.
/// `unlink`.
pub fn discard(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.at_path(path),
    }
}

/// Removes a folder and all in it (staging, a projection: never a sealed package); durable on return.
pub fn remove_dir_all(path: &Path) -> Result<()> {
    let directory = open_directory(parent(path)).at_path(parent(path))?;
    fault::step().at_path(path)?;
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.at_path(path)?,
    }
    sync(&directory).at_path(parent(path))
}

/// Syncs a directory: the names in it are durable on return.
pub fn sync_dir(path: &Path) -> Result<()> {
    let directory = open_directory(path).at_path(path)?;
    sync(&directory).at_path(path)
}

/// Syncs a file somebody else wrote (sled's database file).
pub fn sync_file(path: &Path) -> Result<()> {
    let file = open_plain(path)?;
    sync(&file).at_path(path)
}

/// Copies a file to a new name, 0444 or as told, durable on return; returns its length.
pub fn copy_new(from: &Path, to: &Path, mode: u32) -> Result<u64> {
    let mut source = open_plain(from)?;
    let mut target = Writing::start(to, mode)?;
    let length = io::copy(&mut source, &mut target).at_path(to)?;
    target.finish()?;
    Ok(length)
}

/// Takes the exclusive operating-system lock of `path` (made when missing, 0600). `None` when another process holds it.
/// The lock lives as long as the returned file.
pub fn lock(path: &Path) -> Result<Option<File>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(MODE_SECRET).custom_flags(flags.bits() as i32);
    let file = open_checked(&options, path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(e)) => Err(e).at_path(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_new_file_is_never_overwritten_and_replace_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_new(&path, b"one", MODE_SEALED).unwrap();
        assert!(write_new(&path, b"two", MODE_SEALED).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o444);
        replace(&path, b"three", MODE_PLAIN).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().filter(|e| e.as_ref().unwrap().file_name() != ".a.tmp").count(),
            1
        );
    }

    #[test]
    fn a_file_for_somebody_is_whole_or_not_there_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("copia.eml");
        let names = || fs::read_dir(dir.path()).unwrap().count();
        let mut half = NewFile::start(&path).unwrap();
        half.write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(half);
        assert_eq!(names(), 0);
        let mut whole = NewFile::start(&path).unwrap();
        whole.write_all(b"whole").unwrap();
        whole.finish().unwrap();
        assert_eq!((fs::read(&path).unwrap(), names()), (b"whole".to_vec(), 1));
        assert!(NewFile::start(&path).is_err());
        // One that came meanwhile stays as it is.
        let other = dir.path().join("altra.eml");
        let mut late = NewFile::start(&other).unwrap();
        late.write_all(b"late").unwrap();
        fs::write(&other, "first").unwrap();
        assert!(late.finish().is_err());
        assert_eq!((fs::read(&other).unwrap(), names()), (b"first".to_vec(), 2));
    }

    #[test]
    fn a_lock_is_held_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = lock(&path).unwrap();
        assert!(held.is_some());
        assert!(lock(&path).unwrap().is_none());
        drop(held);
        assert!(lock(&path).unwrap().is_some());
    }

    #[test]
    fn only_plain_files_are_opened_and_nothing_hangs() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("device")).unwrap();
        std::os::unix::fs::symlink(at("pipe"), at("to-pipe")).unwrap();
        fs::create_dir(at("folder")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        assert_eq!(read_plain_text(&at("file")).unwrap(), "text");
        for name in ["link", "device", "to-pipe", "folder", "pipe", "socket"] {
            let code = |error: Error| (error.code, error.place);
            let expected = (Code::FileNotPlain, at(name).display().to_string());
            assert_eq!(code(read_plain(&at(name)).unwrap_err()), expected);
            if name != "link" {
                assert_eq!(code(read_linked(&at(name)).unwrap_err()), expected);
            }
            if name != "folder" {
                assert_eq!(code(Appending::open(&at(name), MODE_PLAIN).unwrap_err()), expected);
                assert_eq!(code(lock(&at(name)).unwrap_err()), expected);
            }
        }
        assert_eq!(read_linked_text(&at("link")).unwrap(), "text");
        assert_eq!(read_plain(&at("none")).unwrap_err().code, Code::FileMissing);
        assert!(write_new(&at("pipe/x"), b"", MODE_PLAIN).is_err());
    }

    #[test]
    fn errors_name_the_path() {
        let error = write_new(Path::new("/nonexistent-folder/x"), b"", MODE_PLAIN).unwrap_err();
        assert_eq!(error.code, Code::FileMissing);
        assert!(error.place.contains("/nonexistent-folder"));
    }
}
