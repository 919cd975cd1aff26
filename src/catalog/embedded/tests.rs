//! The contract on the embedded catalog; then what stopping and damage do to it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::catalog::contract::{ask, contract, document, record};

fn reopened(dir: &Path, chain: u64) -> (Embedded, Verdict) {
    Embedded::open(dir, chain).unwrap()
}

/// Two packages up to chain size 5, and some state.
fn filled(dir: &Path) {
    let (catalog, verdict) = reopened(dir, 0);
    assert_eq!(verdict, Verdict::Good);
    record(&catalog, "invoice/1", 1..40, 3);
    record(&catalog, "invoice/2", 40..60, 5);
    for n in 0..20u8 {
        catalog.state_put("jobs", &[n], &[n; 50]).unwrap();
    }
}

/// Everything it should say after [`filled`]; an error is allowed to speak instead, a wrong answer is not.
fn answers_rightly(catalog: &Embedded) -> Result<()> {
    for n in 0..20u8 {
        assert_eq!(catalog.state_get("jobs", &[n])?, Some(vec![n; 50]));
    }
    assert_eq!(catalog.state_iter("jobs")?.len(), 20);
    assert_eq!(catalog.packages(None)?.len(), 2);
    for n in [1, 39, 40, 59] {
        assert_eq!(catalog.locate(document(n, "x").id)?.map(|row| row.sequence.0), Some(n));
    }
    assert_eq!(catalog.documents_of(&"invoice/1".parse().unwrap())?.len(), 39);
    let page = catalog.search(&Query::parse(None, &["seller^=societa"], &[])?)?;
    assert_eq!(page.rows.len(), 59);
    Ok(())
}

#[test]
fn embedded_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let next = AtomicU32::new(0);
    contract(&|| {
        let folder = dir.path().join(next.fetch_add(1, Ordering::SeqCst).to_string());
        Box::new(Embedded::open(&folder, 0).unwrap().0)
    });
}

#[test]
fn open_tells_good_from_behind_from_ahead_from_missing() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let (catalog, verdict) = reopened(dir.path(), 5);
    assert_eq!(verdict, Verdict::Good);
    answers_rightly(&catalog).unwrap();
    catalog.verify().unwrap();
    drop(catalog);
    let (catalog, verdict) = reopened(dir.path(), 9);
    assert_eq!(verdict, Verdict::Behind { watermark: 5 });
    catalog.advance(9).unwrap();
    drop(catalog);
    assert_eq!(reopened(dir.path(), 9).1, Verdict::Good);
    let (catalog, verdict) = reopened(dir.path(), 8);
    assert!(
        matches!(verdict, Verdict::Rebuild { reasons, set_aside } if reasons[0].contains("ahead") && set_aside.is_empty())
    );
    assert_eq!(catalog.watermark().unwrap(), 0);
    assert_eq!(catalog.search(&Query::default()).unwrap().rows.len(), 0);
    drop(catalog);
    let fresh = tempfile::tempdir().unwrap();
    assert!(matches!(reopened(&fresh.path().join("a/b"), 3).1, Verdict::Rebuild { .. }));
    for half in ["state", "search"] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        fs::remove_dir_all(dir.path().join(half)).unwrap();
        let (catalog, verdict) = reopened(dir.path(), 5);
        assert!(matches!(verdict, Verdict::Rebuild { reasons, .. } if reasons[0].contains(half)), "{half}");
        assert_eq!(catalog.state_iter("jobs").unwrap(), []);
        assert_eq!(ask(&catalog, &[]), [0; 0]);
    }
}

#[test]
fn a_catalog_open_elsewhere_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (catalog, _) = reopened(dir.path(), 0);
    let error = Embedded::open(dir.path(), 0).err().expect("one instance only");
    assert_eq!(error.code, Code::ArchiveLocked);
    record(&catalog, "invoice/1", 1..3, 2);
    assert_eq!(ask(&catalog, &[]), [2, 1]);
}

#[test]
fn an_index_put_back_to_an_older_day_is_behind_and_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let old = dir.path().join("old");
    let live = dir.path().join("live");
    let (catalog, _) = reopened(&live, 0);
    record(&catalog, "invoice/1", 1..40, 3);
    drop(catalog);
    copy(&live.join("search"), &old);
    let (catalog, _) = reopened(&live, 3);
    record(&catalog, "invoice/2", 40..60, 5);
    drop(catalog);
    fs::remove_dir_all(live.join("search")).unwrap();
    copy(&old, &live.join("search"));
    let (catalog, verdict) = reopened(&live, 5);
    assert_eq!(verdict, Verdict::Behind { watermark: 3 });
    assert_eq!(catalog.watermark().unwrap(), 3);
    record(&catalog, "invoice/2", 40..60, 5);
    drop(catalog);
    let (catalog, verdict) = reopened(&live, 5);
    assert_eq!((verdict, ask(&catalog, &[]).len()), (Verdict::Good, 59));
}

