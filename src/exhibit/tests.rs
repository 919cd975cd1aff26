//! Bundles made by hand: round trip, every file altered or removed, hostile zips, and the outside judges.

use std::collections::HashMap;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;
use zip::write::SimpleFileOptions;

use super::bundle::{Exhibits, Made, Source, write};
use super::verify::{Outcome, Report, Trust, verify};
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
use crate::hash::{Blake3, Digests, Sha256};
use crate::id::{BundleId, DocumentId, PackageRef, PersonId, ReceiptId};
use crate::intake::manifest::{Channel, Deposit, Depositor, Item, Manifest, Replay};
use crate::intake::receipt::{ENGINE, Facts, note_text, origin, rdv};
use crate::package::FileFacts;
use crate::package::member::Kind;
use crate::package::pindex::tests::{plan as example_plan, process};
use crate::package::plan::Plan;
use crate::package::reader::Package;
use crate::package::writer::{MemberSource, Staging};

const SECRET: &str = "segreto del vicino";

#[derive(Default)]
struct Members(HashMap<(u8, Uuid), Vec<u8>>);

impl Members {
    fn put(&mut self, kind: Kind, id: Uuid, bytes: Vec<u8>) -> Digests {
        let digests = Digests::of(&bytes);
        self.0.insert((kind as u8, id), bytes);
        digests
    }

    fn get(&self, kind: Kind, id: Uuid) -> Result<Box<dyn Read + '_>> {
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
struct Sealed {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    signer: Signer,
    ledger: Ledger,
    anchors: Anchors,
    plan: Plan,
    folder: PathBuf,
    entry: u64,
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap()))
}

fn object(value: serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    value.as_object().unwrap().clone()
}

fn sealed() -> Sealed {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    std::fs::create_dir_all(dir.path().join("archive")).unwrap();
    let signer = Signer::for_name("archivio.example", &[7; 32]).unwrap();
    let genesis = object(json!({ "profile": "trial" }));
    let ledger = Ledger::create(&dir.path().join("archive"), signer.clone(), genesis, Arc::clone(&clock) as _).unwrap();
    let (plan, members) = members(&signer);
    let staging = Staging::create(&dir.path().join("archive"), plan.clone()).unwrap();
    staging.build(&members, &process()).unwrap();

    // The evidence as a closing run of two packages makes it.
    let folder = staging.package_folder();
    let mut tree = staging.tree().unwrap();
    let run = Tree::build(&[tree.root(), Sha256::of(b"another package")]).unwrap();
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
    Sealed { clock, signer, ledger, anchors: authority.anchors().unwrap(), plan, folder, entry, dir }
}

fn members(signer: &Signer) -> (Plan, Members) {
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
    fn entry(&self, _: &PackageRef) -> Result<Entry> {
        self.ledger.entry(self.entry)
    }
    fn proof(&self, seq: u64) -> Result<Proof> {
        self.ledger.proof(seq)
    }
}

impl Sealed {
    fn write(&self, documents: &[usize], whole: bool, path: &Path) -> Result<Made> {
        use crate::clock::Clock as _;
        let documents = documents.iter().map(|n| (self.plan.documents[*n].id, self.plan.package.clone())).collect();
        write(
            &Exhibits {
                bundle: BundleId(Uuid::from_u128(77)),
                made_at: self.clock.now(),
                holder: "Titolare Esempio & figli".into(),
                trial: true,
                signer: &self.signer,
                anchors: &self.anchors,
                checkpoint: self.ledger.head().checkpoint,
                documents,
                packages: if whole { vec![self.plan.package.clone()] } else { Vec::new() },
                source: self,
                progress: &|_, _| (),
            },
            path,
        )
    }

