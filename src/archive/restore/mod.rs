//! `custode restore from`: an archive made again from one vault and the chain's folder, after the disk it lived on is lost.
//!
//! What a backup holds beside the chain (records, adopted classes and policies, intake) is taken too. Invariants: nothing that exists
//! is touched, and the new folder says that it is unfinished until it is finished; every file of a package is held against the chain on
//! its way, and none gets its name that is not as the chain committed it; a chain that is older than what anybody can show
//! (receipts, checkpoints, witnesses, the vault itself) is not put in the archive's place silently. AgID guidelines 4.7; invariant I4.

mod asked;
mod make;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::Archive;
use super::access::Actor;
use super::config::{Config, FILE_NAME};
use super::inspect::{given, number_of, offline};
use super::layout::Layout;
use super::renew::Progress;
use super::witness::asked_only;
use crate::chain::verify::verify_against;
use crate::chain::{Claim, Reigns, Standing};
use crate::clock::SystemClock;
use crate::durable;
use crate::error::{AtPath as _, Code, Error, Finding, Kind as Trouble, Result};
use asked::Asked;

/// Packages named when the vault has more than the chain knows.
const NAMED: usize = 5;

/// From what an archive is made again.
#[derive(Debug, Clone, Default)]
pub struct Backup {
    /// A folder with `chain/`, and with whatever else was kept of the archive: `records/`, `schemas/`, `policies/`, `intake/`,
    /// `reports/`, `custode.toml`.
    pub folder: PathBuf,
    /// The vault; `packages/` of that folder when there is none.
    pub vault: Option<PathBuf>,
    /// `custode.toml`, when it is not in that folder.
    pub config: Option<PathBuf>,
    /// Receipts and checkpoints that somebody kept, as text, with the file each is from.
    pub expected: Vec<(String, String)>,
    /// Why an older state is the archive from now on: without it, one is refused.
    pub declare: Option<String>,
}

/// Makes the archive again in `root`, which must not be there or be empty. What was made, and what a check of it says.
pub fn restore_from(root: &Path, backup: &Backup, progress: Progress<'_>) -> Result<Value> {
    let layout = Layout::new(root);
    let free = match std::fs::read_dir(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        entries => entries.at_path(root)?.next().is_none(),
    };
    if !free {
        let hint = "an archive is made again in a folder of its own; what stands here stays as it is";
        return Err(Error::new(Code::ArchiveExists, "").at(root.display()).hint(hint));
    }
    let typed = backup.config.clone().unwrap_or_else(|| backup.folder.join(FILE_NAME));
    let text = durable::read_linked_text(&typed)?;
    let config = Config::parse(&text, root)?;
    let vault = backup.vault.clone().unwrap_or_else(|| backup.folder.join("packages"));
    let mut asked = Asked::of(&backup.folder, vault)?;
    config.check_profile(asked.genesis.profile)?;
    let expected = expected(backup, &asked.keys)?;
    let numbers = backup.expected.iter().filter_map(|(_, text)| number_of(text, &asked.keys));
    asked.known = numbers.chain([asked.known]).max().unwrap_or(asked.known);
    let witnessed = asked_only(&config, &asked.keys).into_iter().filter_map(|asked| asked.claim);
    let older = older(backup, &asked, &expected.iter().cloned().chain(witnessed).collect::<Vec<_>>())?;
    let is_older = older.is_some();
    if let (Some(error), None) = (older, &backup.declare) {
        return Err(error);
    }
    durable::create_dir_all(root)?;
    // Who declares appends, and appending takes the key: known before anything is copied. (Its folder may be told from this one.)
    if is_older && let Err(error) = super::keys::Keys::open(&config.keys) {
        std::fs::remove_dir(root).at_path(root)?;
        return Err(error);
    }
    durable::write_new(&layout.unfinished(), b"", durable::MODE_PLAIN)?;
    durable::write_new(&layout.config(), text.as_bytes(), durable::MODE_PLAIN)?;
    let made = make::make(&layout, &config, backup, &asked, progress)?;
    durable::remove_file(&layout.unfinished())?;
    let declared = match &backup.declare {
        Some(reason) if is_older => Some(declare(root, reason, &expected)?),
        _ => None,
    };
    let report = offline(root, "quick", expected)?;
    Ok(json!({
        "archive": root, "origin": asked.genesis.origin, "size": asked.size,
        "packages": made.packages, "files": made.files, "bytes": made.bytes,
        "not_in_backup": made.absent, "numbers_from": made.begun_at, "findings": made.findings,
        "expected": report["coverage"]["witnessed"], "declared": declared, "check": report,
    }))
}

/// What receipts and checkpoints say of the chain.
fn expected(backup: &Backup, keys: &Reigns) -> Result<Vec<Claim>> {
    let one = |(file, text): &(String, String)| {
        let claim = given(text, keys).map_err(|error| Error::new(error.code, error.detail).at(file))?;
        Ok(Claim { place: file.clone(), ..claim })
    };
    backup.expected.iter().map(one).collect()
}

/// Why this is an older state of the archive, when it is. Damage of the chain itself, and two histories, are errors that nothing
/// makes good.
fn older(backup: &Backup, asked: &Asked, claims: &[Claim]) -> Result<Option<Error>> {
    let (facts, findings) = verify_against(&backup.folder, Some(asked.keys.current()), claims, &[]);
    let lost = |finding: &Finding| finding.code == Code::ArchiveRestored;
    let of_chain = |finding: &&Finding| finding.place.starts_with("chain/") && !lost(finding);
    let damage: Vec<Finding> =
        findings.iter().filter(of_chain).filter(|f| f.code.kind() == Trouble::Damage).cloned().collect();
    if let Some(first) = damage.first() {
        let error =
            Error::new(first.code, first.message.clone()).at(format!("{}, {}", backup.folder.display(), first.place));
        return Err(error.with_findings(damage));
    }
    if let Some(fork) = facts.compared.iter().find(|compared| compared.standing == Standing::Forked) {
        return Err(Error::new(Code::ChainForked, format!("at {} entries", fork.size)).at(&fork.place));
    }
    let hint = "bring the newest copy of chain/ and of the vault; when there is none, `--declare REASON` makes this older state the \
                archive, and what was witnessed and is missing is written on the chain";
    if let Some(missing) = findings.iter().find(|finding| lost(finding)) {
        return Ok(Some(Error::new(Code::ArchiveRestored, missing.message.clone()).at(&missing.place).hint(hint)));
    }
    if asked.beyond.is_empty() {
        return Ok(None);
    }
    let named: Vec<&str> = asked.beyond.iter().take(NAMED).map(String::as_str).collect();
    let detail = format!("the vault has what this chain does not name: {} and so on", named.join(", "));
    Ok(Some(Error::new(Code::ArchiveRestored, detail).at(asked.vault.root().display()).hint(hint)))
}

/// The loss, on the chain, before anything else is.
fn declare(root: &Path, reason: &str, claims: &[Claim]) -> Result<Value> {
    let archive = Archive::open_with(root, Arc::new(SystemClock))?;
    let declared = archive.declare_restoration_against(&Actor::local(), reason, claims);
    archive.close()?;
    match declared {
        // The vault had more, and nobody has seen more of the chain: there is no checkpoint that was given up.
        Err(error) if error.code == Code::RestoreNothing => Ok(Value::Null),
        other => other,
    }
}
