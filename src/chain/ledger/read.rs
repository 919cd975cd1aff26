//! What is read of a ledger: head, entries, proofs, records, accesses.
//!
//! Invariant: readers go by the head, never by what an append has written already; a line is given only when its hash is
//! the one the tree holds.

use std::sync::PoisonError;

use serde_json::{Map, Value};

use super::Ledger;
use crate::chain::entry::{Entry, Head};
use crate::chain::files::{Lines, MAX_RECORD, check_record_kind};
use crate::chain::proof::Proof;
use crate::chain::record::{self, ACCESSES, RecordLine};
use crate::chain::tiles::Tile;
use crate::durable;
use crate::error::{Code, Error, Finding, Result};
use crate::hash::Sha256;

/// Most entries in one page.
pub const PAGE_ENTRIES: u64 = 1000;
/// Most bytes of lines in one page (at least one entry is always given).
pub const PAGE_BYTES: usize = 4 << 20;

/// Part of a list of entries.
#[derive(Debug, Clone)]
pub struct Page {
    /// In order.
    pub entries: Vec<Entry>,
    /// Where to go on; `None` at the end of what was asked for.
    pub next: Option<u64>,
}

impl Ledger {
    /// Reads every access ever noted, in order.
    pub fn each_access(&self, mut each: impl FnMut(Map<String, Value>) -> Result<()>) -> Result<()> {
        let name = "records/accesses.jsonl";
        let Some(mut lines) = Lines::open(&self.files.record(ACCESSES), 0, MAX_RECORD)? else { return Ok(()) };
        while let Some(raw) = lines.next_line().map_err(|e| Error::io(name, e))?.filter(|raw| raw.complete) {
            let line = serde_json::from_slice(&raw.bytes);
            each(line.map_err(|_| Error::new(Code::RecordAltered, "").at(format!("{name}, byte {}", raw.offset)))?)?;
        }
        Ok(())
    }

    /// Where the chain stands; from memory.
    pub fn head(&self) -> Head {
        self.view().head.clone()
    }

    /// One entry, read from the file and verified against the tree.
    pub fn entry(&self, seq: u64) -> Result<Entry> {
        let page = self.entries(seq, seq.saturating_add(1))?;
        page.entries.into_iter().next().ok_or_else(|| Error::new(Code::NotFound, format!("no entry {seq}")))
    }

    /// Entries `from` (included) to `to` (excluded), at most [`PAGE_ENTRIES`] and [`PAGE_BYTES`] at a time.
    pub fn entries(&self, from: u64, to: u64) -> Result<Page> {
        let path = self.files.chain("entries");
        let file = durable::open_plain(&path)?;
        let view = self.view();
        let to = to.min(view.head.size);
        let mut page = Page { entries: Vec::new(), next: None };
        let mut bytes = 0;
        for seq in from..to {
            if bytes >= PAGE_BYTES || page.entries.len() as u64 >= PAGE_ENTRIES {
                page.next = Some(seq);
                break;
            }
            let entry = view.index.entry(&file, &path, seq)?;
            bytes += entry.line.len();
            page.entries.push(entry);
        }
        Ok(page)
    }

    /// Every entry from `from` to the present head, a page in memory at a time.
    pub fn each_entry(&self, from: u64, mut each: impl FnMut(Entry) -> Result<()>) -> Result<()> {
        let to = self.head().size;
        let mut next = Some(from);
        while let Some(from) = next {
            let page = self.entries(from, to)?;
            next = page.next;
            page.entries.into_iter().try_for_each(&mut each)?;
        }
        Ok(())
    }

    /// Audit path of entry `seq` in the chain of `size` entries.
    pub fn inclusion(&self, seq: u64, size: u64) -> Result<Vec<Sha256>> {
        let view = self.view();
        let path = if size <= view.head.size { view.index.tree.inclusion(seq, size) } else { None };
        path.ok_or_else(|| Error::new(Code::NotFound, format!("no entry {seq} in a chain of {size}")))
    }

    /// Proof that the chain of `old` entries is the beginning of the chain of `new`.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Sha256>> {
        let view = self.view();
        let path = if new <= view.head.size { view.index.tree.consistency(old, new) } else { None };
        path.ok_or_else(|| Error::new(Code::NotFound, format!("no chains of {old} and {new} entries")))
    }

    /// The proof file of an entry against the present checkpoint.
    pub fn proof(&self, seq: u64) -> Result<Proof> {
        let head = self.head();
        Ok(Proof { index: seq, path: self.inclusion(seq, head.size)?, checkpoint: head.checkpoint })
    }

    /// A tile of the tree or of the entries, by its path below `tile/` (C2SP tlog-tiles): any that a checkpoint given out so far
    /// may lead to, also the partial ones that wider ones replaced on disk.
    pub fn tile(&self, path: &str) -> Result<Vec<u8>> {
        let missing = || Error::new(Code::NotFound, "no such tile");
        let tile = Tile::parse(path).ok_or_else(missing)?;
        let entries = self.files.chain("entries");
        let file = durable::open_plain(&entries)?;
        let view = self.view();
        if !tile.within(view.head.size) {
            return Err(missing());
        }
        tile.bytes(&view.index, &|seq| view.index.read(&file, &entries, seq))?.ok_or_else(missing)
    }

    /// The records of a kind that are in force, in the chain's order, and what disagrees with the chain.
    pub fn records(&self, kind: &str) -> Result<(Vec<RecordLine>, Vec<Finding>)> {
        check_record_kind(kind)?;
        // Appends wait, so that the file and what is known of it are of one moment.
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let commits = self.view().index.commits.get(kind).cloned().unwrap_or_default();
        let mut read = record::read(&self.files, kind, &commits)?;
        read.findings.append(&mut read.provisional);
        Ok((read.records, read.findings))
    }

    /// Gives every record of a kind that is in force, in the chain's order, one in memory at a time, without its personal part.
    pub fn each_record(&self, kind: &str, mut see: impl FnMut(&RecordLine)) -> Result<()> {
        check_record_kind(kind)?;
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let commits = self.view().index.commits.get(kind).cloned().unwrap_or_default();
        record::read_each(&self.files, kind, &commits, &mut see).map(drop)
    }

    /// Kinds of records there are.
    pub fn record_kinds(&self) -> Vec<String> {
        self.view().index.commits.keys().cloned().collect()
    }
}
