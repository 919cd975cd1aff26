//! `custode search`.

use serde_json::{Value, json};

use super::api::Api;
use super::print;
use super::{Exit, Global};
use crate::error::Result;

/// Rows asked for at a time.
const PAGE: usize = 500;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this class.
    #[arg(long)]
    class: Option<String>,
    /// FIELD=VALUE, FIELD^=PREFIX, FIELD>=VALUE or FIELD<=VALUE; all must hold.
    #[arg(value_name = "CRITERION")]
    criteria: Vec<String>,
    /// At most so many; without it, all.
    #[arg(long)]
    limit: Option<usize>,
}

/// Finds documents by metadata.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let found = pages(&args, global, &api).await;
    api.close().await?;
    found?;
    Ok(Exit::Good)
}

async fn pages(args: &Args, global: &Global, api: &Api) -> Result<()> {
    let mut left = args.limit.unwrap_or(usize::MAX);
    let mut cursor = Value::Null;
    while left > 0 {
        let body = json!({ "class": args.class, "criteria": args.criteria, "limit": left.min(PAGE), "cursor": cursor });
        let page = api.post("/v1/documents/search", body).await?;
        let rows = page["documents"].as_array().map(Vec::as_slice).unwrap_or_default();
        for row in rows {
            if global.json {
                print::json(row)?;
            } else {
                let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
                let package = row["package"].as_str().unwrap_or("-");
                print::line(&format!(
                    "{}  {:<18} {:<20} {}  {}",
                    text("id"),
                    text("class"),
                    package,
                    text("accepted_at"),
                    print::printable(&text("name"))
                ))?;
            }
        }
        left = left.saturating_sub(rows.len());
        cursor = page["cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    Ok(())
}
