//! The body of `add-checkpoint`: the size the witness is thought to know, the proof from there, the signed checkpoint.
//!
//! Invariant: a body has one reading; lengths are bounded before anything is decoded. Clause: C2SP tlog-witness.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// Largest body: 63 lines of proof take 3 KB, a checkpoint with sixteen cosignatures another 3.
pub const MAX_BODY: usize = 64 << 10;
/// Most lines of a proof: more than a tree of 2^63 entries needs.
const MAX_PROOF: usize = 63;

/// A request to cosign a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint that the witness cosigned last; 0 when unknown or none.
    pub old: u64,
    /// Consistency proof from `old` to the checkpoint (RFC 6962 section 2.1.2).
    pub proof: Vec<Sha256>,
    /// The signed note.
    pub checkpoint: String,
}

impl AddCheckpoint {
    /// The body's text.
    pub fn render(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            text.push_str(&BASE64.encode(hash.0));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads a body; [`Code::WitnessRequest`] says what is wrong with it.
    pub fn parse(body: &[u8]) -> Result<Self> {
        if body.len() > MAX_BODY {
            return Err(wrong("longer than any request"));
        }
        let text = std::str::from_utf8(body).map_err(|_| wrong("not UTF-8"))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(|| wrong("no empty line"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).ok_or_else(|| wrong("no size"))?;
        let size: u64 = old.parse().map_err(|_| wrong("the size is not a number"))?;
        if size.to_string() != old {
            return Err(wrong("the size is not in its only form"));
        }
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MAX_PROOF {
                return Err(wrong("more than 63 lines of proof"));
            }
            let hash = BASE64.decode(line).ok().and_then(|bytes| bytes.try_into().ok());
            proof.push(Sha256(hash.ok_or_else(|| wrong("a line of the proof is not 32 bytes in base64"))?));
        }
        Ok(Self { old: size, proof, checkpoint: checkpoint.to_owned() })
    }
}

fn wrong(what: &str) -> Error {
    Error::new(Code::WitnessRequest, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_back_and_anything_else_is_refused() {
        let proof = vec![Sha256::of(b"a"), Sha256::of(b"b")];
        let request = AddCheckpoint { old: 20, proof, checkpoint: "log\n21\nroot\n\n— log sig\n".into() };
        let body = request.render();
        assert_eq!(AddCheckpoint::parse(body.as_bytes()).unwrap(), request);
        let first = AddCheckpoint { old: 0, proof: vec![], ..request.clone() };
        assert_eq!(AddCheckpoint::parse(first.render().as_bytes()).unwrap(), first);
        let many = AddCheckpoint { proof: vec![Sha256::ZERO; 64], ..request.clone() };
        for bad in [
            body.replace("old 20", "old 020"),
            body.replace("old 20", "old +20"),
            body.replace("old 20", "old 99999999999999999999"),
            body.replace("old 20", "new 20"),
            body.replace('=', ""),
            body.replace("\n\n", "\n"),
            many.render(),
            String::new(),
            format!("{body}{}", "x".repeat(MAX_BODY)),
        ] {
            assert_eq!(AddCheckpoint::parse(bad.as_bytes()).unwrap_err().code, Code::WitnessRequest, "{bad:.60}");
        }
        assert!(AddCheckpoint::parse(b"old 1\n\xff\n\nx").is_err());
    }
}
