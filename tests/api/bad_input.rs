//! What reaches an archive by mistake or by malice: each gets a clear answer with a code, and changes nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use custode::corpus::{hostile, hostile_names};
use custode::hash::Sha256;
use serde_json::{Value, json};

use crate::server::{Archive, Server, codes, good, manifest, problem, whole_problem};

const DOCUMENT: &str = "/v1/documents?class=generic&name=nota.txt";

#[test]
fn a_token_that_is_wrong_foreign_expired_or_revoked_opens_nothing() {
    let server = Server::new();
    let manager = server.archive.manager.clone();
    let foreign = Archive::new().token("producer");
    let brief = server.archive.manage(&["token", "create", "--role", "producer", "--expires", "1s"]);
    let revoked = server.archive.manage(&["token", "create", "--role", "producer"]);
    server.archive.manage(&["token", "revoke", revoked["token"].as_str().unwrap()]);
    std::thread::sleep(Duration::from_millis(1100));
    let before = server.state();
    let long = format!("cst_{}", "A".repeat(5000));
    let wrong = format!("{}A", &manager[..manager.len() - 1]);
    for (token, code) in [
        (wrong.as_str(), "auth/token-wrong"),
        ("cst_", "auth/token-wrong"),
        ("x", "auth/token-wrong"),
        (&long, "auth/token-wrong"),
        (&foreign, "auth/token-wrong"),
        (brief["secret"].as_str().unwrap(), "auth/token-expired"),
        (revoked["secret"].as_str().unwrap(), "auth/token-wrong"),
    ] {
        if wrong == manager && token == wrong {
            continue;
        }
        assert_eq!(problem(server.post(DOCUMENT, token).body("x").send().unwrap(), 401)["code"], code);
        assert_eq!(problem(server.get("/v1/documents", token).send().unwrap(), 401)["code"], code);
    }
    let url = format!("{}{DOCUMENT}", server.base);
    let none = server.client.post(&url).body("x").send().unwrap();
    assert!(none.headers().contains_key("www-authenticate"));
    assert_eq!(problem(none, 401)["code"], "auth/token-missing");
    let basic = server.client.post(&url).basic_auth("utente", Some(&manager)).body("x").send().unwrap();
    assert_eq!(problem(basic, 401)["code"], "auth/token-missing");
    assert_eq!(server.state(), before);
    assert!(!server.log.lock().unwrap().contains(&manager[4..]), "a token in the log");
}

#[test]
fn a_token_limited_to_classes_deposits_and_sees_nothing_else() {
    let server = Server::new();
    let limited = |role: &str| {
        let made =
            server.archive.manage(&["token", "create", "--role", role, "--class", "generic", "--class", "pec-log"]);
        made["secret"].as_str().unwrap().to_owned()
    };
    let (producer, reader) = (limited("producer"), limited("reader"));
    assert_eq!(server.generic(&producer, "nota.txt", b"nota")["sequence"], 1);
    let operator = server.archive.token("operator");
    let invoice = crate::deposits::one_of_each().into_iter().find(|i| i.class == "invoice").unwrap();
    let other = good(server.deposit(&operator, "invoice", &invoice.name, &Value::Null, invoice.bytes.clone()));
    let before = server.state();
    let refused = server.deposit(&producer, "invoice", &invoice.name, &Value::Null, invoice.bytes.clone());
    assert_eq!(problem(refused, 403)["code"], "auth/class");
    // What is recognised as an invoice is one, whatever the class was called.
    let auto = server.deposit(&producer, "auto", &invoice.name, &Value::Null, invoice.bytes.clone());
    assert_eq!(problem(auto, 403)["code"], "auth/class");
    let many = server.deposit_many(&producer, "", &manifest("invoice", &["a.xml"]), &[("a.xml", &invoice.bytes)]);
    assert_eq!(problem(many, 403)["code"], "auth/class");
    let id = other["documents"][0]["id"].as_str().unwrap();
    for path in [format!("/v1/documents/{id}"), format!("/v1/documents/{id}/content"), "/v1/packages".into()] {
        assert_eq!(problem(server.get(&path, &reader).send().unwrap(), 403)["code"], "auth/class", "{path}");
    }
    let everything = server.post("/v1/documents/search", &reader).body("{}").send().unwrap();
    assert_eq!(problem(everything, 403)["code"], "auth/class");
    let own = server.search(&reader, json!({ "class": "generic" }));
    assert_eq!(own["documents"].as_array().unwrap().len(), 1);
    assert_eq!(server.state(), before);
}

