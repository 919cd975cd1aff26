//! Opening a chain: read all of it, verify it against its checkpoint, complete an append that was interrupted.
//!
//! Invariant: nothing is signed here. Without a valid `pending`, entries and checkpoint that differ are damage, and the
//! chain does not open.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use jiff::Timestamp;

use super::accesses::{AccessLog, set_aside};
use super::checkpoint::Checkpoint;
use super::entry::{Head, MAX_LINE};
use super::files::{Files, Lines, MAX_RECORD, read_bounded};
use super::index::Index;
use super::note::{MAX_NOTE, Signer};
use super::pending::{MAX_PENDING, Pending, PendingRecord};
use super::reign::{self, Reigns};
use super::{record, tiles};
use crate::durable::{self, Appending};
use crate::error::{AtPath, Code, Error, Finding, Result};
use crate::hash::Sha256;

const ENTRIES: &str = "chain/entries";

/// A chain ready to be read and grown.
pub(super) struct Loaded {
    pub index: Index,
    pub head: Head,
    pub entries: Appending,
    pub accesses: AccessLog,
    /// Of the signers given, the one whose key is in force.
    pub signer: Signer,
    pub findings: Vec<Finding>,
    /// The latest instant written anywhere.
    pub at: Option<Timestamp>,
}

/// See the module. `signers` hold the key in force, and the one that was about to follow it if there is such a one.
pub(super) fn load(files: &Files, signers: &[Signer]) -> Result<Loaded> {
    let keys = keys_of(files, signers)?;
    // A half-written pending may hold a personal part; it counts for nothing, so it goes.
    for name in [".pending.tmp", ".checkpoint.tmp", ".archive.vkey.tmp"] {
        if files.chain(name).exists() {
            durable::remove_file(&files.chain(name))?;
        }
    }
    let pending =
        read_bounded(&files.chain("pending"), MAX_PENDING)?.map(|bytes| Pending::parse(&bytes)).transpose()?;
    let (mut note, size) = match read_checkpoint(files, &keys)? {
        Some((note, checkpoint)) => (note, Some(checkpoint)),
        None if pending.is_some() => (String::new(), None),
        None => return Err(Error::new(Code::CheckpointBad, "missing").at("chain/checkpoint")),
    };
    let mut index = read_entries(files, size.as_ref())?;
    let mut entries = Appending::open(&files.chain("entries"), durable::MODE_PLAIN)?;
    match pending {
        Some(pending) => {
            note = complete(files, &keys, &mut index, &mut entries, note, &pending)?;
        }
        None if entries.length() != index.end => {
            return Err(behind(format!("{} bytes after the checkpoint's last entry", entries.length() - index.end)));
        }
        None => {}
    }
    let signer = in_force(files, &index, signers)?;
    let head = Head { size: index.size(), root: index.tree.root(), checkpoint: note };
    let (accesses, mut findings, access_at) = AccessLog::open(files, index.accesses.last())?;
    for (kind, commits) in &index.commits {
        for erased in record::erased(commits) {
            // The entry is the erasure; the file goes after it, also when the process stopped in between.
            let side = files.side(kind, &erased.id);
            if side.exists() {
                durable::remove_file(&side)?;
            }
        }
        let read = record::read_each(files, kind, commits, &mut |_| {})?;
        findings.extend(read.findings);
        findings.extend(read.provisional);
    }
    let at = index.at.max(access_at);
    Ok(Loaded { index, head, entries, accesses, signer, findings, at })
}

fn missing(what: &str, place: &str) -> Error {
    Error::new(Code::KeyMissing, what.to_owned()).at(place.to_owned())
}

/// The keys that the entries tell; one of those given must be among them. Before there is a genesis, the one given.
fn keys_of(files: &Files, signers: &[Signer]) -> Result<Reigns> {
    let first = signers.first().ok_or_else(|| missing("no key was given", ENTRIES))?;
    let keys = reign::of_files(files)?.unwrap_or_else(|| Reigns::only(first.verifier()));
    if signers.iter().any(|signer| keys.holds(&signer.verifier())) {
        return Ok(keys);
    }
    Err(missing(
        "none of the keys that this chain names; a copy from before a change of key needs the key of then",
        ENTRIES,
    ))
}

/// The signer whose key the chain says is in force; `chain/archive.vkey` holds exactly that key's text and a newline.
fn in_force(files: &Files, index: &Index, signers: &[Signer]) -> Result<Signer> {
    let path = files.chain("archive.vkey");
    let key = index.keys.as_ref().map(Reigns::current).ok_or_else(|| missing("the genesis names no key", ENTRIES))?;
    let stored = read_bounded(&path, MAX_NOTE)?
        .ok_or_else(|| Error::new(Code::ArchiveMissing, "no chain/archive.vkey").at(path.display()))?;
    if stored != format!("{key}\n").as_bytes() {
        return Err(missing("not the key that the chain says is in force", "chain/archive.vkey"));
    }
    let signer = signers.iter().find(|signer| signer.verifier() == *key).cloned();
    signer.ok_or_else(|| missing("the key was changed since: the one given is not in force any more", ENTRIES))
}

/// The signed checkpoint, when there is one.
pub(super) fn read_checkpoint(files: &Files, keys: &Reigns) -> Result<Option<(String, Checkpoint)>> {
    let Some(bytes) = read_bounded(&files.chain("checkpoint"), MAX_NOTE)? else { return Ok(None) };
    let at = |e: Error| e.at("chain/checkpoint");
    let note = String::from_utf8(bytes).map_err(|_| at(Error::new(Code::CheckpointBad, "not UTF-8")))?;
    let checkpoint = keys.open_checkpoint(&note).map_err(at)?;
    Ok(Some((note, checkpoint)))
}

