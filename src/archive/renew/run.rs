//! One renewal under way: `staging/renewal-<id>/`, from which it goes on after a stop.
//!
//! `plan.json` says which packages at which generation, `leaves.json` what the tree is made of, `request.tsq` what is sent,
//! `reply.tsr` what came; each is durable before the next step. Plan, leaves and the digests of re-read documents carry the
//! mark of the archive's secret: whoever may write to the disk must not choose what the archive puts its name to.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::ages::{Aging, Subject};
use super::stamps::PlannedStamps;
use super::{Progress, Report};
use crate::archive::Archive;
use crate::archive::token::Once;
use crate::clock::iso_seconds;
use crate::durable;
use crate::error::{AtPath as _, Code, Error, Result};
use crate::evidence::digest::{Algorithm, Digest};
use crate::evidence::ers::{Roll, Tree};
use crate::hash::Sha256;
use crate::id::{PackageRef, new_uuid};
use crate::package::generation::{Method, STAGING, is_staging};
use crate::package::writer::StagingKey;

const PLAN: &str = "plan.json";
const LEAVES: &str = "leaves.json";
/// What to do about a folder that somebody else wrote to.
const ANEW: &str = "move the folder out of the archive and keep it: the renewal is planned anew";

/// A package of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Planned {
    pub package: PackageRef,
    /// The generation it is to get.
    pub generation: u32,
    /// SHA-256 of the `.tsr` of the generation before.
    pub tsr: Sha256,
    /// Bytes of its documents.
    pub bytes: u64,
}

/// What is renewed together, under one token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub id: Uuid,
    pub method: Method,
    pub algorithm: Algorithm,
    pub packages: Vec<Planned>,
    /// The chain's stamps of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamps: Option<PlannedStamps>,
}

/// What a package has in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leaf {
    pub package: PackageRef,
    pub leaf: Digest,
}

/// What the tree of a run is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Leaves {
    pub packages: Vec<Leaf>,
    /// Root of the tree over the stamps.
    pub stamps: Option<Digest>,
}

/// A run.
pub(super) struct Run {
    pub plan: Plan,
    pub folder: PathBuf,
    key: StagingKey,
}

impl Run {
    /// Fixes what is renewed together; durable on return.
    pub fn fix(staging: &Path, plan: Plan, key: &StagingKey) -> Result<Self> {
        let folder = staging.join(format!("{STAGING}{}", plan.id));
        durable::create_dir_all(&folder)?;
        let run = Self { plan, folder, key: key.clone() };
        run.keep(PLAN, &run.plan)?;
        Ok(run)
    }

