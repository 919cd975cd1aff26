//! The simulated disk: what is on it, and what the system only says is on it.
//!
//! The rules are POSIX's and no kinder: syncing a file makes its contents durable and not its name; syncing a folder makes
//! its names durable and not what they name; what was not synced may be there or not. A rename within a folder is one thing;
//! across folders the new name may come before the old one goes, never after. A file whose sync failed keeps on disk what was
//! there before: no later sync brings back what the system dropped. A folder's names may still be synced later, since no
//! file system forgets them without stopping altogether.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custode::durable::trial::Event;

/// Number of a file or folder.
pub type Id = usize;
/// The folder that everything is in.
pub const ROOT: Id = 0;

/// A file's bytes and mode.
#[derive(Clone)]
pub struct Content {
    pub bytes: Arc<Vec<u8>>,
    pub mode: u32,
}

/// Something that happened to a file and is not synced.
#[derive(Clone)]
pub enum Change {
    Write { at: usize, bytes: Arc<Vec<u8>> },
    Length(usize),
    Mode(u32),
}

/// A file.
pub struct File {
    /// What a power cut leaves for certain.
    pub disk: Content,
    /// What a running system reads.
    pub now: Content,
    /// How the one became the other; those that no sync will ever write are marked.
    pub pending: Vec<(Change, bool)>,
}

pub type Names = BTreeMap<OsString, Id>;

/// A folder.
#[derive(Default)]
pub struct Folder {
    pub disk: Names,
    pub now: Names,
}

pub enum Node {
    File(File),
    Folder(Folder),
}

/// A name that changed and is not synced. All names of one change come together.
pub struct Renaming {
    pub folder: Id,
    pub names: Vec<(OsString, Option<Id>)>,
    /// What must be on disk for this to be.
    pub after: Option<u64>,
    pub number: u64,
}

/// See the module.
pub struct Disk {
    pub nodes: Vec<Node>,
    pub pending: Vec<Renaming>,
    /// The file that was written last.
    pub written: Option<Id>,
    inodes: HashMap<u64, Id>,
    root: PathBuf,
    numbers: u64,
    /// Below here others write: not simulated.
    outside: PathBuf,
}

impl Disk {
    /// A folder as it stands, all of it durable.
    pub fn of(root: &Path, outside: &Path) -> Self {
        let mut disk = Self {
            nodes: vec![Node::Folder(Folder::default())],
            pending: Vec::new(),
            written: None,
            inodes: HashMap::new(),
            root: root.to_owned(),
            numbers: 0,
            outside: outside.to_owned(),
        };
        disk.read(root, ROOT);
        disk
    }

    fn read(&mut self, path: &Path, folder: Id) {
        for entry in std::fs::read_dir(path).unwrap() {
            let entry = entry.unwrap();
            if entry.path() == self.outside {
                continue;
            }
            let facts = entry.metadata().unwrap();
            let id = self.nodes.len();
            if facts.is_dir() {
                self.nodes.push(Node::Folder(Folder::default()));
                self.read(&entry.path(), id);
            } else {
                let mode = facts.permissions().mode() & 0o7777;
                let content = Content { bytes: Arc::new(std::fs::read(entry.path()).unwrap()), mode };
                self.nodes.push(Node::File(File { disk: content.clone(), now: content, pending: Vec::new() }));
                self.inodes.insert(facts.ino(), id);
            }
            let names = self.folder(folder);
            names.disk.insert(entry.file_name(), id);
            names.now.insert(entry.file_name(), id);
        }
    }

    fn folder(&mut self, id: Id) -> &mut Folder {
        match &mut self.nodes[id] {
            Node::Folder(folder) => folder,
            Node::File(_) => panic!("a file where a folder was"),
        }
    }

    fn file(&mut self, inode: u64) -> Option<(Id, &mut File)> {
        let id = *self.inodes.get(&inode)?;
        match &mut self.nodes[id] {
            Node::File(file) => Some((id, file)),
            Node::Folder(_) => panic!("a folder where a file was"),
        }
    }

    /// What a path names on the running system.
    fn find(&self, path: &Path) -> Option<Id> {
        let mut at = ROOT;
        for name in path.strip_prefix(&self.root).unwrap().components() {
            let Node::Folder(folder) = &self.nodes[at] else { return None };
            at = *folder.now.get(name.as_os_str())?;
        }
        Some(at)
    }

    fn place(&self, path: &Path) -> (Id, OsString) {
        let above = self.find(path.parent().unwrap());
        (above.unwrap_or_else(|| panic!("{}: no folder", path.display())), path.file_name().unwrap().to_owned())
    }

    fn change(&mut self, folder: Id, names: Vec<(OsString, Option<Id>)>, after: Option<u64>) -> u64 {
        for (name, id) in &names {
            match id {
                Some(id) => self.folder(folder).now.insert(name.clone(), *id),
                None => self.folder(folder).now.remove(name),
            };
        }
        self.numbers += 1;
        self.pending.push(Renaming { folder, names, after, number: self.numbers });
        self.numbers
    }

