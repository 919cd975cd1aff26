//! Writing `content.tar.zst`: members in, frames out.
//!
//! Frames hold up to [`FRAME`] bytes of tar and never mix kinds; a member that does not fit one begins a frame of its own
//! and is cut every [`FRAME`] bytes. Invariant: memory does not grow with documents (a few frames are compressed at a
//! time), and no member goes in whose bytes are not those its receipt acknowledges.

use std::io::{Read, Write};

use rayon::prelude::*;
use sha2::Digest as _;

use super::member::{Kind, Member};
use super::seek::{FRAME, SeekTable, compress};
use super::tar::{END, Header, padded};
use super::toc::{Record, Toc};
use crate::error::{AtPlace, Code, Error, Result};
use crate::hash::Sha256;

/// Frames compressed side by side. Each costs about 8 MiB while it waits.
const MOST_PENDING: usize = 4;

/// Writes the content of one package.
pub struct ContentWriter<W> {
    out: W,
    mtime: u64,
    kind: Option<Kind>,
    frame: Vec<u8>,
    pending: Vec<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    batch: usize,
    table: SeekTable,
    records: Vec<Record>,
}

impl<W: Write> ContentWriter<W> {
    /// Starts; every member gets this time (seconds since 1970).
    pub fn new(out: W, mtime: u64) -> Self {
        let batch = rayon::current_num_threads().clamp(1, MOST_PENDING);
        Self {
            out,
            mtime,
            kind: None,
            frame: Vec::new(),
            pending: Vec::new(),
            spare: Vec::new(),
            batch,
            table: SeekTable::default(),
            records: Vec::new(),
        }
    }

    /// Packs one member of `size` bytes whose SHA-256 must be `expected`. [`Code::ReceiptMismatch`], naming the member,
    /// when there are fewer or more bytes or other ones: the content is then unusable and must be started again.
    pub fn append(&mut self, member: &Member, size: u64, expected: Sha256, data: &mut dyn Read) -> Result<()> {
        if self.kind.is_some_and(|kind| kind > member.kind) {
            return Err(Error::new(Code::Internal, "kinds out of order").at(member));
        }
        let header = Header { path: member.path(), size, mtime: self.mtime }.render()?;
        let total = header.len() as u64 + padded(size);
        let large = total > FRAME as u64;
        if self.kind != Some(member.kind) || large || self.frame.len() as u64 + total > FRAME as u64 {
            self.close_frame()?;
        }
        self.kind = Some(member.kind);
        self.frame.reserve_exact(FRAME - self.frame.len());
        let frame = u32::try_from(self.table.frames() + self.pending.len())
            .map_err(|_| Error::new(Code::Internal, "too many frames").at(member))?;
        let offset = (self.frame.len() + header.len()) as u32;
        self.frame.extend_from_slice(&header);
        let mut hasher = sha2::Sha256::new();
        let mut left = size;
        while left > 0 {
            if self.frame.len() == FRAME {
                self.close_frame()?;
            }
            let start = self.frame.len();
            let want = left.min((FRAME - start) as u64) as usize;
            self.frame.reserve_exact(FRAME - start);
            let got = (&mut *data).take(want as u64).read_to_end(&mut self.frame).at(member)?;
            if got < want {
                return Err(mismatch(member, "ends before its acknowledged length"));
            }
            hasher.update(&self.frame[start..]);
            left -= want as u64;
        }
        if data.read(&mut [0; 1]).at(member)? != 0 {
            return Err(mismatch(member, "goes on after its acknowledged length"));
        }
        let sha256 = Sha256(hasher.finalize().into());
        if sha256 != expected {
            return Err(mismatch(member, "SHA-256 differs"));
        }
        self.frame.resize(padded(self.frame.len() as u64) as usize, 0);
        if large {
            self.close_frame()?;
        }
        self.records.push(Record { id: member.id, kind: member.kind, frame, offset, length: size, sha256 });
        Ok(())
    }

    /// Ends tar and seek table; gives the writer and the table of contents.
    pub fn finish(mut self) -> Result<(W, Toc)> {
        self.close_frame()?;
        self.frame.extend_from_slice(&END);
        self.close_frame()?;
        self.compress_pending()?;
        let table = self.table.encode()?;
        self.out.write_all(&table).at(super::CONTENT)?;
        self.out.flush().at(super::CONTENT)?;
        Ok((self.out, Toc::build(self.records)))
    }

    fn close_frame(&mut self) -> Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let next = self.spare.pop().unwrap_or_default();
        self.pending.push(std::mem::replace(&mut self.frame, next));
        if self.pending.len() >= self.batch { self.compress_pending() } else { Ok(()) }
    }

    fn compress_pending(&mut self) -> Result<()> {
        let compressed: Vec<_> = self.pending.par_iter().map(|tar| compress(tar)).collect();
        for (mut tar, compressed) in self.pending.drain(..).zip(compressed) {
            let compressed = compressed.at(super::CONTENT)?;
            self.table.push(compressed.len(), tar.len());
            self.out.write_all(&compressed).at(super::CONTENT)?;
            tar.clear();
            self.spare.push(tar);
        }
        Ok(())
    }
}

fn mismatch(member: &Member, what: &str) -> Error {
    Error::new(Code::ReceiptMismatch, what).at(member)
}
