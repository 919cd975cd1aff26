//! `custode retention show ID`.

use clap::Subcommand;

use super::api::Api;
use super::{Exit, Global};
use crate::error::Result;
use crate::id::DocumentId;

/// Sub-commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Why, and until when, a document is kept.
    Show {
        /// The document.
        id: DocumentId,
    },
}

/// Runs a sub-command.
pub async fn run(command: Command, global: &Global) -> Result<Exit> {
    let Command::Show { id } = command;
    let api = Api::open(global).await?;
    let shown = api.get(&format!("/v1/documents/{id}/retention")).await;
    api.finish(shown, global).await
}
