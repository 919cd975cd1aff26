//! `custode get ID`.

use std::path::PathBuf;

use axum::http::Method;

use super::api::{Api, Payload};
use super::{Exit, Global};
use crate::durable::NewFile;
use crate::error::Result;
use crate::id::DocumentId;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The document.
    id: DocumentId,
    /// Where to write it; without it, standard output. An existing file is not touched, and no half file is left.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Why; needed for some classes.
    #[arg(long)]
    reason: Option<String>,
}

/// The exact bytes of a document.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let copied = copy(&args, &api).await;
    api.close().await?;
    copied?;
    Ok(Exit::Good)
}

async fn copy(args: &Args, api: &Api) -> Result<()> {
    let mut path = format!("/v1/documents/{}/content", args.id);
    if let Some(reason) = &args.reason {
        path.push('?');
        path.push_str(&url::form_urlencoded::Serializer::new(String::new()).append_pair("reason", reason).finish());
    }
    let reply = api.send(Method::GET, &path, &[], Payload::Empty).await?;
    match &args.output {
        None => reply.copy_to(&mut std::io::stdout(), "standard output").await?,
        Some(output) => {
            let mut file = NewFile::start(output)?;
            let length = reply.copy_to(&mut file, &output.display().to_string()).await?;
            file.finish()?;
            length
        }
    };
    Ok(())
}
