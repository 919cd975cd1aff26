//! `custode seal`.

use serde_json::{Value, json};

use super::api::Api;
use super::print::{self, say};
use super::{Exit, Global};
use crate::error::{Lang, Result};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this class.
    #[arg(long)]
    class: Option<String>,
}

/// Closes open packages now.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let report = api.post("/v1/seal", json!({ "class": args.class })).await;
    api.close().await?;
    let report = report?;
    if global.json {
        print::json(&report)?;
    } else {
        text(&report, global.lang())?;
    }
    // What was left behind is bad; what was sealed late is sealed.
    let bad = |finding: &Value| finding["severity"] == "error";
    let left = report["findings"].as_array().is_some_and(|findings| findings.iter().any(bad));
    Ok(if left { Exit::Bad } else { Exit::Good })
}

/// What was sealed, a line each.
pub fn text(report: &Value, lang: Lang) -> Result<()> {
    let none = Vec::new();
    let sealed = report["sealed"].as_array().unwrap_or(&none);
    if sealed.is_empty() {
        print::line(say(lang, "nulla da sigillare", "nothing to seal"))?;
    }
    for package in sealed {
        print::line(&format!(
            "{}  {} {}, {}, {} {}, {} {}",
            package["package"].as_str().unwrap_or_default(),
            package["documents"],
            say(lang, "documenti", "documents"),
            print::size(package["bytes"].as_u64().unwrap_or_default()),
            say(lang, "scadenza", "expiry"),
            package["expiry"].as_str().unwrap_or(say(lang, "aperta", "open")),
            say(lang, "marca temporale", "time-stamp"),
            package["stamped_at"].as_str().unwrap_or_default(),
        ))?;
    }
    print::findings(&report["findings"])
}
