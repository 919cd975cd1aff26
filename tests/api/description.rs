//! `/openapi.json`, `/docs`, `/healthz`, `/readyz`, `/metrics`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::server::{Server, problem};

#[test]
fn the_description_is_whole_and_every_address_answers() {
    let server = Server::new();
    let reply = server.client.get(format!("{}/openapi.json", server.base)).send().unwrap();
    assert_eq!(reply.headers()["content-type"], "application/json");
    let api: Value = reply.json().unwrap();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"), "{}", api["openapi"]);
    assert_eq!(api["info"]["title"], "Custode");
    assert!(api["components"]["securitySchemes"]["bearer"].is_object());
    let schemas = &api["components"]["schemas"];
    let mut ids = BTreeSet::new();
    let mut operations = 0;
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            operations += 1;
            assert!(
                ids.insert(operation["operationId"].as_str().expect(&place).to_owned()),
                "{place}: operationId twice"
            );
            assert!(!operation["tags"].as_array().expect(&place).is_empty());
            let responses = operation["responses"].as_object().expect(&place);
            assert!(responses.keys().any(|status| status.starts_with('2')), "{place}");
            for (status, response) in responses {
                assert!(status.parse::<u16>().is_ok() && response["description"].is_string(), "{place} {status}");
            }
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let of_path: BTreeSet<&str> =
                parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect();
            let templated: BTreeSet<&str> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            assert_eq!(of_path, templated, "{place}");
            // It is there: without a token every address but the open ones says that one is needed.
            let url = format!(
                "{}{}",
                server.base,
                path.replace("{id}", "0199f1a0-0000-7000-8000-000000000000")
                    .replace("{series}", "generic")
                    .replace("{number}", "1")
            );
            let reply = server.client.request(method.to_uppercase().parse().unwrap(), url).send().unwrap();
            if operation.get("security").is_some() {
                assert_eq!(problem(reply, 401)["code"], "auth/token-missing", "{place}");
            } else {
                assert_eq!(reply.status(), 200, "{place}");
            }
        }
    }
    assert!(operations > 35, "{operations}");
    references(&api, schemas);
    for path in [
        "/v1/documents",
        "/v1/deposits",
        "/v1/documents/validate",
        "/v1/receipts/{id}",
        "/v1/documents/search",
        "/v1/documents/{id}",
        "/v1/documents/{id}/content",
        "/v1/documents/{id}/evidence",
        "/v1/documents/{id}/retention",
        "/v1/documents/{id}/related",
        "/v1/bundles",
        "/v1/bundles/{id}",
        "/v1/packages",
        "/v1/packages/{series}/{number}",
        "/v1/packages/{series}/{number}/pindex",
        "/v1/packages/{series}/{number}/evidence",
        "/v1/refusals/{id}",
        "/v1/seal",
        "/v1/alarms",
        "/v1/checks",
        "/v1/checks/{id}",
        "/v1/chain/checkpoint",
        "/v1/chain/entries",
        "/v1/chain/proof",
        "/v1/chain/consistency",
        "/v1/classes",
        "/v1/tokens",
    ] {
        assert!(api["paths"][path].is_object(), "{path} is promised and not described");
    }
    let docs = server.client.get(format!("{}/docs", server.base)).send().unwrap().text().unwrap();
    assert!(docs.contains("/v1/documents/{id}/content"));
}

/// Every `$ref` leads somewhere.
fn references(value: &Value, schemas: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let name = reference.strip_prefix("#/components/schemas/").expect(reference);
                assert!(schemas[name].is_object(), "{reference}");
            }
            members.values().for_each(|value| references(value, schemas));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, schemas)),
        _ => {}
    }
}

#[test]
fn health_and_metrics_are_open_and_say_nothing_personal() {
    let server = Server::new();
    let get = |path: &str| server.client.get(format!("{}{path}", server.base)).send().unwrap();
    assert_eq!(get("/healthz").json::<Value>().unwrap()["status"], "alive");
    let ready: Value = get("/readyz").json().unwrap();
    assert_eq!((ready["status"].as_str(), ready["profile"].as_str()), (Some("ready"), Some("trial")));
    let producer = server.archive.token("producer");
    let receipt = server.generic(&producer, "a.txt", b"a");
    problem(server.deposit(&producer, "invoice", "a.xml", &Value::Null, b"a".to_vec()), 422);
    let odd = server.client.request("BREW".parse().unwrap(), format!("{}/v1/documents", server.base)).send().unwrap();
    problem(odd, 405);
    let reply = get("/metrics");
    assert!(reply.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let text = reply.text().unwrap();
    for wanted in [
        "custode_deposits_accepted_total 1",
        "custode_deposits_refused_total 1",
        "custode_unsealed_documents 1",
        "custode_intake_open 1",
        "custode_alarms{severity=\"error\"} 0",
        "route=\"/v1/documents\"",
    ] {
        assert!(text.contains(wanted), "no {wanted} in {text}");
    }
    assert!(!text.contains(receipt["receipt"].as_str().unwrap()) && !text.contains("BREW"));
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let value = line.rsplit(' ').next().unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

#[test]
fn the_chain_is_readable_and_proves_itself() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    server.generic(&producer, "a.txt", b"a");
    server.seal();
    let checkpoint = server.get("/v1/chain/checkpoint", &producer).send().unwrap().text().unwrap();
    let key = std::fs::read_to_string(server.archive.path("chain/archive.vkey")).unwrap().trim().parse().unwrap();
    let opened = custode::chain::note::open_note(&checkpoint, &[key]).unwrap();
    let size: u64 = opened.text.lines().nth(1).unwrap().parse().unwrap();
    assert_eq!(size, server.archive.entries().len() as u64);
    for path in [
        format!("/v1/chain/proof?entry=1&size={size}"),
        format!("/v1/chain/consistency?from=1&to={size}"),
        format!("/v1/chain/entries?from=0&to={size}"),
    ] {
        assert!(server.get(&path, &producer).send().unwrap().status().is_success(), "{path}");
    }
    for path in [
        format!("/v1/chain/proof?entry={size}&size={size}"),
        format!("/v1/chain/proof?entry=0&size={}", size + 1),
        "/v1/chain/proof?entry=x&size=1".to_owned(),
        "/v1/chain/proof".to_owned(),
        format!("/v1/chain/consistency?from={}&to=1", size),
        format!("/v1/chain/consistency?from=0&to={}", u64::MAX),
        "/v1/chain/entries?from=-1".to_owned(),
    ] {
        let reply = server.get(&path, &producer).send().unwrap();
        let status = reply.status().as_u16();
        assert!((400..500).contains(&status), "{path}: {status}");
        problem(reply, status);
    }
}
