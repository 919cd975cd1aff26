//! Zip archives of invoices and notifications: one deposit of many documents, each in its own class.

use std::io::{Cursor, Write as _};

use custode::hash::Sha256;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use crate::server::{Server, codes, good, manifest, problem};

/// A private invoice with this number.
pub fn invoice(number: u32) -> Vec<u8> {
    format!(
        "<p:FatturaElettronica xmlns:p=\"http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2\" versione=\"FPR12\">\
         <FatturaElettronicaBody><DatiGenerali><DatiGeneraliDocumento><TipoDocumento>TD01</TipoDocumento><Divisa>EUR</Divisa>\
         <Data>2026-03-09</Data><Numero>{number}</Numero></DatiGeneraliDocumento></DatiGenerali></FatturaElettronicaBody></p:FatturaElettronica>"
    )
    .into()
}

fn notice(root: &str, file: &str) -> Vec<u8> {
    format!(
        "<t:{root} xmlns:t=\"http://www.fatturapa.gov.it/sdi/messaggi/v1.0\"><IdentificativoSdI>111</IdentificativoSdI>\
         <NomeFile>{file}</NomeFile><DataOraRicezione>2026-03-10T10:00:00Z</DataOraRicezione><MessageId>1</MessageId></t:{root}>"
    )
    .into()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Three invoices, two notifications, and an AT archive of a file with its attestation.
fn archive() -> Vec<u8> {
    let attested = zip(&[
        ("IT01234567890_00009.xml", &invoice(9)),
        ("IT01234567890_00009_AT_001.xml", &notice("AttestazioneTrasmissioneFattura", "IT01234567890_00009.xml")),
    ]);
    zip(&[
        ("IT01234567890_00001.xml", &invoice(1)),
        ("IT01234567890_00002.xml", &invoice(2)),
        ("IT01234567890_00003.xml", &invoice(3)),
        ("IT01234567890_00001_RC_001.xml", &notice("RicevutaConsegna", "IT01234567890_00001.xml")),
        ("IT01234567890_00002_MC_001.xml", &notice("NotificaMancataConsegna", "IT01234567890_00002.xml")),
        ("IT01234567890_00009_AT_001.zip", &attested),
    ])
}

fn of_class<'a>(receipt: &'a Value, class: &str) -> Vec<&'a Value> {
    let documents = receipt["documents"].as_array().unwrap().iter();
    documents.filter(|d| d.get("class").unwrap_or(&receipt["class"]) == class).collect()
}

