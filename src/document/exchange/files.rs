//! Which of the files that are held a notification is of (`reference/fatturapa` sections 6 and 8.4).
//!
//! Names are not unique: portals rename files, suppliers call theirs `fattura.xml`, and one name may be held twice with other bytes.
//! Invariant: what a notification says of one file is never said of another: the digest decides where it is told and held; else the
//! identifier, when a digest or the producer has tied it to a file; else the name, and where several files of that name are not the same
//! invoice, it is said that nobody knows.

use std::collections::{BTreeMap, BTreeSet};

use super::{Invoice, Notification, known_identifier};
use crate::document::proof::Proof;
use crate::hash::Sha256;

/// The files of a group, by their digests, each with the documents that hold it.
pub(super) struct Files<'a> {
    by_digest: BTreeMap<String, Vec<&'a Invoice>>,
    /// The files that an identifier is known to be of.
    bound: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> Files<'a> {
    pub fn of(invoices: &[&'a Invoice], notifications: &[&Notification]) -> Self {
        let mut by_digest: BTreeMap<String, Vec<&Invoice>> = BTreeMap::new();
        let mut bound: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for one in invoices {
            by_digest.entry(one.sha256.to_string()).or_default().push(one);
            if let Some(id) = known_identifier(one.sdi_identifier.as_deref()) {
                bound.entry(id).or_default().insert(one.sha256.to_string());
            }
        }
        for one in notifications.iter().filter(|one| one.proof != Proof::Invalid) {
            if let (Some(id), Some(said)) = (known_identifier(one.sdi_identifier.as_deref()), digest(one))
                && by_digest.contains_key(&said)
            {
                bound.entry(id).or_default().insert(said);
            }
        }
        Self { by_digest, bound }
    }

    /// Each file: its digest, and the documents that hold it.
    pub fn each(&self) -> impl Iterator<Item = (&String, &Vec<&'a Invoice>)> {
        self.by_digest.iter()
    }

    /// How sure it is that a notification is of this file; `None` when it is of another.
    pub fn is_of(&self, file: &str, one: &Notification) -> Option<Certainty> {
        if let Some(said) = digest(one).filter(|said| self.by_digest.contains_key(said)) {
            return (said == file).then_some(Certainty::Known);
        }
        let id = known_identifier(one.sdi_identifier.as_deref());
        if let Some(files) = id.and_then(|id| self.bound.get(&id)) {
            return files.contains(file).then_some(Certainty::Known);
        }
        let named = |documents: &[&Invoice]| {
            documents.iter().any(|held| held.file_base.is_some() && base(&held.file_base) == base(&one.file_base))
        };
        let mut meant: Vec<&String> =
            self.by_digest.iter().filter(|(_, documents)| named(documents)).map(|(digest, _)| digest).collect();
        if meant.is_empty() {
            meant = self.by_digest.keys().collect();
        }
        if !meant.iter().any(|digest| *digest == file) {
            return None;
        }
        // With and without its signature, one invoice is two files.
        let says = |digest: &Sha256Text| self.by_digest[digest].iter().find_map(|held| held.says.as_ref());
        let first = meant.first().and_then(|digest| says(digest));
        let one_invoice = meant.len() == 1 || (first.is_some() && meant.iter().all(|digest| says(digest) == first));
        Some(if one_invoice { Certainty::Known } else { Certainty::Ambiguous })
    }
}

/// A digest in hexadecimal.
type Sha256Text = String;

/// How sure it is that a notification is of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    Known,
    /// It may be of another file of the same name.
    Ambiguous,
}

fn digest(one: &Notification) -> Option<Sha256Text> {
    let said = one.file_sha256.as_deref()?.trim().to_ascii_lowercase().parse::<Sha256>();
    said.ok().map(|sha256| sha256.to_string())
}

fn base(name: &Option<String>) -> Option<String> {
    name.as_ref().map(|name| name.to_uppercase())
}
