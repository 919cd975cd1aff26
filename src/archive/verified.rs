//! Bytes on their way out, held against what was acknowledged.
//!
//! Invariant: the last bytes of a document are given only when all of them together are the document: whoever waits for
//! the announced length never takes altered bytes for a whole good answer.

use std::io::{self, Read};

use sha2::Digest as _;

use crate::error::{Code, Error};
use crate::hash::Sha256;

/// A reader that gives exactly `length` bytes with this SHA-256, or ends in an error before the last of them.
pub(super) struct Verified<R> {
    inner: R,
    hasher: sha2::Sha256,
    left: u64,
    sha256: Sha256,
    done: bool,
}

impl<R: Read> Verified<R> {
    pub fn new(inner: R, length: u64, sha256: Sha256) -> Self {
        Self { inner, hasher: sha2::Sha256::new(), left: length, sha256, done: false }
    }
}

fn altered(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Error::new(Code::ContentAltered, what))
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || (self.done && self.left == 0) {
            return Ok(0);
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let n = if most == 0 { 0 } else { self.inner.read(&mut buffer[..most])? };
        if n == 0 && self.left > 0 {
            return Err(altered("shorter than acknowledged"));
        }
        self.hasher.update(&buffer[..n]);
        if self.left == n as u64 {
            // Nothing may stand behind the last byte; asking also lets the reader beneath make its own comparison.
            if self.inner.read(&mut [0])? != 0 {
                return Err(altered("longer than acknowledged"));
            }
            if Sha256(self.hasher.finalize_reset().into()) != self.sha256 {
                return Err(altered("not the bytes that were acknowledged"));
            }
            self.done = true;
        }
        self.left -= n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], length: u64, of: &[u8]) -> (Vec<u8>, bool) {
        // In small steps, as a slow client would.
        let mut reader = Verified::new(bytes, length, Sha256::of(of));
        let (mut all, mut step) = (Vec::new(), [0; 3]);
        loop {
            match reader.read(&mut step) {
                Ok(0) => return (all, true),
                Ok(n) => all.extend_from_slice(&step[..n]),
                Err(_) => return (all, false),
            }
        }
    }

    #[test]
    fn altered_bytes_never_reach_their_announced_length() {
        assert_eq!(read(b"document", 8, b"document"), (b"document".to_vec(), true));
        assert_eq!(read(b"", 0, b""), (Vec::new(), true));
        for (bytes, length) in [(&b"dOcument"[..], 8), (b"documenT", 8), (b"docume", 8), (b"documents", 8), (b"x", 0)] {
            let (given, good) = read(bytes, length, b"document");
            assert!(!good && (given.len() as u64) < length.max(1), "{bytes:?}");
        }
    }
}
