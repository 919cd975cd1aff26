//! One check, from beginning to end.

mod folders;
mod walk;

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;

use super::accounting::{self, Held, InJournal};
use super::adopted;
use super::coverage::{Coverage as Ledger, Gathering};
use super::pace::Watch;
use super::report::{Coverage, Finding, Findings, Place, Report};
use super::sealed::{self, OnChain};
use super::{Mode, Scope, Subject, agreement, kept, refusals, shared, waiting};
use crate::chain::{self, RecordFile, Reigns};
use crate::error::{Code, Error, Result};
use crate::id::{CheckId, Lane, PackageRef, Sequence};
use crate::intake::journal::Unsealed;

/// The lane of an embedded archive.
const LANE: Lane = Lane(1);

/// Checks.
///
/// An error means that there is no archive to speak of; everything else, damage and what could not be read alike, is in
/// the report.
pub fn run(subject: &Subject<'_>, scope: &Scope, id: CheckId, watch: &Watch<'_>) -> Result<Report> {
    let mut run = Run {
        subject,
        scope,
        id,
        started_at: subject.clock.now(),
        findings: Findings::new(),
        coverage: Coverage::default(),
        held: Vec::new(),
        numbers_whole: true,
        ledger: Ledger::default(),
        gathering: Gathering::default(),
        taken: HashSet::new(),
        due: 0,
        left: 0,
        interrupted: false,
        there: Vec::new(),
        bad_copies: Vec::new(),
        good_copies: Vec::new(),
        unread: 0,
        signatures: 0,
    };
    run.findings.extend(subject.opening.iter().map(Finding::of_opening));
    // In this order: what was unsealed, or published and not committed, when we looked is committed at the latest in the
    // chain read after it.
    let journal = run.journal();
    let folders = run.folders();
    let adopted = adopted::present(subject.root);
    let reports = kept::present(subject.root);
    let (mut facts, seen) =
        chain::verify::verify_against(subject.root, Some(subject.vkey), subject.claims, subject.witnesses);
    run.coverage.witnessed = std::mem::take(&mut facts.compared);
    run.findings.extend(seen.iter().map(Finding::of_room));
    let keys = facts.keys.take().unwrap_or_else(|| Reigns::only(subject.vkey.clone()));
    let size = facts.checkpoint.as_ref().map(|checkpoint| checkpoint.size);
    let mut on_chain = match sealed::read(subject.root, size) {
        Ok(on_chain) => on_chain,
        Err(error) => {
            run.findings.push(Finding::of_error(&error, Place::file(sealed::ENTRIES)));
            OnChain::default()
        }
    };
    run.findings.extend(std::mem::take(&mut on_chain.findings));
    run.findings.extend(on_chain.series());
    run.findings.extend(adopted::judge(subject.root, &adopted, &on_chain.adopted));
    if scope.is_all() {
        run.findings.extend(kept::judge(subject.root, &reports, &on_chain.kept, id));
        run.findings.extend(refusals::judge(subject.root, &on_chain.refusals));
    }
    if scope.mode == Mode::Full {
        run.findings.extend(super::stamps::judge(subject, &keys, &on_chain));
    }
    run.read_ledger(facts.coverage.take());
    let ms = run.packages(&on_chain, &keys, watch);
    run.absent(&folders, &on_chain);
    run.strangers(folders, &on_chain);
    run.catalog(&on_chain, facts.checkpoint.map_or(u64::MAX, |checkpoint| checkpoint.size), journal.as_ref());
    run.numbers(&on_chain, journal);
    let rest = run.gathering.part(id, scope.mode, ms);
    if let Some(rest) = &rest {
        run.ledger.take(run.started_at, rest, run.started_at);
    }
    run.waiting(&on_chain);
    run.coverage.not_looked_at = run.not_looked_at();
    let (outcome, findings) = run.findings.finish();
    Ok(Report {
        check: id,
        outcome,
        mode: scope.mode,
        interrupted: run.interrupted,
        rolling: scope.is_rolling().then(|| waiting::Rolling::new(scope, run.due, run.left)),
        sample: scope.sample.clone().filter(|_| scope.mode == Mode::Legibility),
        started_at: run.started_at,
        finished_at: subject.clock.now(),
        coverage: run.coverage,
        findings,
        size: size.unwrap_or(0),
        unread: run.unread,
        bad_copies: run.bad_copies,
        good_copies: run.good_copies,
        rest,
    })
}

