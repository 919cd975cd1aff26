//! The generations of a package's evidence: where their files stand, and what the chain says of renewals.
//!
//! Sealing makes generation 1 (`evidence/0001.*`), every renewal one more; files are never rewritten. Invariant: the newest
//! generation is the last one that a `renewal` entry commits; files of a later one are in nobody's view. RFC 4998 section 5.

use std::collections::HashMap;
use std::io::Read as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::member::Kind;
use super::reader::{Package, content_error};
use super::{FileFacts, PINDEX, PINDEX_SIGNATURE};
use crate::error::{AtPlace, Code, Error, Result};
use crate::evidence::digest::{Algorithm, Digest, Hasher};
use crate::evidence::ers::stamp::ArchiveTimeStamp;
use crate::evidence::ers::{History, TreeFile, file};
use crate::evidence::tsp;
use crate::hash::Sha256;
use crate::id::PackageRef;

/// How evidence is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A new token over the last one: documents are not read (RFC 4998 section 5.2).
    TimeStamp,
    /// A new hash tree with another digest algorithm: every document is read again (section 5.3).
    HashTree,
}

/// One package of a renewal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// Series and number.
    pub package: PackageRef,
    /// The generation it got, from 2 on.
    pub generation: u32,
    /// The files of that generation.
    pub files: Vec<FileFacts>,
    /// Ids of the vaults that have them, read back.
    #[serde(default)]
    pub copies: Vec<String>,
}

/// The object of a `renewal` entry: some of the packages that share a token. The entry is the commit of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// Identifier of the renewal, the same in all its entries.
    pub id: Uuid,
    /// How.
    pub method: Method,
    /// Digest algorithm of the trees.
    pub algorithm: Algorithm,
    /// What the token covers.
    pub root: Digest,
    /// The token's time, whole seconds.
    pub stamped_at: Timestamp,
    /// The packages.
    pub packages: Vec<Renewed>,
}

/// `evidence/NNNN.ers`: the whole record of the index group.
pub fn record_name(generation: u32) -> String {
    format!("evidence/{generation:04}.ers")
}

/// `evidence/NNNN.tree`: hashes.
pub fn tree_name(generation: u32) -> String {
    format!("evidence/{generation:04}.tree")
}

/// `evidence/NNNN.tsr`: the authority's reply.
pub fn token_name(generation: u32) -> String {
    format!("evidence/{generation:04}.tsr")
}

/// The three files of a generation, in the order they are written.
pub fn file_names(generation: u32) -> [String; 3] {
    [tree_name(generation), token_name(generation), record_name(generation)]
}

/// The generation that a file of `evidence/` belongs to.
pub fn generation_of(name: &str) -> Option<u32> {
    let (number, kind) = name.strip_prefix("evidence/")?.split_once('.')?;
    let known = number.len() == 4 && ["ers", "tree", "tsr"].contains(&kind);
    if known { number.parse().ok() } else { None }
}

/// What the folder of a renewal in `staging/` begins with; its identifier follows.
pub const STAGING: &str = "renewal-";

/// Whether a folder of `staging/` is a renewal's.
pub fn is_staging(name: &str) -> bool {
    name.strip_prefix(STAGING).is_some_and(|id| Uuid::try_parse(id).is_ok())
}

/// The token in a `.tsr`, whether the reply was kept or the token alone.
pub fn token_of(stored: &[u8]) -> Vec<u8> {
    tsp::token_of_reply(stored).unwrap_or_else(|_| stored.to_vec())
}

/// Reads the first `generations` of a package's evidence; `read` gives a file of the package of at most so many bytes.
/// Errors name the file. Trees are computed again, tokens are judged by nobody here.
pub fn history(generations: u32, read: &dyn Fn(&str, u64) -> Result<Vec<u8>>) -> Result<History> {
    let token = |generation| {
        let name = token_name(generation);
        let token = token_of(&read(&name, tsp::MAX_REPLY as u64)?);
        // What is no token at all is this file's fault, and not that of the generation after it.
        ArchiveTimeStamp::new(None, token).map(|stamp| stamp.token).map_err(|error| error.at(&name))
    };
    let first = tree_name(1);
    let tree = TreeFile::parse(&read(&first, file::MAX_BYTES)?).map_err(|error| error.at(&first))?;
    let mut history = History::new(tree, token(1)?);
    for generation in 2..=generations {
        let name = tree_name(generation);
        let tree = read(&name, file::MAX_BYTES)?;
        history.push(&tree, token(generation)?).map_err(|error| error.at(&name))?;
    }
    Ok(history)
}

/// Reads everything that a package's evidence covers, once: documents, metadata, RdV and manifests in the order of the
/// content, then index and signature. Gives the digests of each object with these algorithms, by its SHA-256, which was
/// compared on the way with the table of contents; that of the index files is for the caller to compare. `progress` is
/// told the bytes of each object.
pub fn object_digests(
    package: &Package,
    algorithms: &[Algorithm],
    progress: &mut dyn FnMut(u64),
) -> Result<HashMap<Sha256, Vec<Digest>>> {
    let mut found = HashMap::new();
    let mut buffer = vec![0; 1 << 18];
    package.each_member(
        &[Kind::Document, Kind::Metadata, Kind::Receipt, Kind::Manifest, Kind::Signature],
        &mut |record, reader| {
            let mut hashers: Vec<Hasher> = algorithms.iter().map(|algorithm| Hasher::new(*algorithm)).collect();
            loop {
                let n = reader.read(&mut buffer).map_err(|e| content_error(record.id, e))?;
                if n == 0 {
                    break;
                }
                hashers.iter_mut().for_each(|hasher| hasher.update(&buffer[..n]));
            }
            progress(record.length);
            found.insert(record.sha256, hashers.into_iter().map(Hasher::finish).collect());
            Ok(())
        },
    )?;
    let listed = package.list()?;
    for name in [PINDEX, PINDEX_SIGNATURE] {
        let Some(file) = listed.iter().find(|file| file.name == name) else { continue };
        let mut own = Hasher::new(Algorithm::Sha256);
        let mut hashers: Vec<Hasher> = algorithms.iter().map(|algorithm| Hasher::new(*algorithm)).collect();
        // One byte too many is enough to know that it is another file.
        let mut reader = package.open_file(name)?.take(file.length.saturating_add(1));
        loop {
            let n = reader.read(&mut buffer).at(name)?;
            if n == 0 {
                break;
            }
            own.update(&buffer[..n]);
            hashers.iter_mut().for_each(|hasher| hasher.update(&buffer[..n]));
        }
        progress(file.length);
        let own = own.finish().sha256().ok_or_else(|| Error::new(Code::Internal, "not a SHA-256"))?;
        found.insert(own, hashers.into_iter().map(Hasher::finish).collect());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_generations_and_back() {
        for generation in [1, 2, 17, 9999] {
            for name in file_names(generation) {
                assert_eq!(generation_of(&name), Some(generation), "{name}");
            }
        }
        for name in ["evidence/1.ers", "evidence/0001.txt", "0001.ers", "evidence/000a.ers", "trust/0001.ers"] {
            assert_eq!(generation_of(name), None, "{name}");
        }
    }
}
