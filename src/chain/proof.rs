//! Offline proofs: one file that shows, with the archive's public key alone, that a line is in the chain.
//!
//! Clause: C2SP tlog-proof (`c2sp.org/tlog-proof@v1`); RFC 9162 section 2.1.3.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::checkpoint::Checkpoint;
use super::merkle::verify_inclusion;
use super::note::{MAX_NOTE, Verifier};
use super::reign::Reigns;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A proof file read, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Leaf index: the entry's `seq`.
    pub index: u64,
    /// Audit path, leaf to root.
    pub path: Vec<Sha256>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

impl Proof {
    /// The file's text.
    pub fn render(&self) -> String {
        let mut text = format!("{HEADER}\nindex {}\n", self.index);
        for hash in &self.path {
            text.push_str(&BASE64.encode(hash.0));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads a file; an `extra` line, which nothing authenticates, is skipped.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_NOTE {
            return Err(bad("longer than any proof"));
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(|| bad("no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(bad("not a c2sp.org/tlog-proof@v1"));
        }
        if let Some(extra) = lines.peek().and_then(|l| l.strip_prefix("extra ")) {
            BASE64.decode(extra).map_err(|_| bad("extra is not base64"))?;
            lines.next();
        }
        let index = lines.next().and_then(|l| l.strip_prefix("index ")).ok_or_else(|| bad("no index"))?;
        let number: u64 = index.parse().map_err(|_| bad("the index is not a number"))?;
        if number.to_string() != index {
            return Err(bad("the index is not in its only form"));
        }
        let mut path = Vec::new();
        for line in lines {
            let hash = BASE64.decode(line).ok().and_then(|h| h.try_into().ok()).map(Sha256);
            path.push(hash.ok_or_else(|| bad("a hash is not 32 bytes in base64"))?);
            if path.len() > 64 {
                return Err(bad("more hashes than a tree has levels"));
            }
        }
        Ok(Self { index: number, path, checkpoint: checkpoint.to_owned() })
    }

    /// Verifies that a line with this leaf hash is in the chain that `key` signs; the checkpoint it is shown against.
    pub fn verify(&self, leaf: Sha256, key: &Verifier) -> Result<Checkpoint> {
        self.verify_under(leaf, &Reigns::only(key.clone()))
    }

    /// As [`Proof::verify`], when the chain has had several keys.
    pub fn verify_under(&self, leaf: Sha256, keys: &Reigns) -> Result<Checkpoint> {
        let checkpoint = keys.open_checkpoint(&self.checkpoint)?;
        if verify_inclusion(leaf, self.index, checkpoint.size, &self.path, &checkpoint.root) {
            Ok(checkpoint)
        } else {
            Err(bad("the path does not lead from this line to the checkpoint's root"))
        }
    }
}

fn bad(detail: &str) -> Error {
    Error::new(Code::ChainAltered, format!("tlog-proof: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::merkle::{Tree, leaf};
    use crate::chain::note::Signer;

    #[test]
    fn a_proof_verifies_and_every_changed_byte_is_refused_or_changes_nothing() {
        let signer = Signer::for_name("archivio.example", &[3; 32]).unwrap();
        let mut tree = Tree::default();
        (0..11u8).for_each(|n| tree.push(leaf(&[n])));
        let checkpoint = Checkpoint { origin: signer.name().into(), size: 11, root: tree.root() };
        let checkpoint = signer.sign_note(&checkpoint.text()).unwrap();
        let proof = Proof { index: 6, path: tree.inclusion(6, 11).unwrap(), checkpoint };
        let text = proof.render();
        let key = signer.verifier();
        assert_eq!(Proof::parse(&text).unwrap(), proof);
        assert_eq!(proof.verify(leaf(&[6]), &key).unwrap().size, 11);
        assert!(proof.verify(leaf(&[7]), &key).is_err());
        let extra = text.replacen('\n', "\nextra AAAA\n", 1);
        assert_eq!(Proof::parse(&extra).unwrap(), proof);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let verdict = Proof::parse(&changed).and_then(|p| p.verify(leaf(&[6]), &key));
            assert!(verdict.is_err(), "byte {at}");
            let _ = Proof::parse(&text[..text.floor_char_boundary(at)]).map(|p| p.verify(leaf(&[6]), &key).is_err());
        }
    }
}
