//! The journal under threads, cuts, flips and failing disks.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU8, Ordering};

use super::*;
use crate::clock::SystemClock;
use crate::hash::Sha256;
use crate::intake::spool::Incoming;

/// What the next write of this one journal does instead of succeeding.
#[derive(Default)]
pub(super) struct Fault(AtomicU8);

const HALF: u8 = 1;
const WHOLE_UNSYNCED: u8 = 2;

impl Fault {
    pub fn strike(&self, active: &mut durable::Appending, bytes: &[u8]) -> Result<()> {
        let errno = match self.0.swap(0, Ordering::SeqCst) {
            0 => return Ok(()),
            HALF => {
                active.append(&bytes[..bytes.len() / 2])?;
                28
            }
            _ => {
                active.append(bytes)?;
                5
            }
        };
        Err(Error::io("segment", std::io::Error::from_raw_os_error(errno)))
    }
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.dir.path(), Lane(1), Arc::new(SystemClock));
        settings.idle = Duration::from_secs(3600);
        settings
    }

    fn incoming(&self) -> Incoming {
        Incoming::open(&self.dir.path().join("intake/incoming")).unwrap()
    }

    fn open(&self) -> (Journal, Recovery) {
        Journal::open(self.settings(), &|_, _| false).unwrap()
    }

    fn lane(&self) -> PathBuf {
        self.settings().lane_folder()
    }

    fn verify(&self) -> Verified {
        verify(&self.lane(), Lane(1), &|_, _| false).unwrap()
    }

    /// Every file of the archive's folder and its bytes.
    fn snapshot(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, into);
                } else {
                    into.insert(path.clone(), std::fs::read(&path).unwrap());
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(self.dir.path(), &mut files);
        files
    }

    fn restore(&self, files: &BTreeMap<PathBuf, Vec<u8>>) {
        for path in self.snapshot().keys().filter(|path| !files.contains_key(*path)) {
            std::fs::remove_file(path).unwrap();
        }
        for (path, bytes) in files {
            std::fs::write(path, bytes).unwrap();
        }
    }

    fn segment(&self, number: u64) -> PathBuf {
        self.lane().join(segment_name(number))
    }
}

fn rendered(numbered: Numbered, metadata: usize) -> Rendered {
    let text = |what: &str| format!("{what} of {}", numbered.sequence).into_bytes();
    Rendered {
        rdv: text("rdv"),
        note: text("note"),
        manifest: text("manifest"),
        metadata: (0..metadata).map(|n| text(&format!("metadata {n}"))).collect(),
    }
}

fn ids() -> (ReceiptId, DocumentId) {
    let now = SystemClock.now();
    (ReceiptId::new(now), DocumentId::new(now))
}

fn put(journal: &Journal, incoming: &Incoming, content: &[u8]) -> Result<(Numbered, DocumentId)> {
    let (receipt, id) = ids();
    let document = Document { id, body: incoming.of_bytes(content)? };
    journal.submit(receipt, vec![document], move |numbered| Ok((rendered(numbered, 1), id)))
}

fn get(journal: &Journal, sequence: Sequence, document: DocumentId) -> Vec<u8> {
    let record = journal.record(sequence).unwrap().unwrap();
    let mut content = Vec::new();
    record.open_document(document).unwrap().read_to_end(&mut content).unwrap();
    assert_eq!(record.rdv().unwrap(), format!("rdv of {sequence}").into_bytes());
    assert_eq!(record.manifest().unwrap(), format!("manifest of {sequence}").into_bytes());
    assert_eq!(record.metadata(document).unwrap(), format!("metadata 0 of {sequence}").into_bytes());
    content
}

