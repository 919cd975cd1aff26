//! The chain as outsiders read it: checkpoint, entries, proofs. Nothing on it is personal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Archive;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// Entries in one answer.
const PAGE: u64 = 1_000;

fn hashes(path: &[Sha256]) -> Vec<String> {
    path.iter().map(|hash| STANDARD.encode(hash.as_bytes())).collect()
}

impl Archive {
    /// The signed checkpoint (C2SP tlog-checkpoint).
    pub fn checkpoint(&self) -> String {
        self.ledger.head().checkpoint
    }

    /// Entries `from` (included) to `to` (not included), at most a thousand, each as its exact line.
    pub fn chain_entries(&self, from: u64, to: Option<u64>) -> Result<Value> {
        let size = self.ledger.head().size;
        let end = to.unwrap_or(size).min(size).min(from.saturating_add(PAGE));
        let page = self.ledger.entries(from, end)?;
        let more = (end < to.unwrap_or(size).min(size)).then_some(end);
        let lines: Vec<String> = page.entries.into_iter().map(|entry| entry.line).collect();
        Ok(json!({ "size": size, "from": from, "entries": lines, "next": page.next.or(more) }))
    }

    /// The inclusion proof of an entry (RFC 6962), hashes in base64 from leaf to root.
    pub fn chain_proof(&self, entry: u64, size: Option<u64>) -> Result<Value> {
        let head = self.ledger.head();
        let size = size.unwrap_or(head.size);
        if entry >= size || size > head.size {
            return Err(
                Error::new(Code::NotFound, format!("the chain has {} entries", head.size)).at(format!("entry {entry}"))
            );
        }
        let path = self.ledger.inclusion(entry, size)?;
        Ok(json!({ "entry": entry, "size": size, "proof": hashes(&path) }))
    }

    /// A tile of the chain (C2SP tlog-tiles), by its path below `tile/`.
    pub fn chain_tile(&self, path: &str) -> Result<Vec<u8>> {
        self.ledger.tile(path)
    }

    /// The consistency proof between two sizes (RFC 6962), hashes in base64.
    pub fn chain_consistency(&self, from: u64, to: u64) -> Result<Value> {
        let head = self.ledger.head();
        if from > to || to > head.size {
            return Err(Error::new(Code::NotFound, format!("the chain has {} entries", head.size))
                .at(format!("{from} to {to}")));
        }
        let path = self.ledger.consistency(from, to)?;
        Ok(json!({ "from": from, "to": to, "proof": hashes(&path) }))
    }
}
