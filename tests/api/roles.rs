//! Who may do what, through HTTP: the whole matrix, one request each.

use std::collections::BTreeMap;

use custode::hash::Sha256;
use serde_json::{Value, json};

use crate::server::{Server, good, problem};

const ROLES: [&str; 7] = ["holder", "producer", "manager", "operator", "reader", "auditor", "admin"];

#[test]
fn every_role_may_do_what_the_matrix_says_and_nothing_else() {
    let server = Server::new();
    let manager = server.archive.manager.clone();
    let person = server.archive.manage(&["person", "add", "Titolare Esempio", "--role", "holder"]);
    let person = person["person"].as_str().unwrap().to_owned();
    let mut tokens: BTreeMap<&str, String> = BTreeMap::new();
    for role in ROLES {
        let token = match role {
            "manager" => manager.clone(),
            "holder" => {
                let made = server.archive.manage(&["token", "create", "--role", "holder", "--person", &person]);
                made["secret"].as_str().unwrap().to_owned()
            }
            _ => server.archive.token(role),
        };
        tokens.insert(role, token);
    }
    let receipt = server.generic(&tokens["producer"], "nota.txt", b"di un produttore");
    server.seal();
    let open = server.generic(&tokens["producer"], "aperta.txt", b"non ancora sigillata");
    let (sealed, open) = (&receipt["documents"][0]["id"], &open["documents"][0]["id"]);
    let (sealed, open) = (sealed.as_str().unwrap(), open.as_str().unwrap());
    let refusal = server.deposit(&tokens["producer"], "invoice", "x.xml", &Value::Null, b"x".to_vec());
    let refusal = problem(refusal, 422)["refusal"].as_str().unwrap().to_owned();
    let own = receipt["receipt"].as_str().unwrap();

    let see = ["holder", "manager", "operator", "reader", "auditor"];
    let with_producer = ["holder", "producer", "manager", "operator", "reader", "auditor"];
    let until = (jiff::Zoned::now().date() + jiff::Span::new().days(30)).to_string();
    let derogation = json!({ "until": until, "reason": "prova", "act": Sha256::of(b"deroga") });
    let cases: Vec<(&str, String, Option<Value>, &[&str])> = vec![
        ("GET", format!("/v1/documents/{sealed}"), None, &see),
        ("GET", format!("/v1/documents/{sealed}/content"), None, &see),
        ("GET", format!("/v1/documents/{open}/content"), None, &see),
        ("GET", format!("/v1/documents/{sealed}/related"), None, &see),
        ("GET", format!("/v1/documents/{sealed}/retention"), None, &see),
        ("GET", format!("/v1/documents/{sealed}/evidence"), None, &see),
        ("GET", "/v1/documents".into(), None, &see),
        ("POST", "/v1/documents/search".into(), Some(json!({})), &see),
        ("GET", "/v1/packages".into(), None, &see),
        ("GET", "/v1/packages/generic/1".into(), None, &see),
        ("GET", "/v1/packages/generic/1/pindex".into(), None, &see),
        ("GET", "/v1/packages/generic/1/evidence".into(), None, &see),
        ("GET", format!("/v1/receipts/{own}"), None, &with_producer),
        ("GET", format!("/v1/refusals/{refusal}"), None, &with_producer),
        ("GET", "/v1/chain/checkpoint".into(), None, &ROLES),
        ("GET", "/v1/chain/entries?from=0&to=2".into(), None, &ROLES),
        ("GET", "/v1/classes".into(), None, &ROLES),
        ("GET", "/v1/classes/generic".into(), None, &ROLES),
        ("GET", "/v1/policies".into(), None, &ROLES),
        ("GET", "/v1/intake/blocks".into(), None, &see),
        ("GET", "/v1/persons".into(), None, &["holder", "manager", "auditor"]),
        ("GET", "/v1/tokens".into(), None, &["holder", "manager", "auditor"]),
        ("POST", "/v1/persons".into(), Some(json!({ "name": "Prova", "roles": [] })), &["manager"]),
        ("POST", "/v1/tokens".into(), Some(json!({ "role": "reader" })), &["manager"]),
        (
            "POST",
            "/v1/manuals".into(),
            Some(json!({ "version": "9", "from": "2099-01-01", "sha256": Sha256::of(b"m") })),
            &["manager"],
        ),
        ("POST", "/v1/documents/validate?class=generic&name=a.txt".into(), Some(json!({})), &["producer", "operator"]),
        ("GET", "/v1/alarms".into(), None, &["holder", "manager", "operator", "auditor", "admin"]),
        ("POST", "/v1/seal".into(), Some(json!({ "class": "invoice" })), &["manager", "operator", "admin"]),
        ("GET", "/v1/keys".into(), None, &ROLES),
        ("POST", "/v1/keys/rotation".into(), Some(json!({ "reason": "routine" })), &["manager", "operator", "admin"]),
        ("POST", "/v1/reindex".into(), Some(json!({})), &["operator", "admin"]),
        ("GET", "/v1/vaults".into(), None, &["holder", "manager", "operator", "auditor", "admin"]),
        ("POST", "/v1/repairs".into(), Some(json!({ "dry_run": true })), &["operator", "admin"]),
        ("POST", "/v1/derogations".into(), Some(derogation), &["manager"]),
    ];
    for (method, path, body, may) in cases {
        for role in ROLES {
            let token = &tokens[role];
            let request = if method == "GET" { server.get(&path, token) } else { server.post(&path, token) };
            let request = body.iter().fold(request, |request, body| request.body(body.to_string()));
            let reply = request.send().unwrap();
            if may.contains(&role) {
                assert!(reply.status().is_success(), "{role} {method} {path}: {}", reply.text().unwrap());
            } else {
                let answer = problem(reply, 403);
                assert!(
                    ["auth/role", "auth/person"].contains(&answer["code"].as_str().unwrap()),
                    "{role} {path}: {answer}"
                );
            }
        }
    }
    for role in ROLES {
        let reply = server.deposit(&tokens[role], "generic", "r.txt", &Value::Null, role.as_bytes().to_vec());
        let may = ["producer", "operator"].contains(&role);
        assert_eq!(reply.status(), if may { 201 } else { 403 }, "{role}");
    }
}

