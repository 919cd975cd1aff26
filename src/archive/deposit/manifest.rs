//! The client's own manifest of a deposit of many documents: what it says it sends.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;

use super::File;
use crate::document::{Metadata, json};
use crate::error::{Code, Error, Finding, Result};
use crate::hash::Sha256;

/// Most files of one deposit that a manifest may declare.
const MAX_FILES: usize = 10_000;

/// A tie between two files of a deposit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    /// What this file is to the other, in Italian: `ricevuta di`, `allegato di`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name of the other file.
    pub to: String,
}

/// A file as declared.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    name: String,
    #[serde(default, deserialize_with = "any_case")]
    sha256: Option<Sha256>,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    relations: Vec<Relation>,
}

/// A digest as clients write it: programs of others know hexadecimal digits in both cases.
fn any_case<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Sha256>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let parse = |text: String| text.to_ascii_lowercase().parse();
    text.map(parse).transpose().map_err(|_| serde::de::Error::custom("expected 64 hexadecimal digits"))
}

/// The manifest part.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientManifest {
    /// Class of every document.
    pub class: String,
    /// The producer's key; the header of the same name comes first.
    pub idempotency_key: Option<String>,
    /// Metadata of every document.
    #[serde(default)]
    metadata: Metadata,
    files: Vec<Declared>,
}

impl ClientManifest {
    /// Reads it; an error names line and column, never what stood there.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let manifest: Self = json::strict(bytes).map_err(|e| {
            let what =
                if json::is_duplicate(&e) { "a name stands twice".to_owned() } else { format!("{:?}", e.classify()) };
            Error::new(Code::ManifestInvalid, what).at(format!("manifest, line {}, column {}", e.line(), e.column()))
        })?;
        if manifest.files.len() > MAX_FILES {
            return Err(Error::new(Code::ManifestInvalid, format!("more than {MAX_FILES} files")).at("manifest, files"));
        }
        if manifest.idempotency_key.as_ref().is_some_and(|key| key.is_empty() || key.len() > 255) {
            return Err(Error::new(Code::ManifestInvalid, "1 to 255 characters").at("manifest, idempotency_key"));
        }
        Ok(manifest)
    }

    /// Gives every file that came what was declared of it, in the manifest's order, and says what is missing or was not
    /// declared.
    pub fn join(&self, arrived: Vec<File>, findings: &mut Vec<Finding>) -> Vec<File> {
        let mut by_name: BTreeMap<String, Vec<File>> = BTreeMap::new();
        let mut positions = BTreeMap::new();
        for (n, file) in arrived.into_iter().enumerate() {
            positions.entry(file.name.clone()).or_insert(n + 1);
            by_name.entry(file.name.clone()).or_default().push(file);
        }
        let names: HashSet<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        let mut joined = Vec::new();
        for (n, declared) in self.files.iter().enumerate() {
            let place = format!("manifest, files[{n}]");
            let Some(mut file) =
                by_name.get_mut(&declared.name).and_then(|files| (!files.is_empty()).then(|| files.remove(0)))
            else {
                findings.push(Finding::error(Code::PartMissing, place, ""));
                continue;
            };
            file.metadata = self.metadata.clone();
            file.metadata.extend(declared.metadata.clone());
            file.declared = declared.sha256;
            file.relations = declared.relations.clone();
            for relation in &declared.relations {
                if !names.contains(relation.to.as_str()) {
                    findings.push(Finding::error(
                        Code::PartMissing,
                        format!("{place}, relations"),
                        "the other file is not in this deposit",
                    ));
                }
            }
            joined.push(file);
        }
        for (name, rest) in by_name {
            for file in rest {
                let n = positions.get(&name).copied().unwrap_or_default();
                findings.push(Finding::error(Code::PartUndeclared, format!("part {n}"), ""));
                joined.push(file);
            }
        }
        joined
    }
}
