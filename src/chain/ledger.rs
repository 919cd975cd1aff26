//! The ledger: appends entries and records, gives proofs. The one writer of `chain/` and `records/`.
//!
//! Invariant: when an append returns, its line, record, tiles and checkpoint are durable; when it fails on the way, the
//! ledger takes nothing more until it is opened again, because only recovery knows how far it got (and a failed `fsync`
//! is never repeated). Clause: formats, "Chain and records", append in five steps.

mod read;
mod stamp;
mod witness;

pub use read::{PAGE_BYTES, PAGE_ENTRIES, Page};
pub use stamp::{NewStamp, StampFiles};
pub use witness::{Gate, Kept};
pub(super) use witness::{claim, stored};

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::accesses::AccessLog;
use super::checkpoint::Checkpoint;
use super::entry::{Entry, Head, Kind};
use super::files::{Files, check_record_kind};
use super::index::{Commits, Index};
use super::merkle::leaf;
use super::note::Signer;
use super::pending::{Pending, PendingRecord};
use super::record::{self, ACCESSES, RecordLine};
use super::{recover, tiles};
use crate::clock::{Clock, Forward};
use crate::durable::{self, Appending};
use crate::error::{AtPath, Code, Error, Finding, Result};
use crate::hash::Sha256;
use crate::id::RecordId;

/// The chain and the records of one archive. `Sync`: one append at a time, reads beside it.
pub struct Ledger {
    files: Files,
    signer: Signer,
    clock: Arc<dyn Clock>,
    forward: Forward,
    // Locks are taken in this order; none is held while the view is locked for writing but the ones before it.
    writer: Mutex<Writer>,
    accesses: Mutex<AccessLog>,
    view: RwLock<View>,
    gate: OnceLock<Arc<dyn Gate>>,
}

struct Writer {
    entries: Appending,
    /// Why nothing may be appended, after an error.
    closed: Option<String>,
}

struct View {
    /// May be one entry ahead of `head` while an append is under way: readers go by `head`.
    index: Index,
    head: Head,
}

/// A record to be made: its kind, what it says, and its personal part.
#[derive(Debug, Clone, Default)]
pub struct NewRecord {
    /// `holds`, `tokens`, `persons` …: lower-case letters, digits, hyphens.
    pub kind: String,
    /// What it says; nothing personal.
    pub fields: Map<String, Value>,
    /// What goes to the erasable side file.
    pub personal: Option<Map<String, Value>>,
}

impl Ledger {
    /// Starts a chain in `archive` with its genesis, to which `origin` and `vkey` are added. An interrupted creation that
    /// left nothing signed may be repeated; where a chain is, [`Code::ArchiveExists`].
    pub fn create(archive: &Path, signer: Signer, genesis: Map<String, Value>, clock: Arc<dyn Clock>) -> Result<Self> {
        let files = Files::of(archive);
        let begun = std::fs::metadata(files.chain("entries")).is_ok_and(|m| m.len() > 0);
        if begun || files.chain("checkpoint").exists() || files.chain("pending").exists() {
            return Err(Error::new(Code::ArchiveExists, "").at(files.chain("").display()));
        }
        durable::create_dir_all(&files.chain(""))?;
        durable::create_dir_all(&files.records())?;
        let vkey = signer.verifier().to_string();
        durable::replace(&files.chain("archive.vkey"), format!("{vkey}\n").as_bytes(), durable::MODE_SEALED)?;
        let mut object = Map::new();
        object.insert("origin".into(), signer.name().into());
        object.insert("vkey".into(), vkey.into());
        object.extend(genesis.into_iter().filter(|(name, _)| name != "origin" && name != "vkey"));
        let entries = Appending::open(&files.chain("entries"), durable::MODE_PLAIN)?;
        let (accesses, ..) = AccessLog::open(&files, None)?;
        let index = Index::default();
        let head = Head { size: 0, root: index.tree.root(), checkpoint: String::new() };
        let ledger = Self {
            files,
            signer,
            clock,
            forward: Forward::after(Timestamp::MIN),
            writer: Mutex::new(Writer { entries, closed: None }),
            accesses: Mutex::new(accesses),
            view: RwLock::new(View { index, head }),
            gate: OnceLock::new(),
        };
        ledger.commit(&mut *ledger.writer()?, Kind::Genesis, object, None)?;
        Ok(ledger)
    }

    /// Opens a chain: all of it is read and verified, an interrupted append is completed. Findings are about records
    /// only; a chain that does not hold is an error that names the file.
    pub fn open(archive: &Path, signer: Signer, clock: Arc<dyn Clock>) -> Result<(Self, Vec<Finding>)> {
        let files = Files::of(archive);
        let loaded = recover::load(&files, &signer.verifier())?;
        let ledger = Self {
            files,
            signer,
            clock,
            forward: Forward::after(loaded.at.unwrap_or(Timestamp::MIN)),
            writer: Mutex::new(Writer { entries: loaded.entries, closed: None }),
            accesses: Mutex::new(loaded.accesses),
            view: RwLock::new(View { index: loaded.index, head: loaded.head }),
            gate: OnceLock::new(),
        };
        Ok((ledger, loaded.findings))
    }

