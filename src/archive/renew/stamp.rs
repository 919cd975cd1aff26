//! Time-stamp renewal: what the tree of a run is made of (RFC 4998 section 5.2).
//!
//! Invariant: documents are not read; packages with the same tokens share a leaf, so one new token covers any number of
//! them through one tree.

use std::collections::HashMap;

use super::Report;
use super::run::{Leaf, Run};
use crate::archive::Archive;
use crate::error::{Finding, Result};
use crate::evidence::digest::Digest;
use crate::hash::Sha256;
use crate::package::generation::token_name;

impl Archive {
    /// The leaf of each package: the tokens of its last chain. One whose evidence cannot be read is left out and reported.
    pub(super) fn leaves_of_tokens(&self, run: &Run, report: &mut Report) -> Result<Vec<Leaf>> {
        // The tokens of a package, by the digests of its `.tsr` files: read once for all that share them.
        let mut known: HashMap<Vec<Sha256>, Digest> = HashMap::new();
        let mut leaves = Vec::new();
        for planned in &run.plan.packages {
            let package = &planned.package;
            let leaf = self.committed_files(package).and_then(|committed| {
                let names = (1..planned.generation).map(token_name);
                let key: Vec<Sha256> = names.filter_map(|name| committed.file(&name).map(|file| file.sha256)).collect();
                if let Some(leaf) = known.get(&key) {
                    return Ok(*leaf);
                }
                let leaf = self.history(package)?.renewal_leaf();
                known.insert(key, leaf);
                Ok(leaf)
            });
            match leaf {
                Ok(leaf) if leaf.algorithm() == run.plan.algorithm => {
                    leaves.push(Leaf { package: package.clone(), leaf })
                }
                Ok(_) => report.findings.push(Finding::error(
                    crate::error::Code::EvidenceMixed,
                    format!("package {package}"),
                    "its last chain has another digest algorithm than its token",
                )),
                Err(error) => {
                    report.findings.push(Finding::error(error.code, format!("package {package}"), error.detail))
                }
            }
        }
        Ok(leaves)
    }
}
