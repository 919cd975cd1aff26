//! The content of a package against index, receipts and numbers.
//!
//! Invariant: every byte of the content is read; every document is held against the table of contents, the index, its
//! receipt and its metadata file; every receipt against its manifest and the archive's signature (AgID guidelines 4.7).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read;

use uuid::Uuid;

use super::package::Look;
use super::signature;
use crate::chain::Reigns;
use crate::document::agid;
use crate::error::{AtPlace, Code, Error, Finding as Seen, Result};
use crate::hash::Sha256;
use crate::id::{DocumentId, Lane, Sequence};
use crate::intake::manifest::{Deposit, Manifest};
use crate::intake::receipt::{Facts, note_text, open_note, origin, rdv};
use crate::package::member::Kind;
use crate::package::numbers::Numbers;
use crate::package::pindex::agents::Agent;
use crate::package::reader::Package;
use crate::package::toc::Record;
use crate::package::{CONTENT, NUMBERS, PINDEX};

/// The largest metadata file, RdV, note or manifest read whole.
const MAX_DESCRIPTION: u64 = 64 << 20;

/// Verifies everything in the content; gives the number of documents whose bytes were hashed, and who may sign by the index.
pub(super) fn verify(look: &mut Look<'_>, package: &Package, numbers: &Numbers) -> (u64, Vec<Agent>) {
    let documents = bytes(look, package);
    let agents = index(look, package);
    if let Err(error) = described(look, package, numbers, &agents) {
        look.failed(&error, Some(CONTENT));
    }
    (documents, agents)
}

/// Every member's bytes. Members lost with a damaged frame are altered documents, not missing ones.
fn bytes(look: &mut Look<'_>, package: &Package) -> u64 {
    let mut documents = 0;
    let scanned = package.verify_content(&mut |seen| documents += u64::from(seen.member.kind == Kind::Document));
    match scanned {
        Ok(scanned) => {
            let damaged = scanned.findings.iter().any(|f| f.code == Code::PackageFileAltered);
            for seen in &scanned.findings {
                if damaged && seen.code == Code::ContentMissing {
                    let detail = format!("not readable any more ({})", seen.message);
                    look.reader_says(&Seen::error(Code::ContentAltered, seen.place.clone(), detail), CONTENT);
                } else {
                    look.reader_says(seen, CONTENT);
                }
            }
            documents
        }
        Err(error) => {
            look.failed(&error, Some(CONTENT));
            0
        }
    }
}

/// The index: structure, agreement with the content, agreement with the chain.
fn index(look: &mut Look<'_>, package: &Package) -> Vec<Agent> {
    let index = match package.verify_index(&mut |_| {}) {
        Ok(index) => index,
        Err(error) => {
            look.stopped(&error, PINDEX);
            return Vec::new();
        }
    };
    for seen in &index.findings {
        look.reader_says(seen, PINDEX);
    }
    let entry = &look.sealed.object;
    // A series element that is missing or wrong is among the findings above.
    if let Some(series) = &index.series {
        let pairs = [
            ("series and number", series.package == look.sealed.package),
            ("index of the package before", series.previous == entry.previous),
            ("class version", series.class_version == entry.class_version),
            ("cohort", series.cohort == entry.cohort),
            ("expiry", series.expiry == entry.expiry),
        ];
        let wrong: Vec<&str> = pairs.iter().filter(|(_, same)| !same).map(|(what, _)| *what).collect();
        if !wrong.is_empty() {
            look.bad(Code::PIndexDisagrees, PINDEX, &format!("not as on the chain: {}", wrong.join(", ")));
        }
    }
    if entry.uuid.is_some_and(|uuid| index.volume != format!("urn:uuid:{uuid}")) {
        look.bad(Code::PIndexDisagrees, PINDEX, "the identifier of the package is not that on the chain");
    }
    index.authorised
}

/// What the RdV said, until note and manifest have been held against it.
struct Receipt {
    note: String,
    deposit: Sha256,
    manifest: Sha256,
    number: (Lane, Sequence),
}

struct Described<'a> {
    keys: &'a Reigns,
    /// Who may sign, by the index.
    agents: &'a [Agent],
    receipts: HashMap<Uuid, Receipt>,
    noted: HashSet<Uuid>,
    manifests: HashSet<Uuid>,
    /// Documents that a manifest of the package names, with their receipt.
    named: HashMap<Uuid, Uuid>,
    /// Receipt that a document's metadata file names.
    metadata: HashMap<Uuid, Uuid>,
}

/// Metadata files, receipts, notes and manifests, against each other and the table of contents.
fn described(look: &mut Look<'_>, package: &Package, numbers: &Numbers, agents: &[Agent]) -> Result<()> {
    let mut all = Described {
        keys: look.keys,
        agents,
        receipts: HashMap::new(),
        noted: HashSet::new(),
        manifests: HashSet::new(),
        named: HashMap::new(),
        metadata: HashMap::new(),
    };
    for kind in Kind::DESCRIPTIVE {
        for record in package.toc().iter().filter(|record| record.kind == kind && record.length > MAX_DESCRIPTION) {
            look.bad(Code::ContentAltered, CONTENT, &format!("{kind:?} {} is larger than any such member", record.id));
        }
    }
    let walked = package.each_member(&Kind::DESCRIPTIVE, &mut |record, reader| {
        let mut bytes = Vec::new();
        reader.take(MAX_DESCRIPTION).read_to_end(&mut bytes).at(record.id)?;
        if let Err(error) = all.take(look, package, record, &bytes) {
            let id = DocumentId(record.id);
            let detail = format!("{:?} {id}: {}", record.kind, error.detail);
            match record.kind {
                Kind::Metadata => look.bad_document(Code::ContentAltered, CONTENT, id, &detail),
                _ => look.bad(damage(&error), CONTENT, &detail),
            }
        }
        Ok(())
    });
    if let Err(error) = walked {
        look.failed(&error, Some(CONTENT));
        // Frames that cannot be read were named one by one; what follows needs all of them.
        return Ok(());
    }
    all.whole(look, package);
    let inside: BTreeSet<_> = all.receipts.values().map(|receipt| receipt.number).collect();
    if inside.len() != all.receipts.len() || !numbers.iter().eq(inside) {
        look.bad(Code::NumbersDisagree, NUMBERS, "not the numbers of the receipts inside");
    }
    Ok(())
}

