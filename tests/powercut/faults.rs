//! One operation fails, for each in turn; then the power goes.

use custode::durable::trial::Fault;
use custode::error::{Code, Error, Result};

use super::act::{Hand, open};
use super::cuts::{each, seed};
use super::disk::Disk;
use super::judge::judge;
use super::promise::Promise;
use super::record::Stage;
use super::scenes::{self, Scene, Template};
use super::state::{Luck, Tree};

/// What whoever is there may be told.
const SAID: [Code; 5] = [Code::DiskFull, Code::Io, Code::JournalClosed, Code::ChainClosed, Code::CatalogDamaged];

/// Tries in the same process before it is started again.
const TRIES: usize = 4;

fn told_well(error: &Error, when: &str) {
    assert!(SAID.contains(&error.code), "{when}: {error}");
}

/// Does the scene until it is done, as people do who are told of an error; in a process that is started again when it does
/// not get well by itself.
fn in_the_end(scene: &Scene, stage: &Stage, template: &Template, promises: &mut Vec<Promise>, when: &str) {
    let root = stage.sandbox.root();
    for start in 0..4 {
        let archive = match open(&root, scene.ahead) {
            Ok(archive) => archive,
            Err(error) => {
                told_well(&error, when);
                stage.watched.fail(None);
                continue;
            }
        };
        let manager = &template.manager;
        let mut hand = Hand { archive, root: &root, manager, promises, watched: Some(&stage.watched) };
        let done = (0..TRIES).any(|attempt| match (scene.act)(&mut hand) {
            Ok(()) => true,
            Err(error) => {
                told_well(&error, when);
                // As long as a closed journal waits before it tries again.
                let pause = if error.code == Code::Io { 0 } else { 300 };
                std::thread::sleep(std::time::Duration::from_millis(if attempt > 0 { pause } else { 0 }));
                false
            }
        });
        let closed: Result<()> = hand.archive.close();
        if let Err(error) = &closed {
            told_well(error, when);
        }
        drop(hand);
        // What failed while closing is for the next start to make good.
        let struck = stage.watched.fail(None);
        if done && closed.is_ok() && !struck {
            return;
        }
        assert!(start < 3, "{when}: never done again");
    }
}

/// Nothing of what comes after the fault is on the disk that was not synced, and what a failed sync dropped never is.
fn judge_after(scene: &Scene, template: &Template, fault: Fault) -> bool {
    let stage = Stage::new(&template.sandbox);
    let mut disk = Disk::of(&stage.sandbox.path(""), &stage.sandbox.root().join("catalog"));
    let mut promises = template.promises.clone();
    stage.watched.fail(Some(fault));
    let when = format!("{}, {fault:?}", scene.name);
    in_the_end(scene, &stage, template, &mut promises, &when);
    let (Fault::Io(at) | Fault::Full(at) | Fault::Dead(at)) = fault;
    if stage.watched.operations() < at {
        return false;
    }
    let events = stage.events();
    events.iter().for_each(|event| disk.play(event));
    let when = format!("{when} ({})", stage.watched.name_of(at));
    let catalog = stage.catalog(events.len());
    judge(scene, &Tree::of(&disk, Luck::Nothing), Some(&catalog), &promises, &template.manager, &when);
    true
}

/// Everything that can go wrong with an operation.
const KINDS: [fn(u64) -> Fault; 3] = [Fault::Io, Fault::Full, Fault::Dead];

/// Makes operations of a scene fail: of every `stride` in turn one, each time in another way; all of them in every way with
/// `CUSTODE_TEST_EVERY_STEP`.
fn fail_everywhere(scene: Scene, stride: u64) {
    let started = std::time::Instant::now();
    let template = (scene.template)();
    let operations = {
        let stage = Stage::new(&template.sandbox);
        let mut promises = template.promises.clone();
        in_the_end(&scene, &stage, &template, &mut promises, scene.name);
        stage.watched.operations()
    };
    let all = (1..=operations).flat_map(|at| KINDS.map(|kind| kind(at)));
    let stride = if std::env::var_os("CUSTODE_TEST_EVERY_STEP").is_some() { 1 } else { stride };
    let faults: Vec<Fault> = all.skip((seed() % stride) as usize).step_by(stride as usize).collect();
    let failed = std::sync::Mutex::new(Vec::new());
    each(&faults, |fault| {
        let judged = std::panic::catch_unwind(|| judge_after(&scene, &template, *fault));
        if judged.is_err() {
            failed.lock().unwrap().push(format!("{fault:?}"));
        }
    });
    let failed = failed.into_inner().unwrap();
    let (tried, seconds) = (faults.len(), started.elapsed().as_secs_f64());
    println!(
        "{}: {operations} operations, {tried} failures of {}, {seconds:.1} s; seed {}",
        scene.name,
        3 * operations,
        seed()
    );
    assert!(failed.is_empty(), "{}: {} of {tried}:\n{}", scene.name, failed.len(), failed.join("\n"));
}

// Not multiples of three, or it would always be the same way.

#[test]
fn a_deposit_one_of_whose_operations_fails_loses_nothing() {
    fail_everywhere(scenes::DEPOSIT, 2);
}

#[test]
fn a_sealing_one_of_whose_operations_fails_loses_nothing() {
    fail_everywhere(scenes::SEAL, 14);
}

#[test]
fn a_renewal_one_of_whose_operations_fails_loses_nothing() {
    fail_everywhere(scenes::RENEW_STAMP, 29);
    fail_everywhere(scenes::RENEW_TREE, 29);
}

#[test]
fn a_night_one_of_whose_operations_fails_loses_nothing() {
    fail_everywhere(scenes::NIGHTLY, 19);
}

#[test]
fn an_act_one_of_whose_operations_fails_loses_nothing() {
    fail_everywhere(scenes::ACTS, 11);
}
