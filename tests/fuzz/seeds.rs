//! What fuzzing starts from: the files of `tests/corpus`, what is inside them, and a few made on the spot.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use custode::clock::ManualClock;
use custode::corpus::{self, Container, Fate, Format, Generator, LogForm, Options};
use custode::evidence::cms::{self, SignedData};
use custode::evidence::ers::file::{Group, TreeFile};
use custode::evidence::tsp::{self, Authority as _, DevelopmentAuthority};
use custode::hash::Sha256;
use jiff::Timestamp;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Longest seed taken: mutation of longer ones costs time and finds nothing that shorter ones would not.
const LONGEST: usize = 48 * 1024;

/// Seeds of each target, by name, without repetitions, in a fixed order.
#[derive(Default)]
pub struct Seeds(BTreeMap<&'static str, BTreeMap<String, Vec<u8>>>);

impl Seeds {
    /// All seeds; `root` is the folder of the main package.
    pub fn gather(root: &Path) -> Self {
        let mut seeds = Self::default();
        for (class, target) in [
            ("pec-message", "pec"),
            ("pec-virus", "pec"),
            ("invoice", "invoice"),
            ("sdi-notification", "notification"),
            ("pec-log", "pec_log"),
            ("identity-document", "identity"),
        ] {
            for path in files(&root.join("tests/corpus").join(class)) {
                let bytes = std::fs::read(&path).unwrap();
                seeds.with_insides(target, &path.file_name().unwrap().to_string_lossy(), &bytes);
            }
        }
        for target in ["xades", "trusted_list", "ldif", "revocation"] {
            for path in files(&root.join("tests/fuzz/seeds").join(target)) {
                seeds.add(target, &path.file_name().unwrap().to_string_lossy(), &std::fs::read(&path).unwrap());
            }
        }
        seeds.generated();
        seeds.evidence();
        seeds.archives();
        seeds
    }

    /// Those of one target.
    pub fn of(&self, target: &str) -> Vec<(&str, &[u8])> {
        let all = self.0.get(target).into_iter().flatten();
        all.map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
    }

    fn add(&mut self, target: &'static str, name: &str, bytes: &[u8]) {
        let known = self.0.entry(target).or_default();
        if bytes.len() <= LONGEST && !known.values().any(|other| other == bytes) {
            known.insert(name.to_owned(), bytes.to_vec());
        }
    }

    /// A file, and what it holds that is a format of its own.
    fn with_insides(&mut self, target: &'static str, name: &str, bytes: &[u8]) {
        self.add(target, name, bytes);
        if let Ok(der) = cms::unwrap(bytes) {
            self.signed(name, bytes, &der);
        }
        for (position, part) in base64_blocks(bytes).into_iter().enumerate() {
            let name = format!("{name}-{position}");
            match cms::unwrap(&part) {
                Ok(der) => self.signed(&name, &part, &der),
                Err(_) if holds(&part, b"<postacert") => self.add("daticert", &name, &part),
                Err(_) if holds(&part, b"FatturaElettronica") => self.add("invoice", &name, &part),
                Err(_) => {}
            }
        }
        let start = bytes.windows(10).position(|window| window == b"<postacert");
        let end = bytes.windows(12).position(|window| window == b"</postacert>");
        if let (Some(start), Some(end)) = (start, end)
            && start < end
        {
            self.add("daticert", name, &bytes[start..end + 12]);
        }
    }

    fn signed(&mut self, name: &str, bytes: &[u8], der: &[u8]) {
        self.add("cms", name, bytes);
        self.add("cms", &format!("{name}-der"), der);
        for certificate in SignedData::parse(der).map(|data| data.certificates).unwrap_or_default() {
            self.add("certificate", &hex::encode(&Sha256::of(certificate.der()).as_bytes()[..8]), certificate.der());
        }
    }

    /// Invoices in every container, an identity file, logs of both forms.
    fn generated(&mut self) {
        let mut generator = Generator::new(7, Options { log_rows: 60, ..Options::default() }).unwrap();
        for (position, container) in
            [Container::Plain, Container::Der, Container::Ber, Container::Base64].into_iter().enumerate()
        {
            let case = generator.invoice_case_with(Format::Fpa12, container, Fate::Delivered).unwrap();
            for item in case {
                let target = if item.class == "invoice" { "invoice" } else { "notification" };
                self.with_insides(target, &format!("{position}-{}", item.name), &item.bytes);
            }
        }
        for item in generator.identity_file() {
            self.add("identity", &item.name, &item.bytes);
        }
        for form in [LogForm::Csv, LogForm::KeyValue] {
            let item = generator.pec_log("2026-11-21".parse().unwrap(), form);
            self.add("pec_log", &item.name, &item.bytes);
        }
    }

    /// Zip archives of invoices and notifications: stored, deflated, one in another.
    fn archives(&mut self) {
        let files: Vec<(String, Vec<u8>)> = ["invoice", "notification"]
            .into_iter()
            .flat_map(|target| self.of(target).into_iter().take(3))
            .map(|(name, bytes)| (format!("cartella/{name}.xml"), bytes.to_vec()))
            .collect();
        let pack = |files: &[(String, Vec<u8>)], method| {
            let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
            for (name, bytes) in files {
                writer.start_file(name.as_str(), SimpleFileOptions::default().compression_method(method)).unwrap();
                writer.write_all(bytes).unwrap();
            }
            writer.finish().unwrap().into_inner()
        };
        let deflated = pack(&files, CompressionMethod::Deflated);
        self.add("zip", "deflated", &deflated);
        self.add("zip", "stored", &pack(&files[..1], CompressionMethod::Stored));
        let inner = [("dentro.zip".to_owned(), deflated), files[1].clone()];
        self.add("zip", "nested", &pack(&inner, CompressionMethod::Stored));
        self.add("zip", "empty", &pack(&[], CompressionMethod::Stored));
    }

    /// Time-stamps, and what the archive writes around them.
    fn evidence(&mut self) {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let authority = DevelopmentAuthority::create(Arc::new(ManualClock::at(now))).unwrap();
        let imprint = Sha256::of(b"custode");
        let reply = authority.stamp(&tsp::request(imprint, Some(&[7; 8]))).unwrap();
        let token = tsp::token_of_reply(&reply).unwrap();
        self.add("timestamp", "reply", &reply);
        self.add("timestamp", "token", &token);
        self.add("cms", "token", &token);
        let group = |seed: &[u8]| Group::new(None, [Sha256::of(seed)]);
        let tree = TreeFile::build(vec![group(b"a")]).unwrap();
        self.add("records", "tree", &tree.encode());
        self.add("records", "record", &tree.record(None, &token).unwrap().to_der());
        for (name, pem) in corpus::trust_anchors().unwrap() {
            for der in cms::unwrap::pem_blocks(pem.as_bytes(), &["CERTIFICATE"]).unwrap() {
                self.add("certificate", &name, &der);
            }
        }
    }
}

/// Documents of a folder of the corpus; none when there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_none_or(|e| e != "json")).collect();
    paths.sort();
    paths
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// What the runs of base64 lines in a text decode to.
fn base64_blocks(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut blocks = vec![Vec::new()];
    for line in bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        let is_base64 = line.len() >= 4 && line.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b));
        match blocks.last_mut() {
            Some(last) if is_base64 => last.extend_from_slice(line),
            _ => blocks.push(Vec::new()),
        }
    }
    blocks.iter().filter(|block| block.len() > 200).filter_map(|block| STANDARD.decode(block).ok()).collect()
}
