//! Full verification of chain and records, read-only: what `check` says about them.
//!
//! Invariant: every finding names file and place; what could not be read is said (I7). It may run beside a process that
//! appends: it judges up to the checkpoint it saw first, and what differs only at the end of a file counts when nothing
//! moved meanwhile. Clauses: RFC 9162, C2SP signed-note and tlog-tiles, formats "Chain and records".

mod witnessed;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::accesses::{check_batches, read_tail};
use super::checkpoint::Checkpoint;
use super::cosignature::parts;
use super::entry::{Kind, MAX_LINE};
use super::files::{Files, Lines, MAX_FINDINGS, check_record_kind, read_bounded};
use super::index::Index;
use super::ledger::{MAX_RENEWAL, RENEWED};
use super::note::{MAX_NOTE, Verifier};
use super::pending::{MAX_PENDING, Pending};
use super::record::{self, ACCESSES, COVERAGE, RecordFile, is_temporary};
use super::reign::Reigns;
use super::standing::{Claim, Compared};
use super::tiles;
use crate::durable;
use crate::error::{AtPlace, Code, Error, Finding, Kind as Trouble, Result};
use crate::hash::Sha256;

/// How long an append may be under way before it counts as interrupted.
const APPEND_TIME: Duration = Duration::from_millis(400);

/// What was looked at.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The checkpoint that was judged; `None` when it does not verify.
    pub checkpoint: Option<Checkpoint>,
    /// Its signed text.
    pub note: String,
    /// The keys it was judged by; `None` when none could be read.
    pub keys: Option<Reigns>,
    /// Entries read, by kind.
    pub entries: BTreeMap<Kind, u64>,
    /// Records in force, by kind.
    pub records: BTreeMap<String, u64>,
    /// The records of [`COVERAGE`]: what earlier checks looked at.
    pub coverage: Option<RecordFile>,
    /// Accesses not chained yet.
    pub accesses_open: u64,
    /// Tiles compared.
    pub tiles: u64,
    /// Checkpoints that others kept, and how the chain stands to them.
    pub compared: Vec<Compared>,
    /// The chain grew, or an append was under way, while it was read.
    pub moved: bool,
}

/// Verifies everything under `chain/` and `records/`. With `key`, only what that key, or one that it leads to or follows, signed
/// in its reign is good; without, the keys are the archive's own, which proves agreement but not origin.
pub fn verify(archive: &Path, key: Option<&Verifier>) -> (Facts, Vec<Finding>) {
    verify_against(archive, key, &[], &[])
}

/// As [`verify`], held against checkpoints that the archive signed some day and others kept: `claims`, verified by the
/// caller, and what stands in `chain/witness/`, whose cosignatures are verified as far as `witnesses` are known.
pub fn verify_against(
    archive: &Path,
    key: Option<&Verifier>,
    claims: &[Claim],
    witnesses: &[Verifier],
) -> (Facts, Vec<Finding>) {
    let mut run = Run { files: Files::of(archive), facts: Facts::default(), firm: Vec::new(), provisional: Vec::new() };
    // Before the checkpoint: what was witnessed when we looked is in the chain read after it.
    let mut claims = claims.to_vec();
    run.guarded("chain/witness", |run| run.kept(&mut claims, key, witnesses));
    let index = run.chain(key);
    run.compare(&claims, &index);
    run.cosignatures(witnesses);
    if run.facts.checkpoint.as_ref().is_none_or(|checkpoint| checkpoint.size == index.size()) {
        run.guarded("records", |run| run.records(&index));
        run.guarded("records/accesses.jsonl", |run| run.accesses(&index));
        run.guarded("chain/stamps", |run| run.stamps(&index));
    } else {
        run.error(Code::NotLookedAt, "records", "records are compared once the chain's lines are all there");
    }
    run.guarded("chain", Run::strangers);
    run.settle(key, &index);
    (run.facts, run.firm)
}

struct Run {
    files: Files,
    facts: Facts,
    firm: Vec<Finding>,
    /// Counts only when nothing moved while it was read.
    provisional: Vec<Finding>,
}

impl Run {
    fn error(&mut self, code: Code, place: impl Into<String>, detail: &str) {
        self.firm.push(Finding::error(code, place, detail));
    }

