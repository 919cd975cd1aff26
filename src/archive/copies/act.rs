//! One repair: what is bad in one copy of one package is kept in quarantine and replaced, and the chain says so.
//!
//! Invariant: `staging/repair-<id>.json` is durable before anything is touched, so that a stop at any step leaves the old bytes
//! or the new ones under every name and an act that the next run completes. Bad bytes are in `quarantine/` before they lose their
//! name, and nobody here ever removes them; the entry follows when every file was read back. What is restored is only ever what
//! the chain committed, whatever the plan says. Linee guida AgID 4.7; digests before and after are in the entry.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::write::must_hold;
use crate::archive::Archive;
use crate::archive::init::object;
use crate::chain::Kind;
use crate::clock::iso_seconds;
use crate::durable::{self, Writing};
use crate::error::{AtPath as _, Code, Error, Result};
use crate::hash::{Digests, Sha256};
use crate::id::PackageRef;
use crate::package::FileFacts;
use crate::vault::{Source, Vault, holds};

/// What the file of an act begins with, in `staging/`.
const STAGED: &str = "repair-";
/// Files of one act: their lines of the entry stay below the limit of the chain.
pub(super) const MOST_FILES: usize = 100;
/// How much longer than it should be a bad file may be and still be kept in quarantine.
const MOST_EXTRA: u64 = 1 << 30;

/// One file of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PlannedFile {
    pub facts: FileFacts,
    /// What stood there; none when nothing did, or nothing that is a file.
    pub found: Option<Found>,
}

/// Bad bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    /// As far as they could be read.
    pub sha256: Option<Sha256>,
    /// Their length.
    pub length: u64,
    /// Their name in `quarantine/`.
    pub quarantine: String,
}

/// An act that is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    pub id: Uuid,
    /// Who asked; the nil identifier is the machine itself.
    pub by: Uuid,
    pub package: PackageRef,
    /// The vault's id and name.
    pub vault: String,
    pub name: String,
    /// The whole package was missing.
    pub whole: bool,
    pub files: Vec<PlannedFile>,
    /// Vaults that the right bytes come from.
    pub from: Vec<String>,
    /// The last entry when it was planned; none when other files of the copy stay bad.
    pub through: Option<u64>,
    /// Where the chain stood: an entry about this act comes later.
    pub size: u64,
}

/// The name that bad bytes get in quarantine.
pub(super) fn quarantine_name(at: Timestamp, vault: &str, package: &PackageRef, file: &str, id: Uuid) -> String {
    let date = iso_seconds(at).replace(':', "-");
    let short = &id.simple().to_string()[..12];
    format!("{date}-{vault}-{}-{}-{}-{short}", package.series, package.number, file.replace('/', "-"))
}

impl Archive {
    fn staged_repair(&self, id: Uuid) -> PathBuf {
        self.layout.staging().join(format!("{STAGED}{id}.json"))
    }

    /// Carries an act out from its beginning; the number of its entry.
    pub(super) fn repair_by(&self, plan: &Plan, sources: &dyn Source) -> Result<u64> {
        let bytes = serde_json::to_vec(plan).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        let marked = self.staging_key.marked(&format!("{STAGED}{}", plan.id), bytes);
        durable::write_new(&self.staged_repair(plan.id), &marked, durable::MODE_PLAIN)?;
        self.finish_repair(plan, sources)
    }

    /// Ends the acts that a stop left half done; how many. One whose vault is away waits for it.
    pub(in crate::archive) fn finish_repairs(&self) -> Result<usize> {
        let staging = self.layout.staging();
        let mut done = 0;
        for entry in std::fs::read_dir(&staging).at_path(&staging)? {
            let path = entry.at_path(&staging)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(id) = name.strip_prefix(STAGED).and_then(|rest| Uuid::try_parse(rest.strip_suffix(".json")?).ok())
            else {
                continue;
            };
            let altered = || Error::new(Code::StagingAltered, "not what the archive wrote").at(path.display());
            let bytes = durable::read_plain(&path)?;
            let text = self.staging_key.unmarked(&format!("{STAGED}{id}"), &bytes).ok_or_else(altered)?;
            let plan: Plan = serde_json::from_slice(text).map_err(|_| altered())?;
            if plan.id != id {
                return Err(altered());
            }
            let survey = self.survey(&plan.package, &mut |_| {})?;
            match self.finish_repair(&plan, &survey.sources()) {
                Ok(_) => done += 1,
                Err(error) => {
                    tracing::warn!(code = error.code.as_str(), place = %error.place, "a repair waits: {}", error.detail);
                }
            }
        }
        Ok(done)
    }

