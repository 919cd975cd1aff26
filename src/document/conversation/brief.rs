//! Whether the hashes of a *breve* receipt are those of the original (`reference/pec` section 7).
//!
//! Invariant: a match says that every file of the original is certified under its own name, and nothing less. Providers write names in
//! many ways, so a name that is no file's is not held against the hash; one that is a file's is.

use std::collections::HashMap;

use super::{Attached, Brief};

/// The files of an original, by hash and by name.
pub(super) struct Original<'a> {
    by_hash: HashMap<&'a str, Vec<usize>>,
    by_name: HashMap<&'a str, Vec<usize>>,
    count: usize,
}

impl<'a> Original<'a> {
    pub fn of(files: &'a [Attached]) -> Self {
        let (mut by_hash, mut by_name) = (HashMap::<_, Vec<usize>>::new(), HashMap::<_, Vec<usize>>::new());
        for (n, file) in files.iter().enumerate() {
            file.hashes.iter().for_each(|hash| by_hash.entry(hash.as_str()).or_default().push(n));
            if !file.name.is_empty() {
                by_name.entry(file.name.as_str()).or_default().push(n);
            }
        }
        Self { by_hash, by_name, count: files.len() }
    }

    /// What a receipt about these files is.
    fn compare(&self, receipt: &[Attached]) -> Brief {
        let mut certified = vec![false; self.count];
        let mut all_readable = true;
        for entry in receipt {
            if entry.hashes.is_empty() {
                all_readable = false;
                continue;
            }
            let of: Vec<usize> =
                entry.hashes.iter().filter_map(|hash| self.by_hash.get(hash.as_str())).flatten().copied().collect();
            let named = self.by_name.get(entry.name.as_str());
            let right: Vec<usize> = of.into_iter().filter(|n| named.is_none_or(|named| named.contains(n))).collect();
            if right.is_empty() {
                return Brief::Mismatch;
            }
            right.into_iter().for_each(|n| certified[n] = true);
        }
        if all_readable && certified.into_iter().all(|one| one) { Brief::Match } else { Brief::Partial }
    }
}

/// What the hashes of a receipt are, against the originals that are held: one of which it certifies everything is enough, for nobody
/// makes a file to a hash. None where neither speaks of any file.
pub(super) fn compare(receipt: &[Attached], originals: &[Original<'_>]) -> Option<Brief> {
    let found = originals.iter().map(|original| (original.compare(receipt), original.count));
    // The best word first.
    let best = found.min_by_key(|(brief, _)| *brief as u8);
    match best {
        None if receipt.is_empty() => None,
        None => Some(Brief::NotHeld),
        Some((Brief::Match, 0)) => None,
        Some((brief, _)) => Some(brief),
    }
}
