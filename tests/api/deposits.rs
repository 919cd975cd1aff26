//! One document of each class, from the request to the sealed package and back.

use std::collections::BTreeMap;
use std::process::Command;

use custode::chain::note::{Verifier, open_note};
use custode::corpus::{Generator, Item, LogForm, Options};
use custode::hash::Sha256;
use serde_json::{Value, json};

use crate::server::{Server, good, problem};

/// One document of each class, as realistic as the corpus makes them.
pub fn one_of_each() -> Vec<Item> {
    let mut generator = Generator::new(11, Options::default()).unwrap();
    let mut items = Vec::new();
    items.extend(generator.conversation().unwrap());
    items.extend(generator.conversation_with(custode::corpus::Outcome::NotAcceptedVirus).unwrap());
    items.extend(generator.invoice_case().unwrap());
    items.extend(generator.identity_file());
    items.push(generator.pec_log("2026-03-01".parse().unwrap(), LogForm::Csv));
    let mut one: BTreeMap<&str, Item> = BTreeMap::new();
    for item in items {
        one.entry(item.class).or_insert(item);
    }
    let mut generic = one["pec-log"].clone();
    (generic.name, generic.class) = ("nota.txt".into(), "generic");
    generic.bytes = b"Una nota qualunque, da conservare.\n".to_vec();
    generic.metadata = serde_json::Map::new();
    generic.expected = serde_json::Map::new();
    one.insert("generic", generic);
    let classes: Vec<&str> = one.keys().copied().collect();
    assert_eq!(
        classes,
        ["generic", "identity-document", "invoice", "pec-log", "pec-message", "pec-virus", "sdi-notification"]
    );
    one.into_values().collect()
}

struct Taken {
    item: Item,
    receipt: Value,
    bytes: Vec<u8>,
    xml: Vec<u8>,
}

fn id(receipt: &Value) -> &str {
    receipt["documents"][0]["id"].as_str().unwrap()
}

