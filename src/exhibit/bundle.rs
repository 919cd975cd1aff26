//! Writing a bundle: a zip that streams to its file, from packages read by **the** reader.
//!
//! Invariants: every member was compared with its SHA-256 on the way; every file of a whole package is the one its chain
//! entry lists; nothing of a package but what was asked for goes in. Memory does not grow with the size of documents.

pub(super) mod packages;
pub(in crate::exhibit) mod revocation;
mod target;

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use uuid::Uuid;

use super::report::{Document, KeyChange, Package as PackageLine, Report, SCHEMA, SignedBy};
use super::{
    CHECKPOINT, MAX_SMALL, REPORT, REPORT_NOTE, REPORT_SIGNATURE, SIGNER_ANCHORS, STAMPS, TSA_ANCHORS, VKEY, WITNESSES,
    instructions, name, page,
};
use crate::chain::cosignature::lines_of;
use crate::chain::note::{Signer, Verifier};
use crate::chain::proof::Proof;
use crate::chain::{Entry, Reigns, StampFiles};
use crate::document::agid::{self, AgidFile};
use crate::error::{Code, Error, Lang, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::ers::{History, Judge as _};
use crate::evidence::trust::Trust;
use crate::hash::Sha256;
use crate::id::{BundleId, DocumentId, PackageRef, ReceiptId};
use crate::intake::receipt::{ENGINE, TRIAL};
use crate::package::FileFacts;
use crate::package::generation;
use crate::package::member::Kind;
use crate::package::reader::Package;
use crate::package::signed;
use target::Target;

/// Where packages and their entries come from.
pub trait Source {
    /// The reader of a package.
    fn package(&self, package: &PackageRef) -> Result<Package>;
    /// The entry of this number.
    fn line(&self, seq: u64) -> Result<Entry>;
    /// The entry that committed it.
    fn entry(&self, package: &PackageRef) -> Result<Entry>;
    /// The entries that committed renewals of its evidence, oldest first.
    fn renewals(&self, package: &PackageRef) -> Result<Vec<Entry>>;
    /// The proof of that entry against [`Exhibits::checkpoint`].
    fn proof(&self, seq: u64) -> Result<Proof>;
}

/// A signature of the report by a certificate.
pub struct ReportSignature<'a> {
    /// What the certificate leads to, as far as the archive knows.
    pub anchor: Option<Anchors>,
    /// Whose certificate it is.
    pub by: SignedBy,
    /// Signs the bytes with this SHA-256; none when the signer fails, which the archive tells as an alarm.
    pub sign: &'a dyn Fn(Sha256) -> Option<Vec<u8>>,
}

/// What goes into a bundle. The caller has asked for permission and recorded the access.
pub struct Exhibits<'a> {
    /// Its identifier.
    pub bundle: BundleId,
    /// When it is made.
    pub made_at: Timestamp,
    /// Whose documents they are, for people.
    pub holder: String,
    /// Whether the archive has profile `trial`.
    pub trial: bool,
    /// The key in force at the checkpoint, under the archive's own name.
    pub signer: &'a Signer,
    /// The keys the archive has had, up to the checkpoint.
    pub keys: Reigns,
    /// What its time-stamps lead to.
    pub anchors: &'a Anchors,
    /// Whom the archive believes about signatures: what theirs lead to.
    pub trust: &'a Trust,
    /// The signed checkpoint that every proof is against.
    pub checkpoint: String,
    /// Time-stamps over the chain, each of a checkpoint that this one continues.
    pub stamps: Vec<ChainStamp>,
    /// Witnesses that may have cosigned it.
    pub witnesses: Vec<Verifier>,
    /// Documents and their packages.
    pub documents: Vec<(DocumentId, PackageRef)>,
    /// Whole packages.
    pub packages: Vec<PackageRef>,
    /// Who signs the report, besides the mark of the archive's key.
    pub signature: Option<&'a ReportSignature<'a>>,
    /// Where they come from.
    pub source: &'a dyn Source,
    /// Called with documents done and all documents known of.
    pub progress: &'a dyn Fn(u64, u64),
}

