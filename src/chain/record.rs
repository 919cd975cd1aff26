//! Records: what people decided and programs must remember. One JSON line each in `records/<kind>.jsonl`, committed by
//! its digest on the chain; the personal part in a side file that can be erased without breaking anything.
//!
//! Invariant: a line the chain does not commit has no effect and is reported; the order is the chain's. Clause: formats,
//! "Chain and records"; GDPR art. 17 (the side file).

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::entry::Kind;
use super::files::{Files, Lines, MAX_FINDINGS, MAX_RECORD, read_bounded};
use super::index::{Commits, Committed};
use crate::clock::iso_ms;
use crate::error::{Code, Error, Finding, Result};
use crate::hash::Sha256;
use crate::id::RecordId;

/// The one kind that is not committed line by line but in batches.
pub const ACCESSES: &str = "accesses";

/// What checks looked at, a line a part of a check.
pub const COVERAGE: &str = "coverage";

/// Names the ledger itself gives to members of a line.
const RESERVED: [&str; 6] = ["id", "prev", "salt", "at", "side", "sum"];

/// A record in force.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordLine {
    /// `holds`, `tokens`, `persons` …: the file it stands in.
    pub kind: String,
    /// Its identifier.
    pub id: RecordId,
    /// Digest of the record of the same kind before it; zeros for the first.
    pub prev: Sha256,
    /// Random 128 bits in hex, so that the digest on the chain discloses nothing.
    pub salt: String,
    /// When it was made.
    pub at: Timestamp,
    /// What it says.
    pub fields: Map<String, Value>,
    /// Digest of the side file, when it has one.
    pub side: Option<Sha256>,
    /// The personal part; `None` without one, or when it was erased.
    pub personal: Option<Map<String, Value>>,
    /// The entry that commits it.
    pub seq: u64,
    /// The exact line, without its newline.
    pub line: String,
}

/// A new line, with its side file's bytes.
#[derive(Debug)]
pub(super) struct NewLine {
    pub id: RecordId,
    pub line: String,
    pub side: Option<String>,
}

/// Random 128 bits in hex.
pub(super) fn salt() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| Error::new(Code::Internal, format!("no random numbers: {e}")))?;
    Ok(hex::encode(bytes))
}

/// Members every line begins with.
pub(super) fn header(id: RecordId, prev: Sha256, at: Timestamp) -> Result<Map<String, Value>> {
    let mut line = Map::new();
    line.insert("id".into(), id.to_string().into());
    line.insert("prev".into(), prev.to_string().into());
    line.insert("salt".into(), salt()?.into());
    line.insert("at".into(), iso_ms(at).into());
    Ok(line)
}

/// Adds the caller's members, which may not take the ledger's names.
pub(super) fn add_fields(line: &mut Map<String, Value>, fields: Map<String, Value>) -> Result<()> {
    if let Some(taken) = RESERVED.iter().find(|name| fields.contains_key(**name)) {
        return Err(Error::new(Code::Internal, format!("a record's member may not be named {taken}")));
    }
    line.extend(fields);
    Ok(())
}

/// Renders a record and its side file.
pub(super) fn new_line(
    prev: Sha256,
    at: Timestamp,
    fields: Map<String, Value>,
    personal: Option<Map<String, Value>>,
) -> Result<NewLine> {
    let id = RecordId::new(at);
    let mut whole = header(id, prev, at)?;
    let side = match personal {
        Some(personal) => {
            let mut side = Map::new();
            side.insert("salt".into(), salt()?.into());
            add_fields(&mut side, personal)?;
            let text = Value::Object(side).to_string() + "\n";
            whole.insert("side".into(), Sha256::of(text.as_bytes()).to_string().into());
            Some(text)
        }
        None => None,
    };
    add_fields(&mut whole, fields)?;
    let line = Value::Object(whole).to_string();
    if line.len() > MAX_RECORD || side.as_ref().is_some_and(|s| s.len() > MAX_RECORD) {
        return Err(Error::new(Code::EntryTooLarge, "the record is larger than 1 MiB"));
    }
    Ok(NewLine { id, line, side })
}

