//! A full or failing disk at every durable step, of deposits and of sealing: nobody is told what is not true, and the same
//! process goes on when the disk does.

use std::time::Duration;

use serde_json::json;

use super::audit;
use super::sandbox::{Acknowledged, Caller, Sandbox, Told, Wish};
use super::sealing::{each_step, template};

/// The codes a client may hear.
const SAID: [&str; 5] = ["disk-full", "io", "intake/closed", "chain/closed", "catalog-damaged"];

fn told_well(told: &Told, what: &str) {
    let code = told.code();
    assert!(SAID.contains(&code.as_str()), "{what}: {} {}", told.status, String::from_utf8_lossy(&told.body));
    assert!(code != "disk-full" || told.status == 503, "{what}: a full disk is answered {}", told.status);
    assert!(matches!(told.status, 500 | 503), "{what}: {}", told.status);
}

/// Deposits until it is accepted: one failure of the disk must not cost more than a moment.
fn in_the_end(caller: &Caller, wish: &Wish, what: &str) -> (Acknowledged, bool) {
    for attempt in 0..40 {
        let told = caller.deposit(wish).unwrap_or_else(|| panic!("{what}: no answer"));
        if matches!(told.status, 200 | 201) {
            return (Acknowledged::of(wish.clone(), &told), attempt > 0);
        }
        told_well(&told, what);
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what}: intake never opens again")
}

/// Reading records an access first: when that fails it is told, and the next reading is good. Says whether one failed.
fn read_in_the_end(caller: &Caller, all: &[Acknowledged], what: &str) -> bool {
    let mut failed = false;
    for one in all {
        let path = format!("/v1/documents/{}/content", one.document);
        let mut told = caller.get(&path).unwrap();
        if told.status != 200 {
            told_well(&told, what);
            failed = true;
            told = caller.get(&path).unwrap();
        }
        assert_eq!(told.status, 200, "{what}: {}", told.code());
        assert!(told.body == one.wish.body, "{what}: number {} is altered", one.sequence);
    }
    failed
}

fn deposits(error: &str) -> u64 {
    let fresh = Sandbox::new();
    each_step(5, |step| {
        let what = format!("{error} at step {step}");
        let sandbox = fresh.twin();
        let server = match sandbox.serve_with(&[("CUSTODE_TEST_FAIL", &format!("{error}@{step}"))]) {
            Ok(server) => server,
            Err(told) => {
                let clear = if error == "enospc" { "disk-full" } else { "io" };
                assert!(told.contains(clear), "{what}: the start fails without saying why: {told}");
                sandbox.serve().kill();
                return true;
            }
        };
        let mut failed = false;
        let mut all = Vec::new();
        for (number, length) in [(1, 100), (2, 90_000), (3, 1_300_000)] {
            let (one, late) = in_the_end(&server.caller, &Wish::new(number, length), &what);
            failed |= late;
            all.push(one);
        }
        for one in &all {
            // The body of a repetition is taken in like any other: that may be the step that fails, and it is told.
            let repeat = || server.caller.deposit(&one.wish).unwrap_or_else(|| panic!("{what}: no answer"));
            let mut told = repeat();
            if told.status != 200 {
                told_well(&told, &what);
                failed = true;
                told = repeat();
            }
            assert_eq!(told.status, 200, "{what}: number {} was taken twice", one.sequence);
            assert!(told.body == one.receipt, "{what}: the replayed receipt of number {} differs", one.sequence);
        }
        failed |= read_in_the_end(&server.caller, &all, &what);
        // Not stopped cleanly: what was acknowledged does not depend on that.
        server.kill();
        sandbox.json(&["seal"]);
        let sealed = audit::sealed(&sandbox, &all);
        assert_eq!(sealed.documents.len(), all.len(), "{what}");
        failed
    })
}

#[test]
fn a_full_disk_while_depositing() {
    println!("deposits under ENOSPC: {} durable steps", deposits("enospc"));
}

#[test]
fn a_failing_disk_while_depositing() {
    println!("deposits under EIO: {} durable steps", deposits("eio"));
}

fn sealing(error: &str, stride: u64) -> u64 {
    let (template, acknowledged) = template();
    each_step(stride, |step| {
        let what = format!("{error} at step {step}");
        let sandbox = template.twin();
        let Ok(server) = sandbox.serve_with(&[("CUSTODE_TEST_FAIL", &format!("{error}@{step}"))]) else {
            return true;
        };
        let mut failed = false;
        let mut open = true;
        for _ in 0..5 {
            let told = server.caller.post("/v1/seal", &json!({})).expect("an answer");
            if told.status == 200 {
                open = false;
                break;
            }
            told_well(&told, &what);
            failed = true;
            // Intake goes on while sealing does not.
        }
        assert!(!open, "{what}: the server never seals again");
        failed |= read_in_the_end(&server.caller, &acknowledged, &what);
        let (late, again) = in_the_end(&server.caller, &Wish::new(77, 10), &what);
        failed |= again;
        server.kill();
        sandbox.json(&["seal"]);
        let mut all = acknowledged.clone();
        all.push(late);
        let sealed = audit::sealed(&sandbox, &all);
        assert_eq!((sealed.packages, sealed.documents.len()), (4, all.len()), "{what}");
        failed
    })
}

#[test]
fn a_full_disk_while_sealing() {
    println!("sealing under ENOSPC: {} durable steps", sealing("enospc", 19));
}

#[test]
fn a_failing_disk_while_sealing() {
    println!("sealing under EIO: {} durable steps", sealing("eio", 29));
}

#[test]
fn a_disk_that_stays_full_loses_nothing() {
    let (template, acknowledged) = template();
    for step in [12, 40] {
        let sandbox = template.twin();
        let mut all = acknowledged.clone();
        let Ok(server) = sandbox.serve_with(&[("CUSTODE_TEST_FAIL", &format!("enospc@{step}+"))]) else { continue };
        for number in 100..140 {
            let wish = Wish::new(number, 500);
            let told = server.caller.deposit(&wish).unwrap();
            match told.status {
                201 => all.push(Acknowledged::of(wish, &told)),
                _ => told_well(&told, "full for good"),
            }
        }
        let told = server.caller.post("/v1/seal", &json!({})).unwrap();
        told_well(&told, "sealing on a full disk");
        let ready = server.caller.get("/readyz").unwrap();
        assert_eq!(ready.status, 503, "a server whose disk is full says that it is ready");
        server.kill();
        sandbox.json(&["seal"]);
        audit::sealed(&sandbox, &all);
    }
}
