//! Making the files of a package in `staging/SERIES-N/`.
//!
//! ```text
//! staging/SERIES-N/   plan.json   steps/<file>.json   signatures/<receipt>   package/ content.tar.zst toc numbers PIndex.xml [PIndex.xml.p7s] evidence/… [trust/…]
//! ```
//! Each file is a step: made, synced, and only then its facts are kept in `steps/`. Invariant: a step whose facts are kept
//! and match its file is not made again; a file without facts is made anew; when a step comes out different from before,
//! every later one is made again (what was signed and stamped was something else). So an interrupted sealing is gone
//! through from the start and does only what is missing. Plan and facts are marked with the archive's secret: altered ones
//! are not gone on from. Nothing here commits: a package counts once the chain says so.

mod mark;
mod source;

use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

pub use mark::StagingKey;
pub use source::{MemberSource, recheck};

use super::content::ContentWriter;
use super::files::Folder;
use super::generation::{self, object_digests};
use super::member::{Kind, Member};
use super::pindex::{Process, check, write};
use super::plan::Plan;
use super::reader::{Package, derive_toc};
use super::{
    CONTENT, EVIDENCE_RECORD, EVIDENCE_TOKEN, EVIDENCE_TREE, FileFacts, NUMBERS, PINDEX, PINDEX_SIGNATURE, TOC, TRUST,
};
use crate::durable::{self, MODE_PLAIN, MODE_SEALED, Writing};
use crate::error::{AtPath, Code, Error, Result};
use crate::evidence::digest::{Algorithm, Digest};
use crate::evidence::ers::{Group, TreeFile};
use crate::hash::{Digests, HashingWriter, Sha256};
use crate::id::{DocumentId, ReceiptId};

const PLAN: &str = "plan.json";
const STEPS: &str = "steps";
/// Signatures of receipts, made before the content that they are packed into; each marked as plan and facts are.
const SIGNATURES: &str = "signatures";
const PACKAGE: &str = "package";
/// Order in which files are made; a change makes all after it again.
const ORDER: [&str; 8] =
    [CONTENT, TOC, NUMBERS, PINDEX, PINDEX_SIGNATURE, EVIDENCE_TREE, EVIDENCE_TOKEN, EVIDENCE_RECORD];

/// A package being made.
#[derive(Debug)]
pub struct Staging {
    folder: PathBuf,
    plan: Plan,
    key: StagingKey,
}

fn folder_name(plan: &Plan) -> String {
    format!("{}-{}", plan.package.series, plan.package.number)
}

impl Staging {
    /// Keeps a plan in `staging`: durable on return. The same plan again is fine, another one for the same number is not.
    pub fn create(staging: &Path, plan: Plan, key: &StagingKey) -> Result<Self> {
        plan.validate()?;
        let folder = staging.join(folder_name(&plan));
        durable::create_dir_all(&folder)?;
        let path = folder.join(PLAN);
        if path.exists() {
            let kept = Self::open(&folder, key)?;
            return if kept.plan == plan {
                Ok(kept)
            } else {
                Err(Error::new(Code::Internal, "another plan is kept for this number").at(path.display()))
            };
        }
        durable::write_new(&path, &key.marked(PLAN, plan.to_json()?), MODE_PLAIN)?;
        Ok(Self { folder, plan, key: key.clone() })
    }

    /// Opens what an interrupted sealing left. A plan that this archive did not keep here is [`Code::StagingAltered`].
    pub fn open(folder: &Path, key: &StagingKey) -> Result<Self> {
        let path = folder.join(PLAN);
        let altered = || Error::new(Code::StagingAltered, "").at(path.display());
        let bytes = durable::read_plain(&path)?;
        let plan = Plan::parse(key.unmarked(PLAN, &bytes).ok_or_else(altered)?).map_err(|e| e.at(path.display()))?;
        if folder.file_name().is_none_or(|name| name != folder_name(&plan).as_str()) {
            return Err(altered());
        }
        Ok(Self { folder: folder.to_owned(), plan, key: key.clone() })
    }

    /// Whether a plan is kept in this folder.
    pub fn holds_plan(folder: &Path) -> bool {
        folder.join(PLAN).exists()
    }

