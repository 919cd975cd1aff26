use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::*;
use crate::chain::NewStamp;
use crate::chain::pending::Pending;
use crate::chain::testing::*;
use crate::error::Severity;

/// Whether some finding names `file` (a path below the archive).
fn names_file(findings: &[Finding], file: &str) -> bool {
    findings.iter().any(|f| f.severity == Severity::Error && f.place.starts_with(file))
}

#[test]
fn a_sound_archive_has_no_findings_and_says_what_was_looked_at() {
    let dir = folder();
    let ledger = small(dir.path());
    let (facts, findings) = verify(dir.path(), Some(&signer().verifier()));
    assert_eq!(findings, []);
    assert_eq!(facts.checkpoint.unwrap().root, ledger.head().root);
    assert_eq!(facts.entries.values().sum::<u64>(), 5);
    assert_eq!(facts.records, BTreeMap::from([("persons".to_owned(), 2)]));
    assert_eq!((facts.accesses_open, facts.tiles, facts.moved), (1, 2, false));
}

#[test]
fn a_changed_byte_anywhere_is_found_and_the_file_named() {
    let dir = folder();
    let ledger = small(dir.path());
    let head = ledger.head();
    ledger
        .add_stamp(&NewStamp { of: &head, reply: b"a token", at: jiff::Timestamp::UNIX_EPOCH, offset_ms: None })
        .unwrap();
    drop(ledger);
    let key = signer().verifier();
    let mut bytes_changed = 0;
    for (path, bytes) in files(dir.path()) {
        let name = path.strip_prefix(dir.path()).unwrap().to_str().unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            overwrite(&path, &changed);
            let (_, findings) = verify(dir.path(), Some(&key).filter(|_| at % 2 == 0));
            assert!(names_file(&findings, name), "{name} byte {at}: {findings:?}");
            bytes_changed += 1;
        }
        for kept in [0, bytes.len() / 2, bytes.len() - 1] {
            overwrite(&path, &bytes[..kept]);
            let (_, findings) = verify(dir.path(), Some(&key));
            // Accesses that were not chained yet may be cut at a line's end unseen: nothing remembers them.
            assert!(names_file(&findings, name), "{name} cut to {kept}: {findings:?}");
        }
        overwrite(&path, &[bytes.as_slice(), b"\n"].concat());
        assert!(names_file(&verify(dir.path(), None).1, name), "{name} with a newline more");
        fs::remove_file(&path).unwrap();
        // Of a tile that grows only the present width has to be there.
        let narrower = name.contains(".p/") && !name.ends_with("/6");
        assert!(names_file(&verify(dir.path(), None).1, name) != narrower, "{name} removed");
        fs::write(&path, &bytes).unwrap();
    }
    assert!(bytes_changed > 4_000, "{bytes_changed}");
    assert_eq!(verify(dir.path(), Some(&key)).1, []);
}

#[test]
fn files_that_do_not_belong_are_named() {
    let dir = folder();
    drop(small(dir.path()));
    for name in ["chain/tile/0/000.p/4", "records/persons/x.json", "records/holds.jsonl", "records/notes.txt"] {
        fs::write(dir.path().join(name), "x\n").unwrap();
        assert!(names_file(&verify(dir.path(), None).1, name), "{name}");
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    fs::write(dir.path().join("chain/notes"), "x").unwrap();
    assert_eq!(verify(dir.path(), None).1[0].place, "chain/notes");
}

#[test]
fn another_archives_key_is_not_accepted() {
    let dir = folder();
    drop(small(dir.path()));
    let stranger = crate::chain::note::Signer::for_name("archivio.example", &[9; 32]).unwrap().verifier();
    let (facts, findings) = verify(dir.path(), Some(&stranger));
    assert!(facts.checkpoint.is_none());
    assert!(names_file(&findings, "chain/checkpoint"));
}

#[test]
fn a_whole_older_state_is_not_seen_here_but_an_older_part_is() {
    let dir = folder();
    let ledger = small(dir.path());
    let older = tree(dir.path());
    ledger.append_record("holds", object(json!({"n": 1})), None).unwrap();
    drop(ledger);
    for name in ["chain/entries", "chain/checkpoint"] {
        let newer = tree(dir.path());
        overwrite(&dir.path().join(name), &older[Path::new(name)]);
        assert!(names_file(&verify(dir.path(), None).1, "chain/entries"), "{name}");
        restore(dir.path(), &newer);
    }
    // Whoever holds a later checkpoint sees a whole older state; the files alone cannot tell.
    restore(dir.path(), &older);
    assert_eq!(verify(dir.path(), None).1, []);
}

#[test]
fn an_interrupted_append_is_said_and_is_not_damage() {
    let dir = folder();
    let ledger = small(dir.path());
    let before = tree(dir.path());
    let entry = ledger.append(Kind::Check, object(json!({"n": 1}))).unwrap();
    let pending = Pending { entry: entry.line, record: None, checkpoint: ledger.head().checkpoint };
    let grown = fs::read(dir.path().join("chain/entries")).unwrap();
    let mut state = before;
    state.insert("chain/entries".into(), grown[..grown.len() - 9].to_vec());
    state.insert("chain/pending".into(), pending.render().into_bytes());
    restore(dir.path(), &state);
    let (facts, findings) = verify(dir.path(), None);
    assert!(facts.moved);
    assert_eq!(
        findings.iter().map(|f| (f.code, f.severity)).collect::<Vec<_>>(),
        [(Code::ChainPending, Severity::Warning)]
    );
    state.insert("chain/pending".into(), pending.render().replace("\\\"n\\\":1", "\\\"n\\\":2").into_bytes());
    restore(dir.path(), &state);
    assert!(names_file(&verify(dir.path(), None).1, "chain/pending"));
}

#[test]
fn it_may_run_beside_a_process_that_appends() {
    let dir = folder();
    let ledger = small(dir.path());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                ledger.append(Kind::Check, object(json!({"n": 1}))).unwrap();
                let personal = Some(object(json!({"name": "Esempio"})));
                ledger.append_record("persons", object(json!({"n": 2})), personal).unwrap();
                ledger.note_access(object(json!({"n": 3}))).unwrap();
                ledger.chain_accesses().unwrap();
            }
        });
        let mut seen = Vec::new();
        for _ in 0..30 {
            let (facts, findings) = verify(dir.path(), None);
            seen.push((facts.checkpoint.map(|c| c.size), findings));
        }
        stop.store(true, Ordering::SeqCst);
        for (size, findings) in &seen {
            assert!(size.is_some());
            assert_eq!(findings, &[]);
        }
        assert!(seen.last().unwrap().0 > seen[0].0, "nothing moved");
    });
}
