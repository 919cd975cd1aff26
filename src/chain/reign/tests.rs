use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::chain::ledger::Ledger;
use crate::chain::note::Signer;
use crate::chain::testing::*;
use crate::chain::verify::verify;
use crate::chain::{Entry, Kind};
use crate::clock::Clock;
use crate::error::Finding;
use crate::hash::Sha256;

fn key(seed: u8) -> Signer {
    Signer::for_name("archivio.example", &[seed; 32]).unwrap()
}

fn reopen(dir: &Path, signers: &[u8]) -> Result<Ledger> {
    let later = clock();
    later.advance_ms(3_600_000);
    let signers = signers.iter().map(|seed| key(*seed)).collect();
    Ledger::open_with(dir, signers, later as Arc<dyn Clock>).map(|(ledger, _)| ledger)
}

/// A chain of five entries, a change at 5, two more, a change at 8, one more: ten, under the keys 7, 8, 9.
fn changed(dir: &Path) -> Ledger {
    drop(small(dir));
    let ledger = reopen(dir, &[7]).unwrap();
    ledger.change_key(&key(8), Reason::Routine).unwrap();
    (0..2).for_each(|n| drop(ledger.append(Kind::Check, object(json!({ "n": n }))).unwrap()));
    ledger.change_key(&key(9), Reason::Compromised).unwrap();
    ledger.append(Kind::Check, object(json!({ "n": 2 }))).unwrap();
    ledger
}

fn codes(findings: &[Finding]) -> Vec<(Code, &str)> {
    findings.iter().map(|finding| (finding.code, finding.place.as_str())).collect()
}

/// Signs whatever stands in `chain/entries` anew with this key: what somebody does who has it and the disk.
fn sign_all(dir: &Path, signer: &Signer) {
    let text = fs::read_to_string(dir.join("chain/entries")).unwrap();
    let mut tree = crate::chain::merkle::Tree::default();
    text.lines().for_each(|line| tree.push(crate::chain::merkle::leaf(line.as_bytes())));
    let checkpoint = Checkpoint { origin: signer.name().into(), size: tree.size(), root: tree.root() };
    overwrite(&dir.join("chain/checkpoint"), signer.sign_note(&checkpoint.text()).unwrap().as_bytes());
}

#[test]
fn each_key_signs_in_its_reign_and_any_key_leads_to_the_others() {
    let dir = folder();
    let ledger = changed(dir.path());
    let keys = ledger.keys();
    assert_eq!(keys.keys().cloned().collect::<Vec<_>>(), [7, 8, 9].map(|seed| key(seed).verifier()));
    for (size, seed) in [(0, 7), (5, 7), (6, 8), (8, 8), (9, 9), (10, 9), (u64::MAX, 9)] {
        assert_eq!(*keys.at(size), key(seed).verifier(), "size {size}");
    }
    assert_eq!(keys.as_of(8).current(), &key(8).verifier());
    assert_eq!(keys.ended(6).map(|change| (change.seq, change.reason)), Some((8, Reason::Compromised)));
    assert_eq!(ledger.signer().verifier(), key(9).verifier());
    let vkey = fs::read_to_string(dir.path().join("chain/archive.vkey")).unwrap();
    assert_eq!(vkey, format!("{}\n", key(9).verifier()));
    for anchor in [None, Some(7), Some(8), Some(9)] {
        let anchor = anchor.map(|seed| key(seed).verifier());
        let (facts, findings) = verify(dir.path(), anchor.as_ref());
        assert_eq!(codes(&findings), [], "{anchor:?}");
        assert_eq!(facts.keys.unwrap(), keys);
    }
    let (_, findings) = verify(dir.path(), Some(&key(1).verifier()));
    assert!(codes(&findings).contains(&(Code::CheckpointBad, "chain/checkpoint")), "{findings:?}");
    drop(ledger);
    // Only the key in force opens it for writing, whatever else is offered.
    for (signers, opens) in
        [(&[9][..], true), (&[8, 9], true), (&[9, 4], true), (&[8], false), (&[7, 8], false), (&[4], false)]
    {
        match reopen(dir.path(), signers) {
            Ok(ledger) => assert!(opens && ledger.keys() == keys, "{signers:?}"),
            Err(error) => assert!(!opens && error.code == Code::KeyMissing, "{signers:?}: {error}"),
        }
    }
    let ledger = reopen(dir.path(), &[9]).unwrap();
    for again in [7, 8, 9] {
        assert_eq!(ledger.change_key(&key(again), Reason::Routine).unwrap_err().code, Code::Internal, "key {again}");
    }
    let other = Signer::for_name("altro.example", &[4; 32]).unwrap();
    assert_eq!(ledger.change_key(&other, Reason::Routine).unwrap_err().code, Code::Internal);
}

