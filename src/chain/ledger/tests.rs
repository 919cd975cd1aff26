use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::chain::merkle::{verify_consistency, verify_inclusion};
use crate::chain::proof::Proof;
use crate::chain::testing::*;
use crate::error::Severity;

fn number(n: u64) -> Map<String, Value> {
    object(json!({ "number": n }))
}

#[test]
fn what_is_appended_is_read_back_proved_and_survives_opening_again() {
    let dir = folder();
    let ledger = small(dir.path());
    let old = ledger.head();
    for n in 0..5 {
        ledger.append(Kind::Check, number(n)).unwrap();
    }
    let head = ledger.head();
    assert_eq!((old.size, head.size), (5, 10));
    let key = signer().verifier();
    let checkpoint = Checkpoint::open(&head.checkpoint, &key).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), (head.size, head.root));
    for seq in 0..head.size {
        let entry = ledger.entry(seq).unwrap();
        assert_eq!(entry.seq, seq);
        let leaf = leaf(entry.line.as_bytes());
        assert!(verify_inclusion(leaf, seq, head.size, &ledger.inclusion(seq, head.size).unwrap(), &head.root));
        let proof = Proof::parse(&ledger.proof(seq).unwrap().render()).unwrap();
        assert_eq!(proof.verify(leaf, &key).unwrap(), checkpoint);
    }
    let path = ledger.consistency(5, 10).unwrap();
    assert!(verify_consistency((5, &old.root), (10, &head.root), &path));
    assert_eq!(ledger.inclusion(0, 11).unwrap_err().code, Code::NotFound);
    assert_eq!(ledger.entry(10).unwrap_err().code, Code::NotFound);
    assert_eq!(ledger.entries(3, 99).unwrap().entries.len(), 7);
    drop(ledger);
    let (ledger, findings) = open(dir.path()).unwrap();
    assert_eq!(findings, []);
    assert_eq!(ledger.head(), head);
    assert_eq!(ledger.entry(0).unwrap().object["profile"], "trial");
    ledger.append(Kind::Check, number(9)).unwrap();
    assert_eq!(open(dir.path()).unwrap().0.head(), ledger.head());
    assert_eq!(Ledger::create(dir.path(), signer(), Map::new(), clock()).err().unwrap().code, Code::ArchiveExists);
}

#[test]
fn records_count_only_when_chained() {
    let dir = folder();
    let ledger = small(dir.path());
    let (records, findings) = ledger.records("persons").unwrap();
    assert_eq!(findings, []);
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].personal.as_ref().unwrap()["name"], "Esempio");
    assert_eq!(records[0].prev, Sha256::ZERO);
    assert_eq!(records[1].prev, Sha256::of(records[0].line.as_bytes()));
    assert_eq!(records[1].fields, object(json!({"role": "reader"})));
    let act = NewRecord { kind: "disposals".into(), fields: number(3), personal: None };
    let made = ledger.append_with_record(Kind::Disposal, number(1), act).unwrap();
    assert_eq!(ledger.records("disposals").unwrap().0, std::slice::from_ref(&made));
    let entry = ledger.entry(made.seq).unwrap();
    assert_eq!((entry.kind, &entry.object["number"]), (Kind::Disposal, &json!(1)));
    // A line nobody committed, and a changed one.
    let path = dir.path().join("records/disposals.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let other = text.replace(&made.id.to_string(), "01990000-0000-7000-8000-000000000000");
    fs::write(&path, format!("{text}{other}")).unwrap();
    let (records, findings) = ledger.records("disposals").unwrap();
    assert_eq!(records, [made]);
    assert_eq!(findings[0].code, Code::RecordUnchained);
    assert!(findings[0].place.starts_with("records/disposals.jsonl line 2"));
    fs::write(&path, text.replace("\"number\":3", "\"number\":4")).unwrap();
    let (records, findings) = ledger.records("disposals").unwrap();
    assert_eq!(records, []);
    assert!(findings.iter().all(|f| f.code == Code::RecordAltered) && !findings.is_empty());
    assert_eq!(open(dir.path()).unwrap().1, findings);
    // Nothing personal in chain or record lines.
    for (path, bytes) in files(dir.path()) {
        let side = path.parent().unwrap().ends_with("records/persons");
        assert_eq!(bytes.windows(7).any(|w| w == b"Esempio"), side, "{}", path.display());
    }
}

