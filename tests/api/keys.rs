//! Changing the archive's key: everything signed before stays valid, nothing is signed with the old key after, and whoever knows
//! any of the keys can verify all of it.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use custode::chain::cosignature::parts;
use custode::chain::note::Signer;
use custode::chain::{Checkpoint, Reigns};
use custode::hash::Sha256;
use custode::intake::receipt::open_note;
use serde_json::{Value, json};

use crate::seal::{SUBJECT, Seal};
use crate::server::{Archive, Server, good, problem, text};
use crate::signing::{archive, served};
use crate::witness::Witness;

fn seed(archive: &Archive) -> [u8; 32] {
    let text = std::fs::read_to_string(archive.root.with_extension("keys").join("archive.key")).unwrap();
    hex::decode(text.trim()).unwrap().try_into().unwrap()
}

fn signer(archive: &Archive, seed: &[u8; 32]) -> Signer {
    let vkey = std::fs::read_to_string(archive.path("chain/archive.vkey")).unwrap();
    Signer::for_name(vkey.split('+').next().unwrap(), seed).unwrap()
}

fn rotate(server: &Server, reason: &str) -> Value {
    let request =
        server.post("/v1/keys/rotation", &server.archive.manager).body(json!({ "reason": reason }).to_string());
    good(request.send().unwrap())
}

fn id(receipt: &Value) -> &str {
    receipt["documents"][0]["id"].as_str().unwrap()
}

/// A bundle of these documents; verified with these keys, each by both verifiers: exit status and report.
fn exported(archive: &Archive, documents: &[&str], keys: &[Option<&str>]) -> Vec<(i32, Value)> {
    let bundle = archive.path("../bundle.zip").display().to_string();
    let mut export = vec!["export", "-o", &bundle];
    documents.iter().for_each(|document| export.extend(["--document", document]));
    archive.manage(&export);
    let anchor = archive.root.with_extension("keys").join("development-tsa-root.pem").display().to_string();
    let verified = keys.iter().map(|key| {
        let mut arguments = vec!["verify", &bundle, "--json", "--trust", &anchor];
        key.iter().for_each(|key| arguments.extend(["--key", key]));
        let out = archive.run(&arguments);
        let report = serde_json::from_slice(&out.stdout).unwrap_or_default();
        (out.status.code().unwrap(), report)
    });
    let verified = verified.collect();
    std::fs::remove_file(&bundle).unwrap();
    verified
}

fn codes(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|found| found["code"].as_str().unwrap()).collect()
}

