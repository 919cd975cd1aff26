//! Reads the segments of a lane from end to end: recovery and `check` see the journal through this one walk.
//!
//! Invariant: it changes nothing, and memory does not grow with a batch. What it cannot accept it calls a [`Trouble`]
//! with file and offset, and says whether anything valid follows (formats, "Journal": that is what tells damage from an
//! unfinished last batch).

use std::collections::BTreeMap;
use std::path::Path;

use super::format::{Header, Previous, RecordHead, SetAside, segment_name, segment_number};
use super::segment::Reading;
use crate::error::{AtPath, Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{DocumentId, Lane};

/// A record and where it stands in its segment.
pub(super) struct Placed {
    pub offset: u64,
    pub length: u64,
    pub head: RecordHead,
}

/// A batch that is as it was written.
pub(super) struct Batch<'a> {
    pub header: &'a Header,
    pub records: Vec<Placed>,
}

/// Something that is not as it was written.
#[derive(Debug)]
pub(super) struct Trouble {
    pub segment: u64,
    pub offset: u64,
    pub what: String,
    pub document: Option<DocumentId>,
    /// The header, when it can be read.
    pub header: Option<Header>,
    /// Whether anything valid stands after it.
    pub followed: bool,
}

/// The last batch that holds, which the next one will name.
#[derive(Debug, Clone)]
pub(super) struct Tip {
    pub header: Header,
    pub previous: Previous,
    /// Where the next batch of that segment would stand.
    pub end: u64,
}

/// What a walk found.
#[derive(Default)]
pub(super) struct Walk {
    pub tip: Option<Tip>,
    pub troubles: Vec<Trouble>,
    /// Segment numbers and lengths, ascending.
    pub segments: Vec<(u64, u64)>,
    /// What valid headers say was set aside.
    pub set_aside: Vec<SetAside>,
}

/// The segments in a lane's folder, ascending.
pub(super) fn segments(folder: &Path) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).at_path(folder)? {
        let entry = entry.at_path(folder)?;
        found.extend(entry.file_name().to_str().and_then(segment_number));
    }
    found.sort_unstable();
    Ok(found)
}

/// Up to where an active segment is durable; what stands after it is being written.
pub(super) type Until = Option<(u64, u64)>;

/// Walks a lane from its first segment to its last and shows every batch that holds to `visit`.
pub(super) fn walk(folder: &Path, lane: Lane, until: Until, visit: &mut dyn FnMut(&Batch<'_>)) -> Result<Walk> {
    let mut numbers = segments(folder)?;
    if let Some((active, _)) = until {
        numbers.retain(|number| *number <= active);
    }
    let void = void_tails(folder, &numbers, until)?;
    let mut walk = Walk::default();
    let mut gap = false;
    for (at, &number) in numbers.iter().enumerate() {
        let mut reading = Reading::open(folder, number, until)?;
        walk.segments.push((number, reading.end));
        if at > 0 && numbers[at - 1] + 1 != number {
            let missing = numbers[at - 1] + 1;
            gap = true;
            let what = "the segment is missing".to_owned();
            walk.troubles.push(Trouble {
                segment: missing,
                offset: 0,
                what,
                document: None,
                header: None,
                followed: true,
            });
        }
        if let Some(aside) = void.get(&number) {
            check_aside(&reading, aside, &mut walk.troubles)?;
            reading.end = reading.end.min(aside.offset);
        }
        let later = numbers[at + 1..].iter().filter(|later| void.get(later).is_none_or(|aside| aside.offset > 0));
        let later: Vec<u64> = later.copied().collect();
        let whole_void = void.get(&number).is_some_and(|aside| aside.offset == 0);
        if whole_void {
            continue;
        }
        one_segment(&reading, lane, Context { folder, until, later, unchained: &mut gap }, &mut walk, visit)?;
    }
    Ok(walk)
}

/// What the opening header of each segment says of the ones before it; the last word counts.
fn void_tails(folder: &Path, numbers: &[u64], until: Until) -> Result<BTreeMap<u64, SetAside>> {
    let mut void: BTreeMap<u64, SetAside> = BTreeMap::new();
    for &number in numbers.iter().rev() {
        if void.get(&number).is_some_and(|aside| aside.offset == 0) {
            continue;
        }
        if let Some((header, _)) = Reading::open(folder, number, until)?.header(0)?
            && header.segment == number
        {
            for aside in header.set_aside {
                void.entry(aside.segment).or_insert(aside);
            }
        }
    }
    Ok(void)
}

fn check_aside(reading: &Reading, aside: &SetAside, troubles: &mut Vec<Trouble>) -> Result<()> {
    let Some(expected) = aside.sha256 else { return Ok(()) };
    let length = reading.end.checked_sub(aside.offset);
    let same = match length {
        Some(length) => reading.digest(aside.offset, length)? == expected,
        None => false,
    };
    if !same {
        troubles.push(Trouble {
            segment: reading.number,
            offset: aside.offset,
            what: "bytes that were set aside are altered".into(),
            document: None,
            header: None,
            followed: true,
        });
    }
    Ok(())
}

struct Context<'a> {
    folder: &'a Path,
    until: Until,
    later: Vec<u64>,
    /// True while what came before is unknown, so that the chain cannot be compared.
    unchained: &'a mut bool,
}