/// A time-stamp over the chain.
#[derive(Debug, Clone)]
pub struct ChainStamp {
    /// Entries the chain had.
    pub size: u64,
    /// The checkpoint that was stamped, and the reply.
    pub files: StampFiles,
    /// From there to the bundle's checkpoint.
    pub consistency: Vec<Sha256>,
    /// Its evidence record (RFC 4998, DER), when it was renewed.
    pub record: Option<Vec<u8>>,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Made {
    /// Documents, those of whole packages included.
    pub documents: u64,
    /// Whole packages.
    pub packages: u64,
    /// Length of the zip.
    pub bytes: u64,
    /// SHA-256 of the zip.
    pub sha256: Sha256,
}

/// Writes a bundle under `path` (0600), durable on return; on an error nothing is left there.
pub fn write(exhibits: &Exhibits<'_>, path: &Path) -> Result<Made> {
    let made = Bundling::start(exhibits, path).and_then(Bundling::run);
    if made.is_err() {
        crate::durable::discard(path)?;
    }
    made
}

/// A package, with what the record of each of its documents is made of.
struct Opened {
    reference: PackageRef,
    package: Package,
    entry: Entry,
    /// Entries of its renewals, oldest first.
    renewals: Vec<Entry>,
    /// Its files as the chain lists them, those of renewals too.
    files: Vec<FileFacts>,
    history: History,
    /// The time that is proved: that of the first token that leads to an anchor of the archive.
    time: Timestamp,
    /// What was found of revocation when it was sealed.
    revocation: revocation::Lines,
}

impl Opened {
    fn new(exhibits: &Exhibits<'_>, reference: &PackageRef) -> Result<Self> {
        let package = exhibits.source.package(reference)?;
        let entry = exhibits.source.entry(reference)?;
        let renewals = exhibits.source.renewals(reference)?;
        let mut files = packages::files_of(&entry.object)?;
        for renewal in &renewals {
            files.extend(packages::renewed_files(&renewal.object, reference)?);
        }
        let history = generation::history(renewals.len() as u32 + 1, &|name, limit| {
            let bytes = package.read_file(name, limit)?;
            let known = files.iter().any(|file| file.name == name && file.sha256 == Sha256::of(&bytes));
            if known {
                Ok(bytes)
            } else {
                Err(Error::new(Code::PackageFileAltered, "").at(format!("{reference} {name}")))
            }
        })?;
        let time = proved(&history, exhibits.anchors)?;
        let revocation = revocation::lines(&package, &entry)?;
        Ok(Self { reference: reference.clone(), package, entry, renewals, files, history, time, revocation })
    }

    fn small(&self, kind: Kind, id: Uuid) -> Result<Vec<u8>> {
        self.package.read_member(kind, id, MAX_SMALL)
    }

    fn record(&self, id: DocumentId) -> Result<Vec<u8>> {
        Ok(self.history.record(Some(id.0))?.to_der())
    }
}

/// The time that a package's tokens prove to these anchors; to none of them, the first token's own word.
fn proved(history: &History, anchors: &Anchors) -> Result<Timestamp> {
    let mut first = None;
    for generation in history.generations() {
        let judged = anchors.judge(&generation.token, &generation.root())?;
        if judged.untrusted.is_none() {
            return Ok(judged.time);
        }
        first.get_or_insert(judged.time);
    }
    first.ok_or_else(|| Error::new(Code::Internal, "evidence without a token"))
}

/// Where the files of a document are.
struct Paths {
    file: String,
    metadata: String,
    rdv: String,
    rdv_signature: Option<String>,
    note: String,
    manifest: String,
}

struct Bundling<'a> {
    exhibits: &'a Exhibits<'a>,
    target: Target,
    documents: Vec<Document>,
    packages: Vec<PackageLine>,
    /// What the signatures inside lead to.
    signers: Anchors,
}

impl<'a> Bundling<'a> {
    fn start(exhibits: &'a Exhibits<'a>, path: &Path) -> Result<Self> {
        let target = Target::start(path)?;
        Ok(Self { exhibits, target, documents: Vec::new(), packages: Vec::new(), signers: Anchors::default() })
    }

    fn run(mut self) -> Result<Made> {
        let mut whole: Vec<PackageRef> = self.exhibits.packages.clone();
        whole.sort();
        whole.dedup();
        let mut single: BTreeMap<&PackageRef, Vec<DocumentId>> = BTreeMap::new();
        for (id, package) in &self.exhibits.documents {
            // What comes with its whole package is not shown twice.
            if !whole.contains(package) {
                single.entry(package).or_default().push(*id);
            }
        }
        for (reference, mut ids) in single {
            ids.sort_unstable();
            ids.dedup();
            let opened = Opened::new(self.exhibits, reference)?;
            for id in ids {
                self.document(&opened, id)?;
            }
            self.chain(&opened, false)?;
        }
        for reference in &whole {
            let opened = Opened::new(self.exhibits, reference)?;
            self.whole(&opened)?;
            self.chain(&opened, true)?;
        }
        if self.documents.is_empty() {
            return Err(Error::new(Code::NotFound, "there is nothing to export"));
        }
        self.finish()
    }

