//! What anybody could have written is no proof: a receipt without a provider's signature, or with one that is wrong, is kept and shown
//! with a finding, decides nothing, and silences no alarm.

use custode::corpus::trust_anchors;
use serde_json::{Value, json};

use crate::pec::Receipt;
use crate::server::{Archive, Server, text};

const TO: &str = "destinatario@pec.example.org";

fn receipt(kind: &'static str, n: u32, hours_ago: i64) -> Receipt {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours_ago);
    Receipt { kind, identifier: format!("opec{n}.prova@pec.example.it"), to: TO, at }
}

fn deposit(server: &Server, producer: &str, bytes: Vec<u8>) -> String {
    let reply = server.deposit(producer, "pec-message", "m.eml", &Value::Null, bytes);
    assert_eq!(reply.status(), 201, "{}", reply.text().unwrap());
    reply.json::<Value>().unwrap()["documents"][0]["id"].as_str().unwrap().to_owned()
}

fn transaction(server: &Server, document: &str) -> Value {
    let related = server.json(&format!("/v1/documents/{document}/related"), &server.archive.manager);
    related["conversation"]["transactions"][0].clone()
}

fn codes(transaction: &Value) -> Vec<Value> {
    transaction["findings"].as_array().unwrap().iter().map(|f| json!([f["code"], f["place"]])).collect()
}

/// Places of the alarms on conversations, after a walk.
fn incomplete(server: &Server) -> Vec<String> {
    assert!(server.archive.run(&["nightly"]).status.code().is_some());
    let page = server.json("/v1/alarms", &server.archive.manager);
    let all = page["alarms"].as_array().unwrap().iter().filter(|alarm| alarm["code"] == "conversation/incomplete");
    all.map(|alarm| alarm["place"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_receipt_that_nobody_signed_or_somebody_altered_delivers_nothing_and_silences_no_alarm() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    for (n, forged, proof, code) in [
        (1, receipt("avvenuta-consegna", 1, 72).unsigned(), "unsigned", "conversation/unsigned"),
        (2, receipt("avvenuta-consegna", 2, 72).tampered(), "invalid", "conversation/signature-invalid"),
    ] {
        let acceptance = deposit(&server, &producer, receipt("accettazione", n, 73).signed());
        let alarm = format!("document {acceptance}");
        let before = transaction(&server, &acceptance);
        assert_eq!(before["recipients"][0]["state"], "missing", "{before}");
        assert!(incomplete(&server).contains(&alarm));

        let forged = deposit(&server, &producer, forged);
        let shown = server.json(&format!("/v1/documents/{forged}"), &server.archive.manager);
        assert_eq!(
            (&shown["metadata"]["certified"], &shown["metadata"]["proof"]),
            (&json!(false), &json!(proof)),
            "{shown}"
        );
        let after = transaction(&server, &forged);
        let recipient = &after["recipients"][0];
        assert_eq!((&recipient["state"], &recipient["proof"]), (&json!("missing"), &Value::Null), "{after}");
        assert_eq!(recipient["documents"], json!([forged]));
        assert_eq!(codes(&after), [json!([code, forged])]);
        let message = after["messages"].as_array().unwrap().iter().find(|m| m["document"] == *forged).unwrap();
        let said = json!([message["signature_verdict"], message["proof"], message["counts"]]);
        assert_eq!(said, json!([proof, proof, false]), "{message}");
        assert!(incomplete(&server).contains(&alarm));
        let people = text(&server.archive.run(&["show", &forged]).stdout);
        let word = if proof == "unsigned" { "NOT signed" } else { "signature NOT valid" };
        assert!(people.contains(word) && people.contains(code) && people.contains("outcome missing"), "{people}");

        // The provider's own ends it.
        deposit(&server, &producer, receipt("avvenuta-consegna", n, 71).signed());
        let settled = transaction(&server, &forged);
        let recipient = &settled["recipients"][0];
        assert_eq!(
            (&recipient["state"], &recipient["proof"]),
            (&json!("delivered"), &json!("unanchored")),
            "{settled}"
        );
        assert!(settled["proof_text"]["it"].as_str().unwrap().contains("nessuna autorità configurata"), "{settled}");
        assert!(!incomplete(&server).contains(&alarm));
    }
    // Written by hand, acceptance and delivery: nothing was accepted.
    let forged = deposit(&server, &producer, receipt("accettazione", 3, 73).unsigned());
    deposit(&server, &producer, receipt("avvenuta-consegna", 3, 72).unsigned());
    let alone = transaction(&server, &forged);
    assert_eq!((&alone["state"], &alone["recipients"][0]["state"]), (&json!("acceptance-missing"), &json!("missing")));
}

#[test]
fn with_anchors_a_stranger_s_signature_is_not_a_provider_s() {
    let corpus = |believed: bool| {
        let archive = Archive::new();
        let path = archive.path("../anchor.pem");
        let pem = if believed {
            trust_anchors().unwrap().remove(0).1
        } else {
            std::fs::read_to_string(crate::authority::Authority::new().dir().join("ca.pem")).unwrap()
        };
        std::fs::write(&path, pem).unwrap();
        archive.configure("#pec = []", &format!("pec = [{:?}]", path.display().to_string()));
        archive.serve()
    };
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    for (believed, state, proof) in [(true, "delivered", json!("trusted")), (false, "missing", Value::Null)] {
        let server = corpus(believed);
        let producer = server.archive.token("producer");
        let id = deposit(&server, &producer, receipt("accettazione", 1, 73).signed());
        deposit(&server, &producer, receipt("avvenuta-consegna", 1, 72).signed());
        let found = transaction(&server, &id);
        assert_eq!(
            (&found["recipients"][0]["state"], &found["recipients"][0]["proof"]),
            (&json!(state), &proof),
            "{found}"
        );
        let codes: Vec<Value> = codes(&found).into_iter().map(|code| code[0].clone()).collect();
        let untrusted = codes.iter().filter(|code| *code == "conversation/untrusted").count();
        assert_eq!(untrusted, if believed { 0 } else { 2 }, "{codes:?}");
    }
}
