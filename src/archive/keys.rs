//! The archive's keys: an Ed25519 seed that signs, a secret that only marks and recognises, and in profile `trial` the
//! development time-stamping authority.
//!
//! Invariants: keys stand outside the archive's folder (0600), so that neither its backups nor an export carry them. The seed
//! (`archive.key`) signs and nothing else, so it can be changed; the secret (`secret.key`) is made once and stays: it keys the
//! digests by which a repeated deposit is recognised, which disclose nothing to whoever lacks it. A seed that is about to take
//! over stands beside (`archive.key.next`) until the chain says that it is in force.

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

/// What signs.
pub(super) const SEED: &str = "archive.key";
/// What is about to sign.
const NEXT: &str = "archive.key.next";
/// What marks and recognises.
const SECRET: &str = "secret.key";
const AUTHORITY: &str = "development-tsa.pem";
/// The anchor of the development authority, public: what `custode verify --trust` and `openssl ts -CAfile` take.
pub const ANCHOR: &str = "development-tsa-root.pem";

/// A key, unless others could have put another in its place, or can read it.
fn secret(path: &Path) -> Result<String> {
    let file = durable::open_linked(path)?;
    must_be_ours(&file, path)?;
    durable::must_be_secret(&file, path)?;
    durable::read_linked_text(path)
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| Error::new(Code::Internal, format!("no randomness: {e}")))?;
    Ok(bytes)
}

fn text(bytes: &[u8; 32]) -> Vec<u8> {
    format!("{}\n", hex::encode(bytes)).into_bytes()
}

/// 32 bytes from a file of 64 hexadecimal digits.
fn read(path: &Path) -> Result<[u8; 32]> {
    let wrong = |detail: &str| Error::new(Code::KeyMissing, detail).at(path.display());
    let text = match secret(path) {
        Err(e) if e.code == Code::FileMissing => return Err(wrong("no such file")),
        other => other?,
    };
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| wrong("expected 64 hexadecimal digits"))?;
    Ok(bytes)
}

/// The keys of one archive.
pub struct Keys {
    folder: PathBuf,
    secret: [u8; 32],
}

impl Keys {
    /// Makes new keys; the folder must not hold any yet.
    pub fn create(folder: &Path) -> Result<Self> {
        durable::create_dir_all(folder)?;
        if let Some(path) = [SEED, SECRET].map(|name| folder.join(name)).into_iter().find(|path| path.exists()) {
            return Err(Error::new(Code::ArchiveExists, "there are keys of another archive").at(path.display()));
        }
        let secret = random()?;
        durable::write_new(&folder.join(SECRET), &text(&secret), durable::MODE_SECRET)?;
        durable::write_new(&folder.join(SEED), &text(&random()?), durable::MODE_SECRET)?;
        Ok(Self { folder: folder.to_owned(), secret })
    }

    /// Reads the keys of an archive.
    pub fn open(folder: &Path) -> Result<Self> {
        let keys = Self { folder: folder.to_owned(), secret: read(&folder.join(SECRET))? };
        read(&folder.join(SEED))?;
        Ok(keys)
    }

    /// Those that may sign under this name: the present key, then the one about to follow it when a change was interrupted. Which
    /// of them is in force, the chain says.
    pub fn signers(&self, name: &str) -> Result<Vec<Signer>> {
        let mut signers = vec![Signer::for_name(name, &read(&self.folder.join(SEED))?)?];
        let next = self.folder.join(NEXT);
        if next.exists() {
            signers.push(Signer::for_name(name, &read(&next)?)?);
        }
        Ok(signers)
    }

    /// Makes the key that is about to follow; durable on return, in the place of one that never came into force.
    pub fn prepare(&self, name: &str) -> Result<Signer> {
        let seed = random()?;
        durable::replace(&self.folder.join(NEXT), &text(&seed), durable::MODE_SECRET)?;
        Signer::for_name(name, &seed)
    }

    /// Finishes a change of key, or what is left of one: `in_force` is the key that the chain says signs. The next key takes the
    /// place of the present one when it is in force, and goes when it is not.
    pub fn settle(&self, in_force: &Signer) -> Result<()> {
        let next = self.folder.join(NEXT);
        if !next.exists() {
            return Ok(());
        }
        if Signer::for_name(in_force.name(), &read(&next)?)?.verifier() == in_force.verifier() {
            durable::rename(&next, &self.folder.join(SEED))
        } else {
            durable::remove_file(&next)
        }
    }

    /// Key of the digests by which a repeated deposit and a refused object are recognised.
    pub fn replay_key(&self) -> ReplayKey {
        ReplayKey::derive(&self.secret)
    }

    /// Key of the marks on what a sealing keeps between two runs.
    pub fn staging_key(&self) -> StagingKey {
        StagingKey::derive(&self.secret)
    }

    /// The memory of a PIN that the signer's token refused.
    pub fn refused_pin(&self) -> RefusedPin {
        RefusedPin::new(self.folder.join("signer.refused"), &self.secret)
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
