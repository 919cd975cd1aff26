//! The one writer of a lane: number, render, sign, write, sync, answer.
//!
//! Invariants: a number is used up only by a record that was rendered, so the sequence has no gap; nobody is answered
//! before the batch is durable; after a failed write or sync nobody in the batch is acknowledged, the segment is never
//! written again (nor its sync retried), and intake is closed until a fresh segment stands on disk that says where the old
//! one stops counting.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::format::{DocumentHead, Header, Part, Previous, RecordHead, SetAside, Stored, segment_name};
use super::index::Index;
use super::scan::Tip;
use super::{Document, Numbered, Rendered, Settings};
use crate::clock::Forward;
use crate::durable::{self, Appending};
use crate::error::{AtPlace, Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{ReceiptId, Sequence};

type Render = Box<dyn FnOnce(Numbered) -> Result<Rendered> + Send>;
type Answer = Box<dyn FnOnce(Result<Numbered>) + Send>;

/// A deposit on its way into the journal.
pub(super) struct Job {
    pub receipt: ReceiptId,
    pub documents: Vec<Held>,
    pub render: Render,
    pub answer: Answer,
}

/// A document of a job: large contents are durable in their file already.
pub(super) struct Held {
    pub document: Document,
    pub body: Option<Large>,
}

/// A large body in `bodies/`; it goes when its record does not come to be.
pub(super) struct Large(Option<PathBuf>);

impl Large {
    pub fn new(path: PathBuf) -> Self {
        Self(Some(path))
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = durable::remove_file(path)
        {
            tracing::warn!(%error, "a large body without a record stays until the next start");
        }
    }
}

/// State shared with the journal's handle.
pub(super) struct Shared {
    pub index: Mutex<Index>,
    /// Why intake is closed.
    pub closed: Mutex<Option<(Code, String)>>,
}

impl Shared {
    pub fn index(&self) -> MutexGuard<'_, Index> {
        // What the lock guards is changed only by assignments that do not panic half-way.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn closed(&self) -> MutexGuard<'_, Option<(Code, String)>> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Writer {
    pub settings: Settings,
    pub shared: Arc<Shared>,
    pub active: Appending,
    pub tip: Tip,
    pub next: u64,
    pub forward: Forward,
    /// Whether the last batch carries records, so that an empty one is due.
    pub open_tail: bool,
    /// While closed: when to try a fresh segment again, and bodies that the dead tail may still name.
    pub broken: Option<(Instant, Vec<Large>)>,
}

/// Segments that failed tries may leave before only a restart helps: a header that lists them still fits its line.
const MOST_TRIES: u64 = 1000;
/// Between two tries to open a fresh segment.
const RETRY: Duration = Duration::from_millis(500);

struct Pending {
    record: RecordHead,
    offset: u64,
    held: Vec<Held>,
    answer: Answer,
    numbered: Numbered,
}

impl Writer {
    /// Until the last handle is gone.
    pub fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            match jobs.recv_timeout(self.settings.idle) {
                Ok(first) => self.batch(first, jobs),
                Err(RecvTimeoutError::Timeout) => self.close_tail(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.close_tail();
        // The dead tail may yet turn out whole when the lane is opened again; then its record needs its bodies.
        for large in self.broken.iter_mut().flat_map(|(_, bodies)| bodies) {
            large.0 = None;
        }
    }

    /// After a moment without work an empty batch follows the last one, so that damage to it can be told from a torn tail.
    fn close_tail(&mut self) {
        if self.broken.is_some() {
            let _ = self.reopen();
        } else if self.open_tail && self.write(&[], self.next, Vec::new()).is_err() {
            tracing::error!("the journal's tail could not be closed");
        }
    }

    fn batch(&mut self, first: Job, jobs: &Receiver<Job>) {
        if let Err(error) = self.ready() {
            refuse(first, &error);
            return;
        }
        let mut payload = Vec::new();
        let mut pending = Vec::new();
        let mut next = self.next;
        let mut job = Some(first);
        while let Some(one) = job.take() {
            self.take(one, &mut next, &mut payload, &mut pending);
            if pending.len() < self.settings.batch_records && payload.len() < self.settings.batch_bytes {
                job = jobs.try_recv().ok();
            }
        }
        if pending.is_empty() {
            return;
        }
        let start = match self.write(&payload, next, Vec::new()) {
            Ok(start) => start,
            Err(error) => {
                let mut bodies = Vec::new();
                for one in pending {
                    bodies.extend(one.held.into_iter().filter_map(|held| held.body));
                    (one.answer)(Err(closed(&error)));
                }
                if let Some((_, kept)) = &mut self.broken {
                    kept.append(&mut bodies);
                }
                return;
            }
        };
        let mut index = self.shared.index();
        for one in &pending {
            index.add(self.tip.header.segment, start + one.offset, &one.record, &|_| false);
        }
        index.next = self.next;
        drop(index);
        for mut one in pending {
            for large in one.held.iter_mut().filter_map(|held| held.body.as_mut()) {
                large.0 = None;
            }
            drop(one.held);
            (one.answer)(Ok(one.numbered));
        }
    }

    /// Numbers and renders one job; one that fails is answered and leaves no trace.
    fn take(&self, job: Job, next: &mut u64, payload: &mut Vec<u8>, pending: &mut Vec<Pending>) {
        let Job { receipt, documents, render, answer } = job;
        let offset = payload.len();
        let made = self.forward.now(&*self.settings.clock).and_then(|accepted_at| {
            let numbered = Numbered { lane: self.settings.lane, sequence: Sequence(*next), accepted_at };
            // A bug in a renderer must cost its own deposit only, not the lane.
            let rendered = catch_unwind(AssertUnwindSafe(|| render(numbered)))
                .unwrap_or_else(|_| Err(Error::new(Code::Internal, "the receipt could not be made")))?;
            Ok((encode(receipt, numbered, &rendered, &documents, payload)?, numbered))
        });
        match made {
            Ok((record, numbered)) => {
                *next += 1;
                pending.push(Pending { record, offset: offset as u64, held: documents, answer, numbered });
            }
            Err(error) => {
                payload.truncate(offset);
                drop(documents);
                answer(Err(error));
            }
        }
    }

    /// A segment that can take a batch: the active one, a fresh one when it is full, or one after a failure.
    fn ready(&mut self) -> Result<()> {
        if let Some((retry, _)) = &self.broken {
            if Instant::now() < *retry {
                let (code, cause) = self.shared.closed().clone().unwrap_or((Code::JournalClosed, String::new()));
                return Err(Error::new(code, cause));
            }
            return self.reopen();
        }
        if self.active.length() >= self.settings.segment_bytes {
            let number = self.tip.header.segment + 1;
            if let Err(error) = self.fresh(number, Vec::new()) {
                self.fail(&error, Vec::new());
                return Err(closed(&error));
            }
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<()> {
        // A try that failed half-way may have left a segment; it is set aside whole.
        let opened = super::scan::segments(&self.settings.lane_folder()).and_then(|segments| {
            let (number, aside) = (self.tip.header.segment, self.tip.end);
            let last = segments.last().copied().unwrap_or(number).max(number);
            if last - number > MOST_TRIES {
                return Err(Error::new(Code::JournalClosed, "too many failed segments; restart once the disk is well"));
            }
            let aside = (number..=last).map(|segment| {
                let offset = if segment == number { aside } else { 0 };
                SetAside { segment, offset, sha256: None, numbers: None }
            });
            let aside = aside.collect();
            self.fresh(last + 1, aside)
        });
        match opened {
            Ok(()) => {
                *self.shared.closed() = None;
                self.broken = None;
                tracing::warn!(segment = self.tip.header.segment, "the journal is open again, in a fresh segment");
                Ok(())
            }
            Err(error) => {
                self.fail(&error, Vec::new());
                Err(closed(&error))
            }
        }
    }

    /// Makes a segment with its opening batch, whole or not at all, and goes on there.
    fn fresh(&mut self, number: u64, set_aside: Vec<SetAside>) -> Result<()> {
        let folder = self.settings.lane_folder();
        let (active, tip) = open_segment(&folder, Some(&self.tip), &self.settings, number, set_aside, self.next)?;
        let mut index = self.shared.index();
        for segment in self.tip.header.segment..=number {
            index.segments.entry(segment).or_default();
        }
        (index.active, index.durable) = (number, tip.end);
        drop(index);
        self.active = active;
        self.tip = tip;
        self.open_tail = false;
        Ok(())
    }

    /// Writes one batch whose records are `self.next .. next`; returns where its payload stands.
    fn write(&mut self, payload: &[u8], next: u64, set_aside: Vec<SetAside>) -> Result<u64> {
        let header = Header {
            batch: self.tip.header.batch + 1,
            lane: self.settings.lane,
            segment: self.tip.header.segment,
            mark: self.tip.header.mark.clone(),
            first: self.next,
            last: next - 1,
            length: payload.len() as u64,
            sha256: Sha256::of(payload),
            at: self.forward.now(&*self.settings.clock).unwrap_or(self.tip.header.at),
            previous: self.tip.previous,
            set_aside,
        };
        let line = header.line();
        let offset = self.tip.end;
        let mut bytes = Vec::with_capacity(line.len() + 1 + payload.len());
        bytes.extend_from_slice(&line);
        bytes.push(b'\n');
        bytes.extend_from_slice(payload);
        if let Err(error) = self.settings.append(&mut self.active, &bytes) {
            self.fail(&error, Vec::new());
            return Err(error);
        }
        let previous = Previous { segment: header.segment, offset, sha256: Sha256::of(&line) };
        let end = offset + bytes.len() as u64;
        self.open_tail = !header.is_empty();
        self.tip = Tip { header, previous, end };
        self.next = next;
        self.shared.index().durable = end;
        Ok(offset + line.len() as u64 + 1)
    }

    fn fail(&mut self, error: &Error, bodies: Vec<Large>) {
        tracing::error!(%error, "the journal cannot be written; intake is closed");
        let code = if error.code == Code::DiskFull { Code::DiskFull } else { Code::JournalClosed };
        *self.shared.closed() = Some((code, error.to_string()));
        let mut kept = self.broken.take().map(|(_, kept)| kept).unwrap_or_default();
        kept.extend(bodies);
        self.broken = Some((Instant::now() + RETRY, kept));
    }
}

/// What a caller hears: out of space, or closed for a while.
fn closed(error: &Error) -> Error {
    let code = if error.code == Code::DiskFull { Code::DiskFull } else { Code::JournalClosed };
    Error::new(code, format!("not accepted: {error}"))
}

fn refuse(job: Job, error: &Error) {
    drop(job.documents);
    (job.answer)(Err(Error::new(error.code, error.detail.clone())));
}

/// Makes segment `number` with an empty batch that follows `tip`; file and name are durable on return.
pub(super) fn open_segment(
    folder: &std::path::Path,
    tip: Option<&Tip>,
    settings: &Settings,
    number: u64,
    set_aside: Vec<SetAside>,
    next: u64,
) -> Result<(Appending, Tip)> {
    let mut mark = [0; 16];
    getrandom::fill(&mut mark).map_err(|e| Error::new(Code::Io, format!("no randomness: {e}")))?;
    let header = Header {
        batch: tip.map_or(1, |tip| tip.header.batch + 1),
        lane: settings.lane,
        segment: number,
        mark: hex::encode(mark),
        first: next,
        last: next - 1,
        length: 0,
        sha256: Sha256::of(b""),
        at: tip.map_or(jiff::Timestamp::UNIX_EPOCH, |tip| tip.header.at),
        previous: tip.map_or(Previous::NONE, |tip| tip.previous),
        set_aside,
    };
    let line = header.line();
    let path = folder.join(segment_name(number));
    durable::write_new(&path, &[&line[..], b"\n"].concat(), durable::MODE_PLAIN)?;
    let active = Appending::open(&path, durable::MODE_PLAIN)?;
    let end = active.length();
    Ok((active, Tip { header, previous: Previous { segment: number, offset: 0, sha256: Sha256::of(&line) }, end }))
}

fn encode(
    receipt: ReceiptId,
    numbered: Numbered,
    rendered: &Rendered,
    documents: &[Held],
    payload: &mut Vec<u8>,
) -> Result<RecordHead> {
    if rendered.metadata.len() != documents.len() {
        return Err(Error::new(Code::Internal, "as many metadata files as documents were due"));
    }
    let heads = documents.iter().zip(&rendered.metadata).map(|(held, metadata)| {
        let digests = held.document.body.digests();
        DocumentHead {
            id: held.document.id,
            metadata: Part::of(metadata),
            content: Part { bytes: digests.bytes, sha256: digests.sha256 },
            stored: if held.body.is_some() { Stored::File } else { Stored::Inline },
        }
    });
    let head = RecordHead {
        sequence: numbered.sequence,
        receipt,
        accepted_at: numbered.accepted_at,
        rdv: Part::of(&rendered.rdv),
        note: Part::of(&rendered.note),
        manifest: Part::of(&rendered.manifest),
        documents: heads.collect(),
    };
    serde_json::to_writer(&mut *payload, &head).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
    payload.push(b'\n');
    for part in [&rendered.rdv, &rendered.note, &rendered.manifest] {
        payload.extend_from_slice(part);
    }
    for (held, metadata) in documents.iter().zip(&rendered.metadata) {
        payload.extend_from_slice(metadata);
        if held.body.is_none() {
            let before = payload.len();
            let expected = held.document.body.digests();
            held.document.body.open()?.take(expected.bytes + 1).read_to_end(payload).at("intake/incoming")?;
            // What is acknowledged is what was hashed on the way in, not what a file has become since.
            if Sha256::of(&payload[before..]) != expected.sha256 {
                return Err(Error::new(Code::Io, "a body changed while it waited").at(held.document.id));
            }
        }
    }
    payload.push(b'\n');
    Ok(head)
}
