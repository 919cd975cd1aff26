//! The chain held against what others kept of it: claims, and what witnesses cosigned.
//!
//! Invariant: a claim is compared however it came; what the archive did not sign is none. Clause: C2SP tlog-cosignature.

use super::Run;
use crate::chain::cosignature::lines_of;
use crate::chain::index::Index;
use crate::chain::ledger::{claim, stored};
use crate::chain::note::{Verifier, open_note};
use crate::chain::reign::Reigns;
use crate::chain::standing::{Claim, Compared, Standing};
use crate::error::{Code, Finding, Result};

impl Run {
    /// What witnesses cosigned, as it was kept; each is one more claim.
    pub(super) fn kept(
        &mut self,
        claims: &mut Vec<Claim>,
        key: Option<&Verifier>,
        witnesses: &[Verifier],
    ) -> Result<()> {
        let notes = stored(&self.files.chain("witness"))?;
        // After the notes: the keys that signed them are among those read now.
        let keys = Reigns::read(&self.files, key).map(|(keys, _)| keys);
        for (id, note) in notes {
            let place = format!("chain/witness/{id}.checkpoint");
            let Some(keys) = &keys else { break };
            match claim(&note, &place, keys) {
                Ok(claim) => claims.push(claim),
                Err(e) if e.code == Code::KeyNotInForce => self.error(e.code, &place, &e.detail),
                Err(e) => self.error(Code::CosignatureBad, &place, &e.detail),
            }
            if let Some(witness) = witnesses.iter().find(|witness| witness.id() == id)
                && let Err(e) = open_note(&note, std::slice::from_ref(witness))
            {
                self.error(Code::CosignatureBad, place, &e.detail);
            }
        }
        Ok(())
    }

    pub(super) fn compare(&mut self, claims: &[Claim], index: &Index) {
        for claim in claims {
            let standing = index.compare(index.size(), claim);
            let (size, here) = (claim.size, index.size());
            let detail = format!("{size} entries were witnessed, the chain has {here}");
            match standing {
                Standing::Holds => {}
                Standing::Older => self.error(Code::ArchiveRestored, claim.place.clone(), &detail),
                Standing::Forked => self.error(Code::ChainForked, claim.place.clone(), &format!("at {size} entries")),
                Standing::Declared => {
                    self.firm.push(Finding::warning(Code::RestoreDeclared, claim.place.clone(), &detail));
                }
            }
            self.facts.compared.push(Compared { place: claim.place.clone(), size, standing });
        }
    }

    /// Cosignatures on the checkpoint itself, by the witnesses that are known.
    pub(super) fn cosignatures(&mut self, witnesses: &[Verifier]) {
        for witness in witnesses {
            let lines = lines_of(&self.facts.note, std::slice::from_ref(witness)).unwrap_or_default();
            if !lines.is_empty()
                && let Err(e) = open_note(&self.facts.note, std::slice::from_ref(witness))
            {
                self.error(Code::CosignatureBad, "chain/checkpoint", &e.detail);
            }
        }
    }
}
