//! Revocation is asked about between deposit and sealing, of a responder and of lists kept by OpenSSL, and sealed with the package.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use custode::hash::Sha256;
use serde_json::Value;

use crate::archives::invoice;
use crate::authority::{Authority, Web};
use crate::server::{Archive, Server, codes, text};

/// An archive that believes this authority and may ask these hosts.
fn archive(authority: &Authority, hosts: &[&str]) -> Archive {
    let archive = Archive::new();
    let anchor = authority.dir().join("ca.pem");
    archive.configure("#signatures = []", &format!("signatures = [{:?}]", anchor.display().to_string()));
    archive.configure("#hosts = []", &format!("hosts = {hosts:?}"));
    archive.configure("#timeout = \"10s\"", "timeout = \"1s\"");
    // Nothing is looked at but when the test says so.
    archive.configure("#interval = \"10s\"", "interval = \"1h\"");
    archive
}

/// Deposits an invoice signed by somebody; its document's id.
fn deposit(server: &Server, token: &str, authority: &Authority, who: &str, number: u32) -> String {
    let signed = authority.sign(who, &invoice(number));
    let name = format!("IT01234567890_{number:05}.xml.p7m");
    let reply = server.deposit(token, "invoice", &name, &Value::Null, signed);
    let receipt: Value = reply.json().unwrap();
    assert_eq!(receipt["status"], "accepted", "{receipt}");
    assert!(codes(&receipt).contains(&"signature/revocation-missing".to_owned()), "{receipt}");
    receipt["documents"][0]["id"].as_str().unwrap().to_owned()
}

