//! Time-stamps cost money and authorities fail: one request a run, sealing waits when all are down, intake goes on.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use custode::clock::{Clock, SystemClock};
use custode::evidence::tsp::{Authority as _, DevelopmentAuthority};
use serde_json::json;

use super::audit;
use super::sandbox::{Acknowledged, Sandbox, Wish, aborted, text};

/// An authority that answers over HTTP, counts, and can be down.
pub(super) struct Office {
    address: SocketAddr,
    asked: Arc<AtomicU64>,
    down: Arc<AtomicBool>,
    pub(super) anchor: String,
}

impl Office {
    pub(super) fn open() -> Self {
        Self::open_at(Arc::new(SystemClock))
    }

    /// One whose clock this is.
    fn open_at(clock: Arc<dyn Clock>) -> Self {
        let authority = DevelopmentAuthority::create(clock).unwrap();
        let anchor = authority.root_pem();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, down) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (counter, closed) = (Arc::clone(&asked), Arc::clone(&down));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let request = body_of(&stream);
                counter.fetch_add(1, Ordering::SeqCst);
                let (status, reply) = if closed.load(Ordering::SeqCst) {
                    ("503 Service Unavailable", Vec::new())
                } else {
                    ("200 OK", authority.stamp(&request).unwrap())
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    reply.len()
                );
                let _ = (&stream).write_all(&[head.as_bytes(), &reply].concat());
            }
        });
        Self { address, asked, down, anchor }
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/tsa", self.address)
    }
}

fn body_of(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).unwrap_or(0);
        bytes.extend_from_slice(&buffer[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or("0", str::trim);
        if read == 0 || bytes.len() >= end + 4 + length.parse::<usize>().unwrap() {
            return bytes[end + 4..].to_vec();
        }
    }
}

