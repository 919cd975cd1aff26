//! Whether the certificates of signers were revoked: asked between deposit and sealing, sealed with the package.
//!
//! At intake there is no network, so a receipt may say of a signature that revocation was not looked at
//! (`signature/revocation-missing`). Receipts are never changed; what is learnt afterwards stands in the package, in `trust/`.
//!
//! Invariants: nothing here delays or refuses a deposit; a closing run waits for no host longer than one timeout, and is never
//! stopped by what is missing; only hosts that a person listed are asked; nothing is kept that its issuer did not sign.

mod gather;
mod sealed;
mod signer;
mod store;
mod waiting;

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::Mutex;

use jiff::Timestamp;

use super::Archive;
use super::config::Config;
use super::layout::Layout;
use super::state::unpoisoned;
use crate::catalog::DocumentRow;
use crate::document::agid::{self, AgidFile};
use crate::document::{self, Body};
use crate::error::{AtPlace, Code, Error, Result};
use crate::evidence::revocation::Material;
use crate::evidence::revocation::fetch::Fetcher;
use crate::evidence::verdict::{Aspect, Outcome, Role, SignatureReport};
pub(super) use sealed::{MOST_REVOKED, worst_conclusion};
use store::Store;
use waiting::Waiting;

/// Largest document whose signatures are judged again: it is held in memory, one at a time.
const MAX_DOCUMENT: u64 = 160 << 20;

/// What is known of revocation, and who asks.
pub(super) struct Revocation {
    fetcher: Fetcher,
    store: Store,
    waiting: Waiting,
    /// Questions and hosts that are left alone until then.
    quiet: Mutex<HashMap<String, Timestamp>>,
    packages: Mutex<sealed::Sealed>,
    /// What was last found of the archive's own signer.
    signer: Mutex<Option<signer::Found>>,
    /// Whether somebody configured where to ask or what to believe.
    on: bool,
}

impl Revocation {
    pub fn new(config: &Config, layout: &Layout) -> Self {
        let settings = &config.revocation;
        Self {
            fetcher: Fetcher::new(settings.hosts.clone(), settings.timeout.std()),
            store: Store::new(layout.revocation()),
            waiting: Waiting::default(),
            quiet: Mutex::default(),
            packages: Mutex::default(),
            signer: Mutex::default(),
            on: !settings.hosts.is_empty() || !config.trust.revocation.is_empty(),
        }
    }

    /// Remembers a document whose metadata file is at hand anyway, when its signatures lack revocation data.
    pub fn remember(&self, file: &AgidFile) {
        if self.on {
            self.waiting.remember(file);
        }
    }

    /// Forgets documents that wait no longer.
    pub fn forget(&self, ids: &[crate::id::DocumentId]) {
        self.waiting.forget(ids);
    }
}

/// Whether a signature is one whose certificate leads to an anchor and of which nobody has said whether it was revoked. Time-stamps
/// are judged by the rules of their authorities.
fn lacks(report: &SignatureReport) -> bool {
    report.role != Role::TimeStamp
        && report.path.as_ref().is_some_and(|path| path.len() > 1)
        && matches!(report.verdict(Aspect::Revocation).outcome, Outcome::Absent | Outcome::NotChecked)
}

/// Whether the certificate of a signer is known to have been revoked.
fn is_revoked(report: &SignatureReport) -> bool {
    report.role != Role::TimeStamp && report.verdict(Aspect::Revocation).outcome == Outcome::Bad
}

impl Archive {
    /// Unsealed documents of which a signer is known to have been revoked.
    pub(super) fn unsealed_with_revoked(&self) -> Vec<crate::id::DocumentId> {
        self.revocation.waiting.revoked()
    }

    /// The signatures of an unsealed document, judged again by what was gathered.
    fn judged_again(&self, row: &DocumentRow, gathered: &Material) -> Result<Vec<SignatureReport>> {
        let class = unpoisoned(self.classes.read()).get(&row.class, row.class_version).cloned();
        let class = class.ok_or_else(|| Error::new(Code::ClassUnknown, "not adopted").at(&row.class))?;
        if !document::may_be_signed(&class) {
            return Ok(Vec::new());
        }
        let missing = || Error::new(Code::JournalBody, "its record is gone").at(format!("number {}", row.sequence));
        let held = self.acknowledged(row.sequence)?.ok_or_else(missing)?;
        let length = held.item(row.id)?.bytes;
        if length > MAX_DOCUMENT {
            return Err(
                Error::new(Code::NotLookedAt, "too large to be judged again").at(format!("document {}", row.id))
            );
        }
        let file = agid::parse(&held.metadata(row.id)?)?;
        let mut bytes = Vec::new();
        held.record.open_document(row.id)?.take(length).read_to_end(&mut bytes).at(row.id)?;
        let holder = self.holder_codes();
        let context = document::Context::new(&self.trust, held.facts.deposit.received_at).held_by(&holder);
        let _turn = self.readers.turn();
        document::signatures(&class, &Body::from(bytes), &file.name, &file.metadata, &context.with(gathered))
    }
}
