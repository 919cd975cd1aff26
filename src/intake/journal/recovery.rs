//! Opening a lane: what is whole is accepted, a torn tail is set aside, anything else stops the start.
//!
//! Formats, "Journal": a bad batch followed by anything valid is damage and nothing is changed; a bad *last* batch is
//! copied to `quarantine/` and reported, and its numbers are not used again when its header can be read; whole records are
//! accepted even if nobody saw the answer.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use crossbeam_channel::bounded;

use super::format::{HEADER_LIMIT, Header, Part, SetAside, Stored, segment_name};
use super::index::Index;
use super::scan::{self, Tip, Walk};
use super::segment::Section;
use super::writer::{Job, Shared, Writer, open_segment};
use super::{Journal, Recovery, Settings};
use crate::clock::Forward;
use crate::durable::{self, Appending};
use crate::error::{AtPath, AtPlace, Code, Error, Finding, Result};
use crate::hash::{Digests, Sha256};
use crate::id::{DocumentId, Sequence};

/// What the scan says of a batch whose header is whole and whose payload is cut short.
const UNFINISHED: &str = "the batch is unfinished";

/// Says whether this document of this number is sealed.
pub type Sealed<'a> = &'a dyn Fn(Sequence, DocumentId) -> bool;

pub(super) fn open(settings: Settings, sealed: Sealed<'_>) -> Result<(Journal, Recovery)> {
    let folder = settings.lane_folder();
    durable::create_dir_all(&settings.bodies())?;
    let mut index = Index::default();
    let mut bodies: Vec<(DocumentId, Part)> = Vec::new();
    let walk = scan::walk(&folder, settings.lane, None, &mut |batch| {
        for record in &batch.records {
            let sequence = record.head.sequence;
            index.add(batch.header.segment, record.offset, &record.head, &|document| sealed(sequence, document));
            let large = record.head.documents.iter().filter(|document| document.stored == Stored::File);
            let large = large.filter(|document| !sealed(sequence, document.id));
            bodies.extend(large.map(|document| (document.id, document.content)));
        }
    })?;
    if let Some(trouble) = walk.troubles.iter().find(|trouble| trouble.followed) {
        return Err(trouble.error(&folder));
    }
    // A segment is made whole with its first batch, so one in which nothing holds was not torn by a stop; and with no
    // batch that holds nobody could say which number comes next.
    if let (Some(trouble), None) = (walk.troubles.first(), &walk.tip) {
        return Err(trouble.error(&folder));
    }
    for (number, _) in &walk.segments {
        index.segments.entry(*number).or_default();
    }
    let mut recovery = Recovery { records: 0, findings: Vec::new(), voided: None, next: Sequence(1) };
    let next = walk.tip.as_ref().map_or(1, |tip| tip.header.last + 1);
    let tail = Tail::of(&walk);
    let next = next.max(tail.as_ref().and_then(|tail| tail.numbers).map_or(1, |(_, last)| last + 1));
    if Sequence(next) <= settings.known {
        let detail = format!("the next number would be {next}, but number {} is sealed", settings.known);
        return Err(Error::new(Code::JournalDamaged, detail).at(folder.display()));
    }
    // Acknowledged, and neither in a batch nor in what is left of one: intake goes on behind them.
    let lost = (settings.acknowledged.0 >= next).then_some((next, settings.acknowledged.0));
    let next = next.max(settings.acknowledged.0 + 1);
    if let Some((first, last)) = lost {
        let detail = format!("numbers {first} to {last} were acknowledged and are not there");
        recovery.findings.push(Finding::error(Code::JournalDamaged, place_of_tip(&folder, walk.tip.as_ref()), detail));
    }
    let (active, tip) = match (&tail, walk.tip) {
        (None, Some(tip)) if lost.is_some() => {
            recovery.voided = lost.map(|(first, last)| (Sequence(first), Sequence(last)));
            let (segment, offset) = (tip.header.segment, tip.end);
            let aside = SetAside { segment, offset, sha256: Some(Sha256::of(b"")), numbers: lost };
            open_segment(&folder, Some(&tip), &settings, segment + 1, vec![aside], next)?
        }
        (None, Some(tip)) => continue_in(&folder, tip)?,
        (None, None) => open_segment(&folder, None, &settings, 1, Vec::new(), next)?,
        (Some(tail), tip) => {
            let mut aside = tail.set_aside(&folder, &settings, &mut recovery)?;
            if let (Some((first, last)), Some(here)) = (lost, aside.first_mut()) {
                let first = here.numbers.map_or(first, |(torn, _)| torn.min(first));
                here.numbers = Some((first, last));
                recovery.voided = Some((Sequence(first), Sequence(last)));
            }
            let number = walk.segments.last().map_or(1, |(number, _)| number + 1);
            open_segment(&folder, tip.as_ref(), &settings, number, aside, next)?
        }
    };
    check_bodies(&settings, &bodies, tail.is_some(), &mut recovery.findings)?;
    let voided = walk.set_aside.iter().chain(&tip.header.set_aside).filter_map(|aside| aside.numbers);
    index.voided = voided.map(|(first, last)| (Sequence(first), Sequence(last))).collect();
    index.segments.entry(tip.header.segment).or_default();
    (index.active, index.durable, index.next) = (tip.header.segment, tip.end, next);
    recovery.records = index.slots.len() as u64;
    recovery.next = Sequence(next);
    start(settings, index, active, tip).map(|journal| (journal, recovery))
}

