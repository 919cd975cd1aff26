//! Evidence bundles (PdD) as a use-case: what is wanted becomes documents and packages, permission is asked for each class,
//! the access is durable before a byte is written, and the chain learns of the bundle.
//!
//! Invariants: nothing unsealed goes into a bundle (there is no evidence of it yet), and nothing is left out silently; a
//! bundle is fetched only by who may export every class in it; bundles are copies and go after `KEPT`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Archive;
use super::access::{Action, Actor};
use super::config::Profile;
use super::find::Request;
use super::init::object;
use crate::catalog::DocumentRow;
use crate::chain::note::Signer;
use crate::chain::proof::Proof;
use crate::chain::{Entry, Head, Kind, Stamp};
use crate::clock::truncate_ms;
use crate::durable;
use crate::error::Kind::Damage;
use crate::error::{AtPath as _, Code, Error, Result};
use crate::exhibit::bundle::{ChainStamp, Exhibits, ReportSignature, Source, write};
use crate::id::{BundleId, ClassId, DocumentId, PackageRef};
use crate::package::reader::Package;

/// Most documents of one bundle: more are better taken away as packages, a bundle each.
const MAX_DOCUMENTS: usize = 100_000;
/// Documents named by one line of access: lines of the chain and of the records have a limit.
const NAMED_AT_ONCE: usize = 500;
/// How long a bundle can be fetched: it can be made again at any time, and holds what is personal.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// What is wanted in a bundle.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BundleRequest {
    /// These documents.
    #[serde(default)]
    pub documents: Vec<String>,
    /// These whole packages.
    #[serde(default)]
    pub packages: Vec<String>,
    /// The documents that a search finds.
    #[serde(default)]
    pub search: Vec<String>,
    /// Everything in these aggregations, and the aggregations themselves.
    #[serde(default)]
    pub aggregations: Vec<String>,
    /// With a search, only this class.
    pub class: Option<String>,
    /// Language of the report that is shown first.
    pub lang: Option<String>,
    /// Why; needed for messages that carry malware.
    pub reason: Option<String>,
}

/// Whose classes are in a bundle that waits to be fetched.
#[derive(Debug, Serialize, Deserialize)]
struct Waiting {
    classes: BTreeSet<ClassId>,
}

/// What was found of what was wanted.
struct Wanted {
    documents: Vec<(DocumentId, PackageRef)>,
    packages: Vec<PackageRef>,
    classes: BTreeSet<ClassId>,
}

impl Wanted {
    /// Every package that something of it is in.
    fn packages(&self) -> BTreeSet<&PackageRef> {
        self.documents.iter().map(|(_, package)| package).chain(&self.packages).collect()
    }
}

impl Archive {
    /// Whether the caller may take bundles away at all; each class is asked for when a bundle is made.
    pub fn may_export(&self, actor: &Actor) -> Result<()> {
        let own = actor.classes.as_ref().and_then(BTreeSet::first);
        actor.may(Action::Export, own)
    }

    /// Gives a bundle its identifier, and lets go of bundles that nobody fetched in time.
    pub fn begin_bundle(&self, actor: &Actor, request: &BundleRequest) -> Result<BundleId> {
        self.may_export(actor)?;
        if request.documents.is_empty()
            && request.packages.is_empty()
            && request.search.is_empty()
            && request.aggregations.is_empty()
        {
            return Err(Error::new(Code::Usage, "name documents, packages, aggregations or a search"));
        }
        let now = self.clock.now();
        self.forget_bundles(now)?;
        Ok(BundleId::new(now))
    }

