//! What the tests of this room share: small archives, copies of them, and long synthetic ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::checkpoint::Checkpoint;
use super::entry::{Entry, Kind};
use super::index::Index;
use super::ledger::Ledger;
use super::note::Signer;
use crate::clock::{Clock, ManualClock};

/// A folder in memory where there is one: these tests are about bytes, and sync thousands of times.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub fn signer() -> Signer {
    Signer::for_name("archivio.example", &[7; 32]).unwrap()
}

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap()))
}

pub fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => panic!("an object"),
    }
}

pub fn create(dir: &Path, clock: &Arc<ManualClock>) -> Ledger {
    Ledger::create(dir, signer(), object(json!({"profile": "trial"})), Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

pub fn open(dir: &Path) -> crate::error::Result<(Ledger, Vec<crate::error::Finding>)> {
    let later = clock();
    later.advance_ms(60_000);
    Ledger::open(dir, signer(), later)
}

/// Genesis, a package, two records (one with a personal part), a batch of two accesses, and one access not chained.
pub fn small(dir: &Path) -> Ledger {
    let clock = clock();
    let ledger = create(dir, &clock);
    clock.advance_ms(1_500);
    ledger.append(Kind::Package, object(json!({"series": "generic", "number": 1}))).unwrap();
    let personal = object(json!({"name": "Esempio"}));
    ledger.append_record("persons", object(json!({"role": "manager"})), Some(personal)).unwrap();
    ledger.append_record("persons", object(json!({"role": "reader"})), None).unwrap();
    ledger.note_access(object(json!({"person": "p1"}))).unwrap();
    ledger.note_access(object(json!({"person": "p2"}))).unwrap();
    ledger.chain_accesses().unwrap().unwrap();
    ledger.note_access(object(json!({"person": "p3"}))).unwrap();
    ledger
}

/// Every file under `dir`, by path.
pub fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Every file under `dir`, by path below it: to compare two archives.
pub fn tree(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(dir).into_iter().map(|(path, bytes)| (path.strip_prefix(dir).unwrap().to_owned(), bytes)).collect()
}

/// Puts files back as `tree` saw them, and nothing else.
pub fn restore(dir: &Path, tree: &BTreeMap<PathBuf, Vec<u8>>) {
    let _ = fs::remove_dir_all(dir);
    for (name, bytes) in tree {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Overwrites a file even when it is read-only.
pub fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Grows a fresh archive by `more` entries without an fsync each, signed as a whole; tiles are not derived.
pub fn grow(dir: &Path, more: u64) {
    let entries = dir.join("chain/entries");
    let mut text = fs::read_to_string(&entries).unwrap();
    let mut index = Index::default();
    for line in text.lines() {
        let parsed = index.check(line).unwrap();
        index.take(line.as_bytes(), Some(&parsed)).unwrap();
    }
    for number in 0..more {
        let object = object(json!({"series": "generic", "number": number, "pindex": "ab".repeat(32)}));
        let entry = Entry::new(index.size(), index.tip(), index.at.unwrap(), Kind::Package, object).unwrap();
        index.take(entry.line.as_bytes(), None).unwrap();
        text.push_str(&entry.line);
        text.push('\n');
    }
    fs::write(&entries, text).unwrap();
    let checkpoint = Checkpoint { origin: signer().name().into(), size: index.size(), root: index.tree.root() };
    fs::write(dir.join("chain/checkpoint"), signer().sign_note(&checkpoint.text()).unwrap()).unwrap();
}
