//! A real archive behind the real program, in a folder of its own, on a free port.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_custode");

/// An archive on disk, served or not.
pub struct Archive {
    pub _folder: tempfile::TempDir,
    pub root: PathBuf,
    /// The first manager's token.
    pub manager: String,
}

impl Archive {
    /// A new trial archive.
    pub fn new() -> Self {
        Self::made(&[])
    }

    /// A new archive, with these options of `init`.
    pub fn made(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("archive");
        let mut command = Command::new(PROGRAM);
        command.env_remove("CUSTODE_TOKEN").args(["--json", "--archive"]).arg(&root).arg("init").args(options);
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let made: Value = serde_json::from_slice(&out.stdout).unwrap();
        let manager = made["manager_token"].as_str().unwrap().to_owned();
        Self { _folder: folder, root, manager }
    }

    /// A command of the program on this archive, in English, with nothing of our own environment that could matter.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.env_remove("CUSTODE_TOKEN").env_remove("CUSTODE_TEST_CLOCK_SHIFT").env("CUSTODE_LANG", "en");
        command.arg("--archive").arg(&self.root).args(args);
        command
    }

    /// Runs a command as the local operator. What `verify` says, the other verifier must say as well.
    pub fn run(&self, args: &[&str]) -> Output {
        let output = self.command(args).output().unwrap();
        let said: Vec<&str> = args.iter().copied().filter(|arg| *arg != "--json").collect();
        if let (["verify", bundle, options @ ..], Some(status)) = (&said[..], output.status.code())
            && said.len() < args.len()
        {
            let report = serde_json::from_slice(&output.stdout).ok();
            crate::second_verifier::agree(std::path::Path::new(bundle), options, status, report.as_ref());
        }
        output
    }

    /// Runs a command as the manager and gives its JSON.
    pub fn manage(&self, args: &[&str]) -> Value {
        let out = self.command(args).arg("--json").env("CUSTODE_TOKEN", &self.manager).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}{}", text(&out.stdout), text(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    }

    /// The secret of a new token of a system in this role.
    pub fn token(&self, role: &str) -> String {
        self.manage(&["token", "create", "--role", role])["secret"].as_str().unwrap().to_owned()
    }

    /// Serves it.
    pub fn serve(self) -> Server {
        Server::start(self, &[])
    }

    /// A file of the archive.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Lines of `chain/entries`.
    pub fn entries(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("chain/entries")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Changes one thing in `custode.toml`.
    pub fn configure(&self, from: &str, to: &str) {
        let path = self.path("custode.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "custode.toml has no {from:?}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }

    /// Every file under the archive, with its path inside it.
    pub fn files(&self) -> Vec<(String, PathBuf)> {
        fn walk(folder: &Path, root: &Path, out: &mut Vec<(String, PathBuf)>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, root, out);
                } else {
                    out.push((path.strip_prefix(root).unwrap().display().to_string(), path));
                }
            }
        }
        let mut out = Vec::new();
        walk(&self.root, &self.root, &mut out);
        out
    }
}

/// A running server; killed when dropped.
pub struct Server {
    pub archive: Archive,
    pub base: String,
    pub client: Client,
    /// Everything it wrote to its standard error so far.
    pub log: Arc<Mutex<String>>,
    child: Running,
}

