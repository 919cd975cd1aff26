//! Identity files that stay incomplete: a copy without its other side, or without the declaration of acceptance.
//!
//! Invariant: an alarm names the first document by its id, never the subject, a name or a value. DPCM 22 February 2013
//! art. 57(1)(b): copy of the document and declaration belong together.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Alarm;
use crate::archive::Archive;
use crate::catalog::{Criterion, DocumentRow, MAX_LIMIT, Op, Query, Value as Indexed, merged};
use crate::document::reader::Parts;
use crate::error::{Code, Result, Severity};
use crate::id::DocumentId;

/// How long the parts of one identification may take to arrive.
const PATIENCE: SignedDuration = SignedDuration::from_hours(24);
/// How far back is looked: what nobody completed for so long is a matter for a report, not for every night.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Subjects looked at; more in one period is said.
const MOST: usize = 20_000;

/// One subject's file.
struct File {
    first: (Timestamp, DocumentId),
    parts: Parts,
}

fn keyword<'a>(row: &'a DocumentRow, name: &str) -> Option<&'a str> {
    row.fields.iter().find(|field| field.name == name).and_then(|field| match &field.value {
        Indexed::Keyword(text) | Indexed::Text(text) => Some(text.as_str()),
        _ => None,
    })
}

impl Archive {
    pub(super) fn identity_alarms(&self, now: Timestamp) -> Result<Vec<Alarm>> {
        let mut files: BTreeMap<String, File> = BTreeMap::new();
        let mut beyond = false;
        let query = Query {
            class: "identity-document".parse().ok(),
            from: now.checked_sub(LOOK_BACK).ok(),
            limit: MAX_LIMIT,
            ..Query::default()
        };
        self.each_row(&query, &self.catalogs(), |row| {
            let Some(practice) = keyword(&row, "practice") else { return };
            if files.len() >= MOST && !files.contains_key(practice) {
                beyond = true;
                return;
            }
            let here = (row.accepted_at, row.id);
            let file =
                files.entry(practice.to_owned()).or_insert_with(|| File { first: here, parts: Parts::default() });
            file.first = file.first.min(here);
            file.parts.note(keyword(&row, "part"), keyword(&row, "side"));
        })?;
        let mut alarms = Vec::new();
        for (practice, mut file) in files {
            let due = file.first.0.checked_add(PATIENCE).unwrap_or(now);
            if due > now || file.parts.missing().is_empty() {
                continue;
            }
            // The other parts may have come before the period that was looked at.
            self.complete(&practice, &mut file.parts)?;
            let missing = file.parts.missing();
            if !missing.is_empty() {
                alarms.push(Alarm {
                    code: Code::IdentityIncomplete,
                    severity: Severity::Warning,
                    place: format!("document {}", file.first.1),
                    since: due,
                    detail: format!("missing: {}", missing.join(", ")),
                });
            }
        }
        if beyond {
            alarms.push(Alarm {
                code: Code::NotLookedAt,
                severity: Severity::Warning,
                place: "identity-document".to_owned(),
                since: now,
                detail: format!("more than {MOST} identity files in 90 days"),
            });
        }
        Ok(alarms)
    }

    fn complete(&self, practice: &str, parts: &mut Parts) -> Result<()> {
        let criteria = vec![Criterion { field: "practice".to_owned(), op: Op::Eq, value: practice.to_owned() }];
        let query = Query { class: "identity-document".parse().ok(), criteria, limit: MAX_LIMIT, ..Query::default() };
        let page = merged::search(&self.catalogs(), &query)?;
        page.rows.iter().for_each(|row| parts.note(keyword(row, "part"), keyword(row, "side")));
        Ok(())
    }
}
