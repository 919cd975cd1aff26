//! The last day: every document that was ever acknowledged is held against its evidence, by us and by programs that have never
//! heard of Custode; of every year one document a class leaves in a bundle, which two verifiers judge.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use custode::error::Result;
use custode::evidence::anchors::Anchors;
use custode::evidence::digest::{Algorithm, Digest};
use custode::evidence::ers::{self, Judge as _};
use custode::hash::Sha256;
use custode::package::generation;
use rayon::prelude::*;
use serde_json::Value;

use super::bouncy_castle::Session;
use super::deposits::Kept;
use super::evidence::{Package, Remembering, signer};
use super::life::Life;
use super::story::{END, START, SUCCEEDED, Story};
use super::table::say;
use super::{judges, second_verifier};

/// Packages read side by side.
const AT_ONCE: usize = 16;

pub fn last_day(story: &mut Story) {
    story.life.close();
    checked(story);
    let found = records(story);
    expiry_is_what_the_policies_say(story, &found.place);
    openssl(story, found);
    bundles(story);
}

/// What was found in the packages on the way.
#[derive(Default)]
struct Found {
    /// The package of each document.
    place: HashMap<String, String>,
    /// Tokens by their digest, for many packages have the same: a file of it, what it covers as OpenSSL is told, and its time.
    tokens: BTreeMap<Sha256, (PathBuf, [String; 2], i64)>,
    /// Folders of packages, and when each was sealed.
    sealed: Vec<(PathBuf, i64)>,
}

impl Found {
    fn take(&mut self, folder: &Path, package: &Package, judge: &Remembering) {
        for (n, generation) in package.history.generations().iter().enumerate() {
            let file = folder.join(generation::token_name(u32::try_from(n + 1).unwrap()));
            let root = generation.root();
            let at = judge.judge(&generation.token, &root).unwrap().time.as_second();
            if n == 0 {
                self.sealed.push((folder.to_owned(), at));
            }
            let covered = ["-digest".to_owned(), hex::encode(root.bytes())];
            self.tokens.insert(Sha256::of(&generation.token), (file, covered, at));
        }
    }
}

fn judged(story: &mut Story, who: &str, count: u64) {
    say(&format!("{who}: {count}"));
    assert!(count > 0, "{who} judged nothing");
    story.table.judged.push((who.to_owned(), count));
}

/// The program's own check, of everything.
fn checked(story: &mut Story) {
    let report = story.life.told(&["check"]);
    let count = |what: &str| {
        (report["coverage"][what]["total"].as_u64().unwrap(), report["coverage"][what]["checked"].as_u64().unwrap())
    };
    // What is not sealed yet is not in a package.
    let waiting = story.life.archive().ready().unwrap()["unsealed"]["documents"].as_u64().unwrap();
    story.life.close();
    let sealed = story.kept.len() as u64 - waiting;
    assert_eq!(report["outcome"], "good", "{report:#}");
    assert_eq!((count("documents"), count("packages").0), ((sealed, sealed), count("packages").1), "{report:#}");
    judged(story, "documents in `custode check`", sealed);
    // What is open on the last day is closed.
    story.life.told(&["seal"]);
}

/// Every folder of a package.
pub fn folders(life: &Life) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        found.sort();
        found
    };
    list(&life.path("archive/packages")).iter().flat_map(|series| list(series)).collect()
}

/// The chain says of each package until when it is kept; each document of it was to be kept until then, as we reckon.
fn expiry_is_what_the_policies_say(story: &mut Story, place: &HashMap<String, String>) {
    let mut expiry: HashMap<String, String> = HashMap::new();
    for entry in story.life.entries("package") {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        expiry.insert(format!("{}/{}", text("series"), entry["number"]), text("expiry"));
    }
    for kept in &story.kept {
        let package = place.get(&kept.id).unwrap_or_else(|| panic!("{kept:?} is in no package"));
        assert_eq!(expiry[package], kept.expiry.to_string(), "{kept:?} in {package}");
    }
    judged(story, "documents whose package expires when its policy says", story.kept.len() as u64);
}

