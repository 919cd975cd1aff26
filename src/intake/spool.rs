//! Taking a body in: bounded memory, both digests on the way, the limit and the announced length enforced.
//!
//! A small body stays in memory; a larger one goes to a file under `intake/incoming`. Invariant: nothing in `incoming` was
//! ever acknowledged, so it is emptied when the archive is opened, and a spooled body that is dropped takes its file with
//! it. Memory is at most [`MEMORY_LIMIT`] a body, whatever its size (issue: 100 MB bodies with flat memory).

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::document::Body;
use crate::durable::{self, Writing};
use crate::error::{AtPath, Code, Error, Result};
use crate::hash::{Digests, Hasher};

/// Bodies up to this stay in memory: a thousand at once are 64 MB.
pub const MEMORY_LIMIT: usize = 64 * 1024;

/// The folder of bodies on their way in.
#[derive(Debug)]
pub struct Incoming {
    folder: PathBuf,
    next: AtomicU64,
}

impl Incoming {
    /// Opens the folder (made when missing) and empties it. The caller holds the archive's lock.
    pub fn open(folder: &Path) -> Result<Self> {
        durable::create_dir_all(folder)?;
        for entry in std::fs::read_dir(folder).at_path(folder)? {
            let entry = entry.at_path(folder)?;
            // Whatever else stands here is nobody's either; it must not keep the archive from opening.
            if entry.file_type().at_path(folder)?.is_dir() {
                durable::remove_dir_all(&entry.path())?;
            } else {
                durable::discard(&entry.path())?;
            }
        }
        Ok(Self { folder: folder.to_owned(), next: AtomicU64::new(1) })
    }

    /// Starts a body. `announced` is its Content-Length, when it has one.
    pub fn spool(&self, limit: u64, announced: Option<u64>) -> Result<Spool> {
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        // As much as will be needed and no more: a buffer that grows by doubling would hold nearly twice the body.
        let expected = announced.map_or(0, |length| length.min(MEMORY_LIMIT as u64)) as usize;
        let path = self.folder.join(format!("{:016x}", self.next.fetch_add(1, Ordering::Relaxed)));
        Ok(Spool { held: Held::Memory(Vec::with_capacity(expected)), path, limit, announced, hasher: Hasher::new() })
    }

    /// A body that is in memory already.
    pub fn of_bytes(&self, bytes: &[u8]) -> Result<Spooled> {
        let mut spool = self.spool(u64::MAX, None)?;
        spool.write(bytes)?;
        spool.finish()
    }

    /// Everything `reader` gives.
    pub fn of_reader(&self, reader: &mut dyn Read, limit: u64) -> Result<Spooled> {
        let mut spool = self.spool(limit, None)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return spool.finish(),
                Ok(n) => spool.write(&buffer[..n])?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::io("the document", e)),
            }
        }
    }
}

fn too_large(limit: u64) -> Error {
    Error::new(Code::BodyTooLarge, format!("the limit is {limit} bytes"))
}

enum Held {
    Memory(Vec<u8>),
    File(Temporary, Writing),
}

/// A body being taken in. Dropped before [`Spool::finish`], nothing of it stays.
pub struct Spool {
    held: Held,
    path: PathBuf,
    limit: u64,
    announced: Option<u64>,
    hasher: Hasher,
}

impl Spool {
    /// Takes the next bytes. Blocks on the disk when the body is not small.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let length = self.hasher.bytes() + bytes.len() as u64;
        if length > self.limit {
            return Err(too_large(self.limit));
        }
        if self.announced.is_some_and(|announced| length > announced) {
            return Err(Error::new(Code::BodyCut, "more bytes came than were announced"));
        }
        self.hasher.update(bytes);
        match &mut self.held {
            Held::Memory(held) if held.len() + bytes.len() <= MEMORY_LIMIT => held.extend_from_slice(bytes),
            Held::Memory(held) => {
                let mut writing = Writing::start(&self.path, durable::MODE_PLAIN)?;
                let temporary = Temporary(Some(self.path.clone()));
                writing.write_all(held).and_then(|()| writing.write_all(bytes)).at_path(&self.path)?;
                self.held = Held::File(temporary, writing);
            }
            Held::File(_, writing) => writing.write_all(bytes).at_path(&self.path)?,
        }
        Ok(())
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.hasher.bytes()
    }

    /// Ends the body. One shorter than announced is [`Code::BodyCut`]; an empty one is the caller's to refuse. What is in
    /// a file is not durable yet: the journal sees to that.
    pub fn finish(self) -> Result<Spooled> {
        let digests = self.hasher.finish();
        if let Some(announced) = self.announced.filter(|announced| *announced != digests.bytes) {
            return Err(Error::new(Code::BodyCut, format!("{} of {announced} bytes came", digests.bytes)));
        }
        let held = match self.held {
            Held::Memory(bytes) => SpooledBody::Memory(Bytes::from(bytes)),
            // Dropping `Writing` closes the descriptor.
            Held::File(temporary, _) => SpooledBody::File(temporary),
        };
        Ok(Spooled { body: held, digests })
    }
}

