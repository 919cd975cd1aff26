//! From a group of documents to a package made up to its index: re-read against its receipts, planned, packed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::rc::Rc;

use super::groups::Group;
use super::sign::Unsigned;
use super::stamp::Staged;
use super::{Archive, Report};
use crate::archive::open::LANE;
use crate::archive::state::unpoisoned;
use crate::catalog::DocumentRow;
use crate::chain::Kind;
use crate::clock::truncate_ms;
use crate::document::format::extension_for;
use crate::error::{Code, Error, Finding, Result};
use crate::hash::Sha256;
use crate::id::{ClassId, DocumentId, PackageRef, ReceiptId, Sequence, SeriesId, new_uuid};
use crate::intake::journal::{Journal, StoredRecord};
use crate::package::closing::Closing;
use crate::package::pindex::{self, Process};
use crate::package::plan::{Document, Plan, Receipt};
use crate::package::writer::{MemberSource, Staging, recheck};
use crate::retention::due::italian_day;

/// The last package of each series that a run has looked up or made: its number and the digest of its index.
pub(super) type Ends = BTreeMap<SeriesId, (u64, Sha256)>;

impl Archive {
    /// Goes on with every package that a stop left half made; what was committed already is only let go. Those `in_run` have
    /// their place in a run already: they are built through, and stay as they were stamped.
    pub(super) fn resume_staged(
        &self,
        in_run: &[PackageRef],
        unsigned: &mut Unsigned,
        report: &mut Report,
    ) -> Result<Vec<Staged>> {
        let mut staged = Vec::new();
        for staging in Staging::pending(&self.layout.staging(), &self.staging_key)? {
            let package = &staging.plan().package;
            if self.committed(package)?.is_some() {
                self.let_go(staging)?;
            } else if in_run.contains(package) {
                self.pack(&staging)?;
                staging.mend_signature()?;
            } else {
                staged.extend(self.build(&staging, unsigned, report)?);
            }
        }
        Ok(staged)
    }

    /// Plans a group and makes its package. Documents that do not match their receipt stay in the journal and are reported;
    /// `None` when none is left, and when the package waits for its signature.
    pub(super) fn stage(
        &self,
        group: Group,
        ends: &mut Ends,
        unsigned: &mut Unsigned,
        report: &mut Report,
    ) -> Result<Option<Staged>> {
        let (mut documents, receipts) = self.described_members(&group.documents, report)?;
        let source = JournalSource::new(&self.journal, &group.documents);
        let failed: BTreeMap<DocumentId, Error> = recheck(&source, &documents, &receipts).into_iter().collect();
        for (id, error) in &failed {
            report.findings.push(Self::left_behind(error, format!("document {id}")));
        }
        documents.retain(|document| !failed.contains_key(&document.id));
        let receipted: BTreeSet<ReceiptId> = documents.iter().map(|document| document.receipt).collect();
        let receipts: Vec<Receipt> = receipts.into_iter().filter(|receipt| receipted.contains(&receipt.id)).collect();
        if documents.is_empty() {
            return Ok(None);
        }
        let series = SeriesId::from(&group.class);
        let (last, previous) = match ends.get(&series) {
            Some(end) => *end,
            None => self.end_of_series(&series)?,
        };
        let now = truncate_ms(self.clock.now());
        let plan = Plan {
            package: PackageRef { series: series.clone(), number: last + 1 },
            uuid: new_uuid(now),
            planned_at: now,
            class: group.class,
            class_version: group.class_version,
            holder: self.holder_id(),
            profile: self.profile.as_str().to_owned(),
            cohort: group.cohort,
            expiry: group.expiry,
            policy: group.policy,
            previous,
            sources: Vec::new(),
            documents,
            receipts,
        };
        let staging = Staging::create(&self.layout.staging(), plan, &self.staging_key)?;
        let staged = self.build(&staging, unsigned, report)?;
        // Without an index yet nothing more is planned: the signer has failed.
        if staged.is_some() || !unsigned.signer_failed() {
            ends.insert(series, (last + 1, staging.fact(crate::package::PINDEX)?.sha256));
        }
        Ok(staged)
    }

