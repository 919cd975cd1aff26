//! One time-stamp for all packages of a closing run (RFC 3161; tokens cost money).
//!
//! `staging/run.json` names the packages and their roots and is durable before the token is asked for, once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Archive;
use crate::archive::token::{Once, Stamped};
use crate::durable;
use crate::error::{Code, Error, Result};
use crate::evidence::digest::Digest;
use crate::evidence::ers::Tree;
use crate::id::{PackageRef, SeriesId};

/// The packages that share a token.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Run {
    pub packages: Vec<PackageRef>,
    pub roots: Vec<Digest>,
    #[serde(skip)]
    staging: PathBuf,
}

/// A package made up to its tree.
pub(super) struct Staged {
    pub package: PackageRef,
    pub root: Digest,
    /// It shares its token with no other package.
    pub alone: bool,
}

/// Cuts what was staged into the runs that get a token each: what is sealed alone in a run of its own, the rest in one, or in two
/// when the digest of new evidence changed in between.
/// Packages of one series keep their order, for each index names the one before.
pub(super) fn runs(staged: Vec<Staged>) -> Vec<Vec<Staged>> {
    let alone: BTreeSet<SeriesId> =
        staged.iter().filter(|package| package.alone).map(|package| package.package.series.clone()).collect();
    let (single, shared): (Vec<_>, Vec<_>) =
        staged.into_iter().partition(|package| alone.contains(&package.package.series));
    // Those first: they are the ones with a term of hours.
    let mut runs: Vec<Vec<Staged>> = single.into_iter().map(|package| vec![package]).collect();
    let alone = runs.len();
    for package in shared {
        match runs[alone..].last_mut() {
            Some(run) if run[0].root.algorithm() == package.root.algorithm() => run.push(package),
            _ => runs.push(vec![package]),
        }
    }
    runs
}

const RUN: &str = "run.json";

fn once(staging: &Path) -> Once {
    Once::new(staging, "request.tsq", "reply.tsr")
}

impl Run {
    /// The run that a stop left half done.
    pub fn pending(staging: &Path) -> Result<Option<Self>> {
        let path = staging.join(RUN);
        if !path.exists() {
            // Left by a run that ended between its last commit and its removal.
            return once(staging).clear().map(|()| None);
        }
        let bytes = durable::read_plain(&path)?;
        let run: Self = serde_json::from_slice(&bytes)
            .map_err(|e| Error::new(Code::StagingAltered, format!("not readable: {e}")).at(path.display()))?;
        Ok(Some(Self { staging: staging.to_owned(), ..run }))
    }

    /// Fixes which packages share the next token; durable on return.
    pub fn fix(staging: &Path, staged: &[Staged]) -> Result<Self> {
        let run = Self {
            packages: staged.iter().map(|s| s.package.clone()).collect(),
            roots: staged.iter().map(|s| s.root).collect(),
            staging: staging.to_owned(),
        };
        let json = serde_json::to_vec_pretty(&run).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        durable::write_new(&staging.join(RUN), &json, durable::MODE_PLAIN)?;
        Ok(run)
    }

    /// The tree over the packages' roots.
    pub fn tree(&self) -> Result<Tree> {
        Tree::build(&self.roots)
    }

    /// Ends the run: every package of it is committed.
    pub fn remove(self) -> Result<()> {
        durable::remove_file(&self.staging.join(RUN))?;
        once(&self.staging).clear()
    }
}

impl Archive {
    /// The token of a run.
    pub(super) fn stamp(&self, run: &Run) -> Result<Stamped> {
        self.token_once(&once(&run.staging), run.tree()?.root())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::digest::Algorithm;

    #[test]
    fn what_is_sealed_alone_has_a_run_of_its_own_and_series_keep_their_order() {
        let with = |algorithm: Algorithm, series: &str, number, alone| Staged {
            package: PackageRef { series: series.parse().unwrap(), number },
            root: algorithm.of(b""),
            alone,
        };
        let staged = |series: &str, number, alone| with(Algorithm::Sha256, series, number, alone);
        let all = vec![
            staged("generic", 4, false),
            staged("pec-log", 7, false),
            staged("pec-log", 8, true),
            staged("pec-message", 2, false),
            staged("pec-log", 9, true),
            with(Algorithm::Sha512, "generic", 5, false),
        ];
        let runs: Vec<Vec<String>> =
            runs(all).iter().map(|run| run.iter().map(|staged| staged.package.to_string()).collect()).collect();
        assert_eq!(
            runs,
            [
                vec!["pec-log/7"],
                vec!["pec-log/8"],
                vec!["pec-log/9"],
                vec!["generic/4", "pec-message/2"],
                vec!["generic/5"]
            ]
        );
        assert!(super::runs(Vec::new()).is_empty());
    }
}
