//! Reading back: a document's facts, its bytes, its receipt, its evidence.
//!
//! Invariant: every access to content is recorded, durably, before the first byte leaves. A document is found where it is
//! now: in the journal until its package is committed, then in the package; between the two it is in both.

use std::io::{self, Read};

use serde_json::{Map, Value, json};

use super::Archive;
use super::access::{Action, Actor};
use super::copies::member_facts;
use super::find::row_view;
use super::state::unpoisoned;
use super::verified::Verified;
use crate::catalog::{Catalog, DocumentRow, merged};
use crate::chain::{Entry, Kind as EntryKind};
use crate::clock::iso_ms;
use crate::document::agid::{self, AgidFile};
use crate::document::format::extension_for;
use crate::error::{Code, Error, Result};
use crate::evidence::ers::record::MAX_BYTES as MAX_RECORD;
use crate::evidence::sign::cades;
use crate::hash::Sha256;
use crate::id::{DocumentId, PackageRef, ReceiptId, Sequence};
use crate::intake::receipt::rdv;
use crate::package::generation::record_name;
use crate::package::member::Kind;
use crate::package::{PINDEX_SIGNATURE, signed};
use crate::retention::due_in_class;

/// The largest metadata file, RdV or manifest that is read whole.
pub(super) const MAX_DESCRIPTION: u64 = 64 << 20;

/// A part of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// Bytes.
    pub length: u64,
}

/// What must be known of a content before its first byte.
#[derive(Debug, Clone)]
pub struct ContentFacts {
    /// Length.
    pub bytes: u64,
    /// SHA-256.
    pub sha256: Sha256,
    /// Media type.
    pub media_type: String,
    /// Extension of its member.
    pub extension: String,
}

/// The two files that a receipt is given again from, with the metadata of each of its documents.
pub(super) struct Described {
    pub rdv: Vec<u8>,
    pub note: Vec<u8>,
}

impl Archive {
    pub(super) fn catalogs(&self) -> [&dyn Catalog; 2] {
        [&self.unsealed, self.catalog.as_ref()]
    }

    pub(super) fn row(&self, id: DocumentId) -> Result<DocumentRow> {
        merged::locate(&self.catalogs(), id)?.ok_or_else(|| match self.distrusted.get(&id) {
            Some(sequence) => distrusted(id, *sequence),
            None => Error::new(Code::NotFound, "no such document").at(id),
        })
    }

    /// The metadata file of a document, from wherever it is.
    pub(super) fn metadata_file(&self, row: &DocumentRow) -> Result<Vec<u8>> {
        if row.package.is_none()
            && let Some(held) = self.acknowledged(row.sequence)?
        {
            return held.metadata(row.id);
        }
        // Sealed meanwhile: ask again where it is.
        let package = self.package_of(row)?;
        let entry = self.package_entry(&package)?;
        self.with_package(&entry, &package, |reader| reader.read_member(Kind::Metadata, row.id.0, MAX_DESCRIPTION))
    }

    fn package_of(&self, row: &DocumentRow) -> Result<PackageRef> {
        match &row.package {
            Some(package) => Ok(package.clone()),
            None => self
                .row(row.id)?
                .package
                .ok_or_else(|| Error::new(Code::JournalBody, "neither in the journal nor in a package").at(row.id)),
        }
    }

    pub(super) fn agid(&self, row: &DocumentRow) -> Result<AgidFile> {
        agid::parse(&self.metadata_file(row)?).map_err(|e| e.at(format!("metadata of {}", row.id)))
    }

    pub(super) fn described(&self, row: &DocumentRow) -> Result<Described> {
        if row.package.is_none()
            && let Some(held) = self.acknowledged(row.sequence)?
        {
            return Ok(Described { rdv: held.rdv, note: held.note });
        }
        let package = self.package_of(row)?;
        self.with_package(&self.package_entry(&package)?, &package, |reader| {
            let read = |kind| reader.read_member(kind, row.receipt.0, MAX_DESCRIPTION);
            Ok(Described { rdv: read(Kind::Receipt)?, note: read(Kind::Note)? })
        })
    }

