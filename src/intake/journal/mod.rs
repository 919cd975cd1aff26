//! The journal of a lane: accepted means written here and synced.
//!
//! ```text
//! intake/lane-0001/segment-00000001 …    batches of records (see `format`)
//! intake/lane-0001/bodies/<document id>  contents over 1 MiB
//! ```
//!
//! One thread writes. Whatever waits becomes one batch: one write, one `fdatasync`, then the answers (group commit).
//! Invariants: numbers are given in journal order and have no gap; a number is used up only by a record that could be
//! rendered; no answer goes out before its batch is durable; what the journal cannot vouch for it says (`recovery`,
//! `verify`). Interface for the sealer: read records, then [`Journal::release`] what is committed on the chain.

mod format;
mod index;
mod recovery;
mod scan;
mod segment;
mod stored;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{SendTimeoutError, Sender, bounded};
use jiff::Timestamp;

pub use format::{DocumentHead, Part, RecordHead, Stored};
pub(in crate::intake) use format::{checked_line, open_line};
pub use index::Load;
pub use recovery::Sealed;
pub use segment::Section;
pub use stored::StoredRecord;
pub use verify::{Verified, verify};

use crate::clock::Clock;
use crate::durable;
use crate::error::{Code, Error, Finding, Result};
use crate::id::{DocumentId, Lane, ReceiptId, Sequence};
use crate::intake::spool::Spooled;
use format::segment_name;
use writer::{Held, Job, Large, Shared};

/// Contents over this have a file of their own: a batch stays small, and a large one is synced beside the others' way.
pub const INLINE_LIMIT: u64 = 1024 * 1024;
/// Contents of one record that stand in it, together; what goes beyond has files too, so that memory stays flat.
pub const INLINE_RECORD_LIMIT: u64 = 4 * 1024 * 1024;

/// Where a lane stands and how it behaves.
#[derive(Clone)]
pub struct Settings {
    /// The archive's `intake` folder.
    pub intake: PathBuf,
    /// The archive's `quarantine` folder.
    pub quarantine: PathBuf,
    /// This lane.
    pub lane: Lane,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The highest number known to be sealed: a journal that would give it again is damaged.
    pub known: Sequence,
    /// The highest number known to be acknowledged: what is missing up to it was lost, is said, and is never given again.
    pub acknowledged: Sequence,
    /// Most records in a batch: more only makes the first of them wait longer.
    pub batch_records: usize,
    /// A batch takes no further record once it is this large.
    pub batch_bytes: usize,
    /// A segment takes no further batch once it is this large; smaller ones are let go sooner.
    pub segment_bytes: u64,
    /// After so long without work an empty batch closes the tail.
    pub idle: Duration,
    /// Deposits that may wait for the writer.
    pub queue: usize,
    /// How long a deposit waits for a place in the queue before it is told to come back.
    pub patience: Duration,
    /// Unsealed records at which intake says it is behind.
    pub most_records: u64,
    /// Unsealed bytes at which intake says it is behind.
    pub most_bytes: u64,
    #[cfg(test)]
    fault: Arc<tests::Fault>,
}

impl Settings {
    /// The defaults, for this archive folder.
    pub fn new(archive: &Path, lane: Lane, clock: Arc<dyn Clock>) -> Self {
        Self {
            intake: archive.join("intake"),
            quarantine: archive.join("quarantine"),
            lane,
            clock,
            known: Sequence(0),
            acknowledged: Sequence(0),
            batch_records: 512,
            batch_bytes: 4 << 20,
            segment_bytes: 64 << 20,
            idle: Duration::from_secs(1),
            queue: 1024,
            patience: Duration::from_secs(10),
            most_records: 1_000_000,
            most_bytes: 64 << 30,
            #[cfg(test)]
            fault: Arc::default(),
        }
    }

    /// `intake/lane-0001`.
    pub fn lane_folder(&self) -> PathBuf {
        self.intake.join(format!("lane-{:04}", self.lane.0))
    }

    fn bodies(&self) -> PathBuf {
        self.lane_folder().join("bodies")
    }

    fn append(&self, active: &mut durable::Appending, bytes: &[u8]) -> Result<()> {
        #[cfg(test)]
        self.fault.strike(active, bytes)?;
        active.append(bytes)
    }
}

/// The number and instant that the writer gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    /// The lane.
    pub lane: Lane,
    /// The number.
    pub sequence: Sequence,
    /// The instant, in whole milliseconds; never before the one of a lower number.
    pub accepted_at: Timestamp,
}

/// What the renderer makes once it knows the number.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// The RdV.
    pub rdv: Vec<u8>,
    /// Its signed note.
    pub note: Vec<u8>,
    /// The index of the deposit.
    pub manifest: Vec<u8>,
    /// One metadata file a document, in the deposit's order.
    pub metadata: Vec<Vec<u8>>,
}

