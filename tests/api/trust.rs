//! `custode.toml` names programs that run, keys that sign and certificates that are believed: who can write to it owns the
//! archive. So nobody else may, and that it changed stands on the chain.

use std::os::unix::fs::PermissionsExt as _;

use custode::hash::Sha256;
use serde_json::Value;

use crate::server::{Archive, text};

#[test]
fn a_configuration_that_others_can_write_to_or_a_key_that_they_can_read_stops_the_start() {
    let archive = Archive::new();
    let keys = archive.root.with_extension("keys");
    for path in [archive.path("custode.toml")]
        .into_iter()
        .chain(["archive.key", "secret.key", "development-tsa.pem"].map(|name| keys.join(name)))
    {
        let before = std::fs::metadata(&path).unwrap().permissions();
        for mode in [0o660, 0o602] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let out = archive.run(&["search"]);
            let said = text(&out.stderr);
            assert_eq!(out.status.code(), Some(2), "{}: {said}", path.display());
            let name = path.file_name().unwrap().to_str().unwrap();
            for part in ["config/writable-by-others", name, "chmod go-w"] {
                assert!(said.contains(part), "{part}: {said}");
            }
        }
        // The configuration holds no secret: anybody may read it.
        for mode in [0o640, 0o604].into_iter().filter(|_| path.extension().is_none_or(|kind| kind != "toml")) {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let said = text(&archive.run(&["search"]).stderr);
            for part in ["config/secret-exposed", "chmod 600", &format!("mode {mode:04o}")] {
                assert!(said.contains(part), "{}: {part}: {said}", path.display());
            }
        }
        std::fs::set_permissions(&path, before).unwrap();
        assert!(archive.run(&["search"]).status.success());
    }
}

#[test]
fn the_digest_of_each_configuration_in_force_is_on_the_chain() {
    let archive = Archive::new();
    let digests = || -> Vec<String> {
        let lines = std::fs::read_to_string(archive.path("records/configuration.jsonl")).unwrap();
        let digest = |line: &str| serde_json::from_str::<Value>(line).unwrap().to_string();
        lines.lines().map(digest).collect()
    };
    let now = || Sha256::of(&std::fs::read(archive.path("custode.toml")).unwrap()).to_string();
    let committed = || archive.entries().iter().filter(|e| e["record"]["kind"] == "configuration").count();
    let first = now();
    assert!(digests().len() == 1 && digests()[0].contains(&first) && committed() == 1);
    let check = || text(&archive.run(&["check", "--json"]).stdout);
    assert!(!check().contains("config/changed"));
    archive.configure("#level = \"info\"", "level = \"warn\"");
    let report = check();
    assert!(report.contains("config/changed") && report.contains("\"outcome\":\"good\""), "{report}");
    assert!(digests().len() == 2 && digests()[1].contains(&now()) && now() != first && committed() == 2);
    // Said once: the next opening finds the one it knows.
    assert!(!check().contains("config/changed"));
    assert_eq!(committed(), 2);
}