pub(super) fn begin_anew(settings: &Settings, lost: u64) -> Result<()> {
    let folder = settings.lane_folder();
    durable::create_dir_all(&folder)?;
    let (first, last) = (settings.known.0 + 1, settings.known.0.saturating_add(lost));
    let numbers = (last >= first).then_some((first, last));
    // Of a segment that is gone: there is none of that number.
    let aside = SetAside { segment: 0, offset: 0, sha256: None, numbers };
    open_segment(&folder, None, settings, 1, vec![aside], last + 1).map(drop)
}

/// Where the last batch that holds ends.
fn place_of_tip(folder: &Path, tip: Option<&Tip>) -> String {
    let lane = folder.file_name().unwrap_or_default().to_string_lossy();
    let (segment, end) = tip.map_or((1, 0), |tip| (tip.header.segment, tip.end));
    format!("intake/{lane}/{} at byte {end}", segment_name(segment))
}

fn start(settings: Settings, index: Index, active: Appending, tip: Tip) -> Result<Journal> {
    let next = index.next;
    let shared = Arc::new(Shared { index: Mutex::new(index), closed: Mutex::new(None) });
    let (jobs, queue) = bounded::<Job>(settings.queue);
    let writer = Writer {
        shared: shared.clone(),
        active,
        forward: Forward::after(tip.header.at),
        open_tail: !tip.header.is_empty(),
        tip,
        next,
        broken: None,
        settings: settings.clone(),
    };
    let name = format!("journal-{}", settings.lane);
    let thread = std::thread::Builder::new().name(name).spawn(move || writer.run(&queue)).at("journal thread")?;
    let (jobs, thread) = (Some(jobs), Some(thread));
    Ok(Journal { settings, shared, jobs, thread, reading: Default::default(), deleting: RwLock::new(()) })
}

/// The last segment ends well: go on in it. Its last batch is made durable first, because what a process wrote that was killed,
/// or whose sync failed, may be in the page cache only, and from now on it counts as accepted.
fn continue_in(folder: &Path, tip: Tip) -> Result<(Appending, Tip)> {
    let path = folder.join(segment_name(tip.header.segment));
    let active = Appending::open(&path, durable::MODE_PLAIN)?;
    active.assure(tip.previous.offset)?;
    Ok((active, tip))
}

/// What stands after the last valid batch.
struct Tail {
    /// Segment, offset, end.
    stretches: Vec<(u64, u64, u64)>,
    numbers: Option<(u64, u64)>,
    what: String,
}

impl Tail {
    fn of(walk: &Walk) -> Option<Self> {
        let first = walk.troubles.first()?;
        let stretches = walk.segments.iter().filter(|(number, _)| *number >= first.segment);
        let stretches = stretches.map(|(number, length)| {
            let offset = if *number == first.segment { first.offset } else { 0 };
            (*number, offset, *length)
        });
        let numbers = walk.troubles.iter().filter_map(|trouble| trouble.header.as_ref());
        let numbers = numbers.filter(|header| header.last >= header.first).map(|header| (header.first, header.last));
        let numbers = numbers.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        Some(Self { stretches: stretches.collect(), numbers, what: first.what.clone() })
    }

