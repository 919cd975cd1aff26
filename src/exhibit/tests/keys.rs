//! Bundles of an archive that changed its key: any of its keys opens them; no change can be left out, bent or invented.

use super::*;
use crate::chain::cosignature::parts;
use crate::chain::reign::Reason;
use crate::error::Lang;
use crate::exhibit::verify::Report;

fn key(seed: u8) -> Signer {
    Signer::for_name("archivio.example", &[seed; 32]).unwrap()
}

fn with_key(sealed: &Sealed, key: Option<&Signer>) -> Trust {
    Trust { key: key.map(Signer::verifier), ..sealed.trust() }
}

fn codes(report: &Report) -> Vec<(Code, &str)> {
    report.findings.iter().map(|found| (found.code, found.place.as_str())).collect()
}

/// Sealed under key 7; key 8 from entry 8, key 9 from entry 10; twelve entries.
fn changed(second: Reason) -> Sealed {
    let sealed = sealed();
    let other =
        |n: u64| drop(sealed.ledger.append(crate::chain::Kind::Check, object(serde_json::json!({ "n": n }))).unwrap());
    sealed.clock.advance_ms(86_400_000);
    assert_eq!(sealed.ledger.change_key(&key(8), Reason::Routine).unwrap().seq, 8);
    other(9);
    assert_eq!(sealed.ledger.change_key(&key(9), second).unwrap().seq, 10);
    other(11);
    sealed
}

fn position(files: &Unzipped, name: &str) -> usize {
    files.iter().position(|(found, _)| found == name).unwrap_or_else(|| panic!("no {name}"))
}

fn text(files: &Unzipped, name: &str) -> String {
    String::from_utf8(files[position(files, name)].1.clone()).unwrap()
}

#[test]
fn any_key_of_the_archive_opens_it_and_the_change_is_told() {
    let sealed = changed(Reason::Routine);
    let path = sealed.path("bundle.zip");
    for whole in [false, true] {
        sealed.write(&[1], whole, &path).unwrap();
        for seed in [7, 8, 9] {
            let report = verify(&path, &with_key(&sealed, Some(&key(seed)))).unwrap();
            assert_eq!((codes(&report), report.outcome), (vec![], Outcome::Good), "key {seed}");
            let changes: Vec<_> = report.anchors.changes.iter().map(|change| (change.entry, change.reason)).collect();
            assert_eq!(changes, [(8, Reason::Routine), (10, Reason::Routine)]);
            assert_eq!(report.anchors.key, key(seed).verifier().to_string());
        }
        let report = verify(&path, &with_key(&sealed, None)).unwrap();
        assert_eq!(codes(&report), [(Code::AnchorMissing, "archive key")]);
        let foreign = verify(&path, &with_key(&sealed, Some(&key(3)))).unwrap();
        assert!(foreign.outcome == Outcome::Bad && named(&foreign, crate::exhibit::VKEY));
    }
    let files = unzip(&path);
    assert_eq!(text(&files, crate::exhibit::VKEY), format!("{}\n", key(9).verifier()));
    for (page, said) in [("LEGGIMI.html", "cambio programmato"), ("README.html", "routine change")] {
        assert_eq!(text(&files, page).matches(said).count(), 2, "{page}");
        assert!(text(&files, page).contains("2026-11-23T10:00:00Z"), "{page}");
    }
}

#[test]
fn at_the_very_change_both_signed_and_the_instructions_work() {
    let sealed = sealed();
    sealed.ledger.change_key(&key(8), Reason::Routine).unwrap();
    let path = sealed.path("bundle.zip");
    sealed.write(&[1], false, &path).unwrap();
    let files = unzip(&path);
    assert_eq!(parts(&text(&files, "checkpoint")).unwrap().1.len(), 2);
    for seed in [7, 8] {
        assert_eq!(codes(&verify(&path, &with_key(&sealed, Some(&key(seed)))).unwrap()), [], "key {seed}");
    }
    if crate::judges::present(&["bash", "openssl", "python3", "sha256sum"]) {
        let folder = sealed.path("unzipped");
        extract(&files, &folder);
        instructions_work(&folder, &sealed.path("tmp"));
    }
}

