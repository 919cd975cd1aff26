//! `custode repair`: bad copies put right from good ones.

use serde_json::{Value, json};

use super::api::Api;
use super::print::{self, say};
use super::{Exit, Global, check};
use crate::error::{Code, Lang, Result};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this package, as SERIES/N.
    #[arg(long, value_name = "SERIES/N")]
    package: Option<String>,
    /// Only copies in this vault.
    #[arg(long, value_name = "NAME")]
    vault: Option<String>,
    /// Only says what would be done; exit 1 when something would.
    #[arg(long)]
    dry_run: bool,
}

/// Reads every copy, restores what is bad or missing, and says what no copy has.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let request = json!({ "package": args.package, "vault": args.vault, "dry_run": args.dry_run });
    let report = through(&api, request, global.json).await;
    api.close().await?;
    let report = report?;
    if global.json {
        print::json(&report)?;
    } else {
        text(&report, global.lang())?;
    }
    Ok(check::exit(&report))
}

async fn through(api: &Api, request: Value, json: bool) -> Result<Value> {
    let started = api.post("/v1/repairs", request).await?;
    check::wait(api, started["location"].as_str().unwrap_or_default(), json).await
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// A repair for people.
pub fn text(report: &Value, lang: Lang) -> Result<()> {
    let would = report["dry_run"] == true;
    let done = match would {
        true => say(lang, "da ripristinare", "to be restored"),
        false => say(lang, "ripristinato", "restored"),
    };
    print::line(&format!("{}: {}", say(lang, "pacchetti esaminati", "packages looked at"), report["packages"]))?;
    for copied in list(&report["copied"]) {
        let what = say(lang, "copie mancanti fatte", "missing copies made");
        print::line(&format!("{what}: {} ({})", of(copied, "vault"), copied["packages"]))?;
    }
    for act in list(&report["restored"]) {
        let from: Vec<&str> = list(&act["from"]).iter().filter_map(Value::as_str).collect();
        let (package, vault) = (of(act, "package"), of(act, "vault"));
        print::line(&format!("{done}: {package}, {vault} ({} {})", say(lang, "da", "from"), from.join(", ")))?;
        for file in list(&act["files"]) {
            print::line(&format!("  {} ({})", of(file, "name"), of(file, "was")))?;
        }
        for name in list(&act["quarantine"]).iter().filter_map(Value::as_str) {
            print::line(&format!("  {} quarantine/{name}", say(lang, "conservato in", "kept in")))?;
        }
    }
    for left in list(&report["left"]) {
        let message = Code::CopiesLost.text(lang);
        print::line(&format!(
            "{}: {}, {} [{message}]",
            say(lang, "PERSO", "LOST"),
            of(left, "package"),
            of(left, "file")
        ))?;
        for copy in list(&left["copies"]) {
            print::line(&format!("  {}: {}", of(copy, "vault"), of(copy, "state")))?;
        }
        let many = say(lang, "documenti coinvolti", "documents affected");
        print::line(&format!("  {many}: {}", left["documents_affected"]))?;
        for id in list(&left["documents"]).iter().filter_map(Value::as_str) {
            print::line(&format!("    {id}"))?;
        }
        print::line(&format!("  {}: {}", say(lang, "passo successivo", "next"), Code::CopiesLost.hint(lang)))?;
    }
    print::findings(&report["findings"])
}