/// A description that does not parse is damage, whatever its parser would say to a depositor.
fn damage(error: &Error) -> Code {
    if error.code.kind() == crate::error::Kind::Damage { error.code } else { Code::ContentAltered }
}

impl Described<'_> {
    fn take(&mut self, look: &mut Look<'_>, package: &Package, record: &Record, bytes: &[u8]) -> Result<()> {
        let wrong = |what: &str| Err(Error::new(Code::ContentAltered, what));
        match record.kind {
            Kind::Document => Ok(()),
            Kind::Metadata => {
                let file = agid::parse(bytes)?;
                if file.document.0 != record.id {
                    return wrong("it is of another document");
                }
                let document = package.toc().find(Kind::Document, record.id);
                if document.is_none_or(|d| d.sha256 != file.digests.sha256 || d.length != file.digests.bytes) {
                    return wrong("its document is not the one it describes");
                }
                self.metadata.insert(record.id, file.receipt.0);
                Ok(())
            }
            Kind::Receipt => {
                let facts = rdv::parse(bytes)?;
                if facts.deposit.receipt.0 != record.id {
                    return wrong("it is another receipt");
                }
                self.receipts.insert(record.id, Receipt::of(&facts, bytes, &origin(self.keys.name()))?);
                Ok(())
            }
            Kind::Note => {
                let text = String::from_utf8_lossy(bytes);
                let (note, _) = open_note(&text, self.keys)?;
                self.noted.insert(record.id);
                match self.receipts.get(&record.id) {
                    Some(receipt) if receipt.note == note => Ok(()),
                    Some(_) => Err(Error::new(Code::SignatureInvalid, "the signed note is of another receipt")),
                    None => wrong("a note without its receipt"),
                }
            }
            Kind::Manifest => {
                let manifest = Manifest::parse(bytes)?;
                self.manifests.insert(record.id);
                match self.receipts.get(&record.id) {
                    Some(receipt) if receipt.manifest != record.sha256 => wrong("not the manifest its receipt names"),
                    Some(receipt) if receipt.deposit != digest(&manifest.deposit)? => {
                        wrong("it tells another deposit than its receipt")
                    }
                    Some(_) => {
                        self.items(look, package, &manifest.deposit);
                        Ok(())
                    }
                    None => wrong("a manifest without its receipt"),
                }
            }
            Kind::Signature => match package.toc().find(Kind::Receipt, record.id) {
                Some(rdv) => {
                    let member = format!("signature of receipt {}", DocumentId(record.id));
                    signature::judge(look, bytes, rdv.sha256, self.agents, CONTENT, &member);
                    Ok(())
                }
                None => wrong("a signature without its receipt"),
            },
        }
    }

    /// Every document of the deposit that is in this package is the one acknowledged.
    fn items(&mut self, look: &mut Look<'_>, package: &Package, deposit: &Deposit) {
        for item in &deposit.documents {
            let Some(document) = package.toc().find(Kind::Document, item.id.0) else { continue };
            self.named.insert(item.id.0, deposit.receipt.0);
            if document.sha256 != item.sha256 || document.length != item.bytes {
                look.bad_document(Code::ContentAltered, CONTENT, item.id, "its receipt acknowledges other bytes");
            }
            let metadata = package.toc().find(Kind::Metadata, item.id.0);
            if metadata.is_none_or(|metadata| metadata.sha256 != item.metadata_sha256) {
                look.bad_document(Code::ContentAltered, CONTENT, item.id, "its receipt names another metadata file");
            }
        }
    }

    /// Nothing is there without what belongs to it.
    fn whole(&self, look: &mut Look<'_>, package: &Package) {
        for record in package.toc().iter() {
            let id = DocumentId(record.id);
            let document = match record.kind {
                Kind::Document => !self.named.contains_key(&record.id),
                Kind::Metadata => self.metadata.get(&record.id) != self.named.get(&record.id),
                Kind::Receipt => {
                    if !self.noted.contains(&record.id) || !self.manifests.contains(&record.id) {
                        look.bad(Code::ContentMissing, CONTENT, &format!("receipt {id} without its note or manifest"));
                    }
                    false
                }
                Kind::Note | Kind::Manifest | Kind::Signature => false,
            };
            if document {
                look.bad_document(Code::ReceiptMismatch, CONTENT, id, "no receipt of the package acknowledges it");
            }
        }
    }
}

impl Receipt {
    fn of(facts: &Facts, bytes: &[u8], origin: &str) -> Result<Self> {
        Ok(Self {
            note: note_text(origin, facts, bytes),
            deposit: digest(&facts.deposit)?,
            manifest: facts.manifest_sha256,
            number: (facts.deposit.lane, facts.sequence),
        })
    }
}

/// RdV and manifest tell the same deposit when this is the same; kept instead of the deposit itself.
fn digest(deposit: &Deposit) -> Result<Sha256> {
    let json = serde_json::to_vec(deposit).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
    Ok(Sha256::of(&json))
}
