//! Accesses to content: recorded durably before the bytes leave, chained in batches.
//!
//! Invariant: an access that was acknowledged is a whole line in `records/accesses.jsonl`; a chained batch is a stretch
//! of that file whose digest is on the chain. A line not chained yet carries its own digest (`sum`), so that a changed
//! byte is seen before the batch is chained too.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::files::{Files, Lines, MAX_FINDINGS, MAX_RECORD};
use super::index::AccessBatch;
use super::record::{ACCESSES, add_fields, header};
use crate::durable::{self, Appending};
use crate::error::{Code, Error, Finding, Result};
use crate::hash::{Hasher, Sha256};
use crate::id::RecordId;

const NAME: &str = "records/accesses.jsonl";
/// `,"sum":"<64 hex>"}`: what a line ends with.
const SUM_LENGTH: usize = 74;

/// The file and the batch that is not chained yet.
#[derive(Debug)]
pub(super) struct AccessLog {
    file: Appending,
    open: Open,
    tip: Sha256,
    /// Why nothing may be appended, after an error.
    closed: Option<String>,
}

#[derive(Debug, Clone, Default)]
struct Open {
    first: String,
    last: String,
    count: u64,
    offset: u64,
    hasher: Running,
}

/// `Hasher` with a `Debug` that says only the length.
#[derive(Clone, Default)]
struct Running(Hasher);

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.bytes())
    }
}

impl Open {
    fn at(offset: u64) -> Self {
        Self { offset, ..Self::default() }
    }

    fn take(&mut self, id: &str, line: &[u8]) {
        if self.count == 0 {
            id.clone_into(&mut self.first);
        }
        id.clone_into(&mut self.last);
        self.count += 1;
        self.hasher.0.update(line);
    }
}

impl AccessLog {
    /// Opens behind the last chained batch. A torn last line, which nobody was told of, goes to `quarantine/`.
    pub fn open(files: &Files, chained: Option<&AccessBatch>) -> Result<(Self, Vec<Finding>, Option<Timestamp>)> {
        let path = files.record(ACCESSES);
        let offset = chained.map_or(0, |batch| batch.offset.saturating_add(batch.length));
        let mut file = Appending::open(&path, durable::MODE_PLAIN)?;
        let mut log_tip = chained.map_or(Sha256::ZERO, |batch| batch.tip);
        if file.length() < offset {
            let finding = Finding::error(Code::RecordAltered, NAME, "shorter than the chain says");
            let closed = Some("the file is shorter than the chain says".to_owned());
            return Ok((Self { file, open: Open::at(offset), tip: log_tip, closed }, vec![finding], None));
        }
        let start = log_tip;
        let mut tail = read_tail(files, offset, &mut log_tip)?;
        if tail.last < file.length() {
            // Each line was synced before the next one was written; of the last one nobody knows.
            file.assure(tail.last)?;
        }
        let mut closed = None;
        match tail.torn.take() {
            None => {}
            Some(Torn { end: End::Beginning, offset, bytes }) => {
                set_aside(files, "accesses", offset, &bytes)?;
                file.cut(offset)?;
                let detail = "an unfinished last line was set aside in quarantine/";
                tail.findings.push(Finding::warning(Code::RecordAltered, NAME, detail));
            }
            Some(Torn { end: End::WholeLine, .. }) => {
                // Only the newline is missing: what is whole counts, even if nobody saw the answer.
                file.append(b"\n")?;
                log_tip = start;
                tail = read_tail(files, offset, &mut log_tip)?;
            }
            Some(Torn { end: End::Damaged, .. }) => {
                closed = Some("its last line has no proper end".to_owned());
                tail.findings.push(Finding::error(Code::RecordAltered, NAME, "the last line has no proper end"));
            }
        }
        Ok((Self { file, open: tail.open, tip: log_tip, closed }, tail.findings, tail.at))
    }

