//! Checks as a use-case: who may ask, where the report is kept, what the chain learns of it.
//!
//! Invariant: a report is durable before its entry on the chain names its digest; what was looked at is kept in the coverage
//! ledger as a check goes on, so that a kill costs a part of it and never the knowledge that it was made. One check at a time.
//! A check that only reads takes no lock, writes nothing and says so.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::Archive;
use super::access::{Action, Actor};
use super::config::{Config, Profile};
use super::copies::bound_offline;
use super::coverage::CheckTurn;
use super::init::object;
use super::keys::Keys;
use super::layout::Layout;
use super::open::Genesis;
use super::witness::{Asked, asked_only};
use crate::chain::note::Verifier;
use crate::chain::{Claim, Entry, MAX_LINE, Reigns};
use crate::check::{self, Mode, Outcome, Report, Sample, Scope, Subject, Watch};
use crate::clock::{Clock, SystemClock, iso_ms, italian_day};
use crate::durable;
use crate::error::{AtPath, Code, Error, Finding, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::trust::Trust;
use crate::hash::Sha256;
use crate::id::{CheckId, Sequence};
use crate::intake::receipt;
use crate::units::Lapse;
use crate::vault::Vault;

/// Largest report read back; a thousand findings take a few hundred KiB.
const MAX_REPORT: u64 = 16 << 20;

/// What is to be checked.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// `quick`, `full` (the default) or `legibility`.
    pub mode: Option<String>,
    /// Only this class.
    pub class: Option<String>,
    /// Only this package, as SERIES/N.
    pub package: Option<String>,
    /// A checkpoint or receipt that the archive signed some day, kept by somebody else; the chain is held against it.
    pub checkpoint: Option<String>,
    /// Only copies that no check in this mode has looked at for so long, as "90d"; the longest waiting first.
    pub older_than: Option<String>,
    /// How long it may take ("30min") or how much it may read ("10GiB"); the longest waiting first.
    pub budget: Option<String>,
}

impl CheckRequest {
    /// What it means.
    pub(super) fn scope(&self) -> Result<Scope> {
        Ok(Scope {
            mode: self.mode.as_deref().map_or(Ok(Mode::Full), str::parse)?,
            class: self.class.as_deref().map(str::parse).transpose()?,
            package: self.package.as_deref().map(str::parse).transpose()?,
            older_than: self.older_than.as_deref().map(age).transpose()?,
            budget: self.budget.as_deref().map(str::parse).transpose()?,
            // For who knows the manual in force.
            sample: None,
        })
    }

    /// What the checkpoint or receipt that was given claims.
    fn claim(&self, keys: &Reigns) -> Result<Option<Claim>> {
        self.checkpoint.as_deref().map(|text| given(text, keys)).transpose()
    }
}

fn age(text: &str) -> Result<Lapse> {
    text.parse().map_err(|e: Error| e.at("older_than"))
}