#[test]
fn what_was_signed_before_stays_valid_and_any_key_verifies_all_of_it() {
    let mut server = Server::new();
    let producer = server.archive.token("producer");
    let before = server.generic(&producer, "prima.txt", b"prima");
    server.seal();
    let open = server.generic(&producer, "aperta.txt", b"accettata prima, sigillata dopo");
    let checkpoint = server.archive.path("../checkpoint.old").display().to_string();
    std::fs::copy(server.archive.path("chain/checkpoint"), &checkpoint).unwrap();
    let keys = server.archive.root.with_extension("keys");
    let (old_seed, secret) = (seed(&server.archive), std::fs::read(keys.join("secret.key")).unwrap());

    let reply = server.post("/v1/keys/rotation", &server.archive.manager).body(json!({ "reason": "whim" }).to_string());
    assert_eq!(problem(reply.send().unwrap(), 400)["code"], "usage");
    let done = rotate(&server, "routine");
    let (old, new) = (done["old"].as_str().unwrap(), done["new"].as_str().unwrap());
    assert_eq!(
        (&done["number"], &done["unsealed"], &done["old_seed_removed"]),
        (&json!(1), &json!(1), &json!(true)),
        "{done}"
    );
    let after = server.generic(&producer, "dopo.txt", b"dopo");
    server.seal();

    // Of the old seed nothing is left, and what is derived from the secret goes on: a repeated deposit is the same one.
    let mut left: Vec<String> =
        std::fs::read_dir(&keys).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["archive.key", "development-tsa-root.pem", "development-tsa.pem", "secret.key"]);
    for name in &left {
        let held = std::fs::read_to_string(keys.join(name)).unwrap();
        assert!(!held.contains(&hex::encode(old_seed)), "{name}");
    }
    assert_eq!(std::fs::read(keys.join("secret.key")).unwrap(), secret);
    let entry = server.archive.entries().into_iter().find(|entry| entry["kind"] == "key").unwrap();
    assert_eq!((&entry["seq"], &entry["key"]["reason"]), (&done["entry"], &json!("routine")));
    assert_eq!(entry["key"].as_object().unwrap().len(), 5, "nobody's name: {entry}");

    for _ in 0..2 {
        let listed = server.json("/v1/keys", &producer);
        let listed = listed["keys"].as_array().unwrap();
        assert_eq!(listed.iter().map(|key| key["vkey"].as_str().unwrap()).collect::<Vec<_>>(), [old, new]);
        assert_eq!(listed.iter().map(|key| &key["in_force"]).collect::<Vec<_>>(), [false, true]);
        assert_eq!((&listed[0]["to_size"], &listed[0]["ended_because"]), (&done["entry"], &json!("routine")));
        for receipt in [&before, &open, &after] {
            let path = format!("/v1/receipts/{}", receipt["receipt"].as_str().unwrap());
            assert_eq!(server.json(&path, &producer), *receipt);
        }
        let again = server.deposit(&producer, "generic", "prima.txt", &Value::Null, b"prima".to_vec());
        assert_eq!(again.status(), 200, "a repeated deposit");
        let check = server.archive.manage(&["check", "--checkpoint", &checkpoint]);
        assert_eq!(check["outcome"], "good", "{check}");
        let read_only = server.archive.run(&["check", "--read-only", "--json", "--checkpoint", &checkpoint]);
        assert_eq!(read_only.status.code(), Some(0), "{}", text(&read_only.stdout));
        server.stop();
        server.resume(&[]);
    }
    let human = server.archive.run(&["key", "list"]);
    assert!(human.status.success() && text(&human.stdout).lines().count() == 2, "{}", text(&human.stdout));

    let stranger = Signer::for_name(old.split('+').next().unwrap(), &[5; 32]).unwrap().verifier().to_string();
    let documents = [id(&before), id(&open), id(&after)];
    let verified = exported(&server.archive, &documents, &[Some(old), Some(new), None, Some(&stranger)]);
    let statuses: Vec<i32> = verified.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [0, 0, 2, 1], "{verified:#?}");
    assert_eq!(verified[0].1["anchors"]["changes"][0]["entry"], done["entry"]);

    // Two notes under the old key: in its reign, and after it by who kept a copy of the seed.
    let thief = signer(&server.archive, &old_seed);
    let note = thief.renamed(&format!("{}/receipt", thief.name())).unwrap();
    let kept = |receipt: &Value| {
        let path = server.archive.path("../kept.note").display().to_string();
        let signed = receipt["note"].as_str().unwrap();
        std::fs::write(&path, note.sign_note(parts(signed).unwrap().0).unwrap()).unwrap();
        server.archive.run(&["check", "--quick", "--json", "--checkpoint", &path])
    };
    assert_eq!(kept(&open).status.code(), Some(0));
    let late = kept(&after);
    assert_eq!(late.status.code(), Some(1), "{}", text(&late.stderr));
    assert!(
        text(&late.stderr).contains("key/not-in-force") || text(&late.stdout).contains("key/not-in-force"),
        "{}",
        text(&late.stderr)
    );
}

#[test]
fn what_rests_on_a_compromised_key_alone_is_said_to_be_unproved() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    let sealed = server.generic(&producer, "sigillata.txt", b"sigillata prima");
    server.seal();
    let open = server.generic(&producer, "aperta.txt", b"sigillata dopo");
    let done = rotate(&server, "compromised");
    let (old, new) = (done["old"].as_str().unwrap(), done["new"].as_str().unwrap());
    server.seal();
    let verified = exported(&server.archive, &[id(&sealed)], &[Some(new), Some(old)]);
    assert_eq!((verified[0].0, codes(&verified[0].1)), (0, vec![]), "{verified:#?}");
    assert_eq!((verified[1].0, codes(&verified[1].1)), (2, vec!["key/compromised"]));
    let verified = exported(&server.archive, &[id(&open)], &[Some(new)]);
    assert_eq!((verified[0].0, codes(&verified[0].1)), (2, vec!["key/compromised"]), "{verified:#?}");
    assert!(verified[0].1["findings"][0]["place"].as_str().unwrap().ends_with(".note"));
    assert_eq!(server.archive.manage(&["check"])["outcome"], "good");
}

