//! What a package carries of revocation: `trust/revocation.jsonl`, a line a signature, and beside it every list and answer that a
//! line names (`trust/<sha256>.crl`, `trust/<sha256>.ocsp`).
//!
//! Invariants: it is written once, before the commit, and listed on the chain with every other file of the package; a line says what
//! was found and by what, never more (I7); it names documents by their ids and places in them, nobody else. The receipt is not
//! changed: it says what was known at deposit, this what was known at sealing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::MutexGuard;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::gather::Run;
use super::{Archive, lacks};
use crate::archive::read::committed_file;
use crate::archive::state::unpoisoned;
use crate::chain::{Entry, Kind};
use crate::clock::{iso_ms, iso_seconds};
use crate::error::{Code, Error, Result};
use crate::evidence::revocation::Item;
use crate::evidence::verdict::{Aspect, Outcome, Role, SignatureReport};
use crate::hash::Sha256;
use crate::id::{DocumentId, PackageRef};
use crate::package::writer::Staging;
use crate::package::{TRUST, TRUST_REVOCATION};

/// Largest file of lines read: some hundred thousand signatures.
const MAX_LINES: u64 = 128 << 20;
/// Documents with a revoked signer remembered of one package.
pub(in crate::archive) const MOST_REVOKED: usize = 1_000;
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

/// Packages whose signatures lack revocation data, and those with a revoked signer, as far as the chain was read.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    next: u64,
    lacking: BTreeMap<PackageRef, (Timestamp, u64)>,
    revoked: BTreeMap<PackageRef, Revoked>,
}

/// A package with signatures of revoked signers.
#[derive(Debug, Clone)]
pub(in crate::archive) struct Revoked {
    /// When it was sealed.
    pub sealed_at: Timestamp,
    /// How many signatures.
    pub signatures: u64,
    /// The documents, as far as they could be read and are listed; the first of them by id.
    pub documents: Vec<DocumentId>,
}

