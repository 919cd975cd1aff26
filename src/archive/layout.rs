//! Where things stand in an archive's folder (formats: "The archive folder"). The one place that knows the names.

use std::path::{Path, PathBuf};

use crate::durable;
use crate::error::Result;

/// The folder of one archive.
#[derive(Debug, Clone)]
pub struct Layout(PathBuf);

impl Layout {
    /// The archive in this folder.
    pub fn new(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// `custode.toml`.
    pub fn config(&self) -> PathBuf {
        self.0.join("custode.toml")
    }

    /// There while `custode init` is at work, and for ever when it was interrupted.
    pub fn unfinished(&self) -> PathBuf {
        self.0.join("init-unfinished")
    }

    /// `lock`.
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Adopted classes.
    pub fn schemas(&self) -> PathBuf {
        self.0.join("schemas")
    }

    /// Adopted policies.
    pub fn policies(&self) -> PathBuf {
        self.0.join("policies")
    }

    /// The intake journal.
    pub fn intake(&self) -> PathBuf {
        self.0.join("intake")
    }

    /// Packages being made.
    pub fn staging(&self) -> PathBuf {
        self.0.join("staging")
    }

    /// The local vault.
    pub fn packages(&self) -> PathBuf {
        self.0.join("packages")
    }

    /// Entries, checkpoint, stamps, tiles.
    pub fn chain(&self) -> PathBuf {
        self.0.join("chain")
    }

    /// Renewals of the stamps over the chain.
    pub fn stamp_renewals(&self) -> PathBuf {
        self.chain().join("stamps/renewed")
    }

    /// What people decided and programs must remember.
    pub fn records(&self) -> PathBuf {
        self.0.join("records")
    }

    /// The projection.
    pub fn catalog(&self) -> PathBuf {
        self.0.join("catalog")
    }

    /// Revocation lists and answers that were asked for.
    pub fn revocation(&self) -> PathBuf {
        self.0.join("revocation")
    }

    /// What was told of alarms, and to whom.
    pub fn notices(&self) -> PathBuf {
        self.0.join("notices")
    }

    /// Bytes set aside.
    pub fn quarantine(&self) -> PathBuf {
        self.0.join("quarantine")
    }

    /// Check reports.
    pub fn reports(&self) -> PathBuf {
        self.0.join("reports")
    }

    /// Every folder of a new archive.
    pub fn folders(&self) -> [PathBuf; 9] {
        [
            self.schemas(),
            self.policies(),
            self.intake(),
            self.staging(),
            self.chain(),
            self.records(),
            self.catalog(),
            self.quarantine(),
            self.reports(),
        ]
    }

    /// Makes durable every name that an interrupted process left, before anything is built on it. A package's own files come to be
    /// with its folder, so only the folders are looked at.
    pub fn settle_names(&self) -> Result<()> {
        // Somebody may have taken all of it away as evidence.
        durable::create_dir_all(&self.staging())?;
        durable::sync_dir(self.root())?;
        for (folder, levels) in [
            (self.intake(), 2),
            (self.staging(), 3),
            (self.packages(), 1),
            (self.records(), 1),
            (self.schemas(), 0),
            (self.policies(), 0),
            (self.quarantine(), 0),
            (self.reports(), 0),
            (self.chain().join("stamps"), 0),
            (self.chain().join("witness"), 0),
            (self.chain(), 0),
        ] {
            durable::sync_tree(&folder, levels)?;
        }
        Ok(())
    }
}
