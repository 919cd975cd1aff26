//! Stopped at every durable step of everything else that writes: init, opening, deposit, adoption, tokens.

use serde_json::Value;

use super::audit;
use super::sandbox::{Acknowledged, Sandbox, Wish, aborted, text};
use super::sealing::each_step;

#[test]
fn an_interrupted_init_says_so() {
    let steps = each_step(67, |step| {
        let sandbox = Sandbox::empty();
        let output = sandbox.run_with(&["--json", "init"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        if !aborted(&output) {
            assert!(output.status.success(), "{}", text(&output));
            return false;
        }
        // Whatever is there: it opens and works, or says what it is; and a fresh one can be made after clearing it away.
        let next = sandbox.run(&["--json", "search"]);
        let told: Value = serde_json::from_slice(&next.stdout).unwrap_or(Value::Null);
        let said = text(&next);
        assert!(!next.status.success(), "step {step}: an archive whose first token nobody saw opens: {told}");
        assert!(
            said.contains("archive/missing") || said.contains("archive/unfinished"),
            "step {step}: the folder does not say that init was interrupted: {said}"
        );
        for folder in [sandbox.root(), sandbox.keys()] {
            if folder.exists() {
                std::fs::remove_dir_all(folder).unwrap();
            }
        }
        sandbox.json(&["init"]);
        true
    });
    println!("init: {steps} durable steps");
}

#[test]
fn a_deposit_stopped_anywhere_is_there_whole_or_not_at_all() {
    let template = Sandbox::new();
    let mut before: Vec<Acknowledged> = Vec::new();
    let server = template.serve();
    before.extend((0..3).map(|n| server.caller.accepted(Wish::new(n, 2_000))));
    server.kill();
    let steps = each_step(5, |step| {
        let sandbox = template.twin();
        let mut all = before.clone();
        // Steps are counted from the start of the process: opening is among them.
        let step = step.to_string();
        let told = sandbox.serve_with(&[("CUSTODE_TEST_ABORT_AT", &step)]);
        let mut stopped = told.is_err();
        let mut unanswered = Vec::new();
        if let Ok(server) = told {
            for (number, length) in [(10, 100), (11, 90_000), (12, 1_300_000)] {
                let wish = Wish::new(number, length);
                match server.caller.deposit(&wish) {
                    Some(told) if told.status == 201 => all.push(Acknowledged::of(wish, &told)),
                    Some(told) => panic!("step {step}: {} {}", told.status, told.code()),
                    None => {
                        stopped = true;
                        unanswered.push(wish);
                    }
                }
            }
        }
        let server = sandbox.serve();
        for wish in unanswered {
            let told = server.caller.deposit(&wish).unwrap();
            all.push(Acknowledged::of(wish, &told));
        }
        for one in &all {
            server.caller.holds(one);
            server.caller.replays(one);
        }
        server.kill();
        sandbox.json(&["seal"]);
        let sealed = audit::sealed(&sandbox, &all);
        assert_eq!(sealed.documents.len(), all.len(), "step {step}");
        stopped
    });
    println!("opening and three deposits: {steps} durable steps");
}

#[test]
fn acts_stopped_anywhere_are_made_or_not_and_the_archive_opens() {
    let template = Sandbox::empty();
    let made = template.json(&["init"]);
    let manager = made["manager_token"].as_str().unwrap();
    let class = std::fs::read_to_string(template.root().join("schemas/generic@1.json")).unwrap();
    let draft = class.replace("\"version\": 1", "\"version\": 2").replace("class:generic:1", "class:generic:2");
    std::fs::write(template.path("draft.json"), &draft).unwrap();
    let acts: [&[&str]; 2] = [&["class", "adopt", "draft.json"], &["token", "create", "--role", "producer"]];
    for act in acts {
        let steps = each_step(9, |step| {
            let sandbox = template.twin();
            let mut command = sandbox.command(&[&["--json"], act].concat());
            let output =
                command.env("CUSTODE_TOKEN", manager).env("CUSTODE_TEST_ABORT_AT", step.to_string()).output().unwrap();
            let again = sandbox.command(&[&["--json"], act].concat()).env("CUSTODE_TOKEN", manager).output().unwrap();
            if !aborted(&output) {
                assert!(output.status.success(), "{act:?}: {}", text(&output));
                return false;
            }
            // Done, or to be done again; what was done already (the version, the system's name) is refused as such.
            let said = text(&again);
            let done = said.contains("next version") || said.contains("label is taken");
            assert!(again.status.success() || done, "{act:?}, step {step}: {said}");
            let server = sandbox.serve();
            let one = server.caller.accepted(Wish::new(1, 10));
            server.kill();
            sandbox.json(&["seal"]);
            audit::sealed(&sandbox, &[one]);
            true
        });
        println!("{act:?}: {steps} durable steps");
    }
}
