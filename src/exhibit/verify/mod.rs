//! Verifying a bundle: offline, without an archive, whoever made the file.
//!
//! What came with the bundle is never an anchor: without `--trust` and `--key` everything else is verified with the bundle's
//! own certificates and key, each missing anchor is named, and the best outcome is *unchecked*. Invariants: good means that
//! every file was read, belongs to something that was verified, and that every step of every document's evidence was taken;
//! what is wrong names its file. Memory is bounded by the list of files and the largest description.

mod document;
mod files;
mod keys;
mod package;
mod pages;
mod stamps;
mod trust;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

pub use trust::Trust;

use super::bundle::packages::renewed_files;
use super::report::{self, KeyChange, MAX_REPORT};
use super::{
    CHECKPOINT, FOR_PEOPLE, MAX_SMALL, REPORT, REPORT_NOTE, REPORT_SIGNATURE, SIGNER_ANCHORS, TSA_ANCHORS, VKEY, origin,
};
use crate::chain::merkle::leaf;
use crate::chain::proof::Proof;
use crate::chain::{Entry, Kind, Reigns};
use crate::error::{Code, Error, Finding, Lang, Result, Severity};
use crate::evidence::anchors::Anchors;
use crate::evidence::sign::cades;
use crate::hash::Sha256;
use crate::id::{BundleId, ClassId, DocumentId, PackageRef, SeriesId};
use crate::package::pindex::agents::Agent;
use crate::package::signed::{facts, is_by};
use files::Files;
use trust::Judge;

/// The verdict: bad beats unchecked beats good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[must_use]
pub enum Outcome {
    /// Everything was looked at and is in order.
    Good,
    /// Nothing is wrong, but not everything could be judged.
    Unchecked,
    /// Something is wrong.
    Bad,
}

/// One thing seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Stable code.
    pub code: Code,
    /// What it makes of the verdict.
    pub outcome: Outcome,
    /// The file, or the anchor.
    pub place: String,
    /// What exactly.
    pub message: String,
    /// What to do next.
    pub next: String,
}

/// A document whose evidence verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Document {
    /// Its identifier.
    pub id: DocumentId,
    /// Its original name.
    pub name: String,
    /// Where it is in the bundle.
    pub file: String,
    /// Class.
    pub class: ClassId,
    /// Series of its package.
    pub series: SeriesId,
    /// Its package.
    pub package: PackageRef,
    /// SHA-256.
    pub sha256: Sha256,
    /// When it was accepted, as the signed receipt says.
    pub accepted_at: Timestamp,
    /// Time of its first time-stamp: it existed at the latest then. `None` when no time-stamp could be verified.
    pub exists_since: Option<Timestamp>,
    /// Times of all its time-stamps.
    pub stamped_at: Vec<Timestamp>,
    /// Whether everything about it was in order, leaving anchors aside.
    pub outcome: Outcome,
}

/// A signature in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signature {
    /// The file.
    pub file: String,
    /// Who signed and when, as certificate and signer say.
    pub signer: serde_json::Value,
    /// Whether everything about it was in order.
    pub outcome: Outcome,
}

/// Whose keys were believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnchorsUsed {
    /// `given` with `--trust`, or `bundle`.
    pub time_stamps: &'static str,
    /// `given` with `--key`, or `bundle`.
    pub archive: &'static str,
    /// The key that was used (vkey): the one given, else the bundle's.
    pub key: String,
    /// The changes of key that lead to it or from it, oldest first.
    pub changes: Vec<KeyChange>,
    /// Witnesses whose cosignature of the checkpoint verified, and when each saw it.
    pub witnesses: Vec<witness::Cosigned>,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use]
pub struct Report {
    /// The verdict.
    pub outcome: Outcome,
    /// The bundle.
    pub bundle: BundleId,
    /// The archive.
    pub archive: String,
    /// Whether it says to be a trial.
    pub trial: bool,
    /// When it says to have been made.
    pub made_at: Timestamp,
    /// Files read.
    pub files: u64,
    /// The documents.
    pub documents: Vec<Document>,
    /// Time-stamps over the archive's chain as it continues to the bundle's checkpoint.
    pub stamps: Vec<stamps::ChainStamp>,
    /// Packages that are there as a whole.
    pub packages: Vec<PackageRef>,
    /// Signatures in the legal sense, and who made them as their certificates say; whether they are right is in the findings.
    pub signatures: Vec<Signature>,
    /// Whose keys were believed.
    pub anchors: AnchorsUsed,
    /// Everything noticed.
    pub findings: Vec<Seen>,
}

