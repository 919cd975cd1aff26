//! Refusals: counted, blocked, unblocked by a person with a reason; readable by their producer; without content or names.

use serde_json::{Value, json};

use crate::server::{Archive, Server, good, problem, text};

/// Deposits a thing that no invoice reader takes.
fn bad(server: &Server, token: &str, key: &str, name: &str) -> reqwest::blocking::Response {
    let path = format!("/v1/documents?class=invoice&name={name}");
    server
        .post(&path, token)
        .header("idempotency-key", key)
        .body("CONTENUTO-SEGRETO non e' una fattura")
        .send()
        .unwrap()
}

#[test]
fn the_same_object_is_blocked_after_its_limit_until_a_person_unblocks_it_with_a_reason() {
    let mut server = Server::new();
    let token = server.archive.token("producer");
    let manager = server.archive.manager.clone();
    let before = server.state();
    let mut last = Value::Null;
    for attempt in 1..=3 {
        last = problem(bad(&server, &token, "k1", "a.xml"), 422);
        assert_eq!(last["status"], "refused");
        assert_eq!((last["attempt"].as_u64(), last["limit"].as_u64()), (Some(attempt), Some(3)));
        assert_eq!(last["blocked"], attempt == 3);
    }
    let blocked = |server: &Server| problem(bad(server, &token, "k1", "a.xml"), 422);
    let answer = blocked(&server);
    assert_eq!(answer["code"], "intake/blocked");
    assert!(answer["hint"].as_str().unwrap().contains("manager"));
    // Even what would be good now: the object is blocked, not its content.
    let good_now = crate::deposits::one_of_each().into_iter().find(|i| i.class == "invoice").unwrap();
    let path = format!("/v1/documents?class=invoice&name={}", good_now.name);
    let good_deposit = |server: &Server| {
        server.post(&path, &token).header("idempotency-key", "k1").body(good_now.bytes.clone()).send().unwrap()
    };
    assert_eq!(problem(good_deposit(&server), 422)["code"], "intake/blocked");
    // Another object is not.
    assert_eq!(problem(bad(&server, &token, "k2", "a.xml"), 422)["attempt"], 1);
    assert_eq!(server.state(), before);
    server.restart_after(&[], |_| {});
    assert_eq!(blocked(&server)["code"], "intake/blocked", "a restart forgot it");

    let list = server.json("/v1/intake/blocks", &manager);
    assert_eq!(list["blocked"].as_array().unwrap().len(), 1, "{list}");
    assert_eq!(list["blocked"][0]["refusal"], last["refusal"]);
    let unblock = |token: &str, reason: &str| {
        let body = json!({ "refusal": last["refusal"], "reason": reason }).to_string();
        server.post("/v1/intake/unblock", token).body(body).send().unwrap()
    };
    let operator = server.archive.token("operator");
    assert_eq!(problem(unblock(&operator, "perché sì"), 403)["code"], "auth/role");
    assert_eq!(problem(unblock(&token, "perché sì"), 403)["code"], "auth/role");
    for empty in ["", "   "] {
        assert!(problem(unblock(&manager, empty), 400)["detail"].as_str().unwrap().contains("reason"));
    }
    assert_eq!(blocked(&server)["code"], "intake/blocked");
    let entries = server.archive.entries().len();
    assert_eq!(good(unblock(&manager, "il produttore ha corretto il programma"))["unblocked"], true);
    assert_eq!(server.archive.entries().last().unwrap()["kind"], "refusals");
    assert!(server.archive.entries().len() > entries);
    assert_eq!(good_deposit(&server).status(), 201);
    assert!(!std::fs::read_to_string(server.archive.path("chain/entries")).unwrap().contains("corretto"));
}

#[test]
fn each_agreement_has_its_own_limit_and_its_own_producers() {
    let archive = Archive::new();
    archive.configure(
        "# [[agreements]]\n# id = \"posta-2026\"",
        "[[agreements]]\nid = \"fatture\"\nproducers = [\"producer\"]\nclasses = [\"invoice\"]\nmax_refusals = 5\n#",
    );
    let server = archive.serve();
    let token = server.archive.token("producer");
    for attempt in 1..=5 {
        let refusal = problem(bad(&server, &token, "k", "a.xml"), 422);
        assert_eq!((refusal["attempt"].as_u64(), refusal["limit"].as_u64()), (Some(attempt), Some(5)));
    }
    assert_eq!(problem(bad(&server, &token, "k", "a.xml"), 422)["code"], "intake/blocked");
    let other = server.archive.token("producer");
    for (token, class) in [(&token, "generic"), (&other, "invoice")] {
        let reply = server.deposit(token, class, "a.txt", &Value::Null, b"testo".to_vec());
        assert_eq!(problem(reply, 422)["code"], "intake/no-agreement", "{class}");
    }
}

#[test]
fn a_refusal_is_read_by_its_producer_and_keeps_neither_content_nor_names() {
    let server = Server::new();
    let (own, other) = (server.archive.token("producer"), server.archive.token("producer"));
    let refused = problem(bad(&server, &own, "k", "NOME-SEGRETO.xml"), 422);
    let path = format!("/v1/refusals/{}", refused["refusal"].as_str().unwrap());
    let kept = server.json(&path, &own);
    assert_eq!(kept, refused, "what is kept is what was answered");
    assert_eq!(server.json(&path, &server.archive.manager), refused);
    assert_eq!(problem(server.get(&path, &other).send().unwrap(), 404)["code"], "not-found");
    let admin = server.archive.token("admin");
    assert_eq!(problem(server.get(&path, &admin).send().unwrap(), 403)["code"], "auth/role");
    for member in ["refused_at", "received_at", "producer", "note", "outcome_sha256"] {
        assert!(kept[member].is_string(), "{member}: {kept}");
    }
    assert_eq!(kept["deposit"]["bytes"], 36);
    let controls = kept["documents"][0]["controls"].as_array().unwrap();
    assert!(controls.iter().any(|c| c["outcome"] == "negative" && c["code"].is_string()), "{kept}");
    for (file, path) in server.archive.files() {
        let bytes = text(&std::fs::read(path).unwrap());
        assert!(!bytes.contains("SEGRETO"), "{file} keeps something of what was refused");
    }
}
