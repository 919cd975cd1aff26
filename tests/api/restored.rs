//! `custode restore from`: the archive's disk is lost; one vault and what was kept of its folder make it again, and nothing that is
//! older than what somebody can show takes its place silently.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::copies::{beside, damage, deposit, good, told, with_vaults};
use crate::server::{Archive, PROGRAM, text};

/// Copies a folder as `cp -a` does.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// What a careful person copies every night, without the packages.
fn back_up(archive: &Archive, name: &str) -> PathBuf {
    let folder = beside(archive, name);
    std::fs::create_dir_all(&folder).unwrap();
    for part in ["chain", "records", "schemas", "policies", "intake", "reports", "custode.toml"] {
        copy(&archive.path(part), &folder.join(part));
    }
    folder
}

/// The archive's own disk is gone.
fn lose(archive: &Archive) {
    std::fs::remove_dir_all(&archive.root).unwrap();
}

fn restore(archive: &Archive, backup: &Path, options: &[&str]) -> (Output, Value) {
    let mut command = Command::new(PROGRAM);
    command.env_remove("CUSTODE_TOKEN").env("CUSTODE_LANG", "en").args(["--json", "--archive"]).arg(&archive.root);
    let out = command.args(["restore", "from"]).arg(backup).args(options).output().unwrap();
    let said = serde_json::from_slice(&out.stdout).or_else(|_| serde_json::from_slice(&out.stderr));
    let said = said.unwrap_or_else(|_| panic!("{}{}", text(&out.stdout), text(&out.stderr)));
    (out, said)
}

/// Two packages with all copies in `b`, one document not sealed yet, and a backup.
fn lived() -> (Archive, Vec<(String, Vec<u8>)>, PathBuf) {
    let archive = with_vaults("required = 3");
    let mut documents = vec![deposit(&archive, "primo.bin", 9000), deposit(&archive, "secondo.bin", 400)];
    good(&archive, &["seal"]);
    documents.push(deposit(&archive, "terzo.bin", 5000));
    good(&archive, &["seal"]);
    documents.push(deposit(&archive, "aperto.bin", 700));
    let backup = back_up(&archive, "copia");
    (archive, documents, backup)
}

