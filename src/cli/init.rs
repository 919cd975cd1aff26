//! `custode init`.

use super::print::{self, say};
use super::{Exit, Global};
use crate::archive::init::{self, Wishes};
use crate::error::Result;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// trial: development time-stamps, loopback only, "PROVA: senza valore legale" everywhere; production: for real. It is
    /// written in the first entry of the chain and never changes.
    #[arg(long, default_value = "trial", value_parser = ["trial", "production"])]
    profile: String,
    /// Address of a time-stamping authority (RFC 3161); may be given several times.
    #[arg(long, value_name = "URL")]
    tsa: Vec<String>,
    /// PEM file of an anchor that the authorities' certificates must go back to.
    #[arg(long, value_name = "CA.pem")]
    tsa_anchor: Vec<std::path::PathBuf>,
    /// Name of the holder (titolare).
    #[arg(long, value_name = "NAME")]
    holder: Option<String>,
    /// Identifier of the holder, as VATIT-01234567890.
    #[arg(long, value_name = "ID")]
    holder_id: Option<String>,
    /// Name of the manager (responsabile della conservazione).
    #[arg(long, value_name = "NAME")]
    manager: Option<String>,
}

/// Makes a new archive.
pub fn run(args: Args, global: &Global) -> Result<Exit> {
    let wishes = Wishes {
        profile: args.profile,
        tsa: args.tsa,
        tsa_anchors: args.tsa_anchor,
        holder: args.holder,
        holder_id: args.holder_id,
        manager: args.manager,
    };
    let made = init::init(&global.archive, &wishes)?;
    let lang = global.lang();
    if global.json {
        return print::json(&serde_json::json!({
            "archive": global.archive, "profile": made.profile, "manager_token": made.manager_token, "vkey": made.vkey,
        }))
        .map(|()| Exit::Good);
    }
    print::line(&format!(
        "{} {} ({})",
        say(lang, "archivio creato in", "archive made in"),
        global.archive.display(),
        made.profile
    ))?;
    print::line(&format!("{}: {}", say(lang, "chiave pubblica", "public key"), made.vkey))?;
    print::line(&format!(
        "{}: {}",
        say(lang, "token del responsabile (mostrato solo ora)", "manager token (shown only now)"),
        made.manager_token
    ))?;
    print::line(say(
        lang,
        "prossimo passo: rivedere custode.toml, poi `custode serve`",
        "next: look through custode.toml, then `custode serve`",
    ))?;
    Ok(Exit::Good)
}
