//! Logs of a PEC provider (DPR 68/2005 art. 11): the proposed CSV and the key=value daily log of one product, plain,
//! signed or compressed, read as a stream.
//!
//! Invariants: no row is dropped: what cannot be read is counted and named by line; nothing of a row (address, subject,
//! identifier) gets into a finding; the period is that of one day in Italy or of a declared span, and a log that comes
//! after its term is kept with `pec-log/late`. `reference/pec` section 10.

mod csv;
mod event;
mod key_value;
mod layers;
mod lines;
mod moment;
mod period;
mod scan;
mod transactions;

use std::collections::BTreeMap;

use encoding_rs::Encoding;
use jiff::SignedDuration;
use jiff::civil::Date;
use serde_json::{Map, Value};

use super::{Extraction, Input, Reader};
use crate::clock::{end_of_italian_day, iso_ms, italian_day};
use crate::error::{Code, Finding, Result};
use crate::evidence::cms;
use crate::evidence::judge::Purpose;
use lines::Reading;
use moment::Years;
use scan::{Declared, Form, Scanned, scan};

pub use period::term_of_log;

/// Reads logs of PEC providers.
pub struct PecLogReader;

/// A file is turned over some seconds after midnight; what is written meanwhile is no contradiction.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

impl Reader for PecLogReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        let mut extraction = Extraction::default();
        let mut named = period::named(input.name);
        if let Some(odd) = named.odd {
            extraction.findings.push(Finding::warning(Code::PecLogPeriod, "name", odd));
        }
        // A day that has not even begun is a slip of the pen: what it would make of the archive's days is not believed.
        if named.days.is_some_and(|(first, _)| first > italian_day(input.context.received_at)) {
            named.days = None;
            extraction.findings.push(Finding::warning(Code::PecLogPeriod, "name", "a day that is still to come"));
        }
        let given = period::given(input.given);
        let days = given.or(named.days);
        if let (Some(given), Some(named)) = (given, named.days)
            && given != named
        {
            let finding = Finding::warning(Code::PecLogPeriod, "name", "the name says other days than the metadata");
            extraction.findings.push(finding);
        }
        if let Some(installation) = named.installation
            && !input.given.contains_key("installation")
        {
            extraction.set("installation", &installation);
        }
        // A declaration may be a signed page; it is not read, and what it says is what was given.
        let page = input.format.media_type == "application/pdf";
        if page && !input.given.get("no_traffic").is_some_and(|value| *value == true || *value == "true") {
            extraction.findings.push(Finding::error(Code::PecLogNot, "content", "a page, and no declaration"));
        }
        let found = if input.format.media_type.starts_with("text/") || is_layer(&input.format.media_type) {
            look_inside(input, days, &mut extraction)?
        } else {
            if !page {
                let detail = format!("{}: kept, not read", input.format.media_type);
                extraction.findings.push(Finding::warning(Code::PecLogFormat, "content", detail));
            }
            None
        };
        if found.is_none() {
            extraction.set("format", if page { "declaration" } else { "unread" });
        }
        let events = found.and_then(|scanned| tell(&scanned, input, &mut extraction));
        settle(days.or(events), input, &mut extraction);
        Ok(extraction)
    }

    fn not_admitted(&self, head: &[u8], media_type: &str, name: &str) -> Option<Code> {
        super::not_even_signed(head, media_type, name)
    }
}

/// Signed or compressed.
fn is_layer(media_type: &str) -> bool {
    media_type.starts_with("application/pkcs7") || media_type == "application/gzip"
}

/// Opens the layers and reads the text once; `None` when there is no text to be read, and then a finding says why.
fn look_inside(input: &Input, days: Option<(Date, Date)>, extraction: &mut Extraction) -> Result<Option<Scanned>> {
    let mut findings = Vec::new();
    let judge = input.context.judge(None);
    let mut unjudged = Vec::new();
    let mut see = |layer: &cms::Opened, place: &str| match judge.opened(layer, None, Purpose::Signature, place) {
        Ok(reports) => extraction.signatures.extend(reports),
        Err(error) => unjudged.push(Finding::warning(error.code, place, error.detail)),
    };
    let opened = layers::open(input.body, input.name, &mut findings, &mut see);
    extraction.findings.append(&mut findings);
    extraction.findings.append(&mut unjudged);
    let Some(content) = opened? else { return Ok(None) };
    if content.signed == 0 && input.name.to_ascii_lowercase().ends_with(".p7m") {
        extraction.findings.push(Finding::warning(Code::P7mPlain, "name", ""));
    }
    let declared = declared(input, days, extraction);
    let outcome = content.read().and_then(|source| scan(source, &declared));
    match outcome {
        Ok(scanned) => Ok(Some(scanned)),
        Err(error) => {
            content.broken(error, &mut extraction.findings)?;
            Ok(None)
        }
    }
}