    /// The bytes of a document, from wherever they are; nothing is recorded here.
    pub(super) fn open_document(&self, row: &DocumentRow, range: Option<ByteRange>) -> Result<Box<dyn Read + Send>> {
        if row.package.is_none()
            && let Some(held) = self.acknowledged(row.sequence)?
        {
            let item = held.item(row.id)?;
            let open = || held.record.open_document(row.id);
            return held_against(row, (item.bytes, item.sha256), range, &open);
        }
        let package = self.package_of(row)?;
        let entry = self.package_entry(&package)?;
        if is_a_part(range, row.bytes) {
            return self.with_package(&entry, &package, |reader| {
                let open = || reader.open_member(Kind::Document, row.id.0, None);
                held_against(row, member_facts(reader, row.id)?, range, &open)
            });
        }
        let (described, whole) = self.stream_document(&entry, &package, row.id)?;
        must_describe(row, described).map(|()| whole)
    }

    /// Everything known of a document.
    pub fn document(&self, actor: &Actor, id: DocumentId) -> Result<Value> {
        let row = self.row(id)?;
        actor.may(Action::ReadMetadata, Some(&row.class))?;
        let file = self.agid(&row)?;
        let mut view = row_view(&row);
        view["metadata"] = Value::Object(file.metadata);
        view["findings"] = json!(file.findings);
        view["controls"] = json!(file.controls);
        view["blake3"] = json!(file.digests.blake3);
        view["retention"] = self.retention_of(&row)?;
        // Who signed the index of its package; null when nobody did. A package that cannot be read is `check`'s to name.
        if let Some(package) = &row.package {
            let p7s = self.package_entry(package).and_then(|entry| self.index_signature(&entry, package));
            view["package_signature"] = json!(p7s.ok().flatten().and_then(|p7s| signed::facts(&p7s)));
        }
        view["at_sealing"] = match self.at_sealing(&row) {
            Ok(found) => found,
            Err(error) => json!({ "not_read": error.code }),
        };
        Ok(view)
    }

    /// What was found of the signatures when the document was sealed, which the receipt could not know: whether certificates had been
    /// revoked was asked in between. Null before that, and where nobody was configured to be asked.
    fn at_sealing(&self, row: &DocumentRow) -> Result<Value> {
        let Some(package) = &row.package else { return Ok(Value::Null) };
        let lines = self.sealed_lines_of(&self.package_entry(package)?, package, row.id)?;
        let verdict = super::revocation::worst_conclusion(&lines).map(str::to_owned);
        Ok(verdict.map_or(Value::Null, |verdict| json!({ "signature_verdict": verdict, "signatures": lines })))
    }

    /// What must be known of a content before its first byte; does not count as an access.
    pub fn content_facts(&self, actor: &Actor, id: DocumentId) -> Result<ContentFacts> {
        let row = self.row(id)?;
        actor.may(Action::ReadContent, Some(&row.class))?;
        let extension = extension_for(&row.media_type).to_owned();
        Ok(ContentFacts { bytes: row.bytes, sha256: row.sha256, media_type: row.media_type, extension })
    }

    /// The exact bytes of a document, or a part of them. The access is durable before this returns.
    pub fn content(
        &self,
        actor: &Actor,
        id: DocumentId,
        range: Option<ByteRange>,
        reason: Option<&str>,
    ) -> Result<Box<dyn Read + Send>> {
        let row = self.row(id)?;
        actor.may(Action::ReadContent, Some(&row.class))?;
        if row.class.as_str() == "pec-virus" {
            // What carries malware is shown to a manager who says why, and to nobody else (pec section 10).
            actor.may(Action::ReadVirus, Some(&row.class))?;
            if reason.is_none_or(|reason| reason.trim().is_empty()) {
                return Err(Error::new(Code::ReasonNeeded, "").at(id));
            }
        }
        let content = self.open_document(&row, range)?;
        self.record_access(actor, "content", &[id], None, reason)?;
        Ok(content)
    }