/// The lines that a package carries.
fn lines(archive: &Archive, number: u32) -> Vec<Value> {
    let path = archive.path(&format!("packages/invoice/{number:08}/trust/revocation.jsonl"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_is_learnt_before_sealing_is_sealed_with_the_package() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let mut authority = Authority::new();
    let responder = format!("http://{}/", authority.ocsp);
    authority.signer("good", None, Some(&responder));
    authority.signer("revoked", None, Some(&responder));
    authority.stray("unknown", Some(&responder));
    authority.revoke("revoked");
    authority.answer();
    let server = archive(&authority, &[&authority.ocsp]).serve();
    let (producer, auditor) = (server.archive.token("producer"), server.archive.token("auditor"));
    let ids: Vec<String> = ["good", "revoked", "unknown"]
        .iter()
        .zip(1..)
        .map(|(who, number)| deposit(&server, &producer, &authority, who, number))
        .collect();
    // The certificates expire in 20 days, and 30 are enough for an alarm.
    let alarms = server.json("/v1/alarms", &auditor);
    assert_eq!(alarms["total"], 3, "{alarms}");
    let document = server.json(&format!("/v1/documents/{}", ids[0]), &auditor);
    server.seal();

    let lines = lines(&server.archive, 1);
    let of = |id: &str| lines.iter().find(|line| line["document"] == *id).unwrap();
    let (good, revoked, unknown) = (of(&ids[0]), of(&ids[1]), of(&ids[2]));
    assert_eq!((&good["revocation"], &good["conclusion"]), (&"good".into(), &"valid".into()), "{good}");
    assert_eq!((&revoked["revocation"], &revoked["conclusion"]), (&"bad".into(), &"invalid".into()), "{revoked}");
    assert_eq!(revoked["code"], "signature/revoked");
    assert_eq!((&unknown["revocation"], &unknown["code"]), (&"absent".into(), &"signature/revocation-missing".into()));
    assert_eq!(unknown["sources"].as_array().unwrap().len(), 0);

    // Every source is there under its own digest, and OpenSSL says of it what we do.
    let folder = server.archive.path("packages/invoice/00000001");
    for (line, who) in [(good, "good"), (revoked, "revoked")] {
        let name = line["sources"][0].as_str().unwrap();
        let path = folder.join("trust").join(name);
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(format!("{}.ocsp", Sha256::of(&bytes)), name);
        std::fs::write(authority.dir().join("answer"), &bytes).unwrap();
        let said = authority.openssl(&format!("ocsp -respin answer -issuer ca.pem -cert {who}.pem -CAfile ca.pem"));
        assert!(said.contains("Response verify OK") && said.contains(&format!("{who}.pem: {who}")), "{said}");
    }
    let entry = server.archive.entries().into_iter().find(|entry| entry["kind"] == "package").unwrap();
    let counts = &entry["package"]["revocation"];
    assert_eq!((&counts["good"], &counts["revoked"], &counts["missing"]), (&1.into(), &1.into(), &1.into()), "{entry}");

    // The receipt says what was known at deposit, still.
    let now = server.json(&format!("/v1/documents/{}", ids[0]), &auditor);
    assert_eq!(now["metadata"]["signatures"], document["metadata"]["signatures"]);
    // What is lacking is lacking in the package from now on.
    let alarms = server.json("/v1/alarms", &auditor);
    let told = alarms["alarms"].as_array().unwrap().iter().map(|alarm| (alarm["place"].clone(), alarm["code"].clone()));
    let revoked_document = format!("document {}", ids[1]);
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("package invoice/1".into(), "signature/revocation-missing".into()),
            (revoked_document.into(), "signature/revoked".into()),
        ]
    );
    let listed = server.archive.run(&["alarms"]);
    assert!(text(&listed.stdout).contains("package invoice/1"), "{}", text(&listed.stdout));

    // Checked, exported and verified with the rest.
    let bundle = server.archive.path("../bundle.zip").display().to_string();
    server.archive.manage(&["export", "--package", "invoice/1", "-o", &bundle]);
    let key = std::fs::read_to_string(server.archive.path("chain/archive.vkey")).unwrap();
    let anchor = server.archive.root.with_extension("keys").join("development-tsa.pem");
    let anchor = anchor.display().to_string();
    let out = server.archive.run(&["verify", &bundle, "--key", key.trim(), "--trust", &anchor, "--json"]);
    assert_eq!(out.status.code(), Some(0), "{}{}", text(&out.stdout), text(&out.stderr));
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&bundle).unwrap()).unwrap();
    assert!(
        zip.by_name("packages/invoice/1/trust/revocation.jsonl").is_ok(),
        "{:?}",
        zip.file_names().collect::<Vec<_>>()
    );
    // One document alone: its own answer, and not its neighbour's.
    let alone = server.archive.path("../alone.zip").display().to_string();
    server.archive.manage(&["export", "--document", &ids[0], "-o", &alone]);
    let verify =
        |bundle: &str| server.archive.run(&["verify", bundle, "--key", key.trim(), "--trust", &anchor, "--json"]);
    let out = verify(&alone);
    assert_eq!(out.status.code(), Some(0), "{}{}", text(&out.stdout), text(&out.stderr));
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&alone).unwrap()).unwrap();
    let name = |line: &Value| format!("trust/{}", line["sources"][0].as_str().unwrap());
    assert!(zip.by_name(&name(good)).is_ok() && zip.by_name(&name(revoked)).is_err());
    let mut report = String::new();
    std::io::Read::read_to_string(&mut zip.by_name("report.json").unwrap(), &mut report).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["documents"][0]["revocation"], Value::Array(vec![good.clone()]), "{report}");
    let check = server.archive.manage(&["check"]);
    assert_eq!(check["outcome"], "good", "{check}");
    let altered = folder.join("trust").join(good["sources"][0].as_str().unwrap());
    std::fs::set_permissions(&altered, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut bytes = std::fs::read(&altered).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&altered, bytes).unwrap();
    let out = server.archive.run(&["check", "--json"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stdout).contains("package-file-altered"), "{}", text(&out.stdout));
}

