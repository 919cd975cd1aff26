use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::*;
use crate::chain::note::Signer;
use crate::chain::{Kind, Ledger};
use crate::clock::ManualClock;
use crate::error::Finding as Seen;
use crate::hash::{Blake3, Sha256};
use crate::vault::LocalVault;

const CHECK: &str = "0199c0de-0000-7000-8000-00000000000c";

/// An archive of a chain and an empty vault.
struct Empty {
    dir: tempfile::TempDir,
    ledger: Ledger,
    vault: Arc<LocalVault>,
    clock: Arc<ManualClock>,
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

impl Empty {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap()));
        let signer = Signer::for_name("archivio.example", &[7; 32]).unwrap();
        let vault = Arc::new(LocalVault::create(&dir.path().join("packages"), "local", "archivio.example").unwrap());
        let vaults = json!([{ "name": "local", "id": vault.id() }]);
        let genesis = object(json!({ "profile": "trial", "vaults": vaults }));
        let ledger = Ledger::create(dir.path(), signer, genesis, clock.clone()).unwrap();
        Self { dir, ledger, vault, clock }
    }

    fn check(&self, scope: &Scope) -> Report {
        let vkey = self.ledger.signer().verifier();
        let subject = Subject {
            root: self.dir.path(),
            vkey: &vkey,
            claims: &[],
            witnesses: &[],
            silent: &[],
            vaults: vec![self.vault.clone()],
            anchors: &Anchors::default(),
            trust: Trust::nobody(),
            catalog: None,
            unsealed: None,
            journal: None,
            opening: &[],
            deadlines: None,
            clock: self.clock.clone(),
        };
        run(&subject, scope, CHECK.parse().unwrap(), &Watch::only(&|_, _| {})).unwrap()
    }

    /// An entry for a package that is nowhere.
    fn entry(&self, number: u64, previous: Sha256) -> Sha256 {
        let pindex = Sha256::of(&number.to_le_bytes());
        let file =
            |name: &str, sha256| json!({ "name": name, "length": 10, "sha256": sha256, "blake3": Blake3::of(b"") });
        let entry = json!({
            "series": "generic", "number": number, "class_version": 1, "pindex": pindex, "previous": previous,
            "ers_root": Sha256::ZERO, "cohort": "2036", "expiry": "2036-12-31", "documents": 2, "bytes": 20,
            "files": [file("content.tar.zst", Sha256::ZERO), file("toc", Sha256::ZERO), file("PIndex.xml", pindex), file("numbers", Sha256::ZERO)],
            "numbers": { "count": 1, "min": 1, "max": 1, "sha256": Sha256::ZERO },
        });
        self.ledger.append(Kind::Package, object(entry)).unwrap();
        pindex
    }
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn an_archive_of_nothing_is_good_with_totals_of_zero() {
    let report = Empty::new().check(&Scope::all(Mode::Full));
    assert_eq!((report.outcome, report.findings.len()), (Outcome::Good, 0), "{:?}", report.findings);
    let expected = json!({
        "check": CHECK, "outcome": "good", "mode": "full",
        "started_at": "2026-11-22T10:00:00.000Z", "finished_at": "2026-11-22T10:00:00.000Z",
        "coverage": {
            "packages": { "total": 0, "checked": 0 }, "documents": { "total": 0, "checked": 0 },
            "bytes": { "total": 0, "checked": 0 }, "copies": { "total": 0, "checked": 0 },
            "oldest_full_check": null, "not_looked_at": ["catalog", "journal"],
        },
        "findings": [],
    });
    assert_eq!(serde_json::to_string(&report).unwrap(), expected.to_string());
    assert!(report.to_text().contains("POSITIVO"));
}

#[test]
fn a_package_that_is_not_there_is_bad_and_counted_as_not_checked() {
    let archive = Empty::new();
    let first = archive.entry(1, Sha256::ZERO);
    archive.entry(2, first);
    let report = archive.check(&Scope::all(Mode::Quick));
    assert_eq!(report.outcome, Outcome::Bad);
    assert_eq!(codes(&report), ["package-missing", "package-missing"]);
    assert_eq!(report.findings[0].place.package, Some("generic/1".parse().unwrap()));
    assert_eq!(report.findings[0].place.vault.as_deref(), Some("local"));
    assert_eq!(report.coverage.packages, Count { total: 2, checked: 0 });
    assert_eq!(report.coverage.documents, Count { total: 4, checked: 0 });
    assert!(report.to_text().contains("pacchetto (package): generic/1"));
    // Only what was asked for is judged; the rest is counted.
    let scope = Scope { class: Some("invoice".parse().unwrap()), ..Scope::all(Mode::Full) };
    let report = archive.check(&scope);
    assert_eq!((report.outcome, report.coverage.packages.total), (Outcome::Good, 2));
    assert!(report.coverage.not_looked_at.contains(&"packages out of scope".to_owned()));
    // A package that nobody knows was not looked at, whatever it is.
    let scope = Scope { package: Some("generic/9".parse().unwrap()), ..Scope::all(Mode::Full) };
    assert_eq!(archive.check(&scope).outcome, Outcome::Unchecked);
}

