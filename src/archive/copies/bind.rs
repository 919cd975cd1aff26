//! Tying vaults to the archive: a `vault.id` in the folder, a record on the chain.
//!
//! Invariant: a name means one id until somebody replaces the vault by an act; a `vault.id` is written only into a folder that
//! is empty and was never a vault's, so that the mount point of a disk that is away stays what it is; what custode.toml says of
//! vaults has no effect that the chain does not tell.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Kept;
use crate::archive::config::{self, Config, LOCAL};
use crate::archive::init::object;
use crate::archive::layout::Layout;
use crate::archive::open::Genesis;
use crate::chain::Ledger;
use crate::error::{Code, Error, Finding, Result};
use crate::vault::{Identity, LocalVault};

/// Records of vaults.
pub(super) const RECORDS: &str = "vaults";

/// What the chain says of one vault.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Bound {
    pub id: String,
    site: Option<String>,
    country: Option<String>,
    retired: bool,
    /// Erasable: where it was, and who runs it.
    path: Option<String>,
    operator: Option<String>,
}

/// The vaults that records tell of, the last word of each name; genesis is the first word about `local`.
fn fold<'a>(
    genesis: Option<&str>,
    records: impl Iterator<Item = (&'a Map<String, Value>, Option<&'a Map<String, Value>>)>,
) -> BTreeMap<String, Bound> {
    let local = genesis.map(|id| (LOCAL.to_owned(), Bound { id: id.to_owned(), ..Bound::default() }));
    let mut all: BTreeMap<String, Bound> = local.into_iter().collect();
    for (fields, personal) in records {
        let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
        let aside = |key: &str| personal.and_then(|personal| personal.get(key)?.as_str()).map(str::to_owned);
        let (Some(name), Some(id)) = (text("name"), text("vault")) else { continue };
        let (site, country, retired) = (text("site"), text("country"), text("act").as_deref() == Some("retired"));
        all.insert(name, Bound { id, site, country, retired, path: aside("path"), operator: aside("operator") });
    }
    all
}

/// What the chain knows of vaults, by name.
pub(super) fn known(ledger: &Ledger, genesis: Option<&str>) -> Result<BTreeMap<String, Bound>> {
    let (records, _) = ledger.records(RECORDS)?;
    Ok(fold(genesis, records.iter().map(|record| (&record.fields, record.personal.as_ref()))))
}

/// The record of an act about a vault; durable on return.
pub(super) fn record(ledger: &Ledger, vault: &config::Vault, id: &str, act: &str) -> Result<()> {
    let fields = json!({ "name": vault.name, "vault": id, "act": act, "site": vault.site, "country": vault.country });
    let personal = json!({ "path": vault.typed, "operator": vault.operator });
    ledger.append_record(RECORDS, object(fields), Some(object(personal))).map(drop)
}

/// The vaults of custode.toml as the chain knows them; what is new in the file is bound or noted. A vault that cannot be bound
/// is in the list and refuses everything.
pub(in crate::archive) fn settle(
    ledger: &Ledger,
    config: &Config,
    layout: &Layout,
    genesis: &Genesis,
) -> Result<(Vec<Kept>, Vec<Finding>)> {
    let before = known(ledger, genesis.vault.as_deref())?;
    let (mut kept, mut findings) = (Vec::new(), Vec::new());
    let mut say =
        |code, name: &str, detail: String| findings.push(Finding::warning(code, format!("vault {name}"), detail));
    for vault in &config.vaults {
        let mut refused = None;
        let id = match before.get(&vault.name) {
            Some(bound) => {
                if let Some(detail) = changed(bound, vault, &genesis.origin) {
                    match record(ledger, vault, &bound.id, "changed") {
                        Ok(()) => say(Code::VaultChanged, &vault.name, detail),
                        Err(error) => say(held(error)?, &vault.name, detail),
                    }
                }
                Some(bound.id.clone())
            }
            None => match bind(vault, layout.root(), &genesis.origin, &before) {
                Ok(id) => match record(ledger, vault, &id, "bound") {
                    Ok(()) => {
                        say(Code::VaultChanged, &vault.name, format!("new, bound with the id {id}"));
                        Some(id)
                    }
                    Err(error) => {
                        refused = Some(Error::new(held(error)?, "not bound: nothing is appended to the chain"));
                        None
                    }
                },
                Err(error) => {
                    say(error.code, &vault.name, format!("not bound: {}", error.detail));
                    refused = Some(error);
                    None
                }
            },
        };
        let local = match (&id, &refused) {
            (Some(id), _) => LocalVault::bound(&vault.path, &vault.name, id, &genesis.origin),
            (None, Some(why)) => LocalVault::refused(&vault.path, &vault.name, why),
            (None, None) => return Err(Error::new(Code::Internal, "neither bound nor refused").at(&vault.name)),
        };
        let (site, country, operator) = (vault.site.clone(), vault.country.clone(), vault.operator.clone());
        kept.push(Kept { vault: Arc::new(local), site, country, operator, bound: id.is_some() });
    }
    for (name, bound) in before.iter().filter(|(_, bound)| !bound.retired) {
        if config.vaults.iter().all(|vault| vault.name != *name) {
            let gone = config::Vault { name: name.clone(), site: bound.site.clone(), ..config::Vault::default() };
            let gone = config::Vault { typed: bound.path.clone().unwrap_or_default(), ..gone };
            match record(ledger, &gone, &bound.id, "retired") {
                Ok(()) => say(Code::VaultChanged, name, "no longer in custode.toml".to_owned()),
                Err(error) => say(held(error)?, name, "no longer in custode.toml".to_owned()),
            }
        }
    }
    Ok((kept, findings))
}

