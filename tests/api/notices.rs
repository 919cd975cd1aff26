//! Alarms that reach people: real web and mail servers, down, slow, refusing and half-witted, and restarts in between.

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custode::chain::note::{Verifier, open_note};
use custode::hash::Sha256;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::{Value, json};

use crate::listeners::{Hook, Mode, Office, Posted, free_port};
use crate::seal::mode;
use crate::server::{Archive, Server, text};

const SECRET: &str = "un segreto del gestore";

/// An archive that tells these targets, and looks every second.
fn archive(targets: &str) -> Archive {
    let archive = Archive::new();
    archive.configure("[alarms]\n", "[alarms]\nevery = \"1s\"\n");
    archive.configure("[conversations]\n", &format!("{targets}\n[conversations]\n"));
    let secret = archive.path("../secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    mode(&secret, 0o600);
    archive
}

fn webhook(port: u16, more: &str) -> String {
    format!("[[alarms.webhook]]\nurl = \"http://127.0.0.1:{port}/a-secret-path\"\ntimeout = \"2s\"\n{more}\n")
}

/// The log of one installation is missing, since yesterday.
fn misses_a_log(archive: &Archive) {
    archive.configure("#installations = []", "installations = [\"PEC9\"]");
    archive.configure("#expected_by = \"06:00\"", "expected_by = \"00:00\"");
}

/// It comes.
fn brings_it(server: &Server, token: &str) {
    let yesterday = Timestamp::now().to_zoned(TimeZone::get("Europe/Rome").unwrap()).date().saturating_sub(1.days());
    let metadata = json!({ "provider": "Posta Esempio", "installation": "PEC9", "day": yesterday });
    let reply = server.deposit(token, "pec-log", "log.log", &metadata, format!("{yesterday} log\n").into_bytes());
    assert_eq!(reply.status(), 201, "{}", reply.text().unwrap());
}

fn alarms(server: &Server) -> Value {
    server.json("/v1/alarms", &server.archive.manager)
}

fn is_marked_with_the_secret(posted: &Posted) {
    let header = &posted.headers["custode-signature"];
    let (time, tag) = header.strip_prefix("t=").unwrap().split_once(",sha256=").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = [time.as_bytes(), b".", &posted.body].concat();
    hmac::verify(&key, &signed, &hex::decode(tag).unwrap()).unwrap();
}

#[test]
fn a_web_server_is_told_once_of_what_begins_and_ends_across_refusals_and_restarts() {
    let hook = Hook::start(0, Mode::Refuses);
    let archive = archive(&webhook(hook.port, "secret_file = \"../secret\""));
    misses_a_log(&archive);
    let mut server = archive.serve();
    let producer = server.archive.token("producer");
    let started = Instant::now();
    while hook.tried() < 2 {
        assert!(started.elapsed() < Duration::from_secs(30), "it is not tried again");
        std::thread::sleep(Duration::from_millis(50));
    }
    // That somebody cannot be told is an alarm, and a number.
    let told = alarms(&server).to_string();
    assert!(told.contains("notice/not-told") && told.contains("HTTP status 503"), "{told}");
    assert!(!told.contains("a-secret-path"), "{told}");
    let metrics = reqwest::blocking::get(format!("{}/metrics", server.base)).unwrap().text().unwrap();
    for line in ["custode_targets_failing 1", "custode_checkpoint_age_seconds ", "custode_journal_segments "] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }

    let waiting = metrics.lines().find_map(|line| line.strip_prefix("custode_notices_waiting ")).unwrap();
    assert_ne!(waiting, "0");

    hook.becomes(Mode::Good);
    let first = hook.wait(0);
    is_marked_with_the_secret(&first);
    let notice = first.json();
    let event = &notice["events"][0];
    assert_eq!(
        (&event["what"], &event["code"], &event["severity"]),
        (&json!("began"), &json!("pec-log/not-deposited"), &json!("warning"))
    );
    assert!(event["place"].as_str().unwrap().starts_with("installation PEC9, "), "{notice}");
    assert!(event["text"]["it"].is_string() && event["next"]["en"].is_string(), "{notice}");
    assert_eq!(
        (&notice["trial"], &notice["lost"], &notice["archive"]),
        (&json!(true), &json!(0), &json!("archive")),
        "{notice}"
    );
    assert!(!notice.to_string().contains(SECRET) && !notice.to_string().contains("Posta Esempio"), "{notice}");

    brings_it(&server, &producer);
    let started = Instant::now();
    let ended = |posted: &Posted| posted.events().contains(&"ended pec-log/not-deposited".to_owned());
    while !hook.taken().iter().any(ended) {
        assert!(started.elapsed() < Duration::from_secs(30), "its end is not told");
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_secs(3));
    server.restart_after(&[], |_| {});
    std::thread::sleep(Duration::from_secs(3));
    let events: Vec<String> = hook.taken().iter().flat_map(Posted::events).collect();
    for once in ["began pec-log/not-deposited", "ended pec-log/not-deposited"] {
        assert_eq!(events.iter().filter(|event| *event == once).count(), 1, "{events:?}");
    }
    assert!(!events.iter().any(|event| event == "reminder"), "{events:?}");
    assert!(!server.log.lock().unwrap().contains(SECRET));
}

