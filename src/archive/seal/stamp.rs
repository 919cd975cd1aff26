//! One time-stamp for all packages of a closing run (RFC 3161; tokens cost money).
//!
//! `staging/run.json` names the packages and their roots, `request.tsq` is what is sent, `reply.tsr` what came: each is
//! durable before the next step, so that after a stop the same request is finished and a stored reply is used.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Archive;
use crate::durable;
use crate::error::{Code, Error, Result};
use crate::evidence::digest::Digest;
use crate::evidence::ers::Tree;
use crate::evidence::tsp::{self, Token};
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

/// Cuts what was staged into the runs that get a token each: what is sealed alone in a run of its own, the rest in one.
/// Packages of one series keep their order, for each index names the one before.
pub(super) fn runs(staged: Vec<Staged>) -> Vec<Vec<Staged>> {
    let alone: BTreeSet<SeriesId> =
        staged.iter().filter(|package| package.alone).map(|package| package.package.series.clone()).collect();
    let (single, shared): (Vec<_>, Vec<_>) =
        staged.into_iter().partition(|package| alone.contains(&package.package.series));
    // Those first: they are the ones with a term of hours.
    let runs = single.into_iter().map(|package| vec![package]).chain([shared]);
    runs.filter(|run| !run.is_empty()).collect()
}

/// The token of a run, verified.
pub(super) struct Stamped {
    pub reply: Vec<u8>,
    pub token: Token,
}

const RUN: &str = "run.json";
const REQUEST: &str = "request.tsq";
const REPLY: &str = "reply.tsr";

impl Run {
    /// The run that a stop left half done.
    pub fn pending(staging: &Path) -> Result<Option<Self>> {
        let path = staging.join(RUN);
        if !path.exists() {
            // Left by a run that ended between its last commit and its removal.
            for name in [REPLY, REQUEST] {
                if staging.join(name).exists() {
                    durable::remove_file(&staging.join(name))?;
                }
            }
            return Ok(None);
        }
        let bytes = durable::read_plain(&path)?;
        let run: Self = serde_json::from_slice(&bytes)
            .map_err(|e| Error::new(Code::Internal, format!("not readable: {e}")).at(path.display()))?;
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
        for name in [RUN, REPLY, REQUEST] {
            durable::remove_file(&self.staging.join(name))?;
        }
        Ok(())
    }
}

impl Archive {
    /// The token of a run: the stored one, or a new one asked for with the stored request.
    pub(super) fn stamp(&self, run: &Run) -> Result<Stamped> {
        let staging = self.layout.staging();
        let (request_path, reply_path) = (staging.join(REQUEST), staging.join(REPLY));
        let root = run.tree()?.root();
        if !request_path.exists() {
            durable::write_new(&request_path, &tsp::new_request(root)?, durable::MODE_PLAIN)?;
        }
        let request = durable::read_plain(&request_path)?;
        if tsp::Query::parse(&request)?.digest()? != root {
            return Err(Error::new(Code::Internal, "the stored request is of another run").at(request_path.display()));
        }
        if reply_path.exists() {
            let reply = durable::read_plain(&reply_path)?;
            // Judged at its own time: the stop may have lasted longer than the window for fresh tokens.
            let token = tsp::verify_token(&tsp::token_of_reply(&reply)?, root, self.authorities.anchors())?;
            return Ok(Stamped { reply, token });
        }
        let stamped = self.authorities.stamp(&request, self.clock.as_ref())?;
        durable::write_new(&reply_path, &stamped.reply, durable::MODE_PLAIN)?;
        Ok(Stamped { reply: stamped.reply, token: stamped.token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_alone_has_a_run_of_its_own_and_series_keep_their_order() {
        let staged = |series: &str, number, alone| Staged {
            package: PackageRef { series: series.parse().unwrap(), number },
            root: crate::hash::Sha256::ZERO.into(),
            alone,
        };
        let all = vec![
            staged("generic", 4, false),
            staged("pec-log", 7, false),
            staged("pec-log", 8, true),
            staged("pec-message", 2, false),
            staged("pec-log", 9, true),
        ];
        let runs: Vec<Vec<String>> =
            runs(all).iter().map(|run| run.iter().map(|staged| staged.package.to_string()).collect()).collect();
        assert_eq!(runs, [vec!["pec-log/7"], vec!["pec-log/8"], vec!["pec-log/9"], vec!["generic/4", "pec-message/2"]]);
        assert!(super::runs(Vec::new()).is_empty());
    }
}
