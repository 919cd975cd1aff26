//! The report of a check that never came to its end, from what it had kept.
//!
//! Invariant: it says what the lines of the coverage ledger say, and nothing is good in it: what they do not name was not looked
//! at.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::coverage::{Part, Seen};
use super::report::{Coverage, Finding, Findings, Place, Report};
use super::waiting::Rolling;
use super::{Mode, Scope, sealed};
use crate::error::{Code, Result};
use crate::id::{CheckId, PackageRef};
use crate::vault::Vault;

/// What is known of such a check.
pub struct Interrupted<'a> {
    /// The archive's folder; its chain was verified.
    pub root: &'a Path,
    /// The check.
    pub id: CheckId,
    /// What was asked for, as far as it is known.
    pub scope: &'a Scope,
    /// When it began, when that is known.
    pub started_at: Option<Timestamp>,
    /// Its lines, each with the instant it was written at.
    pub parts: &'a [(Timestamp, Part)],
    /// The vaults there are.
    pub vaults: &'a [Arc<dyn Vault>],
    /// The present.
    pub now: Timestamp,
}

/// Makes the report.
pub fn interrupted(of: &Interrupted<'_>) -> Result<Report> {
    let on_chain = sealed::read(of.root, None)?;
    let mut findings = Findings::new();
    let detail = match of.parts.len() {
        0 => "nothing of it was kept".to_owned(),
        parts => format!("what follows is from the {parts} parts that it had kept"),
    };
    findings.push(Finding::new(Code::CheckInterrupted, Place::default(), &detail));
    let mut seen: BTreeMap<(usize, PackageRef), Seen> = BTreeMap::new();
    for copies in of.parts.iter().flat_map(|(_, part)| &part.copies) {
        let Some(vault) = of.vaults.iter().position(|vault| vault.id() == copies.vault) else { continue };
        for sealed in &on_chain.packages {
            let stretches = copies.packages.get(&sealed.package.series);
            let number = sealed.package.number;
            if stretches.is_some_and(|all| all.iter().any(|(first, last)| (*first..=*last).contains(&number))) {
                seen.insert((vault, sealed.package.clone()), copies.seen);
            }
        }
    }
    let mut coverage = Coverage::default();
    let mut bad_copies = Vec::new();
    coverage.bytes.checked = of.parts.iter().map(|(_, part)| part.bytes).sum();
    let copies = of.vaults.len() as u64;
    for sealed in &on_chain.packages {
        let all = (0..of.vaults.len()).filter_map(|n| Some((n, *seen.get(&(n, sealed.package.clone()))?)));
        let all: Vec<(usize, Seen)> = all.filter(|(_, seen)| seen.is_looked_at()).collect();
        let good = of.scope.mode == Mode::Full && all.iter().any(|(_, seen)| *seen == Seen::Good);
        coverage.packages.total += 1;
        coverage.copies.total += copies;
        coverage.documents.total += sealed.object.documents;
        coverage.bytes.total += sealed.stored() * copies;
        coverage.packages.checked += u64::from(!all.is_empty());
        coverage.copies.checked += all.len() as u64;
        coverage.documents.checked += if good { sealed.object.documents } else { 0 };
        let bad = all.iter().filter(|(_, seen)| *seen == Seen::Bad).map(|(n, _)| of.vaults[*n].name().to_owned());
        bad_copies.extend(bad.map(|vault| (sealed.package.clone(), vault)));
    }
    for (package, vault) in &bad_copies {
        let place = Place { package: Some(package.clone()), vault: Some(vault.clone()), ..Place::default() };
        findings.push(Finding::new(Code::CheckStillBad, place, ""));
    }
    for (package, code) in of.parts.iter().flat_map(|(_, part)| &part.codes) {
        let place = Place { package: Some(package.clone()), ..Place::default() };
        findings.push(Finding::new(*code, place, "seen before it was interrupted"));
    }
    coverage.not_looked_at = vec!["whatever the check had not kept before it was interrupted".to_owned()];
    let finished_at = of.parts.last().map(|(at, _)| *at).or(of.started_at).unwrap_or(of.now);
    let left = coverage.packages.total - coverage.packages.checked;
    let (outcome, findings) = findings.finish();
    Ok(Report {
        check: of.id,
        outcome,
        mode: of.scope.mode,
        interrupted: true,
        sample: None,
        rolling: of.scope.is_rolling().then(|| Rolling::new(of.scope, coverage.packages.total, left)),
        started_at: of.started_at.unwrap_or(finished_at),
        finished_at,
        coverage,
        findings,
        size: 0,
        unread: left,
        bad_copies,
        good_copies: Vec::new(),
        rest: None,
    })
}
