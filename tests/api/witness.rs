//! `custode witness serve` as any archive meets it, over real HTTP; and its cosignatures, judged by OpenSSL.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custode::chain::Checkpoint;
use custode::chain::merkle::{Tree, leaf};
use custode::chain::note::Signer;
use reqwest::blocking::{Client, Response};
use serde_json::Value;

use crate::server::{PROGRAM, problem};

/// A witness that runs; killed when dropped.
pub struct Witness {
    pub base: String,
    pub vkey: String,
    child: Child,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Witness {
    /// Makes the key of a new witness in `dir`.
    pub fn init(dir: &Path) -> String {
        let name = ["witness", "init", "--name", "testimone.example/w1", "--dir"];
        let out = Command::new(PROGRAM).args(name).arg(dir).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap().trim().to_owned()
    }

    /// Serves the witness in `dir` for these logs, on this port (0: a free one).
    pub fn serve(dir: &Path, port: u16, logs: &[&str]) -> Self {
        Self::serve_with(dir, port, logs, &[])
    }

    /// The same; what it says goes to this file.
    pub fn serve_telling(dir: &Path, port: u16, logs: &[&str], log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        Self::start(dir, port, logs, &[], log.into())
    }

    /// The same with these variables in its environment.
    fn serve_with(dir: &Path, port: u16, logs: &[&str], env: &[(&str, &str)]) -> Self {
        Self::start(dir, port, logs, env, Stdio::null())
    }

    fn start(dir: &Path, port: u16, logs: &[&str], env: &[(&str, &str)], log: Stdio) -> Self {
        let mut command = Command::new(PROGRAM);
        command.envs(env.iter().copied());
        command.args(["--json", "witness", "serve", "--listen", &format!("127.0.0.1:{port}"), "--dir"]).arg(dir);
        for log in logs {
            command.args(["--log", log]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the witness did not start: {line}"));
        let text = |key: &str| said[key].as_str().unwrap().to_owned();
        Self { base: text("listening"), vkey: text("vkey"), child }
    }

    pub fn port(&self) -> u16 {
        self.base.rsplit(':').next().unwrap().parse().unwrap()
    }

    fn post(&self, body: impl Into<reqwest::blocking::Body>) -> Response {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
        client.post(format!("{}/add-checkpoint", self.base)).body(body).send().unwrap()
    }

    fn checkpoint(&self, origin: &str) -> Response {
        let client = Client::builder().no_proxy().build().unwrap();
        let name = custode::hash::Sha256::of(origin.as_bytes());
        client.get(format!("{}/{name}/checkpoint", self.base)).send().unwrap()
    }
}

/// The log of the published vectors, of eight entries.
struct Log {
    signer: Signer,
    tree: Tree,
}

const ORIGIN: &str = "conservazione.example/log1";

impl Log {
    fn new() -> Self {
        let mut tree = Tree::default();
        (0..8).for_each(|n| tree.push(leaf(format!("entry-{n}").as_bytes())));
        Self { signer: Signer::for_name(ORIGIN, &std::array::from_fn(|n| n as u8)).unwrap(), tree }
    }

    fn note(&self, size: u64) -> String {
        let root = self.tree.root_at(size).unwrap();
        self.signer.sign_note(&Checkpoint { origin: ORIGIN.into(), size, root }.text()).unwrap()
    }

    fn body(&self, old: u64, size: u64) -> String {
        let proof: String =
            self.tree.consistency(old, size).unwrap().iter().map(|hash| STANDARD.encode(hash.0) + "\n").collect();
        format!("old {old}\n{proof}\n{}", self.note(size))
    }
}

/// Whether OpenSSL verifies a cosignature line over this text with the key of a vkey.
fn openssl_verifies(text: &str, line: &str, vkey: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let key = STANDARD.decode(vkey.splitn(3, '+').nth(2).unwrap()).unwrap();
    assert_eq!(key[0], 4);
    // SubjectPublicKeyInfo of Ed25519 (RFC 8410).
    let spki = [&hex::decode("302a300506032b6570032100").unwrap()[..], &key[1..]].concat();
    let payload = STANDARD.decode(line.trim_end().rsplit(' ').next().unwrap()).unwrap();
    let time = u64::from_be_bytes(payload[4..12].try_into().unwrap());
    std::fs::write(dir.path().join("key"), spki).unwrap();
    std::fs::write(dir.path().join("message"), format!("cosignature/v1\ntime {time}\n{text}")).unwrap();
    std::fs::write(dir.path().join("signature"), &payload[12..]).unwrap();
    let arguments = "pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in message -sigfile signature";
    let out = Command::new("openssl").current_dir(dir.path()).args(arguments.split(' ')).output().unwrap();
    out.status.success()
}

#[test]
fn a_witness_answers_with_the_status_codes_of_the_standard() {
    let dir = tempfile::tempdir().unwrap();
    let vkey = Witness::init(dir.path());
    let log = Log::new();
    let key = "conservazione.example/log1+3ce07db4+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    assert_eq!(log.signer.verifier().to_string(), key);
    let witness = Witness::serve(dir.path(), 0, &[key]);
    assert_eq!(witness.vkey, vkey);
    problem(witness.checkpoint(ORIGIN), 404);

    let reply = witness.post(log.body(0, 3));
    assert_eq!(reply.status(), 200);
    let line = reply.text().unwrap();
    assert!(line.starts_with("\u{2014} testimone.example/w1 ") && line.matches('\n').count() == 1, "{line}");
    if crate::judges::present(&["openssl"]) {
        let note = log.note(3);
        let text = &note[..=note.find("\n\n").unwrap()];
        assert!(openssl_verifies(text, &line, &vkey));
        assert!(!openssl_verifies(&text.replace("\n3\n", "\n4\n"), &line, &vkey), "openssl sees another size");
    }
    let kept = witness.checkpoint(ORIGIN);
    assert_eq!(kept.status(), 200);
    assert_eq!(kept.text().unwrap(), log.note(3) + &line);

    let reply = witness.post(log.body(0, 7));
    assert_eq!(reply.status(), 409);
    assert_eq!(reply.headers()["content-type"], "text/x.tlog.size");
    assert_eq!(reply.text().unwrap(), "3\n");
    assert_eq!(witness.post(log.body(3, 7)).status(), 200, "the published proof 3 -> 7");
    let codes = [
        (log.body(7, 8).replace("old 7", "old 9"), 400, "witness/malformed"),
        ("nothing".to_owned(), 400, "witness/malformed"),
        (log.body(7, 8).replace(ORIGIN, "altro.example"), 404, "witness/unknown-log"),
        (log.body(7, 8).replace("\n8\n", "\n9\n"), 403, "witness/not-signed"),
        (
            log.body(7, 8).replacen('\n', "\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", 1),
            422,
            "witness/inconsistent",
        ),
        (format!("old 7\n\n{}", log.note(8)), 422, "witness/inconsistent"),
    ];
    for (body, status, code) in codes {
        assert_eq!(problem(witness.post(body), status)["code"], code);
    }
    problem(witness.post(vec![b'x'; 70 << 10]), 413);
    let client = Client::builder().no_proxy().build().unwrap();
    problem(client.get(format!("{}/add-checkpoint", witness.base)).send().unwrap(), 405);
    problem(client.get(format!("{}/../witness.key", witness.base)).send().unwrap(), 404);
    assert!(witness.checkpoint(ORIGIN).text().unwrap().starts_with(&log.note(7)));
}

#[test]
fn what_was_cosigned_is_known_after_a_kill_and_a_slow_client_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    Witness::init(dir.path());
    let log = Log::new();
    let key = log.signer.verifier().to_string();
    let witness = Witness::serve(dir.path(), 0, &[&key]);
    assert_eq!(witness.post(log.body(0, 5)).status(), 200);
    // A head that never ends and a body that never comes.
    let address: SocketAddr = witness.base.trim_start_matches("http://").parse().unwrap();
    let mut slow: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    for (n, stream) in slow.iter_mut().enumerate() {
        let head = if n % 2 == 0 {
            "POST /add-ch"
        } else {
            "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 90\r\n\r\nold"
        };
        stream.write_all(head.as_bytes()).unwrap();
    }
    assert_eq!(witness.post(log.body(5, 6)).status(), 200);
    let port = witness.port();
    drop(witness);
    let witness = Witness::serve(dir.path(), port, &[&key]);
    let reply = witness.post(log.body(0, 8));
    assert_eq!((reply.status().as_u16(), reply.text().unwrap().as_str()), (409, "6\n"));
    let mut rest = Vec::new();
    let _ = slow[0].read_to_end(&mut rest);
}

#[test]
fn a_witness_stopped_at_any_step_never_forgets_what_it_answered() {
    let log = Log::new();
    let key = log.signer.verifier().to_string();
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap();
    let (mut stopped, mut step) = (0, 1u64);
    loop {
        let dir = tempfile::tempdir().unwrap();
        Witness::init(dir.path());
        let witness = Witness::serve(dir.path(), 0, &[&key]);
        assert_eq!(witness.post(log.body(0, 3)).status(), 200);
        drop(witness);
        let witness = Witness::serve_with(dir.path(), 0, &[&key], &[("CUSTODE_TEST_ABORT_AT", &step.to_string())]);
        let answered = client.post(format!("{}/add-checkpoint", witness.base)).body(log.body(3, 7)).send();
        let answered = answered.is_ok_and(|reply| reply.status() == 200);
        drop(witness);
        let witness = Witness::serve(dir.path(), 0, &[&key]);
        let known = witness.post(log.body(0, 8)).text().unwrap();
        assert!(known == "7\n" || (known == "3\n" && !answered), "step {step}: answered {answered}, knows {known}");
        if answered {
            break;
        }
        stopped += 1;
        step += 1;
    }
    assert!(stopped >= 3, "only {stopped} steps");
}
