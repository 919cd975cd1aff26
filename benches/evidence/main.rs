//! What evidence costs: `cargo bench --profile dist --bench evidence`.
//!
//! Limits: the tree and all records of a package of 100,000 documents in under two seconds on one core; one document's record in under
//! a millisecond; `custode verify` of a bundle of one document in under 50 ms, process and all. The digests of the documents
//! themselves are not in these figures: they are there when a package is made.

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use custode::clock::ManualClock;
use custode::evidence::digest::Algorithm;
use custode::evidence::ers::{Group, History, TreeFile};
use custode::evidence::tsp::{Authority as _, DevelopmentAuthority, new_request, token_of_reply};
use uuid::Uuid;

const DOCUMENTS: u128 = 100_000;

/// Groups of document, metadata, RdV and manifest, and one of the index.
fn groups(algorithm: Algorithm) -> Vec<Group> {
    let member = |n: u128, m: u8| algorithm.of(&[&n.to_le_bytes()[..], &[m]].concat());
    (0..=DOCUMENTS)
        .map(|n| Group::new((n > 0).then(|| Uuid::from_u128(n)), (0..4).map(move |m| member(n, m))))
        .collect()
}

fn history(tree: TreeFile) -> History {
    let clock = std::sync::Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().expect("an instant")));
    let authority = DevelopmentAuthority::create(clock).expect("an authority");
    let reply = authority.stamp(&new_request(tree.run_root()).expect("a request")).expect("a reply");
    History::new(tree, token_of_reply(&reply).expect("a token"))
}

fn records(criterion: &mut Criterion) {
    let mut slow = criterion.benchmark_group("100,000 documents");
    slow.sample_size(10).measurement_time(Duration::from_secs(20));
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let groups = groups(algorithm);
        let token = history(TreeFile::build(groups.clone()).expect("a tree")).last_token().to_vec();
        slow.bench_function(format!("tree and all records, {algorithm} (limit 2 s)"), |bench| {
            bench.iter(|| {
                let history = History::new(TreeFile::build(groups.clone()).expect("a tree"), token.clone());
                let mut bytes = 0;
                for n in 1..=DOCUMENTS {
                    bytes += history.record(Some(Uuid::from_u128(n))).expect("a record").to_der().len();
                }
                black_box(bytes)
            });
        });
    }
    let built = history(TreeFile::build(groups(Algorithm::Sha256)).expect("a tree"));
    let file = built.sealed().expect("a tree").encode();
    slow.bench_function("tree file read and computed again", |bench| {
        bench.iter(|| black_box(TreeFile::parse(&file).expect("a tree")));
    });
    slow.finish();
    let mut n = 0;
    criterion.bench_function("one document's record (limit 1 ms)", |bench| {
        bench.iter(|| {
            n = n % DOCUMENTS + 1;
            black_box(built.record(Some(Uuid::from_u128(n))).expect("a record").to_der())
        });
    });
}

fn custode(archive: &Path, arguments: &[&str]) -> Vec<u8> {
    let program = env!("CARGO_BIN_EXE_custode");
    let done = Command::new(program).arg("--archive").arg(archive).arg("--json").args(arguments).output();
    let done = done.expect("the program runs");
    assert!(done.status.code().is_some_and(|code| code != 1), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

fn bundles(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let (document, bundle) = (folder.path().join("atto.txt"), folder.path().join("bundle.zip"));
    let bundle = bundle.to_str().expect("a plain path");
    std::fs::write(&document, "Un documento di prova.\n".repeat(1000)).expect("a file");
    custode(&archive, &["init"]);
    custode(&archive, &["deposit", "--class", "generic", "-m", "date=2026-01-01", document.to_str().expect("a path")]);
    custode(&archive, &["seal"]);
    custode(&archive, &["export", "--search", "date=2026-01-01", "-o", bundle]);
    let mut group = criterion.benchmark_group("custode verify");
    group.bench_function("a bundle of one document (limit 50 ms)", |bench| {
        bench.iter(|| black_box(custode(&archive, &["verify", bundle])));
    });
    group.finish();
}

criterion_group!(benches, records, bundles);
criterion_main!(benches);
