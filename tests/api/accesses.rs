//! Every access to content is recorded, durably, before the first byte leaves.

use serde_json::Value;

use crate::deposits::one_of_each;
use crate::server::{Archive, Server, good, problem, text};

fn accesses(archive: &Archive) -> Vec<Value> {
    let text = std::fs::read_to_string(archive.path("records/accesses.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn id(receipt: &Value) -> String {
    receipt["documents"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn content_leaves_only_after_its_access_is_written() {
    let mut server = Server::new();
    let producer = server.archive.token("producer");
    let reader = server.archive.manage(&["token", "create", "--role", "reader"]);
    let secret = reader["secret"].as_str().unwrap();
    // Larger than every buffer between the archive and us: most of it is still in there when we look.
    let body = vec![b'x'; 8 << 20];
    let receipt = server.deposit(&producer, "generic", "grande.bin", &Value::Null, body.clone());
    let document = id(&good(receipt));
    let path = format!("/v1/documents/{document}/content");
    for sealed in [false, true] {
        let before = accesses(&server.archive).len();
        let mut reply = server.get(&path, secret).send().unwrap();
        let mut first = [0];
        std::io::Read::read_exact(&mut reply, &mut first).unwrap();
        let now = accesses(&server.archive);
        assert_eq!(now.len(), before + 1, "sealed: {sealed}");
        let access = now.last().unwrap();
        assert_eq!(access["what"], "content");
        assert_eq!(access["documents"][0], document.as_str());
        assert_eq!(access["by"]["token"], reader["token"], "{access}");
        assert_eq!(access["by"]["role"], "reader");
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut reply, &mut rest).unwrap();
        assert_eq!(rest.len() + 1, body.len());
        if !sealed {
            server.seal();
        }
    }
    // What shows no content is no access: facts, a conditional request that needs none, a refusal.
    let before = accesses(&server.archive).len();
    server.json(&format!("/v1/documents/{document}"), secret);
    let etag = format!("\"{}\"", custode::hash::Sha256::of(&body));
    assert_eq!(server.get(&path, secret).header("if-none-match", etag).send().unwrap().status(), 304);
    assert_eq!(problem(server.get(&path, &producer).send().unwrap(), 403)["code"], "auth/role");
    assert_eq!(accesses(&server.archive).len(), before);
    assert_eq!(server.get("/v1/packages/generic/1/pindex", secret).send().unwrap().status(), 200);
    assert_eq!(accesses(&server.archive).last().unwrap()["package"], "generic/1");

    // From the command line, through the server and without it.
    let count = accesses(&server.archive).len();
    assert!(server.archive.run(&["get", &document]).stdout == body);
    assert_eq!(accesses(&server.archive).len(), count + 1);
    server.stop();
    assert!(server.archive.run(&["get", &document]).stdout == body);
    let all = accesses(&server.archive);
    assert_eq!(all.len(), count + 2);
    assert_eq!(all.last().unwrap()["by"]["role"], "operator");
    // Stopped or closed, the chain has them all.
    let chained: u64 =
        server.archive.entries().iter().filter(|e| e["kind"] == "access").filter_map(|e| count_of(&e["access"])).sum();
    assert_eq!(chained, all.len() as u64, "{:?}", server.archive.entries().last());
    let document = document.as_bytes();
    let chain = std::fs::read(server.archive.path("chain/entries")).unwrap();
    assert!(!chain.windows(document.len()).any(|w| w == document), "a document's id on the chain with who saw it");
}

fn count_of(access: &Value) -> Option<u64> {
    ["count", "lines", "records"].iter().find_map(|key| access[key].as_u64())
}

#[test]
fn malware_is_shown_to_a_manager_who_says_why_and_to_nobody_else() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    let virus = one_of_each().into_iter().find(|item| item.class == "pec-virus").unwrap();
    let metadata = Value::Object(virus.metadata.clone());
    let document = id(&good(server.deposit(&producer, "pec-virus", &virus.name, &metadata, virus.bytes.clone())));
    let path = format!("/v1/documents/{document}/content");
    for role in ["operator", "reader", "auditor"] {
        let token = server.archive.token(role);
        let reply = server.get(&format!("{path}?reason=curiosita"), &token).send().unwrap();
        assert_eq!(problem(reply, 403)["code"], "auth/role", "{role}");
    }
    let manager = &server.archive.manager;
    for reasonless in [path.clone(), format!("{path}?reason="), format!("{path}?reason=%20")] {
        assert_eq!(problem(server.get(&reasonless, manager).send().unwrap(), 403)["code"], "auth/reason");
    }
    assert!(accesses(&server.archive).is_empty());
    let shown = server.get(&format!("{path}?reason=richiesta%20del%20CERT"), manager).send().unwrap();
    assert_eq!(shown.bytes().unwrap(), virus.bytes);
    assert_eq!(accesses(&server.archive).last().unwrap()["reason"], "richiesta del CERT");
    let out = server.archive.run(&["get", &document, "--reason", "prova"]);
    assert_eq!(out.status.code(), Some(1), "the local operator is not a manager");
    assert!(out.stdout.is_empty() && text(&out.stderr).contains("auth/"), "{}", text(&out.stderr));
}