#[test]
fn sixty_four_threads_get_gap_free_numbers_and_every_byte_is_there_after_reopening() {
    let place = Place::new();
    let incoming = place.incoming();
    let mut settings = place.settings();
    settings.segment_bytes = 4 << 20;
    let (journal, _) = Journal::open(settings, &|_, _| false).unwrap();
    let barrier = Barrier::new(64);
    let mut all = HashMap::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64u32)
            .map(|thread| {
                let (journal, incoming, barrier) = (&journal, &incoming, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let put_one = |n: u32| {
                        let length = match (thread + n) % 500 {
                            0 => 1_200_000,
                            n if n % 40 == 0 => 150_000,
                            n => n as usize + 1,
                        };
                        let content: Vec<u8> = (0..length).map(|at| (at as u32 ^ thread ^ (n << 3)) as u8).collect();
                        let (numbered, id) = put(journal, incoming, &content).unwrap();
                        (numbered.sequence, (id, Sha256::of(&content), numbered.accepted_at))
                    };
                    (0..32).map(put_one).collect::<Vec<_>>()
                })
            })
            .collect();
        for thread in threads {
            all.extend(thread.join().unwrap());
        }
    });
    assert_eq!(all.len(), 2048);
    assert!((1..=2048).all(|n| all.contains_key(&Sequence(n))));
    assert!((2..=2048).all(|n| all[&Sequence(n - 1)].2 <= all[&Sequence(n)].2), "time never goes back");
    let live = journal.verify().unwrap();
    assert_eq!((live.findings, live.records), (vec![], 2048));
    drop(journal);
    let (journal, recovery) = place.open();
    assert_eq!((recovery.records, recovery.next, recovery.findings), (2048, Sequence(2049), vec![]));
    for (sequence, (id, digest, _)) in &all {
        assert_eq!(Sha256::of(&get(&journal, *sequence, *id)), *digest);
    }
    assert!(journal.load().segments > 1, "segments rotate");
    let verified = place.verify();
    assert_eq!((verified.findings, verified.numbers), (vec![], Some((Sequence(1), Sequence(2048)))));
    assert_eq!(std::fs::read_dir(place.dir.path().join("intake/incoming")).unwrap().count(), 0);
}

#[test]
fn one_flipped_byte_anywhere_is_found_and_named() {
    let place = Place::new();
    let incoming = place.incoming();
    let (journal, _) = place.open();
    let (_, small) = put(&journal, &incoming, b"a small content that is easy to find").unwrap();
    let (_, large) = put(&journal, &incoming, &vec![9; INLINE_LIMIT as usize + 1]).unwrap();
    drop(journal);
    assert_eq!(place.verify().findings, vec![]);
    let segment = place.segment(1);
    let whole = std::fs::read(&segment).unwrap();
    let content = whole.windows(7).position(|w| w == b"a small").unwrap();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x20;
        std::fs::write(&segment, &flipped).unwrap();
        let findings = place.verify().findings;
        let damaged = findings.iter().find(|f| f.code == Code::JournalDamaged);
        let damaged = damaged.unwrap_or_else(|| panic!("byte {at} of {} flipped unseen", whole.len()));
        assert!(damaged.place.contains("lane-0001/segment-00000001 at byte"), "{}", damaged.place);
        if at == content {
            assert!(damaged.place.ends_with(&format!("document {small}")), "{}", damaged.place);
        }
    }
    std::fs::write(&segment, &whole).unwrap();
    let body = place.lane().join("bodies").join(large.to_string());
    let bytes = std::fs::read(&body).unwrap();
    for at in [0, 77, bytes.len() / 2, bytes.len() - 1] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        std::fs::write(&body, &flipped).unwrap();
        let findings = place.verify().findings;
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].code, Code::JournalBody);
        assert!(findings[0].place.contains(&large.to_string()));
    }
    std::fs::remove_file(&body).unwrap();
    let (_, recovery) = place.open();
    assert_eq!(recovery.findings[0].code, Code::JournalBody);
    assert!(recovery.findings[0].place.contains(&large.to_string()));
}