#[test]
fn erasing_a_personal_part_leaves_everything_else_valid() {
    let dir = folder();
    let ledger = small(dir.path());
    let record = ledger.records("persons").unwrap().0.remove(0);
    let side = dir.path().join(format!("records/persons/{}.json", record.id));
    let kept = fs::read(&side).unwrap();
    ledger.erase_personal("persons", record.id).unwrap();
    assert!(!side.exists());
    let (records, findings) = ledger.records("persons").unwrap();
    assert_eq!((records[0].personal.clone(), findings), (None, vec![]));
    // Stopped between entry and file: opening goes on with it.
    fs::write(&side, kept).unwrap();
    drop(ledger);
    assert_eq!(open(dir.path()).unwrap().1, []);
    assert!(!side.exists());
}

#[test]
fn accesses_are_durable_at_once_and_chained_in_batches() {
    let dir = folder();
    let ledger = small(dir.path());
    let batch = ledger.entry(4).unwrap();
    assert_eq!((batch.kind, &batch.object["count"]), (Kind::Access, &json!(2)));
    drop(ledger);
    let (ledger, findings) = open(dir.path()).unwrap();
    assert_eq!(findings, []);
    ledger.note_access(number(4)).unwrap();
    let batch = ledger.chain_accesses().unwrap().unwrap();
    assert_eq!(batch.object["count"], 2);
    assert_eq!(ledger.chain_accesses().unwrap(), None);
    let text = fs::read(dir.path().join("records/accesses.jsonl")).unwrap();
    let offset = batch.object["offset"].as_u64().unwrap() as usize;
    assert_eq!(batch.object["sha256"], Sha256::of(&text[offset..]).to_string());
    let mut seen = 0;
    ledger
        .each_access(|_| {
            seen += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, 4);
}

#[test]
fn a_torn_last_access_is_set_aside_and_a_whole_one_is_kept() {
    let dir = folder();
    drop(small(dir.path()));
    let path = dir.path().join("records/accesses.jsonl");
    let whole = fs::read(&path).unwrap();
    let third = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for cut in [third + 1, whole.len() - 10, whole.len() - 1] {
        overwrite(&path, &whole[..cut]);
        let (ledger, findings) = open(dir.path()).unwrap();
        let kept = cut == whole.len() - 1;
        assert_eq!(findings.len(), usize::from(!kept));
        assert_eq!(fs::read(&path).unwrap().len(), if kept { whole.len() } else { third });
        ledger.note_access(number(1)).unwrap();
        drop(ledger);
        assert_eq!(open(dir.path()).unwrap().1, []);
    }
    assert_eq!(fs::read_dir(dir.path().join("quarantine")).unwrap().count(), 2);
}

/// A sector that never got to the disk, though the file had its length: the line ends as a whole one does, and is none.
#[test]
fn a_last_access_with_a_hole_is_set_aside_and_one_with_a_line_after_it_is_damage() {
    let dir = folder();
    drop(small(dir.path()));
    let path = dir.path().join("records/accesses.jsonl");
    let whole = fs::read(&path).unwrap();
    let third = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    let mut holed = whole.clone();
    holed[third..whole.len() - 40].fill(0);
    overwrite(&path, &holed);
    let (ledger, findings) = open(dir.path()).unwrap();
    assert_eq!(findings.iter().map(|f| f.severity).collect::<Vec<_>>(), [Severity::Warning]);
    assert_eq!(fs::read(&path).unwrap(), &whole[..third]);
    ledger.note_access(number(1)).unwrap();
    drop(ledger);
    assert_eq!(open(dir.path()).unwrap().1, []);
    overwrite(&path, &[&holed[..], &whole[third..]].concat());
    let (_, findings) = open(dir.path()).unwrap();
    assert!(findings.iter().any(|found| found.severity == Severity::Error), "{findings:?}");
}

/// The state before an append with record and side file, the state after, and its pending.
fn interrupted(dir: &Path) -> (Tree, Tree, Pending) {
    let ledger = small(dir);
    let before = tree(dir);
    let personal = Some(object(json!({"name": "Esempio"})));
    let record = ledger.append_record("persons", number(3), personal).unwrap();
    let entry = ledger.entry(record.seq).unwrap();
    let after = tree(dir);
    let side = String::from_utf8(after[Path::new(&format!("records/persons/{}.json", record.id))].clone()).unwrap();
    let pending = Pending {
        entry: entry.line,
        record: Some(PendingRecord {
            kind: "persons".into(),
            id: record.id.to_string(),
            offset: before[Path::new("records/persons.jsonl")].len() as u64,
            line: record.line,
            side: Some(side),
        }),
        checkpoint: ledger.head().checkpoint,
    };
    (before, after, pending)
}

type Tree = std::collections::BTreeMap<std::path::PathBuf, Vec<u8>>;

#[test]
fn an_append_interrupted_anywhere_is_completed() {
    let dir = folder();
    let dir = &dir.path().join("archive");
    let (before, after, pending) = interrupted(dir);
    let grown: Vec<_> = ["chain/entries", "records/persons.jsonl"].map(std::path::PathBuf::from).into();
    let sides =
        after.keys().filter(|p| !before.contains_key(*p) && p.starts_with("records")).cloned().collect::<Vec<_>>();
    let tiles = after.keys().filter(|p| p.starts_with("chain/tile")).cloned().collect::<Vec<_>>();
    let mut states = 0;
    // How much of the growth of entries and record is there: none, one byte, all but the newline, all; or a torn write
    // whose pages came out as zeros.
    for part in 0..5usize {
        for record_part in 0..5usize {
            for (with_side, with_tiles, with_checkpoint) in
                [(false, false, false), (true, false, false), (true, true, false), (true, true, true)]
            {
                if with_tiles && (part != 3 || record_part != 3) {
                    continue;
                }
                let mut state = before.clone();
                state.insert("chain/pending".into(), pending.render().into_bytes());
                state.insert("chain/.pending.tmp".into(), b"half".to_vec());
                for (path, part) in grown.iter().zip([part, record_part]) {
                    let (old, new) = (before[path].len(), after[path].len());
                    let end = [old, old + 1, new - 1, new, new - 7][part];
                    let mut bytes = after[path][..end].to_vec();
                    if part == 4 {
                        bytes[old..].fill(0);
                    }
                    state.insert(path.clone(), bytes);
                }
                let copied = [(with_side, &sides), (with_tiles, &tiles)].into_iter().filter(|(with, _)| *with);
                for path in copied.flat_map(|(_, paths)| paths) {
                    state.insert(path.clone(), after[path].clone());
                }
                if with_checkpoint {
                    state.insert("chain/checkpoint".into(), after[Path::new("chain/checkpoint")].clone());
                }
                restore(dir, &state);
                let (ledger, findings) = open(dir).unwrap();
                assert_eq!(findings, []);
                let _ = fs::remove_dir_all(dir.join("quarantine"));
                assert!(tree(dir) == after, "entries {part}, record {record_part}, tiles {with_tiles}");
                assert_eq!(ledger.records("persons").unwrap().0.len(), 3);
                ledger.append(Kind::Check, number(1)).unwrap();
                states += 1;
            }
        }
    }
    assert_eq!(states, 52);
}

#[test]
fn a_creation_interrupted_after_pending_is_completed() {
    let dir = folder();
    let dir = &dir.path().join("archive");
    let ledger = create(dir, &clock());
    let after = tree(dir);
    let pending = Pending { entry: ledger.entry(0).unwrap().line, record: None, checkpoint: ledger.head().checkpoint };
    let mut state = after.clone();
    state.retain(|path, _| !path.starts_with("chain/tile") && path != Path::new("chain/checkpoint"));
    state.insert("chain/pending".into(), pending.render().into_bytes());
    for entries in
        [b"".to_vec(), after[Path::new("chain/entries")][..9].to_vec(), after[Path::new("chain/entries")].clone()]
    {
        state.insert("chain/entries".into(), entries);
        restore(dir, &state);
        assert_eq!(open(dir).unwrap().0.head(), ledger.head());
        assert!(tree(dir) == after);
    }
}

#[test]
fn a_pending_that_was_not_signed_so_is_never_completed() {
    let dir = folder();
    let dir = &dir.path().join("archive");
    let (before, after, pending) = interrupted(dir);
    let refuse = |what: &str, text: String| {
        let mut state = before.clone();
        state.insert("chain/pending".into(), text.into_bytes());
        restore(dir, &state);
        let error = open(dir).err().unwrap_or_else(|| panic!("completed: {what}"));
        assert_eq!((error.code, error.place.as_str()), (Code::ChainAltered, "chain/pending"), "{what}");
        assert!(tree(dir) == state, "{what}: something was written");
    };
    let stranger = crate::chain::note::Signer::for_name("archivio.example", &[8; 32]).unwrap();
    let text = pending.checkpoint.split_once("\n\n").unwrap().0.to_owned() + "\n";
    refuse("other key", Pending { checkpoint: stranger.sign_note(&text).unwrap(), ..pending.clone() }.render());
    let old = String::from_utf8(before[Path::new("chain/checkpoint")].clone()).unwrap();
    refuse("old checkpoint and another entry", {
        Pending { checkpoint: old.replace("\n5\n", "\n6\n"), ..pending.clone() }.render()
    });
    refuse("entry", Pending { entry: pending.entry.replace("persons", "holders"), ..pending.clone() }.render());
    let record = pending.record.clone().unwrap();
    for changed in [
        PendingRecord { line: record.line.replace(":3", ":4"), ..record.clone() },
        PendingRecord { kind: "holds".into(), ..record.clone() },
        PendingRecord { kind: "../x".into(), ..record.clone() },
        PendingRecord { id: "01990000-0000-7000-8000-000000000000".into(), ..record.clone() },
        PendingRecord { side: None, ..record.clone() },
        PendingRecord { side: Some("{}".into()), ..record.clone() },
    ] {
        refuse("record", Pending { record: Some(changed), ..pending.clone() }.render());
    }
    // A whole other line behind the chain is not a torn write.
    let mut state = before.clone();
    state.insert("chain/pending".into(), pending.render().into_bytes());
    state.get_mut(Path::new("chain/entries")).unwrap().extend_from_slice(b"{}\n");
    restore(dir, &state);
    assert_eq!(open(dir).err().unwrap().code, Code::ChainBehind);
    // Any changed byte: an error, never a panic, never a different chain.
    let text = pending.render().into_bytes();
    for at in 0..text.len() {
        let mut bytes = text.clone();
        bytes[at] ^= 1 << (at % 7);
        let mut state = before.clone();
        state.insert("chain/pending".into(), bytes);
        restore(dir, &state);
        // Only the offset of the record, which is checked against the file, could survive; then the result is the same.
        match open(dir) {
            Ok(_) => panic!("byte {at} changed and completed"),
            Err(e) => assert!([Code::ChainAltered, Code::RecordAltered].contains(&e.code), "byte {at}: {e}"),
        }
        if at % 50 == 0 {
            state.insert("chain/pending".into(), text[..at].to_vec());
            restore(dir, &state);
            assert!(open(dir).is_err());
        }
    }
    assert!(after.len() > before.len());
}

#[test]
fn without_pending_a_disagreement_is_damage_that_names_the_file() {
    let dir = folder();
    let dir = &dir.path().join("archive");
    let (before, after, _) = interrupted(dir);
    let entries = Path::new("chain/entries");
    let expect = |what: &str, name: &str, bytes: Option<Vec<u8>>, code: Code, place: &str| {
        let mut state = before.clone();
        match bytes {
            Some(bytes) => state.insert(name.into(), bytes),
            None => state.remove(Path::new(name)),
        };
        restore(dir, &state);
        let error = open(dir).err().unwrap_or_else(|| panic!("opened: {what}"));
        assert_eq!(error.code, code, "{what}: {error}");
        assert!(error.place.contains(place), "{what}: {error}");
    };
    let lines = before[entries].clone();
    let checkpoint = before[Path::new("chain/checkpoint")].clone();
    expect("one more line", "chain/entries", Some(after[entries].clone()), Code::ChainBehind, "chain/entries");
    expect(
        "one byte more",
        "chain/entries",
        Some([lines.as_slice(), b"x"].concat()),
        Code::ChainBehind,
        "chain/entries",
    );
    expect("cut", "chain/entries", Some(lines[..lines.len() - 1].to_vec()), Code::ChainBehind, "chain/entries");
    expect("gone", "chain/entries", None, Code::ChainBehind, "chain/entries");
    let newer = after[Path::new("chain/checkpoint")].clone();
    expect("newer checkpoint", "chain/checkpoint", Some(newer), Code::ChainBehind, "chain/entries");
    expect("no checkpoint", "chain/checkpoint", None, Code::CheckpointBad, "chain/checkpoint");
    let last = String::from_utf8(lines.clone()).unwrap().replace("\"count\":2", "\"count\":3");
    expect("last line", "chain/entries", Some(last.into_bytes()), Code::ChainBehind, "chain/entries");
    let first = String::from_utf8(lines).unwrap().replace("trial", "trail");
    expect("first line", "chain/entries", Some(first.into_bytes()), Code::ChainAltered, "chain/entries line 2");
    expect("other key", "chain/archive.vkey", Some(b"x+y+z\n".to_vec()), Code::KeyMissing, "chain/archive.vkey");
    for at in 0..checkpoint.len() {
        let mut bytes = checkpoint.clone();
        bytes[at] ^= 1 << (at % 8);
        expect("flip", "chain/checkpoint", Some(bytes), Code::CheckpointBad, "chain/checkpoint");
        expect("cut", "chain/checkpoint", Some(checkpoint[..at].to_vec()), Code::CheckpointBad, "chain/checkpoint");
    }
}

#[test]
fn a_clock_stepping_backwards_changes_nothing() {
    let dir = folder();
    let manual = clock();
    manual.advance_ms(60_000);
    let ledger = create(dir.path(), &manual);
    let before = tree(dir.path());
    manual.advance_ms(-30_000);
    assert_eq!(ledger.append(Kind::Check, number(1)).unwrap_err().code, Code::ClockBackwards);
    assert_eq!(ledger.append_record("holds", number(1), None).unwrap_err().code, Code::ClockBackwards);
    assert_eq!(ledger.note_access(number(1)).unwrap_err().code, Code::ClockBackwards);
    assert!(tree(dir.path()) == before);
    // Also after opening again: the last line says when it was.
    let (ledger, _) = Ledger::open(dir.path(), signer(), Arc::clone(&manual) as Arc<dyn Clock>).unwrap();
    assert_eq!(ledger.append(Kind::Check, number(1)).unwrap_err().code, Code::ClockBackwards);
    manual.advance_ms(40_000);
    ledger.append(Kind::Check, number(1)).unwrap();
}

#[test]
fn what_is_refused_before_the_first_step_changes_nothing_and_closes_nothing() {
    let dir = folder();
    let ledger = small(dir.path());
    let before = tree(dir.path());
    let large = object(json!({"x": "y".repeat(crate::chain::MAX_LINE)}));
    assert_eq!(ledger.append(Kind::Check, large.clone()).unwrap_err().code, Code::EntryTooLarge);
    assert_eq!(ledger.append(Kind::Genesis, number(1)).unwrap_err().code, Code::Internal);
    assert_eq!(ledger.append(Kind::Check, object(json!({"record": {}}))).unwrap_err().code, Code::Internal);
    assert_eq!(ledger.append_record("../x", number(1), None).unwrap_err().code, Code::Usage);
    assert_eq!(ledger.append_record("holds", object(json!({"id": 1})), None).unwrap_err().code, Code::Internal);
    assert_eq!(ledger.append_if(4, Kind::Check, number(1)).unwrap_err().code, Code::ChainMoved);
    assert!(tree(dir.path()) == before);
    ledger.append_if(5, Kind::Check, number(1)).unwrap();
    // A record may be larger than a line of the chain.
    ledger.append_record("holds", large, None).unwrap();
}

#[test]
fn an_error_on_the_way_closes_the_ledger_until_it_is_opened_again() {
    let dir = folder();
    let ledger = small(dir.path());
    let head = ledger.head();
    // The checkpoint cannot be replaced: the append fails at step 4, its line is already durable.
    let checkpoint = dir.path().join("chain/checkpoint");
    fs::remove_file(&checkpoint).unwrap();
    fs::create_dir_all(checkpoint.join("x")).unwrap();
    ledger.append(Kind::Check, number(1)).unwrap_err();
    assert_eq!(ledger.append(Kind::Check, number(2)).unwrap_err().code, Code::ChainClosed);
    assert_eq!(ledger.chain_accesses().unwrap_err().code, Code::ChainClosed);
    assert_eq!(ledger.head(), head);
    assert_eq!(ledger.entry(5).unwrap_err().code, Code::NotFound);
    assert!(ledger.reopen().is_err());
    assert_eq!(ledger.append(Kind::Check, number(2)).unwrap_err().code, Code::ChainClosed);
    fs::remove_dir_all(&checkpoint).unwrap();
    fs::write(&checkpoint, &head.checkpoint).unwrap();
    assert_eq!(ledger.reopen().unwrap(), []);
    assert_eq!(ledger.head().size, 6);
    assert_eq!(ledger.append(Kind::Check, number(2)).unwrap().seq, 6);
}

#[test]
fn threads_append_and_read_beside_each_other() {
    let dir = folder();
    let ledger = create(dir.path(), &clock());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let ledger = &ledger;
            scope.spawn(move || {
                for n in 0..5 {
                    ledger.append(Kind::Check, number(n)).unwrap();
                    ledger.note_access(number(thread)).unwrap();
                    let head = ledger.head();
                    assert_eq!(ledger.entry(head.size - 1).unwrap().seq, head.size - 1);
                    ledger.append_record("holds", number(n), None).unwrap();
                    ledger.chain_accesses().unwrap();
                }
            });
        }
    });
    assert_eq!(ledger.records("holds").unwrap().0.len(), 20);
    let head = ledger.head();
    drop(ledger);
    let (ledger, findings) = open(dir.path()).unwrap();
    assert_eq!((ledger.head(), findings), (head, vec![]));
}

#[test]
fn a_long_chain_opens_fast_and_its_tiles_are_whole() {
    let dir = folder();
    drop(create(dir.path(), &clock()));
    let count = if std::env::var_os("CUSTODE_TEST_LONG").is_some() { 100_000 } else { 1_000 };
    grow(dir.path(), count);
    let start = std::time::Instant::now();
    let (ledger, _) = open(dir.path()).unwrap();
    let opened = start.elapsed();
    assert_eq!(ledger.head().size, count + 1);
    ledger.derive_tiles().unwrap();
    ledger.append(Kind::Check, number(1)).unwrap();
    assert_eq!(ledger.entries(0, u64::MAX).unwrap().next, Some(PAGE_ENTRIES));
    let mut seen = 0;
    ledger
        .each_entry(0, |_| {
            seen += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, count + 2);
    let start = std::time::Instant::now();
    let (facts, findings) = crate::chain::verify::verify(dir.path(), None);
    assert_eq!(findings, []);
    assert!(facts.tiles > 8);
    println!("{count} entries: opened in {opened:?}, verified in {:?}", start.elapsed());
    assert!(opened.as_secs() < 60);
}