    /// Records an access, durably.
    pub(super) fn record_access(
        &self,
        actor: &Actor,
        what: &str,
        documents: &[DocumentId],
        package: Option<&PackageRef>,
        reason: Option<&str>,
    ) -> Result<()> {
        let mut fields = Map::new();
        fields.insert("what".into(), json!(what));
        fields.insert("by".into(), json!({ "person": actor.who, "token": actor.token, "role": actor.role.as_str() }));
        if !documents.is_empty() {
            fields.insert("documents".into(), json!(documents));
        }
        if let Some(package) = package {
            fields.insert("package".into(), json!(package));
        }
        if let Some(reason) = reason {
            fields.insert("reason".into(), json!(reason));
        }
        self.heal()?;
        self.ledger.note_access(fields).map(drop)
    }

    /// The receipt, JSON, byte for byte as first given.
    pub fn receipt_json(&self, actor: &Actor, id: ReceiptId) -> Result<Vec<u8>> {
        let rows = self.receipt_rows(actor, id)?;
        self.render_receipt(&rows)
    }

    /// The RdV, as written once.
    pub fn receipt_xml(&self, actor: &Actor, id: ReceiptId) -> Result<Vec<u8>> {
        let rows = self.receipt_rows(actor, id)?;
        Ok(self.described(&rows[0])?.rdv)
    }

    /// The detached signature of an RdV; there once its package is sealed, when receipts are signed.
    pub fn receipt_signature(&self, actor: &Actor, id: ReceiptId) -> Result<Vec<u8>> {
        let rows = self.receipt_rows(actor, id)?;
        let unsigned = || Error::new(Code::NotFound, "this receipt is not signed, or not sealed yet").at(id);
        let package = rows[0].package.as_ref().ok_or_else(unsigned)?;
        self.with_package(&self.package_entry(package)?, package, |reader| {
            if reader.find(Kind::Signature, id.0).is_err() {
                return Err(unsigned());
            }
            reader.read_member(Kind::Signature, id.0, cades::MAX_BYTES)
        })
    }

    fn receipt_rows(&self, actor: &Actor, id: ReceiptId) -> Result<Vec<DocumentRow>> {
        let missing = || Error::new(Code::NotFound, "no such receipt").at(id);
        let deposit = merged::receipt(&self.catalogs(), id)?.ok_or_else(missing)?;
        let all = actor.may(Action::ReadReceipts, Some(&deposit.class)).is_ok();
        if !all {
            actor.may(Action::ReadOwnReceipts, Some(&deposit.class))?;
        }
        let rows = deposit.documents.iter().map(|id| self.row(*id)).collect::<Result<Vec<_>>>()?;
        let first = rows.first().ok_or_else(missing)?;
        // A deposit may hold documents of several classes, and its receipt tells the metadata of them all.
        for row in &rows {
            let action = if all { Action::ReadReceipts } else { Action::ReadOwnReceipts };
            actor.may(action, Some(&row.class))?;
        }
        // To another producer not even its existence is told.
        if !all && rdv::parse(&self.described(first)?.rdv)?.deposit.producer != actor.producer() {
            return Err(missing());
        }
        Ok(rows)
    }

    /// The JSON view of a receipt: a pure function of its plain files.
    pub(super) fn render_receipt(&self, rows: &[DocumentRow]) -> Result<Vec<u8>> {
        let parsed =
            |row: &DocumentRow, bytes: &[u8]| agid::parse(bytes).map_err(|e| e.at(format!("metadata of {}", row.id)));
        // A record is verified once, not once a document.
        if rows.iter().all(|row| row.package.is_none() && row.sequence == rows[0].sequence)
            && let Some(held) = self.acknowledged(rows[0].sequence)?
        {
            let files = rows.iter().map(|row| parsed(row, &held.metadata(row.id)?)).collect::<Result<Vec<_>>>()?;
            return super::deposit::receipt_view(&Described { rdv: held.rdv, note: held.note }, &files);
        }
        let described = self.described(&rows[0])?;
        let files = rows.iter().map(|row| self.agid(row)).collect::<Result<Vec<_>>>()?;
        super::deposit::receipt_view(&described, &files)
    }

