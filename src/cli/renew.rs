//! `custode renew`: evidence that is about to age.

use serde_json::{Value, json};

use super::api::Api;
use super::print::{self, say};
use super::{Exit, Global, check};
use crate::error::{Lang, Result};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only says what ends when, how long renewing takes here, and whether that is soon enough; exit 1 when it is not.
    #[arg(long, conflicts_with_all = ["restamp", "budget"])]
    plan: bool,
    /// Also covers what no configured anchor proves (a trial's time-stamps) with a time-stamp of a configured authority.
    #[arg(long)]
    restamp: bool,
    /// Reads at most so many bytes of documents again; the rest goes on another time.
    #[arg(long, value_name = "10GiB")]
    budget: Option<String>,
}

/// Renews, or says what would be.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    if args.plan {
        let plan = api.get("/v1/renewals/plan").await;
        api.close().await?;
        let plan = plan?;
        if global.json {
            print::json(&plan)?;
        } else {
            table(&plan, global.lang())?;
        }
        return Ok(if plan["feasible"] == true { Exit::Good } else { Exit::Bad });
    }
    let request = json!({ "restamp": args.restamp, "budget": args.budget });
    let report = through(&api, request, global.json).await;
    api.close().await?;
    let report = report?;
    if global.json {
        print::json(&report)?;
    } else {
        text(&report, global.lang())?;
    }
    Ok(exit(&report))
}

async fn through(api: &Api, request: Value, json: bool) -> Result<Value> {
    let started = api.post("/v1/renewals", request).await?;
    check::wait(api, started["location"].as_str().unwrap_or_default(), json).await
}

/// Exit status of a report: bad when something that was due could not be renewed.
pub fn exit(report: &Value) -> Exit {
    let errors = report["findings"].as_array().is_some_and(|all| all.iter().any(|one| one["severity"] == "error"));
    if errors { Exit::Bad } else { Exit::Good }
}

/// Whether nothing was done and nothing is to be said.
pub fn is_empty(report: &Value) -> bool {
    ["runs", "findings"].iter().all(|part| report[*part].as_array().is_none_or(Vec::is_empty)) && report["left"] == 0
}

/// What was done, for people.
pub fn text(report: &Value, lang: Lang) -> Result<()> {
    for run in report["runs"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let method = match run["method"].as_str() {
            Some("hash-tree") => say(lang, "albero di impronte", "hash tree"),
            _ => say(lang, "marca temporale", "time-stamp"),
        };
        print::line(&format!(
            "{}: {} {}, {} {}, {method}, {}",
            say(lang, "rinnovati", "renewed"),
            run["packages"],
            say(lang, "pacchetti", "packages"),
            run["stamps"],
            say(lang, "marche della catena", "stamps of the chain"),
            run["digest"].as_str().unwrap_or_default(),
        ))?;
        print::line(&format!(
            "  {} {}; {} {}",
            say(lang, "marca del", "time-stamp of"),
            run["stamped_at"].as_str().unwrap_or_default(),
            say(lang, "certificato fino al", "certificate until"),
            run["until"].as_str().unwrap_or_default(),
        ))?;
        print::line(&format!(
            "  {}",
            say(
                lang,
                "dove le marche precedenti non provano nulla, l'esistenza è provata da questa data e non da prima",
                "where the time-stamps before prove nothing, existence is proved from this date and from none before",
            )
        ))?;
    }
    if report["runs"].as_array().is_some_and(Vec::is_empty) {
        print::line(say(lang, "nessun rinnovo da fare", "nothing was renewed"))?;
    }
    if report["left"].as_u64().unwrap_or(0) > 0 {
        print::line(&format!("{}: {}", say(lang, "rimandati", "left for later"), report["left"]))?;
    }
    print::findings(&report["findings"])
}

/// The plan as a table, the nearest end first.
fn table(plan: &Value, lang: Lang) -> Result<()> {
    let lines = plan["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
    if lines.is_empty() {
        print::line(say(lang, "nulla ha un termine noto", "nothing has a known end"))?;
    }
    for line in lines {
        let text = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
        let ending = match line["ending"].as_str() {
            Some("certificate") => say(lang, "certificato della marca", "time-stamp certificate"),
            Some("digest") => say(lang, "impronta", "digest"),
            Some("key") => say(lang, "chiave della marca", "time-stamp key"),
            _ => say(lang, "nessuna ancora configurata", "no configured anchor"),
        };
        let mark = match (line["late"].as_bool(), line["is_due"].as_bool()) {
            (Some(true), _) => say(lang, "IN RITARDO", "TOO LATE"),
            (_, Some(true)) => say(lang, "da fare", "due"),
            _ => "",
        };
        print::line(&format!(
            "{}  {ending}  {} ({})  {mark}",
            text("deadline"),
            text("digest"),
            line["key"].as_str().unwrap_or("-"),
        ))?;
        print::line(&format!(
            "  {} {}; {} {}, {} {}, {} {}, {} {}; ~{} s",
            say(lang, "dal", "from"),
            text("due"),
            line["packages"],
            say(lang, "pacchetti", "packages"),
            line["stamps"],
            say(lang, "marche della catena", "stamps of the chain"),
            line["documents"],
            say(lang, "documenti", "documents"),
            line["bytes"],
            say(lang, "byte", "bytes"),
            line["seconds"],
        ))?;
    }
    if let Some(speed) = plan["speed"]["bytes_per_second"].as_f64() {
        print::line(&format!(
            "{}: {:.0} MB/s",
            say(lang, "velocità misurata qui", "speed measured here"),
            speed / 1e6
        ))?;
    }
    print::findings(&plan["findings"])
}
