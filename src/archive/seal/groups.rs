//! Which documents go together: one class version, one cohort of expiry, within the closing rule's limits; documents of one
//! conversation side by side.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Archive, Report};
use crate::archive::state::unpoisoned;
use crate::catalog::{Catalog as _, DocumentRow, Value as Indexed};
use crate::error::Result;
use crate::id::{ClassId, Sequence};
use crate::package::closing::{Closing, OpenPackage};
use crate::package::plan::PolicyVersion;
use crate::retention::due_in_class;

/// Fields that tie messages and receipts together: a receipt repeats its whole message, so they compress as neighbours.
const CONVERSATION: [&str; 4] = ["identifier", "msgid", "sdi_identifier", "practice"];

/// Documents of one package to be.
pub(in crate::archive) struct Group {
    pub class: ClassId,
    pub class_version: u32,
    pub cohort: String,
    pub expiry: Option<Date>,
    pub policy: PolicyVersion,
    pub documents: Vec<DocumentRow>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    class: ClassId,
    version: u32,
    cohort: String,
    expiry: Option<Date>,
}

impl Archive {
    /// The groups to be sealed now.
    pub(super) fn closable(&self, class: Option<&ClassId>, asked: bool, report: &mut Report) -> Result<Vec<Group>> {
        let now = self.clock.now();
        let mut groups = Vec::new();
        for (key, (policy, closing, documents)) in self.open_packages(class, report)? {
            let parts = split(documents, &closing);
            let last = parts.len().saturating_sub(1);
            for (n, documents) in parts.into_iter().enumerate() {
                // All parts but the last are full: a limit closed them.
                if n < last || asked || closing.should_close(&open_package(&documents), now).is_some() {
                    groups.push(Group {
                        class: key.class.clone(),
                        class_version: key.version,
                        cohort: key.cohort.clone(),
                        expiry: key.expiry,
                        policy: policy.clone(),
                        documents,
                    });
                }
            }
        }
        Ok(groups)
    }

    fn open_packages(
        &self,
        class: Option<&ClassId>,
        report: &mut Report,
    ) -> Result<BTreeMap<Key, (PolicyVersion, Closing, Vec<DocumentRow>)>> {
        let classes = unpoisoned(self.classes.read()).clone();
        let policies = unpoisoned(self.policies.read()).clone();
        let mut open: BTreeMap<Key, (PolicyVersion, Closing, Vec<DocumentRow>)> = BTreeMap::new();
        for waiting in self.journal.unsealed(Sequence(0), usize::MAX) {
            for id in waiting.documents {
                let Some(row) = self.unsealed.locate(id)? else { continue };
                if class.is_some_and(|class| *class != row.class) {
                    continue;
                }
                let placed = (|| {
                    let missing =
                        || crate::error::Error::new(crate::error::Code::ClassUnknown, "not adopted").at(&row.class);
                    let class = classes.get(&row.class, row.class_version).ok_or_else(missing)?;
                    let policy = policies.retention(&class.retention)?;
                    let closing = policies.closing(&class.closing)?.clone();
                    let file = self.agid(&row)?;
                    let due = due_in_class(policy, class, &file.metadata, row.accepted_at);
                    let key = Key {
                        class: row.class.clone(),
                        version: row.class_version,
                        cohort: due.cohort.to_string(),
                        expiry: due.cohort.end(),
                    };
                    Ok((key, PolicyVersion { id: policy.id.clone(), version: policy.version }, closing))
                })();
                match placed {
                    Ok((key, policy, closing)) => {
                        open.entry(key).or_insert_with(|| (policy, closing, Vec::new())).2.push(row)
                    }
                    Err(error) => report.findings.push(Self::left_behind(&error, format!("document {id}"))),
                }
            }
        }
        Ok(open)
    }
}

fn open_package(documents: &[DocumentRow]) -> OpenPackage {
    OpenPackage {
        documents: documents.len() as u64,
        bytes: documents.iter().map(|row| row.bytes).sum(),
        oldest: documents.iter().map(|row| row.accepted_at).min().unwrap_or(Timestamp::MAX),
    }
}

/// Cuts documents, in order of arrival, into packages within the rule's limits, then orders each.
fn split(documents: Vec<DocumentRow>, closing: &Closing) -> Vec<Vec<DocumentRow>> {
    let mut parts: Vec<Vec<DocumentRow>> = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for row in documents {
        let fits = closing.fits(count, bytes, row.bytes);
        match parts.last_mut() {
            Some(part) if fits => {
                count += 1;
                bytes += row.bytes;
                part.push(row);
            }
            _ => {
                (count, bytes) = (1, row.bytes);
                parts.push(vec![row]);
            }
        }
    }
    parts.into_iter().map(side_by_side).collect()
}

/// Documents of one conversation next to each other, conversations in order of their first document.
fn side_by_side(mut documents: Vec<DocumentRow>) -> Vec<DocumentRow> {
    let mut first: BTreeMap<String, (Sequence, crate::id::DocumentId)> = BTreeMap::new();
    for row in &documents {
        if let Some(key) = conversation(row) {
            first.entry(key).or_insert((row.sequence, row.id));
        }
    }
    documents.sort_by_cached_key(|row| {
        let own = (row.sequence, row.id);
        let anchor = conversation(row).and_then(|key| first.get(&key).copied()).unwrap_or(own);
        (anchor, own)
    });
    documents
}

fn conversation(row: &DocumentRow) -> Option<String> {
    CONVERSATION.iter().find_map(|name| {
        row.fields.iter().find(|field| field.name == *name).and_then(|field| match &field.value {
            Indexed::Keyword(text) | Indexed::Text(text) => Some(format!("{name}={text}")),
            _ => None,
        })
    })
}