/// Reads what somebody kept: a checkpoint, the note of a receipt, or a receipt (JSON) with its note inside.
pub(super) fn given(text: &str, keys: &Reigns) -> Result<Claim> {
    let wrong =
        || Error::new(Code::Usage, "neither a checkpoint nor a receipt that this archive signed").at("checkpoint");
    let place = "checkpoint given".to_owned();
    let note = &*note_of(text);
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

/// The note of a receipt in JSON; anything else as it is.
fn note_of(text: &str) -> Cow<'_, str> {
    let receipt = serde_json::from_str::<Value>(text).ok().and_then(|value| value["note"].as_str().map(str::to_owned));
    receipt.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The number of a receipt that somebody kept; `None` of anything else.
pub(super) fn number_of(text: &str, keys: &Reigns) -> Option<Sequence> {
    receipt::open_note(&note_of(text), keys).ok().map(|(_, facts)| facts.sequence)
}

/// A check that takes no lock and writes nothing: it reads up to the checkpoint it sees first, and looks neither at the
/// catalog nor at the journal.
pub fn read_only(root: &Path, request: &Value) -> Result<Value> {
    read_only_after(root, request, None)
}

/// As [`read_only`], for an archive that could not be opened: what stopped the opening is in the report.
pub fn read_only_after(root: &Path, request: &Value, opening: Option<&Error>) -> Result<Value> {
    read_only_at(root, request, opening, Arc::new(SystemClock))
}

/// As [`read_only_after`], with a clock of one's own.
pub fn read_only_at(root: &Path, request: &Value, opening: Option<&Error>, clock: Arc<dyn Clock>) -> Result<Value> {
    let request: CheckRequest = serde_json::from_value(request.clone())
        .map_err(|e| Error::new(Code::Usage, format!("not a request for a check: {e}")))?;
    let scope = request.scope()?;
    let given = request.claim(&keys(&Layout::new(root))?)?;
    judged(root, &scope, given, opening, clock)
}

/// As [`read_only`], held against what others kept.
pub(super) fn offline(root: &Path, mode: &str, claims: Vec<Claim>) -> Result<Value> {
    judged(root, &Scope::all(mode.parse()?), claims, None, Arc::new(SystemClock))
}

fn judged(
    root: &Path,
    scope: &Scope,
    given: impl IntoIterator<Item = Claim>,
    opening: Option<&Error>,
    clock: Arc<dyn Clock>,
) -> Result<Value> {
    let layout = Layout::new(root);
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
    let (claims, silent, strangers) = told(asked, given);
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
        deadlines: config.as_ref().map(Config::deadlines),
        clock: Arc::clone(&clock),
    };
    let report = check::run(&subject, scope, CheckId::new(clock.now()), &Watch::only(&|_, _| {}))?;
    serde_json::to_value(&report).map_err(|e| Error::new(Code::Internal, e.to_string()))
}

