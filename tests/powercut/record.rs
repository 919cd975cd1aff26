//! One run of a scene on a watched folder, and what its disk went through.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use custode::durable::trial::{Event, Watched};

use super::sandbox::Sandbox;

/// What others wrote: files by path below the catalog's folder.
pub type Catalog = Arc<Vec<(PathBuf, Vec<u8>)>>;

/// The catalog as it stood after so many events.
type Versions = Arc<Mutex<Vec<(usize, Catalog)>>>;

/// A folder that is watched, with an archive in it.
pub struct Stage {
    pub sandbox: Sandbox,
    pub watched: Watched,
    versions: Versions,
}

impl Stage {
    /// A copy of what is in this folder, watched.
    pub fn new(template: &Sandbox) -> Self {
        let sandbox = template.twin();
        let catalog = sandbox.root().join("catalog");
        let versions: Versions = Arc::new(Mutex::new(vec![(0, copy(&catalog))]));
        let watched = Watched::new(&sandbox.path(""));
        let kept = Arc::clone(&versions);
        // At a sync all of it is as it will be found: both engines have just said so of what is theirs.
        let hook = move |_: &Path, events: usize| kept.lock().unwrap().push((events, copy(&catalog)));
        watched.after(&sandbox.root().join("catalog/state"), Arc::new(hook));
        Self { sandbox, watched, versions }
    }

    pub fn events(&self) -> Vec<Event> {
        self.watched.events()
    }

    /// The last catalog of which everything was synced when so many events had been.
    pub fn catalog(&self, events: usize) -> Catalog {
        let versions = self.versions.lock().unwrap();
        let before = versions.iter().rev().find(|(at, _)| *at <= events);
        Arc::clone(&before.unwrap_or(&versions[0]).1)
    }
}

fn copy(folder: &Path) -> Catalog {
    fn walk(folder: &Path, below: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = below.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => walk(&entry.path(), &name, found),
                // One that goes meanwhile was on its way out.
                _ => found.extend(std::fs::read(entry.path()).ok().map(|bytes| (name, bytes))),
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, Path::new(""), &mut found);
    Arc::new(found)
}

/// Puts a catalog into its place.
pub fn put(catalog: &Catalog, folder: &Path) {
    for (name, bytes) in catalog.iter() {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}