    fn trust(&self) -> Trust {
        Trust { anchors: Some(self.anchors.clone()), key: Some(self.signer.verifier()) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

type Unzipped = Vec<(String, Vec<u8>)>;

fn unzip(path: &Path) -> Unzipped {
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

fn rezip(files: &Unzipped, path: &Path) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in files {
        zip.start_file(name.as_str(), SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored))
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

fn named(report: &Report, name: &str) -> bool {
    report.findings.iter().any(|f| f.outcome == Outcome::Bad && f.place == name)
}

#[test]
fn a_bundle_of_two_documents_verifies_and_shows_no_neighbour() {
    let sealed = sealed();
    let path = sealed.path("bundle.zip");
    let made = sealed.write(&[1, 0, 1], false, &path).unwrap();
    assert_eq!((made.documents, made.packages), (2, 0));
    let whole = std::fs::read(&path).unwrap();
    assert_eq!((made.bytes, made.sha256), (whole.len() as u64, Sha256::of(&whole)));

    let report = verify(&path, &sealed.trust()).unwrap();
    assert_eq!(report.findings, vec![]);
    assert_eq!(report.outcome, Outcome::Good);
    let stamped = crate::clock::truncate_ms({
        use crate::clock::Clock as _;
        sealed.clock.now()
    });
    assert_eq!(report.documents.len(), 2);
    assert!(report.documents.iter().all(|d| d.exists_since == Some(stamped) && d.outcome == Outcome::Good));

    let files = unzip(&path);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let id = sealed.plan.documents[1].id;
    assert!(names.contains(&format!("documents/{id}/Fattura _1_ perché_.xml.p7m").as_str()), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("packages/")));

    // Alone, a document shows nothing of the one deposited with it.
    sealed.write(&[1], false, &path).unwrap();
    for (name, bytes) in unzip(&path) {
        assert!(!bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes()), "{name}");
    }
    for page in ["LEGGIMI.html", "README.html"] {
        let (_, html) = unzip(&path).into_iter().find(|(name, _)| name == page).unwrap();
        let html = String::from_utf8(html).unwrap();
        assert!(html.contains("PROVA: senza valore legale") && html.contains("oggetto &lt;b&gt;&amp;&lt;/b&gt;"));
        assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"));
    }
}

#[test]
fn without_own_anchors_the_best_answer_is_unchecked_and_each_missing_one_is_named() {
    let sealed = sealed();
    let path = sealed.path("bundle.zip");
    sealed.write(&[0], false, &path).unwrap();
    let places = |trust: &Trust| {
        let report = verify(&path, trust).unwrap();
        assert_eq!(report.outcome, Outcome::Unchecked);
        assert!(report.findings.iter().all(|f| f.code == Code::AnchorMissing));
        assert!(report.documents[0].exists_since.is_some());
        report.findings.iter().map(|f| f.place.clone()).collect::<Vec<_>>()
    };
    assert_eq!(places(&Trust::default()), ["archive key", "time-stamping authority"]);
    assert_eq!(places(&Trust { key: None, ..sealed.trust() }), ["archive key"]);
    assert_eq!(places(&Trust { anchors: None, ..sealed.trust() }), ["time-stamping authority"]);

    // Anchors of somebody else lead nowhere: named, not believed.
    let other = DevelopmentAuthority::create(clock()).unwrap().anchors().unwrap();
    assert_eq!(places(&Trust { anchors: Some(other), ..sealed.trust() }), ["time-stamping authority"]);
    // A key that is not the archive's makes it bad.
    let other = Signer::for_name("archivio.example", &[8; 32]).unwrap().verifier();
    let report = verify(&path, &Trust { key: Some(other), ..sealed.trust() }).unwrap();
    assert_eq!(report.outcome, Outcome::Bad);
    assert!(named(&report, "report.note") && named(&report, "checkpoint"));
}

#[test]
fn a_whole_package_verifies_and_its_paths_resolve() {
    let sealed = sealed();
    let path = sealed.path("whole.zip");
    let made = sealed.write(&[2], true, &path).unwrap();
    assert_eq!((made.documents, made.packages), (5, 1));
    let report = verify(&path, &sealed.trust()).unwrap();
    assert_eq!(report.findings, vec![]);
    assert_eq!(report.documents.len(), 5);
    let files = unzip(&path);
    let (_, content) = files.iter().find(|(name, _)| name == "packages/generic/7/content.tar.zst").unwrap();
    assert_eq!(*content, std::fs::read(sealed.folder.join("content.tar.zst")).unwrap());
}

#[test]
fn one_flipped_byte_in_any_file_is_bad_and_names_the_file_and_a_missing_file_is_never_good() {
    let sealed = sealed();
    for whole in [false, true] {
        let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
        sealed.write(&[1], whole, &path).unwrap();
        let files = unzip(&path);
        rezip(&files, &changed);
        assert_eq!(verify(&changed, &sealed.trust()).unwrap().outcome, Outcome::Good);
        for n in 0..files.len() {
            let name = &files[n].0;
            for at in [0, files[n].1.len() / 2, files[n].1.len() - 1] {
                let mut other = files.clone();
                other[n].1[at] ^= 1;
                rezip(&other, &changed);
                match verify(&changed, &sealed.trust()) {
                    Ok(report) => {
                        assert_eq!(report.outcome, Outcome::Bad, "{name} byte {at}");
                        let found = if name == "report.json" { "report.note" } else { name };
                        assert!(named(&report, found), "{name} byte {at}: {:?}", report.findings);
                    }
                    // A report that cannot be read leaves nothing to report on.
                    Err(error) => assert!(name == "report.json" && error.code == Code::BundleInvalid, "{name} {error}"),
                }
            }
            let mut fewer = files.clone();
            fewer.remove(n);
            rezip(&fewer, &changed);
            match verify(&changed, &sealed.trust()) {
                Ok(report) => {
                    assert_eq!(report.outcome, Outcome::Bad, "without {name}");
                    assert!(named(&report, name), "without {name}: {:?}", report.findings);
                }
                Err(error) => assert!(name == "report.json" && error.code == Code::BundleFileMissing, "{name} {error}"),
            }
        }
        let mut more = files.clone();
        more.push(("documents/altro.txt".into(), b"x".to_vec()));
        rezip(&more, &changed);
        let report = verify(&changed, &sealed.trust()).unwrap();
        assert!(report.outcome == Outcome::Bad && named(&report, "documents/altro.txt"));
    }
}

/// An archive that lies: it alters a file and signs the list anew. Evidence and receipts still tell.
#[test]
fn a_list_signed_anew_over_altered_files_does_not_help() {
    let sealed = sealed();
    let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
    for whole in [false, true] {
        sealed.write(&[1], whole, &path).unwrap();
        let files = unzip(&path);
        let people = |name: &str| super::FOR_PEOPLE.contains(&name) || name.starts_with("report");
        for n in (0..files.len()).filter(|n| !people(&files[*n].0) && files[*n].0 != super::TSA_ANCHORS) {
            let mut other = files.clone();
            // In a record a hash of the tree: a token holds bits that prove nothing, such as a copy of its own root.
            let at = if files[n].0.starts_with("evidence/") { 60 } else { files[n].1.len() / 2 };
            other[n].1[at] ^= 1;
            sign_again(&mut other, &sealed.signer);
            rezip(&other, &changed);
            let report = verify(&changed, &sealed.trust()).unwrap();
            assert_eq!(report.outcome, Outcome::Bad, "{}", files[n].0);
        }
        let mut more = files.clone();
        more.insert(0, ("documents/altro.txt".into(), b"x".to_vec()));
        sign_again(&mut more, &sealed.signer);
        rezip(&more, &changed);
        assert!(named(&verify(&changed, &sealed.trust()).unwrap(), "documents/altro.txt"));
    }
}

fn sign_again(files: &mut Unzipped, signer: &Signer) {
    let at = files.iter().position(|(name, _)| name == "report.json").unwrap();
    let mut report = super::report::Report::parse(&files[at].1).unwrap();
    report.files = files
        .iter()
        .filter(|(name, _)| !name.starts_with("report."))
        .map(|(name, bytes)| super::report::Listed {
            name: name.clone(),
            bytes: bytes.len() as u64,
            sha256: Sha256::of(bytes),
        })
        .collect();
    let bytes = report.to_bytes().unwrap();
    let note = signer.renamed(&super::origin(signer.name())).unwrap().sign_note(&report.note_text(&bytes)).unwrap();
    files[at].1 = bytes;
    let at = files.iter().position(|(name, _)| name == "report.note").unwrap();
    files[at].1 = note.into_bytes();
}

#[test]
fn hostile_zips_are_refused_without_panic() {
    let sealed = sealed();
    let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
    sealed.write(&[1], false, &path).unwrap();
    let files = unzip(&path);
    for name in ["../fuori.txt", "/assoluto", "a\\b", "a//b", "c:x", "a\u{7}"] {
        let mut more = files.clone();
        more.push((name.into(), b"x".to_vec()));
        rezip(&more, &changed);
        assert_eq!(
            verify(&changed, &sealed.trust()).map(|r| r.outcome).unwrap_or(Outcome::Bad),
            Outcome::Bad,
            "{name:?}"
        );
    }
    // The same name twice: only the directory's count gives it away.
    let bytes = std::fs::read(&path).unwrap();
    let twice = String::from_utf8_lossy(&bytes).matches("VERIFY.txt").count();
    assert!(twice >= 2);
    let doubled: Vec<u8> = replace(&bytes, b"LEGGIMI.html", b"README.html\0");
    std::fs::write(&changed, doubled).unwrap();
    assert!(verify(&changed, &sealed.trust()).map_or(true, |r| r.outcome == Outcome::Bad));

    // A bomb: the list says ten bytes, the file inflates to a hundred megabytes.
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&changed).unwrap());
    for (name, bytes) in &files {
        zip.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        if name == "VERIFY.txt" { zip.write_all(&vec![0; 100 << 20]).unwrap() } else { zip.write_all(bytes).unwrap() }
    }
    zip.finish().unwrap();
    assert!(named(&verify(&changed, &sealed.trust()).unwrap(), "VERIFY.txt"));

