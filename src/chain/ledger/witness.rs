//! What witnesses cosigned of this chain, kept in `chain/witness/` and, while it is the newest, in the checkpoint itself.
//!
//! Invariant: nothing is kept that the archive and that witness did not both sign; the archive's own signature is never
//! touched; what may stop an append ([`Gate`]) is asked before anything of it is written. Clause: C2SP tlog-cosignature.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Ledger;
use crate::chain::cosignature::{lines_of, parts, with_line};
use crate::chain::entry::{Head, Kind};
use crate::chain::files::read_bounded;
use crate::chain::note::{MAX_NOTE, Verifier, open_note};
use crate::chain::reign::Reigns;
use crate::chain::standing::{Claim, Standing};
use crate::durable;
use crate::error::{Code, Error, Result};

/// Most files of witnesses read: no archive has so many.
pub(in crate::chain) const MAX_WITNESSES: usize = 64;

/// What may stop an append. Asked under the writer's lock, before anything is written; it may take as long as asking
/// somebody outside takes, and must not append itself.
pub trait Gate: Send + Sync {
    /// Whether an entry of this kind may be appended to this chain now.
    fn may_append(&self, ledger: &Ledger, kind: Kind) -> Result<()>;
}

/// A checkpoint that a witness cosigned, as it was kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Key id of the witness: the name of the file.
    pub id: String,
    /// The note: the archive's signature and that of the witness.
    pub note: String,
    /// What it says.
    pub claim: Claim,
}

/// What a witness had cosigned and did not know any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// When it was noticed.
    pub at: Timestamp,
    /// Entries of the newest checkpoint it had cosigned.
    pub cosigned: u64,
    /// Entries it said it had seen.
    pub named: u64,
}

/// Largest file of a [`Forgotten`].
const MAX_FORGOTTEN: usize = 4096;

impl Ledger {
    /// Remembers that a witness has forgotten, beside what it cosigned; durable on return.
    pub fn note_forgotten(&self, witness: &Verifier, cosigned: u64, named: u64) -> Result<()> {
        let noted = Forgotten { at: self.clock.now(), cosigned, named };
        let json = serde_json::to_vec(&noted).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        durable::create_dir_all(&self.files.chain("witness"))?;
        durable::replace(&self.forgotten_path(witness), &json, durable::MODE_PLAIN)
    }

