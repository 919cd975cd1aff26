//! What the chain says should be there: packages, and where their copies are.
//!
//! Invariant: entries are read up to the checkpoint that was judged and no further, line by line in bounded memory; a line
//! that is no entry is the chain's verification to report, an entry that says too little of its package is ours.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use super::kept::{self, Kept};
use super::report::{Finding, Place};
use crate::chain::{Entry, Kind, MAX_LINE, Stamp, StampRenewal};
use crate::durable;
use crate::error::{AtPath, Code, Result};
use crate::evidence::digest::Digest;
use crate::hash::Sha256;
use crate::id::{Lane, PackageRef, SeriesId};
use crate::intake::refusal;
use crate::package::FileFacts;
use crate::package::copies::Holdings;
use crate::package::generation::{Renewal, file_names, generation_of};
use crate::package::numbers::Summary;

/// No check takes longer, or it misses a number that was given while it ran.
const LONGEST: SignedDuration = SignedDuration::from_hours(48);

/// The chain's lines.
pub(super) const ENTRIES: &str = "chain/entries";

/// What a package entry says.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Object {
    series: SeriesId,
    number: u64,
    #[serde(default)]
    pub uuid: Option<Uuid>,
    pub class_version: u32,
    pub pindex: Sha256,
    pub previous: Sha256,
    pub ers_root: Digest,
    #[serde(default)]
    pub run_root: Option<Digest>,
    #[serde(default)]
    pub stamped_at: Option<Timestamp>,
    pub cohort: String,
    #[serde(default)]
    pub expiry: Option<jiff::civil::Date>,
    pub documents: u64,
    pub bytes: u64,
    pub files: Vec<FileFacts>,
    pub numbers: Summary,
}

/// A package the chain committed.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub package: PackageRef,
    /// Its entry.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What the chain says; the files of renewals are among its files.
    pub object: Object,
    /// When the tokens of its renewals were made, oldest first: generation 2, 3, …
    pub renewals: Vec<Timestamp>,
    /// The entries that made them, in the same order.
    renewed_by: Vec<u64>,
}

impl Sealed {
    /// The newest generation of its evidence.
    pub fn generations(&self) -> u32 {
        u32::try_from(self.renewals.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Bytes of its files.
    pub fn stored(&self) -> u64 {
        self.object.files.iter().map(|file| file.length).sum()
    }

    /// The entry that gave it a file.
    pub fn given_by(&self, name: &str) -> u64 {
        let renewal = generation_of(name).and_then(|generation| generation.checked_sub(2));
        let renewal = renewal.and_then(|at| self.renewed_by.get(at as usize));
        renewal.copied().unwrap_or(self.seq)
    }

    /// What the chain says of one of its files.
    pub fn file(&self, name: &str) -> Option<&FileFacts> {
        self.object.files.iter().find(|file| file.name == name)
    }
}

/// Numbers that recovery of a journal set aside: never used again, in no package and some day no longer in the journal.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Voided {
    pub lane: Lane,
    /// How far numbers of its lane had been acknowledged when they were set aside.
    #[serde(skip)]
    pub acknowledged: u64,
    #[serde(rename = "voided")]
    pub numbers: Numbers,
}

/// How far an entry says that the numbers of a lane were acknowledged.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Issued {
    #[serde(skip)]
    pub at: Timestamp,
    pub lane: Lane,
    pub issued: u64,
}

/// First and last.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Numbers {
    pub first: u64,
    pub last: u64,
}

/// A renewal of the chain's stamps, as its entry has it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RenewedStamps {
    pub root: Digest,
    pub stamped_at: Timestamp,
    pub stamps: StampRenewal,
}

/// Everything a check needs of the chain.
#[derive(Default)]
pub(super) struct OnChain {
    /// In the order of the chain.
    pub packages: Vec<Sealed>,
    /// Where each package is in the list.
    by_ref: BTreeMap<PackageRef, usize>,
    pub voided: Vec<Voided>,
    /// When each repair was: copies were made by them.
    repaired_at: BTreeMap<u64, Timestamp>,
    /// How far numbers were acknowledged, oldest first.
    pub issued: Vec<Issued>,
    /// How far the log of refusals went, oldest first.
    pub refusals: Vec<refusal::Head>,
    /// Files that the chain names by their digest and that stand beside the packages.
    pub kept: Vec<Kept>,
    /// Which vaults hold what.
    pub holdings: Holdings,
    /// Time-stamps over the chain.
    pub stamps: Vec<Stamp>,
    /// Their renewals, oldest first; that they follow each other is the chain's own verification's to say.
    pub stamp_renewals: Vec<RenewedStamps>,
    /// Files of classes and policies by their names in the archive.
    pub adopted: BTreeMap<String, Sha256>,
    pub findings: Vec<Finding>,
}

