//! An archive whose authority is ours to break, behind the real program.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use reqwest::blocking::{Client, Response};
use serde_json::Value;

use crate::office::{Defect, Office, POLICY};
use crate::serve::Served;

const PROGRAM: &str = env!("CARGO_BIN_EXE_custode");

/// A trial archive that asks a served authority for the policy it expects.
pub struct Archive {
    folder: tempfile::TempDir,
    pub authority: Served,
    pub anchor: PathBuf,
}

impl Archive {
    pub fn new(defect: Defect) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tsa = folder.path().join("tsa");
        std::fs::create_dir(&tsa).unwrap();
        let office = Office::create(&tsa);
        let anchor = office.anchor();
        let authority = Served::start(office, "127.0.0.1:0".parse().unwrap(), defect).unwrap();
        let root = folder.path().join("archive");
        let mut command = Command::new(PROGRAM);
        command.env_remove("CUSTODE_TOKEN").args(["--json", "--archive"]).arg(&root).arg("init");
        command.args(["--tsa", &authority.url(), "--tsa-anchor"]).arg(&anchor);
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let archive = Self { folder, authority, anchor };
        archive.configure("# policy = \"0.4.0.2023.1.1\"", &format!("policy = \"{POLICY}\"\ntimeout = \"2s\" #"));
        archive
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    pub fn configure(&self, from: &str, to: &str) {
        let path = self.root().join("custode.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "custode.toml has no {from:?}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.env("CUSTODE_LANG", "en").env_remove("CUSTODE_TOKEN").arg("--archive").arg(self.root());
        command.args(arguments).output().unwrap()
    }

    /// Every package's folder.
    pub fn packages(&self) -> Vec<PathBuf> {
        let series = self.root().join("packages/generic");
        let Ok(found) = std::fs::read_dir(series) else { return Vec::new() };
        found.map(|entry| entry.unwrap().path()).collect()
    }

    pub fn entries(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.root().join("chain/entries")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn serve(self) -> Server {
        let mut command = Command::new(PROGRAM);
        command.env("CUSTODE_LANG", "en").env_remove("CUSTODE_TOKEN").arg("--archive").arg(self.root());
        command.args(["serve", "--listen", "127.0.0.1:0", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it did not start: {line}"));
        let base = said["listening"].as_str().unwrap().to_owned();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(120)).build().unwrap();
        Server { archive: std::sync::Arc::new(self), base, client, child }
    }
}

/// A running server; killed when dropped.
pub struct Server {
    pub archive: std::sync::Arc<Archive>,
    base: String,
    client: Client,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Kills it; the archive at rest.
    pub fn stop(self) -> std::sync::Arc<Archive> {
        std::sync::Arc::clone(&self.archive)
    }

    pub fn breaks(&self, defect: Defect) {
        *self.archive.authority.defect.lock().unwrap() = defect;
    }

    pub fn post(&self, path: &str, body: Vec<u8>) -> Response {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth(self.token());
        request.body(body).send().unwrap()
    }

    pub fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.base)).bearer_auth(self.token()).send().unwrap()
    }

    /// The operator's, as it stands in `lock`.
    fn token(&self) -> String {
        let lock = std::fs::read_to_string(self.archive.root().join("lock")).unwrap();
        let lock: Value = serde_json::from_str(&lock).unwrap();
        lock["token"].as_str().unwrap().to_owned()
    }

    /// Deposits a document; its id.
    pub fn deposit(&self, name: &str) -> String {
        let reply = self.post(&format!("/v1/documents?class=generic&name={name}"), name.as_bytes().to_vec());
        assert_eq!(reply.status(), 201, "{}", reply.text().unwrap());
        let receipt: Value = reply.json().unwrap();
        receipt["documents"][0]["id"].as_str().unwrap().to_owned()
    }
}

pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