    // Bytes of the zip itself: cut, or flipped anywhere.
    for n in 0..200 {
        let at = bytes.len() * n / 200;
        std::fs::write(&changed, &bytes[..at]).unwrap();
        assert!(verify(&changed, &sealed.trust()).is_err());
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        std::fs::write(&changed, &flipped).unwrap();
        let _ = verify(&changed, &sealed.trust()).map(|r| r.outcome);
    }
    assert_eq!(verify(&sealed.path("nessuno.zip"), &Trust::default()).unwrap_err().code, Code::FileMissing);
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in 0..=out.len() - from.len() {
        if out[at..].starts_with(from) {
            out[at..at + from.len()].copy_from_slice(to);
        }
    }
    out
}

#[test]
fn what_cannot_be_exported_leaves_nothing_behind() {
    let sealed = sealed();
    let path = sealed.path("bundle.zip");
    assert_eq!(sealed.write(&[], false, &path).unwrap_err().code, Code::NotFound);
    assert!(!path.exists());
    let tree = sealed.folder.join("evidence/0001.ers");
    let mut bytes = std::fs::read(&tree).unwrap();
    bytes[9] ^= 1;
    std::fs::write(&tree, bytes).unwrap();
    assert_eq!(sealed.write(&[], true, &path).unwrap_err().code, Code::PackageFileAltered);
    assert!(!path.exists());
}