/// Reads the first `size` entries; all there are when the checkpoint could not be judged.
pub(super) fn read(root: &Path, size: Option<u64>) -> Result<OnChain> {
    let path = root.join(ENTRIES);
    let mut reader = BufReader::with_capacity(1 << 16, durable::open_plain(&path)?);
    let mut all = OnChain::default();
    let mut line = Vec::new();
    for number in 1..=size.unwrap_or(u64::MAX) {
        line.clear();
        let read = (&mut reader).take(MAX_LINE as u64 + 2).read_until(b'\n', &mut line).at_path(&path)?;
        if read == 0 {
            break;
        }
        if line.pop_if(|last| *last == b'\n').is_none() {
            // Too long, or torn: the chain's own verification has said so.
            break;
        }
        if let Ok(entry) = Entry::parse(&line) {
            all.take(entry, number);
        }
    }
    Ok(all)
}

/// The newest generation of a package's evidence as the chain says now, however far it was judged.
pub(super) fn generations_now(root: &Path, package: &PackageRef) -> u32 {
    let found = read(root, None).ok();
    let found = found.and_then(|chain| chain.packages.into_iter().find(|sealed| sealed.package == *package));
    found.map_or(0, |sealed| sealed.generations())
}

impl OnChain {
    fn take(&mut self, entry: Entry, line: u64) {
        match entry.kind {
            Kind::Genesis => {
                let first = entry.object.get("vaults").and_then(|vaults| vaults[0]["id"].as_str());
                self.holdings = Holdings::new(first);
            }
            Kind::Package => match serde_json::from_value::<Object>(entry.object.clone().into()) {
                Ok(object) if object.number > 0 => {
                    let package = PackageRef { series: object.series.clone(), number: object.number };
                    self.holdings.sealed(entry.seq, &package, &entry.object);
                    self.by_ref.insert(package.clone(), self.packages.len());
                    self.packages.push(Sealed {
                        package,
                        seq: entry.seq,
                        at: entry.at,
                        object,
                        renewals: Vec::new(),
                        renewed_by: Vec::new(),
                    });
                }
                _ => {
                    let detail = format!("line {line}: a package entry that does not say what its package is");
                    self.findings.push(Finding::new(Code::ChainAltered, Place::file(ENTRIES), &detail));
                }
            },
            Kind::Renewal if entry.object.contains_key("stamps") => {
                match serde_json::from_value::<RenewedStamps>(entry.object.into()) {
                    Ok(renewed) => self.stamp_renewals.push(renewed),
                    Err(_) => {
                        let detail = format!("line {line}: a renewal entry that does not say what it renews");
                        self.findings.push(Finding::new(Code::ChainAltered, Place::file(ENTRIES), &detail));
                    }
                }
            }
            Kind::Renewal => match serde_json::from_value::<Renewal>(entry.object.into()) {
                Ok(renewal) => {
                    self.holdings.renewed(entry.seq, &renewal);
                    self.renewed(entry.seq, renewal, line);
                }
                Err(_) => {
                    let detail = format!("line {line}: a renewal entry that does not say what it renews");
                    self.findings.push(Finding::new(Code::ChainAltered, Place::file(ENTRIES), &detail));
                }
            },
            Kind::Class | Kind::Policy => {
                let folder = if entry.kind == Kind::Class { "schemas" } else { "policies" };
                let text = |key: &str| entry.object.get(key).and_then(|value| value.as_str()).unwrap_or_default();
                // A name that is no plain one reaches no file outside the folder.
                let plain = !text("file").is_empty() && !text("file").contains('/');
                if let Some(sha256) = text("sha256").parse().ok().filter(|_| plain) {
                    self.adopted.insert(format!("{folder}/{}", text("file")), sha256);
                }
            }
            Kind::Check => self.kept.extend(kept::reports(&entry.object)),
            Kind::Intake => match serde_json::from_value::<Issued>(entry.object.into()) {
                Ok(issued) => self.issued(Issued { at: entry.at, ..issued }),
                Err(_) => {
                    let detail = format!("line {line}: an entry about intake that does not say how far it went");
                    self.findings.push(Finding::new(Code::ChainAltered, Place::file(ENTRIES), &detail));
                }
            },
            Kind::Refusals => match serde_json::from_value(entry.object.into()) {
                Ok(head) => self.refusals.push(head),
                Err(_) => {
                    let detail = format!("line {line}: an entry about refusals that does not say which");
                    self.findings.push(Finding::new(Code::ChainAltered, Place::file(ENTRIES), &detail));
                }
            },
            Kind::Stamp => self.stamps.extend(serde_json::from_value::<Stamp>(entry.object.into()).ok()),
            // Repairs of other things say nothing of numbers, or of copies.
            Kind::Repair => {
                self.holdings.repaired(entry.seq, &entry.object);
                self.repaired_at.insert(entry.seq, entry.at);
                self.kept.extend(kept::quarantined(&entry.object));
                if let Ok(mut voided) = serde_json::from_value::<Voided>(entry.object.into()) {
                    let before = self.issued.iter().filter(|issued| issued.lane == voided.lane);
                    voided.acknowledged = before.map(|issued| issued.issued).max().unwrap_or(0);
                    self.voided.push(voided);
                }
            }
            _ => {}
        }
    }

