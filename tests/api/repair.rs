//! `custode repair`: bad and missing copies put right from good ones, and what is said when none is good.

use serde_json::Value;

use crate::copies::{beside, damage, deposit, good, named, same, told, with_vaults};
use crate::server::{Archive, text};

/// The folder of the first package in a vault.
fn package(archive: &Archive, vault: &str) -> std::path::PathBuf {
    let vault = if vault == "local" { archive.path("packages") } else { beside(archive, vault) };
    vault.join("generic/00000001")
}

fn sealed() -> (Archive, Vec<(String, Vec<u8>)>) {
    sealed_with(&[4000; 3])
}

fn sealed_with(lengths: &[usize]) -> (Archive, Vec<(String, Vec<u8>)>) {
    let archive = with_vaults("required = 3");
    let named = lengths.iter().enumerate();
    let documents = named.map(|(n, length)| deposit(&archive, &format!("{n}.bin"), *length)).collect();
    good(&archive, &["seal"]);
    (archive, documents)
}

fn acts(archive: &Archive) -> Vec<Value> {
    let entries = archive.entries();
    entries.iter().filter(|entry| entry["repair"].get("restored").is_some()).map(|e| e["repair"].clone()).collect()
}

#[test]
fn every_copy_is_put_right_though_each_is_bad_in_another_file() {
    let (archive, documents) = sealed();
    let healthy = std::fs::read(package(&archive, "c").join("content.tar.zst")).unwrap();
    let bad = [("local", "content.tar.zst"), ("b", "PIndex.xml"), ("c", "evidence/0001.tree")];
    for (vault, file) in bad {
        damage(&package(&archive, vault).join(file));
    }
    std::fs::remove_file(package(&archive, "c").join("toc")).unwrap();
    let damaged = std::fs::read(package(&archive, "local").join("content.tar.zst")).unwrap();
    assert_eq!(told(&archive, &["check"]).0, 1);

    let (status, dry) = told(&archive, &["repair", "--dry-run"]);
    assert_eq!((status, dry["restored"].as_array().unwrap().len()), (1, 3), "{dry}");
    assert!(acts(&archive).is_empty() && std::fs::read_dir(archive.path("quarantine")).unwrap().count() == 0);
    assert_eq!(told(&archive, &["repair", "--vault", "b"]).1["restored"].as_array().unwrap().len(), 1);
    assert_eq!(told(&archive, &["check"]).0, 1, "only one vault was asked for");

    let report = good(&archive, &["repair"]);
    assert_eq!((report["outcome"].as_str(), report["left"].as_array().unwrap().len()), (Some("good"), 0), "{report}");
    same(&archive, "generic/00000001");
    assert_eq!(std::fs::read(package(&archive, "local").join("content.tar.zst")).unwrap(), healthy);
    good(&archive, &["check"]);
    for (id, bytes) in &documents {
        let out = archive.run(&["get", id]);
        assert!(out.status.success() && out.stdout == *bytes);
    }
    // The bad bytes are kept under a name with a date; the acts say what they were and what they are.
    let kept: Vec<_> = std::fs::read_dir(archive.path("quarantine")).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(kept.len(), 3, "{kept:?}");
    let content = kept.iter().find(|path| path.display().to_string().contains("content")).unwrap();
    assert_eq!(std::fs::read(content).unwrap(), damaged);
    assert!(content.file_name().unwrap().to_str().unwrap().starts_with("20"), "{content:?}");
    let acts = acts(&archive);
    assert_eq!(acts.len(), 3);
    let local = acts.iter().find(|act| act["restored"]["name"] == "local").unwrap();
    let file = &local["restored"]["files"][0];
    assert_eq!(file["found"]["sha256"], custode::hash::Sha256::of(&damaged).to_string());
    assert_eq!(file["sha256"], custode::hash::Sha256::of(&healthy).to_string());
    // Nothing more to do, and nothing is done.
    assert_eq!(good(&archive, &["repair"])["restored"].as_array().unwrap().len(), 0);
    assert_eq!(std::fs::read_dir(archive.path("quarantine")).unwrap().count(), 3);
}