/// What witnesses and the caller claim, the witnesses that said nothing, and those that saw another key.
fn told(asked: Vec<Asked>, given: impl IntoIterator<Item = Claim>) -> (Vec<Claim>, Vec<String>, Vec<Finding>) {
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

    /// Gives a check its identifier; what was asked for is looked at before it starts. [`Code::CheckRunning`] while another one
    /// runs.
    pub fn begin_check(&self, actor: &Actor, request: &CheckRequest) -> Result<CheckId> {
        self.may(actor, Action::Check)?;
        request.scope()?;
        request.claim(&self.ledger.keys())?;
        let id = CheckId::new(self.clock.now());
        self.checking.claim(id)?;
        Ok(id)
    }

    /// Checks, keeps the report, and lets the chain know. [`Code::CheckRunning`] while another one runs.
    pub fn check(
        &self,
        actor: &Actor,
        id: CheckId,
        request: &CheckRequest,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Value> {
        let turn = self.checking.enter(id)?;
        self.may(actor, Action::Check)?;
        self.checked(&turn, request, progress)
    }

    /// As [`Archive::check`], for whoever has the turn.
    pub(super) fn checked(
        &self,
        turn: &CheckTurn<'_>,
        request: &CheckRequest,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Value> {
        let (id, mut scope) = (turn.id(), request.scope()?);
        scope.sample = self.legibility_sample()?;
        self.finish_interrupted();
        self.mark_check(id, request)?;
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
            deadlines: Some(self.config.deadlines()),
            clock: Arc::clone(&self.clock),
        };
        let watch = Watch {
            progress,
            keep: &|part| self.keep_part(part),
            stop: &|| self.is_ending(),
            every: self.config.check.note_every.std(),
        };
        let report = check::run(&subject, &scope, id, &watch)?;
        for (package, vault) in &report.bad_copies {
            let bad = Error::new(Code::PackageFileAltered, format!("found by check {id}"));
            self.copies.suspects.note(package, vault, &bad, self.clock.now());
        }
        for (package, vault) in &report.good_copies {
            self.copies.suspects.clear(package, vault);
        }
        self.file_report(&report, &scope)
    }

    /// Keeps a report, signed where reports are, and lets the chain know.
    pub(super) fn file_report(&self, report: &Report, scope: &Scope) -> Result<Value> {
        let id = report.check;
        let json = serde_json::to_vec_pretty(report).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        let (text, html) = (report.to_text(), report.to_html(&Sha256::of(&json)));
        durable::create_dir_all(&self.layout.reports())?;
        durable::write_new(&self.report_path(id, "json"), &json, durable::MODE_SEALED)?;
        durable::write_new(&self.report_path(id, "txt"), text.as_bytes(), durable::MODE_SEALED)?;
        durable::write_new(&self.report_path(id, "html"), html.as_bytes(), durable::MODE_SEALED)?;
        let files = [("report", &json[..]), ("text", text.as_bytes()), ("html", html.as_bytes())];
        let mut files = files.map(|(name, bytes)| (name, Sha256::of(bytes))).to_vec();
        if let Some(der) = self.signed_report(&format!("check {id}"), Sha256::of(&json)) {
            durable::write_new(&self.report_path(id, "json.p7s"), &der, durable::MODE_SEALED)?;
            files.push(("signature", Sha256::of(&der)));
        }
        let noted = self.note_check(report, entry(report, scope, &files));
        self.unmark_check(id)?;
        if let Err(error) = noted {
            // A chain that takes no entries must not keep anybody from reading that the archive is damaged.
            tracing::error!(code = error.code.as_str(), %id, "the check could not be put on the chain: {error}");
            if report.outcome == Outcome::Good {
                return Err(error);
            }
        }
        serde_json::to_value(report).map_err(|e| Error::new(Code::Internal, e.to_string()))
    }

    /// The sample that the manual in force allows, when the configuration names its clause.
    fn legibility_sample(&self) -> Result<Option<Sample>> {
        let Some((one_in, clause)) = &self.config.legibility.sample else { return Ok(None) };
        // Without a manual there is no rule.
        let manual = self.manual_in_force(italian_day(self.clock.now()))?;
        Ok(manual.map(|manual| Sample { one_in: *one_in, clause: clause.clone(), manual: manual.to_string() }))
    }

    /// A kept report.
    pub fn check_report(&self, actor: &Actor, id: CheckId) -> Result<Option<Value>> {
        let Some(bytes) = self.check_report_as(actor, id, "json")? else { return Ok(None) };
        let report = serde_json::from_slice(&bytes)
            .map_err(|e| Error::new(Code::Internal, format!("not a report: {e}")).at(format!("check-{id}.json")))?;
        Ok(Some(report))
    }

    /// The bytes of a kept report: `json`, `txt`, `html`, or `json.p7s`, the signature of the first.
    pub fn check_report_as(&self, actor: &Actor, id: CheckId, extension: &str) -> Result<Option<Vec<u8>>> {
        self.may(actor, Action::Check)?;
        let path = self.report_path(id, extension);
        let facts = match std::fs::metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            facts => facts.at_path(&path)?,
        };
        if facts.len() > MAX_REPORT {
            return Err(Error::new(Code::Internal, "larger than any report").at(path.display()));
        }
        durable::read_plain(&path).map(Some)
    }

    pub(super) fn report_path(&self, id: CheckId, extension: &str) -> PathBuf {
        self.layout.reports().join(format!("check-{id}.{extension}"))
    }
}

/// What the chain keeps of a check: counts and digests of the report's files, nothing personal.
fn entry(report: &Report, scope: &Scope, files: &[(&str, Sha256)]) -> Map<String, Value> {
    let coverage = &report.coverage;
    let mut entry = object(json!({
        "id": report.check, "mode": report.mode, "outcome": report.outcome, "class": scope.class, "package": scope.package,
        "started_at": iso_ms(report.started_at), "size": report.size, "unread": report.unread,
        "coverage": {
            "packages": coverage.packages, "documents": coverage.documents, "bytes": coverage.bytes, "copies": coverage.copies,
        },
        "findings": report.findings.len(),
    }));
    if let Some(rolling) = &report.rolling {
        entry.insert("rolling".into(), json!(rolling));
    }
    if report.interrupted {
        entry.insert("interrupted".into(), true.into());
    }
    entry.extend(files.iter().map(|(name, sha256)| ((*name).to_owned(), sha256.to_string().into())));
    entry
}
