//! Damages to single files, the same for every kind of file: what disks, copies and hands do to them.

use std::collections::{BTreeMap, BTreeSet};

use super::cell::{Cell, Look};
use super::component;
use super::stand::Stand;

/// Kinds whose files only an opened archive, or nobody, looks at in their own way; their damages stand elsewhere.
const APART: [&str; 4] = ["catalog", "settings", "lock", "keys"];
/// Random damages of each sort to each kind of file.
const RANDOM: usize = 4;
/// Bytes that are zeroed: a sector that never got to the disk.
const BLOCK: usize = 512;

/// Random numbers that are the same for the same seed.
pub struct Random(blake3::OutputReader);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof())
    }

    pub fn below(&mut self, limit: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_be_bytes(bytes) % limit.max(1) as u64) as usize
    }
}

/// Where structures begin and end in most of the files: magic, first fields, middle, trailer.
fn places(length: usize) -> BTreeSet<usize> {
    let all = [0, 8, length / 4, length / 2, length * 3 / 4, length.saturating_sub(1)];
    all.into_iter().filter(|at| *at < length).collect()
}

fn flip(name: &str, at: usize, bit: u8) -> impl Fn(&mut Stand) + use<> {
    let name = name.to_owned();
    move |stand| {
        let mut bytes = stand.read(&name);
        bytes[at] ^= 1 << bit;
        stand.put(&name, &bytes);
    }
}

fn cut(name: &str, to: usize) -> impl Fn(&mut Stand) + use<> {
    let name = name.to_owned();
    move |stand| {
        let bytes = stand.read(&name);
        stand.put(&name, &bytes[..to]);
    }
}

fn longer(name: &str, by: &[u8]) -> impl Fn(&mut Stand) + use<> {
    let (name, by) = (name.to_owned(), by.to_owned());
    move |stand| {
        let bytes = stand.read(&name);
        stand.put(&name, &[&bytes[..], &by].concat());
    }
}

fn zeroed(bytes: &[u8], from: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let to = (from + BLOCK).min(bytes.len());
    bytes[from..to].fill(0);
    bytes
}

fn zero(name: &str, from: usize) -> impl Fn(&mut Stand) + use<> {
    let name = name.to_owned();
    move |stand| {
        let bytes = zeroed(&stand.read(&name), from);
        stand.put(&name, &bytes);
    }
}

/// Puts these bytes under a name.
pub fn put(name: &str, bytes: Vec<u8>) -> impl Fn(&mut Stand) + use<> {
    let name = name.to_owned();
    move |stand| stand.put(&name, &bytes)
}

/// The name that the next file of a kind would have.
pub fn next_name(name: &str) -> String {
    let (folder, last) = name.rsplit_once('/').unwrap();
    // The last run of digits counts, unless it is an identifier's.
    let digits: Vec<(usize, char)> = last.char_indices().filter(|(_, c)| c.is_ascii_digit()).collect();
    let end = digits.last().map(|(at, _)| at + 1);
    let start = end.map(|end| last[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1));
    match (start, end) {
        (Some(start), Some(end)) if !last.contains("-7") => {
            let width = end - start;
            let number = last[start..end].parse::<u64>().unwrap_or(0) + 1;
            format!("{folder}/{}{number:0width$}{}", &last[..start], &last[end..])
        }
        _ => match last.split_once('.') {
            Some((stem, rest)) => format!("{folder}/{stem}2.{rest}"),
            None => format!("{folder}/{last}2"),
        },
    }
}

/// Every file of the archive, by kind.
pub fn by_kind(stand: &Stand) -> BTreeMap<&'static str, Vec<String>> {
    let mut kinds: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for name in ["archive", "copia", "archive.keys"].iter().flat_map(|below| stand.files(below)) {
        if let Some(kind) = component::of(&name) {
            kinds.entry(kind).or_default().push(name);
        }
    }
    // Narrower tiles are of an older size, and may be removed by whoever likes.
    if let Some(tiles) = kinds.get_mut("tiles") {
        let width = |name: &String| name.rsplit('/').next().unwrap().parse::<u64>().unwrap_or(u64::MAX);
        tiles.sort_by_key(|name| std::cmp::Reverse(width(name)));
    }
    kinds
}

