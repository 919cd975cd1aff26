use std::collections::HashMap;
use std::io::Read;

use super::*;
use crate::evidence::ers::stand_in::{ALL, token};
use crate::evidence::ers::{Tree, known, verify};
use crate::id::ReceiptId;
use crate::package::pindex::tests::{plan as example_plan, process};
use crate::package::plan::Plan;
use crate::package::reader::Package;

/// Members in memory, by path.
#[derive(Clone, Default)]
struct Source(HashMap<String, Vec<u8>>);

impl Source {
    fn get(&self, kind: Kind, id: uuid::Uuid) -> Result<Box<dyn Read + '_>> {
        let key = format!("{kind:?} {id}");
        let bytes = self.0.get(&key).ok_or_else(|| Error::new(Code::FileMissing, "").at(key))?;
        Ok(Box::new(&bytes[..]))
    }
}

impl MemberSource for Source {
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

/// Five documents, one of them over several frames, and the source they come from.
fn example() -> (Plan, Source) {
    let mut plan = example_plan(5);
    let mut source = Source::default();
    let mut give = |kind: Kind, id: uuid::Uuid, bytes: Vec<u8>| {
        let digest = Sha256::of(&bytes);
        source.0.insert(format!("{kind:?} {id}"), bytes);
        digest
    };
    for (n, d) in plan.documents.iter_mut().enumerate() {
        let bytes = vec![n as u8; if n == 3 { 9 << 20 } else { 100 * n }];
        d.bytes = bytes.len() as u64;
        d.sha256 = give(Kind::Document, d.id.0, bytes);
        d.metadata_sha256 = give(Kind::Metadata, d.id.0, format!("<Metadati>{n}</Metadati>").into_bytes());
    }
    for (n, r) in plan.receipts.iter_mut().enumerate() {
        r.rdv_sha256 = give(Kind::Receipt, r.id.0, format!("<Rapporto>{n}</Rapporto>").into_bytes());
        r.note_sha256 = give(Kind::Note, r.id.0, format!("note {n}").into_bytes());
        r.manifest_sha256 = give(Kind::Manifest, r.id.0, format!("{{\"n\":{n}}}").into_bytes());
    }
    (plan, source)
}

fn seal(staging: &Staging, source: &Source) -> Result<Vec<FileFacts>> {
    staging.build(source, &process())?;
    if staging.done(PINDEX_SIGNATURE)?.is_none() {
        staging.signature(b"signature")?;
    }
    let mut tree = staging.tree(crate::evidence::digest::Algorithm::Sha256)?;
    let run = Tree::build(&[tree.root(), Sha256::of(b"another package").into()])?;
    tree.place(&run)?;
    staging.evidence(&tree, &token(tree.run_root(), 7), &token(tree.run_root(), 7))?;
    staging.files()
}

fn key() -> StagingKey {
    StagingKey::derive(b"a test's secret")
}

#[test]
fn a_package_is_made_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let (plan, source) = example();
    assert!(recheck(&source, &plan.documents, &plan.receipts).is_empty());
    let staging = Staging::create(dir.path(), plan.clone(), &key()).unwrap();
    let files = seal(&staging, &source).unwrap();
    assert_eq!(files.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ORDER);

    let package = Package::open_folder(&staging.package_folder()).unwrap();
    let listed: Vec<_> = package.list().unwrap().into_iter().map(|l| (l.name, l.length)).collect();
    let mut expected: Vec<_> = files.iter().map(|f| (f.name.clone(), f.length)).collect();
    expected.sort();
    assert_eq!(listed, expected);
    assert_eq!(package.verify_content(&mut |_| {}).unwrap().findings, vec![]);
    let index = package.verify_index(&mut |_| {}).unwrap();
    assert_eq!((index.findings, index.files), (vec![], 2 * 5 + 3 * 3));
    assert_eq!(package.numbers().unwrap(), plan.numbers());
    for d in &plan.documents {
        let bytes = package.read_member(Kind::Document, d.id.0, u64::MAX).unwrap();
        assert_eq!(bytes, source.0[&format!("Document {}", d.id)]);
    }

    // The record of each document, derived from the tree, verifies over the members as read from the package.
    let tree = TreeFile::parse(&package.read_file(EVIDENCE_TREE, 1 << 20).unwrap()).unwrap();
    let stamped = package.read_file(EVIDENCE_TOKEN, 1 << 20).unwrap();
    for d in &plan.documents {
        let member = |kind, id| Sha256::of(&package.read_member(kind, id, u64::MAX).unwrap());
        let hashes = [
            member(Kind::Document, d.id.0),
            member(Kind::Metadata, d.id.0),
            member(Kind::Receipt, d.receipt.0),
            member(Kind::Manifest, d.receipt.0),
        ];
        let record = tree.record(Some(d.id.0), &stamped).unwrap().to_der();
        verify(&record, &known(&hashes), &ALL).unwrap();
    }
    let hash = |name| Sha256::of(&package.read_file(name, 1 << 24).unwrap());
    let record = package.read_file(EVIDENCE_RECORD, 1 << 20).unwrap();
    verify(&record, &known(&[hash(PINDEX), hash(PINDEX_SIGNATURE)]), &ALL).unwrap();
    staging.remove().unwrap();
    assert!(Staging::pending(dir.path(), &key()).unwrap().is_empty());
}

