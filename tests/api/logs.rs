//! Logs of PEC providers the whole way: each sealed alone with a token of its own, late ones kept and marked, a day
//! without traffic.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};

use crate::server::{Server, codes};

/// So many days ago, in Italy.
fn day(ago: i64) -> Date {
    Timestamp::now().to_zoned(TimeZone::get("Europe/Rome").unwrap()).date().saturating_sub(ago.days())
}

fn csv(day: Date) -> Vec<u8> {
    let row = |kind: &str, rest: &str| {
        format!(
            "1.{day}@pec.example;{day}T09:00:00;{kind};a@pec.example;b@pec.example:certificato;Posta Esempio;{rest}\r\n"
        )
    };
    [
        "identificativo;data_ora;evento;mittente;destinatari;gestore_emittente;consegna\r\n".to_owned(),
        row("accettazione", ""),
        row("posta-certificata", ""),
        row("avvenuta-consegna", "b@pec.example"),
    ]
    .concat()
    .into_bytes()
}

fn deposit(server: &Server, token: &str, name: &str, metadata: &Value, body: Vec<u8>) -> Value {
    let reply = server.deposit(token, "pec-log", name, metadata, body);
    assert_eq!(reply.status(), 201, "{}", reply.text().unwrap());
    reply.json().unwrap()
}

#[test]
fn two_logs_are_two_packages_with_two_tokens() {
    let server = Server::new();
    let token = server.archive.token("producer");
    for n in 1..=2 {
        let receipt = deposit(&server, &token, &format!("PEC{n}-{}.csv", day(1)), &Value::Null, csv(day(1)));
        assert_eq!(codes(&receipt), [""; 0], "{receipt}");
        let metadata = &receipt["documents"][0]["metadata"];
        assert_eq!(metadata["installation"], format!("PEC{n}"));
        assert_eq!((&metadata["rows"], &metadata["events"]["accettazione"]), (&json!(3), &json!(1)), "{metadata}");
    }
    server.generic(&token, "nota.txt", b"una nota");
    server.generic(&token, "nota2.txt", b"altra nota");
    let sealed = server.seal();
    let packages: Vec<&str> =
        sealed["sealed"].as_array().unwrap().iter().map(|p| p["package"].as_str().unwrap()).collect();
    assert_eq!(packages.len(), 3, "{sealed}");
    assert!(packages.contains(&"pec-log/1") && packages.contains(&"pec-log/2"), "{sealed}");
    let stamp =
        |package: &str| std::fs::read(server.archive.path(&format!("packages/{package}/evidence/0001.tsr"))).unwrap();
    let stamps = [stamp("pec-log/00000001"), stamp("pec-log/00000002"), stamp("generic/00000001")];
    assert!(stamps[0] != stamps[1] && stamps[0] != stamps[2] && stamps[1] != stamps[2]);
    let entries = server.archive.entries();
    let of_logs: Vec<&Value> =
        entries.iter().filter(|entry| entry["package"]["series"] == "pec-log").map(|entry| &entry["package"]).collect();
    assert_eq!(of_logs.len(), 2);
    for entry in of_logs {
        // Alone in its run: the root of the run is its own.
        assert_eq!((&entry["documents"], &entry["run_root"]), (&json!(1), &entry["ers_root"]), "{entry}");
        assert!(entry.get("late").is_none(), "{entry}");
    }
    let check = server.archive.run(&["check", "--json"]);
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));
}

#[test]
fn a_late_log_is_sealed_all_the_same_and_stays_marked() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let receipt = deposit(&server, &token, &format!("PEC1-{}.csv", day(3)), &Value::Null, csv(day(3)));
    assert_eq!(codes(&receipt), ["pec-log/late"], "{receipt}");
    let sealed = server.seal();
    assert_eq!(sealed["findings"][0]["code"], "pec-log/late", "{sealed}");
    assert!(sealed["sealed"][0]["late"].is_string());
    let entries = server.archive.entries();
    let entry = entries.iter().find(|entry| entry["package"]["series"] == "pec-log").unwrap();
    assert_eq!(entry["package"]["late"]["code"], "pec-log/late");
    let again = server.json(&format!("/v1/receipts/{}", receipt["receipt"].as_str().unwrap()), &token);
    assert_eq!(again, receipt);
}

#[test]
fn a_day_without_traffic_has_an_empty_log() {
    let server = Server::new();
    let (token, auditor) = (server.archive.token("producer"), server.archive.token("auditor"));
    for (ago, body) in [(3, csv(day(3))), (2, Vec::new()), (1, csv(day(1)))] {
        let receipt = deposit(&server, &token, &format!("PEC1-{}.csv", day(ago)), &Value::Null, body);
        let metadata = &receipt["documents"][0]["metadata"];
        assert_eq!(metadata["no_traffic"].as_bool(), (ago == 2).then_some(true), "{metadata}");
    }
    server.seal();
    assert_eq!(server.json("/v1/alarms", &auditor)["total"], 0);
    let check = server.archive.run(&["check"]);
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));
    let found = server.search(&auditor, json!({ "class": "pec-log", "criteria": ["no_traffic=true"] }));
    let id = found["documents"][0]["id"].as_str().unwrap();
    let content = server.get(&format!("/v1/documents/{id}/content"), &auditor).send().unwrap();
    assert_eq!((content.status().as_u16(), content.bytes().unwrap().len()), (200, 0));
    // Nothing else may be empty.
    let reply = server.deposit(&token, "generic", "vuoto.txt", &Value::Null, Vec::new());
    assert_eq!(reply.status(), 422);
}
