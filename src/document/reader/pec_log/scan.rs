//! One pass over the text of a log: layout recognised, rows read, counted, checked.
//!
//! Invariant: memory does not grow with the log but for its transmissions, which are bounded; a row that cannot be read is
//! counted, and the first are named by line.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};

use encoding_rs::Encoding;
use jiff::{SignedDuration, Timestamp};

use super::csv::{self, Layout, Rows};
use super::event::{Event, Kind};
use super::key_value;
use super::lines::{Decoded, Lines, Reading, text};
use super::moment::Years;
use super::transactions::Transactions;

/// Lines named by a finding.
const EXAMPLES: usize = 5;
/// Providers listed.
const MOST_PROVIDERS: usize = 100;
/// Events are written a little out of order by programs that work in parallel; more than this is worth saying.
const ORDER: SignedDuration = SignedDuration::from_secs(60);
/// Bytes by which the layout is recognised.
const HEAD: usize = 64 << 10;

/// How a log is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated values.
    Csv,
    /// The key=value daily log.
    KeyValue,
    /// Nothing in it at all.
    Empty,
    /// Text of another kind.
    Unknown,
}

/// A count, and the first lines it is about.
#[derive(Debug, Default)]
pub struct Counted {
    pub count: u64,
    pub lines: Vec<u64>,
}

impl Counted {
    fn note(&mut self, line: u64) {
        self.count += 1;
        if self.lines.len() < EXAMPLES {
            self.lines.push(line);
        }
    }

    /// `3, from line 12, 40, 77`.
    pub fn told(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(u64::to_string).collect();
        format!("{}, from line {}", self.count, lines.join(", "))
    }
}

/// What a pass found.
pub struct Scanned {
    pub form: Form,
    /// Rows: events, records of the system, and what could not be read; the header and continuations are none.
    pub rows: u64,
    pub unreadable: Counted,
    /// Rows without an instant that can be told.
    pub undated: Counted,
    pub disordered: Counted,
    /// Rows outside the period that the file declares.
    pub outside: Counted,
    pub events: BTreeMap<Kind, u64>,
    pub providers: BTreeMap<String, u64>,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// Rows by how their text was read.
    pub readings: BTreeMap<Reading, Counted>,
    pub transactions: Transactions,
}

/// What the producer says about the file.
pub struct Declared {
    /// Its encoding; none: UTF-8, and line by line windows-1252 where it is not.
    pub encoding: Option<&'static Encoding>,
    /// Names of columns: ours to theirs.
    pub columns: BTreeMap<String, String>,
    pub years: Years,
    /// First and last instant of the period.
    pub span: Option<(Timestamp, Timestamp)>,
}

/// Reads a log. Errors are those of the source.
pub fn scan(mut source: impl Read, declared: &Declared) -> io::Result<Scanned> {
    let mut head = Vec::new();
    source.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    let encoding = Encoding::for_bom(&head).map(|(encoding, _)| encoding).or(declared.encoding);
    let encoding = encoding.filter(|encoding| *encoding != encoding_rs::UTF_8);
    let sample = match encoding {
        Some(encoding) => encoding.decode(&head).0.into_owned().into_bytes(),
        None => head.clone(),
    };
    let end = line_end(&sample);
    let form = form_of(&sample, end, &declared.columns);
    let whole = io::Cursor::new(head).chain(source);
    let mut scanned = Scanned {
        form: form.0,
        rows: 0,
        unreadable: Counted::default(),
        undated: Counted::default(),
        disordered: Counted::default(),
        outside: Counted::default(),
        events: BTreeMap::new(),
        providers: BTreeMap::new(),
        first: None,
        last: None,
        readings: BTreeMap::new(),
        transactions: Transactions::new(),
    };
    match encoding {
        Some(encoding) => {
            let source = BufReader::with_capacity(HEAD, Decoded::new(whole, encoding));
            scanned.read(Lines::ending(source, end), form.1, declared)?
        }
        None => scanned.read(Lines::ending(BufReader::with_capacity(HEAD, whole), end), form.1, declared)?,
    }
    Ok(scanned)
}

/// What ends the lines of a text: a line feed, with or without carriage return; the carriage return alone where there is not one line
/// feed, as some programs still export.
fn line_end(sample: &[u8]) -> u8 {
    if sample.contains(&b'\r') && !sample.contains(&b'\n') { b'\r' } else { b'\n' }
}

