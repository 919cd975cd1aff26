//! What the chain asks for, and what of it a vault can give.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::archive::layout::Layout;
use crate::archive::open::Genesis;
use crate::chain::{Kind, Reigns, each_entry_of};
use crate::durable;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{PackageRef, Sequence};
use crate::package::FileFacts;
use crate::package::generation::Renewal;
use crate::vault::{Identity, LocalVault, Vault as _};

/// What is to be made.
pub(super) struct Asked {
    pub genesis: Genesis,
    pub keys: Reigns,
    /// Entries of the chain.
    pub size: u64,
    /// Files of classes and of policies, by name.
    pub classes: BTreeMap<String, Sha256>,
    pub policies: BTreeMap<String, Sha256>,
    /// The files of each package, renewals included.
    pub packages: BTreeMap<PackageRef, Vec<FileFacts>>,
    /// The highest number that the chain or a receipt knows.
    pub known: Sequence,
    /// Where they come from.
    pub vault: LocalVault,
    /// What the vault has and this chain does not name.
    pub beyond: Vec<String>,
}

impl Asked {
    /// Reads the chain of a backup as far as its checkpoint goes, and looks what the vault has. The vault must be one of this
    /// archive.
    pub fn of(backup: &Path, vault: PathBuf) -> Result<Self> {
        let place = || backup.join("chain").display().to_string();
        let missing = |detail: &str| Error::new(Code::ArchiveMissing, detail).at(place());
        if !Layout::new(backup).chain().join("entries").exists() {
            return Err(missing("no chain/entries"));
        }
        let keys =
            Reigns::of_archive(backup, None).ok_or_else(|| missing("no public key of the archive can be read"))?;
        let mut genesis = None;
        let (mut classes, mut policies) = (BTreeMap::new(), BTreeMap::new());
        let (mut known, mut vaults) = (0, BTreeSet::new());
        let mut packages: BTreeMap<PackageRef, Vec<FileFacts>> = BTreeMap::new();
        let note = durable::read_plain_text(&Layout::new(backup).chain().join("checkpoint"))?;
        let size = keys.open_checkpoint(&note).map_err(|error| error.at(place()))?.size;
        each_entry_of(backup, size, &mut |entry| {
            let wrong =
                || Error::new(Code::ChainAltered, "an entry misses its fields").at(format!("entry {}", entry.seq));
            match entry.kind {
                Kind::Genesis => genesis = Some(Genesis::parse(&entry.object)?),
                Kind::Class | Kind::Policy => {
                    let text = |key: &str| entry.object.get(key).and_then(|value| value.as_str()).ok_or_else(wrong);
                    let sha256 = text("sha256")?.parse().map_err(|_| wrong())?;
                    let all = if entry.kind == Kind::Class { &mut classes } else { &mut policies };
                    all.insert(text("file")?.to_owned(), sha256);
                }
                Kind::Package => {
                    let row = crate::archive::reindex::package_row(&entry)?;
                    known = known.max(entry.object["numbers"]["max"].as_u64().unwrap_or(0));
                    vaults.extend(ids(&entry.object["copies"]));
                    let files = entry.object.get("files").cloned().unwrap_or_default();
                    packages.insert(row.package, serde_json::from_value(files).map_err(|_| wrong())?);
                }
                Kind::Renewal if entry.object.get("stamps").is_none() => {
                    let renewal: Renewal = serde_json::from_value(entry.object.into())
                        .map_err(|_| Error::new(Code::ChainAltered, "an entry misses its fields").at("a renewal"))?;
                    for renewed in renewal.packages {
                        vaults.extend(renewed.copies);
                        packages.entry(renewed.package).or_default().extend(renewed.files);
                    }
                }
                Kind::Intake => known = known.max(entry.object["issued"].as_u64().unwrap_or(0)),
                Kind::Repair => {
                    for act in ["copied", "restored"] {
                        vaults.extend(entry.object.get(act).and_then(|act| act["vault"].as_str()).map(str::to_owned));
                    }
                    let voided = entry.object.get("voided").and_then(|numbers| numbers["last"].as_u64());
                    known = known.max(voided.unwrap_or(0));
                }
                _ => {}
            }
            Ok(())
        })?;
        let genesis = genesis.ok_or_else(|| missing("no first entry"))?;
        vaults.extend(genesis.vault.clone());
        let identity = Identity::read(&vault)?;
        if identity.origin != genesis.origin {
            let detail = format!("this is a vault of the archive {}", identity.origin);
            return Err(Error::new(Code::VaultOther, detail).at(vault.display()));
        }
        if !vaults.contains(&identity.id) {
            let detail = "the chain knows no copy that was ever made in this vault";
            return Err(Error::new(Code::VaultOther, detail).at(vault.display()));
        }
        let vault = LocalVault::bound(&vault, &identity.name, &identity.id, &identity.origin);
        let beyond = beyond(&vault, &packages)?;
        Ok(Self { genesis, keys, size, classes, policies, packages, known: Sequence(known), vault, beyond })
    }
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect()
}

/// Packages, and generations of evidence, that a vault has and the chain does not name.
fn beyond(vault: &LocalVault, packages: &BTreeMap<PackageRef, Vec<FileFacts>>) -> Result<Vec<String>> {
    let mut more = Vec::new();
    for series in vault.list_series()?.items {
        for package in vault.list_packages(&series)?.items {
            let Some(files) = packages.get(&package) else {
                more.push(package.to_string());
                continue;
            };
            let unknown = vault
                .list_files(&package)?
                .into_iter()
                .find(|found| found.name.ends_with(".tsr") && files.iter().all(|file| file.name != found.name));
            more.extend(unknown.map(|found| format!("{package}/{}", found.name)));
        }
    }
    Ok(more)
}
