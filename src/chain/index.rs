//! What memory knows of the chain: tree, line offsets, and what the entries commit (records, batches of accesses).
//!
//! Invariant: an index is only ever grown by lines that follow the one before (`seq`, `prev`, `at`); it is the only
//! place where that rule stands, for the ledger and for the verification alike.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::entry::{Entry, Kind, Line};
use super::merkle::{Tree, leaf};
use super::reign::{Change, Reigns};
use super::standing::Restored;
use crate::error::{AtPath, Code, Error, Result};
use crate::hash::Sha256;

/// One record's digest on the chain.
#[derive(Debug, Clone)]
pub(super) struct Committed {
    pub id: String,
    pub sha256: Sha256,
    /// Entry that commits it.
    pub seq: u64,
    /// Whether a later entry erased its personal part.
    pub erased: bool,
}

/// The records of one kind that the chain commits, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Commits {
    pub list: Vec<Committed>,
    by_digest: HashMap<Sha256, usize>,
    by_id: HashMap<String, usize>,
}

impl Commits {
    pub fn position(&self, digest: &Sha256) -> Option<usize> {
        self.by_digest.get(digest).copied()
    }

    pub fn by_id(&self, id: &str) -> Option<&Committed> {
        self.by_id.get(id).map(|at| &self.list[*at])
    }

    pub fn last_digest(&self) -> Sha256 {
        self.list.last().map_or(Sha256::ZERO, |c| c.sha256)
    }

    fn add(&mut self, committed: Committed) {
        self.by_digest.insert(committed.sha256, self.list.len());
        self.by_id.insert(committed.id.clone(), self.list.len());
        self.list.push(committed);
    }
}

/// A chained batch of access lines: a stretch of `records/accesses.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct AccessBatch {
    pub first: String,
    pub last: String,
    pub count: u64,
    /// Over the lines with their newlines.
    pub sha256: Sha256,
    pub offset: u64,
    pub length: u64,
    /// Digest of the last line: the `prev` of the next one.
    pub tip: Sha256,
}

/// What an entry of kind `stamp` says: a time-stamp over a checkpoint (`chain/stamps/`).
#[derive(Debug, Clone, serde::Deserialize)]
pub struct Stamp {
    /// Number of entries that the checkpoint counts; also the name of the files.
    pub size: u64,
    /// Root over them.
    pub root: Sha256,
    /// SHA-256 of the reply as received.
    pub sha256: Sha256,
    /// SHA-256 of the checkpoint file: what the token covers.
    pub checkpoint: Sha256,
    /// The token's time.
    pub stamped_at: Timestamp,
}

/// The part of a `renewal` entry that is about stamps.
#[derive(serde::Deserialize)]
struct OfStamps {
    #[serde(default)]
    stamps: Option<StampRenewal>,
}

impl Stamp {
    /// Name of the checkpoint file in `chain/stamps/`.
    pub fn checkpoint_file(&self) -> String {
        format!("{:08}.checkpoint", self.size)
    }

    /// Name of the file of the reply.
    pub fn reply_file(&self) -> String {
        format!("{:08}.tsr", self.size)
    }
}

/// A file of a renewal of stamps.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RenewalFile {
    /// Its name in `chain/stamps/renewed/`.
    pub name: String,
    /// Its length.
    pub length: u64,
    /// SHA-256.
    pub sha256: Sha256,
}

/// What an entry of kind `renewal` says of stamps: one more generation of their evidence.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StampRenewal {
    /// 1, 2, 3 …, each following the one before.
    pub generation: u32,
    /// How many stamps it renews.
    pub count: u64,
    /// The tree over their evidence, and the reply over the root of its run.
    pub files: [RenewalFile; 2],
}

impl StampRenewal {
    /// Name of the tree of a generation in `chain/stamps/renewed/`.
    pub fn tree_name(generation: u32) -> String {
        format!("{generation:04}.tree")
    }

    /// Name of the reply of a generation.
    pub fn reply_name(generation: u32) -> String {
        format!("{generation:04}.tsr")
    }

