//! A time-stamping authority for tests and trials: `openssl ts -reply` behind HTTP, good or with one defect.
//!
//! `cargo run --example tsa -- --dir /tmp/tsa --listen 127.0.0.1:3161 --defect none` prints its address and where its anchor is.

#[path = "tsa/office.rs"]
mod office;
#[path = "tsa/serve.rs"]
mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use office::{Defect, Office};
use serve::Served;

/// Serves until it is stopped.
#[derive(Parser)]
#[command(name = "tsa", version)]
struct Arguments {
    /// Folder of the authority; made when it is not there.
    #[arg(long)]
    dir: PathBuf,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:3161")]
    listen: SocketAddr,
    /// What is wrong with its answers.
    #[arg(long, default_value = "none", value_parser = defect)]
    defect: Defect,
}

fn defect(name: &str) -> Result<Defect, String> {
    let known = Defect::ALL.iter().find(|(known, _)| *known == name);
    known.map(|(_, defect)| *defect).ok_or_else(|| {
        let names: Vec<&str> = Defect::ALL.iter().map(|(name, _)| *name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let started = std::fs::create_dir_all(&arguments.dir).and_then(|()| {
        let office = Office::create(&arguments.dir);
        let anchor = office.anchor();
        Ok((Served::start(office, arguments.listen, arguments.defect)?, anchor))
    });
    match started {
        Ok((served, anchor)) => {
            println!("{}  anchor {}", served.url(), anchor.display());
            loop {
                std::thread::park();
            }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
