//! What was acknowledged: nothing of it may be lost, ever after.

use std::path::{Path, PathBuf};

use custode::archive::Archive;
use custode::hash::Sha256;

use super::act::actor;
use super::sandbox::Acknowledged;

/// Something that somebody was told.
#[derive(Clone)]
pub enum Promise {
    /// A receipt: the document is there, byte for byte, and so is the receipt.
    Document(Box<Acknowledged>),
    /// A refusal can be read again.
    Refusal(String),
    /// An entry of the chain, a record, an access: this file begins with these bytes.
    Lines { file: PathBuf, length: usize, sha256: Sha256 },
}

impl Promise {
    /// Whether it is kept; `root` is the archive's folder.
    pub fn holds(&self, archive: &Archive, root: &Path, when: &str) {
        let actor = actor(archive);
        match self {
            Self::Document(one) => {
                let mut content = Vec::new();
                archive
                    .content(&actor, one.document.parse().unwrap(), None, None)
                    .and_then(|mut read| {
                        read.read_to_end(&mut content).map_err(|e| custode::error::Error::io("content", e))
                    })
                    .unwrap_or_else(|error| panic!("{when}: number {} is lost: {error}", one.sequence));
                assert!(content == one.wish.body, "{when}: number {} is altered", one.sequence);
                let receipt = archive.receipt_json(&actor, one.id.parse().unwrap());
                let receipt = receipt.unwrap_or_else(|error| panic!("{when}: receipt {}: {error}", one.id));
                assert!(receipt == one.receipt, "{when}: the receipt of number {} differs", one.sequence);
            }
            Self::Refusal(id) => {
                let refusal = archive.refusal(&actor, id.parse().unwrap());
                refusal.unwrap_or_else(|error| panic!("{when}: refusal {id} is lost: {error}"));
            }
            Self::Lines { .. } => self.holds_on_disk(root, when),
        }
    }

    /// What can be seen before the archive is opened.
    pub fn holds_on_disk(&self, root: &Path, when: &str) {
        if let Self::Lines { file, length, sha256 } = self {
            let bytes = std::fs::read(root.join(file)).unwrap_or_default();
            let there = bytes.len() >= *length && Sha256::of(&bytes[..*length]) == *sha256;
            assert!(there, "{when}: {} has lost lines that were acknowledged", file.display());
        }
    }

    /// Lines of the chain and of all records as they stand now.
    pub fn lines(root: &Path) -> Vec<Self> {
        let records = std::fs::read_dir(root.join("records")).unwrap().flatten().map(|entry| entry.file_name());
        let records = records.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".jsonl"));
        let files = records.map(|name| Path::new("records").join(name)).chain([PathBuf::from("chain/entries")]);
        files
            .map(|file| {
                let bytes = std::fs::read(root.join(&file)).unwrap();
                Self::Lines { file, length: bytes.len(), sha256: Sha256::of(&bytes) }
            })
            .collect()
    }
}