    /// The file of the tree.
    pub fn tree(&self) -> &RenewalFile {
        &self.files[0]
    }

    /// The file of the reply.
    pub fn reply(&self) -> &RenewalFile {
        &self.files[1]
    }

    fn follows(&self, generations: usize) -> bool {
        let names = [Self::tree_name(self.generation), Self::reply_name(self.generation)];
        self.generation as usize == generations + 1 && [&self.files[0].name, &self.files[1].name] == names.each_ref()
    }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    pub tree: Tree,
    offsets: Vec<u64>,
    /// Bytes of `entries` that hold the lines taken.
    pub end: u64,
    last: Option<Sha256>,
    pub at: Option<Timestamp>,
    pub commits: BTreeMap<String, Commits>,
    pub accesses: Vec<AccessBatch>,
    pub stamps: Vec<Stamp>,
    /// The generations of the stamps' evidence after their own tokens.
    pub stamp_renewals: Vec<StampRenewal>,
    pub restores: Vec<Restored>,
    /// Size up to the last entry whose loss would matter, and when that was.
    pub weighty: Option<(u64, Timestamp)>,
    /// The genesis' object.
    pub genesis: Option<Map<String, Value>>,
    /// The keys it names, and those that took their place.
    pub keys: Option<Reigns>,
}

impl Index {
    /// An index of no lines that knows these records already.
    pub fn with_commits(commits: BTreeMap<String, Commits>) -> Self {
        Self { commits, ..Self::default() }
    }

    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Digest of the last line: the next one's `prev`.
    pub fn tip(&self) -> Sha256 {
        self.last.unwrap_or(Sha256::ZERO)
    }

