//! The journal's digests have no key: whoever can write to its files can write them anew, so that everything in them
//! agrees. Only what the signed receipt covers is shown, whether the server was running meanwhile or not.

use std::path::Path;

use custode::hash::Sha256;
use serde_json::{Value, json};

use crate::server::{Archive, Server, problem};

/// Writes a segment anew, every digest in it right, with `to` wherever `from` stood in a part of a record.
fn forge(segment: &Path, from: &[u8], to: &[u8], previous: &mut Option<String>) -> usize {
    assert_eq!(from.len(), to.len());
    let bytes = std::fs::read(segment).unwrap();
    let (mut out, mut at, mut forged) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let (mut header, after) = line(&bytes, at);
        let length = header["length"].as_u64().unwrap() as usize;
        let payload = records(&bytes[after..after + length], from, to, &mut forged);
        header["sha256"] = json!(Sha256::of(&payload).to_string());
        if let Some(digest) = previous.take() {
            header["previous"]["sha256"] = json!(digest);
        }
        header.as_object_mut().unwrap().remove("check");
        let mut text = header.to_string();
        text.pop();
        let text = format!("{text},\"check\":\"{}\"}}", Sha256::of(text.as_bytes()));
        *previous = Some(Sha256::of(text.as_bytes()).to_string());
        out.extend_from_slice(text.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(&payload);
        at = after + length;
    }
    assert_eq!(out.len(), bytes.len());
    std::fs::write(segment, out).unwrap();
    forged
}

fn line(bytes: &[u8], at: usize) -> (Value, usize) {
    let end = at + bytes[at..].iter().position(|b| *b == b'\n').unwrap();
    (serde_json::from_slice(&bytes[at..end]).unwrap(), end + 1)
}

fn records(payload: &[u8], from: &[u8], to: &[u8], forged: &mut usize) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < payload.len() {
        let (mut head, mut next) = line(payload, at);
        let mut parts = Vec::new();
        let mut part = |described: &mut Value, present: bool| {
            if !present {
                return;
            }
            let length = described["bytes"].as_u64().unwrap() as usize;
            let mut content = payload[next..next + length].to_vec();
            while let Some(found) = content.windows(from.len()).position(|window| window == from) {
                content[found..found + from.len()].copy_from_slice(to);
                *forged += 1;
            }
            described["sha256"] = json!(Sha256::of(&content).to_string());
            next += length;
            parts.extend(content);
        };
        for name in ["rdv", "note", "manifest"] {
            part(&mut head[name], true);
        }
        for document in head["documents"].as_array_mut().unwrap() {
            part(&mut document["metadata"], true);
            let inline = document["stored"] == "inline";
            part(&mut document["content"], inline);
        }
        out.extend_from_slice(head.to_string().as_bytes());
        out.push(b'\n');
        out.extend(parts);
        assert_eq!(payload[next], b'\n');
        out.push(b'\n');
        at = next + 1;
    }
    out
}

fn forge_everywhere(archive: &Archive, from: &str, to: &str) {
    let mut segments = archive.files();
    segments.retain(|(name, _)| name.contains("/segment-"));
    segments.sort();
    let mut previous = None;
    let forged: usize =
        segments.iter().map(|(_, path)| forge(path, from.as_bytes(), to.as_bytes(), &mut previous)).sum();
    assert!(forged > 0, "{from} stands nowhere");
}

#[test]
fn metadata_forged_in_the_journal_are_not_shown() {
    let mut server = Server::new();
    let token = server.archive.token("producer");
    let manager = server.archive.manager.clone();
    let deposit = |subject: &str, name: &str| {
        let reply = server.deposit(&token, "generic", name, &json!({ "subject": subject }), name.into());
        reply.json::<Value>().unwrap()
    };
    let receipt = deposit("Verbale autentico", "uno.txt");
    let other = deposit("Intatto", "due.txt");
    let id = receipt["documents"][0]["id"].as_str().unwrap().to_owned();
    let (document, number) =
        (format!("/v1/documents/{id}"), format!("/v1/receipts/{}", receipt["receipt"].as_str().unwrap()));
    let untouched = format!("/v1/documents/{}", other["documents"][0]["id"].as_str().unwrap());
    assert_eq!(server.json(&document, &manager)["metadata"]["subject"], "Verbale autentico");

    // While the server runs: the index is older than the forgery, the file is read.
    forge_everywhere(&server.archive, "Verbale autentico", "Verbale contrario");
    for path in [&document, &number] {
        assert_eq!(problem(server.get(path, &manager).send().unwrap(), 500)["code"], "receipt-mismatch", "{path}");
    }
    assert_eq!(server.json(&untouched, &manager)["metadata"]["subject"], "Intatto");

    // At rest: the index is made from the file.
    server.restart_after(&[], |archive| forge_everywhere(archive, "Verbale contrario", "Verbale CONTRARIO"));
    for path in [&document, &number, &format!("{document}/content")] {
        let reply = server.get(path, &manager).send().unwrap();
        assert!(!reply.status().is_success(), "{path}");
        assert!(!reply.text().unwrap().to_lowercase().contains("contrario"), "{path}");
    }
    assert_eq!(problem(server.get(&document, &manager).send().unwrap(), 500)["code"], "receipt-mismatch");
    let found = server.search(&manager, json!({ "class": "generic" }));
    assert!(
        !found.to_string().to_lowercase().contains("contrario") && found.to_string().contains("due.txt"),
        "{found}"
    );
    assert!(server.log.lock().unwrap().contains("receipt-mismatch"), "nobody was told");
    let check = server.archive.run(&["check", "--json"]);
    let report: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!((check.status.code(), report["outcome"].as_str()), (Some(1), Some("bad")), "{report}");
    assert!(report["findings"].to_string().contains("receipt-mismatch"), "{report}");
    // The others are sealed; this one stays and is named.
    let sealed = server.seal();
    assert!(sealed.to_string().contains(&id), "{sealed}");
    assert_eq!(server.json(&untouched, &manager)["status"], "sealed");
}

#[test]
fn a_receipt_forged_in_the_journal_is_not_given() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let receipt = server.generic(&token, "nota.txt", b"nota di prova");
    let path = format!("/v1/receipts/{}", receipt["receipt"].as_str().unwrap());
    let digest = receipt["documents"][0]["sha256"].as_str().unwrap().to_owned();
    let other = Sha256::of(b"un'altra nota").to_string();
    forge_everywhere(&server.archive, &digest, &other);
    for accept in ["application/json", "application/xml"] {
        let reply = server.get(&path, &server.archive.manager).header("accept", accept).send().unwrap();
        assert_eq!(reply.status().as_u16() / 100, 5, "{accept}");
        assert!(!reply.text().unwrap().contains(&other), "{accept}");
    }
}