    /// Copies it to quarantine, durably, and says what the fresh segment must say.
    fn set_aside(&self, folder: &Path, settings: &Settings, recovery: &mut Recovery) -> Result<Vec<SetAside>> {
        durable::create_dir_all(&settings.quarantine)?;
        let mut aside = Vec::new();
        for (at, &(segment, offset, end)) in self.stretches.iter().enumerate() {
            let path = folder.join(segment_name(segment));
            // What is digested must still be there after a power cut: whoever wrote it may never have synced it.
            Appending::open(&path, durable::MODE_PLAIN)?.assure(offset)?;
            let file = Arc::new(durable::open_plain(&path)?);
            let sha256 = Digests::of_reader(&mut Section::new(file, offset, end - offset)).at_path(&path)?.sha256;
            let short: String = sha256.to_string().chars().take(16).collect();
            let name = format!("lane-{:04}-{}-{offset}-{short}", settings.lane.0, segment_name(segment));
            copy_stretch(&path, offset, end, &settings.quarantine.join(&name))?;
            let numbers = self.numbers.filter(|_| at == 0);
            let lost = match numbers {
                Some((first, last)) => format!("numbers {first} to {last} are not used again"),
                None => "its header cannot be read".to_owned(),
            };
            let place = format!("intake/lane-{:04}/{} at byte {offset}", settings.lane.0, segment_name(segment));
            let detail = format!("{}; {} bytes copied to quarantine/{name}; {lost}", self.what, end - offset);
            // A stop leaves a batch unfinished; one that is whole and wrong may have been acknowledged.
            let torn = self.what == UNFINISHED || half_a_header(&path, offset, end)?;
            let finding = if torn { Finding::warning } else { Finding::error };
            recovery.findings.push(finding(Code::JournalTail, place, &detail));
            aside.push(SetAside { segment, offset, sha256: Some(sha256), numbers });
        }
        recovery.voided = self.numbers.map(|(first, last)| (Sequence(first), Sequence(last)));
        Ok(aside)
    }
}

/// Whether these bytes are a header that was not written to its end: no newline, and no whole header with something else in
/// its newline's place; or a hole in it, since no header holds a NUL: a sector which never got to the disk, though the file
/// had its length already.
fn half_a_header(path: &Path, offset: u64, end: u64) -> Result<bool> {
    let file = Arc::new(durable::open_plain(path)?);
    let length = (end - offset).min(HEADER_LIMIT as u64 + 1);
    let mut bytes = Vec::new();
    Section::new(file, offset, length).read_to_end(&mut bytes).at_path(path)?;
    let whole = bytes.split_last().is_some_and(|(_, line)| Header::parse(line).is_some());
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(!whole && (line.len() == bytes.len() || line.contains(&0)))
}

fn copy_stretch(path: &Path, offset: u64, end: u64, target: &Path) -> Result<()> {
    let file = Arc::new(durable::open_plain(path)?);
    let mut writing = durable::Writing::start(target, durable::MODE_PLAIN)?;
    std::io::copy(&mut Section::new(file, offset, end - offset), &mut writing).at_path(target)?;
    writing.finish()
}

/// Large bodies: present, right length, right digest. What no record names was never acknowledged; it is removed, or set
/// aside when a torn tail may have named it.
fn check_bodies(
    settings: &Settings,
    expected: &[(DocumentId, Part)],
    torn: bool,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let folder = settings.bodies();
    for (document, part) in expected {
        findings.extend(check_body(&folder, *document, *part, settings.lane.0));
    }
    let known: BTreeSet<String> = expected.iter().map(|(document, _)| document.to_string()).collect();
    for entry in std::fs::read_dir(&folder).at_path(&folder)? {
        let path = entry.at_path(&folder)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if known.contains(&name) {
            continue;
        }
        if torn && name.parse::<DocumentId>().is_ok() {
            durable::create_dir_all(&settings.quarantine)?;
            durable::rename(&path, &settings.quarantine.join(format!("lane-{:04}-body-{name}", settings.lane.0)))?;
            let place = format!("intake/lane-{:04}/bodies/{name}", settings.lane.0);
            findings.push(Finding::warning(
                Code::JournalTail,
                place,
                "a large body without a record; moved to quarantine",
            ));
        } else {
            durable::remove_file(&path)?;
        }
    }
    Ok(())
}

/// A finding when this body is not as its record says.
pub(super) fn check_body(folder: &Path, document: DocumentId, part: Part, lane: u16) -> Option<Finding> {
    let path = folder.join(document.to_string());
    let wrong = match digest(&path, part.bytes) {
        Ok((length, _)) if length != part.bytes => format!("{length} bytes where {} were due", part.bytes),
        Ok((_, Some(sha256))) if sha256 == part.sha256 => return None,
        Ok(_) => "altered".to_owned(),
        Err(error) if error.code == Code::FileMissing => "missing".to_owned(),
        Err(error) => error.detail,
    };
    let place = format!("intake/lane-{lane:04}/bodies/{document}, document {document}");
    Some(Finding::error(Code::JournalBody, place, wrong))
}

fn digest(path: &Path, expected: u64) -> Result<(u64, Option<Sha256>)> {
    let mut file = durable::open_plain(path)?;
    let length = file.metadata().at_path(path)?.len();
    if length != expected {
        return Ok((length, None));
    }
    let digests = Digests::of_reader(&mut Read::take(&mut file, expected)).at_path(path)?;
    Ok((length, Some(digests.sha256)))
}
