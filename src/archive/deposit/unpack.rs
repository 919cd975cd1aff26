//! Zip archives of invoices and notifications become the documents in them, each with a class of its own
//! (`reference/fatturapa` section 5). Class `generic` keeps a zip whole, and so does `auto` when nothing in it is ours.

use super::{Archive, Deposit, File};
use crate::document::{Metadata, Origin, Understood};
use crate::error::{Finding, Result};
use crate::hash::Sha256;
use crate::id::ClassId;
use crate::intake::zip::{Expanded, Limits, Member, expand, looks_like_zip};

/// What taking archives apart did to a file.
#[derive(Debug, Default)]
pub enum Unpacked {
    /// Nothing: it is as it came.
    #[default]
    No,
    /// It came in an archive.
    Member {
        /// What it is.
        class: ClassId,
        /// Name of the archive.
        archive: String,
        /// SHA-256 of the archive.
        sha256: Sha256,
        /// What is to be said of the archive: told with its first document.
        noticed: Vec<Finding>,
    },
    /// It is an archive that is refused for this.
    Refused(ClassId, Vec<Finding>),
}

impl Unpacked {
    /// The class that its archive, or its being one, gives it.
    pub(super) fn class(&self) -> Option<&ClassId> {
        match self {
            Self::No => None,
            Self::Member { class, .. } | Self::Refused(class, _) => Some(class),
        }
    }

    /// SHA-256 of the archive it came in.
    pub(super) fn archive(&self) -> Option<Sha256> {
        match self {
            Self::Member { sha256, .. } => Some(*sha256),
            _ => None,
        }
    }

    /// Adds to what was understood of a member where it came from, where its class has fields for it.
    pub(super) fn tell(&self, class: &crate::document::class::Class, understood: &mut Understood) {
        let Self::Member { archive, sha256, noticed, .. } = self else { return };
        understood.findings.extend(noticed.iter().cloned());
        for (field, value) in [("archive_file", archive.clone()), ("archive_sha256", sha256.to_string())] {
            if class.field(field).is_some() && !value.is_empty() {
                understood.origins.insert(field.to_owned(), Origin::Extracted);
                understood.metadata.insert(field.to_owned(), value.into());
            }
        }
    }
}

/// Classes whose documents come in archives.
const ARCHIVED: [&str; 2] = ["invoice", "sdi-notification"];

impl Archive {
    /// Replaces every archive of the deposit by what is in it.
    pub(super) fn unpack(&self, deposit: &mut Deposit) -> Result<()> {
        let open = matches!(deposit.class.as_deref(), None | Some("auto"));
        let wanted = deposit.class.as_deref().filter(|_| !open);
        if !open && !wanted.is_some_and(|class| ARCHIVED.contains(&class)) {
            return Ok(());
        }
        let limits = self.limits();
        let mut left = Limits {
            files: usize::try_from(limits.max_files).unwrap_or(usize::MAX),
            document: limits.max_document,
            total: limits.max_deposit,
        };
        left.files = left.files.saturating_sub(deposit.files.len().saturating_sub(1));
        let mut files = Vec::with_capacity(deposit.files.len());
        for file in std::mem::take(&mut deposit.files) {
            let body = file.spooled.body()?;
            // A digest that was declared is of the archive: one that differs has its own control.
            let altered = file.declared.is_some_and(|declared| declared != file.spooled.digests().sha256);
            if altered || !looks_like_zip(&body.head(4)?) {
                files.push(file);
                continue;
            }
            let _turn = self.readers.turn();
            match expand(&body, &self.incoming, left)? {
                Expanded::Members(members, noticed) => {
                    left.files = left.files.saturating_sub(members.len());
                    let bytes: u64 = members.iter().map(|member| member.spooled.digests().bytes).sum();
                    left.total = left.total.saturating_sub(bytes);
                    files.extend(documents(file, members, noticed));
                }
                Expanded::Other if open => files.push(file),
                Expanded::Refused(_, false) if open => files.push(file),
                Expanded::Other => {
                    let none = vec![Finding::error(crate::error::Code::ZipMember, "", "none is")];
                    files.push(refused(file, wanted, none)?);
                }
                Expanded::Refused(findings, _) => files.push(refused(file, wanted, findings)?),
            }
        }
        deposit.files = files;
        Ok(())
    }
}

fn refused(file: File, wanted: Option<&str>, findings: Vec<Finding>) -> Result<File> {
    let class = wanted.unwrap_or(ARCHIVED[0]).parse()?;
    Ok(File { unpacked: Unpacked::Refused(class, findings), ..file })
}

/// The documents of an archive: what was given of it holds for each.
fn documents(archive: File, members: Vec<Member>, mut noticed: Vec<Finding>) -> impl Iterator<Item = File> {
    let File { name: archive_name, spooled, metadata, declared, relations, .. } = archive;
    let sha256 = spooled.digests().sha256;
    members.into_iter().map(move |Member { name, spooled, class, .. }| File {
        name,
        spooled,
        metadata: Metadata::clone(&metadata),
        declared,
        relations: relations.clone(),
        unpacked: Unpacked::Member {
            class,
            archive: archive_name.clone(),
            sha256,
            noticed: std::mem::take(&mut noticed),
        },
    })
}
