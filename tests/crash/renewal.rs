//! Renewals of evidence: stopped at every durable step they go on, a token is paid for once, nothing is renewed twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use custode::clock::SystemClock;
use custode::evidence::tsp::{Authority as _, DevelopmentAuthority};
use serde_json::Value;

use super::audit;
use super::sandbox::{Acknowledged, Sandbox, Wish, aborted, text};
use super::sealing::each_step;
use super::tsa::{Office, archive};

/// Nineteen years and some months: the development authority's certificates have less than one year left.
const LATER: &str = "606000000";

/// Adopts a table in which SHA-256 ended long ago.
fn retire_sha256(sandbox: &Sandbox, manager: &str) {
    let table = std::fs::read_to_string(sandbox.root().join("policies/algorithms@1.toml")).unwrap();
    let table = table.replace("version = 1", "version = 2");
    let table = table.replacen("name = \"SHA-256\"\n", "name = \"SHA-256\"\nuntil = \"2020-12-31\"\n", 1);
    std::fs::write(sandbox.path("table.toml"), table).unwrap();
    let adopted = sandbox.command(&["policy", "adopt", "table.toml"]).env("CUSTODE_TOKEN", manager).output().unwrap();
    assert!(adopted.status.success(), "{}", text(&adopted));
}

/// The newest generation of each package, as the chain says; each follows the one before.
fn generations(sandbox: &Sandbox) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for entry in audit::entries(&sandbox.root()) {
        if entry["kind"] == "package" {
            let package = &entry["package"];
            found.insert(format!("{}/{}", package["series"].as_str().unwrap(), package["number"]), 1);
        }
        for renewed in entry["renewal"]["packages"].as_array().into_iter().flatten() {
            let newest = found.get_mut(renewed["package"].as_str().unwrap()).unwrap();
            *newest += 1;
            assert_eq!(renewed["generation"].as_u64(), Some(*newest), "renewed twice, or out of order");
        }
    }
    found
}

fn is_good(sandbox: &Sandbox, shift: &str, when: &str) {
    let output = sandbox.run_with(&["--json", "check"], "CUSTODE_TEST_CLOCK_SHIFT", shift);
    assert!(output.status.success(), "{when}: {}", text(&output));
}

/// A bundle of a document, and of its whole package, verify, and say how many time-stamps there are.
fn exhibits(sandbox: &Sandbox, document: &str, package: &str, stamps: usize) {
    for (what, which) in [("--document", document), ("--package", package)] {
        let name = format!("{}.zip", &what[2..]);
        sandbox.json(&["export", what, which, "-o", &name]);
        let verified = sandbox.run(&["--json", "verify", &name]);
        let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
        let outcome: Vec<&str> =
            report["findings"].as_array().unwrap().iter().filter_map(|found| found["code"].as_str()).collect();
        // Its anchors came along, so the best there is is "unchecked", for that alone.
        assert_eq!(outcome, ["anchor-missing"; 2], "{what}: {}", text(&verified));
        assert_eq!(report["documents"][0]["stamped_at"].as_array().unwrap().len(), stamps, "{what}");
        std::fs::remove_file(sandbox.path(&name)).unwrap();
    }
}

