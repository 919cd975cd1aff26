//! `custode intake blocks | unblock`: objects refused too often.

use clap::Subcommand;
use serde_json::json;

use super::api::Api;
use super::{Exit, Global};
use crate::error::Result;

/// Sub-commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the blocked objects.
    Blocks,
    /// Lets an object be tried again; a manager's act (CUSTODE_TOKEN).
    Unblock {
        /// The last refusal of the object, as the list shows it.
        refusal: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// Runs a sub-command.
pub async fn run(command: Command, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let done = match command {
        Command::Blocks => api.get("/v1/intake/blocks").await,
        Command::Unblock { refusal, reason } => {
            api.post("/v1/intake/unblock", json!({ "refusal": refusal, "reason": reason })).await
        }
    };
    api.finish(done, global).await
}
