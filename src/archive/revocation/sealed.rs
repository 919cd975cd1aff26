//! What a package carries of revocation: `trust/revocation.jsonl`, a line a signature, and beside it every list and answer that a
//! line names (`trust/<sha256>.crl`, `trust/<sha256>.ocsp`).
//!
//! Invariants: it is written once, before the commit, and listed on the chain with every other file of the package; a line says what
//! was found and by what, never more (I7); it names documents by their ids and places in them, nobody else. The receipt is not
//! changed: it says what was known at deposit, this what was known at sealing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::gather::Run;
use super::{Archive, lacks};
use crate::archive::state::unpoisoned;
use crate::chain::Kind;
use crate::clock::{iso_ms, iso_seconds};
use crate::error::{Code, Error, Result};
use crate::evidence::revocation::Item;
use crate::evidence::verdict::{Aspect, Outcome, Role, SignatureReport};
use crate::hash::Sha256;
use crate::id::{DocumentId, PackageRef};
use crate::package::writer::Staging;
use crate::package::{TRUST, TRUST_REVOCATION};

/// Before the digest of a source that the document itself carries.
const IN_THE_DOCUMENT: &str = "in the document: ";

/// A line: what was found of one signature.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    document: DocumentId,
    /// Where in the document.
    place: String,
    /// When this was judged.
    judged_at: String,
    /// The time it is about, and where that comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<Reference>,
    /// The outcome of the aspect "revocation".
    revocation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    detail: String,
    /// The whole in one word.
    conclusion: String,
    /// What it rests on: files beside this one, or what travels in the document itself.
    #[serde(default)]
    sources: Vec<String>,
    /// When the signer's certificate expires; only where something is lacking that could be had until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lacking_until: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Reference {
    kind: String,
    at: String,
}

/// What the chain says of it: counts and an instant.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Counts {
    good: u64,
    revoked: u64,
    missing: u64,
    /// When the first certificate expires of those that lack something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing_until: Option<Timestamp>,
}

/// Packages whose signatures lack revocation data, as far as the chain was read.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    next: u64,
    packages: BTreeMap<PackageRef, (Timestamp, u64)>,
}

