//! An archive and its witnesses: cosigned after each seal, and an older state of the whole archive put back is noticed.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use custode::chain::Checkpoint;
use custode::chain::cosignature::{Cosigner, with_line};
use custode::chain::note::{Signer, Verifier};
use custode::hash::Sha256;

use crate::authority::Web;
use crate::server::{Archive, Server, good, problem, text};
use crate::witness::Witness;

/// Has the archive ask this witness.
fn configure(archive: &Archive, url: &str, vkey: &str, required: bool) {
    let table =
        format!("[[witness]]\nurl = \"{url}\"\nvkey = \"{vkey}\"\nrequired = {required}\ntimeout = \"2s\"\n\n[end]\n");
    archive.configure("[end]\n", &table);
}

fn vkey(archive: &Archive) -> String {
    archive.path("chain/archive.vkey").display().to_string()
}

/// Waits until the background has done it.
fn wait(what: &str, done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what}: not done in time");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether the witness has cosigned all that was sealed.
fn cosigned(archive: &Archive, vkey: &str) -> bool {
    let id = vkey.split('+').nth(1).unwrap();
    let note = std::fs::read_to_string(archive.path(&format!("chain/witness/{id}.checkpoint"))).unwrap_or_default();
    let size: usize = note.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or(0);
    let sealed = archive.entries().iter().rposition(|entry| entry["kind"] == "package").unwrap();
    size > sealed && note.contains("testimone.example/w1")
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

/// A deposit and a seal; the receipt.
fn grow(server: &Server, token: &str, name: &str) -> Value {
    let receipt = server.generic(token, name, name.as_bytes());
    let sealed = server.seal();
    assert_eq!(sealed["sealed"].as_array().unwrap().len(), 1, "{sealed}");
    receipt
}

fn alarms(server: &Server) -> Value {
    server.json("/v1/alarms", &server.archive.manager)
}

#[test]
fn what_is_sealed_is_cosigned_and_a_silent_witness_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let key = Witness::init(dir.path());
    let archive = Archive::new();
    let witness = Witness::serve(dir.path(), 0, &[&vkey(&archive)]);
    configure(&archive, &witness.base, &key, true);
    let mut server = archive.serve();
    let producer = server.archive.token("producer");
    grow(&server, &producer, "una nota");
    wait("cosigning", || cosigned(&server.archive, &key));
    assert_eq!(alarms(&server)["total"], 0);
    // The newest checkpoint carries it, beside the archive's own signature; and so does a bundle.
    let checkpoint = std::fs::read_to_string(server.archive.path("chain/checkpoint")).unwrap();
    assert_eq!(checkpoint.lines().filter(|line| line.starts_with('\u{2014}')).count(), 2, "{checkpoint}");
    let check = server.archive.manage(&["check"]);
    let seen = check["coverage"]["witnessed"].as_array().unwrap();
    assert_eq!((check["outcome"].as_str(), seen.len()), (Some("good"), 2), "{check}");
    assert!(seen.iter().all(|seen| seen["standing"] == "holds"), "{check}");
    assert!(seen.iter().any(|seen| seen["place"] == "witness testimone.example/w1"), "{check}");

    let bundle = server.archive.path("../bundle.zip").display().to_string();
    server.archive.manage(&["export", "--package", "generic/1", "-o", &bundle]);
    let anchor = server.archive.root.with_extension("keys").join("development-tsa-root.pem").display().to_string();
    let archive_key = vkey(&server.archive);
    let verify = |extra: &[&str]| {
        let arguments = [&["verify", &bundle, "--json", "--key", &archive_key, "--trust", &anchor], extra].concat();
        let out = server.archive.run(&arguments);
        (out.status.code().unwrap(), serde_json::from_slice::<Value>(&out.stdout).unwrap_or_default())
    };
    let (status, report) = verify(&["--witness", &key]);
    assert_eq!((status, report["anchors"]["witnesses"][0]["witness"].as_str()), (0, Some(key.as_str())), "{report}");
    let (status, report) = verify(&[]);
    assert_eq!((status, report["findings"][0]["place"].as_str()), (2, Some("witness")), "{report}");
    let other = Witness::init(&dir.path().join("other"));
    let (status, report) = verify(&["--witness", &other]);
    assert_eq!((status, report["findings"][0]["code"].as_str()), (2, Some("witness/not-cosigned")), "{report}");
    if crate::judges::present(&["python3", "openssl", "unzip"]) {
        let open = server.archive.path("../open");
        assert!(Command::new("unzip").args(["-q", &bundle, "-d"]).arg(&open).status().unwrap().success());
        let python = |witness: &[&str]| {
            let mut command = Command::new("python3");
            command.current_dir(&open).args(["verify.py", "--trust", "trust/tsa.pem", "--key"]);
            command.arg(std::fs::read_to_string(&archive_key).unwrap().trim()).args(witness);
            let out = command.output().unwrap();
            (out.status.code().unwrap(), text(&out.stdout))
        };
        for (arguments, status) in [(&["--witness", &*key][..], 0), (&[], 2), (&["--witness", &other], 2)] {
            let (got, said) = python(arguments);
            assert_eq!(got, status, "{said}");
        }
    }

    // Down: sealing goes on at once, and somebody is told at once, since it is required.
    let port = witness.port();
    drop(witness);
    let started = Instant::now();
    grow(&server, &producer, "senza testimone");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    let told = alarms(&server);
    assert_eq!((&told["alarms"][0]["code"], &told["errors"]), (&"witness/not-cosigned".into(), &1.into()), "{told}");
    // Back: what was missed is proved from what it saw last.
    let _witness = Witness::serve(dir.path(), port, &[&vkey(&server.archive)]);
    grow(&server, &producer, "di nuovo");
    wait("cosigning", || cosigned(&server.archive, &key));
    assert_eq!(alarms(&server)["total"], 0);

    // A command asks too, when no server does.
    server.stop();
    let file = server.archive.path("../altra.txt");
    std::fs::write(&file, "altra").unwrap();
    let out = server.archive.run(&["deposit", "--class", "generic", &file.display().to_string()]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    server.archive.manage(&["seal"]);
    assert!(cosigned(&server.archive, &key));
    // A changed cosignature is damage.
    let path = server.archive.path(&format!("chain/witness/{}.checkpoint", key.split('+').nth(1).unwrap()));
    let note = std::fs::read_to_string(&path).unwrap();
    let at = note.trim_end().len() - 10;
    let bent: String =
        note.char_indices().map(|(n, c)| if n == at { if c == 'A' { 'B' } else { 'A' } } else { c }).collect();
    std::fs::write(&path, bent).unwrap();
    let out = server.archive.run(&["check", "--json"]);
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stdout));
    assert!(text(&out.stdout).contains("witness/cosignature-bad"), "{}", text(&out.stdout));
}