    /// Whether an error closed it.
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Appends one access; durable on return.
    pub fn note(&mut self, at: Timestamp, fields: Map<String, Value>) -> Result<RecordId> {
        if let Some(why) = &self.closed {
            return Err(Error::new(Code::ChainClosed, why.clone()).at(NAME));
        }
        let id = RecordId::new(at);
        let mut whole = header(id, self.tip, at)?;
        add_fields(&mut whole, fields)?;
        let body = Value::Object(whole).to_string();
        let sum = Sha256::of(body.as_bytes());
        let line = format!("{},\"sum\":\"{sum}\"}}\n", &body[..body.len() - 1]);
        if line.len() > MAX_RECORD {
            return Err(Error::new(Code::EntryTooLarge, "the access is larger than 1 MiB"));
        }
        if let Err(e) = self.file.append(line.as_bytes()) {
            self.closed = Some(e.to_string());
            return Err(e);
        }
        self.open.take(&id.to_string(), line.as_bytes());
        self.tip = Sha256::of(&line.as_bytes()[..line.len() - 1]);
        Ok(id)
    }

    /// What is not chained yet, as it would be chained.
    pub fn batch(&self) -> Option<AccessBatch> {
        let digests = self.open.hasher.0.finish();
        (self.open.count > 0).then(|| AccessBatch {
            first: self.open.first.clone(),
            last: self.open.last.clone(),
            count: self.open.count,
            sha256: digests.sha256,
            offset: self.open.offset,
            length: digests.bytes,
            tip: self.tip,
        })
    }

    /// The batch is on the chain.
    pub fn chained(&mut self, batch: &AccessBatch) {
        self.open = Open::at(batch.offset + batch.length);
    }
}

/// Copies bytes that recovery is about to cut, so that nothing vanishes silently.
pub(super) fn set_aside(files: &Files, name: &str, offset: u64, bytes: &[u8]) -> Result<()> {
    let folder = files.quarantine();
    durable::create_dir_all(&folder)?;
    let digest = Sha256::of(bytes).to_string();
    let path = folder.join(format!("{name}-{offset}-{}", &digest[..16]));
    if path.exists() { Ok(()) } else { durable::write_new(&path, bytes, durable::MODE_SEALED) }
}

/// A last line without its newline.
#[derive(Debug)]
pub(super) struct Torn {
    offset: u64,
    bytes: Vec<u8>,
    end: End,
}

/// How a last line without newline ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// A torn write: the beginning of a line nobody was told of.
    Beginning,
    /// All of a line but its newline.
    WholeLine,
    /// A whole line and more: not torn, but altered.
    Damaged,
}

impl End {
    fn of(bytes: &[u8]) -> Self {
        if sum_holds(bytes) {
            return Self::WholeLine;
        }
        // A line ends with `"}`: only there can a whole one end.
        let mut ends = bytes.windows(2).enumerate().filter(|(_, pair)| *pair == b"\"}").map(|(at, _)| at + 2);
        if ends.any(|end| sum_holds(&bytes[..end])) { Self::Damaged } else { Self::Beginning }
    }
}

/// What stands behind the last chained batch.
pub(super) struct Tail {
    open: Open,
    at: Option<Timestamp>,
    /// Where the last line begins.
    last: u64,
    pub torn: Option<Torn>,
    pub findings: Vec<Finding>,
}

impl Tail {
    /// Accesses not chained yet.
    pub fn count(&self) -> u64 {
        self.open.count
    }

    /// A last line without end, as a finding.
    pub fn torn_finding(&self) -> Option<Finding> {
        let torn = self.torn.as_ref()?;
        let place = format!("{NAME}, byte {}", torn.offset);
        Some(Finding::error(Code::RecordAltered, place, "the last line has no proper end"))
    }
}

