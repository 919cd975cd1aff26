//! The zip being written: streams, hashes every file and the whole on the way, and refuses a name twice.

use std::collections::HashSet;
use std::io::{self, Read, Write as _};
use std::path::Path;

use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use crate::durable::{MODE_SECRET, Writing};
use crate::error::{AtPlace, Code, Error, Result};
use crate::exhibit::report::Listed;
use crate::hash::{Digests, Hasher, HashingWriter};

/// From here on an entry gets the 64-bit fields; a little below 4 GiB for what does not shrink.
const LARGE: u64 = 0xf000_0000;

pub(super) struct Target {
    zip: ZipWriter<StreamWriter<HashingWriter<Writing>>>,
    listed: Vec<Listed>,
    names: HashSet<String>,
}

impl Target {
    pub fn start(path: &Path) -> Result<Self> {
        let file = Writing::start(path, MODE_SECRET)?;
        Ok(Self { zip: ZipWriter::new_stream(HashingWriter::new(file)), listed: Vec::new(), names: HashSet::new() })
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// A small file.
    pub fn put(&mut self, name: &str, bytes: &[u8]) -> Result<Digests> {
        self.copy(name, bytes.len() as u64, &mut &bytes[..])
    }

    /// A file of exactly this length, read to its end: a reader that verifies does so there.
    pub fn copy(&mut self, name: &str, length: u64, reader: &mut dyn Read) -> Result<Digests> {
        if !self.names.insert(name.to_owned()) {
            return Err(Error::new(Code::Internal, "a name twice in a bundle").at(name));
        }
        // What is compressed already is stored: nothing is gained, and time is lost.
        let method = if name.ends_with(".zst") { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let options =
            SimpleFileOptions::default().compression_method(method).unix_permissions(0o644).large_file(length >= LARGE);
        self.zip.start_file(name, options).map_err(|e| failed(name, e))?;
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                    return Err(Error::new(Code::ContentAltered, e.to_string()).at(name).because(e));
                }
                Err(e) => return Err(Error::io(name, e)),
            };
            hasher.update(&buffer[..n]);
            self.zip.write_all(&buffer[..n]).at(name)?;
        }
        let digests = hasher.finish();
        if digests.bytes != length {
            return Err(Error::new(Code::ContentAltered, "another length than announced").at(name));
        }
        self.listed.push(Listed { name: name.to_owned(), bytes: digests.bytes, sha256: digests.sha256 });
        Ok(digests)
    }

    /// Ends the zip; durable on return. Length and digests of the whole.
    pub fn finish(self) -> Result<Digests> {
        let stream = self.zip.finish().map_err(|e| failed("the end of the bundle", e))?;
        let (mut file, digests) = stream.into_inner().finish();
        file.flush().at(file.path().display())?;
        file.finish()?;
        Ok(digests)
    }
}

fn failed(name: &str, error: zip::result::ZipError) -> Error {
    match error {
        zip::result::ZipError::Io(e) => Error::io(name, e),
        other => Error::new(Code::Internal, other.to_string()).at(name).because(other),
    }
}
