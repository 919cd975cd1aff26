//! A whole package in a bundle: its files as stored, and its content expanded so that every Path of the index resolves.

use std::collections::HashMap;
use std::io::Read as _;

use uuid::Uuid;

use super::{Bundling, Opened, Paths, parse};
use crate::error::{AtPlace, Code, Error, Result};
use crate::evidence::sign::cades;
use crate::exhibit::MAX_SMALL;
use crate::hash::Digests;
use crate::id::{DocumentId, PackageRef};
use crate::package::generation::Renewal;
use crate::package::member::{Kind, Member};
use crate::package::{FileFacts, PINDEX, PINDEX_SIGNATURE};

impl Bundling<'_> {
    pub(super) fn whole(&mut self, opened: &Opened) -> Result<()> {
        let folder = format!("packages/{}", opened.reference);
        self.stored_files(opened, &folder)?;
        self.leads_to(opened)?;

        // Extensions stand in the index alone: the table of contents knows members by kind and identifier.
        let mut paths: HashMap<(u8, Uuid), String> = HashMap::new();
        let index = opened.package.verify_index(&mut |file| {
            if let Some(member) = Member::from_path(&file.path) {
                paths.insert((member.kind as u8, member.id), file.path.clone());
            }
        })?;
        if let Some(finding) = index.findings.into_iter().next() {
            return Err(Error::new(finding.code, finding.message).at(format!("{} {}", opened.reference, finding.place)));
        }
        let path_of = |kind: Kind, id: Uuid| {
            let missing = || Error::new(Code::PIndexDisagrees, "a member that the index does not list").at(id);
            paths.get(&(kind as u8, id)).map(|path| format!("{folder}/{path}")).ok_or_else(missing)
        };

        let mut described = Vec::new();
        opened.package.each_member(&Kind::ALL, &mut |record, reader| {
            let path = path_of(record.kind, record.id)?;
            if record.kind != Kind::Metadata {
                return self.target.copy(&path, record.length, reader).map(drop);
            }
            let mut bytes = Vec::new();
            reader.take(MAX_SMALL + 1).read_to_end(&mut bytes).at(record.id)?;
            self.target.put(&path, &bytes)?;
            described.push(parse(&bytes, DocumentId(record.id))?);
            Ok(())
        })?;
        for file in described {
            let receipt = file.receipt.0;
            let paths = Paths {
                file: path_of(Kind::Document, file.document.0)?,
                metadata: path_of(Kind::Metadata, file.document.0)?,
                rdv: path_of(Kind::Receipt, receipt)?,
                rdv_signature: path_of(Kind::Signature, receipt).ok(),
                note: path_of(Kind::Note, receipt)?,
                manifest: path_of(Kind::Manifest, receipt)?,
            };
            self.line(opened, file, paths)?;
        }
        Ok(())
    }

    /// The signature of the index goes in with the other files; here what it leads to.
    fn leads_to(&mut self, opened: &Opened) -> Result<()> {
        let facts: Vec<FileFacts> = files_of(&opened.entry.object)?;
        let index = facts.iter().find(|file| file.name == PINDEX);
        let (Some(p7s), Some(index)) = (index_signature(opened)?, index) else { return Ok(()) };
        self.signature(opened, &p7s, index.sha256)
    }

    /// The files of the package, each as its chain entry lists it.
    fn stored_files(&mut self, opened: &Opened, folder: &str) -> Result<()> {
        let stored = opened.package.list()?;
        for file in &opened.files {
            let place = format!("{} {}", opened.reference, file.name);
            if !stored.iter().any(|s| s.name == file.name) {
                return Err(Error::new(Code::PackageFileMissing, "").at(place));
            }
            let mut reader = opened.package.open_file(&file.name)?;
            let expected = Digests { bytes: file.length, sha256: file.sha256, blake3: file.blake3 };
            if self.target.copy(&format!("{folder}/{}", file.name), file.length, &mut reader)? != expected {
                return Err(Error::new(Code::PackageFileAltered, "").at(place));
            }
        }
        Ok(())
    }
}

/// The signature of a package's index, when its chain entry lists one.
pub(super) fn index_signature(opened: &Opened) -> Result<Option<Vec<u8>>> {
    let facts = files_of(&opened.entry.object)?;
    if !facts.iter().any(|file| file.name == PINDEX_SIGNATURE) {
        return Ok(None);
    }
    opened.package.read_file(PINDEX_SIGNATURE, cades::MAX_BYTES).map(Some)
}

/// The files that a renewal entry lists for one package.
pub(in crate::exhibit) fn renewed_files(
    object: &serde_json::Map<String, serde_json::Value>,
    package: &PackageRef,
) -> Result<Vec<FileFacts>> {
    let renewal: Renewal = serde_json::from_value(object.clone().into())
        .map_err(|e| Error::new(Code::ChainAltered, "the renewal entry does not say what it renews").because(e))?;
    let renewed = renewal.packages.into_iter().find(|renewed| renewed.package == *package);
    let renewed = renewed.ok_or_else(|| Error::new(Code::ChainAltered, "a renewal of other packages").at(package))?;
    Ok(renewed.files)
}

/// The files that a package entry lists.
pub(in crate::exhibit) fn files_of(object: &serde_json::Map<String, serde_json::Value>) -> Result<Vec<FileFacts>> {
    let files = object.get("files").cloned().unwrap_or_default();
    serde_json::from_value(files).map_err(|e| Error::new(Code::ChainAltered, "the entry lists no files").because(e))
}
