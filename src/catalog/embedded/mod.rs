//! The catalog of one machine: sled for packages and small mutable state, tantivy for documents.
//!
//! Invariant: the search index is committed first, sled with the watermark last; so a crash leaves a watermark that is too
//! low, never one too high, and recording again repairs it. `open` says whether what was found can be used, is behind the
//! chain, or must be rebuilt; damaged folders are set aside, not deleted.

mod index;
mod seal;
mod state;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::*;
use crate::durable;
use crate::error::{AtPath as _, Code, Error};
use index::Index;
use state::{Head, PACKAGES, STATE, State, state_key};

/// The embedded catalog. One process, one instance (both engines lock their folder).
pub struct Embedded {
    index: Index,
    state: State,
}

/// What `open` found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// As far as the chain, and whole as far as it was looked at.
    Good,
    /// Whole, but the chain has gone on: record the chain's entries from this size on.
    Behind {
        /// Chain size up to which everything is in.
        watermark: u64,
    },
    /// Empty now: record everything again, state too.
    Rebuild {
        /// Why, one line each.
        reasons: Vec<String>,
        /// Where damaged folders were moved.
        set_aside: Vec<PathBuf>,
    },
}

impl Embedded {
    /// Opens the catalog in `dir` (made when missing) and compares it with the chain's size.
    ///
    /// Errors only where a rebuild would not help: `archive/locked`, permissions, a full disk.
    pub fn open(dir: &Path, chain_size: u64) -> Result<(Self, Verdict)> {
        durable::create_dir_all(dir)?;
        let (state_dir, index_dir) = (dir.join("state"), dir.join("search"));
        let mut reasons = Vec::new();
        match (state_dir.exists(), index_dir.exists()) {
            (true, true) => {}
            (false, false) => {
                let opened = Self { index: Index::open(&index_dir)?, state: State::open(&state_dir)? };
                if chain_size > 0 {
                    reasons.push("the catalog was missing".to_owned());
                }
                let verdict =
                    if reasons.is_empty() { Verdict::Good } else { Verdict::Rebuild { reasons, set_aside: vec![] } };
                return Ok((opened, verdict));
            }
            (state, _) => reasons.push(format!("catalog/{} was missing", if state { "search" } else { "state" })),
        }
        let state = usable(only_files(&state_dir).and_then(|()| State::open(&state_dir)), &mut reasons)?;
        let index = usable(only_files(&index_dir).and_then(|()| Index::open(&index_dir)), &mut reasons)?;
        let bad = [(state.is_none(), &state_dir), (index.is_none(), &index_dir)];
        if let (Some(state), Some(index), true) = (state, index, reasons.is_empty()) {
            match Self::compare(&index, &state, chain_size)? {
                Ok(verdict) => return Ok((Self { index, state }, verdict)),
                Err(reason) => reasons.push(reason),
            }
        }
        // Both engines are closed by now, and their folders can go: what could not be used is kept for whoever wants to know
        // why; what could is simply made again.
        let mut set_aside = Vec::new();
        for (damaged, folder) in bad {
            if damaged {
                set_aside.push(aside(folder)?);
            } else {
                durable::remove_dir_all(folder)?;
            }
        }
        let opened = Self { index: Index::open(&index_dir)?, state: State::open(&state_dir)? };
        Ok((opened, Verdict::Rebuild { reasons, set_aside }))
    }

    /// Whether the two halves and the chain agree; the inner error is a reason to rebuild.
    fn compare(index: &Index, state: &State, chain_size: u64) -> Result<std::result::Result<Verdict, String>> {
        let head = state.head();
        if head.watermark == 0 && index.rows() > 0 {
            // A `clear` or a first record that was cut short: everything comes again, so nothing stale may stay.
            index.clear()?;
        }
        let indexed = index.as_of().watermark;
        if head.watermark > chain_size || indexed > chain_size {
            return Ok(Err("the catalog is ahead of the chain".to_owned()));
        }
        if indexed == head.indexed && index.rows() != head.rows {
            return Ok(Err("the search index has lost or gained rows".to_owned()));
        }
        let watermark = if indexed < head.indexed { indexed.min(head.watermark) } else { head.watermark };
        if watermark < head.watermark {
            state.commit(&[], |head| head.watermark = watermark)?;
        }
        Ok(Ok(if watermark < chain_size { Verdict::Behind { watermark } } else { Verdict::Good }))
    }

    /// Reads everything against its checksums; for `check`.
    pub fn verify(&self) -> Result<()> {
        self.state.verify()?;
        self.index.verify()
    }

    fn indexed(&self) -> impl FnOnce(&mut Head) + use<> {
        let (indexed, rows) = (self.index.as_of().watermark, self.index.rows());
        move |head| {
            head.indexed = indexed;
            head.rows = rows;
        }
    }

    fn record(&self, package: &PackageRow, watermark: u64) -> Result<()> {
        let row = serde_json::to_vec(package).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        let indexed = self.indexed();
        self.state.commit(&[(PACKAGES, package_key(&package.package), Some(row))], |head| {
            indexed(head);
            head.watermark = head.watermark.max(watermark);
        })
    }
}

