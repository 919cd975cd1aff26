//! Frames of `content.tar.zst` and the seek table that finds them.
//!
//! zstd seekable format 0.1.0 (`contrib/seekable_format` of the zstd project): the last frame is a skippable one that
//! lists compressed and decompressed size of every frame before it, so stock `zstd -d` reads the file as any other.
//! Invariant: the table accounts for every byte of the file, and no reader inflates more than it says: a frame is
//! decompressed in one step into a buffer of its declared size, which is at most [`FRAME`].

use std::io::{self, SeekFrom};

use super::files::ReadSeek;
use crate::error::{AtPlace, Code, Error, Result};

/// Most bytes of tar in a frame. Larger compresses a little better; smaller makes reading one document cheaper.
pub const FRAME: usize = 4 << 20;
/// zstd's ordinary level: three to four times the speed of 9 for a few percent more bytes.
const LEVEL: i32 = 3;
/// Most frames accepted: a table of 32 MiB, content of 16 TiB.
const MAX_FRAMES: u64 = 1 << 22;
/// Most bytes a compressed frame may take: what cannot be compressed grows by less than this.
const MAX_COMPRESSED: u64 = FRAME as u64 + (FRAME as u64 >> 8) + 1024;
const SKIPPABLE: u32 = 0x184D_2A5E;
const SEEKABLE: u32 = 0x8F92_EAB1;
const FOOTER: u64 = 9;
const ENTRY: u64 = 8;
const HEAD: u64 = 8;

/// Compresses one frame of tar; its own checksum is switched on.
pub fn compress(tar: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.set_parameter(zstd::zstd_safe::CParameter::ChecksumFlag(true))?;
    compressor.compress(tar)
}

/// Where the frames are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeekTable {
    /// End of each frame: in the file, and in the tar.
    ends: Vec<(u64, u64)>,
}

impl SeekTable {
    /// Adds a frame.
    pub fn push(&mut self, compressed: usize, decompressed: usize) {
        let (file, tar) = self.ends.last().copied().unwrap_or_default();
        self.ends.push((file + compressed as u64, tar + decompressed as u64));
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.ends.len()
    }

    /// Length of the tar.
    pub fn tar_length(&self) -> u64 {
        self.ends.last().map_or(0, |end| end.1)
    }

    fn start(&self, frame: usize) -> (u64, u64) {
        frame.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default()
    }

    /// Offset of a frame in the tar; the length of the tar for a frame after the last.
    pub fn tar_start(&self, frame: usize) -> u64 {
        self.start(frame).1
    }

    /// Length of a frame in the tar, 0 when there is no such frame.
    pub fn tar_size(&self, frame: usize) -> u64 {
        self.ends.get(frame).map_or(0, |end| end.1 - self.start(frame).1)
    }

    /// The frame that holds this offset of the tar.
    pub fn frame_at(&self, tar_offset: u64) -> usize {
        self.ends.partition_point(|end| end.1 <= tar_offset)
    }

