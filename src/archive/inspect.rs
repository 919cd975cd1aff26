//! Checks as a use-case: who may ask, where the report is kept, what the chain learns of it.
//!
//! Invariant: a report is durable before its entry on the chain names its digest; from these entries later checks know
//! when each package was last checked in full. A check that only reads takes no lock, writes nothing and says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Archive;
use super::access::{Action, Actor};
use super::config::{Config, Profile};
use super::copies::bound_offline;
use super::init::object;
use super::keys::Keys;
use super::layout::Layout;
use super::open::Genesis;
use super::witness::{Asked, asked_only};
use crate::chain::note::Verifier;
use crate::chain::{Claim, Entry, Kind, MAX_LINE, Reigns};
use crate::check::{self, Mode, Outcome, Report, Scope, Subject};
use crate::clock::{Clock, SystemClock, iso_ms};
use crate::durable;
use crate::error::{AtPath, Code, Error, Finding, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::trust::Trust;
use crate::hash::Sha256;
use crate::id::CheckId;
use crate::intake::receipt;
use crate::vault::Vault;

/// Largest report read back; a thousand findings take a few hundred KiB.
const MAX_REPORT: u64 = 16 << 20;

/// What is to be checked.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// `quick` or `full` (the default).
    pub mode: Option<String>,
    /// Only this class.
    pub class: Option<String>,
    /// Only this package, as SERIES/N.
    pub package: Option<String>,
    /// A checkpoint or receipt that the archive signed some day, kept by somebody else; the chain is held against it.
    pub checkpoint: Option<String>,
}

impl CheckRequest {
    fn scope(&self) -> Result<Scope> {
        Ok(Scope {
            mode: self.mode.as_deref().map_or(Ok(Mode::Full), str::parse)?,
            class: self.class.as_deref().map(str::parse).transpose()?,
            package: self.package.as_deref().map(str::parse).transpose()?,
        })
    }

    /// What the checkpoint or receipt that was given claims.
    fn claim(&self, keys: &Reigns) -> Result<Option<Claim>> {
        self.checkpoint.as_deref().map(|text| given(text, keys)).transpose()
    }
}

/// Reads what somebody kept: a checkpoint, the note of a receipt, or a receipt (JSON) with its note inside.
fn given(text: &str, keys: &Reigns) -> Result<Claim> {
    let wrong =
        || Error::new(Code::Usage, "neither a checkpoint nor a receipt that this archive signed").at("checkpoint");
    let place = "checkpoint given".to_owned();
    let receipt = serde_json::from_str::<Value>(text).ok().and_then(|value| value["note"].as_str().map(str::to_owned));
    let note = receipt.as_deref().unwrap_or(text);
    // Signed by the archive's old key after its reign: that is no usage to be told of, but something to find out about.
    let untimely = |e: &Error| e.code == Code::KeyNotInForce;
    match keys.open_checkpoint(note) {
        Ok(checkpoint) => return Ok(Claim { place, size: checkpoint.size, root: checkpoint.root }),
        Err(e) if untimely(&e) => return Err(e.at(place)),
        Err(_) => {}
    }
    let (_, facts) = receipt::open_note(note, keys).map_err(|e| if untimely(&e) { e.at(&place) } else { wrong() })?;
    Ok(Claim { place, size: facts.chain_size, root: facts.chain_root })
}

/// A check that takes no lock and writes nothing: it reads up to the checkpoint it sees first, and looks neither at the
/// catalog nor at the journal.
pub fn read_only(root: &Path, request: &Value) -> Result<Value> {
    read_only_after(root, request, None)
}

