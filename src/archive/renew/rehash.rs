//! Hash-tree renewal: documents read again, the old digest verified and the new one computed in the same pass (RFC 4998
//! section 5.3).
//!
//! Invariant: what is put into the new tree is what the old one covers, object by object; a package in which one byte differs
//! is left out and reported, and keeps its old evidence. What was read is kept, marked, so that a stop costs one package.

use std::collections::HashMap;

use super::run::{Leaf, Planned, Run};
use super::{Progress, Report};
use crate::archive::Archive;
use crate::error::{Code, Error, Finding, Result};
use crate::evidence::digest::{Algorithm, Digest};
use crate::evidence::ers::{Group, History, TreeFile};
use crate::package::generation::object_digests;

impl Archive {
    /// The leaf of each package: the root of its new tree.
    pub(super) fn leaves_of_objects(
        &self,
        run: &Run,
        report: &mut Report,
        progress: Progress<'_>,
    ) -> Result<Vec<Leaf>> {
        let mut leaves = Vec::new();
        let total = run.plan.packages.len() as u64;
        for (n, planned) in run.plan.packages.iter().enumerate() {
            // Twice as many steps as packages: reading, then writing.
            progress(n as u64, 2 * total);
            match self.new_tree(run, planned) {
                Ok(tree) => leaves.push(Leaf { package: planned.package.clone(), leaf: tree.root() }),
                // What stops the machine stops the run, which goes on later; what is wrong with a package stops that one.
                Err(error) if error.code == Code::DiskFull || error.code == Code::Io => return Err(error),
                Err(error) => {
                    tracing::error!(code = error.code.as_str(), package = %planned.package, "not renewed");
                    report.findings.push(Finding::error(
                        error.code,
                        format!("package {} {}", planned.package, error.place),
                        error.detail,
                    ));
                }
            }
        }
        Ok(leaves)
    }

    /// The tree of a package in the run's algorithm: as it was kept, or its documents are read again.
    pub(super) fn new_tree(&self, run: &Run, planned: &Planned) -> Result<TreeFile> {
        let history = self.history(&planned.package)?;
        if history.generations().len() as u32 + 1 != planned.generation {
            return Err(Error::new(Code::Internal, "renewed meanwhile"));
        }
        let name = format!("{}-{}.tree", planned.package.series, planned.package.number);
        if let Some(bytes) = run.kept_bytes(&name)?
            && let Ok(tree) = history.parse_next(&bytes)
        {
            return Ok(tree);
        }
        let tree = self.rehash(&history, planned, run.plan.algorithm)?;
        crate::durable::remove_file(&run.folder.join(&name))?;
        run.keep_bytes(&name, tree.encode())?;
        Ok(tree)
    }

    fn rehash(&self, history: &History, planned: &Planned, algorithm: Algorithm) -> Result<TreeFile> {
        let last = history.groups().ok_or_else(|| Error::new(Code::EvidenceAltered, "evidence without a tree"))?;
        let entry = self.package_entry(&planned.package)?;
        let digests = self.with_package(&entry, &planned.package, |package| {
            object_digests(package, &[last.algorithm(), algorithm], &mut |_| {})
        })?;
        let pairs = digests.into_values().filter_map(|both| <[Digest; 2]>::try_from(both).ok());
        let read: HashMap<Digest, Digest> = pairs.map(|[old, new]| (old, new)).collect();
        let groups = last.groups().iter().map(|group| {
            let mut renewed = Group { document: group.document, members: Vec::new(), before: None };
            for old in &group.members {
                renewed.members.push(*read.get(old).ok_or_else(|| {
                    let place = group.document.map_or("PIndex.xml".to_owned(), |id| format!("document {id}"));
                    Error::new(Code::ContentAltered, "not what its evidence covers").at(place)
                })?);
            }
            renewed.before = Some(history.before(group.document, algorithm)?);
            Ok(renewed)
        });
        TreeFile::build(groups.collect::<Result<Vec<_>>>()?)
    }
}
