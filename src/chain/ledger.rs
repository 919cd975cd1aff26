//! The ledger: appends entries and records, gives proofs. The one writer of `chain/` and `records/`.
//!
//! Invariant: when an append returns, its line, record, tiles and checkpoint are durable; when it fails on the way, the
//! ledger takes nothing more until it is opened again, because only recovery knows how far it got (and a failed `fsync`
//! is never repeated). Clause: formats, "Chain and records", append in five steps.

mod read;
mod stamp;
mod witness;

pub use read::{PAGE_BYTES, PAGE_ENTRIES, Page};
pub(super) use stamp::{MAX_RENEWAL, RENEWED};
pub use stamp::{NewStamp, StampFiles};
pub use witness::{Forgotten, Gate, Kept};
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
use super::reign::{self, Reason, Reigns};
use super::{recover, tiles};
use crate::clock::{Clock, Forward};
use crate::durable::{self, Appending};
use crate::error::{AtPath, Code, Error, Finding, Result};
use crate::hash::Sha256;
use crate::id::RecordId;

/// The chain and the records of one archive. `Sync`: one append at a time, reads beside it.
pub struct Ledger {
    files: Files,
    /// Name of the chain and of its keys.
    origin: String,
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
    /// Whose keys may be in force when the chain is opened again: the present one and, during a change, the next.
    signers: Vec<Signer>,
    /// Why nothing may be appended, after an error.
    closed: Option<String>,
}