#[test]
fn only_listed_hosts_are_asked_and_a_silent_one_delays_nothing_beyond_its_timeout() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let authority = Authority::new();
    let other = Web::new(|_| Some(Vec::new()));
    let target = other.url("/stolen");
    let redirect =
        format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let silent = Web::new(move |path| (path == "/redirect").then(|| redirect.clone().into_bytes()));
    authority.signer("unlisted", Some(&other.url("/ca.crl")), Some(&other.url("/")));
    authority.signer("silent", Some(&silent.url("/ca.crl")), Some(&silent.url("/")));
    authority.signer("down", Some("http://127.0.0.1:9/ca.crl"), None);
    authority.signer("elsewhere", Some(&silent.url("/redirect")), None);
    let server = archive(&authority, &[&silent.host, "127.0.0.1:9"]).serve();
    let producer = server.archive.token("producer");
    deposit(&server, &producer, &authority, "elsewhere", 1);
    server.seal();
    for (number, who) in [(2, "unlisted"), (3, "silent"), (4, "silent"), (5, "down")] {
        deposit(&server, &producer, &authority, who, number);
    }
    let started = Instant::now();
    let sealed = server.seal();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_eq!(sealed["sealed"].as_array().unwrap().len(), 1, "{sealed}");
    assert_eq!(other.count(), 0, "{:?}", other.asked.lock().unwrap());
    // Once for the redirect, once for all the rest: then it is left alone.
    assert_eq!(silent.count(), 2, "{:?}", silent.asked.lock().unwrap());
    let lines = lines(&server.archive, 2);
    assert!(lines.len() == 4 && lines.iter().all(|line| line["code"] == "signature/revocation-missing"), "{lines:?}");
}

#[test]
fn the_same_list_is_not_asked_for_twice_while_it_is_fresh() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let authority = Authority::new();
    let list = authority.list();
    let web = Web::new(move |_| Some(list.clone()));
    authority.signer("first", Some(&web.url("/ca.crl")), None);
    authority.signer("second", Some(&web.url("/ca.crl")), None);
    let mut server = archive(&authority, &[&web.host]).serve();
    let producer = server.archive.token("producer");
    deposit(&server, &producer, &authority, "first", 1);
    deposit(&server, &producer, &authority, "second", 2);
    server.seal();
    server.restart_after(&[], |_| {});
    deposit(&server, &producer, &authority, "second", 3);
    server.seal();
    assert_eq!(web.count(), 1, "{:?}", web.asked.lock().unwrap());
    let all = [lines(&server.archive, 1), lines(&server.archive, 2)].concat();
    assert!(all.len() == 3 && all.iter().all(|line| line["conclusion"] == "valid"), "{all:?}");
    let kept = std::fs::read_dir(server.archive.path("revocation")).unwrap().count();
    assert_eq!(kept, 1);
    // A week later the list has expired and is asked for again; the archive works on without it.
    server.restart_after(&[("CUSTODE_TEST_CLOCK_SHIFT", "950400")], |_| {});
    deposit(&server, &producer, &authority, "second", 4);
    server.seal();
    assert_eq!(web.count(), 2);
    assert_eq!(lines(&server.archive, 3)[0]["revocation"], "absent");
}

