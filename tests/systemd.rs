//! The units in `tools/systemd/` work as they are: systemd's own judge finds nothing wrong with them, they leave the program little to
//! do harm with, and enough to do its work: every system call it makes is one that they allow.

#[path = "support/judges.rs"]
mod judges;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_custode");
const UNITS: [&str; 3] = ["custode.service", "custode-nightly.service", "custode-nightly.timer"];
/// What `systemd-analyze security` calls "OK" ends at 4.9 of 10; these are meant to be well below.
const MOST_EXPOSED: &str = "20";

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

fn unit(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/systemd").join(name)).unwrap()
}

/// The units, with the program where it is here.
fn units(folder: &Path) -> Vec<PathBuf> {
    let put = |name: &&str| {
        let (path, text) = (folder.join(name), unit(name));
        assert!(!name.ends_with(".service") || text.contains("/usr/local/bin/custode "), "{name}");
        std::fs::write(&path, text.replace("/usr/local/bin/custode", PROGRAM)).unwrap();
        path
    };
    UNITS.iter().map(put).collect()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units_and_little_exposed() {
    if !judges::present(&["systemd-analyze"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<String> = units(folder.path()).iter().map(|path| path.display().to_string()).collect();
    let mut verify = vec!["verify", "--man=no"];
    verify.extend(paths.iter().map(String::as_str));
    let out = run("systemd-analyze", &verify);
    assert!(out.status.success() && text(&out).trim().is_empty(), "{}", text(&out));
    // The judge judges: a mistake in a unit is found.
    std::fs::write(&paths[2], unit(UNITS[2]).replace("OnCalendar=", "OnCalender=")).unwrap();
    let out = run("systemd-analyze", &verify);
    assert!(text(&out).contains("OnCalender"), "{}", text(&out));
    for path in &paths[..2] {
        let threshold = format!("--threshold={MOST_EXPOSED}");
        let out = run("systemd-analyze", &["security", "--offline=true", "--no-pager", &threshold, path]);
        assert!(out.status.success(), "{}", text(&out));
    }
}

/// The system calls of a set, and of those it is made of.
fn set(name: &str) -> BTreeSet<String> {
    let out = run("systemd-analyze", &["syscall-filter", name]);
    assert!(out.status.success(), "{}", text(&out));
    let mut calls = BTreeSet::new();
    for line in text(&out).lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.starts_with('@') {
            true => calls.extend(set(line)),
            false => calls.extend([line.to_owned()]),
        }
    }
    calls
}

#[test]
fn every_system_call_of_the_program_is_one_that_the_units_allow() {
    if !judges::present(&["systemd-analyze", "strace"]) {
        return;
    }
    let mut allowed = set("@system-service");
    for call in set("@privileged") {
        allowed.remove(&call);
    }
    for name in &UNITS[..2] {
        let filters: Vec<String> =
            unit(name).lines().filter(|line| line.starts_with("SystemCallFilter=")).map(str::to_owned).collect();
        assert_eq!(filters, ["SystemCallFilter=@system-service", "SystemCallFilter=~@privileged"], "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("archive").display().to_string();
    let custode = |arguments: &[&str]| {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o"]).arg(folder.path().join("calls")).args([PROGRAM, "--archive", &archive]);
        let out = command.args(arguments).env_remove("CUSTODE_TOKEN").output().unwrap();
        assert!(out.status.success(), "{arguments:?}: {}", text(&out));
        std::fs::read_to_string(folder.path().join("calls")).unwrap()
    };
    let mut seen = custode(&["init"]);
    let file = folder.path().join("nota.txt");
    std::fs::write(&file, "nota").unwrap();
    seen += &custode(&["deposit", "--class", "generic", "-m", "subject=Nota", file.to_str().unwrap()]);
    seen += &custode(&["nightly"]);
    seen += &custode(&["seal"]);
    // Of a line "1234 openat(…" the word.
    let word = |line: &str| {
        line.split_once(' ').and_then(|(_, rest)| rest.trim_start().split_once('(')).map(|(word, _)| word.to_owned())
    };
    let calls: BTreeSet<String> =
        seen.lines().filter_map(word).filter(|word| !word.is_empty() && !word.contains(' ')).collect();
    assert!(calls.contains("fsync") && calls.len() > 30, "{calls:?}");
    let denied: Vec<&String> = calls.difference(&allowed).collect();
    assert!(denied.is_empty(), "the units deny {denied:?}");
    // MemoryDenyWriteExecute: nothing is ever both.
    let both: Vec<&str> = seen.lines().filter(|line| line.contains("PROT_WRITE|PROT_EXEC")).collect();
    assert!(both.is_empty(), "{both:?}");
}
