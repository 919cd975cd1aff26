//! Altered between two runs: what a stopped sealing left in `staging/`, written anew by somebody who may write to the disk
//! but has not the archive's keys.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use custode::hash::Digests;
use serde_json::Value;

use super::audit;
use super::sandbox::{Acknowledged, Sandbox, aborted, text};
use super::sealing::{each_step, template};

/// Files of this name in the folders of packages being made.
fn kept(sandbox: &Sandbox, name: &str) -> Vec<PathBuf> {
    let staging = sandbox.root().join("staging");
    let folders = std::fs::read_dir(staging).into_iter().flatten().map(|entry| entry.unwrap().path());
    folders.map(|folder| folder.join(name)).filter(|path| path.is_file()).collect()
}

fn overwrite(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn all_is_sealed_once(sandbox: &Sandbox, acknowledged: &[Acknowledged], when: &str) {
    let output = sandbox.run(&["seal"]);
    assert!(output.status.success(), "{when}: {}", text(&output));
    let sealed = audit::sealed(sandbox, acknowledged);
    assert_eq!((sealed.packages, sealed.documents.len()), (3, acknowledged.len()), "{when}");
}

/// A package that was copied and not committed is not the archive's to remove: the error names it, and it is moved away.
fn leave_to_the_operator(sandbox: &Sandbox, when: &str) {
    loop {
        let told = sandbox.run(&["seal"]);
        if told.status.success() {
            return;
        }
        let said = text(&told);
        assert!(said.contains("vault-exists") && said.contains("keep it as evidence"), "{when}: {said}");
        let place = said.lines().find_map(|line| line.trim().strip_prefix("where: ")).unwrap();
        let folder = Path::new(place).parent().unwrap();
        let away = sandbox.path(&folder.file_name().unwrap().to_string_lossy());
        assert!(!away.exists(), "{when}: {said}");
        std::fs::rename(folder, away).unwrap();
    }
}

/// A plan with its expiry ten years earlier: the chain would have committed it.
#[test]
fn a_plan_that_was_altered_is_not_gone_on_from() {
    let (template, acknowledged) = template();
    let forged = AtomicU64::new(0);
    each_step(23, |step| {
        let sandbox = template.twin();
        let output = sandbox.run_with(&["seal"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        let plans = kept(&sandbox, "plan.json");
        for plan in &plans {
            let before = std::fs::read_to_string(plan).unwrap();
            let (text_before, mark) = before.trim_end().rsplit_once('\n').unwrap();
            let mut json: Value = serde_json::from_str(text_before).unwrap();
            let expiry = json["expiry"].as_str().unwrap().to_owned();
            json["expiry"] = format!("{}{}", expiry[..4].parse::<i32>().unwrap() - 10, &expiry[4..]).into();
            overwrite(plan, format!("{json:#}\n{mark}\n").as_bytes());
        }
        let Some(plan) = plans.first() else { return aborted(&output) };
        forged.fetch_add(1, Ordering::SeqCst);
        let when = format!("step {step}");
        let told = sandbox.run(&["--json", "seal"]);
        assert_eq!(told.status.code(), Some(1), "{when}: {}", text(&told));
        assert!(
            text(&told).contains("staging-altered") && text(&told).contains("plan.json"),
            "{when}: {}",
            text(&told)
        );
        // Deposits go on, and everything acknowledged is there.
        let server = sandbox.serve();
        acknowledged.iter().for_each(|one| server.caller.holds(one));
        server.kill();
        // Taken away as the hint says: the documents are planned anew.
        assert!(plan.exists());
        std::fs::rename(sandbox.root().join("staging"), sandbox.path("evidence")).unwrap();
        leave_to_the_operator(&sandbox, &when);
        all_is_sealed_once(&sandbox, &acknowledged, &when);
        aborted(&output)
    });
    assert!(forged.into_inner() > 3, "no plan was ever there to be altered");
}

/// Content with another byte in it, and facts that say so: the file would have been taken as made.
#[test]
fn content_altered_with_its_facts_is_made_again() {
    let (template, acknowledged) = template();
    let forged = AtomicU64::new(0);
    each_step(29, |step| {
        let sandbox = template.twin();
        let output = sandbox.run_with(&["seal"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        for facts in kept(&sandbox, "steps/content.tar.zst.json") {
            let content = facts.parent().unwrap().with_file_name("package").join("content.tar.zst");
            let mut bytes = std::fs::read(&content).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            overwrite(&content, &bytes);
            let kept = std::fs::read_to_string(&facts).unwrap();
            let (json, mark) = kept.trim_end().rsplit_once('\n').unwrap();
            let before: Value = serde_json::from_str(json).unwrap();
            let digests = Digests::of_reader(&mut &bytes[..]).unwrap();
            let mut after = before.clone();
            after["sha256"] = digests.sha256.to_string().into();
            after["blake3"] = digests.blake3.to_string().into();
            assert_ne!(before, after);
            overwrite(&facts, format!("{after}\n{mark}\n").as_bytes());
            forged.fetch_add(1, Ordering::SeqCst);
        }
        all_is_sealed_once(&sandbox, &acknowledged, &format!("step {step}"));
        aborted(&output)
    });
    assert!(forged.into_inner() > 3, "no content was ever there to be altered");
}