impl Archive {
    /// Gathers what is at hand for the signatures of all packages of a closing run, whoever's documents brought it: nobody is asked here.
    /// Only then is any of them judged.
    pub(in crate::archive) fn gather_at_hand<'a>(&self, packages: impl Iterator<Item = &'a Staging>) -> Result<Run> {
        let mut run = Run::default();
        if !self.revocation.on {
            return Ok(run);
        }
        for staging in packages {
            if is_made(staging)? {
                continue;
            }
            for document in &staging.plan().documents {
                // One that cannot be judged is sealed all the same, and its line will say so.
                if let Err(error) = self.collect(document.id, &mut run) {
                    tracing::warn!(code = error.code.as_str(), document = %document.id, detail = %error.detail, "revocation not looked at");
                }
            }
        }
        Ok(run)
    }

    /// Writes what a package being made carries of revocation, by what was gathered. To be called before the run of the package is
    /// fixed, and not after: the package may have been copied to a vault since.
    pub(in crate::archive) fn seal_revocation(&self, staging: &Staging, run: &Run) -> Result<()> {
        if !self.revocation.on || is_made(staging)? {
            return Ok(());
        }
        staging.forget_trust()?;
        let mut lines = Vec::new();
        let mut sources = BTreeSet::new();
        for document in &staging.plan().documents {
            let judged_at = iso_ms(self.clock.now());
            let found = match self.judged(document.id, &run.material) {
                Ok(reports) => {
                    self.note(document.id, &reports);
                    let counted = reports.iter().filter(|report| report.role != Role::TimeStamp);
                    sources.extend(counted.clone().flat_map(|report| report.sources.iter().copied()));
                    counted.map(|report| line(document.id, report, &judged_at, run, self)).collect()
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
        for item in sources.iter().filter_map(|sha256| self.at_hand(sha256, run)) {
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
        let mut sealed = self.sealed_packages()?;
        // Nothing can be had of them any more.
        sealed.lacking.retain(|_, (until, _)| *until > now);
        Ok(sealed.lacking.iter().map(|(package, (until, count))| (package.clone(), *until, *count)).collect())
    }

    /// Packages sealed since then in which a signer was found revoked.
    pub(in crate::archive) fn packages_with_revoked(&self, since: Timestamp) -> Result<Vec<(PackageRef, Revoked)>> {
        let mut sealed = self.sealed_packages()?;
        sealed.revoked.retain(|_, revoked| revoked.sealed_at >= since);
        Ok(sealed.revoked.iter().map(|(package, revoked)| (package.clone(), revoked.clone())).collect())
    }

    /// What the chain says of packages, read on to its end.
    fn sealed_packages(&self) -> Result<MutexGuard<'_, Sealed>> {
        let mut sealed = unpoisoned(self.revocation.packages.lock());
        let mut next = sealed.next;
        let mut found = Vec::new();
        self.ledger.each_entry(next, |entry| {
            next = entry.seq + 1;
            let counts = entry.object.get("revocation").cloned().filter(|_| entry.kind == Kind::Package);
            if let Some(Ok(counts)) = counts.map(serde_json::from_value::<Counts>) {
                found.push((crate::archive::reindex::package_row(&entry)?.package, entry, counts));
            }
            Ok(())
        })?;
        for (package, entry, counts) in found {
            if counts.revoked > 0 {
                // A package that cannot be read is the business of checks; that there is one is said all the same.
                let lines = self.sealed_lines(&entry, &package).unwrap_or_default();
                let mut documents: Vec<DocumentId> =
                    lines.into_iter().filter(|(_, line)| line["revocation"] == "bad").map(|(id, _)| id).collect();
                documents.dedup();
                documents.truncate(MOST_REVOKED);
                let revoked = Revoked { sealed_at: entry.at, signatures: counts.revoked, documents };
                sealed.revoked.insert(package.clone(), revoked);
            }
            if let Some(until) = counts.missing_until {
                sealed.lacking.insert(package, (until, counts.missing));
            }
        }
        sealed.next = next;
        Ok(sealed)
    }

    /// The lines of a sealed package, by document; none when it carries none. Held against the chain.
    pub(in crate::archive) fn sealed_lines(
        &self,
        entry: &Entry,
        package: &PackageRef,
    ) -> Result<Vec<(DocumentId, Value)>> {
        let Some(bytes) = self.sealed_file(entry, package)? else { return Ok(Vec::new()) };
        let altered = |e: serde_json::Error| Error::new(Code::PackageFileAltered, e.to_string()).at(TRUST_REVOCATION);
        let lines = bytes.split(|byte| *byte == b'\n').filter(|text| !text.is_empty());
        let parsed = lines.map(|text| {
            let line: Value = serde_json::from_slice(text).map_err(altered)?;
            let document = serde_json::from_value(line["document"].clone()).map_err(altered)?;
            Ok((document, line))
        });
        parsed.collect()
    }

    /// What was found of one document's signatures when it was sealed: its lines, none when the package carries none. Only they are parsed.
    pub(in crate::archive) fn sealed_lines_of(
        &self,
        entry: &Entry,
        package: &PackageRef,
        document: DocumentId,
    ) -> Result<Vec<Value>> {
        let Some(bytes) = self.sealed_file(entry, package)? else { return Ok(Vec::new()) };
        let id = document.to_string();
        let names_it = memchr::memmem::Finder::new(id.as_bytes());
        let mut found = Vec::new();
        for text in bytes.split(|byte| *byte == b'\n').filter(|text| names_it.find(text).is_some()) {
            let line: Value = serde_json::from_slice(text)
                .map_err(|e| Error::new(Code::PackageFileAltered, e.to_string()).at(TRUST_REVOCATION))?;
            if line["document"] == id.as_str() {
                found.push(line);
            }
        }
        Ok(found)
    }

    fn sealed_file(&self, entry: &Entry, package: &PackageRef) -> Result<Option<Vec<u8>>> {
        if entry.object.get("revocation").is_none() {
            return Ok(None);
        }
        self.with_package(entry, package, |reader| {
            let bytes = reader.read_file(TRUST_REVOCATION, MAX_LINES)?;
            committed_file(entry, package, TRUST_REVOCATION, &bytes)?;
            Ok(Some(bytes))
        })
    }
}

/// The worst conclusion that lines say; none without lines.
pub(in crate::archive) fn worst_conclusion(lines: &[Value]) -> Option<&str> {
    const BEST_FIRST: [&str; 5] = ["valid", "valid-weak", "time-not-proved", "indeterminate", "invalid"];
    let rank = |line: &&Value| BEST_FIRST.iter().position(|word| line["conclusion"] == *word).unwrap_or(3);
    lines.iter().max_by_key(rank)?["conclusion"].as_str()
}

/// Whether a package being made has what it carries of revocation, and has it as it was made.
fn is_made(staging: &Staging) -> Result<bool> {
    Ok(staging.done(TRUST_REVOCATION)?.is_some() && staging.trust_is_whole()?)
}

pub(super) fn file_name(item: &Item) -> String {
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