struct Run<'a> {
    subject: &'a Subject<'a>,
    scope: &'a Scope,
    id: CheckId,
    started_at: Timestamp,
    findings: Findings,
    coverage: Coverage,
    held: Vec<Held>,
    /// The numbers of every package could be read.
    numbers_whole: bool,
    /// What checks looked at, this one's kept parts among them.
    ledger: Ledger,
    /// What is finished and not kept yet.
    gathering: Gathering,
    /// Copies that were looked at: the entry of the package, and the place of the vault in the list.
    taken: HashSet<(u64, usize)>,
    /// Packages that were to be looked at, and those that the budget left out.
    due: u64,
    left: u64,
    /// Somebody ended it.
    interrupted: bool,
    /// Vaults that are there, by their place in the list.
    there: Vec<usize>,
    bad_copies: Vec<(PackageRef, String)>,
    good_copies: Vec<(PackageRef, String)>,
    unread: u64,
    /// Signatures in the legal sense that were judged.
    signatures: u64,
}

/// What the journal held when the check began.
struct FromJournal {
    unsealed: Vec<Unsealed>,
    numbers: InJournal,
}

impl Run<'_> {
    fn journal(&mut self) -> Option<FromJournal> {
        let journal = self.subject.journal.filter(|_| self.scope.is_all())?;
        // Before the chain is read: what is released later is on the chain by then.
        let unsealed = journal.unsealed(Sequence(0), usize::MAX);
        let verified = match journal.verify() {
            Ok(verified) => verified,
            Err(error) => {
                self.findings.push(Finding::of_error(&error, Place::file("intake")));
                return None;
            }
        };
        self.findings.extend(verified.findings.iter().map(Finding::of_room));
        let last = unsealed.last().map_or(0, |record| record.sequence.0);
        // Numbers given while the journal was being read are not for this check; `next` alone would count them in.
        let next = verified.next.map_or(0, |next| next.0.saturating_sub(1));
        let unseen: BTreeSet<u64> = journal.unsealed(Sequence(last), usize::MAX).iter().map(|r| r.sequence.0).collect();
        let highest = unseen.first().map_or(next, |first| next.min(first - 1)).max(last);
        let numbers = InJournal {
            lane: LANE,
            unsealed: unsealed.iter().map(|record| record.sequence.0).collect(),
            voided: verified.voided.iter().map(|(first, last)| (first.0, last.0)).collect(),
            highest,
        };
        Some(FromJournal { unsealed, numbers })
    }

    /// What waits: how old everything is, and, for a rolling check, what it knows of what it did not look at.
    fn waiting(&mut self, on_chain: &OnChain) {
        let waiting = waiting::Waiting {
            subject: self.subject,
            scope: self.scope,
            on_chain,
            ledger: &self.ledger,
            taken: &self.taken,
            now: self.started_at,
        };
        (self.coverage.oldest, self.coverage.deadlines) = waiting.ages();
        self.coverage.oldest_full_check = self.coverage.oldest.get(&Mode::Full).copied().flatten();
        let found = waiting.findings();
        self.findings.extend(found);
    }

    /// What earlier checks looked at. When the clock has gone back since one of them, its instant is not believed.
    fn read_ledger(&mut self, lines: Option<RecordFile>) {
        let (ledger, now) = (&mut self.ledger, self.started_at);
        let read = lines.map_or(Ok(()), |lines| lines.each(&mut |line| ledger.take_line(line, now)));
        if let Err(error) = read {
            self.findings.push(Finding::of_error(&error, Place::file("records/coverage.jsonl")));
        }
        if let Some(ahead) = self.ledger.ahead() {
            let detail = format!("a check was noted at {}", crate::clock::iso_ms(ahead));
            let place = Place::file("records/coverage.jsonl");
            // What a check reads by itself is no less read for it; only what it leaves out hangs on when it was looked at.
            let finding = if self.scope.is_rolling() { Finding::new } else { Finding::note };
            self.findings.push(finding(Code::CheckAhead, place, &detail));
        }
    }

    fn catalog(&mut self, on_chain: &OnChain, size: u64, journal: Option<&FromJournal>) {
        if !self.scope.is_all() {
            return;
        }
        let failed = |error| vec![Finding::of_error(&error, Place::file("catalog"))];
        if let Some(catalog) = self.subject.catalog {
            self.findings.extend(agreement::packages(catalog, on_chain, size).unwrap_or_else(failed));
        }
        if let (Some(index), Some(journal)) = (self.subject.unsealed, journal) {
            let sealed = self.subject.catalog;
            self.findings.extend(agreement::unsealed(&journal.unsealed, index, sealed).unwrap_or_else(failed));
        }
    }

    fn numbers(&mut self, on_chain: &OnChain, journal: Option<FromJournal>) {
        if !self.scope.is_all() {
            return;
        }
        let numbers = journal.map(|journal| {
            let mut numbers = journal.numbers;
            let voided = on_chain.voided.iter().filter(|voided| voided.lane == numbers.lane);
            numbers.voided.extend(voided.map(|voided| (voided.numbers.first, voided.numbers.last)));
            // What was acknowledged before the journal was asked is in it, or was sealed since.
            let told = on_chain.issued.iter().filter(|told| told.lane == numbers.lane && told.at < self.started_at);
            numbers.highest = told.map(|told| told.issued).fold(numbers.highest, u64::max);
            numbers
        });
        self.findings.extend(accounting::lost(&on_chain.voided));
        self.held.sort_by(|a, b| a.package.cmp(&b.package));
        let account = accounting::account(&self.held, numbers.as_ref(), self.numbers_whole);
        self.findings.extend(account.findings);
        if account.shared.len() >= accounting::MAX_PAIRS {
            let detail = "too many packages have numbers in common; not all of them were held against each other";
            self.findings.push(Finding::new(Code::NotLookedAt, Place::default(), detail));
        }
        for (a, b, count) in account.shared {
            let (a, b) = (&self.held[a].package, &self.held[b].package);
            // Any copy that opens will do: each was held against the chain.
            let compare = |n: &usize| shared::compare(&self.subject.vaults[*n], a, b, count);
            let compared = self.there.iter().map(compare).reduce(|one, other| one.or(other));
            let away = || Err(Error::new(Code::NotLookedAt, "no vault is there"));
            match compared.unwrap_or_else(away) {
                Ok(findings) => self.findings.extend(findings),
                Err(error) => {
                    let place = Place { package: Some(b.clone()), ..Place::default() };
                    self.findings.push(Finding::of_error(&error, place));
                }
            }
        }
    }

    /// What was not looked at, by name; what was not asked for is named too.
    fn not_looked_at(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut name = |not: bool, what: &str| {
            if not {
                names.push(what.to_owned());
            }
        };
        let scoped = !self.scope.is_all();
        name(self.subject.catalog.is_none(), "catalog");
        name(scoped || self.subject.journal.is_none(), "journal");
        name(scoped, "packages out of scope");
        let in_all = if scoped { None } else { self.coverage.packages.total.checked_sub(self.due) };
        if let Some(not_due) = in_all.filter(|not_due| self.scope.is_rolling() && *not_due > 0) {
            name(true, &format!("{not_due} packages that were not due, but for their folders"));
        }
        name(self.left > 0, &format!("{} packages that were due: the check ended before them", self.left));
        name(!scoped && !self.numbers_whole, "whether every number is in a package or in the journal");
        for silent in self.subject.silent {
            name(true, &format!("witness {silent}: it did not answer"));
        }
        name(self.scope.mode == Mode::Quick, "documents, indexes and evidence inside the packages");
        let legibility = self.scope.mode == Mode::Legibility;
        name(legibility, "files, indexes and evidence of the packages: legibility is no integrity");
        if let Some(sample) = self.scope.sample.as_ref().filter(|_| legibility) {
            name(true, &format!("documents outside of the sample ({}, {})", sample.manual, sample.clause));
        }
        let unknown = self.signatures > 0 && self.subject.trust.revocation().is_empty();
        name(unknown, "revocation of the certificates that packages are signed with");
        names
    }
}