#[test]
fn the_first_checkpoint_of_a_reign_bears_both_signatures_and_each_other_one() {
    let dir = folder();
    drop(small(dir.path()));
    let ledger = reopen(dir.path(), &[7]).unwrap();
    let old = ledger.head().checkpoint;
    ledger.change_key(&key(8), Reason::Routine).unwrap();
    let both = ledger.head().checkpoint;
    ledger.append(Kind::Check, object(json!({}))).unwrap();
    let new = ledger.head().checkpoint;
    let signed =
        |note: &str| -> Vec<bool> { [7, 8].map(|seed| open_note(note, &[key(seed).verifier()]).is_ok()).into() };
    assert_eq!([&old, &both, &new].map(|note| signed(note)), [vec![true, false], vec![true, true], vec![false, true]]);
    let keys = ledger.keys();
    let (text, lines) = crate::chain::cosignature::parts(&both).unwrap();
    // Either signature of the first one will do; a wrong one will not, whoever else signed.
    for line in &lines {
        assert_eq!(keys.open_checkpoint(&format!("{text}\n{line}\n")).unwrap().size, 6);
    }
    let swapped = format!("{text}\n{}\n{}\n", lines[0], crate::chain::cosignature::parts(&new).unwrap().1[0]);
    assert_eq!(keys.open_checkpoint(&swapped).unwrap_err().code, Code::CheckpointBad);
    // A fork by who still has the old key; a look ahead with the new one; a key that never was.
    let fork = Checkpoint { origin: "archivio.example".into(), size: 7, root: Sha256::of(b"other") }.text();
    for (size, seed, code) in [(7, 7, Code::KeyNotInForce), (5, 8, Code::KeyNotInForce), (7, 3, Code::CheckpointBad)] {
        let note = key(seed).sign_note(&fork.replace("\n7\n", &format!("\n{size}\n"))).unwrap();
        assert_eq!(keys.open_checkpoint(&note).unwrap_err().code, code, "size {size}, key {seed}");
    }
    let receipt = |seed: u8| key(seed).renamed("archivio.example/receipt").unwrap().sign_note("receipt\n").unwrap();
    let code = |seed, size| keys.open_note(&receipt(seed), "archivio.example/receipt", size).err().map(|e| e.code);
    assert_eq!([code(7, 5), code(8, 6)], [None, None]);
    assert_eq!([code(7, 6), code(8, 5)], [Some(Code::KeyNotInForce); 2]);
    assert_eq!(code(3, 6), Some(Code::SignatureInvalid));
}

/// The line of the change at 5, changed by `change`, in its place; all lines after it cut, and signed anew with `signer`.
fn forged(dir: &Path, signer: &Signer, change: impl FnOnce(&mut Value)) -> Vec<(Code, String)> {
    let path = dir.join("chain/entries");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().take(6).map(str::to_owned).collect();
    let mut object = Value::Object(Entry::parse(lines[5].as_bytes()).unwrap().object);
    change(&mut object);
    let (head, _) = lines[5].split_once(",\"key\":{").unwrap();
    lines[5] = format!("{head},\"key\":{object}}}");
    overwrite(&path, (lines.join("\n") + "\n").as_bytes());
    sign_all(dir, signer);
    let (_, findings) = verify(dir, Some(&key(7).verifier()));
    let opened = reopen(dir, &[7, 8, 9, 4]);
    assert!(opened.is_err(), "it opens");
    findings.into_iter().map(|finding| (finding.code, finding.place)).collect()
}

type Bend = Box<dyn FnOnce(&mut Value)>;

