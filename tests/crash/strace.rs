//! The system itself says no: `strace` makes the nth call of a kind fail, in the real program, which knows nothing of it.
//!
//! What `durable` counts in debug builds is only what `durable` does; here nobody is asked. Every nth call in turn, for each
//! kind that a deposit and a sealing make: nothing that was acknowledged is lost, and the next plain run ends what was begun.

use std::process::{Command, Output};

use super::audit;
use super::judges;
use super::sandbox::{Acknowledged, Sandbox, Told, Wish, text};
use super::sealing::{each_step, template};

/// What fails, how, and how many calls are passed over between two that do.
const KINDS: [(&str, &str, u64); 6] = [
    ("fsync,fdatasync", "EIO", 9),
    ("fsync,fdatasync", "ENOSPC", 23),
    ("rename,renameat,renameat2", "EIO", 7),
    ("link,linkat", "ENOSPC", 3),
    ("mkdir,mkdirat", "ENOSPC", 3),
    ("unlink,unlinkat", "EIO", 9),
];

/// The files that are written to while a document is accepted and while a package is committed; other writes go to sockets and
/// wake threads.
const WRITTEN: [&str; 5] = [
    "chain/.pending.tmp",
    "chain/.checkpoint.tmp",
    "chain/entries",
    "intake/lane-0001/segment-00000001",
    "staging/.run.json.tmp",
];

/// Runs with the nth call of each thread failing; whether any did.
fn run(sandbox: &Sandbox, arguments: &[&str], calls: &str, error: &str, n: u64) -> (Output, bool) {
    let log = sandbox.path("strace.log");
    let plain = sandbox.command(arguments);
    let mut command = Command::new("strace");
    command.arg("-f").arg("-qq").arg("-o").arg(&log);
    command.arg("-e").arg(format!("trace={calls}")).arg("-e").arg(format!("inject={calls}:error={error}:when={n}"));
    if calls.contains("write") {
        for path in WRITTEN {
            command.arg("-P").arg(sandbox.root().join(path));
        }
    }
    command.arg(plain.get_program()).args(plain.get_args()).current_dir(sandbox.path(""));
    let output = command.output().unwrap();
    let struck = std::fs::read_to_string(log).unwrap().contains("(INJECTED)");
    (output, struck)
}

/// Whether calls can be made to fail here: where tracing is forbidden nothing is proved, and it is said.
fn can() -> bool {
    if !judges::present(&["strace"]) {
        return false;
    }
    let allowed = Command::new("strace").args(["-o", "/dev/null", "true"]).output().is_ok_and(|o| o.status.success());
    let text = "NOT RUN: strace may not trace here, so no call of the system failed";
    assert!(allowed || std::env::var_os("CI").is_none(), "{text}");
    if !allowed {
        eprintln!("{text}");
    }
    allowed
}

/// It failed as a disk does: with an answer, not by a panic.
fn told_well(output: &Output, when: &str) {
    let said = text(output);
    assert!(matches!(output.status.code(), Some(0..=2)), "{when}: {said}");
    assert!(!said.contains("panicked"), "{when}: {said}");
}

fn ends_well(sandbox: &Sandbox, acknowledged: &[Acknowledged], when: &str) {
    let again = sandbox.run(&["seal"]);
    assert!(again.status.success(), "{when}: {}", text(&again));
    let check = sandbox.run(&["check"]);
    assert!(check.status.success(), "{when}: {}", text(&check));
    audit::sealed(sandbox, acknowledged);
}

/// Every kind of call, and writes to the files that count.
fn kinds() -> impl Iterator<Item = (&'static str, &'static str, u64)> {
    KINDS.into_iter().chain([("write,pwrite64", "ENOSPC", 5), ("write,pwrite64", "EIO", 5)])
}

#[test]
fn a_sealing_whose_calls_fail_is_completed_by_the_next() {
    if !can() {
        return;
    }
    let (template, acknowledged) = template();
    for (calls, error, stride) in kinds() {
        let steps = each_step(stride, |n| {
            let sandbox = template.twin();
            let when = format!("sealing, {error} at the {n}th {calls}");
            let (output, struck) = run(&sandbox, &["seal"], calls, error, n);
            told_well(&output, &when);
            ends_well(&sandbox, &acknowledged, &when);
            struck
        });
        println!("sealing: {steps} of {calls} failed with {error}");
        assert!(steps > 0, "no {calls} was made to fail");
    }
}

#[test]
fn a_deposit_whose_calls_fail_is_there_or_was_not_acknowledged() {
    if !can() {
        return;
    }
    let template = Sandbox::new();
    let wishes = [Wish::new(1, 3_000), Wish::new(2, 1_100_000)];
    for wish in &wishes {
        std::fs::write(template.path(&format!("{}.bin", wish.key)), &wish.body).unwrap();
    }
    for (calls, error, stride) in kinds() {
        let steps = each_step(stride, |n| {
            let sandbox = template.twin();
            let when = format!("deposit, {error} at the {n}th {calls}");
            let arguments =
                ["--json", "deposit", "--class", "generic", "-m", "date=2024-05-05", "key-1.bin", "key-2.bin"];
            let (output, struck) = run(&sandbox, &arguments, calls, error, n);
            told_well(&output, &when);
            let acknowledged = receipts(&output, &wishes);
            assert!(!output.status.success() || acknowledged.len() == wishes.len(), "{when}: {}", text(&output));
            ends_well(&sandbox, &acknowledged, &when);
            struck
        });
        println!("deposit: {steps} of {calls} failed with {error}");
    }
}

/// The receipts that were printed, a line each.
fn receipts(output: &Output, wishes: &[Wish]) -> Vec<Acknowledged> {
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let receipts = told.lines().filter(|line| line.contains("\"accepted\""));
    receipts
        .map(|line| {
            let told = Told { status: 201, body: line.as_bytes().to_vec() };
            let name = told.json()["documents"][0]["name"].as_str().unwrap().to_owned();
            let wish = wishes.iter().find(|wish| name == format!("{}.bin", wish.key)).unwrap();
            Acknowledged::of(wish.clone(), &told)
        })
        .collect()
}
