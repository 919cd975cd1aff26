//! The disk as a power cut may leave it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custode::corpus::Rng;

use super::disk::{Change, Content, Disk, File, Id, Names, Node, ROOT, apply, close, rename};

/// What a disk writes at once.
const SECTOR: usize = 512;

/// What of the unsynced is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Luck {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// Names and no contents.
    Names,
    /// Contents and no names.
    Contents,
    /// Everything, but the last write is torn at a sector.
    Torn,
    /// Everything, but the first sector of the last write is empty.
    Hole,
    /// The names of the folder that changed last, and no other; all contents.
    LastFolder,
    /// The names of all folders but the one that changed last; all contents.
    OtherFolders,
    /// As the dice fall.
    Dice(u64),
}

impl Luck {
    /// What is tried at every operation.
    pub fn all(seed: u64) -> [Self; 9] {
        [
            Self::Nothing,
            Self::Everything,
            Self::Names,
            Self::Contents,
            Self::Torn,
            Self::Hole,
            Self::LastFolder,
            Self::OtherFolders,
            Self::Dice(seed),
        ]
    }
}

/// A whole disk: folders (no content) and files by path, relative to the root.
pub struct Tree(BTreeMap<PathBuf, Option<Content>>);

impl Tree {
    /// What a disk holds after a power cut.
    pub fn of(disk: &Disk, luck: Luck) -> Self {
        let mut dice = match luck {
            Luck::Dice(seed) => Some(Rng::for_case(seed, "powercut", 0)),
            _ => None,
        };
        let mut chance = |one_in: u64| dice.as_mut().is_some_and(|dice| dice.below(one_in) == 0);
        let last = disk.pending.last().map(|renaming| renaming.folder);
        let mut wanted: Vec<bool> = disk
            .pending
            .iter()
            .map(|renaming| match luck {
                Luck::Nothing | Luck::Contents => false,
                Luck::Everything | Luck::Names | Luck::Torn | Luck::Hole => true,
                Luck::LastFolder => Some(renaming.folder) == last,
                Luck::OtherFolders => Some(renaming.folder) != last,
                Luck::Dice(_) => chance(2),
            })
            .collect();
        close(&disk.pending, &mut wanted);
        let mut folders: BTreeMap<Id, Names> = BTreeMap::new();
        for (renaming, _) in disk.pending.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
            let Node::Folder(folder) = &disk.nodes[renaming.folder] else { unreachable!() };
            rename(folders.entry(renaming.folder).or_insert_with(|| folder.disk.clone()), renaming);
        }
        let mut tree = Self(BTreeMap::new());
        let mut content = |id: Id, file: &File| match luck {
            Luck::Nothing | Luck::Names => file.disk.clone(),
            Luck::Torn if disk.written == Some(id) => torn(file),
            Luck::Hole if disk.written == Some(id) => holed(file),
            Luck::Dice(_) if file.pending.is_empty() => file.disk.clone(),
            Luck::Dice(_) => {
                let mut content = file.disk.clone();
                for (change, _) in &file.pending {
                    if chance(3) {
                        break;
                    }
                    apply(&mut content, change);
                }
                content
            }
            _ => file.now.clone(),
        };
        tree.gather(disk, ROOT, &PathBuf::new(), &folders, &mut content);
        tree
    }

    fn gather(
        &mut self,
        disk: &Disk,
        id: Id,
        path: &Path,
        folders: &BTreeMap<Id, Names>,
        content: &mut dyn FnMut(Id, &File) -> Content,
    ) {
        match &disk.nodes[id] {
            Node::File(file) => {
                self.0.insert(path.to_owned(), Some(content(id, file)));
            }
            Node::Folder(folder) => {
                self.0.insert(path.to_owned(), None);
                for (name, id) in folders.get(&id).unwrap_or(&folder.disk) {
                    self.gather(disk, *id, &path.join(name), folders, content);
                }
            }
        }
    }

    /// One number for all of it.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for (path, content) in &self.0 {
            hasher.update(path.as_os_str().as_encoded_bytes()).update(&[0]);
            if let Some(content) = content {
                hasher.update(&content.mode.to_le_bytes()).update(&(content.bytes.len() as u64).to_le_bytes());
                hasher.update(&content.bytes);
            }
        }
        *hasher.finalize().as_bytes()
    }

    /// Makes it, in an empty folder.
    pub fn make(&self, root: &Path) {
        for (path, content) in &self.0 {
            let path = root.join(path);
            match content {
                None => std::fs::create_dir_all(&path).unwrap(),
                Some(content) => {
                    std::fs::write(&path, content.bytes.as_slice()).unwrap();
                    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(content.mode)).unwrap();
                }
            }
        }
    }
}

/// The last write that is not synced, and all before it.
fn last_write(file: &File) -> Option<(Content, usize, Arc<Vec<u8>>)> {
    let at = file.pending.iter().rposition(|(change, _)| matches!(change, Change::Write { .. }))?;
    let mut content = file.disk.clone();
    file.pending[..at].iter().for_each(|(change, _)| apply(&mut content, change));
    match &file.pending[at].0 {
        Change::Write { at, bytes } => Some((content, *at, Arc::clone(bytes))),
        _ => None,
    }
}

/// The last write ends at a sector in its middle.
fn torn(file: &File) -> Content {
    let Some((mut content, at, bytes)) = last_write(file) else { return file.now.clone() };
    let sectors = (at / SECTOR + 1)..=(at + bytes.len()).saturating_sub(1) / SECTOR;
    // The middle one of those that divide it; a write within one sector is whole or not there.
    let Some(cut) = sectors.clone().nth(sectors.count() / 2) else { return file.disk.clone() };
    let bytes = Arc::new(bytes[..cut * SECTOR - at].to_vec());
    apply(&mut content, &Change::Write { at, bytes });
    content
}

/// The last write has its length, and nothing in its first sector.
fn holed(file: &File) -> Content {
    let Some((mut content, at, bytes)) = last_write(file) else { return file.now.clone() };
    let mut bytes = bytes.to_vec();
    let end = ((at / SECTOR + 1) * SECTOR - at).min(bytes.len());
    bytes[..end].fill(0);
    apply(&mut content, &Change::Write { at, bytes: Arc::new(bytes) });
    content
}
