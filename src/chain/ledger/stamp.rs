//! Time-stamps over checkpoints: `chain/stamps/`, and the entries of kind `stamp` that name them.
//!
//! Invariant: what is stamped is the SHA-256 of the checkpoint file as it is kept beside the token, so `openssl ts -verify -data`
//! needs nothing of ours. Both files are durable before the entry; a stamp that the chain does not name counts for nothing.
//! Clause: formats, "Chain and records" (`stamps/`); RFC 3161.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Ledger;
use crate::chain::entry::{Entry, Head, Kind};
use crate::chain::files::read_bounded;
use crate::chain::index::{RenewalFile, Stamp, StampRenewal};
use crate::chain::note::MAX_NOTE;
use crate::chain::standing::{Claim, Standing};
use crate::clock::iso_seconds;
use crate::durable;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// The folder of renewals, in `chain/stamps/`.
pub(in crate::chain) const RENEWED: &str = "renewed";
/// Largest file of a renewal read: a stamp a day for some thousand years.
pub(in crate::chain) const MAX_RENEWAL: usize = 64 << 20;

/// A verified time-stamp over a checkpoint, about to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NewStamp<'a> {
    /// The checkpoint whose bytes were stamped.
    pub of: &'a Head,
    /// The reply as received.
    pub reply: &'a [u8],
    /// Its time.
    pub at: Timestamp,
    /// How far the authority's clock was from ours, in milliseconds, positive when it was ahead; `None` when not measured.
    pub offset_ms: Option<i64>,
}

/// The files of a stamp.
#[derive(Debug, Clone)]
pub struct StampFiles {
    /// The checkpoint, whose SHA-256 the token covers.
    pub checkpoint: Vec<u8>,
    /// The reply.
    pub reply: Vec<u8>,
}

impl Ledger {
    /// Keeps a verified time-stamp over a checkpoint of this chain and chains its digest. May be repeated after a stop.
    pub fn add_stamp(&self, new: &NewStamp<'_>) -> Result<Entry> {
        let claim = Claim { place: String::new(), size: new.of.size, root: new.of.root };
        if self.compare(&claim) != Standing::Holds {
            return Err(Error::new(Code::Internal, "the stamped checkpoint is not of this chain"));
        }
        let mut writer = self.writer()?;
        self.ask_gate(Kind::Stamp)?;
        let folder = self.files.chain("stamps");
        durable::create_dir_all(&folder)?;
        let name = format!("{:08}", new.of.size);
        for (extension, bytes) in [("checkpoint", new.of.checkpoint.as_bytes()), ("tsr", new.reply)] {
            let path = folder.join(format!("{name}.{extension}"));
            match read_bounded(&path, MAX_NOTE)? {
                Some(found) if found == bytes => {}
                Some(_) => return Err(Error::new(Code::ChainAltered, "other bytes are there").at(path.display())),
                None => durable::write_new(&path, bytes, durable::MODE_SEALED)?,
            }
        }
        let object = json!({
            "file": format!("{name}.tsr"),
            "sha256": Sha256::of(new.reply),
            "size": new.of.size,
            "root": new.of.root,
            "checkpoint": Sha256::of(new.of.checkpoint.as_bytes()),
            "stamped_at": iso_seconds(new.at),
            "offset_ms": new.offset_ms,
        });
        let Value::Object(object) = object else { return Err(Error::new(Code::Internal, "an object")) };
        self.commit(&mut writer, Kind::Stamp, object, None).map(|(entry, _)| entry)
    }

    /// Every time-stamp over a checkpoint of this chain, oldest first.
    pub fn stamps(&self) -> Vec<Stamp> {
        self.view().index.stamps.clone()
    }

    /// The files of a stamp, as the chain names them; else [`Code::ChainAltered`].
    pub fn stamp_files(&self, stamp: &Stamp) -> Result<StampFiles> {
        let folder = self.files.chain("stamps");
        let read = |name: &str, sha256: Sha256| {
            let bytes = read_bounded(&folder.join(name), MAX_NOTE)?.filter(|bytes| Sha256::of(bytes) == sha256);
            bytes.ok_or_else(|| Error::new(Code::ChainAltered, "missing or altered").at(format!("chain/stamps/{name}")))
        };
        Ok(StampFiles {
            checkpoint: read(&stamp.checkpoint_file(), stamp.checkpoint)?,
            reply: read(&stamp.reply_file(), stamp.sha256)?,
        })
    }

    /// The renewals of stamps, oldest first.
    pub fn stamp_renewals(&self) -> Vec<StampRenewal> {
        self.view().index.stamp_renewals.clone()
    }

    /// A file of a renewal of stamps, as the chain names it; else [`Code::ChainAltered`].
    pub fn renewal_file(&self, file: &RenewalFile) -> Result<Vec<u8>> {
        let name = format!("stamps/{RENEWED}/{}", file.name);
        let limit = usize::try_from(file.length).unwrap_or(usize::MAX).min(MAX_RENEWAL);
        let bytes = read_bounded(&self.files.chain(&name), limit)?;
        let bytes = bytes.filter(|bytes| Sha256::of(bytes) == file.sha256);
        bytes.ok_or_else(|| Error::new(Code::ChainAltered, "missing or altered").at(format!("chain/{name}")))
    }
}