/// An older state of the archive opens, to be read; only nothing is appended to it.
fn held(error: Error) -> Result<Code> {
    match error.code {
        Code::ArchiveRestored | Code::ArchiveForked => Ok(error.code),
        _ => Err(error),
    }
}

/// What custode.toml says that the chain does not know yet. Another folder counts when the vault is in it.
fn changed(bound: &Bound, vault: &config::Vault, origin: &str) -> Option<String> {
    let mut what = Vec::new();
    if bound.retired {
        what.push("back in custode.toml");
    }
    if (&bound.site, &bound.country) != (&vault.site, &vault.country) {
        what.push("another site or country");
    }
    // What genesis bound has no record yet, and an erased one says nothing: neither is a change.
    let was = |text: &Option<String>, default: &str| text.as_deref().unwrap_or(default).to_owned();
    if bound.operator.is_some() && bound.operator != vault.operator
        || bound.operator.is_none() && vault.operator.is_some()
    {
        what.push("another operator");
    }
    if was(&bound.path, if vault.name == LOCAL { "packages" } else { &vault.typed }) != vault.typed {
        let found = Identity::read(&vault.path);
        if found.is_ok_and(|found| found.must_be(&bound.id, origin, &vault.name, &vault.path).is_ok()) {
            what.push("another folder");
        }
    }
    (!what.is_empty()).then(|| what.join(", "))
}

/// Makes a folder a vault, or finds that a stop left it one; its id.
fn bind(vault: &config::Vault, root: &Path, origin: &str, known: &BTreeMap<String, Bound>) -> Result<String> {
    let refuse = |code, detail: String| Err(Error::new(code, detail).at(vault.path.display()));
    match Identity::read(&vault.path) {
        Ok(found) if found.origin != origin => {
            return refuse(Code::VaultOther, format!("this is a vault of the archive {}", found.origin));
        }
        Ok(found) => {
            if let Some((name, _)) = known.iter().find(|(_, bound)| bound.id == found.id) {
                return refuse(Code::VaultOther, format!("this is the vault `{name}`"));
            }
            // Made by us and not on the chain: a stop came in between, and nothing was copied yet.
            if !Identity::is_empty(&vault.path)? {
                return refuse(Code::VaultOther, "a vault with packages that the chain does not know".to_owned());
            }
            Identity::clear_up(&vault.path)?;
            return Ok(found.id);
        }
        Err(error) if error.code != Code::VaultMissing => return Err(error),
        Err(_) => {}
    }
    let same =
        |bound: &&Bound| bound.path.as_ref().is_some_and(|path| config::same_folder(&root.join(path), &vault.path));
    if let Some((name, _)) = known.iter().find(|(_, bound)| same(bound)) {
        let detail = format!("the vault `{name}` was bound to this folder, and is not there: mount it");
        return refuse(Code::VaultMissing, detail);
    }
    fresh(vault, origin)
}

/// Makes an empty folder a vault; its id.
pub(super) fn fresh(vault: &config::Vault, origin: &str) -> Result<String> {
    let refuse = |code, detail: &str| Err(Error::new(code, detail).at(vault.path.display()));
    if !vault.path.parent().is_some_and(Path::is_dir) {
        // A path whose beginning is missing is a typing mistake, or a disk that is not mounted.
        return refuse(Code::VaultMissing, "the folder above it is not there: mount the disk, or make the folder");
    }
    if !Identity::is_free(&vault.path)? {
        return refuse(Code::VaultOther, "the folder holds something else; a new vault needs an empty one");
    }
    let identity = Identity::new(origin, &vault.name)?;
    identity.write(&vault.path)?;
    Ok(identity.id)
}

/// The vaults as far as they can be told without opening the archive: for a check that only reads.
pub(in crate::archive) fn bound_offline(
    layout: &Layout,
    config: Option<&Config>,
    genesis: Option<&Genesis>,
) -> Vec<LocalVault> {
    let text = crate::durable::read_plain_text(&layout.records().join(format!("{RECORDS}.jsonl"))).unwrap_or_default();
    let lines: Vec<Map<String, Value>> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let known = fold(genesis.and_then(|genesis| genesis.vault.as_deref()), lines.iter().map(|line| (line, None)));
    let origin = genesis.map_or("", |genesis| genesis.origin.as_str());
    let local = config::Vault { name: LOCAL.to_owned(), path: layout.packages(), ..config::Vault::default() };
    let configured = config.map_or_else(|| vec![local], |config| config.vaults.clone());
    let open = |vault: &config::Vault| match known.get(&vault.name) {
        Some(bound) => LocalVault::bound(&vault.path, &vault.name, &bound.id, origin),
        None => {
            let why = Error::new(Code::VaultMissing, "not bound: the chain does not know this vault");
            LocalVault::refused(&vault.path, &vault.name, &why)
        }
    };
    configured.iter().map(open).collect()
}