#[test]
fn a_hash_tree_renewal_stopped_anywhere_goes_on() {
    let office = Office::open();
    let (template, acknowledged, manager) = archive_with_manager(&office);
    template.json(&["seal"]);
    retire_sha256(&template, &manager);
    let before = generations(&template);
    assert_eq!(before.values().copied().collect::<Vec<_>>(), [1, 1]);
    let steps = each_step(7, |step| {
        let sandbox = template.twin();
        let when = format!("step {step}");
        let output = sandbox.run_with(&["renew"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        // Whatever was written, what the chain says verifies.
        is_good(&sandbox, "0", &when);
        let again = sandbox.run(&["--json", "renew"]);
        assert!(again.status.success(), "{when}: {}", text(&again));
        assert_eq!(generations(&sandbox).values().copied().collect::<Vec<_>>(), [2, 2], "{when}");
        is_good(&sandbox, "0", &when);
        audit::sealed(&sandbox, &acknowledged);
        if !aborted(&output) {
            assert!(output.status.success(), "{}", text(&output));
            let third = sandbox.json(&["renew"]);
            assert_eq!(third["runs"].as_array().unwrap().len(), 0, "nothing is left to renew");
            let package = before.keys().next().unwrap();
            exhibits(&sandbox, &acknowledged[0].document, package, 2);
            return false;
        }
        true
    });
    println!("hash-tree renewal: {steps} durable steps");
}

#[test]
fn a_time_stamp_renewal_stopped_anywhere_goes_on() {
    let template = Sandbox::new();
    let server = template.serve();
    let acknowledged: Vec<Acknowledged> = (0..4).map(|n| server.caller.accepted(Wish::new(n, 2_000))).collect();
    server.kill();
    template.json(&["seal"]);
    // A day later the chain has a stamp, which is renewed in the same run.
    let night = template.run_with(&["nightly"], "CUSTODE_TEST_CLOCK_SHIFT", "90000");
    assert!(night.status.success(), "{}", text(&night));
    let steps = each_step(7, |step| {
        let sandbox = template.twin();
        let when = format!("step {step}");
        let mut command = sandbox.command(&["renew"]);
        let command = command.env("CUSTODE_TEST_ABORT_AT", step.to_string());
        let output = command.env("CUSTODE_TEST_CLOCK_SHIFT", LATER).output().unwrap();
        is_good(&sandbox, LATER, &when);
        let again = sandbox.run_with(&["--json", "renew"], "CUSTODE_TEST_CLOCK_SHIFT", LATER);
        assert!(again.status.success(), "{when}: {}", text(&again));
        assert_eq!(generations(&sandbox).values().copied().collect::<Vec<_>>(), [2, 2], "{when}");
        let entries = audit::entries(&sandbox.root());
        let stamps: Vec<&Value> =
            entries.iter().map(|entry| &entry["renewal"]["stamps"]).filter(|s| s.is_object()).collect();
        assert_eq!(stamps.len(), 1, "{when}: the stamp is renewed once");
        assert_eq!((&stamps[0]["generation"], &stamps[0]["count"]), (&1.into(), &1.into()), "{when}");
        let roots: std::collections::BTreeSet<&str> =
            entries.iter().filter_map(|entry| entry["renewal"]["root"].as_str()).collect();
        assert_eq!(roots.len(), 1, "{when}: under one token");
        is_good(&sandbox, LATER, &when);
        audit::sealed(&sandbox, &acknowledged);
        aborted(&output)
    });
    println!("time-stamp renewal: {steps} durable steps");
}

#[test]
fn a_stored_reply_is_never_asked_for_again_by_a_renewal() {
    let office = Office::open();
    let (template, _, manager) = archive_with_manager(&office);
    template.json(&["seal"]);
    retire_sha256(&template, &manager);
    let (mut stops, mut step) = (0, 1);
    loop {
        let sandbox = template.twin();
        let asked = office.asked();
        let output = sandbox.run_with(&["renew"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        let staged = std::fs::read_dir(sandbox.root().join("staging")).unwrap();
        let stored = staged.flatten().any(|folder| folder.path().join("reply.tsr").exists());
        let first = office.asked() - asked;
        sandbox.json(&["renew"]);
        let second = office.asked() - asked - first;
        assert!(first + second >= 1 && first <= 1 && second <= 1, "step {step}: {first} requests, then {second}");
        assert!(!(stored && second > 0), "step {step}: the reply was stored and asked for again");
        if !aborted(&output) {
            assert_eq!((first, second), (1, 0), "one token for two packages");
            break;
        }
        stops += 1;
        step += 9;
    }
    assert!(stops > 3, "only {stops} stops");
}

/// A request of something else, and a reply that the archive did not store, in each of the three places where a token is asked for
/// once: kept as evidence, told, and asked for anew; they hold nothing up and are not believed. The foreign reply is a good one: over
/// the right hash and with the right nonce, of an authority that the archive does not know.
#[test]
fn a_foreign_request_or_reply_is_set_aside_and_asked_for_anew() {
    let template = Sandbox::new();
    let server = template.serve();
    (0..2).for_each(|n| drop(server.caller.accepted(Wish::new(n, 500))));
    server.kill();
    let sealed = template.twin();
    sealed.json(&["seal"]);
    let request_of_other = custode::evidence::tsp::new_request(custode::hash::Sha256::of(b"altro")).unwrap();
    let stranger = DevelopmentAuthority::create(Arc::new(SystemClock)).unwrap();
    for (from, what, shift, request, reply) in [
        (&template, "seal", "0", "request.tsq", "reply.tsr"),
        (&sealed, "nightly", "90000", "stamp.tsq", "stamp.tsr"),
        (&sealed, "renew", LATER, "request.tsq", "reply.tsr"),
    ] {
        let (mut requests, mut replies, mut strange, mut step) = (0, 0, 0, 1);
        while (requests, replies, strange) != (1, 1, 1) {
            let sandbox = from.twin();
            let mut command = sandbox.command(&[what]);
            command.env("CUSTODE_TEST_CLOCK_SHIFT", shift).env("CUSTODE_TEST_ABORT_AT", step.to_string());
            if !aborted(&command.output().unwrap()) {
                break;
            }
            step += 2;
            let staging = sandbox.root().join("staging");
            let (path, bytes) = match (sandbox_file(&staging, request), sandbox_file(&staging, reply)) {
                (_, Some(path)) if replies == 0 => (path, b"no reply".to_vec()),
                (Some(asked), None) if strange == 0 => {
                    let bytes = stranger.stamp(&std::fs::read(&asked).unwrap()).unwrap();
                    (asked.with_file_name(reply), bytes)
                }
                (Some(path), None) if requests == 0 => (path, request_of_other.clone()),
                _ => continue,
            };
            *match (path.ends_with(request), path.exists()) {
                (true, _) => &mut requests,
                (false, true) => &mut replies,
                (false, false) => &mut strange,
            } += 1;
            std::fs::write(&path, &bytes).unwrap();
            let output = sandbox.run_with(&[what], "CUSTODE_TEST_CLOCK_SHIFT", shift);
            let said = text(&output);
            assert!(output.status.success(), "{what}, step {step}: {said}");
            assert!(what == "nightly" || said.contains("staging-altered"), "{what}, step {step}: {said}");
            let aside: Vec<Vec<u8>> = std::fs::read_dir(sandbox.root().join("quarantine"))
                .unwrap()
                .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
                .collect();
            assert_eq!(aside, [bytes], "{what}, step {step}: kept as evidence");
            if what == "nightly" {
                let stamps = audit::entries(&sandbox.root()).iter().filter(|entry| entry["kind"] == "stamp").count();
                assert_eq!(stamps, 1, "{said}");
            }
            is_good(&sandbox, shift, what);
        }
        assert_eq!((requests, replies, strange), (1, 1, 1), "{what}");
    }
}

/// A file of `staging/` or of a folder in it.
fn sandbox_file(staging: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    let folders = std::fs::read_dir(staging).unwrap().map(|entry| entry.unwrap().path());
    folders
        .filter(|path| path.is_dir())
        .chain([staging.to_owned()])
        .map(|folder| folder.join(name))
        .find(|path| path.exists())
}

#[test]
fn a_plan_that_somebody_else_wrote_is_not_carried_out() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    server.caller.accepted(Wish::new(0, 100));
    server.kill();
    sandbox.json(&["seal"]);
    let folder = sandbox.root().join("staging/renewal-01999999-9999-7999-8999-999999999999");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("plan.json"), "{}\n0\n").unwrap();
    let output = sandbox.run(&["renew"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("staging-altered"), "{}", text(&output));
}

#[test]
fn files_of_a_generation_that_the_chain_does_not_name_are_set_aside() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    server.caller.accepted(Wish::new(0, 100));
    server.kill();
    sandbox.json(&["seal"]);
    let package = sandbox.root().join("packages/generic/00000001");
    std::fs::write(package.join("evidence/0002.ers"), "not ours").unwrap();
    let check = sandbox.run(&["check"]);
    assert_eq!(check.status.code(), Some(1), "a file that nobody named: {}", text(&check));
    let renewed = sandbox.run_with(&["--json", "renew"], "CUSTODE_TEST_CLOCK_SHIFT", LATER);
    assert!(renewed.status.success(), "{}", text(&renewed));
    is_good(&sandbox, LATER, "after the renewal");
    let aside: Vec<_> = std::fs::read_dir(sandbox.root().join("quarantine")).unwrap().flatten().collect();
    assert_eq!(aside.len(), 1);
    assert_eq!(std::fs::read(aside[0].path()).unwrap(), b"not ours");
    // What the chain names and is not there, or is not it, is bad, by its code.
    for (altered, code) in [(false, "package-file-missing"), (true, "package-file-altered")] {
        let twin = sandbox.twin();
        let token = twin.root().join("packages/generic/00000001/evidence/0002.tsr");
        let bytes = std::fs::read(&token).unwrap();
        std::fs::remove_file(&token).unwrap();
        if altered {
            std::fs::write(&token, [&bytes[..], b"!"].concat()).unwrap();
        }
        let check = twin.run_with(&["--json", "check"], "CUSTODE_TEST_CLOCK_SHIFT", LATER);
        assert_eq!(check.status.code(), Some(1), "{}", text(&check));
        assert!(text(&check).contains(code), "{code}: {}", text(&check));
    }
}

/// A production archive of this authority with documents in two cohorts, and its manager's token.
fn archive_with_manager(office: &Office) -> (Sandbox, Vec<Acknowledged>, String) {
    let (sandbox, acknowledged) = archive(&[office.url()], &[&office.anchor]);
    let manager = std::fs::read_to_string(sandbox.path("manager.token")).unwrap();
    (sandbox, acknowledged, manager)
}

/// `--restamp`: what a trial's own authority stamped is covered by a real one, and its time is the one that proves.
#[test]
fn a_trial_is_proved_from_the_time_of_a_real_token_on_and_not_before() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let acknowledged: Vec<Acknowledged> = (0..2).map(|n| server.caller.accepted(Wish::new(n, 500))).collect();
    server.kill();
    sandbox.json(&["seal"]);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let office = Office::open();
    let anchor = sandbox.path("real.pem");
    std::fs::write(&anchor, &office.anchor).unwrap();
    let path = sandbox.root().join("custode.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let config = config.replace("#anchors = []", &format!("anchors = [\"{}\"]", anchor.display()));
    let authority = format!("[[tsa.authorities]]\nurl = \"{}\"\n\n[trust]\n", office.url());
    std::fs::write(&path, config.replacen("[trust]\n", &authority, 1)).unwrap();

    // Now nothing proves what was sealed: the check says so, the plan and the alarms too, and `renew` by itself pays for nothing.
    assert_eq!(sandbox.run(&["check"]).status.code(), Some(2), "unchecked");
    let plan = sandbox.json(&["renew", "--plan"]);
    assert_eq!(plan["lines"][0]["ending"], "untrusted", "{plan}");
    let alarms = text(&sandbox.run(&["--json", "alarms"]));
    assert!(alarms.contains("renewal/untrusted"), "{alarms}");
    assert_eq!(sandbox.json(&["renew"])["runs"].as_array().unwrap().len(), 0);
    assert_eq!(office.asked(), 0);

    let renewed = sandbox.json(&["renew", "--restamp"]);
    let stamped_at = renewed["runs"][0]["stamped_at"].as_str().unwrap().to_owned();
    assert_eq!((renewed["runs"].as_array().unwrap().len(), office.asked()), (1, 1), "one token for two packages");
    is_good(&sandbox, "0", "restamped");
    assert!(!text(&sandbox.run(&["--json", "alarms"])).contains("renewal/"));
    sandbox.json(&["export", "--document", &acknowledged[0].document, "-o", "b.zip"]);
    let key = std::fs::read_to_string(sandbox.root().join("chain/archive.vkey")).unwrap();
    let arguments = ["--json", "verify", "b.zip", "--trust", anchor.to_str().unwrap(), "--key", key.trim()];
    let verified = sandbox.run(&arguments);
    assert!(verified.status.success(), "{}", text(&verified));
    let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
    let document = &report["documents"][0];
    assert_eq!(document["stamped_at"].as_array().unwrap().len(), 2);
    let since = document["exists_since"].as_str().unwrap();
    assert!(
        since.starts_with(stamped_at.trim_end_matches('Z')),
        "{since} is not the time of the real token {stamped_at}"
    );
    assert_ne!(document["exists_since"], document["stamped_at"][0]);
    assert_eq!(sandbox.json(&["renew", "--restamp"])["runs"].as_array().unwrap().len(), 0, "once is enough");
}
