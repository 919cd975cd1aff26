//! A copy of the archive to damage: every change to it can be taken back.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The same files, modes and times, elsewhere. `to` may be there already.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let done = std::process::Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(done.success());
}

/// What stands under a name.
#[derive(Clone, PartialEq)]
enum Thing {
    File(Vec<u8>, u32),
    Nothing,
}

fn thing(path: &Path) -> Thing {
    match path.symlink_metadata() {
        Ok(facts) if facts.is_file() => Thing::File(fs::read(path).unwrap(), facts.permissions().mode()),
        Ok(_) => panic!("{}: not a file", path.display()),
        Err(_) => Thing::Nothing,
    }
}

/// A folder with `archive`, `archive.keys` and `copia`, and what of it was changed.
pub struct Stand {
    pub folder: PathBuf,
    before: BTreeMap<String, Thing>,
}

impl Stand {
    /// A copy of an archive and of what stands beside it.
    pub fn new(of: &Path, folder: &Path) -> Self {
        copy(of, folder);
        Self { folder: folder.to_owned(), before: BTreeMap::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Remembers what stands under a name, before it is changed.
    fn note(&mut self, name: &str) {
        let now = || thing(&self.folder.join(name));
        if !self.before.contains_key(name) {
            let now = now();
            self.before.insert(name.to_owned(), now);
        }
    }

    /// Takes away whatever stands under a name.
    pub fn clear(&mut self, name: &str) {
        self.note(name);
        remove(&self.path(name));
    }

    /// Puts other bytes under a name, with the mode of what was there.
    pub fn put(&mut self, name: &str, bytes: &[u8]) {
        self.note(name);
        let mode = match &self.before[name] {
            Thing::File(_, mode) => *mode,
            Thing::Nothing => 0o444,
        };
        place(&self.path(name), bytes, mode);
    }

    /// A link to a file of the same bytes.
    pub fn link(&mut self, name: &str) {
        let beside = self.folder.join("elsewhere");
        fs::write(&beside, self.read(name)).unwrap();
        self.clear(name);
        std::os::unix::fs::symlink(beside, self.path(name)).unwrap();
    }

    /// Another mode.
    pub fn mode(&mut self, name: &str, mode: u32) {
        self.note(name);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Lets somebody change whatever is below a folder.
    pub fn around(&mut self, below: &str, change: impl FnOnce(&Path)) {
        let before = self.files(below);
        before.iter().for_each(|name| self.note(name));
        change(&self.path(below));
        for name in self.files(below).into_iter().filter(|name| !before.contains(name)) {
            self.before.entry(name).or_insert(Thing::Nothing);
        }
    }

    /// Puts another state of a folder in its place.
    pub fn replace(&mut self, below: &str, with: &Path) {
        self.around(below, |folder| {
            fs::remove_dir_all(folder).unwrap();
            copy(with, folder);
        });
    }

    /// Names that were changed.
    pub fn touched(&self) -> Vec<String> {
        self.before.keys().cloned().collect()
    }

    /// Takes every change back.
    pub fn undo(&mut self) {
        for (name, before) in std::mem::take(&mut self.before) {
            let path = self.folder.join(&name);
            remove(&path);
            match before {
                Thing::File(bytes, mode) => place(&path, &bytes, mode),
                // Folders that were made for it go with it.
                Thing::Nothing => {
                    let above = path.ancestors().skip(1).take_while(|above| *above != self.folder);
                    above.take_while(|above| fs::remove_dir(above).is_ok()).for_each(drop);
                }
            }
        }
    }

    /// Every file below a folder, by its name in the stand.
    pub fn files(&self, below: &str) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.folder, below, &mut found);
        found.sort();
        found
    }
}

fn remove(path: &Path) {
    match path.symlink_metadata() {
        Ok(facts) if facts.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

fn place(path: &Path, bytes: &[u8], mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    remove(path);
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn walk(root: &Path, below: &str, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(root.join(below)) else { return };
    for entry in entries.map(Result::unwrap) {
        let name = format!("{below}/{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => walk(root, &name, found),
            false => found.push(name),
        }
    }
}
