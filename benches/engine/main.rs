//! What the engine does a second, beside `b3sum` and `sha256sum` on the same bytes in the same run.
//!
//! `cargo bench --profile dist --bench engine` (`-- --bytes 300 --small 5000`): invented documents (fixed seed) go over HTTP into the real
//! server, are sealed, checked and indexed again; each phase has a process of its own, so that its peak of memory is its
//! own. Absolute figures are the machine's; the ratios are ours.

#[path = "../../tools/load/client.rs"]
mod client;
mod process;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use client::{Deposit, Outcome, Target};
use custode::corpus::{Generator, Options, Rng};
use process::{Served, custode, digest_program};

type Fallible<T> = Result<T, String>;

/// What to measure with.
#[derive(Parser)]
struct Arguments {
    /// Megabytes of mixed documents.
    #[arg(long, default_value_t = 300)]
    bytes: u64,
    /// Documents of 40 KB for the second series.
    #[arg(long, default_value_t = 5000)]
    small: u64,
    /// Deposits under way at the same time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seed of all documents.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leaves the archives here instead of a temporary folder.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A figure: what, how much work, how long, peak memory.
struct Row {
    what: &'static str,
    documents: usize,
    bytes: u64,
    seconds: f64,
    peak: Option<u64>,
}

impl Row {
    fn speed(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.seconds.max(1e-9)
    }
}

struct Corpus {
    deposits: Vec<Deposit>,
    bytes: u64,
}

fn mixed(arguments: &Arguments) -> Fallible<(Corpus, f64)> {
    let started = Instant::now();
    let mut corpus = Corpus { deposits: Vec::new(), bytes: 0 };
    let generator = Generator::new(arguments.seed, Options::default()).map_err(|e| e.to_string())?;
    for item in generator {
        let item = item.map_err(|e| e.to_string())?;
        corpus.bytes += item.bytes.len() as u64;
        let metadata =
            if item.metadata.is_empty() { String::new() } else { serde_json::Value::Object(item.metadata).to_string() };
        corpus.deposits.push(Deposit { class: item.class, name: item.name, metadata, bytes: item.bytes.into() });
        if corpus.bytes >= arguments.bytes * 1_000_000 {
            break;
        }
    }
    Ok((corpus, started.elapsed().as_secs_f64()))
}

fn small(arguments: &Arguments) -> Corpus {
    const SIZE: usize = 40_000;
    let deposits: Vec<Deposit> = (0..arguments.small)
        .map(|n| Deposit {
            class: "generic",
            name: format!("{n}.bin"),
            metadata: String::new(),
            bytes: Rng::for_case(arguments.seed, "bench", n).bytes(SIZE).into(),
        })
        .collect();
    Corpus { bytes: deposits.len() as u64 * SIZE as u64, deposits }
}

/// The mixed documents as files, for the programs of comparison.
fn files(folder: &Path, corpus: &Corpus) -> Fallible<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
    let mut paths = Vec::with_capacity(corpus.deposits.len());
    for deposit in &corpus.deposits {
        let path = folder.join(&deposit.name);
        std::fs::write(&path, &deposit.bytes).map_err(|e| e.to_string())?;
        paths.push(path);
    }
    Ok(paths)
}

/// Durable appends of 4 KiB a second: what the disk allows a writer that waits for each.
fn syncs(folder: &Path) -> Fallible<f64> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(folder.join("syncs")).map_err(|e| e.to_string())?;
    let started = Instant::now();
    for _ in 0..200 {
        file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).map_err(|e| e.to_string())?;
    }
    Ok(200.0 / started.elapsed().as_secs_f64())
}

fn init(archive: &Path) -> Fallible<()> {
    custode(archive, &["init"])?;
    // Closing by itself would be measured together with intake.
    let path = archive.join("custode.toml");
    let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
    let changed = text.replace("#interval = \"10s\"", "interval = \"1d\"");
    if changed == text {
        return Err("custode.toml has no sealing interval to change".to_owned());
    }
    std::fs::write(&path, changed).map_err(|e| e.to_string())
}

fn load(arguments: &Arguments, archive: &Path, corpus: Corpus) -> Fallible<(Outcome, u64)> {
    let server = Served::start(archive)?;
    let target = Target::of_archive(archive)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| format!("threads: {e}"))?;
    let outcome = runtime.block_on(client::run(&target, arguments.connections, Arc::new(corpus.deposits)));
    if let Some(refusal) = &outcome.first_refusal {
        println!("!! not accepted: {refusal}");
    }
    Ok((outcome, server.stop()?))
}

/// One command of an archive nobody serves: its time from lock to answer, its own peak. One that fails has no figure.
fn command(archive: &Path, what: &'static str, args: &[&str], work: (usize, u64)) -> Fallible<Row> {
    let run = custode(archive, args)?;
    Ok(Row { what, documents: work.0, bytes: work.1, seconds: run.seconds, peak: Some(run.peak) })
}

