//! Metadata against their class. Messages are made here from field paths and schema keywords, because those of the
//! validator quote the value (invariant of `crate::error`: never a value).

use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::Class;
use crate::document::Metadata;
use crate::error::{Code, Finding};

/// Findings one document can raise here; a list of ten thousand wrong items says nothing more than its beginning.
const MAX_FINDINGS: usize = 100;

impl Class {
    /// Every way in which these metadata do not fit. Fields unknown to the class are kept and marked, or refused when
    /// the class is personal.
    pub fn validate(&self, metadata: &Metadata) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (position, name) in metadata.keys().enumerate().filter(|(_, name)| self.field(name).is_none()) {
            let place = place_of(name, position);
            findings.push(if self.personal {
                Finding::error(Code::MetadataUnknownRefused, place, "")
            } else {
                Finding::warning(Code::MetadataUnknown, place, "")
            });
        }
        let instance = Value::Object(metadata.clone());
        for error in self.validator.iter_errors(&instance) {
            let keyword = error.kind().keyword().to_owned();
            let path = error.instance_path().to_string();
            let place = match error.kind() {
                // Already said above, field by field.
                ValidationErrorKind::AdditionalProperties { .. } if path.is_empty() => continue,
                ValidationErrorKind::Required { property } => {
                    format!("metadata{}/{}", self.safe_path(&path), property.as_str().unwrap_or_default())
                }
                _ => format!("metadata{}", self.safe_path(&path)),
            };
            findings.push(Finding::error(Code::MetadataSchema, place, keyword));
            if findings.len() >= MAX_FINDINGS {
                break;
            }
        }
        findings
    }

    /// The path as far as it consists of names the class knows and positions: names inside objects are the producer's.
    fn safe_path(&self, path: &str) -> String {
        let mut safe = String::new();
        for (depth, step) in path.split('/').skip(1).enumerate() {
            let known = if depth == 0 { self.field(step).is_some() } else { step.bytes().all(|b| b.is_ascii_digit()) };
            if !known {
                break;
            }
            safe.push('/');
            safe.push_str(step);
        }
        safe
    }
}

/// The place of a field the class does not know: its name when it looks like one, else its position, since a name that
/// is a sentence may well be a value.
pub(crate) fn place_of(name: &str, position: usize) -> String {
    let plain = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if plain && !name.is_empty() { format!("metadata/{name}") } else { format!("metadata/#{}", position + 1) }
}
