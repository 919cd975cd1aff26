//! The demonstration, and the commands it says to type next.

use std::process::{Command, Output};

use serde_json::Value;

#[path = "support/judges.rs"]
mod judges;
#[path = "support/second_verifier.rs"]
mod second_verifier;

fn custode() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custode"));
    command.env_remove("CUSTODE_ARCHIVE").env_remove("CUSTODE_TOKEN").env("CUSTODE_LANG", "en");
    command
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_whole_way_is_good_and_what_it_says_to_type_works() {
    let folder = tempfile::tempdir().unwrap();
    // A space in the path: the commands must still be typeable.
    let dir = folder.path().join("my demo");
    let output = custode().args(["--json", "demo"]).arg(&dir).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let story: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(story["outcome"], "good");
    let steps = story["steps"].as_array().unwrap();
    let step = |name: &str| steps.iter().find(|s| s["step"] == name).unwrap_or_else(|| panic!("no step {name}"));
    let documents = |name: &str| -> usize {
        step(name)["receipts"].as_array().unwrap().iter().map(|r| r["documents"].as_array().unwrap().len()).sum()
    };
    assert!(documents("pec") >= 3);
    assert!(documents("invoice") >= 2);
    assert_eq!(documents("identity"), 4);
    assert_eq!(step("identity")["receipts"].as_array().unwrap().len(), 1, "one deposit, one receipt");
    assert_eq!(documents("log"), 1);
    assert!(step("refusal")["findings"].as_array().unwrap().iter().any(|f| f["code"] == "intake/digest"));
    let all = documents("pec") + documents("invoice") + 4 + 1;
    assert_eq!(step("check")["report"]["coverage"]["documents"]["checked"], all);
    assert_eq!(step("check")["report"]["outcome"], "good");
    assert_eq!(step("search")["same_bytes"], true);
    assert_eq!(step("verify")["report"]["outcome"], "good");
    let (root, key) = (dir.join("archive.keys/development-tsa-root.pem"), dir.join("archive/chain/archive.vkey"));
    let options = ["--trust", root.to_str().unwrap(), "--key", key.to_str().unwrap()];
    second_verifier::agree(&dir.join("bundle.zip"), &options, 0, Some(&step("verify")["report"]));

    let commands: Vec<&str> = story["next"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    assert!(commands.len() >= 6);
    for command in commands {
        if command.ends_with(" serve") || (command.starts_with("zstd") && !has("zstd")) {
            continue;
        }
        let output = Command::new("sh").args(["-c", command]).env("CUSTODE_LANG", "en").output().unwrap();
        assert!(
            output.status.success() && (!output.stdout.is_empty() || command.contains(" get ")),
            "{command}\n{}",
            text(&output)
        );
    }
    assert!(dir.join("invoice.xml.p7m").exists());
}

fn has(tool: &str) -> bool {
    Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().is_ok_and(|o| o.status.success())
}

#[test]
fn a_folder_that_is_not_empty_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.txt"), "mine").unwrap();
    let output = custode().arg("demo").arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("folder-not-empty"), "{}", text(&output));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
