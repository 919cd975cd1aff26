//! The judges must be able to say no: an early document is damaged, a renewal is removed or forged, and every one of them says so.

use std::io::{Read as _, Write as _};
use std::path::Path;

use custode::evidence::anchors::Anchors;
use custode::evidence::ers::stamp::ArchiveTimeStamp;
use custode::evidence::ers::{self, Record};

use super::bouncy_castle::Session;
use super::evidence::{Package, signer};
use super::life::Life;
use super::story::{START, Story};
use super::verdicts::{both, digests, sample};

pub fn control(story: &mut Story) {
    let kept = sample(story, START.year()).into_iter().find(|kept| kept.class == "pec-message").unwrap().clone();
    let folder = story.life.path("archive/packages/pec-message/00000001");
    let package = Package::read(&folder);
    records(story, &package, &kept);
    the_archive(&story.life, &folder);
    the_bundle(&story.life, &kept.id);
}

/// What is wrong with a record, or with what it is about.
fn records(story: &Story, package: &Package, kept: &super::deposits::Kept) {
    let anchors = Anchors::from_pem_files(&[story.life.office.anchors()]).unwrap();
    let objects = package.objects(&kept.id, &kept.receipt);
    let id = kept.id.parse().unwrap();
    let good = package.history.record(Some(id)).unwrap();
    let renewals: usize = good.chains.iter().map(Vec::len).sum();
    assert!(good.chains.len() > 1 && renewals >= 5, "{renewals} tokens in {} chains", good.chains.len());
    let mut damaged = objects[0].to_vec();
    damaged[1000] ^= 1;
    let altered = [&damaged[..], objects[1], objects[2], objects[3]];
    let changed = |change: &dyn Fn(&mut Record)| {
        let mut record = good.clone();
        change(&mut record);
        record.to_der()
    };
    // The token that was renewed, in the place of the one that renewed it.
    let forged = ArchiveTimeStamp::new(good.chains[0][1].path.clone(), good.chains[0][0].token.clone()).unwrap();
    let cases = [
        ("good", good.to_der(), objects),
        ("altered", good.to_der(), altered),
        ("renewal-removed", changed(&|record| drop(record.chains[0].remove(1))), objects),
        ("last-renewal-of-a-chain-removed", changed(&|record| drop(record.chains[0].pop())), objects),
        ("first-chain-removed", changed(&|record| drop(record.chains.remove(0))), objects),
        ("renewal-forged", changed(&|record| record.chains[0][1] = forged.clone()), objects),
    ];
    for (name, record, objects) in &cases {
        assert_eq!(ers::verify(record, &digests(objects), &anchors).is_ok(), *name == "good", "{name}");
    }
    let Some(mut session) = Session::start(&signer(package.history.last_token())) else { return };
    for (name, record, objects) in &cases {
        session.ask(name, record, objects);
    }
    for (name, verdict) in session.end() {
        assert_eq!(verdict == "accepted", name == "good", "Bouncy Castle, {name}: {verdict}");
    }
}

/// The check of the archive itself, with a file of an early package bent, and with one that is gone.
fn the_archive(life: &Life, folder: &Path) {
    let codes = |what: &str| {
        let (status, report) = life.said(&["check", "--package", "pec-message/1"]);
        assert_eq!((status, report["outcome"].as_str()), (1, Some("bad")), "{what}: {report:#}");
        report["findings"].to_string()
    };
    let content = folder.join("content.tar.zst");
    let bytes = std::fs::read(&content).unwrap();
    let mut bent = bytes.clone();
    bent[500] ^= 1;
    replace(&content, &bent);
    assert!(codes("a bent document").contains("content.tar.zst"));
    replace(&content, &bytes);
    let renewal = folder.join("evidence/0002.tsr");
    let bytes = std::fs::read(&renewal).unwrap();
    std::fs::remove_file(&renewal).unwrap();
    assert!(codes("a renewal that is gone").contains("0002.tsr"));
    // The token of another renewal in its place.
    replace(&renewal, &std::fs::read(folder.join("evidence/0003.tsr")).unwrap());
    assert!(codes("another renewal in its place").contains("0002.tsr"));
    replace(&renewal, &bytes);
    let report = life.told(&["check", "--package", "pec-message/1"]);
    assert_eq!(report["outcome"], "good", "{report:#}");
}

fn replace(file: &Path, bytes: &[u8]) {
    let _ = std::fs::remove_file(file);
    std::fs::write(file, bytes).unwrap();
}

/// A bundle whose document was bent, and one whose record lost a renewal: both verifiers refuse them.
fn the_bundle(life: &Life, id: &str) {
    let whole = life.path(&format!("{}.zip", START.year()));
    assert_eq!(both(life, &whole).0, 0);
    let record = format!("evidence/{id}.ers");
    let bend = |name: &str, mut bytes: Vec<u8>| {
        if name.starts_with(&format!("documents/{id}/")) {
            bytes[1000] ^= 1;
        }
        bytes
    };
    let shorten = |name: &str, bytes: Vec<u8>| {
        if name != record {
            return bytes;
        }
        let mut record = Record::parse(&bytes).unwrap();
        record.chains[0].remove(1);
        record.to_der()
    };
    for (name, change) in [("bent", &bend as &dyn Fn(&str, Vec<u8>) -> Vec<u8>), ("shortened", &shorten)] {
        let bundle = life.path(&format!("{name}.zip"));
        rewrite(&whole, &bundle, change);
        let (status, report) = both(life, &bundle);
        assert_eq!((status, report["outcome"].as_str()), (1, Some("bad")), "{name}: {report:#}");
        let finding = report["findings"].to_string();
        assert!(finding.contains(id), "{name}: {finding}");
    }
}

fn rewrite(from: &Path, to: &Path, change: &dyn Fn(&str, Vec<u8>) -> Vec<u8>) {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(from).unwrap()).unwrap();
    let mut out = zip::ZipWriter::new(std::fs::File::create(to).unwrap());
    for n in 0..zip.len() {
        let mut file = zip.by_index(n).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        out.start_file(&name, zip::write::SimpleFileOptions::default()).unwrap();
        out.write_all(&change(&name, bytes)).unwrap();
    }
    out.finish().unwrap();
}