/// A process that is killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// A new archive, served.
    pub fn new() -> Self {
        Archive::new().serve()
    }

    /// Serves this archive, with these variables in its environment.
    pub fn start(archive: Archive, env: &[(&str, &str)]) -> Self {
        let (child, base, log) = spawn(&archive, env);
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        Self { archive, base, client, log, child }
    }

    /// Stops it politely, does something to the archive at rest, and serves it again.
    pub fn restart_after(&mut self, env: &[(&str, &str)], meanwhile: impl FnOnce(&Archive)) {
        self.stop();
        meanwhile(&self.archive);
        self.resume(env);
    }

    /// Serves a stopped one again.
    pub fn resume(&mut self, env: &[(&str, &str)]) {
        let (child, base, log) = spawn(&self.archive, env);
        (self.child, self.base, self.log) = (child, base, log);
    }

    /// Stops it politely.
    pub fn stop(&mut self) {
        let kill = Command::new("kill").args(["-TERM", &self.child.0.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let started = Instant::now();
        loop {
            match self.child.0.try_wait().unwrap() {
                Some(status) => return assert!(status.success(), "{status}: {}", self.log.lock().unwrap()),
                None if started.elapsed() > Duration::from_secs(30) => panic!("it does not stop"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Kills it; the archive at rest.
    pub fn killed(self) -> Archive {
        self.archive
    }

    pub fn get(&self, path: &str, token: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base)).bearer_auth(token)
    }

    pub fn post(&self, path: &str, token: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).bearer_auth(token)
    }

    /// The local operator's token, as it stands in `lock`.
    pub fn operator(&self) -> String {
        let lock = std::fs::read_to_string(self.archive.path("lock")).unwrap();
        let lock: Value = serde_json::from_str(&lock).unwrap();
        lock["token"].as_str().unwrap().to_owned()
    }

    /// JSON of a good answer.
    pub fn json(&self, path: &str, token: &str) -> Value {
        good(self.get(path, token).send().unwrap())
    }

    /// Deposits one document, with metadata in the header.
    pub fn deposit(&self, token: &str, class: &str, name: &str, metadata: &Value, body: Vec<u8>) -> Response {
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let request = self.post(&format!("/v1/documents?class={class}&name={name}"), token).body(body);
        let request = match metadata {
            Value::Null => request,
            given => request.header("custode-metadata", given.to_string().into_bytes()),
        };
        request.send().unwrap()
    }

    /// Deposits one plain document of class `generic` and gives its receipt.
    pub fn generic(&self, token: &str, name: &str, body: &[u8]) -> Value {
        let reply = self.deposit(token, "generic", name, &Value::Null, body.to_vec());
        assert_eq!(reply.status(), 201, "{}", reply.text().unwrap());
        reply.json().unwrap()
    }

    /// Seals whatever is open.
    pub fn seal(&self) -> Value {
        good(self.post("/v1/seal", &self.archive.manager).send().unwrap())
    }

    /// A search, in the body.
    pub fn search(&self, token: &str, body: Value) -> Value {
        good(self.post("/v1/documents/search", token).body(body.to_string()).send().unwrap())
    }

    /// What a bad request must not change: the chain, and the next number of the journal.
    pub fn state(&self) -> State {
        let ready = self.json("/readyz", &self.archive.manager);
        State {
            chain: ready["chain"]["size"].as_u64().unwrap(),
            unsealed: ready["unsealed"]["documents"].as_u64().unwrap(),
            incoming: std::fs::read_dir(self.archive.path("intake/incoming")).map_or(0, Iterator::count),
        }
    }
}

/// What a bad request must not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    chain: u64,
    unsealed: u64,
    incoming: usize,
}

fn spawn(archive: &Archive, env: &[(&str, &str)]) -> (Running, String, Arc<Mutex<String>>) {
    let mut command = archive.command(&["serve", "--listen", "127.0.0.1:0", "--json"]);
    for (name, value) in env {
        command.env(name, value);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let log = Arc::new(Mutex::new(String::new()));
    let (stderr, sink) = (child.stderr.take().unwrap(), Arc::clone(&log));
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut sink = sink.lock().unwrap();
            sink.push_str(&line);
            sink.push('\n');
        }
    });
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
    let Some(base) = said["listening"].as_str() else {
        let _ = child.wait();
        std::thread::sleep(Duration::from_millis(100));
        panic!("the server did not start: {line}{}", log.lock().unwrap());
    };
    // Whatever else it prints must not fill the pipe.
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut stdout.by_ref(), &mut std::io::sink());
    });
    (Running(child), base.to_owned(), log)
}

/// JSON of an answer that must be good.
pub fn good(reply: Response) -> Value {
    let (status, url) = (reply.status(), reply.url().clone());
    let body = reply.text().unwrap();
    assert!(status.is_success(), "{url}: {status} {body}");
    serde_json::from_str(&body).unwrap()
}

/// A problem document that must be whole: type, code, findings, hint; gives it.
pub fn problem(reply: Response, status: u16) -> Value {
    let (got, url) = (reply.status().as_u16(), reply.url().clone());
    let media = reply.headers().get("content-type").map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default();
    let retry = reply.headers().contains_key("retry-after");
    let body = reply.text().unwrap();
    assert_eq!(got, status, "{url}: {body}");
    assert_eq!(media, "application/problem+json", "{url}: {body}");
    assert_eq!(retry, matches!(got, 423 | 429 | 503), "{url}: Retry-After: {body}");
    whole_problem(&body)
}

/// A problem document's members.
pub fn whole_problem(body: &str) -> Value {
    let value: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}"));
    for member in ["type", "title", "code", "hint"] {
        assert!(value[member].is_string(), "no {member}: {body}");
    }
    assert!(!value["code"].as_str().unwrap().is_empty(), "{body}");
    assert!(value["findings"].is_array(), "no findings: {body}");
    value
}

/// Codes of every finding of an answer, the deposit's own and its documents'.
pub fn codes(answer: &Value) -> Vec<String> {
    let documents = answer["documents"].as_array().into_iter().flatten();
    let lists = documents.map(|d| &d["findings"]).chain([&answer["findings"]]);
    lists
        .flat_map(|list| list.as_array().into_iter().flatten())
        .filter_map(|f| f["code"].as_str().map(str::to_owned))
        .collect()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A multipart body: parts of (name, file name, content).
pub fn multipart(parts: &[(&str, Option<&str>, &[u8])]) -> (String, Vec<u8>) {
    const BOUNDARY: &str = "----confine-di-prova";
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        body.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

impl Server {
    /// A deposit of many documents.
    pub fn deposit_many(&self, token: &str, query: &str, manifest: &Value, files: &[(&str, &[u8])]) -> Response {
        let manifest = manifest.to_string();
        let mut parts: Vec<(&str, Option<&str>, &[u8])> = vec![("manifest", None, manifest.as_bytes())];
        parts.extend(files.iter().map(|(name, content)| ("file", Some(*name), *content)));
        let (media, body) = multipart(&parts);
        self.post(&format!("/v1/deposits{query}"), token).header("content-type", media).body(body).send().unwrap()
    }
}

/// A manifest of plain files.
pub fn manifest(class: &str, names: &[&str]) -> Value {
    json!({ "class": class, "files": names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>() })
}