#[test]
fn a_change_left_out_bent_or_out_of_order_is_bad_even_when_the_archive_signs_the_list_anew() {
    let sealed = changed(Reason::Routine);
    let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
    sealed.write(&[1], false, &path).unwrap();
    let files = unzip(&path);
    type Change = Box<dyn Fn(&mut crate::exhibit::report::Report, &mut Unzipped)>;
    let without =
        |files: &mut Unzipped, seq: u64| files.retain(|(name, _)| !name.starts_with(&format!("chain/{seq}.")));
    let line = |files: &Unzipped, seq: u64| -> serde_json::Value {
        serde_json::from_str(&text(files, &format!("chain/{seq}.json"))).unwrap()
    };
    let cases: Vec<(&str, Change)> = vec![
        (
            "the first left out",
            Box::new(move |report, files| {
                report.keys.remove(0);
                without(files, 8);
            }),
        ),
        (
            "the last left out",
            Box::new(move |report, files| {
                report.keys.pop();
                without(files, 10);
            }),
        ),
        ("swapped", Box::new(|report, _| report.keys.swap(0, 1))),
        ("twice", Box::new(|report, _| report.keys.push(report.keys[1].clone()))),
        ("another reason in the report", Box::new(|report, _| report.keys[1].reason = Reason::Compromised)),
        ("another time in the report", Box::new(|report, _| report.keys[0].at = jiff::Timestamp::UNIX_EPOCH)),
        (
            "the note of the other change",
            Box::new(move |_, files| {
                let (mut first, second) = (line(files, 8), line(files, 10));
                first["key"]["note"] = second["key"]["note"].clone();
                let at = position(files, "chain/8.json");
                files[at].1 = first.to_string().into_bytes();
            }),
        ),
        (
            "the old key did not sign",
            Box::new(move |_, files| {
                let mut entry = line(files, 8);
                let note = entry["key"]["note"].as_str().unwrap().to_owned();
                let (signed, lines) = parts(&note).unwrap();
                entry["key"]["note"] = format!("{signed}\n{}\n", lines[1]).into();
                let at = position(files, "chain/8.json");
                files[at].1 = entry.to_string().into_bytes();
            }),
        ),
        ("another entry in its place", Box::new(|report, _| report.keys[1].entry = report.packages[0].entry)),
    ];
    for (what, change) in cases {
        let mut other = files.clone();
        let mut report = crate::exhibit::report::Report::parse(text(&files, "report.json").as_bytes()).unwrap();
        change(&mut report, &mut other);
        let at = position(&other, "report.json");
        other[at].1 = report.to_bytes().unwrap();
        sign_again(&mut other, &key(9));
        rezip(&other, &changed);
        for seed in [7, 9] {
            let report = verify(&changed, &with_key(&sealed, Some(&key(seed)))).unwrap();
            assert_eq!(report.outcome, Outcome::Bad, "{what}, key {seed}");
            assert!(
                codes(&report).iter().any(|(code, _)| *code == Code::KeyChangeBad),
                "{what}, key {seed}: {:?}",
                report.findings
            );
        }
    }
    // All of them left out: what the old key signed is then nobody's.
    let mut other = files.clone();
    let mut report = crate::exhibit::report::Report::parse(text(&files, "report.json").as_bytes()).unwrap();
    report.keys.clear();
    [8, 10].iter().for_each(|seq| without(&mut other, *seq));
    let at = position(&other, "report.json");
    other[at].1 = report.to_bytes().unwrap();
    sign_again(&mut other, &key(9));
    rezip(&other, &changed);
    for seed in [7, 9] {
        assert_eq!(verify(&changed, &with_key(&sealed, Some(&key(seed)))).unwrap().outcome, Outcome::Bad, "key {seed}");
    }
}

#[test]
fn an_old_key_is_good_for_nothing_after_its_reign_and_a_new_one_not_before() {
    let sealed = changed(Reason::Routine);
    let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
    sealed.write(&[1], false, &path).unwrap();
    let files = unzip(&path);
    let note =
        files.iter().find(|(name, _)| name.ends_with(".note") && name.starts_with("receipts/")).unwrap().0.clone();
    let again = |name: &str, signer: &Signer| {
        let mut other = files.clone();
        for (found, bytes) in other
            .iter_mut()
            .filter(|(found, _)| found == name || (name == "checkpoint" && found.ends_with("tlog-proof")))
        {
            let old = String::from_utf8(bytes.clone()).unwrap();
            let (head, signed) = match old.split_once("\n\n").filter(|_| found.ends_with("tlog-proof")) {
                Some((head, note)) => (format!("{head}\n\n"), note.to_owned()),
                None => (String::new(), old.clone()),
            };
            *bytes = format!("{head}{}", signer.sign_note(parts(&signed).unwrap().0).unwrap()).into_bytes();
        }
        sign_again(&mut other, &key(9));
        rezip(&other, &changed);
        verify(&changed, &with_key(&sealed, Some(&key(9)))).unwrap()
    };
    for seed in [7, 8] {
        let report = again("checkpoint", &key(seed));
        assert!(codes(&report).contains(&(Code::KeyNotInForce, "checkpoint")), "key {seed}: {:?}", report.findings);
    }
    let receipt = |seed: u8| key(seed).renamed("archivio.example/receipt").unwrap();
    assert_eq!(again(&note, &receipt(7)).outcome, Outcome::Good, "as it was");
    for seed in [8, 9] {
        let report = again(&note, &receipt(seed));
        assert_eq!(codes(&report), [(Code::KeyNotInForce, note.as_str())], "key {seed}");
    }
    assert_eq!(codes(&again(&note, &receipt(3))), [(Code::SignatureInvalid, note.as_str())]);
}

