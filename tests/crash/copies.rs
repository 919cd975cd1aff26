//! Copies in several vaults, stopped at every durable step: what is committed is in every vault in the end, and nothing is in any
//! that the chain does not know.

use std::path::Path;

use super::audit;
use super::sandbox::{Acknowledged, Sandbox, Wish, aborted, text};
use super::sealing::each_step;

const TABLES: &str = "[[vault]]\nname = \"b\"\npath = \"../b\"\nsite = \"Torino\"\n\n[copies]\n";

/// An archive of two vaults with two documents in two cohorts, not sealed.
pub fn template() -> (Sandbox, Vec<Acknowledged>) {
    let sandbox = Sandbox::new();
    let path = sandbox.root().join("custode.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replacen("[copies]\n", TABLES, 1)).unwrap();
    let server = sandbox.serve();
    let all = (0..2).map(|n| server.caller.accepted(Wish::new(n, 2_000))).collect();
    server.kill();
    (sandbox, all)
}

/// Every file of every package, relative to its vault.
pub fn files(vault: &Path) -> Vec<(String, Vec<u8>)> {
    fn walk(folder: &Path, root: &Path, out: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, out);
            } else if path.file_name().unwrap() != "vault.id" {
                out.push((path.strip_prefix(root).unwrap().display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    let mut out = Vec::new();
    walk(vault, vault, &mut out);
    out.sort();
    out
}

/// Both vaults hold the same, and a full check finds every copy good.
pub fn both_are_whole(sandbox: &Sandbox, copies: u64, when: &str) {
    let report = sandbox.json(&["check"]);
    assert_eq!(report["coverage"]["copies"]["checked"], copies, "{when}: {report}");
    assert!(files(&sandbox.root().join("packages")) == files(&sandbox.path("b")), "{when}: the vaults differ");
}

#[test]
fn copying_stopped_anywhere_goes_on() {
    let (template, acknowledged) = template();
    let steps = each_step(11, |step| {
        let sandbox = template.twin();
        let when = format!("step {step}");
        let output = sandbox.run_with(&["seal"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        if !aborted(&output) {
            assert!(output.status.success(), "{when}: {}", text(&output));
        }
        sandbox.json(&["seal"]);
        sandbox.run(&["nightly"]);
        audit::sealed(&sandbox, &acknowledged);
        both_are_whole(&sandbox, 4, &when);
        aborted(&output)
    });
    println!("sealing into two vaults: {steps} durable steps");
    assert!(steps > 100, "only {steps} steps: copying is no longer counted");
}

#[test]
fn binding_a_vault_stopped_anywhere_goes_on() {
    let (template, acknowledged) = template();
    template.json(&["seal"]);
    let path = template.root().join("custode.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replacen("../b", "../c", 1).replacen("name = \"b\"", "name = \"c\"", 1)).unwrap();
    let steps = each_step(7, |step| {
        let sandbox = template.twin();
        let when = format!("step {step}");
        // A check is the first to open it: the new vault is bound on the way.
        let output = sandbox.run_with(&["check", "--quick"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        sandbox.run(&["nightly"]);
        let report = sandbox.json(&["check"]);
        assert_eq!(report["coverage"]["copies"]["checked"], 4, "{when}: {report}");
        assert!(files(&sandbox.root().join("packages")) == files(&sandbox.path("c")), "{when}: the vaults differ");
        audit::sealed(&sandbox, &acknowledged);
        aborted(&output)
    });
    println!("binding a vault: {steps} durable steps");
}

#[test]
fn a_repair_stopped_anywhere_is_completed_and_noted_once() {
    let (template, acknowledged) = template();
    template.json(&["seal"]);
    let first = |vault: std::path::PathBuf| vault.join("generic/00000001");
    // A file altered in one vault, another missing in the other, and a whole package gone.
    let toc = first(template.root().join("packages")).join("toc");
    let bad = [&std::fs::read(&toc).unwrap()[..], b"!"].concat();
    std::fs::remove_file(&toc).unwrap();
    std::fs::write(&toc, &bad).unwrap();
    std::fs::remove_file(first(template.path("b")).join("PIndex.xml")).unwrap();
    std::fs::remove_dir_all(template.path("b/generic/00000002")).unwrap();
    let steps = each_step(7, |step| {
        let sandbox = template.twin();
        let when = format!("step {step}");
        let output = sandbox.run_with(&["repair"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        // At any moment a file is what it was or what it should be, and the bad bytes are somewhere.
        let found = std::fs::read(first(sandbox.root().join("packages")).join("toc")).unwrap();
        let good = std::fs::read(first(sandbox.path("b")).join("toc")).unwrap();
        assert!(found == bad || found == good, "{when}");
        sandbox.json(&["repair"]);
        both_are_whole(&sandbox, 4, &when);
        audit::sealed(&sandbox, &acknowledged);
        let kept: Vec<_> = std::fs::read_dir(sandbox.root().join("quarantine")).unwrap().flatten().collect();
        assert!(kept.iter().any(|file| std::fs::read(file.path()).unwrap() == bad), "{when}: the bad bytes are lost");
        let entries = audit::entries(&sandbox.root());
        let acts: Vec<_> = entries.iter().filter(|entry| entry["repair"].get("restored").is_some()).collect();
        let ids: std::collections::BTreeSet<_> = acts.iter().map(|entry| entry["repair"]["id"].to_string()).collect();
        assert_eq!((acts.len(), ids.len()), (3, 3), "{when}: {acts:?}");
        let staged = std::fs::read_dir(sandbox.root().join("staging")).unwrap().flatten();
        // The temporary of a plan that was never kept is nobody's.
        let staged: Vec<_> = staged.map(|entry| entry.file_name().into_string().unwrap()).collect();
        assert!(staged.iter().all(|name| name.starts_with('.') && name.ends_with(".tmp")), "{when}: {staged:?}");
        aborted(&output)
    });
    println!("repair: {steps} durable steps");
    assert!(steps > 30, "only {steps} steps: repairing is no longer counted");
}