    /// What this witness forgot the last time that it did. It is a note for people: one that cannot be read says nothing.
    pub fn forgotten(&self, witness: &Verifier) -> Option<Forgotten> {
        let bytes = read_bounded(&self.forgotten_path(witness), MAX_FORGOTTEN).ok().flatten()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn forgotten_path(&self, witness: &Verifier) -> PathBuf {
        self.files.chain("witness").join(format!("{}.forgot", witness.id()))
    }

    /// From now on nothing is appended that this gate does not let through. Set once, at opening.
    pub fn guard(&self, gate: Arc<dyn Gate>) {
        // A second gate would be a second opinion about one chain: the first stays.
        let _ = self.gate.set(gate);
    }

    pub(super) fn ask_gate(&self, kind: Kind) -> Result<()> {
        self.gate.get().map_or(Ok(()), |gate| gate.may_append(self, kind))
    }

    /// How a claim stands to the present chain.
    pub fn compare(&self, claim: &Claim) -> Standing {
        let view = self.view();
        view.index.compare(view.head.size, claim)
    }

    /// Size of the chain up to the last entry whose loss would matter (a package, an act; not a check or an access), and when
    /// that was.
    pub fn weighty(&self) -> Option<(u64, jiff::Timestamp)> {
        self.view().index.weighty
    }

    /// Keeps a checkpoint that this witness cosigned, beside the chain; durable on return. It need not be the present one: a
    /// witness may have seen more than is here. [`Code::SignatureInvalid`] when not both have signed it.
    pub fn keep_seen(&self, note: &str, witness: &Verifier) -> Result<Claim> {
        let archive = self.keys();
        let (file, path) = (format!("{}.checkpoint", witness.id()), self.files.chain("witness"));
        let claimed = claim(note, &format!("chain/witness/{file}"), &archive)?;
        let text = open_note(note, std::slice::from_ref(witness))?.text;
        let keys: Vec<Verifier> = archive.keys().chain([witness]).cloned().collect();
        let kept = format!("{text}\n{}", lines_of(note, &keys)?);
        durable::create_dir_all(&path)?;
        durable::replace(&path.join(file), kept.as_bytes(), durable::MODE_PLAIN)?;
        Ok(claimed)
    }

    /// As [`Ledger::keep_seen`], and in the checkpoint itself while that is the one that was cosigned.
    pub fn keep_cosigned(&self, note: &str, witness: &Verifier) -> Result<Claim> {
        let claimed = self.keep_seen(note, witness)?;
        let line = lines_of(note, std::slice::from_ref(witness))?;
        // The writer's lock: the checkpoint must not be replaced under an append.
        let _writer = self.writer()?;
        let head = self.head();
        if parts(&head.checkpoint)?.0 == parts(note)?.0 {
            let checkpoint = with_line(&head.checkpoint, line.lines().last().unwrap_or_default(), witness)?;
            durable::replace(&self.files.chain("checkpoint"), checkpoint.as_bytes(), durable::MODE_PLAIN)?;
            self.view.write().unwrap_or_else(PoisonError::into_inner).head.checkpoint = checkpoint;
        }
        Ok(claimed)
    }

    /// What each witness cosigned last, as far as it can be read and the archive signed it; what cannot is the
    /// verification's to report.
    pub fn cosigned(&self) -> Result<Vec<Kept>> {
        let keys = self.keys();
        let kept = stored(&self.files.chain("witness"))?.into_iter();
        Ok(kept
            .filter_map(|(id, note)| {
                let claim = claim(&note, &format!("chain/witness/{id}.checkpoint"), &keys).ok()?;
                Some(Kept { id, note, claim })
            })
            .collect())
    }

    /// The newest checkpoint of this chain that witnesses cosigned, with all their lines; `None` when there is none.
    pub fn witnessed_head(&self) -> Result<Option<Head>> {
        let mut kept = self.cosigned()?;
        kept.retain(|kept| self.compare(&kept.claim) == Standing::Holds);
        let Some(newest) = kept.iter().max_by_key(|kept| kept.claim.size).cloned() else { return Ok(None) };
        let mut checkpoint = newest.note;
        for other in kept.iter().filter(|kept| kept.claim.size == newest.claim.size && kept.id != newest.id) {
            if let Some(line) = parts(&other.note)?.1.last() {
                checkpoint.push_str(line);
                checkpoint.push('\n');
            }
        }
        Ok(Some(Head { size: newest.claim.size, root: newest.claim.root, checkpoint }))
    }
}

/// What a note claims that the archive with these keys signed.
pub(in crate::chain) fn claim(note: &str, place: &str, keys: &Reigns) -> Result<Claim> {
    let checkpoint = keys.open_checkpoint(note)?;
    Ok(Claim { place: place.to_owned(), size: checkpoint.size, root: checkpoint.root })
}

/// The files of `chain/witness/`: key id and note, unverified.
pub(in crate::chain) fn stored(folder: &Path) -> Result<Vec<(String, String)>> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| Error::io("chain/witness", e))?,
    };
    let mut found = Vec::new();
    for entry in entries.take(MAX_WITNESSES) {
        let entry = entry.map_err(|e| Error::io("chain/witness", e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(id) = name.strip_suffix(".checkpoint").filter(|id| !id.starts_with('.')) else { continue };
        let bytes = read_bounded(&entry.path(), MAX_NOTE)?.unwrap_or_default();
        let note = String::from_utf8(bytes)
            .map_err(|_| Error::new(Code::CosignatureBad, "not UTF-8").at(format!("chain/witness/{name}")))?;
        found.push((id.to_owned(), note));
    }
    found.sort();
    Ok(found)
}