    fn alter(&mut self, inode: u64, change: impl FnOnce(&File) -> Change) {
        let Some((id, file)) = self.file(inode) else { return };
        let change = change(file);
        apply(&mut file.now, &change);
        file.pending.push((change, false));
        self.written = Some(id);
    }

    /// Plays an event back.
    pub fn play(&mut self, event: &Event) {
        let outside = |path: &Path| path.starts_with(&self.outside);
        match event {
            Event::Folder(path) | Event::Created(path, _) | Event::FolderSynced(path) | Event::Removed(path)
                if outside(path) => {}
            Event::Linked(_, path) | Event::Renamed(_, path) if outside(path) => {}
            Event::Folder(path) => {
                let (folder, name) = self.place(path);
                let id = self.nodes.len();
                self.nodes.push(Node::Folder(Folder::default()));
                self.change(folder, vec![(name, Some(id))], None);
            }
            Event::Created(path, inode) => {
                let (folder, name) = self.place(path);
                let content = Content { bytes: Arc::default(), mode: 0o600 };
                let id = self.nodes.len();
                self.nodes.push(Node::File(File { disk: content.clone(), now: content, pending: Vec::new() }));
                self.inodes.insert(*inode, id);
                self.change(folder, vec![(name, Some(id))], None);
            }
            Event::Written(inode, bytes) => {
                self.alter(*inode, |file| Change::Write { at: file.now.bytes.len(), bytes: Arc::new(bytes.clone()) })
            }
            Event::Rewritten(inode, at, bytes) => {
                self.alter(*inode, |_| Change::Write { at: *at as usize, bytes: Arc::new(bytes.clone()) });
            }
            Event::Length(inode, length) => self.alter(*inode, |_| Change::Length(*length as usize)),
            Event::Mode(inode, mode) => self.alter(*inode, |_| Change::Mode(*mode)),
            Event::Synced(inode) => {
                if let Some((_, file)) = self.file(*inode) {
                    for (change, lost) in std::mem::take(&mut file.pending) {
                        if lost {
                            file.pending.push((change, lost));
                        } else {
                            apply(&mut file.disk, &change);
                        }
                    }
                }
            }
            Event::SyncFailed(inode) => {
                if let Some((_, file)) = self.file(*inode) {
                    file.pending.iter_mut().for_each(|(_, lost)| *lost = true);
                }
            }
            Event::FolderSynced(path) => {
                let folder = self.find(path).unwrap();
                self.sync(|renaming| renaming.folder == folder);
            }
            Event::FolderSyncFailed(_) | Event::Mark(_) => {}
            Event::Linked(from, to) => {
                let (id, (folder, name)) = (self.find(from).unwrap(), self.place(to));
                self.change(folder, vec![(name, Some(id))], None);
            }
            Event::Renamed(from, to) => {
                let (id, (old, old_name), (new, name)) = (self.find(from).unwrap(), self.place(from), self.place(to));
                if old == new {
                    self.change(new, vec![(old_name, None), (name, Some(id))], None);
                } else {
                    let came = self.change(new, vec![(name, Some(id))], None);
                    self.change(old, vec![(old_name, None)], Some(came));
                }
            }
            Event::Removed(path) => {
                let (folder, name) = self.place(path);
                self.change(folder, vec![(name, None)], None);
            }
        }
    }

    /// Writes names to the disk, and whatever must be there before them.
    fn sync(&mut self, which: impl Fn(&Renaming) -> bool) {
        let mut wanted: Vec<bool> = self.pending.iter().map(which).collect();
        close(&self.pending, &mut wanted);
        let mut chosen = wanted.into_iter();
        let (done, left) = std::mem::take(&mut self.pending).into_iter().partition(|_| chosen.next().unwrap());
        self.pending = left;
        let done: Vec<Renaming> = done;
        for renaming in done {
            let folder = self.folder(renaming.folder);
            rename(&mut folder.disk, &renaming);
        }
    }
}

/// Adds to a choice of changed names those that must be there before them.
pub fn close(pending: &[Renaming], wanted: &mut [bool]) {
    for at in (0..pending.len()).rev() {
        let before = pending[at].after.filter(|_| wanted[at]);
        if let Some(position) = before.and_then(|before| pending.iter().position(|other| other.number == before)) {
            wanted[position] = true;
        }
    }
}

pub fn rename(names: &mut Names, renaming: &Renaming) {
    for (name, id) in &renaming.names {
        match id {
            Some(id) => names.insert(name.clone(), *id),
            None => names.remove(name),
        };
    }
}

pub fn apply(content: &mut Content, change: &Change) {
    match change {
        Change::Write { at, bytes } => {
            let all = Arc::make_mut(&mut content.bytes);
            if all.len() < at + bytes.len() {
                all.resize(at + bytes.len(), 0);
            }
            all[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        Change::Length(length) => Arc::make_mut(&mut content.bytes).resize(*length, 0),
        Change::Mode(mode) => content.mode = *mode,
    }
}
