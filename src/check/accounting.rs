//! Every number ever issued is accounted for (I1): in a package, in the journal, or set aside by recovery.
//!
//! Numbers are kept as runs, since a package's numbers are mostly consecutive: an archive of many millions of deposits
//! is counted in little memory. A number may stand in several packages, when the documents of its deposit were split; that
//! they do not hold the same document is asked where packages are at hand.

use std::collections::BTreeMap;

use super::report::{Finding, Place};
use super::sealed::Voided;
use crate::error::Code;
use crate::id::{Lane, PackageRef};
use crate::package::numbers::Numbers;

/// Gaps listed one by one.
const MAX_GAPS: usize = 20;
/// Pairs of packages that share a number and are held against each other; more are only said to be there.
pub(super) const MAX_PAIRS: usize = 1000;

/// First and last of consecutive numbers.
type Span = (u64, u64);

/// The numbers of one package.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub package: PackageRef,
    /// It was committed while this check ran, and may hold numbers that the journal gave after it was asked.
    pub recent: bool,
    runs: BTreeMap<Lane, Vec<Span>>,
}

impl Held {
    pub fn new(package: PackageRef, recent: bool, numbers: &Numbers) -> Self {
        let mut runs: BTreeMap<Lane, Vec<Span>> = BTreeMap::new();
        for (lane, number) in numbers.iter() {
            let runs = runs.entry(lane).or_default();
            match runs.last_mut() {
                Some(last) if last.1.checked_add(1) == Some(number.0) => last.1 = number.0,
                _ => runs.push((number.0, number.0)),
            }
        }
        Self { package, recent, runs }
    }
}

/// What the journal of a lane answers for.
#[derive(Debug, Clone)]
pub(super) struct InJournal {
    pub lane: Lane,
    /// Numbers with something unsealed.
    pub unsealed: Vec<u64>,
    /// Numbers set aside with a torn tail.
    pub voided: Vec<Span>,
    /// The highest number ever issued.
    pub highest: u64,
}

/// What the numbers say.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub findings: Vec<Finding>,
    /// Packages (by position) with numbers in common, and how many.
    pub shared: Vec<(usize, usize, u64)>,
}

/// Accounts for every number. `complete` says that the numbers of every package could be read: otherwise a gap says
/// nothing. Without a journal the end is not known, but what is missing before the highest sealed number may be in it.
pub(super) fn account(packages: &[Held], journal: Option<&InJournal>, complete: bool) -> Account {
    let mut account = Account::default();
    let mut lanes: BTreeMap<Lane, Vec<(u64, u64, usize)>> = BTreeMap::new();
    for (at, held) in packages.iter().enumerate() {
        for (lane, runs) in &held.runs {
            lanes.entry(*lane).or_default().extend(runs.iter().map(|run| (run.0, run.1, at)));
        }
    }
    for runs in lanes.values_mut() {
        runs.sort_unstable();
        account.overlaps(runs);
    }
    account.zero(packages, &lanes);
    let Some(journal) = journal else { return account };
    for (lane, runs) in &lanes {
        for (_, last, at) in runs {
            let issued = if *lane == journal.lane { journal.highest } else { 0 };
            if *last > issued && !packages[*at].recent {
                let place =
                    Place { package: Some(packages[*at].package.clone()), ..Place::file(crate::package::NUMBERS) };
                let detail = format!("number {last} of lane {lane}, the last one issued is {issued}");
                account.findings.push(Finding::new(Code::NumbersDisagree, place, &detail));
            }
        }
    }
    if complete {
        account.gaps(lanes.get(&journal.lane).map_or(&[], Vec::as_slice), journal);
    }
    account
}

/// Numbers that recovery set aside although they had been acknowledged: whoever has their receipts is owed their documents.
pub(super) fn lost(voided: &[Voided]) -> Vec<Finding> {
    let lost = voided.iter().filter(|voided| voided.numbers.first <= voided.acknowledged);
    let one = |voided: &Voided| {
        let (first, last) = (voided.numbers.first, voided.numbers.last.min(voided.acknowledged));
        let detail = format!(
            "{} of lane {}: acknowledged, and lost with the end of the journal",
            which(first, last),
            voided.lane
        );
        Finding::new(Code::NumbersDisagree, Place::file(format!("intake/lane-{:04}", voided.lane.0)), &detail)
    };
    lost.map(one).collect()
}

fn which(first: u64, last: u64) -> String {
    if first == last { format!("number {first}") } else { format!("numbers {first} to {last}") }
}

impl Account {
    fn zero(&mut self, packages: &[Held], lanes: &BTreeMap<Lane, Vec<(u64, u64, usize)>>) {
        for (first, _, at) in lanes.values().flatten() {
            if *first == 0 {
                let place =
                    Place { package: Some(packages[*at].package.clone()), ..Place::file(crate::package::NUMBERS) };
                self.findings.push(Finding::new(Code::NumbersDisagree, place, "number 0 is never issued"));
            }
        }
    }

    /// Packages with numbers in common.
    fn overlaps(&mut self, runs: &[(u64, u64, usize)]) {
        let mut open: Vec<(u64, u64, usize)> = Vec::new();
        let mut shared: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for run in runs {
            open.retain(|earlier| earlier.1 >= run.0);
            for earlier in &open {
                let pair = (earlier.2.min(run.2), earlier.2.max(run.2));
                if shared.len() < MAX_PAIRS || shared.contains_key(&pair) {
                    *shared.entry(pair).or_default() += earlier.1.min(run.1) - run.0 + 1;
                }
            }
            open.push(*run);
        }
        self.shared.extend(shared.into_iter().map(|((a, b), count)| (a, b, count)));
    }

