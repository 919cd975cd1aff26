//! The evidence of a package, from its documents down to the token.
//!
//! Invariant: the groups are computed again from the content's hashes; tree, record, token and chain entry must all speak
//! of that same tree. A token that leads to no configured anchor is unchecked, one that is wrong is bad. RFC 4998, 3161.

use std::collections::HashMap;

use uuid::Uuid;

use super::package::Look;
use crate::clock::iso_seconds;
use crate::error::{Code, Error, Result};
use crate::evidence::ers::{Group, TreeFile, file, record};
use crate::evidence::tsp;
use crate::id::DocumentId;
use crate::intake::manifest::Manifest;
use crate::package::member::Kind;
use crate::package::reader::Package;
use crate::package::{EVIDENCE_RECORD, EVIDENCE_TOKEN, EVIDENCE_TREE, PINDEX, PINDEX_SIGNATURE};

/// The largest manifest read.
const MAX_MANIFEST: u64 = 64 << 20;

/// Verifies tree, record and token.
pub(super) fn verify(look: &mut Look<'_>, package: &Package) {
    let tree = package.read_file(EVIDENCE_TREE, file::MAX_BYTES).and_then(|bytes| TreeFile::parse(&bytes));
    let tree = match tree {
        Ok(tree) => tree,
        Err(error) => return look.stopped(&error, EVIDENCE_TREE),
    };
    groups(look, package, &tree);
    let entry = &look.sealed.object;
    if tree.root() != entry.ers_root || entry.stamped_root.is_some_and(|root| root != tree.run_root()) {
        look.bad(Code::EvidenceAltered, EVIDENCE_TREE, "its root is not that on the chain");
    }
    let token = package.read_file(EVIDENCE_TOKEN, tsp::MAX_REPLY as u64).map(|bytes| token_of(&bytes));
    let token = match token {
        Ok(token) => token,
        Err(error) => return look.stopped(&error, EVIDENCE_TOKEN),
    };
    match tsp::verify_token(&token, tree.run_root(), look.subject.anchors) {
        Ok(stamp) => {
            let time = stamp.info().gen_time;
            if look.sealed.object.stamped_at.is_some_and(|at| iso_seconds(at) != iso_seconds(time)) {
                look.bad(Code::EvidenceAltered, EVIDENCE_TOKEN, "another time than on the chain");
            }
        }
        Err(error) => token_failed(look, &error, EVIDENCE_TOKEN),
    }
    if let Err(error) = index_record(look, package, &tree, &token) {
        match error.code {
            // Said of the token itself just now.
            Code::TokenUntrusted => {}
            Code::FileMissing => {}
            _ => token_failed(look, &error, EVIDENCE_RECORD),
        }
    }
}

/// The file holds the authority's reply, or the token alone.
fn token_of(bytes: &[u8]) -> Vec<u8> {
    tsp::token_of_reply(bytes).unwrap_or_else(|_| bytes.to_vec())
}

fn token_failed(look: &mut Look<'_>, error: &Error, file: &str) {
    match error.code {
        Code::EvidenceAltered => look.failed(error, Some(file)),
        code if code.as_str().starts_with("timestamp") => look.failed(error, Some(file)),
        _ => look.bad(Code::TokenInvalid, file, &format!("{}: {}", error.code.as_str(), error.detail)),
    }
}

/// The leaves are the documents, their metadata, receipts and manifests, and the index: all of them and nothing else.
fn groups(look: &mut Look<'_>, package: &Package, tree: &TreeFile) {
    let receipts = match receipts(package) {
        Ok(receipts) => receipts,
        // Unreadable manifests were named with the content.
        Err(_) => {
            return look.bad(Code::EvidenceAltered, EVIDENCE_TREE, "its leaves could not be held against the content");
        }
    };
    let given: HashMap<Option<Uuid>, &Group> = tree.groups().iter().map(|group| (group.document, group)).collect();
    if given.len() != tree.groups().len() {
        look.bad(Code::EvidenceAltered, EVIDENCE_TREE, "a group stands twice");
    }
    let mut expected = 1;
    for document in package.toc().iter().filter(|record| record.kind == Kind::Document) {
        expected += 1;
        let toc = package.toc();
        let receipt = receipts.get(&document.id);
        let others = [
            toc.find(Kind::Metadata, document.id),
            receipt.and_then(|receipt| toc.find(Kind::Receipt, *receipt)),
            receipt.and_then(|receipt| toc.find(Kind::Manifest, *receipt)),
            receipt.and_then(|receipt| toc.find(Kind::Signature, *receipt)),
        ];
        let members: Vec<_> =
            [Some(document)].into_iter().chain(others).flatten().map(|record| record.sha256).collect();
        if given.get(&Some(document.id)).is_none_or(|group| group.members != members) {
            let detail = "no group of the tree covers it and what belongs to it";
            look.bad_document(Code::EvidenceAltered, EVIDENCE_TREE, DocumentId(document.id), detail);
        }
    }
    let sealed = [PINDEX, PINDEX_SIGNATURE].iter().filter_map(|name| look.sealed.file(name));
    let members: Vec<_> = sealed.map(|file| file.sha256).collect();
    if given.get(&None).is_none_or(|group| group.members != members) {
        look.bad(Code::EvidenceAltered, EVIDENCE_TREE, "no group of the tree covers the index");
    }
    if given.len() != expected {
        look.bad(Code::EvidenceAltered, EVIDENCE_TREE, "it has groups of documents that are not here");
    }
}

/// The receipt of each document, as the manifests say.
fn receipts(package: &Package) -> Result<HashMap<Uuid, Uuid>> {
    let mut receipts = HashMap::new();
    package.each_member(&[Kind::Manifest], &mut |record, reader| {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(reader, MAX_MANIFEST), &mut bytes)
            .map_err(|e| Error::io(record.id, e))?;
        let deposit = Manifest::parse(&bytes)?.deposit;
        receipts.extend(deposit.documents.iter().map(|item| (item.id.0, deposit.receipt.0)));
        Ok(())
    })?;
    Ok(receipts)
}

/// The record of the index group proves the index under the same token.
fn index_record(look: &mut Look<'_>, package: &Package, tree: &TreeFile, token: &[u8]) -> Result<()> {
    let der = package.read_file(EVIDENCE_RECORD, record::MAX_BYTES as u64)?;
    // Never rewritten (renewals are files of their own), so it is exactly what tree and token give.
    if tree.record(None, token)?.to_der() != der {
        return Err(Error::new(Code::EvidenceAltered, "not the record that tree and token give"));
    }
    let members = tree.group(None).map(|group| group.members.clone()).unwrap_or_default();
    record::verify(&der, &members, &|token, imprint| {
        tsp::verify_token(token, imprint, look.subject.anchors).map(|token| token.info().gen_time)
    })?;
    Ok(())
}