impl Context<'_> {
    fn valid_later(&self) -> Result<bool> {
        for &number in &self.later {
            if Reading::open(self.folder, number, self.until)?.next_header(0, None)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn one_segment(
    reading: &Reading,
    lane: Lane,
    context: Context<'_>,
    walk: &mut Walk,
    visit: &mut dyn FnMut(&Batch<'_>),
) -> Result<()> {
    let mut at = 0;
    let mut mark: Option<String> = None;
    if reading.end == 0 {
        let followed = context.valid_later()?;
        let what = "the segment is empty".to_owned();
        walk.troubles.push(Trouble {
            segment: reading.number,
            offset: 0,
            what,
            document: None,
            header: None,
            followed,
        });
    }
    while at < reading.end {
        let read = reading.header(at)?;
        let mut misplaced = false;
        let mut wrong = match &read {
            None => Some((at, "the batch's header is altered or unfinished".to_owned())),
            Some((header, line)) => {
                mark.get_or_insert_with(|| header.mark.clone());
                let tip = if *context.unchained { None } else { walk.tip.as_ref() };
                let end = (at + line.len() as u64 + 1).checked_add(header.length);
                let strange = judge(header, at, reading.number, lane, mark.as_deref(), tip);
                misplaced = strange.is_some();
                let unfinished = end.is_none_or(|end| end > reading.end);
                strange.or(unfinished.then(|| "the batch is unfinished".into())).map(|what| (at, what))
            }
        };
        let payload = read.as_ref().map(|(_, line)| at + line.len() as u64 + 1);
        let mut document = None;
        if let (None, Some((header, line)), Some(start)) = (&wrong, &read, payload) {
            let whole = reading.digest(start, header.length)? == header.sha256;
            match (whole, reading.records(header, start)?) {
                (true, Ok(records)) => {
                    visit(&Batch { header, records });
                    walk.set_aside.extend(header.set_aside.iter().cloned());
                    let previous = Previous { segment: reading.number, offset: at, sha256: Sha256::of(line) };
                    at = start + header.length;
                    walk.tip = Some(Tip { header: header.clone(), previous, end: at });
                    *context.unchained = false;
                    continue;
                }
                (_, Err((place, what))) => wrong = Some((place, what)),
                (false, Ok(records)) => {
                    let (place, named) = altered_part(reading, &records)?;
                    document = named;
                    wrong = Some((place.unwrap_or(at), "the batch's payload is altered".into()));
                }
            }
        }
        let (offset, what) = wrong.expect("a batch that holds went on above");
        let header = read.map(|(header, _)| header);
        // A header that reads tells where its batch ends, so its payload is not searched for look-alikes.
        let from = match (&header, payload) {
            (Some(header), Some(start)) => start.saturating_add(header.length),
            _ => at + 1,
        };
        let resume = reading.next_header(from, mark.as_deref())?;
        // A whole header that does not fit is itself something valid: what it should follow is gone.
        let followed = misplaced || resume.is_some() || context.valid_later()?;
        let bad_start = at;
        *context.unchained = true;
        let offset = if followed { offset } else { bad_start };
        walk.troubles.push(Trouble { segment: reading.number, offset, what, document, header, followed });
        match resume {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(())
}

/// What is wrong with a header that reads, if anything.
fn judge(header: &Header, at: u64, segment: u64, lane: Lane, mark: Option<&str>, tip: Option<&Tip>) -> Option<String> {
    if header.lane != lane || header.segment != segment || mark != Some(header.mark.as_str()) {
        return Some("the batch belongs to another segment".into());
    }
    if header.last.wrapping_add(1) < header.first || header.first == 0 {
        return Some("the batch's numbers are absurd".into());
    }
    match tip {
        Some(tip) => {
            if header.previous != tip.previous || header.batch != tip.header.batch + 1 {
                return Some("the batch before is not the one this batch names".into());
            }
            let void = header.set_aside.iter().filter_map(|aside| aside.numbers).map(|(_, last)| last).max();
            let due = tip.header.last.max(void.unwrap_or(0)) + 1;
            (header.first != due).then(|| format!("number {} where {due} was due", header.first))
        }
        None if at > 0 || segment > 1 => None,
        None => (header.previous != Previous::NONE).then(|| "the first batch names one before it".into()),
    }
}

/// The first part whose digest differs, and the document it belongs to.
fn altered_part(reading: &Reading, records: &[Placed]) -> Result<(Option<u64>, Option<DocumentId>)> {
    for record in records {
        let parts: u64 = record.head.parts_length().unwrap_or(0);
        let mut at = record.offset + record.length - parts - 1;
        for (document, part) in record.head.parts() {
            if reading.digest(at, part.bytes)? != part.sha256 {
                return Ok((Some(at), document));
            }
            at += part.bytes;
        }
    }
    Ok((None, None))
}

impl Trouble {
    /// As an error: file and offset, nothing changed.
    pub fn error(&self, folder: &Path) -> Error {
        Error::new(Code::JournalDamaged, self.what.clone()).at(self.place(folder))
    }

    /// File, offset and, where known, document.
    pub fn place(&self, folder: &Path) -> String {
        let file = folder.join(segment_name(self.segment));
        let lane = folder.file_name().unwrap_or_default().to_string_lossy();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        match self.document {
            Some(document) => format!("intake/{lane}/{name} at byte {}, document {document}", self.offset),
            None => format!("intake/{lane}/{name} at byte {}", self.offset),
        }
    }
}
