//! Making the folder: what was kept is copied, what the vault gives is held against the chain.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use super::asked::Asked;
use super::{Backup, Progress};
use crate::archive::config::{Config, LOCAL};
use crate::archive::copies::{bound_offline, digests};
use crate::archive::layout::Layout;
use crate::archive::open::LANE;
use crate::clock::SystemClock;
use crate::document::class::Classes;
use crate::durable;
use crate::error::{AtPath as _, Code, Error, Finding, Result};
use crate::hash::{Digests, Sha256};
use crate::id::{PackageRef, Sequence};
use crate::intake::journal::{Journal, Settings};
use crate::retention::Policies;
use crate::vault::{Identity, LocalVault, Vault as _, holds};

/// Folders of an archive that are taken as they were kept. `catalog/` is made anew, and `staging/` is nothing without its intake.
const KEPT: [&str; 5] = ["chain", "records", "intake", "reports", "revocation"];

/// What was made.
#[derive(Default)]
pub(super) struct Made {
    /// Packages that are whole.
    pub packages: u64,
    pub files: u64,
    pub bytes: u64,
    /// Folders that the backup has not.
    pub absent: Vec<&'static str>,
    /// Without the intake: the first number that is given again; those before, as many as may have been given, never are.
    pub begun_at: Option<Sequence>,
    /// What the vault could not give.
    pub findings: Vec<Finding>,
}

pub(super) fn make(
    layout: &Layout,
    config: &Config,
    backup: &Backup,
    asked: &Asked,
    progress: Progress<'_>,
) -> Result<Made> {
    let mut made = Made::default();
    for folder in layout.folders() {
        durable::create_dir_all(&folder)?;
    }
    for name in KEPT {
        let from = backup.folder.join(name);
        match from.symlink_metadata() {
            Ok(_) => copy_folder(&from, &layout.root().join(name))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => made.absent.push(name),
            Err(error) => return Err(error).at_path(&from),
        }
    }
    if made.absent.contains(&"intake") {
        made.begun_at = Some(begin_anew(layout, config, asked)?);
    }
    adopted(&backup.folder.join("schemas"), &layout.schemas(), &asked.classes, &builtin(Classes::builtin()))?;
    adopted(&backup.folder.join("policies"), &layout.policies(), &asked.policies, &builtin(Policies::builtin()))?;
    let vault = place(layout, config, asked)?;
    let total: u64 = asked.packages.values().flatten().map(|file| file.length).sum();
    let mut read = 0;
    for (package, files) in &asked.packages {
        let files = digests(files);
        receive(&vault, asked, package, &files, &mut made)?;
        read += files.iter().map(|(_, digests)| digests.bytes).sum::<u64>();
        progress(read, total);
    }
    durable::sync_dir(layout.root())?;
    Ok(made)
}

/// Copies plain files and folders, durable on return, with the permissions they had. Links are refused: they lead out of what was
/// kept.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    durable::create_dir_all(to)?;
    for entry in fs::read_dir(from).at_path(from)? {
        let path = entry.at_path(from)?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        let facts = path.symlink_metadata().at_path(&path)?;
        if facts.is_dir() {
            copy_folder(&path, &target)?;
        } else if facts.is_file() {
            durable::copy_new(&path, &target, facts.permissions().mode() & 0o666)?;
        } else {
            return Err(Error::new(Code::ArchiveMissing, "neither a file nor a folder").at(path.display()));
        }
    }
    Ok(())
}

/// What was accepted and not sealed is lost with the intake; its numbers stay those of the receipts that others hold.
fn begin_anew(layout: &Layout, config: &Config, asked: &Asked) -> Result<Sequence> {
    let mut settings = Settings::new(layout.root(), LANE, Arc::new(SystemClock));
    settings.known = asked.known;
    let lost = config.intake.max_unsealed_documents;
    Journal::begin_anew(&settings, lost)?;
    Ok(Sequence(asked.known.0 + lost + 1))
}

fn builtin(files: &'static [(&'static str, &'static str)]) -> BTreeMap<&'static str, &'static str> {
    files.iter().copied().collect()
}

/// The classes or policies that were adopted: as they were kept, or as this program has them.
fn adopted(
    from: &Path,
    to: &Path,
    names: &BTreeMap<String, Sha256>,
    builtin: &BTreeMap<&'static str, &'static str>,
) -> Result<()> {
    for (name, sha256) in names {
        let kept = from.join(name);
        let kept = if kept.exists() { Some(durable::read_plain(&kept)?) } else { None };
        let ours = builtin.get(name.as_str()).map(|text| text.as_bytes().to_vec());
        let right = [kept, ours].into_iter().flatten().find(|bytes| Sha256::of(bytes) == *sha256);
        let Some(bytes) = right else {
            let detail = format!("the adopted file, with SHA-256 {sha256}, is not in the backup");
            let hint = "put it there: it is in any other copy of the archive's folder";
            return Err(Error::new(Code::NotAdopted, detail).at(from.join(name).display()).hint(hint));
        };
        durable::write_new(&to.join(name), &bytes, durable::MODE_SEALED)?;
    }
    Ok(())
}

/// The archive's own vault, under the id that the chain knows.
fn place(layout: &Layout, config: &Config, asked: &Asked) -> Result<LocalVault> {
    let vaults = bound_offline(layout, Some(config), Some(&asked.genesis));
    let local = vaults.into_iter().find(|vault| vault.name() == LOCAL);
    let local = local.ok_or_else(|| Error::new(Code::ConfigMissing, "no vault `local`").at("custode.toml"))?;
    if !Identity::is_free(local.root())? {
        let hint = "in custode.toml, let `path` of the vault `local` be a folder that is empty, or leave it out";
        return Err(Error::new(Code::VaultOther, "packages are restored into an empty folder")
            .at(local.root().display())
            .hint(hint));
    }
    let identity = Identity { id: local.id().to_owned(), origin: asked.genesis.origin.clone(), name: LOCAL.to_owned() };
    identity.write(local.root())?;
    Ok(local)
}

/// A package out of the vault: all of it, or as much as is as the chain says, and what is not is named.
fn receive(
    to: &LocalVault,
    asked: &Asked,
    package: &PackageRef,
    files: &[(String, Digests)],
    made: &mut Made,
) -> Result<()> {
    let from: &dyn crate::vault::Vault = &asked.vault;
    let mut right = Vec::with_capacity(files.len());
    match to.receive(&from, package, files) {
        Ok(()) => right.extend_from_slice(files),
        Err(error) if error.code == Code::DiskFull => return Err(error),
        Err(_) => {
            for file in files {
                let place = format!("{package}/{}", file.0);
                match holds(from, package, &file.0, &file.1) {
                    Ok(Some(true)) => right.push(file.clone()),
                    Ok(Some(false)) => made.findings.push(Finding::error(Code::PackageFileAltered, place, "")),
                    Ok(None) => made.findings.push(Finding::error(Code::PackageFileMissing, place, "")),
                    Err(error) => made.findings.push(Finding::error(error.code, place, error.detail)),
                }
            }
            if !right.is_empty() {
                to.receive(&from, package, &right)?;
            }
        }
    }
    made.packages += u64::from(right.len() == files.len());
    made.files += right.len() as u64;
    made.bytes += right.iter().map(|(_, digests)| digests.bytes).sum::<u64>();
    Ok(())
}
