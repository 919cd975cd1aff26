//! A checksum in every stored value, and no panic of an engine let through.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Code, Error, Result};

/// Bytes of a checksum: chance damage, not malice, is what it must notice (who can write here can rebuild anyway).
pub const SUM: usize = 16;

/// Checksum of a value under its tree and key, so that a value that turns up under another key is noticed too.
pub fn sum(tree: u8, key: &[u8], value: &[u8]) -> [u8; SUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[tree]).update(&(key.len() as u64).to_le_bytes()).update(key).update(value);
    let mut sum = [0; SUM];
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..SUM]);
    sum
}

/// The value with its checksum before it.
pub fn seal(tree: u8, key: &[u8], value: &[u8]) -> Vec<u8> {
    [&sum(tree, key, value)[..], value].concat()
}

/// The value of a sealed one, when its checksum holds.
pub fn unseal<'a>(tree: u8, key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8]> {
    match sealed.split_at_checked(SUM) {
        Some((found, value)) if found == sum(tree, key, value) => Ok(value),
        _ => Err(damaged("a value does not match its checksum")),
    }
}

/// The one error of this room.
pub fn damaged(detail: impl Into<String>) -> Error {
    Error::new(Code::CatalogDamaged, detail)
}

/// Runs a piece of engine code; its panic is damage. Both engines panic on files they do not expect.
pub fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // The engines' own state after a panic is unknown; callers drop the engine or report every later call as damage.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(damaged(format!("the engine gave up: {}", text.chars().take(200).collect::<String>())))
    })
}