/// Verifies a bundle. An error means that it could not be looked at (no such file) or is no bundle at all.
pub fn verify(path: &Path, trust: &Trust) -> Result<Report> {
    let mut findings = Vec::new();
    let files = Files::open(path, &mut findings)?;
    let mut run = Run {
        files,
        findings,
        used: BTreeSet::new(),
        digests: BTreeMap::new(),
        entries: BTreeMap::new(),
        signatures: Vec::new(),
    };

    let bytes = run.files.read(REPORT, MAX_REPORT)?;
    let report = report::Report::parse(&bytes)?;
    let keys = run.keys(trust, &report)?;
    run.report_note(&report, &bytes, &keys);
    drop(bytes);
    run.listed_files(&report);
    for name in FOR_PEOPLE.iter().chain(&[CHECKPOINT, TSA_ANCHORS, VKEY]) {
        run.expect(name);
    }
    run.pages(&report);
    run.chain(&report, &keys);
    let witnesses = run.witnesses(trust, &keys);
    let judge = run.judge(trust);
    run.report_signature(&report, &judge);
    let stamps = run.stamps(&keys, &judge);
    let mut documents = Vec::with_capacity(report.documents.len());
    let mut ids = BTreeSet::new();
    for line in &report.documents {
        if !ids.insert(line.id) {
            run.bad(Code::BundleInvalid, REPORT, format!("{} stands twice", line.id));
        }
        documents.push(run.document(line, &report, &keys, &judge));
    }
    let whole: Vec<_> = report.packages.iter().filter(|p| p.whole).collect();
    for line in &whole {
        run.package(line, &report, &judge);
    }
    run.leftovers();
    run.anchors(trust, &judge);
    let findings: Vec<Seen> = run.findings.iter().map(Seen::from).collect();
    Ok(Report {
        outcome: findings.iter().map(|f| f.outcome).max().unwrap_or(Outcome::Good),
        bundle: report.bundle,
        archive: report.archive.clone(),
        trial: report.trial,
        made_at: report.made_at,
        files: run.digests.len() as u64,
        documents,
        stamps,
        packages: whole.into_iter().map(|p| p.package.clone()).collect(),
        signatures: run.signatures,
        anchors: AnchorsUsed {
            time_stamps: if trust.anchors.is_some() { "given" } else { "bundle" },
            archive: if trust.key.is_some() { "given" } else { "bundle" },
            key: trust.key.as_ref().unwrap_or(keys.current()).to_string(),
            changes: keys.changes().iter().map(KeyChange::from).collect(),
            witnesses,
        },
        findings,
    })
}

impl From<&Finding> for Seen {
    fn from(finding: &Finding) -> Self {
        let outcome = match finding.severity {
            Severity::Error => Outcome::Bad,
            Severity::Warning => Outcome::Unchecked,
            Severity::Info => Outcome::Good,
        };
        Self {
            code: finding.code,
            outcome,
            place: finding.place.clone(),
            message: finding.message.clone(),
            next: finding.code.hint(Lang::En).to_owned(),
        }
    }
}

/// One verification under way.
struct Run {
    files: Files,
    findings: Vec<Finding>,
    /// Files that belong to something that was verified.
    used: BTreeSet<String>,
    /// SHA-256 and length of every file that was read whole.
    digests: BTreeMap<String, crate::hash::Digests>,
    /// Entries proved to be in the chain.
    entries: BTreeMap<u64, Entry>,
    signatures: Vec<Signature>,
}

impl Run {
    /// Judges a signature that is there, over a file that was read.
    fn signature(&mut self, judge: &Judge, file: &str, over: &str, at: Option<Timestamp>, agents: Option<&[Agent]>) {
        let (Some(p7s), Some(signed)) = (self.small(file), self.digests.get(over).map(|digests| digests.sha256)) else {
            return;
        };
        let found = match at {
            Some(at) => judge.signature(&p7s, signed, at, agents),
            None => vec![Finding::warning(Code::NotLookedAt, "", "no time-stamp says when the signature was there")],
        };
        self.judged(file, &p7s, found);
    }

    fn judged(&mut self, file: &str, p7s: &[u8], mut found: Vec<Finding>) {
        for finding in &mut found {
            finding.place = file.to_owned();
        }
        let outcome = found.iter().map(|finding| Seen::from(finding).outcome).max().unwrap_or(Outcome::Good);
        let signer = facts(p7s).unwrap_or_default();
        self.signatures.push(Signature { file: file.to_owned(), signer, outcome });
        self.findings.extend(found);
    }

    fn bad(&mut self, code: Code, place: &str, detail: impl AsRef<str>) {
        self.findings.push(Finding::error(code, place, detail));
    }