    /// The last word of a lane counts; those of the last days are kept, for a check that began before them.
    fn issued(&mut self, said: Issued) {
        let old = |told: &Issued| told.at.duration_since(said.at).abs() > LONGEST;
        while let [first, second, ..] = &self.issued[..]
            && first.lane == second.lane
            && old(second)
        {
            self.issued.remove(0);
        }
        self.issued.push(said);
    }

    /// A renewal's files belong to its packages from here on.
    fn renewed(&mut self, seq: u64, renewal: Renewal, line: u64) {
        for renewed in renewal.packages {
            let place = Place { package: Some(renewed.package.clone()), ..Place::file(ENTRIES) };
            let sealed = self.by_ref.get(&renewed.package).map(|at| &mut self.packages[*at]);
            let sealed = sealed.filter(|sealed| sealed.generations().checked_add(1) == Some(renewed.generation));
            let names = file_names(renewed.generation);
            let whole = renewed.files.len() == names.len() && renewed.files.iter().all(|f| names.contains(&f.name));
            match sealed {
                Some(sealed) if whole => {
                    sealed.renewals.push(renewal.stamped_at);
                    sealed.renewed_by.push(seq);
                    sealed.object.files.extend(renewed.files);
                }
                _ => {
                    let detail = format!("line {line}: a renewal that does not follow the evidence before");
                    self.findings.push(Finding::new(Code::ChainAltered, place, &detail));
                }
            }
        }
    }

    /// Numbers 1, 2, 3 … of each series, each naming the index of the one before.
    pub fn series(&self) -> Vec<Finding> {
        let mut last: BTreeMap<&SeriesId, (u64, Sha256)> = BTreeMap::new();
        let mut findings = Vec::new();
        for sealed in &self.packages {
            let (number, pindex) = last.get(&sealed.package.series).copied().unwrap_or((0, Sha256::ZERO));
            let place = Place { package: Some(sealed.package.clone()), ..Place::file(ENTRIES) };
            if sealed.package.number != number + 1 {
                let detail = format!("number {} follows number {number}", sealed.package.number);
                findings.push(Finding::new(Code::SeriesBroken, place, &detail));
            } else if sealed.object.previous != pindex {
                let detail = "it names another index as the one before it";
                findings.push(Finding::new(Code::SeriesBroken, place, detail));
            }
            last.insert(&sealed.package.series, (sealed.package.number, sealed.object.pindex));
        }
        findings
    }

    /// When the copy of a package in a vault was made; `None` when the chain names none there.
    pub fn made(&self, sealed: &Sealed, vault: &str) -> Option<Timestamp> {
        let since = self.holdings.since(&sealed.package, vault)?;
        Some(self.repaired_at.get(&since).copied().unwrap_or(sealed.at))
    }
}
