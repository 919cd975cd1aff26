//! `custode reindex`: rebuilds the catalog from the plain files.

use serde_json::json;

use super::api::Api;
use super::print::{self, say};
use super::{Exit, Global};
use crate::error::Result;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Rebuilds the catalog.
pub async fn run(_: Args, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let report = api.post("/v1/reindex", json!({})).await;
    api.close().await?;
    let report = report?;
    if global.json {
        print::json(&report)?;
    } else {
        let lang = global.lang();
        print::line(&format!(
            "{} {}, {} {}",
            report["packages"],
            say(lang, "pacchetti riletti", "packages read"),
            report["documents"],
            say(lang, "documenti", "documents"),
        ))?;
    }
    Ok(Exit::Good)
}