/// Reads and judges what stands behind the chained batches; `tip` goes on to the last line.
pub(super) fn read_tail(files: &Files, offset: u64, tip: &mut Sha256) -> Result<Tail> {
    let mut tail = Tail { open: Open::at(offset), at: None, last: offset, torn: None, findings: Vec::new() };
    let Some(mut lines) = Lines::open(&files.record(ACCESSES), offset, MAX_RECORD)? else { return Ok(tail) };
    let mut ahead = lines.next_line().map_err(|e| Error::io(NAME, e))?;
    while let Some(raw) = ahead.take() {
        ahead = lines.next_line().map_err(|e| Error::io(NAME, e))?;
        tail.last = raw.offset;
        // No line holds a NUL: at the very end that is a sector which never got to the disk, though the file had its length.
        if raw.complete && ahead.is_none() && raw.bytes.contains(&0) {
            let bytes = [&raw.bytes[..], b"\n"].concat();
            tail.torn = Some(Torn { offset: raw.offset, bytes, end: End::Beginning });
            break;
        }
        if !raw.complete {
            let end = End::of(&raw.bytes);
            tail.torn = Some(Torn { offset: raw.offset, bytes: raw.bytes, end });
            break;
        }
        let place = || format!("{NAME}, byte {}", raw.offset);
        let line: Option<Map<String, Value>> = serde_json::from_slice(&raw.bytes).ok();
        let text = |name: &str| line.as_ref().and_then(|l| l.get(name)).and_then(Value::as_str);
        if tail.findings.len() == MAX_FINDINGS {
            // Said often enough; the lines are still taken, so that the batch covers the file as it is.
        } else if raw.too_long || !sum_holds(&raw.bytes) {
            tail.findings.push(Finding::error(Code::RecordAltered, place(), "not the line that was written"));
        } else if text("prev") != Some(tip.to_string().as_str()) {
            tail.findings.push(Finding::error(Code::RecordAltered, place(), "a line before it is missing or altered"));
        }
        tail.at = tail.at.max(text("at").and_then(|at| at.parse().ok()));
        *tip = Sha256::of(&raw.bytes);
        let mut with_newline = raw.bytes.clone();
        with_newline.push(b'\n');
        tail.open.take(text("id").unwrap_or("?"), &with_newline);
    }
    Ok(tail)
}

fn sum_holds(line: &[u8]) -> bool {
    let Some(cut) = line.len().checked_sub(SUM_LENGTH) else { return false };
    let (body, sum) = line.split_at(cut);
    let digest = Sha256::of_parts(&[body, b"}"]);
    sum == format!(",\"sum\":\"{digest}\"}}").as_bytes()
}

/// Judges the chained batches against the file.
pub(super) fn check_batches(files: &Files, batches: &[AccessBatch]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut end = 0;
    for batch in batches {
        if batch.offset != end {
            findings.push(Finding::error(
                Code::ChainAltered,
                "chain/entries",
                "batches of accesses do not follow each other",
            ));
        }
        end = batch.offset.saturating_add(batch.length);
        let place = format!("{NAME}, bytes {} to {end}", batch.offset);
        let Some(mut lines) = Lines::open(&files.record(ACCESSES), batch.offset, MAX_RECORD)? else {
            findings.push(Finding::error(Code::RecordAltered, NAME, "missing"));
            return Ok(findings);
        };
        let mut hasher = Hasher::new();
        let mut count = 0;
        while hasher.bytes() < batch.length {
            let Some(raw) = lines.next_line().map_err(|e| Error::io(NAME, e))? else { break };
            count += 1;
            hasher.update(&raw.bytes);
            if raw.complete {
                hasher.update(b"\n");
            }
        }
        if hasher.bytes() != batch.length || hasher.finish().sha256 != batch.sha256 || count != batch.count {
            let detail = format!("accesses {} to {} are not those chained", batch.first, batch.last);
            findings.push(Finding::error(Code::RecordAltered, place, detail));
        }
    }
    Ok(findings)
}
