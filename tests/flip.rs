//! One flipped byte, in any file of a sealed package, of the chain, of the records or of the journal: the check says bad
//! and names the file and, where it has one, the document.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custode::archive::access::Actor;
use custode::archive::deposit::{Channel, Deposit, File};
use custode::archive::init::{Wishes, init};
use custode::archive::inspect::{CheckRequest, read_only, read_only_after};
use custode::archive::{Archive, inspect};
use custode::clock::SystemClock;
use custode::corpus::{Generator, Options};
use custode::document::Metadata;
use custode::id::DocumentId;
use serde_json::{Value, json};

/// Documents sealed in two series, one read, and two more in the journal, one of them with a file of its own.
struct Made {
    dir: tempfile::TempDir,
}

fn deposit(archive: &Archive, class: &str, name: &str, bytes: &[u8], metadata: Metadata) -> DocumentId {
    let mut spool = archive.spool(None).unwrap();
    spool.write(bytes).unwrap();
    let spooled = spool.finish().unwrap();
    let deposit = Deposit {
        channel: Channel::CommandLine,
        class: Some(class.to_owned()),
        idempotency_key: None,
        duplicate: false,
        dry_run: false,
        metadata_in_url: false,
        body: *spooled.digests(),
        client_manifest: None,
        files: vec![File {
            name: name.to_owned(),
            spooled,
            metadata,
            declared: None,
            relations: Vec::new(),
            unpacked: Default::default(),
        }],
        findings: Vec::new(),
    };
    let answer = archive.deposit(&Actor::local(), deposit).unwrap();
    let receipt: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer.status, 201, "{receipt:#}");
    receipt["documents"][0]["id"].as_str().unwrap().parse().unwrap()
}

/// Bytes that do not compress, so that the content has frames of documents alone.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let step = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(step).take(length).collect()
}

fn root(dir: &Path) -> PathBuf {
    dir.join("archive")
}

fn open(dir: &Path) -> custode::error::Result<Arc<Archive>> {
    Archive::open_with(&root(dir), Arc::new(SystemClock))
}

fn check(archive: &Archive, mode: &str) -> Value {
    let request = CheckRequest { mode: Some(mode.to_owned()), ..CheckRequest::default() };
    let id = archive.begin_check(&Actor::local(), &request).unwrap();
    let report = archive.check(&Actor::local(), id, &request, &|_, _| {}).unwrap();
    assert_eq!(archive.check_report(&Actor::local(), id).unwrap(), Some(report.clone()));
    report
}

fn made() -> Made {
    let dir = tempfile::tempdir().unwrap();
    init(&root(dir.path()), &Wishes { profile: "trial".into(), ..Wishes::default() }).unwrap();
    let archive = open(dir.path()).unwrap();
    let report = check(&archive, "full");
    assert_eq!(
        (&report["outcome"], &report["coverage"]["packages"]["total"]),
        (&json!("good"), &json!(0)),
        "{report:#}"
    );

    let mut corpus = Generator::new(7, Options::default()).unwrap();
    for item in corpus.conversation().unwrap() {
        deposit(&archive, item.class, &item.name, &item.bytes, item.metadata);
    }
    let read = deposit(&archive, "generic", "appunti.txt", b"Prova di conservazione.\n", Metadata::new());
    deposit(&archive, "generic", "rumore.txt", hex(&noise(1, 300_000)).as_bytes(), Metadata::new());
    archive.seal(&Actor::local(), None).unwrap();
    drop(archive.content(&Actor::local(), read, None, None));
    deposit(&archive, "generic", "piccolo.txt", b"Non ancora sigillato.\n", Metadata::new());
    deposit(&archive, "generic", "grande.txt", hex(&noise(2, 700_000)).as_bytes(), Metadata::new());

    for mode in ["quick", "full"] {
        let report = check(&archive, mode);
        assert_eq!(report["outcome"], "good", "{report:#}");
        let packages = &report["coverage"]["packages"];
        assert!(packages["total"].as_u64().unwrap() >= 2 && packages["total"] == packages["checked"]);
        assert_eq!(report["coverage"]["bytes"]["total"], report["coverage"]["bytes"]["checked"]);
        let documents = &report["coverage"]["documents"];
        assert_eq!(documents["total"] == documents["checked"], mode == "full", "{report:#}");
        assert_eq!(report["coverage"]["not_looked_at"].as_array().unwrap().is_empty(), mode == "full");
    }
    // The batch at the end is closed by an empty one after a second of idleness.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    archive.close().unwrap();
    drop(archive);
    Made { dir }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every file below, by its path from the archive's folder.
fn files(archive: &Path, below: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(archive.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}/{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(archive, &name)),
            false => found.push(name),
        }
    }
    found.sort();
    found
}

fn positions(length: usize) -> Vec<usize> {
    let all = std::collections::BTreeSet::from([0, length / 3, length / 2, length.saturating_sub(1)]);
    all.into_iter().filter(|at| *at < length).collect()
}

