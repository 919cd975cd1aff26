//! `custode alarms`: what somebody must look at now; and whether those who are to be told of it can be.

use serde_json::{Value, json};

use super::api::Api;
use super::print::{self, say};
use super::{Exit, Global};
use crate::error::{Code, Lang, Result};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// First tells whoever is named in custode.toml, `[alarms]`, what they do not know yet.
    #[arg(long)]
    send: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Sub-commands.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Really sends a test notice to everybody who is named in custode.toml, `[alarms]`; exit 1 when somebody did not take it.
    Test,
}

/// Lists every alarm; exit 1 when one of them is an error, or when somebody could not be told.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    if let Some(Command::Test) = args.command {
        let told = api.post("/v1/alarms/test", json!({})).await;
        api.close().await?;
        let told = told?;
        if global.json {
            print::json(&told)?;
        } else {
            targets(&told, global.lang())?;
        }
        // A test of nobody has tested nothing.
        let some = told["targets"].as_array().is_some_and(|targets| !targets.is_empty());
        return Ok(if some && all_told(&told) { Exit::Good } else { Exit::Bad });
    }
    let sent = if args.send { Some(api.post("/v1/alarms/send", json!({})).await) } else { None };
    let all = every(&api).await;
    api.close().await?;
    let (sent, mut all) = (sent.transpose()?, all?);
    if let Some(sent) = &sent {
        all["targets"] = sent["targets"].clone();
    }
    if global.json {
        print::json(&all)?;
    } else {
        if let Some(sent) = &sent {
            targets(sent, global.lang())?;
        }
        text(&all, global.lang())?;
    }
    Ok(if sent.is_none_or(|sent| all_told(&sent)) { exit(&all) } else { Exit::Bad })
}

fn all_told(said: &Value) -> bool {
    said["targets"].as_array().is_some_and(|targets| targets.iter().all(|target| target["told"] == true))
}

/// Who was told, a line each.
fn targets(said: &Value, lang: Lang) -> Result<()> {
    let targets = said["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    if targets.is_empty() {
        return print::line(say(lang, "nessuno da avvisare", "nobody to be told"));
    }
    for target in targets {
        let outcome = match target["told"].as_bool() {
            Some(true) => say(lang, "avvisato", "told").to_owned(),
            _ => {
                format!("{}: {}", say(lang, "NON avvisato", "NOT told"), target["message"].as_str().unwrap_or_default())
            }
        };
        print::line(&format!("{}  {outcome}", target["target"].as_str().unwrap_or_default()))?;
    }
    Ok(())
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