#[test]
fn requests_that_make_no_sense_say_where() {
    let server = Server::new();
    let operator = server.archive.token("operator");
    let before = server.state();
    let token = operator.as_str();
    let post = |path: &str, body: &'static str| server.post(path, token).body(body).send().unwrap();
    let get = |path: &str| server.get(path, token).send().unwrap();
    for (reply, status, code, place) in [
        (post("/v1/documents?class=no-such&name=a.txt", "x1"), 422, "intake/class-unknown", ""),
        (post("/v1/documents?class=..%2F..%2Fetc&name=a.txt", "x2"), 422, "intake/class-unknown", ""),
        (post(DOCUMENT, ""), 422, "intake/empty", ""),
        (post("/v1/documents?class=generic", "x3"), 422, "intake/name", ""),
        (post("/v1/documents?class=generic&name=a&wrong=1", "x4"), 400, "usage", "wrong"),
        (post("/v1/documents?class=%FF", "x5"), 422, "intake/class-unknown", ""),
        (post("/v1/documents/search", "{"), 400, "usage", "line 1"),
        (post("/v1/documents/search", "{\"criteria\":[\"???\"]}"), 400, "search/query", ""),
        (post("/v1/documents/search", "{\"class\":\"no-such\"}"), 422, "intake/class-unknown", ""),
        (post("/v1/documents/search", "{\"from\":\"yesterday\"}"), 400, "search/query", "from"),
        (post("/v1/documents/search", "{\"cursor\":\"zz\"}"), 400, "search/query", ""),
        (get("/v1/documents?limit=many"), 400, "search/query", "limit"),
        (get("/v1/documents?nonsense=1"), 400, "search/query", "nonsense"),
        (get("/v1/documents/not-an-id"), 400, "usage", ""),
        (get("/v1/documents/0199f1a0-0000-7000-8000-000000000000"), 404, "not-found", ""),
        (get("/v1/receipts/0199f1a0-0000-7000-8000-000000000000"), 404, "not-found", ""),
        (get("/v1/refusals/0199f1a0-0000-7000-8000-000000000000"), 404, "not-found", ""),
        (get("/v1/packages/generic/7"), 404, "not-found", ""),
        (get("/v1/packages/generic/x"), 400, "usage", ""),
        (get("/v1/packages/..%2F..%2F/1"), 400, "usage", ""),
        (get("/v1/nowhere"), 404, "not-found", "/v1/nowhere"),
        (get("/v1/seal"), 405, "http/method", ""),
        (get("/v1/documents/%FF"), 400, "usage", ""),
        (post("/v1/seal", "{\"class\":7}"), 400, "usage", "line 1"),
        (post("/v1/seal", "{\"no\":7}"), 400, "usage", ""),
    ] {
        let url = reply.url().clone();
        let answer = problem(reply, status);
        assert_eq!(answer["code"], code, "{url}: {answer}");
        assert!(answer.to_string().contains(place), "{url}: {answer}");
    }
    let huge = server.post("/v1/documents/search", token).body(vec![b' '; 2 << 20]).send().unwrap();
    assert_eq!(problem(huge, 413)["code"], "intake/too-large");
    let wrong = server.post(DOCUMENT, token).header("custode-metadata", "{\"a\":").body("x6").send().unwrap();
    assert_eq!(problem(wrong, 400)["code"], "metadata/not-json");
    let large = json!({ "note": "n".repeat(300_000) }).to_string();
    let wrong = server.post(DOCUMENT, token).header("custode-metadata", large).body("x7").send();
    assert!(wrong.is_err() || wrong.is_ok_and(|reply| matches!(reply.status().as_u16(), 413 | 431)));
    let key = server.post(DOCUMENT, token).header("idempotency-key", "k".repeat(256)).body("x8").send().unwrap();
    assert_eq!(problem(key, 400)["place"], "idempotency-key");
    assert_eq!(server.state(), before);
}