/// What the producer says about the file.
fn declared(input: &Input, days: Option<(Date, Date)>, extraction: &mut Extraction) -> Declared {
    let mut encoding = None;
    if let Some(label) = input.given.get("encoding").and_then(Value::as_str) {
        encoding = Encoding::for_label(label.trim().as_bytes());
        if encoding.is_none() {
            let finding = Finding::warning(Code::PecLogEncoding, "metadata/encoding", "not the name of an encoding");
            extraction.findings.push(finding);
        }
    }
    let columns: BTreeMap<String, String> = match input.given.get("columns") {
        Some(Value::Object(columns)) => {
            let pairs = columns.iter().take(64);
            pairs.filter_map(|(ours, theirs)| Some((ours.clone(), theirs.as_str()?.to_owned()))).collect()
        }
        _ => BTreeMap::new(),
    };
    let received = Some(italian_day(input.context.received_at));
    let span = days.and_then(|(first, last)| {
        let from = end_of_italian_day(first.yesterday().ok()?)?.checked_sub(GRACE).ok()?;
        Some((from, end_of_italian_day(last)?.checked_add(GRACE).ok()?))
    });
    Declared { encoding, columns, years: Years { period: days, received }, span }
}

/// Fields and findings of what was read; the days its events fall on.
fn tell(scanned: &Scanned, input: &Input, extraction: &mut Extraction) -> Option<(Date, Date)> {
    let declared_empty = input.given.get("no_traffic").is_some_and(|value| *value == true || *value == "true");
    let form = match scanned.form {
        Form::Csv => "csv",
        Form::KeyValue => "key-value",
        Form::Empty => "empty",
        Form::Unknown if declared_empty => "declaration",
        Form::Unknown => "unknown",
    };
    extraction.set("format", form);
    let findings = &mut extraction.findings;
    if form == "unknown" {
        findings.push(Finding::warning(Code::PecLogFormat, "content", "kept; its rows were only counted"));
    }
    let told = [
        (&scanned.unreadable, Code::PecLogRows, "rows"),
        (&scanned.undated, Code::PecLogRows, "rows/instant"),
        (&scanned.outside, Code::PecLogPeriod, "rows/period"),
    ];
    for (counted, code, place) in told {
        if counted.count > 0 {
            findings.push(Finding::warning(code, place, counted.told()));
        }
    }
    if scanned.disordered.count > 0 {
        findings.push(Finding::info(Code::PecLogOrder, "rows/order", scanned.disordered.told()));
    }
    for (reading, what) in [
        (Reading::Western, "read as windows-1252"),
        (Reading::Doubled, "UTF-8 encoded twice"),
        (Reading::Replaced, "characters were lost before they were written"),
    ] {
        if let Some(counted) = scanned.readings.get(&reading) {
            findings.push(Finding::info(Code::PecLogEncoding, "rows/encoding", format!("{what}: {}", counted.told())));
        }
    }
    findings.extend(scanned.transactions.findings());

    let fields = &mut extraction.fields;
    fields.insert("rows".to_owned(), scanned.rows.into());
    if matches!(scanned.form, Form::Csv | Form::KeyValue) {
        fields.insert("unreadable_rows".to_owned(), scanned.unreadable.count.into());
        fields.insert("transactions".to_owned(), scanned.transactions.len().into());
        let events: Map<String, Value> = event::Kind::ALL
            .iter()
            .filter_map(|kind| Some((kind.as_str().to_owned(), (*scanned.events.get(kind)?).into())))
            .collect();
        fields.insert("events".to_owned(), Value::Object(events));
    }
    if scanned.no_traffic() || form == "declaration" {
        fields.insert("no_traffic".to_owned(), true.into());
    } else if declared_empty {
        // A log with rows is no declaration that there were none: the contradiction is seen by the merge.
        fields.insert("no_traffic".to_owned(), false.into());
    }
    for (name, instant) in [("first_event", scanned.first), ("last_event", scanned.last)] {
        if let Some(instant) = instant {
            fields.insert(name.to_owned(), iso_ms(instant).into());
        }
    }
    let providers: Vec<String> = scanned.providers.keys().cloned().collect();
    let main = scanned.providers.iter().max_by_key(|(_, rows)| **rows).map(|(name, _)| name.clone());
    extraction.set_list("providers", providers);
    if let Some(main) = main.filter(|_| !input.given.contains_key("provider")) {
        extraction.set("provider", &main);
    }
    scanned.first.zip(scanned.last).map(|(first, last)| period::of_events(first, last))
}

/// The period, and whether the log comes in time.
fn settle(days: Option<(Date, Date)>, input: &Input, extraction: &mut Extraction) {
    let Some((first, last)) = days else {
        extraction.findings.push(Finding::warning(Code::PecLogPeriod, "period", "which day it covers is not known"));
        return;
    };
    extraction.set("period_start", &first.to_string());
    extraction.set("period_end", &last.to_string());
    if !input.given.contains_key("day") {
        extraction.set("day", &last.to_string());
    }
    if !period::is_over((first, last), input.context.received_at) {
        extraction.findings.push(Finding::warning(Code::PecLogPeriod, "period", "not over yet when it was deposited"));
    }
    if let Some(term) = term_of_log(last).filter(|term| input.context.received_at > *term) {
        let finding = Finding::warning(Code::PecLogLate, "period", format!("its term was {term}"));
        extraction.findings.push(finding);
    }
}

#[cfg(test)]
mod tests;