    /// Runs a part; what stops it becomes a finding: damage, or not looked at.
    fn guarded(&mut self, what: &str, part: impl FnOnce(&mut Self) -> Result<()>) {
        if let Err(e) = part(self) {
            let place = if e.place.is_empty() { what.to_owned() } else { e.place.clone() };
            let code = if e.code.kind() == Trouble::Damage { e.code } else { Code::NotLookedAt };
            self.error(code, place, &e.detail);
        }
    }

    fn chain(&mut self, key: Option<&Verifier>) -> Index {
        // The checkpoint first: all that is read later is at least as new.
        let note = match read_bounded(&self.files.chain("checkpoint"), MAX_NOTE) {
            Ok(Some(bytes)) => String::from_utf8(bytes).unwrap_or_default(),
            Ok(None) => String::new(),
            Err(e) => {
                self.error(Code::NotLookedAt, "chain/checkpoint", &e.detail);
                String::new()
            }
        };
        self.facts.note = note;
        self.checkpoint(key);
        let mut index = Index::default();
        let before = self.firm.len();
        self.guarded("chain/entries", |run| run.entries(&mut index));
        if let Some(checkpoint) = self.facts.checkpoint.clone()
            && index.size() == checkpoint.size
            && index.tree.root() != checkpoint.root
        {
            let detail = "the root over the lines is not the checkpoint's: a line was altered (the last one, if no other is named)";
            self.error(Code::ChainAltered, "chain/entries", detail);
        }
        if self.firm.len() == before && self.facts.checkpoint.is_some() {
            self.guarded("chain/tile", |run| run.tiles(&index));
        } else {
            self.error(Code::NotLookedAt, "chain/tile", "tiles are compared once entries and checkpoint hold");
        }
        index
    }

    /// Opens the checkpoint with the key in force at its size, by the keys that the entries tell: they must hold the one given.
    fn checkpoint(&mut self, given: Option<&Verifier>) {
        let file = read_bounded(&self.files.chain("archive.vkey"), MAX_NOTE).ok().flatten().unwrap_or_default();
        let Some((keys, differ)) = Reigns::read(&self.files, given) else {
            self.error(Code::ChainAltered, "chain/archive.vkey", "not the archive's key");
            return self.error(Code::CheckpointBad, "chain/checkpoint", "no key of the archive can be read");
        };
        if differ {
            self.error(Code::ChainAltered, "chain/entries line 1", "the genesis names another key");
        }
        let opened = keys.open_checkpoint(&self.facts.note);
        // When the checkpoint does not open, the newest key is the one to go by.
        let size = opened.as_ref().map_or(u64::MAX, |checkpoint| checkpoint.size);
        let is_key = |key: &Verifier| format!("{key}\n").as_bytes() == file;
        if !is_key(keys.at(size)) {
            let finding = Finding::error(Code::ChainAltered, "chain/archive.vkey", "not the archive's key");
            // A change of key may be under way.
            let moving = keys.keys().any(is_key);
            if moving { &mut self.provisional } else { &mut self.firm }.push(finding);
        }
        match opened {
            Ok(checkpoint) => self.facts.checkpoint = Some(checkpoint),
            Err(e) if e.code == Code::KeyNotInForce => self.error(e.code, "chain/checkpoint", &e.detail),
            Err(_) => {
                let detail = "missing, altered, or not signed by the archive's key";
                self.error(Code::CheckpointBad, "chain/checkpoint", detail);
            }
        }
        self.facts.keys = Some(keys);
    }

