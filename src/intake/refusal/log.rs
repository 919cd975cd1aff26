//! Where refusals are kept: `intake/refusals-NNNN.jsonl`, one line an event, each under its own digest and the next one's.
//!
//! Invariants: an event is durable before it is answered; nothing is ever cut or rewritten. A bad last line is copied to
//! `quarantine/`, reported, and followed by a fresh file that goes on from the last good line; a bad line followed by
//! anything valid is damage. The archive puts [`Head`] on the chain in batches (entry `refusals`).

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::answer::{note_text, render};
use super::{Limit, ObjectKey, Refusal, Refused};
use crate::chain::note::Signer;
use crate::durable::{self, Appending};
use crate::error::{AtPath, Code, Error, Finding, Result};
use crate::hash::Sha256;
use crate::id::{PersonId, RefusalId};
use crate::intake::journal::{checked_line, open_line};

/// A refusal with the findings of ten thousand documents stays below.
const LINE_LIMIT: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    prev: Sha256,
    /// Random, so that a line's digest on the chain discloses nothing.
    salt: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    refused: Option<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    unblocked: Option<Unblocked>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    resumed: Option<Resumed>,
}

impl Line {
    fn new(prev: Sha256) -> Result<Self> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|e| Error::new(Code::Io, format!("no randomness: {e}")))?;
        Ok(Self { prev, salt: hex::encode(salt), refused: None, unblocked: None, resumed: None })
    }
}

/// First line of a file that follows a bad tail: what stands from there to this file counts for nothing, whatever a disk
/// that failed to sync makes of it later.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resumed {
    file: u32,
    offset: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unblocked {
    refusal: RefusalId,
    object: ObjectKey,
    at: Timestamp,
    by: PersonId,
    reason: String,
}

/// How far the log goes: what the chain's entry `refusals` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Lines written since the beginning.
    pub lines: u64,
    /// Digest of the last one, and through it of all.
    pub sha256: Sha256,
}

#[derive(Default)]
struct Counter {
    refusals: u32,
    blocked: Option<RefusalId>,
}

struct State {
    number: u32,
    active: Option<Appending>,
    /// Set while a fresh file is due.
    resume: Option<Resumed>,
    head: Head,
    counters: HashMap<ObjectKey, Counter>,
    /// Where each refusal's line stands: file and offset.
    places: HashMap<RefusalId, (u32, u64)>,
}

/// The archive's refusals.
pub struct RefusalLog {
    folder: PathBuf,
    state: Mutex<State>,
}

fn name(number: u32) -> String {
    format!("refusals-{number:04}.jsonl")
}