/// Its digests, with whatever algorithm the record asks for.
pub fn digests<'a>(objects: &'a [&'a [u8]]) -> impl Fn(Algorithm) -> Result<Vec<Digest>> + 'a {
    move |algorithm| Ok(objects.iter().map(|object| algorithm.of(object)).collect())
}

/// The evidence record of every document, ours and Bouncy Castle's opinion of it.
fn records(story: &mut Story) -> Found {
    let judge = Remembering::new(Anchors::from_pem_files(&[story.life.office.anchors()]).unwrap());
    let mut by_package: HashMap<&str, &Kept> = HashMap::new();
    for kept in &story.kept {
        assert!(by_package.insert(&kept.id, kept).is_none(), "{kept:?} twice");
    }
    let now = story.life.clock_now();
    let mut ours = 0;
    let mut sessions: HashMap<Vec<u8>, Option<Session>> = HashMap::new();
    let mut found = Found::default();
    for folders in folders(&story.life).chunks(AT_ONCE) {
        let packages: Vec<Package> = folders.par_iter().map(|folder| Package::read(folder)).collect();
        folders.iter().zip(&packages).for_each(|(folder, package)| found.take(folder, package, &judge));
        let lines: Vec<(&Package, &Kept)> = packages
            .iter()
            .flat_map(|package| {
                let ids =
                    package.members.keys().filter_map(|path| path.strip_prefix("metadata/")?.strip_suffix(".xml"));
                ids.map(|id| (package, *by_package.get(id).unwrap_or_else(|| panic!("{id} is nobody's"))))
                    .collect::<Vec<_>>()
            })
            .collect();
        let records: Vec<Vec<u8>> = lines
            .par_iter()
            .map(|(package, kept)| {
                let objects = package.objects(&kept.id, &kept.receipt);
                assert_eq!(Sha256::of(objects[0]), kept.sha256, "{kept:?}");
                let record = package.history.record(Some(kept.id.parse().unwrap())).unwrap().to_der();
                let verified =
                    ers::verify(&record, &digests(&objects), &judge).unwrap_or_else(|e| panic!("{kept:?}: {e}"));
                // Each token was covered by the next one in time, and the last one still holds.
                assert_eq!(verified.gaps(), [], "{kept:?}");
                let last = verified.stamps.last().unwrap();
                assert!(last.until.is_some_and(|until| until > now), "{kept:?}: {last:?}");
                // Nothing rests on the digest that has ended; what was sealed since never did.
                assert_eq!(verified.algorithm, Algorithm::Sha512, "{kept:?}");
                if kept.day >= SUCCEEDED {
                    let first = package.history.sealed().unwrap().algorithm();
                    assert_eq!(first, Algorithm::Sha512, "{kept:?}");
                }
                // It existed within the twelve weeks in which its package was closed, and a day.
                let days = verified
                    .since()
                    .duration_since(kept.day.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp())
                    .as_hours()
                    / 24;
                assert!((0..=85).contains(&days), "{kept:?}: {}", verified.since());
                record
            })
            .collect();
        for ((package, kept), record) in lines.iter().zip(records) {
            ours += 1;
            let other = found.place.insert(kept.id.clone(), package.name.clone());
            assert_eq!(other, None, "{kept:?} is in two packages");
            let certificate = signer(package.history.last_token());
            let session = sessions.entry(certificate).or_insert_with_key(|certificate| Session::start(certificate));
            if let Some(session) = session {
                session.ask(&kept.id, &record, &package.objects(&kept.id, &kept.receipt));
            }
        }
    }
    assert_eq!(ours, story.kept.len() as u64, "not every document is in a package");
    judged(story, "documents whose record we verified", ours);
    judged(story, "tokens under these records", judge.tokens());
    let mut theirs = 0;
    for session in sessions.into_values().flatten() {
        for (id, verdict) in session.end() {
            assert_eq!(verdict, "accepted", "Bouncy Castle, {id}");
            theirs += 1;
        }
    }
    if judges::present(&["java", "javac"]) {
        assert_eq!(theirs, ours);
        judged(story, "documents whose record Bouncy Castle accepted", theirs);
    }
    found
}

/// Every token and every signature of a package, and every token over the chain, by OpenSSL at its own time.
fn openssl(story: &mut Story, found: Found) {
    let life = &story.life;
    let roots = life.office.anchors();
    let judge = Anchors::from_pem_files(std::slice::from_ref(&roots)).unwrap();
    let Found { mut tokens, sealed: signatures, .. } = found;
    let chain = super::losses::files(&life.path("archive/chain/stamps"));
    let mut over_the_chain = 0;
    for file in chain
        .iter()
        .filter(|file| file.file_name().unwrap().len() == 12 && file.extension().is_some_and(|kind| kind == "tsr"))
    {
        let token = generation::token_of(&std::fs::read(file).unwrap());
        let at = judge.judge(&token, &judge.stamped(&token).unwrap()).unwrap().time.as_second();
        let checkpoint = file.with_extension("checkpoint").display().to_string();
        tokens.insert(Sha256::of(&token), (file.clone(), ["-data".to_owned(), checkpoint], at));
        over_the_chain += 1;
    }
    tokens.par_iter().for_each(|(_, (file, covered, at))| {
        let mut command = Command::new("openssl");
        command.args(["ts", "-verify"]).args(covered).arg("-in").arg(file).arg("-CAfile").arg(&roots);
        let out = command.args(["-attime", &at.to_string()]).output().unwrap();
        assert!(out.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&out.stderr));
    });
    let authority = life.signers().authority();
    signatures.par_iter().for_each(|(folder, at)| {
        let mut command = Command::new("openssl");
        command.args("cms -verify -cades -binary -inform DER -purpose any -out /dev/null".split(' '));
        command.arg("-content").arg(folder.join("PIndex.xml")).arg("-in").arg(folder.join("PIndex.xml.p7s"));
        let out = command.arg("-CAfile").arg(&authority).args(["-attime", &at.to_string()]).output().unwrap();
        assert!(out.status.success(), "{}: {}", folder.display(), String::from_utf8_lossy(&out.stderr));
    });
    let (tokens, signatures) = (tokens.len() as u64, signatures.len() as u64);
    judged(story, "tokens that OpenSSL accepted (`ts -verify`)", tokens);
    judged(story, "   of them over the chain", over_the_chain);
    judged(story, "signatures of packages that OpenSSL accepted (`cms -verify -cades`)", signatures);
}

