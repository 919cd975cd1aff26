//! Tar headers: POSIX ustar, with a pax `size` record for members over 8 GiB.
//!
//! Invariant: a header is a function of path, size and time alone (mode 0444, uid and gid 0, no names), and only such a
//! header is accepted back: `parse` renders what it read again and compares, so no bit of a header is free.

use crate::error::{Code, Error, Result};

/// Everything in a tar is a multiple of this.
pub const BLOCK: usize = 512;
/// Two empty blocks end a tar.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
/// Largest size eleven octal digits hold.
const MAX_USTAR_SIZE: u64 = 0o77_777_777_777;
const PAX_NAME: &str = "PaxHeader";

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Path of the member.
    pub path: String,
    /// Length of its data.
    pub size: u64,
    /// Modification time, seconds since 1970.
    pub mtime: u64,
}

/// Length of data with its padding.
pub fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK as u64) * BLOCK as u64
}

fn octal(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    field[..digits].copy_from_slice(format!("{value:0digits$o}").as_bytes());
}

fn block(path: &str, size: u64, mtime: u64, kind: u8) -> [u8; BLOCK] {
    let mut h = [0; BLOCK];
    h[..path.len()].copy_from_slice(path.as_bytes());
    octal(&mut h[100..108], 0o444);
    octal(&mut h[108..116], 0);
    octal(&mut h[116..124], 0);
    octal(&mut h[124..136], size);
    octal(&mut h[136..148], mtime);
    h[148..156].fill(b' ');
    h[156] = kind;
    h[257..265].copy_from_slice(b"ustar\x0000");
    octal(&mut h[329..337], 0);
    octal(&mut h[337..345], 0);
    let sum: u64 = h.iter().map(|b| u64::from(*b)).sum();
    octal(&mut h[148..155], sum);
    h
}

/// A pax record carries its own length, digits included.
fn pax_record(size: u64) -> Vec<u8> {
    let body = format!(" size={size}\n");
    let mut length = body.len() + 1;
    while format!("{length}{body}").len() != length {
        length += 1;
    }
    format!("{length}{body}").into_bytes()
}

impl Header {
    /// The header's bytes: one block, or three when the size needs a pax record.
    pub fn render(&self) -> Result<Vec<u8>> {
        if self.path.is_empty() || self.path.len() > 100 || self.mtime > MAX_USTAR_SIZE {
            return Err(Error::new(Code::Internal, "a member that no tar header can hold").at(&self.path));
        }
        if self.size <= MAX_USTAR_SIZE {
            return Ok(block(&self.path, self.size, self.mtime, b'0').to_vec());
        }
        let mut record = pax_record(self.size);
        let mut bytes = block(PAX_NAME, record.len() as u64, self.mtime, b'x').to_vec();
        record.resize(BLOCK, 0);
        bytes.extend(record);
        bytes.extend(block(&self.path, 0, self.mtime, b'0'));
        Ok(bytes)
    }

    /// Reads the header at the start of `bytes`; gives it and its length.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize)> {
        let wrong = || Error::new(Code::PackageFileAltered, "not a tar header as written here");
        let first = bytes.get(..BLOCK).ok_or_else(wrong)?;
        let number = |block: &[u8], from: usize, to: usize| {
            std::str::from_utf8(&block[from..to - 1]).ok().and_then(|t| u64::from_str_radix(t, 8).ok())
        };
        let path = |block: &[u8]| {
            let end = block[..100].iter().position(|b| *b == 0).unwrap_or(100);
            std::str::from_utf8(&block[..end]).ok().map(str::to_owned)
        };
        let mtime = number(first, 136, 148).ok_or_else(wrong)?;
        let (header, length) = if first[156] == b'x' {
            let record = bytes.get(BLOCK..2 * BLOCK).ok_or_else(wrong)?;
            let main = bytes.get(2 * BLOCK..3 * BLOCK).ok_or_else(wrong)?;
            let text =
                record.split(|b| *b == b'\n').next().and_then(|r| std::str::from_utf8(r).ok()).ok_or_else(wrong)?;
            let size = text.split_once(" size=").and_then(|(_, size)| size.parse().ok()).ok_or_else(wrong)?;
            (Self { path: path(main).ok_or_else(wrong)?, size, mtime }, 3 * BLOCK)
        } else {
            let size = number(first, 124, 136).ok_or_else(wrong)?;
            (Self { path: path(first).ok_or_else(wrong)?, size, mtime }, BLOCK)
        };
        if header.render().map_err(|_| wrong())? != bytes[..length] {
            return Err(wrong());
        }
        Ok((header, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(size: u64) -> Header {
        Header { path: "documents/01990000-0000-7000-8000-000000000001.xml.p7m".into(), size, mtime: 1_700_000_000 }
    }

    #[test]
    fn headers_come_back_and_no_bit_of_them_is_free() {
        for size in [0, 1, 4096, MAX_USTAR_SIZE, MAX_USTAR_SIZE + 1, 10_u64.pow(15)] {
            let bytes = header(size).render().unwrap();
            assert_eq!(Header::parse(&bytes).unwrap(), (header(size), bytes.len()));
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                // In a pax record a digit may become another digit: another size, never the same header twice.
                assert!(Header::parse(&flipped).map_or(true, |(h, _)| h != header(size)), "size {size}, bit {bit}");
            }
            for cut in [0, 1, 511, bytes.len() - 1] {
                assert!(Header::parse(&bytes[..cut]).is_err());
            }
        }
    }

    #[test]
    fn another_implementation_reads_the_same() {
        for size in [7, MAX_USTAR_SIZE + 1] {
            let bytes = header(size).render().unwrap();
            let mut archive = tar::Archive::new(&bytes[..]);
            let entry = archive.entries().unwrap().next().unwrap().unwrap();
            assert_eq!(entry.size(), size);
            assert_eq!(entry.path().unwrap().to_str().unwrap(), header(size).path);
            assert_eq!(entry.header().mode().unwrap(), 0o444);
            assert_eq!(entry.header().mtime().unwrap(), 1_700_000_000);
        }
    }
}