    fn entries(&mut self, index: &mut Index) -> Result<()> {
        let size = self.facts.checkpoint.as_ref().map(|c| c.size);
        let Some(mut lines) = Lines::open(&self.files.chain("entries"), 0, MAX_LINE + 1)? else {
            self.error(Code::ChainBehind, "chain/entries", "missing");
            return Ok(());
        };
        let mut bad = 0;
        while size.is_none_or(|size| index.size() < size) {
            let Some(raw) = lines.next_line().map_err(|e| Error::io("chain/entries", e))? else { break };
            let place = format!("chain/entries line {}, byte {}", index.size() + 1, raw.offset);
            if raw.too_long {
                self.error(Code::ChainAltered, place, "longer than 60 KB; the lines after it were not judged");
                return Ok(());
            }
            if !raw.complete {
                self.error(Code::ChainAltered, place, "the line has no end");
                return Ok(());
            }
            let text = std::str::from_utf8(&raw.bytes).map_err(|_| Error::new(Code::ChainAltered, "not UTF-8"));
            let verdict = text.and_then(|text| index.check(text));
            let taken = match verdict {
                Ok(line) => {
                    *self.facts.entries.entry(line.kind).or_default() += 1;
                    index.take(&raw.bytes, Some(&line))
                }
                Err(e) => index.take(&raw.bytes, None).and(Err(e)),
            };
            if let Err(e) = taken {
                let code = if e.code == Code::KeyChangeBad { e.code } else { Code::ChainAltered };
                self.error(code, place, &e.detail);
                bad += 1;
                if bad == MAX_FINDINGS {
                    self.error(
                        Code::NotLookedAt,
                        "chain/entries",
                        "too many altered lines; those after them were not judged",
                    );
                    return Ok(());
                }
            }
        }
        match size {
            Some(size) if index.size() < size => {
                let detail = format!("{} lines, the checkpoint counts {size}", index.size());
                self.error(Code::ChainBehind, "chain/entries", &detail);
            }
            Some(_) => {
                let length = std::fs::metadata(self.files.chain("entries")).map_or(0, |m| m.len());
                if length != index.end {
                    let place = format!("chain/entries, byte {}", index.end);
                    let detail = "bytes after the checkpoint's last entry";
                    self.provisional.push(Finding::error(Code::ChainBehind, place, detail));
                }
            }
            None => {}
        }
        Ok(())
    }

    fn tiles(&mut self, index: &Index) -> Result<()> {
        let path = self.files.chain("entries");
        let file = durable::open_plain(&path)?;
        let expected = tiles::expected(index.size());
        // Tiles that are not full yet: who holds an older checkpoint may still ask for a narrower one.
        let mut growing = BTreeMap::new();
        for (name, tile) in &expected {
            let place = format!("chain/{}", name.display());
            let wanted = tile.bytes(index, &|seq| index.read(&file, &path, seq))?;
            if let Some(wanted) = wanted.as_ref().filter(|_| !tile.full()) {
                growing.insert((tile.level, tile.number), (*tile, wanted.clone()));
            }
            match read_bounded(&self.files.chain("").join(name), tile.limit()) {
                Ok(Some(found)) if Some(&found) == wanted.as_ref() => self.facts.tiles += 1,
                Ok(Some(_)) => self.error(Code::TileAltered, place, ""),
                Ok(None) if tile.full() => self.error(Code::TileAltered, place, "missing"),
                Ok(None) => self.provisional.push(Finding::error(Code::TileAltered, place, "missing")),
                Err(e) => self.error(Code::TileAltered, place, &e.detail),
            }
        }
        let mut found = Vec::new();
        walk(&self.files.chain(""), Path::new("tile"), 0, &mut found).at("chain/tile")?;
        let mut strangers = Vec::new();
        for name in found.into_iter().filter(|name| !expected.contains_key(name)) {
            let tile = name.strip_prefix("tile").ok().and_then(|name| tiles::Tile::parse(name.to_str()?));
            let wider = tile.and_then(|tile| growing.get(&(tile.level, tile.number)).map(|wider| (tile, wider)));
            match wider {
                Some((tile, (wider, bytes))) if tile.width < wider.width => {
                    let place = format!("chain/{}", name.display());
                    match read_bounded(&self.files.chain("").join(&name), tile.limit()) {
                        Ok(Some(found)) if Some(&found[..]) == wider.narrower(bytes, tile.width) => {}
                        // Gone since the folder was read: there is a full one now.
                        Ok(None) => {}
                        Ok(Some(_)) => self.error(Code::TileAltered, place, ""),
                        Err(e) => self.error(Code::TileAltered, place, &e.detail),
                    }
                }
                _ => strangers.push(name),
            }
        }
        for name in strangers.into_iter().take(MAX_FINDINGS) {
            let place = format!("chain/{}", name.display());
            self.provisional.push(Finding::error(Code::TileAltered, place, "no tile of this chain"));
        }
        Ok(())
    }

