//! `custode repair`: bad and missing copies are put right from good ones.
//!
//! Invariant: nothing is taken from a copy that was not read in full and held against the chain; what no copy has right is
//! named with what stands in its place everywhere and with the documents it concerns, and nothing about it is touched.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::act::{Found, MOST_FILES, Plan, PlannedFile, quarantine_name};
use super::survey::{CopySeen, State, Survey};
use crate::archive::Archive;
use crate::archive::access::{Action, Actor};
use crate::error::{Code, Error, Finding, Result};
use crate::id::{PackageRef, new_uuid};

/// Documents named in a report; how many there are is always said.
const NAMED: usize = 1000;

/// What is to be repaired.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepairRequest {
    /// Only this package, as SERIES/N.
    pub package: Option<String>,
    /// Only copies in this vault.
    pub vault: Option<String>,
    /// Only says what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a repair did.
#[derive(Debug, Default)]
pub(in crate::archive) struct Repaired {
    /// Packages looked at.
    packages: u64,
    /// A line an act.
    restored: Vec<Value>,
    /// Copies that lagged and do no more.
    copied: Vec<Value>,
    /// Files that no copy has right.
    left: Vec<Value>,
    /// What could not be looked at or written, and why.
    findings: Vec<Finding>,
}

impl Repaired {
    pub fn to_json(&self, id: Uuid, dry_run: bool) -> Value {
        let outcome = match (self.left.is_empty(), self.findings.is_empty(), dry_run && !self.restored.is_empty()) {
            (true, true, false) => "good",
            (true, false, false) => "unchecked",
            _ => "bad",
        };
        json!({
            "repair": id, "outcome": outcome, "dry_run": dry_run, "packages": self.packages, "restored": self.restored,
            "copied": self.copied, "left": self.left, "findings": self.findings,
        })
    }
}

impl Archive {
    /// Gives a repair its identifier; what was asked for is looked at before it starts.
    pub fn begin_repair(&self, actor: &Actor, request: &RepairRequest) -> Result<Uuid> {
        self.may(actor, Action::Technical)?;
        self.wanted_packages(request)?;
        if let Some(name) = &request.vault
            && self.copies.kept.iter().all(|kept| kept.vault.name() != name)
        {
            return Err(Error::new(Code::NotFound, "no such vault").at(name));
        }
        Ok(new_uuid(self.clock.now()))
    }

    /// Whether the caller may see how repairs stand.
    pub fn may_see_repairs(&self, actor: &Actor) -> Result<()> {
        self.may(actor, Action::Check)
    }

    fn wanted_packages(&self, request: &RepairRequest) -> Result<Vec<PackageRef>> {
        match &request.package {
            Some(text) => {
                let package: PackageRef = text.parse()?;
                self.package_entry(&package).map(|_| vec![package])
            }
            None => {
                let mut all: Vec<_> = self.catalog.packages(None)?.into_iter().map(|row| row.package).collect();
                all.sort();
                Ok(all)
            }
        }
    }

