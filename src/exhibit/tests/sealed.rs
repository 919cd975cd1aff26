//! A sealed package of several deposits with its chain and its authority, and bundles taken apart and put together.

use std::collections::HashMap;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;
use zip::write::SimpleFileOptions;

use crate::chain::note::Signer;
use crate::chain::proof::Proof;
use crate::chain::{Entry, Kind as EntryKind, Ledger};
use crate::clock::ManualClock;
use crate::document::agid::{self, AgidInput, Holder};
use crate::document::class::Classes;
use crate::document::format::Format;
use crate::error::{Code, Error, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::ers::Tree;
use crate::evidence::tsp::{Authority as _, DevelopmentAuthority, request, token_of_reply};
use crate::exhibit::bundle::{Exhibits, Made, Source, write};
use crate::exhibit::verify::{Outcome, Report, Trust};
use crate::hash::{Blake3, Digests, Sha256};
use crate::id::{BundleId, DocumentId, PackageRef, PersonId, ReceiptId};
use crate::intake::manifest::{Channel, Deposit, Depositor, Item, Manifest, Replay};
use crate::intake::receipt::{ENGINE, Facts, note_text, origin, rdv};
use crate::package::FileFacts;
use crate::package::member::Kind;
use crate::package::pindex::tests::{plan as example_plan, process};
use crate::package::plan::Plan;
use crate::package::reader::Package;
use crate::package::writer::{MemberSource, Staging, StagingKey};

pub(in crate::exhibit) const SECRET: &str = "segreto del vicino";

#[derive(Default)]
pub(in crate::exhibit) struct Members(pub(in crate::exhibit) HashMap<(u8, Uuid), Vec<u8>>);

impl Members {
    pub(in crate::exhibit) fn put(&mut self, kind: Kind, id: Uuid, bytes: Vec<u8>) -> Digests {
        let digests = Digests::of(&bytes);
        self.0.insert((kind as u8, id), bytes);
        digests
    }

    pub(in crate::exhibit) fn get(&self, kind: Kind, id: Uuid) -> Result<Box<dyn Read + '_>> {
        let bytes = self.0.get(&(kind as u8, id)).ok_or_else(|| Error::new(Code::FileMissing, "").at(id))?;
        Ok(Box::new(&bytes[..]))
    }
}

impl MemberSource for Members {
    fn document(&self, id: &DocumentId) -> Result<Box<dyn Read + '_>> {
        self.get(Kind::Document, id.0)
    }
    fn metadata(&self, id: &DocumentId) -> Result<Box<dyn Read + '_>> {
        self.get(Kind::Metadata, id.0)
    }
    fn rdv(&self, id: &ReceiptId) -> Result<Box<dyn Read + '_>> {
        self.get(Kind::Receipt, id.0)
    }
    fn note(&self, id: &ReceiptId) -> Result<Box<dyn Read + '_>> {
        self.get(Kind::Note, id.0)
    }
    fn manifest(&self, id: &ReceiptId) -> Result<Box<dyn Read + '_>> {
        self.get(Kind::Manifest, id.0)
    }
}

/// A sealed package of five documents of three deposits, its chain and its authority, as an archive would have them.
pub(in crate::exhibit) struct Sealed {
    pub(in crate::exhibit) dir: tempfile::TempDir,
    pub(in crate::exhibit) clock: Arc<ManualClock>,
    pub(in crate::exhibit) signer: Signer,
    pub(in crate::exhibit) ledger: Ledger,
    pub(in crate::exhibit) anchors: Anchors,
    pub(in crate::exhibit) authority: DevelopmentAuthority,
    pub(in crate::exhibit) plan: Plan,
    pub(in crate::exhibit) folder: PathBuf,
    pub(in crate::exhibit) entry: u64,
    pub(in crate::exhibit) renewals: Vec<u64>,
}

pub(in crate::exhibit) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap()))
}

pub(in crate::exhibit) fn object(value: serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    value.as_object().unwrap().clone()
}