    /// Makes it.
    pub fn bundle(
        &self,
        actor: &Actor,
        id: BundleId,
        request: &BundleRequest,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Value> {
        let wanted = self.wanted(actor, request)?;
        for part in wanted.documents.chunks(NAMED_AT_ONCE) {
            let ids: Vec<DocumentId> = part.iter().map(|(id, _)| *id).collect();
            self.record_access(actor, "bundle", &ids, None, request.reason.as_deref())?;
        }
        for package in &wanted.packages {
            self.record_access(actor, "bundle", &[], Some(package), request.reason.as_deref())?;
        }
        let (head, signer) = self.cosigned_head(&wanted)?;
        let source = Sealed { archive: self, head: &head, opened: RefCell::default() };
        let sign = |sha256| self.signed_report(&format!("bundle {id}"), sha256);
        let by = if self.signing.reports { self.signer_of_report(&format!("bundle {id}")) } else { None };
        let signature = by.map(|by| ReportSignature { anchor: self.signer_anchor(), by, sign: &sign });
        let stamps = self.stamps_of(&head, &wanted)?;
        let write_once = || {
            let exhibits = Exhibits {
                bundle: id,
                made_at: truncate_ms(self.clock.now()),
                holder: self.config.holder.agent.name.to_string(),
                trial: self.profile == Profile::Trial,
                signer: &signer,
                keys: self.ledger.keys().as_of(head.size),
                anchors: self.authorities.anchors(),
                trust: &self.trust,
                checkpoint: head.checkpoint.clone(),
                stamps: stamps.clone(),
                witnesses: self.witnesses.keys(),
                documents: wanted.documents.clone(),
                packages: wanted.packages.clone(),
                signature: signature.as_ref(),
                source: &source,
                progress,
            };
            write(&exhibits, &self.bundle_path(id, "zip"))
        };
        let made = match write_once() {
            // A copy that opens and is bad further on: every copy is looked at, and it is made again from good ones.
            Err(error) if error.code.kind() == Damage && self.has_others(&source.opened.borrow())? => write_once(),
            outcome => outcome,
        }?;
        let facts = json!({
            "id": id, "documents": made.documents, "packages": made.packages, "bytes": made.bytes, "sha256": made.sha256,
        });
        let entry = self.ledger.append(Kind::Bundle, object(facts))?;
        // Without this file the bundle cannot be fetched: it comes last.
        let waiting = serde_json::to_vec(&Waiting { classes: wanted.classes })
            .map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        durable::write_new(&self.bundle_path(id, "json"), &waiting, durable::MODE_SECRET)?;
        Ok(json!({
            "bundle": id, "documents": made.documents, "packages": made.packages, "bytes": made.bytes,
            "sha256": made.sha256, "entry": entry.seq,
        }))
    }

    /// Whether bad copies of these packages were found that are not read again, since others are good.
    fn has_others(&self, packages: &BTreeSet<PackageRef>) -> Result<bool> {
        let mut found = false;
        for package in packages.iter().filter(|_| self.copies.kept.len() > 1) {
            found |= self.find_bad_copies(package)?;
        }
        Ok(found)
    }

    /// Of the time-stamps over the chain that this head continues, the first that covers the entries of everything wanted, and
    /// the newest; with their renewals.
    fn stamps_of(&self, head: &Head, wanted: &Wanted) -> Result<Vec<ChainStamp>> {
        let mut last = 0;
        for package in wanted.packages() {
            last = last.max(self.package_entry(package)?.seq);
        }
        let stamps = self.ledger.stamps();
        let known = stamps.iter().filter(|stamp| stamp.size <= head.size);
        let first = known.clone().find(|stamp| stamp.size > last);
        let newest = known.clone().next_back().filter(|newest| first.is_none_or(|first| first.size != newest.size));
        let evidence = self.stamp_evidence()?;
        let one = |stamp: &Stamp| {
            let record = evidence.is_renewed(stamp).then(|| evidence.record(stamp)).transpose()?;
            Ok(ChainStamp {
                size: stamp.size,
                files: self.ledger.stamp_files(stamp)?,
                consistency: self.ledger.consistency(stamp.size, head.size)?,
                record: record.map(|record| record.to_der()),
            })
        };
        first.into_iter().chain(newest).map(one).collect()
    }

    /// The checkpoint to prove against: the newest that witnesses cosigned, when it holds all that is wanted; else the present
    /// one, whoever cosigned it. And the key that is in force there, which the bundle is signed with.
    fn cosigned_head(&self, wanted: &Wanted) -> Result<(Head, Arc<Signer>)> {
        let (head, signer) = self.ledger.signing();
        let Some(witnessed) = self.ledger.witnessed_head()? else { return Ok((head, signer)) };
        // An older key is nobody's to sign with any more.
        if *self.ledger.keys().as_of(head.size).at(witnessed.size) != signer.verifier() {
            return Ok((head, signer));
        }
        for package in wanted.packages() {
            // A whole package proves the entries of its renewals as well, which may be younger than what a witness saw.
            let renewed = self.renewal_entries(package)?;
            let last = renewed.last().map_or(self.package_entry(package)?.seq, |entry| entry.seq);
            if last >= witnessed.size {
                return Ok((head, signer));
            }
        }
        Ok((witnessed, signer))
    }

    /// The file of a bundle, to whoever may export every class in it; recorded as an access.
    pub fn bundle_file(&self, actor: &Actor, id: BundleId) -> Result<PathBuf> {
        self.may_export(actor)?;
        let (zip, waiting) = (self.bundle_path(id, "zip"), self.bundle_path(id, "json"));
        if !zip.exists() || !waiting.exists() {
            return Err(Error::new(Code::NotFound, "no such bundle, or no longer").at(id));
        }
        let bytes = durable::read_plain(&waiting)?;
        let waiting: Waiting = serde_json::from_slice(&bytes)
            .map_err(|e| Error::new(Code::Internal, format!("not readable: {e}")).at(waiting.display()))?;
        for class in &waiting.classes {
            actor.may(Action::Export, Some(class))?;
        }
        self.record_access(actor, "bundle-content", &[], None, Some(&format!("bundle {id}")))?;
        Ok(zip)
    }

    fn bundle_path(&self, id: BundleId, extension: &str) -> PathBuf {
        self.layout.staging().join(format!("bundle-{id}.{extension}"))
    }

    /// Documents and packages of a request, each permitted and sealed.
    fn wanted(&self, actor: &Actor, request: &BundleRequest) -> Result<Wanted> {
        let mut rows: Vec<DocumentRow> = Vec::new();
        for id in &request.documents {
            rows.push(self.row(id.parse()?)?);
        }
        if !request.search.is_empty() {
            let search =
                Request { class: request.class.clone(), criteria: request.search.clone(), ..Request::default() };
            rows.extend(self.find_all(actor, &search, MAX_DOCUMENTS)?);
        }
        for id in &request.aggregations {
            rows.extend(self.rows_of_aggregation(id, MAX_DOCUMENTS)?);
        }
        // Named twice, in a bundle once.
        let mut seen = BTreeSet::new();
        rows.retain(|row| seen.insert(row.id));
        if rows.len() > MAX_DOCUMENTS {
            return Err(Error::new(Code::Usage, format!("a bundle has at most {MAX_DOCUMENTS} documents")));
        }
        let mut wanted = Wanted { documents: Vec::new(), packages: Vec::new(), classes: BTreeSet::new() };
        for package in &request.packages {
            let package: PackageRef = package.parse()?;
            self.package_entry(&package)?;
            wanted.classes.insert(package.series.as_str().parse()?);
            wanted.packages.push(package);
        }
        wanted.classes.extend(rows.iter().map(|row| row.class.clone()));
        for class in &wanted.classes {
            self.may_export_class(actor, class, request.reason.as_deref())?;
        }
        let mut unsealed = Vec::new();
        for row in rows {
            match row.package {
                Some(package) => wanted.documents.push((row.id, package)),
                None => unsealed.push(row.id.to_string()),
            }
        }
        if let Some(first) = unsealed.first() {
            let others = match unsealed.len() {
                1 => String::new(),
                n => format!("{} others too", n - 1),
            };
            return Err(Error::new(Code::NotSealed, others).at(first));
        }
        if wanted.documents.is_empty() && wanted.packages.is_empty() {
            return Err(Error::new(Code::NotFound, "the search finds no document"));
        }
        Ok(wanted)
    }

    fn may_export_class(&self, actor: &Actor, class: &ClassId, reason: Option<&str>) -> Result<()> {
        actor.may(Action::Export, Some(class))?;
        if class.as_str() == "pec-virus" {
            // As for the content alone: a manager who says why, and nobody else (pec section 10).
            actor.may(Action::ReadVirus, Some(class))?;
            if reason.is_none_or(|reason| reason.trim().is_empty()) {
                return Err(Error::new(Code::ReasonNeeded, "").at(class));
            }
        }
        Ok(())
    }

    /// Removes bundles older than [`KEPT`]; their identifiers say when they were made.
    fn forget_bundles(&self, now: Timestamp) -> Result<()> {
        let staging = self.layout.staging();
        for file in std::fs::read_dir(&staging).at_path(&staging)? {
            let path = file.at_path(&staging)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let id = name.strip_prefix("bundle-").and_then(|rest| rest.split('.').next());
            let made = id.and_then(|id| Uuid::try_parse(id).ok()).and_then(|id| id.get_timestamp());
            let Some((seconds, _)) = made.map(|made| made.to_unix()) else { continue };
            if now.as_second().saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX)) > KEPT.as_secs() {
                durable::discard(&path)?;
            }
        }
        Ok(())
    }
}

/// Packages and proofs as of one head of the chain.
struct Sealed<'a> {
    archive: &'a Archive,
    head: &'a Head,
    /// What was read for it.
    opened: RefCell<BTreeSet<PackageRef>>,
}

impl Source for Sealed<'_> {
    fn package(&self, package: &PackageRef) -> Result<Package> {
        self.opened.borrow_mut().insert(package.clone());
        self.archive.open_package(package)
    }

    fn line(&self, seq: u64) -> Result<Entry> {
        self.archive.ledger.entry(seq)
    }

    fn entry(&self, package: &PackageRef) -> Result<Entry> {
        self.archive.package_entry(package)
    }

    fn renewals(&self, package: &PackageRef) -> Result<Vec<Entry>> {
        self.archive.renewal_entries(package)
    }

    fn proof(&self, seq: u64) -> Result<Proof> {
        let path = self.archive.ledger.inclusion(seq, self.head.size)?;
        Ok(Proof { index: seq, path, checkpoint: self.head.checkpoint.clone() })
    }
}

#[cfg(test)]
mod tests;
