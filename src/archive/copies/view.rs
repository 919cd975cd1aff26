//! The vaults as an operator sees them, and a new disk in the place of a dead one.
//!
//! Invariant: what is shown was asked for now; a vault is replaced by an act on the chain, never by a folder that turns up.

use serde_json::{Value, json};

use super::bind::{fresh, record};
use crate::archive::Archive;
use crate::archive::access::{Action, Actor};
use crate::clock::iso_ms;
use crate::error::{Code, Error, Result};

impl Archive {
    /// Every vault: whether it is there, what it lacks, where it is.
    pub fn vaults(&self, actor: &Actor) -> Result<Value> {
        self.may(actor, Action::Check)?;
        let now = self.clock.now();
        let suspects = self.copies.suspects.all();
        let packages = self.catalog.packages(None)?.len();
        let vaults: Vec<Value> = self.copies.kept.iter().zip(&self.config.vaults).map(|(kept, configured)| {
            let vault = kept.vault.as_ref();
            let told = self.copies.away(vault, now);
            let behind = if kept.bound { self.copies.behind(vault).len() } else { packages };
            json!({
                "name": vault.name(), "id": kept.bound.then(|| vault.id()), "path": configured.path,
                "site": kept.site, "country": kept.country, "operator": kept.operator,
                "state": if told.is_none() { "there" } else { "away" },
                "error": told.map(|(since, e)| json!({ "code": e.code, "message": e.detail, "since": iso_ms(since) })),
                "packages": packages.saturating_sub(behind), "behind": behind,
                "bad": suspects.iter().filter(|(_, name, _)| name == vault.name()).count(),
            })
        }).collect();
        let (copies, sites) = self.copies_and_sites();
        Ok(json!({
            "vaults": vaults, "packages": packages, "required": self.config.copies.required,
            "copies": copies, "sites": sites, "derogation_until": self.derogation_until(now)?,
        }))
    }

    /// Binds a new, empty disk in the place of a vault that is lost for ever; it holds nothing, and catches up. Takes effect
    /// when the archive is opened again.
    pub fn replace_vault(&self, actor: &Actor, name: &str) -> Result<Value> {
        self.may(actor, Action::Technical)?;
        let known = || self.copies.kept.iter().zip(&self.config.vaults).find(|(kept, _)| kept.vault.name() == name);
        let (kept, configured) = known().ok_or_else(|| Error::new(Code::NotFound, "no such vault").at(name))?;
        if kept.vault.mounted().is_ok() {
            let detail = "it is there, with its own id; only one that is lost can be replaced";
            return Err(Error::new(Code::Usage, detail).at(name));
        }
        let _one_at_a_time = self.copies.working();
        self.heal()?;
        self.witnesses.may_take(&self.ledger)?;
        let id = fresh(configured, &self.origin)?;
        record(&self.ledger, configured, &id, "replaced")?;
        Ok(json!({ "vault": name, "id": id, "replaces": kept.vault.id() }))
    }
}
