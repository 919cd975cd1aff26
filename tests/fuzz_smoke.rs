//! A short fuzzing run without instrumentation: every seed of `tests/corpus` as it is, then damaged, through every target.
//!
//! Asserted: no panic, no input of 64 KB that takes seconds, nothing made that is out of proportion to the input. The numbers follow
//! from a seed that is printed; `CUSTODE_FUZZ_SEED=7 CUSTODE_FUZZ_ROUNDS=20000 cargo test --test fuzz_smoke` goes further.
//! The long runs are instrumented: `tests/fuzz/README.md`. What failed is left in `target/tmp/fuzz-*`.

#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/seeds.rs"]
mod seeds;
#[path = "fuzz/targets.rs"]
mod targets;

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use custode::corpus::Rng;
use mutate::mutate;
use seeds::Seeds;
use targets::{TARGETS, Target};

/// Damaged inputs of each target, unless `CUSTODE_FUZZ_ROUNDS` says otherwise: half a minute of two cores without optimisation.
const ROUNDS: u64 = 3000;

/// No input takes longer, without optimisation; what does is tried again before it is called slow.
const SLOWEST: Duration = Duration::from_secs(2);

/// What may come out: reports of fixed size, and metadata in proportion to the input.
const fn proportionate(length: usize) -> usize {
    128 * 1024 + 16 * length
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// The words of a libFuzzer dictionary: `"text"` with `\xNN`, `\\`, `\"`, one a line.
fn dictionary(target: &str) -> Vec<Vec<u8>> {
    let path = root().join("tests/fuzz/dictionaries").join(format!("{target}.dict"));
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    text.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix('"')).map(unescape).collect()
}

fn unescape(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, rest) {
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).expect("a hexadecimal digit");
                out.push(u8::try_from(digit(high) * 16 + digit(low)).unwrap());
                rest = tail;
            }
            (b'\\', [escaped, tail @ ..]) => {
                out.push(*escaped);
                rest = tail;
            }
            _ => out.push(*first),
        }
    }
    out
}

/// What is wrong with how an input was taken, or nothing.
fn trouble(run: fn(&[u8]) -> usize, input: &[u8], slowest: Duration) -> Option<String> {
    let timed = || {
        let started = Instant::now();
        let made = catch_unwind(|| run(input));
        (made, started.elapsed())
    };
    let (made, mut elapsed) = timed();
    let Ok(made) = made else { return Some("panicked".to_owned()) };
    // Other tests may have had the processor: the best of three counts.
    for _ in 0..2 {
        if elapsed > slowest {
            elapsed = elapsed.min(timed().1);
        }
    }
    if elapsed > slowest {
        return Some(format!("took {elapsed:.1?} for {} bytes", input.len()));
    }
    (made > proportionate(input.len())).then(|| format!("made {made} bytes of {}", input.len()))
}

/// Every seed, then `rounds` damaged ones. Gives how many were tried and what went wrong.
fn exercise(target: &Target, seeds: &Seeds, seed: u64, rounds: u64) -> (u64, Vec<String>) {
    let (files, words) = (seeds.of(target.name), dictionary(target.name));
    assert!(!files.is_empty(), "{}: no seeds", target.name);
    let whole = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
    let damaged = (0..rounds).map(|round| {
        let mut rng = Rng::for_case(seed, target.name, round);
        let (name, bytes) = *rng.pick(&files);
        (format!("{name}, round {round}"), mutate(bytes, &files, &words, &mut rng))
    });
    let (mut tried, mut wrong) = (0, Vec::new());
    for (what, input) in whole.chain(damaged) {
        tried += 1;
        if let Some(trouble) = trouble(target.run, &input, SLOWEST) {
            let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}-{tried}", target.name));
            std::fs::write(&kept, &input).unwrap();
            wrong.push(format!("{}: {what}: {trouble}; see {}", target.name, kept.display()));
        }
    }
    (tried, wrong)
}

#[test]
fn damaged_documents_are_taken_calmly() {
    let (seed, rounds) = (setting("CUSTODE_FUZZ_SEED", 1), setting("CUSTODE_FUZZ_ROUNDS", ROUNDS));
    println!("seed {seed}, {rounds} rounds");
    let seeds = Seeds::gather(root());
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        // Two at a time, as many as the smallest machine has cores: more would only make each look slow.
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(target) = TARGETS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let started = Instant::now();
                    let (tried, bad) = exercise(target, &seeds, seed, rounds);
                    println!("{:>14}: {tried} inputs, {} bad, {:.1?}", target.name, bad.len(), started.elapsed());
                    wrong.lock().unwrap().extend(bad);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "seed {seed}: {} bad inputs:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn panics_slowness_and_swelling_are_noticed() {
    let second = Duration::from_millis(20);
    assert_eq!(trouble(|bytes| bytes.len(), b"calm", second), None);
    assert_eq!(trouble(|bytes| bytes[100].into(), b"short", second).as_deref(), Some("panicked"));
    let slow = trouble(
        |_| {
            std::thread::sleep(Duration::from_millis(40));
            0
        },
        b"slow",
        second,
    );
    assert!(slow.unwrap().starts_with("took"));
    assert!(trouble(|_| 1 << 30, b"bomb", second).unwrap().starts_with("made 1073741824 bytes"));
}

#[test]
fn every_target_has_its_program_and_a_readable_dictionary() {
    let manifest = std::fs::read_to_string(root().join("tests/fuzz/Cargo.toml")).unwrap();
    for Target { name, .. } in TARGETS {
        let program = std::fs::read_to_string(root().join(format!("tests/fuzz/fuzz_targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("targets::run(\"{name}\"")), "{name}");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not in Cargo.toml");
        assert!(!dictionary(name).is_empty(), "{name} has no dictionary");
    }
    assert_eq!(unescape(r#"a\x30\x82\\\""#), b"a0\x82\\\"");
}

/// Writes the seeds to `tests/fuzz/corpus/<target>/`, for the instrumented programs.
#[test]
#[ignore = "writes into the source folder; asked for by name"]
fn write_seeds() {
    let seeds = Seeds::gather(root());
    for target in TARGETS {
        let folder = root().join("tests/fuzz/corpus").join(target.name);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, bytes) in seeds.of(target.name) {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
}