#[test]
fn an_interrupted_sealing_goes_on_and_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (plan, source) = example();
    let staging = Staging::create(dir.path(), plan, &key()).unwrap();
    let files = seal(&staging, &source).unwrap();
    for (n, name) in ORDER.iter().enumerate() {
        let path = staging.package_folder().join(name);
        // Interrupted while this file was being written (half of it, no facts), and everything after is not there yet.
        for later in &ORDER[n..] {
            std::fs::remove_file(staging.facts_path(later)).unwrap();
        }
        for later in &ORDER[n + 1..] {
            std::fs::remove_file(staging.package_folder().join(later)).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let [again] = <[Staging; 1]>::try_from(Staging::pending(dir.path(), &key()).unwrap()).unwrap();
        assert_eq!(seal(&again, &source).unwrap(), files, "{name}");
    }
    // Damaged after it was done: made again, and since it comes out as before, nothing later is.
    let stamped = staging.package_folder().join(EVIDENCE_TOKEN);
    let before = std::fs::metadata(&stamped).unwrap().modified().unwrap();
    let content = staging.package_folder().join(CONTENT);
    std::fs::remove_file(&content).unwrap();
    std::fs::write(&content, b"damaged").unwrap();
    assert_eq!(seal(&staging, &source).unwrap(), files);
    assert_eq!(std::fs::metadata(&stamped).unwrap().modified().unwrap(), before);
}

#[test]
fn a_changed_index_is_signed_and_stamped_again() {
    let dir = tempfile::tempdir().unwrap();
    let (plan, source) = example();
    let staging = Staging::create(dir.path(), plan, &key()).unwrap();
    // Whether its facts or the file itself was lost, and the configuration changed meanwhile.
    for (lost, manual) in [(staging.facts_path(PINDEX), "2.0"), (staging.package_folder().join(PINDEX), "3.0")] {
        seal(&staging, &source).unwrap();
        std::fs::remove_file(lost).unwrap();
        let mut other = process();
        other.manual.as_mut().expect("the fixture has a manual").version = Some(manual.into());
        staging.build(&source, &other).unwrap();
        for later in [PINDEX_SIGNATURE, EVIDENCE_TREE, EVIDENCE_TOKEN, EVIDENCE_RECORD] {
            assert_eq!(staging.done(later).unwrap(), None, "{later}");
            assert!(!staging.package_folder().join(later).exists());
        }
    }
}

#[test]
fn a_document_that_changed_is_named_and_the_others_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let (plan, source) = example();
    for (kind, victim) in [(Kind::Document, 3), (Kind::Document, 0), (Kind::Metadata, 1)] {
        let mut bad = source.clone();
        let id = plan.documents[victim].id;
        bad.0.get_mut(&format!("{kind:?} {id}")).unwrap().push(b'x');
        let failed = recheck(&bad, &plan.documents, &plan.receipts);
        assert_eq!(failed.iter().map(|(id, e)| (*id, e.code)).collect::<Vec<_>>(), [(id, Code::ReceiptMismatch)]);
        let staging = Staging::create(dir.path(), plan.clone(), &key()).unwrap();
        let error = staging.build(&bad, &process()).unwrap_err();
        assert_eq!((error.code, named_document(&error)), (Code::ReceiptMismatch, Some(id)));
    }
    let mut bad = source.clone();
    bad.0.remove(&format!("Receipt {}", plan.documents[0].receipt));
    let failed: Vec<_> = recheck(&bad, &plan.documents, &plan.receipts).into_iter().map(|(id, _)| id).collect();
    assert_eq!(failed, [plan.documents[0].id, plan.documents[1].id]);
}

#[test]
fn a_configuration_that_gives_an_invalid_index_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (plan, source) = example();
    let staging = Staging::create(dir.path(), plan.clone(), &key()).unwrap();
    let mut wrong = process();
    wrong.signers.clear();
    let error = staging.build(&source, &wrong).unwrap_err();
    assert_eq!(error.code, Code::PIndexInvalid);
    assert!(!error.findings.is_empty());
    let mut another = plan;
    another.cohort = "2099".into();
    assert!(Staging::create(dir.path(), another, &key()).is_err());
}
