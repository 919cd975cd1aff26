//! `custode check`.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::api::{Api, Payload};
use super::print::{self, say};
use super::{Exit, Global};
use crate::archive::inspect;
use crate::error::{AtPath as _, Code, Error, Kind, Lang, Result};

/// How often a running check is asked how far it is.
const POLL: Duration = Duration::from_millis(100);

/// How often a check that waits for another one asks for its turn.
const TURN: Duration = Duration::from_millis(500);

/// Receipts of a deposit of many documents are the largest of what is compared.
const MAX_KEPT: u64 = 512 << 10;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Presence, sizes and file digests only.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Every document's digest inside its package, index, time-stamps (the default).
    #[arg(long)]
    full: bool,
    /// Whether every document can still be decoded by the reader of its format; no check of integrity.
    #[arg(long, conflicts_with_all = ["quick", "full"])]
    legibility: bool,
    /// Only copies that no check in this mode has looked at for so long (90d), the longest waiting first.
    #[arg(long, value_name = "AGE")]
    older_than: Option<String>,
    /// How long it may take (30min) or how much it may read (10GiB), the longest waiting first; the next one goes on with the rest.
    #[arg(long, value_name = "TIME|SIZE")]
    budget: Option<String>,
    /// Only this class.
    #[arg(long)]
    class: Option<String>,
    /// Only this package, as SERIES/N.
    #[arg(long, value_name = "SERIES/N")]
    package: Option<String>,
    /// A checkpoint or receipt that bears the archive's mark and somebody else kept: the chain is held against it.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Takes no lock and writes nothing: reads up to the checkpoint it sees first.
    #[arg(long)]
    read_only: bool,
}

/// Verifies the archive.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let mode = match (args.quick, args.legibility) {
        (true, _) => "quick",
        (_, true) => "legibility",
        _ => "full",
    };
    let checkpoint = args.checkpoint.as_deref().map(kept).transpose()?;
    let request = json!({
        "mode": mode, "class": args.class, "package": args.package, "checkpoint": checkpoint, "older_than": args.older_than,
        "budget": args.budget,
    });
    let report = if args.read_only {
        let folder = global.archive.clone();
        tokio::task::spawn_blocking(move || inspect::read_only(&folder, &request))
            .await
            .map_err(|_| Error::new(Code::Internal, "the check panicked"))??
    } else {
        match Api::open(global).await {
            Ok(api) => {
                let report = through(&api, request, global.json).await;
                api.close().await?;
                report?
            }
            Err(error) if damaged(&error) => {
                // Too damaged to be opened is not too damaged to be looked at.
                let folder = global.archive.clone();
                tokio::task::spawn_blocking(move || {
                    inspect::read_only_after(&folder, &request, Some(&error)).map_err(|_| error)
                })
                .await
                .map_err(|_| Error::new(Code::Internal, "the check panicked"))??
            }
            Err(error) => return Err(error),
        }
    };
    if global.json {
        print::json(&report)?;
    } else {
        text(&report, global.lang())?;
    }
    Ok(exit(&report))
}

/// What somebody kept: a checkpoint or a receipt.
pub fn kept(path: &Path) -> Result<String> {
    let mut text = String::new();
    std::fs::File::open(path).at_path(path)?.take(MAX_KEPT + 1).read_to_string(&mut text).at_path(path)?;
    if text.len() as u64 > MAX_KEPT {
        return Err(Error::new(Code::Usage, "larger than any checkpoint or receipt").at(path.display()));
    }
    Ok(text)
}

/// Whether the archive did not open because of what is in it.
fn damaged(error: &Error) -> bool {
    error.code.kind() == Kind::Damage || matches!(error.code, Code::KeyMissing | Code::NotAdopted)
}

/// Starts a check and waits for its report, drawing progress on a terminal. While another one runs it waits for its turn.
pub async fn through(api: &Api, request: Value, json: bool) -> Result<Value> {
    loop {
        let report = match api.post("/v1/checks", request.clone()).await {
            Ok(started) => {
                let address = started["location"].as_str().unwrap_or_default().to_owned();
                wait(api, &address, json).await
            }
            Err(error) => Err(error),
        };
        match report {
            Err(error) if error.code == Code::CheckRunning => tokio::time::sleep(TURN).await,
            report => return report,
        }
    }
}

