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
    let entry = &look.sealed.object;
    if sealed.root() != entry.ers_root || entry.run_root.is_some_and(|root| root != sealed.run_root()) {
        look.bad(Code::EvidenceAltered, EVIDENCE_TREE, "its root is not that on the chain");
    }
    let digests = match digests(package, &history) {
        Ok(digests) => digests,
        // What cannot be read was named with the content.
        Err(error) => return look.stopped(&error, &tree_name(look.sealed.generations())),
    };
    match receipts(package) {
        Ok(receipts) => {
            let expected = expected(look, package, &receipts);
            for (generation, tree) in trees(&history) {
                groups(look, &tree_name(generation), tree, &expected, &digests);
            }
        }
        // Unreadable manifests were named with the content.
        Err(_) => look.bad(Code::EvidenceAltered, EVIDENCE_TREE, "its leaves could not be held against the content"),
    }
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
    let index = index_files(look);
    let members = |algorithm| {
        let found = translated(&index, algorithm, digests);
        found.ok_or_else(|| Error::new(Code::EvidenceAltered, "it covers an index that is not here"))
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

/// Objects in another algorithm; `None` when one of them was not read.
fn translated(objects: &[Sha256], algorithm: Algorithm, digests: &Digests) -> Option<Vec<Digest>> {
    if algorithm == Algorithm::Sha256 {
        return Some(objects.iter().copied().map(Digest::from).collect());
    }
    let at = digests.0.iter().position(|known| *known == algorithm)?;
    objects.iter().map(|object| digests.1.get(object)?.get(at).copied()).collect()
}

/// The trees over the package's objects, with their generations.
fn trees(history: &History) -> impl Iterator<Item = (u32, &TreeFile)> {
    history.generations().iter().enumerate().filter_map(|(n, generation)| match &generation.covers {
        Covers::Groups(tree) => Some((n as u32 + 1, tree)),
        Covers::Token(_) => None,
    })
}

/// What trees of another algorithm than SHA-256 cover, computed again here.
fn digests(package: &Package, history: &History) -> Result<Digests> {
    let other = trees(history).map(|(_, tree)| tree.algorithm()).filter(|algorithm| *algorithm != Algorithm::Sha256);
    let mut algorithms: Vec<Algorithm> = other.collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    let found = if algorithms.is_empty() { HashMap::new() } else { object_digests(package, &algorithms, &mut |_| {})? };
    Ok((algorithms, found))
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

/// The files that the group of the index covers, as the chain names them.
fn index_files(look: &Look<'_>) -> Vec<Sha256> {
    [PINDEX, PINDEX_SIGNATURE].iter().filter_map(|name| look.sealed.file(name)).map(|file| file.sha256).collect()
}

/// The leaves of every tree over the package's objects: the documents, their metadata, receipts and manifests, and the index, all of
/// them and nothing else.
fn expected(look: &Look<'_>, package: &Package, receipts: &HashMap<Uuid, Uuid>) -> Vec<(Option<Uuid>, Vec<Sha256>)> {
    let toc = package.toc();
    let of_document = |document: crate::package::toc::Record| {
        let receipt = receipts.get(&document.id);
        let others = [
            toc.find(Kind::Metadata, document.id),
            receipt.and_then(|receipt| toc.find(Kind::Receipt, *receipt)),
            receipt.and_then(|receipt| toc.find(Kind::Manifest, *receipt)),
            receipt.and_then(|receipt| toc.find(Kind::Signature, *receipt)),
        ];
        let members = [Some(document)].into_iter().chain(others).flatten().map(|record| record.sha256).collect();
        (Some(document.id), members)
    };
    let documents = toc.iter().filter(|record| record.kind == Kind::Document).map(of_document);
    documents.chain([(None, index_files(look))]).collect()
}

/// Holds the groups of a tree against what they have to be.
fn groups(
    look: &mut Look<'_>,
    file: &str,
    tree: &TreeFile,
    expected: &[(Option<Uuid>, Vec<Sha256>)],
    digests: &Digests,
) {
    let given: HashMap<Option<Uuid>, &Group> = tree.groups().iter().map(|group| (group.document, group)).collect();
    if given.len() != tree.groups().len() {
        look.bad(Code::EvidenceAltered, file, "a group stands twice");
    }
    for (document, objects) in expected {
        let members = translated(objects, tree.algorithm(), digests);
        if members.is_some() && members.as_ref() == given.get(document).map(|group| &group.members) {
            continue;
        }
        match document {
            Some(id) => {
                let detail = "no group of the tree covers it and what belongs to it";
                look.bad_document(Code::EvidenceAltered, file, DocumentId(*id), detail);
            }
            None => look.bad(Code::EvidenceAltered, file, "no group of the tree covers the index"),
        }
    }
    if given.len() != expected.len() {
        look.bad(Code::EvidenceAltered, file, "it has groups of documents that are not here");
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