    /// The runs that a stop left half done. A folder whose plan was not durable yet had nothing in it, and goes.
    pub fn pending(staging: &Path, key: &StagingKey) -> Result<Vec<Self>> {
        let mut runs = Vec::new();
        for entry in std::fs::read_dir(staging).at_path(staging)? {
            let entry = entry.at_path(staging)?;
            if !is_staging(&entry.file_name().to_string_lossy()) {
                continue;
            }
            let folder = entry.path();
            if !folder.join(PLAN).exists() {
                durable::remove_dir_all(&folder)?;
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let plan: Plan = kept(&folder, &name, PLAN, key)?;
            if format!("{STAGING}{}", plan.id) != name {
                return Err(Error::new(Code::StagingAltered, "the plan of another renewal").at(folder.display()));
            }
            runs.push(Self { plan, folder, key: key.clone() });
        }
        runs.sort_by_key(|run| run.plan.id);
        Ok(runs)
    }

    fn name(&self) -> String {
        format!("{STAGING}{}", self.plan.id)
    }

    /// Writes something of ours, marked; durable on return.
    pub fn keep<T: Serialize>(&self, file: &str, value: &T) -> Result<()> {
        let text = serde_json::to_vec(value).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        self.keep_bytes(file, text)
    }

    /// As [`Run::keep`], for bytes.
    pub fn keep_bytes(&self, file: &str, bytes: Vec<u8>) -> Result<()> {
        let marked = self.key.marked(&format!("{}/{file}", self.name()), bytes);
        durable::write_new(&self.folder.join(file), &marked, durable::MODE_PLAIN)
    }

    /// Something of ours that was kept; `None` when it is not there or is not ours.
    pub fn kept_bytes(&self, file: &str) -> Result<Option<Vec<u8>>> {
        let path = self.folder.join(file);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = durable::read_plain(&path)?;
        Ok(self.key.unmarked(&format!("{}/{file}", self.name()), &bytes).map(<[u8]>::to_vec))
    }

    /// The leaves, once fixed.
    pub fn leaves(&self) -> Result<Option<Leaves>> {
        if !self.folder.join(LEAVES).exists() {
            return Ok(None);
        }
        kept(&self.folder, &self.name(), LEAVES, &self.key).map(Some)
    }

    /// Ends the run: every package of it is committed, or was left out and reported.
    pub fn remove(self) -> Result<()> {
        // The plan goes first: one without its leaves would be carried out once more, after a stop in between.
        durable::remove_file(&self.folder.join(PLAN))?;
        durable::remove_dir_all(&self.folder)
    }
}

fn kept<T: serde::de::DeserializeOwned>(folder: &Path, name: &str, file: &str, key: &StagingKey) -> Result<T> {
    let path = folder.join(file);
    let altered = || Error::new(Code::StagingAltered, "not what the archive wrote").at(path.display()).hint(ANEW);
    let bytes = durable::read_plain(&path)?;
    let text = key.unmarked(&format!("{name}/{file}"), &bytes).ok_or_else(altered)?;
    serde_json::from_slice(text).map_err(|_| altered())
}

impl Archive {
    /// Fixes what a run renews.
    pub(super) fn fix_run(&self, method: Method, algorithm: Algorithm, agings: Vec<Aging>) -> Result<Run> {
        let stamps = PlannedStamps::among(&agings, self.ledger.stamp_renewals().len() as u32);
        let planned = |aging: Aging| match aging.subject {
            Subject::Package(package) => {
                Some(Planned { package, generation: aging.generation + 1, tsr: aging.tsr, bytes: aging.bytes })
            }
            Subject::Stamp(_) => None,
        };
        let packages = agings.into_iter().filter_map(planned).collect();
        let plan = Plan { id: new_uuid(self.clock.now()), method, algorithm, packages, stamps };
        Run::fix(&self.layout.staging(), plan, &self.staging_key)
    }

    /// Takes a run from where it is to its end.
    pub(super) fn go_on(&self, run: Run, report: &mut Report, progress: Progress<'_>) -> Result<()> {
        let roll = self.roll_of_stamps(&run, report)?;
        let leaves = match run.leaves()? {
            Some(leaves) => leaves,
            None => {
                let packages = match run.plan.method {
                    Method::TimeStamp => self.leaves_of_tokens(&run, report)?,
                    Method::HashTree => self.leaves_of_objects(&run, report, progress)?,
                };
                let leaves = Leaves { packages, stamps: roll.as_ref().map(Roll::root) };
                run.keep(LEAVES, &leaves)?;
                leaves
            }
        };
        if roll.as_ref().map(Roll::root) != leaves.stamps {
            let detail = "the stamps of the chain are not those that are to be time-stamped";
            return Err(Error::new(Code::StagingAltered, detail).at(run.folder.display()).hint(ANEW));
        }
        let mut distinct: Vec<Digest> = leaves.packages.iter().map(|leaf| leaf.leaf).chain(leaves.stamps).collect();
        if distinct.is_empty() {
            return run.remove();
        }
        distinct.sort_unstable();
        distinct.dedup();
        let tree = Tree::build(&distinct)?;
        let stamped = self.token_once(&Once::new(&run.folder, "request.tsq", "reply.tsr"), tree.root())?;
        report.findings.extend(stamped.findings.iter().cloned());
        let (mut entries, packages) = self.commit_renewal(&run, &leaves.packages, &tree, &stamped, report, progress)?;
        let mut stamps = 0;
        if let Some(roll) = roll {
            let count = roll.numbers().count();
            let entry = self.commit_stamps(&run, roll, &tree, &stamped)?;
            stamps = entry.map_or(0, |_| count);
            entries.extend(entry);
        }
        report.runs.push(json!({
            "id": run.plan.id, "method": run.plan.method, "digest": run.plan.algorithm,
            "stamped_at": iso_seconds(stamped.token.gen_time()), "until": iso_seconds(stamped.token.valid_until()),
            "packages": packages, "stamps": stamps, "entries": entries,
        }));
        metrics::counter!("custode_packages_renewed_total").increment(packages);
        self.copies.due.store(true, std::sync::atomic::Ordering::SeqCst);
        run.remove()
    }
}
