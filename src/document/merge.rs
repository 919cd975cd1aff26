//! Metadata given by the producer and metadata extracted by the reader become one set.
//!
//! Decisions: values are first brought to one form (instants in UTC with three decimals, ISO dates, decimals with a
//! point); what the content says wins over what was given, because the content is what will be shown in twenty years;
//! a given value that differs is kept inside the field `given` and its field is named by a finding, never the value.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Metadata;
use super::class::{Class, FieldKind};
use crate::clock::iso_ms;
use crate::error::{Code, Finding};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Given by the producer.
    #[serde(rename = "dato")]
    Given,
    /// Extracted from the content.
    #[serde(rename = "estratto")]
    Extracted,
}

impl Origin {
    /// The word in the metadata file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Given => "dato",
            Self::Extracted => "estratto",
        }
    }
}

/// Origin of each field, by name.
pub type Origins = BTreeMap<String, Origin>;

/// Where given values that the content contradicts are kept.
pub const GIVEN: &str = "given";
/// What search knows of a document that its metadata do not say: the worst conclusion on its signatures when it was sealed.
pub const SEALED_VERDICT: &str = "sealed_verdict";

pub(super) struct Merged {
    pub metadata: Metadata,
    pub origins: Origins,
    pub findings: Vec<Finding>,
}

pub(super) fn merge(class: &Class, given: &Metadata, extracted: Metadata) -> Merged {
    let kind_of = |name: &str| class.field(name).map_or(FieldKind::Object, |field| field.kind);
    let mut merged = Merged { metadata: Metadata::new(), origins: Origins::new(), findings: Vec::new() };
    let mut overruled = Metadata::new();
    for (name, value) in given {
        if [GIVEN, SEALED_VERDICT].contains(&name.as_str()) {
            let place = format!("metadata/{name}");
            merged.findings.push(Finding::error(Code::MetadataSchema, place, "this name is reserved"));
            continue;
        }
        let value = normalise(kind_of(name), value.clone());
        match extracted.get(name) {
            Some(found) if !same(&normalise(kind_of(name), found.clone()), &value) => {
                merged.findings.push(Finding::warning(Code::MetadataContradiction, format!("metadata/{name}"), ""));
                overruled.insert(name.clone(), value);
            }
            Some(_) => {}
            None => {
                merged.origins.insert(name.clone(), Origin::Given);
                merged.metadata.insert(name.clone(), value);
            }
        }
    }
    for (name, value) in extracted {
        let (value, cut) = clip(kind_of(&name), normalise(kind_of(&name), value));
        if cut {
            merged.findings.push(Finding::info(
                Code::ReaderTooLarge,
                format!("metadata/{name}"),
                "only its beginning is kept",
            ));
        }
        merged.origins.insert(name.clone(), Origin::Extracted);
        merged.metadata.insert(name, value);
    }
    if !overruled.is_empty() {
        merged.origins.insert(GIVEN.to_owned(), Origin::Given);
        merged.metadata.insert(GIVEN.to_owned(), Value::Object(overruled));
    }
    merged
}

/// One form for each kind. A value that cannot be brought to it stays as it is: the schema then says what is wrong.
fn normalise(kind: FieldKind, value: Value) -> Value {
    let converted = match (kind, &value) {
        (FieldKind::Instant, Value::String(text)) => instant(text).map(|t| Value::String(iso_ms(t))),
        (FieldKind::Date, Value::String(text)) => date(text).map(|d| Value::String(d.to_string())),
        (FieldKind::Integer, Value::String(text)) => text.trim().parse::<i64>().ok().map(Value::from),
        (FieldKind::Boolean, Value::String(text)) => match text.trim() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        (FieldKind::Decimal, Value::Number(number)) => Some(Value::String(number.to_string())),
        (FieldKind::Decimal | FieldKind::Keyword | FieldKind::Text, Value::String(text)) => {
            (text.trim().len() != text.len()).then(|| Value::String(text.trim().to_owned()))
        }
        (FieldKind::Keyword | FieldKind::Text, Value::Number(number)) => Some(Value::String(number.to_string())),
        (FieldKind::List, Value::String(text)) => Some(Value::Array(vec![Value::String(text.clone())])),
        _ => None,
    };
    converted.unwrap_or(value)
}