    /// From wherever an act is to its entry, which it gives.
    fn finish_repair(&self, plan: &Plan, sources: &dyn Source) -> Result<u64> {
        let kept = self.copies.kept.iter().find(|kept| kept.vault.id() == plan.vault);
        let gone = || Error::new(Code::VaultMissing, "it is not in custode.toml any more").at(&plan.name);
        let vault = kept.ok_or_else(gone)?.vault.as_ref();
        let committed = self.committed_files(&plan.package)?;
        let mut right = Vec::new();
        for file in &plan.files {
            let facts = committed.file(&file.facts.name).filter(|facts| **facts == file.facts);
            let facts =
                facts.ok_or_else(|| Error::new(Code::StagingAltered, "not what the chain commits").at(plan.id))?;
            let digests = Digests { bytes: facts.length, sha256: facts.sha256, blake3: facts.blake3 };
            right.push((facts.name.clone(), digests));
        }
        if plan.whole {
            vault.receive(sources, &plan.package, &right)?;
        } else {
            for ((name, digests), file) in right.iter().zip(&plan.files) {
                if holds(vault, &plan.package, name, digests)? == Some(true) {
                    continue;
                }
                if let Some(found) = &file.found {
                    self.keep_bad(vault, &plan.package, name, digests.bytes, found)?;
                }
                vault.restore(sources, &plan.package, name, digests)?;
            }
            // What a stopped process renamed into its place is durable under its name before the chain says so.
            vault.receive(sources, &plan.package, &right)?;
        }
        must_hold(vault, &plan.package, &right)?;
        let seq = match self.noted(plan)? {
            Some(seq) => seq,
            None => {
                self.heal()?;
                let entry = self.ledger.append(Kind::Repair, object(facts_of(plan)))?;
                self.copies.note(&entry)?;
                metrics::counter!("custode_copies_repaired_total", "vault" => plan.name.clone()).increment(1);
                entry.seq
            }
        };
        if plan.through.is_some() {
            self.copies.suspects.clear(&plan.package, &plan.name);
        }
        durable::remove_file(&self.staged_repair(plan.id))?;
        Ok(seq)
    }

    /// Copies bad bytes into quarantine; durable on return. What cannot be read of them is left out, and said in the log.
    fn keep_bad(&self, vault: &dyn Vault, package: &PackageRef, file: &str, length: u64, found: &Found) -> Result<()> {
        if found.length > length.saturating_add(MOST_EXTRA) {
            let detail =
                format!("{} bytes in the place of {length}: move it away by hand, then repair again", found.length);
            return Err(
                Error::new(Code::PackageFileAltered, detail).at(format!("{package}, vault {}, {file}", vault.name()))
            );
        }
        let target = self.layout.quarantine().join(&found.quarantine);
        durable::create_dir_all(&self.layout.quarantine())?;
        let mut bad = vault.open(package, file)?;
        let mut writing = Writing::start(&target, durable::MODE_SEALED)?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            match bad.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => writing.write_all(&buffer[..n]).at_path(&target)?,
                Err(error) => {
                    tracing::error!(%package, file, vault = vault.name(), "bad bytes could not be read to their end: {error}");
                    break;
                }
            }
        }
        writing.finish()
    }

    /// The entry of an act that was stopped after its commit.
    fn noted(&self, plan: &Plan) -> Result<Option<u64>> {
        let mut found = None;
        self.ledger.each_entry(plan.size.min(self.ledger.head().size), |entry| {
            let same = entry.object.get("id").and_then(Value::as_str) == Some(plan.id.to_string().as_str());
            if entry.kind == Kind::Repair && same {
                found = Some(entry.seq);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// What the chain keeps of an act: nothing personal, digests before and after.
fn facts_of(plan: &Plan) -> Value {
    let files: Vec<Value> = plan
        .files
        .iter()
        .map(|file| {
            json!({
                "name": file.facts.name, "sha256": file.facts.sha256,
                "found": file.found.as_ref().map(|found| json!({
                    "length": found.length, "sha256": found.sha256, "quarantine": found.quarantine,
                })),
            })
        })
        .collect();
    // A package that was missing as a whole is named by its entry: its files would not fit into one more.
    let files = if plan.whole { json!(plan.files.len()) } else { json!(files) };
    json!({
        "id": plan.id, "by": plan.by,
        "restored": {
            "vault": plan.vault, "name": plan.name, "packages": [plan.package], "whole": plan.whole, "files": files,
            "from": plan.from, "through": plan.through,
        },
    })
}