    /// All plans kept, by series and number. A folder in which no plan was ever kept is removed: nothing depends on it.
    pub fn pending(staging: &Path, key: &StagingKey) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        if !staging.is_dir() {
            return Ok(all);
        }
        for entry in std::fs::read_dir(staging).at_path(staging)? {
            let folder = entry.at_path(staging)?.path();
            // Renewals of evidence keep what is theirs in folders of their own.
            if folder.file_name().is_some_and(|name| generation::is_staging(&name.to_string_lossy())) {
                continue;
            }
            if folder.join(PLAN).exists() {
                all.push(Self::open(&folder, key)?);
            } else if folder.is_dir() {
                durable::remove_dir_all(&folder)?;
            }
        }
        all.sort_by(|a, b| a.plan.package.cmp(&b.plan.package));
        Ok(all)
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// `staging/SERIES-N`: the caller may keep its own files beside the plan (`request.tsq`).
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the package's files are: exactly what goes to the vaults, once all steps are done.
    pub fn package_folder(&self) -> PathBuf {
        self.folder.join(PACKAGE)
    }

    /// Content, table of contents, numbers and index: all that needs neither signature nor time-stamp. A document that is
    /// not as its receipt says ends it with [`Code::ReceiptMismatch`], naming it.
    pub fn build(&self, source: &dyn MemberSource, process: &Process) -> Result<()> {
        self.content(source)?;
        self.table_of_contents()?;
        self.numbers()?;
        self.index(process)?;
        Ok(())
    }

    /// `content.tar.zst`. When it is made anew the table of contents is derived from it in the next step.
    pub fn content(&self, source: &dyn MemberSource) -> Result<FileFacts> {
        self.step(CONTENT, |out| {
            let mtime = u64::try_from(self.plan.planned_at.as_second()).unwrap_or(0);
            let mut content = ContentWriter::new(out, mtime);
            let mut documents = self.plan.documents.iter();
            for (member, sha256) in self.plan.members()? {
                if member.kind == Kind::Document {
                    let document =
                        documents.next().ok_or_else(|| Error::new(Code::Internal, "members and plan differ"))?;
                    let mut data = source.document(&document.id)?;
                    content.append(&member, document.bytes, sha256, &mut *data)?;
                } else {
                    let bytes = source::read_small(source, member.kind, member.id)?;
                    content.append(&member, bytes.len() as u64, sha256, &mut &bytes[..])?;
                }
            }
            if self.receipts_signed()? {
                for receipt in &self.plan.receipts {
                    let member = Member::descriptive(Kind::Signature, receipt.id.0)?;
                    let der = self.kept_signature(receipt.id)?;
                    let der =
                        der.ok_or_else(|| Error::new(Code::StagingAltered, "its signature is gone").at(&member))?;
                    content.append(&member, der.len() as u64, Sha256::of(&der), &mut &der[..])?;
                }
            }
            content.finish()?;
            Ok(())
        })
    }

    /// `toc`, read out of the content as it is on disk: a second look at every byte before anything is signed.
    pub fn table_of_contents(&self) -> Result<FileFacts> {
        self.step(TOC, |out| {
            let toc = derive_toc(&Folder::new(&self.package_folder()))?;
            let mut expected = self.plan.members()?;
            if self.receipts_signed()? {
                for receipt in &self.plan.receipts {
                    let der = self.kept_signature(receipt.id)?.unwrap_or_default();
                    expected.push((Member::descriptive(Kind::Signature, receipt.id.0)?, Sha256::of(&der)));
                }
            }
            let agrees = toc.len() == expected.len()
                && expected.iter().all(|(m, sha256)| toc.find(m.kind, m.id).is_some_and(|r| r.sha256 == *sha256));
            if !agrees {
                return Err(Error::new(Code::ContentAltered, "the content written is not the plan's").at(CONTENT));
            }
            out.write_all(toc.as_bytes()).at_path(Path::new(TOC))
        })
    }

    /// `numbers`.
    pub fn numbers(&self) -> Result<FileFacts> {
        self.put(NUMBERS, &self.plan.numbers().encode())
    }

