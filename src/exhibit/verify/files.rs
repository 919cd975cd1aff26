//! The zip as it came: a hostile file until every entry of its directory has been looked at.
//!
//! Invariant: entries are few enough, have plain names, each once, do not lie over one another, are plain files, stored or
//! deflated; an entry is never inflated beyond the length expected of it; every byte is an entry's or the directory's, so that
//! who unpacks from the front, or from another directory, reads nothing else. What breaks these rules is a finding that names
//! the entry, and the entry is not read.

mod end;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use zip::read::ZipFile;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use end::End;

use crate::error::{AtPath, Code, Error, Finding, Result};
use crate::evidence::digest::{self, Algorithm, Digest};
use crate::hash::{Digests, Hasher};

/// Most entries read: a hundred thousand documents with all that belongs to them.
const MAX_ENTRIES: u64 = 1 << 20;
/// Largest directory of entries read.
const MAX_DIRECTORY: u64 = 512 << 20;
/// "Version needed to extract" of the newest additions to the format that readers know: 6.3.
const LATEST_VERSION: u8 = 63;
/// How hard it was tried to deflate it; that a descriptor follows; that the name is UTF-8.
const ORDINARY_FLAGS: u16 = 0x0806 | 0x0008;
/// Longest name.
const MAX_NAME: usize = 1024;

pub(super) struct Files {
    zip: ZipArchive<BufReader<File>>,
    index: BTreeMap<String, usize>,
}

impl Files {
    pub fn open(path: &Path, findings: &mut Vec<Finding>) -> Result<Self> {
        let invalid = |detail: String| Error::new(Code::BundleInvalid, detail).at(path.display());
        let file = File::open(path).at_path(path)?;
        let end =
            End::of(&file).at_path(path)?.ok_or_else(|| invalid("not a zip file, or with more behind it".into()))?;
        let entries = end.entries;
        if entries > MAX_ENTRIES || end.directory > MAX_DIRECTORY {
            return Err(invalid(format!("{entries} entries are more than any bundle has")));
        }
        let own = file.try_clone().at_path(path)?;
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(|e| match e {
            ZipError::Io(e) => Error::io(path.display(), e),
            other => invalid(other.to_string()),
        })?;
        if zip.len() as u64 != entries {
            findings.push(Finding::error(
                Code::BundleInvalid,
                "zip",
                "entries with the same name, or not as many as declared",
            ));
        }
        let mut index = BTreeMap::new();
        let mut ranges = Vec::with_capacity(zip.len());
        let mut last = zip.central_directory_start();
        for n in 0..zip.len() {
            let entry = match zip.by_index_raw(n) {
                Ok(entry) => entry,
                Err(e) => {
                    findings.push(Finding::error(Code::BundleInvalid, format!("zip entry {n}"), e.to_string()));
                    continue;
                }
            };
            let listed = listed(&own, &entry);
            last = last.max(listed.map_or(0, |listed| listed.end));
            let name = String::from_utf8(entry.name_raw().to_vec());
            let shown = name.clone().map_or_else(|_| format!("zip entry {n}"), |name| name.escape_debug().to_string());
            let wrong = match &name {
                Err(_) => Some("the name is not UTF-8"),
                Ok(name) if !plain(name) => Some("not a plain relative name"),
                _ if entry.is_dir() || entry.is_symlink() => Some("not a plain file"),
                _ if entry.unix_mode().is_some_and(|mode| mode & 0o170_000 & !0o100_000 != 0) => {
                    Some("not a plain file")
                }
                _ if !listed.is_some_and(|listed| listed.ordinary) => {
                    Some("encrypted, or otherwise not as bundles hold files")
                }
                _ if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) => {
                    Some("a compression that bundles do not use")
                }
                _ => None,
            };
            let header = wrong.is_none().then(|| header_of(&own, &entry));
            // Who unpacks from the front would read another bundle than who reads the directory.
            let wrong = if header == Some(None) { Some("its own header says something else") } else { wrong };
            if let Some(wrong) = wrong {
                findings.push(Finding::error(Code::BundleInvalid, shown, wrong));
                continue;
            }
            let data = entry.data_start().unwrap_or_else(|| entry.header_start());
            let described = header.flatten() == Some(true);
            ranges.push((entry.header_start(), data.saturating_add(entry.compressed_size()), described));
            drop(entry);
            if let Ok(name) = name
                && index.insert(name, n).is_some()
            {
                findings.push(Finding::error(Code::BundleInvalid, shown, "stands twice"));
            }
        }
        ranges.sort_unstable();
        if ranges.windows(2).any(|pair| pair[0].1 > pair[1].0) {
            findings.push(Finding::error(Code::BundleInvalid, "zip", "entries lie over one another"));
            // What lies over one another is how bombs are made: nothing of it is read.
            index.clear();
        } else if findings.is_empty() && !end.closes(&ranges, zip.central_directory_start()..last) {
            findings.push(Finding::error(Code::BundleInvalid, "zip", "bytes that are no entry's"));
        }
        Ok(Self { zip, index })
    }

    pub fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(String::as_str)
    }

    /// A file of at most `limit` bytes.
    pub fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.each_block(name, limit, &mut |block| bytes.extend_from_slice(block))?;
        Ok(bytes)
    }

    /// Length and digests of a file that should have this length.
    pub fn digests(&mut self, name: &str, length: u64) -> Result<Digests> {
        let mut hasher = Hasher::new();
        self.each_block(name, length, &mut |block| hasher.update(block))?;
        Ok(hasher.finish())
    }

    /// Another digest of a file of this length.
    pub fn digest(&mut self, name: &str, length: u64, algorithm: Algorithm) -> Result<Digest> {
        let mut hasher = digest::Hasher::new(algorithm);
        self.each_block(name, length, &mut |block| hasher.update(block))?;
        Ok(hasher.finish())
    }

    fn each_block(&mut self, name: &str, limit: u64, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let missing = || Error::new(Code::BundleFileMissing, "").at(name);
        let index = *self.index.get(name).ok_or_else(missing)?;
        let altered = |detail: String| Error::new(Code::BundleFileAltered, detail).at(name);
        let entry = self.zip.by_index(index).map_err(|e| match e {
            ZipError::Io(e) => read_error(name, e),
            other => altered(other.to_string()),
        })?;
        let mut limited = entry.take(limit.saturating_add(1));
        let mut buffer = vec![0; 64 << 10];
        let mut total = 0_u64;
        loop {
            let n = match limited.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(read_error(name, e)),
            };
            total += n as u64;
            if total > limit {
                return Err(altered(format!("longer than {limit} bytes")));
            }
            each(&buffer[..n]);
        }
        Ok(())
    }
}

