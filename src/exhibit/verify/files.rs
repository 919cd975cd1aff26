//! The zip as it came: a hostile file until every entry of its directory has been looked at.
//!
//! Invariant: entries are few enough, have plain names, each once, do not lie over one another, are plain files, stored or
//! deflated; an entry is never inflated beyond the length expected of it; every byte is an entry's or the directory's, so that
//! who unpacks from the front, or from another directory, reads nothing else. What breaks these rules is a finding that names
//! the entry, and the entry is not read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use zip::read::ZipFile;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use crate::error::{AtPath, Code, Error, Finding, Result};
use crate::evidence::digest::{self, Algorithm, Digest};
use crate::hash::{Digests, Hasher};

/// Most entries read: a hundred thousand documents with all that belongs to them.
const MAX_ENTRIES: u64 = 1 << 20;
/// Largest directory of entries read.
const MAX_DIRECTORY: u64 = 512 << 20;
/// Longest name.
const MAX_NAME: usize = 1024;

pub(super) struct Files {
    zip: ZipArchive<BufReader<File>>,
    index: BTreeMap<String, usize>,
}

impl Files {
    pub fn open(path: &Path, findings: &mut Vec<Finding>) -> Result<Self> {
        let invalid = |detail: String| Error::new(Code::BundleInvalid, detail).at(path.display());
        let mut file = File::open(path).at_path(path)?;
        let end = declared(&mut file).at_path(path)?.ok_or_else(|| invalid("not a zip file".into()))?;
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
        for n in 0..zip.len() {
            let entry = match zip.by_index_raw(n) {
                Ok(entry) => entry,
                Err(e) => {
                    findings.push(Finding::error(Code::BundleInvalid, format!("zip entry {n}"), e.to_string()));
                    continue;
                }
            };
            let name = String::from_utf8(entry.name_raw().to_vec());
            let shown = name.clone().map_or_else(|_| format!("zip entry {n}"), |name| name.escape_debug().to_string());
            let wrong = match &name {
                Err(_) => Some("the name is not UTF-8"),
                Ok(name) if !plain(name) => Some("not a plain relative name"),
                _ if entry.is_dir() || entry.is_symlink() => Some("not a plain file"),
                _ if entry.unix_mode().is_some_and(|mode| mode & 0o170_000 & !0o100_000 != 0) => {
                    Some("not a plain file")
                }
                _ if entry.encrypted() => Some("encrypted"),
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
        } else if findings.is_empty() && !end.closes(&ranges, zip.central_directory_start()) {
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

/// Relative, of plain components, nothing that a shell, a terminal or Windows would take for something else.
fn plain(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !name.chars().any(|c| c.is_control() || c == '\\' || c == ':')
}

/// What the end of a zip declares.
struct End {
    entries: u64,
    /// Length of the directory.
    directory: u64,
    /// Where what follows the directory begins.
    at: u64,
    /// Whether nothing stands behind it, not even a comment.
    last: bool,
}

impl End {
    /// Whether entries (start, end, whether a descriptor follows), directory and end stand side by side from the first byte to the
    /// last.
    fn closes(&self, entries: &[(u64, u64, bool)], directory: u64) -> bool {
        let starts = entries.iter().map(|(start, _, _)| *start).skip(1).chain([directory]);
        // A descriptor has a mark or not, and lengths of four octets or eight (APPNOTE 4.3.9).
        let beside = |(end, described): (u64, bool), next: u64| match described {
            true => next.checked_sub(end).is_some_and(|gap| matches!(gap, 12 | 16 | 20 | 24)),
            false => next == end,
        };
        let first = entries.first().map_or(directory, |(start, _, _)| *start);
        let entries = entries.iter().zip(starts).all(|((_, end, described), next)| beside((*end, *described), next));
        first == 0 && entries && directory.checked_add(self.directory) == Some(self.at) && self.last
    }
}

/// The end of the directory (APPNOTE 4.3.16, 4.3.14).
fn declared(file: &mut File) -> io::Result<Option<End>> {
    const END: [u8; 4] = *b"PK\x05\x06";
    const END64: [u8; 4] = *b"PK\x06\x06";
    const LOCATOR64: [u8; 4] = *b"PK\x06\x07";
    let length = file.seek(SeekFrom::End(0))?;
    let tail = length.min(22 + 20 + 65_535);
    file.seek(SeekFrom::Start(length - tail))?;
    let mut bytes = Vec::new();
    file.take(tail).read_to_end(&mut bytes)?;
    // The comment reaches exactly to the end: the only place where the record can stand.
    let end = (0..bytes.len().saturating_sub(21)).rev().find(|at| {
        let comment = || usize::from(u16::from_le_bytes([bytes[at + 20], bytes[at + 21]]));
        bytes[*at..].starts_with(&END) && at + 22 + comment() == bytes.len()
    });
    let Some(at) = end else { return Ok(None) };
    let entries = u64::from(u16::from_le_bytes([bytes[at + 10], bytes[at + 11]]));
    let size = u64::from(u32::from_le_bytes([bytes[at + 12], bytes[at + 13], bytes[at + 14], bytes[at + 15]]));
    let last = at + 22 == bytes.len();
    let locator = at.checked_sub(20).filter(|l| bytes[*l..].starts_with(&LOCATOR64));
    if let Some(locator) = locator {
        let offset = u64::from_le_bytes(bytes[locator + 8..locator + 16].try_into().unwrap_or_default());
        if offset.checked_add(56).is_none_or(|after| after > length) {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(offset))?;
        let mut record = [0; 56];
        file.read_exact(&mut record)?;
        if !record.starts_with(&END64) {
            return Ok(None);
        }
        let number = |at: usize| u64::from_le_bytes(record[at..at + 8].try_into().unwrap_or_default());
        let last = last && offset + 56 == length - tail + locator as u64;
        return Ok(Some(End { entries: number(32), directory: number(40), at: offset, last }));
    }
    Ok(Some(End { entries, directory: size, at: length - tail + at as u64, last }))
}
