//! `POST /v1/deposits`: many documents, all or nothing; and the dry run.

use custode::hash::Sha256;
use serde_json::{Value, json};

use crate::server::{Server, codes, good, manifest, multipart, problem, whole_problem};

fn refused(server: &Server, token: &str, manifest: &Value, files: &[(&str, &[u8])], wanted: &[(&str, &str)]) {
    let before = server.state();
    let reply = server.deposit_many(token, "", manifest, files);
    let (status, location) = (reply.status(), reply.headers()["location"].to_str().unwrap().to_owned());
    let body = reply.text().unwrap();
    assert_eq!(status, 422, "{body}");
    let answer = whole_problem(&body);
    assert_eq!(answer["status"], "refused");
    for (code, place) in wanted {
        let all = answer["findings"].as_array().unwrap();
        assert!(
            all.iter().any(|f| f["code"] == *code && f["place"].as_str().unwrap_or_default().contains(place)),
            "{code} at {place}: {body}"
        );
    }
    assert_eq!(server.state(), before, "a refusal changed something");
    let kept = server.json(&location, token);
    assert_eq!(kept["refusal"], answer["refusal"]);
}

#[test]
fn many_documents_with_metadata_and_relations_are_one_deposit() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let (scan, minutes) = (b"la scansione".as_slice(), b"il verbale".as_slice());
    let whole = json!({
        "class": "generic", "idempotency_key": "pratica-7", "metadata": { "subject": "Pratica sette" },
        "files": [
            { "name": "verbale.txt", "sha256": Sha256::of(minutes).to_string() },
            { "name": "scansione.txt", "metadata": { "subject": "Allegato" }, "relations": [{ "type": "allegato di", "to": "verbale.txt" }] },
        ],
    });
    let reply = server.deposit_many(&token, "", &whole, &[("scansione.txt", scan), ("verbale.txt", minutes)]);
    assert_eq!(reply.status(), 201, "{}", reply.text().unwrap());
    let bytes = reply.bytes().unwrap();
    let receipt: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(receipt["sequence"], 1);
    assert_eq!(receipt["idempotency_key"], "pratica-7");
    let documents = receipt["documents"].as_array().unwrap();
    let names: Vec<&str> = documents.iter().map(|d| d["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["verbale.txt", "scansione.txt"], "in the manifest's order");
    assert_eq!(documents[0]["metadata"]["subject"], "Pratica sette");
    assert_eq!(documents[1]["metadata"]["subject"], "Allegato");
    assert_eq!(documents[0]["sha256"], Sha256::of(minutes).to_string());

    let (main, annex) = (documents[0]["id"].as_str().unwrap(), documents[1]["id"].as_str().unwrap());
    for sealed in [false, true] {
        let manager = &server.archive.manager;
        let related = server.json(&format!("/v1/documents/{annex}/related"), manager);
        assert_eq!(related["same_deposit"][0]["id"], main, "{related}");
        let content = server.get(&format!("/v1/documents/{annex}/content"), manager).send().unwrap();
        assert_eq!(content.bytes().unwrap(), scan);
        // In whatever order and under whatever boundary it comes again, it is the same deposit.
        let again = server.deposit_many(&token, "", &whole, &[("verbale.txt", minutes), ("scansione.txt", scan)]);
        assert_eq!((again.status().as_u16(), again.bytes().unwrap()), (200, bytes.clone()), "sealed: {sealed}");
        if !sealed {
            server.seal();
        }
    }
}

#[test]
fn what_does_not_fit_the_manifest_is_refused_whole() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let two = manifest("generic", &["a.txt", "b.txt"]);
    refused(&server, &token, &two, &[("a.txt", b"a1")], &[("intake/part-missing", "files[1]")]);
    refused(
        &server,
        &token,
        &two,
        &[("a.txt", b"a2"), ("b.txt", b"b2"), ("c.txt", b"c2")],
        &[("intake/part-undeclared", "part 3")],
    );
    refused(&server, &token, &two, &[], &[("intake/part-missing", "files[0]"), ("intake/part-missing", "files[1]")]);
    let alike = manifest("generic", &["a.txt", "a.txt"]);
    refused(&server, &token, &alike, &[("a.txt", b"a3"), ("a.txt", b"b3")], &[("intake/part-duplicate", "file 2")]);
    let mut digests = two.clone();
    digests["files"][1]["sha256"] = json!(Sha256::of(b"something else").to_string());
    refused(&server, &token, &digests, &[("a.txt", b"a4"), ("b.txt", b"b4")], &[("intake/digest", "file 2")]);
    refused(&server, &token, &two, &[("a.txt", b"a5"), ("b.txt", b"")], &[("intake/empty", "file 2")]);
    let mut lost = two.clone();
    lost["files"][1]["relations"] = json!([{ "type": "allegato di", "to": "altro.txt" }]);
    refused(
        &server,
        &token,
        &lost,
        &[("a.txt", b"a6"), ("b.txt", b"b6")],
        &[("intake/part-missing", "files[1], relations")],
    );
    refused(&server, &token, &json!({ "class": "generic", "files": [] }), &[], &[("intake/empty", "deposit")]);
    let unknown = manifest("no-such-class", &["a.txt"]);
    refused(&server, &token, &unknown, &[("a.txt", b"a7")], &[("intake/class-unknown", "class")]);

    // The next good one is number 1: none of the refused took a number.
    let reply = server.deposit_many(&token, "", &two, &[("a.txt", b"a"), ("b.txt", b"b")]);
    assert_eq!(good(reply)["sequence"], 1);
}

