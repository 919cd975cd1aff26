//! From plain files to catalog rows: the same for a journal record (not sealed) and a package's members (sealed), so that
//! the two indexes can never disagree on how a document is described.

use super::acknowledged::Acknowledged;
use super::find::field_specs;
use crate::catalog::{DepositRow, DocumentRow, indexed};
use crate::document::agid::AgidFile;
use crate::document::class::Classes;
use crate::error::{Code, Error, Result};
use crate::id::{Lane, PackageRef, Sequence};
use crate::intake::manifest::Manifest;

/// A document's row from its metadata file.
pub(super) fn document_row(
    classes: &Classes,
    file: AgidFile,
    lane: Lane,
    sequence: Sequence,
    package: Option<PackageRef>,
) -> Result<DocumentRow> {
    let class = classes.get(&file.class, file.class_version).ok_or_else(|| {
        Error::new(Code::ClassUnknown, "not adopted here").at(format!("{}@{}", file.class, file.class_version))
    })?;
    Ok(DocumentRow {
        id: file.document,
        receipt: file.receipt,
        lane,
        sequence,
        fields: indexed(&field_specs(class), &file.metadata),
        class: file.class,
        class_version: file.class_version,
        accepted_at: file.accepted_at,
        name: file.name,
        media_type: file.format.media_type,
        bytes: file.digests.bytes,
        sha256: file.digests.sha256,
        package,
    })
}

/// A deposit's row from its manifest.
pub(super) fn deposit_row(manifest: &Manifest, sequence: Sequence, first: &DocumentRow) -> DepositRow {
    DepositRow {
        receipt: manifest.deposit.receipt,
        lane: manifest.deposit.lane,
        sequence,
        class: manifest.deposit.class.clone(),
        accepted_at: first.accepted_at,
        documents: manifest.deposit.documents.iter().map(|document| document.id).collect(),
        replay_key: manifest.replay.key.map(hex::encode),
        replay_fingerprint: Some(manifest.replay.fingerprint.to_string()),
    }
}

/// The rows of a verified journal record; `met` sees each metadata file on the way.
pub(super) fn rows_of_record(
    classes: &Classes,
    held: &Acknowledged,
    lane: Lane,
    met: impl Fn(&AgidFile),
) -> Result<(DepositRow, Vec<DocumentRow>)> {
    let sequence = held.facts.sequence;
    let mut rows = Vec::with_capacity(held.facts.deposit.documents.len());
    for document in &held.facts.deposit.documents {
        let file = crate::document::agid::parse(&held.metadata(document.id)?)?;
        met(&file);
        rows.push(document_row(classes, file, lane, sequence, None)?);
    }
    let first =
        rows.first().ok_or_else(|| Error::new(Code::JournalDamaged, "a record without documents").at(sequence))?;
    let deposit = deposit_row(&held.manifest, sequence, first);
    Ok((deposit, rows))
}
