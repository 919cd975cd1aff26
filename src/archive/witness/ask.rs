//! Asks witnesses to cosign the present checkpoint, and says which of them have not seen what was sealed.

use std::sync::atomic::Ordering;

use super::{Held, Late, Outside, State, Witnesses, seen_and_kept, worst};
use crate::archive::Archive;
use crate::archive::state::unpoisoned;
use crate::chain::cosignature::{lines_of, with_line};
use crate::chain::note::open_note;
use crate::chain::witness::{AddCheckpoint, Told};
use crate::chain::{Claim, Head, Ledger, Standing};
use crate::error::{Code, Error, Result};

/// Requests to one witness in a round: one with the size it is thought to know, one with the size it names, one more when the
/// first guess crossed another's.
const ATTEMPTS: u32 = 3;

impl Archive {
    /// Asks every witness to cosign the present checkpoint. Never an error: what went wrong is logged and an alarm.
    pub(in crate::archive) fn ask_witnesses(&self) {
        self.witnesses.news.store(false, Ordering::SeqCst);
        self.witnesses.round(&self.ledger);
    }

    /// Before anything is taken in: whether more was witnessed than is here. What is found is logged and held against appends.
    pub fn compare_with_witnesses(&self) {
        if !self.config.witnesses.is_empty() {
            let _ = self.witnesses.may_take(&self.ledger);
        }
    }

    /// At the end of a command: asks when it sealed something that nobody was asked about yet.
    pub(in crate::archive) fn tell_witnesses(&self) {
        if self.witnesses.news.load(Ordering::SeqCst) && self.witnesses_are_due() {
            self.ask_witnesses();
        }
    }

    /// Whether some witness has not seen what was sealed last.
    pub(in crate::archive) fn witnesses_are_due(&self) -> bool {
        self.witnesses.held().is_none() && self.late_witnesses().is_ok_and(|late| !late.is_empty())
    }

    /// The witnesses that have not seen what was sealed last.
    pub(in crate::archive) fn late_witnesses(&self) -> Result<Vec<Late>> {
        let each = self.witnesses.each();
        let Some((size, since)) = self.ledger.weighty().filter(|_| !each.is_empty()) else { return Ok(Vec::new()) };
        let kept = self.ledger.cosigned()?;
        let late = each.into_iter().filter_map(|(key, required, why)| {
            let held = |claim: &Claim| self.ledger.compare(claim) == Standing::Holds;
            let seen =
                kept.iter().find(|kept| kept.id == key.id() && held(&kept.claim)).map_or(0, |kept| kept.claim.size);
            (seen < size).then(|| Late { witness: key.name().to_owned(), required, since, seen: (seen, size), why })
        });
        Ok(late.collect())
    }
}

impl Witnesses {
    fn round(&self, ledger: &Ledger) {
        let _one_at_a_time = unpoisoned(self.asking.lock());
        if self.list.is_empty() || self.may_take(ledger).is_err() {
            return;
        }
        let head = ledger.head();
        let outcomes = self.each_at_once(|outside| cosign(ledger, outside, &head));
        for (outside, outcome) in self.list.iter().zip(outcomes) {
            let key = outside.witness.key();
            let mut failures = unpoisoned(self.failures.lock());
            match outcome {
                Ok(()) => {
                    tracing::info!(witness = key.name(), size = head.size, "cosigned");
                    failures.remove(&key.id());
                }
                Err(error) => {
                    metrics::counter!("custode_witness_failures_total").increment(1);
                    tracing::warn!(witness = key.name(), code = error.code.as_str(), "not cosigned: {}", error.detail);
                    failures.insert(key.id(), error.detail.clone());
                    drop(failures);
                    if error.code == Code::WitnessInconsistent {
                        self.suspect(ledger, outside);
                    }
                }
            }
        }
    }

    /// A witness that does not cosign may have seen what is not here: what it shows decides, not what it says.
    fn suspect(&self, ledger: &Ledger, outside: &Outside) {
        let Ok(Some((_, claim))) = seen_and_kept(ledger, &*outside.witness).map(|seen| seen.claimed) else { return };
        let given_up = ledger.compare(&claim) == Standing::Declared;
        if given_up {
            let why = "it holds the history that was given up: its operator must run `custode witness forget`";
            unpoisoned(self.failures.lock()).insert(outside.witness.key().id(), why.to_owned());
        }
        if let Some(held) = worst(ledger, vec![claim]) {
            tracing::error!(code = held.code.as_str(), place = %held.claim.place, "nothing is appended: {}", held.error());
            self.hold(held);
        }
    }

    /// Holds appends when one of these claims, which the archive signed, shows that the chain lacks something.
    pub(in crate::archive) fn consider(&self, ledger: &Ledger, claims: &[Claim]) {
        if let Some(held) = worst(ledger, claims.to_vec()) {
            self.hold(held);
        }
    }

    fn hold(&self, held: Held) {
        *unpoisoned(self.standing.lock()) = State::Held(held);
    }
}

/// One witness, one checkpoint: with a proof from the size it saw last, which it may have to say first.
fn cosign(ledger: &Ledger, outside: &Outside, head: &Head) -> Result<()> {
    let (witness, key) = (&*outside.witness, outside.witness.key());
    let down = |why: String| Error::new(Code::WitnessDown, why).at(key.name());
    let kept = ledger.cosigned()?.into_iter().find(|kept| kept.id == key.id()).map(|kept| kept.claim);
    let known = kept.filter(|claim| ledger.compare(claim) == Standing::Holds);
    let cosigned = known.map_or(0, |claim| claim.size);
    let mut old = cosigned.min(head.size);
    for _ in 0..ATTEMPTS {
        let proof = if old == 0 { Vec::new() } else { ledger.consistency(old, head.size)? };
        let request = AddCheckpoint { old, proof, checkpoint: head.checkpoint.clone() };
        match witness.add_checkpoint(&request)? {
            Told::Cosigned(lines) => {
                let line = lines_of(&format!("{}\n{lines}", text_of(&head.checkpoint)?), std::slice::from_ref(key))?;
                let line = line.lines().next().ok_or_else(|| down("an answer without its cosignature".to_owned()))?;
                let note = with_line(&head.checkpoint, line, key)?;
                open_note(&note, std::slice::from_ref(key)).map_err(|e| down(e.detail))?;
                return ledger.keep_cosigned(&note, key).map(drop);
            }
            Told::OtherSize(size) if size > head.size => {
                let detail = format!("it has seen {size} entries, there are {}", head.size);
                return Err(Error::new(Code::WitnessInconsistent, detail));
            }
            Told::OtherSize(size) if size != old => {
                if size < cosigned {
                    // It would have cosigned another history from there on. That it is told ours again is right; that it forgot is said.
                    tracing::error!(
                        witness = key.name(),
                        cosigned,
                        size,
                        code = Code::WitnessForgot.as_str(),
                        "it forgot"
                    );
                    ledger.note_forgotten(key, cosigned, size)?;
                }
                old = size;
            }
            Told::OtherSize(size) => {
                return Err(down(format!("it answers 409 with the size {size} it was asked with")));
            }
            Told::Refused(422) => return Err(Error::new(Code::WitnessInconsistent, "it has seen another history")),
            Told::Refused(status) => return Err(down(format!("HTTP status {status}"))),
        }
    }
    Err(down("it names another size each time".to_owned()))
}

fn text_of(note: &str) -> Result<&str> {
    crate::chain::cosignature::parts(note).map(|(text, _)| text)
}
