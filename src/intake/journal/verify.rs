//! The journal as `check` sees it: read-only, one flipped byte anywhere is found and named.

use std::path::Path;

use super::format::Stored;
use super::recovery::{Sealed, check_body};
use super::scan::{self, Until};
use crate::error::{AtPath, Code, Finding, Result};
use crate::id::{Lane, Sequence};

/// What a verification looked at.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Everything that is not as it was written; empty is good.
    pub findings: Vec<Finding>,
    /// Segments read.
    pub segments: u64,
    /// Records read.
    pub records: u64,
    /// Documents with something unsealed whose bytes were read and hashed.
    pub documents: u64,
    /// Bytes read and hashed.
    pub bytes: u64,
    /// First and last number held in valid batches.
    pub numbers: Option<(Sequence, Sequence)>,
    /// Numbers that recovery set aside.
    pub voided: Vec<(Sequence, Sequence)>,
    /// The number the next deposit would have.
    pub next: Option<Sequence>,
}

/// Verifies the lane in `folder` (`intake/lane-0001`). Changes nothing, needs no lock when nobody writes. A large body is
/// looked for only while its document is not sealed.
pub fn verify(folder: &Path, lane: Lane, sealed: Sealed<'_>) -> Result<Verified> {
    verify_until(folder, lane, sealed, None)
}

pub(super) fn verify_until(folder: &Path, lane: Lane, sealed: Sealed<'_>, until: Until) -> Result<Verified> {
    let mut seen = Verified::default();
    let mut bodies = Vec::new();
    let mut known = std::collections::BTreeSet::new();
    let walk = scan::walk(folder, lane, until, &mut |batch| {
        for record in &batch.records {
            seen.records += 1;
            let sequence = record.head.sequence;
            let first = seen.numbers.map_or(sequence, |(first, _)| first);
            seen.numbers = Some((first, sequence));
            for document in &record.head.documents {
                seen.documents += 1;
                if document.stored == Stored::File {
                    known.insert(document.id.to_string());
                    if !sealed(sequence, document.id) {
                        bodies.push((document.id, document.content));
                    }
                }
            }
        }
    })?;
    for trouble in &walk.troubles {
        seen.findings.push(Finding::error(Code::JournalDamaged, trouble.place(folder), &trouble.what));
    }
    for (document, part) in bodies {
        seen.bytes += part.bytes;
        seen.findings.extend(check_body(&folder.join("bodies"), document, part, lane.0));
    }
    if until.is_none() {
        strangers(folder, lane, &known, &mut seen.findings)?;
    }
    seen.segments = walk.segments.len() as u64;
    seen.bytes += walk.segments.iter().map(|(_, length)| length).sum::<u64>();
    let voided = walk.set_aside.iter().filter_map(|aside| aside.numbers);
    seen.voided = voided.map(|(first, last)| (Sequence(first), Sequence(last))).collect();
    seen.next = walk.tip.map(|tip| Sequence(tip.header.last + 1));
    Ok(seen)
}

/// Files that are nobody's are worth knowing, not damage: a stop may leave a body whose record never came to be.
fn strangers(
    folder: &Path,
    lane: Lane,
    known: &std::collections::BTreeSet<String>,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let bodies = folder.join("bodies");
    for (place, path) in [("", folder), ("bodies/", bodies.as_path())] {
        for entry in std::fs::read_dir(path).at_path(path)? {
            let name = entry.at_path(path)?.file_name().to_string_lossy().into_owned();
            let expected = match place {
                "" => name == "bodies" || super::format::segment_number(&name).is_some(),
                _ => known.contains(&name),
            };
            if !expected {
                let place = format!("intake/lane-{:04}/{place}{name}", lane.0);
                findings.push(Finding::info(Code::NotLookedAt, place, "no record names this file"));
            }
        }
    }
    Ok(())
}