#[test]
fn an_older_copy_put_back_is_read_and_takes_nothing_until_the_loss_is_declared() {
    let dir = tempfile::tempdir().unwrap();
    let key = Witness::init(dir.path());
    let archive = Archive::new();
    let witness = Witness::serve(dir.path(), 0, &[&vkey(&archive)]);
    configure(&archive, &witness.base, &key, false);
    let mut server = archive.serve();
    let producer = server.archive.token("producer");
    let first = grow(&server, &producer, "prima");
    wait("cosigning", || cosigned(&server.archive, &key));
    server.stop();
    let backup = server.archive.root.with_file_name("backup");
    copy(&server.archive.root, &backup);
    server.resume(&[]);
    grow(&server, &producer, "dopo la copia");
    let lost = server.generic(&producer, "persa", b"persa");
    let kept = server.archive.root.with_file_name("ricevuta.json");
    std::fs::write(&kept, lost.to_string()).unwrap();
    wait("cosigning", || cosigned(&server.archive, &key));
    let witnessed = std::fs::read_to_string(
        server.archive.path(&format!("chain/witness/{}.checkpoint", key.split('+').nth(1).unwrap())),
    )
    .unwrap();
    let witnessed: u64 = witnessed.lines().nth(1).unwrap().parse().unwrap();
    server.restart_after(&[], |archive| {
        std::fs::remove_dir_all(&archive.root).unwrap();
        copy(&backup, &archive.root);
    });

    let before = server.archive.entries().len();
    let refused = problem(server.deposit(&producer, "generic", "x", &Value::Null, b"x".to_vec()), 503);
    assert_eq!(refused["code"], "archive/restored", "{refused}");
    let told = problem(server.post("/v1/seal", &server.archive.manager).send().unwrap(), 503);
    assert_eq!(told["code"], "archive/restored");
    assert_eq!(problem(server.get("/readyz", &producer).send().unwrap(), 503)["code"], "archive/restored");
    let id = first["documents"][0]["id"].as_str().unwrap();
    let content = server.get(&format!("/v1/documents/{id}/content"), &server.archive.manager).send().unwrap();
    assert_eq!(content.bytes().unwrap(), &b"prima"[..], "reading works");
    for mode in [&["check", "--json"][..], &["check", "--read-only", "--json"]] {
        let out = server.archive.run(mode);
        assert_eq!(out.status.code(), Some(1), "{}", text(&out.stdout));
        let report: Value = serde_json::from_slice(&out.stdout).unwrap();
        let finding = report["findings"].as_array().unwrap().iter().find(|f| f["code"] == "archive/restored");
        assert!(finding.is_some(), "{report}");
        assert!(report["coverage"]["witnessed"].as_array().unwrap().iter().any(|seen| seen["size"] == witnessed));
    }
    assert_eq!(alarms(&server)["alarms"][0]["code"], "archive/restored");
    assert_eq!(server.archive.entries().len(), before, "nothing was appended");

    let out = server.archive.run(&["restore", "declare", "--reason", " "]);
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stderr));
    let declared = server.archive.manage(&["restore", "declare", "--reason", "guasto del disco, copia della notte"]);
    assert_eq!(declared["witnessed"]["size"], witnessed, "{declared}");
    let entry = server.archive.entries().into_iter().find(|entry| entry["kind"] == "restore").unwrap();
    assert_eq!(entry["restore"]["found"]["size"], before, "{entry}");
    assert!(!entry.to_string().contains("guasto"), "{entry}");
    grow(&server, &producer, "dopo il ripristino");
    let check = server.archive.manage(&["check"]);
    assert_eq!(check["outcome"], "good", "{check}");
    let again = server.post("/v1/restorations", &server.archive.manager).body(json!({ "reason": "x" }).to_string());
    assert_eq!(problem(again.send().unwrap(), 409)["code"], "archive/nothing-restored");
    // The receipt of what was lost shows that it was of this archive, and given up.
    let check = server.archive.manage(&["check", "--checkpoint", &kept.display().to_string()]);
    let told = check["findings"].as_array().unwrap();
    assert!(told.iter().any(|f| f["code"] == "archive/restore-declared"), "{check}");

    // The witness stays with what it saw until its own operator lets go of it.
    wait("the alarm", || {
        let told = alarms(&server).to_string();
        told.contains("witness forget") || !told.contains("witness/not-cosigned")
    });
    let port = witness.port();
    drop(witness);
    let forget = ["witness", "forget", "--dir", &dir.path().display().to_string(), "--log", &vkey(&server.archive)];
    let out = server.archive.run(&forget);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let witness = Witness::serve(dir.path(), port, &[&vkey(&server.archive)]);
    grow(&server, &producer, "di nuovo testimoniata");
    wait("cosigning", || cosigned(&server.archive, &key));
    drop(witness);
}

