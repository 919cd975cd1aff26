use std::io::{Cursor, Read};
use std::process::Command;
use std::sync::Arc;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::hash::Sha256;
use crate::package::content::ContentWriter;
use crate::package::files::{Files, Listed, ReadSeek};
use crate::package::member::Member;
use crate::package::seek::FRAME;
use crate::package::{CONTENT, TOC};

/// A package in memory, so that single bytes can be changed.
#[derive(Clone)]
struct Memory {
    content: Vec<u8>,
    toc: Vec<u8>,
}

impl Files for Memory {
    fn open(&self, name: &str) -> Result<Box<dyn ReadSeek>> {
        match name {
            CONTENT => Ok(Box::new(Cursor::new(self.content.clone()))),
            TOC => Ok(Box::new(Cursor::new(self.toc.clone()))),
            _ => Err(Error::new(Code::FileMissing, "").at(name)),
        }
    }

    fn list(&self) -> Result<Vec<Listed>> {
        Ok(Vec::new())
    }
}

/// Bytes that do not compress to nothing.
fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

fn pack(sizes: &[usize]) -> (Memory, Vec<(Member, Vec<u8>)>) {
    let mut members = Vec::new();
    let id = |n: usize| Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + n as u128);
    for (n, size) in sizes.iter().enumerate() {
        members.push((Member::document(id(n), "bin").unwrap(), noise(n as u8, *size)));
    }
    for kind in Kind::DESCRIPTIVE {
        for n in 0..sizes.len() {
            members.push((Member::descriptive(kind, id(n)).unwrap(), noise(n as u8 ^ kind as u8, 100 + n)));
        }
    }
    let mut writer = ContentWriter::new(Vec::new(), 1_700_000_000);
    for (member, bytes) in &members {
        writer.append(member, bytes.len() as u64, Sha256::of(bytes), &mut &bytes[..]).unwrap();
    }
    let (content, toc) = writer.finish().unwrap();
    (Memory { content, toc: toc.as_bytes().to_vec() }, members)
}

fn open(memory: &Memory) -> Result<Package> {
    Package::open(Arc::new(memory.clone()))
}

const SIZES: [usize; 8] = [0, 1, 512, FRAME - 512, FRAME, FRAME + 1, 2 * FRAME + 700, 3_000_000];

#[test]
fn every_member_and_every_range_comes_back() {
    let (memory, members) = pack(&SIZES);
    let package = open(&memory).unwrap();
    assert_eq!(package.toc().len(), members.len());
    for (member, bytes) in &members {
        assert_eq!(&package.read_member(member.kind, member.id, u64::MAX).unwrap(), bytes, "{member}");
        let n = bytes.len() as u64;
        for range in [0..0, 0..n.min(10), n / 2..n, n..n, n.saturating_sub(1)..n] {
            let mut part = Vec::new();
            package.open_member(member.kind, member.id, Some(range.clone())).unwrap().read_to_end(&mut part).unwrap();
            assert_eq!(part, bytes[range.start as usize..range.end as usize]);
        }
        assert_eq!(package.open_member(member.kind, member.id, Some(0..n + 1)).err().unwrap().code, Code::RangeInvalid);
    }
    let scanned = package.verify_content(&mut |_| {}).unwrap();
    assert_eq!((scanned.members, scanned.findings), (members.len() as u64, vec![]));
    assert_eq!(scanned.frames.0, scanned.frames.1);
    assert_eq!(derive_toc(&memory).unwrap().as_bytes(), memory.toc);
}

#[test]
fn a_walk_over_metadata_reads_no_document() {
    let (mut memory, members) = pack(&[10, 2_000_000, 30]);
    // The documents' frame is the first: broken, it must not matter to who does not read it.
    memory.content[1000] ^= 1;
    let mut seen = Vec::new();
    let package = open(&memory).unwrap();
    package
        .each_member(&Kind::DESCRIPTIVE, &mut |record, data| {
            let mut bytes = Vec::new();
            data.read_to_end(&mut bytes).unwrap();
            seen.push((record.kind, record.id, bytes));
            Ok(())
        })
        .unwrap();
    let expected: Vec<_> = members[3..].iter().map(|(m, bytes)| (m.kind, m.id, bytes.clone())).collect();
    assert_eq!(seen, expected);
    let error = package.each_member(&[Kind::Document], &mut |_, _| Ok(())).unwrap_err();
    assert_eq!(error.code, Code::ContentAltered);
}