    /// Opens again in place after an error closed the ledger; a no-op in effect when nothing was wrong.
    pub fn reopen(&self) -> Result<Vec<Finding>> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut accesses = self.accesses.lock().unwrap_or_else(PoisonError::into_inner);
        writer.closed = Some("opening again".into());
        let loaded = recover::load(&self.files, &self.signer.verifier())?;
        *accesses = loaded.accesses;
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = View { index: loaded.index, head: loaded.head };
        *writer = Writer { entries: loaded.entries, closed: None };
        self.writer.clear_poison();
        self.accesses.clear_poison();
        Ok(loaded.findings)
    }

    /// Whether an error closed it; [`Ledger::reopen`] is what helps.
    pub fn is_closed(&self) -> bool {
        let accesses = self.accesses.lock().map_or(true, |accesses| accesses.is_closed());
        accesses || self.writer.lock().map_or(true, |writer| writer.closed.is_some())
    }

    /// Appends an entry; durable on return. Kinds that the ledger makes itself (genesis, record, access, stamp) have their own
    /// calls, and so does an object with a member `record`.
    pub fn append(&self, kind: Kind, object: Map<String, Value>) -> Result<Entry> {
        check_object(kind, &object)?;
        self.commit(&mut *self.writer()?, kind, object, None).map(|(entry, _)| entry)
    }

    /// As [`Ledger::append`], but only when the chain still has `size` entries; else [`Code::ChainMoved`] and
    /// nothing is changed.
    pub fn append_if(&self, size: u64, kind: Kind, object: Map<String, Value>) -> Result<Entry> {
        check_object(kind, &object)?;
        let mut writer = self.writer()?;
        let found = self.head().size;
        if found != size {
            return Err(Error::new(Code::ChainMoved, format!("the chain has {found} entries, not {size}")));
        }
        self.commit(&mut writer, kind, object, None).map(|(entry, _)| entry)
    }

    /// Appends a record and the entry `record` that commits it, in one commit.
    pub fn append_record(
        &self,
        kind: &str,
        fields: Map<String, Value>,
        personal: Option<Map<String, Value>>,
    ) -> Result<RecordLine> {
        let record = NewRecord { kind: kind.to_owned(), fields, personal };
        self.append_with_record(Kind::Record, Map::new(), record)
    }

    /// Appends an entry of any kind (disposal, amendment, check …) that commits a record: its object gets the member
    /// `record` {kind, id, sha256}.
    pub fn append_with_record(&self, kind: Kind, object: Map<String, Value>, record: NewRecord) -> Result<RecordLine> {
        if kind != Kind::Record {
            check_object(kind, &object)?;
        }
        check_record_kind(&record.kind)?;
        if record.kind == ACCESSES {
            return Err(Error::new(Code::Internal, "accesses are noted, not appended"));
        }
        let (_, line) = self.commit(&mut *self.writer()?, kind, object, Some(record))?;
        line.ok_or_else(|| Error::new(Code::Internal, "no record was made"))
    }

    /// Erases a record's personal part: the entry that says so is the commit, then the file goes.
    pub fn erase_personal(&self, kind: &str, id: RecordId) -> Result<Entry> {
        let mut writer = self.writer()?;
        let text = id.to_string();
        let known = self.view().index.commits.get(kind).and_then(|c| c.by_id(&text)).cloned();
        let known = known.ok_or_else(|| Error::new(Code::NotFound, format!("no record {text} in {kind}")))?;
        let mut object = Map::new();
        object.insert("kind".into(), kind.into());
        object.insert("id".into(), text.clone().into());
        object.insert("sha256".into(), known.sha256.to_string().into());
        object.insert("erased".into(), true.into());
        let (entry, _) = self.commit(&mut writer, Kind::Record, object, None)?;
        durable::remove_file(&self.files.side(kind, &text))?;
        Ok(entry)
    }

    /// Records an access: durable on return, so call it before the bytes leave. Chained later, in a batch.
    pub fn note_access(&self, fields: Map<String, Value>) -> Result<RecordId> {
        let mut accesses = self.accesses.lock().map_err(|_| poisoned())?;
        let at = self.forward.now(&*self.clock)?;
        accesses.note(at, fields)
    }

    /// Chains the accesses noted since the last batch; `None` when there are none.
    pub fn chain_accesses(&self) -> Result<Option<Entry>> {
        let mut writer = self.writer()?;
        // Held while the entry is written: the batch must not grow between its digest and its commit.
        let mut accesses = self.accesses.lock().map_err(|_| poisoned())?;
        let Some(batch) = accesses.batch() else { return Ok(None) };
        let object = match serde_json::to_value(&batch) {
            Ok(Value::Object(object)) => object,
            _ => return Err(Error::new(Code::Internal, "a batch of accesses is an object")),
        };
        let (entry, _) = self.commit(&mut writer, Kind::Access, object, None)?;
        accesses.chained(&batch);
        Ok(Some(entry))
    }

    /// Derives every tile anew from the entries (repair).
    pub fn derive_tiles(&self) -> Result<()> {
        let _writer = self.writer()?;
        let path = self.files.chain("entries");
        let file = durable::open_plain(&path)?;
        let view = self.view();
        tiles::write_all(&self.files.chain(""), &view.index, &|seq| view.index.read(&file, &path, seq))
    }

    /// The key that signs checkpoints; `renamed` gives the one for receipts.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        // The view is changed by assignments that cannot fail half-way: a poisoned one is still whole.
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        let writer = self.writer.lock().map_err(|_| poisoned())?;
        match &writer.closed {
            Some(why) => Err(Error::new(Code::ChainClosed, why.clone())),
            None => Ok(writer),
        }
    }

    /// One append. What is refused before step 1 (clock, size, names) changes nothing and closes nothing.
    fn commit(
        &self,
        writer: &mut Writer,
        kind: Kind,
        object: Map<String, Value>,
        record: Option<NewRecord>,
    ) -> Result<(Entry, Option<RecordLine>)> {
        self.ask_gate(kind)?;
        let at = self.forward.now(&*self.clock)?;
        let view = self.view();
        let (object, record) = match record {
            Some(new) => {
                let prev = view.index.commits.get(&new.kind).map_or(Sha256::ZERO, Commits::last_digest);
                let offset = self.record_end(&new.kind)?;
                let made = record::new_line(prev, at, new.fields, new.personal)?;
                let commitment = record::commitment(&new.kind, made.id, &made.line);
                let record =
                    PendingRecord { kind: new.kind, id: made.id.to_string(), offset, line: made.line, side: made.side };
                (record::committing(kind, object, commitment), Some(record))
            }
            None => (object, None),
        };
        let entry = Entry::new(view.index.size(), view.index.tip(), at, kind, object)?;
        let checkpoint = Checkpoint {
            origin: self.signer.name().to_owned(),
            size: entry.seq + 1,
            root: view.index.tree.root_with(leaf(entry.line.as_bytes())),
        };
        drop(view);
        let note = self.signer.sign_note(&checkpoint.text())?;
        let made = record.as_ref().map(|record| made_record(record, entry.seq)).transpose()?;
        let pending = Pending { entry: entry.line.clone(), record, checkpoint: note };
        if let Err(e) = self.write(writer, &pending) {
            writer.closed = Some(e.to_string());
            return Err(e);
        }
        let head = Head { size: checkpoint.size, root: checkpoint.root, checkpoint: pending.checkpoint };
        self.view.write().unwrap_or_else(PoisonError::into_inner).head = head;
        Ok((entry, made))
    }

    /// The five steps; an error on the way leaves the rest to recovery.
    fn write(&self, writer: &mut Writer, pending: &Pending) -> Result<()> {
        durable::replace(&self.files.chain("pending"), pending.render().as_bytes(), durable::MODE_SECRET)?;
        if let Some(record) = &pending.record {
            recover::complete_record(&self.files, record)?;
        }
        writer.entries.append(format!("{}\n", pending.entry).as_bytes())?;
        {
            let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
            let line = view.index.check(&pending.entry)?;
            view.index.take(pending.entry.as_bytes(), Some(&line))?;
        }
        recover::finish(&self.files, &self.view().index, &pending.checkpoint)
    }

    /// Length of a record file, which must end with a whole line.
    fn record_end(&self, kind: &str) -> Result<u64> {
        use std::os::unix::fs::FileExt;
        let path = self.files.record(kind);
        let file = match durable::open_plain(&path) {
            Err(e) if e.code == Code::FileMissing => return Ok(0),
            other => other?,
        };
        let length = file.metadata().at_path(&path)?.len();
        let mut last = [b'\n'];
        if length > 0 {
            file.read_exact_at(&mut last, length - 1).at_path(&path)?;
        }
        if last == [b'\n'] {
            return Ok(length);
        }
        Err(Error::new(Code::RecordAltered, "its last line has no end").at(format!("records/{kind}.jsonl")))
    }
}

fn made_record(record: &PendingRecord, seq: u64) -> Result<RecordLine> {
    let mut line = record::parse(&record.kind, &record.line, seq)?;
    if let Some(side) = &record.side {
        let mut personal: Map<String, Value> = serde_json::from_str(side).unwrap_or_default();
        personal.shift_remove("salt");
        line.personal = Some(personal);
    }
    Ok(line)
}

fn check_object(kind: Kind, object: &Map<String, Value>) -> Result<()> {
    if matches!(kind, Kind::Genesis | Kind::Record | Kind::Access | Kind::Stamp) || object.contains_key("record") {
        return Err(Error::new(Code::Internal, format!("entries of kind {kind} with this object have their own call")));
    }
    Ok(())
}

fn poisoned() -> Error {
    Error::new(Code::ChainClosed, "a thread stopped in the middle of an append")
}

#[cfg(test)]
mod tests;
