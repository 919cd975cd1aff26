//! Writes a corpus to a folder: every document as a file, and beside it `<name>.json` with class, metadata, ties and the facts
//! a reader must find.
//!
//! `cargo run --profile dist --example corpus -- --seed 1 --documents 500 -o corpus`
//!
//! `cargo run --example corpus -- matrix tests/corpus` writes the test matrix instead: every kind, encoding and defect.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use custode::corpus::{Generator, Item, Mix, Options, hostile, samples, trust_anchors};

/// Generates invented documents: the same seed and options give the same bytes.
#[derive(Parser)]
#[command(name = "corpus", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Seed of all numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many documents; the case in course is completed.
    #[arg(long, required_unless_present_any = ["bytes", "hostile"], conflicts_with = "bytes")]
    documents: Option<u64>,
    /// How many bytes: a number, or one with KiB, MiB, GiB.
    #[arg(long, value_parser = size)]
    bytes: Option<u64>,
    /// Shares of documents by kind.
    #[arg(long, default_value = "pec:60,invoice:30,identity:5,log:5", value_parser = shares)]
    mix: Mix,
    /// Day of the first case.
    #[arg(long, default_value = "2026-01-07")]
    start: jiff::civil::Date,
    /// How many in a thousand PEC messages carry a big attachment.
    #[arg(long, default_value_t = Options::default().big_per_thousand)]
    big_per_thousand: u32,
    /// Size of a big attachment.
    #[arg(long, default_value = "3MiB", value_parser = size)]
    big_bytes: u64,
    /// Add the senders' own copies.
    #[arg(long)]
    sent_copies: bool,
    /// Write the bad inputs too, in a folder `ostili`.
    #[arg(long)]
    hostile: bool,
    /// Generate and measure, write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Folder to write to.
    #[arg(short, long, default_value = "corpus")]
    output: PathBuf,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Writes the test matrix: a folder per class, the certificates to trust in `trust`.
    Matrix {
        /// Folder to write to.
        folder: PathBuf,
    },
}

fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => return Err(format!("unknown unit {other:?}: KiB, MiB or GiB")),
    };
    let number: u64 = number.parse().map_err(|_| "expected a number".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "too many".to_owned())
}

fn shares(text: &str) -> Result<Mix, String> {
    text.parse::<Mix>().map_err(|e| e.to_string())
}

fn write(folder: &Path, item: &Item) -> std::io::Result<()> {
    let beside = serde_json::json!({
        "name": item.name,
        "class": item.class,
        "group": item.group,
        "metadata": item.metadata,
        "relations": item.relations,
        "expected": item.expected,
    });
    std::fs::write(folder.join(&item.name), &item.bytes)?;
    std::fs::write(folder.join(format!("{}.json", item.name)), format!("{beside:#}\n"))
}

fn matrix(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    for sample in samples()? {
        let folder = folder.join(sample.class);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(&sample.name), &sample.bytes)?;
    }
    std::fs::create_dir_all(folder.join("trust"))?;
    for (name, pem) in trust_anchors()? {
        std::fs::write(folder.join("trust").join(name), pem)?;
    }
    Ok(())
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    if let Some(Command::Matrix { folder }) = &arguments.command {
        return matrix(folder);
    }
    let options = Options {
        start: arguments.start,
        mix: arguments.mix,
        big_per_thousand: arguments.big_per_thousand,
        big_bytes: usize::try_from(arguments.big_bytes)?,
        sent_copies: arguments.sent_copies,
        ..Options::default()
    };
    let generator = Generator::new(arguments.seed, options)?;
    if !arguments.dry_run {
        std::fs::create_dir_all(&arguments.output)?;
        std::fs::write(arguments.output.join("ca-di-prova.der"), generator.root_certificate())?;
    }
    if arguments.hostile && !arguments.dry_run {
        let folder = arguments.output.join("ostili");
        std::fs::create_dir_all(&folder)?;
        for bad in hostile() {
            std::fs::write(folder.join(bad.name), bad.bytes)?;
        }
    }
    let started = std::time::Instant::now();
    let (mut documents, mut bytes) = (0u64, 0u64);
    let mut classes = std::collections::BTreeMap::<&str, (u64, u64)>::new();
    let mut case = String::new();
    for item in generator {
        let item = item?;
        let enough = arguments.documents.is_none_or(|n| documents >= n) && arguments.bytes.is_none_or(|n| bytes >= n);
        if enough && item.group != case {
            break;
        }
        documents += 1;
        bytes += item.bytes.len() as u64;
        let class = classes.entry(item.class).or_default();
        class.0 += 1;
        class.1 += item.bytes.len() as u64;
        if !arguments.dry_run {
            write(&arguments.output, &item)?;
        }
        case = item.group;
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut out = std::io::stdout().lock();
    for (class, (count, size)) in classes {
        writeln!(out, "{class:20} {count:8} documents {size:14} bytes")?;
    }
    let rate = bytes as f64 / 1e6 / seconds.max(1e-9);
    writeln!(out, "{:20} {documents:8} documents {bytes:14} bytes in {seconds:.1} s, {rate:.0} MB/s", "total")?;
    Ok(())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("corpus: {error}");
            ExitCode::from(2)
        }
    }
}
