//! An archive whose authority is ours to break, behind the real program.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use reqwest::blocking::Response;
use serde_json::Value;

use crate::office::{Defect, Office, POLICY};
use crate::serve::Served;
use crate::server;

/// Who stamps.
pub struct Authority {
    _folder: tempfile::TempDir,
    pub served: Served,
    pub anchor: PathBuf,
}

/// A trial archive that asks a served authority for the policy it expects.
pub struct Archive {
    archive: server::Archive,
    pub authority: Authority,
}

impl Deref for Archive {
    type Target = server::Archive;

    fn deref(&self) -> &server::Archive {
        &self.archive
    }
}

impl Archive {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let office = Office::create(folder.path());
        let anchor = office.anchor();
        let served = Served::start(office, "127.0.0.1:0".parse().unwrap(), Defect::None).unwrap();
        let archive =
            server::Archive::made(&["--tsa", &served.url(), "--tsa-anchor", anchor.to_str().expect("a plain path")]);
        archive.configure("# policy = \"0.4.0.2023.1.1\"", &format!("policy = \"{POLICY}\"\ntimeout = \"2s\" #"));
        Self { archive, authority: Authority { _folder: folder, served, anchor } }
    }

    pub fn serve(self) -> Server {
        Server { server: self.archive.serve(), authority: self.authority }
    }
}

/// Every package's folder.
pub fn packages(archive: &server::Archive) -> Vec<PathBuf> {
    let Ok(found) = std::fs::read_dir(archive.path("packages/generic")) else { return Vec::new() };
    found.map(|entry| entry.unwrap().path()).collect()
}

/// A running server of such an archive.
pub struct Server {
    server: server::Server,
    pub authority: Authority,
}

impl Deref for Server {
    type Target = server::Server;

    fn deref(&self) -> &server::Server {
        &self.server
    }
}

impl Server {
    /// Kills it; the archive at rest.
    pub fn stop(self) -> Archive {
        Archive { archive: self.server.killed(), authority: self.authority }
    }

    pub fn breaks(&self, defect: Defect) {
        *self.authority.served.defect.lock().unwrap() = defect;
    }

    /// Tokens asked for so far.
    pub fn asked(&self) -> u64 {
        self.authority.served.asked.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Asks for sealing, whatever the answer.
    pub fn try_seal(&self) -> Response {
        self.post("/v1/seal", &self.operator()).body("{}").send().unwrap()
    }

    /// Deposits a document that holds its own name; its id.
    pub fn file(&self, name: &str) -> String {
        let receipt: Value = self.generic(&self.operator(), name, name.as_bytes());
        receipt["documents"][0]["id"].as_str().unwrap().to_owned()
    }

    /// The bytes of a document.
    pub fn content(&self, id: &str) -> Vec<u8> {
        let path = format!("/v1/documents/{id}/content");
        self.get(&path, &self.operator()).send().unwrap().bytes().unwrap().to_vec()
    }
}

pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