#[test]
fn a_digest_that_does_not_match_refuses_and_one_that_does_is_a_control() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let before = server.state();
    let send =
        |digest: &str| server.post(DOCUMENT, &token).header("content-digest", digest).body("contenuto").send().unwrap();
    let of = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::of(text.as_bytes()).0);
    let wrong = problem(send(&format!("sha-256=:{}:", of("altro"))), 422);
    assert_eq!((wrong["code"].as_str(), wrong["status"].as_str()), (Some("intake/digest"), Some("refused")));
    assert_eq!(problem(send("sha-256=rubbish"), 400)["code"], "intake/digest-header");
    assert_eq!(problem(send("sha-512=:AAAA:"), 400)["code"], "intake/digest-header");
    assert_eq!(server.state(), before);
    let receipt = good(send(&format!("sha-256=:{}:", of("contenuto"))));
    let controls = receipt["controls"].as_array().unwrap();
    let declared = controls.iter().find(|c| c["control"] == "declared-digest").unwrap();
    assert_eq!(declared["outcome"], "positive");
}

/// Sends this over a bare connection, closes the sending side, and reads what comes back.
fn raw(server: &Server, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.base.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(body);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(token: &str, more: &str) -> String {
    format!("POST {DOCUMENT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n")
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
}

#[test]
fn a_body_cut_short_leaves_nothing_behind() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let before = server.state();
    let large = vec![b'z'; 3 << 20];
    for body in [&b"dieci byte"[..], &[], &large] {
        let answer = raw(&server, &head(&token, &format!("Content-Length: {}\r\n", body.len() + 100)), body);
        // The sender is gone half way: there may be nobody left to answer.
        assert!(answer.is_empty() || matches!(status(&answer), 400 | 422), "{answer}");
        let mut chunked = format!("{:x}\r\n", body.len() + 100).into_bytes();
        chunked.extend_from_slice(body);
        let answer = raw(&server, &head(&token, "Transfer-Encoding: chunked\r\n"), &chunked);
        assert!(answer.is_empty() || matches!(status(&answer), 400 | 422), "{answer}");
    }
    let answer = raw(&server, &head(&token, "Transfer-Encoding: chunked\r\n"), b"zz\r\nnot a length\r\n");
    assert!(answer.is_empty() || matches!(status(&answer), 400 | 422), "{answer}");
    for _ in 0..100 {
        if server.state() == before {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.state(), before, "something of a broken body stayed");
    assert_eq!(server.generic(&token, "nota.txt", b"intero")["sequence"], 1);
}

#[test]
fn a_body_over_the_limit_is_answered_413_announced_or_not() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let before = server.state();
    let answer = raw(&server, &head(&token, "Content-Length: 151000000\r\n"), b"");
    assert_eq!(status(&answer), 413, "{answer}");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let announced = whole_problem(body);
    assert_eq!(announced["code"], "intake/too-large");
    assert!(announced["hint"].as_str().unwrap().contains("max_document"), "{announced}");

    // In chunks nobody can know before: it ends at the limit, and what was spooled is gone.
    let request =
        server.post(DOCUMENT, &token).body(reqwest::blocking::Body::new(std::io::repeat(b'x').take(151_000_000)));
    match request.send() {
        Ok(reply) => assert_eq!(problem(reply, 413)["code"], "intake/too-large"),
        Err(error) => assert!(!error.is_timeout(), "{error:?}"),
    }
    assert_eq!(server.state(), before);

    let two = manifest("generic", &["a.txt"]);
    let server = {
        let archive = Archive::new();
        archive.configure("#max_document = \"150MB\"", "max_document = \"1KB\"");
        archive.configure("#max_deposit = \"1GiB\"", "max_deposit = \"3KB\"");
        archive.serve()
    };
    let token = server.archive.token("producer");
    assert_eq!(server.generic(&token, "nota.txt", &[b'x'; 1000])["sequence"], 1);
    let more = server.deposit(&token, "generic", "nota.txt", &Value::Null, vec![b'x'; 1001]);
    assert_eq!(problem(more, 413)["code"], "intake/too-large");
    let part = server.deposit_many(&token, "", &two, &[("a.txt", &[b'y'; 1001])]);
    assert_eq!(problem(part, 413)["code"], "intake/too-large");
    let names = ["a.txt", "b.txt", "c.txt", "d.txt"];
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, &[b'y'; 1000][..])).collect();
    let whole = server.deposit_many(&token, "", &manifest("generic", &names), &files);
    assert!(problem(whole, 413)["hint"].as_str().unwrap().contains("max_deposit"));
}

