//! A check that is killed, stopped at any step, or whose disk fails under it: what it looked at is kept, and it has its report.

use std::process::{Command, Output, Stdio};
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
    assert!(config.contains("#note_every = \"1min\""));
    std::fs::write(&path, config.replace("#note_every = \"1min\"", "note_every = \"0s\"")).unwrap();
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
    // Small enough to stand in the journal itself: of a larger one whose package cannot be read nobody knows whether it is sealed.
    let sandbox = template(3, 900_000);
    let content = "packages/generic/00000002/content.tar.zst";
    let check = ["--json", "check"];
    let Some(output) = under(&sandbox, &check, &[content], "read,pread64", "error=EIO:when=2+") else { return };
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

/// Runs a command with calls on these files failing or waiting; `None` where that cannot be done.
fn under(sandbox: &Sandbox, arguments: &[&str], files: &[&str], calls: &str, inject: &str) -> Option<Output> {
    if !judges::present(&["strace"]) {
        return None;
    }
    let log = sandbox.path("strace.log");
    let plain = sandbox.command(arguments);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&log);
    for file in files {
        command.arg("-P").arg(sandbox.root().join(file));
    }
    command.arg("-e").arg(format!("trace={calls}")).arg("-e").arg(format!("inject={calls}:{inject}"));
    let output = command.arg(plain.get_program()).args(plain.get_args()).output().unwrap();
    if !std::fs::read_to_string(log).unwrap().contains("INJECTED") && !inject.starts_with("delay") {
        assert!(std::env::var_os("CI").is_none(), "NOT RUN: strace may not trace here");
        eprintln!("NOT RUN: strace may not trace here, so no call failed");
        return None;
    }
    Some(output)
}

#[test]
fn a_folder_that_may_not_be_read_is_no_verdict() {
    let sandbox = template(2, 2_000);
    let folder = "packages/generic/00000002";
    let calls = "openat,open,statx,newfstatat,stat,lstat,access,faccessat2";
    let check = ["--json", "check", "--read-only"];
    let Some(output) = under(&sandbox, &check, &[folder], calls, "error=EACCES") else { return };
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    assert_eq!((output.status.code(), &report["outcome"]), (Some(2), &json!("unchecked")), "{report}");
    assert_eq!(report["coverage"]["packages"]["checked"], 1, "{report}");
    let place = &report["findings"][0]["place"];
    assert_eq!((&place["package"], &place["vault"]), (&json!("generic/2"), &json!("local")), "{report}");
}

#[test]
fn a_slow_disk_ends_a_check_at_its_budget_of_time() {
    let sandbox = template(8, 2_000);
    let files: Vec<String> = (1..=8).map(|n| format!("packages/generic/{n:08}/content.tar.zst")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    // Each read takes a fifth of a second: one package at a time, nobody gets through eight in so short a time.
    let check = ["--json", "check", "--read-only", "--budget", "250ms"];
    let started = Instant::now();
    let Some(output) = under(&sandbox, &check, &files, "read,pread64", "delay_enter=200000") else { return };
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    assert_eq!((output.status.code(), &report["outcome"]), (Some(0), &json!("good")), "{report}");
    let (checked, left) = (&report["coverage"]["packages"]["checked"], &report["rolling"]["left"]);
    assert!(checked.as_u64() >= Some(1) && left.as_u64() >= Some(2), "{report}");
    assert_eq!(checked.as_u64().unwrap() + left.as_u64().unwrap(), 8, "{report}");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn a_server_that_is_told_to_stop_ends_its_check_and_the_report_says_so() {
    let sandbox = template(12, 3_000_000);
    let server = sandbox.serve();
    let started = server.caller.post("/v1/checks", &json!({})).unwrap().json();
    let waiting = Instant::now();
    while lines(&sandbox).is_empty() {
        assert!(waiting.elapsed() < Duration::from_secs(60), "it keeps nothing as it goes on");
        std::thread::sleep(Duration::from_millis(2));
    }
    let log = server.stopped(&sandbox);
    let id = started["check"].as_str().unwrap();
    let reports = every_check_has_its_report(&sandbox);
    let report = reports.iter().find(|report| report["check"] == id).unwrap_or_else(|| panic!("no report: {log}"));
    assert_eq!((&report["interrupted"], &report["outcome"]), (&json!(true), &json!("unchecked")), "{report}");
    let checked = report["coverage"]["packages"]["checked"].as_u64().unwrap();
    assert!((1..12).contains(&checked), "{report}");
    sandbox.json(&["check"]);
}