/// Reads as many lines as the checkpoint counts; they must give its root.
fn read_entries(files: &Files, checkpoint: Option<&Checkpoint>) -> Result<Index> {
    let mut index = Index::default();
    let Some(checkpoint) = checkpoint else { return Ok(index) };
    let mut lines = Lines::open(&files.chain("entries"), 0, MAX_LINE + 1)?.ok_or_else(|| behind("missing".into()))?;
    while index.size() < checkpoint.size {
        let line = lines.next_line().map_err(|e| Error::io(ENTRIES, e))?.filter(|line| line.complete);
        let Some(raw) = line else {
            return Err(behind(format!("{} whole lines, the checkpoint counts {}", index.size(), checkpoint.size)));
        };
        let place = |e: Error| e.at(format!("{ENTRIES} line {}, byte {}", index.size() + 1, raw.offset));
        let text = std::str::from_utf8(&raw.bytes).map_err(|_| place(Error::new(Code::ChainAltered, "not UTF-8")))?;
        let line = index.check(text).map_err(place)?;
        index.take(&raw.bytes, Some(&line)).map_err(|e| e.at(ENTRIES))?;
    }
    if index.tree.root() != checkpoint.root {
        return Err(behind("the root over the lines is not the checkpoint's".into()));
    }
    Ok(index)
}

fn behind(detail: String) -> Error {
    Error::new(Code::ChainBehind, detail).at(ENTRIES)
}

/// Completes an interrupted append from wherever it stopped; the checkpoint in force afterwards.
fn complete(
    files: &Files,
    keys: &Reigns,
    index: &mut Index,
    entries: &mut Appending,
    note: String,
    pending: &Pending,
) -> Result<String> {
    if pending.signed(keys)?.size == index.size() {
        // The checkpoint was already renamed: only the clearing up is missing.
        let same = note == pending.checkpoint && index.tip() == Sha256::of(pending.entry.as_bytes());
        if !same || entries.length() != index.end {
            return Err(behind("chain/pending and the chain differ".into()));
        }
        pending.check_record(index)?;
    } else {
        pending.follows(index, keys)?;
        if let Some(record) = &pending.record {
            complete_record(files, record)?;
        }
        complete_line(files, entries, (ENTRIES, Code::ChainBehind), index.end, &pending.entry)?;
        let line = index.check(&pending.entry)?;
        index.take(pending.entry.as_bytes(), Some(&line))?;
    }
    finish(files, index, &pending.checkpoint)?;
    Ok(pending.checkpoint.clone())
}

/// Steps 3 to 5 of an append: tiles, checkpoint (and the public key, when the entry changed it), and pending goes.
pub(super) fn finish(files: &Files, index: &Index, note: &str) -> Result<()> {
    let path = files.chain("entries");
    let file = durable::open_plain(&path)?;
    tiles::write_last(&files.chain(""), index, &|seq| index.read(&file, &path, seq))?;
    durable::replace(&files.chain("checkpoint"), note.as_bytes(), durable::MODE_PLAIN)?;
    if let Some(keys) = index.keys.as_ref().filter(|keys| keys.ended(index.size() - 1).is_some()) {
        let vkey = format!("{}\n", keys.current());
        durable::replace(&files.chain("archive.vkey"), vkey.as_bytes(), durable::MODE_SEALED)?;
    }
    durable::remove_file(&files.chain("pending"))
}

/// Side file and line of a record, from wherever they stopped.
pub(super) fn complete_record(files: &Files, record: &PendingRecord) -> Result<()> {
    if let Some(side) = &record.side {
        let path = files.side(&record.kind, &record.id);
        durable::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        if read_bounded(&path, MAX_RECORD)?.as_deref() != Some(side.as_bytes()) {
            durable::replace(&path, side.as_bytes(), durable::MODE_SECRET)?;
        } else {
            // By whom, and whether its name got to the disk, nobody knows.
            durable::sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        }
    }
    let mut file = Appending::open(&files.record(&record.kind), durable::MODE_PLAIN)?;
    let name = format!("records/{}.jsonl", record.kind);
    complete_line(files, &mut file, (&name, Code::RecordAltered), record.offset, &record.line)
}

/// Brings a file to hold exactly `line` behind `offset`, where a write may have been torn.
fn complete_line(files: &Files, file: &mut Appending, damage: (&str, Code), offset: u64, line: &str) -> Result<()> {
    let (name, code) = damage;
    let wanted = format!("{line}\n").into_bytes();
    let Some(length) = file.length().checked_sub(offset).filter(|length| *length <= wanted.len() as u64) else {
        return Err(Error::new(code, "shorter or longer than chain/pending says").at(name));
    };
    let mut found = Vec::new();
    let mut reader = durable::open_plain(file.path())?;
    reader.seek(SeekFrom::Start(offset)).at_path(file.path())?;
    reader.take(length).read_to_end(&mut found).at_path(file.path())?;
    if let Some(rest) = wanted.strip_prefix(found.as_slice()) {
        // What is there was written by a process that was stopped, or whose sync failed: it is not on the disk for that.
        if !found.is_empty() {
            file.assure(offset)?;
        }
        return if rest.is_empty() { Ok(()) } else { file.append(rest) };
    }
    if found.contains(&b'\n') && !found.contains(&0) {
        // A whole other line is not a torn write of this one. No line holds a NUL: that is a sector which never got to the
        // disk, though the file had its length already.
        return Err(Error::new(code, "holds another line than chain/pending says").at(name));
    }
    set_aside(files, &name.replace('/', "-"), offset, &found)?;
    file.cut(offset)?;
    file.append(&wanted)
}
