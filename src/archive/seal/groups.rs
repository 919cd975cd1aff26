//! Which documents go together: one class version, one cohort of expiry, within the closing rule's limits; documents of one
//! conversation side by side.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Archive, Report};
use crate::archive::state::unpoisoned;
use crate::catalog::{Catalog as _, DocumentRow, Value as Indexed};
use crate::error::{Code, Error, Finding, Result};
use crate::id::{ClassId, DocumentId, Sequence};
use crate::package::closing::{Closing, OpenPackage};
use crate::package::plan::PolicyVersion;
use crate::retention::{Cohort, due_in_class};

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
    cohort: Cohort,
}

/// What decides when a waiting document is sealed, without the rest of its row: there may be a million of them.
struct Waiting {
    id: DocumentId,
    bytes: u64,
    accepted_at: Timestamp,
}

/// What goes by one closing rule together.
struct Open {
    policy: PolicyVersion,
    closing: Closing,
    waiting: Vec<Waiting>,
}

/// Records of the journal listed at a time: its writer waits meanwhile.
const PAGE: usize = 1000;

impl Archive {
    /// The groups to be sealed now.
    pub(super) fn closable(
        &self,
        class: Option<&ClassId>,
        asked: bool,
        planned: &BTreeSet<DocumentId>,
        report: &mut Report,
    ) -> Result<Vec<Group>> {
        let now = self.clock.now();
        let mut groups = Vec::new();
        for (key, Open { policy, closing, waiting }) in self.open_packages(class, planned, report)? {
            if closing.signature && !self.signing.is_configured() {
                let detail = format!("{} documents wait", waiting.len());
                report.findings.push(Finding::error(Code::SignatureRequired, key.class.to_string(), detail));
                continue;
            }
            let parts = split(waiting, &closing);
            let last = parts.len().saturating_sub(1);
            for (n, part) in parts.into_iter().enumerate() {
                // All parts but the last are full: a limit closed them.
                if n < last || asked || closing.should_close(&open_package(&part), now).is_some() {
                    let mut documents = Vec::with_capacity(part.len());
                    for waiting in part {
                        documents.extend(self.unsealed.locate(waiting.id)?);
                    }
                    groups.push(Group {
                        class: key.class.clone(),
                        class_version: key.version,
                        cohort: key.cohort.to_string(),
                        expiry: key.cohort.end(),
                        policy: policy.clone(),
                        documents: side_by_side(documents),
                    });
                }
            }
        }
        Ok(groups)
    }

    fn open_packages(
        &self,
        class: Option<&ClassId>,
        planned: &BTreeSet<DocumentId>,
        report: &mut Report,
    ) -> Result<BTreeMap<Key, Open>> {
        let classes = unpoisoned(self.classes.read()).clone();
        let policies = unpoisoned(self.policies.read()).clone();
        let mut open: BTreeMap<Key, Open> = BTreeMap::new();
        let mut after = Sequence(0);
        loop {
            let page = self.journal.unsealed(after, PAGE);
            let Some(last) = page.last() else { return Ok(open) };
            after = last.sequence;
            let ids = page.into_iter().flat_map(|record| record.documents);
            for id in ids.filter(|id| !planned.contains(id)) {
                let described = |row: &DocumentRow| {
                    let key = (row.class.clone(), row.class_version);
                    (key, Waiting { id, bytes: row.bytes, accepted_at: row.accepted_at })
                };
                let Some(((of, version), waiting)) = self.unsealed.with(id, described) else {
                    if let Some(sequence) = self.distrusted.get(&id) {
                        let error = crate::archive::read::distrusted(id, *sequence);
                        report.findings.push(Self::left_behind(&error, format!("document {id}")));
                    }
                    continue;
                };
                if class.is_some_and(|class| *class != of) {
                    continue;
                }
                if let Some(package) = self.in_doubt.get(&id) {
                    let error = Error::new(Code::PackageMissing, "it may hold the document already").at(package);
                    report.findings.push(Self::left_behind(&error, format!("document {id}")));
                    continue;
                }
                let placed = (|| {
                    let class = classes
                        .get(&of, version)
                        .ok_or_else(|| Error::new(Code::ClassUnknown, "not adopted").at(&of))?;
                    let policy = policies.retention(&class.retention)?;
                    let closing = policies.closing(&class.closing)?;
                    let cohort = self.cohorts.of(id, policy.version, || {
                        let file = self.agid(&self.row(id)?)?;
                        Ok(due_in_class(policy, class, &file.metadata, waiting.accepted_at).cohort)
                    })?;
                    Ok((policy, closing, cohort))
                })();
                match placed {
                    Ok((policy, closing, cohort)) => {
                        let fresh = || Open {
                            policy: PolicyVersion { id: policy.id.clone(), version: policy.version },
                            closing: closing.clone(),
                            waiting: Vec::new(),
                        };
                        let key = Key { class: of, version, cohort };
                        open.entry(key).or_insert_with(fresh).waiting.push(waiting);
                    }
                    Err(error) => report.findings.push(Self::left_behind(&error, format!("document {id}"))),
                }
            }
        }
    }
}

fn open_package(documents: &[Waiting]) -> OpenPackage {
    OpenPackage {
        documents: documents.len() as u64,
        bytes: documents.iter().map(|row| row.bytes).sum(),
        oldest: documents.iter().map(|row| row.accepted_at).min().unwrap_or(Timestamp::MAX),
    }
}

/// Cuts documents, in order of arrival, into packages within the rule's limits.
fn split(documents: Vec<Waiting>, closing: &Closing) -> Vec<Vec<Waiting>> {
    let mut parts: Vec<Vec<Waiting>> = Vec::new();
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
    parts
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
