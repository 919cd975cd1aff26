//! What the plain files say, believing nothing else: the judge of every test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use custode::chain;
use custode::error::Severity;
use custode::hash::{Digests, Sha256};
use custode::package::member::Kind;
use custode::package::reader::Package;
use serde_json::Value;

use super::sandbox::{Acknowledged, Sandbox};

/// What is sealed.
pub struct Sealed {
    pub packages: usize,
    /// Every document: where it is, and its digest.
    pub documents: BTreeMap<String, (String, Sha256)>,
    pub numbers: BTreeSet<u64>,
    pub voided: BTreeSet<u64>,
}

pub fn entries(root: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(root.join("chain/entries")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Chain and records verify under the archive's key.
pub fn chain_holds(root: &Path) {
    let key = std::fs::read_to_string(root.join("chain/archive.vkey")).unwrap().trim().parse().unwrap();
    let (facts, findings) = chain::verify::verify(root, Some(&key));
    assert!(facts.checkpoint.is_some(), "the checkpoint does not verify");
    let bad: Vec<_> = findings.iter().filter(|finding| finding.severity > Severity::Info).collect();
    assert!(bad.is_empty(), "{bad:?}");
}

/// Every package on the chain is whole, every document is in exactly one, and no package is there that the chain ignores.
pub fn packages(root: &Path) -> Sealed {
    let mut sealed =
        Sealed { packages: 0, documents: BTreeMap::new(), numbers: BTreeSet::new(), voided: BTreeSet::new() };
    let mut last: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for entry in entries(root) {
        if let Some(voided) = entry["repair"]["voided"].as_object() {
            let (first, end) = (voided["first"].as_u64().unwrap(), voided["last"].as_u64().unwrap());
            for number in first..=end {
                assert!(sealed.voided.insert(number), "number {number} is set aside twice");
            }
        }
        if entry["kind"] != "package" {
            continue;
        }
        let entry = &entry["package"];
        let (series, number) = (entry["series"].as_str().unwrap(), entry["number"].as_u64().unwrap());
        let zero = (0, "0".repeat(64));
        let before = last.get(series).unwrap_or(&zero);
        assert_eq!((number, entry["previous"].as_str().unwrap()), (before.0 + 1, before.1.as_str()), "{series}");
        last.insert(series.to_owned(), (number, entry["pindex"].as_str().unwrap().to_owned()));
        sealed.packages += 1;
        let folder = root.join("packages").join(series).join(format!("{number:08}"));
        for file in entry["files"].as_array().unwrap() {
            let path = folder.join(file["name"].as_str().unwrap());
            let digests = Digests::of_reader(&mut std::fs::File::open(&path).unwrap()).unwrap();
            assert_eq!(digests.sha256.to_string(), file["sha256"].as_str().unwrap(), "{}", path.display());
            assert_eq!(digests.bytes, file["length"].as_u64().unwrap(), "{}", path.display());
        }
        let package = Package::open_folder(&folder).unwrap();
        let place = format!("{series}/{number}");
        let scanned = package
            .verify_content(&mut |seen| {
                if seen.record.kind == Kind::Document {
                    let twice =
                        sealed.documents.insert(seen.record.id.to_string(), (place.clone(), seen.record.sha256));
                    assert!(twice.is_none(), "document {} is in {twice:?} and {place}", seen.record.id);
                }
            })
            .unwrap();
        assert!(scanned.findings.is_empty(), "{place}: {:?}", scanned.findings);
        sealed.numbers.extend(package.numbers().unwrap().iter().map(|(_, sequence)| sequence.0));
    }
    let mut folders = 0;
    for series in std::fs::read_dir(root.join("packages")).unwrap().map(|entry| entry.unwrap().path()) {
        if series.is_dir() {
            folders += std::fs::read_dir(series).unwrap().count();
        }
    }
    assert_eq!(folders, sealed.packages, "packages/ holds what the chain does not know");
    sealed
}

/// All of it, once nothing is open any more.
pub fn sealed(sandbox: &Sandbox, acknowledged: &[Acknowledged]) -> Sealed {
    sealed_at(&sandbox.root(), acknowledged)
}

/// As [`sealed`], for the archive in this folder.
pub fn sealed_at(root: &Path, acknowledged: &[Acknowledged]) -> Sealed {
    chain_holds(root);
    let sealed = packages(root);
    for one in acknowledged {
        let (_, sha256) =
            sealed.documents.get(&one.document).unwrap_or_else(|| panic!("number {} is lost", one.sequence));
        assert_eq!(*sha256, one.sha256, "number {} is altered", one.sequence);
        assert!(sealed.numbers.contains(&one.sequence), "number {} is not accounted for", one.sequence);
    }
    let both: Vec<_> = sealed.numbers.intersection(&sealed.voided).collect();
    assert!(both.is_empty(), "set aside and used: {both:?}");
    let all: BTreeSet<u64> = sealed.numbers.union(&sealed.voided).copied().collect();
    let most = all.last().copied().unwrap_or(0);
    assert_eq!(all.len() as u64, most, "numbers have gaps");
    for folder in ["staging", "intake/lane-0001/bodies", "intake/incoming"] {
        let left = std::fs::read_dir(root.join(folder)).into_iter().flatten();
        let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        // Temporaries left by a stop are nobody's, and the next file of that name takes their place.
        let left: Vec<_> = left.filter(|name| !(name.starts_with('.') && name.ends_with(".tmp"))).collect();
        assert!(left.is_empty(), "{folder} holds {left:?}");
    }
    sealed
}