#[test]
fn one_of_each_class_travels_the_whole_way() {
    let mut server = Server::new();
    let producer = server.archive.token("producer");
    let reader = server.archive.manager.clone();
    let mut taken = Vec::new();
    for item in one_of_each() {
        let metadata = Value::Object(item.metadata.clone());
        let reply = server.deposit(&producer, item.class, &item.name, &metadata, item.bytes.clone());
        assert_eq!(reply.status(), 201, "{}: {}", item.name, reply.text().unwrap());
        let location = reply.headers()["location"].to_str().unwrap().to_owned();
        let bytes = reply.bytes().unwrap().to_vec();
        let receipt: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(location, format!("/v1/receipts/{}", receipt["receipt"].as_str().unwrap()));
        shape(&receipt, &item);
        let xml = rdv(&server, &reader, &receipt);
        taken.push(Taken { item, receipt, bytes, xml });
    }
    let sequences: Vec<u64> = taken.iter().map(|t| t.receipt["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=taken.len() as u64).collect::<Vec<_>>());

    validate_rdv(&server, &taken);
    let fresh = answers(&server, &reader, &taken, "accepted");
    for t in &taken {
        same_receipt(&server, &reader, t);
        content(&server, &reader, t);
    }

    let sealed = server.seal();
    assert!(sealed.to_string().contains("pec-message"), "{sealed}");
    let after = answers(&server, &reader, &taken, "sealed");
    assert_eq!(fresh, after, "sealing changed what a search says");
    for t in &taken {
        same_receipt(&server, &reader, t);
        content(&server, &reader, t);
    }

    server.restart_after(&[], |archive| {
        std::fs::remove_dir_all(archive.path("catalog")).unwrap();
        let out = archive.run(&["reindex", "--json"]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    });
    assert_eq!(after, answers(&server, &reader, &taken, "sealed"), "reindex changed what a search says");
    for t in &taken {
        same_receipt(&server, &reader, t);
        content(&server, &reader, t);
    }
}

/// The receipt of `interface.md`, member for member.
fn shape(receipt: &Value, item: &Item) {
    let context = format!("{}: {receipt}", item.name);
    for (member, wanted) in [("status", json!("accepted")), ("lane", json!(1)), ("class", json!(item.class))] {
        assert_eq!(receipt[member], wanted, "{context}");
    }
    assert_eq!(receipt["class_version"], 1, "{context}");
    assert_eq!(receipt["producer"], "producer", "{context}");
    assert!(receipt["notice"].as_str().unwrap().contains("senza valore legale"), "{context}");
    let at = receipt["accepted_at"].as_str().unwrap();
    assert!(at.len() == 24 && at.ends_with('Z'), "{context}");
    let document = &receipt["documents"][0];
    assert_eq!(document["name"], item.name.as_str(), "{context}");
    assert_eq!(document["bytes"], item.bytes.len(), "{context}");
    assert_eq!(document["sha256"], Sha256::of(&item.bytes).to_string(), "{context}");
    assert_eq!(document["blake3"], custode::hash::Blake3::of(&item.bytes).to_string(), "{context}");
    assert!(document["format"].as_str().is_some_and(|f| f.contains('/')), "{context}");
    for (field, value) in &item.expected {
        if field == "media_type" {
            assert_eq!(&document["format"], value, "{context}");
            continue;
        }
        // A message's identifier is kept without its angle brackets.
        let bare = value.as_str().map_or(value.clone(), |text| json!(text.trim_matches(['<', '>'])));
        assert_eq!(document["metadata"][field], bare, "{field} of {context}");
    }
    for (field, value) in &item.metadata {
        assert_eq!(&document["metadata"][field], value, "{field} of {context}");
    }
    let controls = document["controls"].as_array().unwrap().iter().chain(receipt["controls"].as_array().unwrap());
    let made: Vec<(&str, &str)> =
        controls.map(|c| (c["control"].as_str().unwrap(), c["outcome"].as_str().unwrap())).collect();
    let malware = made.iter().find(|(control, _)| *control == "malware").expect("a malware control").1;
    assert_eq!(malware, if item.class == "pec-virus" { "not-executed" } else { "not-activated" }, "{context}");
    assert!(made.iter().all(|(_, outcome)| *outcome != "negative"), "{context}");
    assert!(receipt["chain"]["size"].as_u64().unwrap() > 10, "{context}");
    assert_eq!(receipt["rdv_sha256"].as_str().unwrap().len(), 64, "{context}");
}

fn rdv(server: &Server, token: &str, receipt: &Value) -> Vec<u8> {
    let path = format!("/v1/receipts/{}", receipt["receipt"].as_str().unwrap());
    let reply = server.get(&path, token).header("accept", "application/xml").send().unwrap();
    assert_eq!(reply.headers()["content-type"], "application/xml");
    let xml = reply.bytes().unwrap().to_vec();
    assert_eq!(receipt["rdv_sha256"], Sha256::of(&xml).to_string());
    note(server, receipt, &xml);
    xml
}

/// The note opens with the archive's public key under the receipts' name, and says what the receipt says.
fn note(server: &Server, receipt: &Value, xml: &[u8]) {
    let stored = std::fs::read_to_string(server.archive.path("chain/archive.vkey")).unwrap();
    let archive: Verifier = stored.trim().parse().unwrap();
    let origin = format!("{}/receipt", archive.name());
    let opened = open_note(receipt["note"].as_str().unwrap(), &[archive.renamed(&origin).unwrap()]).unwrap();
    let lines: Vec<&str> = opened.text.trim_end().lines().collect();
    let (sequence, size) = (receipt["sequence"].to_string(), receipt["chain"]["size"].to_string());
    let sha256 = Sha256::of(xml).to_string();
    let member = |name: &str| receipt[name].as_str().unwrap();
    let wanted = [
        origin.as_str(),
        member("receipt"),
        "1",
        &sequence,
        &sha256,
        receipt["deposit"]["sha256"].as_str().unwrap(),
        member("accepted_at"),
        &size,
        receipt["chain"]["root"].as_str().unwrap(),
    ];
    assert_eq!(lines, wanted);
    // Under the chain's own name the same signature is worth nothing.
    assert!(open_note(receipt["note"].as_str().unwrap(), &[archive]).is_err());
}

fn validate_rdv(server: &Server, taken: &[Taken]) {
    let folder = server.archive.root.parent().unwrap();
    let mut lint = Command::new("xmllint");
    let xsd = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/rdv@1.xsd");
    lint.args(["--nonet", "--noout", "--schema", xsd]);
    for (n, t) in taken.iter().enumerate() {
        let path = folder.join(format!("{n}.rdv.xml"));
        std::fs::write(&path, &t.xml).unwrap();
        lint.arg(path);
    }
    match lint.output() {
        Ok(out) => assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr)),
        Err(_) => eprintln!("xmllint is not installed: the RdV was not validated"),
    }
}

fn same_receipt(server: &Server, token: &str, t: &Taken) {
    let path = format!("/v1/receipts/{}", t.receipt["receipt"].as_str().unwrap());
    let json = server.get(&path, token).send().unwrap().bytes().unwrap();
    assert!(json == t.bytes, "the receipt of {} is not what was given first", t.item.name);
    assert!(rdv(server, token, &t.receipt) == t.xml, "the RdV of {} changed", t.item.name);
}

fn content(server: &Server, token: &str, t: &Taken) {
    let path = format!("/v1/documents/{}/content?reason=prova", id(&t.receipt));
    let whole = server.get(&path, token).send().unwrap();
    assert_eq!(whole.status(), 200);
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", Sha256::of(&t.item.bytes)));
    assert!(whole.bytes().unwrap() == t.item.bytes, "{} came back altered", t.item.name);

    let known = server.get(&path, token).header("if-none-match", &etag).send().unwrap();
    assert_eq!(known.status(), 304);
    assert!(known.bytes().unwrap().is_empty());
    let length = t.item.bytes.len();
    let last = length - 1;
    for (range, from, to) in [
        ("bytes=0-9".to_owned(), 0, 9),
        (format!("bytes={}-", length - 7), length - 7, last),
        ("bytes=-5".to_owned(), length - 5, last),
        (format!("bytes=3-{}", length * 2), 3, last),
    ] {
        let part = server.get(&path, token).header("range", &range).send().unwrap();
        assert_eq!(part.status(), 206, "{range}");
        assert_eq!(part.headers()["content-range"], format!("bytes {from}-{to}/{length}").as_str());
        assert!(part.bytes().unwrap() == t.item.bytes[from..=to], "{range} of {}", t.item.name);
    }
    let beyond = server.get(&path, token).header("range", format!("bytes={length}-")).send().unwrap();
    assert_eq!(beyond.headers()["content-range"], format!("bytes */{length}").as_str());
    assert_eq!(problem(beyond, 416)["code"], "range");
}

/// What searches answer, with everything that sealing may change checked and taken out.
fn answers(server: &Server, token: &str, taken: &[Taken], status: &str) -> Vec<Value> {
    let last = taken.last().unwrap().receipt["sequence"].as_u64().unwrap();
    let mut all = Vec::new();
    let mut questions = vec![json!({ "min_sequence": last }), json!({ "limit": 2 })];
    for t in taken {
        questions.push(json!({ "class": t.item.class, "min_sequence": t.receipt["sequence"] }));
        for (field, value) in t.item.expected.iter().chain(&t.item.metadata).take(40) {
            if let Some(value) = value.as_str().filter(|value| !value.is_empty()) {
                questions.push(json!({ "class": t.item.class, "criteria": [format!("{field}={value}")] }));
            }
        }
    }
    let mut hits = 0;
    for question in questions {
        let reply = server.post("/v1/documents/search", token).body(question.to_string()).send().unwrap();
        if reply.status() == 400 {
            // A field that the class does not index says so, before and after alike.
            all.push(json!(problem(reply, 400)["code"]));
            continue;
        }
        let mut page = good(reply);
        for document in page["documents"].as_array_mut().unwrap() {
            hits += 1;
            assert_eq!(document["status"], status, "{question}");
            assert_eq!(document["package"].is_null(), status == "accepted");
            let members = document.as_object_mut().unwrap();
            members.remove("status");
            members.remove("package");
        }
        page.as_object_mut().unwrap().remove("as_of").expect("as_of");
        all.push(page);
    }
    assert!(hits > 30, "only {hits} hits");
    all
}

#[test]
fn a_document_is_shown_with_its_retention_and_its_neighbours() {
    let server = Server::new();
    let manager = &server.archive.manager;
    let operator = server.archive.token("operator");
    let receipt = server.generic(&operator, "uno.txt", b"uno");
    let shown = server.json(&format!("/v1/documents/{}", id(&receipt)), manager);
    assert_eq!(shown["receipt"], receipt["receipt"]);
    assert_eq!(shown["status"], "accepted");
    let retention = server.json(&format!("/v1/documents/{}/retention", id(&receipt)), manager);
    assert_eq!(shown["retention"], retention);
    assert!(retention["policy"].is_string() && retention["cohort"].is_string(), "{retention}");
    let evidence = format!("/v1/documents/{}/evidence", id(&receipt));
    assert_eq!(problem(server.get(&evidence, manager).send().unwrap(), 404)["code"], "not-found");
    server.seal();
    let record = server.get(&evidence, manager).send().unwrap();
    assert_eq!(record.status(), 200);
    assert_eq!(record.bytes().unwrap()[0], 0x30, "DER");
    let packages = server.json("/v1/packages?series=generic", manager);
    let sealed = server.json(&format!("/v1/documents/{}", id(&receipt)), manager);
    assert_eq!(sealed["package"], packages["packages"][0]["package"], "{packages}");
    let entry = server.json(&format!("/v1/packages/{}", sealed["package"].as_str().unwrap()), manager);
    assert_eq!(entry["object"]["documents"], 1, "{entry}");
}

#[test]
fn as_auto_the_class_is_recognised() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    for item in one_of_each().into_iter().filter(|i| ["pec-message", "invoice", "sdi-notification"].contains(&i.class))
    {
        let reply = server.deposit(&producer, "auto", &item.name, &Value::Null, item.bytes);
        assert_eq!(reply.status(), 201);
        let receipt: Value = reply.json().unwrap();
        assert_eq!(receipt["class"], item.class);
    }
}