/// As [`read_only`], for an archive that could not be opened: what stopped the opening is in the report.
pub fn read_only_after(root: &Path, request: &Value, opening: Option<&Error>) -> Result<Value> {
    let request: CheckRequest = serde_json::from_value(request.clone())
        .map_err(|e| Error::new(Code::Usage, format!("not a request for a check: {e}")))?;
    let scope = request.scope()?;
    let layout = Layout::new(root);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let genesis = genesis(&layout);
    let keys = keys(&layout)?;
    let facts = genesis.as_ref().and_then(|entry| Genesis::parse(&entry.object).ok());
    let trial = facts.as_ref().is_some_and(|genesis| genesis.profile == Profile::Trial);
    let opening = opening.map(|e| Finding::error(e.code, e.place.clone(), &e.detail));
    let config = Config::load(root).ok();
    let vaults = bound_offline(&layout, config.as_ref(), facts.as_ref());
    let vaults = vaults.into_iter().map(|vault| Arc::new(vault) as Arc<dyn Vault>).collect();
    let asked = config.as_ref().map(|config| asked_only(config, &keys)).unwrap_or_default();
    let witnesses: Vec<Verifier> = config.iter().flat_map(|config| &config.witnesses).map(|w| w.key.clone()).collect();
    let (claims, silent, strangers) = told(asked, request.claim(&keys)?);
    let opening: Vec<Finding> = opening.into_iter().chain(strangers).collect();
    let subject = Subject {
        root,
        vkey: keys.current(),
        claims: &claims,
        witnesses: &witnesses,
        silent: &silent,
        vaults,
        anchors: &anchors(root, trial, &clock),
        trust: &trust(root),
        catalog: None,
        unsealed: None,
        journal: None,
        opening: &opening,
        clock: Arc::clone(&clock),
    };
    let report = check::run(&subject, &scope, CheckId::new(clock.now()), &|_, _| {})?;
    serde_json::to_value(&report).map_err(|e| Error::new(Code::Internal, e.to_string()))
}

/// What witnesses and the caller claim, the witnesses that said nothing, and those that saw another key.
fn told(asked: Vec<Asked>, given: Option<Claim>) -> (Vec<Claim>, Vec<String>, Vec<Finding>) {
    let silent = asked.iter().filter(|asked| asked.claim.is_none()).map(|asked| asked.name.clone()).collect();
    let strangers = asked.iter().filter_map(|asked| asked.stranger.clone()).collect();
    (asked.into_iter().filter_map(|asked| asked.claim).chain(given).collect(), silent, strangers)
}

/// The first line of the chain, when it can be read.
fn genesis(layout: &Layout) -> Option<Entry> {
    let file = durable::open_plain(&layout.chain().join("entries")).ok()?;
    let mut line = Vec::new();
    let limited = std::io::Read::take(file, MAX_LINE as u64 + 1);
    std::io::BufRead::read_until(&mut std::io::BufReader::new(limited), b'\n', &mut line).ok()?;
    Entry::parse(line.strip_suffix(b"\n")?).ok()
}

/// The archive's keys, as its own files tell them: those that open the checkpoint, else the first there are. The check itself says
/// when entries and `archive.vkey` differ.
fn keys(layout: &Layout) -> Result<Reigns> {
    let code = if layout.chain().exists() { Code::ChainAltered } else { Code::ArchiveMissing };
    Reigns::of_archive(layout.root(), None)
        .ok_or_else(|| Error::new(code, "no key of the archive can be read").at("chain/archive.vkey"))
}

/// The anchors, as far as they can be read: without them tokens are unchecked, which the report says.
fn anchors(root: &Path, trial: bool, clock: &Arc<dyn Clock>) -> Anchors {
    let Ok(config) = Config::load(root) else { return Anchors::default() };
    let anchors = Anchors::from_pem_files(&config.tsa.anchors).unwrap_or_default();
    let development = if trial { Keys::development_anchors(&config.keys, Arc::clone(clock)).ok() } else { None };
    anchors.and(development.unwrap_or_default())
}

/// Whom the archive believes about signatures, as far as it can be read: without it their chains are unchecked.
fn trust(root: &Path) -> Trust {
    let loaded = Config::load(root).and_then(|config| config.trust.load());
    loaded.map(|(trust, _)| trust).unwrap_or_default()
}

impl Archive {
    /// Whether the caller may see checks.
    pub fn may_see_checks(&self, actor: &Actor) -> Result<()> {
        self.may(actor, Action::Check)
    }

    /// Gives a check its identifier; what was asked for is looked at before it starts.
    pub fn begin_check(&self, actor: &Actor, request: &CheckRequest) -> Result<CheckId> {
        self.may(actor, Action::Check)?;
        request.scope()?;
        request.claim(&self.ledger.keys())?;
        Ok(CheckId::new(self.clock.now()))
    }