fn extract(files: &Unzipped, folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn python(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new("python3").arg("verify.py").args(arguments).current_dir(folder).output();
    let output = output.expect("python3 is needed to run the tests");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

/// The judges that owe Custode nothing: the commands of VERIFY.txt and VERIFICA.txt, and the python verifier.
#[test]
fn the_instructions_in_the_bundle_work_and_notice_alterations() {
    if !crate::judges::present(&["bash", "openssl", "python3", "sha256sum", "unzip"]) {
        return;
    }
    let sealed = sealed();
    let (path, folder) = (sealed.path("bundle.zip"), sealed.path("unzipped"));
    let (ca, vkey) = (sealed.path("ca.pem"), sealed.signer.verifier().to_string());
    std::fs::write(&ca, sealed.anchors.to_pem()).unwrap();
    let own = ["--trust", ca.to_str().unwrap(), "--key", &vkey];
    for whole in [false, true] {
        sealed.write(&[1], whole, &path).unwrap();
        let files = unzip(&path);
        extract(&files, &folder);
        let (status, said) = python(&folder, &own);
        assert_eq!(status, 0, "{said}");
        assert!(said.contains("VERIFIED / VERIFICATO"), "{said}");
        assert_eq!(python(&folder, &[]).0, 2);

        for instructions in ["VERIFICA.txt", "VERIFY.txt"] {
            let text = std::fs::read_to_string(folder.join(instructions)).unwrap();
            let temporary = sealed.path("tmp");
            std::fs::create_dir_all(&temporary).unwrap();
            let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
            assert!(commands.len() >= 12);
            let mut script = String::from("set -e\nset -o pipefail\n");
            for command in commands {
                // Without anchors of its own the verifier's best answer is 2.
                let judged = if command.ends_with("verify.py") { " || test $? = 2" } else { "" };
                script += &format!("{}{judged}\n", command.replace("/tmp/", &format!("{}/", temporary.display())));
            }
            let output = Command::new("bash").arg("-c").arg(&script).current_dir(&folder).output().unwrap();
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success(), "{said}");
            assert!(said.contains("Verification: OK"), "{said}");
        }

        for (n, (name, bytes)) in files.iter().enumerate().filter(|(_, (name, _))| !whole && name != "verify.py") {
            let mut other = files.clone();
            other[n].1[bytes.len() / 2] ^= 1;
            extract(&other, &folder);
            let (status, said) = python(&folder, &own);
            assert_eq!(status, 1, "{name}: {said}");
        }
        // Signed anew by the archive itself: the evidence still tells.
        for n in (0..files.len()).filter(|_| !whole) {
            if ["documents/", "metadata/", "receipts/", "manifests/"].iter().any(|part| files[n].0.starts_with(part)) {
                let mut other = files.clone();
                other[n].1[files[n].1.len() / 2] ^= 1;
                sign_again(&mut other, &sealed.signer);
                extract(&other, &folder);
                assert_eq!(python(&folder, &own).0, 1, "{}", files[n].0);
            }
        }
    }
}
