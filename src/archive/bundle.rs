//! Evidence bundles (PdD) as a use-case.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Archive;
use super::access::{Action, Actor};
use crate::error::{Code, Error, Result};
use crate::id::BundleId;

/// What is wanted in a bundle.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BundleRequest {
    /// These documents.
    #[serde(default)]
    pub documents: Vec<String>,
    /// These whole packages.
    #[serde(default)]
    pub packages: Vec<String>,
    /// The documents that a search finds.
    #[serde(default)]
    pub search: Vec<String>,
    /// With a search, only this class.
    pub class: Option<String>,
    /// Language of the report that is shown first.
    pub lang: Option<String>,
}

impl Archive {
    /// Whether the caller may take bundles away.
    pub fn may_export(&self, actor: &Actor) -> Result<()> {
        self.may(actor, Action::Export)
    }
    /// Gives a bundle its identifier.
    pub fn begin_bundle(&self, actor: &Actor, _request: &BundleRequest) -> Result<BundleId> {
        self.may(actor, Action::Export)?;
        Ok(BundleId::new(self.clock.now()))
    }
    /// Makes it.
    pub fn bundle(
        &self,
        _actor: &Actor,
        id: BundleId,
        _request: &BundleRequest,
        _progress: &dyn Fn(u64, u64),
    ) -> Result<Value> {
        Ok(json!({ "bundle": id }))
    }
    /// The file of a bundle.
    pub fn bundle_file(&self, _actor: &Actor, id: BundleId) -> Result<PathBuf> {
        Err(Error::new(Code::NotFound, "").at(id))
    }
}