impl RefusalLog {
    /// Opens the log in the archive's `intake` folder. The caller holds the archive's lock.
    pub fn open(intake: &Path, quarantine: &Path) -> Result<(Self, Vec<Finding>)> {
        durable::create_dir_all(intake)?;
        let mut counters: HashMap<ObjectKey, Counter> = HashMap::new();
        let mut places = HashMap::new();
        let walk = walk(intake, &mut |number, offset, line, _| match (line.refused, line.unblocked) {
            (Some(refusal), _) => {
                places.insert(refusal.refused.refusal, (number, offset));
                count(counters.entry(refusal.refused.object).or_default(), &refusal);
            }
            (_, Some(unblocked)) => drop(counters.insert(unblocked.object, Counter::default())),
            _ => {}
        })?;
        if let Some((number, offset, _)) = walk.damage {
            return Err(Error::new(Code::JournalDamaged, "a refusal is altered or missing").at(place(number, offset)));
        }
        let mut findings = Vec::new();
        let mut number = walk.files.last().copied().unwrap_or(1);
        let resume = walk.tail.map(|(file, offset)| Resumed { file, offset });
        if let Some((torn, offset)) = walk.tail {
            let path = intake.join(name(torn));
            durable::create_dir_all(quarantine)?;
            let mut file = durable::open_plain(&path)?;
            file.seek(SeekFrom::Start(offset)).at_path(&path)?;
            let copy = format!("{}-{offset}", name(torn));
            let mut writing = durable::Writing::start(&quarantine.join(&copy), durable::MODE_PLAIN)?;
            std::io::copy(&mut file, &mut writing).at_path(&path)?;
            writing.finish()?;
            let detail = format!("a refusal that was not finished; copied to quarantine/{copy}");
            findings.push(Finding::warning(Code::JournalTail, place(torn, offset), detail));
            number += 1;
        }
        let mut state = State { number, active: None, resume, head: walk.head, counters, places };
        if state.resume.is_some() {
            // Said at once: until then the bad tail is the end of the log, and no check could call it good.
            state.append(intake, None)?;
        } else if walk.files.last() == Some(&number) {
            // Each line was synced before the next one was written; of the last one nobody knows.
            let active = Appending::open(&intake.join(name(number)), durable::MODE_PLAIN)?;
            active.assure(walk.last)?;
            state.active = Some(active);
        }
        Ok((Self { folder: intake.to_owned(), state: Mutex::new(state) }, findings))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error when this object was refused too often and nobody has unblocked it.
    pub fn admit(&self, object: &ObjectKey) -> Result<()> {
        match self.state().counters.get(object).and_then(|counter| counter.blocked) {
            Some(refusal) => Err(Error::new(Code::Blocked, format!("the last refusal is {refusal}"))),
            None => Ok(()),
        }
    }

    /// Counts, signs and keeps a refusal; durable on return. `signer` is named [`super::origin`].
    pub fn refuse(&self, refused: Refused, limit: Limit, signer: &Signer) -> Result<Refusal> {
        let mut state = self.state();
        let attempt = state.counters.get(&refused.object).map_or(0, |counter| counter.refusals) + 1;
        let outcome = render(&refused, attempt, limit.0);
        let note = signer.sign_note(&note_text(signer.name(), &refused, &outcome))?;
        let refusal = Refusal { refused, attempt, limit: limit.0, note };
        let at = state.append(&self.folder, Some(&|line| line.refused = Some(refusal.clone())))?;
        state.places.insert(refusal.refused.refusal, at);
        count(state.counters.entry(refusal.refused.object).or_default(), &refusal);
        Ok(refusal)
    }

    /// A manager lets the object of this refusal be deposited again; durable on return. The count starts anew.
    pub fn unblock(&self, refusal: RefusalId, by: PersonId, reason: &str, at: Timestamp) -> Result<()> {
        if reason.trim().is_empty() {
            return Err(Error::new(Code::Usage, "unblocking needs a reason"));
        }
        let object = match self.get(refusal)? {
            Some(found) => found.refused.object,
            None => return Err(Error::new(Code::NotFound, "no such refusal").at(refusal)),
        };
        let mut state = self.state();
        let unblocked = || Unblocked { refusal, object, at, by, reason: reason.to_owned() };
        state.append(&self.folder, Some(&|line| line.unblocked = Some(unblocked())))?;
        state.counters.remove(&object);
        Ok(())
    }

    /// A refusal as it was answered.
    pub fn get(&self, refusal: RefusalId) -> Result<Option<Refusal>> {
        let Some((number, offset)) = self.state().places.get(&refusal).copied() else { return Ok(None) };
        let path = self.folder.join(name(number));
        let mut file = durable::open_plain(&path)?;
        file.seek(SeekFrom::Start(offset)).at_path(&path)?;
        let mut line = Vec::new();
        BufReader::new(file).take(LINE_LIMIT).read_until(b'\n', &mut line).at_path(&path)?;
        let line = line.strip_suffix(b"\n").and_then(open_line::<Line>);
        let found = line.and_then(|line| line.refused).filter(|found| found.refused.refusal == refusal);
        found
            .map(Some)
            .ok_or_else(|| Error::new(Code::JournalDamaged, "a refusal is altered").at(place(number, offset)))
    }

    /// The last refusal of every object that is blocked.
    pub fn blocked(&self) -> Vec<RefusalId> {
        let mut blocked: Vec<_> = self.state().counters.values().filter_map(|counter| counter.blocked).collect();
        blocked.sort_unstable();
        blocked
    }

    /// How far the log goes now; all of it is durable.
    pub fn head(&self) -> Head {
        self.state().head
    }
}

fn count(counter: &mut Counter, refusal: &Refusal) {
    counter.refusals += 1;
    if refusal.blocks() {
        counter.blocked = Some(refusal.refused.refusal);
    }
}

fn place(number: u32, offset: u64) -> String {
    format!("intake/{} at byte {offset}", name(number))
}

impl State {
    /// Appends one event, if there is one, after an opening line when a fresh file is due; durable on return.
    fn append(&mut self, folder: &Path, fill: Option<&dyn Fn(&mut Line)>) -> Result<(u32, u64)> {
        let mut head = self.head;
        let mut bytes = Vec::new();
        let mut put = |line: &Line| {
            let line = checked_line(line);
            head = Head { lines: head.lines + 1, sha256: Sha256::of(&line) };
            let at = bytes.len() as u64;
            bytes.extend_from_slice(&line);
            bytes.push(b'\n');
            (at, head.sha256)
        };
        let mut prev = self.head.sha256;
        if self.resume.is_some() {
            let mut opening = Line::new(prev)?;
            opening.resumed = self.resume;
            prev = put(&opening).1;
        }
        let mut within = 0;
        if let Some(fill) = fill {
            let mut line = Line::new(prev)?;
            fill(&mut line);
            within = put(&line).0;
        }
        let mut active = match self.active.take() {
            Some(active) => active,
            None => Appending::open(&folder.join(name(self.number)), durable::MODE_PLAIN)?,
        };
        let offset = active.length();
        if let Err(error) = active.append(&bytes) {
            // Nothing is known of this file's tail: the next event goes to a fresh one, which says so.
            self.resume.get_or_insert(Resumed { file: self.number, offset });
            self.number += 1;
            return Err(error);
        }
        self.active = Some(active);
        self.resume = None;
        self.head = head;
        Ok((self.number, offset + within))
    }
}

/// What a walk over the files found.
struct Walk {
    files: Vec<u32>,
    /// Where the last line of the last file begins.
    last: u64,
    head: Head,
    /// File, offset and text of the first line that is bad though something valid follows.
    damage: Option<(u32, u64, &'static str)>,
    /// Where a bad tail begins.
    tail: Option<(u32, u64)>,
}

/// What the opening lines say of the files before them: file, and from where on those before it do not count.
fn void(folder: &Path, files: &[u32]) -> Result<Vec<(u32, Resumed)>> {
    let mut void = Vec::new();
    for &number in files {
        let path = folder.join(name(number));
        let mut bytes = Vec::new();
        BufReader::new(durable::open_plain(&path)?).take(4096).read_until(b'\n', &mut bytes).at_path(&path)?;
        let line = bytes.strip_suffix(b"\n").and_then(open_line::<Line>);
        void.extend(line.and_then(|line| line.resumed).map(|resumed| (number, resumed)));
    }
    Ok(void)
}

type Visit<'a> = &'a mut dyn FnMut(u32, u64, Line, Head);

fn walk(folder: &Path, visit: Visit<'_>) -> Result<Walk> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).at_path(folder)? {
        let found = entry.at_path(folder)?.file_name();
        let number = found.to_str().and_then(|n| n.strip_prefix("refusals-")?.strip_suffix(".jsonl")?.parse().ok());
        files.extend(number.filter(|number: &u32| found.to_str() == Some(&name(*number))));
    }
    files.sort_unstable();
    let void = void(folder, &files)?;
    let mut walk = Walk { head: Head { lines: 0, sha256: Sha256::ZERO }, damage: None, tail: None, last: 0, files };
    for number in walk.files.clone() {
        let path = folder.join(name(number));
        let mut reader = BufReader::new(durable::open_plain(&path)?);
        let mut offset = 0;
        walk.last = 0;
        let mut bad: Option<u64> = None;
        loop {
            if void.iter().any(|(by, from)| number < *by && (number, offset) >= (from.file, from.offset)) {
                break;
            }
            let mut bytes = Vec::new();
            if reader.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut bytes).at_path(&path)? == 0 {
                break;
            }
            walk.last = offset;
            let line = bytes.strip_suffix(b"\n");
            match line.and_then(|line| Some((open_line::<Line>(line)?, Sha256::of(line)))) {
                Some((line, sha256)) if line.prev == walk.head.sha256 && walk.tail.is_none() && bad.is_none() => {
                    walk.head = Head { lines: walk.head.lines + 1, sha256 };
                    visit(number, offset, line, walk.head);
                }
                Some(_) => {
                    let at = bad.unwrap_or(offset);
                    walk.damage.get_or_insert((number, at, "a line is altered or missing"));
                }
                None => drop(bad.get_or_insert(offset)),
            }
            offset += bytes.len() as u64;
        }
        if let Some(offset) = bad {
            walk.tail.get_or_insert((number, offset));
        }
    }
    Ok(walk)
}