#[test]
fn one_vault_and_the_chain_make_the_archive_again() {
    let (archive, documents, backup) = lived();
    let lines = std::fs::read(archive.path("chain/entries")).unwrap();
    lose(&archive);
    let vault = beside(&archive, "b");
    // Killed on its way, it leaves a folder that nobody takes for an archive.
    for step in ["20", "60"] {
        let mut command =
            archive.command(&["restore", "from", backup.to_str().unwrap(), "--vault", vault.to_str().unwrap()]);
        let out = command.env("CUSTODE_TEST_ABORT_AT", step).output().unwrap();
        assert_eq!(out.status.code(), None, "killed at {step}");
        let (status, said) = told(&archive, &["alarms"]);
        assert_eq!((status, &said["code"]), (2, &"archive/unfinished".into()), "{said}");
        lose(&archive);
    }
    let (out, made) = restore(&archive, &backup, &["--vault", vault.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(0), "{made:#}");
    assert_eq!((&made["packages"], &made["declared"]), (&2.into(), &Value::Null), "{made:#}");
    assert_eq!(
        (made["findings"].as_array().map(Vec::len), &made["check"]["outcome"]),
        (Some(0), &"good".into()),
        "{made:#}"
    );
    assert_eq!(made["not_in_backup"], serde_json::json!(["revocation"]));
    assert_eq!(std::fs::read(archive.path("chain/entries")).unwrap(), lines);
    assert!(!archive.path("init-unfinished").exists());
    // Everything is there, sealed or not, and it goes on as before.
    for (id, bytes) in &documents {
        let out = archive.run(&["get", id]);
        assert!(out.status.success() && out.stdout == *bytes, "{id}: {}", text(&out.stderr));
    }
    assert_eq!(good(&archive, &["check"])["outcome"], "good");
    deposit(&archive, "quarto.bin", 300);
    assert_eq!(good(&archive, &["seal"])["sealed"].as_array().unwrap().len(), 1);
    // What stands there is never touched.
    let (out, said) = restore(&archive, &backup, &[]);
    assert_eq!((out.status.code(), &said["code"]), (Some(2), &"archive/exists".into()), "{said}");
}

#[test]
fn the_chain_alone_is_enough_to_read_what_was_sealed() {
    let (archive, documents, backup) = lived();
    lose(&archive);
    for part in ["records", "schemas", "policies", "intake", "reports"] {
        std::fs::remove_dir_all(backup.join(part)).unwrap();
    }
    std::fs::rename(backup.join("custode.toml"), backup.join("elsewhere.toml")).unwrap();
    let vault = beside(&archive, "c");
    let vault = vault.to_str().unwrap();
    let (out, said) = restore(&archive, &backup, &["--vault", vault]);
    assert!(!out.status.success() && said.to_string().contains("custode.toml"), "{said}");
    assert!(!archive.root.exists(), "nothing is made of what is refused");
    let config = backup.join("elsewhere.toml");
    let (out, made) = restore(&archive, &backup, &["--vault", vault, "--config", config.to_str().unwrap()]);
    // What was not sealed is lost with the intake, and its numbers are never given again.
    let limit = made["numbers_from"].as_u64().unwrap();
    assert!(limit > 1_000_000, "{made:#}");
    // What people decided is lost, and is said to be.
    assert_eq!((out.status.code(), &made["packages"]), (Some(1), &2.into()), "{made:#}");
    assert!(made["check"]["findings"].to_string().contains("record-altered"), "{made:#}");
    for (id, bytes) in &documents[..3] {
        let out = archive.run(&["get", id]);
        assert!(out.status.success() && out.stdout == *bytes, "{id}: {}", text(&out.stderr));
    }
    let out = archive.run(&["get", &documents[3].0]);
    assert!(!out.status.success(), "it was never sealed");
    let path = beside(&archive, "nuovo.bin");
    std::fs::write(&path, "dopo il ripristino").unwrap();
    let receipt = good(&archive, &["deposit", "--class", "generic", "-m", "date=2026-01-05", path.to_str().unwrap()]);
    assert_eq!(receipt["sequence"].as_u64(), Some(limit), "{receipt:#}");
    let entries = archive.entries();
    let voided = entries.iter().find_map(|entry| entry["repair"].get("voided")).expect("the chain says so");
    assert_eq!(voided["last"].as_u64(), Some(limit - 1));
    let (_, report) = told(&archive, &["check"]);
    let findings = report["findings"].as_array().unwrap();
    // The records said which the other vaults are.
    let lost = ["record-altered", "vault/other", "report-altered", "numbers-disagree"];
    assert!(findings.iter().all(|finding| lost.iter().any(|code| finding["code"] == *code)), "{report:#}");
    // The one that was accepted and never sealed was acknowledged, and is owed to whoever has its receipt.
    let owed =
        |finding: &Value| finding["code"] == "numbers-disagree" && finding["message"].to_string().contains("number 4 ");
    assert!(findings.iter().any(owed), "{report:#}");
    assert_eq!(report["coverage"]["documents"]["checked"], 3, "{report:#}");
}

#[test]
fn an_older_state_is_refused_until_somebody_declares_it() {
    let archive = with_vaults("required = 3");
    deposit(&archive, "primo.bin", 9000);
    good(&archive, &["seal"]);
    let backup = back_up(&archive, "copia");
    let chain = std::fs::read_to_string(archive.path("chain/checkpoint")).unwrap();
    // The vault as it was then, which knows no more than the chain of then.
    copy(&beside(&archive, "c"), &beside(&archive, "c-allora"));
    let later = beside(&archive, "dopo.bin");
    std::fs::write(&later, "dopo la copia").unwrap();
    let receipt = good(&archive, &["deposit", "--class", "generic", "-m", "date=2026-01-02", later.to_str().unwrap()]);
    good(&archive, &["seal"]);
    std::fs::write(&later, "e ancora dopo").unwrap();
    let after = good(&archive, &["deposit", "--class", "generic", "-m", "date=2026-01-03", later.to_str().unwrap()]);
    let kept = |name: &str, value: &Value| {
        let path = beside(&archive, name);
        std::fs::write(&path, value.to_string()).unwrap();
        path.display().to_string()
    };
    let (first, second) = (kept("ricevuta-1.json", &receipt), kept("ricevuta-2.json", &after));
    let newest = beside(&archive, "checkpoint-dopo");
    std::fs::copy(archive.path("chain/checkpoint"), &newest).unwrap();
    lose(&archive);

    // The vault itself has more than this chain: nobody else needs to say so.
    let of_now = beside(&archive, "b");
    let (out, said) = restore(&archive, &backup, &["--vault", of_now.to_str().unwrap()]);
    assert_eq!(said["code"], "archive/restored", "{said}");
    assert!(said["detail"].as_str().unwrap().contains("generic/2") && !out.status.success(), "{said}");
    // With the vault of that day it takes somebody who kept something.
    let vault = beside(&archive, "c-allora").display().to_string();
    for file in [newest.to_str().unwrap(), &second] {
        let (out, said) = restore(&archive, &backup, &["--vault", &vault, "--expect", file]);
        assert_eq!((&said["code"], out.status.success()), (&"archive/restored".into(), false), "{file}: {said}");
        assert_eq!(said["place"], file, "{said}");
        assert!(!archive.root.exists());
    }
    // A receipt is no proof of more than the chain it names.
    let stranger = beside(&archive, "strano.json");
    std::fs::write(&stranger, "{}").unwrap();
    let (_, said) = restore(&archive, &backup, &["--vault", &vault, "--expect", stranger.to_str().unwrap()]);
    assert_eq!((&said["code"], &said["place"]), (&"usage".into(), &stranger.to_str().unwrap().into()), "{said}");

    let declare = ["--vault", &vault, "--expect", &first, "--expect", &second, "--declare", "disco perso"];
    let (out, made) = restore(&archive, &backup, &declare);
    // What was given up still stands in the other vaults, and is not passed over.
    let findings = made["check"]["findings"].as_array().unwrap();
    let bad: Vec<_> = findings.iter().filter(|finding| finding["outcome"] == "bad").collect();
    assert_eq!((out.status.code(), bad.len()), (Some(1), 2), "{made:#}");
    assert!(bad.iter().all(|f| f["code"] == "package-unknown" && f["place"]["package"] == "generic/2"), "{made:#}");
    assert_eq!(made["declared"]["appends"], true, "{made:#}");
    let entries = archive.entries();
    let restored = entries.iter().find(|entry| entry["kind"] == "restore").expect("the loss is on the chain");
    assert!(restored["restore"]["witnessed"]["size"].as_u64() > restored["restore"]["found"]["size"].as_u64());
    assert!(entries.len() as u64 > chain.lines().nth(1).unwrap().parse::<u64>().unwrap());
    // The receipt of what was lost is known for what it is.
    let (_, report) = told(&archive, &["check", "--checkpoint", &second]);
    assert!(report["findings"].to_string().contains("archive/restore-declared"), "{report:#}");
    assert!(beside(&archive, "checkpoint-dopo").exists());
}

#[test]
fn what_a_vault_gives_is_held_against_the_chain() {
    let (archive, documents, backup) = lived();
    lose(&archive);
    let vault = beside(&archive, "b");
    damage(&vault.join("generic/00000001/PIndex.xml"));
    std::fs::remove_file(vault.join("generic/00000002/evidence/0001.ers")).unwrap();
    let (out, made) = restore(&archive, &backup, &["--vault", vault.to_str().unwrap()]);
    let findings = made["findings"].to_string();
    assert_eq!((out.status.code(), &made["packages"]), (Some(1), &0.into()), "{made:#}");
    assert!(
        findings.contains("generic/1/PIndex.xml") && findings.contains("generic/2/evidence/0001.ers"),
        "{findings}"
    );
    assert!(!archive.path("packages/generic/00000001/PIndex.xml").exists(), "nothing bad gets a name");
    // The documents are whole, and the repair takes what is missing from the third copy.
    let out = archive.run(&["get", &documents[0].0]);
    assert!(out.stdout == documents[0].1, "{}", text(&out.stderr));
    good(&archive, &["repair"]);
    assert_eq!(good(&archive, &["check"])["outcome"], "good");
}

#[test]
fn a_damaged_chain_and_the_vault_of_another_archive_are_refused() {
    let (archive, _, backup) = lived();
    let other = Archive::new();
    other.run(&["list"]);
    lose(&archive);
    let (_, said) = restore(&archive, &backup, &["--vault", other.path("packages").to_str().unwrap()]);
    assert_eq!(said["code"], "vault/other", "{said}");
    let nothing = beside(&archive, "vuoto");
    std::fs::create_dir(&nothing).unwrap();
    let (_, said) = restore(&archive, &backup, &["--vault", nothing.to_str().unwrap()]);
    assert_eq!(said["code"], "vault-missing", "{said}");
    let vault = beside(&archive, "b").display().to_string();
    let entries = backup.join("chain/entries");
    let text = std::fs::read_to_string(&entries).unwrap();
    std::fs::write(&entries, text.replacen("\"documents\":2", "\"documents\":3", 1)).unwrap();
    let (out, said) = restore(&archive, &backup, &["--vault", &vault]);
    assert_eq!((&said["code"], out.status.success()), (&"chain-altered".into(), false), "{said}");
    assert!(said["place"].as_str().unwrap().contains("chain/entries"), "{said}");
    assert!(!archive.root.exists());
}