#[test]
fn what_one_signer_s_list_says_is_known_of_every_signer_whichever_document_came_first() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let authority = Authority::new();
    let path = "/ca.crl";
    let shared = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let list = std::sync::Arc::clone(&shared);
    let web = Web::new(move |_| Some(list.lock().unwrap().clone()));
    // One names no source at all, and is revoked; the other, of the same authority, names the list.
    authority.signer("silent", None, None);
    authority.signer("telling", Some(&web.url(path)), None);
    authority.revoke("silent");
    *shared.lock().unwrap() = authority.list();
    let server = archive(&authority, &[&web.host]).serve();
    let (producer, auditor) = (server.archive.token("producer"), server.archive.token("auditor"));
    let revoked = deposit(&server, &producer, &authority, "silent", 1);
    let good = deposit(&server, &producer, &authority, "telling", 2);
    let searched = |verdict: &str| -> Vec<Value> {
        let body = serde_json::json!({ "class": "invoice", "criteria": [format!("sealed_verdict={verdict}")] });
        let found = server.search(&server.archive.manager, body);
        found["documents"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect()
    };
    let shown = |id: &str| server.json(&format!("/v1/documents/{id}"), &auditor)["at_sealing"].clone();
    assert_eq!((shown(&revoked), searched("invalid")), (Value::Null, vec![]));
    server.seal();

    let lines = lines(&server.archive, 1);
    let of = |id: &str| lines.iter().find(|line| line["document"] == *id).unwrap();
    assert_eq!(
        (&of(&revoked)["revocation"], &of(&revoked)["conclusion"]),
        (&"bad".into(), &"invalid".into()),
        "{lines:?}"
    );
    assert_eq!(of(&good)["revocation"], "good");
    // Everything known of the document says it, and search finds it.
    let said = shown(&revoked);
    assert_eq!(
        (&said["signature_verdict"], &said["signatures"]),
        (&"invalid".into(), &Value::Array(vec![of(&revoked).clone()]))
    );
    assert_eq!(shown(&good)["signature_verdict"], "valid");
    let people = text(&server.archive.run(&["show", &revoked]).stdout);
    assert!(people.contains("at_sealing") && people.contains("signature/revoked"), "{people}");
    assert_eq!(
        (searched("invalid"), searched("valid")),
        (vec![Value::from(revoked.as_str())], vec![Value::from(good.as_str())])
    );
    // And an alarm names it.
    let told = |server: &Server| -> Vec<Value> {
        let page = server.json("/v1/alarms", &auditor);
        let all = page["alarms"].as_array().unwrap().iter().filter(|alarm| alarm["code"] == "signature/revoked");
        all.map(|alarm| alarm["place"].clone()).collect()
    };
    assert_eq!(told(&server), [Value::from(format!("document {revoked}"))]);
    // The same from the plain files, and no longer after three months.
    let mut server = server;
    server.restart_after(&[("CUSTODE_TEST_CLOCK_SHIFT", "7948800")], |archive| {
        std::fs::remove_dir_all(archive.path("catalog")).unwrap();
        assert!(archive.run(&["reindex"]).status.success());
    });
    let body = serde_json::json!({ "class": "invoice", "criteria": ["sealed_verdict=invalid"] });
    let found = server.search(&server.archive.manager, body);
    assert_eq!(found["documents"][0]["id"], revoked.as_str());
    assert_eq!(told(&server), [] as [Value; 0]);
    // Nobody gives what only sealing can know.
    let signed = authority.sign("telling", &invoice(3));
    let given = serde_json::json!({ "sealed_verdict": "valid" });
    let reply = server.deposit(&producer, "invoice", "IT01234567890_00003.xml.p7m", &given, signed);
    assert_eq!(reply.status(), 422, "{}", reply.text().unwrap());
}

#[test]
fn an_answer_that_is_too_long_rests_its_address_and_not_its_host() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let authority = Authority::new();
    let list = authority.list();
    // Larger than any answer of a responder, and than any list; the other address of the host does better.
    let web = Web::new(move |path| Some(if path == "/long" { vec![b'0'; 1 << 20] } else { list.clone() }));
    authority.signer("long", None, Some(&web.url("/long")));
    authority.signer("fine", Some(&web.url("/ca.crl")), None);
    let server = archive(&authority, &[&web.host]).serve();
    let producer = server.archive.token("producer");
    deposit(&server, &producer, &authority, "long", 1);
    deposit(&server, &producer, &authority, "long", 2);
    deposit(&server, &producer, &authority, "fine", 3);
    server.seal();
    let asked = web.asked.lock().unwrap().clone();
    assert_eq!(asked.iter().filter(|path| *path == "/long").count(), 1, "{asked:?}");
    assert!(asked.iter().any(|path| path == "/ca.crl"), "{asked:?}");
    assert!(lines(&server.archive, 1).iter().all(|line| line["revocation"] == "good"));
}
