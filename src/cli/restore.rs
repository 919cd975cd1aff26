//! `custode restore from`: an archive made again from a vault and the chain. `custode restore declare`: an older copy of the archive
//! is the archive from now on.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::api::Api;
use super::print::{self, say};
use super::{Exit, Global, check};
use crate::archive::restore::{Backup, restore_from};
use crate::error::{Code, Error, Result};

/// Sub-commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Declares that what was witnessed beyond this copy is lost; written on the chain, and deposits are taken again. First look
    /// for a newer copy: what was acknowledged after this one is gone otherwise.
    Declare {
        /// What happened.
        #[arg(long)]
        reason: String,
    },
    /// Makes the archive again in the folder of `--archive`, from one vault and what was kept of the archive's folder: at least
    /// `chain/`. Every file is held against the chain on its way.
    From {
        /// The folder that holds `chain/` and, as far as they were kept, `records/`, `schemas/`, `policies/`, `intake/`, `reports/`
        /// and `custode.toml`.
        backup: PathBuf,
        /// The vault whose packages are taken; `packages/` of that folder when it is not given.
        #[arg(long, value_name = "DIR")]
        vault: Option<PathBuf>,
        /// `custode.toml`, when it is not in that folder.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// A receipt or checkpoint that somebody kept: a chain that does not hold it is refused. May be given several times.
        #[arg(long, value_name = "FILE")]
        expect: Vec<PathBuf>,
        /// Takes an older state all the same, because what is newer is lost; why.
        #[arg(long, value_name = "REASON")]
        declare: Option<String>,
    },
}

/// Runs a sub-command.
pub async fn run(command: Command, global: &Global) -> Result<Exit> {
    let reason = match command {
        Command::Declare { reason } => reason,
        Command::From { backup, vault, config, expect, declare } => {
            let kept = |path: &PathBuf| Ok((path.display().to_string(), check::kept(path)?));
            let expected = expect.iter().map(kept).collect::<Result<_>>()?;
            let backup = Backup { folder: backup, vault, config, expected, declare };
            return made_again(backup, global).await;
        }
    };
    let api = Api::open(global).await?;
    let done = api.post("/v1/restorations", json!({ "reason": reason })).await;
    api.finish(done, global).await
}

async fn made_again(backup: Backup, global: &Global) -> Result<Exit> {
    let (root, bar) =
        (global.archive.clone(), print::progress_wanted(global.json).then(|| indicatif::ProgressBar::new(0)));
    let done = tokio::task::spawn_blocking(move || {
        let progress = |done, total| {
            if let Some(bar) = &bar {
                bar.set_length(total);
                bar.set_position(done);
            }
        };
        let done = restore_from(&root, &backup, &progress);
        if let Some(bar) = &bar {
            bar.finish_and_clear();
        }
        done
    })
    .await
    .map_err(|_| Error::new(Code::Internal, "the restoration panicked"))??;
    let exit = match done["findings"].as_array().is_some_and(Vec::is_empty) {
        true => check::exit(&done["check"]),
        false => Exit::Bad,
    };
    if global.json {
        return print::json(&done).map(|()| exit);
    }
    text(&done, global)?;
    Ok(exit)
}

/// What was made, for people.
fn text(done: &Value, global: &Global) -> Result<()> {
    let lang = global.lang();
    print::line(&format!(
        "{} {}: {} {}, {} byte",
        say(lang, "archivio ripristinato in", "archive restored in"),
        global.archive.display(),
        done["packages"],
        say(lang, "pacchetti", "packages"),
        done["bytes"],
    ))?;
    for name in done["not_in_backup"].as_array().into_iter().flatten() {
        let what = say(lang, "non nella copia", "not in the backup");
        print::line(&format!("  {what}: {}/", name.as_str().unwrap_or_default()))?;
    }
    if done["expected"].as_array().is_none_or(Vec::is_empty) {
        print::line(say(
            lang,
            "  nessuno ha potuto dire se questo sia lo stato più recente: né testimoni, né ricevute (--expect)",
            "  nobody could say whether this is the newest state: neither witnesses nor receipts (--expect)",
        ))?;
    }
    print::findings(&done["findings"])?;
    check::text(&done["check"], lang)?;
    print::line(say(
        lang,
        "prossimo passo: `custode reindex`, poi `custode check`",
        "next: `custode reindex`, then `custode check`",
    ))
}
