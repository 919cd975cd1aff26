//! When no copy of a file is good: what of the package can still be read, document by document.
//!
//! Invariant: a document is said to be affected unless all its bytes and its metadata were read from some copy and are as the
//! table of contents says, which is held against the chain.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::Arc;

use super::survey::Survey;
use crate::archive::Archive;
use crate::error::Result;
use crate::id::{DocumentId, PackageRef};
use crate::package::files::{Files, Listed, ReadSeek};
use crate::package::member::Kind;
use crate::package::reader::Package;
use crate::package::{CONTENT, TOC};
use crate::vault::Vault;

/// The content of one copy with a table of contents that is right.
struct Mixed {
    package: PackageRef,
    content: Arc<dyn Vault>,
    toc: Arc<dyn Vault>,
}

impl Files for Mixed {
    fn open(&self, name: &str) -> Result<Box<dyn ReadSeek>> {
        let vault = if name == TOC { &self.toc } else { &self.content };
        Ok(Box::new(vault.open(&self.package, name)?))
    }

    fn list(&self) -> Result<Vec<Listed>> {
        Ok(Vec::new())
    }
}

impl Archive {
    /// The documents that no copy gives whole; `None` when nobody can tell, since no table of contents is right either.
    pub(super) fn affected(&self, package: &PackageRef, survey: &Survey<'_>) -> Option<Vec<DocumentId>> {
        let toc = survey.files.iter().position(|file| file.name == TOC)?;
        let toc = &survey.good(toc)?.kept.vault;
        let mut affected: Option<BTreeSet<DocumentId>> = None;
        let content = survey.files.iter().position(|file| file.name == CONTENT)?;
        if survey.good(content).is_some() {
            return Some(Vec::new());
        }
        let mut all = None;
        for copy in &survey.copies {
            let (content, toc) = (Arc::clone(&copy.kept.vault), Arc::clone(toc));
            let Ok(reader) = Package::open(Arc::new(Mixed { package: package.clone(), content, toc })) else {
                continue;
            };
            let unread = unread(&reader);
            all.get_or_insert_with(|| {
                reader.toc().iter().filter(|record| record.kind == Kind::Document).map(|r| DocumentId(r.id)).collect()
            });
            affected = Some(match affected {
                Some(before) => before.intersection(&unread).copied().collect(),
                None => unread,
            });
        }
        // No content opens: every document of the table of contents is affected, and the catalog knows them.
        let all = || all.or_else(|| self.catalog.documents_of(package).ok());
        affected.map(|found| found.into_iter().collect()).or_else(all)
    }
}

/// Documents whose bytes or metadata are not as the table of contents says.
fn unread(reader: &Package) -> BTreeSet<DocumentId> {
    let mut bad = BTreeSet::new();
    for record in reader.toc().iter().filter(|record| matches!(record.kind, Kind::Document | Kind::Metadata)) {
        let read = reader.open_member(record.kind, record.id, None).map(|mut member| {
            let mut buffer = vec![0; 1 << 18];
            loop {
                match member.read(&mut buffer) {
                    Ok(0) => return true,
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
        });
        if !read.unwrap_or(false) {
            bad.insert(DocumentId(record.id));
        }
    }
    bad
}
