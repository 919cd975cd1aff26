//! The archive that is damaged: built with the real program, over nineteen years of its clock, with one of everything that an archive
//! can hold. An older state of the whole folder is kept on the way, for whoever puts a backup back.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use custode::corpus::{Generator, Item, LogForm, Options};
use reqwest::blocking::Client;
use serde_json::{Value, json};

use super::seal::{SUBJECT, Seal};
use super::stand::copy;

/// Seconds ahead of the clock: the development authority's certificates last twenty years.
const NOW: u64 = 0;
const DAY: u64 = 90_000;
pub const LATE: u64 = 606_000_000;

/// The archive, what stands beside it, and an older state of all of it.
pub struct Made {
    folder: tempfile::TempDir,
    seal: Seal,
    manager: String,
    /// A receipt (JSON) that a depositor kept, of a document in the newest package.
    pub receipt: String,
}

/// A process that ends when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program and reads the first line that it prints.
fn start(command: &mut Command) -> (Running, Value) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it did not start: {line:?}"));
    (Running(child), said)
}

fn text(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The program on the archive of a folder, with the clock so many seconds ahead.
pub fn program(folder: &Path, shift: u64, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custode"));
    command.arg("--archive").arg(folder.join("archive")).args(["--lang", "en", "--json"]).args(arguments);
    command.env("CUSTODE_TEST_CLOCK_SHIFT", shift.to_string()).env_remove("CUSTODE_TOKEN");
    command.current_dir(folder).stdin(Stdio::null());
    command
}

impl Made {
    /// In memory where there is such a place: thousands of damages need no disk.
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let seal = Seal::new("P-256", SUBJECT, "7700");
        let mut made = Self { folder: folder.unwrap(), seal, manager: String::new(), receipt: String::new() };
        made.live();
        made
    }

    /// As it is in the end: `archive`, `archive.keys`, and `copia`, the second vault.
    pub fn now(&self) -> PathBuf {
        self.folder.path().join("now")
    }

    /// As it was after the first day.
    pub fn older(&self) -> PathBuf {
        self.folder.path().join("older")
    }

    /// As it was before the newest package: after the key was changed and all evidence renewed.
    pub fn lately(&self) -> PathBuf {
        self.folder.path().join("lately")
    }

    /// A package of another archive, of the same series.
    pub fn strange(&self) -> PathBuf {
        self.beside("other/archive/packages/generic/00000001")
    }

    /// Somewhere to put things, where the archive is.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, shift: u64, arguments: &[&str]) -> Output {
        let mut command = program(&self.now(), shift, arguments);
        let deciding = ["adopt", "person", "token", "rotate"];
        if arguments.iter().any(|argument| deciding.contains(argument)) {
            command.env("CUSTODE_TOKEN", &self.manager);
        }
        command.output().unwrap()
    }

    fn json(&self, shift: u64, arguments: &[&str]) -> Value {
        let output = self.run(shift, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {}", text(&output)))
    }

    /// A night whose check is good: logs that nobody deposits are an alarm of it, and none of ours.
    fn night(&self, shift: u64) {
        let output = self.run(shift, &["nightly"]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
        assert_eq!(told["check"]["outcome"], "good", "{told}");
    }

    /// Deposits a document, and gives its receipt.
    fn deposit(&self, shift: u64, class: &str, name: &str, bytes: &[u8], metadata: &Value) -> Value {
        let folder = self.beside("in");
        std::fs::create_dir_all(&folder).unwrap();
        let (path, beside) = (folder.join(name), folder.join("metadata.json"));
        std::fs::write(&path, bytes).unwrap();
        std::fs::write(&beside, metadata.to_string()).unwrap();
        let (path, beside) = (path.display().to_string(), beside.display().to_string());
        let receipt = self.json(shift, &["deposit", "--class", class, "--meta", &beside, &path]);
        assert_eq!(receipt["status"], "accepted", "{receipt}");
        receipt
    }

    fn items(&self, shift: u64, items: &[Item]) {
        for item in items {
            self.deposit(shift, item.class, &item.name, &item.bytes, &Value::Object(item.metadata.clone()));
        }
    }

    fn generic(&self, shift: u64, name: &str, bytes: &[u8]) -> Value {
        self.deposit(shift, "generic", name, bytes, &json!({ "date": "2026-01-01" }))
    }

    /// All of it.
    fn live(&mut self) {
        std::fs::create_dir_all(self.now()).unwrap();
        let made = self.json(NOW, &["init"]);
        self.manager = made["manager_token"].as_str().unwrap().to_owned();
        let witness = self.configure();
        let mut corpus = Generator::new(3, Options::default()).unwrap();
        self.first_day(&mut corpus);
        copy(&self.now(), &self.older());
        self.second_day(&mut corpus);
        self.many_years_later();
        drop(witness);
        self.another();
    }

    /// Another archive, with one package of the same series.
    fn another(&self) {
        let (folder, path) = (self.beside("other"), self.beside("in/estranea.txt"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, "di un altro archivio\n").unwrap();
        let path = path.display().to_string();
        for arguments in [&["init"][..], &["deposit", "--class", "generic", "-m", "date=2026-01-01", &path], &["seal"]]
        {
            let output = program(&folder, NOW, arguments).output().unwrap();
            assert!(output.status.success(), "{}", text(&output));
        }
    }

    /// A second vault, a signer, and a witness that is asked after each seal while this runs.
    fn configure(&self) -> Running {
        let path = self.now().join("archive/custode.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let text = self.seal.configured(&text, &self.seal.table(""));
        let dir = self.beside("witness").display().to_string();
        let made = Command::new(env!("CARGO_BIN_EXE_custode"))
            .args(["witness", "init", "--name", "testimone.example/w1", "--dir", &dir])
            .output()
            .unwrap();
        assert!(made.status.success());
        let vkey = self.now().join("archive/chain/archive.vkey").display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_custode"));
        command.args(["--json", "witness", "serve", "--listen", "127.0.0.1:0", "--dir", &dir, "--log", &vkey]);
        let (running, said) = start(&mut command);
        let (url, key) = (said["listening"].as_str().unwrap(), said["vkey"].as_str().unwrap());
        let tables =
            "[[vault]]\nname = \"copia\"\npath = \"../copia\"\nsite = \"Torino\"\ncountry = \"IT\"\n\n[copies]\n";
        let witness = format!("[[witness]]\nurl = \"{url}\"\nvkey = \"{key}\"\ntimeout = \"2s\"\n\n[end]\n");
        for table in ["[copies]\n", "[end]\n"] {
            assert!(text.contains(table), "custode.toml has no {table:?}");
        }
        std::fs::write(&path, text.replacen("[copies]\n", tables, 1).replacen("[end]\n", &witness, 1)).unwrap();
        running
    }

    /// Every class, a deposit that is split between two packages, a refusal, an access, a seal, a night.
    fn first_day(&self, corpus: &mut Generator) {
        self.items(NOW, &corpus.conversation().unwrap());
        self.items(NOW, &corpus.invoice_case().unwrap());
        self.items(NOW, &corpus.identity_file());
        let yesterday = jiff::Zoned::now().date().yesterday().unwrap();
        self.items(NOW, &[corpus.pec_log(yesterday, LogForm::Csv)]);
        self.generic(NOW, "nota.txt", &"una nota\n".repeat(40).into_bytes());
        self.served(|client, base| {
            let files = json!([
                { "name": "uno.txt", "metadata": { "date": "2025-03-01" } },
                { "name": "due.txt", "metadata": { "date": "2026-03-01" } },
            ]);
            let manifest = json!({ "class": "generic", "files": files }).to_string();
            let part = |head: &str, body: &str| {
                format!("--confine\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n")
            };
            let file = |name: &str| part(&format!("name=\"file\"; filename=\"{name}\""), name);
            let body = part("name=\"manifest\"", &manifest) + &file("uno.txt") + &file("due.txt") + "--confine--\r\n";
            let request = client.post(format!("{base}/v1/deposits")).body(body);
            let reply = request.header("content-type", "multipart/form-data; boundary=confine").send().unwrap();
            let receipt: Value = reply.json().unwrap();
            assert_eq!(receipt["documents"].as_array().map(Vec::len), Some(2), "{receipt}");
            self.refused(client, base, "alterata.txt");
        });
        self.json(NOW, &["seal"]);
        self.json(NOW, &["check"]);
        self.night(DAY);
    }

    /// Second packages, a repair, acts of the manager, another key.
    fn second_day(&self, corpus: &mut Generator) {
        self.items(DAY, &corpus.conversation().unwrap());
        self.generic(DAY, "altra nota.txt", &"un'altra nota\n".repeat(50).into_bytes());
        self.json(DAY, &["seal"]);
        self.night(2 * DAY);
        let damaged = self.now().join("copia/generic/00000001/toc");
        let mut bytes = std::fs::read(&damaged).unwrap();
        bytes[20] ^= 1;
        std::fs::remove_file(&damaged).unwrap();
        std::fs::write(&damaged, bytes).unwrap();
        self.json(2 * DAY, &["repair"]);
        assert!(std::fs::read_dir(self.now().join("archive/quarantine")).unwrap().count() > 0);
        let manual = self.beside("manuale.pdf");
        std::fs::write(&manual, "il manuale di conservazione").unwrap();
        let manual = manual.display().to_string();
        self.json(2 * DAY, &["manual", "adopt", &manual, "--version", "1.0", "--from", "2026-01-01"]);
        self.json(2 * DAY, &["person", "add", "Seconda Persona"]);
        self.json(2 * DAY, &["key", "rotate", "--reason", "routine"]);
    }

    /// Evidence renewed by a time-stamp, then with another digest; a package that nothing was renewed of; what is not sealed.
    fn many_years_later(&mut self) {
        let renewed = self.json(LATE, &["renew"]);
        assert!(renewed["runs"][0]["stamps"].as_u64() > Some(0), "{renewed}");
        let table = std::fs::read_to_string(self.now().join("archive/policies/algorithms@1.toml")).unwrap();
        let table = table.replace("version = 1", "version = 2");
        let table = table.replacen("name = \"SHA-256\"\n", "name = \"SHA-256\"\nuntil = \"2044-12-31\"\n", 1);
        let draft = self.beside("algorithms.toml");
        std::fs::write(&draft, table).unwrap();
        self.json(LATE, &["policy", "adopt", &draft.display().to_string()]);
        let renewed = self.json(LATE, &["renew"]);
        assert_eq!(renewed["runs"][0]["digest"], "SHA-512", "{renewed}");
        self.night(LATE);
        copy(&self.now(), &self.lately());
        let receipt = self.generic(LATE, "recente.txt", &"una nota recente\n".repeat(30).into_bytes());
        self.receipt = receipt.to_string();
        let id = receipt["documents"][0]["id"].as_str().unwrap();
        self.json(LATE, &["seal"]);
        self.json(LATE, &["check", "--quick"]);
        let read = self.beside("letta.txt").display().to_string();
        let read = self.run(LATE, &["get", id, "-o", &read]);
        assert!(read.status.success(), "{}", text(&read));
        self.generic(LATE, "in attesa.txt", b"non ancora sigillata\n");
        let mut noise = vec![0; 1_200_000];
        blake3::Hasher::new().update(b"rumore").finalize_xof().fill(&mut noise);
        self.generic(LATE, "grande.bin", &noise);
        self.generic(LATE, "ultima.txt", b"l'ultima\n");
    }

    /// Serves the archive for a while, to a producer.
    fn served(&self, work: impl Fn(&Client, &str)) {
        let token = self.json(NOW, &["token", "create", "--role", "producer"]);
        let token = token["secret"].as_str().unwrap();
        let mut command = program(&self.now(), NOW, &["serve", "--listen", "127.0.0.1:0"]);
        let (mut running, said) = start(&mut command);
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        let client = Client::builder().no_proxy().default_headers(headers).build().unwrap();
        work(&client, said["listening"].as_str().unwrap());
        let done = Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().unwrap();
        assert!(done.success() && running.0.wait().unwrap().success());
    }

    /// A deposit whose bytes are not those announced.
    fn refused(&self, client: &Client, base: &str, name: &str) {
        let address = format!("{base}/v1/documents?class=generic&name={name}");
        let wrong = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
        for body in ["uno", "due"] {
            let reply = client.post(&address).header("content-digest", wrong).body(body).send().unwrap();
            assert_eq!(reply.status().as_u16(), 422);
        }
    }
}
