//! What a log travels in: signatures (`.p7m` in every dress), gzip, one in the other.
//!
//! Invariant: compressed bytes are given out as a stream that stops at a bound, so neither a large log nor a bomb is ever
//! in memory whole; only what is signed is, up to [`SIGNED`].

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::super::signed;
use crate::document::Body;
use crate::document::format::{self, HEAD};
use crate::error::{AtPlace, Code, Finding, Result};
use crate::evidence::cms;

/// Largest signed log read in depth: its content is in memory twice.
const SIGNED: usize = 32 << 20;
/// Layers of either kind.
const MOST: usize = 5;
/// What gzip may grow to: text of logs shrinks to a tenth, never to a thousandth.
const RATIO: u64 = 200;
/// Grown by so much whatever the ratio.
const GRACE: u64 = 16 << 20;
/// Longest text read in depth.
const LONGEST: u64 = 4 << 30;

/// The text of a log, ready to be read from its beginning.
pub struct Content {
    body: Body,
    gzip: bool,
    /// Signatures around it.
    pub signed: usize,
}

/// Takes the layers off; `judge` sees each signature and its place. `None` when one cannot be taken off, and
/// then a finding says why.
pub fn open(
    body: &Body,
    name: &str,
    findings: &mut Vec<Finding>,
    judge: &mut dyn FnMut(&cms::Opened, &str),
) -> Result<Option<Content>> {
    let mut content = Content { body: body.clone(), gzip: false, signed: 0 };
    for _ in 0..MOST {
        let head = match content.head() {
            Ok(head) => head,
            Err(error) => return content.broken(error, findings).map(|()| None),
        };
        if head.starts_with(&[0x1f, 0x8b]) {
            if content.gzip {
                // Twice compressed: the outer one is taken off in memory.
                match content.whole() {
                    Ok(Some(bytes)) => content.body = bytes.into(),
                    Ok(None) => return Ok(too_large(findings)),
                    Err(error) => return content.broken(error, findings).map(|()| None),
                }
            }
            content.gzip = true;
            continue;
        }
        let hint = if content.signed == 0 && !content.gzip { name } else { "" };
        if !format::recognise(&head, hint).media_type.starts_with("application/pkcs7") {
            return Ok(Some(content));
        }
        let bytes = match content.whole() {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(too_large(findings)),
            Err(error) => return content.broken(error, findings).map(|()| None),
        };
        let Some(opened) = signed::open(&bytes, findings, judge) else { return Ok(None) };
        let (layers, inner) = (opened.layers, opened.content.into_owned());
        if layers == 0 {
            return Ok(Some(content));
        }
        content = Content { body: inner.into(), gzip: false, signed: content.signed + layers };
    }
    findings.push(Finding::error(Code::P7mTooDeep, "content", "signed or compressed more than five times over"));
    Ok(None)
}

fn too_large(findings: &mut Vec<Finding>) -> Option<Content> {
    findings.push(Finding::warning(Code::ReaderTooLarge, "content", "signed, and larger than 32 MiB"));
    None
}

impl Content {
    /// The text from its beginning.
    pub fn read(&self) -> io::Result<Box<dyn Read>> {
        let source = self.body.open()?;
        if !self.gzip {
            return Ok(Box::new(source));
        }
        let most = self.body.len()?.saturating_mul(RATIO).saturating_add(GRACE).min(LONGEST);
        Ok(Box::new(Bounded { source: MultiGzDecoder::new(BufReader::with_capacity(64 << 10, source)), left: most }))
    }

    fn head(&self) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        self.read()?.take(HEAD as u64).read_to_end(&mut head)?;
        Ok(head)
    }

    fn whole(&self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        self.read()?.take(SIGNED as u64 + 1).read_to_end(&mut bytes)?;
        Ok((bytes.len() <= SIGNED).then_some(bytes))
    }

    /// An error while reading: of the compressed data, which is a finding, or of the disk.
    pub fn broken(&self, error: io::Error, findings: &mut Vec<Finding>) -> Result<()> {
        if !self.gzip {
            return Err(error).at("content");
        }
        let code =
            if error.get_ref().is_some_and(|cause| cause.is::<Bomb>()) { Code::GzipBomb } else { Code::GzipMalformed };
        findings.push(Finding::error(code, "content", ""));
        Ok(())
    }
}

/// Grown beyond every text.
#[derive(Debug)]
struct Bomb;

impl std::fmt::Display for Bomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the compressed data grow beyond every text")
    }
}

impl std::error::Error for Bomb {}

/// A stream that ends in an error when it grows too long.
struct Bounded<R> {
    source: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(into)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(Bomb)),
        }
        Ok(count)
    }
}
