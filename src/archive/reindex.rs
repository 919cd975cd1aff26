//! The catalog, made again from the plain files: chain entries say which packages there are, their metadata, receipts and
//! manifests say everything else.
//!
//! Invariant (I2): one way from a package to its rows, used when it is sealed, when the catalog lags and when it is
//! rebuilt, so that a rebuilt catalog answers like the one that was lost.

use std::collections::BTreeMap;
use std::io::Read as _;

use serde_json::{Value, json};

use super::Archive;
use super::access::{Action, Actor};
use super::read::MAX_DESCRIPTION;
use super::revocation::worst_conclusion;
use super::state::unpoisoned;
use super::unsealed::{deposit_row, document_row};
use crate::catalog::{DepositRow, DocumentRow, Indexed, PackageRow, PackageState};
use crate::chain::{Entry, Kind as EntryKind};
use crate::document::{self, agid};
use crate::error::{AtPlace as _, Code, Error, Finding, Kind, Result};
use crate::id::{DocumentId, PackageRef, ReceiptId, Sequence};
use crate::intake::manifest::Manifest;
use crate::intake::receipt::rdv;
use crate::package::member;

/// Everything the catalog holds of one package.
pub(super) struct PackageRows {
    pub package: PackageRow,
    pub documents: Vec<DocumentRow>,
    pub deposits: Vec<DepositRow>,
}

/// What a catalog was given.
#[derive(Debug, Default)]
pub(super) struct CaughtUp {
    pub packages: u64,
    pub documents: u64,
    pub findings: Vec<Finding>,
}

/// The package that an entry of kind `package` commits.
pub(super) fn package_row(entry: &Entry) -> Result<PackageRow> {
    let wrong = |what: &str| {
        Error::new(Code::ChainAltered, format!("a package entry misses `{what}`"))
            .at(format!("chain/entries, entry {}", entry.seq))
    };
    let text = |key: &'static str| entry.object.get(key).and_then(Value::as_str).ok_or_else(|| wrong(key));
    let number = |key: &'static str| entry.object.get(key).and_then(Value::as_u64).ok_or_else(|| wrong(key));
    let expiry = match entry.object.get("expiry") {
        Some(Value::String(date)) => Some(date.parse().map_err(|_| wrong("expiry"))?),
        _ => None,
    };
    Ok(PackageRow {
        package: PackageRef { series: text("series")?.parse()?, number: number("number")? },
        class_version: u32::try_from(number("class_version")?).map_err(|_| wrong("class_version"))?,
        entry: entry.seq,
        sealed_at: entry.at,
        cohort: text("cohort")?.to_owned(),
        expiry,
        documents: number("documents")?,
        bytes: number("bytes")?,
        pindex: text("pindex")?.parse()?,
        state: PackageState::Sealed,
    })
}

