//! A document on its way out that goes on from another copy when one turns out bad.
//!
//! Invariant: the bytes given are those of one document: before another copy goes on, its beginning is held against what was
//! given already, and each copy gives its last bytes only when all of them are as acknowledged.

use std::io::{self, Read};

use sha2::Digest as _;

/// Read at a time while passing over what was given.
const STEP: usize = 1 << 16;

/// A source of bytes.
type Source = Box<dyn Read + Send>;
/// Gives the next copy, told what was wrong with the one before; an error when that one does not open either, nothing when there
/// is no other.
pub(super) type Next = Box<dyn FnMut(&io::Error) -> Option<io::Result<Source>> + Send>;

/// Reads from one copy, and from the next when it fails.
pub(super) struct Fallback {
    current: Source,
    next: Next,
    given: u64,
    hasher: sha2::Sha256,
}

impl Fallback {
    pub fn new(first: Source, next: Next) -> Self {
        Self { current: first, next, given: 0, hasher: sha2::Sha256::new() }
    }

    /// Another copy, read up to where the one before failed; `None` when there is none that begins with the same bytes.
    fn another(&mut self, error: &io::Error) -> Option<Source> {
        let mut told = io::Error::new(error.kind(), error.to_string());
        loop {
            match (self.next)(&told)?.and_then(|source| self.passed(source)) {
                Ok(source) => return Some(source),
                Err(error) => told = error,
            }
        }
    }

    fn passed(&self, mut source: Source) -> io::Result<Source> {
        let (mut left, mut hasher, mut buffer) = (self.given, sha2::Sha256::new(), vec![0; STEP]);
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let n = source.read(&mut buffer[..most])?;
            if n == 0 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "shorter than what was given already"));
            }
            hasher.update(&buffer[..n]);
            left -= n as u64;
        }
        if hasher.finalize() != self.hasher.clone().finalize() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not begin with what was given already"));
        }
        Ok(source)
    }
}

impl Read for Fallback {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.current.read(buffer) {
                Ok(n) => {
                    self.hasher.update(&buffer[..n]);
                    self.given += n as u64;
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => match self.another(&error) {
                    Some(source) => self.current = source,
                    None => return Err(error),
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in small steps, then fails.
    struct Failing(&'static [u8]);

    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "bad"));
            }
            let n = buffer.len().min(3).min(self.0.len());
            buffer[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn read(copies: Vec<io::Result<Source>>) -> io::Result<Vec<u8>> {
        let mut copies = copies.into_iter();
        let first = copies.next().unwrap().unwrap();
        let mut all = Vec::new();
        Fallback::new(first, Box::new(move |_| copies.next())).read_to_end(&mut all).map(|_| all)
    }

    #[test]
    fn it_goes_on_where_the_copy_before_failed_and_only_with_the_same_beginning() {
        let good = || Ok(Box::new(&b"the whole document"[..]) as Source);
        let bad = |bytes: &'static [u8]| Ok(Box::new(Failing(bytes)) as Source);
        assert_eq!(read(vec![bad(b"the who"), good()]).unwrap(), b"the whole document");
        assert_eq!(read(vec![bad(b""), bad(b"the whole doc"), good()]).unwrap(), b"the whole document");
        let gone = Err(io::Error::other("gone"));
        assert_eq!(read(vec![bad(b"the w"), gone, bad(b"th"), good()]).unwrap(), b"the whole document");
        assert!(read(vec![bad(b"tHe who"), good()]).is_err(), "what was given was not the document's beginning");
        assert!(read(vec![bad(b"the whole document, and more"), good()]).is_err());
        assert!(read(vec![bad(b"the who")]).is_err());
    }
}