    /// Whether this line may follow; it is not taken.
    pub fn check<'a>(&self, text: &'a str) -> Result<Line<'a>> {
        let wrong = |what: String| Error::new(Code::ChainAltered, what);
        let line = Line::parse(text)?;
        if line.seq != self.size() {
            return Err(wrong(format!("`seq` is {}, expected {}", line.seq, self.size())));
        }
        if line.prev != self.tip() {
            return Err(wrong("`prev` is not the digest of the line before: one of the two is altered".into()));
        }
        if self.at.is_some_and(|before| line.at < before) {
            return Err(wrong("`at` is earlier than in the line before".into()));
        }
        if (line.kind == Kind::Genesis) != (line.seq == 0) {
            return Err(wrong("the first entry, and only it, is the genesis".into()));
        }
        if line.kind == Kind::Key {
            self.change(&line)?;
        }
        Ok(line)
    }

    /// The change of key that this next line makes.
    fn change(&self, line: &Line<'_>) -> Result<Change> {
        let keys = self.keys.as_ref().ok_or_else(|| Error::new(Code::KeyChangeBad, "the genesis names no key"))?;
        let root = self.tree.root_at(line.seq);
        Change::judge(keys, line.seq, line.at, line.object.get(), root.as_ref())
    }

    /// Takes the bytes of the next line, and what it says when it could be read.
    pub fn take(&mut self, bytes: &[u8], line: Option<&Line<'_>>) -> Result<()> {
        self.offsets.push(self.end);
        self.end += bytes.len() as u64 + 1;
        self.tree.push(leaf(bytes));
        self.last = Some(Sha256::of(bytes));
        match line {
            Some(line) => {
                self.at = Some(line.at);
                self.note(line)
            }
            None => Ok(()),
        }
    }

    fn note(&mut self, line: &Line<'_>) -> Result<()> {
        let raw = line.object.get();
        let wrong = |e: serde_json::Error| Error::new(Code::ChainAltered, format!("object of the entry: {e}"));
        if !matches!(
            line.kind,
            Kind::Genesis
                | Kind::Class
                | Kind::Policy
                | Kind::Refusals
                | Kind::Intake
                | Kind::Check
                | Kind::Record
                | Kind::Bundle
                | Kind::Access
                | Kind::Stamp
        ) {
            self.weighty = Some((line.seq + 1, line.at));
        }
        if line.kind == Kind::Restore {
            self.restores.push(serde_json::from_str(raw).map_err(wrong)?);
        }
        match line.kind {
            Kind::Genesis => {
                let genesis: Map<String, Value> = serde_json::from_str(raw).map_err(wrong)?;
                let key = genesis.get("vkey").and_then(Value::as_str).and_then(|text| text.parse().ok());
                self.keys = key.map(Reigns::only);
                self.genesis = Some(genesis);
            }
            // An index that knows the records only has no keys.
            Kind::Key if self.keys.is_some() => {
                let change = self.change(line)?;
                self.keys.iter_mut().for_each(|keys| keys.push(change.clone()));
            }
            Kind::Access => self.accesses.push(serde_json::from_str(raw).map_err(wrong)?),
            Kind::Stamp => self.stamps.push(serde_json::from_str(raw).map_err(wrong)?),
            Kind::Renewal => {
                let object: OfStamps = serde_json::from_str(raw).map_err(wrong)?;
                if let Some(renewal) = object.stamps {
                    if !renewal.follows(self.stamp_renewals.len()) {
                        let what = "a renewal of stamps that does not follow the evidence before";
                        return Err(Error::new(Code::ChainAltered, what));
                    }
                    self.stamp_renewals.push(renewal);
                }
            }
            Kind::Record => {
                let object: Map<String, Value> = serde_json::from_str(raw).map_err(wrong)?;
                self.commit(line.seq, &object)?;
            }
            // Most entries commit no record: their objects are not parsed when the chain is opened.
            _ if raw.contains("\"record\"") => {
                let object: Map<String, Value> = serde_json::from_str(raw).map_err(wrong)?;
                if let Some(Value::Object(record)) = object.get("record") {
                    self.commit(line.seq, record)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn commit(&mut self, seq: u64, record: &Map<String, Value>) -> Result<()> {
        let wrong = || Error::new(Code::ChainAltered, "a commitment is {kind, id, sha256}");
        let text = |name: &str| record.get(name).and_then(Value::as_str).ok_or_else(wrong);
        let (kind, id) = (text("kind")?, text("id")?);
        let sha256: Sha256 = text("sha256")?.parse().map_err(|_| wrong())?;
        super::files::check_record_kind(kind).map_err(|_| wrong())?;
        id.parse::<crate::id::RecordId>().map_err(|_| wrong())?;
        let commits = self.commits.entry(kind.to_owned()).or_default();
        if record.get("erased") == Some(&Value::Bool(true)) {
            let position = commits.position(&sha256).ok_or_else(wrong)?;
            commits.list[position].erased = true;
        } else {
            commits.add(Committed { id: id.to_owned(), sha256, seq, erased: false });
        }
        Ok(())
    }

    /// Bytes of line `seq` as they stand in the file now, verified against the tree.
    pub fn read(&self, file: &File, path: &Path, seq: u64) -> Result<Vec<u8>> {
        let missing = || Error::new(Code::NotFound, format!("no entry {seq}"));
        let at = usize::try_from(seq).map_err(|_| missing())?;
        let start = *self.offsets.get(at).ok_or_else(missing)?;
        let end = self.offsets.get(at + 1).copied().unwrap_or(self.end);
        // A line is at most 60 KB when the ledger opened it; the verification takes longer ones as they are.
        let mut bytes = vec![0; (end - start - 1) as usize];
        file.read_exact_at(&mut bytes, start).at_path(path)?;
        if self.tree.subtree(0, seq) != Some(leaf(&bytes)) {
            return Err(Error::new(Code::ChainAltered, "the line changed since the chain was opened")
                .at(format!("chain/entries line {}", seq + 1)));
        }
        Ok(bytes)
    }

    /// As [`Index::read`], parsed.
    pub fn entry(&self, file: &File, path: &Path, seq: u64) -> Result<Entry> {
        Entry::parse(&self.read(file, path, seq)?)
    }
}
