//! `custode alarms`: what somebody must look at now.

use serde_json::{Value, json};

use super::api::Api;
use super::print::{self, say};
use super::{Exit, Global};
use crate::error::{Code, Lang, Result};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Lists every alarm; exit 1 when one of them is an error.
pub async fn run(_: Args, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let all = every(&api).await;
    api.close().await?;
    let all = all?;
    if global.json {
        print::json(&all)?;
    } else {
        text(&all, global.lang())?;
    }
    Ok(exit(&all))
}

/// 1 when there is one of severity error.
pub fn exit(all: &Value) -> Exit {
    if all["errors"].as_u64() == Some(0) { Exit::Good } else { Exit::Bad }
}

/// All pages as one answer.
async fn every(api: &Api) -> Result<Value> {
    let mut alarms = Vec::new();
    let mut address = "/v1/alarms?limit=1000".to_owned();
    loop {
        let mut page = api.get(&address).await?;
        if let Value::Array(list) = page["alarms"].take() {
            alarms.extend(list);
        }
        match page["cursor"].as_str() {
            // Base64 for addresses: nothing to escape.
            Some(cursor) => address = format!("/v1/alarms?limit=1000&cursor={cursor}"),
            None => {
                page["alarms"] = json!(alarms);
                return Ok(page);
            }
        }
    }
}

/// Alarms for people, a line each.
pub fn text(all: &Value, lang: Lang) -> Result<()> {
    let alarms = all["alarms"].as_array().map(Vec::as_slice).unwrap_or_default();
    if alarms.is_empty() {
        return print::line(say(lang, "nessun allarme", "no alarms"));
    }
    for alarm in alarms {
        let severity = match alarm["severity"].as_str() {
            Some("error") => say(lang, "ERRORE", "ERROR"),
            Some("warning") => say(lang, "ATTENZIONE", "WARNING"),
            _ => say(lang, "nota", "note"),
        };
        // What is known of a code is said in the reader's language; another program's code comes with its own text.
        let code: Option<Code> = serde_json::from_value(alarm["code"].clone()).ok();
        let message = code.map_or_else(|| alarm["message"].as_str().unwrap_or_default(), |code| code.text(lang));
        print::line(&format!(
            "{severity}  {} [{}] {message} ({} {})",
            alarm["code"].as_str().unwrap_or_default(),
            alarm["place"].as_str().unwrap_or_default(),
            say(lang, "da", "since"),
            alarm["since"].as_str().unwrap_or_default(),
        ))?;
    }
    Ok(())
}