/// What a verification of the refusals looked at.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Everything that is not as it was written.
    pub findings: Vec<Finding>,
    /// How far the log goes.
    pub head: Head,
}

/// Verifies the log, read-only: every line, and that it still holds what the chain says of it (`chained`).
pub fn verify(intake: &Path, chained: &[Head]) -> Result<Verified> {
    let mut due: HashMap<u64, Vec<Sha256>> = HashMap::new();
    chained.iter().for_each(|head| due.entry(head.lines).or_default().push(head.sha256));
    let walk = walk(intake, &mut |_, _, _, head| {
        if let Some(digests) = due.get_mut(&head.lines) {
            digests.retain(|chained| *chained != head.sha256);
        }
    })?;
    let mut findings = Vec::new();
    if let Some((number, offset, what)) = walk.damage {
        findings.push(Finding::error(Code::JournalDamaged, place(number, offset), what));
    }
    if let Some((number, offset)) = walk.tail {
        findings.push(Finding::error(
            Code::JournalDamaged,
            place(number, offset),
            "the last line is altered or unfinished",
        ));
    }
    due.retain(|_, digests| !digests.is_empty());
    // The shortest that is not there tells from where on.
    if let Some(lines) = due.keys().min() {
        let detail = format!("the chain knows {lines} lines of refusals that are not there as they were");
        let last = walk.files.last().copied().unwrap_or(1);
        findings.push(Finding::error(Code::JournalDamaged, format!("intake/{}", name(last)), detail));
    }
    Ok(Verified { findings, head: walk.head })
}
