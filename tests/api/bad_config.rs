//! A configuration that is wrong, files that were not adopted, an archive that is already open: what is said, and that
//! nothing is done.

use serde_json::Value;

use crate::server::{Archive, Server, text};

/// What a person reads when a command cannot work: code, place, cause, and what to do.
fn failure(archive: &Archive, args: &[&str]) -> String {
    let out = archive.run(args);
    assert_eq!(out.status.code(), Some(2), "{args:?}: {}{}", text(&out.stdout), text(&out.stderr));
    assert!(out.stdout.is_empty(), "an error belongs on standard error: {}", text(&out.stdout));
    text(&out.stderr)
}

#[test]
fn a_wrong_configuration_names_file_line_and_what_is_accepted() {
    let archive = Archive::new();
    let path = archive.path("custode.toml");
    let whole = std::fs::read_to_string(&path).unwrap();
    let entries = std::fs::read(archive.path("chain/entries")).unwrap();
    let cases: [(&str, &str, &[&str]); 8] = [
        ("#max_document = \"150MB\"", "max_documents = \"150MB\"", &["max_documents", "max_document"]),
        ("#max_document = \"150MB\"", "max_document = true", &["max_document"]),
        ("#max_document = \"150MB\"", "max_document = \"many\"", &["max_document", "MB"]),
        ("#max_refusals = 3", "max_refusals = 2", &["max_refusals", "3"]),
        ("#log = \"text\"", "log = \"xml\"", &["log", "json"]),
        ("#mirrors = []", "mirrors = [\"/no/such/folder\"]", &["mirrors"]),
        ("#interval = \"10s\"", "interval = \"presto\"", &["interval"]),
        ("#listen = \"127.0.0.1:8480\"", "listen = \"qui\"", &["listen", "127.0.0.1"]),
    ];
    for (from, to, wanted) in cases {
        assert!(whole.contains(from), "{from}");
        let line = whole[..whole.find(from).unwrap()].lines().count() + 1;
        std::fs::write(&path, whole.replacen(from, to, 1)).unwrap();
        let said = failure(&archive, &["class", "list"]);
        assert!(said.contains("custode.toml") && said.contains("config/"), "{to}: {said}");
        let places = [format!(":{line}"), format!("line {line}")];
        assert!(places.iter().any(|place| said.contains(place.as_str())), "{to}: no line {line} in {said}");
        for word in wanted {
            assert!(said.contains(word), "{to}: no {word} in {said}");
        }
        assert!(said.contains("next:"), "{said}");
    }
    // Half written: wherever it was cut, it is an error and never a smaller configuration.
    for share in 1..20 {
        let mut cut = whole.len() * share / 20;
        while !whole.is_char_boundary(cut) {
            cut -= 1;
        }
        std::fs::write(&path, &whole[..cut]).unwrap();
        let said = failure(&archive, &["class", "list"]);
        assert!(said.contains("custode.toml"), "cut at {cut}: {said}");
    }
    std::fs::write(&path, b"\xFF\xFE").unwrap();
    assert!(failure(&archive, &["class", "list"]).contains("custode.toml"));
    std::fs::write(&path, &whole).unwrap();
    assert!(archive.run(&["class", "list"]).status.success());
    assert_eq!(std::fs::read(archive.path("chain/entries")).unwrap(), entries);
}

