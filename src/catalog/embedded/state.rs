//! Packages, small mutable state and the watermark, in sled.
//!
//! The rules of the house for sled 0.34 (its `flush` does not sync, damage can lose an entry or the last commits without a
//! word): one transaction over all trees a commit; then `flush`, then a sync of the database file; a checksum in each
//! value; a tally over all entries, so that a missing one shows; and outside sled a `mark` with the number of the last
//! commit, so that lost commits show. The watermark is in the transaction's last write.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sled::Tree;
use sled::transaction::{ConflictableTransactionError, TransactionError, Transactional};

use super::seal::{SUM, damaged, guarded, seal, unseal};
use crate::durable::{self, MODE_PLAIN};
use crate::error::{Code, Error, Result};

/// Cache of sled: the state is small.
const CACHE_BYTES: u64 = 8 << 20;

/// The trees, by the tag in their checksums.
pub const PACKAGES: u8 = b'p';
pub const STATE: u8 = b's';
const HEAD: u8 = b'h';
const HEAD_KEY: &[u8] = b"head";

/// What each commit writes last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of this commit.
    pub generation: u64,
    /// Chain size up to which everything is in.
    pub watermark: u64,
    /// Watermark of the search index's last commit.
    pub indexed: u64,
    /// Rows the search index had then.
    pub rows: u64,
    /// How many entries there are in packages and state …
    entries: u64,
    /// … and their checksums, combined so that order does not matter.
    tally: [u8; SUM],
}

/// One write: tree, key, new value or deletion.
pub type Write = (u8, Vec<u8>, Option<Vec<u8>>);

/// The sled side of the embedded catalog.
pub struct State {
    db: sled::Db,
    packages: Tree,
    state: Tree,
    meta: Tree,
    dir: PathBuf,
    head: Mutex<Head>,
}

fn engine(error: sled::Error) -> Error {
    use std::io::ErrorKind as K;
    match error {
        sled::Error::Io(e) if e.to_string().contains("could not acquire lock") => {
            Error::new(Code::ArchiveLocked, "the catalog is open elsewhere").because(e)
        }
        sled::Error::Io(e) if matches!(e.kind(), K::PermissionDenied | K::StorageFull | K::QuotaExceeded) => {
            Error::io("catalog/state", e)
        }
        other => damaged(other.to_string()),
    }
}

