//! The central directory (PKWARE APPNOTE 4.3), zip64 included, and what the local headers say to it.

use std::io::SeekFrom;

use super::names;
use super::{Read, Stop};
use crate::document::ReadSeek;
use crate::error::{Code, Finding};

/// Largest directory read: 100,000 members with ordinary names.
const MAX_DIRECTORY: u64 = 16 << 20;
/// The end record and the longest comment after it.
const TAIL: u64 = 22 + 0xffff;
/// Findings listed of one archive; more say nothing new.
const MAX_FINDINGS: usize = 100;

const ENCRYPTED: u16 = 1;
const MASKED: u16 = 1 << 13;
const UTF8: u16 = 1 << 11;

/// One file of the archive.
#[derive(Debug)]
pub(super) struct Entry {
    /// `member <position>`, for findings.
    pub place: String,
    /// Its path, decoded, with `/`.
    pub path: String,
    /// Whether it is deflated; otherwise stored.
    pub deflated: bool,
    pub crc: u32,
    pub packed: u64,
    pub size: u64,
    /// Where its bytes begin.
    pub data_at: u64,
    header_at: u64,
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn damaged(detail: &str) -> Stop {
    Stop::bad(Code::ZipDamaged, "", detail)
}

/// The last of several volumes: the others' bytes are in other files.
fn volumes() -> Stop {
    Stop::bad(Code::ZipVolumes, "", "")
}

fn bytes_at(file: &mut dyn ReadSeek, at: u64, length: u64) -> Read<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| damaged("a length nobody can have"))?];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Where the directory is: offset, length, number of members.
type Located = (u64, u64, u64);

/// Finds the directory by its end. What a transmission left behind the end is said, when there is one end alone: of two, programs
/// would see different archives.
fn locate(file: &mut dyn ReadSeek, length: u64, noticed: &mut Noticed) -> Read<Located> {
    let from = length.saturating_sub(TAIL);
    let tail = bytes_at(file, from, length - from)?;
    // Ends from the last on, with the number of bytes behind their comment.
    let ends: Vec<(usize, usize)> = (0..tail.len().saturating_sub(21))
        .rev()
        .filter(|at| tail[*at..].starts_with(b"PK\x05\x06"))
        .filter_map(|at| Some((at, (tail.len() - at - 22).checked_sub(usize::from(u16_at(&tail, at + 20)))?)))
        .collect();
    if let Some((at, _)) = ends.iter().find(|(_, behind)| *behind == 0) {
        return directory_before(file, from + *at as u64, &tail[*at..]);
    }
    let [(at, behind)] = ends[..] else {
        return Err(damaged(if ends.is_empty() { "no end of the directory" } else { "it ends in two places" }));
    };
    let located = directory_before(file, from + at as u64, &tail[at..])?;
    noticed.findings.push(Finding::warning(Code::ZipTrailing, "", format!("{behind} bytes")));
    Ok(located)
}

/// The directory that an end record speaks of. Whoever writes to a stream adds the zip64 end without need: then both must say the same.
fn directory_before(file: &mut dyn ReadSeek, end_at: u64, end: &[u8]) -> Read<Located> {
    if u16_at(end, 4) != 0 || u16_at(end, 6) != 0 || u16_at(end, 8) != u16_at(end, 10) {
        return Err(volumes());
    }
    let said = [u64::from(u16_at(end, 10)), u64::from(u32_at(end, 12)), u64::from(u32_at(end, 16))];
    let full = [0xffff, 0xffff_ffff, 0xffff_ffff];
    let saturated = said.iter().zip(full).any(|(said, full)| *said == full);
    let mut located = said;
    let mut directory_end = end_at;
    if let Some((at, wide)) = zip64_end(file, end_at, saturated)? {
        if said.iter().zip(full).zip(wide).any(|((said, full), wide)| *said != full && *said != wide) {
            return Err(damaged("its two ends differ"));
        }
        (located, directory_end) = (wide, at);
    }
    let [count, size, offset] = located;
    if offset.checked_add(size) != Some(directory_end) {
        return Err(damaged("the directory is not where its end says"));
    }
    Ok((offset, size, count))
}

/// Where the zip64 end is, and its number of members, length and offset; `None` when there is none and none is `needed`.
fn zip64_end(file: &mut dyn ReadSeek, end_at: u64, needed: bool) -> Read<Option<(u64, [u64; 3])>> {
    if end_at < 20 {
        return Ok(None);
    }
    let locator = bytes_at(file, end_at - 20, 20)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let at = u64_at(&locator, 8);
    if at.checked_add(56).is_none_or(|stop| stop > end_at - 20) {
        return if needed { Err(damaged("the zip64 end lies outside")) } else { Ok(None) };
    }
    let end = bytes_at(file, at, 56)?;
    if !end.starts_with(b"PK\x06\x06") {
        return if needed { Err(damaged("no zip64 end")) } else { Ok(None) };
    }
    if u32_at(&end, 16) != 0 || u32_at(&end, 20) != 0 || u64_at(&end, 24) != u64_at(&end, 32) {
        return Err(volumes());
    }
    Ok(Some((at, [u64_at(&end, 32), u64_at(&end, 40), u64_at(&end, 48)])))
}

/// What was noticed of an archive beside its members.
#[derive(Debug, Default)]
pub(super) struct Noticed {
    /// A name promises an invoice or a notification, whatever else is wrong.
    pub promising: bool,
    /// Worth saying of what is taken all the same.
    pub findings: Vec<Finding>,
}

