//! Vaults that lag behind get what they lack: after a seal, when a server starts, every night.
//!
//! Invariant: the `repair` entry that says so follows the copies it names, which are durable and read back by then; a stop in
//! between costs reading them again. Every file is held against the chain on its way, and a source that is not right is passed
//! over and named. Nobody waits for it.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::Kept;
use super::write::{digests, must_hold};
use crate::archive::Archive;
use crate::archive::init::object;
use crate::chain::Kind;
use crate::error::{Code, Error, Finding, Kind as Sort, Result};
use crate::id::PackageRef;

/// Packages of one entry: some 20 bytes each; and what a stop may cost to read again.
const AN_ENTRY: usize = 64;

/// What catching up did.
#[derive(Debug, Default)]
pub(in crate::archive) struct CaughtUp {
    /// A line a vault: `{vault, packages}`.
    pub copied: Vec<Value>,
    /// What could not be copied, and why.
    pub findings: Vec<Finding>,
}

impl CaughtUp {
    pub fn to_json(&self) -> Value {
        json!({ "copied": self.copied, "findings": self.findings })
    }
}

impl Archive {
    /// Brings every vault that is there up to what the chain says; `only` limits it to one package or one vault.
    pub(in crate::archive) fn catch_up_copies(&self, only: (Option<&PackageRef>, Option<&str>)) -> CaughtUp {
        let mut done = CaughtUp::default();
        self.copies.due.store(false, Ordering::SeqCst);
        if self.witnesses.held().is_some() {
            // Nothing is appended to an older state of the archive, so nobody would know of the copies.
            return done;
        }
        let _one_at_a_time = self.copies.working();
        for kept in &self.copies.kept {
            let vault = kept.vault.as_ref();
            let mut behind = if kept.bound { self.copies.behind(vault) } else { Vec::new() };
            behind.retain(|package| only.0.is_none_or(|only| only == package));
            if behind.is_empty() || only.1.is_some_and(|only| only != vault.name()) {
                continue;
            }
            if let Some((_, error)) = self.copies.away(vault, self.clock.now()) {
                done.findings.push(Finding::warning(error.code, format!("vault {}", vault.name()), error.detail));
                continue;
            }
            let copied = self.catch_up_vault(kept, &behind, &mut done.findings);
            if copied > 0 {
                tracing::info!(vault = vault.name(), packages = copied, "copies caught up");
                done.copied.push(json!({ "vault": vault.name(), "packages": copied }));
            }
        }
        done
    }

    /// How many packages one vault got.
    fn catch_up_vault(&self, kept: &Kept, behind: &[PackageRef], findings: &mut Vec<Finding>) -> usize {
        let vault = kept.vault.as_ref();
        let mut copied = 0;
        for part in behind.chunks(AN_ENTRY) {
            // What is committed later may not be in these copies.
            let through = self.ledger.head().size.saturating_sub(1);
            let (mut whole, mut stopped) = (Vec::new(), false);
            for package in part {
                if self.is_ending() {
                    stopped = true;
                    break;
                }
                match self.copy_to(kept, package) {
                    Ok(()) => whole.push(package),
                    Err(error) => {
                        let place = format!("{package}, vault {}", vault.name());
                        findings.push(Finding::warning(
                            error.code,
                            place,
                            format!("{}: {}", error.place, error.detail),
                        ));
                        // A vault that is full, gone or read-only will be so for the next package too.
                        stopped = !matches!(error.code.kind(), Sort::Damage);
                        if stopped {
                            break;
                        }
                    }
                }
            }
            if !whole.is_empty() {
                let fact = json!({ "copied": {
                    "vault": vault.id(), "name": vault.name(), "through": through, "packages": whole,
                } });
                match self.heal().and_then(|()| self.ledger.append(Kind::Repair, object(fact))) {
                    Ok(entry) => match self.copies.note(&entry) {
                        Ok(()) => copied += whole.len(),
                        Err(error) => findings.push(Finding::error(error.code, error.place, error.detail)),
                    },
                    Err(error) => {
                        findings.push(Finding::warning(error.code, error.place, error.detail));
                        stopped = true;
                    }
                }
            }
            if stopped {
                break;
            }
        }
        copied
    }

    /// Copies what a vault lacks of a package from whichever other one has it right.
    pub(in crate::archive) fn copy_to(&self, kept: &Kept, package: &PackageRef) -> Result<()> {
        let files = digests(&self.committed_files(package)?.files);
        let target = kept.vault.as_ref();
        let mut failed = None;
        for source in self.copies.kept.iter().filter(|other| other.vault.id() != target.id()) {
            let source = source.vault.as_ref();
            if !self.copies.is_whole(package, source) {
                continue;
            }
            match target.receive(&source, package, &files) {
                Ok(()) => return must_hold(target, package, &files),
                Err(error) if error.code == Code::VaultExists => {
                    self.copies.suspects.note(package, target.name(), &error, self.clock.now());
                    return Err(error);
                }
                Err(error) if matches!(error.code, Code::PackageFileAltered | Code::FileMissing) => {
                    self.copies.suspects.note(package, source.name(), &error, self.clock.now());
                    failed = Some(error);
                }
                // The source is not there; or the target cannot be written, which the next one will say as well.
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| Error::new(Code::CopiesLost, "no vault that is there has all of it").at(package)))
    }
}
