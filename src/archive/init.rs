//! `custode init`: a new archive.
//!
//! Invariant: what exists is never touched; an interrupted `init` leaves a folder that says so (`init-unfinished`, written
//! first and removed last) and can be thrown away.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::access;
use super::config::{Config, Profile, Template};
use super::keys::{self, Keys};
use super::layout::Layout;
use super::lock::{self, Owner};
use crate::catalog::Catalog as _;
use crate::catalog::embedded::Embedded;
use crate::chain::{Kind, Ledger};
use crate::clock::{Clock, SystemClock};
use crate::document::class::{Class, Classes};
use crate::durable;
use crate::error::{AtPath, Code, Error, Result};
use crate::hash::Sha256;
use crate::retention::{Policies, Policy};
use crate::vault::Vault as _;
use crate::vault::local::LocalVault;

/// Version of the archive's formats.
pub const FORMAT: &str = "custode/1";

/// What is wished of a new archive.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// `trial` or `production`.
    pub profile: String,
    /// Addresses of time-stamping authorities.
    pub tsa: Vec<String>,
    /// Files of the anchors they go back to.
    pub tsa_anchors: Vec<PathBuf>,
    /// Name of the holder.
    pub holder: Option<String>,
    /// Identifier of the holder.
    pub holder_id: Option<String>,
    /// Name of the manager.
    pub manager: Option<String>,
}

/// What was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The profile.
    pub profile: Profile,
    /// The first manager's token: here and nowhere else.
    pub manager_token: String,
    /// The archive's public key (C2SP vkey).
    pub vkey: String,
}

/// Makes a new archive in this folder.
pub fn init(root: &Path, wishes: &Wishes) -> Result<Made> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let layout = Layout::new(root);
    let profile: Profile = wishes.profile.parse()?;
    if layout.unfinished().exists() {
        return Err(Error::new(Code::ArchiveUnfinished, "").at(root.display()));
    }
    if layout.config().exists() || layout.chain().exists() {
        return Err(Error::new(Code::ArchiveExists, "").at(root.display()));
    }
    let config = write_config(root, &layout, profile, wishes)?;
    let _lock = match lock::take(&layout.lock())? {
        Owner::Us(lock) => lock,
        Owner::Server { address, .. } => return Err(Error::new(Code::ArchiveExists, "it is being served").at(address)),
    };
    for folder in layout.folders() {
        durable::create_dir_all(&folder)?;
    }
    for (name, text) in Classes::builtin() {
        durable::write_new(&layout.schemas().join(name), text.as_bytes(), durable::MODE_SEALED)?;
    }
    for (name, text) in Policies::builtin() {
        durable::write_new(&layout.policies().join(name), text.as_bytes(), durable::MODE_SEALED)?;
    }
    let keys = Keys::create(&config.keys)?;
    if profile == Profile::Trial {
        keys.development_authority(clock.clone())?;
    }
    let vault = LocalVault::create(&layout.packages(), "local", &config.origin)?;
    let signer = keys.signers(&config.origin)?.remove(0);
    let vkey = signer.verifier().to_string();

    let genesis = json!({
        "format": FORMAT, "origin": config.origin, "profile": profile.as_str(), "software": concat!("custode ", env!("CARGO_PKG_VERSION")),
        "vaults": [{ "name": "local", "id": vault.id() }],
    });
    let ledger = Ledger::create(root, signer, object(genesis), clock.clone())?;
    for (name, text) in Classes::builtin() {
        let class = Class::parse(text, name)?;
        ledger.append(Kind::Class, adopted(class.id.as_str(), class.version, name, class.sha256))?;
    }
    for (name, text) in Policies::builtin() {
        let policy = Policy::parse(text, name)?;
        ledger
            .append(Kind::Policy, adopted(policy.id().as_str(), policy.version(), name, Sha256::of(text.as_bytes())))?;
    }
    let name = wishes.manager.clone().unwrap_or_else(|| config.manager.name.to_string());
    let first = access::genesis(&name, clock.now())?;
    for record in first.records {
        ledger.append_record(record.kind, record.fields, record.personal)?;
    }
    super::open::note_configuration(&ledger, Config::load_own(root)?.1)?;
    // An empty catalog that knows the chain so far: the first opening has nothing to rebuild.
    let (catalog, _) = Embedded::open(&layout.catalog(), 0)?;
    catalog.advance(ledger.head().size)?;
    durable::remove_file(&layout.unfinished())?;
    Ok(Made { profile, manager_token: first.token.expose().to_owned(), vkey })
}

/// The object of a `class` or `policy` entry.
pub(super) fn adopted(id: &str, version: u32, file: &str, sha256: Sha256) -> Map<String, Value> {
    object(json!({ "id": id, "version": version, "file": file, "sha256": sha256 }))
}

/// The fields of a JSON object written in code.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

fn write_config(root: &Path, layout: &Layout, profile: Profile, wishes: &Wishes) -> Result<Config> {
    let anchors =
        wishes.tsa_anchors.iter().map(|path| std::path::absolute(path).at_path(path)).collect::<Result<Vec<_>>>()?;
    durable::create_dir_all(root)?;
    let full = std::fs::canonicalize(root).at_path(root)?;
    let folder = full.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let template = Template {
        profile,
        name: Template::name_from(&folder),
        origin: None,
        keys: None,
        holder: wishes.holder.clone(),
        holder_id: wishes.holder_id.as_deref().map(str::parse).transpose()?,
        manager: wishes.manager.clone(),
        tsa: wishes.tsa.clone(),
        anchors: anchors.iter().map(|path| path.display().to_string()).collect(),
    };
    let text = template.render();
    // Read back before anything is written: what `init` writes must be what `serve` accepts.
    let config = Config::parse(&text, root)?;
    if config.keys.join(keys::SEED).exists() {
        return Err(Error::new(Code::ArchiveExists, "there are keys of another archive").at(config.keys.display()));
    }
    durable::write_new(&layout.unfinished(), b"", durable::MODE_PLAIN)?;
    durable::write_new(&layout.config(), text.as_bytes(), durable::MODE_PLAIN)?;
    Ok(config)
}