#[test]
fn a_producer_reads_its_own_receipts_and_nobody_elses() {
    let server = Server::new();
    let (one, two) = (server.archive.token("producer"), server.archive.token("producer"));
    let receipt = server.generic(&one, "mia.txt", b"mia");
    let path = format!("/v1/receipts/{}", receipt["receipt"].as_str().unwrap());
    for sealed in [false, true] {
        assert_eq!(server.json(&path, &one), receipt, "sealed: {sealed}");
        assert_eq!(problem(server.get(&path, &two).send().unwrap(), 404)["code"], "not-found");
        let xml = server.get(&path, &two).header("accept", "application/xml").send().unwrap();
        assert_eq!(problem(xml, 404)["code"], "not-found");
        server.seal();
    }
}

#[test]
fn tokens_are_stored_hashed_and_belong_to_persons_or_systems() {
    let server = Server::new();
    let made = server.archive.manage(&["token", "create", "--role", "auditor", "--expires", "90d"]);
    let secret = made["secret"].as_str().unwrap();
    for (file, path) in server.archive.files() {
        let bytes = std::fs::read(path).unwrap();
        assert!(!bytes.windows(43).any(|w| w == &secret.as_bytes()[4..]), "the token stands in {file}");
    }
    let list = server.json("/v1/tokens", &server.archive.manager);
    let mine = list["tokens"].as_array().unwrap().iter().find(|t| t["token"] == made["token"]).unwrap();
    assert_eq!(
        (&mine["role"], &mine["person"], mine["revoked"].as_bool()),
        (&json!("auditor"), &made["person"], Some(false))
    );
    assert!(mine.get("secret").is_none());
    // A system is never a manager or a holder.
    for role in ["manager", "holder"] {
        let reply = server
            .post("/v1/tokens", &server.archive.manager)
            .body(json!({ "role": role }).to_string())
            .send()
            .unwrap();
        assert_eq!(problem(reply, 400)["code"], "usage");
    }
    let label = server.archive.manage(&[
        "person",
        "add",
        "Servizio di posta",
        "--system",
        "--label",
        "posta-aziendale",
        "--role",
        "producer",
    ]);
    let token = server.archive.manage(&[
        "token",
        "create",
        "--role",
        "producer",
        "--person",
        label["person"].as_str().unwrap(),
    ]);
    let receipt = server.generic(token["secret"].as_str().unwrap(), "a.txt", b"a");
    assert_eq!(receipt["producer"], "posta-aziendale");
    let names = std::fs::read_to_string(server.archive.path("chain/entries")).unwrap();
    assert!(!names.contains("Servizio di posta"));
    let _ = good(server.get("/v1/persons", &server.archive.manager).send().unwrap());
}