#[test]
fn a_vault_that_is_not_mounted_is_unchecked_and_not_bad() {
    let archive = Empty::new();
    archive.entry(1, Sha256::ZERO);
    std::fs::rename(archive.dir.path().join("packages/vault.id"), archive.dir.path().join("elsewhere")).unwrap();
    let report = archive.check(&Scope::all(Mode::Full));
    assert_eq!(report.outcome, Outcome::Unchecked, "{:?}", report.findings);
    assert_eq!(report.coverage.packages, Count { total: 1, checked: 0 });
}

#[test]
fn a_series_with_a_hole_or_another_predecessor_is_broken() {
    let archive = Empty::new();
    archive.entry(1, Sha256::ZERO);
    archive.entry(2, Sha256::of(b"another"));
    archive.entry(4, Sha256::ZERO);
    let report = archive.check(&Scope::all(Mode::Quick));
    let broken: Vec<_> = report.findings.iter().filter(|f| f.code == Code::SeriesBroken).collect();
    assert_eq!(broken.len(), 2);
    assert_eq!(broken[0].place.package, Some("generic/2".parse().unwrap()));
    assert!(broken[1].message.ends_with("number 4 follows number 2"));
}

#[test]
fn folders_the_chain_does_not_know_are_named() {
    let archive = Empty::new();
    let packages = archive.dir.path().join("packages");
    std::fs::create_dir_all(packages.join("generic/00000001")).unwrap();
    std::fs::create_dir_all(packages.join("generic/00000002")).unwrap();
    std::fs::create_dir_all(packages.join("generic/x y")).unwrap();
    // Being sealed: published, not yet committed.
    std::fs::create_dir_all(archive.dir.path().join("staging/generic-2")).unwrap();
    std::fs::write(archive.dir.path().join("staging/generic-2/plan.json"), "{}").unwrap();
    let report = archive.check(&Scope::all(Mode::Quick));
    assert_eq!((report.outcome, codes(&report)), (Outcome::Bad, vec!["package-foreign-file", "package-unknown"]));
    assert_eq!(report.findings[1].place.package, Some("generic/1".parse().unwrap()));
    assert_eq!(report.findings[0].place.file.as_deref(), Some("packages/generic/x y"));
}

#[test]
fn a_byte_of_the_chain_is_named_by_file_and_line() {
    let archive = Empty::new();
    archive.entry(1, Sha256::ZERO);
    let path = archive.dir.path().join("chain/entries");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 10;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let report = archive.check(&Scope::all(Mode::Quick));
    assert_eq!(report.outcome, Outcome::Bad);
    assert!(report.findings.iter().any(|f| f.place.file.as_deref() == Some("chain/entries")), "{:?}", report.findings);
}

