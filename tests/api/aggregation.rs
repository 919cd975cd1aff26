//! Aggregations: deposited, growing, searched, bundled, verified.

use serde_json::{Value, json};

use crate::server::{Server, codes, good, problem, text};

fn aggregation(version: u64, previous: Option<&str>, members: &[&str]) -> Value {
    let mut one = json!({
        "id": "2026-001", "kind": "fascicolo", "file_type": "affare", "subject": "Contratto di esempio",
        "opened_on": "2026-01-10", "classification": "1.2", "number": "7", "version": version, "members": members,
    });
    if let Some(previous) = previous {
        one["previous_version"] = json!(previous);
    }
    one
}

fn deposit(server: &Server, producer: &str, one: &Value) -> Value {
    let reply = server.deposit(producer, "aggregation", "fascicolo.json", &Value::Null, one.to_string().into_bytes());
    assert_eq!(reply.status(), 201, "{}", reply.text().unwrap());
    reply.json().unwrap()
}

fn id(receipt: &Value) -> String {
    receipt["documents"][0]["id"].as_str().unwrap().to_owned()
}

fn found(server: &Server, token: &str, criterion: &str) -> Vec<String> {
    let page = server.search(token, json!({ "criteria": [criterion] }));
    let mut names: Vec<String> =
        page["documents"].as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_aggregation_grows_is_found_bundled_and_verified() {
    let mut server = Server::new();
    let producer = server.archive.token("producer");
    let manager = server.archive.manager.clone();
    let listed = id(&server.generic(&producer, "elencato.txt", b"elencato dal fascicolo"));
    let dropped = id(&server.generic(&producer, "tolto.txt", b"elencato una volta"));
    let first = deposit(&server, &producer, &aggregation(1, None, &[&listed, &dropped]));
    assert!(codes(&first).is_empty(), "{first}");
    let named = json!({ "aggregations": ["fascicolo/2026-001"], "subject": "Allegato" });
    let named = server.deposit(&producer, "generic", "nominante.txt", &named, b"nomina il fascicolo".to_vec());
    let named = id(&named.json().unwrap());
    // A version that grew: closed, without one of its members.
    let mut second = aggregation(2, Some(&id(&first)), &[&listed]);
    second["closed_on"] = json!("2026-11-20");
    let second = deposit(&server, &producer, &second);
    assert!(codes(&second).is_empty(), "{second}");

    let says = |server: &Server| {
        for bare in ["fascicolo/2026-001", "2026-001"] {
            let names = found(server, &manager, &format!("aggregation={bare}"));
            assert_eq!(names, ["elencato.txt", "fascicolo.json", "fascicolo.json", "nominante.txt"], "{bare}");
        }
        assert!(found(server, &manager, "aggregation=serie-documentale/2026-001").is_empty());
        let of = |id: &str| server.json(&format!("/v1/documents/{id}/related"), &manager)["aggregations"].clone();
        for (document, how) in [(&listed, "listed"), (&named, "named"), (&id(&first), "self")] {
            let told = of(document);
            assert_eq!(told[0]["membership"], json!([how]), "{told}");
            assert_eq!((&told[0]["document"], &told[0]["version"]), (&json!(id(&second)), &json!(2)), "{told}");
            assert_eq!(told[0]["closed"], true, "{told}");
        }
        assert_eq!(of(&dropped), json!([]));
        let links = server.json(&format!("/v1/documents/{}/related", id(&first)), &manager)["links"].to_string();
        assert!(links.contains(&named) && links.contains(&listed) && links.contains(&id(&second)), "{links}");
    };
    says(&server);
    // Closing starts the term; an aggregation that is open is never due.
    let until = |id: &str| server.json(&format!("/v1/documents/{id}/retention"), &manager);
    assert_eq!(until(&id(&first))["cohort"], "open");
    assert_eq!(
        (&until(&id(&second))["start"]["field"], &until(&id(&second))["cohort"]),
        (&json!("closed_on"), &json!("2036"))
    );

    server.seal();
    says(&server);
    server.restart_after(&[], |archive| {
        std::fs::remove_dir_all(archive.path("catalog")).unwrap();
        assert!(archive.run(&["reindex"]).status.success());
    });
    says(&server);

    let bundle = server.archive.root.parent().unwrap().join("fascicolo.zip");
    let path = bundle.to_str().unwrap().to_owned();
    let out = server.archive.run(&["export", "--aggregation", "fascicolo/2026-001", "-o", &path]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let key = std::fs::read_to_string(server.archive.path("chain/archive.vkey")).unwrap();
    let out = server.archive.run(&["verify", &path, "--key", key.trim(), "--json"]);
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    // The development authority is no anchor: everything else verifies.
    assert!(out.status.code() == Some(2) || out.status.success(), "{report}");
    assert!(!report.to_string().contains("\"outcome\":\"bad\""), "{report}");
    let list = std::process::Command::new("unzip").args(["-l", &path]).output();
    if let Ok(list) = list {
        let list = text(&list.stdout);
        for name in ["elencato.txt", "nominante.txt", "fascicolo.json"] {
            assert!(list.contains(name), "{list}");
        }
        assert!(!list.contains("tolto.txt"), "{list}");
    }
    // The aggregation is AgID's too, with the digest of each member.
    let own = id(&second);
    let metadata = std::process::Command::new("unzip").args(["-p", &path, &format!("metadata/{own}.xml")]).output();
    if let Ok(metadata) = metadata {
        let metadata = text(&metadata.stdout);
        let agg = metadata.split("<AggregazioneDocumentaliInformatiche").nth(1).unwrap_or_default();
        let digest = custode::hash::Sha256::of(b"elencato dal fascicolo");
        let digest = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest.as_bytes());
        for wanted in ["<DataChiusura>2026-11-20<", &format!("urn:uuid:{listed}"), &digest, "<Progressivo>7<"] {
            assert!(agg.contains(wanted), "{wanted}: {metadata}");
        }
        assert!(!agg.contains(&dropped), "{metadata}");
    }
    // `Agg` stands in the metadata of the member that named it.
    let metadata = std::process::Command::new("unzip").args(["-p", &path, &format!("metadata/{named}.xml")]).output();
    if let Ok(metadata) = metadata {
        let metadata = text(&metadata.stdout);
        assert!(metadata.contains("<TipoAggregazione>Fascicolo</TipoAggregazione>"), "{metadata}");
        assert!(metadata.contains("<IdAggregazione>2026-001</IdAggregazione>"), "{metadata}");
    }
}

#[test]
fn what_an_aggregation_names_and_is_not_held_is_said() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    let nobody = "0199f1a0-0000-7000-8000-000000000001";
    let receipt = deposit(&server, &producer, &aggregation(2, Some(nobody), &[nobody]));
    let mut said = codes(&receipt);
    said.sort();
    assert_eq!(said, ["aggregation/member-unknown", "aggregation/version"], "{receipt}");
    let reply = server.deposit(&producer, "aggregation", "x.json", &Value::Null, b"{\"id\": 1}".to_vec());
    assert!(codes(&problem(reply, 422)).contains(&"aggregation/not".to_owned()));
    let reply = server.post("/v1/bundles", &server.archive.manager);
    let started = good(reply.body(json!({ "aggregations": ["fascicolo/nessuno"] }).to_string()).send().unwrap());
    let location = started["location"].as_str().unwrap();
    for _ in 0..100 {
        let state = server.get(location, &server.archive.manager).send().unwrap();
        if state.status() != 200 || state.text().unwrap().contains("not-found") {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("a bundle of nothing was made");
}

#[test]
fn what_does_not_fit_with_the_versions_held_is_said() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    let first = deposit(&server, &producer, &aggregation(1, None, &[]));
    let with = |changes: Value, version: u64| {
        let mut one = aggregation(version, Some(&id(&first)), &[]);
        for (field, value) in changes.as_object().unwrap() {
            one[field] = value.clone();
        }
        let receipt = deposit(&server, &producer, &one);
        let findings = receipt["documents"][0]["findings"].as_array().cloned().unwrap_or_default();
        findings
            .iter()
            .map(|f| format!("{} {}", f["code"].as_str().unwrap(), f["place"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(with(json!({ "closed_on": "2026-11-20" }), 2), [""; 0]);
    // The same number with other content, and open again: both are said.
    let again = with(json!({ "subject": "Altro oggetto" }), 2);
    assert_eq!(again, ["aggregation/version version", "aggregation/field closed_on"]);
    // Parents that come back.
    let sub = json!({ "id": "2026-002", "parent": "fascicolo/2026-001", "previous_version": null });
    assert_eq!(with(sub, 1), [""; 0]);
    let back = with(json!({ "parent": "fascicolo/2026-002", "closed_on": "2026-11-20" }), 3);
    assert!(back.contains(&"aggregation/field parent".to_owned()), "{back:?}");
    let own = with(json!({ "parent": "fascicolo/2026-001", "closed_on": "2026-11-20" }), 4);
    assert!(own.contains(&"aggregation/field parent".to_owned()), "{own:?}");
}