/// Turns damage into a reason; any other error stays one.
fn usable<T>(opened: Result<T>, reasons: &mut Vec<String>) -> Result<Option<T>> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if matches!(error.code, Code::ArchiveLocked | Code::FilePermission | Code::DiskFull) => Err(error),
        Err(error) => {
            reasons.push(error.to_string());
            Ok(None)
        }
    }
}

/// The engines open whatever has their files' names: a pipe would make them wait for ever, a link write elsewhere.
fn only_files(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).at_path(folder)? {
        let entry = entry.at_path(folder)?;
        let (kind, path) = (entry.file_type().at_path(&entry.path())?, entry.path());
        if kind.is_dir() {
            only_files(&path)?;
        } else if !kind.is_file() {
            return Err(seal::damaged("not a plain file".to_owned()).at(path.display()));
        }
    }
    Ok(())
}

/// Moves a folder to the first free `….damaged-N`.
fn aside(folder: &Path) -> Result<PathBuf> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (1u32..).map(|n| folder.with_file_name(format!("{name}.damaged-{n}"))).find(|path| !path.exists());
    let free = free.ok_or_else(|| Error::new(Code::Internal, "no free name"))?;
    durable::rename(folder, &free)?;
    Ok(free)
}

/// Sorts by series, then number.
/// What the keys of a series begin with; numbers follow in ascending order.
fn series_prefix(series: &SeriesId) -> Vec<u8> {
    [series.as_str().as_bytes(), &[0]].concat()
}

fn package_key(package: &PackageRef) -> Vec<u8> {
    let mut key = series_prefix(&package.series);
    key.extend_from_slice(&package.number.to_be_bytes());
    key
}

fn package_row(json: &[u8]) -> Result<PackageRow> {
    serde_json::from_slice(json).map_err(|e| seal::damaged(format!("unreadable package row: {e}")))
}

impl Catalog for Embedded {
    fn record_sealed(
        &self,
        package: &PackageRow,
        documents: &[DocumentRow],
        deposits: &[DepositRow],
        watermark: u64,
    ) -> Result<()> {
        self.index.record(&package.package, documents, deposits, watermark)?;
        self.record(package, watermark)
    }

    fn record_package(&self, package: &PackageRow, watermark: u64) -> Result<()> {
        if package.state != PackageState::Sealed {
            self.index.remove_filed(&package.package, watermark)?;
        }
        self.record(package, watermark)
    }

    fn advance(&self, watermark: u64) -> Result<()> {
        if watermark <= self.state.head().watermark {
            return Ok(());
        }
        self.state.commit(&[], |head| head.watermark = head.watermark.max(watermark))
    }

    fn watermark(&self) -> Result<u64> {
        Ok(self.state.head().watermark)
    }

    fn clear(&self) -> Result<()> {
        // The state goes first: from then on the watermark says that nothing is in.
        self.state.clear()?;
        self.index.clear()
    }

    fn locate(&self, id: DocumentId) -> Result<Option<DocumentRow>> {
        self.index.locate(id)
    }

    fn receipt(&self, receipt: ReceiptId) -> Result<Option<DepositRow>> {
        self.index.receipt(receipt)
    }

    fn replay(&self, key: &str) -> Result<Option<ReceiptId>> {
        self.index.replay(key)
    }

    fn documents_of(&self, package: &PackageRef) -> Result<Vec<DocumentId>> {
        self.index.documents_of(package)
    }

    fn package(&self, package: &PackageRef) -> Result<Option<PackageRow>> {
        self.state.get(PACKAGES, &package_key(package))?.map(|json| package_row(&json)).transpose()
    }

    fn last_package(&self, series: &SeriesId) -> Result<Option<PackageRow>> {
        self.state.last(PACKAGES, &series_prefix(series))?.map(|json| package_row(&json)).transpose()
    }

    fn packages(&self, series: Option<&SeriesId>) -> Result<Vec<PackageRow>> {
        let prefix = series.map(series_prefix).unwrap_or_default();
        let found = self.state.scan(PACKAGES, &prefix)?;
        found.iter().map(|(_, json)| package_row(json)).collect()
    }

    fn search(&self, query: &Query) -> Result<Page> {
        let compiled = query.compile()?;
        let as_of = AsOf { watermark: self.state.head().watermark, ..self.index.as_of() };
        let mut rows = self.index.search(&compiled)?;
        let more = rows.len() > compiled.limit;
        rows.truncate(compiled.limit);
        let cursor = rows.last().filter(|_| more).map(|row| Order::of(row).cursor());
        Ok(Page { rows, cursor, as_of })
    }

    fn state_apply(&self, changes: &[Change]) -> Result<()> {
        super::check_changes(changes)?;
        let write = |c: &Change| (STATE, state_key(&c.tree, &c.key), c.value.clone());
        self.state.commit(&changes.iter().map(write).collect::<Vec<_>>(), |_| {})
    }

    fn state_get(&self, tree: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.state.get(STATE, &state_key(tree, key))
    }

    fn state_iter(&self, tree: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let prefix = state_key(tree, b"");
        let found = self.state.scan(STATE, &prefix)?;
        Ok(found.into_iter().map(|(key, value)| (key[prefix.len()..].to_vec(), value)).collect())
    }
}
