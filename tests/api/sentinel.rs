//! Values of personal metadata stand where they must (journal, packages, index) and nowhere else: not in the chain or the
//! records, not in a log line, a metric, an error text or a refusal.

use serde_json::{Value, json};

use crate::deposits::one_of_each;
use crate::server::{Server, good, problem};

/// What must not leak: each unlike anything that could stand somewhere by chance.
const VALUES: [(&str, &str); 7] = [
    ("surname", "Sentinellacognome"),
    ("forename", "Sentinellanome"),
    ("tax_code", "SNTNLL80A01H501X"),
    ("practice", "SENTINELLA-PRATICA-77"),
    ("document_number", "CASENTINELLA9"),
    ("birth_place", "Borgo Sentinella"),
    ("issuer", "Comune di Sentinella"),
];
const NAME: &str = "sentinella-documento-di-identita.jpg";

/// The common part of all of them, in any case: one search finds every leak.
fn leaks(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    [&b"sentinella"[..], b"sntnll"].iter().any(|word| lower.windows(word.len()).any(|w| w == *word))
}

fn metadata() -> Value {
    let mut all = json!({ "part": "identity-document", "document_kind": "carta-identita", "birth_date": "1980-01-01" });
    for (field, value) in VALUES {
        all[field] = json!(value);
    }
    all
}