    fn retention_of(&self, row: &DocumentRow) -> Result<Value> {
        let class = unpoisoned(self.classes.read())
            .get(&row.class, row.class_version)
            .cloned()
            .ok_or_else(|| Error::new(Code::ClassUnknown, "").at(format!("{}@{}", row.class, row.class_version)))?;
        let policies = unpoisoned(self.policies.read());
        let policy = policies.retention(&class.retention)?;
        let file = self.agid(row)?;
        let due = due_in_class(policy, &class, &file.metadata, row.accepted_at);
        Ok(json!({
            "policy": policy.id,
            "policy_version": policy.version,
            "period": policy.period.to_string(),
            "start": due.start.as_ref().map(|s| json!({ "event": s.event, "field": s.field, "date": s.date })),
            "passed_over": due.passed_over.as_ref().map(|(field, why)| json!({ "field": field, "reason": why.as_str() })),
            "term_end": due.term_end,
            "expiry": due.expiry,
            "cohort": due.cohort.to_string(),
            "executable_from": due.executable_from(),
            "basis": policy.basis,
        }))
    }

    /// Until when, and why, a document is kept.
    pub fn document_retention(&self, actor: &Actor, id: DocumentId) -> Result<Value> {
        let row = self.row(id)?;
        actor.may(Action::ReadMetadata, Some(&row.class))?;
        self.retention_of(&row)
    }

    /// The RFC 4998 record of a document's group, with every renewal.
    pub fn document_evidence(&self, actor: &Actor, id: DocumentId) -> Result<Vec<u8>> {
        let row = self.row(id)?;
        actor.may(Action::ReadMetadata, Some(&row.class))?;
        let Some(package) = &row.package else {
            return Err(Error::new(Code::NotFound, "accepted, not sealed yet: there is no evidence before that").at(id));
        };
        self.document_record(package, id)
    }

    pub(super) fn document_record(&self, package: &PackageRef, id: DocumentId) -> Result<Vec<u8>> {
        Ok(self.history(package)?.record(Some(id.0))?.to_der())
    }

