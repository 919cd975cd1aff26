//! Witnesses of the chain: asked after each seal how far they have seen, and held against the chain before anything is
//! appended.
//!
//! Invariants: a witness that is down never stops a deposit or a seal, it is an alarm; an archive that is an older state of
//! itself appends nothing until somebody declares the loss, and one with two histories never does; reading works throughout.
//! A witness's word counts only as far as the archive's own signature under it goes. Clause: C2SP tlog-witness; invariant I4.

mod ask;
mod restore;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;

use super::config::Config;
use super::state::unpoisoned;
use crate::chain::cosignature::parts;
use crate::chain::note::{Verifier, open_note};
use crate::chain::witness::{HttpWitness, Witness};
use crate::chain::{Checkpoint, Claim, Gate, Kind, Ledger, Reigns, Standing};
use crate::error::{Code, Error, Finding, Result};

/// The witnesses of an archive, and what comparing with them said.
pub(super) struct Witnesses {
    list: Vec<Outside>,
    standing: Mutex<State>,
    /// Something was sealed since the last round.
    pub news: AtomicBool,
    /// One round of asking at a time.
    asking: Mutex<()>,
    /// Why each witness did not cosign last time, by key id.
    failures: Mutex<BTreeMap<String, String>>,
    /// Witnesses that have seen the archive under a key it does not know.
    strangers: Mutex<Vec<Finding>>,
}

/// What a witness said when asked what it saw last.
pub(super) struct Asked {
    /// Its name.
    pub name: String,
    /// `None` when it did not answer well or has seen nothing that this archive signed.
    pub claim: Option<Claim>,
    /// [`Code::WitnessKey`]: it has seen the archive under another key.
    pub stranger: Option<Finding>,
}

impl Asked {
    fn new(witness: &dyn Witness, answer: Result<Seen>) -> Self {
        let name = witness.key().name().to_owned();
        let seen = answer.unwrap_or_else(|error| {
            tracing::warn!(witness = %name, code = error.code.as_str(), "not compared: {}", error.detail);
            Seen::default()
        });
        Self { name, claim: seen.claimed.map(|(_, claim)| claim), stranger: seen.stranger }
    }
}

/// A configured witness.
struct Outside {
    witness: Box<dyn Witness>,
    required: bool,
}

/// What is known of how the chain stands to what was witnessed.
enum State {
    /// Nobody was asked yet by this process.
    NotAsked,
    /// Nothing witnessed is missing here.
    Free,
    /// Nothing may be appended.
    Held(Held),
}

/// Why nothing may be appended.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// [`Code::ArchiveRestored`], which can be declared, or [`Code::ArchiveForked`], which cannot.
    pub code: Code,
    /// What was witnessed.
    pub claim: Claim,
    /// Entries there are.
    pub found: u64,
}

impl Held {
    pub fn error(&self) -> Error {
        let detail = format!("{} entries were witnessed, the chain has {}", self.claim.size, self.found);
        Error::new(self.code, detail).at(&self.claim.place)
    }
}

impl Witnesses {
    pub fn new(config: &Config) -> Self {
        let list = config.witnesses.iter().map(|settings| {
            let (url, monitoring) = (settings.url.clone(), settings.monitoring.clone());
            let witness = HttpWitness::new(settings.key.clone(), url, monitoring, settings.timeout.std());
            Outside { witness: Box::new(witness), required: settings.required }
        });
        Self {
            list: list.collect(),
            standing: Mutex::new(State::NotAsked),
            news: AtomicBool::new(false),
            asking: Mutex::default(),
            failures: Mutex::default(),
            strangers: Mutex::default(),
        }
    }

    /// What witnesses saw that this archive can neither verify nor deny, when they were asked last.
    pub fn strangers(&self) -> Vec<Finding> {
        unpoisoned(self.strangers.lock()).clone()
    }

    /// Their keys.
    pub fn keys(&self) -> Vec<Verifier> {
        self.list.iter().map(|outside| outside.witness.key().clone()).collect()
    }