#[test]
fn a_receipt_kept_elsewhere_shows_an_older_state_and_two_histories_are_not_declared_away() {
    let dir = tempfile::tempdir().unwrap();
    let key = Witness::init(dir.path());
    let archive = Archive::new();
    let mut server = archive.serve();
    let producer = server.archive.token("producer");
    grow(&server, &producer, "prima");
    server.stop();
    let backup = server.archive.root.with_file_name("backup");
    copy(&server.archive.root, &backup);
    // Nobody witnesses; but whoever deposited holds a receipt.
    server.resume(&[]);
    grow(&server, &producer, "dopo");
    let receipt = server.generic(&producer, "ricevuta", b"ricevuta");
    let kept = server.archive.root.with_file_name("ricevuta.json");
    std::fs::write(&kept, receipt.to_string()).unwrap();
    let kept = kept.display().to_string();
    assert_eq!(server.archive.manage(&["check", "--checkpoint", &kept])["outcome"], "good");
    let other = Server::new();
    let foreign = other.archive.run(&["check", "--checkpoint", &kept]);
    assert_eq!(foreign.status.code(), Some(2), "{}", text(&foreign.stderr));
    drop(other);
    server.stop();
    let newer = server.archive.root.with_file_name("newer");
    copy(&server.archive.root, &newer);
    copy(&backup, &server.archive.root);
    for mode in
        [&["check", "--checkpoint", &kept, "--json"][..], &["check", "--read-only", "--checkpoint", &kept, "--json"]]
    {
        let out = server.archive.run(mode);
        assert_eq!(out.status.code(), Some(1), "{}{}", text(&out.stdout), text(&out.stderr));
        assert!(text(&out.stdout).contains("archive/restored"), "{}", text(&out.stdout));
    }

    // It goes on unnoticed, until it is as long as the other history that a witness has seen.
    server.resume(&[]);
    for n in 0..4 {
        grow(&server, &producer, &format!("altra storia {n}"));
    }
    server.stop();
    let forked = server.archive.root.with_file_name("forked");
    copy(&server.archive.root, &forked);
    copy(&newer, &server.archive.root);
    let witness = Witness::serve(dir.path(), 0, &[&vkey(&server.archive)]);
    configure(&server.archive, &witness.base, &key, true);
    let nightly = server.archive.run(&["nightly", "--json"]);
    assert!(nightly.status.success(), "{}", text(&nightly.stdout));
    copy(&forked, &server.archive.root);
    configure(&server.archive, &witness.base, &key, true);
    server.resume(&[]);
    let refused = server.deposit(&producer, "generic", "x", &Value::Null, b"x".to_vec());
    let told = problem(refused, 503);
    assert_eq!(told["code"], "archive/forked");
    assert!(told["hint"].as_str().unwrap().contains("bring back the archive"), "{told}");
    let out = server.archive.run(&["restore", "declare", "--reason", "prova"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("chain-forked"), "{}", text(&out.stderr));
    let out = server.archive.run(&["check", "--json"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stdout).contains("chain-forked"), "{}", text(&out.stdout));
    assert!(good(server.get("/v1/packages", &server.archive.manager).send().unwrap())["packages"].is_array());
}

#[test]
fn a_witness_can_keep_silent_and_cannot_invent() {
    let dir = tempfile::tempdir().unwrap();
    let key = Witness::init(dir.path());
    let archive = Archive::new();
    // It says to have seen 999 entries, over its own good signature and one that only looks like the archive's.
    let name: Verifier = std::fs::read_to_string(archive.path("chain/archive.vkey")).unwrap().trim().parse().unwrap();
    let seen = Checkpoint { origin: name.name().to_owned(), size: 999, root: Sha256::of(b"invented") };
    let note = Signer::for_name(name.name(), &[9; 32]).unwrap().sign_note(&seen.text()).unwrap();
    let secret = std::fs::read_to_string(dir.path().join("witness.key")).unwrap();
    let (witness, seed) = secret.trim().split_once('\n').unwrap();
    let cosigner = Cosigner::for_name(witness, &hex::decode(seed).unwrap().try_into().unwrap()).unwrap();
    let note = with_line(&note, &cosigner.cosign(&seen.text(), 1).unwrap(), &cosigner.verifier()).unwrap();
    let conflict = "HTTP/1.1 409 Conflict\r\ncontent-type: text/x.tlog.size\r\ncontent-length: 4\r\nconnection: close\r\n\r\n999\n";
    let web = Web::new(move |path| match path {
        "/add-checkpoint" => Some(conflict.as_bytes().to_vec()),
        _ => Some(note.clone().into_bytes()),
    });
    configure(&archive, &web.url(""), &key, true);
    let server = archive.serve();
    let producer = server.archive.token("producer");
    grow(&server, &producer, "una nota");
    wait("asking", || web.asked.lock().unwrap().iter().any(|path| path == "/add-checkpoint"));
    grow(&server, &producer, "un'altra");
    assert!(!server.archive.path("chain/witness").exists(), "what it shows is not kept");
    let told = alarms(&server);
    let mut codes: Vec<&str> =
        told["alarms"].as_array().unwrap().iter().map(|alarm| alarm["code"].as_str().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["witness/not-cosigned", "witness/unknown-key"], "{told}");
    // It may as well be an older state of the archive, from before a change of key: not good, and nothing is stopped by it.
    let out = server.archive.run(&["check", "--json"]);
    let check: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((&check["outcome"], out.status.code()), (&"unchecked".into(), Some(2)), "{check}");
    assert_eq!(check["findings"][0]["code"], "witness/unknown-key", "{check}");
    assert!(check["coverage"]["not_looked_at"].to_string().contains("testimone.example/w1"), "{check}");
}

#[test]
fn a_witness_put_back_from_an_older_copy_is_noticed_by_the_archive_and_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, older) = (dir.path().join("witness"), dir.path().join("older"));
    let key = Witness::init(&folder);
    let archive = Archive::new();
    let witness = Witness::serve(&folder, 0, &[&vkey(&archive)]);
    configure(&archive, &witness.base, &key, false);
    let server = archive.serve();
    let producer = server.archive.token("producer");
    grow(&server, &producer, "prima");
    wait("the first cosignature", || cosigned(&server.archive, &key));
    copy(&folder, &older);
    grow(&server, &producer, "seconda");
    wait("the second cosignature", || cosigned(&server.archive, &key));
    assert_eq!(alarms(&server)["total"], 0);

    let port = witness.port();
    drop(witness);
    copy(&older, &folder);
    let log = dir.path().join("log");
    let witness = Witness::serve_telling(&folder, port, &[&vkey(&server.archive)], &log);
    grow(&server, &producer, "terza");
    wait("the third cosignature", || cosigned(&server.archive, &key));
    let told = alarms(&server);
    assert_eq!(
        (told["total"].as_u64(), told["alarms"][0]["code"].as_str()),
        (Some(1), Some("witness/forgot")),
        "{told}"
    );
    assert_eq!(
        (&told["alarms"][0]["severity"], &told["alarms"][0]["place"]),
        (&json!("error"), &json!("witness testimone.example/w1"))
    );
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("older copy"), "{said}");
    // It is not a fault of the chain, and it is told after a restart too.
    assert_eq!(server.archive.manage(&["check"])["outcome"], "good");
    drop(witness);
    let mut server = server;
    server.restart_after(&[], |_| {});
    assert_eq!(alarms(&server)["alarms"][0]["code"], "witness/forgot");
}