    /// Checks, keeps the report, and lets the chain know.
    pub fn check(
        &self,
        actor: &Actor,
        id: CheckId,
        request: &CheckRequest,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Value> {
        self.may(actor, Action::Check)?;
        let scope = request.scope()?;
        // Before the chain is read: what a witness has seen when it answers is in it by then.
        let keys = self.ledger.keys();
        let (claims, silent, strangers) = told(self.witnesses.asked(&self.ledger), request.claim(&keys)?);
        let opening: Vec<Finding> = self.opening.iter().cloned().chain(strangers).collect();
        // The entry of this check would make a second history of an older state.
        self.witnesses.consider(&self.ledger, &claims);
        let witnesses = self.witnesses.keys();
        let subject = Subject {
            root: self.layout.root(),
            vkey: keys.current(),
            claims: &claims,
            witnesses: &witnesses,
            silent: &silent,
            vaults: self.copies.vaults(),
            anchors: self.authorities.anchors(),
            trust: &self.trust,
            catalog: Some(self.catalog.as_ref()),
            unsealed: Some(&self.unsealed),
            journal: Some(&self.journal),
            opening: &opening,
            clock: Arc::clone(&self.clock),
        };
        let report = check::run(&subject, &scope, id, progress)?;
        for (package, vault) in &report.bad_copies {
            let bad = Error::new(Code::PackageFileAltered, format!("found by check {id}"));
            self.copies.suspects.note(package, vault, &bad, self.clock.now());
        }
        for (package, vault) in &report.good_copies {
            self.copies.suspects.clear(package, vault);
        }
        let json = serde_json::to_vec_pretty(&report).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        durable::create_dir_all(&self.layout.reports())?;
        durable::write_new(&self.report_path(id, "json"), &json, durable::MODE_SEALED)?;
        durable::write_new(&self.report_path(id, "txt"), report.to_text().as_bytes(), durable::MODE_SEALED)?;
        if let Some(der) = self.signed_report(&format!("check {id}"), Sha256::of(&json)) {
            durable::write_new(&self.report_path(id, "json.p7s"), &der, durable::MODE_SEALED)?;
        }
        if let Err(error) = self.ledger.append(Kind::Check, object(entry(&report, &scope, Sha256::of(&json)))) {
            // A chain that takes no entries must not keep anybody from reading that the archive is damaged.
            tracing::error!(code = error.code.as_str(), %id, "the check could not be put on the chain: {error}");
            if report.outcome == Outcome::Good {
                return Err(error);
            }
        }
        serde_json::to_value(&report).map_err(|e| Error::new(Code::Internal, e.to_string()))
    }

    /// A kept report.
    pub fn check_report(&self, actor: &Actor, id: CheckId) -> Result<Option<Value>> {
        self.may(actor, Action::Check)?;
        let path = self.report_path(id, "json");
        let facts = match std::fs::metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            facts => facts.at_path(&path)?,
        };
        if facts.len() > MAX_REPORT {
            return Err(Error::new(Code::Internal, "larger than any report").at(path.display()));
        }
        let bytes = durable::read_plain(&path)?;
        let report = serde_json::from_slice(&bytes)
            .map_err(|e| Error::new(Code::Internal, format!("not a report: {e}")).at(path.display()))?;
        Ok(Some(report))
    }

    fn report_path(&self, id: CheckId, extension: &str) -> PathBuf {
        self.layout.reports().join(format!("check-{id}.{extension}"))
    }
}

/// What the chain keeps of a check: counts and the report's digest, nothing personal.
fn entry(report: &Report, scope: &Scope, sha256: Sha256) -> Value {
    let coverage = &report.coverage;
    json!({
        "id": report.check, "mode": report.mode, "outcome": report.outcome, "class": scope.class, "package": scope.package,
        "started_at": iso_ms(report.started_at), "size": report.size, "unread": report.unread,
        "coverage": {
            "packages": coverage.packages, "documents": coverage.documents, "bytes": coverage.bytes, "copies": coverage.copies,
        },
        "findings": report.findings.len(), "report": sha256,
    })
}
