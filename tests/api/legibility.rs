//! Legibility: every document decoded, by a ledger and a term of its own; what has no reader is never called legible.

use std::path::Path;

use custode::corpus;
use serde_json::{Value, json};

use crate::copies::{beside, damage, good, named, told, with_vaults};
use crate::rolling::lines;
use crate::server::{Archive, text};

/// Deposits these files, and seals them in one package.
fn keep(archive: &Archive, files: &[(&str, Vec<u8>)]) {
    for (name, bytes) in files {
        let path = beside(archive, name);
        std::fs::write(&path, bytes).unwrap();
        good(archive, &["deposit", "--class", "generic", "-m", "date=2026-01-01", path.to_str().unwrap()]);
    }
    assert_eq!(good(archive, &["seal"])["sealed"].as_array().unwrap().len(), 1);
}

fn readable() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("a.pdf", corpus::pdf(2)),
        ("b.jpg", corpus::jpeg()),
        ("c.png", corpus::png(37, 21, false)),
        ("d.xml", b"<?xml version=\"1.0\"?><a><b>\xc3\xa8</b></a>".to_vec()),
        ("e.eml", b"From: a@b.example\r\nTo: c@d.example\r\nSubject: x\r\n\r\ntesto\r\n".to_vec()),
        ("f.txt", "perché no\n".as_bytes().to_vec()),
        ("g.json", b"{\"a\": [1, 2]}".to_vec()),
    ]
}

fn ahead(archive: &Archive, days: i64, args: &[&str]) -> Value {
    let shift = (days * 86_400).to_string();
    let out = archive.command(&[&["--json"], args].concat()).env("CUSTODE_TEST_CLOCK_SHIFT", shift).output().unwrap();
    serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}{}", text(&out.stdout), text(&out.stderr)))
}

#[test]
fn every_document_is_decoded_and_that_is_no_check_of_integrity() {
    let archive = with_vaults("required = 3");
    keep(&archive, &readable());
    let report = good(&archive, &["check", "--legibility"]);
    let coverage = &report["coverage"];
    assert_eq!((&report["mode"], &coverage["documents"]), (&json!("legibility"), &json!({ "total": 7, "checked": 7 })));
    assert_eq!((&coverage["copies"]["checked"], &coverage["bytes"]["checked"]), (&json!(0), &json!(0)), "{report}");
    assert!(coverage["not_looked_at"].to_string().contains("legibility is no integrity"), "{report}");
    assert!(coverage["oldest"]["legibility"].is_string() && coverage["oldest"]["full"].is_null(), "{report}");
    let line = lines(&archive).pop().unwrap();
    assert_eq!((&line["mode"], &line["copies"][0]["seen"]), (&json!("legibility"), &json!("good")));
    let report = good(&archive, &["check"]);
    assert_eq!(report["coverage"]["copies"]["checked"], 3);
    // One copy is read, any that holds the documents as they are.
    damage(&archive.path("packages/generic/00000001/content.tar.zst"));
    let report = good(&archive, &["check", "--legibility"]);
    assert_eq!(report["coverage"]["documents"]["checked"], 7, "{report}");
    let text = archive.run(&["check", "--legibility"]);
    assert!(String::from_utf8_lossy(&text.stdout).starts_with("LEGIBLE"));
}

#[test]
fn what_is_damaged_is_bad_and_what_has_no_reader_could_not_be_checked() {
    let archive = Archive::new();
    let cut = corpus::pdf(2);
    keep(
        &archive,
        &[("a.pdf", cut[..cut.len() / 2].to_vec()), ("b.bin", vec![0, 1, 2, 3]), ("c.txt", b"bene\n".to_vec())],
    );
    let (status, report) = told(&archive, &["check", "--legibility"]);
    assert_eq!((status, &report["outcome"]), (1, &json!("bad")), "{report}");
    let codes: Vec<String> = named(&report).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["legible/damaged", "legible/no-reader"], "{report}");
    assert!(report["findings"][0]["place"]["document"].is_string());
    assert!(report["findings"][1]["message"].as_str().unwrap().contains("1 documents of application/octet-stream"));
    assert_eq!(report["coverage"]["documents"], json!({ "total": 3, "checked": 2 }), "{report}");
    assert!(told(&archive, &["alarms"]).1.to_string().contains("legible/damaged"));

    let archive = Archive::new();
    keep(&archive, &[("b.bin", vec![0, 1, 2, 3]), ("c.txt", b"bene\n".to_vec())]);
    let (status, report) = told(&archive, &["check", "--legibility"]);
    assert_eq!((status, &report["outcome"]), (2, &json!("unchecked")), "{report}");
    assert_eq!(report["coverage"]["documents"]["checked"], 1);
    assert_eq!(lines(&archive).pop().unwrap()["copies"][0]["seen"], "partial");
}

