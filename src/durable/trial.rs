//! Debug builds only: a folder whose every operation is written down, and can be made to fail.
//!
//! What a power cut leaves cannot be seen on a running system: the page cache gives back what the disk never got. So the
//! operations below a watched folder are done as always and written down with their contents; `tests/powercut` plays them
//! back on a simulated disk, which forgets what was not synced, and opens the archive on what is left. Readers need no
//! simulation that way, and what is tested is the code that runs. The alternative, a file system in memory behind every
//! call, would have to imitate the readers too (memory maps, zstd, tantivy), and its gaps would pass for promises.
//!
//! Watching is by folder and not by process or thread: an archive has threads of its own, and many archives are tried at
//! the same time in one process.

mod event;

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::os::Op;
use event::{inode, tree};

pub use event::Event;

/// What goes wrong. Operations are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This operation fails with an input/output error and does nothing.
    Io(u64),
    /// This operation finds the disk full; a write is half done by then.
    Full(u64),
    /// From this operation on nothing is done any more, as if the process were dead.
    Dead(u64),
}

/// A folder being watched. When dropped, it is not any more.
pub struct Watched(Arc<Disk>);

struct Disk {
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    /// Names of the operations, in order, for people.
    names: Vec<String>,
    fault: Option<Fault>,
    /// Called after an operation below a folder, to keep what others write there.
    after: Vec<(PathBuf, Hook)>,
}

/// What is called after an operation, with the number of events so far.
pub type Hook = Arc<dyn Fn(&Path, usize) + Send + Sync>;

static DISKS: RwLock<Vec<Arc<Disk>>> = RwLock::new(Vec::new());

fn whole<T>(outcome: Result<T, PoisonError<T>>) -> T {
    outcome.unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    /// Watches everything below this folder.
    pub fn new(root: &Path) -> Self {
        let disk = Arc::new(Disk { root: root.to_owned(), state: Mutex::default() });
        whole(DISKS.write()).push(Arc::clone(&disk));
        Self(disk)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        whole(self.0.state.lock())
    }

    /// What goes wrong from now on; counting goes on where it was. Says whether what was to go wrong so far has.
    pub fn fail(&self, fault: Option<Fault>) -> bool {
        let mut state = self.state();
        let done = state.names.len() as u64;
        let before = std::mem::replace(&mut state.fault, fault);
        before.is_some_and(|(Fault::Io(at) | Fault::Full(at) | Fault::Dead(at))| done >= at)
    }

    /// Operations so far, also those that failed.
    pub fn operations(&self) -> u64 {
        self.state().names.len() as u64
    }

    /// What an operation was, for people.
    pub fn name_of(&self, operation: u64) -> String {
        self.state().names.get((operation as usize).wrapping_sub(1)).cloned().unwrap_or_default()
    }

    /// Says how far the trial is: between two events.
    pub fn mark(&self, progress: usize) {
        self.state().events.push(Event::Mark(progress));
    }

    /// Calls after every operation below `folder`.
    pub fn after(&self, folder: &Path, hook: Hook) {
        self.state().after.push((folder.to_owned(), hook));
    }

    /// What happened so far.
    pub fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        whole(DISKS.write()).retain(|disk| !Arc::ptr_eq(disk, &self.0));
    }
}

/// Does the operation; when its folder is watched, it is written down or fails.
pub(super) fn perform<T>(op: Op<'_>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let disk = whole(DISKS.read()).iter().find(|disk| op.path().starts_with(&disk.root)).cloned();
    let Some(disk) = disk else { return act() };
    let mut state = whole(disk.state.lock());
    state.names.push(format!("{} {}", op.name(), op.path().strip_prefix(&disk.root).unwrap_or(op.path()).display()));
    let number = state.names.len() as u64;
    match state.fault {
        Some(Fault::Io(at)) if at == number => {
            state.events.extend(failed(op)?);
            return Err(rustix::io::Errno::IO.into());
        }
        Some(Fault::Full(at)) if at == number => {
            state.events.extend(failed(op)?);
            state.events.extend(half(op)?);
            return Err(rustix::io::Errno::NOSPC.into());
        }
        Some(Fault::Dead(from)) if number >= from => return Err(rustix::io::Errno::IO.into()),
        _ => {}
    }
    let mut events = match op {
        Op::RemoveTree(path) if fs::symlink_metadata(path).is_err() => Vec::new(),
        op => op.events()?,
    };
    let done = act()?;
    if let [Event::Created(path, inode)] = &mut events[..] {
        *inode = fs::symlink_metadata(path)?.ino();
    }
    state.events.extend(events);
    let at = state.events.len();
    let hook = state.after.iter().find(|(folder, _)| op.path().starts_with(folder)).map(|(_, hook)| Arc::clone(hook));
    if let Some(hook) = hook {
        hook(op.path(), at);
    }
    Ok(done)
}

/// What a failed operation does to the disk all the same.
fn failed(op: Op<'_>) -> io::Result<Option<Event>> {
    Ok(match op {
        Op::SyncFile(file, _) => Some(Event::SyncFailed(inode(file)?)),
        Op::SyncFolder(path) => Some(Event::FolderSyncFailed(path.to_owned())),
        _ => None,
    })
}

/// The half of an operation that is done before the disk is full.
fn half(op: Op<'_>) -> io::Result<Vec<Event>> {
    match op {
        Op::Write(mut file, _, bytes) | Op::Append(mut file, _, bytes) => {
            let bytes = &bytes[..bytes.len() / 2];
            file.write_all(bytes)?;
            Ok(vec![Event::Written(inode(file)?, bytes.to_vec())])
        }
        Op::RemoveTree(path) if path.is_dir() => {
            let mut all = tree(path)?;
            all.truncate(all.len() / 2);
            for path in &all {
                if path.is_dir() { fs::remove_dir(path)? } else { fs::remove_file(path)? }
            }
            Ok(all.into_iter().map(Event::Removed).collect())
        }
        _ => Ok(Vec::new()),
    }
}
