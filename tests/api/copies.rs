//! Copies of sealed packages in several vaults: written, lagging, read, checked; disks away, swapped, foreign, unwritable.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::server::{Archive, text};

/// Two more vaults beside the archive.
const TABLES: &str = "[[vault]]\nname = \"b\"\npath = \"../b\"\nsite = \"Torino\"\ncountry = \"IT\"\noperator = \"Altro S.r.l.\"\n\
                      [[vault]]\nname = \"c\"\npath = \"../c\"\nsite = \"Torino\"\ncountry = \"IT\"\n";

/// An archive with vaults `local`, `b` and `c`.
pub fn with_vaults(copies: &str) -> Archive {
    let archive = Archive::new();
    archive.configure("[copies]\n", &format!("{TABLES}\n[copies]\n{copies}\n"));
    archive
}

/// Something beside the archive.
pub fn beside(archive: &Archive, name: &str) -> PathBuf {
    archive.root.parent().unwrap().join(name)
}

/// Exit status and JSON of a command.
pub fn told(archive: &Archive, args: &[&str]) -> (i32, Value) {
    let out = archive.run(&[&["--json"], args].concat());
    let value = serde_json::from_slice(&out.stdout).or_else(|_| serde_json::from_slice(&out.stderr));
    let value = value.unwrap_or_else(|_| panic!("{args:?}: {}{}", text(&out.stdout), text(&out.stderr)));
    (out.status.code().unwrap(), value)
}

/// As [`told`], and it must end well.
pub fn good(archive: &Archive, args: &[&str]) -> Value {
    let (status, value) = told(archive, args);
    assert_eq!(status, 0, "{args:?}: {value}");
    value
}

/// Deposits a document of so many bytes; its id and its bytes.
pub fn deposit(archive: &Archive, name: &str, length: usize) -> (String, Vec<u8>) {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(name.as_bytes()).finalize_xof().fill(&mut bytes);
    let path = beside(archive, name);
    std::fs::write(&path, &bytes).unwrap();
    let receipt = good(archive, &["deposit", "--class", "generic", "-m", "date=2026-01-01", path.to_str().unwrap()]);
    (receipt["documents"][0]["id"].as_str().unwrap().to_owned(), bytes)
}

/// Codes and vaults of what a check or a list of alarms names.
pub fn named(report: &Value) -> Vec<(String, String)> {
    let list = report["findings"].as_array().or(report["alarms"].as_array()).unwrap();
    let one = |item: &Value| {
        let place = item["place"]["vault"].as_str().or(item["place"].as_str()).unwrap_or_default();
        (item["code"].as_str().unwrap().to_owned(), place.to_owned())
    };
    list.iter().map(one).collect()
}

fn has(report: &Value, code: &str, place: &str) {
    assert!(named(report).iter().any(|(c, p)| c == code && p.contains(place)), "no {code} of {place}: {report}");
}

/// The package's files in every vault are the same bytes.
pub fn same(archive: &Archive, package: &str) {
    let folders = [archive.path("packages"), beside(archive, "b"), beside(archive, "c")];
    let files = |folder: &Path| {
        let mut all = Vec::new();
        for part in ["", "evidence"] {
            for entry in std::fs::read_dir(folder.join(package).join(part)).unwrap().map(Result::unwrap) {
                if entry.path().is_file() {
                    let name = format!("{part}/{}", entry.file_name().to_string_lossy());
                    all.push((name, std::fs::read(entry.path()).unwrap()));
                }
            }
        }
        all.sort();
        all
    };
    let first = files(&folders[0]);
    assert!(first.len() >= 7, "{:?}", first.iter().map(|(name, _)| name).collect::<Vec<_>>());
    for folder in &folders[1..] {
        assert!(files(folder) == first, "{} differs", folder.display());
    }
}