/// A production archive whose authorities are these, with some documents in two cohorts.
pub(super) fn archive(urls: &[String], anchors: &[&str]) -> (Sandbox, Vec<Acknowledged>) {
    let sandbox = Sandbox::empty();
    let mut arguments: Vec<String> =
        ["init", "--profile", "production", "--holder", "Esempio S.p.A.", "--holder-id", "VATIT-01234567890"]
            .map(str::to_owned)
            .to_vec();
    arguments.extend(["--manager".to_owned(), "Anna Esempio".to_owned()]);
    for url in urls {
        arguments.extend(["--tsa".to_owned(), url.clone()]);
    }
    for (n, anchor) in anchors.iter().enumerate() {
        let path = sandbox.path(&format!("anchor-{n}.pem"));
        std::fs::write(&path, anchor).unwrap();
        arguments.extend(["--tsa-anchor".to_owned(), path.display().to_string()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let made = sandbox.json(&arguments);
    std::fs::write(sandbox.path("manager.token"), made["manager_token"].as_str().unwrap()).unwrap();
    complete(&sandbox);
    derogate(&sandbox);
    let server = sandbox.serve();
    let all = (0..4).map(|n| server.caller.accepted(Wish::new(n, 2_000))).collect();
    server.kill();
    (sandbox, all)
}

/// What a production archive wants of its operator before it starts: the acts that found each role.
fn complete(sandbox: &Sandbox) {
    let path = sandbox.root().join("custode.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let mut whole = String::new();
    for line in config.lines() {
        match line.trim_start_matches(['#', ' ']) {
            documents if documents.starts_with("documents") => {
                whole.push_str(
                    "documents = [{ title = \"Atto di nomina\", version = \"1.0\", date = \"2026-01-01\" }]\n",
                );
            }
            _ => whole.push_str(&format!("{line}\n")),
        }
    }
    let vault = "[[vault]]\nname = \"local\"\nsite = \"Milano\"\ncountry = \"IT\"\n\n[copies]\n";
    std::fs::write(path, whole.replacen("[copies]\n", vault, 1)).unwrap();
}

/// The manager's leave to keep one copy: these tests are about other things.
fn derogate(sandbox: &Sandbox) {
    let manager = std::fs::read_to_string(sandbox.path("manager.token")).unwrap();
    std::fs::write(sandbox.path("deroga.pdf"), "firmato").unwrap();
    let until = (jiff::Zoned::now().date() + jiff::Span::new().days(300)).to_string();
    let arguments = ["vault", "derogate", "--until", &until, "--reason", "prova", "--act", "deroga.pdf"];
    let output = sandbox.command(&arguments).env("CUSTODE_TOKEN", manager).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn a_stored_reply_is_never_asked_for_again() {
    let office = Office::open();
    let (template, acknowledged) = archive(&[office.url()], &[&office.anchor]);
    let (mut stops, mut step) = (0, 1);
    loop {
        let sandbox = template.twin();
        let asked = office.asked();
        let output = sandbox.run_with(&["seal"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        let stored = sandbox.root().join("staging/reply.tsr").exists();
        let first = office.asked() - asked;
        let again = sandbox.run(&["seal"]);
        assert!(again.status.success(), "step {step}: {}", text(&again));
        let second = office.asked() - asked - first;
        assert!(first + second >= 1 && first <= 1 && second <= 1, "step {step}: {first} requests, then {second}");
        assert!(!(stored && second > 0), "step {step}: the reply was stored and asked for again");
        let sealed = audit::sealed(&sandbox, &acknowledged);
        assert_eq!((sealed.packages, sealed.documents.len()), (2, 4), "step {step}");
        if !aborted(&output) {
            assert_eq!((first, second), (1, 0), "one token for a run of two packages");
            break;
        }
        stops += 1;
        step += 11;
    }
    assert!(stops > 5, "only {stops} stops");
}

#[test]
fn sealing_waits_for_an_authority_and_intake_does_not() {
    let office = Office::open();
    office.down.store(true, Ordering::SeqCst);
    let (sandbox, mut all) = archive(&[office.url()], &[&office.anchor]);
    let server = sandbox.serve();
    let told = server.caller.post("/v1/seal", &json!({})).unwrap();
    assert_eq!((told.status, told.code().as_str()), (503, "tsa-down"));
    all.push(server.caller.accepted(Wish::new(8, 100)));
    for one in &all {
        server.caller.holds(one);
    }
    let ready = server.caller.get("/readyz").unwrap();
    assert_eq!(ready.status, 200, "an authority that is down is no reason to refuse deposits");
    office.down.store(false, Ordering::SeqCst);
    let told = server.caller.post("/v1/seal", &json!({})).unwrap();
    assert_eq!(told.status, 200, "{}", told.code());
    for one in &all {
        server.caller.holds(one);
    }
    server.kill();
    audit::sealed(&sandbox, &all);
}

#[test]
fn authorities_are_tried_in_turn_and_none_unverified() {
    let (down, stranger, good) = (Office::open(), Office::open(), Office::open());
    down.down.store(true, Ordering::SeqCst);
    // Nobody listens at the first, the second is out of order, the third is not of a known anchor.
    let nobody = "http://127.0.0.1:1/tsa".to_owned();
    let (sandbox, all) = archive(&[nobody, down.url(), stranger.url(), good.url()], &[&good.anchor]);
    sandbox.json(&["seal"]);
    assert!(down.asked() >= 1 && stranger.asked() >= 1, "passed over");
    assert_eq!(good.asked(), 1);
    let sealed = audit::sealed(&sandbox, &all);
    assert_eq!(sealed.documents.len(), all.len());
}

/// A clock that is ahead by so many milliseconds.
struct Ahead(i64);

impl Clock for Ahead {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now() + jiff::SignedDuration::from_millis(self.0)
    }
}

/// A day and an hour, in seconds.
const TOMORROW: i64 = 90_000;

fn tomorrow(sandbox: &Sandbox, arguments: &[&str], step: Option<u64>) -> std::process::Output {
    let mut command = sandbox.command(arguments);
    command.env("CUSTODE_TEST_CLOCK_SHIFT", TOMORROW.to_string());
    if let Some(step) = step {
        command.env("CUSTODE_TEST_ABORT_AT", step.to_string());
    }
    command.output().unwrap()
}

#[test]
fn a_time_stamp_over_the_chain_is_never_paid_for_twice() {
    // The first sells today, the second tomorrow: what each gives at another time is not accepted.
    let (today, later) = (Office::open(), Office::open_at(Arc::new(Ahead(TOMORROW * 1000))));
    let (template, acknowledged) = archive(&[today.url(), later.url()], &[&today.anchor, &later.anchor]);
    template.json(&["seal"]);
    let (mut stops, mut step, mut bought) = (0, 1, 0);
    loop {
        let sandbox = template.twin();
        let asked = later.asked();
        let output = tomorrow(&sandbox, &["nightly"], Some(step));
        let stored = sandbox.root().join("staging/stamp.tsr").exists();
        let first = later.asked() - asked;
        let again = tomorrow(&sandbox, &["nightly"], None);
        assert!(again.status.success(), "step {step}: {}", text(&again));
        let second = later.asked() - asked - first;
        assert!(first + second >= 1 && first <= 1 && second <= 1, "step {step}: {first} requests, then {second}");
        assert!(!(stored && second > 0), "step {step}: the reply was stored and asked for again");
        bought += u64::from(stored);
        let entries = std::fs::read_to_string(sandbox.root().join("chain/entries")).unwrap();
        assert_eq!(entries.matches("\"kind\":\"stamp\"").count(), 1, "step {step}");
        for left in ["stamp.checkpoint", "stamp.tsq", "stamp.tsr"] {
            assert!(!sandbox.root().join("staging").join(left).exists(), "step {step}: {left} is left");
        }
        let check = tomorrow(&sandbox, &["check"], None);
        assert!(check.status.success(), "step {step}: {}", text(&check));
        if !aborted(&output) {
            assert_eq!((first, second), (1, 0));
            break;
        }
        stops += 1;
        step += 2;
    }
    assert!(stops > 5 && bought > 0, "{stops} stops, {bought} of them with the reply stored");
    audit::sealed(&template, &acknowledged);
}

#[test]
fn a_clock_that_an_authority_disagrees_with_is_an_alarm() {
    let office = Office::open_at(Arc::new(Ahead(5_000)));
    let (sandbox, _) = archive(&[office.url()], &[&office.anchor]);
    let server = sandbox.serve();
    let told = server.caller.post("/v1/seal", &json!({})).unwrap();
    assert_eq!(told.status, 200, "{}", told.code());
    let alarms = server.caller.get("/v1/alarms").unwrap().json();
    let alarm = alarms["alarms"].as_array().unwrap().iter().find(|alarm| alarm["code"] == "clock-offset");
    let message = alarm.unwrap_or_else(|| panic!("{alarms}"))["message"].as_str().unwrap().to_owned();
    let ms: i64 = message.split_ascii_whitespace().find_map(|word| word.parse().ok()).unwrap();
    assert!((4_000..=5_100).contains(&ms) && message.contains("ahead"), "{message}");
    server.kill();
}

#[test]
fn a_production_archive_with_one_copy_neither_serves_nor_seals_without_its_managers_leave() {
    let office = Office::open();
    let (sandbox, _) = archive(&[office.url()], &[&office.anchor]);
    // Without the derogation, which the archive of these tests has: as if its last day had passed.
    let later = "31000000";
    let shifted = |arguments: &[&str]| sandbox.run_with(arguments, "CUSTODE_TEST_CLOCK_SHIFT", later);
    let asked = office.asked();
    let sealed = shifted(&["--json", "seal"]);
    assert_eq!(sealed.status.code(), Some(2), "{}", text(&sealed));
    assert!(text(&sealed).contains("copies/too-few"), "{}", text(&sealed));
    assert_eq!(office.asked(), asked, "a time-stamp was paid for");
    let told = sandbox.serve_with(&[("CUSTODE_TEST_CLOCK_SHIFT", later)]).err().expect("it serves");
    assert!(told.contains("copies/too-few") && told.contains("vault derogate"), "{told}");
    let alarms = text(&shifted(&["--json", "alarms"]));
    assert!(alarms.contains("copies/too-few"), "{alarms}");
    // Nobody but a manager gives leave, and only for a year.
    std::fs::write(sandbox.path("deroga.pdf"), "firmato").unwrap();
    let derogate = |until: &str, token: Option<&str>| {
        let mut command =
            sandbox.command(&["--json", "vault", "derogate", "--until", until, "--reason", "x", "--act", "deroga.pdf"]);
        text(&command.envs(token.map(|token| ("CUSTODE_TOKEN", token))).output().unwrap())
    };
    assert!(derogate("2027-01-01", None).contains("auth/person"), "{}", derogate("2027-01-01", None));
    let manager = std::fs::read_to_string(sandbox.path("manager.token")).unwrap();
    assert!(derogate("2099-01-01", Some(&manager)).contains("within a year"));
    // Two vaults at two sites need none.
    let path = sandbox.root().join("custode.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let second = "[[vault]]\nname = \"b\"\npath = \"../b\"\nsite = \"SITE\"\ncountry = \"IT\"\n\n[copies]\n";
    for (site, code) in [("milano ", "copies/too-few"), ("Torino", "tsa-down")] {
        std::fs::write(&path, config.replacen("[copies]\n", &second.replace("SITE", site), 1)).unwrap();
        // With two sites it goes on until the authority, whose clock is a year behind this one.
        let sealed = text(&shifted(&["--json", "seal"]));
        assert!(sealed.contains(&format!("\"code\":\"{code}\"")), "{site}: {sealed}");
    }
    assert!(!text(&shifted(&["--json", "alarms"])).contains("copies/too-few"));
    // Where copies may not be, it does not even open.
    std::fs::write(&path, config.replace("country = \"IT\"", "country = \"CH\"")).unwrap();
    let refused = text(&sandbox.run(&["--json", "search"]));
    assert!(refused.contains("profile/forbids") && refused.contains("copies.countries"), "{refused}");
}