    /// `PIndex.xml`, checked before it is kept: a configuration that gives an invalid index is an error here.
    pub fn index(&self, process: &Process) -> Result<FileFacts> {
        self.step(PINDEX, |out| {
            let xml = write::write(&self.plan, process, &self.packed_signatures()?, Vec::new())?;
            let index = check::read(&xml[..], &mut |_| {})?;
            if !index.findings.is_empty() {
                let error = Error::new(
                    Code::PIndexInvalid,
                    "the index would not be valid: see [submitter], [holder], [signers]",
                );
                return Err(error.at(&self.plan.package).with_findings(index.findings));
            }
            out.write_all(&xml).at_path(Path::new(PINDEX))
        })
    }

    /// Whether the content is made: what it was made of is settled.
    pub fn is_packed(&self) -> Result<bool> {
        Ok(self.kept_facts(CONTENT)?.is_some())
    }

    /// The signature of a receipt that was kept, if it is ours.
    pub fn kept_signature(&self, receipt: ReceiptId) -> Result<Option<Vec<u8>>> {
        match durable::read_plain(&self.folder.join(SIGNATURES).join(receipt.to_string())) {
            Ok(bytes) => {
                Ok(self.key.unmarked(&self.facts_place(&format!("signature {receipt}")), &bytes).map(<[u8]>::to_vec))
            }
            Err(e) if e.code == Code::FileMissing => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Keeps the signature of a receipt until the content is made; durable on return.
    pub fn keep_signature(&self, receipt: ReceiptId, der: Vec<u8>) -> Result<()> {
        let folder = self.folder.join(SIGNATURES);
        durable::create_dir_all(&folder)?;
        let marked = self.key.marked(&self.facts_place(&format!("signature {receipt}")), der);
        durable::replace(&folder.join(receipt.to_string()), &marked, MODE_PLAIN)
    }

    /// Whether the signature of every receipt is kept: some without the others go into no package.
    fn receipts_signed(&self) -> Result<bool> {
        for receipt in &self.plan.receipts {
            if self.kept_signature(receipt.id)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The signatures of receipts that are in the content, whatever is kept beside it.
    fn packed_signatures(&self) -> Result<write::Signatures> {
        let package = Package::open_folder(&self.package_folder())?;
        let signatures = package.toc().iter().filter(|record| record.kind == Kind::Signature);
        Ok(signatures.map(|record| (ReceiptId(record.id), record.sha256)).collect())
    }

    /// `PIndex.xml.p7s`: the caller signs the index file. Kept twice until the commit, for no second signature is like the first,
    /// and what was time-stamped is the first.
    pub fn signature(&self, der: &[u8]) -> Result<FileFacts> {
        let folder = self.folder.join(SIGNATURES);
        durable::create_dir_all(&folder)?;
        let marked = self.key.marked(&self.facts_place(PINDEX_SIGNATURE), der.to_vec());
        durable::replace(&folder.join(PINDEX_SIGNATURE), &marked, MODE_PLAIN)?;
        self.put(PINDEX_SIGNATURE, der)
    }

    /// Puts the signature of the index in its place again when what is there is not what was made: for a package that is
    /// time-stamped already. [`Code::StagingAltered`] when the other copy is not it either.
    pub fn mend_signature(&self) -> Result<()> {
        let Some(facts) = self.kept_facts(PINDEX_SIGNATURE)? else { return Ok(()) };
        if self.done(PINDEX_SIGNATURE)?.is_some() {
            return Ok(());
        }
        let kept = durable::read_plain(&self.folder.join(SIGNATURES).join(PINDEX_SIGNATURE));
        let kept = match kept {
            Err(error) if error.code != Code::FileMissing => return Err(error),
            kept => kept.unwrap_or_default(),
        };
        let der = self.key.unmarked(&self.facts_place(PINDEX_SIGNATURE), &kept);
        match der.filter(|der| Sha256::of(der) == facts.sha256) {
            Some(der) => self.put(PINDEX_SIGNATURE, der).map(drop),
            None => {
                let path = self.package_folder().join(PINDEX_SIGNATURE);
                let hint = "move this file and staging/run.json out of the archive and keep them: the package is signed, and \
                            those of its run are time-stamped, again";
                Err(Error::new(Code::StagingAltered, "not the signature that was time-stamped")
                    .at(path.display())
                    .hint(hint))
            }
        }
    }

    /// The facts of a step already done and still matching its file.
    pub fn done(&self, name: &str) -> Result<Option<FileFacts>> {
        let path = self.package_folder().join(name);
        let Some(facts) = self.kept_facts(name)? else { return Ok(None) };
        if !path.exists() {
            return Ok(None);
        }
        let digests = Digests::of_reader(&mut durable::open_plain(&path)?).at_path(&path)?;
        Ok((FileFacts::new(name, digests) == facts).then_some(facts))
    }

    /// The evidence tree with this algorithm: a group a document and one for index and signature. Its root is the package's leaf in
    /// the run. SHA-256 is known of everything; for another one what was packed is read again.
    pub fn tree(&self, algorithm: Algorithm) -> Result<TreeFile> {
        let known = match algorithm {
            Algorithm::Sha256 => HashMap::new(),
            other => object_digests(&Package::open_folder(&self.package_folder())?, &[other], &mut |_| {})?,
        };
        let digest = |object: Sha256| match algorithm {
            Algorithm::Sha256 => Ok(Digest::from(object)),
            _ => known.get(&object).and_then(|found| found.first()).copied().ok_or_else(|| {
                Error::new(Code::ContentAltered, "the content is not the plan's").at(self.package_folder().display())
            }),
        };
        let group = |document: Option<uuid::Uuid>, members: Vec<Sha256>| {
            members
                .into_iter()
                .map(digest)
                .collect::<Result<Vec<Digest>>>()
                .map(|members| Group::new(document, members))
        };
        let pindex = self.fact(PINDEX)?;
        let signature = self.kept_facts(PINDEX_SIGNATURE)?;
        let index = std::iter::once(pindex.sha256).chain(signature.map(|facts| facts.sha256));
        let mut groups = vec![group(None, index.collect())?];
        let receipts: HashMap<_, _> = self.plan.receipts.iter().map(|r| (r.id, r)).collect();
        let signatures = self.packed_signatures()?;
        for d in &self.plan.documents {
            let receipt = receipts.get(&d.receipt).ok_or_else(|| Error::new(Code::Internal, "no receipt").at(d.id))?;
            let mut members = vec![d.sha256, d.metadata_sha256, receipt.rdv_sha256, receipt.manifest_sha256];
            members.extend(signatures.get(&d.receipt));
            groups.push(group(Some(d.id.0), members)?);
        }
        TreeFile::build(groups)
    }

    /// The evidence files, once the tree was placed in its run and the token over the run's root is there and verified:
    /// `reply` is kept as it came, `token` is the one in it.
    pub fn evidence(&self, tree: &TreeFile, reply: &[u8], token: &[u8]) -> Result<()> {
        self.put(EVIDENCE_TREE, &tree.encode())?;
        self.put(EVIDENCE_TOKEN, reply)?;
        self.put(EVIDENCE_RECORD, &tree.record(None, token)?.to_der())?;
        Ok(())
    }

    /// A file of `trust/`, by its name in there. Its bytes are already proved by whoever signed them, and no other file is made of
    /// it: it may come at any time before the commit, and a new one makes nothing again.
    pub fn trust(&self, name: &str, bytes: &[u8]) -> Result<FileFacts> {
        self.put(&format!("{TRUST}/{name}"), bytes)
    }

    /// Names of the files of `trust/` that were made, in there.
    fn trust_made(&self) -> Result<Vec<String>> {
        let steps = self.folder.join(STEPS);
        let mut names = Vec::new();
        if !steps.is_dir() {
            return Ok(names);
        }
        for entry in std::fs::read_dir(&steps).at_path(&steps)? {
            let name = entry.at_path(&steps)?.file_name();
            let name = name.to_str().and_then(|name| name.strip_prefix("trust-")?.strip_suffix(".json"));
            names.extend(name.map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Whether every file of `trust/` that was made is there as it was made.
    pub fn trust_is_whole(&self) -> Result<bool> {
        for name in self.trust_made()? {
            if self.done(&format!("{TRUST}/{name}"))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes `trust/`, to be made again.
    pub fn forget_trust(&self) -> Result<()> {
        for name in self.trust_made()? {
            durable::remove_file(&self.facts_path(&format!("{TRUST}/{name}")))?;
        }
        let made = self.package_folder().join(TRUST);
        if made.is_dir() { durable::remove_dir_all(&made) } else { Ok(()) }
    }

    /// Facts of all files, in the order they were made, then those of `trust/` by name: what the chain entry lists. A file that is
    /// not made yet, or whose facts are not ours, is an error; only the index's signature and `trust/` may be missing.
    pub fn files(&self) -> Result<Vec<FileFacts>> {
        let mut all = Vec::with_capacity(ORDER.len());
        for name in ORDER {
            match self.kept_facts(name)? {
                Some(facts) => all.push(facts),
                None if name == PINDEX_SIGNATURE => {}
                None => {
                    return Err(Error::new(Code::StagingAltered, "a step is missing").at(self
                        .folder
                        .join(PACKAGE)
                        .join(name)
                        .display()));
                }
            }
        }
        let made = all.len();
        for name in self.trust_made()? {
            let name = format!("{TRUST}/{name}");
            let facts = self.kept_facts(&name)?;
            all.push(facts.ok_or_else(|| {
                Error::new(Code::StagingAltered, "not our facts").at(self.facts_path(&name).display())
            })?);
        }
        all[made..].sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// Removes all of it, after the commit.
    pub fn remove(self) -> Result<()> {
        durable::remove_dir_all(&self.folder)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<FileFacts> {
        // Small and given by the caller: it is made again only when it is not what is kept.
        if let Some(facts) = self.done(name)?
            && facts.sha256 == Sha256::of(bytes)
        {
            return Ok(facts);
        }
        self.make(name, |out| out.write_all(bytes).at_path(Path::new(name)))
    }

    fn step(&self, name: &str, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<FileFacts> {
        match self.done(name)? {
            Some(facts) => Ok(facts),
            None => self.make(name, fill),
        }
    }

    fn make(&self, name: &str, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<FileFacts> {
        let path = self.package_folder().join(name);
        if let Some(above) = path.parent() {
            durable::create_dir_all(above)?;
        }
        durable::create_dir_all(&self.folder.join(STEPS))?;
        let mut out = HashingWriter::new(BufWriter::with_capacity(1 << 20, Writing::start(&path, MODE_SEALED)?));
        fill(&mut out)?;
        let (buffered, digests) = out.finish();
        let file = buffered.into_inner().map_err(|e| Error::io(path.display(), e.into_error()))?;
        file.finish()?;
        let facts = FileFacts::new(name, digests);
        if self.kept_facts(name)?.as_ref() != Some(&facts) {
            for later in ORDER.iter().skip_while(|step| **step != name).skip(1) {
                durable::remove_file(&self.facts_path(later))?;
                if self.package_folder().join(later).exists() {
                    durable::remove_file(&self.package_folder().join(later))?;
                }
            }
            let json = serde_json::to_vec(&facts).map_err(|e| Error::new(Code::Internal, e.to_string()).because(e))?;
            durable::replace(&self.facts_path(name), &self.key.marked(&self.facts_place(name), json), MODE_PLAIN)?;
        }
        Ok(facts)
    }

    fn facts_path(&self, name: &str) -> PathBuf {
        self.folder.join(STEPS).join(format!("{}.json", name.replace('/', "-")))
    }

    /// What the mark of a step's facts is for: facts of another package, or of an earlier plan, do not pass.
    fn facts_place(&self, name: &str) -> String {
        format!("{} {name}", self.plan.uuid)
    }

    fn kept_facts(&self, name: &str) -> Result<Option<FileFacts>> {
        let path = self.facts_path(name);
        match durable::read_plain(&path) {
            // Facts that are not ours, or not readable, are none: the step is made again.
            Ok(bytes) => {
                let text = self.key.unmarked(&self.facts_place(name), &bytes);
                Ok(text.and_then(|text| serde_json::from_slice(text).ok()))
            }
            Err(e) if e.code == Code::FileMissing => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The facts kept of a file that was made.
    pub fn fact(&self, name: &str) -> Result<FileFacts> {
        self.kept_facts(name)?.ok_or_else(|| Error::new(Code::Internal, "a step before is missing").at(name))
    }
}

/// The document a [`Code::ReceiptMismatch`] names, when it names one.
pub fn named_document(error: &Error) -> Option<DocumentId> {
    super::member::Member::from_path(&error.place)
        .filter(|m| matches!(m.kind, Kind::Document | Kind::Metadata))
        .map(|m| DocumentId(m.id))
}

#[cfg(test)]
mod tests;