#[test]
fn after_a_compromise_what_the_chain_held_before_is_proved_and_the_old_anchor_is_not_enough() {
    let sealed = changed(Reason::Compromised);
    let path = sealed.path("bundle.zip");
    sealed.write(&[1], false, &path).unwrap();
    // Receipt and package are older than the change, and the newest key signs for the chain that holds them.
    assert_eq!(codes(&verify(&path, &with_key(&sealed, Some(&key(9)))).unwrap()), []);
    for seed in [7, 8] {
        let report = verify(&path, &with_key(&sealed, Some(&key(seed)))).unwrap();
        assert_eq!(
            (codes(&report), report.outcome),
            (vec![(Code::KeyCompromised, "archive key")], Outcome::Unchecked),
            "key {seed}"
        );
    }
    let files = unzip(&path);
    assert!(text(&files, "LEGGIMI.html").contains("chiave precedente compromessa"));
    assert!(text(&files, "README.html").contains("previous key compromised"));
}

/// Somebody with the whole chain, but not its key, puts a key of their own in force and signs everything after it anew: the proofs
/// are right, the bundle agrees with itself, and only the old key's signature is missing.
#[test]
fn a_key_put_in_force_without_the_old_one_is_not_believed() {
    let sealed = sealed();
    let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
    sealed.write(&[1], false, &path).unwrap();
    let files = unzip(&path);
    let lines: Vec<String> = (0..8).map(|seq| sealed.ledger.entry(seq).unwrap().line).collect();
    let mut tree = crate::chain::merkle::Tree::default();
    lines.iter().for_each(|line| tree.push(crate::chain::merkle::leaf(line.as_bytes())));
    let (owner, thief) = (key(7), key(66));
    let origin = crate::chain::reign::origin(owner.name());
    let root = crate::chain::Checkpoint { origin: origin.clone(), size: 8, root: tree.root() }.text();
    let root = root.lines().last().unwrap();
    let told = format!("{origin}\n1\n8\n{root}\n{}\n{}\nroutine\n", owner.verifier(), thief.verifier());
    let own = thief.renamed(&origin).unwrap();
    let (alone, twice) = (own.sign_note(&told).unwrap(), own.countersign(&own.sign_note(&told).unwrap()).unwrap());
    let both = owner.renamed(&origin).unwrap().countersign(&alone).unwrap();
    let only_old = owner.renamed(&origin).unwrap().sign_note(&told).unwrap();
    for (what, note, good) in
        [("both", both, true), ("alone", alone, false), ("twice", twice, false), ("only the old", only_old, false)]
    {
        let object = serde_json::json!({
            "number": 1, "old": owner.verifier().to_string(), "new": thief.verifier().to_string(), "reason": "routine", "note": note,
        });
        let at = "2026-11-22T10:00:00.000Z";
        let prev = Sha256::of(lines[7].as_bytes());
        let line = format!("{{\"seq\":8,\"prev\":\"{prev}\",\"at\":\"{at}\",\"kind\":\"key\",\"key\":{object}}}");
        let mut tree = tree.clone();
        tree.push(crate::chain::merkle::leaf(line.as_bytes()));
        let checkpoint = crate::chain::Checkpoint { origin: owner.name().into(), size: 9, root: tree.root() };
        let checkpoint = thief.sign_note(&checkpoint.text()).unwrap();
        let proof = |index: u64| {
            let path = tree.inclusion(index, 9).unwrap();
            crate::chain::Proof { index, path, checkpoint: checkpoint.clone() }.render().into_bytes()
        };
        let mut other = files.clone();
        let mut set = |name: &str, bytes: Vec<u8>| {
            let at = position(&other, name);
            other[at].1 = bytes;
        };
        set("checkpoint", checkpoint.clone().into_bytes());
        set(crate::exhibit::VKEY, format!("{}\n", thief.verifier()).into_bytes());
        set(&format!("chain/{}.tlog-proof", sealed.entry), proof(sealed.entry));
        let mut report = crate::exhibit::report::Report::parse(text(&files, "report.json").as_bytes()).unwrap();
        report.keys.push(crate::exhibit::report::KeyChange {
            entry: 8,
            at: at.parse().unwrap(),
            reason: Reason::Routine,
            old: owner.verifier().to_string(),
            new: thief.verifier().to_string(),
        });
        set("report.json", report.to_bytes().unwrap());
        set("LEGGIMI.html", crate::exhibit::page::page(&report, Lang::It).into_bytes());
        set("README.html", crate::exhibit::page::page(&report, Lang::En).into_bytes());
        other.insert(0, ("chain/8.json".into(), line.clone().into_bytes()));
        other.insert(1, ("chain/8.tlog-proof".into(), proof(8)));
        sign_again(&mut other, &thief);
        rezip(&other, &changed);
        let report = verify(&changed, &with_key(&sealed, Some(&owner))).unwrap();
        assert_eq!(report.outcome == Outcome::Good, good, "{what}: {:?}", report.findings);
        assert_eq!(
            codes(&report).iter().any(|(code, _)| *code == Code::KeyChangeBad),
            !good,
            "{what}: {:?}",
            report.findings
        );
    }
}