/// Reads a line whose digest the chain commits.
pub(super) fn parse(kind: &str, line: &str, seq: u64) -> Result<RecordLine> {
    let wrong = |what: &str| Error::new(Code::RecordAltered, what.to_owned());
    let mut fields: Map<String, Value> = serde_json::from_str(line).map_err(|_| wrong("not a JSON object"))?;
    let mut text = |name: &str| match fields.shift_remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(wrong(&format!("`{name}` is missing"))),
    };
    let (id, prev, salt, at) = (text("id")?, text("prev")?, text("salt")?, text("at")?);
    let side = text("side").ok().map(|s| s.parse().map_err(|_| wrong("`side` is not a digest"))).transpose()?;
    Ok(RecordLine {
        kind: kind.to_owned(),
        id: id.parse().map_err(|_| wrong("`id` is not an identifier"))?,
        prev: prev.parse().map_err(|_| wrong("`prev` is not a digest"))?,
        at: at.parse().map_err(|_| wrong("`at` is not an instant"))?,
        salt,
        fields,
        side,
        personal: None,
        seq,
        line: line.to_owned(),
    })
}

/// The object that commits a record, in an entry of kind `record` or as the member `record` of another.
pub(super) fn commitment(kind: &str, id: RecordId, line: &str) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("kind".into(), kind.into());
    object.insert("id".into(), id.to_string().into());
    object.insert("sha256".into(), Sha256::of(line.as_bytes()).to_string().into());
    object
}

/// An entry's object with a commitment in it.
pub(super) fn committing(
    entry: Kind,
    mut object: Map<String, Value>,
    commitment: Map<String, Value>,
) -> Map<String, Value> {
    if entry == Kind::Record {
        return commitment;
    }
    object.insert("record".into(), Value::Object(commitment));
    object
}

/// The records of one kind as a verification found them, to be read line by line.
#[derive(Debug, Clone)]
pub struct RecordFile {
    pub(super) files: Files,
    pub(super) kind: &'static str,
    pub(super) commits: Commits,
}

impl RecordFile {
    /// Gives every record in force, in the chain's order. What disagrees with the chain was said by the verification.
    pub fn each(&self, see: &mut dyn FnMut(&RecordLine)) -> Result<()> {
        read_each(&self.files, self.kind, &self.commits, see).map(drop)
    }
}

/// Everything a kind's file and side files hold.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Records in force, in the chain's order.
    pub records: Vec<RecordLine>,
    /// What does not agree with the chain.
    pub findings: Vec<Finding>,
    /// What does not agree, but would if an append were under way: the end of the file.
    pub provisional: Vec<Finding>,
}

/// Reads one kind against what the chain commits.
pub(super) fn read(files: &Files, kind: &str, commits: &Commits) -> Result<Read> {
    let mut records = Vec::new();
    let mut read = walk(files, kind, commits, &mut |record| records.push(record))?;
    read.records = records;
    side_files(files, kind, commits, &mut read)?;
    Ok(read)
}

/// As [`read`], one record in memory at a time: `see` is given each. Of those with a personal part only the digests are kept.
pub(super) fn read_each(
    files: &Files,
    kind: &str,
    commits: &Commits,
    see: &mut dyn FnMut(&RecordLine),
) -> Result<Read> {
    let mut sided = Vec::new();
    let mut read = walk(files, kind, commits, &mut |record| {
        see(&record);
        if record.side.is_some() {
            sided.push(record);
        }
    })?;
    read.records = sided;
    side_files(files, kind, commits, &mut read)?;
    Ok(read)
}