/// Flips a bit of one byte, without asking for its file's mode.
fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    let aside = path.with_extension("flip");
    fs::write(&aside, bytes).unwrap();
    fs::set_permissions(&aside, fs::metadata(path).unwrap().permissions()).unwrap();
    fs::rename(&aside, path).unwrap();
}

fn bad_findings(report: &Value) -> Vec<&Value> {
    report["findings"].as_array().unwrap().iter().filter(|finding| finding["outcome"] == "bad").collect()
}

fn names(report: &Value, file: &str) -> bool {
    bad_findings(report).iter().any(|finding| {
        let place = &finding["place"];
        let named = place["file"].as_str().unwrap_or_default();
        match place["package"].as_str() {
            // packages/SERIES/NNNNNNNN/file against SERIES/N and the file inside.
            Some(package) => {
                let (series, number) = package.split_once('/').unwrap();
                file == format!("packages/{series}/{:0>8}/{named}", number) || named == file
            }
            None => named == file,
        }
    })
}

#[test]
fn one_flipped_byte_anywhere_at_rest_is_found_and_named() {
    let made = made();
    let archive = root(made.dir.path());
    let request = json!({ "mode": "full" });
    let report = read_only(&archive, &request).unwrap();
    assert_eq!(report["outcome"], "good", "{report:#}");
    assert_eq!(report["coverage"]["not_looked_at"], json!(["catalog", "journal"]));
    assert!(!report["coverage"]["oldest_full_check"].is_null());

    let mut tried = 0;
    let all: Vec<String> = ["packages", "chain", "records", "schemas", "policies"]
        .iter()
        .flat_map(|below| files(&archive, below))
        .collect();
    for wanted in ["PIndex.xml", "evidence/0001.tsr", "chain/entries", "chain/archive.vkey", "records/accesses.jsonl"] {
        assert!(all.iter().any(|file| file.ends_with(wanted)), "{wanted} is not among {all:?}");
    }
    for file in all.iter().filter(|file| *file != "packages/vault.id") {
        let path = archive.join(file);
        let length = fs::metadata(&path).unwrap().len() as usize;
        for at in positions(length) {
            flip(&path, at);
            let report = read_only(&archive, &request).unwrap();
            assert_eq!(report["outcome"], "bad", "{file} byte {at}: {report:#}");
            assert!(names(&report, file), "{file} byte {at} is not named: {report:#}");
            if file.ends_with("content.tar.zst") && at == length / 3 {
                let document = bad_findings(&report).iter().any(|finding| finding["place"]["document"].is_string());
                assert!(document, "{file} byte {at}: no document is named: {report:#}");
            }
            flip(&path, at);
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried}");
    // A quick check reads every byte too.
    let content = all.iter().find(|file| file.ends_with("content.tar.zst")).unwrap();
    flip(&archive.join(content), 100);
    let report = read_only(&archive, &json!({ "mode": "quick" })).unwrap();
    assert!(report["outcome"] == "bad" && names(&report, content), "{report:#}");
    flip(&archive.join(content), 100);
    // Nothing was left behind.
    assert_eq!(read_only(&archive, &request).unwrap()["outcome"], "good");
}

#[test]
fn one_flipped_byte_of_the_journal_is_found_and_named() {
    let made = made();
    let journal = files(&root(made.dir.path()), "intake/lane-0001");
    assert!(journal.iter().any(|file| file.contains("/bodies/")), "{journal:?}");
    for file in &journal {
        let length = fs::metadata(root(made.dir.path()).join(file)).unwrap().len() as usize;
        for at in positions(length) {
            // Opening may set things aside, so each flip has its own copy.
            let copy = tempfile::tempdir().unwrap();
            copy_tree(made.dir.path(), copy.path());
            let archive = root(copy.path());
            flip(&archive.join(file), at);
            let report = match open(copy.path()) {
                Ok(opened) => {
                    let report = check(&opened, "quick");
                    opened.close().unwrap();
                    report
                }
                Err(error) => read_only_after(&archive, &json!({ "mode": "quick" }), Some(&error)).unwrap(),
            };
            assert_eq!(report["outcome"], "bad", "{file} byte {at}: {report:#}");
            assert!(names(&report, file), "{file} byte {at} is not named: {report:#}");
            if let Some((_, document)) = file.split_once("/bodies/") {
                assert!(bad_findings(&report).iter().any(|f| f["place"]["document"] == document), "{report:#}");
            }
        }
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_tree(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn what_is_asked_wrongly_is_refused() {
    let made = tempfile::tempdir().unwrap();
    for wrong in
        [json!({ "mode": "deep" }), json!({ "package": "x" }), json!({ "class": "../x" }), json!({ "more": 1 })]
    {
        let error = inspect::read_only(made.path(), &wrong).unwrap_err();
        assert_eq!(error.code, custode::error::Code::Usage, "{wrong}");
    }
    let error = inspect::read_only(made.path(), &json!({})).unwrap_err();
    assert_eq!(error.code, custode::error::Code::ArchiveMissing);
}