/// Every damage to every kind of file. `older` reads a file as it was in the older state.
pub fn cells(stand: &Stand, older: &dyn Fn(&str) -> Option<Vec<u8>>, seed: u64) -> Vec<Cell> {
    let mut random = Random::new(seed);
    let mut cells = Vec::new();
    for (kind, files) in by_kind(stand) {
        // Ends that hold nothing are damaged as others.
        let files: Vec<String> = files.into_iter().filter(|name| !stand.read(name).is_empty()).collect();
        if APART.contains(&kind) || files.is_empty() {
            continue;
        }
        let look = if component::at_rest(kind) { Look::AtRest } else { Look::Opened };
        cells.extend(of_kind(kind, &files, look, stand, &mut random));
        cells.extend(between(kind, &files, look, stand));
        let elder = files.iter().find_map(|name| Some((name, older(name).filter(|old| *old != stand.read(name))?)));
        if let Some((name, bytes)) = elder {
            let cell = Cell::new(kind, "an older version", look).with(name, put(name, bytes));
            // Which of the two is older, nobody can say: what follows an older checkpoint is named.
            cells.push(if kind == "checkpoint" { cell.or_at("archive/chain/entries") } else { cell });
        }
    }
    cells
}

fn of_kind(kind: &'static str, files: &[String], look: Look, stand: &Stand, random: &mut Random) -> Vec<Cell> {
    let first = &files[0];
    let bytes = stand.read(first);
    let length = bytes.len();
    let mut bit = Cell::new(kind, "a bit flipped", look);
    for at in places(length) {
        bit = bit.with(format!("{first}, byte {at}"), flip(first, at, (at % 8) as u8));
    }
    let mut shorter = Cell::new(kind, "cut short", look);
    // The last batch of the journal is an empty one, which nobody misses.
    let logs = ["accesses", "refusals", "journal"].contains(&kind);
    for to in BTreeSet::from([0, length / 2, length - if logs { length / 8 } else { 1 }]) {
        shorter = shorter.with(format!("{first}, to {to}"), cut(first, to));
    }
    let mut extended = Cell::new(kind, "made longer", look);
    // An unfinished line at the end of a log is what a stop leaves: it stands elsewhere.
    for by in [&b"\0"[..], &bytes].into_iter().skip(usize::from(logs)) {
        extended = extended.with(format!("{first}, by {}", by.len()), longer(first, by));
    }
    let mut zeros = Cell::new(kind, "a block of zeros", look);
    for from in BTreeSet::from([0, length / 2]) {
        zeros = zeros.with(format!("{first}, from {from}"), zero(first, from));
    }
    for _ in 0..RANDOM {
        let name = &files[random.below(files.len())];
        let bytes = stand.read(name);
        let (at, of) = (random.below(bytes.len()), random.below(8) as u8);
        bit = bit.at_random(format!("{name}, byte {at}, bit {of}"), flip(name, at, of));
        let to = random.below(bytes.len() - if logs { bytes.len() / 8 } else { 0 });
        shorter = shorter.at_random(format!("{name}, to {to}"), cut(name, to));
        let by: Vec<u8> = (0..=random.below(40)).map(|_| random.below(256) as u8).collect();
        if !logs {
            extended = extended.at_random(format!("{name}, by {}", by.len()), longer(name, &by));
        }
        let from = random.below(bytes.len());
        if zeroed(&bytes, from) != bytes {
            zeros = zeros.at_random(format!("{name}, from {from}"), zero(name, from));
        }
    }
    let (gone, linked, next) = (first.clone(), first.clone(), next_name(first));
    let again = bytes.clone();
    vec![
        bit,
        shorter,
        extended,
        zeros,
        Cell::new(kind, "deleted", look).with(first, move |stand| stand.clear(&gone)),
        Cell::new(kind, "a link in its place", look).with(first, move |stand| stand.link(&linked)),
        Cell::new(kind, "once more under the next name", look).with(next.clone(), put(&next, again)),
    ]
}

/// Two files of a kind exchanged.
fn between(kind: &'static str, files: &[String], look: Look, stand: &Stand) -> Option<Cell> {
    let first = &files[0];
    let bytes = stand.read(first);
    let other = files.iter().find(|name| stand.read(name) != bytes)?;
    let (one, two, theirs) = (first.clone(), other.clone(), stand.read(other));
    let swap = move |stand: &mut Stand| {
        stand.put(&one, &theirs);
        stand.put(&two, &bytes);
    };
    Some(Cell::new(kind, "exchanged with another", look).with(format!("{first} and {other}"), swap))
}
