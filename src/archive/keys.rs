//! The archive's keys: an Ed25519 seed and, in profile `trial`, the development time-stamping authority.
//!
//! Invariant: keys stand outside the archive's folder (0600), so that neither its backups nor an export carry them. The
//! seed also keys the digests by which a repeated deposit is recognised: they disclose nothing to whoever lacks it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::must_be_ours;
use crate::chain::note::Signer;
use crate::clock::Clock;
use crate::durable;
use crate::error::{Code, Error, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::sign::RefusedPin;
use crate::evidence::tsp::DevelopmentAuthority;
use crate::intake::manifest::ReplayKey;
use crate::package::writer::StagingKey;

const SEED: &str = "archive.key";
const AUTHORITY: &str = "development-tsa.pem";
/// The anchor of the development authority, public: what `custode verify --trust` and `openssl ts -CAfile` take.
pub const ANCHOR: &str = "development-tsa-root.pem";

/// A key, unless others could have put another in its place.
fn secret(path: &Path) -> Result<String> {
    must_be_ours(&durable::open_linked(path)?, path)?;
    durable::read_linked_text(path)
}

/// The keys of one archive.
pub struct Keys {
    folder: PathBuf,
    seed: [u8; 32],
}

impl Keys {
    /// Makes new keys; the folder must not hold any yet.
    pub fn create(folder: &Path) -> Result<Self> {
        durable::create_dir_all(folder)?;
        let path = folder.join(SEED);
        if path.exists() {
            return Err(Error::new(Code::ArchiveExists, "there are keys of another archive").at(path.display()));
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|e| Error::new(Code::Internal, format!("no randomness: {e}")))?;
        durable::write_new(&path, format!("{}\n", hex::encode(seed)).as_bytes(), durable::MODE_SECRET)?;
        Ok(Self { folder: folder.to_owned(), seed })
    }

    /// Reads the keys of an archive.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(SEED);
        let wrong = |detail: &str| Error::new(Code::KeyMissing, detail).at(path.display());
        let text = match secret(&path) {
            Err(e) if e.code == Code::FileMissing => return Err(wrong("no such file")),
            other => other?,
        };
        let mut seed = [0; 32];
        hex::decode_to_slice(text.trim(), &mut seed).map_err(|_| wrong("expected 64 hexadecimal digits"))?;
        Ok(Self { folder: folder.to_owned(), seed })
    }

    /// Signs under this name.
    pub fn signer(&self, name: &str) -> Result<Signer> {
        Signer::for_name(name, &self.seed)
    }

    /// Key of the digests by which a repeated deposit and a refused object are recognised.
    pub fn replay_key(&self) -> ReplayKey {
        ReplayKey::derive(&self.seed)
    }

    /// Key of the marks on what a sealing keeps between two runs.
    pub fn staging_key(&self) -> StagingKey {
        StagingKey::derive(&self.seed)
    }

    /// The memory of a PIN that the signer's token refused.
    pub fn refused_pin(&self) -> RefusedPin {
        RefusedPin::new(self.folder.join("signer.refused"), &self.seed)
    }

    /// The anchors of a development authority that has its key in this folder; for who reads only. Nothing is made.
    pub fn development_anchors(folder: &Path, clock: Arc<dyn Clock>) -> Result<Anchors> {
        let path = folder.join(AUTHORITY);
        let pem = durable::read_linked_text(&path)?;
        DevelopmentAuthority::from_pem(&pem, clock)?.anchors()
    }

    /// The development authority, made at its first use.
    pub fn development_authority(&self, clock: Arc<dyn Clock>) -> Result<DevelopmentAuthority> {
        let path = self.folder.join(AUTHORITY);
        let authority = if path.exists() {
            let pem = secret(&path)?;
            DevelopmentAuthority::from_pem(&pem, clock).map_err(|e| e.at(path.display()))?
        } else {
            let authority = DevelopmentAuthority::create(clock)?;
            durable::write_new(&path, authority.to_pem().as_bytes(), durable::MODE_SECRET)?;
            authority
        };
        // Public, for whoever judges its time-stamps with other tools: `openssl ts -verify -CAfile …`.
        let anchor = self.folder.join(ANCHOR);
        if !anchor.exists() {
            durable::write_new(&anchor, authority.root_pem().as_bytes(), durable::MODE_SEALED)?;
        }
        Ok(authority)
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("folder", &self.folder).finish_non_exhaustive()
    }
}