    fn records(&mut self, index: &Index) -> Result<()> {
        let mut kinds: BTreeSet<String> = index.commits.keys().cloned().collect();
        for name in names(&self.files.records()).at("records")? {
            match name.strip_suffix(".jsonl").unwrap_or(&name) {
                _ if is_temporary(&name) => {}
                ACCESSES => {}
                kind if check_record_kind(kind).is_ok() => {
                    kinds.insert(kind.to_owned());
                }
                _ => self.error(Code::RecordUnchained, format!("records/{name}"), "not a file of records"),
            }
        }
        for kind in kinds {
            let commits = index.commits.get(&kind).cloned().unwrap_or_default();
            let place = format!("records/{kind}.jsonl");
            self.guarded(&place, |run| {
                let mut count = 0;
                let mut read = record::read_each(&run.files, &kind, &commits, &mut |_| count += 1)?;
                run.facts.records.insert(kind.clone(), count);
                if kind == COVERAGE {
                    run.facts.coverage = Some(RecordFile { files: run.files.clone(), kind: COVERAGE, commits });
                }
                read.findings.truncate(MAX_FINDINGS);
                run.firm.append(&mut read.findings);
                run.provisional.append(&mut read.provisional);
                Ok(())
            });
        }
        Ok(())
    }

    fn accesses(&mut self, index: &Index) -> Result<()> {
        self.firm.extend(check_batches(&self.files, &index.accesses)?.into_iter().take(MAX_FINDINGS));
        let last = index.accesses.last();
        let offset = last.map_or(0, |batch| batch.offset.saturating_add(batch.length));
        for attempt in 0.. {
            let mut tip = last.map_or(Sha256::ZERO, |batch| batch.tip);
            let tail = read_tail(&self.files, offset, &mut tip)?;
            self.facts.accesses_open = tail.count();
            // A last line without end may be one being written: look again before saying so.
            if tail.torn_finding().is_some() && attempt < 5 {
                std::thread::sleep(APPEND_TIME / 10);
                continue;
            }
            self.firm.extend(tail.torn_finding());
            self.firm.extend(tail.findings.into_iter().take(MAX_FINDINGS));
            break;
        }
        Ok(())
    }

    /// Time-stamps over checkpoints, by their digests; whether they verify is for who holds the anchors.
    fn stamps(&mut self, index: &Index) -> Result<()> {
        let folder = self.files.chain("stamps");
        for stamp in &index.stamps {
            let files = [(stamp.checkpoint_file(), stamp.checkpoint), (stamp.reply_file(), stamp.sha256)];
            for (name, sha256) in files {
                self.same(&format!("stamps/{name}"), MAX_NOTE, sha256);
            }
            if index.tree.root_at(stamp.size) != Some(stamp.root) {
                let place = format!("chain/stamps/{}", stamp.checkpoint_file());
                self.error(Code::ChainAltered, place, "it stamps another chain");
            }
        }
        let mut named: BTreeSet<String> =
            index.stamps.iter().flat_map(|stamp| [stamp.checkpoint_file(), stamp.reply_file()]).collect();
        named.insert(RENEWED.to_owned());
        self.unnamed("chain/stamps", &folder, &named)?;
        let folder = folder.join(RENEWED);
        let mut named = BTreeSet::new();
        for file in index.stamp_renewals.iter().flat_map(|renewal| &renewal.files) {
            let limit = usize::try_from(file.length).unwrap_or(usize::MAX).min(MAX_RENEWAL);
            self.same(&format!("stamps/{RENEWED}/{}", file.name), limit, file.sha256);
            named.insert(file.name.clone());
        }
        self.unnamed(&format!("chain/stamps/{RENEWED}"), &folder, &named)
    }

    /// A file of `chain/` is there and is the one that an entry names.
    fn same(&mut self, name: &str, limit: usize, sha256: Sha256) {
        let place = format!("chain/{name}");
        match read_bounded(&self.files.chain(name), limit) {
            Ok(Some(bytes)) if Sha256::of(&bytes) == sha256 => {}
            Err(error) if error.code.kind() != Trouble::Damage => {
                self.error(Code::NotLookedAt, place, &error.detail);
            }
            // One that is too long is another one.
            Ok(_) | Err(_) => self.error(Code::ChainAltered, place, "missing or altered"),
        }
    }

