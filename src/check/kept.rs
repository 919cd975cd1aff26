//! Files beside the packages that an entry of the chain names by their digest: reports of checks, and bad bytes that a repair set
//! aside.
//!
//! Invariant: each is read to its end and is the one that was named. A report is evidence that a check was made (Linee guida AgID
//! 4.7), so one that is gone is damage; what stands in quarantine is known to be bad, and may be cleared away by whoever knows why:
//! that it is gone is said, and harms nothing.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::report::{Finding, Place};
use crate::durable;
use crate::error::{AtPath as _, Code, Result};
use crate::hash::{Digests, Sha256};
use crate::id::CheckId;

const REPORTS: &str = "reports";
/// Members of an entry of kind `check`, and the files that they are the digests of.
const FORMS: [(&str, &str); 4] = [("report", "json"), ("text", "txt"), ("html", "html"), ("signature", "json.p7s")];
/// No report is longer; the digest of a longer file is not worked out.
const MOST: u64 = 64 << 20;

/// A file, and what the chain says of it.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// Its name in the archive.
    name: String,
    sha256: Sha256,
    /// Bad bytes: they may be cleared away.
    quarantined: bool,
}

/// The files of the report that an entry of kind `check` names.
pub(super) fn reports(object: &Map<String, Value>) -> Vec<Kept> {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let Some(id) = text("id").and_then(|id| id.parse::<CheckId>().ok()) else { return Vec::new() };
    let file = |(key, extension): &(&str, &str)| {
        let sha256 = text(key)?.parse().ok()?;
        Some(Kept { name: format!("{REPORTS}/check-{id}.{extension}"), sha256, quarantined: false })
    };
    FORMS.iter().filter_map(file).collect()
}

/// The bad bytes that an entry of kind `repair` names.
pub(super) fn quarantined(object: &Map<String, Value>) -> Vec<Kept> {
    let files = object.get("restored").and_then(|restored| restored.get("files")).and_then(Value::as_array);
    let file = |file: &Value| {
        let found = file.get("found")?;
        let name = found.get("quarantine")?.as_str().filter(|name| !name.is_empty() && !name.contains('/'))?;
        // What could not be read to its end has no digest.
        let sha256 = found.get("sha256")?.as_str()?.parse().ok()?;
        Some(Kept { name: format!("quarantine/{name}"), sha256, quarantined: true })
    };
    files.into_iter().flatten().filter_map(file).collect()
}

/// Names in `reports/`, taken before the chain is read: what is made later is on it by then.
pub(super) fn present(root: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root.join(REPORTS)).into_iter().flatten().flatten();
    entries.map(|entry| format!("{REPORTS}/{}", entry.file_name().to_string_lossy())).collect()
}

/// What differs from what the chain says; `own` is the check that asks.
pub(super) fn judge(root: &Path, present: &BTreeSet<String>, kept: &[Kept], own: CheckId) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in kept {
        let place = Place::file(&one.name);
        let code = if one.quarantined { Code::QuarantineAltered } else { Code::ReportAltered };
        match digest(&root.join(&one.name)) {
            Ok(Some(found)) if found == one.sha256 => {}
            Ok(_) => findings.push(Finding::new(code, place, "altered")),
            Err(error) if error.code == Code::FileMissing && one.quarantined => {
                findings.push(Finding::note(code, place, "it was cleared away"));
            }
            Err(error) if error.code == Code::FileMissing => findings.push(Finding::new(code, place, "missing")),
            Err(error) => findings.push(Finding::of_error(&error, place)),
        }
    }
    // A report is several files, and the chain need not name each of them.
    let stem = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let mut known: BTreeSet<String> = kept.iter().map(|one| stem(&one.name)).collect();
    known.insert(format!("{REPORTS}/check-{own}"));
    for name in present.iter().filter(|name| !known.contains(&stem(name))) {
        // Made when the chain took no entries, or by a check that was stopped.
        findings.push(Finding::note(Code::ReportAltered, Place::file(name), "no entry of the chain names this file"));
    }
    findings
}

/// SHA-256 of a file; none of one that is longer than any report or piece of a package set aside.
fn digest(path: &Path) -> Result<Option<Sha256>> {
    let file = durable::open_plain(path)?;
    let length = file.metadata().at_path(path)?.len();
    let digests = Digests::of_reader(&mut file.take(length.min(MOST + 1))).at_path(path)?;
    Ok((digests.bytes == length).then_some(digests.sha256))
}
