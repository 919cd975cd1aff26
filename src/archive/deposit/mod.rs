//! A deposit (PdV): controlled, understood, accepted or refused.
//!
//! Invariants: an answer of acceptance leaves only after the journal's batch is durable; every control made stands in the
//! receipt or in the refusal with its outcome; the same deposit twice gives the same receipt, byte for byte, for ever; a
//! refused deposit leaves its id, time, depositor, length and digest, never its content (`reference/conservazione`, I-1 to
//! I-9b).

mod accept;
mod classes;
mod controls;
mod manifest;
mod refuse;
mod unpack;

use std::sync::Arc;

use super::Archive;
use super::access::{Action, Actor};
use crate::catalog::merged;
use crate::clock::truncate_ms;
use crate::document::Metadata;
use crate::document::class::Class;
use crate::error::{Code, Control, Error, Finding, Result, Severity};
use crate::hash::{Digests, Sha256};
use crate::id::{ClassId, ReceiptId};
use crate::intake::manifest::{Given, Replay};
use crate::intake::refusal::ObjectKey;
use crate::intake::spool::Spooled;

pub use crate::intake::manifest::Channel;
pub(super) use accept::{note_facts, receipt_view};
pub use manifest::{ClientManifest, Relation};
pub use unpack::Unpacked;

/// A file of a deposit.
#[derive(Debug)]
pub struct File {
    /// The name it came under; text only.
    pub name: String,
    /// Its bytes.
    pub spooled: Spooled,
    /// Its metadata as given.
    pub metadata: Metadata,
    /// Its digest as declared.
    pub declared: Option<Sha256>,
    /// Its ties to other files of the deposit.
    pub relations: Vec<Relation>,
    /// Whether it came in a zip archive, or is one that could not be taken apart.
    pub unpacked: Unpacked,
}

/// A deposit as it came.
#[derive(Debug)]
pub struct Deposit {
    /// The way it came.
    pub channel: Channel,
    /// Its class; `auto` or nothing recognises it from the content.
    pub class: Option<String>,
    /// The producer's key.
    pub idempotency_key: Option<String>,
    /// With a key of its own, the same content is deposited anew.
    pub duplicate: bool,
    /// The same answer, nothing kept.
    pub dry_run: bool,
    /// Metadata stood in an address: refused for personal classes.
    pub metadata_in_url: bool,
    /// The body as received.
    pub body: Digests,
    /// Digest of the client's own manifest.
    pub client_manifest: Option<Sha256>,
    /// Its files, in order.
    pub files: Vec<File>,
    /// What was noticed on the way in.
    pub findings: Vec<Finding>,
}

/// What is answered.
#[derive(Debug)]
pub struct Answer {
    /// 201 accepted, 200 the same receipt as before or a dry run, 422 refused.
    pub status: u16,
    /// JSON.
    pub body: Vec<u8>,
    /// Where the receipt or refusal is.
    pub location: Option<String>,
}

/// A deposit whose class is known and whose controls were made.
struct Controlled {
    actor: Actor,
    agreement: String,
    class: Arc<Class>,
    /// The class of each file.
    classes: Vec<Arc<Class>>,
    received_at: jiff::Timestamp,
    deposit: Deposit,
    replay: Replay,
    /// Controls on the deposit as a whole.
    controls: Vec<Control>,
    /// What these found, with the position of the file it is about.
    findings: Vec<(usize, Finding)>,
    /// What was understood of each file.
    understood: Vec<crate::document::Understood>,
}

impl Controlled {
    fn acceptable(&self) -> bool {
        self.findings.iter().all(|(_, f)| f.severity < Severity::Error)
            && self.understood.iter().all(|u| u.acceptable())
    }
}

impl Archive {
    /// Whether the caller may deposit at all, asked before a body is taken in.
    pub fn may_deposit(&self, actor: &Actor, class: Option<&str>) -> Result<()> {
        match class.filter(|class| *class != "auto") {
            Some(class) => {
                // A class that is not a name cannot be known: the refusal comes with its controls, later.
                if let Ok(class) = class.parse::<ClassId>() {
                    actor.may(Action::Deposit, Some(&class))?;
                }
            }
            None if actor.classes.is_none() => actor.may(Action::Deposit, None)?,
            // A token limited to classes: asked again when the class is recognised.
            None => {}
        }
        self.witnesses.may_take(&self.ledger)?;
        if let Some(closed) = self.journal.closed() {
            return Err(closed);
        }
        self.journal.room()
    }