    /// Files of a folder that no entry names.
    fn unnamed(&mut self, place: &str, folder: &Path, named: &BTreeSet<String>) -> Result<()> {
        for name in names(folder).at(place)? {
            if !is_temporary(&name) && !named.contains(&name) {
                let place = format!("{place}/{name}");
                self.provisional.push(Finding::warning(Code::ChainAltered, place, "no entry names this file"));
            }
        }
        Ok(())
    }

    /// Files in `chain/` that are none of ours.
    fn strangers(&mut self) -> Result<()> {
        const OURS: [&str; 7] = ["entries", "checkpoint", "pending", "archive.vkey", "stamps", "tile", "witness"];
        for name in names(&self.files.chain("")).at("chain")? {
            if !OURS.contains(&name.as_str()) && !is_temporary(&name) {
                let place = format!("chain/{name}");
                self.firm.push(Finding::warning(Code::ChainAltered, place, "a file that does not belong to the chain"));
            }
        }
        Ok(())
    }

    /// Whether anything moved; if not, what is provisional counts.
    fn settle(&mut self, given: Option<&Verifier>, index: &Index) {
        let pending = read_bounded(&self.files.chain("pending"), MAX_PENDING);
        let note = read_bounded(&self.files.chain("checkpoint"), MAX_NOTE).ok().flatten().unwrap_or_default();
        // A witness may cosign the checkpoint meanwhile: it is the text that says how long the chain is.
        let text = |note: &str| parts(note).map(|(text, _)| text.to_owned()).unwrap_or_else(|_| note.to_owned());
        let note = String::from_utf8_lossy(&note).into_owned();
        let grown = text(&note) != text(&self.facts.note) && self.facts.checkpoint.is_some();
        match pending {
            Ok(None) => self.facts.moved = grown,
            Ok(Some(bytes)) => {
                self.facts.moved = true;
                self.pending(&bytes, given, index, grown);
            }
            Err(e) => self.error(Code::ChainAltered, "chain/pending", &e.detail),
        }
        if !self.facts.moved {
            self.firm.append(&mut self.provisional);
        }
    }

    fn pending(&mut self, bytes: &[u8], given: Option<&Verifier>, index: &Index, grown: bool) {
        let keys = Reigns::read(&self.files, given).map(|(keys, _)| keys);
        let judged = Pending::parse(bytes).and_then(|pending| {
            let Some(keys) = keys else { return Ok(()) };
            let signed = pending.signed(&keys)?;
            match &self.facts.checkpoint {
                Some(checkpoint) if !grown && signed.size == checkpoint.size + 1 => {
                    pending.follows(index, &keys).map(drop)
                }
                Some(checkpoint) if !grown && signed.size != checkpoint.size => {
                    Err(Error::new(Code::ChainBehind, "it does not follow the checkpoint"))
                }
                _ => Ok(()),
            }
        });
        match judged {
            Err(e) => self.error(Code::ChainAltered, "chain/pending", &e.detail),
            Ok(()) => {
                let again = || read_bounded(&self.files.chain("pending"), MAX_PENDING).ok().flatten();
                let mut waited = Duration::ZERO;
                while waited < APPEND_TIME && again().as_deref() == Some(bytes) {
                    std::thread::sleep(APPEND_TIME / 20);
                    waited += APPEND_TIME / 20;
                }
                if waited >= APPEND_TIME {
                    let detail = "the ends of the files it was writing were not judged";
                    self.firm.push(Finding::warning(Code::ChainPending, "chain/pending", detail));
                }
            }
        }
    }
}

/// Names in a folder; none when it is not there.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    match std::fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect(),
    }
}

/// Files below `base/name`, by path below `base`. No tile lies deeper than the eight groups of a 64-bit number.
fn walk(base: &Path, name: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for child in names(&base.join(name))? {
        let path = name.join(&child);
        if is_temporary(&child) {
            continue;
        }
        match base.join(&path).symlink_metadata() {
            // A partial tile that a wider one replaced since it was listed: an append goes on beside this.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
            Ok(facts) if facts.is_dir() && depth < 12 => walk(base, &path, depth + 1, found)?,
            Ok(_) => found.push(path),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