impl State {
    /// Opens (or makes) the database and looks at every entry.
    pub fn open(dir: &Path) -> Result<Self> {
        durable::create_dir_all(dir)?;
        guarded(|| {
            let config = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).flush_every_ms(None);
            let db = config.mode(sled::Mode::LowSpace).open().map_err(engine)?;
            let tree = |name: &str| db.open_tree(name).map_err(engine);
            let (packages, state, meta) = (tree("packages")?, tree("state")?, tree("meta")?);
            let head = match meta.get(HEAD_KEY).map_err(engine)? {
                Some(sealed) => serde_json::from_slice(unseal(HEAD, HEAD_KEY, &sealed)?)
                    .map_err(|e| damaged(format!("unreadable head: {e}")))?,
                None => Head::default(),
            };
            let opened = Self { db, packages, state, meta, dir: dir.to_owned(), head: Mutex::new(head) };
            opened.verify()?;
            Ok(opened)
        })
    }

    fn tree(&self, tag: u8) -> &Tree {
        if tag == PACKAGES { &self.packages } else { &self.state }
    }

    fn mark(&self) -> PathBuf {
        self.dir.join("custode.mark")
    }

    /// Looks at every entry: checksums, tally, and that no commit was lost.
    pub fn verify(&self) -> Result<()> {
        guarded(|| {
            let head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
            let (mut entries, mut tally) = (0, [0; SUM]);
            for tag in [PACKAGES, STATE] {
                for entry in self.tree(tag).iter() {
                    let (key, sealed) = entry.map_err(engine)?;
                    unseal(tag, &key, &sealed)?;
                    entries += 1;
                    combine(&mut tally, &sealed);
                }
            }
            if (entries, tally) != (head.entries, head.tally) {
                return Err(damaged("entries are missing or too many"));
            }
            let marked = match crate::durable::read_plain_text(&self.mark()) {
                Ok(text) => text.trim().parse().map_err(|_| damaged("unreadable mark"))?,
                Err(e) if e.code == crate::error::Code::FileMissing && head.generation <= 1 => 0,
                Err(e) => return Err(damaged(format!("mark: {e}"))),
            };
            if head.generation < marked {
                return Err(damaged("the last commits are missing"));
            }
            Ok(())
        })
    }

    /// What the last commit said.
    pub fn head(&self) -> Head {
        self.head.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Commits writes and what `next` makes of the head; durable on return.
    pub fn commit(&self, writes: &[Write], next: impl FnOnce(&mut Head)) -> Result<()> {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = head.clone();
        new.generation += 1;
        next(&mut new);
        guarded(|| {
            // The tally leaves the old value and takes the new one; of a key written twice only the last write counts.
            let mut last: std::collections::BTreeMap<(u8, &[u8]), Option<Vec<u8>>> = Default::default();
            for (tag, key, value) in writes {
                last.insert((*tag, key), value.as_ref().map(|value| seal(*tag, key, value)));
            }
            for ((tag, key), sealed) in &last {
                if let Some(old) = self.tree(*tag).get(key).map_err(engine)? {
                    unseal(*tag, key, &old)?;
                    combine(&mut new.tally, &old);
                    new.entries = new.entries.wrapping_sub(1);
                }
                if let Some(sealed) = sealed {
                    combine(&mut new.tally, sealed);
                    new.entries += 1;
                }
            }
            let json = serde_json::to_vec(&new).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
            let sealed_head = seal(HEAD, HEAD_KEY, &json);
            (&self.packages, &self.state, &self.meta)
                .transaction(|(packages, state, meta)| {
                    for ((tag, key), sealed) in &last {
                        let tree = if *tag == PACKAGES { packages } else { state };
                        match sealed {
                            Some(sealed) => tree.insert(*key, sealed.as_slice())?,
                            None => tree.remove(*key)?,
                        };
                    }
                    meta.insert(HEAD_KEY, sealed_head.as_slice())?;
                    Ok::<_, ConflictableTransactionError<()>>(())
                })
                .map_err(|e| match e {
                    TransactionError::Storage(e) => engine(e),
                    TransactionError::Abort(()) => damaged("the transaction was given up"),
                })?;
            *head = new;
            self.settle(head.generation)
        })
    }

    fn settle(&self, generation: u64) -> Result<()> {
        self.db.flush().map_err(engine)?;
        durable::sync_file(&self.dir.join("db"))?;
        durable::replace(&self.mark(), format!("{generation}\n").as_bytes(), MODE_PLAIN)
    }

    /// Forgets everything but the number of the commit.
    pub fn clear(&self) -> Result<()> {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        guarded(|| {
            let new = Head { generation: head.generation + 1, ..Head::default() };
            // The head goes first: a crash on the way leaves entries without one, which the tally tells at open.
            let json = serde_json::to_vec(&new).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
            self.meta.insert(HEAD_KEY, seal(HEAD, HEAD_KEY, &json)).map_err(engine)?;
            self.packages.clear().map_err(engine)?;
            self.state.clear().map_err(engine)?;
            *head = new;
            self.settle(head.generation)
        })
    }

    /// One value.
    pub fn get(&self, tag: u8, key: &[u8]) -> Result<Option<Vec<u8>>> {
        guarded(|| match self.tree(tag).get(key).map_err(engine)? {
            Some(sealed) => unseal(tag, key, &sealed).map(|value| Some(value.to_vec())),
            None => Ok(None),
        })
    }

    /// The value of the highest key under a prefix.
    pub fn last(&self, tag: u8, prefix: &[u8]) -> Result<Option<Vec<u8>>> {
        guarded(|| match self.tree(tag).scan_prefix(prefix).next_back() {
            Some(entry) => {
                let (key, sealed) = entry.map_err(engine)?;
                unseal(tag, &key, &sealed).map(|value| Some(value.to_vec()))
            }
            None => Ok(None),
        })
    }

    /// Every key and value under a prefix, ascending.
    pub fn scan(&self, tag: u8, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        guarded(|| {
            let entries = self.tree(tag).scan_prefix(prefix);
            entries
                .map(|entry| {
                    let (key, sealed) = entry.map_err(engine)?;
                    Ok((key.to_vec(), unseal(tag, &key, &sealed)?.to_vec()))
                })
                .collect()
        })
    }
}

/// Adds or takes away an entry's checksum.
fn combine(tally: &mut [u8; SUM], sealed: &[u8]) {
    for (byte, part) in tally.iter_mut().zip(sealed) {
        *byte ^= part;
    }
}

/// Key of a tree's entry inside the one state tree: length, name, key.
pub fn state_key(tree: &str, key: &[u8]) -> Vec<u8> {
    let mut whole = vec![tree.len() as u8];
    whole.extend_from_slice(tree.as_bytes());
    whole.extend_from_slice(key);
    whole
}