#[test]
fn stock_tools_unpack_the_content() {
    if !crate::judges::present(&["sh", "tar", "zstd"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (memory, members) = pack(&SIZES);
    std::fs::write(dir.path().join("c.tar.zst"), &memory.content).unwrap();
    let status = Command::new("sh")
        .current_dir(dir.path())
        .args(["-c", "set -e; zstd -q -d c.tar.zst -o c.tar; tar -x -f c.tar; rm c.tar c.tar.zst"])
        .status()
        .unwrap();
    assert!(status.success(), "this test needs the commands zstd and tar");
    for (member, bytes) in &members {
        assert_eq!(&std::fs::read(dir.path().join(member.path())).unwrap(), bytes);
    }
}

#[test]
fn damage_is_found_and_names_the_documents_it_hit() {
    let (memory, members) = pack(&[100, 2 * FRAME, 200]);
    let table = SeekTable::read(&mut Cursor::new(memory.content.clone())).unwrap();
    // Frames: the first small document, three of the large one, the last small one, then five kinds and the end.
    assert_eq!(table.frames(), 11);
    for (frame, hit) in [(0, 0), (1, 1), (2, 1), (3, 1), (4, 2)] {
        let (from, to) = frame_in_file(&memory, frame);
        let mut damaged = memory.clone();
        damaged.content[(from + to) / 2] ^= 4;
        let scanned = open(&damaged).unwrap().verify_content(&mut |_| {}).unwrap();
        let named: Vec<_> =
            scanned.findings.iter().filter(|f| f.code == Code::ContentMissing).map(|f| f.place.clone()).collect();
        assert_eq!(named, [members[hit].0.id.to_string()], "frame {frame}");
        assert!(scanned.findings.iter().any(|f| f.place.contains(&format!("frame {frame}"))));
        assert_eq!(scanned.members, members.len() as u64 - 1);
    }
}

fn frame_in_file(memory: &Memory, frame: usize) -> (usize, usize) {
    let count = u32::from_le_bytes(memory.content[memory.content.len() - 9..][..4].try_into().unwrap()) as usize;
    let entries = memory.content.len() - 9 - 8 * count;
    let size = |n: usize| u32::from_le_bytes(memory.content[entries + 8 * n..][..4].try_into().unwrap()) as usize;
    let from = (0..frame).map(size).sum();
    (from, from + size(frame))
}

#[test]
fn a_document_that_is_not_as_acknowledged_is_not_packed() {
    let member = Member::document(Uuid::from_u128(1), "bin").unwrap();
    let append = |size: u64, digest: Sha256, bytes: &[u8]| {
        let mut writer = ContentWriter::new(Vec::new(), 0);
        writer.append(&member, size, digest, &mut &bytes[..])
    };
    assert!(append(3, Sha256::of(b"abc"), b"abc").is_ok());
    for (size, digest, bytes) in
        [(3, Sha256::of(b"abc"), &b"abd"[..]), (2, Sha256::of(b"ab"), b"abc"), (4, Sha256::of(b"abc"), b"abc")]
    {
        let error = append(size, digest, bytes).unwrap_err();
        assert_eq!((error.code, error.place), (Code::ReceiptMismatch, member.path()));
    }
}

#[test]
fn a_frame_that_inflates_beyond_its_size_is_refused() {
    let bomb = crate::package::seek::compress(&vec![0; FRAME]).unwrap();
    let mut table = SeekTable::default();
    table.push(bomb.len(), 1000);
    let mut content = bomb;
    content.extend(table.encode().unwrap());
    let mut frames = Frames::new(Box::new(Cursor::new(content))).unwrap();
    assert_eq!(frames.get(&table, 0).unwrap_err().code, Code::PackageFileAltered);
}

#[test]
fn toc_and_content_that_disagree_are_told_apart() {
    let (memory, members) = pack(&[10, 20, 30]);
    let rebuild = |keep: &dyn Fn(&mut Vec<Record>)| {
        let mut records: Vec<_> = open(&memory).unwrap().toc().iter().collect();
        keep(&mut records);
        Memory { content: memory.content.clone(), toc: Toc::build(records).as_bytes().to_vec() }
    };
    let first = members[0].0.id;
    let cases: [(Code, Memory); 3] = [
        (
            Code::TocDisagrees,
            rebuild(&|r| {
                r.remove(0);
            }),
        ),
        (Code::ContentMissing, rebuild(&|r| r[0].id = Uuid::from_u128(7))),
        (Code::ContentAltered, rebuild(&|r| r[0].sha256 = Sha256::ZERO)),
    ];
    for (code, memory) in cases {
        let findings = open(&memory).unwrap().verify_content(&mut |_| {}).unwrap().findings;
        assert!(findings.iter().any(|f| f.code == code), "{code:?}: {findings:?}");
        assert!(findings.iter().any(|f| f.place == first.to_string() || f.code == Code::ContentMissing));
    }
}

/// The same content with its tar changed: frames compressed again, a seek table that fits.
fn retar(memory: &Memory, change: impl FnOnce(&mut Vec<u8>)) -> Memory {
    let table = SeekTable::read(&mut Cursor::new(memory.content.clone())).unwrap();
    let mut frames = Frames::new(Box::new(Cursor::new(memory.content.clone()))).unwrap();
    let mut tar: Vec<u8> = (0..table.frames()).flat_map(|n| frames.get(&table, n).unwrap().to_vec()).collect();
    change(&mut tar);
    let (mut content, mut again, mut at) = (Vec::new(), SeekTable::default(), 0);
    for n in 0..table.frames() {
        let end = if n + 1 == table.frames() { tar.len() } else { at + table.tar_size(n) as usize };
        let compressed = crate::package::seek::compress(&tar[at..end]).unwrap();
        again.push(compressed.len(), end - at);
        content.extend(compressed);
        at = end;
    }
    content.extend(again.encode().unwrap());
    Memory { content, toc: memory.toc.clone() }
}

#[test]
fn what_is_appended_to_the_tar_is_found() {
    let (memory, _) = pack(&[10, 3000]);
    assert!(walk(&retar(&memory, |_| {})));
    assert!(!walk(&retar(&memory, |tar| tar.extend([0; 512]))));
    assert!(!walk(&retar(&memory, |tar| tar.truncate(tar.len() - 512))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_byte_of_the_tar_is_free(at in any::<proptest::sample::Index>(), mask in 1_u8..) {
        let (memory, _) = pack(&[10, 3000, 0]);
        let changed = retar(&memory, |tar| {
            let at = at.index(tar.len());
            tar[at] ^= mask;
        });
        prop_assert!(!walk(&changed));
    }
}

#[test]
fn claimed_lengths_are_not_believed() {
    let (memory, _) = pack(&[10]);
    let mut table = SeekTable::default();
    (0..100_000).for_each(|_| table.push(1, FRAME));
    let mut content = vec![0; 100_000];
    content.extend(table.encode().unwrap());
    let record = Record { length: table.tar_length() - 512, ..open(&memory).unwrap().toc().iter().next().unwrap() };
    let hostile = Memory { content, toc: Toc::build(vec![record]).as_bytes().to_vec() };
    let package = open(&hostile).unwrap();
    assert_eq!(package.read_member(record.kind, record.id, u64::MAX).unwrap_err().code, Code::ContentAltered);
    assert!(!walk(&hostile));
}

#[test]
fn a_lost_table_of_contents_is_derived() {
    let (mut memory, members) = pack(&[10, 3000]);
    memory.toc.clear();
    assert!(open(&memory).is_err());
    let package = Package::open_deriving(Arc::new(memory)).unwrap();
    let (member, bytes) = &members[1];
    assert_eq!(&package.read_member(member.kind, member.id, 5000).unwrap(), bytes);
    // Readers go to other threads.
    fn sendable<T: Send>(_: &T) {}
    sendable(&package.open_member(member.kind, member.id, None).unwrap());
}

/// Whatever the bytes, opening and walking gives an answer, and never "fine".
fn walk(memory: &Memory) -> bool {
    let Ok(package) = open(memory) else { return false };
    let scanned = package.verify_content(&mut |_| {});
    for record in package.toc().iter().take(20) {
        if let Ok(mut reader) = package.open_member(record.kind, record.id, None) {
            let _ = std::io::copy(&mut reader, &mut std::io::sink());
        }
    }
    scanned.is_ok_and(|s| s.findings.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn flipped_and_cut_bytes_never_panic_and_never_pass(
        at in any::<proptest::sample::Index>(), mask in 1_u8.., in_toc in any::<bool>(), tail in any::<bool>(), cut in any::<bool>(),
    ) {
        let (mut memory, _) = pack(&[10, 3000, 0]);
        let before = memory.clone();
        let file = if in_toc { &mut memory.toc } else { &mut memory.content };
        // Half of the changes hit the seek table, where sizes are.
        let from = if tail && !in_toc { file.len() - 100 } else { 0 };
        let at = from + at.index(file.len() - from);
        if cut { file.truncate(at) } else { file[at] ^= mask }
        prop_assert!(!walk(&memory) || same_meaning(&before, &memory));
    }
}

/// A bit of a zstd frame header may be free (it says how large a window to keep): the tar is then still exact.
fn same_meaning(before: &Memory, after: &Memory) -> bool {
    before.toc == after.toc
        && before.content.len() == after.content.len()
        && derive_toc(after).is_ok_and(|t| t.as_bytes() == before.toc)
}
