//! `custode show ID`.

use super::api::Api;
use super::{Exit, Global};
use crate::error::Result;
use crate::id::DocumentId;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The document.
    id: DocumentId,
}

/// Everything known of a document.
pub async fn run(args: Args, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let shown = api.get(&format!("/v1/documents/{}", args.id)).await;
    api.finish(shown, global).await
}
