//! `custode restore declare`: an older copy of the archive is the archive from now on.

use clap::Subcommand;
use serde_json::json;

use super::api::Api;
use super::{Exit, Global};
use crate::error::Result;

/// Sub-commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Declares that what was witnessed beyond this copy is lost; written on the chain, and deposits are taken again. First look
    /// for a newer copy: what was acknowledged after this one is gone otherwise.
    Declare {
        /// What happened.
        #[arg(long)]
        reason: String,
    },
}

/// Runs a sub-command.
pub async fn run(command: Command, global: &Global) -> Result<Exit> {
    let Command::Declare { reason } = command;
    let api = Api::open(global).await?;
    let done = api.post("/v1/restorations", json!({ "reason": reason })).await;
    api.finish(done, global).await
}