#[test]
fn what_is_said_twice_or_too_late_is_refused_and_the_place_is_named() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let before = server.state();
    let header = |given: &str| {
        let request = server.post("/v1/documents?class=generic&name=a.txt", &token).header("custode-metadata", given);
        problem(request.body("x").send().unwrap(), 400)
    };
    for twice in [r#"{"subject":"Rossi","subject":"Bianchi"}"#, r#"{"subject":"x","altro":{"n":1,"n":2}}"#] {
        let answer = header(twice);
        assert_eq!(answer["code"], "metadata/not-json");
        assert!(answer["place"].as_str().unwrap().starts_with("Custode-Metadata, column "), "{answer}");
        assert!(!answer.to_string().contains("Rossi") && !answer.to_string().contains("Bianchi"), "{answer}");
    }
    let query = "/v1/documents?class=generic&name=a.txt&m.subject=Rossi";
    let both = server.post(query, &token).header("custode-metadata", r#"{"subject":"Bianchi"}"#).body("x");
    assert_eq!(problem(both.send().unwrap(), 400)["place"], "m.subject");
    let again = server.post(&format!("{query}&m.subject=Bianchi"), &token).body("x").send().unwrap();
    assert_eq!(problem(again, 400)["place"], "m.subject");

    let send = |parts: &[(&str, Option<&str>, &[u8])]| {
        let (media, body) = multipart(parts);
        problem(server.post("/v1/deposits", &token).header("content-type", media).body(body).send().unwrap(), 422)
    };
    let twice = br#"{"class":"generic","files":[{"name":"a.txt","metadata":{"subject":"Rossi","subject":"B"}}]}"#;
    let answer = send(&[("manifest", None, twice), ("file", Some("a.txt"), b"a")]);
    assert_eq!(answer["code"], "intake/manifest");
    assert!(answer["place"].as_str().unwrap().starts_with("manifest, line 1") && !answer.to_string().contains("Rossi"));
    let late = manifest("generic", &["a.txt"]).to_string();
    let answer = send(&[("file", Some("a.txt"), b"a"), ("manifest", None, late.as_bytes())]);
    assert_eq!((answer["code"].as_str(), answer["place"].as_str()), (Some("intake/manifest"), Some("manifest")));
    assert!(answer["detail"].as_str().unwrap().contains("first part"), "{answer}");
    assert_eq!(server.state(), before);
}

#[test]
fn a_name_that_deceives_the_eye_is_kept_as_it_is_and_marked() {
    let server = Server::new();
    let token = server.archive.token("producer");
    for (n, name) in
        ["fattura\u{202e}fdp.exe", "a\u{200b}b.txt", "\u{2066}x.txt", "\u{feff}y.txt"].into_iter().enumerate()
    {
        let receipt = server.generic(&token, name, format!("contenuto {n}").as_bytes());
        assert_eq!(receipt["documents"][0]["name"], name);
        assert!(codes(&receipt).contains(&"intake/name-deceptive".to_owned()), "{receipt}");
    }
    let plain = server.generic(&token, "città è così – 日本.txt", b"contenuto");
    assert!(!codes(&plain).contains(&"intake/name-deceptive".to_owned()));
}