/// Bytes that do not inflate or whose CRC is wrong are altered; a disk that does not give them is another matter.
fn read_error(name: &str, error: io::Error) -> Error {
    match error.raw_os_error() {
        None => Error::new(Code::BundleFileAltered, error.to_string()).at(name).because(error),
        Some(_) => Error::io(name, error),
    }
}

/// Whether a descriptor follows an entry's data; `None` when the header before it says something else than the directory
/// (APPNOTE 4.3.7).
fn header_of<R: Read>(file: &File, entry: &ZipFile<'_, R>) -> Option<bool> {
    let name = entry.name_raw();
    let mut found = vec![0; 30 + name.len()];
    file.read_exact_at(&mut found, entry.header_start()).ok()?;
    let short = |at: usize| u16::from_le_bytes([found[at], found[at + 1]]);
    let long = |at: usize| u64::from(u32::from_le_bytes([found[at], found[at + 1], found[at + 2], found[at + 3]]));
    let described = short(6) & 8 != 0;
    let method = if entry.compression() == CompressionMethod::Stored { 0 } else { 8 };
    // The lengths of a large file stand in an extra field, those of a described one behind it.
    let told = |at: usize, right: u64| long(at) == right || (at > 14 && long(at) == u64::from(u32::MAX));
    let right =
        described || (told(14, entry.crc32().into()) && told(18, entry.compressed_size()) && told(22, entry.size()));
    let same = usize::from(short(26)) == name.len() && &found[30..] == name && short(8) == method;
    (same && right).then_some(described)
}

/// An entry's header in the directory.
#[derive(Clone, Copy)]
struct Header {
    /// Where it ends.
    end: u64,
    /// Whether it asks for nothing but what every reader knows: no encryption, no patches (APPNOTE 4.4.3, 4.4.4).
    ordinary: bool,
}

fn listed<R: Read>(file: &File, entry: &ZipFile<'_, R>) -> Option<Header> {
    let mut header = [0; 46];
    file.read_exact_at(&mut header, entry.central_header_start()).ok()?;
    let short = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let behind: u64 = [28, 30, 32].map(|at| u64::from(short(at))).iter().sum();
    let ordinary = header[6] <= LATEST_VERSION && short(8) & !ORDINARY_FLAGS == 0;
    Some(Header { end: entry.central_header_start() + 46 + behind, ordinary })
}

/// Relative, of plain components, nothing that a shell, a terminal or Windows would take for something else.
fn plain(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !name.chars().any(|c| c.is_control() || c == '\\' || c == ':')
}

#[cfg(test)]
mod tests;