    /// A document by itself: its bytes, its metadata, the receipt and the index of its deposit, its evidence.
    fn document(&mut self, opened: &Opened, id: DocumentId) -> Result<()> {
        let metadata = opened.small(Kind::Metadata, id.0)?;
        let file = parse(&metadata, id)?;
        let receipt = file.receipt;
        let signed = opened.package.find(Kind::Signature, receipt.0).is_ok();
        let paths = Paths {
            file: format!("documents/{id}/{}", name::safe(&file.name)),
            metadata: format!("metadata/{id}.xml"),
            rdv: format!("receipts/{receipt}.xml"),
            rdv_signature: signed.then(|| format!("receipts/{receipt}.xml.p7s")),
            note: format!("receipts/{receipt}.note"),
            manifest: format!("manifests/{receipt}.json"),
        };
        let mut content = opened.package.open_member(Kind::Document, id.0, None)?;
        let length = content.record().length;
        self.target.copy(&paths.file, length, &mut content)?;
        self.target.put(&paths.metadata, &metadata)?;
        let parts = [(Kind::Receipt, &paths.rdv), (Kind::Note, &paths.note), (Kind::Manifest, &paths.manifest)];
        let signature = paths.rdv_signature.as_ref().map(|path| (Kind::Signature, path));
        for (kind, path) in parts.into_iter().chain(signature) {
            // The documents of one deposit share its receipt.
            if !self.target.has(path) {
                self.target.put(path, &opened.small(kind, receipt.0)?)?;
            }
        }
        self.revocation(opened, id)?;
        self.receipt_signature(opened, receipt)?;
        self.line(opened, file, paths)
    }

    /// The evidence and the line of a document whose files are in.
    fn line(&mut self, opened: &Opened, file: AgidFile, paths: Paths) -> Result<()> {
        let id = file.document;
        let evidence = format!("evidence/{id}.ers");
        self.target.put(&evidence, &opened.record(id)?)?;
        self.documents.push(Document {
            id,
            name: file.name,
            file: paths.file,
            bytes: file.digests.bytes,
            media_type: file.format.media_type,
            sha256: file.digests.sha256,
            class: file.class,
            class_version: file.class_version,
            accepted_at: file.accepted_at,
            receipt: file.receipt,
            package: opened.reference.clone(),
            entry: opened.entry.seq,
            exists_since: opened.time,
            metadata_file: paths.metadata,
            rdv: paths.rdv,
            rdv_signature: paths.rdv_signature,
            note: paths.note,
            manifest: paths.manifest,
            evidence,
            metadata: file.metadata,
            revocation: opened.revocation.get(&id).cloned().unwrap_or_default(),
        });
        let done = self.documents.len() as u64;
        (self.exhibits.progress)(done, done.max(self.exhibits.documents.len() as u64));
        Ok(())
    }

    /// What the signature of a receipt leads to, where there is one.
    fn receipt_signature(&mut self, opened: &Opened, receipt: ReceiptId) -> Result<()> {
        if opened.package.find(Kind::Signature, receipt.0).is_err() {
            return Ok(());
        }
        let rdv = opened.package.find(Kind::Receipt, receipt.0)?.sha256;
        let p7s = opened.small(Kind::Signature, receipt.0)?;
        self.signature(opened, &p7s, rdv)
    }

    /// A signature goes into the bundle: what it leads to goes too, as far as the archive knows.
    fn signature(&mut self, opened: &Opened, p7s: &[u8], sha256: Sha256) -> Result<()> {
        let judged = signed::judge(p7s, sha256, opened.time, None, self.exhibits.trust);
        if let Some((_, Some(anchor))) = judged.signer {
            let anchor = Anchors::from_der(vec![anchor.der().to_vec()])?;
            self.signers = std::mem::take(&mut self.signers).and(anchor);
        }
        Ok(())
    }

    /// The entry that committed a package, and the proof that it is in the chain.
    fn chain(&mut self, opened: &Opened, whole: bool) -> Result<()> {
        self.proved_entry(&opened.entry)?;
        // A single document's record says of its renewals all there is to say; a whole package has their files.
        let renewals: Vec<u64> = opened.renewals.iter().filter(|_| whole).map(|entry| entry.seq).collect();
        for renewal in opened.renewals.iter().filter(|_| whole) {
            self.proved_entry(renewal)?;
        }
        let signature = if whole { packages::index_signature(opened)? } else { None };
        let signature = signature.and_then(|p7s| signed::facts(&p7s));
        let (package, entry) = (opened.reference.clone(), opened.entry.seq);
        self.packages.push(PackageLine { package, entry, whole, signature, renewals });
        Ok(())
    }

    fn proved_entry(&mut self, entry: &Entry) -> Result<()> {
        let seq = entry.seq;
        let line = format!("chain/{seq}.json");
        // Packages that were renewed together share an entry.
        if self.target.has(&line) {
            return Ok(());
        }
        self.target.put(&line, entry.line.as_bytes())?;
        let proof = self.exhibits.source.proof(seq)?;
        self.target.put(&format!("chain/{seq}.tlog-proof"), proof.render().as_bytes()).map(drop)
    }

