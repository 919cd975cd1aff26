//! `custode class …`, `custode policy …`, `custode manual …`: what runs is what was adopted.

use std::path::PathBuf;

use axum::http::Method;
use clap::Subcommand;
use serde_json::json;

use super::api::{Api, Payload};
use super::print::{self, say};
use super::{Exit, Global};
use crate::archive::manage;
use crate::error::{AtPath, Result};
use crate::hash::Digests;

/// Metadata classes.
#[derive(Debug, Subcommand)]
pub enum ClassCommand {
    /// Lists the adopted classes.
    List,
    /// Shows one.
    Show {
        /// The class.
        class: String,
    },
    /// Says what is wrong with a draft; needs no archive.
    Check {
        /// The draft.
        file: PathBuf,
    },
    /// Adopts a class, or a new version beside the old; an act of a person's token (CUSTODE_TOKEN).
    Adopt {
        /// The draft.
        file: PathBuf,
    },
}

/// Policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Lists the adopted policies.
    List,
    /// Adopts a policy, or a new version beside the old; an act of a person's token (CUSTODE_TOKEN).
    Adopt {
        /// The draft.
        file: PathBuf,
    },
}

/// Manuals of conservation.
#[derive(Debug, Subcommand)]
pub enum ManualCommand {
    /// Adopts a manual: receipts and indexes cite it from its day on; an act of a person's token (CUSTODE_TOKEN).
    Adopt {
        /// The manual.
        file: PathBuf,
        /// Its version.
        #[arg(long)]
        version: String,
        /// In force from this day, as 2026-01-01.
        #[arg(long, value_name = "DATE")]
        from: String,
    },
}

/// Runs a sub-command.
pub async fn class(command: ClassCommand, global: &Global) -> Result<Exit> {
    if let ClassCommand::Check { file } = &command {
        let bytes = std::fs::read(file).at_path(file)?;
        manage::check_class(&bytes).map_err(|e| e.at(file.display()))?;
        print::line(say(global.lang(), "classe corretta", "the class is well formed"))?;
        return Ok(Exit::Good);
    }
    let api = Api::open(global).await?;
    let value = match command {
        ClassCommand::List | ClassCommand::Check { .. } => api.get("/v1/classes").await,
        ClassCommand::Show { class } => api.get(&format!("/v1/classes/{class}")).await,
        ClassCommand::Adopt { file } => api.call(Method::POST, "/v1/classes", Payload::File(file)).await,
    };
    api.finish(value, global).await
}

/// Runs a sub-command.
pub async fn policy(command: PolicyCommand, global: &Global) -> Result<Exit> {
    let api = Api::open(global).await?;
    let value = match command {
        PolicyCommand::List => api.get("/v1/policies").await,
        PolicyCommand::Adopt { file } => api.call(Method::POST, "/v1/policies", Payload::File(file)).await,
    };
    api.finish(value, global).await
}

/// Runs a sub-command.
pub async fn manual(command: ManualCommand, global: &Global) -> Result<Exit> {
    let ManualCommand::Adopt { file, version, from } = command;
    let mut reader = std::fs::File::open(&file).at_path(&file)?;
    let digests = Digests::of_reader(&mut reader).at_path(&file)?;
    let api = Api::open(global).await?;
    let body = json!({ "version": version, "from": from, "sha256": digests.sha256 });
    let value = api.post("/v1/manuals", body).await;
    api.finish(value, global).await
}