#[test]
fn personal_values_stand_nowhere_but_in_journal_packages_and_index() {
    let mut server = Server::new();
    let token = server.archive.token("producer");
    let manager = server.archive.manager.clone();
    let image = one_of_each().into_iter().find(|item| item.class == "identity-document").unwrap().bytes;
    let receipt = good(server.deposit(&token, "identity-document", NAME, &metadata(), image.clone()));
    assert_eq!(receipt["documents"][0]["metadata"]["surname"], VALUES[0].1, "the sentinels did arrive");
    let id = receipt["documents"][0]["id"].as_str().unwrap();

    // Everything wrong that can be done with such values; every answer is looked at.
    let other = |n: u8| [&image[..], &[n]].concat();
    let mut wrong = Vec::new();
    let send =
        |metadata: &Value, n: u8, name: &str| server.deposit(&token, "identity-document", name, metadata, other(n));
    for (n, (field, value)) in [
        ("part", json!("Sentinella")),
        ("document_kind", json!("carta-sentinella")),
        ("birth_date", json!("sentinella")),
        ("birth_date", json!(["Sentinella"])),
        ("tax_code", json!({ "Sentinella": "Sentinella" })),
        ("surname", json!("Sentinella ".repeat(1000))),
        ("issued_on", json!("2020-13-45 Sentinella")),
        ("identified_at", json!("Sentinella")),
        ("conforming_copy", json!("Sentinella")),
        ("method", json!(7.5)),
    ]
    .into_iter()
    .enumerate()
    {
        let mut metadata = metadata();
        metadata[field] = value;
        let reply = send(&metadata, n as u8, NAME);
        if reply.status() == 422 {
            wrong.push(reply.text().unwrap());
        } else {
            assert_eq!(reply.status(), 201, "{field}");
        }
    }
    assert!(wrong.len() > 6, "only {} were refused", wrong.len());
    let mut missing = metadata();
    missing.as_object_mut().unwrap().remove("practice");
    wrong.push(send(&missing, 20, NAME).text().unwrap());
    let mut unknown = metadata();
    unknown["sconosciuto"] = json!("Sentinella");
    wrong.push(send(&unknown, 21, NAME).text().unwrap());
    wrong.push(
        server
            .deposit(&token, "identity-document", NAME, &metadata(), b"Sentinella in un testo".to_vec())
            .text()
            .unwrap(),
    );
    wrong.push(
        server.deposit(&token, "identity-document", &"sentinella".repeat(30), &metadata(), other(22)).text().unwrap(),
    );
    wrong.push(
        server.deposit(&token, "identity-document", "sentinella\u{1}.jpg", &metadata(), other(23)).text().unwrap(),
    );
    wrong.push(
        server
            .deposit(&token, "invoice", "sentinella.xml", &metadata(), b"<Sentinella>x</Sentinello>".to_vec())
            .text()
            .unwrap(),
    );
    let header = server.post("/v1/documents?class=identity-document&name=x.jpg", &token);
    wrong.push(
        header.header("custode-metadata", "{\"surname\": \"Sentinella").body(other(24)).send().unwrap().text().unwrap(),
    );
    // Against the rules, a client puts them in the address: refused, and not repeated.
    let address = "/v1/documents?class=identity-document&name=x.jpg&m.surname=Sentinella&m.part=identity-document";
    let answer = problem(server.post(address, &token).body(other(25)).send().unwrap(), 422);
    assert_eq!(answer["code"], "intake/metadata-in-url");
    wrong.push(answer.to_string());
    let address = "/v1/documents?class=identity-document&q.surname=Sentinellacognome";
    wrong.push(problem(server.get(address, &manager).send().unwrap(), 400).to_string());
    let address = "/v1/documents?q.tax_code=SNTNLL80A01H501X";
    wrong.push(problem(server.get(address, &manager).send().unwrap(), 400).to_string());
    wrong.push(problem(server.get("/v1/documents/Sentinella/content", &manager).send().unwrap(), 400).to_string());
    let manifest =
        json!({ "class": "identity-document", "files": [{ "name": NAME, "metadata": metadata(), "x": "Sentinella" }] });
    wrong.push(server.deposit_many(&token, "", &manifest, &[(NAME, &image)]).text().unwrap());
    let manifest = json!({ "class": "identity-document", "files": [
        { "name": NAME, "metadata": metadata(), "relations": [{ "type": "Sentinella", "to": "sentinella-altra.jpg" }] }, { "name": "sentinella-che-manca.jpg" }] });
    wrong.push(
        server
            .deposit_many(&token, "", &manifest, &[(NAME, &image), ("sentinella-in-piu.jpg", &image)])
            .text()
            .unwrap(),
    );
    for body in [
        json!({ "class": "identity-document", "criteria": ["cognome=Sentinella"] }),
        json!({ "class": "identity-document", "criteria": ["birth_date>=Sentinella"] }),
        json!({ "class": "identity-document", "criteria": ["Sentinella"] }),
        json!({ "class": "identity-document", "cursor": "Sentinella" }),
        json!({ "class": "Sentinella Maiuscola" }),
        json!({ "from": "Sentinella" }),
        json!({ "criteria": [{ "Sentinella": 1 }] }),
    ] {
        let reply = server.post("/v1/documents/search", &manager).body(body.to_string()).send().unwrap();
        assert!(reply.status().is_client_error(), "{body}");
        wrong.push(reply.text().unwrap());
    }
    for answer in &wrong {
        assert!(!leaks(answer.as_bytes()), "an error text repeats what was sent: {answer}");
        assert!(answer.contains("\"code\""), "{answer}");
    }

    // Good searches, content, sealing, a restart, a rebuild: none of it may write a value elsewhere.
    for sealed in [false, true] {
        for (field, value) in [VALUES[0], VALUES[2], VALUES[3]] {
            let page = server
                .search(&manager, json!({ "class": "identity-document", "criteria": [format!("{field}={value}")] }));
            let found = page["documents"].as_array().unwrap();
            assert!(found.iter().any(|d| d["id"] == id), "{field}, sealed: {sealed}: {page}");
        }
        assert_eq!(server.get(&format!("/v1/documents/{id}/content"), &manager).send().unwrap().status(), 200);
        let out = server.archive.run(&[
            "--json",
            "search",
            "--class",
            "identity-document",
            &format!("surname={}", VALUES[0].1),
        ]);
        assert!(leaks(&out.stdout), "the command finds it");
        if !sealed {
            server.seal();
        }
    }
    let metrics = server.client.get(format!("{}/metrics", server.base)).send().unwrap().bytes().unwrap();
    assert!(!leaks(&metrics), "{}", String::from_utf8_lossy(&metrics));
    let log = server.log.lock().unwrap().clone();
    server.restart_after(&[("CUSTODE_LOG", "trace")], |archive| {
        assert!(archive.run(&["reindex"]).status.success());
    });
    // At the most talkative, of our own modules and of everybody else's.
    let second = server.deposit(&token, "identity-document", NAME, &metadata(), other(40));
    assert_eq!(second.status(), 201);
    server.search(&manager, json!({ "class": "identity-document", "criteria": ["surname^=Sentinellac"] }));
    server.seal();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let all = format!("{log}{}", server.log.lock().unwrap());
    for line in all.lines() {
        let ours = line.contains("custode");
        assert!(!leaks(line.as_bytes()) || !ours, "in the log: {line}");
    }

    for (file, path) in server.archive.files() {
        // Packages, journal segments with their bodies, and the index are where they belong.
        let home = file.starts_with("packages/") || file.starts_with("catalog/");
        let journal = file.starts_with("intake/") && !file.contains("refusals") && !file.contains("incoming");
        if home || journal {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(!leaks(&bytes), "a personal value stands in {file}");
        assert!(!leaks(file.as_bytes()), "a personal value in a file's name: {file}");
    }
}
