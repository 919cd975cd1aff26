//! The archive of the simulation: opened, closed, asked, and handed to the real program.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use custode::archive::Archive;
use custode::archive::access::Actor;
use custode::chain::note::Verifier;
use custode::chain::witness::{Keeper, create_key};
use custode::clock::{Clock as _, italy};
use custode::http::witness::Server;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::clock::Jumping;
use super::office::Office;
use super::signers::Signers;

pub struct Life {
    pub folder: tempfile::TempDir,
    pub clock: Arc<Jumping>,
    pub office: Arc<Office>,
    manager: String,
    runtime: tokio::runtime::Runtime,
    witness: Option<Server>,
    pub witness_key: String,
    /// Public keys of the archive, oldest first.
    keys: Vec<String>,
    signers: Option<Signers>,
    archive: Option<Arc<Archive>>,
}

impl Life {
    /// A new archive for production, that the real program makes; its authority; and its witness.
    pub fn begin(start: Date) -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let clock = Jumping::at(start.at(1, 0, 0, 0).to_zoned(italy()).unwrap().timestamp());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut life = Self {
            office: Office::new(&clock),
            folder,
            clock,
            manager: String::new(),
            runtime,
            witness: None,
            witness_key: String::new(),
            keys: Vec::new(),
            signers: None,
            archive: None,
        };
        let url = life.office.serve();
        life.office.root("a", 3652);
        life.office.unit("a", "a1", "rsa:2048", 2191);
        let anchors = life.office.anchors().display().to_string();
        let init = ["init", "--profile", "production", "--tsa", &url, "--tsa-anchor", &anchors];
        let who = ["--holder", "Esempio S.p.A.", "--holder-id", "VATIT-01234567890", "--manager", "Maria Esempio"];
        let made = life.told(&[&init[..], &who[..]].concat());
        made["manager_token"].as_str().unwrap().clone_into(&mut life.manager);
        let text = std::fs::read_to_string(life.path("archive/custode.toml")).unwrap();
        let text = text.replace("#documents = []", "documents = [{ title = \"Atto di nomina\" }]");
        std::fs::write(life.path("archive/custode.toml"), text).unwrap();
        // Three copies at two sites, all of them before anything counts as sealed.
        let vault = |name: &str, path: &str, site: &str| {
            format!(
                "[[vault]]\nname = \"{name}\"\n{path}site = \"{site}\"\ncountry = \"IT\"\noperator = \"Esempio S.p.A.\"\n\n"
            )
        };
        let vaults = [
            vault("local", "", "Milano"),
            vault("secondo", "path = \"../secondo\"\n", "Torino"),
            vault("terzo", "path = \"../terzo\"\n", "Torino"),
        ];
        life.configure("[copies]\n", &format!("{}[copies]\nrequired = 3\n", vaults.concat()));
        // A stamp over the chain every fortnight: each is a token that is renewed, and judged by others at the end.
        life.configure("[tsa]\n", "[tsa]\ncheckpoint_every = \"14d\"\n");
        std::fs::write(life.path("corpus.pem"), super::deposits::authority()).unwrap();
        life.signers = Some(Signers::new(&life.office.command));
        let believed =
            [life.path("corpus.pem"), life.signers().authority()].map(|path| format!("\"{}\"", path.display()));
        life.configure("#pec = []", &format!("pec = [{}]", believed[0]));
        life.configure("#signatures = []", &format!("signatures = [{}]", believed.join(", ")));
        life.signers().issue(&life.office.command, "s1", 1461);
        life.configure("[signer]\n", &life.signers().table("s1"));
        life.witness_key = create_key(&life.path("witness"), "testimone.example/w1").unwrap().to_string();
        let address = life.serve_witness("127.0.0.1:0");
        let key = &life.witness_key;
        life.configure("[end]\n", &format!("[[witness]]\nurl = \"http://{address}\"\nvkey = \"{key}\"\n\n[end]\n"));
        life
    }

    /// The witness, for every key that the archive has had; where it answers.
    fn serve_witness(&mut self, address: &str) -> SocketAddr {
        let key = self.vkey();
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
        let keys: Vec<Verifier> = self.keys.iter().map(|key| key.parse().unwrap()).collect();
        let keeper = Keeper::open(&self.path("witness"), &keys, Arc::clone(&self.clock) as _).unwrap();
        let server = self.runtime.block_on(Server::start(keeper, address.parse().unwrap())).unwrap();
        let address = server.address;
        self.witness = Some(server);
        address
    }

    /// The witness is told the archive's new key.
    pub fn tell_witness(&mut self) {
        let address = self.stop_witness();
        self.serve_witness(&address);
    }

    /// The witness lets go of what was lost, as its operator is told to have it do after a restoration.
    pub fn have_witness_forget(&mut self) {
        let address = self.stop_witness();
        let (folder, key) = (self.path("witness").display().to_string(), self.vkey());
        self.told(&["witness", "forget", "--dir", &folder, "--log", &key]);
        self.serve_witness(&address);
    }

    fn stop_witness(&mut self) -> String {
        let server = self.witness.take().unwrap();
        let address = server.address.to_string();
        self.runtime.block_on(server.stop());
        address
    }

    pub fn signers(&self) -> &Signers {
        self.signers.as_ref().expect("made at the beginning")
    }

    /// Somebody else signs from now on.
    pub fn change_signer(&mut self, old: &str, new: &str, days: u32) {
        self.close();
        self.signers().issue(&self.office.command, new, days);
        self.configure(&format!("{old}.p12"), &format!("{new}.p12"));
    }

    /// The archive's public key.
    pub fn vkey(&self) -> String {
        std::fs::read_to_string(self.path("archive/chain/archive.vkey")).unwrap().trim().to_owned()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Changes one thing in `custode.toml`; read when the archive is opened next.
    pub fn configure(&self, from: &str, to: &str) {
        let path = self.path("archive/custode.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "custode.toml has no {from:?}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }

    /// The archive, opened when it is not.
    pub fn archive(&mut self) -> Arc<Archive> {
        if let Some(archive) = &self.archive {
            return Arc::clone(archive);
        }
        let archive = Archive::open_with(&self.path("archive"), Arc::clone(&self.clock) as _).unwrap();
        self.archive = Some(Arc::clone(&archive));
        archive
    }

    pub fn close(&mut self) {
        if let Some(archive) = self.archive.take() {
            archive.close().unwrap();
            assert_eq!(Arc::strong_count(&archive), 1, "somebody still has the archive");
        }
    }

    pub fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How many packages the chain says were sealed.
    pub fn sealed_packages(&self) -> u64 {
        let entries = std::fs::read_to_string(self.path("archive/chain/entries")).unwrap();
        entries.matches("\"kind\":\"package\"").count() as u64
    }

    /// The entries of the chain of a kind: what stands under its name.
    pub fn entries(&self, kind: &str) -> Vec<Value> {
        let entries = std::fs::read_to_string(self.path("archive/chain/entries")).unwrap();
        let mark = format!("\"kind\":\"{kind}\"");
        let lines = entries.lines().filter(|line| line.contains(&mark));
        lines.map(|line| serde_json::from_str::<Value>(line).unwrap()[kind].take()).collect()
    }

    /// How many renewals the chain names, and packages that got one, each as often as it did.
    pub fn renewals(&self) -> (u64, u64) {
        let entries = self.entries("renewal");
        let ids: BTreeSet<&str> = entries.iter().filter_map(|entry| entry["id"].as_str()).collect();
        let packages: usize = entries.iter().map(|entry| entry["packages"].as_array().unwrap().len()).sum();
        (ids.len() as u64, packages as u64)
    }

    /// The manager, for what a person decides.
    pub fn manager(&mut self) -> Actor {
        let token = self.manager.clone();
        self.archive().authenticate(&token).unwrap()
    }

    /// The real program on the archive, at the simulation's time, as its operator; nobody else may have it open.
    pub fn command(&self, arguments: &[&str]) -> Command {
        assert!(self.archive.is_none(), "the archive is open here: {arguments:?}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_custode"));
        command.arg("--archive").arg(self.path("archive")).args(["--lang", "en", "--json"]).args(arguments);
        for name in ["CUSTODE_TEST_ABORT_AT", "CUSTODE_TEST_FAIL", "CUSTODE_TOKEN"] {
            command.env_remove(name);
        }
        command.env("CUSTODE_TEST_CLOCK_SHIFT", self.clock.shift());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Exit status and JSON of the real program.
    pub fn said(&self, arguments: &[&str]) -> (i32, Value) {
        let out = self.run(arguments);
        let said = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {}", text(&out)));
        (out.status.code().unwrap_or(-1), said)
    }

    /// What the real program says when all is well.
    pub fn told(&self, arguments: &[&str]) -> Value {
        let (status, said) = self.said(arguments);
        assert_eq!(status, 0, "{arguments:?}: {said:#}");
        said
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Some(server) = self.witness.take() {
            self.runtime.block_on(server.stop());
        }
    }
}

pub fn text(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