/// A document to be accepted.
#[derive(Debug)]
pub struct Document {
    /// Its identifier.
    pub id: DocumentId,
    /// Its content.
    pub body: Spooled,
}

/// What opening found.
#[derive(Debug)]
pub struct Recovery {
    /// Records with something unsealed.
    pub records: u64,
    /// A torn tail ([`Code::JournalTail`]), large bodies missing or altered ([`Code::JournalBody`]).
    pub findings: Vec<Finding>,
    /// Numbers newly set aside with a torn tail: never used again; for the chain to account for.
    pub voided: Option<(Sequence, Sequence)>,
    /// The next number.
    pub next: Sequence,
}

/// An unsealed record, as the sealer lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsealed {
    /// Its number.
    pub sequence: Sequence,
    /// Its receipt.
    pub receipt: ReceiptId,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Its documents that are not sealed.
    pub documents: Vec<DocumentId>,
}

/// An open lane. Dropping it ends the writer after what waits is written.
pub struct Journal {
    settings: Settings,
    shared: Arc<Shared>,
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// The segment that was read last.
    reading: Mutex<Option<(u64, Arc<File>)>>,
    /// Held for writing while files are removed, for reading by a verification.
    deleting: RwLock<()>,
}

impl Journal {
    /// Opens (or makes) the lane. `sealed` says what the chain has committed already. Damage is an error and changes
    /// nothing. The caller holds the archive's lock.
    pub fn open(settings: Settings, sealed: Sealed<'_>) -> Result<(Self, Recovery)> {
        recovery::open(settings, sealed)
    }

    /// Begins the journal of an archive whose own is lost, in an empty lane: of the numbers after `settings.known`, so many may have
    /// been given, and none of them is given again. Durable on return.
    pub fn begin_anew(settings: &Settings, lost: u64) -> Result<()> {
        recovery::begin_anew(settings, lost)
    }

