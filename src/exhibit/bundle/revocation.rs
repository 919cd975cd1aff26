//! What was found of revocation when a package was sealed, for the documents of a bundle: the lines about each, and the lists and
//! answers they rest on.
//!
//! Invariant: a bundle of one document carries the lines and sources of that document and of no neighbour.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Bundling, Opened};
use crate::chain::Entry;
use crate::error::{Code, Error, Result};
use crate::exhibit::MAX_SMALL;
use crate::hash::Sha256;
use crate::id::DocumentId;
use crate::package::reader::Package;
use crate::package::{FileFacts, TRUST, TRUST_REVOCATION};

/// Largest file of lines read: some hundred thousand signatures.
const MAX_LINES: u64 = 128 << 20;
/// Largest list.
const MAX_SOURCE: u64 = 32 << 20;

/// Lines of a package, by document.
pub(super) type Lines = BTreeMap<DocumentId, Vec<Value>>;

/// The lines that a package carries; none when it carries none.
pub(super) fn lines(package: &Package, entry: &Entry) -> Result<Lines> {
    let facts = super::packages::files_of(&entry.object)?;
    let Some(expected) = facts.iter().find(|file| file.name == TRUST_REVOCATION) else { return Ok(Lines::new()) };
    let bytes = package.read_file(TRUST_REVOCATION, MAX_LINES)?;
    let altered = |why: &str| Error::new(Code::PackageFileAltered, why).at(TRUST_REVOCATION);
    if Sha256::of(&bytes) != expected.sha256 {
        return Err(altered("not the file in the chain entry"));
    }
    let mut lines = Lines::new();
    for text in bytes.split(|byte| *byte == b'\n').filter(|text| !text.is_empty()) {
        let line: Value = serde_json::from_slice(text).map_err(|e| altered(&e.to_string()))?;
        let document = serde_json::from_value(line["document"].clone()).map_err(|e| altered(&e.to_string()))?;
        lines.entry(document).or_default().push(line);
    }
    Ok(lines)
}

/// The names of files of `trust/` that lines rest on. What travels in the document itself is none.
pub(in crate::exhibit) fn sources(lines: &[Value]) -> impl Iterator<Item = &str> {
    let names = lines.iter().filter_map(|line| line["sources"].as_array()).flatten().filter_map(Value::as_str);
    names.filter(|name| digest_of(name).is_some())
}

/// The digest that a file of `trust/` is named by.
pub(in crate::exhibit) fn digest_of(name: &str) -> Option<Sha256> {
    name.strip_suffix(".crl").or_else(|| name.strip_suffix(".ocsp"))?.parse().ok()
}

/// What a package entry says of a file of `trust/`.
pub(in crate::exhibit) fn listed<'a>(facts: &'a [FileFacts], name: &str) -> Option<&'a FileFacts> {
    facts.iter().find(|file| file.name.strip_prefix(TRUST).and_then(|rest| rest.strip_prefix('/')) == Some(name))
}

impl Bundling<'_> {
    /// Puts the sources of a document's lines into the bundle, each once.
    pub(super) fn revocation(&mut self, opened: &Opened, id: DocumentId) -> Result<()> {
        let Some(lines) = opened.revocation.get(&id) else { return Ok(()) };
        let facts = super::packages::files_of(&opened.entry.object)?;
        for name in sources(lines) {
            let path = format!("{TRUST}/{name}");
            if self.target.has(&path) {
                continue;
            }
            let missing = || Error::new(Code::PackageFileMissing, "").at(format!("{} {path}", opened.reference));
            let expected = listed(&facts, name).ok_or_else(missing)?;
            let bytes = opened.package.read_file(&path, MAX_SOURCE.max(MAX_SMALL))?;
            if Sha256::of(&bytes) != expected.sha256 {
                return Err(Error::new(Code::PackageFileAltered, "").at(format!("{} {path}", opened.reference)));
            }
            self.target.put(&path, &bytes)?;
        }
        Ok(())
    }
}