#[test]
fn what_began_and_ended_while_nobody_listened_is_told_later_in_order() {
    let port = free_port();
    let archive = archive(&webhook(port, ""));
    misses_a_log(&archive);
    let mut server = archive.serve();
    let producer = server.archive.token("producer");
    let wait = |server: &Server, what: &str| {
        let started = Instant::now();
        let path = server.archive.path("notices/state.json");
        while !std::fs::read_to_string(&path).unwrap_or_default().contains(what) {
            assert!(started.elapsed() < Duration::from_secs(30), "{what} is not noted");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    wait(&server, "\"began\"");
    let before = Instant::now();
    brings_it(&server, &producer);
    assert!(before.elapsed() < Duration::from_secs(5), "a deposit waits for nobody who is told");
    wait(&server, "\"ended\"");
    server.restart_after(&[], |_| {});
    let hook = Hook::start(port, Mode::Good);
    let posted = hook.wait(0);
    let of_the_log: Vec<String> =
        posted.events().into_iter().filter(|event| event.ends_with("pec-log/not-deposited")).collect();
    assert_eq!(of_the_log, ["began pec-log/not-deposited", "ended pec-log/not-deposited"], "{:?}", posted.events());

    // Without a secret the archive's own key marks it.
    let key: Verifier =
        std::fs::read_to_string(server.archive.path("chain/archive.vkey")).unwrap().trim().parse().unwrap();
    let note = String::from_utf8(STANDARD.decode(&posted.headers["custode-note"]).unwrap()).unwrap();
    let told = posted.json();
    let name = format!("{}/notice", told["archive"].as_str().unwrap());
    let opened = open_note(&note, &[key.renamed(&name).unwrap()]).unwrap();
    let right = format!("{name}\n{}\n{}\n{}\n", told["number"], Sha256::of(&posted.body), told["at"].as_str().unwrap());
    assert_eq!(opened.text, right);
}

#[test]
fn a_target_that_is_silent_or_half_witted_is_given_up_in_time_and_the_test_says_so() {
    let hook = Hook::start(0, Mode::Silent);
    let archive = archive(&webhook(hook.port, "secret_file = \"../secret\""));
    for (mode, said) in [(Mode::Silent, "timed out"), (Mode::Half, "no answer"), (Mode::Refuses, "HTTP status 503")] {
        hook.becomes(mode);
        let started = Instant::now();
        let out = archive.run(&["alarms", "test", "--json"]);
        assert!(started.elapsed() < Duration::from_secs(15), "{said}: {:?}", started.elapsed());
        let told: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!((out.status.code(), &told["targets"][0]["told"]), (Some(1), &json!(false)), "{told}");
        assert!(told["targets"][0]["message"].as_str().unwrap().contains(said), "{said}: {told}");
    }
    hook.becomes(Mode::Good);
    let out = archive.run(&["alarms", "test"]);
    assert_eq!(
        (out.status.code(), text(&out.stdout).trim()),
        (Some(0), "webhook 1, 127.0.0.1  told"),
        "{}",
        text(&out.stderr)
    );
    assert_eq!(hook.wait(0).events(), ["test"]);
    // A secret that others can read is not used, and a test of nobody is no success.
    mode(&archive.path("../secret"), 0o644);
    let out = archive.run(&["alarms", "test"]);
    assert!(
        out.status.code() == Some(1) && text(&out.stdout).contains("config/secret-exposed"),
        "{}",
        text(&out.stdout)
    );
    assert_eq!(Archive::new().run(&["alarms", "test"]).status.code(), Some(1));
}

#[test]
fn a_night_that_was_not_good_is_told_and_a_good_one_when_it_is_wanted() {
    let hook = Hook::start(0, Mode::Good);
    let archive = archive(&webhook(hook.port, ""));
    let mut server = archive.serve();
    let producer = server.archive.token("producer");
    server.generic(&producer, "nota.txt", b"nota");
    server.seal();
    server.stop();
    let archive = &server.archive;
    assert!(archive.run(&["nightly"]).status.success());
    assert_eq!(hook.taken().len(), 0, "{:?}", hook.taken()[0].events());
    archive.configure("#nights = \"bad\"", "nights = \"all\"");
    assert!(archive.run(&["nightly"]).status.success());
    let good = hook.wait(0);
    assert_eq!((good.events(), &good.json()["events"][0]["outcome"]), (vec!["night".to_owned()], &json!("good")));
    let content = archive.path("packages/generic/00000001/content.tar.zst");
    let mut bytes = std::fs::read(&content).unwrap();
    bytes[100] ^= 1;
    mode(&content, 0o644);
    std::fs::write(&content, bytes).unwrap();
    assert_eq!(archive.run(&["nightly"]).status.code(), Some(1));
    let bad = hook.wait(1).json();
    let night = bad["events"].as_array().unwrap().iter().find(|event| event["what"] == "night").unwrap();
    assert_eq!(night["outcome"], "bad", "{bad}");
}

/// A certificate for "localhost", and its key.
fn identity() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn mail(port: u16, more: &str) -> String {
    format!(
        "[[alarms.mail]]\nserver = \"localhost:{}\"\nfrom = \"Custode <custode@example.it>\"\nto = [\"archivio@example.it\", \"altro@example.it\"]\n\
         username = \"custode\"\npassword_file = \"../secret\"\ntimeout = \"2s\"\n{more}\n",
        port
    )
}

#[test]
fn people_get_a_message_in_both_languages_under_tls_only() {
    let (certificate, key) = identity();
    let office = Office::start(Mode::Good, Some((&certificate, &key)));
    let archive = archive(&mail(office.port, "anchors = [\"../posta.pem\"]"));
    std::fs::write(archive.path("../posta.pem"), &certificate).unwrap();
    misses_a_log(&archive);
    let out = archive.run(&["alarms", "--send"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("mail 1, localhost  told"), "{}", text(&out.stdout));
    let sent = &office.wait(1)[0];
    assert!(sent.in_clear.iter().all(|line| line.starts_with("EHLO") || line == "STARTTLS"), "{sent:?}");
    let login = STANDARD.encode(format!("\0custode\0{SECRET}"));
    assert!(sent.said.iter().any(|line| line == &format!("AUTH PLAIN {login}")), "{sent:?}");
    for line in ["MAIL FROM:<custode@example.it>", "RCPT TO:<archivio@example.it>", "RCPT TO:<altro@example.it>"] {
        assert!(sent.said.iter().any(|said| said.starts_with(line)), "{line}: {sent:?}");
    }
    let message = mail_parser::MessageParser::default().parse(sent.message.as_ref().unwrap()).unwrap();
    assert_eq!(message.subject(), Some("[PROVA] Custode archive: 0 errori, 1 avviso / 0 errors, 1 warning"));
    assert_eq!(message.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
    let body = message.body_text(0).unwrap();
    for part in [
        "NUOVO ATTENZIONE [installation PEC9, ",
        "NEW WARNING [installation PEC9, ",
        "pec-log/not-deposited",
        "PROVA: senza valore legale",
    ] {
        assert!(body.contains(part), "{part}: {body}");
    }
    // Told once: nothing is new.
    let out = archive.run(&["alarms", "--send", "--json"]);
    let said: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(said["targets"], json!([]), "{said}");

    // Whoever answers must be who it should be, and nothing is said to it in clear.
    let out = archive.run(&["alarms", "test"]);
    assert!(out.status.success(), "{}", text(&out.stdout));
    std::fs::write(archive.path("../posta.pem"), identity().0).unwrap();
    let out = archive.run(&["alarms", "test"]);
    assert!(out.status.code() == Some(1) && text(&out.stdout).contains("NOT told"), "{}", text(&out.stdout));
    let attempts = office.wait(3);
    assert!(attempts[2].message.is_none() && attempts[2].said.is_empty(), "{:?}", attempts[2]);
}

#[test]
fn a_mail_server_that_is_bad_is_given_up_in_time_and_its_words_go_nowhere() {
    let (certificate, key) = identity();
    for (mode, said) in [
        (Mode::Refuses, "the server answered 550"),
        (Mode::Half, "no "),
        (Mode::Silent, "timed out"),
        (Mode::Plain, "STARTTLS"),
    ] {
        let office = Office::start(mode, Some((&certificate, &key)));
        let archive = archive(&mail(office.port, "anchors = [\"../posta.pem\"]"));
        std::fs::write(archive.path("../posta.pem"), &certificate).unwrap();
        let started = Instant::now();
        let out = archive.run(&["alarms", "test"]);
        assert!(started.elapsed() < Duration::from_secs(15), "{said}: {:?}", started.elapsed());
        let told = text(&out.stdout) + &text(&out.stderr);
        assert!(out.status.code() == Some(1) && told.contains(said), "{said}: {told}");
        assert!(!told.contains("Mario Rossi") && !told.contains("archivio@") && !told.contains(SECRET), "{told}");
        if mode == Mode::Plain {
            let sent = &office.wait(1)[0];
            assert!(sent.message.is_none() && !sent.said.iter().any(|line| line.starts_with("AUTH")), "{sent:?}");
        }
    }
    // Nobody listens at all.
    let archive = archive(&mail(free_port(), ""));
    let out = archive.run(&["alarms", "test"]);
    assert!(out.status.code() == Some(1) && text(&out.stdout).contains("no connection"), "{}", text(&out.stdout));
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    for (targets, key) in [
        ("[[alarms.webhook]]\ntimeout = \"2s\"\n", "alarms.webhook.url"),
        ("[[alarms.webhook]]\nurl = \"ftp://x\"\n", "alarms.webhook.url"),
        ("[[alarms.webhook]]\nurl = \"https://x\"\nsecret_file = \"a\"\nsecret_env = \"B\"\n", "alarms.webhook.secret"),
        ("[[alarms.mail]]\nserver = \"x\"\nfrom = \"a@b.it\"\nto = []\n", "alarms.mail"),
        (
            "[[alarms.mail]]\nserver = \"x\"\nsecurity = \"none\"\nfrom = \"a@b.it\"\nto = [\"a@b.it\"]\n",
            "alarms.mail.server",
        ),
        ("[[alarms.mail]]\nserver = \"x\"\nfrom = \"nobody\"\nto = [\"a@b.it\"]\n", "alarms.mail.from"),
        (
            "[[alarms.mail]]\nserver = \"x\"\nusername = \"u\"\nfrom = \"a@b.it\"\nto = [\"a@b.it\"]\n",
            "alarms.mail.username",
        ),
    ] {
        let out = archive(targets).run(&["alarms"]);
        let said = text(&out.stderr);
        assert!(out.status.code() == Some(2) && said.contains(key) && said.contains("custode.toml:"), "{key}: {said}");
    }
}
