//! Every damage to every component of an archive is found, has a code, and is located: the mutation table of `docs/integrity.md`.
//!
//! One archive with every kind of content is made with the real program. To every kind of file in it every damage is done, by
//! accident and on purpose; after each the archive is checked, and must not be good. The same is gone through with a check that looks
//! at nothing: it must fail everywhere, or this test asserts nothing.

mod cell;
mod component;
mod exceptions;
mod file;
mod insider;
mod judge;
mod living;
mod made;
#[allow(dead_code)]
#[path = "../support/seal.rs"]
mod seal;
mod stand;
mod table;
mod whole;

use std::collections::BTreeSet;
use std::time::Instant;

use cell::Cell;
use judge::{Blind, Checker as _, Real};
use made::Made;
use stand::Stand;

/// Of the random damages: the same each time.
const SEED: u64 = 5;

/// Every damage there is, component by component in the order of the table.
fn cells(made: &Made) -> Vec<Cell> {
    let stand = Stand::new(&made.now(), &made.beside("first"));
    let older = |name: &str| std::fs::read(made.older().join(name)).ok();
    let mut cells = file::cells(&stand, &older, SEED);
    cells.extend(whole::packages(made));
    cells.extend(whole::foreign());
    cells.extend(whole::older(made));
    cells.extend(living::ends());
    cells.extend(living::beside());
    cells.extend(living::catalog(&stand));
    cells.extend(insider::cells());
    let place = |cell: &Cell| component::ALL.iter().position(|(name, _)| *name == cell.component).unwrap_or(usize::MAX);
    cells.sort_by_key(place);
    cells
}

#[test]
fn every_damage_is_found_and_located_and_a_check_that_looks_at_nothing_finds_none() {
    let started = Instant::now();
    let made = Made::new();
    println!("an archive with everything: {:?}", started.elapsed());
    for mode in ["quick", "full"] {
        let (stopped, opened) = Real.opened(&made.now(), &made.beside("undamaged"), mode);
        let at_rest = Real.at_rest(&made.now(), mode);
        assert!(stopped.is_none() && opened.outcome == "good" && at_rest.outcome == "good", "{opened} {at_rest}");
    }
    let cells = cells(&made);
    let listed: BTreeSet<_> = cells.iter().map(|cell| (cell.component, cell.damage)).collect();
    assert_eq!(listed.len(), cells.len(), "two cells have one name");
    for (name, _) in component::ALL {
        assert!(cells.iter().any(|cell| cell.component == *name), "nothing is done to {name}");
    }
    exceptions::ALL.iter().for_each(|exception| exception.must_be_done(&listed));

    let outcome = table::go_through(&made, &cells, &Real);
    println!(
        "{} damages of {} kinds, random ones of seed {SEED}: {:?}",
        outcome.damages,
        cells.len(),
        started.elapsed()
    );
    assert!(outcome.missed.is_empty(), "{} damages:\n{}", outcome.missed.len(), outcome.missed.join("\n"));
    assert!(outcome.damages > 1000, "only {} damages", outcome.damages);

    let blind = table::go_through(&made, &cells, &Blind);
    assert_eq!(
        (blind.missed.len() as u64, blind.damages),
        (blind.due, outcome.damages),
        "a damage that nobody has to find"
    );
    let due = cells.iter().filter(|cell| exceptions::of(cell).is_none());
    assert_eq!(blind.broken, due.map(|cell| (cell.component, cell.damage)).collect::<BTreeSet<_>>());

    table::up_to_date("docs/integrity.md", &table::render(&cells, &outcome));
}
