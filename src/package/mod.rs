//! The package (PdA): how documents are packed, indexed and read again.
//!
//! What it is for: one sealed unit of documents of one holder, one class version and one cohort of expiry, readable in
//! 2046 with `zstd`, `tar` and `xmllint` alone (invariant I3). UNI 11386:2020 gives the index, RFC 8878 the compression,
//! POSIX.1-2017 pax the tar. A package is described by its [`plan`], made by the [`writer`] and read by one [`reader`];
//! nobody else opens `content.tar.zst`.
//!
//! Invariant: every file of a package is a function of plan, documents and index header alone, so that an interrupted
//! sealing goes on where it stopped.

use serde::{Deserialize, Serialize};

use crate::hash::{Blake3, Digests, Sha256};

pub mod closing;
pub mod content;
pub mod copies;
pub mod files;
pub mod generation;
pub mod member;
pub mod numbers;
pub mod pindex;
pub mod plan;
pub mod reader;
pub mod seek;
pub mod signed;
pub mod tar;
pub mod toc;
pub mod writer;

/// The documents, their metadata and receipts: tar in zstd frames.
pub const CONTENT: &str = "content.tar.zst";
/// The table of contents.
pub const TOC: &str = "toc";
/// The lane numbers inside.
pub const NUMBERS: &str = "numbers";
/// The index, UNI 11386:2020.
pub const PINDEX: &str = "PIndex.xml";
/// Detached CAdES signature of the index, when there is a signer.
pub const PINDEX_SIGNATURE: &str = "PIndex.xml.p7s";
/// RFC 4998 record of the index group.
pub const EVIDENCE_RECORD: &str = "evidence/0001.ers";
/// All hashes of the evidence tree.
pub const EVIDENCE_TREE: &str = "evidence/0001.tree";
/// The time-stamp token of the closing run.
pub const EVIDENCE_TOKEN: &str = "evidence/0001.tsr";
/// Folder of what the verdicts on signatures rest on: revocation lists and answers, each named by its SHA-256.
pub const TRUST: &str = "trust";
/// What was found of revocation when the package was sealed, a line a signature; there only when there are signatures and
/// somebody configured what to look at.
pub const TRUST_REVOCATION: &str = "trust/revocation.jsonl";

/// What the chain says of one file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Path inside the package folder, with `/`.
    pub name: String,
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 of the stored bytes.
    pub sha256: Sha256,
    /// BLAKE3 of the stored bytes.
    pub blake3: Blake3,
}

impl FileFacts {
    /// Facts of a file from its digests.
    pub fn new(name: &str, digests: Digests) -> Self {
        Self { name: name.to_owned(), length: digests.bytes, sha256: digests.sha256, blake3: digests.blake3 }
    }
}
