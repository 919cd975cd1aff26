//! An open archive: what every use-case may reach, and the few questions about it that need no use-case.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use serde_json::{Value, json};

use super::access::{Access, Action, Actor};
use super::background::Background;
use super::config::{Config, LogFormat, Profile};
use super::copies::Copies;
use super::keys::Keys;
use super::layout::Layout;
use super::lock::Lock;
use super::replay::InFlight;
use crate::catalog::Catalog;
use crate::catalog::memory::Memory;
use crate::chain::Ledger;
use crate::clock::Clock;
use crate::document::class::Classes;
use crate::document::malware::Scanner;
use crate::error::{Code, Error, Finding, Result};
use crate::evidence::trust::Trust;
use crate::evidence::tsp::Authorities;
use crate::id::{DocumentId, PackageRef, Sequence};
use crate::intake::journal::Journal;
use crate::intake::manifest::ReplayKey;
use crate::intake::refusal::{Head as RefusalsHead, RefusalLog};
use crate::intake::spool::{Incoming, Spool};
use crate::package::writer::StagingKey;
use crate::retention::Policies;

/// The largest things taken in.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one document.
    pub max_document: u64,
    /// Bytes of one deposit.
    pub max_deposit: u64,
    /// Files of one deposit.
    pub max_files: u32,
    /// Deposits under way at once.
    pub max_in_flight: usize,
    /// How long a body may stand still.
    pub idle_timeout: Duration,
}

/// Tokens minted at opening and kept in memory only.
pub(super) struct Local {
    pub token: String,
}

/// An open archive. Every use-case is a method on it, in a file of its own.
pub struct Archive {
    pub(super) layout: Layout,
    pub(super) config: Config,
    pub(super) profile: Profile,
    pub(super) clock: Arc<dyn Clock>,
    /// Name in checkpoint and receipts.
    pub(super) origin: String,
    /// The files of the keys; whoever changes the key in force holds this lock.
    pub(super) keys: Mutex<Keys>,
    pub(super) ledger: Ledger,
    pub(super) journal: Journal,
    pub(super) incoming: Incoming,
    pub(super) refusals: RefusalLog,
    /// How far the log of refusals is on the chain.
    pub(super) chained_refusals: Mutex<Option<RefusalsHead>>,
    /// How far the chain says that numbers were acknowledged.
    pub(super) chained_numbers: Mutex<Sequence>,
    pub(super) replay_key: ReplayKey,
    pub(super) staging_key: StagingKey,
    /// How many documents are read in depth at the same time: each may take some megabytes.
    pub(super) readers: super::turns::Turns,
    /// Copies of packages, and the vaults they are in.
    pub(super) copies: Copies,
    pub(super) catalog: Arc<dyn Catalog>,
    /// The index of what is accepted and not sealed yet.
    pub(super) unsealed: Memory,
    /// What was worked out of them for the closing rules.
    pub(super) cohorts: super::seal::Cohorts,
    pub(super) classes: RwLock<Classes>,
    pub(super) policies: RwLock<Policies>,
    pub(super) access: RwLock<Access>,
    pub(super) authorities: Authorities,
    /// Whom it believes when it judges signatures of documents.
    pub(super) trust: Arc<Trust>,
    /// Whether signers' certificates were revoked.
    pub(super) revocation: super::revocation::Revocation,
    /// By whose certificate packages are signed.
    pub(super) signing: super::signing::Signing,
    /// Who outside sees how long the chain is.
    pub(super) witnesses: Arc<super::witness::Witnesses>,
    /// Who is told of alarms.
    pub(super) notices: super::notices::Notices,
    /// Time-stamps over the chain.
    pub(super) stamping: super::stamp::Stamping,
    pub(super) malware: Option<Box<dyn Scanner>>,
    pub(super) in_flight: InFlight,
    /// Whose turn it is to check.
    pub(super) checking: super::coverage::Checking,
    /// What checks looked at.
    pub(super) coverage: Mutex<crate::check::coverage::Coverage>,
    /// What the chain knows of checks.
    pub(super) checks: Mutex<super::coverage::Checks>,
    /// The manuals of conservation that were adopted.
    pub(super) manuals: super::manual::Manuals,
    /// Renewals of evidence.
    pub(super) renewals: super::renew::Renewals,
    /// One closing run at a time.
    pub(super) sealing: Mutex<()>,
    pub(super) background: Background,
    pub(super) local: Local,
    /// What was found at opening and repaired or set aside; shown by `check` and `/readyz`.
    pub(super) opening: Vec<Finding>,
    /// Documents of records that are not as they were receipted, with their numbers.
    pub(super) distrusted: BTreeMap<DocumentId, Sequence>,
    /// Documents of the journal that may be sealed already, in a package that did not open: they are not sealed again.
    pub(super) in_doubt: BTreeMap<DocumentId, PackageRef>,
    pub(super) closed: AtomicBool,
    /// What `/metrics` shows of the alarms.
    pub(super) alarms_counted: super::alarms::Counted,
    /// The last walk over conversations.
    pub(super) watch: super::related::Watch,
    /// Searches waiting for a number.
    pub(super) searches_waiting: AtomicUsize,
    pub(super) wake: (Mutex<bool>, Condvar),
    // Last: the lock is let go when everything else is closed.
    pub(super) lock: Lock,
}

