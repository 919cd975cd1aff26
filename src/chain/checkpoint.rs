//! The checkpoint: the archive's signed statement of how long its chain is and what its root is.
//!
//! Invariant: the text form is exact (three lines, no extension lines), so two checkpoints are equal when their bytes
//! are. Clause: C2SP tlog-checkpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::note::{Verifier, open_note};
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// Size and root of a chain, under the chain's origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The chain's name; also the name of the key that signs.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Sha256,
}

impl Checkpoint {
    /// The text that is signed: origin, size, root, each on its line.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.0))
    }

    /// Reads the text of an opened note of our own: three lines and nothing else.
    pub fn parse(text: &str) -> Result<Self> {
        let checkpoint = Self::parse_any(text)?;
        if checkpoint.text() != text {
            return Err(wrong("three lines expected: origin, size, root"));
        }
        Ok(checkpoint)
    }

    /// Reads the text of any log's checkpoint: after the three lines others may follow, none of them empty.
    pub fn parse_any(text: &str) -> Result<Self> {
        let mut lines = text.strip_suffix('\n').ok_or_else(|| wrong("no newline at the end"))?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(wrong("three lines expected: origin, size, root"));
        };
        if lines.any(str::is_empty) {
            return Err(wrong("an empty line"));
        }
        let number: u64 = size.parse().map_err(|_| wrong("the size is not a number"))?;
        if number.to_string() != size {
            return Err(wrong("the size is not in its only form"));
        }
        let root = BASE64.decode(root).ok().and_then(|r| r.try_into().ok()).map(Sha256);
        let root = root.ok_or_else(|| wrong("the root is not 32 bytes in base64"))?;
        if origin.is_empty() {
            return Err(wrong("no origin"));
        }
        Ok(Self { origin: origin.to_owned(), size: number, root })
    }

    /// Opens a signed checkpoint of the archive that `key` belongs to.
    pub fn open(note: &str, key: &Verifier) -> Result<Self> {
        let opened = open_note(note, std::slice::from_ref(key))
            .map_err(|e| Error::new(Code::CheckpointBad, e.detail.clone()).because(e))?;
        let checkpoint = Self::parse(&opened.text)?;
        if checkpoint.origin != key.name() {
            return Err(Error::new(Code::CheckpointBad, "the origin is not the name of the key"));
        }
        Ok(checkpoint)
    }
}

fn wrong(what: &str) -> Error {
    Error::new(Code::CheckpointBad, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_text_is_read() {
        let checkpoint = Checkpoint { origin: "archivio.example".into(), size: 7, root: Sha256::of(b"x") };
        let text = checkpoint.text();
        assert_eq!(Checkpoint::parse(&text).unwrap(), checkpoint);
        for bad in [
            text.replace("\n7\n", "\n07\n"),
            text.replace("\n7\n", "\n+7\n"),
            text.replace("\n7\n", "\n\n"),
            format!("{text}extension\n"),
            text.trim_end().to_owned(),
            text.replace('=', ""),
            text.replace("archivio.example", ""),
        ] {
            assert_eq!(Checkpoint::parse(&bad).unwrap_err().code, Code::CheckpointBad, "{bad:?}");
        }
        // Logs of others may say more than ours do.
        assert_eq!(Checkpoint::parse_any(&format!("{text}extension\n")).unwrap(), checkpoint);
        assert!(Checkpoint::parse_any(&format!("{text}\n")).is_err());
    }
}
