//! An archive of one's own, the real program on it, and a client.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use custode::hash::Sha256;
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::Value;

/// A folder that goes when the test ends. In memory where there is such a place: a killed process leaves the page cache
/// alone, so the disk would add nothing but time.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    pub fn empty() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { folder: folder.unwrap() }
    }

    /// With a new trial archive.
    pub fn new() -> Self {
        Self::empty().initialised()
    }

    /// With a new trial archive, on a real disk.
    pub fn on_disk() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }.initialised()
    }

    fn initialised(self) -> Self {
        let sandbox = self;
        let made = sandbox.run(&["init"]);
        assert!(made.status.success(), "{}", text(&made));
        sandbox
    }

    /// The same files again, elsewhere.
    pub fn twin(&self) -> Self {
        let twin = Self::empty();
        copy(self.folder.path(), twin.folder.path());
        twin
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    pub fn keys(&self) -> PathBuf {
        self.folder.path().join("archive.keys")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_custode"));
        command.arg("--archive").arg(self.root()).args(["--lang", "en"]).args(arguments);
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for name in ["CUSTODE_TEST_ABORT_AT", "CUSTODE_TEST_FAIL", "CUSTODE_TEST_CLOCK_SHIFT", "CUSTODE_TOKEN"] {
            command.env_remove(name);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub fn run_with(&self, arguments: &[&str], name: &str, value: &str) -> Output {
        self.command(arguments).env(name, value).output().unwrap()
    }

    /// A run that must succeed, and its JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[&["--json"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn serve(&self) -> Server {
        self.serve_with(&[]).unwrap_or_else(|told| panic!("the archive does not open: {told}"))
    }

    /// A server under these variables, or what it said when it did not start.
    pub fn serve_with(&self, variables: &[(&str, &str)]) -> Result<Server, String> {
        let log = self.path("serve.log");
        let mut command = self.command(&["--json", "serve", "--listen", "127.0.0.1:0"]);
        command.envs(variables.iter().copied()).stdout(Stdio::piped());
        command.stderr(std::fs::File::options().create(true).append(true).open(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        let Some(base) = told["listening"].as_str() else {
            let _ = child.wait();
            return Err(line + &std::fs::read_to_string(log).unwrap());
        };
        let lock: Value = serde_json::from_slice(&std::fs::read(self.root().join("lock")).unwrap()).unwrap();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        let caller = Caller { base: base.to_owned(), token: lock["token"].as_str().unwrap().to_owned(), client };
        Ok(Server { child, caller })
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What a process printed.
pub fn text(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{}\n{out}{}", output.status, String::from_utf8_lossy(&output.stderr))
}

/// Whether a process ended by its own abort, as a power cut would end it.
pub fn aborted(output: &Output) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    output.status.signal() == Some(6)
}

/// A running server; killed when dropped.
pub struct Server {
    pub child: Child,
    pub caller: Caller,
}

impl Server {
    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and its end; what it had to say.
    pub fn stopped(mut self, sandbox: &Sandbox) -> String {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let started = std::time::Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < Duration::from_secs(30), "it does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::fs::read_to_string(sandbox.path("serve.log")).unwrap_or_default()
    }

    /// The largest resident memory so far, in bytes.
    pub fn peak(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Who talks to a server. Calls give `None` when the connection broke, as it does when the server is killed.
#[derive(Clone)]
pub struct Caller {
    pub base: String,
    pub token: String,
    pub client: Client,
}

/// An answer.
pub struct Told {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The stable code of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A deposit to be made, always the same for the same number.
#[derive(Clone)]
pub struct Wish {
    pub key: String,
    pub date: &'static str,
    pub body: Vec<u8>,
}

impl Wish {
    pub fn new(number: u64, length: usize) -> Self {
        let mut body = vec![0; length];
        blake3::Hasher::new().update(&number.to_le_bytes()).finalize_xof().fill(&mut body);
        // Dates of two years: two cohorts, two packages.
        let date = if number.is_multiple_of(2) { "2024-05-05" } else { "2025-06-06" };
        Self { key: format!("key-{number}"), date, body }
    }
}

/// A deposit that was acknowledged.
#[derive(Clone)]
pub struct Acknowledged {
    pub wish: Wish,
    pub document: String,
    pub id: String,
    pub sequence: u64,
    pub sha256: Sha256,
    pub receipt: Vec<u8>,
}

impl Acknowledged {
    pub fn of(wish: Wish, told: &Told) -> Self {
        let receipt = told.json();
        let told_sha256 = receipt["documents"][0]["sha256"].as_str().unwrap();
        let sha256 = Sha256::of(&wish.body);
        assert_eq!(told_sha256, sha256.to_string());
        Self {
            wish,
            document: receipt["documents"][0]["id"].as_str().unwrap().to_owned(),
            id: receipt["receipt"].as_str().unwrap().to_owned(),
            sequence: receipt["sequence"].as_u64().unwrap(),
            sha256,
            receipt: told.body.clone(),
        }
    }
}

impl Caller {
    fn send(&self, request: RequestBuilder) -> Option<Told> {
        let mut response = request.bearer_auth(&self.token).send().ok()?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        // A body cut short is a broken connection too: nothing was acknowledged to this client.
        response.read_to_end(&mut body).ok()?;
        Some(Told { status, body })
    }

    pub fn get(&self, path: &str) -> Option<Told> {
        self.send(self.client.get(format!("{}{path}", self.base)))
    }

    pub fn post(&self, path: &str, body: &Value) -> Option<Told> {
        self.send(self.client.post(format!("{}{path}", self.base)).body(body.to_string()))
    }

    pub fn deposit(&self, wish: &Wish) -> Option<Told> {
        let url = format!("{}/v1/documents?class=generic&name={}.bin&m.date={}", self.base, wish.key, wish.date);
        self.send(self.client.post(url).header("Idempotency-Key", &wish.key).body(wish.body.clone()))
    }

    /// A deposit that must be accepted.
    pub fn accepted(&self, wish: Wish) -> Acknowledged {
        let told = self.deposit(&wish).expect("an answer");
        assert_eq!(told.status, 201, "{}", String::from_utf8_lossy(&told.body));
        Acknowledged::of(wish, &told)
    }

    /// What was acknowledged is there byte for byte, and its receipt is given again byte for byte.
    pub fn holds(&self, acknowledged: &Acknowledged) {
        let content = self.get(&format!("/v1/documents/{}/content", acknowledged.document)).expect("an answer");
        let said = String::from_utf8_lossy(&content.body[..content.body.len().min(600)]);
        assert_eq!(content.status, 200, "number {}: {said}", acknowledged.sequence);
        assert!(content.body == acknowledged.wish.body, "number {} is altered", acknowledged.sequence);
        let receipt = self.get(&format!("/v1/receipts/{}", acknowledged.id)).expect("an answer");
        assert!(receipt.body == acknowledged.receipt, "the receipt of number {} differs", acknowledged.sequence);
    }

    /// The same deposit again gives the same receipt, and no new one.
    pub fn replays(&self, acknowledged: &Acknowledged) {
        let told = self.deposit(&acknowledged.wish).expect("an answer");
        assert_eq!(told.status, 200, "number {} was taken twice", acknowledged.sequence);
        assert!(told.body == acknowledged.receipt, "the replayed receipt of number {} differs", acknowledged.sequence);
    }
}