#[test]
fn state_put_back_to_an_older_day_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (live, old) = (dir.path().join("live"), dir.path().join("old"));
    filled(&live);
    copy(&live.join("state"), &old);
    let (catalog, _) = reopened(&live, 5);
    catalog.state_put("jobs", b"late", b"1").unwrap();
    drop(catalog);
    // sled's files of the day before, under the mark of today: what a cut tail of its log comes to.
    let mark = fs::read(live.join("state/custode.mark")).unwrap();
    fs::remove_dir_all(live.join("state")).unwrap();
    copy(&old, &live.join("state"));
    fs::write(live.join("state/custode.mark"), mark).unwrap();
    let (_, verdict) = reopened(&live, 5);
    assert!(
        matches!(verdict, Verdict::Rebuild { reasons, set_aside } if reasons[0].contains("last commits") && set_aside.len() == 1)
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|e| e.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn files(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() { files(&entry, found) } else { found.push(entry) }
    }
}

/// Every file of both engines: deleted, cut at several places, flipped at several places. Never a panic, never a wrong
/// answer; most of it is told at open.
#[test]
fn damage_is_told_or_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    filled(&whole);
    let mut all = Vec::new();
    files(&whole, &mut all);
    all.sort();
    let (mut cases, mut told) = (0, 0);
    for file in &all {
        let name = file.strip_prefix(&whole).unwrap();
        let bytes = fs::read(file).unwrap();
        // Where something is written, not the zeros behind it.
        let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
        let mut damages: Vec<Option<Vec<u8>>> = vec![None, Some(Vec::new())];
        for part in 1..3 {
            damages.push(Some(bytes[..used * part / 3].to_vec()));
        }
        damages.push(Some(bytes[..used.saturating_sub(1)].to_vec()));
        let flips = if name.ends_with("db") || name.ends_with("meta.json") { 12 } else { 2 };
        for n in 0..flips.min(used) {
            let mut flipped = bytes.clone();
            flipped[n * used / flips + n % 7 * usize::from(used > 500)] ^= 1 << (n % 8);
            damages.push(Some(flipped));
        }
        for (n, damage) in damages.into_iter().enumerate() {
            let victim = dir.path().join("victim");
            let _ = fs::remove_dir_all(&victim);
            copy(&whole, &victim);
            match damage {
                Some(bytes) => fs::write(victim.join(name), bytes).unwrap(),
                None => fs::remove_file(victim.join(name)).unwrap(),
            }
            cases += 1;
            let (catalog, verdict) = reopened(&victim, 5);
            if let Verdict::Rebuild { .. } = verdict {
                told += 1;
                assert_eq!((catalog.watermark().unwrap(), ask(&catalog, &[]).len()), (0, 0), "{name:?} {n}");
            }
            if !matches!(verdict, Verdict::Good) {
                // Recording again is all it takes, whatever happened.
                record(&catalog, "invoice/1", 1..40, 3);
                record(&catalog, "invoice/2", 40..60, 5);
                (0..20u8).for_each(|n| catalog.state_put("jobs", &[n], &[n; 50]).unwrap());
            }
            if let Err(error) = answers_rightly(&catalog) {
                assert_eq!(error.code, Code::CatalogDamaged, "{name:?} {n}: {error}");
            }
        }
    }
    assert!(told * 2 > cases, "{told} of {cases} damages told");
}

/// The life of a catalog that is stopped before its n-th durable step; the next test runs it as a process of its own.
#[test]
#[ignore = "run as a child by the test below"]
fn child_that_is_stopped() {
    let dir = std::path::PathBuf::from(std::env::var("CUSTODE_TEST_CATALOG").expect("set by the parent"));
    let (catalog, _) = reopened(&dir.join("catalog"), 0);
    for n in 1..20 {
        fs::write(dir.join("started"), n.to_string()).unwrap();
        record(&catalog, &format!("invoice/{n}"), n * 10..n * 10 + 10, n + 1);
        catalog.state_put("jobs", &[n as u8], b"done").unwrap();
        fs::write(dir.join("done"), n.to_string()).unwrap();
    }
    panic!("it should have been stopped by now");
}

#[test]
fn stopped_anywhere_it_lacks_at_most_what_was_not_acknowledged() {
    for step in [9, 14, 15, 16, 17, 18, 19, 20, 30] {
        let dir = tempfile::tempdir().unwrap();
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "catalog::embedded::tests::child_that_is_stopped", "--ignored"])
            .env("CUSTODE_TEST_CATALOG", dir.path())
            .env("CUSTODE_TEST_ABORT_AT", step.to_string())
            .output()
            .unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&child.status),
            Some(6),
            "step {step}: stopped by abort"
        );
        let said = |name: &str| fs::read_to_string(dir.path().join(name)).map_or(0, |n| n.parse::<u64>().unwrap());
        let (started, done) = (said("started"), said("done"));
        let (catalog, verdict) = reopened(&dir.path().join("catalog"), started + 1);
        let from = match verdict {
            Verdict::Good => started,
            Verdict::Behind { watermark } => watermark.saturating_sub(1),
            // Only where nothing had been recorded yet.
            Verdict::Rebuild { .. } => 0,
        };
        assert!(from >= done, "step {step}: {done} acknowledged, {from} found");
        (1..=done).for_each(|n| assert!(catalog.state_get("jobs", &[n as u8]).unwrap().is_some(), "step {step}"));
        for n in from + 1..=started {
            record(&catalog, &format!("invoice/{n}"), n * 10..n * 10 + 10, n + 1);
        }
        for n in 10..(started + 1) * 10 {
            assert!(catalog.locate(document(n, "x").id).unwrap().is_some(), "step {step}: document {n}");
        }
        assert_eq!(ask(&catalog, &[]).len() as u64, started * 10, "step {step}");
    }
}