#[test]
fn hostile_documents_are_refused_or_kept_with_findings_and_never_more() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let mut accepted = 0;
    for bad in hostile() {
        let before = server.state();
        let sent = std::time::Instant::now();
        let reply = server.deposit(&token, bad.class, bad.name, &Value::Null, bad.bytes.clone());
        let (status, body) = (reply.status().as_u16(), reply.text().unwrap());
        assert!(sent.elapsed() < Duration::from_secs(10), "{} took {:?}", bad.name, sent.elapsed());
        match status {
            201 => {
                accepted += 1;
                let receipt: Value = serde_json::from_str(&body).unwrap();
                let strange = bad.class != "generic" && bad.class != "pec-log" && bad.class != "identity-document";
                assert!(!strange || !codes(&receipt).is_empty(), "{}: accepted without a word: {body}", bad.name);
                let path = format!("/v1/documents/{}/content", receipt["documents"][0]["id"].as_str().unwrap());
                let kept = server.get(&path, &server.archive.manager).send().unwrap();
                assert!(kept.bytes().unwrap() == bad.bytes, "{} came back altered", bad.name);
            }
            422 => {
                let answer = whole_problem(&body);
                assert!(!codes(&answer).is_empty(), "{body}");
                assert!(!body.contains("root:"), "an external entity was read");
                assert_eq!(server.state(), before, "{} changed something", bad.name);
            }
            other => panic!("{} ({}): {other} {body}", bad.name, bad.wrong),
        }
        for must in ["bomba.xml", "esterna.xml", "ricorsiva.xml", "foto.xml", "vuoto.eml", "vuota.xml", "rotta.xml.p7m"]
        {
            assert!(bad.name != must || status == 422, "{must} was accepted: {body}");
        }
    }
    assert!(accepted > 3, "{accepted}");
    let jpeg = hostile().into_iter().find(|bad| bad.name == "foto.xml").unwrap();
    let answer =
        problem(server.deposit(&token, "invoice", "altra.xml", &Value::Null, [&jpeg.bytes[..], b" "].concat()), 422);
    assert_eq!(answer["code"], "format/not-admitted", "{answer}");
    // What was kept seals, however strange.
    let sealed = server.seal();
    assert!(sealed.to_string().contains("generic"), "{sealed}");
    assert!(server.json("/v1/documents?limit=1", &server.archive.manager)["documents"][0]["status"] == "sealed");
}