/// Changes one byte in the middle of a file of a sealed package.
pub fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_package_is_in_every_vault_and_the_chain_says_so() {
    let archive = with_vaults("required = 2");
    deposit(&archive, "a.bin", 5000);
    let sealed = good(&archive, &["seal"]);
    assert_eq!(sealed["sealed"].as_array().unwrap().len(), 1);
    same(&archive, "generic/00000001");
    let entries = archive.entries();
    let entry = entries.iter().find(|entry| entry["kind"] == "package").unwrap();
    assert_eq!(entry["package"]["copies"].as_array().unwrap().len(), 2, "those that were required");
    let copied: Vec<&Value> = entries.iter().filter_map(|entry| entry["repair"].get("copied")).collect();
    assert_eq!(
        (copied.len(), copied[0]["name"].as_str(), &copied[0]["packages"][0]),
        (1, Some("c"), &"generic/1".into())
    );
    // Nothing that a person or a machine could be known by.
    let chain = std::fs::read_to_string(archive.path("chain/entries")).unwrap();
    assert!(!chain.contains("Altro") && !chain.contains("../b"), "the operator or a path is on the chain");
    let report = good(&archive, &["check"]);
    assert_eq!(report["coverage"]["copies"], serde_json::json!({ "total": 3, "checked": 3 }));
    assert_eq!(report["coverage"]["packages"], serde_json::json!({ "total": 1, "checked": 1 }));
    let vaults = good(&archive, &["vault", "list"]);
    let behind: Vec<_> = vaults["vaults"].as_array().unwrap().iter().map(|vault| vault["behind"].as_u64()).collect();
    assert_eq!((behind, &vaults["sites"]), (vec![Some(0); 3], &2.into()));
    // `vault.id` names vault and archive, and each of the three is another.
    for (folder, name) in [(archive.path("packages"), "local"), (beside(&archive, "b"), "b")] {
        let id = std::fs::read_to_string(folder.join("vault.id")).unwrap();
        let lines: Vec<&str> = id.lines().collect();
        assert_eq!((lines.len(), lines[0].len(), lines[1], lines[2]), (3, 32, "archive", name));
    }
}

#[test]
fn a_vault_that_is_away_delays_nothing_is_alarmed_and_catches_up() {
    let archive = with_vaults("");
    good(&archive, &["seal"]);
    let (away, here) = (beside(&archive, "away"), beside(&archive, "c"));
    std::fs::rename(&here, &away).unwrap();
    let (id, bytes) = deposit(&archive, "a.bin", 5000);
    assert_eq!(good(&archive, &["seal"])["sealed"].as_array().unwrap().len(), 1);
    for mount_point in [false, true] {
        // An empty folder where the disk was is the same as nothing: not "everything deleted", and never a new vault.
        if mount_point {
            std::fs::create_dir(&here).unwrap();
        }
        let (status, report) = told(&archive, &["check"]);
        assert_eq!(status, 2, "{report}");
        has(&report, "vault-missing", "c");
        assert_eq!(report["coverage"]["copies"], serde_json::json!({ "total": 3, "checked": 2 }));
        let (status, alarms) = told(&archive, &["alarms"]);
        assert_eq!(status, 1, "{alarms}");
        has(&alarms, "vault-missing", "vault c");
        has(&alarms, "copies/behind", "vault c");
        let (status, _) = told(&archive, &["check", "--read-only"]);
        assert_eq!(status, 2);
        if mount_point {
            assert_eq!(std::fs::read_dir(&here).unwrap().count(), 0, "something was written into an empty mount point");
            std::fs::remove_dir(&here).unwrap();
        }
    }
    std::fs::rename(&away, &here).unwrap();
    let (status, report) = told(&archive, &["check"]);
    assert_eq!(status, 2, "a copy that is not there yet was not checked: {report}");
    has(&report, "copies/behind", "c");
    let night = good(&archive, &["nightly"]);
    assert_eq!(night["copies"]["copied"][0]["vault"], "c");
    same(&archive, "generic/00000001");
    assert_eq!(good(&archive, &["check"])["coverage"]["copies"]["checked"], 3);
    assert!(
        !named(&told(&archive, &["alarms"]).1)
            .iter()
            .any(|(code, _)| code.starts_with("copies/") || code.starts_with("vault"))
    );
    // From a vault that caught up the document is read as from any other.
    std::fs::rename(archive.path("packages"), beside(&archive, "elsewhere")).unwrap();
    std::fs::rename(beside(&archive, "b"), beside(&archive, "elsewhere-b")).unwrap();
    let out = archive.run(&["get", &id]);
    assert!(out.status.success() && out.stdout == bytes, "{}", text(&out.stderr));
}

