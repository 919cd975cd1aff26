//! Renewal of the chain's stamps: tokens over checkpoints age as those of packages do.
//!
//! All of them are renewed, not the last one alone: a later stamp proves of an earlier checkpoint, by consistency, that it
//! was so by the *later* time; the earlier date, which an act of that day rests on, is in its own token and nowhere else.
//! Invariants: they are leaves of the same run as the packages, so one new token covers everything; a generation is two files
//! in `chain/stamps/renewed/`, committed by a `renewal` entry and never rewritten; one that is damaged is left out and named.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Report;
use super::ages::{Aging, Subject};
use super::run::Run;
use crate::archive::Archive;
use crate::archive::init::object;
use crate::archive::token::Stamped;
use crate::chain::{Kind, RenewalFile, Stamp, StampRenewal};
use crate::clock::iso_seconds;
use crate::durable;
use crate::error::{Code, Error, Finding, Result};
use crate::evidence::digest::Digest;
use crate::evidence::ers::roll::{self, Over};
use crate::evidence::ers::{Record, Roll, Tree};
use crate::hash::Sha256;
use crate::id::new_uuid;
use crate::package::generation::{Method, token_of};

/// The tree over the stamps of a run, in its folder.
const ROLL: &str = "stamps.tree";

/// The stamps of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PlannedStamps {
    /// The generation they are to get.
    pub generation: u32,
    /// Each by the size of its checkpoint, with the SHA-256 of the file of its newest token.
    pub stamps: Vec<(u64, Sha256)>,
}

impl PlannedStamps {
    /// Those among what a run renews; `None` when there is none.
    pub fn among(agings: &[Aging], generations: u32) -> Option<Self> {
        let one = |aging: &Aging| match aging.subject {
            Subject::Stamp(size) => Some((size, aging.tsr)),
            Subject::Package(_) => None,
        };
        let stamps: Vec<(u64, Sha256)> = agings.iter().filter_map(one).collect();
        (!stamps.is_empty()).then_some(Self { generation: generations + 1, stamps })
    }
}

/// A generation of the stamps' evidence, read and held against the chain.
struct Generation {
    roll: Roll,
    token: Vec<u8>,
    tsr: Sha256,
}

/// All evidence of all stamps.
pub(in crate::archive) struct StampEvidence<'a> {
    archive: &'a Archive,
    generations: Vec<Generation>,
}

/// The newest token of a stamp, not read yet.
pub(super) struct Newest<'a> {
    archive: &'a Archive,
    stamp: Stamp,
    renewal: Option<StampRenewal>,
    pub subject: Subject,
    /// The newest generation: 1 is its own token.
    pub generation: u32,
    /// SHA-256 of the file that holds the token.
    pub tsr: Sha256,
}

impl Newest<'_> {
    /// The file that holds the token, as the chain names it.
    pub fn read(&self) -> Result<Vec<u8>> {
        match &self.renewal {
            Some(renewal) => self.archive.ledger.renewal_file(renewal.reply()),
            None => Ok(self.archive.ledger.stamp_files(&self.stamp)?.reply),
        }
    }
}

impl StampEvidence<'_> {
    /// The record of a stamp's checkpoint (RFC 4998), and how many tokens it has.
    pub fn record(&self, stamp: &Stamp) -> Result<Record> {
        let files = self.archive.ledger.stamp_files(stamp)?;
        let mut record = Record::alone(&files.checkpoint, token_of(&files.reply))?;
        for generation in self.generations.iter().filter(|generation| generation.roll.holds(stamp.size)) {
            let object = generation.roll.algorithm().of(&files.checkpoint);
            generation.roll.renew(stamp.size, &mut record, &object, generation.token.clone())?;
        }
        Ok(record)
    }

    /// Whether a stamp was renewed.
    pub fn is_renewed(&self, stamp: &Stamp) -> bool {
        self.generations.iter().any(|generation| generation.roll.holds(stamp.size))
    }

    /// SHA-256 of the file of a stamp's newest token.
    fn newest(&self, stamp: &Stamp) -> Sha256 {
        let last = self.generations.iter().rfind(|generation| generation.roll.holds(stamp.size));
        last.map_or(stamp.sha256, |generation| generation.tsr)
    }

    /// The leaf of a stamp in a renewal that covers what was planned for, and nothing else.
    fn leaf(&self, stamp: &Stamp, planned: &Sha256, run: &Run) -> Result<Digest> {
        if self.newest(stamp) != *planned {
            return Err(Error::new(Code::StagingAltered, "its evidence is not the one that was planned for"));
        }
        let record = self.record(stamp)?;
        let object = run.plan.algorithm.of(&self.archive.ledger.stamp_files(stamp)?.checkpoint);
        Ok(roll::leaf(over(run.plan.method), &record, &object))
    }
}

fn over(method: Method) -> Over {
    match method {
        Method::TimeStamp => Over::Tokens,
        Method::HashTree => Over::Object,
    }
}