pub(in crate::exhibit) fn sealed() -> Sealed {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    std::fs::create_dir_all(dir.path().join("archive")).unwrap();
    let signer = Signer::for_name("archivio.example", &[7; 32]).unwrap();
    let genesis = object(json!({ "profile": "trial" }));
    let ledger = Ledger::create(&dir.path().join("archive"), signer.clone(), genesis, Arc::clone(&clock) as _).unwrap();
    let (plan, members) = members(&signer);
    let staging = Staging::create(&dir.path().join("archive"), plan.clone(), &StagingKey::derive(b"secret")).unwrap();
    staging.build(&members, &process()).unwrap();

    // The evidence as a closing run of two packages makes it.
    let folder = staging.package_folder();
    let mut tree = staging.tree(crate::evidence::digest::Algorithm::Sha256).unwrap();
    let run = Tree::build(&[tree.root(), Sha256::of(b"another package").into()]).unwrap();
    tree.place(&run).unwrap();
    let authority = DevelopmentAuthority::create(Arc::clone(&clock) as _).unwrap();
    let reply = authority.stamp(&request(tree.run_root(), None)).unwrap();
    let token = token_of_reply(&reply).unwrap();
    std::fs::create_dir_all(folder.join("evidence")).unwrap();
    for (name, bytes) in
        [("0001.tree", tree.encode()), ("0001.tsr", reply), ("0001.ers", tree.record(None, &token).unwrap().to_der())]
    {
        std::fs::write(folder.join("evidence").join(name), bytes).unwrap();
    }
    let files: Vec<FileFacts> = Package::open_folder(&folder)
        .unwrap()
        .list()
        .unwrap()
        .iter()
        .map(|f| FileFacts::new(&f.name, Digests::of(&std::fs::read(folder.join(&f.name)).unwrap())))
        .collect();
    let pindex = files.iter().find(|f| f.name == "PIndex.xml").unwrap().sha256;
    for n in 0..5 {
        ledger.append(EntryKind::Check, object(json!({ "n": n }))).unwrap();
    }
    let entry = json!({
        "series": plan.package.series, "number": plan.package.number, "pindex": pindex, "previous": plan.previous,
        "ers_root": tree.root(), "run_root": tree.run_root(), "documents": plan.documents.len(), "files": files,
    });
    let entry = ledger.append(EntryKind::Package, object(entry)).unwrap().seq;
    ledger.append(EntryKind::Check, object(json!({ "n": 6 }))).unwrap();
    Sealed {
        clock,
        signer,
        ledger,
        anchors: authority.anchors().unwrap(),
        authority,
        plan,
        folder,
        entry,
        renewals: Vec::new(),
        dir,
    }
}

pub(in crate::exhibit) fn members(signer: &Signer) -> (Plan, Members) {
    let mut plan = example_plan(5);
    plan.package = "generic/7".parse().unwrap();
    let mut members = Members::default();
    let class = Classes::standard().unwrap().latest(&"generic".parse().unwrap()).unwrap().clone();
    let holder = Holder { name: "Titolare Esempio".into(), ..Holder::default() };
    let at = plan.planned_at;
    for receipt in &mut plan.receipts {
        let mut items = Vec::new();
        for (n, document) in plan.documents.iter_mut().enumerate().filter(|(_, d)| d.receipt == receipt.id) {
            let bytes = vec![b'a' + n as u8; if n == 3 { 100_000 } else { 10 + 1000 * n }];
            let digests = members.put(Kind::Document, document.id.0, bytes);
            let format = Format { media_type: document.media_type.clone(), extension: document.extension.clone() };
            let subject = if n == 1 { "oggetto <b>&</b>".to_owned() } else { format!("{SECRET} {n}") };
            let metadata = json!({ "subject": subject, "numbers": [1, 2] });
            let name =
                if n == 1 { "../Fattura \"1\" perché\n.xml.p7m".to_owned() } else { format!("{SECRET} {n}.eml") };
            let file = agid::render(&AgidInput {
                class: &class,
                document: document.id,
                receipt: receipt.id,
                idempotency_key: None,
                accepted_at: at,
                name: &name,
                format: &format,
                digests,
                salt: [n as u8; 16],
                metadata: metadata.as_object().unwrap(),
                origins: &Default::default(),
                findings: &[],
                controls: &[],
                holder: &holder,
                system: "prova",
                attachments: &[],
                primary: None,
                members: &[],
            });
            (document.bytes, document.sha256) = (digests.bytes, digests.sha256);
            document.label = String::new();
            document.metadata_sha256 = members.put(Kind::Metadata, document.id.0, file).sha256;
            items.push(Item {
                id: document.id,
                bytes: digests.bytes,
                media_type: document.media_type.clone(),
                sha256: digests.sha256,
                blake3: digests.blake3,
                metadata_sha256: document.metadata_sha256,
                class: None,
                class_version: None,
                archive_sha256: None,
                controls: Vec::new(),
            });
        }
        let sequence = plan.documents.iter().find(|d| d.receipt == receipt.id).unwrap().sequence;
        let deposit = Deposit {
            receipt: receipt.id,
            lane: crate::id::Lane(1),
            agreement: "accordo".into(),
            holder: "VATIT-00000000000".into(),
            producer: "prova".into(),
            depositor: Depositor { person: PersonId(Uuid::from_u128(9)), token: "t-1".into() },
            channel: Channel::Http,
            class: "generic".parse().unwrap(),
            class_version: class.version,
            received_at: at,
            bytes: 100,
            sha256: Sha256::of(b"body"),
            client_manifest_sha256: None,
            controls: Vec::new(),
            documents: items,
        };
        let replay = Replay { key: None, fingerprint: Blake3::of(b"x") };
        let manifest = Manifest::new(deposit.clone(), replay).to_bytes();
        let facts = Facts {
            deposit,
            manifest_sha256: Sha256::of(&manifest),
            sequence,
            accepted_at: at,
            chain_size: 1,
            chain_root: Sha256::of(b"root"),
            engine: ENGINE.into(),
            trial: true,
        };
        let xml = rdv::render(&facts);
        let name = origin(signer.name());
        let note = signer.renamed(&name).unwrap().sign_note(&note_text(&name, &facts, &xml)).unwrap();
        receipt.manifest_sha256 = members.put(Kind::Manifest, receipt.id.0, manifest).sha256;
        receipt.note_sha256 = members.put(Kind::Note, receipt.id.0, note.into_bytes()).sha256;
        receipt.rdv_sha256 = members.put(Kind::Receipt, receipt.id.0, xml).sha256;
    }
    (plan, members)
}

