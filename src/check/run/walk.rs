//! The walk over packages: several at a time, in the order of the plan, as long as the pace allows, kept as it goes on.
//!
//! Invariant: whatever is begun ends in a word that is heard; what was ended in the middle is named, and was not looked at.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{RecvTimeoutError, bounded};
use jiff::Timestamp;

use super::Run;
use crate::chain::Reigns;
use crate::check::coverage::{Gathering, Seen};
use crate::check::pace::{self, Pace, Watch};
use crate::check::package::{self, Looked};
use crate::check::plan::{self, Taken};
use crate::check::report::{Finding, Outcome, Place};
use crate::check::sealed::{self, OnChain};
use crate::check::{Budget, Mode, agreement, legible};
use crate::error::Code;
use crate::id::PackageRef;
use crate::vault::Vault;

/// Packages looked at side by side: enough to keep a disk and two digests busy; each takes a few MiB of memory.
const MOST_WORKERS: usize = 4;
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

impl Run<'_> {
    /// Looks at packages, in the order of the plan. Gives how many milliseconds went by since the last part that was kept.
    pub(super) fn packages(&mut self, on_chain: &OnChain, keys: &Reigns, watch: &Watch<'_>) -> u64 {
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
}

/// The next package of the plan, as long as the pace allows.
fn take<'a, 'b>(plan: &'b [Taken<'a>], turn: &mut (usize, Pace)) -> Option<(usize, &'b Taken<'a>)> {
    let taken = plan.get(turn.0).filter(|taken| turn.1.may_begin(taken.bytes))?;
    turn.0 += 1;
    Some((turn.0 - 1, taken))
}
