//! From an archive to its documents: each member expanded into the spool, checked and given its class.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, SeekFrom};

use super::directory::{self, Entry, Noticed};
use super::{Read, Stop, looks_like_zip};
use crate::document::{self, Body, ReadSeek};
use crate::error::{Code, Finding, Result};
use crate::id::ClassId;
use crate::intake::spool::{Incoming, Spooled};

/// Expanded bytes for each stored one, beyond [`FREE`]: invoices with thousands of like lines stay below 100, a bomb has 1,000.
const MAX_RATIO: u64 = 250;
/// Bytes that any archive may expand to.
const FREE: u64 = 4 << 20;
/// The root of what makes an archive inside the archive an AT one.
const ATTESTATION: &str = "AttestazioneTrasmissioneFattura";

/// What an archive may grow to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most documents.
    pub files: usize,
    /// Most bytes of one.
    pub document: u64,
    /// Most bytes of all.
    pub total: u64,
}

/// A document that came in an archive.
#[derive(Debug)]
pub struct Member {
    /// Its name: the last part of its path, or all of it where two would be the same.
    pub name: String,
    /// Its bytes.
    pub spooled: Spooled,
    /// What it is.
    pub class: ClassId,
    /// `member <position>`.
    pub place: String,
}

/// What became of an archive.
#[derive(Debug)]
pub enum Expanded {
    /// Its documents, in its order, and what was left out or passed over.
    Members(Vec<Member>, Vec<Finding>),
    /// There is neither invoice nor notification in it.
    Other,
    /// It cannot be taken; the flag says whether its names promise invoices or notifications.
    Refused(Vec<Finding>, bool),
}

/// Takes an archive apart. Errors are input/output errors alone.
pub fn expand(body: &Body, incoming: &Incoming, limits: Limits) -> Result<Expanded> {
    let mut work = Work {
        incoming,
        limits,
        left: limits.total,
        members: Vec::new(),
        faults: Vec::new(),
        noticed: Noticed::default(),
    };
    match work.archive(body, "", "") {
        Ok(()) => {}
        Err(Stop::Failed(error)) => return Err(error),
        Err(Stop::Bad(findings)) => work.faults.extend(findings),
    }
    let ours = work.members.iter().any(|(member, _)| member.class.as_str() != OTHER);
    let foreign: Vec<Finding> = work
        .members
        .iter()
        .filter(|(member, _)| member.class.as_str() == OTHER)
        .map(|(member, _)| Finding::error(Code::ZipMember, member.place.as_str(), ""))
        .collect();
    if work.faults.is_empty() && !ours {
        return Ok(if work.members.is_empty() {
            Expanded::Refused(vec![Finding::error(Code::ZipEmpty, "", "")], false)
        } else {
            Expanded::Other
        });
    }
    work.faults.extend(foreign);
    if !work.faults.is_empty() {
        return Ok(Expanded::Refused(work.faults, ours || work.noticed.promising));
    }
    Ok(Expanded::Members(named(work.members), work.noticed.findings))
}

/// Left-out members listed of one archive; its digest covers the others too.
const MAX_NOTICED: usize = 100;

/// What a computer leaves in folders, by its names: never a name that a person gives to a document.
fn litter(path: &str) -> Option<&'static str> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mac = folder.split('/').any(|part| part == "__MACOSX");
    match name.to_ascii_lowercase().as_str() {
        ".ds_store" => Some(".DS_Store"),
        "thumbs.db" | "ehthumbs.db" => Some("Thumbs.db"),
        "desktop.ini" => Some("desktop.ini"),
        lower if mac && lower.starts_with("._") => Some("__MACOSX"),
        _ => None,
    }
}

/// What stands for a member that is neither invoice nor notification.
const OTHER: &str = "generic";

struct Work<'a> {
    incoming: &'a Incoming,
    limits: Limits,
    /// Bytes that may still be expanded.
    left: u64,
    /// Documents so far, with their whole paths.
    members: Vec<(Member, String)>,
    faults: Vec<Finding>,
    noticed: Noticed,
}

