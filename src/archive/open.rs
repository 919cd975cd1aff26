//! Opening an archive: the lock first, then everything is read, verified against the chain, and what a stop left half done
//! is completed.
//!
//! Invariant: opening never loses and never invents: damage is an error that names the file; a catalog that does not open or
//! lags is rebuilt from the plain files; a class or policy file that was not adopted stops the start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Condvar, Mutex, RwLock};

use base64::Engine as _;
use rayon::prelude::*;
use serde_json::Value;

use super::access::Access;
use super::background::Background;
use super::config::{ClamdAddress, Config, Malware, Profile};
use super::copies::Copies;
use super::keys::Keys;
use super::layout::Layout;
use super::lock::{self, Lock, Owner};
use super::replay::InFlight;
use super::state::{Archive, Local};
use super::turns::Turns;
use super::{adoption, init, unsealed};
use crate::catalog::Catalog;
use crate::catalog::embedded::{Embedded, Verdict};
use crate::catalog::memory::Memory;
use crate::chain::{Gate, Kind, Ledger};
use crate::clock::{Clock, SystemClock};
use crate::document::agid::AgidFile;
use crate::document::class::Classes;
use crate::document::malware;
use crate::durable;
use crate::error::{AtPath, Code, Error, Finding, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::trust::Purpose;
use crate::evidence::tsp::{Authorities, HttpAuthority, Rules};
use crate::hash::Sha256;
use crate::id::{DocumentId, Lane, PackageRef, Sequence};
use crate::intake::journal::{Journal, Settings, Unsealed};
use crate::intake::refusal::{self, RefusalLog};
use crate::intake::spool::Incoming;
use crate::package::copies::Holdings;
use crate::package::reader::Package;
use crate::retention::Policies;
use crate::vault::{Vault, VaultFiles};

/// Records of the journal indexed at a time while opening: bounds what is in memory beside the index.
const INDEX_PART: usize = 256;

/// Documents read in depth at the same time.
const READERS: usize = 4;

/// The lane of an embedded archive.
pub(super) const LANE: Lane = Lane(1);

/// An archive, or where it is served.
pub enum Opened {
    /// Opened by this process, which holds the lock.
    Here(Arc<Archive>),
    /// A server holds it.
    Served {
        /// Its address.
        address: String,
        /// An operator's token.
        token: String,
    },
}

/// What genesis says.
pub(super) struct Genesis {
    pub origin: String,
    pub profile: Profile,
    pub vault: Option<String>,
}

impl Genesis {
    /// Reads the object of entry 0.
    pub fn parse(object: &serde_json::Map<String, Value>) -> Result<Self> {
        let wrong = |what: &str| Error::new(Code::ChainAltered, format!("genesis: {what}")).at("chain/entries, line 1");
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        if text("format") != Some(init::FORMAT) {
            return Err(wrong("a format this program does not know"));
        }
        let vault = object.get("vaults").and_then(|v| v[0]["id"].as_str()).map(str::to_owned);
        Ok(Self {
            origin: text("origin").ok_or_else(|| wrong("no origin"))?.to_owned(),
            profile: text("profile").ok_or_else(|| wrong("no profile"))?.parse()?,
            vault,
        })
    }
}

/// What the chain says was adopted and sealed.
#[derive(Default)]
pub(super) struct Adopted {
    pub classes: BTreeMap<String, Sha256>,
    pub policies: BTreeMap<String, Sha256>,
    pub packages: Vec<(PackageRef, u64)>,
    pub refusals: Option<refusal::Head>,
    /// The highest number of the lane that was acknowledged.
    pub issued: u64,
    /// Renewals of evidence.
    pub renewals: super::renew::Renewals,
    /// Which vaults hold what.
    pub holdings: Holdings,
    /// Checks that were made.
    pub checks: super::coverage::Checks,
    /// Numbers that recovery set aside.
    pub voided: BTreeSet<(Sequence, Sequence)>,
}

impl Adopted {
    /// Reads the whole chain once.
    pub fn of(ledger: &Ledger) -> Result<Self> {
        let mut adopted = Self::default();
        ledger.each_entry(0, |entry| {
            let text = |key: &str| entry.object.get(key).and_then(Value::as_str).unwrap_or_default();
            let wrong = || {
                Error::new(Code::ChainAltered, "an entry misses its fields")
                    .at(format!("chain/entries, entry {}", entry.seq))
            };
            super::copies::note(&mut adopted.holdings, &entry)?;
            adopted.checks.note_entry(&entry);
            match entry.kind {
                Kind::Class => {
                    adopted.classes.insert(text("file").to_owned(), text("sha256").parse().map_err(|_| wrong())?);
                }
                Kind::Policy => {
                    adopted.policies.insert(text("file").to_owned(), text("sha256").parse().map_err(|_| wrong())?);
                }
                Kind::Package => {
                    let number = entry.object.get("number").and_then(Value::as_u64).ok_or_else(wrong)?;
                    adopted.packages.push((PackageRef { series: text("series").parse()?, number }, entry.seq));
                }
                Kind::Renewal => adopted.renewals.note(&entry)?,
                Kind::Refusals => adopted.refusals = serde_json::from_value(Value::Object(entry.object.clone())).ok(),
                Kind::Intake => {
                    let issued = entry.object.get("issued").and_then(Value::as_u64).ok_or_else(wrong)?;
                    adopted.issued = adopted.issued.max(issued);
                }
                Kind::Repair => {
                    let number = |key: &str| entry.object.get("voided").and_then(|voided| voided[key].as_u64());
                    if let (Some(first), Some(last)) = (number("first"), number("last")) {
                        adopted.voided.insert((Sequence(first), Sequence(last)));
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        Ok(adopted)
    }
}

impl Archive {
    /// Opens the archive, or says where it is served.
    pub fn open_or_find(root: &Path) -> Result<Opened> {
        let layout = Layout::new(root);
        if layout.unfinished().exists() {
            return Err(Error::new(Code::ArchiveUnfinished, "").at(root.display()));
        }
        if !layout.config().exists() {
            return Err(Error::new(Code::ArchiveMissing, "no custode.toml").at(layout.config().display()));
        }
        match lock::take(&layout.lock())? {
            Owner::Server { address, token } => Ok(Opened::Served { address, token }),
            Owner::Us(lock) => {
                Self::open(layout, lock, Arc::new(SystemClock)).map(|archive| Opened::Here(Arc::new(archive)))
            }
        }
    }

    /// Opens the archive with a clock of one's own; for tests and tools that must hold the archive themselves.
    pub fn open_with(root: &Path, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        let layout = Layout::new(root);
        match lock::take(&layout.lock())? {
            Owner::Server { address, .. } => Err(Error::new(Code::ArchiveLocked, "it is being served").at(address)),
            Owner::Us(lock) => Self::open(layout, lock, clock).map(Arc::new),
        }
    }

    fn open(layout: Layout, lock: Lock, clock: Arc<dyn Clock>) -> Result<Self> {
        if layout.unfinished().exists() {
            return Err(Error::new(Code::ArchiveUnfinished, "").at(layout.root().display()));
        }
        layout.settle_names()?;
        let (config, config_sha256) = Config::load_own(layout.root())?;
        let keys = Keys::open(&config.keys)?;
        let mut opening = Vec::new();

        let genesis = {
            let path = layout.chain().join("entries");
            let mut line = String::new();
            let file = durable::open_plain(&path)?;
            std::io::BufRead::read_line(&mut std::io::BufReader::new(file), &mut line).at_path(&path)?;
            let entry = crate::chain::Entry::parse(line.trim_end_matches('\n').as_bytes())?;
            Genesis::parse(&entry.object)?
        };
        config.check_profile(genesis.profile)?;
        let (replay_key, staging_key) = (keys.replay_key(), keys.staging_key());
        let opened = Ledger::open_with(layout.root(), keys.signers(&genesis.origin)?, Arc::clone(&clock));
        let (ledger, findings) = opened.map_err(|e| match e.code {
            Code::KeyMissing => Error::new(e.code, e.detail).at(config.keys.display()),
            _ => e,
        })?;
        keys.settle(&ledger.signer())?;
        opening.extend(findings);
        let witnesses = Arc::new(super::witness::Witnesses::new(&config));
        ledger.guard(Arc::clone(&witnesses) as Arc<dyn Gate>);
        // An older state of the archive opens, to be read; only nothing is appended to it.
        let held = |error: Error| -> Result<Finding> {
            match error.code {
                Code::ArchiveRestored | Code::ArchiveForked => {
                    Ok(Finding::error(error.code, error.place, error.detail))
                }
                _ => Err(error),
            }
        };
        match note_configuration(&ledger, config_sha256) {
            Ok(noted) => opening.extend(noted),
            Err(error) => opening.push(held(error)?),
        }
        let adopted = Adopted::of(&ledger)?;
        adoption::settle(&layout, &adopted)?;

        adoption::as_adopted(&layout, &adopted)?;
        let classes = Classes::load(&layout.schemas())?;
        check_adopted(&layout, &adopted, &classes)?;
        let policies = Policies::load(&layout.policies())?;
        if let Some(first) = policies.check_adopted(&adopted.policies).into_iter().next() {
            return Err(Error::new(first.code, first.message).at(first.place));
        }

        let (kept, findings) = super::copies::settle(&ledger, &config, &layout, &genesis)?;
        opening.extend(findings);
        let copies = Copies::new(kept, adopted.holdings.clone());
        // Without any vault nothing can be read, and a catalog that lags could not learn; one is enough.
        if copies.kept.iter().all(|kept| kept.vault.mounted().is_err())
            && let Some(first) = copies.kept.first()
        {
            first.vault.mounted()?;
        }
        let (catalog, verdict) = Embedded::open(&layout.catalog(), ledger.head().size)?;
        let must_rebuild = match verdict {
            Verdict::Good | Verdict::Behind { .. } => false,
            Verdict::Rebuild { reasons, .. } => {
                opening.push(Finding::warning(Code::CatalogRebuilt, "catalog/", reasons.join("; ")));
                true
            }
        };
        let catalog: Arc<dyn Catalog> = Arc::new(catalog);
        let (access, findings) = Access::load(&ledger)?;
        opening.extend(findings);
        let (trust, findings) = config.trust.load()?;
        let trust = trust.with(Purpose::TimeStamp, Anchors::from_pem_files(&config.tsa.anchors)?);
        opening.extend(findings);
        let trust = Arc::new(trust);
        let believed = Arc::clone(&trust);
        let authorities = authorities(&config, genesis.profile, &keys, &clock)?.qualified_by(
            Box::new(move |path, at| believed.stamp_is_qualified(path, at)),
            config.tsa.require_qualified,
        );
        let (signing, finding) = super::signing::Signing::open(&config, &keys);
        opening.extend(finding);

        let mut settings = Settings::new(layout.root(), LANE, Arc::clone(&clock));
        settings.most_records = config.intake.max_unsealed_documents;
        settings.most_bytes = config.intake.max_unsealed_bytes.0;
        settings.known = known_number(&ledger, &adopted)?;
        settings.acknowledged = Sequence(adopted.issued);
        let settled_numbers = settings.known.max(settings.acknowledged);
        let sealed = SealedDocuments::new(copies.vaults(), &ledger, &adopted)?;
        let (journal, recovery) = Journal::open(settings, &|sequence, document| sealed.holds(sequence, document))?;
        opening.extend(recovery.findings);
        // The journal forgets numbers it set aside once that segment is released: the chain accounts for them for ever. A
        // stop between the journal's note and the chain's is made good here, so all that the journal still knows counts.
        for (first, last) in journal.voided() {
            if !adopted.voided.contains(&(first, last)) {
                let repair = serde_json::json!({ "lane": LANE, "voided": { "first": first, "last": last } });
                if let Err(error) = ledger.append(Kind::Repair, init::object(repair)) {
                    opening.push(held(error)?);
                }
            }
        }
        let incoming = Incoming::open(&layout.intake().join("incoming"))?;
        let (refusals, findings) = RefusalLog::open(&layout.intake(), &layout.quarantine())?;
        opening.extend(findings);

        let mut token = [0; 32];
        getrandom::fill(&mut token).map_err(|e| Error::new(Code::Internal, format!("no randomness: {e}")))?;
        let token = format!("cst_local_{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(token));

        let mut archive = Self {
            profile: genesis.profile,
            origin: genesis.origin,
            malware: malware_control(&config),
            revocation: super::revocation::Revocation::new(&config, &layout),
            witnesses,
            notices: super::notices::Notices::open(&config, &layout),
            stamping: super::stamp::Stamping::default(),
            layout,
            config,
            clock,
            keys: Mutex::new(keys),
            replay_key,
            staging_key,
            readers: Turns::new(READERS),
            checking: super::coverage::Checking::default(),
            coverage: Mutex::default(),
            checks: Mutex::new(adopted.checks),
            manuals: super::manual::Manuals::default(),
            renewals: adopted.renewals,
            chained_refusals: Mutex::new(adopted.refusals),
            chained_numbers: Mutex::new(settled_numbers),
            ledger,
            journal,
            incoming,
            refusals,
            copies,
            catalog,
            unsealed: Memory::new(),
            cohorts: super::seal::Cohorts::default(),
            classes: RwLock::new(classes),
            policies: RwLock::new(policies),
            access: RwLock::new(access),
            authorities,
            trust,
            signing,
            in_flight: InFlight::default(),
            sealing: Mutex::new(()),
            background: Background::default(),
            local: Local { token },
            opening,
            distrusted: BTreeMap::new(),
            in_doubt: std::mem::take(&mut *super::state::unpoisoned(sealed.in_doubt.lock())),
            closed: AtomicBool::new(false),
            alarms_counted: super::alarms::Counted::default(),
            watch: super::related::Watch::default(),
            searches_waiting: AtomicUsize::new(0),
            wake: (Mutex::new(false), Condvar::new()),
            lock,
        };
        archive.index_unsealed()?;
        let caught = archive.catch_up(must_rebuild)?;
        archive.opening.extend(caught.findings);
        match archive.finish_committed() {
            // Said, and said again by every sealing; deposits must go on.
            Err(error) if error.code == Code::StagingAltered => {
                archive.opening.push(Finding::error(error.code, error.place, error.detail));
            }
            other => other?,
        }
        archive.reload_coverage()?;
        archive.finish_interrupted();
        for finding in &archive.opening {
            tracing::warn!(code = finding.code.as_str(), place = %finding.place, "{}", finding.message);
        }
        Ok(archive)
    }

    /// The index of what is accepted and not sealed, from the journal.
    /// A record that is not as it was receipted is named and not indexed: nothing in it can be believed.
    fn index_unsealed(&mut self) -> Result<()> {
        let waiting = self.journal.unsealed(Sequence(0), usize::MAX);
        let mut distrusted = Vec::new();
        {
            let this = &*self;
            let classes = super::state::unpoisoned(this.classes.read());
            this.unsealed.tie_by(super::related::tying_fields(&classes));
            let remember = |file: &AgidFile| {
                this.remember_cohort(&classes, file);
                this.revocation.remember(file);
            };
            let rows_of = |waiting: &Unsealed| -> Result<_> {
                let Some(record) = this.journal.record(waiting.sequence)? else { return Ok(None) };
                let held = this.acknowledge(record)?;
                let (deposit, mut rows) = unsealed::rows_of_record(&classes, &held, LANE, remember)?;
                rows.retain(|row| waiting.documents.contains(&row.id));
                Ok(Some((deposit, rows)))
            };
            // Each signature costs some 50 microseconds: all cores verify, a part of the journal at a time.
            for part in waiting.chunks(INDEX_PART) {
                let read: Vec<_> = part.par_iter().map(rows_of).collect();
                for (waiting, rows) in part.iter().zip(read) {
                    match rows {
                        Ok(Some((deposit, rows))) => this.unsealed.insert(&deposit, &rows),
                        Ok(None) => {}
                        Err(error) if matches!(error.code.kind(), crate::error::Kind::Io) => return Err(error),
                        Err(error) => distrusted.push((waiting.sequence, waiting.documents.clone(), error)),
                    }
                }
            }
        }
        for (sequence, documents, error) in distrusted {
            let place = format!("intake/lane-{:04}, number {sequence}", LANE.0);
            let what = if error.place.is_empty() { error.detail } else { format!("{}: {}", error.place, error.detail) };
            self.opening.push(Finding::error(Code::ReceiptMismatch, place, what));
            self.distrusted.extend(documents.into_iter().map(|id| (id, sequence)));
        }
        Ok(())
    }

    /// Closes: no more background work, accesses chained. Nothing acknowledged depends on it.
    pub fn close(&self) -> Result<()> {
        if self.closed.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return Ok(());
        }
        // A server copies in the background; a command that sealed does it now, before all long work is told to end.
        if !self.background.is_running() && self.copies.due.load(std::sync::atomic::Ordering::SeqCst) {
            self.catch_up_copies((None, None));
        }
        let served = self.background.stop(&self.wake);
        if self.witnesses.held().is_none() {
            self.chain_numbers()?;
            self.chain_refusals()?;
            self.ledger.chain_accesses()?;
        }
        // A server asks in the background; a command that sealed asks when all else is done.
        if !served {
            self.tell_witnesses();
        }
        Ok(())
    }
}

/// Records of what `custode.toml` was: a digest each time it is another.
const CONFIGURATION: &str = "configuration";

/// Puts the digest of the configuration on the chain when it is another than the last one there. Nothing of what it says:
/// who compares a kept copy knows which one was in force when.
pub(super) fn note_configuration(ledger: &Ledger, sha256: Sha256) -> Result<Option<Finding>> {
    let (known, _) = ledger.records(CONFIGURATION)?;
    let last = known.last().and_then(|record| record.fields.get("sha256")?.as_str()).map(str::to_owned);
    if last.as_deref() == Some(sha256.to_string().as_str()) {
        return Ok(None);
    }
    let fields = init::object(serde_json::json!({ "sha256": sha256 }));
    let record = ledger.append_record(CONFIGURATION, fields, None)?;
    let detail = format!("noted on the chain at {}", crate::clock::iso_ms(record.at));
    Ok(last.map(|_| Finding::warning(Code::ConfigChanged, "custode.toml", detail)))
}

fn check_adopted(layout: &Layout, adopted: &Adopted, classes: &Classes) -> Result<()> {
    let mut present = BTreeSet::new();
    for class in classes.iter() {
        let name = class.file_name();
        if adopted.classes.get(&name) != Some(&class.sha256) {
            return Err(Error::new(Code::NotAdopted, "the chain does not know this file as it is")
                .at(layout.schemas().join(&name).display()));
        }
        present.insert(name);
    }
    match adopted.classes.keys().find(|name| !present.contains(*name)) {
        Some(name) => {
            Err(Error::new(Code::NotAdopted, "an adopted class is missing").at(layout.schemas().join(name).display()))
        }
        None => Ok(()),
    }
}

fn authorities(config: &Config, profile: Profile, keys: &Keys, clock: &Arc<dyn Clock>) -> Result<Authorities> {
    let mut anchors = Anchors::from_pem_files(&config.tsa.anchors)?;
    let mut list: Vec<Box<dyn crate::evidence::tsp::Authority>> = Vec::new();
    for authority in &config.tsa.authorities {
        let mut client = HttpAuthority::new(authority.url.clone(), authority.timeout.std());
        if let Some((user, password)) = &authority.login {
            client = client.login(user, password.read()?);
        }
        if let Some(policy) = &authority.policy {
            client = client.require_policy(policy.parse()?);
        }
        list.push(Box::new(client));
    }
    if profile == Profile::Trial && list.is_empty() {
        let development = keys.development_authority(Arc::clone(clock))?;
        anchors = anchors.and(development.anchors()?);
        list.push(Box::new(development));
    }
    let rules = Rules {
        max_accuracy: config.tsa.max_accuracy.signed(),
        max_skew: config.tsa.max_skew.signed(),
        ..Rules::default()
    };
    Ok(Authorities::new(list, anchors, rules))
}

fn malware_control(config: &Config) -> Option<Box<dyn malware::Scanner>> {
    match &config.malware {
        Malware::Off => None,
        Malware::Command { argv, timeout } => Some(Box::new(malware::CommandScanner::new(argv.clone(), timeout.std()))),
        Malware::Clamd { address, timeout } => {
            let address = match address {
                ClamdAddress::Unix(path) => malware::Address::Unix(path.clone()),
                ClamdAddress::Tcp(address) => malware::Address::Tcp(*address),
            };
            Some(Box::new(malware::ClamdScanner::new(address, timeout.std())))
        }
    }
}

/// The highest number the chain knows: the journal must never give it again, even if its files are gone.
fn known_number(ledger: &Ledger, adopted: &Adopted) -> Result<Sequence> {
    let mut known = 0;
    for (_, seq) in &adopted.packages {
        let entry = ledger.entry(*seq)?;
        known = known.max(entry.object["numbers"]["max"].as_u64().unwrap_or(0));
    }
    Ok(Sequence(known))
}

/// Says which documents the chain has committed, opening only the packages whose numbers are asked for.
struct SealedDocuments {
    vaults: Vec<Arc<dyn Vault>>,
    ranges: Vec<(u64, u64, PackageRef)>,
    open: Mutex<BTreeMap<PackageRef, Option<Arc<Package>>>>,
    /// Documents whose number is in the range of a package that does not open, and that no other package holds.
    in_doubt: Mutex<BTreeMap<DocumentId, PackageRef>>,
}

impl SealedDocuments {
    fn new(vaults: Vec<Arc<dyn Vault>>, ledger: &Ledger, adopted: &Adopted) -> Result<Self> {
        let mut ranges = Vec::with_capacity(adopted.packages.len());
        for (package, seq) in &adopted.packages {
            let entry = ledger.entry(*seq)?;
            let number = |key: &str| entry.object["numbers"][key].as_u64().unwrap_or(0);
            ranges.push((number("min"), number("max"), package.clone()));
        }
        Ok(Self { vaults, ranges, open: Mutex::default(), in_doubt: Mutex::default() })
    }

    fn holds(&self, sequence: Sequence, document: DocumentId) -> bool {
        let mut open = super::state::unpoisoned(self.open.lock());
        let mut doubt = None;
        let held =
            self.ranges.iter().filter(|(min, max, _)| (*min..=*max).contains(&sequence.0)).any(|(_, _, package)| {
                let reader = open.entry(package.clone()).or_insert_with(|| {
                    // A package that does not open cannot release anything: its documents stay in the journal too.
                    let open = |vault: &Arc<dyn Vault>| {
                        Package::open(Arc::new(VaultFiles::new(Arc::clone(vault), package.clone()))).ok()
                    };
                    self.vaults.iter().find_map(open).map(Arc::new)
                });
                if reader.is_none() {
                    doubt = Some(package.clone());
                }
                reader
                    .as_ref()
                    .is_some_and(|reader| reader.find(crate::package::member::Kind::Document, document.0).is_ok())
            });
        if let Some(package) = doubt.filter(|_| !held) {
            super::state::unpoisoned(self.in_doubt.lock()).insert(document, package);
        }
        held
    }
}