#[test]
fn a_missing_archive_or_key_says_what_to_do() {
    let archive = Archive::new();
    let out = archive.command(&["class", "list"]).arg("--archive").arg("/no/such/archive").output().unwrap();
    let said = text(&out.stderr);
    assert!(
        out.status.code() == Some(2) && said.contains("archive/missing") && said.contains("custode init"),
        "{said}"
    );

    let again = archive.run(&["init"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("archive/exists"));

    let keys = archive.root.parent().unwrap().join("archive.keys/archive.key");
    let seed = std::fs::read(&keys).unwrap();
    std::fs::remove_file(&keys).unwrap();
    assert!(failure(&archive, &["class", "list"]).contains("key/missing"));
    let write = |text: &[u8]| {
        std::fs::write(&keys, text).unwrap();
        std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    write("0".repeat(64).as_bytes());
    assert!(failure(&archive, &["class", "list"]).contains("key/missing"), "a foreign key was taken");
    write(&seed);
    assert!(archive.run(&["class", "list"]).status.success());
}

#[test]
fn an_edited_or_unknown_class_or_policy_stops_the_start() {
    let archive = Archive::new();
    let entries = archive.entries();
    for (file, command) in
        [("schemas/generic@1.json", "custode class adopt"), ("policies/generic-10y@1.toml", "custode policy adopt")]
    {
        let path = archive.path(file);
        let good = std::fs::read(&path).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o444, "{file}");
        // Adopted files are read-only: replaced as an editor would.
        let replace = |bytes: &[u8]| {
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
        };
        replace(&[&good[..], b"\n"].concat());
        let said = failure(&archive, &["serve", "--listen", "127.0.0.1:0"]);
        assert!(said.contains("config/not-adopted") && said.contains(file) && said.contains(command), "{said}");
        std::fs::remove_file(&path).unwrap();
        assert!(failure(&archive, &["class", "list"]).contains("config/not-adopted"));
        std::fs::write(&path, &good).unwrap();
        let other = path.with_file_name(path.file_name().unwrap().to_string_lossy().replace('@', "-nuova@"));
        let copy = text(&good).replace("\"generic\"", "\"generic-nuova\"").replace("generic-10y", "generic-10y-nuova");
        std::fs::write(&other, copy).unwrap();
        let said = failure(&archive, &["class", "list"]);
        assert!(said.contains("config/"), "{said}");
        std::fs::remove_file(&other).unwrap();
    }
    assert!(archive.run(&["class", "list"]).status.success());
    assert_eq!(archive.entries(), entries);
}

#[test]
fn an_archive_is_owned_once_and_commands_go_through_its_server() {
    let server = Server::new();
    let out = server.archive.run(&["serve", "--listen", "127.0.0.1:0"]);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    assert!(said.contains("archive/locked") && said.contains(&server.base), "{said}");

    let lock = server.archive.path("lock");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&lock).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let file = server.archive.root.parent().unwrap().join("nota.txt");
    std::fs::write(&file, "dal comando").unwrap();
    let out = server.archive.run(&["--json", "deposit", "--class", "generic", file.to_str().unwrap()]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let receipt: Value = serde_json::from_slice(&out.stdout).unwrap();
    let shown = server.json(&format!("/v1/receipts/{}", receipt["receipt"].as_str().unwrap()), &server.archive.manager);
    assert_eq!(shown, receipt, "the server that runs knows what the command deposited");
    assert_eq!(receipt["producer"], "local");
    let id = receipt["documents"][0]["id"].as_str().unwrap();
    assert_eq!(server.archive.run(&["get", id]).stdout, b"dal comando");
    // A person's act is not the local operator's.
    let out = server.archive.run(&["token", "create", "--role", "reader"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(
        text(&out.stderr).contains("auth/person") && text(&out.stderr).contains("CUSTODE_TOKEN"),
        "{}",
        text(&out.stderr)
    );
}

#[test]
fn what_a_lock_says_counts_only_while_it_is_held() {
    let mut server = Server::new();
    let stale = std::fs::read(server.archive.path("lock")).unwrap();
    server.restart_after(&[], |archive| {
        std::fs::write(archive.path("lock"), &stale).unwrap();
        assert!(archive.run(&["class", "list"]).status.success());
    });
    assert_eq!(server.json("/healthz", "")["status"], "alive");
}

#[test]
fn an_error_is_json_when_asked_for_and_italian_when_asked_for() {
    let archive = Archive::new();
    let out = archive.run(&["--json", "show", "0199f1a0-0000-7000-8000-000000000000"]);
    assert_eq!(out.status.code(), Some(1));
    let problem: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(problem["code"], "not-found");
    let out = archive.run(&["--lang", "it", "show", "0199f1a0-0000-7000-8000-000000000000"]);
    assert!(text(&out.stderr).starts_with("not-found: non trovato"), "{}", text(&out.stderr));
    let out = archive.run(&["show", "x"]);
    assert_eq!(out.status.code(), Some(2), "{}", text(&out.stderr));
}
