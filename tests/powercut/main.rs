//! What a power cut leaves (invariant I1): a simulated disk forgets what was not synced, at every single operation.
//!
//! The archive runs as always, in this process, on real files; `durable` writes down every operation it does on them. From
//! that log the disk as a power cut may leave it is built, before and after every operation, in every way that counts: only what
//! was synced, all of it, names without contents, contents without names, a write torn in the middle or with a hole, folders
//! written in another order. The archive is opened on each: nothing acknowledged is lost, nothing half done is seen, what
//! was interrupted can be done again, and the check finds it good. Then the same with one operation failing, for each in
//! turn: with an input/output error, with a full disk, with a process killed, started again, and *then* the power cut.
//!
//! Not simulated: what sled and tantivy write. The catalog is made again from the plain files, so every state gets a catalog
//! as it stood at its last sync, or one much older, or none.

#[cfg(debug_assertions)]
mod act;
#[allow(dead_code)]
#[path = "../crash/audit.rs"]
mod audit;
#[cfg(debug_assertions)]
mod cuts;
#[cfg(debug_assertions)]
mod disk;
#[cfg(debug_assertions)]
mod faults;
#[cfg(debug_assertions)]
mod judge;
#[cfg(debug_assertions)]
mod promise;
#[cfg(debug_assertions)]
mod record;
#[allow(dead_code)]
#[path = "../crash/sandbox.rs"]
mod sandbox;
#[cfg(debug_assertions)]
mod scenes;
#[cfg(debug_assertions)]
mod state;

/// Release builds have nothing between `durable` and the system, so there is nothing to write down.
#[cfg(not(debug_assertions))]
#[test]
fn not_run_in_a_release_build() {
    assert!(std::env::var_os("CI").is_none(), "NOT RUN: the simulated disk needs a debug build");
    eprintln!("NOT RUN: the simulated disk needs a debug build");
}