impl Archive {
    /// The renewals of stamps, each held against the chain: [`Code::ChainAltered`] when a file is missing or altered.
    pub(in crate::archive) fn stamp_evidence(&self) -> Result<StampEvidence<'_>> {
        let read = |renewal: StampRenewal| {
            let roll = Roll::parse(&self.ledger.renewal_file(renewal.tree())?)
                .map_err(|error| error.at(format!("chain/stamps/renewed/{}", renewal.tree().name)))?;
            let token = token_of(&self.ledger.renewal_file(renewal.reply())?);
            Ok(Generation { roll, token, tsr: renewal.reply().sha256 })
        };
        let generations = self.ledger.stamp_renewals().into_iter().map(read).collect::<Result<_>>()?;
        Ok(StampEvidence { archive: self, generations })
    }

    /// The newest token of every stamp. Without the trees of the renewals nobody can say which it is: that is one finding.
    pub(super) fn newest_of_stamps(&self, findings: &mut Vec<Finding>) -> Result<Vec<Newest<'_>>> {
        let renewals = self.ledger.stamp_renewals();
        let mut newest: BTreeMap<u64, &StampRenewal> = BTreeMap::new();
        for renewal in &renewals {
            let roll = self.ledger.renewal_file(renewal.tree()).and_then(|bytes| Roll::parse(&bytes));
            match roll {
                Ok(roll) => newest.extend(roll.numbers().map(|size| (size, renewal))),
                Err(error) if matches!(error.code, Code::Io | Code::DiskFull) => return Err(error),
                Err(error) => {
                    let place = format!("chain/stamps/renewed/{}", renewal.tree().name);
                    findings.push(Finding::error(error.code, place, error.detail));
                    return Ok(Vec::new());
                }
            }
        }
        let one = |stamp: Stamp| {
            let renewal = newest.get(&stamp.size).copied().cloned();
            Newest {
                archive: self,
                subject: Subject::Stamp(stamp.size),
                generation: renewal.as_ref().map_or(1, |renewal| renewal.generation + 1),
                tsr: renewal.as_ref().map_or(stamp.sha256, |renewal| renewal.reply().sha256),
                stamp,
                renewal,
            }
        };
        Ok(self.ledger.stamps().into_iter().map(one).collect())
    }

    /// The tree over the stamps of a run, durable; `None` when it has none, or none that can be renewed.
    pub(super) fn roll_of_stamps(&self, run: &Run, report: &mut Report) -> Result<Option<Roll>> {
        let Some(planned) = &run.plan.stamps else { return Ok(None) };
        if let Some(kept) = run.kept_bytes(ROLL)? {
            return Roll::parse(&kept).map(Some);
        }
        let evidence = match self.stamp_evidence() {
            Ok(evidence) => evidence,
            Err(error) if matches!(error.code, Code::Io | Code::DiskFull) => return Err(error),
            // The packages of the run are none the worse for it.
            Err(error) => {
                report.findings.push(Finding::error(error.code, error.place, error.detail));
                return Ok(None);
            }
        };
        let stamps: BTreeMap<u64, Stamp> = self.ledger.stamps().into_iter().map(|stamp| (stamp.size, stamp)).collect();
        let mut leaves = Vec::new();
        for (size, tsr) in &planned.stamps {
            let missing = || Error::new(Code::StagingAltered, "the chain has no such stamp");
            let leaf = stamps.get(size).ok_or_else(missing).and_then(|stamp| evidence.leaf(stamp, tsr, run));
            match leaf {
                Ok(leaf) => leaves.push((*size, leaf)),
                Err(error) if matches!(error.code, Code::Io | Code::DiskFull) => return Err(error),
                Err(error) => {
                    report.findings.push(Finding::error(error.code, Subject::Stamp(*size).place(), error.detail));
                }
            }
        }
        if leaves.is_empty() {
            return Ok(None);
        }
        let roll = Roll::build(over(run.plan.method), leaves)?;
        durable::remove_file(&run.folder.join(ROLL))?;
        run.keep_bytes(ROLL, roll.encode())?;
        Ok(Some(roll))
    }

    /// Commits the stamps of a run: their files, read back, then the entry. The entry's number, or `None` when a stop came
    /// after the commit.
    pub(super) fn commit_stamps(
        &self,
        run: &Run,
        mut roll: Roll,
        tree: &Tree,
        stamped: &Stamped,
    ) -> Result<Option<u64>> {
        let missing = || Error::new(Code::StagingAltered, "stamps that were not planned");
        let generation = run.plan.stamps.as_ref().ok_or_else(missing)?.generation;
        let generations = self.ledger.stamp_renewals().len() as u32;
        if generations >= generation {
            return Ok(None);
        }
        if generations + 1 != generation {
            return Err(Error::new(Code::StagingAltered, "their evidence is not the one that was planned for"));
        }
        roll.place(tree)?;
        let count = roll.numbers().count() as u64;
        let folder = self.layout.stamp_renewals();
        durable::create_dir_all(&folder)?;
        let write = |name: String, bytes: &[u8]| {
            let path = folder.join(&name);
            self.put_aside(&path, bytes)?;
            if !path.exists() {
                durable::write_new(&path, bytes, durable::MODE_SEALED)?;
            }
            if durable::read_plain(&path)? != bytes {
                return Err(
                    Error::new(Code::ChainAltered, "what was read back is not what was written").at(path.display())
                );
            }
            Ok(RenewalFile { name, length: bytes.len() as u64, sha256: Sha256::of(bytes) })
        };
        let files = [
            write(StampRenewal::tree_name(generation), &roll.encode())?,
            write(StampRenewal::reply_name(generation), &stamped.reply)?,
        ];
        let facts: Value = json!({
            "id": run.plan.id, "method": run.plan.method, "algorithm": run.plan.algorithm, "root": tree.root(),
            "stamped_at": iso_seconds(stamped.token.gen_time()), "packages": [],
            "stamps": StampRenewal { generation, count, files },
        });
        let entry = self.ledger.append(Kind::Renewal, object(facts))?;
        Ok(Some(entry.seq))
    }

    /// A file of that name that is another was never committed: it is set aside, never overwritten.
    fn put_aside(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let Ok(found) = path.symlink_metadata() else { return Ok(()) };
        if found.is_file() && found.len() == bytes.len() as u64 && durable::read_plain(path)? == bytes {
            return Ok(());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = self.layout.quarantine().join(format!("stamps-{name}-{}", new_uuid(self.clock.now())));
        tracing::warn!(file = %name, "evidence that the chain does not name was set aside");
        durable::rename(path, &aside)
    }
}
