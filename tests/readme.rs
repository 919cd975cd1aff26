//! What the README shows is run: its blocks marked `<!-- run -->`, in order, by one shell in an empty folder.
//!
//! `<!-- run needs=TOOL,… -->` leaves a block out where a tool is not installed: `cargo test` needs only Rust and a C compiler.
//! The continuous integration has all tools (`.ci/run`), so there every block is run.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

const README: &str = include_str!("../README.md");

/// The blocks to run, with the tools each needs.
fn blocks() -> Vec<(Vec<&'static str>, &'static str)> {
    let mut blocks = Vec::new();
    for rest in README.split("<!-- run").skip(1) {
        let (mark, rest) = rest.split_once("-->").expect("a mark ends");
        let needs = mark.trim().strip_prefix("needs=").map(|list| list.split(',').collect()).unwrap_or_default();
        let block = rest.trim_start().strip_prefix("```sh\n").expect("a sh block follows a mark");
        blocks.push((needs, block.split_once("```").expect("a block ends").0));
    }
    blocks
}

fn has(tool: &str) -> bool {
    Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

#[test]
fn what_the_readme_shows_works() {
    let blocks = blocks();
    assert!(blocks.len() >= 6, "{} blocks", blocks.len());
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

    // However it ends, the server it started ends with it.
    let mut script = "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n".to_owned();
    let mut ran = 0;
    for (needs, block) in &blocks {
        if let Some(tool) = needs.iter().find(|tool| !has(tool)) {
            eprintln!("left out, {tool} is not installed:\n{block}");
            continue;
        }
        script.push_str("set -x\n");
        script.push_str(&block.replace("8480", &port.to_string()));
        script.push_str("{ set +x; } 2>/dev/null\n");
        if block.contains("serve") {
            // A person reads on for longer than a server takes to start.
            script.push_str("for i in $(seq 100); do grep -q http archive/lock && break; sleep 0.1; done\n");
        }
        ran += 1;
    }
    script.push_str("echo all-done\n");
    assert!(ran >= 3, "only {ran} blocks could be run");

    let bin = Path::new(env!("CARGO_BIN_EXE_custode")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("CUSTODE_LANG", "en")
        .env_remove("CUSTODE_ARCHIVE")
        .env_remove("CUSTODE_TOKEN")
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && stdout.contains("all-done"), "{stdout}\n{stderr}");
    assert!(stdout.contains("GOOD"), "the check says so\n{stdout}\n{stderr}");
    assert!(stdout.contains("VERIFIED"), "the bundle verifies\n{stdout}\n{stderr}");
}