    /// Everything of a package but its evidence; `None` when it has to wait for its signature, or for one before it.
    fn build(&self, staging: &Staging, unsigned: &mut Unsigned, report: &mut Report) -> Result<Option<Staged>> {
        let plan = staging.plan();
        if unsigned.holds(&plan.package) || !self.sign_receipts(staging, unsigned, report)? {
            return Ok(None);
        }
        self.pack(staging)?;
        if !self.sign_index(staging, unsigned, report)? {
            return Ok(None);
        }
        let alone = self.closing_of(&plan.class, plan.class_version).is_some_and(|rule| rule.alone);
        Ok(Some(Staged { package: plan.package.clone(), root: staging.tree(self.digest_for_new()?)?.root(), alone }))
    }

    fn pack(&self, staging: &Staging) -> Result<()> {
        let source = JournalSource::of_plan(&self.journal, staging.plan());
        staging.build(&source, &self.process()?)
    }

    /// The closing rule of a class.
    pub(super) fn closing_of(&self, class: &ClassId, version: u32) -> Option<Closing> {
        let classes = unpoisoned(self.classes.read());
        let policies = unpoisoned(self.policies.read());
        classes.get(class, version).and_then(|class| policies.closing(&class.closing).ok()).cloned()
    }

    /// The number of the last package of a series, committed or being made, and the digest of its index.
    fn end_of_series(&self, series: &SeriesId) -> Result<(u64, Sha256)> {
        let mut last = (0, Sha256::ZERO);
        if let Some(row) = self.catalog.last_package(series)? {
            last = (row.package.number, row.pindex);
        }
        // The catalog may lag behind a commit whose process stopped: the chain is the last word.
        let from = self.catalog.watermark()?.min(self.ledger.head().size);
        self.ledger.each_entry(from, |entry| {
            if entry.kind == Kind::Package {
                let row = crate::archive::reindex::package_row(&entry)?;
                if row.package.series == *series && row.package.number > last.0 {
                    last = (row.package.number, row.pindex);
                }
            }
            Ok(())
        })?;
        for staging in Staging::pending(&self.layout.staging(), &self.staging_key)? {
            let package = &staging.plan().package;
            if package.series == *series && package.number > last.0 {
                let facts = staging.done(crate::package::PINDEX)?;
                let facts = facts
                    .ok_or_else(|| Error::new(Code::Internal, "the package before is not made yet").at(package))?;
                last = (package.number, facts.sha256);
            }
        }
        Ok(last)
    }

    /// Documents and receipts as the plan lists them, from what the journal holds, each receipt held against its signed
    /// note.
    fn described_members(&self, rows: &[DocumentRow], report: &mut Report) -> Result<(Vec<Document>, Vec<Receipt>)> {
        let mut documents = Vec::with_capacity(rows.len());
        let mut receipts: Vec<Receipt> = Vec::new();
        let mut known: BTreeMap<ReceiptId, Option<crate::intake::receipt::Facts>> = BTreeMap::new();
        for row in rows {
            if let std::collections::btree_map::Entry::Vacant(e) = known.entry(row.receipt) {
                let facts = match self.verified_receipt(row.sequence) {
                    Ok((facts, receipt)) => {
                        receipts.push(receipt);
                        Some(facts)
                    }
                    Err(error) => {
                        report.findings.push(Self::left_behind(&error, format!("receipt {}", row.receipt)));
                        None
                    }
                };
                e.insert(facts);
            }
            let Some(Some(facts)) = known.get(&row.receipt) else { continue };
            let Some(item) = facts.deposit.documents.iter().find(|item| item.id == row.id) else {
                report.findings.push(Finding::error(
                    Code::ReceiptMismatch,
                    format!("document {}", row.id),
                    "not in its receipt",
                ));
                continue;
            };
            documents.push(Document {
                id: row.id,
                receipt: row.receipt,
                lane: LANE,
                sequence: row.sequence,
                extension: extension_for(&item.media_type).to_owned(),
                media_type: item.media_type.clone(),
                bytes: item.bytes,
                sha256: item.sha256,
                metadata_sha256: item.metadata_sha256,
                label: String::new(),
                links: Vec::new(),
            });
        }
        Ok((documents, receipts))
    }

