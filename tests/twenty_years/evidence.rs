//! A package as anybody finds it on the disk: its members by stock means, its evidence from the files beside them.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::Path;
use std::sync::Mutex;

use custode::error::Result;
use custode::evidence::anchors::Anchors;
use custode::evidence::cms::SignedData;
use custode::evidence::digest::Digest;
use custode::evidence::ers::{History, Judge, Judged};
use custode::hash::Sha256;
use custode::package::generation;

/// A package's folder, read.
pub struct Package {
    /// `generic/1`
    pub name: String,
    /// What is in the archive file, by path.
    pub members: BTreeMap<String, Vec<u8>>,
    pub history: History,
}

impl Package {
    pub fn read(folder: &Path) -> Self {
        let file = std::fs::File::open(folder.join("content.tar.zst")).unwrap();
        let mut zstd = zstd::Decoder::new(file).unwrap();
        zstd.window_log_max(27).unwrap();
        let mut members = BTreeMap::new();
        for entry in tar::Archive::new(zstd).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            members.insert(entry.path().unwrap().to_str().unwrap().to_owned(), bytes);
        }
        let number: u64 = folder.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let series = folder.parent().unwrap().file_name().unwrap().to_str().unwrap();
        Self { name: format!("{series}/{number}"), members, history: history(folder) }
    }

    /// What the record of a document is about: itself, its metadata, and the receipt and manifest of its deposit.
    pub fn objects(&self, id: &str, receipt: &str) -> [&[u8]; 4] {
        let document = format!("documents/{id}.");
        let (_, document) =
            self.members.range(document.clone()..).find(|(path, _)| path.starts_with(&document)).unwrap();
        let member = |path: String| self.members[&path].as_slice();
        let (metadata, rdv) = (format!("metadata/{id}.xml"), format!("receipts/{receipt}.xml"));
        [document.as_slice(), member(metadata), member(rdv), member(format!("manifests/{receipt}.json"))]
    }
}

fn history(folder: &Path) -> History {
    let generations = (1..).take_while(|n| folder.join(generation::token_name(*n)).exists()).count();
    let read = |name: &str, _: u64| Ok(std::fs::read(folder.join(name)).unwrap());
    generation::history(u32::try_from(generations).unwrap(), &read).unwrap()
}

/// The certificate (DER) that signed a token.
pub fn signer(token: &[u8]) -> Vec<u8> {
    let data = SignedData::parse(token).unwrap();
    data.signers[0].certificate(&data.certificates).unwrap().der().to_vec()
}

/// Our own judge of tokens, who looks at each token once: thousands of records share one.
pub struct Remembering {
    anchors: Anchors,
    known: Mutex<HashMap<(Sha256, Vec<u8>), Judged>>,
}

impl Remembering {
    pub fn new(anchors: Anchors) -> Self {
        Self { anchors, known: Mutex::default() }
    }

    /// Tokens looked at.
    pub fn tokens(&self) -> u64 {
        self.known.lock().unwrap().len() as u64
    }
}

impl Judge for Remembering {
    fn stamped(&self, token: &[u8]) -> Result<Digest> {
        self.anchors.stamped(token)
    }

    fn judge(&self, token: &[u8], imprint: &Digest) -> Result<Judged> {
        let key = (Sha256::of(token), imprint.bytes().to_vec());
        if let Some(known) = self.known.lock().unwrap().get(&key) {
            return Ok(known.clone());
        }
        let judged = self.anchors.judge(token, imprint)?;
        self.known.lock().unwrap().insert(key, judged.clone());
        Ok(judged)
    }
}