/// Waits for the outcome of work that goes on in the background.
pub async fn wait(api: &Api, address: &str, json: bool) -> Result<Value> {
    let bar = print::progress_wanted(json).then(|| indicatif::ProgressBar::new(0));
    loop {
        let state = api.call(Method::GET, address, Payload::Empty).await?;
        if state["state"] != "running" {
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
            return Ok(state);
        }
        if let Some(bar) = &bar {
            bar.set_length(state["total"].as_u64().unwrap_or_default());
            bar.set_position(state["done"].as_u64().unwrap_or_default());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The exit status of a report's outcome.
pub fn exit(report: &Value) -> Exit {
    match report["outcome"].as_str() {
        Some("good") => Exit::Good,
        Some("bad") => Exit::Bad,
        _ => Exit::Could,
    }
}

/// The worse of two: bad, then could not, then good.
pub fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::Bad, _) | (_, Exit::Bad) => Exit::Bad,
        (Exit::Could, _) | (_, Exit::Could) => Exit::Could,
        _ => Exit::Good,
    }
}

/// A report for people: outcome, coverage, findings.
pub fn text(report: &Value, lang: Lang) -> Result<()> {
    let outcome = match report["outcome"].as_str() {
        Some("good") if report["mode"] == "legibility" => say(lang, "LEGGIBILE", "LEGIBLE"),
        Some("good") => say(lang, "INTEGRO", "GOOD"),
        Some("bad") if report["mode"] == "legibility" => say(lang, "NON LEGGIBILE", "NOT LEGIBLE"),
        Some("bad") => say(lang, "DANNEGGIATO", "BAD"),
        _ => say(lang, "NON VERIFICATO", "UNCHECKED"),
    };
    print::line(&format!(
        "{outcome}  ({}, {})",
        report["mode"].as_str().unwrap_or_default(),
        report["check"].as_str().unwrap_or_default()
    ))?;
    let names = [
        ("packages", "pacchetti", "packages"),
        ("documents", "documenti", "documents"),
        ("bytes", "byte", "bytes"),
        ("copies", "copie", "copies"),
    ];
    for (key, it, en) in names {
        let count = &report["coverage"][key];
        print::line(&format!("  {}: {} / {}", say(lang, it, en), count["checked"], count["total"]))?;
    }
    if let Some(rolling) = report["rolling"].as_object() {
        let names = [("older_than", say(lang, "età", "older than")), ("budget", say(lang, "limite", "budget"))];
        let asked = names.iter().filter_map(|(key, name)| Some(format!("{name} {}", rolling.get(*key)?.as_str()?)));
        print::line(&format!(
            "  {} [{}]: {} {}, {} {}",
            say(lang, "a rotazione", "rolling"),
            asked.collect::<Vec<_>>().join(", "),
            report["rolling"]["due"],
            say(lang, "da esaminare", "due"),
            report["rolling"]["left"],
            say(lang, "rimasti", "left"),
        ))?;
    }
    for (mode, deadline) in report["coverage"]["deadlines"].as_object().into_iter().flatten() {
        print::line(&format!(
            "  {} {mode}: {} {}, {} {}, {} {}",
            say(lang, "termine", "deadline"),
            say(lang, "ogni", "every"),
            deadline["every"].as_str().unwrap_or_default(),
            say(lang, "il primo", "the first"),
            deadline["next"].as_str().unwrap_or("-"),
            deadline["overdue"],
            say(lang, "scaduti", "overdue"),
        ))?;
    }
    for seen in report["coverage"]["witnessed"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let standing = match seen["standing"].as_str() {
            Some("holds") => say(lang, "la catena lo contiene", "the chain holds it"),
            Some("declared") => say(lang, "ripristino dichiarato", "restoration declared"),
            Some("older") => say(lang, "la catena è più corta", "the chain is shorter"),
            _ => say(lang, "un'altra storia", "another history"),
        };
        let place = seen["place"].as_str().unwrap_or_default();
        print::line(&format!("  {} {} [{place}]: {standing}", say(lang, "testimoniato", "witnessed"), seen["size"]))?;
    }
    for part in report["coverage"]["not_looked_at"].as_array().map(Vec::as_slice).unwrap_or_default() {
        print::line(&format!(
            "  {}: {}",
            say(lang, "non esaminato", "not looked at"),
            part.as_str().unwrap_or_default()
        ))?;
    }
    print::findings(&report["findings"])
}