/// The layout of a text, and that of its columns.
fn form_of(sample: &[u8], end: u8, columns: &BTreeMap<String, String>) -> (Form, Option<Layout>) {
    let sample = sample.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(sample);
    let lines = || sample.split(move |b| *b == end).map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let Some(first) = lines().next() else { return (Form::Empty, None) };
    if lines().take(200).any(|line| key_value::looks_so(&text(line).0)) {
        return (Form::KeyValue, None);
    }
    let named = csv::announced(first);
    let first = if named.is_some() { lines().nth(1).unwrap_or_default() } else { first };
    if let Some(layout) = Layout::of(first, columns, named) {
        return (Form::Csv, Some(layout));
    }
    // A day without traffic: records of the system, and nothing else.
    let dated = |line: &[u8]| super::moment::prefix(&text(line).0).is_some();
    let form = if lines().take(200).all(dated) { Form::KeyValue } else { Form::Unknown };
    (form, None)
}

impl Scanned {
    fn read(
        &mut self,
        mut lines: Lines<impl io::BufRead>,
        layout: Option<Layout>,
        declared: &Declared,
    ) -> io::Result<()> {
        match (self.form, layout) {
            (Form::Csv, Some(layout)) => {
                for _ in 0..usize::from(layout.header) + usize::from(layout.announced) {
                    while lines.next_line()?.is_some_and(|line| line.bytes.trim_ascii().is_empty()) {}
                }
                let mut rows = Rows::new(lines, layout);
                while let Some(row) = rows.next_row()? {
                    match row {
                        csv::Row::Event(line, event, reading) => {
                            self.readings.entry(reading).or_default().note(line);
                            self.event(line, &event, declared);
                        }
                        csv::Row::Unreadable(line) => self.unreadable(line),
                    }
                }
            }
            (Form::KeyValue, _) => {
                let mut continued = false;
                while let Some(line) = lines.next_line()? {
                    if line.bytes.trim_ascii().is_empty() && !line.cut {
                        continue;
                    }
                    let (whole, reading) = text(&line.bytes);
                    self.readings.entry(reading).or_default().note(line.number);
                    match key_value::read(&whole) {
                        _ if line.cut => self.unreadable(line.number),
                        key_value::Row::Event(event, open) => {
                            continued = open;
                            self.event(line.number, &event, declared);
                        }
                        key_value::Row::Continuation if continued => {}
                        key_value::Row::Continuation | key_value::Row::Unreadable => self.unreadable(line.number),
                    }
                }
            }
            _ => {
                while let Some(line) = lines.next_line()? {
                    let marked = line.bytes.strip_prefix(b"\xEF\xBB\xBF").filter(|_| line.number == 1);
                    self.rows += u64::from(!marked.unwrap_or(&line.bytes).trim_ascii().is_empty());
                }
            }
        }
        Ok(())
    }

    fn unreadable(&mut self, line: u64) {
        self.rows += 1;
        self.unreadable.note(line);
    }

    fn event(&mut self, line: u64, event: &Event, declared: &Declared) {
        self.rows += 1;
        *self.events.entry(event.kind).or_default() += 1;
        let known = self.providers.len() < MOST_PROVIDERS || self.providers.contains_key(&event.provider);
        if !event.provider.is_empty() && known {
            *self.providers.entry(event.provider.clone()).or_default() += 1;
        }
        let at = event.at.and_then(|moment| moment.resolve(&declared.years));
        match at {
            None => self.undated.note(line),
            Some(at) => {
                if self.last.is_some_and(|last| last.duration_since(at) > ORDER) {
                    self.disordered.note(line);
                }
                if declared.span.is_some_and(|(from, to)| at < from || at > to) {
                    self.outside.note(line);
                }
                // A record of the rotation is no event of the period.
                if event.kind != Kind::Sistema {
                    self.first = Some(self.first.map_or(at, |first| first.min(at)));
                    self.last = Some(self.last.map_or(at, |last| last.max(at)));
                }
            }
        }
        self.transactions.see(line, event, at);
    }

    /// Whether the log says that nothing happened.
    pub fn no_traffic(&self) -> bool {
        self.form != Form::Unknown
            && self.unreadable.count == 0
            && self.events.keys().all(|kind| *kind == Kind::Sistema)
    }
}
