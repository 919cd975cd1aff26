//! The evidence of a package, from its documents down to its last token.
//!
//! Invariant: the groups are computed again from the content's hashes, in every digest algorithm that a renewal used; trees,
//! records, tokens and chain entries must all speak of those same trees. A package whose tokens lead to no configured anchor
//! is unchecked, one that is wrong is bad. RFC 4998, 3161.

use std::collections::HashMap;

use uuid::Uuid;

use super::package::Look;
use super::report::Finding;
use crate::clock::iso_seconds;
use crate::error::{Code, Error, Result};
use crate::evidence::digest::{Algorithm, Digest};
use crate::evidence::ers::history::Covers;
use crate::evidence::ers::{Group, History, Judge as _, Judged, TreeFile, record};
use crate::hash::Sha256;
use crate::id::DocumentId;
use crate::intake::manifest::Manifest;
use crate::package::generation::{self, object_digests, record_name, token_name, tree_name};
use crate::package::member::Kind;
use crate::package::reader::Package;
use crate::package::{EVIDENCE_TREE, PINDEX, PINDEX_SIGNATURE};

/// The largest manifest read.
const MAX_MANIFEST: u64 = 64 << 20;

/// The digests of a package's objects, by their SHA-256, in the order of the algorithms.
type Digests = (Vec<Algorithm>, HashMap<Sha256, Vec<Digest>>);

/// Verifies trees, tokens and records of all generations.
pub(super) fn verify(look: &mut Look<'_>, package: &Package) {
    let read = |name: &str, limit| package.read_file(name, limit).map_err(|error| error.at(name));
    let history = match generation::history(look.sealed.generations(), &read) {
        Ok(history) => history,
        Err(error) => {
            let file = if error.place.is_empty() { EVIDENCE_TREE } else { &error.place };
            return look.stopped(&error, file);
        }
    };
    let Some(sealed) = history.sealed() else { return };
    groups(look, package, sealed);
    let entry = &look.sealed.object;
    if sealed.root() != entry.ers_root || entry.run_root.is_some_and(|root| root != sealed.run_root()) {
        look.bad(Code::EvidenceAltered, EVIDENCE_TREE, "its root is not that on the chain");
    }
    let digests = match renewed_groups(look, package, &history) {
        Ok(digests) => digests,
        // What cannot be read was named with the content.
        Err(error) => return look.stopped(&error, &tree_name(look.sealed.generations())),
    };
    let Some(stamps) = tokens(look, &history) else { return };
    if stamps.iter().all(|stamp| stamp.untrusted.is_some()) {
        let why = stamps.last().and_then(|stamp| stamp.untrusted.clone()).unwrap_or_default();
        let newest = token_name(look.sealed.generations());
        look.failed(&Error::new(Code::TokenUntrusted, why), Some(&newest));
    } else {
        records(look, package, &history, &digests);
    }
}

/// Every token over its root, at its own time, which is that on the chain; `None` when one of them is wrong.
fn tokens(look: &mut Look<'_>, history: &History) -> Option<Vec<Judged>> {
    let mut stamps = Vec::new();
    for (n, generation) in history.generations().iter().enumerate() {
        let file = token_name(n as u32 + 1);
        match look.subject.anchors.judge(&generation.token, &generation.root()) {
            Ok(judged) => {
                let said = match n {
                    0 => look.sealed.object.stamped_at,
                    n => look.sealed.renewals.get(n - 1).copied(),
                };
                if said.is_some_and(|at| iso_seconds(at) != iso_seconds(judged.time)) {
                    look.bad(Code::EvidenceAltered, &file, "another time than on the chain");
                }
                stamps.push(judged);
            }
            Err(error) => token_failed(look, &error, &file),
        }
    }
    (stamps.len() == history.generations().len()).then_some(stamps)
}