#[test]
fn a_journal_cut_at_any_byte_opens_with_every_earlier_batch_and_never_reuses_a_readable_number() {
    let place = Place::new();
    let incoming = place.incoming();
    let (journal, _) = place.open();
    let mut ends = Vec::new();
    for n in 1..=3u8 {
        put(&journal, &incoming, &[n; 20]).unwrap();
        ends.push(std::fs::metadata(place.segment(1)).unwrap().len());
    }
    let whole = place.snapshot();
    drop(journal);
    place.restore(&whole);
    let bytes = &whole[&place.segment(1)];
    let opening = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
    // Every 17th byte, and each byte around the end of a batch: each cut costs a dozen syncs.
    let near = |cut: &usize| ends.iter().any(|end| cut.abs_diff(*end as usize) < 3);
    for cut in (opening..=bytes.len()).filter(|cut| *cut == opening || cut % 17 == 0 || near(cut)) {
        place.restore(&whole);
        std::fs::write(place.segment(1), &bytes[..cut]).unwrap();
        let batches = ends.iter().filter(|end| **end <= cut as u64).count() as u64;
        let clean = cut == opening || ends.contains(&(cut as u64));
        let (journal, recovery) = place.open();
        assert_eq!(recovery.records, batches, "cut at {cut}");
        assert_eq!(recovery.findings.len(), usize::from(!clean), "cut at {cut}");
        if let Some((first, last)) = recovery.voided {
            assert_eq!((first.0, last.0, recovery.next.0), (batches + 1, batches + 1, batches + 2));
        } else {
            assert_eq!(recovery.next.0, batches + 1);
        }
        let (numbered, _) = put(&journal, &incoming, b"after").unwrap();
        assert_eq!(numbered.sequence, recovery.next);
        drop(journal);
        let (journal, again) = place.open();
        assert_eq!((again.records, again.findings), (batches + 1, vec![]), "cut at {cut}");
        assert_eq!(journal.voided(), recovery.voided.into_iter().collect::<Vec<_>>());
        drop(journal);
        assert_eq!(place.verify().findings, vec![], "cut at {cut}");
    }
}

#[test]
fn a_torn_tail_is_quarantined_byte_for_byte_and_stays_under_a_digest() {
    let place = Place::new();
    let incoming = place.incoming();
    let (journal, _) = place.open();
    put(&journal, &incoming, b"kept").unwrap();
    let good = std::fs::metadata(place.segment(1)).unwrap().len() as usize;
    put(&journal, &incoming, b"torn").unwrap();
    let before = place.snapshot();
    drop(journal);
    place.restore(&before);
    let mut bytes = std::fs::read(place.segment(1)).unwrap();
    let at = bytes.len() - 3;
    bytes[at] ^= 1;
    std::fs::write(place.segment(1), &bytes).unwrap();
    let (journal, recovery) = place.open();
    assert_eq!(recovery.findings[0].code, Code::JournalTail);
    assert_eq!((recovery.voided, recovery.next), (Some((Sequence(2), Sequence(2))), Sequence(3)));
    drop(journal);
    let set_aside = std::fs::read_dir(place.dir.path().join("quarantine")).unwrap().next().unwrap().unwrap().path();
    assert!(std::fs::read(set_aside).unwrap() == bytes[good..]);
    assert_eq!(place.verify().voided, vec![(Sequence(2), Sequence(2))]);
    bytes[good + 5] ^= 1;
    std::fs::write(place.segment(1), &bytes).unwrap();
    assert_eq!(place.verify().findings[0].code, Code::JournalDamaged);
}

