//! The power goes before and after every operation of every scene.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::act::{Hand, open};
use super::disk::Disk;
use super::judge::judge;
use super::record::{Catalog, Stage};
use super::scenes::{self, Scene};
use super::state::{Luck, Tree};

/// Seed of the dice: another run finds other states, and says which seed it had.
pub fn seed() -> u64 {
    let given = std::env::var("CUSTODE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

/// A disk to be judged, with the most that was promised of it.
struct Case {
    tree: Tree,
    promises: usize,
    events: usize,
    when: String,
}

/// Does this for every item, on as many threads as the machine has.
pub fn each<T: Sync>(items: &[T], judge: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let hands = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..hands {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::SeqCst)) {
                    judge(item);
                }
            });
        }
    });
}

fn cut_everywhere(scene: Scene) {
    let started = Instant::now();
    let template = (scene.template)();
    let stage = Stage::new(&template.sandbox);
    let mut disk = Disk::of(&stage.sandbox.path(""), &stage.sandbox.root().join("catalog"));
    let mut promises = template.promises.clone();
    let given = promises.len();
    {
        let root = stage.sandbox.root();
        let archive = open(&root, scene.ahead).unwrap();
        let manager = &template.manager;
        let mut hand = Hand { archive, root: &root, manager, promises: &mut promises, watched: Some(&stage.watched) };
        (scene.act)(&mut hand).unwrap();
        hand.archive.close().unwrap();
    }
    let events = stage.events();
    let mut cases: Vec<Case> = Vec::new();
    let mut known: HashMap<[u8; 32], usize> = HashMap::new();
    let mut promised = given;
    for at in 0..=events.len() {
        if at > 0 {
            disk.play(&events[at - 1]);
            if let custode::durable::trial::Event::Mark(progress) = events[at - 1] {
                promised = progress;
            }
        }
        for luck in Luck::all(seed() ^ (at as u64) << 8) {
            let tree = Tree::of(&disk, luck);
            let case = *known.entry(tree.digest()).or_insert_with(|| {
                let last = at.checked_sub(1).map(|at| events[at].to_string()).unwrap_or_default();
                let when = format!("{}, after event {at} of {} ({last}), {luck:?}", scene.name, events.len());
                cases.push(Case { tree, promises: promised, events: at, when });
                cases.len() - 1
            });
            // The same disk again, when more had been promised: it is judged by that.
            cases[case].promises = promised;
        }
    }
    println!(
        "{}: {} operations, {} events, {} disks; seed {}",
        scene.name,
        stage.watched.operations(),
        events.len(),
        cases.len(),
        seed()
    );
    let numbered: Vec<(usize, &Case)> = cases.iter().enumerate().collect();
    let failed = std::sync::Mutex::new(Vec::new());
    each(&numbered, |(number, case)| {
        // Now and then the catalog is very old, or gone.
        let catalog: Option<Catalog> = match number % 8 {
            0 => None,
            1 => Some(stage.catalog(0)),
            _ => Some(stage.catalog(case.events)),
        };
        let promises = &promises[..case.promises];
        let judged = std::panic::catch_unwind(|| {
            judge(&scene, &case.tree, catalog.as_ref(), promises, &template.manager, &case.when);
        });
        if judged.is_err() {
            failed.lock().unwrap().push(case.when.clone());
        }
    });
    let failed = failed.into_inner().unwrap();
    println!("{}: judged in {:.1} s", scene.name, started.elapsed().as_secs_f64());
    assert!(cases.len() > events.len() / 4, "too few disks: something is no longer written down");
    assert!(failed.is_empty(), "{} of {} disks:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn a_deposit_is_there_or_not_wherever_the_power_goes() {
    cut_everywhere(scenes::DEPOSIT);
}

#[test]
fn a_refusal_is_kept_or_not_wherever_the_power_goes() {
    cut_everywhere(scenes::REFUSAL);
}

#[test]
fn a_sealing_is_completed_wherever_the_power_goes() {
    cut_everywhere(scenes::SEAL);
}

#[test]
fn a_time_stamp_renewal_is_completed_wherever_the_power_goes() {
    cut_everywhere(scenes::RENEW_STAMP);
}

#[test]
fn a_hash_tree_renewal_is_completed_wherever_the_power_goes() {
    cut_everywhere(scenes::RENEW_TREE);
}

#[test]
fn a_night_is_completed_wherever_the_power_goes() {
    cut_everywhere(scenes::NIGHTLY);
}

#[test]
fn a_reindex_is_completed_wherever_the_power_goes() {
    cut_everywhere(scenes::REINDEX);
}

#[test]
fn acts_are_made_or_not_wherever_the_power_goes() {
    cut_everywhere(scenes::ACTS);
}