#[test]
fn an_archive_is_one_deposit_and_each_document_is_found_in_its_class() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let (bytes, manager) = (archive(), server.archive.manager.clone());
    let reply = server.deposit(&token, "auto", "IT01234567890_00100.zip", &json!({ "flow": "U" }), bytes.clone());
    assert_eq!(reply.status(), 201, "{}", reply.text().unwrap());
    let first = reply.bytes().unwrap();
    let receipt: Value = serde_json::from_slice(&first).unwrap();
    assert_eq!((&receipt["sequence"], &receipt["class"]), (&json!(1), &json!("invoice")));
    assert_eq!(receipt["documents"].as_array().unwrap().len(), 7);
    let (invoices, notices) = (of_class(&receipt, "invoice"), of_class(&receipt, "sdi-notification"));
    assert_eq!((invoices.len(), notices.len()), (4, 3));
    let digest = Sha256::of(&bytes).to_string();
    for document in invoices.iter().chain(&notices) {
        assert_eq!(document["archive"], json!({ "name": "IT01234567890_00100.zip", "sha256": digest }));
        assert_eq!(
            (&document["metadata"]["flow"], &document["metadata"]["archive_sha256"]),
            (&json!("U"), &json!(digest))
        );
    }
    assert_eq!(invoices[3]["name"], "IT01234567890_00009.xml");
    let rdv = server.get(receipt_path(&receipt).as_str(), &token).header("accept", "application/xml");
    let rdv = rdv.send().unwrap().text().unwrap();
    assert_eq!(rdv.matches("<Classe versione=\"1\">sdi-notification</Classe>").count(), 3, "{rdv}");
    assert_eq!(rdv.matches("<ImprontaArchivio").count(), 7);
    assert!(rdv.contains(&digest) && !rdv.contains("IT01234567890"));

    for sealed in [false, true] {
        for (class, number) in [("invoice", 4), ("sdi-notification", 3)] {
            let found = server.search(&manager, json!({ "class": class }));
            assert_eq!(found["documents"].as_array().unwrap().len(), number, "{class}, sealed {sealed}: {found}");
        }
        let found = server
            .search(&manager, json!({ "class": "sdi-notification", "criteria": ["file_base=IT01234567890_00009"] }));
        assert_eq!(found["documents"][0]["id"], notices[2]["id"], "{found}");
        let path = format!("/v1/documents/{}/content", invoices[1]["id"].as_str().unwrap());
        assert_eq!(server.get(&path, &manager).send().unwrap().bytes().unwrap(), invoice(2));
        // The same archive again, by its own digest.
        let again = server.deposit(&token, "auto", "IT01234567890_00100.zip", &json!({ "flow": "U" }), bytes.clone());
        assert_eq!((again.status().as_u16(), again.bytes().unwrap()), (200, first.clone()), "sealed {sealed}");
        if !sealed {
            server.seal();
        }
    }
    let packages = server.json("/v1/packages", &manager);
    let all = packages.to_string();
    assert!(all.contains("invoice/1") && all.contains("sdi-notification/1"), "{packages}");
    let check = server.archive.run(&["check", "--json"]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

fn receipt_path(receipt: &Value) -> String {
    format!("/v1/receipts/{}", receipt["receipt"].as_str().unwrap())
}

#[test]
fn what_a_computer_left_in_an_archive_is_named_and_left_out() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let bytes = zip(&[
        ("IT01234567890_00001.xml", &invoice(1)),
        ("__MACOSX/._IT01234567890_00001.xml", b"\0\x05\x16\x07\0\x02\0\0"),
        ("IT01234567890_00002.xml", &invoice(2)),
        (".DS_Store", b"\0\0\0\x01Bud1"),
    ]);
    let reply = server.deposit(&token, "invoice", "lotto.zip", &Value::Null, bytes.clone());
    assert_eq!(reply.status(), 201, "{}", reply.text().unwrap());
    let receipt: Value = reply.json().unwrap();
    let documents = receipt["documents"].as_array().unwrap();
    assert_eq!(documents.len(), 2);
    let left_out = |n: usize| -> Vec<(&str, &str)> {
        let findings = documents[n]["findings"].as_array().into_iter().flatten();
        let of_zip = findings.filter(|finding| finding["code"] == "zip/left-out");
        of_zip.map(|f| (f["severity"].as_str().unwrap(), f["place"].as_str().unwrap())).collect()
    };
    assert_eq!(left_out(0), [("info", "member 2"), ("info", "member 4")]);
    assert_eq!(left_out(1), []);
    assert_eq!(documents[1]["archive"]["sha256"], Sha256::of(&bytes).to_string());
}