    /// The table as the last, skippable frame.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let too_large = || Error::new(Code::Internal, "more frames than a seek table holds");
        if self.ends.len() as u64 > MAX_FRAMES {
            return Err(too_large());
        }
        let count = u32::try_from(self.ends.len()).map_err(|_| too_large())?;
        let mut bytes = Vec::with_capacity(self.ends.len() * 8 + 17);
        bytes.extend(SKIPPABLE.to_le_bytes());
        bytes.extend((count * ENTRY as u32 + FOOTER as u32).to_le_bytes());
        let mut before = (0, 0);
        for end in &self.ends {
            for size in [end.0 - before.0, end.1 - before.1] {
                bytes.extend(u32::try_from(size).map_err(|_| too_large())?.to_le_bytes());
            }
            before = *end;
        }
        bytes.extend(count.to_le_bytes());
        bytes.push(0);
        bytes.extend(SEEKABLE.to_le_bytes());
        Ok(bytes)
    }

    /// Reads the table at the end of a file. Nothing is allocated before the file was found long enough for it.
    pub fn read(file: &mut dyn ReadSeek) -> Result<Self> {
        let wrong = |what: &str| Error::new(Code::PackageFileAltered, format!("seek table: {what}")).at(super::CONTENT);
        let length = file.seek(SeekFrom::End(0)).at(super::CONTENT)?;
        if length < HEAD + FOOTER {
            return Err(wrong("file too short"));
        }
        let mut footer = [0; FOOTER as usize];
        file.seek(SeekFrom::Start(length - FOOTER)).at(super::CONTENT)?;
        file.read_exact(&mut footer).at(super::CONTENT)?;
        let count = u64::from(le32(&footer[0..4]));
        if footer[4] != 0 || le32(&footer[5..9]) != SEEKABLE {
            return Err(wrong("footer"));
        }
        let size = HEAD + count * ENTRY + FOOTER;
        if count == 0 || count > MAX_FRAMES || size > length {
            return Err(wrong("number of frames"));
        }
        file.seek(SeekFrom::Start(length - size)).at(super::CONTENT)?;
        let mut bytes = vec![0; (size - FOOTER) as usize];
        file.read_exact(&mut bytes).at(super::CONTENT)?;
        if le32(&bytes[0..4]) != SKIPPABLE || u64::from(le32(&bytes[4..8])) != size - HEAD {
            return Err(wrong("header"));
        }
        let mut table = Self { ends: Vec::with_capacity(count as usize) };
        for entry in bytes[HEAD as usize..].chunks_exact(ENTRY as usize) {
            let (compressed, decompressed) = (le32(&entry[0..4]), le32(&entry[4..8]));
            if compressed == 0
                || u64::from(compressed) > MAX_COMPRESSED
                || decompressed == 0
                || decompressed as usize > FRAME
            {
                return Err(wrong("size of a frame"));
            }
            table.push(compressed as usize, decompressed as usize);
        }
        if table.ends.last().map(|end| end.0) != Some(length - size) {
            return Err(wrong("frames do not fill the file"));
        }
        Ok(table)
    }
}

fn le32(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

/// Decompresses frames, keeping the last one: one frame of memory whatever the content's size.
pub struct Frames {
    file: Box<dyn ReadSeek>,
    decompressor: zstd::bulk::Decompressor<'static>,
    kept: Option<usize>,
    tar: Vec<u8>,
    compressed: Vec<u8>,
}

impl Frames {
    /// Frames of this file.
    pub fn new(file: Box<dyn ReadSeek>) -> Result<Self> {
        let decompressor = zstd::bulk::Decompressor::new().at(super::CONTENT)?;
        Ok(Self { file, decompressor, kept: None, tar: Vec::new(), compressed: Vec::new() })
    }

    /// The tar bytes of one frame. [`Code::PackageFileAltered`] when it does not give exactly what the table says; an
    /// input/output error keeps its own code.
    pub fn get(&mut self, table: &SeekTable, frame: usize) -> Result<&[u8]> {
        if self.kept != Some(frame) {
            self.kept = None;
            self.load(table, frame)?;
            self.kept = Some(frame);
        }
        Ok(&self.tar)
    }

    fn load(&mut self, table: &SeekTable, frame: usize) -> Result<()> {
        let place = || format!("{} frame {frame}", super::CONTENT);
        let altered = |what: &str| Error::new(Code::PackageFileAltered, what.to_owned()).at(place());
        let end = table.ends.get(frame).ok_or_else(|| altered("no such frame"))?;
        let start = table.start(frame);
        let declared = (end.1 - start.1) as usize;
        self.compressed.resize((end.0 - start.0) as usize, 0);
        self.file.seek(SeekFrom::Start(start.0)).at(place())?;
        if let Err(e) = self.file.read_exact(&mut self.compressed) {
            return Err(match e.kind() {
                io::ErrorKind::UnexpectedEof => altered("file cut short"),
                _ => Error::io(place(), e),
            });
        }
        self.tar.resize(declared, 0);
        // One step into a buffer of the declared size: a frame that would give more is an error, not memory.
        let given = self
            .decompressor
            .decompress_to_buffer(&self.compressed[..], &mut self.tar[..])
            .map_err(|e| altered("does not decompress").because(e))?;
        if given != declared {
            return Err(altered("gives fewer bytes than the seek table says"));
        }
        Ok(())
    }
}