/// The chain knows that number 2 was acknowledged, and a disk has forgotten it: wholly, or so that its header cannot be read.
#[test]
fn what_was_acknowledged_and_is_gone_is_said_and_its_number_is_not_given_again() {
    for torn in [false, true] {
        let place = Place::new();
        let incoming = place.incoming();
        let (journal, _) = place.open();
        put(&journal, &incoming, b"kept").unwrap();
        let good = std::fs::metadata(place.segment(1)).unwrap().len() as usize;
        put(&journal, &incoming, b"lost").unwrap();
        assert_eq!(journal.issued(), Sequence(2));
        drop(journal);
        let bytes = std::fs::read(place.segment(1)).unwrap();
        std::fs::write(place.segment(1), &bytes[..good + if torn { 30 } else { 0 }]).unwrap();
        let mut settings = place.settings();
        settings.acknowledged = Sequence(2);
        let (journal, recovery) = Journal::open(settings.clone(), &|_, _| false).unwrap();
        assert_eq!(recovery.findings[0].code, Code::JournalDamaged, "{:?}", recovery.findings);
        assert_eq!(recovery.findings[0].severity, crate::error::Severity::Error);
        assert_eq!((recovery.voided, recovery.next), (Some((Sequence(2), Sequence(2))), Sequence(3)));
        assert_eq!(put(&journal, &incoming, b"next").unwrap().0.sequence, Sequence(3));
        drop(journal);
        // What was lost is set aside for ever; nothing is said of it again.
        let (journal, recovery) = Journal::open(settings, &|_, _| false).unwrap();
        assert_eq!((recovery.findings, recovery.next), (vec![], Sequence(4)));
        assert_eq!((journal.voided(), journal.issued()), (vec![(Sequence(2), Sequence(2))], Sequence(3)));
        drop(journal);
        assert_eq!(place.verify().findings, vec![]);
    }
}

#[test]
fn a_bad_batch_followed_by_a_valid_one_is_damage_and_nothing_changes() {
    let place = Place::new();
    let incoming = place.incoming();
    let mut settings = place.settings();
    settings.segment_bytes = 1;
    let (journal, _) = Journal::open(settings, &|_, _| false).unwrap();
    for n in 0..3u8 {
        put(&journal, &incoming, &[n; 30]).unwrap();
    }
    drop(journal);
    let whole = place.snapshot();
    type Damage = fn(&mut Vec<u8>);
    let damage: [(u64, Damage); 5] = [
        (1, |bytes| bytes[20] ^= 1),
        (2, |bytes| *bytes.last_mut().unwrap() ^= 1),
        (2, |bytes| bytes.truncate(bytes.len() - 1)),
        (2, Vec::clear),
        (3, |bytes| {
            let opening = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
            bytes.truncate(opening);
        }),
    ];
    for (n, (segment, damage)) in damage.into_iter().enumerate() {
        place.restore(&whole);
        let mut bytes = whole[&place.segment(segment)].clone();
        damage(&mut bytes);
        std::fs::write(place.segment(segment), &bytes).unwrap();
        let damaged = place.snapshot();
        let error = Journal::open(place.settings(), &|_, _| false).err().unwrap_or_else(|| panic!("case {n}"));
        assert_eq!(error.code, Code::JournalDamaged, "case {n}");
        assert!(error.place.contains("segment-0000000"), "{}", error.place);
        assert!(place.snapshot() == damaged, "nothing was changed, case {n}");
    }
    // An acknowledged batch cut away exactly at its border, and after it nothing but a segment's opening.
    place.restore(&whole);
    for segment in [3, 4] {
        let bytes = &whole[&place.segment(segment)];
        let opening = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
        std::fs::write(place.segment(segment), &bytes[..opening]).unwrap();
    }
    let error = Journal::open(place.settings(), &|_, _| false).err().unwrap();
    assert_eq!((error.code, error.place.contains("segment-00000004 at byte 0")), (Code::JournalDamaged, true));
    place.restore(&whole);
    std::fs::remove_file(place.segment(2)).unwrap();
    let error = Journal::open(place.settings(), &|_, _| false).err().unwrap();
    assert!(error.place.contains("segment-00000002"));
}

