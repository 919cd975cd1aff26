//! Holding the index of a package against its content.

use std::collections::HashSet;
use std::io::BufReader;

use super::Package;
use crate::error::{Code, Finding, Result};
use crate::package::PINDEX;
use crate::package::member::Member;
use crate::package::pindex::check::{self, FileEntry, Index};

impl Package {
    /// Reads the index with all its checks, and holds it against the table of contents: every file listed is in the
    /// content with that SHA-256, every member is listed. `each` sees every file listed. With
    /// [`Package::verify_content`] this ties the index to the bytes themselves.
    pub fn verify_index(&self, each: &mut dyn FnMut(&FileEntry)) -> Result<Index> {
        let mut listed = HashSet::new();
        let mut wrong = Vec::new();
        let file = BufReader::new(self.open_file(PINDEX)?);
        let mut index = check::read(file, &mut |file| {
            each(&file);
            let Some(member) = Member::from_path(&file.path) else {
                return wrong.push(Finding::error(Code::PIndexDisagrees, PINDEX, "lists a path that no member has"));
            };
            match self.toc.find(member.kind, member.id) {
                None => wrong.push(Finding::error(Code::ContentMissing, member.path(), "")),
                Some(record) if record.sha256 != file.sha256 => {
                    wrong.push(Finding::error(Code::PIndexDisagrees, member.path(), "SHA-256"));
                }
                Some(_) => {}
            }
            listed.insert((member.id, member.kind));
        })?;
        for record in self.toc.iter().filter(|r| !listed.contains(&(r.id, r.kind))) {
            let detail = format!("{:?} not listed", record.kind);
            wrong.push(Finding::error(Code::PIndexDisagrees, record.id.to_string(), detail));
        }
        index.findings.append(&mut wrong);
        Ok(index)
    }
}
