//! Sends deposits to an archive that is being served, and says how fast they were acknowledged.
//!
//! `custode -a demo serve &` and `cargo run --profile dist --example load -- -a demo --documents 5000 --size 40KB --connections 64`

#[path = "load/client.rs"]
mod client;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use client::{Deposit, Target};
use custode::corpus::Rng;

/// Deposits generic documents of one size.
#[derive(Parser)]
#[command(name = "load", version)]
struct Arguments {
    /// Folder of the archive that is being served here.
    #[arg(short, long, default_value = ".")]
    archive: PathBuf,
    /// How many documents.
    #[arg(long, default_value_t = 5000)]
    documents: u64,
    /// Bytes of each.
    #[arg(long, default_value_t = 40_000)]
    size: usize,
    /// How many at the same time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seed of their bytes: another one, or they are the deposits of the last time.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn documents(arguments: &Arguments) -> Vec<Deposit> {
    (0..arguments.documents)
        .map(|n| {
            let mut rng = Rng::for_case(arguments.seed, "load", n);
            let bytes = rng.bytes(arguments.size);
            Deposit { class: "generic", name: format!("{n}.bin"), metadata: String::new(), bytes: bytes.into() }
        })
        .collect()
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("load: {error}");
            return ExitCode::from(2);
        }
    };
    let target = match Target::of_archive(&arguments.archive) {
        Ok(target) => target,
        Err(error) => {
            eprintln!("load: {error}");
            return ExitCode::from(2);
        }
    };
    let documents = Arc::new(documents(&arguments));
    let outcome = runtime.block_on(client::run(&target, arguments.connections, documents));
    println!(
        "{} accepted in {:.2} s, {:.0} a second, {:.1} MB/s, wait: median {:.1} ms, 99 % {:.1} ms; answers {:?}",
        outcome.accepted(),
        outcome.elapsed.as_secs_f64(),
        outcome.accepted() as f64 / outcome.elapsed.as_secs_f64(),
        outcome.bytes as f64 / 1e6 / outcome.elapsed.as_secs_f64(),
        outcome.percentile(50).as_secs_f64() * 1e3,
        outcome.percentile(99).as_secs_f64() * 1e3,
        outcome.statuses,
    );
    if let Some(refusal) = &outcome.first_refusal {
        eprintln!("load: {refusal}");
        return ExitCode::from(1);
    }
    ExitCode::SUCCESS
}