#[test]
fn a_copy_that_is_gone_is_made_again() {
    let (archive, _) = sealed();
    std::fs::remove_dir_all(package(&archive, "b")).unwrap();
    let (status, report) = told(&archive, &["check"]);
    assert_eq!(status, 1, "it was there: that is no lag");
    assert!(named(&report).contains(&("package-missing".to_owned(), "b".to_owned())), "{report}");
    // No single copy is whole: each file comes from wherever it is right.
    damage(&package(&archive, "local").join("content.tar.zst"));
    damage(&package(&archive, "c").join("PIndex.xml"));
    let report = good(&archive, &["repair", "--package", "generic/1"]);
    assert_eq!(report["restored"].as_array().unwrap().len(), 3, "{report}");
    same(&archive, "generic/00000001");
    good(&archive, &["check"]);
}

#[test]
fn what_no_copy_has_is_named_with_its_documents_and_left_alone() {
    // One that has frames of its own, and two small ones beside it.
    let (archive, documents) = sealed_with(&[4000, 5_000_000, 4000]);
    for vault in ["local", "b", "c"] {
        damage(&package(&archive, vault).join("content.tar.zst"));
    }
    damage(&package(&archive, "b").join("PIndex.xml"));
    let (status, report) = told(&archive, &["repair"]);
    assert_eq!(status, 1, "{report}");
    let left = report["left"].as_array().unwrap();
    assert_eq!((left.len(), left[0]["file"].as_str()), (1, Some("content.tar.zst")), "{report}");
    assert_eq!(left[0]["code"], "copies/none-good");
    assert_eq!(left[0]["copies"].as_array().unwrap().len(), 3);
    let affected = left[0]["documents"].as_array().unwrap();
    assert_eq!((affected.len(), &left[0]["documents_affected"]), (1, &1.into()), "{report}");
    assert_eq!(affected[0], documents[1].0.as_str());
    // What could be put right was.
    assert_eq!(report["restored"][0]["vault"], "b");
    // The documents that are not affected are served.
    for (id, bytes) in documents.iter().filter(|(id, _)| affected[0] != id.as_str()) {
        let out = archive.run(&["get", id]);
        assert!(out.status.success() && out.stdout == *bytes, "{}", text(&out.stderr));
    }
    let said = archive.run(&["repair"]);
    let said = text(&said.stdout);
    assert!(said.contains("LOST") && said.contains(affected[0].as_str().unwrap()), "{said}");
}

#[test]
fn a_night_repairs_by_itself_when_it_may_and_only_then() {
    let (archive, _) = sealed();
    damage(&package(&archive, "local").join("toc"));
    let (status, night) = told(&archive, &["nightly"]);
    assert_eq!((status, &night["repair"]), (1, &Value::Null));
    assert!(acts(&archive).is_empty());
    archive.configure("#automatic = false", "automatic = true");
    let (status, night) = told(&archive, &["nightly"]);
    assert_eq!(status, 1, "a night that found damage says so, whatever it mended");
    assert_eq!(night["repair"]["outcome"], "good", "{night}");
    assert_eq!(good(&archive, &["nightly"])["repair"], Value::Null);
    same(&archive, "generic/00000001");
}

#[test]
fn repair_is_an_operators_and_says_what_it_cannot_look_at() {
    let (archive, _) = sealed();
    let (status, error) = told(&archive, &["repair", "--vault", "nowhere"]);
    assert_eq!((status, error["code"].as_str()), (1, Some("not-found")), "{error}");
    let (status, error) = told(&archive, &["repair", "--package", "generic/9"]);
    assert_eq!((status, error["code"].as_str()), (1, Some("not-found")), "{error}");
    std::fs::rename(beside(&archive, "c"), beside(&archive, "away")).unwrap();
    let (status, report) = told(&archive, &["repair"]);
    assert_eq!((status, report["outcome"].as_str()), (2, Some("unchecked")), "{report}");
    let server = archive.serve();
    let producer = server.archive.token("producer");
    let refused = server.post("/v1/repairs", &producer).body("{}").send().unwrap();
    assert_eq!(refused.status(), 403);
    let unknown =
        server.get("/v1/repairs/0199c0de-0000-7000-8000-00000000000c", &server.archive.manager).send().unwrap();
    assert_eq!(unknown.status(), 404);
}
