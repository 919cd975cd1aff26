//! `custode key rotate` and `custode key list`: the key that the archive signs with.

use clap::Subcommand;
use serde_json::{Value, json};

use super::api::Api;
use super::print::{self, say};
use super::{Exit, Global};
use crate::error::{Lang, Result};

/// Sub-commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a new key and puts it in force; the old one signs for it on the chain, and is removed from the keys' folder. What
    /// was signed before stays valid.
    Rotate {
        /// Why: `compromised` when somebody else may have the old key. Seal what is waiting before, if you can: what is on the
        /// chain already does not rest on the old key alone.
        #[arg(long, value_name = "routine|compromised", value_parser = ["routine", "compromised"])]
        reason: String,
    },
    /// Every public key the archive has had, and from when to when it signed.
    List,
}

/// Runs a sub-command.
pub async fn run(command: Command, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    match command {
        Command::Rotate { reason } => {
            let done = api.post("/v1/keys/rotation", json!({ "reason": reason })).await;
            if global.json {
                return api.finish(done, global).await;
            }
            api.close().await?;
            changed(&done?, global.lang())?;
        }
        Command::List => {
            let keys = api.get("/v1/keys").await;
            if global.json {
                return api.finish(keys, global).await;
            }
            api.close().await?;
            list(&keys?, global.lang())?;
        }
    }
    Ok(Exit::Good)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn changed(done: &Value, lang: Lang) -> Result<()> {
    let (entry, new) = (&done["entry"], text(done, "new"));
    print::line(&format!("{} {entry}", say(lang, "chiave cambiata, voce", "the key was changed, entry")))?;
    print::line(&format!("{}: {new}", say(lang, "nuova chiave pubblica", "new public key")))?;
    let tell = "give the new public key to whoever verifies, and to the operators of your witnesses; back up archive and keys now";
    let it = "comunicare la nuova chiave pubblica a chi verifica e ai gestori dei testimoni; fare ora una copia di archivio e chiavi";
    print::line(say(lang, it, tell))?;
    if done["old_seed_removed"] != true {
        let (it, en) = (
            "la vecchia chiave è ancora nella cartella, fino al prossimo avvio",
            "the old key is in the folder until the next start",
        );
        print::line(say(lang, it, en))?;
    }
    Ok(())
}

fn list(keys: &Value, lang: Lang) -> Result<()> {
    for key in keys["keys"].as_array().into_iter().flatten() {
        let from = key["from"].as_str().unwrap_or(say(lang, "inizio", "the beginning"));
        let until = match key["to"].as_str() {
            Some(to) => format!("{to} ({})", text(key, "ended_because")),
            None => say(lang, "in uso", "in force").to_owned(),
        };
        print::line(&format!("{}  {from} - {until}", text(key, "vkey")))?;
    }
    Ok(())
}