#[test]
fn full_checks_made_before_are_remembered_by_the_chain() {
    let archive = Empty::new();
    let first = archive.entry(1, Sha256::ZERO);
    let vault = archive.vault.id().to_owned();
    let said = |at: &str, seen: &str, stretch: (u64, u64)| {
        let fields = object(json!({
            "check": CHECK, "mode": "full", "from": at, "ms": 1, "bytes": 0,
            "copies": [{ "vault": vault, "seen": seen, "packages": { "generic": [stretch] } }],
        }));
        archive.ledger.append_record(crate::chain::COVERAGE, fields, None).unwrap();
    };
    let oldest = || archive.check(&Scope::all(Mode::Quick)).coverage.oldest_full_check.map(crate::clock::iso_ms);
    said("2026-02-01T00:00:00.000Z", "unchecked", (1, 1));
    assert_eq!(oldest(), None, "that check could not read it");
    said("2026-03-01T00:00:00.000Z", "good", (1, 1));
    assert_eq!(oldest().as_deref(), Some("2026-03-01T00:00:00.000Z"));
    archive.entry(2, first);
    assert_eq!(oldest(), None, "nobody looked at the second one");
    said("2026-03-15T00:00:00.000Z", "good", (2, 2));
    said("2026-04-01T00:00:00.000Z", "good", (1, 1));
    assert_eq!(oldest().as_deref(), Some("2026-03-15T00:00:00.000Z"));
    // A line that the chain does not hold claims nothing, and is damage.
    let file = archive.dir.path().join("records/coverage.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("2026-03-15", "2026-05-15", 1)).unwrap();
    let report = archive.check(&Scope::all(Mode::Quick));
    assert_eq!(report.coverage.oldest_full_check, None);
    assert!(codes(&report).contains(&"record-altered"), "{:?}", report.findings);
}

#[test]
fn bad_is_worse_than_unchecked_is_worse_than_good() {
    use Outcome::{Bad, Good, Unchecked};
    assert_eq!([Good.and(Unchecked), Unchecked.and(Bad), Bad.and(Good), Good.and(Good)], [Unchecked, Bad, Bad, Good]);
    let place = Place::default;
    let of = |code| Finding::new(code, place(), "").outcome;
    for code in [Code::TokenUntrusted, Code::NotLookedAt, Code::VaultMissing, Code::Io, Code::FilePermission] {
        assert_eq!(of(code), Unchecked, "{}", code.as_str());
    }
    for code in
        [Code::TokenInvalid, Code::PackageFileAltered, Code::ChainAltered, Code::CatalogDisagrees, Code::PackageMissing]
    {
        assert_eq!(of(code), Bad, "{}", code.as_str());
    }
    assert_eq!(Finding::of_room(&Seen::warning(Code::ChainPending, "", "")).outcome, Unchecked);
    assert_eq!(Finding::of_room(&Seen::info(Code::NotLookedAt, "", "")).outcome, Good);
    // An append that was completed at opening hides nothing any more; damage stays damage.
    assert_eq!(Finding::of_opening(&Seen::warning(Code::ChainPending, "", "")).outcome, Good);
    assert_eq!(Finding::of_opening(&Seen::error(Code::JournalTail, "", "")).outcome, Bad);
    assert_eq!(Finding::of_opening(&Seen::warning(Code::CatalogRebuilt, "", "")).outcome, Good);
}

#[test]
fn a_thousand_notes_do_not_hide_what_is_bad() {
    let mut findings = report::Findings::new();
    for n in 0..2 * MAX_FINDINGS {
        findings.push(Finding::note(Code::ModeBits, Place::file(n.to_string()), ""));
    }
    findings.push(Finding::new(Code::ContentAltered, Place::file("content.tar.zst"), ""));
    let (outcome, kept) = findings.finish();
    assert_eq!((outcome, kept[0].code), (Outcome::Bad, Code::ContentAltered));
    assert_eq!(kept.len(), MAX_FINDINGS + 1);
    assert!(kept.last().unwrap().message.ends_with("1001 more findings are not listed"));
}

#[test]
fn places_of_other_rooms_are_read() {
    let id = "0199c0de-0000-7000-8000-000000000001";
    let of = |place: &str| {
        let made = Finding::of_room(&Seen::error(Code::JournalDamaged, place, ""));
        (made.place.file.unwrap_or_default(), made.place.document.map(|id| id.to_string()), made.message)
    };
    let (file, document, message) = of("chain/entries line 3, byte 120");
    assert_eq!((file.as_str(), document), ("chain/entries", None));
    assert!(message.starts_with("line 3, byte 120: "));
    let (file, document, message) = of(&format!("intake/lane-0001/segment-00000001 at byte 7, document {id}"));
    assert_eq!((file.as_str(), document.as_deref()), ("intake/lane-0001/segment-00000001", Some(id)));
    assert!(message.starts_with("at byte 7: "));
    let (file, document, _) = of(&format!("intake/lane-0001/bodies/{id}, document {id}"));
    assert_eq!((file, document.as_deref()), (format!("intake/lane-0001/bodies/{id}"), Some(id)));
}

#[test]
fn a_stamp_over_something_else_is_bad_though_the_chain_names_its_files() {
    use crate::chain::NewStamp;
    use crate::evidence::tsp::{Authority as _, DevelopmentAuthority, request};
    let archive = Empty::new();
    let authority = DevelopmentAuthority::create(archive.clock.clone()).unwrap();
    let stamp = |of: Option<&str>| {
        let head = archive.ledger.head();
        let imprint = Sha256::of(of.unwrap_or(&head.checkpoint).as_bytes());
        let reply = authority.stamp(&request(imprint, None)).unwrap();
        let at = archive.clock.now();
        archive.ledger.add_stamp(&NewStamp { of: &head, reply: &reply, at, offset_ms: None }).unwrap();
    };
    stamp(None);
    // Nothing is wrong with it, and nobody here believes its authority.
    let report = archive.check(&Scope::all(Mode::Full));
    assert_eq!((report.outcome, codes(&report)), (Outcome::Unchecked, vec!["timestamp-untrusted"]));
    stamp(Some("something else"));
    let report = archive.check(&Scope::all(Mode::Full));
    assert_eq!((report.outcome, codes(&report)), (Outcome::Bad, vec!["timestamp/imprint", "timestamp-untrusted"]));
    let file = report.findings[0].place.file.as_deref();
    assert_eq!(file, Some("chain/stamps/00000002.tsr"));
    assert_eq!(archive.check(&Scope::all(Mode::Quick)).outcome, Outcome::Good, "a quick check opens nothing");
}
