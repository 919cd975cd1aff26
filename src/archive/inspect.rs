//! Checks as a use-case: who may ask, where the report is kept, what the chain learns of it.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Archive;
use super::access::{Action, Actor};
use crate::error::{Code, Error, Result};
use crate::id::CheckId;

/// What is to be checked.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// `quick` or `full` (the default).
    pub mode: Option<String>,
    /// Only this class.
    pub class: Option<String>,
    /// Only this package, as SERIES/N.
    pub package: Option<String>,
}

/// A check that takes no lock and writes nothing.
pub fn read_only(_root: &Path, _request: &Value) -> Result<Value> {
    Err(Error::new(Code::Internal, ""))
}

impl Archive {
    /// Whether the caller may see checks.
    pub fn may_see_checks(&self, actor: &Actor) -> Result<()> {
        self.may(actor, Action::Check)
    }
    /// Gives a check its identifier.
    pub fn begin_check(&self, actor: &Actor, _request: &CheckRequest) -> Result<CheckId> {
        self.may(actor, Action::Check)?;
        Ok(CheckId::new(self.clock.now()))
    }
    /// Checks.
    pub fn check(
        &self,
        _actor: &Actor,
        id: CheckId,
        _request: &CheckRequest,
        _progress: &dyn Fn(u64, u64),
    ) -> Result<Value> {
        Ok(json!({ "check": id }))
    }
    /// A kept report.
    pub fn check_report(&self, _actor: &Actor, _id: CheckId) -> Result<Option<Value>> {
        Ok(None)
    }
}
