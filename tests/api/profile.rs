//! What follows from an archive's profile.

use std::process::Command;

use crate::server::{Archive, PROGRAM, text};

#[test]
fn a_trial_archive_listens_on_loopback_only() {
    let archive = Archive::new();
    for address in ["0.0.0.0:0", "[::]:0"] {
        let out = archive.run(&["serve", "--listen", address]);
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains("profile/forbids") && said.contains("loopback"), "{said}");
    }
    archive.configure("#listen = \"127.0.0.1:8480\"", "listen = \"0.0.0.0:8480\"");
    let out = archive.run(&["serve"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("http.listen"), "{}", text(&out.stderr));
}

#[test]
fn a_production_archive_does_not_serve_without_what_makes_it_one() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("vero");
    let run = |args: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.env_remove("CUSTODE_TOKEN").env("CUSTODE_LANG", "en").arg("--archive").arg(&root).args(args);
        command.output().unwrap()
    };
    let out = run(&["init", "--profile", "production", "--holder", "Ente Esempio", "--manager", "Maria Esempio"]);
    if out.status.success() {
        let genesis = std::fs::read_to_string(root.join("chain/entries")).unwrap();
        assert!(genesis.lines().next().unwrap().contains("\"profile\":\"production\""), "{genesis}");
    } else {
        // Refusing to make it is as good, as long as it says what is missing.
        assert!(text(&out.stderr).contains("tsa"), "{}", text(&out.stderr));
    }
    let out = run(&["serve", "--listen", "127.0.0.1:0"]);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(!text(&out.stdout).contains("http://"));
    assert!(said.contains("tsa") && said.contains("next:"), "{said}");
}

#[test]
fn a_profile_cannot_be_changed_afterwards() {
    let archive = Archive::new();
    let entries = archive.path("chain/entries");
    let text_of = std::fs::read_to_string(&entries).unwrap();
    std::fs::write(&entries, text_of.replacen("\"trial\"", "\"production\"", 1)).unwrap();
    let out = archive.run(&["class", "list"]);
    assert!(!out.status.success());
    assert!(!out.stderr.is_empty());
}

#[test]
fn what_a_trial_says_of_itself_stands_on_receipt_and_index() {
    let server = Archive::new().serve();
    let producer = server.archive.token("producer");
    let receipt = server.generic(&producer, "a.txt", b"a");
    const MARK: &str = "PROVA: senza valore legale";
    assert_eq!(receipt["notice"], MARK);
    let path = format!("/v1/receipts/{}", receipt["receipt"].as_str().unwrap());
    let xml = server.get(&path, &producer).header("accept", "application/xml").send().unwrap().text().unwrap();
    assert!(xml.contains(MARK));
    server.seal();
    let index = std::fs::read_to_string(server.archive.path("packages/generic/00000001/PIndex.xml")).unwrap();
    assert!(index.contains(MARK));
}
