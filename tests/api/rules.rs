//! Classes, policies and the manual: adopted by a person, beside what was there, on the chain.

use serde_json::{Value, json};

use crate::server::{Archive, Server, problem, text};

fn draft(archive: &Archive, file: &str, change: impl FnOnce(String) -> String) -> String {
    let adopted = std::fs::read_to_string(archive.path(file)).unwrap();
    let path = archive.root.parent().unwrap().join("bozza");
    std::fs::write(&path, change(adopted)).unwrap();
    path.display().to_string()
}

fn second_generic(archive: &Archive) -> String {
    draft(archive, "schemas/generic@1.json", |text| {
        let mut class: Value = serde_json::from_str(&text).unwrap();
        class["$id"] = json!("urn:custode:class:generic:2");
        class["x-custode"]["version"] = json!(2);
        class["properties"]["fascicolo"] = json!({ "type": "string", "x-custode": { "title": { "it": "Fascicolo", "en": "File" }, "kind": "keyword", "indexed": true } });
        serde_json::to_string_pretty(&class).unwrap()
    })
}

#[test]
fn a_new_version_of_a_class_stands_beside_the_old() {
    let mut server = Server::new();
    let producer = server.archive.token("producer");
    let manager = server.archive.manager.clone();
    let old = server.generic(&producer, "vecchio.txt", b"vecchio");
    assert_eq!(old["class_version"], 1);
    let file = second_generic(&server.archive);
    // Not by the local operator: it is a person's act.
    let out = server.archive.run(&["class", "adopt", &file]);
    assert!(out.status.code() == Some(1) && text(&out.stderr).contains("auth/person"), "{}", text(&out.stderr));
    assert!(server.archive.run(&["class", "check", &file]).status.success());
    let adopted = server.archive.manage(&["class", "adopt", &file]);
    assert_eq!((adopted["class"].as_str(), adopted["version"].as_u64()), (Some("generic"), Some(2)));
    let entry = server.archive.entries().pop().unwrap();
    assert_eq!(
        (entry["kind"].as_str(), entry["class"]["sha256"].as_str()),
        (Some("class"), adopted["sha256"].as_str())
    );
    let again = server.post("/v1/classes", &manager).body(std::fs::read(&file).unwrap()).send().unwrap();
    assert!(problem(again, 422)["detail"].as_str().unwrap().contains('3'), "the next version is named");

    let metadata = json!({ "fascicolo": "F-7" });
    let new = server.deposit(&producer, "generic", "nuovo.txt", &metadata, b"nuovo".to_vec());
    let new: Value = new.json().unwrap();
    assert_eq!(new["class_version"], 2);
    server.restart_after(&[], |_| {});
    assert_eq!(server.json("/v1/classes/generic", &manager)["x-custode"]["version"], 2);
    server.seal();
    // One package holds one version.
    let packages = server.json("/v1/packages?series=generic", &manager);
    let versions: Vec<_> =
        packages["packages"].as_array().unwrap().iter().map(|p| p["class_version"].as_u64().unwrap()).collect();
    assert_eq!(
        {
            let mut v = versions;
            v.sort();
            v
        },
        [1, 2],
        "{packages}"
    );
    let found = server.search(&manager, json!({ "class": "generic", "criteria": ["fascicolo=F-7"] }));
    assert_eq!(found["documents"].as_array().unwrap().len(), 1, "{found}");
    let shown = server.json(&format!("/v1/documents/{}", old["documents"][0]["id"].as_str().unwrap()), &manager);
    assert_eq!(shown["class_version"], 1);
    assert!(
        server.archive.path("schemas/generic@1.json").exists()
            && server.archive.path("schemas/generic@2.json").exists()
    );
}

#[test]
fn a_draft_that_is_wrong_is_not_adopted() {
    let server = Server::new();
    let entries = server.archive.entries();
    let post = |path: &str, body: String| server.post(path, &server.archive.manager).body(body).send().unwrap();
    for (path, body) in [
        ("/v1/classes", "{".to_owned()),
        ("/v1/classes", "{}".to_owned()),
        ("/v1/classes", String::new()),
        (
            "/v1/classes",
            std::fs::read_to_string(server.archive.path("schemas/generic@1.json"))
                .unwrap()
                .replace("generic-10y", "no-such-policy"),
        ),
        ("/v1/policies", "id = 3".to_owned()),
        ("/v1/policies", String::new()),
        ("/v1/manuals", "{}".to_owned()),
        ("/v1/manuals", json!({ "version": "../1", "from": "2026-01-01", "sha256": "00".repeat(32) }).to_string()),
        ("/v1/manuals", json!({ "version": "1", "from": "ieri", "sha256": "00".repeat(32) }).to_string()),
        ("/v1/manuals", json!({ "version": "1", "from": "2026-01-01", "sha256": "corto" }).to_string()),
    ] {
        let reply = post(path, body.clone());
        let status = reply.status().as_u16();
        assert!((400..600).contains(&status), "{path} {body}");
        assert!(status < 500, "what a client sent wrong is not our failure: {path} {}", reply.text().unwrap());
        problem(reply, status);
    }
    assert_eq!(server.archive.entries(), entries);
    let names: Vec<_> = std::fs::read_dir(server.archive.path("schemas")).unwrap().collect();
    assert_eq!(names.len(), custode::document::class::Classes::builtin().len());
}

#[test]
fn a_new_policy_is_adopted_and_runs() {
    let server = Server::new();
    let file = draft(&server.archive, "policies/generic-10y@1.toml", |text| {
        text.replace("version = 1", "version = 2").replace("P10Y", "P12Y")
    });
    let adopted = server.archive.manage(&["policy", "adopt", &file]);
    assert_eq!((adopted["policy"].as_str(), adopted["version"].as_u64()), (Some("generic-10y"), Some(2)));
    assert_eq!(server.archive.entries().pop().unwrap()["kind"], "policy");
    let producer = server.archive.token("producer");
    let receipt = server.generic(&producer, "a.txt", b"a");
    let path = format!("/v1/documents/{}/retention", receipt["documents"][0]["id"].as_str().unwrap());
    let retention = server.json(&path, &server.archive.manager);
    assert_eq!(
        (retention["policy_version"].as_u64(), retention["period"].as_str()),
        (Some(2), Some("P12Y")),
        "{retention}"
    );
}

#[test]
fn the_manual_in_force_is_cited_by_the_next_index() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    let manual = server.archive.root.parent().unwrap().join("manuale.pdf");
    std::fs::write(&manual, "%PDF-1.4 un manuale").unwrap();
    let path = manual.to_str().unwrap();
    server.archive.manage(&["manual", "adopt", path, "--version", "3.1", "--from", "2026-01-01"]);
    server.archive.manage(&["manual", "adopt", path, "--version", "4.0", "--from", "2099-01-01"]);
    assert_eq!(server.archive.entries().pop().unwrap()["kind"], "manual");
    server.generic(&producer, "a.txt", b"a");
    server.seal();
    let index = std::fs::read_to_string(server.archive.path("packages/generic/00000001/PIndex.xml")).unwrap();
    assert!(index.contains("3.1") && index.contains("Manuale di conservazione"), "{index}");
    assert!(index.contains(&custode::hash::Sha256::of(b"%PDF-1.4 un manuale").to_string()));
    assert!(!index.contains("4.0<"), "a manual whose day has not come is cited");
}