fn measure(arguments: &Arguments, folder: &Path) -> Fallible<String> {
    let mut rows = Vec::new();
    let syncs = syncs(folder)?;
    let (corpus, seconds) = mixed(arguments)?;
    let (count, bytes) = (corpus.deposits.len(), corpus.bytes);
    rows.push(Row { what: "corpus generated", documents: count, bytes, seconds, peak: None });

    let paths = files(&folder.join("files"), &corpus)?;
    let mut missing = Vec::new();
    for (what, program, args) in [
        ("sha256sum", "sha256sum", &[][..]),
        ("b3sum, one thread", "b3sum", &["--num-threads", "1"]),
        ("b3sum", "b3sum", &[]),
    ] {
        // Once to have the files in memory, once to be timed.
        match digest_program(program, args, &paths).and_then(|_| digest_program(program, args, &paths)) {
            Ok(seconds) => rows.push(Row { what, documents: count, bytes, seconds, peak: None }),
            Err(error) => missing.push(format!("!! NO COMPARISON with {program}: {error}")),
        }
    }

    let tiny = small(arguments);
    let archive = folder.join("small");
    init(&archive)?;
    let tiny_bytes = tiny.bytes;
    let (outcome, peak) = load(arguments, &archive, tiny)?;
    let waits = |outcome: &Outcome| {
        let ms = |percent| outcome.percentile(percent).as_secs_f64() * 1e3;
        format!("wait: median {:.1} ms, 99 % {:.1} ms; answers {:?}", ms(50), ms(99), outcome.statuses)
    };
    let mut notes = vec![format!("40 KB over HTTP: {}", waits(&outcome))];
    rows.push(Row {
        what: "deposited, 40 KB each",
        documents: outcome.accepted(),
        bytes: tiny_bytes,
        seconds: outcome.elapsed.as_secs_f64(),
        peak: Some(peak),
    });

    let archive = folder.join("mixed");
    init(&archive)?;
    let (outcome, peak) = load(arguments, &archive, corpus)?;
    notes.push(format!("mixed over HTTP: {}", waits(&outcome)));
    let work = (outcome.accepted(), bytes);
    let seconds = outcome.elapsed.as_secs_f64();
    rows.push(Row { what: "deposited, mixed", documents: work.0, bytes, seconds, peak: Some(peak) });
    for (what, args) in [
        ("opened, all unsealed", &["search", "--limit", "1"][..]),
        ("sealed", &["seal"]),
        ("opened, all sealed", &["search", "--limit", "1"]),
        ("checked, quick", &["check", "--quick"]),
        ("checked, full", &["check", "--full"]),
        ("catalog rebuilt", &["reindex"]),
    ] {
        match command(&archive, what, args, work) {
            Ok(row) => rows.push(row),
            Err(error) => missing.push(format!("!! NO FIGURE for {what:?}: {error}")),
        }
    }

    let mut out = table(arguments, &rows);
    let _ = writeln!(out, "durable appends of 4 KiB a second, one after the other: {syncs:.0}");
    for line in notes.into_iter().chain(missing) {
        let _ = writeln!(out, "{line}");
    }
    Ok(out)
}

fn table(arguments: &Arguments, rows: &[Row]) -> String {
    let beside = |name: &str| rows.iter().find(|row| row.what == name).map(Row::speed);
    let (sha, blake) = (beside("sha256sum"), beside("b3sum"));
    let ratio =
        |row: &Row, other: Option<f64>| other.map_or_else(|| "-".to_owned(), |o| format!("{:.3}", row.speed() / o));
    let mut out = format!(
        "\nseed {}, {} connections, {} processors\n\n| | documents | MB | seconds | documents/s | MB/s | / sha256sum | / b3sum | peak MiB |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        arguments.seed,
        arguments.connections,
        std::thread::available_parallelism().map_or(0, usize::from),
    );
    for row in rows {
        let peak = row.peak.map_or_else(|| "-".to_owned(), |peak| format!("{}", peak >> 20));
        let _ = writeln!(
            out,
            "| {} | {} | {:.0} | {:.2} | {:.0} | {:.1} | {} | {} | {peak} |",
            row.what,
            row.documents,
            row.bytes as f64 / 1e6,
            row.seconds,
            row.documents as f64 / row.seconds.max(1e-9),
            row.speed(),
            ratio(row, sha),
            ratio(row, blake),
        );
    }
    out
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let temporary = match tempfile::tempdir() {
        Ok(temporary) => temporary,
        Err(error) => {
            eprintln!("engine: {error}");
            return ExitCode::from(2);
        }
    };
    let folder = arguments.keep.clone().unwrap_or_else(|| temporary.path().to_owned());
    match std::fs::create_dir_all(&folder).map_err(|e| e.to_string()).and_then(|()| measure(&arguments, &folder)) {
        Ok(table) => {
            println!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("engine: {error}");
            ExitCode::from(1)
        }
    }
}
