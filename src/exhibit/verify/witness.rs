//! Cosignatures under a bundle's checkpoint: who outside saw the chain as it is shown here, and when.
//!
//! Invariant: a witness that the reader names and that did not cosign is said; the keys in the bundle prove agreement only, as
//! every anchor that came with it. Clause: C2SP tlog-cosignature.

use jiff::Timestamp;
use serde::Serialize;

use super::{Run, Trust};
use crate::chain::Reigns;
use crate::chain::cosignature::{lines_of, parts};
use crate::chain::note::{Verifier, open_note};
use crate::error::{Code, Error, Finding};
use crate::exhibit::{CHECKPOINT, WITNESSES};

/// A cosignature that verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cosigned {
    /// The witness (vkey).
    pub witness: String,
    /// When it says it saw the checkpoint.
    pub at: Timestamp,
}

impl Run {
    /// The witnesses given must have cosigned; those of the bundle are verified when none were given.
    pub(super) fn witnesses(&mut self, trust: &Trust, keys: &Reigns) -> Vec<Cosigned> {
        let own = if self.files.contains(WITNESSES) { self.own_witnesses() } else { Vec::new() };
        let Some(note) = self.text(CHECKPOINT) else { return Vec::new() };
        let given = !trust.witnesses.is_empty();
        let mut seen = Vec::new();
        for key in if given { &trust.witnesses } else { &own } {
            let lines = lines_of(&note, std::slice::from_ref(key)).unwrap_or_default();
            if lines.is_empty() {
                self.findings.push(Finding::warning(Code::WitnessMissing, CHECKPOINT, key.name()));
                continue;
            }
            let opened = open_note(&note, std::slice::from_ref(key));
            let Some(opened) = self.noted(CHECKPOINT, opened) else { continue };
            let time = opened.signed_by.iter().find_map(|signed| signed.time);
            let at = time.and_then(|time| Timestamp::from_second(i64::try_from(time).ok()?).ok());
            match at {
                Some(at) => seen.push(Cosigned { witness: key.to_string(), at }),
                None => self.bad(Code::SignatureInvalid, CHECKPOINT, "the key of a log, not of a witness"),
            }
        }
        // The archive itself may have signed twice: the first checkpoint of a key's reign bears both.
        let own = format!("\u{2014} {} ", keys.name());
        let cosigned = parts(&note).is_ok_and(|(_, lines)| lines.iter().any(|line| !line.starts_with(&own)));
        if cosigned && !given {
            let detail = "the key of no witness was given (--witness)";
            self.findings.push(Finding::warning(Code::AnchorMissing, "witness", detail));
        }
        seen
    }

    /// The keys that came with the bundle.
    fn own_witnesses(&mut self) -> Vec<Verifier> {
        let Some(text) = self.text(WITNESSES) else { return Vec::new() };
        let keys = text.lines().map(str::parse::<Verifier>).collect::<Result<Vec<_>, Error>>();
        let keys = keys.map_err(|e| Error::new(Code::BundleFileAltered, e.detail));
        self.noted(WITNESSES, keys).unwrap_or_default()
    }
}