    /// Key, whether it is required, and why it did not cosign last time.
    pub fn each(&self) -> Vec<(Verifier, bool, Option<String>)> {
        let failures = unpoisoned(self.failures.lock());
        let one = |outside: &Outside| {
            let key = outside.witness.key().clone();
            let failure = failures.get(&key.id()).cloned();
            (key, outside.required, failure)
        };
        self.list.iter().map(one).collect()
    }

    /// Why nothing may be appended, as far as is known without asking anybody.
    pub fn held(&self) -> Option<Held> {
        match &*unpoisoned(self.standing.lock()) {
            State::Held(held) => Some(held.clone()),
            _ => None,
        }
    }

    /// Whether anything may be appended; the first time the witnesses are asked.
    pub fn may_take(&self, ledger: &Ledger) -> Result<()> {
        let mut standing = unpoisoned(self.standing.lock());
        if let State::NotAsked = *standing {
            *standing = match self.look(ledger) {
                Some(held) => State::Held(held),
                None => State::Free,
            };
        }
        match &*standing {
            State::Held(held) => Err(held.error()),
            _ => Ok(()),
        }
    }

    /// Compares anew, whatever was found before.
    pub fn look_again(&self, ledger: &Ledger) -> Option<Held> {
        let held = self.look(ledger);
        *unpoisoned(self.standing.lock()) = held.clone().map_or(State::Free, State::Held);
        held
    }

    /// What was witnessed and is not here: stored first, then asked.
    fn look(&self, ledger: &Ledger) -> Option<Held> {
        let mut claims: Vec<Claim> = match ledger.cosigned() {
            Ok(kept) => kept.into_iter().map(|kept| kept.claim).collect(),
            Err(error) => {
                tracing::error!(code = error.code.as_str(), "what witnesses cosigned cannot be read: {error}");
                Vec::new()
            }
        };
        claims.extend(self.asked(ledger).into_iter().filter_map(|asked| asked.claim));
        let held = worst(ledger, claims);
        if let Some(held) = &held {
            tracing::error!(code = held.code.as_str(), place = %held.claim.place, "nothing is appended: {}", held.error());
        }
        held
    }

    /// What each witness says when asked now. What it has seen beyond our chain is kept.
    pub fn asked(&self, ledger: &Ledger) -> Vec<Asked> {
        let answers = self.each_at_once(|outside| seen_and_kept(ledger, &*outside.witness));
        let asked = self.list.iter().zip(answers).map(|(outside, answer)| Asked::new(&*outside.witness, answer));
        let asked: Vec<Asked> = asked.collect();
        *unpoisoned(self.strangers.lock()) = asked.iter().filter_map(|asked| asked.stranger.clone()).collect();
        asked
    }