#[test]
fn a_change_is_not_invented_bent_or_moved() {
    let template = folder();
    drop(changed(template.path()));
    let kept = tree(template.path());
    let dir = folder();
    let dir = dir.path();
    let lines = String::from_utf8(kept[Path::new("chain/entries")].clone()).unwrap();
    let second: Value = serde_json::from_str(lines.lines().nth(8).unwrap()).unwrap();
    let own = |old: &Signer, new: &Signer| {
        let name = origin("archivio.example");
        let text = format!("{name}\n1\n5\n{}\n{}\n{}\nroutine\n", "A".repeat(43) + "=", old.verifier(), new.verifier());
        let note = new.renamed(&name).unwrap().sign_note(&text).unwrap();
        json!({ "number": 1, "old": old.verifier().to_string(), "new": new.verifier().to_string(), "reason": "routine", "note": note })
    };
    let cases: Vec<(&str, Signer, Bend)> = vec![
        ("a thief's key without the old one", key(4), Box::new(move |object| *object = own(&key(7), &key(4)))),
        ("another new key", key(4), Box::new(|object| object["new"] = key(4).verifier().to_string().into())),
        ("another reason", key(8), Box::new(|object| object["reason"] = "compromised".into())),
        ("another number", key(8), Box::new(|object| object["number"] = 2.into())),
        ("the note of another change", key(8), Box::new(move |object| object["note"] = second["key"]["note"].clone())),
        ("a member more", key(8), Box::new(|object| object["by"] = "somebody".into())),
        (
            "the old key's signature gone",
            key(8),
            Box::new(|object| {
                let note = object["note"].as_str().unwrap().to_owned();
                let (text, lines) = crate::chain::cosignature::parts(&note).unwrap();
                object["note"] = format!("{text}\n{}\n", lines[1]).into();
            }),
        ),
        (
            "the new key's signature gone",
            key(8),
            Box::new(|object| {
                let note = object["note"].as_str().unwrap().to_owned();
                let (text, lines) = crate::chain::cosignature::parts(&note).unwrap();
                object["note"] = format!("{text}\n{}\n", lines[0]).into();
            }),
        ),
    ];
    for (what, signer, change) in cases {
        restore(dir, &kept);
        let found = forged(dir, &signer, change);
        assert!(
            found.iter().any(|(code, place)| *code == Code::KeyChangeBad && place.contains("line 6")),
            "{what}: {found:?}"
        );
        assert!(
            found.iter().any(|(code, _)| matches!(code, Code::CheckpointBad | Code::KeyNotInForce)),
            "{what}: {found:?}"
        );
    }
    // Both keys signed it, for another chain: a note moved there with its entry.
    restore(dir, &kept);
    let other = folder();
    drop(small(other.path()));
    let ledger = reopen(other.path(), &[7]).unwrap();
    ledger.change_key(&key(8), Reason::Routine).unwrap();
    let stranger = Value::Object(ledger.entry(5).unwrap().object);
    let found = forged(dir, &key(8), |object| *object = stranger);
    assert!(found.iter().any(|(code, place)| *code == Code::KeyChangeBad && place.contains("line 6")), "{found:?}");
}

#[test]
fn the_old_key_signs_nothing_after_its_reign() {
    let dir = folder();
    drop(changed(dir.path()));
    sign_all(dir.path(), &key(7));
    let (_, findings) = verify(dir.path(), Some(&key(7).verifier()));
    assert!(codes(&findings).contains(&(Code::KeyNotInForce, "chain/checkpoint")), "{findings:?}");
    assert_eq!(reopen(dir.path(), &[7, 9]).err().unwrap().code, Code::KeyNotInForce);
    // Nor is an older state with the old public key good for who holds the newest key.
    let lines = fs::read_to_string(dir.path().join("chain/entries")).unwrap();
    let first: String = lines.lines().take(5).map(|line| format!("{line}\n")).collect();
    overwrite(&dir.path().join("chain/entries"), first.as_bytes());
    overwrite(&dir.path().join("chain/archive.vkey"), format!("{}\n", key(7).verifier()).as_bytes());
    sign_all(dir.path(), &key(7));
    assert_eq!(reopen(dir.path(), &[9]).err().unwrap().code, Code::KeyMissing);
    assert!(!verify(dir.path(), Some(&key(9).verifier())).1.is_empty());
}

#[test]
fn an_interrupted_change_is_completed_from_what_was_signed() {
    let dir = folder();
    let dir = dir.path();
    drop(small(dir));
    let before = tree(dir);
    let ledger = reopen(dir, &[7]).unwrap();
    // The checkpoint cannot be replaced: the change fails after its line is durable.
    let checkpoint = dir.join("chain/checkpoint");
    let note = fs::read(&checkpoint).unwrap();
    fs::remove_file(&checkpoint).unwrap();
    fs::create_dir_all(checkpoint.join("x")).unwrap();
    ledger.change_key(&key(8), Reason::Routine).unwrap_err();
    assert!(ledger.is_closed());
    fs::remove_dir_all(&checkpoint).unwrap();
    fs::write(&checkpoint, &note).unwrap();
    let pending = tree(dir);
    // In place, by the process that began it; or by the next one, which is offered both keys.
    ledger.reopen().unwrap();
    assert_eq!((ledger.signer().verifier(), ledger.head().size), (key(8).verifier(), 6));
    ledger.append(Kind::Check, object(json!({}))).unwrap();
    drop(ledger);
    restore(dir, &pending);
    assert_eq!(reopen(dir, &[7]).err().unwrap().code, Code::KeyMissing, "without the new key nothing can be signed");
    restore(dir, &pending);
    let ledger = reopen(dir, &[7, 8]).unwrap();
    assert_eq!(*ledger.keys().current(), key(8).verifier());
    assert_eq!(codes(&verify(dir, Some(&key(7).verifier())).1), []);
    drop(ledger);
    // Without the pending append nothing was signed for: the old key stays, and the change can be made again.
    restore(dir, &before);
    let ledger = reopen(dir, &[7, 8]).unwrap();
    assert_eq!(ledger.signer().verifier(), key(7).verifier());
    ledger.change_key(&key(8), Reason::Compromised).unwrap();
    assert_eq!(codes(&verify(dir, None).1), []);
}
