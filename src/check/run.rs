//! One check, from beginning to end.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{RecvTimeoutError, bounded};
use jiff::Timestamp;

use super::accounting::{self, Held, InJournal};
use super::adopted;
use super::coverage::{Coverage as Ledger, Gathering, Seen};
use super::pace::{self, Pace, Watch};
use super::package::{self, Looked};
use super::plan::{self, Taken};
use super::report::{Coverage, Finding, Findings, Outcome, Place, Report};
use super::sealed::{self, OnChain};
use super::{Budget, Mode, Scope, Subject, agreement, kept, legible, refusals, shared, waiting};
use crate::chain::{self, Reigns};
use crate::error::{AtPath, Code, Error, Result};
use crate::id::{CheckId, Lane, PackageRef, Sequence};
use crate::intake::journal::Unsealed;
use crate::vault::Vault;

/// Packages looked at side by side: enough to keep a disk and two digests busy; each takes a few MiB of memory.
const MOST_WORKERS: usize = 4;
/// The lane of an embedded archive.
const LANE: Lane = Lane(1);

/// What a worker says.
enum Word {
    Bytes(u64),
    /// A package, by its place in the plan; when it was begun; what was seen of it, unless it was ended in the middle.
    Done(usize, Timestamp, Option<Box<What>>),
}

/// What was seen of a package.
enum What {
    /// By a quick or a full check.
    Integrity(Looked),
    Legibility(legible::Looked),
}

