//! `custode nightly`: for cron and the systemd timer.

use serde_json::json;

use super::api::Api;
use super::{Exit, Global, alarms, check, print, renew, repair, seal};
use crate::error::Result;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Seals what is due, checks, reports.
pub async fn run(_: Args, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let report = api.post("/v1/nightly", json!({})).await;
    api.close().await?;
    let report = report?;
    if global.json {
        print::json(&report)?;
    } else {
        seal::text(&report["seal"], global.lang())?;
        if !renew::is_empty(&report["renewal"]) {
            renew::text(&report["renewal"], global.lang())?;
        }
        check::text(&report["check"], global.lang())?;
        for also in ["quick", "legibility"] {
            if !report[also].is_null() {
                check::text(&report[also], global.lang())?;
            }
        }
        if !report["repair"].is_null() {
            repair::text(&report["repair"], global.lang())?;
        }
        alarms::text(&report["alarms"], global.lang())?;
    }
    let of = |name: &str| if report[name].is_null() { Exit::Good } else { check::exit(&report[name]) };
    let also = check::worse(of("quick"), of("legibility"));
    // An archive that is good and a log that is missing: monitoring must see it.
    match check::worse(check::exit(&report["check"]), also) {
        Exit::Good => match renew::exit(&report["renewal"]) {
            Exit::Good => Ok(alarms::exit(&report["alarms"])),
            worse => Ok(worse),
        },
        worse => Ok(worse),
    }
}
