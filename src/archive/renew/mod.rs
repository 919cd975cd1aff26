//! Renewal of evidence: before certificates end and algorithms grow weak (RFC 4998 section 5; Linee guida AgID 4.7).
//!
//! `ages` says what the newest token of each package and of each stamp of the chain rests on, `plan` when that ends and how
//! long renewing takes, `run` renews in steps that a stop may fall between, `stamp` and `rehash` are the two methods for
//! packages, `stamps` has both for the chain's. Invariant: the
//! `renewal` entry on the chain is the commit of a generation; what stands in a package without one is in nobody's view.
//! Nothing is renewed twice: a run that a stop left half done is finished before another begins, a reply that was stored is
//! never asked for again, and a generation follows the one before.

mod ages;
mod commit;
mod index;
mod plan;
mod read;
mod rehash;
mod run;
mod stamp;
mod stamps;

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Archive;
use super::access::{Action, Actor};
use crate::error::{Code, Error, Finding, Result};
use crate::evidence::digest::Algorithm;
use crate::id::new_uuid;
use crate::package::generation::Method;
use crate::units::Size;
use run::Run;

pub(super) use index::Renewals;
pub(super) use plan::{Ending, Task};

/// Bytes that a night re-reads for hash-tree renewals: some minutes of a disk, so that the check has the rest of the night.
const A_NIGHT: u64 = 64 << 30;
/// Bytes of documents that one run re-reads: a token then proves what was done, however much is left.
const A_RUN: u64 = 256 << 30;

/// What is to be renewed.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// Cover what no configured anchor proves (a trial's time-stamps) with a time-stamp of a configured authority.
    #[serde(default)]
    pub restamp: bool,
    /// At most so many bytes of documents are read again (`10GiB`); the rest goes on another time.
    pub budget: Option<String>,
}

/// What a renewal did.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// A line a run.
    pub runs: Vec<Value>,
    /// What could not be renewed, and why.
    pub findings: Vec<Finding>,
    /// Packages and stamps that are due and were left for another time.
    pub left: u64,
}

impl Report {
    pub fn to_json(&self) -> Value {
        json!({ "runs": self.runs, "findings": self.findings, "left": self.left })
    }
}

/// Told packages done, of how many.
pub(super) type Progress<'a> = &'a dyn Fn(u64, u64);

impl Archive {
    /// Gives a renewal its identifier; what was asked for is looked at before it starts.
    pub fn begin_renewal(&self, actor: &Actor, request: &RenewRequest) -> Result<Uuid> {
        self.may(actor, Action::Seal)?;
        budget(request)?;
        if request.restamp && self.config.tsa.authorities.is_empty() {
            let detail = "tsa.authorities: a development authority proves nothing, so it cannot prove it again";
            return Err(Error::new(Code::ConfigMissing, detail));
        }
        Ok(new_uuid(self.clock.now()))
    }

    /// Whether the caller may see how renewals stand.
    pub fn may_see_renewals(&self, actor: &Actor) -> Result<()> {
        self.may(actor, Action::Check)
    }

    /// Renews what is due: first what a stop left half done, then by the nearest end.
    pub fn renew(&self, actor: &Actor, request: &RenewRequest, progress: Progress<'_>) -> Result<Value> {
        self.begin_renewal(actor, request)?;
        let budget = budget(request)?.unwrap_or(u64::MAX);
        self.renew_within(budget, request.restamp, progress).map(|report| report.to_json())
    }

    /// A night's renewals.
    pub(super) fn renew_nightly(&self) -> Result<Report> {
        self.renew_within(A_NIGHT, false, &|_, _| {})
    }

    fn renew_within(&self, budget: u64, restamp: bool, progress: Progress<'_>) -> Result<Report> {
        let _one_at_a_time = self.renewals.working();
        self.heal()?;
        // Asked before a token is paid for that could not be committed.
        self.witnesses.may_take(&self.ledger)?;
        let mut report = Report::default();
        for run in Run::pending(&self.layout.staging(), &self.staging_key)? {
            self.go_on(run, &mut report, progress)?;
        }
        let now = self.clock.now();
        let mut tasks: Vec<Task> = self.tasks(&mut report.findings)?;
        let wanted = |task: &Task| match task.ending {
            Ending::Untrusted => restamp,
            _ => task.is_due(now),
        };
        let due: HashSet<(Method, Algorithm)> =
            tasks.iter().filter(|task| wanted(task)).map(|task| (task.method, task.algorithm)).collect();
        tasks.retain(|task| wanted(task) || task.goes_along(now) && due.contains(&(task.method, task.algorithm)));
        // What is due goes before what only goes along, when there is a budget.
        tasks.sort_by_key(|task| (!wanted(task), task.deadline));
        let mut left = budget;
        for (method, algorithm, packages) in plan::runs(tasks, A_RUN) {
            let (packages, over) = match method {
                Method::TimeStamp => (packages, 0),
                Method::HashTree => within(packages, &mut left),
            };
            report.left += over;
            if !packages.is_empty() {
                let run = self.fix_run(method, algorithm, packages)?;
                self.go_on(run, &mut report, progress)?;
            }
        }
        Ok(report)
    }
}

fn budget(request: &RenewRequest) -> Result<Option<u64>> {
    let read = |text: &String| {
        text.parse::<Size>()
            .map(|size| size.0)
            .map_err(|_| Error::new(Code::Usage, "expected 10GiB or the like").at("budget"))
    };
    request.budget.as_ref().map(read).transpose()
}

/// The packages that the budget allows, and how many it does not. One is always taken, however large: else it never would.
fn within(packages: Vec<ages::Aging>, left: &mut u64) -> (Vec<ages::Aging>, u64) {
    let all = packages.len();
    let mut taken = Vec::new();
    for package in packages {
        if *left == 0 || !taken.is_empty() && package.bytes > *left {
            break;
        }
        *left = left.saturating_sub(package.bytes.max(1));
        taken.push(package);
    }
    let over = all - taken.len();
    (taken, over as u64)
}