/// The record of the index group of each generation, and that the newest proves the index.
fn records(look: &mut Look<'_>, package: &Package, history: &History, digests: &Digests) {
    for generation in 1..=look.sealed.generations() {
        let file = record_name(generation);
        // Never rewritten (renewals are files of their own), so it is exactly what trees and tokens give.
        let outcome = package.read_file(&file, record::MAX_BYTES as u64).and_then(|der| {
            if history.record_of(None, generation as usize)?.to_der() == der {
                return Ok(());
            }
            Err(Error::new(Code::EvidenceAltered, "not the record that tree and token give"))
        });
        match outcome {
            Ok(()) => {}
            Err(error) if error.code == Code::FileMissing => return,
            Err(error) => return token_failed(look, &error, &file),
        }
    }
    let sealed = history.sealed().and_then(|tree| tree.group(None)).cloned();
    let members = |algorithm| match &sealed {
        Some(group) => translated(group, algorithm, digests)
            .ok_or_else(|| Error::new(Code::EvidenceAltered, "it covers an index that is not here")),
        None => Err(Error::new(Code::EvidenceAltered, "no group of the index")),
    };
    let file = record_name(look.sealed.generations());
    let proved = history
        .record(None)
        .and_then(|record| crate::evidence::ers::verify(&record.to_der(), &members, look.subject.anchors));
    match proved {
        Ok(verified) => {
            for (ended, renewed) in verified.gaps() {
                let detail = format!("ended {}, renewed {}", iso_seconds(ended), iso_seconds(renewed));
                look.say(Finding::note(Code::RenewalGap, look.place.in_file(&file), &detail));
            }
        }
        Err(error) => token_failed(look, &error, &file),
    }
}

/// The members of a group as sealed, in another algorithm.
fn translated(group: &Group, algorithm: Algorithm, digests: &Digests) -> Option<Vec<Digest>> {
    if group.members.iter().all(|member| member.algorithm() == algorithm) {
        return Some(group.members.clone());
    }
    let at = digests.0.iter().position(|known| *known == algorithm)?;
    group.members.iter().map(|member| digests.1.get(&member.sha256()?)?.get(at).copied()).collect()
}

/// Hash-tree renewals cover the same objects, each with its digest in the new algorithm, computed again here.
fn renewed_groups(look: &mut Look<'_>, package: &Package, history: &History) -> Result<Digests> {
    let trees = || {
        history.generations().iter().enumerate().skip(1).filter_map(|(n, generation)| match &generation.covers {
            Covers::Groups(tree) => Some((n as u32 + 1, tree)),
            Covers::Token(_) => None,
        })
    };
    let mut algorithms: Vec<Algorithm> =
        trees().map(|(_, tree)| tree.algorithm()).filter(|algorithm| *algorithm != Algorithm::Sha256).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    if algorithms.is_empty() && trees().next().is_none() {
        return Ok((algorithms, HashMap::new()));
    }
    let found = object_digests(package, &algorithms, &mut |_| {})?;
    let digests = (algorithms, found);
    let Some(sealed) = history.sealed() else { return Ok(digests) };
    for (generation, tree) in trees() {
        let file = tree_name(generation);
        for group in sealed.groups() {
            let expected = translated(group, tree.algorithm(), &digests);
            let found = tree.group(group.document).map(|group| &group.members);
            if expected.is_none() || expected.as_ref() != found {
                let detail = "the renewed tree does not cover it and what belongs to it";
                match group.document {
                    Some(id) => look.bad_document(Code::EvidenceAltered, &file, DocumentId(id), detail),
                    None => look.bad(Code::EvidenceAltered, &file, "the renewed tree does not cover the index"),
                }
            }
        }
        if tree.groups().len() != sealed.groups().len() {
            look.bad(Code::EvidenceAltered, &file, "it has groups that were not sealed");
        }
    }
    Ok(digests)
}

fn token_failed(look: &mut Look<'_>, error: &Error, file: &str) {
    match error.code {
        Code::EvidenceAltered => look.failed(error, Some(file)),
        code if ["timestamp", "evidence/"].iter().any(|room| code.as_str().starts_with(room)) => {
            look.failed(error, Some(file));
        }
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
            [Some(document)].into_iter().chain(others).flatten().map(|record| Digest::from(record.sha256)).collect();
        if given.get(&Some(document.id)).is_none_or(|group| group.members != members) {
            let detail = "no group of the tree covers it and what belongs to it";
            look.bad_document(Code::EvidenceAltered, EVIDENCE_TREE, DocumentId(document.id), detail);
        }
    }
    let sealed = [PINDEX, PINDEX_SIGNATURE].iter().filter_map(|name| look.sealed.file(name));
    let members: Vec<_> = sealed.map(|file| Digest::from(file.sha256)).collect();
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