/// Characters kept of an extracted keyword and text, items of a list: what the classes' schemas allow. A header of a
/// megabyte must not make a message refused.
const MAX_KEYWORD: usize = 1000;
const MAX_TEXT: usize = 4000;
const MAX_ITEMS: usize = 2000;

/// The beginning of an extracted value that is too long, and whether it was.
fn clip(kind: FieldKind, value: Value) -> (Value, bool) {
    let shorten = |text: String, limit: usize| match text.char_indices().nth(limit) {
        Some((end, _)) => (Value::String(text[..end].to_owned()), true),
        None => (Value::String(text), false),
    };
    match (kind, value) {
        (FieldKind::Text, Value::String(text)) => shorten(text, MAX_TEXT),
        (FieldKind::List, Value::Array(mut items)) => {
            let mut cut = items.len() > MAX_ITEMS;
            items.truncate(MAX_ITEMS);
            for item in &mut items {
                let (short, was_cut) = clip(FieldKind::Keyword, item.take());
                *item = short;
                cut |= was_cut;
            }
            (Value::Array(items), cut)
        }
        (FieldKind::Keyword, Value::String(text)) => shorten(text, MAX_KEYWORD),
        (_, value) => (value, false),
    }
}

/// An instant in any usual ISO 8601 form; without offset it is a legal (Europe/Rome) time.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    if text.len() < 16 || !text.contains(['T', ' ']) {
        return None;
    }
    let local: DateTime = text.parse().ok()?;
    local.to_zoned(TimeZone::get("Europe/Rome").ok()?).ok().map(|zoned| zoned.timestamp())
}

/// `2026-11-22`, with blanks around it or an XML Schema zone behind it, or the Italian `22/11/2026`.
pub(super) fn date(text: &str) -> Option<Date> {
    let text = text.trim();
    if let Some((day, rest)) = text.split_once('/') {
        let (month, year) = rest.split_once('/')?;
        return Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok();
    }
    let zone = text.get(10..)?;
    let known_zone = zone.is_empty() || zone == "Z" || (zone.len() == 6 && zone.starts_with(['+', '-']));
    if known_zone { text.get(..10)?.parse().ok() } else { None }
}

/// Equal, or differing only in letter case or in trailing zeros of a decimal.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => {
            a.eq_ignore_ascii_case(b) || decimal(a).is_some_and(|d| decimal(b) == Some(d))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().all(|item| b.iter().any(|other| same(item, other)))
        }
        _ => a == b,
    }
}

/// A decimal number without its meaningless zeros; only for text that has a decimal point.
fn decimal(text: &str) -> Option<&str> {
    let (whole, fraction) = text.split_once('.')?;
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole.trim_start_matches('-')) || !digits(fraction) {
        return None;
    }
    Some(text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_dates_come_to_one_form() {
        let one = |kind, text: &str| normalise(kind, Value::String(text.to_owned()));
        assert_eq!(one(FieldKind::Instant, "2018-06-16T18:34:00.000+02:00"), "2018-06-16T16:34:00.000Z");
        assert_eq!(one(FieldKind::Instant, "2018-12-16T18:34:00"), "2018-12-16T17:34:00.000Z");
        assert_eq!(one(FieldKind::Instant, "yesterday"), "yesterday");
        assert_eq!(one(FieldKind::Date, " 2026-11-22 "), "2026-11-22");
        assert_eq!(one(FieldKind::Date, "2026-11-22+01:00"), "2026-11-22");
        assert_eq!(one(FieldKind::Date, "22/11/2026"), "2026-11-22");
        assert_eq!(one(FieldKind::Date, "2026-02-30"), "2026-02-30");
        assert_eq!(one(FieldKind::Integer, "12"), 12);
        assert!(same(&"12.50".into(), &"12.5".into()));
        assert!(!same(&"100".into(), &"1".into()));
    }
}