impl What {
    fn is_good(&self) -> bool {
        let findings = match self {
            Self::Integrity(looked) => &looked.findings,
            Self::Legibility(looked) => &looked.findings,
        };
        findings.iter().all(|finding| finding.outcome == Outcome::Good)
    }
}

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
    run.ledger = Ledger::of(&std::mem::take(&mut facts.coverage), run.started_at);
    run.clock();
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

    /// Folders of packages in every vault that is there, and what is none; vaults that are not there are named.
    fn folders(&mut self) -> BTreeMap<usize, BTreeSet<PackageRef>> {
        // What is being sealed is published before its commit.
        let staged = staged(self.subject.root).unwrap_or_else(|error| {
            self.findings.push(Finding::of_error(&error, Place::file("staging")));
            BTreeSet::new()
        });
        let mut all = BTreeMap::new();
        for (n, vault) in self.subject.vaults.iter().enumerate() {
            let name = vault.name().to_owned();
            let place = |file: String| Place { vault: Some(name.clone()), ..Place::file(file) };
            if let Err(error) = vault.mounted() {
                // Said once; its copies are not looked at one by one.
                self.findings.push(Finding::of_error(&error, place("packages".to_owned())));
                continue;
            }
            self.there.push(n);
            if !self.scope.is_all() {
                continue;
            }
            let mut found = BTreeSet::new();
            let series = match vault.list_series() {
                Ok(listing) => listing,
                Err(error) => {
                    self.findings.push(Finding::of_error(&error, place("packages".to_owned())));
                    continue;
                }
            };
            let mut foreign: Vec<String> = series.foreign.iter().map(|name| format!("packages/{name}")).collect();
            // The folder that a disk's own check puts lost pieces into is the disk's.
            foreign.retain(|name| name != "packages/lost+found");
            for series in &series.items {
                match vault.list_packages(series) {
                    Ok(listing) => {
                        // A hidden folder is a package being copied, or one whose copy was interrupted: not published.
                        let names =
                            listing.foreign.iter().filter(|name| !(name.starts_with('.') && name.ends_with(".making")));
                        foreign.extend(names.map(|name| format!("packages/{series}/{name}")));
                        found.extend(listing.items);
                    }
                    Err(error) => self.findings.push(Finding::of_error(&error, place(format!("packages/{series}")))),
                }
            }
            self.findings.extend(foreign.into_iter().map(|name| Finding::new(Code::PackageForeign, place(name), "")));
            found.retain(|package: &PackageRef| !staged.contains(&format!("{}-{}", package.series, package.number)));
            all.insert(n, found);
        }
        all
    }

    /// Packages that were not looked at and whose folder is gone: that much a list of folders says of all of them.
    fn absent(&mut self, folders: &BTreeMap<usize, BTreeSet<PackageRef>>, on_chain: &OnChain) {
        for (n, folders) in folders {
            let vault = &self.subject.vaults[*n];
            for sealed in &on_chain.packages {
                let expected = on_chain.holdings.through(&sealed.package, vault.id()).is_some();
                if !expected || folders.contains(&sealed.package) || self.taken.contains(&(sealed.seq, *n)) {
                    continue;
                }
                // It may have been published since the folders were listed.
                if !matches!(vault.exists(&sealed.package), Ok(false)) || vault.mounted().is_err() {
                    continue;
                }
                let name = vault.name().to_owned();
                let place =
                    Place { package: Some(sealed.package.clone()), vault: Some(name.clone()), ..Place::default() };
                self.findings.push(Finding::new(Code::PackageMissing, place, ""));
                self.taken.insert((sealed.seq, *n));
                let seen = [(vault.id().to_owned(), Seen::Bad)];
                self.gathering.add(&sealed.package, self.started_at, 0, &seen, Some(Code::PackageMissing));
                self.bad_copies.push((sealed.package.clone(), name));
            }
        }
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

    fn strangers(&mut self, folders: BTreeMap<usize, BTreeSet<PackageRef>>, on_chain: &OnChain) {
        for (n, mut folders) in folders {
            for sealed in &on_chain.packages {
                folders.remove(&sealed.package);
            }
            let vault = self.subject.vaults[n].name();
            for package in folders {
                let place = Place { package: Some(package), vault: Some(vault.to_owned()), ..Place::default() };
                self.findings.push(Finding::new(Code::PackageUnknown, place, ""));
            }
        }
    }

    /// The clock has gone back since a check was noted: what was noted then is not believed.
    fn clock(&mut self) {
        if let Some(ahead) = self.ledger.ahead() {
            let detail = format!("a check was noted at {}", crate::clock::iso_ms(ahead));
            self.findings.push(Finding::new(Code::CheckAhead, Place::file("records/coverage.jsonl"), &detail));
        }
    }

    /// Looks at packages, in the order of the plan. Gives how many milliseconds went by since the last part that was kept.
    fn packages(&mut self, on_chain: &OnChain, keys: &Reigns, watch: &Watch<'_>) -> u64 {
        let (subject, scope, started_at, id) = (self.subject, self.scope, self.started_at, self.id);
        let known = |only: &PackageRef| on_chain.packages.iter().any(|sealed| sealed.package == *only);
        if let Some(only) = scope.package.as_ref().filter(|only| !known(only)) {
            let place = Place { package: Some(only.clone()), ..Place::file(sealed::ENTRIES) };
            self.findings.push(Finding::new(Code::NotLookedAt, place, "the chain does not know this package"));
        }
        let there: Vec<(usize, &Arc<dyn Vault>)> = self.there.iter().map(|n| (*n, &subject.vaults[*n])).collect();
        let copies = subject.vaults.len() as u64;
        for sealed in &on_chain.packages {
            self.coverage.packages.total += 1;
            self.coverage.copies.total += copies;
            self.coverage.documents.total += sealed.object.documents;
            self.coverage.bytes.total += sealed.stored() * copies;
        }
        let plan = plan::plan(scope, on_chain, &there, &self.ledger, started_at);
        let all: u64 = plan.iter().map(|taken| taken.bytes).sum();
        let total = match scope.budget {
            Some(Budget::Bytes(most)) => all.min(most.0),
            _ => all,
        };
        (watch.progress)(0, total);
        let pace = Pace::new(scope.budget);
        let vaults: BTreeMap<usize, Arc<dyn Vault>> = there.iter().map(|(n, vault)| (*n, pace.of(vault))).collect();
        let workers = thread::available_parallelism().map_or(1, usize::from).clamp(1, MOST_WORKERS).min(plan.len());
        let turn = Mutex::new((0, pace));
        // Whoever panics with it in hand leaves a count and a clock, which are whole.
        let lock = || turn.lock().unwrap_or_else(PoisonError::into_inner);
        thread::scope(|threads| {
            let (say, hear) = bounded::<Word>(64);
            for _ in 0..workers {
                let (say, plan, vaults, lock) = (say.clone(), &plan, &vaults, &lock);
                threads.spawn(move || {
                    loop {
                        let next = take(plan, &mut lock());
                        let Some((at, taken)) = next else { break };
                        // Nobody stops hearing before the last word: a word that is not heard is no loss.
                        let mut told = |bytes| drop(say.send(Word::Bytes(bytes)));
                        let begun = subject.clock.now();
                        let (known, recent) = ((taken.sealed, &on_chain.holdings), taken.sealed.at >= started_at);
                        let vaults: Vec<&Arc<dyn Vault>> = taken.vaults.iter().filter_map(|n| vaults.get(n)).collect();
                        let looked = match scope.mode {
                            Mode::Legibility => {
                                let asked = (id, scope.sample.as_ref());
                                What::Legibility(legible::look(&vaults, taken.sealed, asked, &mut told))
                            }
                            mode => {
                                let told = &mut told;
                                What::Integrity(package::look((subject, keys), &vaults, known, mode, recent, told))
                            }
                        };
                        // What a reader that was ended leaves may look like anything.
                        let cut = lock().1.is_over() && !looked.is_good();
                        drop(say.send(Word::Done(at, begun, (!cut).then(|| Box::new(looked)))));
                    }
                });
            }
            drop(say);
            let mut done = 0;
            loop {
                match hear.recv_timeout(pace::LOOK) {
                    Ok(Word::Bytes(bytes)) => {
                        done += bytes;
                        (watch.progress)(done.min(total), total);
                    }
                    Ok(Word::Done(at, begun, looked)) => self.done(&plan[at], begun, looked),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                let stop = (watch.stop)();
                self.interrupted |= stop;
                let mut turn = lock();
                turn.1.look(stop);
                if self.gathering.is_full() || turn.1.is_time_to_keep(watch.every) {
                    self.keep(&mut turn.1, watch);
                }
            }
        });
        (watch.progress)(total, total);
        let (begun, pace) = turn.into_inner().unwrap_or_else(PoisonError::into_inner);
        (self.due, self.left) = (plan.len() as u64, (plan.len() - begun) as u64);
        if self.interrupted {
            self.findings.push(Finding::new(
                Code::CheckInterrupted,
                Place::default(),
                "it was ended before it was through",
            ));
        }
        // A gap says something only when every package was asked for its numbers.
        self.numbers_whole &= begun == on_chain.packages.len();
        pace.ms()
    }

    /// Keeps what is finished.
    fn keep(&mut self, pace: &mut Pace, watch: &Watch<'_>) {
        let Some(part) = self.gathering.part(self.id, self.scope.mode, pace.ms()) else { return };
        if (watch.keep)(&part) {
            self.ledger.take(self.started_at, &part, self.started_at);
            self.gathering = Gathering::default();
            pace.was_kept();
        }
    }

    fn done(&mut self, taken: &Taken<'_>, begun: Timestamp, looked: Option<Box<What>>) {
        match looked.map(|looked| *looked) {
            Some(What::Integrity(looked)) => self.seen(taken, begun, looked),
            Some(What::Legibility(looked)) => self.decoded(taken, begun, looked),
            None => {
                self.unread += 1;
                self.numbers_whole = false;
                let place = Place { package: Some(taken.sealed.package.clone()), ..Place::default() };
                self.findings.push(Finding::new(Code::NotLookedAt, place, "the check was ended in the middle of it"));
            }
        }
    }

    /// Takes in what became of decoding the documents of a package. It says nothing of the files of its copies.
    fn decoded(&mut self, taken: &Taken<'_>, begun: Timestamp, looked: legible::Looked) {
        let wrong = looked.findings.iter().filter(|f| f.outcome != Outcome::Good);
        let code = wrong.min_by_key(|f| std::cmp::Reverse(f.outcome)).map(|f| f.code);
        self.findings.extend(looked.findings);
        self.coverage.documents.checked += looked.documents;
        self.coverage.packages.checked += u64::from(looked.seen.is_looked_at());
        self.unread += u64::from(!looked.seen.is_looked_at());
        self.taken.extend(taken.vaults.iter().map(|n| (taken.sealed.seq, *n)));
        let vault = looked.vault.and_then(|at| taken.vaults.get(at)).map(|n| self.subject.vaults[*n].id().to_owned());
        let seen: Vec<_> = vault.into_iter().map(|vault| (vault, looked.seen)).collect();
        self.gathering.add(&taken.sealed.package, begun, looked.bytes, &seen, code);
        self.numbers_whole = false;
    }

    /// Takes in what was seen of one package.
    fn seen(&mut self, taken: &Taken<'_>, begun: Timestamp, looked: Looked) {
        let sealed = taken.sealed;
        let wrong = looked.findings.iter().filter(|f| f.outcome != Outcome::Good);
        let code = wrong.min_by_key(|f| std::cmp::Reverse(f.outcome)).map(|f| f.code);
        self.findings.extend(looked.findings);
        self.coverage.bytes.checked += looked.bytes;
        self.coverage.documents.checked += looked.documents;
        self.coverage.packages.checked += u64::from(looked.copies > 0);
        self.coverage.copies.checked += looked.copies;
        // Read in full is a package of which every copy was: a vault that is away makes the last full check look older.
        let whole = looked.whole && self.there.len() == self.subject.vaults.len();
        self.unread += u64::from(!whole);
        self.signatures += looked.signatures;
        let mut seen = Vec::with_capacity(taken.vaults.len());
        for n in &taken.vaults {
            let vault = &self.subject.vaults[*n];
            let is_in = |names: &[String]| names.iter().any(|name| name == vault.name());
            let what = match (is_in(&looked.bad), is_in(&looked.good)) {
                (true, _) => Seen::Bad,
                (false, true) => Seen::Good,
                (false, false) => Seen::Unchecked,
            };
            seen.push((vault.id().to_owned(), what));
            self.taken.insert((sealed.seq, *n));
        }
        self.gathering.add(&sealed.package, begun, looked.bytes, &seen, code);
        let named = |vaults: Vec<String>| vaults.into_iter().map(|vault| (sealed.package.clone(), vault));
        self.bad_copies.extend(named(looked.bad));
        self.good_copies.extend(named(looked.good));
        match looked.numbers {
            Some(held) => self.held.push(held),
            None => self.numbers_whole = false,
        }
        if let Some(catalog) = self.subject.catalog {
            self.findings.extend(agreement::package(catalog, sealed, looked.ids.as_deref()));
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

/// The next package of the plan, as long as the pace allows.
fn take<'a, 'b>(plan: &'b [Taken<'a>], turn: &mut (usize, Pace)) -> Option<(usize, &'b Taken<'a>)> {
    let taken = plan.get(turn.0).filter(|taken| turn.1.may_begin(taken.bytes))?;
    turn.0 += 1;
    Some((turn.0 - 1, taken))
}

/// Names in `staging/`: the packages being made.
fn staged(root: &Path) -> Result<BTreeSet<String>> {
    let folder = root.join("staging");
    let entries = match std::fs::read_dir(&folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.at_path(&folder)?,
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let entry = entry.at_path(&folder)?;
        if entry.path().join("plan.json").is_file() {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}