impl Archive {
    /// Writes what a package being made carries of revocation, by what is at hand now: nobody is asked here.
    pub(in crate::archive) fn seal_revocation(&self, staging: &Staging) -> Result<()> {
        if !self.revocation.on || staging.done(TRUST_REVOCATION)?.is_some() {
            return Ok(());
        }
        let mut run = Run::default();
        let mut lines = Vec::new();
        let mut sources = BTreeSet::new();
        for document in &staging.plan().documents {
            // One that cannot be judged again is sealed all the same, and its line says so.
            let judged_at = iso_ms(self.clock.now());
            let found = match self.look_again(document.id, &mut run, false) {
                Ok(reports) => {
                    let counted = reports.iter().filter(|report| report.role != Role::TimeStamp);
                    sources.extend(counted.clone().flat_map(|report| report.sources.iter().copied()));
                    counted.map(|report| line(document.id, report, &judged_at, &run, self)).collect()
                }
                Err(error) => vec![not_judged(document.id, &error, judged_at)],
            };
            for line in found {
                serde_json::to_writer(&mut lines, &line).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
                lines.push(b'\n');
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        for item in sources.iter().filter_map(|sha256| self.at_hand(sha256, &run)) {
            staging.trust(&file_name(item), item.der())?;
        }
        // Last: where it is, everything it names is.
        staging.trust("revocation.jsonl", &lines).map(drop)
    }

    /// The list or answer of this name, unless it is one that travels in the document.
    fn at_hand<'a>(&'a self, sha256: &Sha256, run: &'a Run) -> Option<&'a Item> {
        run.material.find(sha256).or_else(|| self.trust.revocation().find(sha256))
    }

    /// What the chain entry says of it; none when the package carries nothing of it.
    pub(in crate::archive) fn sealed_revocation(&self, staging: &Staging) -> Result<Option<Value>> {
        if staging.done(TRUST_REVOCATION)?.is_none() {
            return Ok(None);
        }
        let bytes = crate::durable::read_plain(&staging.package_folder().join(TRUST_REVOCATION))?;
        let (counts, sources) = counts(&bytes)?;
        for name in sources.iter().filter(|name| !name.starts_with(IN_THE_DOCUMENT)) {
            let path = format!("{TRUST}/{name}");
            if staging.done(&path)?.is_none() {
                return Err(Error::new(Code::StagingAltered, "revocation data are missing").at(path));
            }
        }
        serde_json::to_value(counts).map(Some).map_err(|e| Error::new(Code::Internal, e.to_string()))
    }

    /// Packages whose signatures lack revocation data, with the first certificate to expire and how many lack them.
    pub(in crate::archive) fn packages_lacking_revocation(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(PackageRef, Timestamp, u64)>> {
        let mut lacking = unpoisoned(self.revocation.packages.lock());
        let mut next = lacking.next;
        let mut found = Vec::new();
        self.ledger.each_entry(next, |entry| {
            next = entry.seq + 1;
            let counts = entry.object.get("revocation").cloned().filter(|_| entry.kind == Kind::Package);
            if let Some(Ok(counts)) = counts.map(serde_json::from_value::<Counts>)
                && let Some(until) = counts.missing_until
            {
                found.push((crate::archive::reindex::package_row(&entry)?.package, (until, counts.missing)));
            }
            Ok(())
        })?;
        lacking.next = next;
        lacking.packages.extend(found);
        // Nothing can be had of them any more.
        lacking.packages.retain(|_, (until, _)| *until > now);
        Ok(lacking.packages.iter().map(|(package, (until, count))| (package.clone(), *until, *count)).collect())
    }
}

fn file_name(item: &Item) -> String {
    format!("{}.{}", item.sha256(), item.sort().extension())
}

fn line(document: DocumentId, report: &SignatureReport, judged_at: &str, run: &Run, archive: &Archive) -> Line {
    let verdict = report.verdict(Aspect::Revocation);
    let source = |sha256: &Sha256| match archive.at_hand(sha256, run) {
        Some(item) => file_name(item),
        None => format!("{IN_THE_DOCUMENT}{sha256}"),
    };
    let expires = report.path.as_ref().and_then(|path| path.first()).map(|certificate| certificate.not_after);
    Line {
        document,
        place: report.place.clone(),
        judged_at: judged_at.to_owned(),
        reference: report.reference.map(|r| Reference { kind: r.kind.as_str().to_owned(), at: iso_ms(r.at) }),
        revocation: verdict.outcome.as_str().to_owned(),
        code: verdict.code.map(|code| code.as_str().to_owned()),
        detail: verdict.detail.clone(),
        conclusion: report.conclusion().as_str().to_owned(),
        sources: report.sources.iter().map(source).collect(),
        lacking_until: expires.filter(|_| lacks(report)).map(iso_seconds),
    }
}

fn not_judged(document: DocumentId, error: &Error, judged_at: String) -> Line {
    Line {
        document,
        place: String::new(),
        judged_at,
        reference: None,
        revocation: Outcome::NotChecked.as_str().to_owned(),
        code: Some(error.code.as_str().to_owned()),
        detail: "not judged again".to_owned(),
        conclusion: "indeterminate".to_owned(),
        sources: Vec::new(),
        lacking_until: None,
    }
}

/// Counts the lines of a file of ours, and gathers what they rest on.
fn counts(bytes: &[u8]) -> Result<(Counts, BTreeSet<String>)> {
    let (mut counts, mut sources) = (Counts::default(), BTreeSet::new());
    for text in bytes.split(|byte| *byte == b'\n').filter(|text| !text.is_empty()) {
        let line: Line = serde_json::from_slice(text)
            .map_err(|e| Error::new(Code::PackageFileAltered, e.to_string()).at(TRUST_REVOCATION))?;
        match line.revocation.as_str() {
            "good" => counts.good += 1,
            "bad" => counts.revoked += 1,
            _ => counts.missing += 1,
        }
        let until: Option<Timestamp> = line.lacking_until.and_then(|until| until.parse().ok());
        counts.missing_until = match (counts.missing_until, until) {
            (Some(known), Some(until)) => Some(known.min(until)),
            (known, until) => known.or(until),
        };
        sources.extend(line.sources);
    }
    Ok((counts, sources))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_counts_lines_and_keeps_the_first_expiry() {
        let line = |revocation: &str, until: &str| {
            let mut line = serde_json::json!({
                "document": DocumentId(uuid::Uuid::from_u128(7)), "place": "p", "judged_at": "", "revocation": revocation,
                "detail": "", "conclusion": "valid",
            });
            if !until.is_empty() {
                line["lacking_until"] = until.into();
            }
            format!("{line}\n")
        };
        let (early, late) = ("2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z");
        let text = [line("good", ""), line("bad", ""), line("absent", late), line("not-checked", early)].concat();
        let expected = Counts { good: 1, revoked: 1, missing: 2, missing_until: Some(early.parse().unwrap()) };
        assert_eq!(counts(text.as_bytes()).unwrap().0, expected);
        assert_eq!(counts(b"").unwrap(), (Counts::default(), BTreeSet::new()));
        assert!(counts(b"x\n").is_err());
    }
}
