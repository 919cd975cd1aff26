//! `custode person …` and `custode token …`.

use axum::http::Method;
use clap::Subcommand;
use serde_json::json;

use super::api::{Api, Payload};
use super::{Exit, Global};
use crate::error::Result;

/// Persons and systems.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// Adds a person, or with --system a system; an act of a person's token (CUSTODE_TOKEN).
    Add {
        /// Name, kept in an erasable side file and never on the chain.
        name: String,
        /// A system, not a human being.
        #[arg(long)]
        system: bool,
        /// What receipts and agreements call a system, as posta-aziendale; for ever.
        #[arg(long, requires = "system")]
        label: Option<String>,
        /// A role it holds; may be given several times.
        #[arg(long, value_parser = ["holder", "producer", "manager", "operator", "reader", "auditor", "admin"])]
        role: Vec<String>,
    },
    /// Lists them.
    List,
}

/// Tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Creates a token and prints it, once; an act of a person's token (CUSTODE_TOKEN).
    Create {
        /// What its bearer may do.
        #[arg(long, value_parser = ["holder", "producer", "manager", "operator", "reader", "auditor", "admin"])]
        role: String,
        /// Whose it is; without it, a new system of that role's name.
        #[arg(long, value_name = "ID")]
        person: Option<String>,
        /// Only for these classes.
        #[arg(long)]
        class: Vec<String>,
        /// Until when (RFC 3339, or a period as 90d).
        #[arg(long)]
        expires: Option<String>,
    },
    /// Lists tokens, without their secrets.
    List,
    /// Revokes a token.
    Revoke {
        /// The token's identifier.
        id: String,
    },
}

/// Runs a sub-command.
pub async fn person(command: PersonCommand, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let value = match command {
        PersonCommand::Add { name, system, label, role } => {
            let body = json!({ "name": name, "system": system, "label": label, "roles": role });
            api.post("/v1/persons", body).await
        }
        PersonCommand::List => api.get("/v1/persons").await,
    };
    api.finish(value, global).await
}

/// Runs a sub-command.
pub async fn token(command: TokenCommand, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let value = match command {
        TokenCommand::Create { role, person, class, expires } => {
            let body = json!({ "role": role, "person": person, "classes": class, "expires": expires });
            api.post("/v1/tokens", body).await
        }
        TokenCommand::List => api.get("/v1/tokens").await,
        TokenCommand::Revoke { id } => api.call(Method::DELETE, &format!("/v1/tokens/{id}"), Payload::Empty).await,
    };
    api.finish(value, global).await
}
