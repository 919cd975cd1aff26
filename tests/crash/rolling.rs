//! A check that is killed, stopped at any step, or whose disk fails under it: what it looked at is kept, and it has its report.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use custode::hash::Sha256;
use serde_json::{Value, json};

use super::judges;
use super::sandbox::{Sandbox, Wish, aborted, text};
use super::sealing::each_step;

/// An archive of so many packages that keeps what a check looks at as soon as it can.
fn template(packages: u64, length: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    let path = sandbox.root().join("custode.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    assert!(config.contains("#note_every = \"30s\""));
    std::fs::write(&path, config.replace("#note_every = \"30s\"", "note_every = \"0s\"")).unwrap();
    let server = sandbox.serve();
    for number in 0..packages {
        server.caller.accepted(Wish::new(number * 2, length));
        assert_eq!(server.caller.post("/v1/seal", &json!({})).unwrap().status, 200);
    }
    drop(server);
    // The journal lets go of what is sealed.
    assert!(sandbox.run(&["search"]).status.success());
    sandbox
}

fn lines(sandbox: &Sandbox) -> Vec<Value> {
    let text = std::fs::read_to_string(sandbox.root().join("records/coverage.jsonl")).unwrap_or_default();
    let whole = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    whole.collect()
}

/// Names in `reports/`.
fn reports(sandbox: &Sandbox) -> Vec<String> {
    let names = std::fs::read_dir(sandbox.root().join("reports")).unwrap();
    names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Every check that was begun has its report, and the chain names its digest.
fn every_check_has_its_report(sandbox: &Sandbox) -> Vec<Value> {
    let names = reports(sandbox);
    assert!(!names.iter().any(|name| name.ends_with(".running")), "{names:?}");
    let entries = std::fs::read_to_string(sandbox.root().join("chain/entries")).unwrap();
    let entries: Vec<Value> = entries.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let checks: Vec<&Value> =
        entries.iter().filter(|entry| entry["kind"] == "check").map(|entry| &entry["check"]).collect();
    for line in lines(sandbox) {
        assert!(checks.iter().any(|check| check["id"] == line["check"]), "{line} of no check: {names:?}");
    }
    let read = |check: &&Value| {
        let name = format!("check-{}.json", check["id"].as_str().unwrap());
        let bytes = std::fs::read(sandbox.root().join("reports").join(name)).unwrap();
        assert_eq!(check["report"], Sha256::of(&bytes).to_string());
        serde_json::from_slice(&bytes).unwrap()
    };
    checks.iter().map(read).collect()
}

#[test]
fn a_check_that_is_killed_keeps_what_it_did_and_has_its_report_at_the_next_opening() {
    let sandbox = template(10, 3_000_000);
    let mut check = sandbox.command(&["check"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    while lines(&sandbox).len() < 3 {
        assert!(started.elapsed() < Duration::from_secs(60), "it keeps nothing as it goes on");
        assert!(check.try_wait().unwrap().is_none(), "it was too fast to be killed: {:?}", lines(&sandbox));
        std::thread::sleep(Duration::from_millis(2));
    }
    check.kill().unwrap();
    check.wait().unwrap();
    assert_eq!(reports(&sandbox).iter().filter(|name| name.ends_with(".running")).count(), 1);
    // Any opening writes what it had kept.
    assert!(sandbox.run(&["search"]).status.success());
    let kept = lines(&sandbox);
    let report = every_check_has_its_report(&sandbox).pop().unwrap();
    assert_eq!((&report["interrupted"], &report["outcome"]), (&json!(true), &json!("unchecked")), "{report}");
    let looked: Vec<u64> = kept
        .iter()
        .flat_map(|line| line["copies"][0]["packages"]["generic"].as_array().unwrap())
        .flat_map(|stretch| stretch[0].as_u64().unwrap()..=stretch[1].as_u64().unwrap())
        .collect();
    assert!((3..10).contains(&looked.len()), "{looked:?}");
    assert_eq!(report["coverage"]["packages"], json!({ "total": 10, "checked": looked.len() }), "{report}");
    let codes = report["findings"].to_string();
    assert!(codes.contains("check/interrupted"), "{codes}");
    // The next one goes on with the rest.
    let report = sandbox.json(&["check", "--older-than", "1h"]);
    assert_eq!(report["rolling"]["due"], 0, "a copy counts from when it was made");
    let report = sandbox.json(&["check", "--budget", "1B"]);
    assert_eq!(report["rolling"]["due"], 10);
    let next = lines(&sandbox).pop().unwrap()["copies"][0]["packages"]["generic"][0][0].as_u64().unwrap();
    assert!(!looked.contains(&next), "{next} was looked at, others were not: {looked:?}");
    sandbox.json(&["check"]);
}

#[test]
fn a_check_stopped_at_any_step_has_its_report_and_the_archive_is_good() {
    let template = template(2, 2_000);
    let steps = each_step(13, |step| {
        let sandbox = template.twin();
        let output = sandbox.run_with(&["--json", "check"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        let stopped = aborted(&output);
        assert!(stopped || output.status.success(), "step {step}: {}", text(&output));
        let report = sandbox.json(&["check", "--older-than", "1h"]);
        assert_eq!(
            (&report["outcome"], &report["rolling"]["due"]),
            (&json!("good"), &json!(0)),
            "step {step}: {report}"
        );
        for report in every_check_has_its_report(&sandbox) {
            let interrupted = report["interrupted"] == true;
            assert!(!interrupted || report["outcome"] == "unchecked", "step {step}: {report}");
            assert!(stopped || !interrupted, "{report}");
        }
        stopped
    });
    println!("a check of two packages: {steps} durable steps");
}

#[test]
fn a_disk_that_fails_in_the_middle_of_a_file_is_no_verdict_and_is_read_again_first() {
    if !judges::present(&["strace"]) {
        return;
    }
    // Small enough to stand in the journal itself: of a larger one whose package cannot be read nobody knows whether it is sealed.
    let sandbox = template(3, 900_000);
    let content = sandbox.root().join("packages/generic/00000002/content.tar.zst");
    let plain = sandbox.command(&["--json", "check"]);
    let mut command = Command::new("strace");
    command.arg("-f").arg("-qq").arg("-o").arg(sandbox.path("strace.log")).arg("-P").arg(&content);
    command.args(["-e", "trace=read,pread64", "-e", "inject=read,pread64:error=EIO:when=2+"]);
    let output = command.arg(plain.get_program()).args(plain.get_args()).output().unwrap();
    if !std::fs::read_to_string(sandbox.path("strace.log")).unwrap().contains("(INJECTED)") {
        assert!(std::env::var_os("CI").is_none(), "NOT RUN: strace may not trace here");
        eprintln!("NOT RUN: strace may not trace here, so no read failed");
        return;
    }
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    assert_eq!((output.status.code(), &report["outcome"]), (Some(2), &json!("unchecked")), "{report}");
    assert_eq!(report["coverage"]["packages"]["checked"], 2, "{report}");
    let finding = report["findings"].as_array().unwrap().iter().find(|f| f["code"] == "not-looked-at").unwrap();
    assert_eq!(
        (&finding["place"]["package"], &finding["place"]["file"]),
        (&json!("generic/2"), &json!("content.tar.zst"))
    );
    assert!(finding["message"].as_str().unwrap().contains("io"), "{finding}");
    // It was not looked at: nothing says that it is good, and the next check takes it first.
    let report = sandbox.json(&["check", "--budget", "1B"]);
    assert_eq!(report["rolling"]["left"], 2);
    assert_eq!(lines(&sandbox).pop().unwrap()["copies"][0]["packages"]["generic"], json!([[2, 2]]));
}