/// The files of an archive, at most `most`; folders are left out. Every fault is listed.
pub(super) fn read(
    file: &mut dyn ReadSeek,
    length: u64,
    (most, prefix): (usize, &str),
    noticed: &mut Noticed,
) -> Read<Vec<Entry>> {
    let (offset, size, count) = locate(file, length, noticed)?;
    let many = || Stop::bad(Code::ZipTooMany, "", &format!("at most {most}"));
    // Folders count here too: an archive of nothing but folders is no use to anybody.
    if size > MAX_DIRECTORY {
        return Err(many());
    }
    let directory = bytes_at(file, offset, size)?;
    noticed.promising |=
        directory.windows(4).any(|end| [b".xml", b".p7m"].iter().any(|known| end.eq_ignore_ascii_case(*known)));
    if count > (most as u64).saturating_mul(2).max(100) {
        return Err(many());
    }
    let (mut entries, mut faults) = (Vec::new(), Vec::new());
    let mut rest = &directory[..];
    let mut position = 0;
    while !rest.is_empty() {
        position += 1;
        let place = format!("{prefix}member {position}");
        let lengths = [u16_at(rest, 28), u16_at(rest, 30), u16_at(rest, 32)].map(usize::from);
        let whole = 46 + lengths.iter().sum::<usize>();
        if !rest.starts_with(b"PK\x01\x02") || rest.len() < whole {
            return Err(damaged(&format!("the directory cannot be read at {place}")));
        }
        let (record, after) = rest.split_at(whole);
        rest = after;
        if let Some(entry) = entry(record, lengths, place, &mut faults) {
            entries.push(entry);
        }
    }
    if position as u64 != count {
        return Err(damaged("the directory holds another number of members than it says"));
    }
    if entries.len() > most {
        return Err(many());
    }
    for entry in &mut entries {
        local(file, entry, offset, &mut faults)?;
    }
    overlaps(&entries, &mut faults);
    faults.truncate(MAX_FINDINGS);
    if faults.is_empty() { Ok(entries) } else { Err(Stop::Bad(faults)) }
}

/// A record of the directory; `None` for a folder and for what has a fault.
fn entry(record: &[u8], lengths: [usize; 3], place: String, faults: &mut Vec<Finding>) -> Option<Entry> {
    let (flags, method) = (u16_at(record, 8), u16_at(record, 10));
    let name = &record[46..46 + lengths[0]];
    let extra = &record[46 + lengths[0]..46 + lengths[0] + lengths[1]];
    let mut fault = |code, detail: &str| faults.push(Finding::error(code, place.as_str(), detail));
    let path = match names::path(name, flags & UTF8 != 0, extra) {
        Ok(path) => path,
        Err(detail) => {
            fault(Code::ZipName, detail);
            return None;
        }
    };
    if path.ends_with('/') {
        return None;
    }
    if flags & (ENCRYPTED | MASKED) != 0 {
        fault(Code::ZipEncrypted, "");
        return None;
    }
    if ![0, 8].contains(&method) {
        fault(Code::ZipMethod, &format!("method {method}"));
        return None;
    }
    let mut entry = Entry {
        path,
        deflated: method == 8,
        crc: u32_at(record, 16),
        packed: u64::from(u32_at(record, 20)),
        size: u64::from(u32_at(record, 24)),
        data_at: 0,
        header_at: u64::from(u32_at(record, 42)),
        place: String::new(),
    };
    if zip64(&mut entry, extra).is_none() {
        fault(Code::ZipDamaged, "its zip64 lengths are missing");
        return None;
    }
    entry.place = place;
    Some(entry)
}

/// Lengths that do not fit stand in an extra field, in this order.
fn zip64(entry: &mut Entry, extra: &[u8]) -> Option<()> {
    let mut field = names::extra_field(extra, 1).unwrap_or_default();
    for value in [&mut entry.size, &mut entry.packed, &mut entry.header_at] {
        if *value == 0xffff_ffff {
            let (eight, rest) = field.split_at_checked(8)?;
            *value = u64_at(eight, 0);
            field = rest;
        }
    }
    Some(())
}

/// The local header must be there, name the same file and leave room for the data before the directory.
fn local(file: &mut dyn ReadSeek, entry: &mut Entry, directory_at: u64, faults: &mut Vec<Finding>) -> Read<()> {
    let mut fault = |detail: &str| faults.push(Finding::error(Code::ZipDamaged, entry.place.as_str(), detail));
    if entry.header_at.checked_add(30).is_none_or(|end| end > directory_at) {
        fault("its header lies outside");
        return Ok(());
    }
    let header = bytes_at(file, entry.header_at, 30)?;
    let (name_length, extra_length) = (u64::from(u16_at(&header, 26)), u64::from(u16_at(&header, 28)));
    if !header.starts_with(b"PK\x03\x04") || u16_at(&header, 8) != if entry.deflated { 8 } else { 0 } {
        fault("its two headers differ");
        return Ok(());
    }
    entry.data_at = entry.header_at + 30 + name_length + extra_length;
    if entry.data_at.checked_add(entry.packed).is_none_or(|end| end > directory_at) {
        fault("its bytes lie outside");
    }
    Ok(())
}

/// Members that share bytes expand to more than the archive holds.
fn overlaps(entries: &[Entry], faults: &mut Vec<Finding>) {
    let mut spans: Vec<&Entry> = entries.iter().collect();
    spans.sort_by_key(|entry| entry.header_at);
    for pair in spans.windows(2) {
        if pair[0].data_at.saturating_add(pair[0].packed) > pair[1].header_at {
            faults.push(Finding::error(Code::ZipOverlap, pair[1].place.as_str(), ""));
        }
    }
}