    /// The sealed packages.
    pub fn packages(
        &self,
        actor: &Actor,
        series: Option<&crate::id::SeriesId>,
        cursor: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Value> {
        self.may(actor, Action::ReadPackages)?;
        let after = cursor.map(str::parse::<PackageRef>).transpose()?;
        let limit = limit.unwrap_or(100).clamp(1, 1000);
        let mut rows: Vec<_> = self.catalog.packages(series)?;
        rows.sort_by(|a, b| a.package.cmp(&b.package));
        rows.retain(|row| after.as_ref().is_none_or(|after| row.package > *after));
        let more = rows.len() > limit;
        rows.truncate(limit);
        let cursor = rows.last().filter(|_| more).map(|row| row.package.to_string());
        Ok(json!({ "packages": rows, "cursor": cursor }))
    }

    pub(super) fn package_entry(&self, package: &PackageRef) -> Result<crate::chain::Entry> {
        let missing = || Error::new(Code::NotFound, "no such package").at(package);
        let row = self.catalog.package(package)?.ok_or_else(missing)?;
        let entry = self.ledger.entry(row.entry)?;
        if entry.kind != EntryKind::Package || super::reindex::package_row(&entry)?.package != *package {
            return Err(Error::new(Code::CatalogDisagrees, "filed under another entry of the chain").at(package));
        }
        Ok(entry)
    }

    /// One package: its entry on the chain.
    pub fn package(&self, actor: &Actor, package: &PackageRef) -> Result<Value> {
        self.may(actor, Action::ReadPackages)?;
        let entry = self.package_entry(package)?;
        let signature = self.index_signature(&entry, package)?.and_then(|p7s| signed::facts(&p7s));
        Ok(json!({
            "package": package, "entry": entry.seq, "sealed_at": iso_ms(entry.at), "object": entry.object,
            "signature": signature,
        }))
    }

    /// The signature of a package's index, as committed; `None` when it has none.
    fn index_signature(&self, entry: &Entry, package: &PackageRef) -> Result<Option<Vec<u8>>> {
        let files = entry.object.get("files").and_then(Value::as_array);
        if !files.is_some_and(|files| files.iter().any(|file| file["name"] == PINDEX_SIGNATURE)) {
            return Ok(None);
        }
        self.with_package(entry, package, |reader| {
            let p7s = reader.read_file(PINDEX_SIGNATURE, cades::MAX_BYTES)?;
            committed_file(entry, package, PINDEX_SIGNATURE, &p7s)?;
            Ok(Some(p7s))
        })
    }

    /// The detached signature of a package's index.
    pub fn package_signature(&self, actor: &Actor, package: &PackageRef) -> Result<Vec<u8>> {
        self.may(actor, Action::ReadPackages)?;
        let found = self.index_signature(&self.package_entry(package)?, package)?;
        found.ok_or_else(|| Error::new(Code::NotFound, "the index of this package is not signed").at(package))
    }

    /// The index of a package; recorded as an access, since it names every document.
    pub fn pindex(&self, actor: &Actor, package: &PackageRef) -> Result<Vec<u8>> {
        actor.may(Action::ReadContent, Some(&package.series.as_str().parse()?))?;
        let entry = self.package_entry(package)?;
        let xml = self.with_package(&entry, package, |reader| {
            let xml = reader.read_file("PIndex.xml", 1 << 30)?;
            committed_file(&entry, package, "PIndex.xml", &xml).map(|()| xml)
        })?;
        self.record_access(actor, "pindex", &[], Some(package), None)?;
        Ok(xml)
    }

    /// The RFC 4998 record of a package's index, with every renewal.
    pub fn package_evidence(&self, actor: &Actor, package: &PackageRef) -> Result<Vec<u8>> {
        self.may(actor, Action::ReadPackages)?;
        let committed = self.committed_files(package)?;
        let newest = record_name(committed.generation);
        self.with_package(&self.package_entry(package)?, package, |reader| {
            committed.read(reader, package, &newest, MAX_RECORD as u64)
        })
    }
}

/// Something that stands in the journal and that the archive did not sign so. It is not "not found": it was acknowledged.
pub(super) fn distrusted(id: DocumentId, sequence: Sequence) -> Error {
    Error::new(Code::ReceiptMismatch, format!("the journal's number {sequence} is not as it was receipted"))
        .at(format!("document {id}"))
}

/// A file of a package, held against the entry that committed it.
pub(super) fn committed_file(entry: &Entry, package: &PackageRef, name: &str, bytes: &[u8]) -> Result<()> {
    let files = entry.object.get("files").and_then(Value::as_array);
    let named = files.and_then(|files| files.iter().find(|file| file["name"] == name));
    if named.is_some_and(|file| file["sha256"] == Sha256::of(bytes).to_string()) {
        return Ok(());
    }
    Err(Error::new(Code::PackageFileAltered, "not as the chain committed it").at(format!("{package}/{name}")))
}

/// The catalog's row and what holds the document speak of the same bytes.
fn must_describe(row: &DocumentRow, found: (u64, Sha256)) -> Result<()> {
    if (row.bytes, row.sha256) == found {
        return Ok(());
    }
    Err(Error::new(Code::CatalogDisagrees, "the document it describes is another").at(row.id))
}

/// Whether less than the whole is asked for.
fn is_a_part(range: Option<ByteRange>, bytes: u64) -> bool {
    range.is_some_and(|range| (range.start, range.length) != (0, bytes))
}

/// A document's bytes, or a part of them, held against what was acknowledged. A part cannot be compared, so the whole is
/// read before the part is given.
fn held_against<R: Read + Send + 'static>(
    row: &DocumentRow,
    (bytes, sha256): (u64, Sha256),
    range: Option<ByteRange>,
    open: &dyn Fn() -> Result<R>,
) -> Result<Box<dyn Read + Send>> {
    must_describe(row, (bytes, sha256))?;
    let whole = Verified::new(open()?, bytes, sha256);
    let Some(range) = range.filter(|_| is_a_part(range, bytes)) else {
        return Ok(Box::new(whole));
    };
    let failed = |e| crate::package::reader::content_error(row.id.0, e);
    io::copy(&mut { whole }, &mut io::sink()).map_err(failed)?;
    let mut part = open()?;
    io::copy(&mut part.by_ref().take(range.start), &mut io::sink()).map_err(failed)?;
    Ok(Box::new(part.take(range.length)))
}