struct View {
    /// May be one entry ahead of `head` while an append is under way: readers go by `head`.
    index: Index,
    head: Head,
    /// Changed together with the head: whoever reads both signs for a chain of that size with the key in force there.
    signer: Arc<Signer>,
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
            origin: signer.name().to_owned(),
            clock,
            forward: Forward::after(Timestamp::MIN),
            writer: Mutex::new(Writer { entries, signers: vec![signer.clone()], closed: None }),
            accesses: Mutex::new(accesses),
            view: RwLock::new(View { index, head, signer: Arc::new(signer) }),
            gate: OnceLock::new(),
        };
        ledger.commit(&mut *ledger.writer()?, Kind::Genesis, object, None)?;
        Ok(ledger)
    }

    /// Opens a chain: all of it is read and verified, an interrupted append is completed. Findings are about records
    /// only; a chain that does not hold is an error that names the file.
    pub fn open(archive: &Path, signer: Signer, clock: Arc<dyn Clock>) -> Result<(Self, Vec<Finding>)> {
        Self::open_with(archive, vec![signer], clock)
    }

    /// As [`Ledger::open`], when a change of key may have been interrupted: the chain says which of these keys, all of one name, is
    /// in force ([`Ledger::signer`]).
    pub fn open_with(archive: &Path, signers: Vec<Signer>, clock: Arc<dyn Clock>) -> Result<(Self, Vec<Finding>)> {
        let files = Files::of(archive);
        let loaded = recover::load(&files, &signers)?;
        let ledger = Self {
            files,
            origin: loaded.signer.name().to_owned(),
            clock,
            forward: Forward::after(loaded.at.unwrap_or(Timestamp::MIN)),
            writer: Mutex::new(Writer { entries: loaded.entries, signers, closed: None }),
            accesses: Mutex::new(loaded.accesses),
            view: RwLock::new(View { index: loaded.index, head: loaded.head, signer: Arc::new(loaded.signer) }),
            gate: OnceLock::new(),
        };
        Ok((ledger, loaded.findings))
    }

    /// Opens again in place after an error closed the ledger; a no-op in effect when nothing was wrong.
    pub fn reopen(&self) -> Result<Vec<Finding>> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut accesses = self.accesses.lock().unwrap_or_else(PoisonError::into_inner);
        writer.closed = Some("opening again".into());
        let loaded = recover::load(&self.files, &writer.signers)?;
        *accesses = loaded.accesses;
        let signer = Arc::new(loaded.signer);
        *self.view.write().unwrap_or_else(PoisonError::into_inner) =
            View { index: loaded.index, head: loaded.head, signer };
        let signers = std::mem::take(&mut writer.signers);
        *writer = Writer { entries: loaded.entries, signers, closed: None };
        self.writer.clear_poison();
        self.accesses.clear_poison();
        Ok(loaded.findings)
    }

    /// Whether an error closed it; [`Ledger::reopen`] is what helps.
    pub fn is_closed(&self) -> bool {
        let accesses = self.accesses.lock().map_or(true, |accesses| accesses.is_closed());
        accesses || self.writer.lock().map_or(true, |writer| writer.closed.is_some())
    }

    /// Puts another key in force: one entry that both keys signed, under a checkpoint that both signed; from then on the new key
    /// signs alone. Durable on return. `next` must bear the chain's name and never have been in force; its seed must be durable
    /// before, because nothing can be signed without it afterwards.
    pub fn change_key(&self, next: &Signer, reason: Reason) -> Result<Entry> {
        let mut writer = self.writer()?;
        let ((head, signer), keys) = (self.signing(), self.keys());
        let many = keys.changes().len() as u64 >= reign::MAX_CHANGES;
        if next.name() != self.origin || keys.holds(&next.verifier()) || many {
            return Err(Error::new(Code::Internal, "not a new key of this chain, or one change too many"));
        }
        let object = reign::entry_of(&keys, (head.size, &head.root), (&signer, next), reason)?;
        // Before anything is written: after an error on the way either may be in force.
        writer.signers = vec![(*signer).clone(), next.clone()];
        self.commit_under(&mut writer, Kind::Key, object, None, Some(next)).map(|(entry, _)| entry)
    }

    /// Appends an entry; durable on return. Kinds that the ledger makes itself (genesis, record, access, stamp, key) have their own
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
    pub fn signer(&self) -> Arc<Signer> {
        Arc::clone(&self.view().signer)
    }

    /// The chain as it stands and the key in force there, of one moment: what is signed for that size is signed by that key, whatever
    /// happens meanwhile.
    pub fn signing(&self) -> (Head, Arc<Signer>) {
        let view = self.view();
        (view.head.clone(), Arc::clone(&view.signer))
    }

    /// The keys this chain has had, up to its head.
    pub fn keys(&self) -> Reigns {
        let view = self.view();
        let keys = view.index.keys.as_ref().map(|keys| keys.as_of(view.head.size));
        // Only before the genesis is written is there none.
        keys.unwrap_or_else(|| Reigns::only(view.signer.verifier()))
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

    fn commit(
        &self,
        writer: &mut Writer,
        kind: Kind,
        object: Map<String, Value>,
        record: Option<NewRecord>,
    ) -> Result<(Entry, Option<RecordLine>)> {
        self.commit_under(writer, kind, object, record, None)
    }

    /// One append. What is refused before step 1 (clock, size, names) changes nothing and closes nothing. With `next`, that key
    /// signs the checkpoint too and is in force afterwards.
    fn commit_under(
        &self,
        writer: &mut Writer,
        kind: Kind,
        object: Map<String, Value>,
        record: Option<NewRecord>,
        next: Option<&Signer>,
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
            origin: self.origin.clone(),
            size: entry.seq + 1,
            root: view.index.tree.root_with(leaf(entry.line.as_bytes())),
        };
        let signer = Arc::clone(&view.signer);
        drop(view);
        // The key that is in force there signs first: by that one the instructions in bundles go.
        let note = match next {
            Some(next) => signer.countersign(&next.sign_note(&checkpoint.text())?)?,
            None => signer.sign_note(&checkpoint.text())?,
        };
        let made = record.as_ref().map(|record| made_record(record, entry.seq)).transpose()?;
        let pending = Pending { entry: entry.line.clone(), record, checkpoint: note };
        if let Err(e) = self.write(writer, &pending) {
            writer.closed = Some(e.to_string());
            return Err(e);
        }
        let head = Head { size: checkpoint.size, root: checkpoint.root, checkpoint: pending.checkpoint };
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        view.head = head;
        if let Some(next) = next {
            view.signer = Arc::new(next.clone());
        }
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
    if matches!(kind, Kind::Genesis | Kind::Record | Kind::Access | Kind::Stamp | Kind::Key)
        || object.contains_key("record")
    {
        return Err(Error::new(Code::Internal, format!("entries of kind {kind} with this object have their own call")));
    }
    Ok(())
}

fn poisoned() -> Error {
    Error::new(Code::ChainClosed, "a thread stopped in the middle of an append")
}

#[cfg(test)]
mod tests;