    /// Does this with every witness at the same time: one that is down costs one timeout, not the others theirs.
    fn each_at_once<T: Send>(&self, work: impl Fn(&Outside) -> Result<T> + Sync) -> Vec<Result<T>> {
        let work = &work;
        std::thread::scope(|scope| {
            let threads: Vec<_> = self.list.iter().map(|outside| scope.spawn(move || work(outside))).collect();
            let panicked = |_| Err(Error::new(Code::Internal, "asking a witness panicked"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
        })
    }
}

/// What a witness shows.
#[derive(Default)]
struct Seen {
    /// The last checkpoint that the archive signed and the witness did: the note, and what it claims.
    claimed: Option<(String, Claim)>,
    /// Why there is, or may be, more: [`Code::WitnessKey`].
    stranger: Option<Finding>,
}

/// What a witness says it saw last, when the archive with these keys signed it and the witness did.
fn seen_by(archive: &Reigns, witness: &dyn Witness) -> Result<Seen> {
    let Some(note) = witness.last(archive.name())? else { return Ok(Seen::default()) };
    let place = format!("witness {}", witness.key().name());
    let wrong =
        |e: Error| Error::new(Code::WitnessDown, format!("what it shows does not verify: {}", e.detail)).at(&place);
    let opened = |note: String| -> Result<(String, Claim)> {
        let checkpoint = archive.open_checkpoint(&note).map_err(wrong)?;
        open_note(&note, std::slice::from_ref(witness.key())).map_err(wrong)?;
        Ok((note, Claim { place: place.clone(), size: checkpoint.size, root: checkpoint.root }))
    };
    let Some(size) = under_another_key(archive, witness, &note) else {
        return Ok(Seen { claimed: Some(opened(note)?), stranger: None });
    };
    // A newer key than any we know: how far had ours come? Whoever invents a key cannot invent that.
    let detail = format!("{size} entries");
    let stranger = Some(Finding::warning(Code::WitnessKey, &place, &detail));
    let older = witness.last_of(archive.name(), &archive.current().id()).ok().flatten();
    Ok(Seen { claimed: older.and_then(|note| opened(note).ok()), stranger })
}

/// How many entries a checkpoint claims that the witness cosigned and that a key of the archive's name signed, but none that the
/// archive knows.
fn under_another_key(archive: &Reigns, witness: &dyn Witness, note: &str) -> Option<u64> {
    open_note(note, std::slice::from_ref(witness.key())).ok()?;
    let (text, lines) = parts(note).ok()?;
    let named = format!("\u{2014} {} ", archive.name());
    let mut own = lines.iter().filter(|line| line.starts_with(&named)).peekable();
    own.peek()?;
    let unknown = own.all(|line| !archive.keys().any(|key| key.made(line)));
    Checkpoint::parse(text).ok().filter(|seen| unknown && seen.origin == archive.name()).map(|seen| seen.size)
}

/// What these witnesses saw last, for who only reads.
pub(super) fn asked_only(config: &Config, archive: &Reigns) -> Vec<Asked> {
    let witnesses = Witnesses::new(config);
    let one = |outside: &Outside| Asked::new(&*outside.witness, seen_by(archive, &*outside.witness));
    witnesses.list.iter().map(one).collect()
}

fn seen_and_kept(ledger: &Ledger, witness: &dyn Witness) -> Result<Seen> {
    let seen = seen_by(&ledger.keys(), witness)?;
    if let Some((note, claim)) = &seen.claimed
        && matches!(ledger.compare(claim), Standing::Older | Standing::Forked)
    {
        // Known from now on without asking.
        ledger.keep_seen(note, witness.key())?;
    }
    Ok(seen)
}

/// The gravest of these claims that the chain does not hold.
fn worst(ledger: &Ledger, claims: Vec<Claim>) -> Option<Held> {
    let found = ledger.head().size;
    let held = claims.into_iter().filter_map(|claim| {
        let code = match ledger.compare(&claim) {
            Standing::Older => Code::ArchiveRestored,
            Standing::Forked => Code::ArchiveForked,
            Standing::Holds | Standing::Declared => return None,
        };
        Some(Held { code, claim, found })
    });
    gravest(held)
}

fn gravest(held: impl Iterator<Item = Held>) -> Option<Held> {
    held.max_by_key(|held| (held.code == Code::ArchiveForked, held.claim.size))
}

impl Gate for Witnesses {
    fn may_append(&self, ledger: &Ledger, kind: Kind) -> Result<()> {
        match self.may_take(ledger) {
            // The declaration itself.
            Err(error) if error.code == Code::ArchiveRestored && kind == Kind::Restore => Ok(()),
            other => other,
        }
    }
}

/// When a witness is late.
pub(super) struct Late {
    /// Its name.
    pub witness: String,
    /// Whether it is required.
    pub required: bool,
    /// Since when it should have seen what it has not.
    pub since: Timestamp,
    /// Entries it has seen, and entries it should have.
    pub seen: (u64, u64),
    /// Why it did not cosign last time.
    pub why: Option<String>,
}
