//! The adopted classes and policies: what the documents' fields and periods mean, in the versions that applied.
//!
//! Invariant: every file that an entry of kind `class` or `policy` names is there with the digest that it names, and no other
//! file is beside it. An archive that is opened refuses to start otherwise; who only reads finds it here. Formats, "The archive
//! folder".

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::report::{Finding, Outcome, Place};
use crate::durable;
use crate::error::Code;
use crate::hash::Sha256;

/// Where a file waits between its entry on the chain and its place.
const WAITING: &str = "staging/adopting-";
const FOLDERS: [&str; 2] = ["schemas", "policies"];

/// The names of adopted files (`schemas/generic@1.json`) that are there. Taken before the chain is read: what is adopted later is
/// on it by then.
pub(super) fn present(root: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in FOLDERS {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
        names.extend(entries.map(|entry| format!("{folder}/{}", entry.file_name().to_string_lossy())));
    }
    names
}

/// What differs from what the chain says was adopted.
pub(super) fn judge(root: &Path, present: &BTreeSet<String>, adopted: &BTreeMap<String, Sha256>) -> Vec<Finding> {
    let found = |name: &str| durable::read_plain(&root.join(name)).map(|bytes| Sha256::of(&bytes));
    let mut findings = Vec::new();
    for (name, sha256) in adopted {
        let waiting = || format!("{WAITING}{}", name.rsplit('/').next().unwrap_or_default());
        match found(name).or_else(|_| found(&waiting())).or_else(|_| found(name)) {
            Ok(found) if found == *sha256 => {}
            Ok(_) => findings.push(wrong(name, "the file was edited after adoption")),
            Err(error) if error.code == Code::FileMissing => findings.push(wrong(name, "the adopted file is missing")),
            Err(error) => findings.push(Finding::of_error(&error, Place::file(name))),
        }
    }
    let foreign = present.iter().filter(|name| !adopted.contains_key(*name));
    findings.extend(foreign.map(|name| wrong(name, "the file was never adopted")));
    findings
}

fn wrong(name: &str, detail: &str) -> Finding {
    let mut finding = Finding::new(Code::NotAdopted, Place::file(name), detail);
    finding.outcome = Outcome::Bad;
    finding
}