#[test]
fn hostile_names_are_kept_as_text_or_refused_and_never_become_a_path() {
    let server = Server::new();
    let token = server.archive.token("producer");
    let manager = server.archive.manager.clone();
    let mut kept = Vec::new();
    for (n, name) in hostile_names().into_iter().enumerate() {
        let reply = server.deposit(&token, "generic", &name, &Value::Null, format!("contenuto {n}").into_bytes());
        let bad = name.is_empty() || name.chars().count() > 255 || name.chars().any(char::is_control);
        if bad {
            assert_eq!(problem(reply, 422)["code"], "intake/name", "{name:?}");
            continue;
        }
        assert_eq!(reply.status(), 201, "{name:?}");
        let receipt: Value = reply.json().unwrap();
        assert_eq!(receipt["documents"][0]["name"], name.as_str());
        let path = name.contains(['/', '\\']) || name == "." || name == "..";
        assert_eq!(codes(&receipt).contains(&"intake/name-hostile".to_owned()), path, "{name:?}");
        kept.push((name, receipt["documents"][0]["id"].as_str().unwrap().to_owned(), n));
    }
    assert!(kept.len() > 20);
    let two = manifest("generic", &["../x.txt", "../x.txt"]);
    let alike = server.deposit_many(&token, "", &two, &[("../x.txt", b"1"), ("../x.txt", b"2")]);
    assert!(codes(&problem(alike, 422)).contains(&"intake/part-duplicate".to_owned()));
    server.seal();
    for (name, id, n) in &kept {
        assert_eq!(server.json(&format!("/v1/documents/{id}"), &manager)["name"], name.as_str());
        let content = server.get(&format!("/v1/documents/{id}/content"), &manager).send().unwrap();
        let disposition = content.headers()["content-disposition"].to_str().unwrap();
        assert!(disposition.contains(id.as_str()), "{disposition}");
        assert_eq!(content.text().unwrap(), format!("contenuto {n}"));
    }
    let tar = server.archive.path("packages/generic/00000001/content.tar.zst");
    let list =
        std::process::Command::new("sh").arg("-c").arg("zstd -dc \"$1\" | tar t").arg("sh").arg(&tar).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    if !list.is_empty() {
        for line in list.lines() {
            let (folder, file) = line.split_once('/').unwrap_or(("", line));
            assert!(["documents", "metadata", "receipts", "manifests"].contains(&folder), "{line}");
            assert!(file.len() > 36 && file.is_ascii() && !file.contains('/'), "{line}");
        }
    }
    let outside: Vec<_> = std::fs::read_dir(server.archive.root.parent().unwrap()).unwrap().collect();
    assert_eq!(outside.len(), 2, "something was written beside the archive and its keys");
}

#[test]
fn a_clock_that_stepped_back_stops_intake_and_changes_nothing() {
    let mut server = Server::new();
    let token = server.archive.token("producer");
    server.generic(&token, "prima.txt", b"prima");
    server.restart_after(&[("CUSTODE_TEST_CLOCK_SHIFT", "-3600")], |_| {});
    let entries = server.archive.entries().len();
    let back = server.deposit(&token, "generic", "dopo.txt", &Value::Null, b"dopo".to_vec());
    let answer = problem(back, 503);
    assert_eq!(answer["code"], "clock-backwards");
    assert!(answer["hint"].as_str().unwrap().contains("NTP"));
    let sealed = server.post("/v1/seal", &server.archive.manager).send().unwrap();
    let said = sealed.text().unwrap();
    assert!(said.contains("clock-backwards"), "{said}");
    assert_eq!(server.archive.entries().len(), entries);
    assert!(!server.archive.path("packages/generic/00000001").exists());
    server.restart_after(&[], |_| {});
    assert_eq!(server.generic(&token, "dopo.txt", b"dopo")["sequence"], 2);
    server.seal();
    let packages = server.json("/v1/packages", &server.archive.manager);
    assert_eq!(packages["packages"][0]["documents"], 2);
}