/// Of every year a document a class.
pub fn sample(story: &Story, year: i16) -> Vec<&Kept> {
    let mut classes = HashSet::new();
    story.kept.iter().filter(|kept| kept.day.year() == year && classes.insert(kept.class.clone())).collect()
}

/// What goes with every bundle's verification: anchors from a source of our own.
pub fn trusting(life: &Life) -> Vec<String> {
    let file = |path: PathBuf| path.display().to_string();
    let (roots, signers) = (file(life.office.anchors()), file(life.signers().authority()));
    ["--trust", &roots, "--trust", &signers, "--key", &life.vkey(), "--witness", &life.witness_key]
        .map(str::to_owned)
        .to_vec()
}

/// What both verifiers say of a bundle: they must agree.
pub fn both(life: &Life, bundle: &Path) -> (i32, Value) {
    let options = trusting(life);
    let path = bundle.display().to_string();
    let mut arguments = vec!["verify", &path];
    arguments.extend(options.iter().map(String::as_str));
    let (status, report) = life.said(&arguments);
    second_verifier::agree(bundle, &arguments[2..], status, Some(&report));
    (status, report)
}

fn bundles(story: &mut Story) {
    let mut documents = 0;
    for year in START.year()..END.year() {
        let bundle = story.life.path(&format!("{year}.zip"));
        let sample = sample(story, year);
        let mut arguments = vec!["export", "-o", bundle.to_str().unwrap()];
        for kept in &sample {
            arguments.extend(["--document", &kept.id]);
        }
        story.life.told(&arguments);
        let (status, report) = both(&story.life, &bundle);
        assert_eq!(status, 0, "{year}: {report:#}");
        for line in report["documents"].as_array().unwrap() {
            let kept = sample.iter().find(|kept| line["id"] == kept.id.as_str()).unwrap();
            assert_eq!(line["sha256"], kept.sha256.to_string());
        }
        assert_eq!(report["documents"].as_array().unwrap().len(), sample.len(), "{report:#}");
        documents += sample.len() as u64;
    }
    judged(story, "documents in bundles that `custode verify` found good", documents);
    if judges::present(&["python3", "openssl"]) {
        judged(story, "documents in bundles that verify.py found good", documents);
    }
}
