//! A change of the archive's key, stopped at every durable step: exactly one key is in force, whatever was signed verifies, and the
//! change either happened or can be made again.

use custode::chain::note::Signer;

use super::audit;
use super::sandbox::{Acknowledged, Sandbox, Wish, aborted, text};
use super::sealing::{each_step, template};

/// The public key of the seed in the keys' folder, under the archive's name.
fn seed_signs(sandbox: &Sandbox, name: &str) -> String {
    let seed = std::fs::read_to_string(sandbox.keys().join("archive.key")).unwrap();
    let seed: [u8; 32] = hex::decode(seed.trim()).unwrap().try_into().unwrap();
    Signer::for_name(name, &seed).unwrap().verifier().to_string()
}

fn changes(sandbox: &Sandbox) -> usize {
    audit::entries(&sandbox.root()).iter().filter(|entry| entry["kind"] == "key").count()
}

/// The archive opens and is good, and one key is in force: the one the chain names, whose seed is there and no other.
fn one_key(sandbox: &Sandbox, when: &str) -> String {
    let checked = sandbox.run(&["--json", "check", "--quick"]);
    assert!(checked.status.success(), "{when}: {}", text(&checked));
    audit::chain_holds(&sandbox.root());
    let stored = std::fs::read_to_string(sandbox.root().join("chain/archive.vkey")).unwrap().trim().to_owned();
    let listed = sandbox.json(&["key", "list"]);
    let listed = listed["keys"].as_array().unwrap();
    let in_force: Vec<&str> =
        listed.iter().filter(|key| key["in_force"] == true).filter_map(|key| key["vkey"].as_str()).collect();
    assert_eq!(in_force, [stored.as_str()], "{when}");
    assert_eq!(listed.len(), 1 + changes(sandbox), "{when}");
    let name = stored.split('+').next().unwrap();
    assert_eq!(seed_signs(sandbox, name), stored, "{when}");
    assert!(!sandbox.keys().join("archive.key.next").exists(), "{when}: two seeds");
    stored
}

#[test]
fn a_change_of_key_stopped_anywhere_happened_or_is_made_again() {
    let (template, acknowledged) = template();
    let first = one_key(&template, "before");
    let steps = each_step(1, |step| {
        let sandbox = template.twin();
        let when = format!("step {step}");
        let output =
            sandbox.run_with(&["key", "rotate", "--reason", "routine"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        let stopped = aborted(&output);
        assert!(stopped || output.status.success(), "{when}: {}", text(&output));
        let key = one_key(&sandbox, &when);
        assert_eq!(changes(&sandbox), usize::from(key != first), "{when}");
        let again = sandbox.json(&["key", "rotate", "--reason", "compromised"]);
        assert_eq!(
            (again["old"].as_str(), again["old_seed_removed"].as_bool()),
            (Some(key.as_str()), Some(true)),
            "{when}"
        );
        assert_ne!(one_key(&sandbox, &when), key);
        // Not at each step: what was acknowledged before is there, is sealed, and what comes after too.
        if step % 5 == 0 || !stopped {
            let server = sandbox.serve();
            acknowledged.iter().for_each(|one| {
                server.caller.holds(one);
                server.caller.replays(one);
            });
            let more = server.caller.accepted(Wish::new(90, 500));
            server.kill();
            sandbox.json(&["seal"]);
            let all: Vec<Acknowledged> = acknowledged.iter().cloned().chain([more]).collect();
            audit::sealed(&sandbox, &all);
            let checked = sandbox.run(&["--json", "check"]);
            assert!(checked.status.success(), "{when}: {}", text(&checked));
        }
        stopped
    });
    println!("change of key: {steps} durable steps");
    assert!(steps > 15, "only {steps} steps");
}