#[test]
fn a_journal_with_any_flipped_byte_opens_with_a_finding_or_not_at_all() {
    let place = Place::new();
    let incoming = place.incoming();
    let mut settings = place.settings();
    settings.segment_bytes = 1;
    let (journal, _) = Journal::open(settings, &|_, _| false).unwrap();
    put(&journal, &incoming, b"one").unwrap();
    put(&journal, &incoming, b"two").unwrap();
    drop(journal);
    let whole = place.snapshot();
    for path in [place.segment(1), place.segment(2)] {
        for at in (0..whole[&path].len()).step_by(23) {
            place.restore(&whole);
            let mut bytes = whole[&path].clone();
            bytes[at] ^= 0x10;
            std::fs::write(&path, bytes).unwrap();
            match Journal::open(place.settings(), &|_, _| false) {
                Ok((_, recovery)) => assert_eq!(recovery.findings[0].code, Code::JournalTail, "byte {at}"),
                Err(error) => assert_eq!(error.code, Code::JournalDamaged, "byte {at}"),
            }
        }
    }
}

#[test]
fn a_document_that_looks_like_a_batch_is_not_taken_for_one() {
    let place = Place::new();
    let incoming = place.incoming();
    let (journal, _) = place.open();
    put(&journal, &incoming, b"first").unwrap();
    // Somebody deposits another journal's segment, and that batch's header is what the power cut destroys.
    let other = Place::new();
    let (elsewhere, _) = other.open();
    put(&elsewhere, &incoming, b"elsewhere").unwrap();
    let forged = std::fs::read(other.segment(1)).unwrap();
    let good = std::fs::metadata(place.segment(1)).unwrap().len() as usize;
    put(&journal, &incoming, &forged).unwrap();
    let torn = place.snapshot();
    drop(journal);
    place.restore(&torn);
    let mut bytes = torn[&place.segment(1)].clone();
    bytes[good..good + 100].fill(0);
    std::fs::write(place.segment(1), &bytes).unwrap();
    let (_, recovery) = place.open();
    assert_eq!((recovery.records, recovery.findings[0].code), (1, Code::JournalTail));
    assert_eq!((recovery.voided, recovery.next), (None, Sequence(2)));
}

#[test]
fn a_renderer_that_fails_or_panics_burns_no_number() {
    let place = Place::new();
    let incoming = place.incoming();
    let (journal, _) = place.open();
    put(&journal, &incoming, b"one").unwrap();
    let body = || incoming.of_bytes(&vec![1; INLINE_LIMIT as usize + 1]).unwrap();
    let (receipt, id) = ids();
    let failed = journal.submit(receipt, vec![Document { id, body: body() }], |_| -> Result<(Rendered, ())> {
        Err(Error::new(Code::ClassUnknown, "x"))
    });
    assert_eq!(failed.unwrap_err().code, Code::ClassUnknown);
    let (receipt, id) = ids();
    let panicked =
        journal.submit(receipt, vec![Document { id, body: body() }], |_| -> Result<(Rendered, ())> { panic!("a bug") });
    assert_eq!(panicked.unwrap_err().code, Code::Internal);
    let (receipt, id) = ids();
    let short = journal.submit(receipt, vec![Document { id, body: body() }], |n| Ok((rendered(n, 0), ())));
    assert_eq!(short.unwrap_err().code, Code::Internal);
    assert_eq!(put(&journal, &incoming, b"two").unwrap().0.sequence, Sequence(2));
    assert_eq!(std::fs::read_dir(place.lane().join("bodies")).unwrap().count(), 0, "no body without a record");
}