#[test]
fn a_body_that_is_not_a_deposit_is_a_problem() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let before = server.state();
    let send = |media: &str, body: Vec<u8>| {
        server.post("/v1/deposits", &token).header("content-type", media).body(body).send().unwrap()
    };
    assert_eq!(problem(send("application/json", b"{}".to_vec()), 415)["code"], "intake/media-type");
    let good = manifest("generic", &["a.txt"]).to_string();
    let (media, without) = multipart(&[("file", Some("a.txt"), b"a")]);
    let missing = problem(send(&media, without), 422);
    assert_eq!((missing["code"].as_str(), missing["place"].as_str()), (Some("intake/manifest"), Some("manifest")));
    for bad in [
        "",
        "{",
        "[]",
        "{\"class\": 3, \"files\": []}",
        "{\"class\":\"generic\"}",
        "{\"class\":\"generic\",\"files\":[{}]}",
    ] {
        let (media, body) = multipart(&[("manifest", None, bad.as_bytes()), ("file", Some("a.txt"), b"a")]);
        let answer = problem(send(&media, body), 422);
        assert_eq!(answer["code"], "intake/manifest", "{bad}");
        assert!(answer["place"].as_str().unwrap().contains("line"), "{bad}: {answer}");
    }
    let deep = format!("{{\"class\":\"generic\",\"files\":{}", "[".repeat(100_000));
    let (media, body) = multipart(&[("manifest", None, deep.as_bytes())]);
    assert_eq!(problem(send(&media, body), 422)["code"], "intake/manifest");
    let (media, twice) = multipart(&[("manifest", None, good.as_bytes()), ("manifest", None, good.as_bytes())]);
    assert_eq!(problem(send(&media, twice), 422)["code"], "intake/manifest");
    let (media, mut cut) = multipart(&[("manifest", None, good.as_bytes()), ("file", Some("a.txt"), b"aaaaaaaa")]);
    cut.truncate(cut.len() - 35);
    assert_eq!(problem(send(&media, cut), 422)["code"], "intake/cut-short");
    let many: Vec<_> = (0..1001).map(|_| ("file", Some("a.txt"), b"a".as_slice())).collect();
    let (media, body) = multipart(&[vec![("manifest", None, good.as_bytes())], many].concat());
    assert_eq!(problem(send(&media, body), 413)["code"], "intake/too-large");
    assert_eq!(server.state(), before);
}

#[test]
fn a_dry_run_says_the_same_and_keeps_nothing() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let before = server.state();
    let post = |class: &str, body: &'static [u8]| {
        server.post(&format!("/v1/documents/validate?class={class}&name=nota.txt"), &token).body(body).send().unwrap()
    };
    let answer = good(post("generic", b"una nota"));
    assert_eq!((answer["status"].as_str(), answer["dry_run"].as_bool()), (Some("acceptable"), Some(true)));
    assert_eq!(answer["documents"][0]["sha256"], Sha256::of(b"una nota").to_string());
    let wrong = problem(post("invoice", b"una nota"), 422);
    assert_eq!(wrong["dry_run"], true);
    assert!(!codes(&wrong).is_empty(), "{wrong}");
    for _ in 0..4 {
        // A dry run does not count towards the limit of refusals either.
        assert_eq!(problem(post("no-such-class", b"x"), 422)["code"], "intake/class-unknown");
        assert_eq!(problem(post("invoice", b""), 422)["status"], "refused");
    }
    let two = manifest("generic", &["a.txt", "b.txt"]);
    let whole = good(server.deposit_many(&token, "?dry_run=true", &two, &[("a.txt", b"a"), ("b.txt", b"b")]));
    assert_eq!(whole["documents"].as_array().unwrap().len(), 2);
    let partial = server.deposit_many(&token, "?dry_run=true", &two, &[("a.txt", b"a")]);
    assert!(codes(&problem(partial, 422)).contains(&"intake/part-missing".to_owned()));
    assert_eq!(server.state(), before);
    let refusals = std::fs::read(server.archive.path("intake/refusals-0001.jsonl")).unwrap_or_default();
    assert!(refusals.is_empty(), "a dry run was written down");
    assert_eq!(server.generic(&token, "nota.txt", b"una nota")["sequence"], 1);
}

#[test]
fn a_part_header_that_never_ends_is_cut_off() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let before = server.state();
    let mut body = b"--b\r\ncontent-disposition: form-data; name=\"".to_vec();
    body.resize(body.len() + (40 << 20), b'a');
    let sent =
        server.post("/v1/deposits", &token).header("content-type", "multipart/form-data; boundary=b").body(body).send();
    // The answer may be overtaken by the connection's end: the server stops listening at 16 MiB of the 40.
    if let Ok(reply) = sent {
        let status = reply.status();
        assert!(status.is_client_error(), "{status}");
        let answer = whole_problem(&reply.text().unwrap());
        assert_eq!(answer["code"], "intake/cut-short", "{answer}");
    }
    assert_eq!(server.state(), before);
}
