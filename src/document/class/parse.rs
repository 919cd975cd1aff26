//! Class files read: JSON Schema 2020-12 plus `x-custode` on the schema and on every property.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;

use super::{AgidDefaults, Class, Field, FieldKind, Title, start};
use crate::document::agid;
use crate::document::reader::ReaderKind;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{ClassId, PolicyId};

/// A class file is read by people; a larger one is not a class file.
const MAX_CLASS_FILE: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ClassNote {
    class: ClassId,
    version: u32,
    title: Title,
    #[serde(default)]
    personal: bool,
    reader: ReaderKind,
    formats: Vec<String>,
    retention: PolicyId,
    closing: PolicyId,
    #[serde(default)]
    start_event: Vec<String>,
    #[serde(default)]
    start_event_or_accepted: bool,
    #[serde(default)]
    start_not_before: Option<Date>,
    agid: AgidDefaults,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FieldNote {
    title: Title,
    kind: FieldKind,
    #[serde(default)]
    indexed: bool,
    #[serde(default)]
    personal: bool,
    #[serde(default)]
    agid: Option<String>,
    #[serde(default)]
    link: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

pub(super) fn class(text: &str, place: &str) -> Result<Class> {
    let invalid = |detail: String| Error::new(Code::ConfigInvalid, detail).at(place);
    if text.len() > MAX_CLASS_FILE {
        return Err(invalid("larger than 1 MiB".to_owned()));
    }
    let schema: Value = serde_json::from_str(text).map_err(|e| invalid(format!("not JSON: {e}")))?;
    let annotation = schema.get("x-custode").ok_or_else(|| invalid("x-custode is missing".to_owned()))?;
    let note = ClassNote::deserialize(annotation).map_err(|e| invalid(format!("x-custode: {e}")))?;
    if note.version == 0 {
        return Err(invalid("x-custode: versions start at 1".to_owned()));
    }
    if !["a", "b", "c", "d"].contains(&note.agid.formazione.as_str()) {
        return Err(invalid("x-custode/agid/formazione: expected a, b, c or d".to_owned()));
    }
    if !["E", "U", "I"].contains(&note.agid.flusso.as_str()) {
        return Err(invalid("x-custode/agid/flusso: expected E, U or I".to_owned()));
    }
    let fields = fields(&schema, note.personal).map_err(invalid)?;
    for name in &note.start_event {
        let dated = |f: &&Field| f.name == *name && matches!(f.kind, FieldKind::Date | FieldKind::Instant);
        if !fields.iter().any(|f| dated(&f)) {
            return Err(invalid(format!("x-custode/start-event: {name} is not a date or instant of the class")));
        }
    }
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        // Linear-time matching: a class file's pattern must not let a producer's value burn a processor.
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .build(&schema)
        .map_err(|e| invalid(format!("not a JSON Schema: {e}")))?;
    Ok(Class {
        id: note.class,
        version: note.version,
        title: note.title,
        personal: note.personal,
        reader: note.reader,
        formats: note.formats,
        retention: note.retention,
        closing: note.closing,
        fields,
        start_event: note.start_event,
        start_event_or_accepted: note.start_event_or_accepted,
        start_not_before: note.start_not_before.unwrap_or(start::EARLIEST),
        agid: note.agid,
        sha256: Sha256::of(text.as_bytes()),
        text: text.into(),
        validator: Arc::new(validator),
    })
}

fn fields(schema: &Value, personal: bool) -> Result<Vec<Field>, String> {
    let properties = schema.get("properties").and_then(Value::as_object).ok_or("properties are missing")?;
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut fields = Vec::with_capacity(properties.len());
    for (name, property) in properties {
        let annotation = property.get("x-custode").ok_or_else(|| format!("properties/{name}: x-custode is missing"))?;
        let note = FieldNote::deserialize(annotation).map_err(|e| format!("properties/{name}/x-custode: {e}"))?;
        if note.indexed && note.kind == FieldKind::Object {
            return Err(format!("properties/{name}: an object cannot be indexed"));
        }
        if let Some(element) = note.agid.as_deref().filter(|element| !agid::is_element(element)) {
            return Err(format!(
                "properties/{name}/x-custode/agid: {element} is not an element of Allegato 5 known here"
            ));
        }
        let linkable = note.indexed && matches!(note.kind, FieldKind::Keyword | FieldKind::List);
        if note.link.is_some() && !linkable {
            return Err(format!(
                "properties/{name}/x-custode/link: only indexed keywords and lists tie documents together"
            ));
        }
        fields.push(Field {
            name: name.clone(),
            title: note.title,
            kind: note.kind,
            indexed: note.indexed,
            required: required.contains(&name.as_str()),
            personal: personal || note.personal,
            agid: note.agid,
            link: note.link,
            labels: note.labels,
        });
    }
    Ok(fields)
}