#[test]
fn a_renderer_that_fails_in_the_middle_of_a_batch_leaves_no_gap() {
    let place = Place::new();
    let incoming = place.incoming();
    let (journal, _) = place.open();
    let (started, wait) = bounded::<()>(0);
    let (go, hold) = bounded::<()>(0);
    let sequences = std::thread::scope(|scope| {
        let (journal, incoming) = (&journal, &incoming);
        let (receipt, id) = ids();
        let document = Document { id, body: incoming.of_bytes(b"slow").unwrap() };
        let slow = scope.spawn(move || {
            let render = move |numbered| {
                started.send(()).unwrap();
                hold.recv().unwrap();
                Ok((rendered(numbered, 1), ()))
            };
            journal.submit(receipt, vec![document], render).unwrap().0.sequence
        });
        wait.recv().unwrap();
        let others: Vec<_> = (0..6u8)
            .map(|n| {
                scope.spawn(move || {
                    let (receipt, id) = ids();
                    let document = Document { id, body: incoming.of_bytes(&[n; 9]).unwrap() };
                    let submitted = journal.submit(receipt, vec![document], move |numbered| match n % 2 {
                        0 => Err(Error::new(Code::ClassUnknown, "x")),
                        _ => Ok((rendered(numbered, 1), ())),
                    });
                    assert_eq!(submitted.is_err(), n % 2 == 0);
                    submitted.ok().map(|(numbered, ())| numbered.sequence)
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(200));
        go.send(()).unwrap();
        let mut sequences: Vec<_> = others.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        sequences.push(slow.join().unwrap());
        sequences.sort();
        sequences
    });
    assert_eq!(sequences, [1, 2, 3, 4].map(Sequence));
    drop(journal);
    assert_eq!(place.verify().findings, vec![]);
    assert_eq!(place.open().1.records, 4);
}

#[test]
fn after_a_failed_write_nobody_is_acknowledged_and_a_fresh_segment_opens() {
    for (fault, code) in [(HALF, Code::DiskFull), (WHOLE_UNSYNCED, Code::JournalClosed)] {
        let place = Place::new();
        let incoming = place.incoming();
        let settings = place.settings();
        let (journal, _) = Journal::open(settings.clone(), &|_, _| false).unwrap();
        let (_, first) = put(&journal, &incoming, b"first").unwrap();
        settings.fault.0.store(fault, Ordering::SeqCst);
        let large = vec![3; INLINE_LIMIT as usize + 1];
        assert_eq!(put(&journal, &incoming, &large).unwrap_err().code, code);
        assert_eq!(journal.closed().unwrap().code, code);
        assert_eq!(put(&journal, &incoming, b"too early").unwrap_err().code, code);
        assert!(journal.record(Sequence(2)).unwrap().is_none());
        std::thread::sleep(Duration::from_millis(600));
        let (numbered, second) = put(&journal, &incoming, b"second").unwrap();
        assert_eq!(numbered.sequence, Sequence(2), "nobody saw number 2 before");
        assert!(journal.closed().is_none());
        assert_eq!(std::fs::read_dir(place.lane().join("bodies")).unwrap().count(), 0);
        assert_eq!(journal.verify().unwrap().findings, vec![]);
        drop(journal);
        let (journal, recovery) = place.open();
        assert_eq!((recovery.records, recovery.findings), (2, vec![]));
        assert_eq!(get(&journal, Sequence(1), first), b"first");
        assert_eq!(get(&journal, Sequence(2), second), b"second");
    }
}

#[test]
fn a_whole_batch_whose_sync_failed_is_accepted_when_the_process_ends_there() {
    let place = Place::new();
    let incoming = place.incoming();
    let settings = place.settings();
    let (journal, _) = Journal::open(settings.clone(), &|_, _| false).unwrap();
    settings.fault.0.store(WHOLE_UNSYNCED, Ordering::SeqCst);
    let large = vec![3; INLINE_LIMIT as usize + 1];
    put(&journal, &incoming, &large).unwrap_err();
    let killed = place.snapshot();
    drop(journal);
    place.restore(&killed);
    let (journal, recovery) = place.open();
    assert_eq!((recovery.records, recovery.next, recovery.findings), (1, Sequence(2), vec![]));
    let document = journal.unsealed(Sequence(0), 10)[0].documents[0];
    assert!(get(&journal, Sequence(1), document) == large);
}

#[test]
fn released_segments_and_bodies_go_but_the_next_number_stays() {
    let place = Place::new();
    let incoming = place.incoming();
    let mut settings = place.settings();
    settings.segment_bytes = 3000;
    let (journal, _) = Journal::open(settings.clone(), &|_, _| false).unwrap();
    let mut all = Vec::new();
    for n in 0..6u8 {
        let content = if n == 1 { vec![n; INLINE_LIMIT as usize + 1] } else { vec![n; 2000] };
        let (numbered, id) = put(&journal, &incoming, &content).unwrap();
        all.push((numbered.sequence, id));
    }
    let segments = journal.load().segments;
    assert!(segments >= 3);
    journal.release(&all[1..]).unwrap();
    assert_eq!(journal.load().segments, segments, "the oldest record still holds them");
    assert_eq!(std::fs::read_dir(place.lane().join("bodies")).unwrap().count(), 0);
    assert_eq!((journal.load().records, journal.load().documents, journal.load().bytes), (1, 1, 2000));
    let held = journal.record(all[0].0).unwrap().unwrap();
    drop(journal);
    let (journal, recovery) = Journal::open(settings.clone(), &|sequence, _| sequence.0 > 1).unwrap();
    assert_eq!((recovery.records, recovery.findings), (1, vec![]));
    journal.release(&all).unwrap();
    journal.release(&all).unwrap();
    assert_eq!((journal.load().segments, journal.load().records), (1, 0));
    assert!(journal.record(all[0].0).unwrap().is_none());
    let mut still = Vec::new();
    held.open_document(all[0].1).unwrap().read_to_end(&mut still).unwrap();
    assert!(still == vec![0; 2000], "a reader in the middle is not cut off");
    drop(journal);
    settings.known = Sequence(6);
    let (journal, recovery) = Journal::open(settings.clone(), &|_, _| true).unwrap();
    assert_eq!(recovery.next, Sequence(7));
    assert_eq!(put(&journal, &incoming, b"x").unwrap().0.sequence, Sequence(7));
    drop(journal);
    settings.known = Sequence(8);
    assert_eq!(Journal::open(settings, &|_, _| true).err().unwrap().code, Code::JournalDamaged);
}

#[test]
fn an_idle_moment_closes_the_tail_so_damage_is_not_mistaken_for_a_torn_batch() {
    let place = Place::new();
    let incoming = place.incoming();
    let mut settings = place.settings();
    settings.idle = Duration::from_millis(20);
    let (journal, _) = Journal::open(settings, &|_, _| false).unwrap();
    put(&journal, &incoming, b"content").unwrap();
    let length = || std::fs::metadata(place.segment(1)).unwrap().len();
    std::thread::sleep(Duration::from_millis(200));
    let closed = length();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(length(), closed, "one empty batch, not one a tick");
    let mut bytes = std::fs::read(place.segment(1)).unwrap();
    let at = bytes.windows(7).position(|w| w == b"content").unwrap();
    drop(journal);
    bytes[at] ^= 1;
    std::fs::write(place.segment(1), &bytes).unwrap();
    assert_eq!(Journal::open(place.settings(), &|_, _| false).err().unwrap().code, Code::JournalDamaged);
}

#[test]
fn too_much_unsealed_is_said_so() {
    let place = Place::new();
    let incoming = place.incoming();
    let mut settings = place.settings();
    settings.most_records = 2;
    let (journal, _) = Journal::open(settings, &|_, _| false).unwrap();
    let (numbered, id) = put(&journal, &incoming, b"1").unwrap();
    put(&journal, &incoming, b"2").unwrap();
    assert_eq!(put(&journal, &incoming, b"3").unwrap_err().code, Code::JournalBehind);
    journal.release(&[(numbered.sequence, id)]).unwrap();
    assert_eq!(put(&journal, &incoming, b"3").unwrap().0.sequence, Sequence(3));
    assert_eq!(journal.load().oldest, journal.unsealed(Sequence(0), 1).first().map(|row| row.accepted_at));
}