/// One archive, two continuations, each shown to a witness of its own: whoever asks both learns it, and takes nothing more.
#[test]
fn a_fork_shown_to_two_witnesses_is_found_by_whoever_asks_both() {
    let dir = tempfile::tempdir().unwrap();
    let folders = [dir.path().join("one"), dir.path().join("two")];
    let keys = folders.each_ref().map(|folder| Witness::init(folder));
    let archive = Archive::new();
    let witnesses = folders.each_ref().map(|folder| Witness::serve(folder, 0, &[&vkey(&archive)]));
    let mut server = archive.serve();
    let producer = server.archive.token("producer");
    grow(&server, &producer, "comune");
    server.stop();
    let (root, other) = (server.archive.root.clone(), dir.path().join("other"));
    copy(&root, &other);
    // The same key seals one thing before one witness and another before the other.
    let shown = |server: &mut Server, n: usize, what: &str| {
        configure(&server.archive, &witnesses[n].base, &keys[n], true);
        server.resume(&[]);
        grow(server, &producer, what);
        wait(what, || cosigned(&server.archive, &keys[n]));
        server.stop();
    };
    shown(&mut server, 0, "una storia");
    let first = dir.path().join("first");
    copy(&root, &first);
    copy(&other, &root);
    shown(&mut server, 1, "un'altra storia");
    // The one that goes on is the longer one: nobody can take the other for a newer state of it.
    server.resume(&[]);
    grow(&server, &producer, "e ancora");
    server.stop();
    configure(&server.archive, &witnesses[0].base, &keys[0], true);
    server.resume(&[]);
    let refused = problem(server.post("/v1/seal", &server.archive.manager).send().unwrap(), 503);
    assert_eq!(refused["code"], "archive/forked", "{refused}");
    let told = alarms(&server).to_string();
    assert!(told.contains("archive/forked"), "{told}");
    let out =
        server.archive.command(&["--json", "check"]).env("CUSTODE_TOKEN", &server.archive.manager).output().unwrap();
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stdout));
}
