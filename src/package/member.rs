//! Members of a package's content and their paths.
//!
//! Invariant: path and (kind, id, extension) are exact inverses, and no path holds a name somebody gave: identifiers and
//! a short extension only. Kinds are packed in the order of [`Kind`].

use std::fmt;

use uuid::Uuid;

use crate::error::{Code, Error, Result};

/// Longest extension kept: `xml.p7m` and the like.
pub const MAX_EXTENSION: usize = 16;

/// What a member is; also the order in which kinds stand in the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// `documents/<document id>.<ext>`: the bytes as received.
    Document = 1,
    /// `metadata/<document id>.xml`: AgID Allegato 5.
    Metadata = 2,
    /// `receipts/<receipt id>.xml`: the RdV.
    Receipt = 3,
    /// `receipts/<receipt id>.note`: the signed note of the RdV.
    Note = 4,
    /// `manifests/<receipt id>.json`: the index of the PdV.
    Manifest = 5,
    /// `receipts/<receipt id>.xml.p7s`: the detached signature of the RdV, where receipts are signed.
    Signature = 6,
}

impl Kind {
    /// All kinds in packing order.
    pub const ALL: [Self; 6] =
        [Self::Document, Self::Metadata, Self::Receipt, Self::Note, Self::Manifest, Self::Signature];

    /// All but the documents: what rebuilding a catalog reads.
    pub const DESCRIPTIVE: [Self; 5] = [Self::Metadata, Self::Receipt, Self::Note, Self::Manifest, Self::Signature];

    /// From the byte in a table of contents.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Document => "documents",
            Self::Metadata => "metadata",
            Self::Receipt | Self::Note | Self::Signature => "receipts",
            Self::Manifest => "manifests",
        }
    }

    fn fixed_extension(self) -> Option<&'static str> {
        match self {
            Self::Document => None,
            Self::Metadata | Self::Receipt => Some("xml"),
            Self::Note => Some("note"),
            Self::Manifest => Some("json"),
            Self::Signature => Some("xml.p7s"),
        }
    }
}

/// One member: kind, identifier and extension; its path follows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member {
    /// What it is.
    pub kind: Kind,
    /// Document id, or receipt id for receipts, their notes and signatures, and manifests.
    pub id: Uuid,
    extension: String,
}

impl Member {
    /// A document; its extension must be as [`is_extension`] says.
    pub fn document(id: Uuid, extension: &str) -> Result<Self> {
        if !is_extension(extension) {
            return Err(Error::new(Code::Internal, "an extension that cannot stand in a path").at(id));
        }
        Ok(Self { kind: Kind::Document, id, extension: extension.to_owned() })
    }

    /// A member of any kind but a document: its extension is fixed.
    pub fn descriptive(kind: Kind, id: Uuid) -> Result<Self> {
        let extension = kind
            .fixed_extension()
            .ok_or_else(|| Error::new(Code::Internal, "a document needs its own extension").at(id))?;
        Ok(Self { kind, id, extension: extension.to_owned() })
    }

    /// The extension, without dot.
    pub fn extension(&self) -> &str {
        &self.extension
    }

    /// Path inside the tar.
    pub fn path(&self) -> String {
        self.to_string()
    }

    /// The member this path names; `None` for any path that [`Member::path`] would not give.
    pub fn from_path(path: &str) -> Option<Self> {
        let (folder, file) = path.split_once('/')?;
        let (id, extension) = file.split_once('.')?;
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.folder() == folder && kind.fixed_extension().is_none_or(|fixed| fixed == extension))?;
        let id = Uuid::try_parse(id).ok()?;
        let member = Self { kind, id, extension: extension.to_owned() };
        // Upper-case digits, braces or a missing hyphen would be a second path for the same member.
        (is_extension(extension) && member.path() == path).then_some(member)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.kind.folder(), self.id.hyphenated(), self.extension)
    }
}

/// Whether this can be the extension of a member: 1 to 16 lower-case letters and digits, in parts joined by single dots.
pub fn is_extension(text: &str) -> bool {
    text.len() <= MAX_EXTENSION
        && text
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_and_member_are_inverses() {
        let id = Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001);
        let mut all = vec![Member::document(id, "xml.p7m").unwrap()];
        all.extend(Kind::DESCRIPTIVE.map(|kind| Member::descriptive(kind, id).unwrap()));
        for member in all {
            assert_eq!(Member::from_path(&member.path()), Some(member));
        }
        assert!(Member::descriptive(Kind::Document, id).is_err());
    }

    #[test]
    fn other_paths_name_no_member() {
        for bad in [
            "documents/../x.pdf",
            "/documents/01990000-0000-7000-8000-000000000001.pdf",
            "documents/01990000-0000-7000-8000-00000000000A.pdf",
            "documents/01990000000070008000000000000001.pdf",
            "documents/01990000-0000-7000-8000-000000000001",
            "documents/01990000-0000-7000-8000-000000000001.",
            "documents/01990000-0000-7000-8000-000000000001.pdf/x",
            "documents/01990000-0000-7000-8000-000000000001.p..f",
            "metadata/01990000-0000-7000-8000-000000000001.pdf",
            "receipts/01990000-0000-7000-8000-000000000001.json",
            "other/01990000-0000-7000-8000-000000000001.xml",
        ] {
            assert_eq!(Member::from_path(bad), None, "{bad}");
        }
    }
}