impl Archive {
    /// Reads the rows of a package from its metadata, receipts and manifests; documents are not touched.
    pub(super) fn rows_of_package(&self, row: PackageRow) -> Result<PackageRows> {
        let entry = self.ledger.entry(row.entry)?;
        // Made anew for every copy that is tried.
        let (files, sequences, manifests) = self.with_package(&entry, &row.package, |reader| {
            let mut files = Vec::new();
            let mut sequences: BTreeMap<ReceiptId, Sequence> = BTreeMap::new();
            let mut manifests = Vec::new();
            reader.each_member(&member::Kind::DESCRIPTIVE, &mut |record, data| {
                let mut bytes = Vec::new();
                data.take(MAX_DESCRIPTION).read_to_end(&mut bytes).at(record.id)?;
                match record.kind {
                    member::Kind::Metadata => files.push(agid::parse(&bytes)?),
                    member::Kind::Receipt => {
                        let facts = rdv::parse(&bytes)?;
                        sequences.insert(facts.deposit.receipt, facts.sequence);
                    }
                    member::Kind::Manifest => manifests.push(Manifest::parse(&bytes)?),
                    _ => {}
                }
                Ok(())
            })?;
            Ok((files, sequences, manifests))
        })?;
        let lanes: BTreeMap<ReceiptId, _> = manifests.iter().map(|m| (m.deposit.receipt, m.deposit.lane)).collect();
        let lost = |receipt: ReceiptId| {
            Error::new(Code::ContentMissing, "its receipt is not in the package")
                .at(format!("{}, receipt {receipt}", row.package))
        };
        let classes = unpoisoned(self.classes.read());
        let mut documents = Vec::with_capacity(files.len());
        for file in files {
            let receipt = file.receipt;
            let sequence = *sequences.get(&receipt).ok_or_else(|| lost(receipt))?;
            let lane = *lanes.get(&receipt).ok_or_else(|| lost(receipt))?;
            documents.push(document_row(&classes, file, lane, sequence, Some(row.package.clone()))?);
        }
        self.put_sealed_verdicts(&entry, &row.package, &mut documents)?;
        let firsts: BTreeMap<ReceiptId, &DocumentRow> = documents.iter().map(|row| (row.receipt, row)).collect();
        let mut deposits = Vec::with_capacity(manifests.len());
        for manifest in &manifests {
            let receipt = manifest.deposit.receipt;
            let first = firsts.get(&receipt).ok_or_else(|| lost(receipt))?;
            deposits.push(deposit_row(manifest, first.sequence, first));
        }
        Ok(PackageRows { package: row, documents, deposits })
    }

    /// Adds to the rows of a package what was found of their signatures at sealing, so that search knows it.
    fn put_sealed_verdicts(&self, entry: &Entry, package: &PackageRef, documents: &mut [DocumentRow]) -> Result<()> {
        let mut lines: BTreeMap<DocumentId, Vec<Value>> = BTreeMap::new();
        for (document, line) in self.sealed_lines(entry, package)? {
            lines.entry(document).or_default().push(line);
        }
        for row in documents {
            let verdict = lines.get(&row.id).and_then(|lines| worst_conclusion(lines));
            let field = |verdict: &str| Indexed {
                name: document::SEALED_VERDICT.to_owned(),
                value: crate::catalog::Value::Keyword(verdict.to_owned()),
            };
            row.fields.extend(verdict.map(field));
        }
        Ok(())
    }

    /// Puts into the catalog what the chain has and it has not. A package that cannot be read for damage is recorded without
    /// its documents and reported: the archive must open for `check` to name the damage.
    pub(super) fn catch_up(&self, from_scratch: bool) -> Result<CaughtUp> {
        if from_scratch {
            self.catalog.clear()?;
        }
        let from = if from_scratch { 0 } else { self.catalog.watermark()?.min(self.ledger.head().size) };
        let mut entries = Vec::new();
        self.ledger.each_entry(from, |entry| {
            if entry.kind == EntryKind::Package {
                entries.push(package_row(&entry)?);
            }
            Ok(())
        })?;
        let mut caught = CaughtUp::default();
        for row in entries {
            let watermark = row.entry + 1;
            match self.rows_of_package(row.clone()) {
                Ok(rows) => {
                    self.catalog.record_sealed(&rows.package, &rows.documents, &rows.deposits, watermark)?;
                    caught.documents += rows.documents.len() as u64;
                }
                Err(error) if matches!(error.code.kind(), Kind::Damage) || error.code == Code::FileMissing => {
                    let place = format!("package {}, {}", row.package, error.place);
                    caught.findings.push(Finding::error(error.code, place, &error.detail));
                    self.catalog.record_sealed(&row, &[], &[], watermark)?;
                }
                Err(error) => return Err(error),
            }
            caught.packages += 1;
        }
        self.catalog.advance(self.ledger.head().size)?;
        Ok(caught)
    }

    /// Rebuilds the catalog from the plain files.
    pub fn reindex(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::Technical)?;
        let _no_closing_run = self.sealing();
        let caught = self.catch_up(true)?;
        let watermark = self.ledger.head().size;
        Ok(
            json!({ "packages": caught.packages, "documents": caught.documents, "watermark": watermark, "findings": caught.findings }),
        )
    }
}