    fn gaps(&mut self, sealed: &[(u64, u64, usize)], journal: &InJournal) {
        let mut all: Vec<Span> = sealed.iter().map(|run| (run.0, run.1)).collect();
        all.extend(journal.unsealed.iter().map(|number| (*number, *number)));
        all.extend(&journal.voided);
        all.sort_unstable();
        all.push((journal.highest.saturating_add(1), u64::MAX));
        let (mut next, mut gaps, mut missing) = (1_u64, 0, 0_u64);
        for (first, last) in all {
            let first = first.min(journal.highest.saturating_add(1));
            if first > next {
                gaps += 1;
                missing += first - next;
                if gaps <= MAX_GAPS {
                    self.gap(next, first - 1, journal.lane);
                }
            }
            next = next.max(last.saturating_add(1));
        }
        if gaps > MAX_GAPS {
            let detail = format!("{missing} numbers of lane {} are missing in {gaps} stretches", journal.lane);
            self.findings.push(Finding::new(Code::NumbersDisagree, Place::default(), &detail));
        }
    }

    fn gap(&mut self, first: u64, last: u64, lane: Lane) {
        let detail = format!("{} of lane {lane}: in no package, not in the journal, not set aside", which(first, last));
        let place = Place::file(format!("intake/lane-{:04}", lane.0));
        self.findings.push(Finding::new(Code::NumbersDisagree, place, &detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Sequence;

    fn held(name: &str, numbers: &[u64]) -> Held {
        let numbers: Numbers = numbers.iter().map(|n| (Lane(1), Sequence(*n))).collect();
        Held::new(name.parse().unwrap(), false, &numbers)
    }

    fn journal(unsealed: &[u64], voided: &[Span], highest: u64) -> InJournal {
        InJournal { lane: Lane(1), unsealed: unsealed.to_vec(), voided: voided.to_vec(), highest }
    }

    fn details(account: &Account) -> Vec<String> {
        account.findings.iter().map(|f| f.message.split(": ").skip(1).collect::<Vec<_>>().join(": ")).collect()
    }

    #[test]
    fn everything_accounted_for_says_nothing() {
        let packages = [held("a/1", &[1, 2, 5]), held("b/1", &[3, 9])];
        let account = account(&packages, Some(&journal(&[4, 8, 9], &[(6, 7)], 9)), true);
        assert!(account.findings.is_empty(), "{:?}", account.findings);
        assert!(account.shared.is_empty());
        assert!(super::account(&[], Some(&journal(&[], &[], 0)), true).findings.is_empty());
    }

    #[test]
    fn a_missing_number_is_named_wherever_it_is() {
        let packages = [held("a/1", &[2, 5])];
        let account = account(&packages, Some(&journal(&[], &[], 7)), true);
        let expected = ["number 1 of lane 1", "numbers 3 to 4 of lane 1", "numbers 6 to 7 of lane 1"];
        let found = details(&account);
        assert_eq!(found.len(), 3);
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
        assert!(account.findings.iter().all(|f| f.outcome == super::super::Outcome::Bad));
        // The same without the journal, or with numbers that could not be read, says nothing of gaps.
        assert!(super::account(&packages, None, true).findings.is_empty());
        assert!(super::account(&packages, Some(&journal(&[], &[], 7)), false).findings.is_empty());
    }

    #[test]
    fn a_number_never_issued_is_bad_unless_it_may_have_come_meanwhile() {
        let mut packages = [held("a/1", &[1, 2, 3])];
        let of = |packages: &[Held]| details(&account(packages, Some(&journal(&[], &[], 2)), true));
        assert_eq!(of(&packages), ["number 3 of lane 1, the last one issued is 2"]);
        packages[0].recent = true;
        assert!(of(&packages).is_empty());
        assert_eq!(details(&account(&[held("a/1", &[0, 1])], None, true)), ["number 0 is never issued"]);
    }

    #[test]
    fn numbers_in_several_packages_are_given_to_be_compared() {
        let packages = [held("a/1", &[1, 2, 3, 7]), held("b/1", &[3, 4, 7]), held("c/1", &[5, 6])];
        let account = account(&packages, Some(&journal(&[], &[], 7)), true);
        assert!(account.findings.is_empty());
        assert_eq!(account.shared, [(0, 1, 2)]);
    }

    #[test]
    fn what_was_set_aside_after_it_was_acknowledged_is_lost() {
        let voided = |first, last, acknowledged| {
            let numbers = super::super::sealed::Numbers { first, last };
            Voided { lane: Lane(1), acknowledged, numbers }
        };
        assert!(lost(&[voided(5, 7, 4), voided(9, 9, 8)]).is_empty());
        let found = lost(&[voided(5, 7, 4), voided(5, 7, 6), voided(9, 9, 20)]);
        assert_eq!(found.len(), 2);
        assert!(found[0].message.contains("numbers 5 to 6 of lane 1: acknowledged, and lost"), "{found:?}");
        assert!(found[1].message.contains("number 9 of lane 1") && found[1].outcome == super::super::Outcome::Bad);
    }

    #[test]
    fn many_gaps_are_summed_up() {
        let numbers: Vec<u64> = (1..=200).map(|n| n * 2).collect();
        let account = account(&[held("a/1", &numbers)], Some(&journal(&[], &[], 400)), true);
        assert_eq!(account.findings.len(), MAX_GAPS + 1);
        assert!(
            account.findings.last().unwrap().message.contains("200 numbers of lane 1 are missing in 200 stretches")
        );
    }
}