#[test]
fn a_receipt_that_a_certificate_signed_does_not_rest_on_the_key() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let seal = Seal::new("P-256", SUBJECT, "300");
    let (server, producer) = served(archive(&seal, "receipts = true"));
    let open = server.generic(&producer, "aperta.txt", b"sigillata dopo");
    let done = rotate(&server, "compromised");
    server.seal();
    let bundle = server.archive.path("../bundle.zip").display().to_string();
    server.archive.manage(&["export", "-o", &bundle, "--document", id(&open)]);
    let anchor = server.archive.root.with_extension("keys").join("development-tsa-root.pem").display().to_string();
    let ca = seal.path("ca.pem").display().to_string();
    let new = done["new"].as_str().unwrap();
    let out = server.archive.run(&["verify", &bundle, "--json", "--trust", &anchor, "--trust", &ca, "--key", new]);
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((out.status.code(), codes(&report)), (Some(0), vec![]), "{report}");
    // Whose certificate it is, nobody says who does not believe its authority; nothing else is wrong.
    let out = server.archive.run(&["verify", &bundle, "--json", "--trust", &anchor, "--key", new]);
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((out.status.code(), codes(&report)), (Some(2), vec!["anchor-missing"]), "{report}");
}

#[test]
fn deposits_go_on_while_the_key_changes_and_every_receipt_verifies() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    let stop = AtomicBool::new(false);
    let receipts: Vec<Value> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let (server, producer, stop) = (&server, &producer, &stop);
                scope.spawn(move || {
                    let mut receipts = Vec::new();
                    while !stop.load(Ordering::SeqCst) || receipts.len() < 5 {
                        let name = format!("{client}-{}.txt", receipts.len());
                        receipts.push(server.generic(producer, &name, name.as_bytes()));
                    }
                    receipts
                })
            })
            .collect();
        for round in 0..4 {
            std::thread::sleep(std::time::Duration::from_millis(150));
            rotate(&server, "routine");
            if round % 2 == 0 {
                server.seal();
            }
        }
        stop.store(true, Ordering::SeqCst);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let keys = Reigns::of_archive(&server.archive.root, None).unwrap();
    assert_eq!(keys.changes().len(), 4);
    let mut under = std::collections::BTreeSet::new();
    for receipt in &receipts {
        let (_, facts) = open_note(receipt["note"].as_str().unwrap(), &keys).unwrap();
        under.insert(keys.at(facts.chain_size).id());
    }
    println!("{} receipts under {} keys", receipts.len(), under.len());
    assert!(under.len() > 1, "no deposit fell into another reign");
    server.seal();
    assert_eq!(server.archive.manage(&["check"])["outcome"], "good");
}

