//! Trust from the files a person names: certificates (PEM or DER, files or folders), trusted lists, the PEC directory.

use std::path::{Path, PathBuf};

use super::directory::{self, Directory};
use super::list::{Service, Signed, TrustedList};
use super::{Purpose, Trust};
use crate::error::{AtPath, Code, Error, Finding, Result};
use crate::evidence::anchors::Anchors;
use crate::evidence::revocation::Material;
use crate::evidence::xades;

/// Files of one folder; more is no folder of certificates.
const MAX_FILES: usize = 10_000;

/// Largest revocation list.
const MAX_LIST: u64 = 32 << 20;

/// Where trust comes from: files, or folders whose files with a fitting extension are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Anchors of PEC providers.
    pub pec: Vec<PathBuf>,
    /// Anchors of signatures.
    pub signatures: Vec<PathBuf>,
    /// Anchors of time-stamps of signatures.
    pub time_stamps: Vec<PathBuf>,
    /// Trusted lists (ETSI TS 119 612).
    pub trusted_lists: Vec<PathBuf>,
    /// Certificates that sign trusted lists.
    pub trusted_list_signers: Vec<PathBuf>,
    /// Directories of PEC providers (LDIF, plain or `.p7m`).
    pub pec_directory: Vec<PathBuf>,
    /// Revocation lists (DER, PEM) and OCSP answers (DER).
    pub revocation: Vec<PathBuf>,
}

impl Sources {
    /// Reads everything. A file that cannot be read is an error that names it; a list whose signature was not looked at is a finding.
    pub fn load(&self) -> Result<(Trust, Vec<Finding>)> {
        let mut findings = Vec::new();
        let mut trust = Trust::empty();
        for (purpose, paths) in
            [(Purpose::Pec, &self.pec), (Purpose::Signature, &self.signatures), (Purpose::TimeStamp, &self.time_stamps)]
        {
            trust = trust.with(purpose, certificates(paths)?);
        }
        let signers = certificates(&self.trusted_list_signers)?;
        let mut lists = TrustedList::default();
        for path in files(&self.trusted_lists, &["xml", "xtsl"])? {
            let bytes = read(&path, xades::MAX_BYTES as u64)?;
            let (list, signed) = TrustedList::parse(&bytes, &signers).map_err(|e| at(e, &path))?;
            if signed == Signed::Unchecked {
                findings.push(Finding::warning(Code::TrustListUnchecked, path.display().to_string(), ""));
            }
            lists = lists.and(list);
        }
        let stamps = lists.anchors(Service::QualifiedTimeStamps)?;
        trust = trust.with(Purpose::TimeStamp, stamps).with_list(lists)?;
        let mut directory = Directory::default();
        for path in files(&self.pec_directory, &["ldif", "p7m"])? {
            let found = Directory::parse(&read(&path, directory::MAX_BYTES as u64)?).map_err(|e| at(e, &path))?;
            if found.is_empty() {
                let why = "no certificate of a PEC provider is listed in it";
                return Err(Error::new(Code::ConfigInvalid, why).at(path.display()));
            }
            directory = directory.and(found);
        }
        let mut material = Material::default();
        for path in files(&self.revocation, &["crl", "ocsp", "pem", "der"])? {
            material.add(&read(&path, MAX_LIST)?).map_err(|e| at(e, &path))?;
        }
        trust = trust.with_revocation(material);
        Ok((trust.with_directory(directory), findings))
    }
}

fn at(error: Error, path: &Path) -> Error {
    error.at(path.display())
}

fn certificates(paths: &[PathBuf]) -> Result<Anchors> {
    Anchors::from_pem_files(&files(paths, &["pem", "crt", "cer", "der"])?)
}

/// The files named, and those of the folders named that have one of these extensions, in order.
fn files(paths: &[PathBuf], extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).at_path(path)? {
            let file = entry.at_path(path)?.path();
            let extension = file.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
            if extensions.contains(&extension.as_str()) && file.is_file() {
                inside.push(file);
            }
        }
        if inside.len() > MAX_FILES {
            return Err(Error::new(Code::ConfigInvalid, format!("more than {MAX_FILES} files")).at(path.display()));
        }
        inside.sort();
        all.extend(inside);
    }
    Ok(all)
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    if std::fs::metadata(path).at_path(path)?.len() > limit {
        return Err(Error::new(Code::ConfigInvalid, format!("larger than {limit} bytes")).at(path.display()));
    }
    std::fs::read(path).at_path(path)
}