impl Source for Sealed {
    fn package(&self, package: &PackageRef) -> Result<Package> {
        assert_eq!(*package, self.plan.package);
        Package::open_folder(&self.folder)
    }
    fn line(&self, seq: u64) -> Result<Entry> {
        self.ledger.entry(seq)
    }
    fn entry(&self, _: &PackageRef) -> Result<Entry> {
        self.ledger.entry(self.entry)
    }
    fn renewals(&self, _: &PackageRef) -> Result<Vec<Entry>> {
        self.renewals.iter().map(|seq| self.ledger.entry(*seq)).collect()
    }
    fn proof(&self, seq: u64) -> Result<Proof> {
        self.ledger.proof(seq)
    }
}

impl Sealed {
    pub(in crate::exhibit) fn write(&self, documents: &[usize], whole: bool, path: &Path) -> Result<Made> {
        use crate::clock::Clock as _;
        let documents = documents.iter().map(|n| (self.plan.documents[*n].id, self.plan.package.clone())).collect();
        write(
            &Exhibits {
                bundle: BundleId(Uuid::from_u128(77)),
                made_at: self.clock.now(),
                holder: "Titolare Esempio & figli".into(),
                trial: true,
                signer: &self.ledger.signer(),
                keys: self.ledger.keys(),
                anchors: &self.anchors,
                trust: crate::evidence::trust::Trust::nobody(),
                signature: None,
                checkpoint: self.ledger.head().checkpoint,
                stamps: Vec::new(),
                witnesses: Vec::new(),
                documents,
                packages: if whole { vec![self.plan.package.clone()] } else { Vec::new() },
                source: self,
                progress: &|_, _| (),
            },
            path,
        )
    }

    pub(in crate::exhibit) fn trust(&self) -> Trust {
        Trust { anchors: Some(self.anchors.clone()), key: Some(self.signer.verifier()), witnesses: Vec::new() }
    }

    pub(in crate::exhibit) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

pub(in crate::exhibit) type Unzipped = Vec<(String, Vec<u8>)>;

pub(in crate::exhibit) fn unzip(path: &Path) -> Unzipped {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    (0..zip.len())
        .map(|n| {
            let mut file = zip.by_index(n).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (String::from_utf8(file.name_raw().to_vec()).unwrap(), bytes)
        })
        .collect()
}

pub(in crate::exhibit) fn rezip(files: &Unzipped, path: &Path) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in files {
        zip.start_file(name.as_str(), SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored))
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

pub(in crate::exhibit) fn named(report: &Report, name: &str) -> bool {
    report.findings.iter().any(|f| f.outcome == Outcome::Bad && f.place == name)
}