/// A poisoned lock means a use-case panicked between two complete states: what it guards is still whole.
pub(super) fn unpoisoned<T>(outcome: std::result::Result<T, PoisonError<T>>) -> T {
    outcome.unwrap_or_else(PoisonError::into_inner)
}

impl Archive {
    /// The operator's token of this process: what commands use that speak for nobody in particular.
    pub fn local_token(&self) -> &str {
        &self.local.token
    }

    /// Where custode.toml says to listen.
    pub fn listen(&self) -> SocketAddr {
        self.config.http.listen
    }

    /// How custode.toml says to log.
    pub fn log_format(&self) -> &'static str {
        match self.config.http.log {
            LogFormat::Json => "json",
            LogFormat::Text => "text",
        }
    }

    /// Connections that may be open at once, and how long the head of a request may take.
    pub fn connections(&self) -> (usize, std::time::Duration) {
        (self.config.http.max_connections as usize, self.config.http.header_timeout.std())
    }

    /// What custode.toml says to log: a level or a filter.
    pub fn log_level(&self) -> &str {
        &self.config.http.level
    }

    /// Whether the profile allows to listen there.
    pub fn may_listen(&self, address: SocketAddr) -> Result<()> {
        if self.profile == Profile::Trial && !address.ip().is_loopback() {
            return Err(Error::new(Code::ProfileForbids, "a trial archive listens on loopback only").at(address));
        }
        Ok(())
    }

    /// Says in `lock` where the server answers.
    pub fn serve_at(&self, address: SocketAddr) -> Result<()> {
        self.lock.serve_at(address, &self.local.token)
    }

    /// The largest things taken in.
    pub fn limits(&self) -> Limits {
        let intake = &self.config.intake;
        Limits {
            max_document: intake.max_document.0,
            max_deposit: intake.max_deposit.0,
            max_files: intake.max_files,
            max_in_flight: usize::try_from(intake.max_in_flight).unwrap_or(usize::MAX),
            idle_timeout: intake.idle_timeout.std(),
        }
    }

    /// A place for a body on its way in.
    pub fn spool(&self, announced: Option<u64>) -> Result<Spool> {
        self.incoming.spool(self.limits().max_document, announced)
    }

    /// Who bears this token.
    pub fn authenticate(&self, token: &str) -> Result<Actor> {
        use subtle::ConstantTimeEq as _;
        if token.as_bytes().ct_eq(self.local.token.as_bytes()).into() {
            return Ok(Actor::local());
        }
        unpoisoned(self.access.read()).authenticate(token, self.clock.now())
    }

    /// Whether deposits are taken now; the facts that `/readyz` shows.
    pub fn ready(&self) -> Result<Value> {
        if let Some(held) = self.witnesses.held() {
            return Err(held.error());
        }
        if let Some(error) = self.journal.closed() {
            return Err(error);
        }
        self.journal.room()?;
        let load = self.journal.load();
        Ok(json!({
            "status": "ready",
            "profile": self.profile.as_str(),
            "unsealed": { "documents": load.documents, "bytes": load.bytes },
            "chain": { "size": self.ledger.head().size },
            "findings": self.opening,
        }))
    }

    /// Sets the gauges that `/metrics` shows. Counts only.
    pub fn gauge(&self) {
        let load = self.journal.load();
        metrics::gauge!("custode_unsealed_documents").set(load.documents as f64);
        metrics::gauge!("custode_unsealed_bytes").set(load.bytes as f64);
        metrics::gauge!("custode_journal_segments").set(load.segments as f64);
        metrics::gauge!("custode_chain_size").set(self.ledger.head().size as f64);
        metrics::gauge!("custode_intake_open").set(if self.journal.closed().is_some() { 0.0 } else { 1.0 });
        let notices_waiting = if self.notices.is_empty() { 0 } else { self.notices.waiting() };
        metrics::gauge!("custode_notices_waiting").set(notices_waiting as f64);
        metrics::gauge!("custode_targets_failing").set(self.notices.failing().len() as f64);
        self.gauge_chain();
        self.gauge_alarms();
        self.gauge_copies();
        if let Ok(packages) = self.catalog.packages(None) {
            metrics::gauge!("custode_packages").set(packages.len() as f64);
            metrics::gauge!("custode_sealed_documents").set(packages.iter().map(|p| p.documents).sum::<u64>() as f64);
        }
    }

    /// Sets the gauges that tell how old the newest checkpoint, and the newest time-stamp over it, are.
    fn gauge_chain(&self) {
        let now = self.clock.now();
        let age = |at: jiff::Timestamp| now.duration_since(at).as_secs_f64().max(0.0);
        let head = self.ledger.head();
        if let Ok(last) = self.ledger.entry(head.size.saturating_sub(1)) {
            metrics::gauge!("custode_checkpoint_age_seconds").set(age(last.at));
        }
        if let Some(stamp) = self.ledger.stamps().last() {
            metrics::gauge!("custode_chain_stamp_age_seconds").set(age(stamp.stamped_at));
        }
        if let Some(size) = self.ledger.witnessed_head().ok().flatten().map(|head| head.size) {
            metrics::gauge!("custode_witnessed_size").set(size as f64);
        }
    }

    pub(super) fn may(&self, actor: &Actor, action: Action) -> Result<()> {
        actor.may(action, None)
    }

    pub(super) fn sealing(&self) -> MutexGuard<'_, ()> {
        unpoisoned(self.sealing.lock())
    }
}