    /// Makes a deposit durable and returns what the renderer gave, or an error after which nothing of it is kept.
    ///
    /// `render` runs on the writer's thread once the number is known; when it fails the number goes to the next deposit.
    /// Blocks until the batch is synced. Errors: the renderer's; [`Code::JournalBehind`] when too much waits (come back
    /// later); [`Code::DiskFull`] or [`Code::JournalClosed`] when the batch could not be written (the outcome is *not
    /// accepted*; the next try may do); [`Code::ClockBackwards`].
    pub fn submit<T: Send + 'static>(
        &self,
        receipt: ReceiptId,
        documents: Vec<Document>,
        render: impl FnOnce(Numbered) -> Result<(Rendered, T)> + Send + 'static,
    ) -> Result<(Numbered, T)> {
        self.room()?;
        let documents = self.keep(documents)?;
        let made = Arc::new(Mutex::new(None));
        let (answer, answered) = bounded(1);
        let result = made.clone();
        let job = Job {
            receipt,
            documents,
            render: Box::new(move |numbered| {
                let (rendered, value) = render(numbered)?;
                *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
                Ok(rendered)
            }),
            answer: Box::new(move |outcome| drop(answer.send(outcome))),
        };
        self.send(job)?;
        let numbered = answered.recv().map_err(|_| Error::new(Code::JournalClosed, "the writer has ended"))??;
        let value = made.lock().unwrap_or_else(PoisonError::into_inner).take();
        value.map(|value| (numbered, value)).ok_or_else(|| Error::new(Code::Internal, "nothing was rendered"))
    }

    fn send(&self, job: Job) -> Result<()> {
        let jobs = self.jobs.as_ref().ok_or_else(|| Error::new(Code::JournalClosed, "the journal is closed"))?;
        match jobs.send_timeout(job, self.settings.patience) {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Timeout(_)) => Err(Error::new(Code::JournalBehind, "too many deposits wait")),
            Err(SendTimeoutError::Disconnected(_)) => Err(Error::new(Code::JournalClosed, "the writer has ended")),
        }
    }

    /// Whether a deposit would be taken now; to ask before a body is streamed.
    pub fn room(&self) -> Result<()> {
        let load = self.load();
        if load.records >= self.settings.most_records || load.bytes >= self.settings.most_bytes {
            let detail = format!("{} records, {} bytes wait to be sealed", load.records, load.bytes);
            return Err(Error::new(Code::JournalBehind, detail));
        }
        Ok(())
    }

    /// Makes large contents durable in their own files, before the record that names them.
    fn keep(&self, documents: Vec<Document>) -> Result<Vec<Held>> {
        let mut inline = 0;
        let mut held = Vec::with_capacity(documents.len());
        for mut document in documents {
            let length = document.body.digests().bytes;
            let stands_inline = length <= INLINE_LIMIT && inline + length <= INLINE_RECORD_LIMIT;
            let body = if stands_inline {
                inline += length;
                None
            } else {
                let path = self.settings.bodies().join(document.id.to_string());
                if path.exists() {
                    return Err(
                        Error::new(Code::Internal, "a document with this identifier is in the journal").at(document.id)
                    );
                }
                // Made before the file, so that a failure half-way removes it too.
                let large = Large::new(path.clone());
                document.body.keep(&path)?;
                Some(large)
            };
            held.push(Held { document, body });
        }
        Ok(held)
    }

    /// Why intake is closed, when it is.
    pub fn closed(&self) -> Option<Error> {
        self.shared.closed().as_ref().map(|(code, cause)| Error::new(*code, cause.clone()))
    }

    /// How much it holds.
    pub fn load(&self) -> Load {
        self.shared.index().load()
    }

    /// The highest number that a record seen since the opening holds durably: it was acknowledged, or may have been.
    pub fn issued(&self) -> Sequence {
        Sequence(self.shared.index().highest)
    }

    /// Numbers that recovery set aside, as far as segments on disk say.
    pub fn voided(&self) -> Vec<(Sequence, Sequence)> {
        self.shared.index().voided.clone()
    }

    /// The record of this number; `None` when it is not here (never given, or sealed and let go).
    pub fn record(&self, sequence: Sequence) -> Result<Option<StoredRecord>> {
        let Some((segment, offset)) = self.shared.index().slots.get(&sequence.0).map(|s| (s.segment, s.offset)) else {
            return Ok(None);
        };
        let path = self.settings.lane_folder().join(segment_name(segment));
        let opened = self.segment(segment, &path);
        let opened = opened.and_then(|file| StoredRecord::open(file, &path, offset, sequence, self.settings.bodies()));
        match opened {
            // Sealed and let go between the two steps.
            Err(error) if error.code == Code::FileMissing && !self.shared.index().slots.contains_key(&sequence.0) => {
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// The file of a segment: records are mostly asked for in order, one segment after the other.
    fn segment(&self, number: u64, path: &Path) -> Result<Arc<File>> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((open, file)) = &*reading
            && *open == number
        {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(durable::open_plain(path)?);
        *reading = Some((number, Arc::clone(&file)));
        Ok(file)
    }

    /// Unsealed records after `after`, ascending, at most `limit`.
    pub fn unsealed(&self, after: Sequence, limit: usize) -> Vec<Unsealed> {
        let index = self.shared.index();
        let slots = index.slots.range(after.0.saturating_add(1)..).take(limit);
        let rows = slots.map(|(number, slot)| Unsealed {
            sequence: Sequence(*number),
            receipt: slot.receipt,
            accepted_at: slot.accepted_at,
            documents: slot.unsealed.iter().map(|kept| kept.id).collect(),
        });
        rows.collect()
    }

    /// Lets go of documents whose package is committed on the chain: large bodies are removed, and segments in which
    /// nothing is unsealed, oldest first. Documents it does not hold are passed over, so it may be repeated.
    pub fn release(&self, sealed: &[(Sequence, DocumentId)]) -> Result<()> {
        let _deleting = self.deleting.write().unwrap_or_else(PoisonError::into_inner);
        let mut index = self.shared.index();
        let released = sealed.iter().filter_map(|(sequence, document)| index.release(*sequence, *document));
        let large: Vec<DocumentId> = released.filter(|kept| kept.large).map(|kept| kept.id).collect();
        let free = index.free();
        drop(index);
        // A file that is held open keeps its place on the disk after it was removed.
        if !free.is_empty() {
            *self.reading.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        // Bodies first: a segment that stays without them says they are sealed, bodies without a segment say nothing.
        for document in large {
            durable::remove_file(&self.settings.bodies().join(document.to_string()))?;
        }
        for number in free {
            durable::remove_file(&self.settings.lane_folder().join(segment_name(number)))?;
            self.shared.index().segments.remove(&number);
        }
        Ok(())
    }

    /// Verifies everything durable at this moment while intake goes on; sealed documents are let go afterwards.
    pub fn verify(&self) -> Result<Verified> {
        let _reading = self.deleting.read().unwrap_or_else(PoisonError::into_inner);
        let (until, held) = {
            let index = self.shared.index();
            let held = index.slots.values().flat_map(|slot| slot.unsealed.iter().filter(|kept| kept.large));
            let held: std::collections::HashSet<DocumentId> = held.map(|kept| kept.id).collect();
            ((index.active, index.durable), held)
        };
        let folder = self.settings.lane_folder();
        verify::verify_until(&folder, self.settings.lane, &|_, document| !held.contains(&document), Some(until))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's writer ended badly");
        }
    }
}
