//! `custode export`.

use std::path::{Path, PathBuf};

use axum::http::Method;
use serde_json::{Value, json};

use super::api::{Api, Payload};
use super::print::{self, say};
use super::{Exit, Global, check};
use crate::durable::NewFile;
use crate::error::{Code, Error, Result};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// These documents.
    #[arg(long, value_name = "ID", num_args = 1..)]
    document: Vec<String>,
    /// These whole packages, as SERIES/N.
    #[arg(long, value_name = "SERIES/N", num_args = 1..)]
    package: Vec<String>,
    /// The documents that a search finds.
    #[arg(long, value_name = "CRITERION", num_args = 1..)]
    search: Vec<String>,
    /// Everything in these aggregations (KIND/ID), and the aggregations themselves.
    #[arg(long, value_name = "KIND/ID", num_args = 1..)]
    aggregation: Vec<String>,
    /// With --search, only this class.
    #[arg(long)]
    class: Option<String>,
    /// Where to write the bundle. An existing file is not touched.
    #[arg(short, long, value_name = "BUNDLE.zip")]
    output: PathBuf,
}

/// Makes an evidence bundle.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let wanted = [&args.document, &args.package, &args.search, &args.aggregation];
    if wanted.iter().all(|list| list.is_empty()) {
        return Err(Error::new(Code::Usage, "give --document, --package, --aggregation or --search"));
    }
    let api = Api::open(global).await?;
    let lang = say(global.lang(), "it", "en");
    let request = json!({ "documents": args.document, "packages": args.package, "search": args.search,
        "aggregations": args.aggregation, "class": args.class, "lang": lang });
    let made = make(&api, request, &args.output, global.json).await;
    api.close().await?;
    let facts = made?;
    if global.json {
        print::json(&facts)?;
    } else {
        let lang = global.lang();
        print::line(&format!(
            "{}: {} {}, {}",
            args.output.display(),
            facts["documents"],
            say(lang, "documenti", "documents"),
            print::size(facts["bytes"].as_u64().unwrap_or_default()),
        ))?;
    }
    Ok(Exit::Good)
}

/// Asks for a bundle, waits until it is made and copies it to a new file, which is whole or not there.
pub async fn make(api: &Api, request: Value, output: &Path, json: bool) -> Result<Value> {
    let mut file = NewFile::start(output)?;
    let started = api.post("/v1/bundles", request).await?;
    let location = started["location"].as_str().unwrap_or_default().to_owned();
    let facts = check::wait(api, &location, json).await?;
    let reply = api.send(Method::GET, &format!("{location}/content"), &[], Payload::Empty).await?;
    reply.copy_to(&mut file, &output.display().to_string()).await?;
    file.finish()?;
    Ok(facts)
}
