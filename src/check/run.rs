//! One check, from beginning to end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::bounded;
use jiff::Timestamp;

use super::accounting::{self, Held, InJournal};
use super::adopted;
use super::package::{self, Looked};
use super::report::{Coverage, Finding, Findings, Place, Report};
use super::sealed::{self, OnChain, Sealed};
use super::{Mode, Scope, Subject, agreement, shared};
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
    Done(usize, Box<Looked>),
}

/// Checks. `progress` is told how many bytes of packages were read, of how many.
///
/// An error means that there is no archive to speak of; everything else, damage and what could not be read alike, is in
/// the report.
pub fn run(subject: &Subject<'_>, scope: &Scope, id: CheckId, progress: &dyn Fn(u64, u64)) -> Result<Report> {
    let mut run = Run {
        subject,
        scope,
        started_at: subject.clock.now(),
        findings: Findings::new(),
        coverage: Coverage::default(),
        held: Vec::new(),
        numbers_whole: true,
        read_in_full: BTreeSet::new(),
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
    if scope.mode == Mode::Full {
        run.findings.extend(super::stamps::judge(subject, &keys, &on_chain));
    }
    run.strangers(folders, &on_chain);
    run.packages(&on_chain, &keys, progress);
    run.catalog(&on_chain, facts.checkpoint.map_or(u64::MAX, |checkpoint| checkpoint.size), journal.as_ref());
    run.numbers(&on_chain, journal);
    run.coverage.oldest_full_check =
        on_chain.oldest_full_check(run.started_at, &|package| run.read_in_full.contains(package));
    run.coverage.not_looked_at = run.not_looked_at();
    let (outcome, findings) = run.findings.finish();
    Ok(Report {
        check: id,
        outcome,
        mode: scope.mode,
        started_at: run.started_at,
        finished_at: subject.clock.now(),
        coverage: run.coverage,
        findings,
        size: size.unwrap_or(0),
        unread: run.unread,
        bad_copies: run.bad_copies,
        good_copies: run.good_copies,
    })
}

struct Run<'a> {
    subject: &'a Subject<'a>,
    scope: &'a Scope,
    started_at: Timestamp,
    findings: Findings,
    coverage: Coverage,
    held: Vec<Held>,
    /// The numbers of every package could be read.
    numbers_whole: bool,
    read_in_full: BTreeSet<PackageRef>,
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

    fn packages(&mut self, on_chain: &OnChain, keys: &Reigns, progress: &dyn Fn(u64, u64)) {
        let wanted: Vec<&Sealed> = on_chain.packages.iter().filter(|s| self.scope.holds(&s.package)).collect();
        if let Some(only) = &self.scope.package
            && wanted.is_empty()
        {
            let place = Place { package: Some(only.clone()), ..Place::file(sealed::ENTRIES) };
            self.findings.push(Finding::new(Code::NotLookedAt, place, "the chain does not know this package"));
        }
        let (subject, mode, started_at) = (self.subject, self.scope.mode, self.started_at);
        let vaults: Vec<&Arc<dyn Vault>> = self.there.iter().map(|n| &subject.vaults[*n]).collect();
        let copies = subject.vaults.len() as u64;
        for sealed in &on_chain.packages {
            self.coverage.packages.total += 1;
            self.coverage.copies.total += copies;
            self.coverage.documents.total += sealed.object.documents;
            self.coverage.bytes.total += sealed.stored() * copies;
        }
        let total: u64 = wanted.iter().map(|sealed| sealed.stored() * vaults.len() as u64).sum();
        progress(0, total);
        let workers = thread::available_parallelism().map_or(1, usize::from).clamp(1, MOST_WORKERS).min(wanted.len());
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let (say, hear) = bounded::<Word>(64);
            for _ in 0..workers {
                let (say, wanted, next, vaults) = (say.clone(), &wanted, &next, &vaults);
                scope.spawn(move || {
                    while let Some((at, sealed)) = take(wanted, next) {
                        // Nobody stops hearing before the last word: a word that is not heard is no loss.
                        let mut told = |bytes| drop(say.send(Word::Bytes(bytes)));
                        let (known, recent) = ((sealed, &on_chain.holdings), sealed.at >= started_at);
                        let looked = package::look((subject, keys), vaults, known, mode, recent, &mut told);
                        drop(say.send(Word::Done(at, Box::new(looked))));
                    }
                });
            }
            drop(say);
            let mut done = 0;
            for word in hear {
                match word {
                    Word::Bytes(bytes) => {
                        done += bytes;
                        progress(done.min(total), total);
                    }
                    Word::Done(at, looked) => self.seen(wanted[at], *looked),
                }
            }
        });
        progress(total, total);
    }

    /// Takes in what was seen of one package.
    fn seen(&mut self, sealed: &Sealed, looked: Looked) {
        self.findings.extend(looked.findings);
        self.coverage.bytes.checked += looked.bytes;
        self.coverage.documents.checked += looked.documents;
        self.coverage.packages.checked += u64::from(looked.copies > 0);
        self.coverage.copies.checked += looked.copies;
        // Read in full is a package of which every copy was: a vault that is away makes the last full check look older.
        let whole = looked.whole && self.there.len() == self.subject.vaults.len();
        self.unread += u64::from(!whole);
        self.signatures += looked.signatures;
        if whole && self.scope.mode == Mode::Full {
            self.read_in_full.insert(sealed.package.clone());
        }
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
            numbers
        });
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
        for silent in self.subject.silent {
            name(true, &format!("witness {silent}: it did not answer"));
        }
        name(self.scope.mode == Mode::Quick, "documents, indexes and evidence inside the packages");
        let unknown = self.signatures > 0 && self.subject.trust.revocation().is_empty();
        name(unknown, "revocation of the certificates that packages are signed with");
        names
    }
}

fn take<'a>(wanted: &[&'a Sealed], next: &AtomicUsize) -> Option<(usize, &'a Sealed)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    wanted.get(at).map(|sealed| (at, *sealed))
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
