//! The keys that a chain's lines tell, before anything else of the chain is verified: without them its checkpoint cannot be
//! opened.
//!
//! Invariant: only what the key before signed for is taken; everything else about the lines is for who reads them in full.

use super::{Change, Reigns};
use crate::chain::entry::{Kind, Line, MAX_LINE};
use crate::chain::files::{Files, Lines};
use crate::error::{Error, Result};

/// Where an entry's kind stands: after `seq`, `prev` and `at`.
const HEAD: usize = 192;

/// Reads `chain/entries` through; `None` when there is no genesis that names a key.
pub(in crate::chain) fn of_files(files: &Files) -> Result<Option<Reigns>> {
    let failed = |e| Error::io("chain/entries", e);
    let Some(mut lines) = Lines::open(&files.chain("entries"), 0, MAX_LINE + 1)? else { return Ok(None) };
    let Some(first) = lines.next_line().map_err(failed)? else { return Ok(None) };
    let genesis: Option<serde_json::Value> = serde_json::from_slice(&first.bytes).ok();
    let vkey = genesis.as_ref().and_then(|line| line.get("genesis")?.get("vkey")?.as_str()?.parse().ok());
    let Some(vkey) = vkey else { return Ok(None) };
    let mut keys = Reigns::only(vkey);
    while let Some(line) = lines.next_line().map_err(failed)? {
        let head = &line.bytes[..line.bytes.len().min(HEAD)];
        if !line.complete || memchr::memmem::find(head, b"\"kind\":\"key\"").is_none() {
            continue;
        }
        let parsed = std::str::from_utf8(&line.bytes).ok().and_then(|text| Line::parse(text).ok());
        let Some(parsed) = parsed.filter(|line| line.kind == Kind::Key) else { continue };
        if let Ok(change) = Change::judge(&keys, parsed.seq, parsed.at, parsed.object.get(), None) {
            keys.push(change);
        }
    }
    Ok(Some(keys))
}