    /// Anchors, checkpoint, instructions, report and its signature.
    fn finish(mut self) -> Result<Made> {
        let exhibits = self.exhibits;
        let signer = exhibits.signer;
        let vkey = signer.verifier();
        self.target.put(CHECKPOINT, exhibits.checkpoint.as_bytes())?;
        self.target.put(VKEY, format!("{vkey}\n").as_bytes())?;
        for change in exhibits.keys.changes() {
            self.proved_entry(&exhibits.source.line(change.seq)?)?;
        }
        for stamp in &exhibits.stamps {
            let name = |extension: &str| format!("{STAMPS}{:08}.{extension}", stamp.size);
            let proof: String = stamp.consistency.iter().map(|hash| BASE64.encode(hash.0) + "\n").collect();
            self.target.put(&name("checkpoint"), &stamp.files.checkpoint)?;
            self.target.put(&name("tsr"), &stamp.files.reply)?;
            self.target.put(&name("consistency"), proof.as_bytes())?;
            if let Some(record) = &stamp.record {
                self.target.put(&name("ers"), record)?;
            }
        }
        let cosigned =
            |key: &&Verifier| lines_of(&exhibits.checkpoint, std::slice::from_ref(*key)).is_ok_and(|l| !l.is_empty());
        let witnesses: String = exhibits.witnesses.iter().filter(cosigned).map(|key| format!("{key}\n")).collect();
        if !witnesses.is_empty() {
            self.target.put(WITNESSES, witnesses.as_bytes())?;
        }
        self.target.put(TSA_ANCHORS, exhibits.anchors.to_pem().as_bytes())?;
        if let Some(anchor) = exhibits.signature.and_then(|signature| signature.anchor.clone()) {
            self.signers = std::mem::take(&mut self.signers).and(anchor);
        }
        if !self.signers.is_empty() {
            self.target.put(SIGNER_ANCHORS, self.signers.to_pem().as_bytes())?;
        }
        let mut report = Report {
            schema: SCHEMA.to_owned(),
            bundle: exhibits.bundle,
            made_at: exhibits.made_at,
            archive: signer.name().to_owned(),
            holder: exhibits.holder.clone(),
            engine: ENGINE.to_owned(),
            trial: exhibits.trial,
            notice: exhibits.trial.then(|| TRIAL.to_owned()),
            documents: self.documents,
            packages: self.packages,
            keys: exhibits.keys.changes().iter().map(KeyChange::from).collect(),
            signed_by: None,
            files: Vec::new(),
        };
        self.target.put("VERIFICA.txt", instructions::text(&report, Lang::It).as_bytes())?;
        self.target.put("VERIFY.txt", instructions::text(&report, Lang::En).as_bytes())?;
        self.target.put("verify.py", instructions::SCRIPT.as_bytes())?;
        self.target.put("LEGGIMI.html", page::page(&report, Lang::It).as_bytes())?;
        self.target.put("README.html", page::page(&report, Lang::En).as_bytes())?;
        report.files = self.target.listed().to_vec();
        let (bytes, p7s) = signed(&mut report, exhibits.signature)?;
        let note = signer.renamed(&super::origin(signer.name()))?.sign_note(&report.note_text(&bytes))?;
        self.target.put(REPORT, &bytes)?;
        self.target.put(REPORT_NOTE, note.as_bytes())?;
        if let Some(p7s) = p7s {
            self.target.put(REPORT_SIGNATURE, &p7s)?;
        }
        let digests = self.target.finish()?;
        Ok(Made {
            documents: report.documents.len() as u64,
            packages: report.packages.iter().filter(|p| p.whole).count() as u64,
            bytes: digests.bytes,
            sha256: digests.sha256,
        })
    }
}

/// The report's bytes and, where reports are signed, the signature that they announce; when the signer fails, or is by now somebody
/// else, they announce none.
fn signed(report: &mut Report, signature: Option<&ReportSignature<'_>>) -> Result<(Vec<u8>, Option<Vec<u8>>)> {
    if let Some(signature) = signature {
        report.signed_by = Some(signature.by.clone());
        let bytes = report.to_bytes()?;
        let p7s = (signature.sign)(Sha256::of(&bytes));
        if let Some(p7s) = p7s.filter(|p7s| signed::is_by(p7s, &signature.by.certificate_sha256)) {
            return Ok((bytes, Some(p7s)));
        }
        report.signed_by = None;
    }
    Ok((report.to_bytes()?, None))
}

fn parse(metadata: &[u8], id: DocumentId) -> Result<AgidFile> {
    let file = agid::parse(metadata).map_err(|e| e.at(format!("metadata of {id}")))?;
    if file.document != id {
        return Err(Error::new(Code::ContentAltered, "the metadata file is of another document").at(id));
    }
    Ok(file)
}