#[test]
fn whoever_can_write_to_the_disk_changes_no_key() {
    let mut server = Server::new();
    let producer = server.archive.token("producer");
    server.generic(&producer, "una.txt", b"una");
    server.seal();
    server.stop();
    let archive = &server.archive;
    let old_seed = seed(archive);
    let copy = archive.root.with_file_name("copy");
    let again = || {
        let _ = std::fs::remove_dir_all(&archive.root);
        assert!(Command::new("cp").arg("-a").arg(&copy).arg(&archive.root).status().unwrap().success());
    };
    assert!(Command::new("cp").arg("-a").arg(&archive.root).arg(&copy).status().unwrap().success());
    // A key of one's own, put on the chain without the old one: public key, entry and checkpoint agree with each other.
    let (owner, thief) = (signer(archive, &old_seed), signer(archive, &[66; 32]));
    let lines = std::fs::read_to_string(archive.path("chain/entries")).unwrap();
    let last = lines.lines().last().unwrap();
    let size = lines.lines().count();
    let object = json!({
        "number": 1, "old": owner.verifier().to_string(), "new": thief.verifier().to_string(), "reason": "routine",
        "note": thief.renamed(&format!("{}/key", thief.name())).unwrap().sign_note("mine\n").unwrap(),
    });
    let at = serde_json::from_str::<Value>(last).unwrap()["at"].clone();
    let line = format!(
        "{{\"seq\":{size},\"prev\":\"{}\",\"at\":{at},\"kind\":\"key\",\"key\":{object}}}",
        Sha256::of(last.as_bytes())
    );
    let all = format!("{lines}{line}\n");
    std::fs::write(archive.path("chain/entries"), &all).unwrap();
    std::fs::write(archive.path("chain/checkpoint"), checkpoint(&all, &thief)).unwrap();
    std::fs::remove_file(archive.path("chain/archive.vkey")).unwrap();
    std::fs::write(archive.path("chain/archive.vkey"), format!("{}\n", thief.verifier())).unwrap();
    let read = archive.run(&["check", "--read-only", "--json"]);
    assert_eq!(read.status.code(), Some(1), "{}", text(&read.stdout));
    assert!(text(&read.stdout).contains("key/change-bad"), "{}", text(&read.stdout));
    assert!(!archive.run(&["search"]).status.success(), "it opens for writing");

    // The old key after its reign: whoever kept its seed signs another history for the same entries.
    again();
    let done = archive.manage(&["key", "rotate", "--reason", "compromised"]);
    assert_eq!(done["old"], owner.verifier().to_string());
    archive.manage(&["check", "--quick"]);
    let lines = std::fs::read_to_string(archive.path("chain/entries")).unwrap();
    std::fs::write(archive.path("chain/checkpoint"), checkpoint(&lines, &owner)).unwrap();
    for mode in [&["check", "--read-only", "--json"][..], &["check", "--json"]] {
        let read = archive.run(mode);
        let said = text(&read.stdout) + &text(&read.stderr);
        assert!(read.status.code() == Some(1) && said.contains("key/not-in-force"), "{said}");
    }
    // The state before the change, put back: the key that would go on with it is not there any more.
    again();
    let refused = archive.run(&["search"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("key/missing"), "{}", text(&refused.stderr));
}

/// A checkpoint over these lines.
fn checkpoint(lines: &str, signer: &Signer) -> String {
    let mut tree = custode::chain::merkle::Tree::default();
    lines.lines().for_each(|line| tree.push(custode::chain::merkle::leaf(line.as_bytes())));
    let checkpoint = Checkpoint { origin: signer.name().to_owned(), size: tree.size(), root: tree.root() };
    signer.sign_note(&checkpoint.text()).unwrap()
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while !done() {
        assert!(started.elapsed() < std::time::Duration::from_secs(30), "{what}: not done in time");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn a_witness_goes_on_with_the_new_key_and_never_back() {
    let dir = tempfile::tempdir().unwrap();
    let vkey = Witness::init(dir.path());
    let archive = Archive::new();
    let old = std::fs::read_to_string(archive.path("chain/archive.vkey")).unwrap().trim().to_owned();
    let old_seed = seed(&archive);
    let witness = Witness::serve(dir.path(), 0, &[&old]);
    let table = format!(
        "[[witness]]\nurl = \"{}\"\nvkey = \"{vkey}\"\nrequired = true\ntimeout = \"2s\"\n\n[end]\n",
        witness.base
    );
    archive.configure("[end]\n", &table);
    let mut server = archive.serve();
    let producer = server.archive.token("producer");
    let grow = |server: &Server, name: &str| {
        server.generic(&producer, name, name.as_bytes());
        server.seal();
    };
    let kept = server.archive.path(&format!("chain/witness/{}.checkpoint", vkey.split('+').nth(1).unwrap()));
    let seen = |path: &Path| -> u64 {
        let note = std::fs::read_to_string(path).unwrap_or_default();
        note.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0)
    };
    grow(&server, "prima");
    wait("cosigning", || seen(&kept) > 0);
    // A witness that knows only the old key takes the checkpoint that both signed, and no later one.
    let done = rotate(&server, "routine");
    let entry = done["entry"].as_u64().unwrap();
    assert_eq!(seen(&kept), entry + 1);
    grow(&server, "dopo");
    let told = server.json("/v1/alarms", &server.archive.manager);
    wait("the alarm", || {
        server.json("/v1/alarms", &server.archive.manager)["alarms"][0]["code"] == "witness/not-cosigned"
    });
    assert_eq!(seen(&kept), entry + 1, "{told}");
    assert_eq!(server.archive.manage(&["check"])["outcome"], "good");
    // Its operator adds the new key: it goes on from what it saw.
    let port = witness.port();
    drop(witness);
    let new = done["new"].as_str().unwrap();
    let _witness = Witness::serve(dir.path(), port, &[&old, new]);
    grow(&server, "di nuovo");
    wait("cosigning", || seen(&kept) > entry + 1);
    wait("no alarm", || server.json("/v1/alarms", &server.archive.manager)["total"] == 0);
    let check = server.archive.manage(&["check"]);
    assert_eq!(
        (&check["outcome"], check["coverage"]["witnessed"].as_array().unwrap().len()),
        (&json!("good"), 2),
        "{check}"
    );
    server.stop();
    // The old seed continues the same chain alone, with a right proof: refused.
    let lines = std::fs::read_to_string(server.archive.path("chain/entries")).unwrap();
    let size = lines.lines().count() as u64;
    let known = seen(&kept);
    let mut tree = custode::chain::merkle::Tree::default();
    lines.lines().for_each(|line| tree.push(custode::chain::merkle::leaf(line.as_bytes())));
    let proof: String = tree.consistency(known, size).unwrap().iter().map(|hash| encode(&hash.0) + "\n").collect();
    let ask = |signer: &Signer| {
        let body = format!("old {known}\n{proof}\n{}", checkpoint(&lines, signer));
        let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
        client.post(format!("http://127.0.0.1:{port}/add-checkpoint")).body(body).send().unwrap()
    };
    let refused = problem(ask(&signer(&server.archive, &old_seed)), 403);
    assert_eq!(refused["code"], "witness/not-signed", "{refused}");
    assert_eq!(ask(&signer(&server.archive, &seed(&server.archive))).status(), 200);
}

/// A state from before a change of key knows no newer one: it must not take the witness for a liar.
#[test]
fn an_older_state_from_before_a_change_of_key_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let vkey = Witness::init(dir.path());
    let archive = Archive::new();
    let old = std::fs::read_to_string(archive.path("chain/archive.vkey")).unwrap().trim().to_owned();
    let witness = Witness::serve(dir.path(), 0, &[&old]);
    let table = format!("[[witness]]\nurl = \"{}\"\nvkey = \"{vkey}\"\ntimeout = \"2s\"\n\n[end]\n", witness.base);
    archive.configure("[end]\n", &table);
    let mut server = archive.serve();
    let producer = server.archive.token("producer");
    server.generic(&producer, "prima", b"prima");
    server.seal();
    server.stop();
    let (root, keys) = (server.archive.root.clone(), server.archive.root.with_extension("keys"));
    let copy = |from: &Path, to: &Path| {
        let _ = std::fs::remove_dir_all(to);
        assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
    };
    copy(&root, &root.with_file_name("backup"));
    copy(&keys, &root.with_file_name("backup.keys"));
    server.resume(&[]);
    let new = rotate(&server, "routine")["new"].as_str().unwrap().to_owned();
    let port = witness.port();
    drop(witness);
    let _witness = Witness::serve(dir.path(), port, &[&old, &new]);
    server.generic(&producer, "dopo", b"dopo");
    server.seal();
    let kept = root.join(format!("chain/witness/{}.checkpoint", vkey.split('+').nth(1).unwrap()));
    wait("cosigning under the new key", || {
        let note = std::fs::read_to_string(&kept).unwrap_or_default();
        !note.contains(&signature_of(&old)) && note.contains(&signature_of(&new))
    });
    server.restart_after(&[], |_| {
        copy(&root.with_file_name("backup"), &root);
        copy(&root.with_file_name("backup.keys"), &keys);
    });
    let refused = problem(server.deposit(&producer, "generic", "x", &Value::Null, b"x".to_vec()), 503);
    assert_eq!(refused["code"], "archive/restored", "{refused}");
    for mode in [&["check", "--json"][..], &["check", "--read-only", "--json"]] {
        let out = server.archive.run(mode);
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(out.status.code(), Some(1), "{report}");
        assert!(
            codes(&report).contains(&"archive/restored") && codes(&report).contains(&"witness/unknown-key"),
            "{report}"
        );
    }
    let told = server.json("/v1/alarms", &server.archive.manager).to_string();
    assert!(told.contains("archive/restored") && told.contains("witness/unknown-key"), "{told}");
}

/// The beginning of what a key signs with, in base64: its key id, without the digits that hold more.
fn signature_of(vkey: &str) -> String {
    let id = hex::decode(vkey.split('+').nth(1).unwrap()).unwrap();
    let name = vkey.split('+').next().unwrap();
    format!("\u{2014} {name} {}", &encode(&id)[..5])
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
