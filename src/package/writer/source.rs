//! Where a package's bytes come from: the journal, or older packages in a regroup.

use std::collections::HashSet;
use std::io::Read;

use sha2::Digest as _;
use uuid::Uuid;

use crate::error::{AtPlace, Code, Error, Result};
use crate::hash::Sha256;
use crate::id::{DocumentId, ReceiptId};
use crate::package::member::{Kind, Member};
use crate::package::plan::{Document, Receipt};

/// Largest metadata file, RdV, note or manifest.
const MAX_SMALL: u64 = 64 << 20;

/// Gives the bytes of each member as they were accepted. Reading is repeatable; bytes are compared here with the receipt,
/// so a source need not.
pub trait MemberSource {
    /// A document's bytes.
    fn document(&self, id: &DocumentId) -> Result<Box<dyn Read + '_>>;
    /// Its AgID metadata file.
    fn metadata(&self, id: &DocumentId) -> Result<Box<dyn Read + '_>>;
    /// A receipt's RdV.
    fn rdv(&self, id: &ReceiptId) -> Result<Box<dyn Read + '_>>;
    /// Its signed note.
    fn note(&self, id: &ReceiptId) -> Result<Box<dyn Read + '_>>;
    /// Its manifest.
    fn manifest(&self, id: &ReceiptId) -> Result<Box<dyn Read + '_>>;
}

fn open(source: &dyn MemberSource, kind: Kind, id: Uuid) -> Result<Box<dyn Read + '_>> {
    match kind {
        Kind::Document => source.document(&DocumentId(id)),
        Kind::Metadata => source.metadata(&DocumentId(id)),
        Kind::Receipt => source.rdv(&ReceiptId(id)),
        Kind::Note => source.note(&ReceiptId(id)),
        Kind::Manifest => source.manifest(&ReceiptId(id)),
        // Made while the package is, never received.
        Kind::Signature => Err(Error::new(Code::Internal, "signatures have no source").at(id)),
    }
}

pub(super) fn read_small(source: &dyn MemberSource, kind: Kind, id: Uuid) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(source, kind, id)?.take(MAX_SMALL + 1).read_to_end(&mut bytes).at(id)?;
    if bytes.len() as u64 > MAX_SMALL {
        return Err(Error::new(Code::ReceiptMismatch, "larger than any file of its kind").at(id));
    }
    Ok(bytes)
}

fn compare(source: &dyn MemberSource, member: &Member, bytes: Option<u64>, sha256: Sha256) -> Result<()> {
    let mut data = open(source, member.kind, member.id)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        let n = match data.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Error::io(member, e)),
        };
        hasher.update(&buffer[..n]);
        length += n as u64;
    }
    if Sha256(hasher.finalize().into()) != sha256 || bytes.is_some_and(|bytes| bytes != length) {
        return Err(Error::new(Code::ReceiptMismatch, "SHA-256 or length differs").at(member));
    }
    Ok(())
}

/// Re-reads documents and receipts before a plan is made: gives each document that is not as its receipt says, or could
/// not be read, with the reason. It stays in the journal; the others go on. A receipt that fails takes all its documents
/// with it.
pub fn recheck(source: &dyn MemberSource, documents: &[Document], receipts: &[Receipt]) -> Vec<(DocumentId, Error)> {
    let check_receipt = |receipt: &Receipt| -> Result<()> {
        for (kind, sha256) in [
            (Kind::Receipt, receipt.rdv_sha256),
            (Kind::Note, receipt.note_sha256),
            (Kind::Manifest, receipt.manifest_sha256),
        ] {
            compare(source, &Member::descriptive(kind, receipt.id.0)?, None, sha256)?;
        }
        Ok(())
    };
    let mut failed = Vec::new();
    let mut unreceipted = HashSet::new();
    for receipt in receipts {
        if check_receipt(receipt).is_err() {
            for document in documents.iter().filter(|d| d.receipt == receipt.id) {
                // Asked again for each, since an error belongs to one document.
                let reason = check_receipt(receipt).err();
                let reason =
                    reason.unwrap_or_else(|| Error::new(Code::ReceiptMismatch, "its receipt was not readable"));
                unreceipted.insert(document.id);
                failed.push((document.id, reason));
            }
        }
    }
    for document in documents {
        if unreceipted.contains(&document.id) {
            continue;
        }
        let outcome = Member::document(document.id.0, &document.extension)
            .and_then(|member| compare(source, &member, Some(document.bytes), document.sha256))
            .and_then(|()| Member::descriptive(Kind::Metadata, document.id.0))
            .and_then(|member| compare(source, &member, None, document.metadata_sha256));
        if let Err(error) = outcome {
            failed.push((document.id, error));
        }
    }
    failed
}