#[test]
fn inside_a_deposit_of_many_files_too_and_generic_keeps_it_whole() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let bytes = archive();
    let alone = invoice(50);
    let mut both = manifest("invoice", &["lotto.zip", "IT01234567890_00050.xml"]);
    both["files"][0]["sha256"] = json!(Sha256::of(&bytes).to_string());
    let files: [(&str, &[u8]); 2] = [("lotto.zip", &bytes), ("IT01234567890_00050.xml", &alone)];
    let receipt = good(server.deposit_many(&token, "", &both, &files));
    assert_eq!((of_class(&receipt, "invoice").len(), of_class(&receipt, "sdi-notification").len()), (5, 3));
    assert_eq!(receipt["documents"][7].get("archive"), None);
    both["files"][0]["sha256"] = json!(Sha256::of(b"altro").to_string());
    let fewer = zip(&[("IT01234567890_00001.xml", &invoice(1))]);
    let files: [(&str, &[u8]); 2] = [("lotto.zip", &fewer), ("IT01234567890_00050.xml", &alone)];
    let refusal = problem(server.deposit_many(&token, "", &both, &files), 422);
    assert!(codes(&refusal).contains(&"intake/digest".to_owned()), "{refusal}");

    let whole = good(server.deposit(&token, "generic", "lotto.zip", &Value::Null, bytes.clone()));
    assert_eq!(
        (&whole["documents"][0]["sha256"], whole["documents"].as_array().unwrap().len()),
        (&json!(Sha256::of(&bytes).to_string()), 1)
    );
    // Nothing of ours in it: `auto` keeps it whole as well.
    let other = good(server.deposit(&token, "auto", "foto.zip", &Value::Null, zip(&[("a.txt", b"testo")])));
    assert_eq!(other["class"], "generic");
}

#[test]
fn a_refused_archive_says_all_that_is_wrong_and_keeps_nothing() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let before = server.state();
    let refused = |name: &str, class: &str, bytes: Vec<u8>, wanted: &[&str]| {
        let refusal = problem(server.deposit(&token, class, name, &Value::Null, bytes), 422);
        let found: Vec<&str> =
            refusal["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
        assert_eq!(found, wanted, "{refusal}");
    };
    let mixed = zip(&[("a.xml", &invoice(1)), ("b.txt", b"b"), ("c.txt", b"c")]);
    refused("a.zip", "invoice", mixed.clone(), &["zip/member", "zip/member"]);
    refused("b.zip", "auto", [&mixed[..], b""].concat(), &["zip/member", "zip/member"]);
    refused("c.zip", "invoice", zip(&[("a.txt", b"a")]), &["zip/member"]);
    let names: Vec<String> = (0..1250).map(|n| format!("IT01234567890_{n:05}.xml")).collect();
    let one = invoice(7);
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &one[..])).collect();
    refused("d.zip", "auto", zip(&many), &["zip/too-many"]);
    let spaces = vec![b' '; 20 << 20];
    refused("e.zip", "auto", zip(&[("a.xml", &spaces)]), &["zip/bomb"]);
    refused("f.zip", "sdi-notification", b"PK\x03\x04rotto".to_vec(), &["zip/damaged"]);
    assert_eq!(server.state(), before, "a refusal changed something");
}

#[test]
fn a_token_for_invoices_alone_deposits_no_notifications() {
    let server = Server::new();
    let made = server.archive.manage(&["token", "create", "--role", "producer", "--class", "invoice"]);
    let token = made["secret"].as_str().unwrap();
    let reply = server.deposit(token, "invoice", "x.zip", &Value::Null, archive());
    assert_eq!(problem(reply, 403)["code"], "auth/class");
    let only = zip(&[("IT01234567890_00001.xml", &invoice(1)), ("IT01234567890_00002.xml", &invoice(2))]);
    assert_eq!(
        good(server.deposit(token, "invoice", "y.zip", &Value::Null, only))["documents"].as_array().unwrap().len(),
        2
    );
    // Whoever may read invoices alone does not read a receipt that tells of notifications.
    let producer = server.archive.token("producer");
    let receipt = good(server.deposit(&producer, "auto", "z.zip", &Value::Null, archive()));
    let made = server.archive.manage(&["token", "create", "--role", "reader", "--class", "invoice"]);
    let reader = made["secret"].as_str().unwrap();
    assert_eq!(problem(server.get(&receipt_path(&receipt), reader).send().unwrap(), 403)["code"], "auth/class");
    let invoice = of_class(&receipt, "invoice")[0]["id"].as_str().unwrap().to_owned();
    let related = server.json(&format!("/v1/documents/{invoice}/related"), reader);
    assert_eq!(related["same_deposit"].as_array().unwrap().len(), 3, "{related}");
}