impl Work<'_> {
    /// One archive; `prefix` stands before places and `folder` before paths of one inside another.
    fn archive(&mut self, body: &Body, prefix: &str, folder: &str) -> Read<()> {
        let length = body.len()?;
        let mut file = body.open()?;
        let most = self.limits.files.saturating_sub(self.members.len());
        let entries = directory::read(&mut *file, length, (most, prefix), &mut self.noticed)?;
        let entries = self.without_litter(entries);
        let mut seen = BTreeSet::new();
        let twice = entries.iter().filter(|entry| !seen.insert(entry.path.as_str()));
        let twice: Vec<Finding> = twice.map(|e| Finding::error(Code::ZipDuplicate, e.place.as_str(), "")).collect();
        if !twice.is_empty() {
            return Err(Stop::Bad(twice));
        }
        self.declared(&entries)?;
        for entry in entries {
            let spooled = match self.member(&mut *file, &entry) {
                Ok(spooled) => spooled,
                // The next member may be expanded whatever this one is; a bomb ends it all.
                Err(Stop::Bad(findings)) if findings.iter().all(|f| f.code != Code::ZipBomb) => {
                    self.faults.extend(findings);
                    continue;
                }
                Err(stop) => return Err(stop),
            };
            let content = spooled.body()?;
            if looks_like_zip(&content.head(4)?) {
                self.inner(&content, &entry, folder)?;
                continue;
            }
            let class = class_of(&content, &entry.path)?;
            let place = entry.place.clone();
            let path = format!("{folder}{}", entry.path);
            self.members.push((Member { name: String::new(), spooled, class, place }, path));
        }
        Ok(())
    }

    /// The members that somebody put there. What a computer left is no document and is not expanded; the archive's own digest, which
    /// every receipt of its documents has, covers it.
    fn without_litter(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let (mut kept, findings) = (Vec::with_capacity(entries.len()), &mut self.noticed.findings);
        for entry in entries {
            match litter(&entry.path) {
                Some(what) if findings.len() < MAX_NOTICED => {
                    findings.push(Finding::info(Code::ZipLitter, entry.place.as_str(), what));
                }
                Some(_) => {}
                None => kept.push(entry),
            }
        }
        kept
    }

    /// What the directory declares is refused before a byte is expanded.
    fn declared(&self, entries: &[Entry]) -> Read<()> {
        let total = entries.iter().fold(0u64, |sum, entry| sum.saturating_add(entry.size));
        if total > self.left {
            return Err(Stop::bad(Code::ZipBomb, "", &format!("at most {} bytes", self.limits.total)));
        }
        let swollen =
            entries.iter().filter(|entry| entry.size > allowed(entry.packed) || entry.size > self.limits.document);
        let bombs: Vec<Finding> =
            swollen.map(|entry| Finding::error(Code::ZipBomb, entry.place.as_str(), "")).collect();
        if bombs.is_empty() { Ok(()) } else { Err(Stop::Bad(bombs)) }
    }

    fn member(&mut self, file: &mut dyn ReadSeek, entry: &Entry) -> Read<Spooled> {
        file.seek(SeekFrom::Start(entry.data_at))?;
        let packed = file.take(entry.packed);
        if !entry.deflated {
            return self.taken(packed, entry);
        }
        self.taken(flate2::read::DeflateDecoder::new(packed), entry)
    }

    /// Expands a member: no more than it declares, and exactly what its checksum says.
    fn taken(&mut self, mut reader: impl std::io::Read, entry: &Entry) -> Read<Spooled> {
        let mut spool = self.incoming.spool(u64::MAX, None)?;
        let mut crc = crc32fast::Hasher::new();
        let mut buffer = vec![0; 64 << 10];
        let wrong = |detail: &str| Stop::bad(Code::ZipSize, &entry.place, detail);
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
                // What the decoder cannot make sense of is the archive's fault.
                Err(e)
                    if matches!(
                        e.kind(),
                        std::io::ErrorKind::InvalidInput
                            | std::io::ErrorKind::InvalidData
                            | std::io::ErrorKind::UnexpectedEof
                    ) =>
                {
                    return Err(wrong("its compressed bytes cannot be read"));
                }
                Err(e) => return Err(e.into()),
            };
            if spool.bytes() + n as u64 > entry.size {
                return Err(wrong("longer than declared"));
            }
            if n as u64 > self.left {
                return Err(Stop::bad(Code::ZipBomb, &entry.place, ""));
            }
            self.left -= n as u64;
            crc.update(&buffer[..n]);
            spool.write(&buffer[..n])?;
        }
        if spool.bytes() != entry.size {
            return Err(wrong("shorter than declared"));
        }
        if crc.finalize() != entry.crc {
            return Err(wrong("its checksum is wrong"));
        }
        Ok(spool.finish()?)
    }

    /// An archive inside is taken apart only when it is what SdI makes: a file and its attestation; and only one level down.
    fn inner(&mut self, content: &Body, entry: &Entry, folder: &str) -> Read<()> {
        let too_deep = || Stop::bad(Code::ZipTooDeep, &entry.place, "");
        if !folder.is_empty() {
            return Err(too_deep());
        }
        let from = self.members.len();
        self.archive(content, &format!("{}, ", entry.place), &format!("{}/", entry.path))?;
        let mut attested = false;
        for (member, _) in &self.members[from..] {
            attested |= document::reader::root_of(&member.spooled.body()?)?.as_deref() == Some(ATTESTATION);
        }
        if attested { Ok(()) } else { Err(too_deep()) }
    }
}

/// The most a member of this many stored bytes may expand to.
fn allowed(packed: u64) -> u64 {
    FREE.max(packed.saturating_mul(MAX_RATIO))
}

/// Invoice, notification or neither. What is named as a signed file and cannot be opened is for the invoice's reader to judge.
fn class_of(content: &Body, path: &str) -> Result<ClassId> {
    let class = document::auto_class(content, path)?;
    if ["invoice", "sdi-notification"].contains(&class.as_str()) {
        return Ok(class);
    }
    if path.to_ascii_lowercase().ends_with(".p7m") { "invoice".parse() } else { OTHER.parse() }
}

/// Members by the last part of their path, where that is theirs alone.
fn named(members: Vec<(Member, String)>) -> Vec<Member> {
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for (_, path) in &members {
        *uses.entry(last(path)).or_default() += 1;
    }
    let name = |path: String| if uses.get(&last(&path)) == Some(&1) { last(&path) } else { path };
    members.into_iter().map(|(member, path)| Member { name: name(path), ..member }).collect()
}
