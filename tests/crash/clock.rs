//! A clock that stepped backwards: at deposit and at sealing it is told, nothing is written, and all goes on when it is right.

use serde_json::json;

use super::audit;
use super::sandbox::{Acknowledged, Sandbox, Wish};

const BACK: (&str, &str) = ("CUSTODE_TEST_CLOCK_SHIFT", "-3600");

#[test]
fn an_hour_back_nothing_is_accepted_or_sealed_and_nothing_is_lost() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut all: Vec<Acknowledged> = (0..4).map(|n| server.caller.accepted(Wish::new(n, 1_000))).collect();
    server.kill();
    let before = std::fs::read(sandbox.root().join("chain/entries")).unwrap();

    let server = sandbox.serve_with(&[BACK]).expect("reading needs no clock");
    let told = server.caller.deposit(&Wish::new(9, 10)).unwrap();
    assert_eq!((told.status, told.code().as_str()), (503, "clock-backwards"));
    let told = server.caller.post("/v1/seal", &json!({})).unwrap();
    assert_eq!((told.status, told.code().as_str()), (503, "clock-backwards"));
    // A receipt given before is given again: it needs no new instant.
    for one in &all {
        server.caller.replays(one);
    }
    server.kill();
    assert_eq!(std::fs::read(sandbox.root().join("chain/entries")).unwrap(), before, "the chain was written");

    let server = sandbox.serve();
    all.push(server.caller.accepted(Wish::new(9, 10)));
    server.kill();
    sandbox.json(&["seal"]);
    let sealed = audit::sealed(&sandbox, &all);
    assert_eq!(sealed.documents.len(), 5);
    let entries = audit::entries(&sandbox.root());
    let instants: Vec<&str> = entries.iter().map(|entry| entry["at"].as_str().unwrap()).collect();
    assert!(instants.is_sorted(), "the chain goes back in time");
}

#[test]
fn a_second_back_is_only_a_slew() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut all = vec![server.caller.accepted(Wish::new(0, 10))];
    server.kill();
    let server = sandbox.serve_with(&[("CUSTODE_TEST_CLOCK_SHIFT", "-1")]).unwrap();
    all.push(server.caller.accepted(Wish::new(1, 10)));
    server.kill();
    sandbox.json(&["seal"]);
    audit::sealed(&sandbox, &all);
}