#[derive(Debug)]
enum SpooledBody {
    Memory(Bytes),
    File(Temporary),
}

/// A body that has arrived whole, with its digests. Its file goes when it is dropped, unless the journal took it.
#[derive(Debug)]
pub struct Spooled {
    body: SpooledBody,
    digests: Digests,
}

impl Spooled {
    /// Length and digests.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// The bytes as readers of documents take them. A body in a file is there as long as this is.
    pub fn body(&self) -> Result<Body> {
        Ok(match &self.body {
            SpooledBody::Memory(bytes) => Body::Memory(bytes.clone()),
            SpooledBody::File(temporary) => Body::File(temporary.path()?.to_owned()),
        })
    }

    /// Reads it from the start.
    pub fn open(&self) -> Result<Box<dyn Read + Send + '_>> {
        match &self.body {
            SpooledBody::Memory(bytes) => Ok(Box::new(&bytes[..])),
            SpooledBody::File(temporary) => {
                let path = temporary.path()?;
                Ok(Box::new(durable::open_plain(path)?))
            }
        }
    }

    /// Makes it durable under `target`. A file is synced and renamed, bytes in memory are written; content and name are
    /// durable on return. On an error the body is still this one's.
    pub(in crate::intake) fn keep(&mut self, target: &Path) -> Result<()> {
        match &mut self.body {
            SpooledBody::Memory(bytes) => durable::write_new(target, bytes, durable::MODE_PLAIN),
            SpooledBody::File(temporary) => {
                let path = temporary.path()?;
                durable::sync_file(path)?;
                durable::rename(path, target)?;
                temporary.0 = None;
                Ok(())
            }
        }
    }
}

/// A file that nobody would miss.
#[derive(Debug)]
struct Temporary(Option<PathBuf>);

impl Temporary {
    fn path(&self) -> Result<&Path> {
        self.0.as_deref().ok_or_else(|| Error::new(Code::Internal, "the body was taken already"))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = durable::discard(path)
        {
            tracing::warn!(%error, "a temporary file stays until the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(folder: &Path) -> usize {
        std::fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn small_stays_in_memory_and_large_goes_to_a_file_that_goes_with_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("left-by-a-crash"), b"x").unwrap();
        let incoming = Incoming::open(dir.path()).unwrap();
        assert_eq!(count(dir.path()), 0);
        let small = incoming.of_bytes(&vec![7; MEMORY_LIMIT]).unwrap();
        assert!(matches!(small.body().unwrap(), Body::Memory(bytes) if bytes.len() == MEMORY_LIMIT));
        assert_eq!(count(dir.path()), 0);
        let content: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        let large = incoming.of_reader(&mut &content[..], 1 << 20).unwrap();
        assert_eq!(*large.digests(), Digests::of(&content));
        let mut back = Vec::new();
        large.open().unwrap().read_to_end(&mut back).unwrap();
        assert!(matches!(large.body().unwrap(), Body::File(_)) && back == content);
        assert_eq!(count(dir.path()), 1);
        drop(large);
        assert_eq!(count(dir.path()), 0);
    }

    #[test]
    fn a_body_that_is_too_large_or_cut_short_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let incoming = Incoming::open(dir.path()).unwrap();
        assert_eq!(incoming.spool(10, Some(11)).err().unwrap().code, Code::BodyTooLarge);
        let mut spool = incoming.spool(100_000, None).unwrap();
        spool.write(&vec![0; 99_999]).unwrap();
        assert_eq!(spool.write(b"ab").unwrap_err().code, Code::BodyTooLarge);
        drop(spool);
        let mut spool = incoming.spool(1 << 20, Some(70_000)).unwrap();
        spool.write(&vec![0; 69_999]).unwrap();
        assert_eq!(spool.finish().unwrap_err().code, Code::BodyCut);
        let mut spool = incoming.spool(1 << 20, Some(2)).unwrap();
        assert_eq!(spool.write(b"abc").unwrap_err().code, Code::BodyCut);
        assert_eq!(count(dir.path()), 0);
    }

    #[test]
    fn a_kept_body_survives_its_spool() {
        let dir = tempfile::tempdir().unwrap();
        let incoming = Incoming::open(&dir.path().join("incoming")).unwrap();
        for content in [b"tiny".to_vec(), vec![1; 100_000]] {
            let target = dir.path().join(content.len().to_string());
            let mut spooled = incoming.of_bytes(&content).unwrap();
            spooled.keep(&target).unwrap();
            drop(spooled);
            assert!(std::fs::read(&target).unwrap() == content);
        }
        assert_eq!(count(&dir.path().join("incoming")), 0);
    }
}
