//! Zip archives of invoices and notifications, taken apart at the door: one deposit of many documents (`reference/fatturapa`
//! section 5: the zip is never signed, each file in it is judged alone).
//!
//! Invariants: nothing is written but through the spool, under no name of the archive's; what the directory says is believed
//! only as far as the bytes agree (lengths, checksums, no byte in two members); members, expanded bytes and their ratio
//! are bounded before and while expanding; every fault of a directory is listed, and then nothing of it is kept.

mod directory;
mod expand;
mod names;

pub use expand::{Expanded, Limits, Member, expand};

use crate::error::{Code, Error, Finding};

/// Why reading an archive ended: what is wrong with it, or with the disk.
#[derive(Debug)]
enum Stop {
    Bad(Vec<Finding>),
    Failed(Error),
}

impl Stop {
    fn bad(code: Code, place: &str, detail: &str) -> Self {
        Self::Bad(vec![Finding::error(code, place, detail)])
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<std::io::Error> for Stop {
    /// A read past the end is the archive's fault; anything else the disk's.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::bad(Code::ZipDamaged, "", "cut short"),
            _ => Self::Failed(Error::io("the zip archive", error)),
        }
    }
}

type Read<T> = std::result::Result<T, Stop>;

/// Whether bytes begin as a zip archive does (an empty one begins with its end).
pub fn looks_like_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

#[cfg(test)]
mod tests;
