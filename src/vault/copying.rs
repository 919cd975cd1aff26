//! From one vault to another: a copy that lags, a copy that is put right.
//!
//! Invariant: bytes are hashed on their way and get their name only when they are those that were asked for; what was there
//! before keeps its name until then. Needed by the duty to check and repair every copy (AgID guidelines 4.7).

use std::io::{Read as _, Write as _};
use std::path::Path;

use super::{Source, Vault};
use crate::durable::{self, MODE_SEALED, Writing};
use crate::error::{AtPath as _, AtPlace as _, Code, Error, Result};
use crate::hash::{Digests, Hasher};
use crate::id::PackageRef;

/// Read at a time.
const STEP: usize = 1 << 18;

/// Copies one file of a package to `target`, synced and 0444. Bytes other than those asked for are `package-file-altered`, named
/// by the vault they came from, and leave nothing behind.
pub(super) fn fetch(
    from: &dyn Source,
    package: &PackageRef,
    file: &str,
    digests: &Digests,
    target: &Path,
) -> Result<()> {
    let place = || format!("{package}, vault {}, {file}", from.name());
    // One byte too many is enough to know: a file made longer must not fill the disk.
    let mut source = from.open(package, file).map_err(|e| e.at(place()))?.take(digests.bytes.saturating_add(1));
    let mut writing = Writing::start(target, MODE_SEALED)?;
    let (mut hasher, mut buffer) = (Hasher::new(), vec![0; STEP]);
    loop {
        let n = source.read(&mut buffer).at(place())?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
        writing.write_all(&buffer[..n]).at_path(target)?;
    }
    if hasher.finish() != *digests {
        drop(writing);
        durable::remove_file(target)?;
        return Err(Error::new(Code::PackageFileAltered, "not as the chain committed it").at(place()));
    }
    writing.finish()
}

/// Whether a file of a package is there with these bytes; `None` when there is no such file.
pub fn holds(vault: &dyn Vault, package: &PackageRef, file: &str, digests: &Digests) -> Result<Option<bool>> {
    let open = match vault.open(package, file) {
        Err(error) if error.code == Code::FileMissing => return Ok(None),
        open => open?,
    };
    let mut limited = open.take(digests.bytes.saturating_add(1));
    let place = format_args!("{package}, vault {}, {file}", vault.name()).to_string();
    Ok(Some(Digests::of_reader(&mut limited).at(place)? == *digests))
}