#[test]
fn it_has_a_term_of_its_own_and_nights_take_what_is_due() {
    let archive = Archive::new();
    keep(&archive, &readable());
    assert!(ahead(&archive, 1, &["nightly"])["legibility"].is_null(), "not in the first half of its term");
    assert!(ahead(&archive, 345, &["alarms"]).to_string().contains("check/late"), "three weeks before");
    let alarms = ahead(&archive, 366, &["alarms"]);
    let places: Vec<(String, String)> =
        named(&alarms).into_iter().filter(|(code, _)| code == "check/overdue").collect();
    assert!(places.iter().any(|(_, place)| place == "legibility"), "{alarms}");
    let night = ahead(&archive, 366, &["nightly"]);
    assert_eq!(night["legibility"]["outcome"], "good", "{night}");
    assert_eq!(night["legibility"]["coverage"]["documents"]["checked"], 7);
    assert!(ahead(&archive, 367, &["nightly"])["legibility"].is_null());
    assert!(!ahead(&archive, 367, &["alarms"]).to_string().contains("check/overdue"));
}

#[test]
fn a_sample_is_taken_only_where_the_manual_says_so() {
    let archive = Archive::new();
    let files: Vec<(String, Vec<u8>)> = (0..30).map(|n| (format!("{n}.txt"), format!("{n}\n").into_bytes())).collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    keep(&archive, &files);
    archive.configure("#sample_one_in = 1", "sample_one_in = 10");
    let (status, problem) = told(&archive, &["check", "--legibility"]);
    assert_eq!((status, &problem["code"]), (2, &json!("config/missing")), "{problem}");
    archive.configure("#sample = \"\"", "sample = \"7.3\"");
    let report = good(&archive, &["check", "--legibility"]);
    assert_eq!(
        (&report["coverage"]["documents"]["checked"], &report["sample"]),
        (&json!(30), &Value::Null),
        "no manual"
    );
    let manual = beside(&archive, "manuale.pdf");
    std::fs::write(&manual, corpus::pdf(1)).unwrap();
    let adopt = ["manual", "adopt", manual.to_str().unwrap(), "--version", "1.0", "--from", "2026-01-01"];
    archive.manage(&adopt);
    let report = good(&archive, &["check", "--legibility"]);
    let checked = report["coverage"]["documents"]["checked"].as_u64().unwrap();
    assert!((1..20).contains(&checked), "{report}");
    assert_eq!((&report["sample"]["one_in"], &report["sample"]["clause"]), (&json!(10), &json!("7.3")));
    assert!(report["coverage"]["not_looked_at"].to_string().contains("outside of the sample"), "{report}");
    // It is a sample of legibility and of nothing else.
    assert_eq!(good(&archive, &["check"])["coverage"]["documents"]["checked"], 30);
}

#[test]
fn a_report_is_kept_as_json_text_and_page_and_the_chain_names_all_three() {
    let archive = Archive::new();
    keep(&archive, &[("a.pdf", corpus::pdf(1))]);
    // A hostile name in a folder of packages is text on the page.
    let hostile = archive.path("packages/<img src=x onerror=alert(1)>");
    std::fs::create_dir(&hostile).unwrap();
    let (status, report) = told(&archive, &["check"]);
    assert_eq!(status, 1, "{report}");
    let id = report["check"].as_str().unwrap().to_owned();
    let read = |extension: &str| std::fs::read(archive.path(&format!("reports/check-{id}.{extension}"))).unwrap();
    let entries = archive.entries();
    let entry = &entries.iter().rev().find(|entry| entry["kind"] == "check").unwrap()["check"];
    let sha256 = |bytes: &[u8]| custode::hash::Sha256::of(bytes).to_string();
    for (name, extension) in [("report", "json"), ("text", "txt"), ("html", "html")] {
        assert_eq!(entry[name], sha256(&read(extension)), "{extension}");
    }
    let page = String::from_utf8(read("html")).unwrap();
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;") && !page.contains("<img"), "{page}");
    for text in ["NEGATIVO", "outcome", "package-foreign", &sha256(&read("json")), "Pacchetti", "deadline"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let server = archive.serve();
    for (accept, media_type, extension) in [
        ("text/html,application/xhtml+xml;q=0.9", "text/html; charset=utf-8", "html"),
        ("text/plain", "text/plain; charset=utf-8", "txt"),
    ] {
        let reply =
            server.get(&format!("/v1/checks/{id}"), &server.archive.manager).header("accept", accept).send().unwrap();
        assert_eq!(reply.headers()["content-type"], media_type);
        let path = server.archive.path(&format!("reports/check-{id}.{extension}"));
        assert_eq!(reply.bytes().unwrap(), std::fs::read(Path::new(&path)).unwrap());
    }
    let again = server.json(&format!("/v1/checks/{id}"), &server.archive.manager);
    assert_eq!(again, report);
}