/// The lines of one kind: each in force is given on, in the file's order.
fn walk(files: &Files, kind: &str, commits: &Commits, take: &mut dyn FnMut(RecordLine)) -> Result<Read> {
    let mut read = Read::default();
    let mut last = 0;
    let mut seen = vec![false; commits.list.len()];
    let mut tail = Vec::new();
    let name = format!("records/{kind}.jsonl");
    if let Some(mut lines) = Lines::open(&files.record(kind), 0, MAX_RECORD)? {
        let mut number = 0;
        while let Some(raw) = lines.next_line().map_err(|e| Error::io(&name, e))? {
            number += 1;
            let place = format!("{name} line {number}, byte {}", raw.offset);
            let position = if raw.too_long { None } else { commits.position(&Sha256::of(&raw.bytes)) };
            let Some(position) = position.filter(|at| raw.complete && !seen[*at]) else {
                if tail.len() < MAX_FINDINGS {
                    tail.push(unknown_line(&raw.bytes, raw.complete, commits, place));
                }
                continue;
            };
            // Only what follows the last committed line can be an append under way.
            read.findings.append(&mut tail);
            seen[position] = true;
            let text =
                std::str::from_utf8(&raw.bytes).map_err(|_| Error::new(Code::RecordAltered, "not UTF-8").at(&place))?;
            match parse(kind, text, commits.list[position].seq) {
                Ok(record) => {
                    let before = position.checked_sub(1).map_or(Sha256::ZERO, |at| commits.list[at].sha256);
                    if record.prev != before || last > record.seq {
                        read.findings.push(Finding::error(Code::RecordAltered, place, "not in the chain's order"));
                    }
                    last = record.seq;
                    take(record);
                }
                Err(e) => read.findings.push(Finding::error(Code::RecordAltered, place, e.detail)),
            }
        }
    }
    read.provisional.append(&mut tail);
    for (committed, _) in commits.list.iter().zip(&seen).filter(|(_, seen)| !**seen) {
        let detail = format!("record {} of entry {} is missing", committed.id, committed.seq);
        read.findings.push(Finding::error(Code::RecordAltered, &name, detail));
    }
    Ok(read)
}

fn unknown_line(bytes: &[u8], complete: bool, commits: &Commits, place: String) -> Finding {
    if !complete {
        return Finding::error(Code::RecordAltered, place, "the line has no end");
    }
    let id = serde_json::from_slice::<Map<String, Value>>(bytes).ok();
    let id = id.as_ref().and_then(|line| line.get("id")).and_then(Value::as_str);
    match id {
        Some(id) if commits.by_id(id).is_none() => Finding::error(Code::RecordUnchained, place, ""),
        _ => Finding::error(Code::RecordAltered, place, "not the line whose digest is on the chain"),
    }
}

fn side_files(files: &Files, kind: &str, commits: &Commits, read: &mut Read) -> Result<()> {
    let mut expected = HashSet::new();
    for record in &mut read.records {
        let Some(digest) = record.side else { continue };
        let id = record.id.to_string();
        let place = format!("records/{kind}/{id}.json");
        let erased = commits.position(&Sha256::of(record.line.as_bytes())).is_some_and(|at| commits.list[at].erased);
        match read_bounded(&files.side(kind, &id), MAX_RECORD) {
            Ok(None) if erased => {}
            Ok(None) => {
                read.provisional.push(Finding::error(Code::RecordAltered, place, "the personal part is missing"))
            }
            Ok(Some(_)) if erased => {
                read.findings.push(Finding::warning(
                    Code::RecordAltered,
                    place,
                    "erased on the chain, but still there",
                ));
            }
            Ok(Some(bytes)) if Sha256::of(&bytes) == digest => {
                let mut personal: Map<String, Value> = serde_json::from_slice(&bytes).unwrap_or_default();
                personal.shift_remove("salt");
                record.personal = Some(personal);
            }
            Ok(Some(_)) => {
                read.findings.push(Finding::error(Code::RecordAltered, place, "the personal part is altered"))
            }
            Err(e) => read.findings.push(Finding::error(Code::RecordAltered, place, e.detail)),
        }
        expected.insert(format!("{id}.json"));
    }
    let folder = files.records().join(kind);
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(&folder).map_err(|e| Error::io(folder.display(), e))? {
        let name = entry.map_err(|e| Error::io(folder.display(), e))?.file_name();
        let name = name.to_string_lossy();
        if !expected.contains(name.as_ref()) && !is_temporary(&name) {
            let place = format!("records/{kind}/{name}");
            read.provisional.push(Finding::error(Code::RecordUnchained, place, "no record names this file"));
        }
    }
    Ok(())
}

/// Name of a half-written file that a power cut may leave; it counts for nothing.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

/// Records of which the chain says that the personal part is erased.
pub(super) fn erased(commits: &Commits) -> impl Iterator<Item = &Committed> {
    commits.list.iter().filter(|c| c.erased)
}