    /// Notes an error: what could not be read for reasons of this machine is unchecked, everything else is bad.
    fn noted<T>(&mut self, place: &str, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                let place = if place.is_empty() { error.place.as_str() } else { place };
                let finding = match error.code {
                    Code::Io | Code::FilePermission | Code::TokenUntrusted | Code::EvidenceAlgorithm => {
                        Finding::warning(error.code, place, &error.detail)
                    }
                    code => Finding::error(code, place, &error.detail),
                };
                self.findings.push(finding);
                None
            }
        }
    }

    /// The file belongs to what is being verified; a missing one was found when the list was read, or is found here.
    fn expect(&mut self, name: &str) -> Option<crate::hash::Digests> {
        self.used.insert(name.to_owned());
        let found = self.digests.get(name).copied();
        if found.is_none() && !self.files.contains(name) {
            let said = self.findings.iter().any(|f| f.place == name && f.code == Code::BundleFileMissing);
            if !said {
                self.bad(Code::BundleFileMissing, name, "");
            }
        }
        found
    }

    /// A small file, whole.
    fn small(&mut self, name: &str) -> Option<Vec<u8>> {
        self.expect(name)?;
        let bytes = self.files.read(name, MAX_SMALL);
        self.noted(name, bytes)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        let bytes = self.small(name)?;
        let text = String::from_utf8(bytes).map_err(|_| Error::new(Code::BundleFileAltered, "not UTF-8"));
        self.noted(name, text)
    }

    fn report_note(&mut self, report: &report::Report, bytes: &[u8], keys: &Reigns) {
        self.used.extend([REPORT.to_owned(), REPORT_NOTE.to_owned()]);
        let verified = self.files.read(REPORT_NOTE, MAX_SMALL).and_then(|note| {
            let note = String::from_utf8(note).map_err(|_| Error::new(Code::SignatureInvalid, "not UTF-8"))?;
            let opened = keys.open_note(&note, &origin(keys.name()), u64::MAX)?;
            if opened.text != report.note_text(bytes) {
                return Err(Error::new(Code::SignatureInvalid, "the signed note is of another report"));
            }
            Ok(())
        });
        self.noted(REPORT_NOTE, verified);
    }

    /// The report is signed or not, as it says itself; when it is, that is judged at the time it says to have been made. It cannot be
    /// on its own list.
    fn report_signature(&mut self, report: &report::Report, judge: &Judge) {
        let by = match (&report.signed_by, self.files.contains(REPORT_SIGNATURE)) {
            (None, false) => return,
            (None, true) => {
                return self.bad(Code::BundleForeign, REPORT_SIGNATURE, "the report says that nobody signed it");
            }
            (Some(_), false) => {
                return self.bad(Code::BundleFileMissing, REPORT_SIGNATURE, "the report says who signed it");
            }
            (Some(by), true) => by,
        };
        let p7s = self.files.read(REPORT_SIGNATURE, cades::MAX_BYTES);
        let signed = self.files.digests(REPORT, MAX_REPORT);
        let (Some(p7s), Some(signed)) = (self.noted(REPORT_SIGNATURE, p7s), self.noted(REPORT, signed)) else { return };
        let mut found = judge.signature(&p7s, signed.sha256, report.made_at, None);
        if !is_by(&p7s, &by.certificate_sha256) {
            found.push(Finding::error(Code::BundleInvalid, "", "signed by somebody else than the report says"));
        }
        self.judged(REPORT_SIGNATURE, &p7s, found);
    }

    /// Every file of the list is there and is the one listed; every file there is on the list.
    fn listed_files(&mut self, report: &report::Report) {
        let mut listed = BTreeSet::from([REPORT, REPORT_NOTE, REPORT_SIGNATURE]);
        for line in &report.files {
            if !listed.insert(&line.name) {
                self.bad(Code::BundleInvalid, REPORT, format!("lists {} twice", line.name));
                continue;
            }
            if !self.files.contains(&line.name) {
                self.bad(Code::BundleFileMissing, &line.name, "");
                continue;
            }
            let digests = self.files.digests(&line.name, line.bytes);
            let Some(digests) = self.noted(&line.name, digests) else { continue };
            if digests.bytes != line.bytes {
                self.bad(Code::BundleFileAltered, &line.name, "not the length that the report lists");
                continue;
            }
            if digests.sha256 != line.sha256 {
                self.bad(Code::BundleFileAltered, &line.name, "not the file that the report lists");
            }
            self.digests.insert(line.name.clone(), digests);
        }
        let foreign: Vec<String> =
            self.files.names().filter(|name| !listed.contains(name)).map(str::to_owned).collect();
        for name in foreign {
            self.bad(Code::BundleForeign, &name, "");
            self.used.insert(name);
        }
    }

    /// What is listed and signed, and yet belongs to nothing that was looked at.
    fn leftovers(&mut self) {
        let left: Vec<String> = self.digests.keys().filter(|name| !self.used.contains(*name)).cloned().collect();
        for name in left {
            self.bad(Code::BundleForeign, &name, "it belongs to no document and no package of the report");
        }
    }

    /// The checkpoint's signature, and each entry's way to it.
    fn chain(&mut self, report: &report::Report, keys: &Reigns) {
        let checkpoint = self.text(CHECKPOINT);
        if let Some(note) = &checkpoint {
            let opened = keys.open_checkpoint(note);
            self.noted(CHECKPOINT, opened);
        }
        for change in &report.keys {
            // What it says was judged when the keys were read.
            self.entry(change.entry, checkpoint.as_ref(), keys, &|entry| match entry.kind {
                Kind::Key => Ok(()),
                _ => Err(Error::new(Code::KeyChangeBad, "not an entry of a change of key")),
            });
        }
        for package in &report.packages {
            self.entry(package.entry, checkpoint.as_ref(), keys, &|entry| {
                let of = |name: &str| entry.object.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
                let number = entry.object.get("number").and_then(serde_json::Value::as_u64);
                let right = entry.kind == Kind::Package
                    && of("series") == package.package.series.as_str()
                    && number == Some(package.package.number);
                if right { Ok(()) } else { Err(Error::new(Code::ChainAltered, "not the entry of this package")) }
            });
            for renewal in &package.renewals {
                self.entry(*renewal, checkpoint.as_ref(), keys, &|entry| {
                    if entry.kind != Kind::Renewal {
                        return Err(Error::new(Code::ChainAltered, "not the entry of a renewal"));
                    }
                    renewed_files(&entry.object, &package.package).map(drop)
                });
            }
        }
    }

    /// Notes an entry that is in the chain and is what it should be.
    fn entry(&mut self, seq: u64, checkpoint: Option<&String>, keys: &Reigns, right: &dyn Fn(&Entry) -> Result<()>) {
        let (line_name, proof_name) = (format!("chain/{seq}.json"), format!("chain/{seq}.tlog-proof"));
        let (Some(line), Some(proof)) = (self.small(&line_name), self.text(&proof_name)) else { return };
        let proof = Proof::parse(&proof).and_then(|proof| {
            if proof.index != seq || Some(&proof.checkpoint) != checkpoint {
                return Err(Error::new(Code::ChainAltered, "a proof of another entry or against another checkpoint"));
            }
            proof.verify_under(leaf(&line), keys)
        });
        let proved = self.noted(&proof_name, proof).is_some();
        let entry = Entry::parse(&line).and_then(|entry| {
            if entry.seq != seq {
                return Err(Error::new(Code::ChainAltered, "another entry than its name says"));
            }
            right(&entry).map(|()| entry)
        });
        if let Some(entry) = self.noted(&line_name, entry).filter(|_| proved) {
            self.entries.insert(seq, entry);
        }
    }

    fn judge(&mut self, trust: &Trust) -> Judge {
        let own = self.files.read(TSA_ANCHORS, MAX_SMALL).and_then(|pem| trust::parse(&pem));
        let own = self.noted(TSA_ANCHORS, own).unwrap_or_default();
        let mut signers = Anchors::default();
        if self.files.contains(SIGNER_ANCHORS) {
            self.used.insert(SIGNER_ANCHORS.to_owned());
            let read = self.files.read(SIGNER_ANCHORS, MAX_SMALL).and_then(|pem| trust::parse(&pem));
            signers = self.noted(SIGNER_ANCHORS, read).unwrap_or_default();
        }
        Judge::new(trust.anchors.clone(), own, signers)
    }

    /// Names each anchor that was not the reader's own.
    fn anchors(&mut self, trust: &Trust, judge: &Judge) {
        if trust.key.is_none() {
            self.findings.push(Finding::warning(
                Code::AnchorMissing,
                "archive key",
                "the archive's public key was not given (--key)",
            ));
        }
        if trust.anchors.is_none() {
            let detail = "no certificate of the time-stamping authority was given (--trust)";
            self.findings.push(Finding::warning(Code::AnchorMissing, "time-stamping authority", detail));
        }
        if trust.anchors.is_none() && judge.judged_signatures() {
            let detail = "no certificate of the signer's authority was given (--trust)";
            self.findings.push(Finding::warning(Code::AnchorMissing, "signer", detail));
        }
        for missing in judge.missing_signers() {
            self.findings.push(Finding::warning(Code::AnchorMissing, "signer", missing));
        }
        for missing in judge.missing() {
            self.findings.push(Finding::warning(Code::AnchorMissing, "time-stamping authority", missing));
        }
    }
}
