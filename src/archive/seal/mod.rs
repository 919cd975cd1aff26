//! A closing run: from accepted to sealed (formats, "Sealing: one commit point").
//!
//! Invariant: the chain entry is the commit. Before it nothing of a package is visible to any reader, and everything made
//! so far is in `staging/`, from which the next run goes on; a plan is never abandoned. After it the catalog learns of the
//! package and the journal lets go. One time-stamp a run: `staging/run.json` fixes which packages share it before it is
//! asked for, and a stored reply is never asked for twice.

mod cohorts;
mod groups;
mod publish;
mod sign;
mod stage;
mod stamp;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Archive;
use super::access::{Action, Actor};
use crate::catalog::{Catalog as _, Query};
use crate::clock::Forward;
use crate::error::{Code, Error, Finding, Result};
use crate::id::{ClassId, DocumentId, PackageRef};
use crate::package::writer::Staging;

pub(super) use cohorts::Cohorts;

/// What a closing run did.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The packages committed.
    pub sealed: Vec<Value>,
    /// What could not be sealed and why; it stays in the journal.
    pub findings: Vec<Finding>,
}

impl Report {
    fn to_json(&self) -> Value {
        json!({ "sealed": self.sealed, "findings": self.findings })
    }
}

impl Archive {
    /// Closes open packages now, of this class or of all.
    pub fn seal(&self, actor: &Actor, class: Option<&ClassId>) -> Result<Value> {
        actor.may(Action::Seal, class)?;
        self.gather_revocation();
        Ok(self.close_packages(class, true)?.to_json())
    }

    /// A closing run. `asked`: whatever is open is closed; else only what its closing rule closes. First the run that a stop
    /// left half done, with its own token; then what is open now.
    pub(super) fn close_packages(&self, class: Option<&ClassId>, asked: bool) -> Result<Report> {
        let _one_at_a_time = self.sealing();
        self.copies_are_allowed()?;
        // Before a time-stamp is paid for that no entry could name.
        self.witnesses.may_take(&self.ledger)?;
        self.heal()?;
        self.clock_went_on()?;
        let mut report = Report::default();
        let mut unsigned = sign::Unsigned::default();
        if let Some(run) = stamp::Run::pending(&self.layout.staging())? {
            // Nothing is taken as made because it was made once: a stop may have lasted for hours.
            self.resume_staged(&run.packages, &mut unsigned, &mut report)?;
            self.mend_trust(&run)?;
            self.finish_run(run, &mut report)?;
        }
        let mut staged = self.resume_staged(&[], &mut unsigned, &mut report)?;
        // What a plan names already is in its package, however little of that is made: never in a second one.
        let plans = Staging::pending(&self.layout.staging(), &self.staging_key)?;
        let planned: BTreeSet<DocumentId> =
            plans.iter().flat_map(|staging| staging.plan().documents.iter().map(|d| d.id)).collect();
        let mut ends = stage::Ends::new();
        for group in self.closable(class, asked, &planned, &mut report)? {
            // More packages would only wait; their documents wait in the journal as well.
            if unsigned.signer_failed() {
                break;
            }
            staged.extend(self.stage(group, &mut ends, &mut unsigned, &mut report)?);
        }
        let runs = stamp::runs(staged);
        self.seal_trust(runs.iter().flatten().map(|staged| &staged.package))?;
        for packages in runs {
            let run = stamp::Run::fix(&self.layout.staging(), &packages)?;
            self.finish_run(run, &mut report)?;
        }
        match unsigned.into_failure() {
            // Nothing was done, and why stands in one error, as when no time-stamping authority answers.
            Some(error) if report.sealed.is_empty() => Err(error),
            _ => Ok(report),
        }
    }

    /// Puts into packages being made what is at hand of revocation: all of it gathered first, whatever package it is for. A run that is
    /// fixed has packages that may be in a vault already, so this comes before.
    fn seal_trust<'a>(&self, packages: impl Iterator<Item = &'a PackageRef>) -> Result<()> {
        let open = |package| Staging::open(&self.staging_of(package), &self.staging_key);
        let all = packages.map(open).collect::<Result<Vec<_>>>()?;
        let gathered = self.gather_at_hand(all.iter())?;
        all.iter().try_for_each(|staging| {
            self.seal_revocation(staging, &gathered)?;
            self.seal_signer(staging)
        })
    }

    /// What of a fixed run has a `trust/` that is not as the archive made it, is given it again; what had none gets none.
    fn mend_trust(&self, run: &stamp::Run) -> Result<()> {
        let mut altered = Vec::new();
        for package in run.packages.iter().filter(|package| Staging::holds_plan(&self.staging_of(package))) {
            let staging = Staging::open(&self.staging_of(package), &self.staging_key)?;
            if self.committed(package)?.is_none() && !staging.trust_is_whole()? {
                staging.forget_trust()?;
                altered.push(package);
            }
        }
        self.seal_trust(altered.into_iter())
    }

    /// No package is made under a clock that is behind what was already written: its time-stamp would be earlier than its
    /// documents.
    fn clock_went_on(&self) -> Result<()> {
        let mut last = self.ledger.entry(self.ledger.head().size.saturating_sub(1))?.at;
        let newest = self.unsealed.search(&Query { limit: 1, ..Query::default() })?;
        if let Some(row) = newest.rows.first() {
            last = last.max(row.accepted_at);
        }
        Forward::after(last).now(self.clock.as_ref()).map(drop)
    }

    fn finish_run(&self, run: stamp::Run, report: &mut Report) -> Result<()> {
        let stamped = self.stamp(&run)?;
        report.findings.extend(stamped.findings.iter().cloned());
        for package in &run.packages {
            if let Some(facts) = self.publish(package, &run, &stamped)? {
                if let Some(term) = facts["late"].as_str() {
                    let detail = format!("its term was {term}");
                    report.findings.push(Finding::warning(Code::PecLogLate, package.to_string(), detail));
                }
                report.sealed.push(facts);
            }
        }
        self.was_sealed();
        run.remove()
    }

    /// The folder of a package being made.
    pub(super) fn staging_of(&self, package: &PackageRef) -> std::path::PathBuf {
        self.layout.staging().join(format!("{}-{}", package.series, package.number))
    }

    /// At opening: what was committed but not yet let go.
    pub(super) fn finish_committed(&self) -> Result<()> {
        for staging in Staging::pending(&self.layout.staging(), &self.staging_key)? {
            if self.committed(&staging.plan().package)?.is_some() {
                self.let_go(staging)?;
            }
        }
        Ok(())
    }

    /// What a document that cannot be sealed looks like in a report.
    fn left_behind(error: &Error, place: impl std::fmt::Display) -> Finding {
        tracing::error!(code = error.code.as_str(), %place, "left in the journal");
        Finding::error(error.code, place.to_string(), &error.detail)
    }
}