#[test]
fn a_server_copies_in_the_background_and_goes_on_when_the_disk_comes_back() {
    let archive = with_vaults("");
    good(&archive, &["seal"]);
    let (away, here) = (beside(&archive, "away"), beside(&archive, "c"));
    std::fs::rename(&here, &away).unwrap();
    let server = archive.serve();
    let token = server.archive.token("producer");
    server.generic(&token, "a.txt", b"a");
    server.seal();
    let manager = server.archive.manager.clone();
    let behind = |name: &str| {
        let told = server.json("/v1/vaults", &manager);
        let one = told["vaults"].as_array().unwrap().iter().find(|vault| vault["name"] == name).cloned().unwrap();
        (one["behind"].as_u64().unwrap(), one["state"] == "there")
    };
    let wait = |name: &str| {
        for _ in 0..200 {
            if behind(name) == (0, true) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{name} does not catch up: {:?}", behind(name));
    };
    wait("b");
    assert_eq!(behind("c"), (1, false));
    let metrics = server.get("/metrics", &manager).send().unwrap().text().unwrap();
    assert!(metrics.contains("custode_copies_behind{vault=\"c\"} 1"), "{metrics}");
    assert!(metrics.contains("custode_vault_available{vault=\"c\"} 0"), "{metrics}");
    std::fs::rename(&away, &here).unwrap();
    server.generic(&token, "b.txt", b"b");
    server.seal();
    wait("c");
    same(&server.archive, "generic/00000001");
    same(&server.archive, "generic/00000002");
}

#[test]
fn swapped_and_foreign_disks_are_refused_by_name_and_left_alone() {
    let archive = with_vaults("");
    let (id, bytes) = deposit(&archive, "a.bin", 3000);
    good(&archive, &["seal"]);
    let [b, c, other] = ["b", "c", "other"].map(|name| beside(&archive, name));
    std::fs::rename(&b, &other).unwrap();
    std::fs::rename(&c, &b).unwrap();
    std::fs::rename(&other, &c).unwrap();
    deposit(&archive, "b.bin", 3000);
    good(&archive, &["seal"]);
    let (status, report) = told(&archive, &["check"]);
    assert_eq!(status, 2, "{report}");
    has(&report, "vault/other", "b");
    has(&report, "vault/other", "c");
    assert!(report.to_string().contains("vault `c` is here, not `b`"), "{report}");
    assert!(!b.join("generic/00000002").exists() && !c.join("generic/00000002").exists());
    // The vault of another archive, which may even hold a package of the same name.
    std::fs::rename(&c, &other).unwrap();
    let stranger = with_vaults("");
    stranger.configure("origin = \"archive\"", "origin = \"archive\"");
    deposit(&stranger, "x.bin", 100);
    let theirs = std::fs::read_to_string(stranger.path("packages/vault.id")).unwrap();
    let renamed = theirs.replace("\narchive\n", "\naltro.example\n");
    std::fs::create_dir(&c).unwrap();
    std::fs::write(c.join("vault.id"), renamed).unwrap();
    let (status, report) = told(&archive, &["check"]);
    assert_eq!(status, 2, "{report}");
    assert!(report.to_string().contains("a vault of the archive altro.example is here"), "{report}");
    assert_eq!(std::fs::read_dir(&c).unwrap().count(), 1, "something was written into it");
    let out = archive.run(&["get", &id]);
    assert!(out.status.success() && out.stdout == bytes);
}

#[test]
fn a_vault_that_cannot_be_written_lags_and_the_others_go_on() {
    let archive = with_vaults("required = 2");
    good(&archive, &["seal"]);
    // A file where the folder of a series belongs: no rights, root's or anybody's, make that writable.
    std::fs::write(beside(&archive, "b").join("generic"), "in the way").unwrap();
    deposit(&archive, "a.bin", 3000);
    assert_eq!(good(&archive, &["seal"])["sealed"].as_array().unwrap().len(), 1, "local and c are two");
    let alarms = told(&archive, &["alarms"]).1;
    has(&alarms, "copies/behind", "vault b");
    std::fs::remove_file(beside(&archive, "b").join("generic")).unwrap();
    good(&archive, &["nightly"]);
    same(&archive, "generic/00000001");
}

#[test]
fn without_the_required_copies_nothing_is_sealed_and_deposits_go_on() {
    let archive = with_vaults("required = 3");
    good(&archive, &["seal"]);
    std::fs::rename(beside(&archive, "c"), beside(&archive, "away")).unwrap();
    deposit(&archive, "a.bin", 3000);
    let (status, error) = told(&archive, &["seal"]);
    assert_eq!((status, error["code"].as_str()), (2, Some("vault-missing")), "{error}");
    assert!(archive.entries().iter().all(|entry| entry["kind"] != "package"));
    deposit(&archive, "b.bin", 3000);
    std::fs::rename(beside(&archive, "away"), beside(&archive, "c")).unwrap();
    good(&archive, &["seal"]);
    same(&archive, "generic/00000001");
    let package = archive.entries().into_iter().find(|entry| entry["kind"] == "package").unwrap();
    assert_eq!(package["package"]["copies"].as_array().unwrap().len(), 3);
    good(&archive, &["check"]);
}

#[test]
fn a_bad_copy_is_passed_over_with_an_alarm_and_named_by_the_check() {
    let archive = with_vaults("");
    let (id, bytes) = deposit(&archive, "a.bin", 3_000_000);
    good(&archive, &["seal"]);
    let content = |vault: PathBuf| vault.join("generic/00000001/content.tar.zst");
    for (file, outcome) in [("content.tar.zst", "package-file-altered"), ("toc", "package-file-missing")] {
        let path = archive.path("packages/generic/00000001").join(file);
        let kept = std::fs::read(&path).unwrap();
        if file == "toc" {
            std::fs::remove_file(&path).unwrap();
        } else {
            damage(&path);
        }
        // One process, which reads and is asked for its alarms.
        let archive_root = archive.root.clone();
        let server = crate::server::Server::start(
            Archive { root: archive_root, manager: archive.manager.clone(), ..Archive::new() },
            &[],
        );
        let content = server.get(&format!("/v1/documents/{id}/content"), &archive.manager).send().unwrap();
        assert_eq!(content.bytes().unwrap(), bytes, "{file}");
        let part = server.get(&format!("/v1/documents/{id}/content"), &archive.manager);
        let part = part.header("range", "bytes=1000000-1000009").send().unwrap();
        assert_eq!(part.bytes().unwrap(), bytes[1_000_000..1_000_010], "{file}");
        let alarms = server.json("/v1/alarms", &archive.manager);
        has(&alarms, "copies/bad", "generic/1, vault local");
        drop(server);
        for mode in ["--quick", "--full"] {
            let (status, report) = told(&archive, &["check", mode]);
            assert_eq!(status, 1, "{mode}: {report}");
            has(&report, outcome, "local");
            assert!(named(&report).iter().all(|(_, vault)| vault == "local"), "{report}");
        }
        std::fs::remove_file(&path).ok();
        std::fs::write(&path, kept).unwrap();
        good(&archive, &["check", "--quick"]);
    }
    // A bundle too.
    damage(&content(archive.path("packages")));
    let bundle = beside(&archive, "bundle.zip");
    good(&archive, &["export", "--document", &id, "-o", bundle.to_str().unwrap()]);
    // And only when no copy is good the reader hears of it.
    damage(&content(beside(&archive, "b")));
    damage(&content(beside(&archive, "c")));
    let out = archive.run(&["get", &id]);
    assert!(!out.status.success());
    let (status, report) = told(&archive, &["check"]);
    assert_eq!(status, 1);
    for vault in ["local", "b", "c"] {
        has(&report, "package-file-altered", vault);
    }
}

#[test]
fn what_custode_toml_says_of_vaults_stands_on_the_chain() {
    let archive = Archive::new();
    deposit(&archive, "a.bin", 3000);
    good(&archive, &["seal"]);
    // Before: a folder that holds something is no vault, a missing disk no folder.
    std::fs::create_dir(beside(&archive, "b")).unwrap();
    std::fs::write(beside(&archive, "b").join("photo.jpg"), "mine").unwrap();
    archive.configure("[copies]\n", &format!("{}\n[copies]\n", TABLES.replace("../c", "../missing/c")));
    let alarms = told(&archive, &["alarms"]).1;
    has(&alarms, "vault/other", "vault b");
    has(&alarms, "vault-missing", "vault c");
    assert!(!beside(&archive, "missing").exists() && !beside(&archive, "b").join("vault.id").exists());
    // Then: new vaults get what was sealed before they were there.
    std::fs::remove_file(beside(&archive, "b").join("photo.jpg")).unwrap();
    archive.configure("../missing/c", "../c");
    good(&archive, &["nightly"]);
    same(&archive, "generic/00000001");
    let acts = |archive: &Archive| -> Vec<(String, String)> {
        let records = std::fs::read_to_string(archive.path("records/vaults.jsonl")).unwrap();
        let lines = records.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .map(|line| (line["name"].as_str().unwrap().to_owned(), line["act"].as_str().unwrap().to_owned()))
            .collect()
    };
    let pairs = |all: &[(&str, &str)]| all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>();
    assert_eq!(acts(&archive), pairs(&[("b", "bound"), ("c", "bound")]));
    // Moved: the same disk elsewhere. Another folder under the same name: never.
    std::fs::rename(beside(&archive, "c"), beside(&archive, "moved")).unwrap();
    archive.configure("../c", "../moved");
    good(&archive, &["check", "--quick"]);
    std::fs::create_dir(beside(&archive, "empty")).unwrap();
    archive.configure("../moved", "../empty");
    assert_eq!(told(&archive, &["check", "--quick"]).0, 2);
    assert_eq!(std::fs::read_dir(beside(&archive, "empty")).unwrap().count(), 0);
    // A new name for a folder that was another vault's mount point: never.
    archive.configure("name = \"c\"\npath = \"../empty\"", "name = \"d\"\npath = \"../moved\"");
    has(&told(&archive, &["alarms"]).1, "vault/other", "vault d");
    std::fs::rename(beside(&archive, "moved"), beside(&archive, "away")).unwrap();
    std::fs::create_dir(beside(&archive, "moved")).unwrap();
    has(&told(&archive, &["alarms"]).1, "vault-missing", "vault d");
    assert_eq!(std::fs::read_dir(beside(&archive, "moved")).unwrap().count(), 0);
    assert_eq!(acts(&archive)[2..], pairs(&[("c", "changed"), ("c", "retired")]));
    // Its disk is lost for ever: an empty one in its place is bound by an act, and gets everything.
    archive.configure("name = \"d\"", "name = \"c\"");
    told(&archive, &["alarms"]);
    good(&archive, &["vault", "replace", "c"]);
    good(&archive, &["nightly"]);
    assert!(beside(&archive, "moved").join("generic/00000001/content.tar.zst").is_file());
    good(&archive, &["check"]);
    let (status, error) = told(&archive, &["vault", "replace", "c"]);
    assert_eq!((status, error["code"].as_str()), (2, Some("usage")), "one that is there is not replaced: {error}");
}