    /// What the archive signed of this number, and not what the journal says it did.
    fn verified_receipt(&self, sequence: Sequence) -> Result<(crate::intake::receipt::Facts, Receipt)> {
        let missing = || Error::new(Code::JournalBody, "its record is gone").at(format!("number {sequence}"));
        let held = self.acknowledged(sequence)?.ok_or_else(missing)?;
        let receipt = held.receipt();
        Ok((held.facts, receipt))
    }

    /// Who acted, for the index (UNI 11386:2020, Process): from custode.toml, never a placeholder.
    fn process(&self) -> Result<Process> {
        let config = &self.config;
        let holders = std::iter::once(&config.holder).chain(&config.other_holders);
        Ok(Process {
            submitter: config.submitter.clone(),
            holders: holders.map(|holder| pindex::Holder { agent: holder.agent.clone(), role: holder.role }).collect(),
            signers: config
                .signers
                .iter()
                .map(|signer| pindex::Signer { agent: signer.agent.clone(), role: signer.role.clone() })
                .collect(),
            manual: self.manual_in_force(italian_day(self.clock.now()))?,
        })
    }
}

/// The journal as the source of a package's members.
struct JournalSource<'a> {
    journal: &'a Journal,
    documents: BTreeMap<DocumentId, Sequence>,
    receipts: BTreeMap<ReceiptId, Sequence>,
    /// Records met on the way: each is asked for several times, for its contents, metadata and receipts.
    records: RefCell<BTreeMap<Sequence, Rc<StoredRecord>>>,
}

/// Most records remembered while a package is made, about a kilobyte each.
const MOST_RECORDS: usize = 16_384;

impl<'a> JournalSource<'a> {
    fn new(journal: &'a Journal, rows: &[DocumentRow]) -> Self {
        Self {
            journal,
            documents: rows.iter().map(|row| (row.id, row.sequence)).collect(),
            receipts: rows.iter().map(|row| (row.receipt, row.sequence)).collect(),
            records: RefCell::default(),
        }
    }

    fn of_plan(journal: &'a Journal, plan: &Plan) -> Self {
        Self {
            journal,
            documents: plan.documents.iter().map(|d| (d.id, d.sequence)).collect(),
            receipts: plan.documents.iter().map(|d| (d.receipt, d.sequence)).collect(),
            records: RefCell::default(),
        }
    }

    fn record(&self, sequence: Option<&Sequence>) -> Result<Rc<StoredRecord>> {
        let missing = || Error::new(Code::JournalBody, "its record is gone");
        let sequence = *sequence.ok_or_else(missing)?;
        if let Some(record) = self.records.borrow().get(&sequence) {
            return Ok(Rc::clone(record));
        }
        let record = self.journal.record(sequence)?.ok_or_else(|| missing().at(format!("number {sequence}")))?;
        let record = Rc::new(record);
        let mut records = self.records.borrow_mut();
        if records.len() >= MOST_RECORDS {
            records.clear();
        }
        records.insert(sequence, Rc::clone(&record));
        Ok(record)
    }
}

fn memory<'a>(bytes: Vec<u8>) -> Box<dyn Read + 'a> {
    Box::new(std::io::Cursor::new(bytes))
}

impl MemberSource for JournalSource<'_> {
    fn document(&self, id: &DocumentId) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.record(self.documents.get(id))?.open_document(*id)?))
    }

    fn metadata(&self, id: &DocumentId) -> Result<Box<dyn Read + '_>> {
        self.record(self.documents.get(id))?.metadata(*id).map(memory)
    }

    fn rdv(&self, id: &ReceiptId) -> Result<Box<dyn Read + '_>> {
        self.record(self.receipts.get(id))?.rdv().map(memory)
    }

    fn note(&self, id: &ReceiptId) -> Result<Box<dyn Read + '_>> {
        self.record(self.receipts.get(id))?.note().map(memory)
    }

    fn manifest(&self, id: &ReceiptId) -> Result<Box<dyn Read + '_>> {
        self.record(self.receipts.get(id))?.manifest().map(memory)
    }
}