    /// Repairs. `progress` is told bytes read, of how many.
    pub fn repair(
        &self,
        actor: &Actor,
        id: Uuid,
        request: &RepairRequest,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Value> {
        self.begin_repair(actor, request)?;
        let packages = self.wanted_packages(request)?;
        let done = self.repair_packages(actor.who.0, &packages, request, progress)?;
        Ok(done.to_json(id, request.dry_run))
    }

    /// Ends what a stop left half done; what is still in its way is in the log, and in the check.
    pub(in crate::archive) fn finish_repairs_nightly(&self) {
        let _one_at_a_time = self.copies.working();
        if let Err(error) = self.finish_repairs() {
            let (code, place) = (error.code.as_str(), &error.place);
            tracing::error!(code, %place, "a repair is not finished: {}", error.detail);
        }
    }

    /// What a night repairs by itself, when it may: the copies known to be bad.
    pub(in crate::archive) fn repair_nightly(&self) -> Result<Option<Value>> {
        let wanted: BTreeSet<PackageRef> =
            self.copies.suspects.all().into_iter().map(|(package, ..)| package).collect();
        if !self.config.repair_automatic || wanted.is_empty() || self.witnesses.held().is_some() {
            return Ok(None);
        }
        let packages: Vec<PackageRef> = wanted.into_iter().collect();
        let done = self.repair_packages(Uuid::nil(), &packages, &RepairRequest::default(), &|_, _| {})?;
        Ok(Some(done.to_json(new_uuid(self.clock.now()), false)))
    }

    fn repair_packages(
        &self,
        by: Uuid,
        packages: &[PackageRef],
        request: &RepairRequest,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Repaired> {
        let mut done = Repaired::default();
        if !request.dry_run {
            // Before bytes are moved that no entry could name.
            self.witnesses.may_take(&self.ledger)?;
            let _one_at_a_time = self.copies.working();
            self.finish_repairs()?;
        }
        let mut total = 0;
        for package in packages {
            let stored: u64 = self.committed_files(package)?.files.iter().map(|file| file.length).sum();
            total += stored * self.copies.kept.len() as u64;
        }
        let mut read = 0;
        let mut away = BTreeSet::new();
        for package in packages {
            if self.is_ending() {
                done.findings.push(Finding::warning(
                    Code::NotLookedAt,
                    package.to_string(),
                    "the archive is being closed",
                ));
                break;
            }
            if !request.dry_run {
                let caught = self.catch_up_copies((Some(package), request.vault.as_deref()));
                done.copied.extend(caught.copied);
            }
            let _one_at_a_time = self.copies.working();
            let survey = self.survey(package, &mut |bytes| {
                read += bytes;
                progress(read.min(total), total);
            })?;
            for (vault, error) in &survey.away {
                if request.vault.as_ref().is_none_or(|only| only == vault) && away.insert(vault.clone()) {
                    let place = format!("vault {vault}");
                    done.findings.push(Finding::warning(error.code, place, error.detail.clone()));
                }
            }
            done.packages += 1;
            self.repair_package(by, package, &survey, request, &mut done);
        }
        progress(total, total);
        Ok(done)
    }

    fn repair_package(
        &self,
        by: Uuid,
        package: &PackageRef,
        survey: &Survey<'_>,
        request: &RepairRequest,
        done: &mut Repaired,
    ) {
        let wanted = |copy: &&CopySeen<'_>| request.vault.as_ref().is_none_or(|only| only == copy.vault().name());
        let mut lost = BTreeSet::new();
        for copy in survey.copies.iter().filter(wanted) {
            let bad = copy.bad();
            if bad.is_empty() {
                self.copies.suspects.clear(package, copy.vault().name());
                continue;
            }
            let (mine, none): (Vec<usize>, Vec<usize>) = bad.iter().partition(|n| survey.good(**n).is_some());
            lost.extend(none.iter().copied());
            if !copy.folder && !none.is_empty() {
                // Half a package is never made.
                continue;
            }
            let parts: Vec<&[usize]> = if copy.folder { mine.chunks(MOST_FILES).collect() } else { vec![&mine] };
            let last = parts.len();
            for (n, part) in parts.into_iter().enumerate() {
                let whole_after = none.is_empty() && n + 1 == last;
                let plan = self.plan(by, package, survey, copy, part, whole_after);
                let entry = match request.dry_run {
                    true => None,
                    false => match self.repair_by(&plan, &survey.sources()) {
                        Ok(entry) => Some(entry),
                        Err(error) => {
                            let place = format!("{package}, vault {}", copy.vault().name());
                            let detail = format!("{}: {}", error.place, error.detail);
                            done.findings.push(Finding::error(error.code, place, detail));
                            break;
                        }
                    },
                };
                let files: Vec<Value> = part
                    .iter()
                    .map(|n| {
                        json!({
                            "name": survey.files[*n].name, "was": copy.states[*n].to_text(),
                        })
                    })
                    .collect();
                done.restored.push(json!({
                    "package": package, "vault": plan.name, "files": files, "from": plan.from, "entry": entry,
                    "quarantine": plan.files.iter().filter_map(|f| Some(f.found.as_ref()?.quarantine.clone())).collect::<Vec<_>>(),
                }));
            }
        }
        if !lost.is_empty() {
            done.left.extend(self.what_is_left(package, survey, &lost));
        }
    }

    fn plan(
        &self,
        by: Uuid,
        package: &PackageRef,
        survey: &Survey<'_>,
        copy: &CopySeen<'_>,
        part: &[usize],
        whole_after: bool,
    ) -> Plan {
        let now = self.clock.now();
        let (id, size) = (new_uuid(now), self.ledger.head().size);
        let vault = copy.vault();
        let found = |n: usize, length: u64, sha256| {
            let quarantine = quarantine_name(now, vault.name(), package, &survey.files[n].name, id);
            Some(Found { sha256, length, quarantine })
        };
        let file = |n: &usize| PlannedFile {
            facts: survey.files[*n].clone(),
            found: match &copy.states[*n] {
                State::Altered(digests, length) => found(*n, *length, Some(digests.sha256)),
                State::Unreadable(_) => found(*n, 0, None),
                State::Good | State::Missing | State::NotPlain => None,
            },
        };
        let from = part.iter().filter_map(|n| survey.good(*n)).map(|copy| copy.vault().name().to_owned());
        Plan {
            id,
            by,
            package: package.clone(),
            vault: vault.id().to_owned(),
            name: vault.name().to_owned(),
            whole: !copy.folder,
            files: part.iter().map(file).collect(),
            from: from.collect::<BTreeSet<_>>().into_iter().collect(),
            through: whole_after.then(|| size.saturating_sub(1)),
            size,
        }
    }

    /// What no copy has right: the file, what stands in its place in every vault, and the documents it concerns.
    fn what_is_left(&self, package: &PackageRef, survey: &Survey<'_>, lost: &BTreeSet<usize>) -> Vec<Value> {
        let mut documents = None;
        let one = |n: &usize| {
            let file = &survey.files[*n];
            let seen = survey.copies.iter().map(|copy| {
                json!({
                    "vault": copy.vault().name(), "state": copy.states[*n].to_text(),
                })
            });
            let away = survey
                .away
                .iter()
                .map(|(vault, error)| json!({ "vault": vault, "state": format!("away: {}", error.detail) }));
            let affected = match file.name.as_str() {
                crate::package::CONTENT => documents.get_or_insert_with(|| self.affected(package, survey)).clone(),
                // Everything of the package rests on these; no single document is lost with them.
                _ => Some(Vec::new()),
            };
            json!({
                "code": Code::CopiesLost, "package": package, "file": file.name, "length": file.length, "sha256": file.sha256,
                "message": Code::CopiesLost.text(crate::error::Lang::En), "next": Code::CopiesLost.hint(crate::error::Lang::En),
                "copies": seen.chain(away).collect::<Vec<_>>(),
                "documents_affected": affected.as_ref().map(Vec::len),
                "documents": affected.map(|all| all.into_iter().take(NAMED).collect::<Vec<_>>()),
            })
        };
        lost.iter().map(one).collect()
    }
}
