//! `custode vault`: where copies are kept.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::api::Api;
use super::print::{self, say};
use super::{Exit, Global};
use crate::error::{AtPath as _, Lang, Result};
use crate::hash::Digests;

/// Sub-commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Every vault: whether it is there, what it lacks, where it is; exit 2 when one is away or lags.
    List,
    /// Binds a new, empty disk, mounted at the path in custode.toml, in the place of a vault that is lost for ever.
    Replace {
        /// The vault's name.
        name: String,
    },
    /// Lets a production archive do with fewer copies or sites for a time; the manager's act, with the manager's token.
    Derogate {
        /// Last day on which it holds, at most a year ahead.
        #[arg(long, value_name = "DATE")]
        until: String,
        /// Why; kept where it can be erased.
        #[arg(long)]
        reason: String,
        /// The document that the manager signed; its SHA-256 goes on the chain.
        #[arg(long, value_name = "FILE")]
        act: PathBuf,
    },
}

/// Runs a sub-command.
pub async fn run(command: Command, global: &Global) -> Result<Exit> {
    match command {
        Command::List => list(global).await,
        Command::Replace { name } => {
            let api = Api::open(global).await?;
            let done = api.post(&format!("/v1/vaults/{name}/replacement"), json!({})).await;
            api.finish(done, global).await
        }
        Command::Derogate { until, reason, act } => {
            let digests = Digests::of_reader(&mut std::fs::File::open(&act).at_path(&act)?).at_path(&act)?;
            let request = json!({ "until": until, "reason": reason, "act": digests.sha256 });
            let api = Api::open(global).await?;
            let done = api.post("/v1/derogations", request).await;
            api.finish(done, global).await
        }
    }
}

async fn list(global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let told = api.get("/v1/vaults").await;
    api.close().await?;
    let told = told?;
    if global.json {
        print::json(&told)?;
    } else {
        text(&told, global.lang())?;
    }
    let well = |vault: &Value| vault["state"] == "there" && vault["behind"] == 0 && vault["bad"] == 0;
    let all = told["vaults"].as_array().is_some_and(|vaults| vaults.iter().all(well));
    Ok(if all { Exit::Good } else { Exit::Could })
}

/// A line a vault.
fn text(told: &Value, lang: Lang) -> Result<()> {
    for vault in told["vaults"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let of = |key: &str| vault[key].as_str().unwrap_or("-").to_owned();
        let state = match vault["state"].as_str() {
            Some("there") => say(lang, "presente", "there").to_owned(),
            _ => {
                format!("{}: {}", say(lang, "ASSENTE", "AWAY"), vault["error"]["message"].as_str().unwrap_or_default())
            }
        };
        let counts =
            [("packages", "pacchetti", "packages"), ("behind", "in ritardo", "behind"), ("bad", "danneggiati", "bad")];
        let counts: Vec<String> =
            counts.iter().map(|(key, it, en)| format!("{} {}", vault[*key], say(lang, it, en))).collect();
        print::line(&format!(
            "{}  {} ({}, {})  {}  {state}",
            of("name"),
            of("path"),
            of("site"),
            of("country"),
            counts.join(", ")
        ))?;
    }
    print::line(&format!(
        "{}: {}, {}: {}, {}: {}",
        say(lang, "copie", "copies"),
        told["copies"],
        say(lang, "sedi", "sites"),
        told["sites"],
        say(lang, "richieste", "required"),
        told["required"]
    ))
}