    /// Takes a deposit.
    pub fn deposit(&self, actor: &Actor, mut deposit: Deposit) -> Result<Answer> {
        let received_at = truncate_ms(self.clock.now());
        if deposit.duplicate && deposit.idempotency_key.is_none() {
            // Without a key a retry of the same request would be one more deposit.
            return Err(Error::new(Code::Usage, "duplicate=allow goes with a new Idempotency-Key").at("duplicate"));
        }
        self.check_metadata(&deposit)?;
        // A repetition is known by what was sent: the archive, not what is in it.
        let sent: Vec<_> = deposit
            .files
            .iter()
            .map(|file| (file.name.clone(), file.spooled.digests().sha256, file.metadata.clone()))
            .collect();
        self.unpack(&mut deposit)?;
        self.check_metadata(&deposit)?;
        let class = self.class_of(&deposit)?;
        actor.may(Action::Deposit, Some(class.as_ref().map_or_else(|wanted| wanted, |class| &class.id)))?;
        let producer = actor.producer();
        let class_id = class.as_ref().map_or_else(Clone::clone, |class| class.id.clone());
        let givens: Vec<Given<'_>> =
            sent.iter().map(|(name, sha256, metadata)| Given { name, sha256: *sha256, metadata }).collect();
        let key = deposit.idempotency_key.as_deref();
        let replay = self.replay_key.replay(&producer, key, &class_id, &Metadata::new(), &givens);
        drop(givens);

        let mut claims = vec![replay.fingerprint.to_string()];
        claims.extend(replay.key.map(hex::encode));
        let _twins_wait = self.in_flight.claim(claims);
        if let Some(receipt) = self.repeated(&replay, deposit.duplicate)? {
            return self.same_receipt(receipt);
        }
        let agreement = self.config.agreement(&producer, &class_id);
        let class = match class {
            Ok(class) => class,
            Err(_) => {
                let finding = Finding::error(Code::ClassUnknown, "class", "");
                return self.refuse_early(actor, &deposit, received_at, agreement.map(|a| a.id.as_str()), finding);
            }
        };
        let Some(agreement) = agreement else {
            let finding = Finding::error(Code::NoAgreement, "class", "");
            return self.refuse_early(actor, &deposit, received_at, None, finding);
        };
        let classes = match self.classes_of(actor, &deposit, &class)? {
            Ok(classes) => classes,
            Err(finding) => return self.refuse_early(actor, &deposit, received_at, Some(&agreement.id), finding),
        };
        let object = ObjectKey::of(&self.replay_key, &agreement.id, key, &deposit.body.sha256);
        self.refusals.admit(&object)?;
        let controlled = self.control(actor, deposit, (class, classes), agreement.id.clone(), received_at, replay)?;
        if controlled.deposit.dry_run {
            return Self::dry_run(&controlled);
        }
        if !controlled.acceptable() {
            return self.refuse(controlled, object, agreement.max_refusals);
        }
        self.accept(controlled)
    }

    /// The receipt of the same deposit, when it was accepted before. The same key with other content is a conflict.
    fn repeated(&self, replay: &Replay, duplicate: bool) -> Result<Option<ReceiptId>> {
        let by_fingerprint = merged::replay(&self.catalogs(), &replay.fingerprint.to_string())?;
        let Some(key) = replay.key.map(hex::encode) else {
            return Ok(by_fingerprint.filter(|_| !duplicate));
        };
        if let Some(receipt) = merged::replay(&self.catalogs(), &key)? {
            let deposit = merged::receipt(&self.catalogs(), receipt)?;
            let same = deposit.is_some_and(|d| d.replay_fingerprint == Some(replay.fingerprint.to_string()));
            return if same { Ok(Some(receipt)) } else { Err(Error::new(Code::KeyConflict, "").at("Idempotency-Key")) };
        }
        Ok(by_fingerprint.filter(|_| !duplicate))
    }

    fn same_receipt(&self, receipt: ReceiptId) -> Result<Answer> {
        let missing = || Error::new(Code::NotFound, "no such receipt").at(receipt);
        let deposit = merged::receipt(&self.catalogs(), receipt)?.ok_or_else(missing)?;
        let rows = deposit.documents.iter().map(|id| self.row(*id)).collect::<Result<Vec<_>>>()?;
        let body = self.render_receipt(&rows)?;
        Ok(Answer { status: 200, body, location: Some(format!("/v1/receipts/{receipt}")) })
    }
}
