//! Rolling checks: budgets, what goes first, the coverage ledger, deadlines, clocks that jump, two at once.

use serde_json::{Value, json};

use crate::copies::{beside, damage, deposit, good, named, told, with_vaults};
use crate::server::{Archive, problem, text};

/// An archive with so many packages, each of one document of `length` bytes.
pub fn with_packages(archive: Archive, count: usize, length: usize) -> Archive {
    for n in 0..count {
        deposit(&archive, &format!("{n}.bin"), length);
        assert_eq!(good(&archive, &["seal"])["sealed"].as_array().unwrap().len(), 1);
    }
    archive
}

/// Lines of the coverage ledger.
pub fn lines(archive: &Archive) -> Vec<Value> {
    let text = std::fs::read_to_string(archive.path("records/coverage.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Numbers of series `generic` that a line names with this outcome, in any vault.
fn numbers(line: &Value, seen: &str) -> Vec<u64> {
    let copies = line["copies"].as_array().unwrap().iter().filter(|copies| copies["seen"] == seen);
    let stretches = copies.flat_map(|copies| copies["packages"]["generic"].as_array().unwrap().clone());
    stretches.flat_map(|stretch| stretch[0].as_u64().unwrap()..=stretch[1].as_u64().unwrap()).collect()
}

fn has(report: &Value, code: &str) -> bool {
    named(report).iter().any(|(known, _)| known == code)
}

/// A command under a clock that is so many days ahead: exit status and JSON.
fn ahead(archive: &Archive, days: i64, args: &[&str]) -> (i32, Value) {
    let shift = (days * 86_400).to_string();
    let out = archive.command(&[&["--json"], args].concat()).env("CUSTODE_TEST_CLOCK_SHIFT", shift).output().unwrap();
    let value = serde_json::from_slice(&out.stdout);
    (out.status.code().unwrap(), value.unwrap_or_else(|_| panic!("{}{}", text(&out.stdout), text(&out.stderr))))
}

#[test]
fn a_budget_is_kept_and_the_next_check_goes_on_with_the_rest() {
    let archive = with_packages(Archive::new(), 5, 30_000);
    let mut met = Vec::new();
    for round in 0..3 {
        // Two packages of some 45 KB fit.
        let report = good(&archive, &["check", "--budget", "110KB"]);
        assert_eq!(report["coverage"]["packages"], json!({ "total": 5, "checked": 2 }), "round {round}: {report}");
        assert_eq!((&report["rolling"]["due"], &report["rolling"]["left"]), (&json!(5), &json!(3)));
        assert!(report["coverage"]["bytes"]["checked"].as_u64().unwrap() <= 110_000, "{report}");
        let left = report["coverage"]["not_looked_at"].to_string();
        assert!(left.contains("3 packages that were due"), "{left}");
        met.extend(numbers(lines(&archive).last().unwrap(), "good"));
    }
    // In a line they are in the order of their numbers: the third check took the fifth, and then the first again.
    assert_eq!(met, [1, 2, 3, 4, 1, 5], "what has waited longest goes first");
    // One is always taken, however small the budget: else nothing ever were.
    let report = good(&archive, &["check", "--budget", "1B"]);
    assert_eq!(report["coverage"]["packages"]["checked"], 1);
    let report = good(&archive, &["check", "--budget", "1ms"]);
    assert_eq!((&report["coverage"]["packages"]["checked"], &report["rolling"]["left"]), (&json!(1), &json!(4)));
    // Without a budget all of it, and every number is accounted for.
    let report = good(&archive, &["check"]);
    assert_eq!(report["coverage"]["packages"]["checked"], 5);
    assert!(!report["coverage"]["not_looked_at"].to_string().contains("number"));
    // The ledger is one line a check, committed by the check's own entry.
    let entries = archive.entries();
    let checks: Vec<&Value> = entries.iter().filter(|entry| entry["kind"] == "check").collect();
    assert_eq!(checks.len(), lines(&archive).len());
    for (entry, line) in checks.iter().zip(lines(&archive)) {
        assert_eq!(entry["check"]["record"]["kind"], "coverage");
        assert_eq!((&entry["check"]["record"]["id"], &entry["check"]["id"]), (&line["id"], &line["check"]));
    }
    for bad in ["10", "0B", "soon"] {
        let (status, problem) = told(&archive, &["check", "--budget", bad]);
        assert_eq!((status, &problem["code"]), (2, &json!("usage")), "{problem}");
    }
}

#[test]
fn only_what_is_old_enough_is_taken_and_each_copy_has_its_own_age() {
    let archive = with_vaults("required = 3");
    let archive = with_packages(archive, 3, 20_000);
    let report = good(&archive, &["check", "--older-than", "1h"]);
    assert_eq!((&report["rolling"]["due"], &report["coverage"]["copies"]["checked"]), (&json!(0), &json!(0)));
    // A copy in a vault that was away when the others were checked is due by itself.
    std::fs::rename(beside(&archive, "c"), beside(&archive, "away")).unwrap();
    assert_eq!(told(&archive, &["check"]).0, 2);
    std::fs::rename(beside(&archive, "away"), beside(&archive, "c")).unwrap();
    let (status, report) = ahead(&archive, 30, &["check", "--older-than", "20d", "--budget", "1h"]);
    assert_eq!((status, &report["coverage"]["copies"]["checked"]), (0, &json!(9)), "{report}");
    let (_, report) = ahead(&archive, 31, &["check", "--older-than", "20d"]);
    assert_eq!(report["rolling"]["due"], 0, "{report}");
    // What is not due is there all the same: a folder that is gone is noticed every night.
    std::fs::rename(beside(&archive, "b").join("generic/00000002"), beside(&archive, "gone")).unwrap();
    let (status, report) = ahead(&archive, 32, &["check", "--older-than", "20d"]);
    assert_eq!(status, 1, "{report}");
    assert_eq!(named(&report)[0], ("package-missing".to_owned(), "b".to_owned()));
    // And remembered: the next one takes it first.
    std::fs::rename(beside(&archive, "gone"), beside(&archive, "b").join("generic/00000002")).unwrap();
    let (status, report) = ahead(&archive, 33, &["check", "--older-than", "20d"]);
    assert_eq!((status, &report["coverage"]["copies"]["checked"]), (0, &json!(1)), "{report}");
}

#[test]
fn what_was_bad_is_not_forgotten_by_a_night_that_looks_elsewhere() {
    let archive = with_packages(Archive::new(), 4, 30_000);
    for number in [2, 3] {
        damage(&archive.path(&format!("packages/generic/{number:08}/content.tar.zst")));
    }
    assert_eq!(told(&archive, &["check"]).0, 1);
    let last = lines(&archive).pop().unwrap();
    assert_eq!((numbers(&last, "good"), numbers(&last, "bad")), (vec![1, 4], vec![2, 3]));
    assert!(last["codes"].as_array().unwrap().contains(&json!(["generic/2", "package-file-altered"])), "{last}");
    // Room for one: the first bad one. The other is said as well.
    let (status, report) = told(&archive, &["check", "--budget", "1B"]);
    assert_eq!(status, 1);
    assert!(has(&report, "package-file-altered") && has(&report, "check/still-bad"), "{report}");
    assert_eq!(numbers(&lines(&archive).pop().unwrap(), "bad"), [2]);
    // A server that starts anew knows it too.
    let (_, alarms) = told(&archive, &["alarms"]);
    assert!(has(&alarms, "check/still-bad"), "{alarms}");
}

#[test]
fn an_edited_or_removed_line_of_the_ledger_claims_nothing_and_is_noticed() {
    let archive = with_packages(Archive::new(), 2, 3000);
    good(&archive, &["check"]);
    let path = archive.path("records/coverage.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let forged = whole.replace("\"mode\":\"full\"", "\"mode\":\"quick\"");
    let mut planted: Value = serde_json::from_str(whole.lines().next().unwrap()).unwrap();
    planted["id"] = "0199c0de-0000-7000-8000-00000000000c".into();
    planted["from"] = "2026-12-31T00:00:00.000Z".into();
    for (what, text) in
        [("edited", forged.clone()), ("removed", String::new()), ("planted", format!("{whole}{planted}\n"))]
    {
        std::fs::write(&path, &text).unwrap();
        let (status, report) = told(&archive, &["check", "--read-only", "--older-than", "99d"]);
        assert_eq!(status, 1, "{what}: {report}");
        assert!(has(&report, "record-altered") || has(&report, "record-unchained"), "{what}: {report}");
        let oldest = &report["coverage"]["oldest"]["full"];
        assert_eq!(oldest.is_null(), what != "planted", "{what}: {report}");
        assert!(!oldest.to_string().contains("2026-12-31"), "{what}: {report}");
    }
    std::fs::write(&path, whole).unwrap();
    good(&archive, &["check", "--read-only"]);
}

#[test]
fn reindex_and_a_lost_catalog_lose_no_coverage() {
    let archive = with_packages(Archive::new(), 2, 3000);
    let first = good(&archive, &["check"]);
    good(&archive, &["reindex"]);
    std::fs::remove_dir_all(archive.path("catalog")).unwrap();
    let report = good(&archive, &["check", "--older-than", "1h"]);
    assert_eq!(report["rolling"]["due"], 0);
    assert!(report["coverage"]["oldest_full_check"].as_str() >= first["started_at"].as_str(), "{report}");
}

#[test]
fn an_archive_of_nothing_is_good_within_any_budget() {
    let archive = Archive::new();
    let report = good(&archive, &["check", "--budget", "1B", "--older-than", "1d"]);
    assert_eq!((&report["outcome"], &report["rolling"]["due"]), (&json!("good"), &json!(0)));
    assert_eq!(good(&archive, &["nightly"])["check"]["outcome"], "good");
    assert!(lines(&archive).is_empty(), "nothing was looked at, and no line says so");
}

#[test]
fn of_two_checks_at_once_the_second_is_told_and_the_command_line_waits() {
    let archive = with_packages(Archive::new(), 6, 3_000_000);
    let server = archive.serve();
    let manager = server.archive.manager.clone();
    let started: Value = server.post("/v1/checks", &manager).body("{}").send().unwrap().json().unwrap();
    let refused = server.post("/v1/checks", &manager).body("{}").send().unwrap();
    let told = problem(refused, 409);
    assert_eq!(told["code"], "check/running");
    let report = good(&server.archive, &["check", "--quick"]);
    assert_eq!(report["coverage"]["packages"]["checked"], 6);
    let first = server.json(started["location"].as_str().unwrap(), &manager);
    assert_eq!(first["outcome"], "good", "{first}");
    assert!(first["finished_at"].as_str() <= report["started_at"].as_str(), "one after the other");
}

#[test]
fn a_clock_that_jumped_pushes_no_deadline_away() {
    let archive = with_packages(Archive::new(), 1, 3000);
    let (status, report) = ahead(&archive, 3650, &["check"]);
    assert_eq!(status, 0, "{report}");
    // Set right again: what was noted in the future is not believed, and said.
    let (status, report) = told(&archive, &["check", "--read-only", "--older-than", "99d"]);
    assert_eq!(status, 2, "{report}");
    assert!(has(&report, "check/ahead"), "{report}");
    assert_eq!(report["coverage"]["oldest"]["full"], Value::Null, "{report}");
    let (_, report) = told(&archive, &["check", "--read-only", "--older-than", "1ms"]);
    assert_eq!(report["rolling"]["due"], 1, "{report}");
    let (status, alarms) = told(&archive, &["alarms"]);
    assert_eq!(status, 1);
    assert!(has(&alarms, "check/ahead"), "{alarms}");
}

#[test]
fn a_term_that_will_be_missed_is_an_alarm_weeks_before_and_one_that_is_missed_another() {
    let archive = Archive::new();
    archive.configure("#budget = \"2h\"", "budget = \"1B\"");
    let archive = with_packages(archive, 1, 30_000);
    // At one byte a night, some thirty thousand nights.
    let (status, alarms) = told(&archive, &["alarms"]);
    assert_eq!(status, 0, "a warning: {alarms}");
    assert!(has(&alarms, "check/late"), "{alarms}");
    archive.configure("budget = \"1B\"", "budget = \"1GiB\"");
    assert!(!has(&told(&archive, &["alarms"]).1, "check/late"));
    // When no night comes by, three weeks before.
    assert!(!has(&ahead(&archive, 68, &["alarms"]).1, "check/late"));
    assert!(has(&ahead(&archive, 70, &["alarms"]).1, "check/late"));
    let (status, alarms) = ahead(&archive, 91, &["alarms"]);
    assert_eq!(status, 1);
    assert!(has(&alarms, "check/overdue") && !has(&alarms, "check/late"), "{alarms}");
    assert_eq!(alarms["alarms"][0]["place"], "full, vault local");
    // A rolling check that leaves it out is not good; one that looks at it is, and ends the alarm.
    let (status, report) = ahead(&archive, 92, &["check", "--quick", "--budget", "1h"]);
    assert_eq!((status, &report["coverage"]["deadlines"]["full"]["overdue"]), (0, &json!(1)), "{report}");
    let (status, report) = ahead(&archive, 92, &["check", "--older-than", "99d"]);
    assert_eq!((status, &report["outcome"]), (2, &json!("unchecked")), "{report}");
    assert!(has(&report, "check/overdue"), "{report}");
    assert_eq!(ahead(&archive, 92, &["nightly"]).1["check"]["outcome"], "good");
    assert!(!has(&ahead(&archive, 92, &["alarms"]).1, "check/overdue"));
}

#[test]
fn ages_and_outcomes_are_in_the_metrics() {
    let archive = with_packages(Archive::new(), 1, 3000);
    good(&archive, &["check", "--quick"]);
    let server = archive.serve();
    let metrics = server.get("/metrics", &server.archive.manager).send().unwrap().text().unwrap();
    for line in [
        "custode_check_last_outcome{mode=\"quick\"} 0",
        "custode_check_oldest_age_seconds{mode=\"full\",vault=\"local\"}",
        "custode_check_overdue_copies{mode=\"full\",vault=\"local\"} 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[test]
fn terms_longer_than_the_law_allows_are_refused() {
    for (from, to) in [
        ("#every = \"90d\"", "every = \"1826d\""),
        ("#every = \"90d\"", "every = \"1h\""),
        ("#budget = \"2h\"", "budget = \"2\""),
        ("#budget = \"2h\"", "budget = \"0B\""),
    ] {
        let archive = Archive::new();
        archive.configure(from, to);
        let (status, problem) = told(&archive, &["check"]);
        assert_eq!((status, &problem["code"]), (2, &json!("config/invalid")), "{to}: {problem}");
        let found = problem["findings"].to_string();
        assert!(found.contains("check."), "{to}: {problem}");
    }
    let archive = Archive::new();
    archive.configure("#every = \"90d\"", "every = \"1825d\"");
    good(&archive, &["check"]);
}

#[test]
fn a_copy_that_was_put_right_is_no_alarm_and_is_looked_at_first() {
    let archive = with_packages(with_vaults("required = 3"), 2, 20_000);
    damage(&beside(&archive, "b").join("generic/00000002/content.tar.zst"));
    assert_eq!(told(&archive, &["check"]).0, 1);
    assert!(has(&told(&archive, &["alarms"]).1, "check/still-bad"));
    good(&archive, &["repair"]);
    assert!(!has(&told(&archive, &["alarms"]).1, "check/still-bad"), "it was read back");
    let report = good(&archive, &["check", "--budget", "1B"]);
    assert_eq!(report["coverage"]["copies"]["checked"], 3, "{report}");
    assert_eq!(numbers(&lines(&archive).pop().unwrap(), "good"), [2, 2, 2]);
}
