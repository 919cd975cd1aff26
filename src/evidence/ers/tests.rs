use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::der::{OCTETS, SEQUENCE, tlv};
use super::tree::{Path, combine, group_hash};
use super::*;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// A stand-in for a token: one DER value that holds imprint and time.
fn token(imprint: Sha256, second: i64) -> Vec<u8> {
    let mut contents = tlv(OCTETS, &imprint.0);
    contents.extend(tlv(OCTETS, &second.to_be_bytes()));
    tlv(SEQUENCE, &contents)
}

fn judge(der: &[u8], imprint: Sha256) -> Result<Timestamp> {
    let bad = || Error::new(Code::TokenInvalid, "");
    let second = der.get(38..46).ok_or_else(bad)?;
    let second = Timestamp::from_second(i64::from_be_bytes(second.try_into().unwrap())).map_err(|_| bad())?;
    if der[4..36] == imprint.0 { Ok(second) } else { Err(bad()) }
}

fn of(text: &str) -> Sha256 {
    Sha256::of(text.as_bytes())
}

/// Reference page, section 3: documents "A" to "D".
#[test]
fn published_vector() {
    let tree = Tree::build(&["A", "B", "C", "D"].map(of)).unwrap();
    assert_eq!(
        combine(&[of("A"), of("B")]).to_string(),
        "63956f0ce48edc48a0d528cb0b5d58e4d625afb14d63ca1bb9950eb657d61f40"
    );
    assert_eq!(
        combine(&[of("C"), of("D")]).to_string(),
        "2219e32655222934f7c1c527341c80b6e4fdc80d2ba7546aa87b0809b7fd7f5b"
    );
    let (ab, cd) = (combine(&[of("A"), of("B")]), combine(&[of("C"), of("D")]));
    assert_eq!(combine(&[ab, cd]).to_string(), "c8f544cf6452807ca62fe6a50477d19faca3147959aa206efab622d394f40097");
    // Ours sorts the leaves: D, A, C, B become pairs in ascending order of their hashes (3f39, 559a, 6b23, df7e).
    let (da, cb) = (combine(&[of("D"), of("A")]), combine(&[of("C"), of("B")]));
    assert_eq!(tree.root(), combine(&[da, cb]));
    assert_eq!(tree.path(&[of("A")]).unwrap(), vec![vec![of("D"), of("A")], vec![cb]]);
    // A record over the vector's own tree verifies, for A and for its sibling, and for nothing else.
    let path: Path = vec![vec![of("A"), of("B")], vec![cd]];
    let der = Record::new(path, token(combine(&[ab, cd]), 1)).unwrap().to_der();
    assert!(verify(&der, &[of("A")], &judge).is_ok());
    assert!(verify(&der, &[of("B")], &judge).is_ok());
    assert!(verify(&der, &[of("A"), of("B")], &judge).is_ok());
    assert_eq!(verify(&der, &[of("C")], &judge).unwrap_err().code, Code::EvidenceAltered);
}

fn groups(sizes: &[usize]) -> Vec<Group> {
    let member = |g: usize, m: usize| of(&format!("{g}/{m}"));
    let group = |(g, size): (usize, &usize)| Group {
        document: (g > 0).then(|| Uuid::from_u128(g as u128)),
        members: (0..*size).map(|m| member(g, m)).collect(),
    };
    sizes.iter().enumerate().map(group).collect()
}

proptest! {
    #[test]
    fn every_record_of_every_package_of_a_run_verifies(
        sizes in proptest::collection::vec(1_usize..5, 1..40), others in 0_usize..9,
    ) {
        let mut package = TreeFile::build(groups(&sizes)).unwrap();
        let mut roots: Vec<_> = (0..others).map(|n| of(&format!("package {n}"))).collect();
        roots.push(package.root());
        let run = Tree::build(&roots).unwrap();
        package.place(&run).unwrap();
        prop_assert_eq!(package.run_root(), run.root());
        let read = TreeFile::parse(&package.encode()).unwrap();
        prop_assert_eq!(&read, &package);
        for group in package.groups() {
            let record = read.record(group.document, &token(run.root(), 7)).unwrap();
            let der = record.to_der();
            prop_assert_eq!(&Record::parse(&der).unwrap(), &record);
            let verified = verify(&der, &group.members, &judge).unwrap();
            prop_assert_eq!(verified.times.len(), 1);
            // Lists of one hash in first place are what implementations read differently: there is none.
            prop_assert!(record.chains[0][0].path.as_ref().is_none_or(|path| path[0].len() > 1));
            // Fewer, more or other members of the group are not what was stamped.
            let mut more = group.members.clone();
            more.push(of("more"));
            prop_assert!(verify(&der, &more, &judge).is_err());
            prop_assert!(verify(&der, &[of("other")], &judge).is_err());
            if group.members.len() > 2 {
                prop_assert!(verify(&der, &group.members[1..], &judge).is_err());
            }
        }
    }

    #[test]
    fn hostile_bytes_never_panic_and_never_verify(
        at in any::<proptest::sample::Index>(), mask in 1_u8.., cut in any::<bool>(), in_tree in any::<bool>(),
    ) {
        let package = TreeFile::build(groups(&[2, 4, 4, 1, 4])).unwrap();
        let members = package.group(Some(Uuid::from_u128(1))).unwrap().members.clone();
        let record = package.record(Some(Uuid::from_u128(1)), &token(package.run_root(), 7)).unwrap();
        let mut bytes = if in_tree { package.encode() } else { record.to_der() };
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= mask }
        if in_tree {
            // A changed document id is not a hash: the tree still holds, but the group is another's.
            prop_assert!(TreeFile::parse(&bytes).map_or(true, |read| read != package));
        } else if let Ok(verified) = verify(&bytes, &members, &judge) {
            // Only the stand-in token's time, and the list of algorithms, are not under the hash here.
            prop_assert!(verified.times.len() == 1 && Record::parse(&bytes).is_ok());
        }
    }
}

#[test]
fn a_lone_hash_is_covered_directly() {
    let package = TreeFile::build(groups(&[1])).unwrap();
    let record = package.record(None, &token(package.run_root(), 1)).unwrap();
    assert_eq!(record.chains[0][0].path, None);
    assert!(verify(&record.to_der(), &package.groups()[0].members, &judge).is_ok());
}

#[test]
fn renewals_chain_and_must_be_later() {
    let package = TreeFile::build(groups(&[2, 4])).unwrap();
    let members = &package.groups()[0].members;
    let mut record = package.record(package.groups()[0].document, &token(package.run_root(), 100)).unwrap();
    let covered = record.renewal_hash().unwrap();
    let (mut early, mut wrong) = (record.clone(), record.clone());
    record.renew(None, token(covered, 200));
    assert_eq!(verify(&record.to_der(), members, &judge).unwrap().times.len(), 2);
    early.renew(None, token(covered, 100));
    assert_eq!(verify(&early.to_der(), members, &judge).unwrap_err().code, Code::EvidenceAltered);
    wrong.renew(None, token(of("x"), 200));
    assert_eq!(verify(&wrong.to_der(), members, &judge).unwrap_err().code, Code::TokenInvalid);
    // Among other renewed tokens, in a tree.
    let tree = Tree::build(&[record.renewal_hash().unwrap(), of("another token")]).unwrap();
    record.renew(tree.path(&[record.renewal_hash().unwrap()]), token(tree.root(), 300));
    assert_eq!(verify(&record.to_der(), members, &judge).unwrap().times.len(), 3);
    // Hash-tree renewal: a new chain binds each member to all chains before it.
    let mut again = record.to_der();
    let parsed = Record::parse(&again).unwrap();
    let sequence = super::record::tests_sequence(&parsed);
    let bound: Vec<_> = members.iter().map(|m| Sha256::of_parts(&[&m.0, &Sha256::of(&sequence).0])).collect();
    let mut renewed = parsed;
    let path = vec![{
        let mut sorted = bound.clone();
        sorted.sort_unstable();
        sorted
    }];
    renewed.chains.push(Record::new(path, token(group_hash(&bound), 400)).unwrap().chains.remove(0));
    again = renewed.to_der();
    assert_eq!(verify(&again, members, &judge).unwrap().times.len(), 4);
    assert!(verify(&again, &[of("x"), of("y")], &judge).is_err());
}

/// With real tokens of the development authority. `CUSTODE_TEST_KEEP_RECORDS=<folder>` keeps the records, so that another
/// implementation can be asked.
#[test]
fn records_under_real_tokens_verify() {
    use crate::evidence::tsp::dev::DevelopmentAuthority;
    use crate::evidence::tsp::{Authority as _, new_request, token_of_reply, verify_token};

    let clock = std::sync::Arc::new(crate::clock::ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap()));
    let authority = DevelopmentAuthority::create(clock.clone()).unwrap();
    let anchors = authority.anchors().unwrap();
    let stamp = |imprint: Sha256| token_of_reply(&authority.stamp(&new_request(imprint).unwrap()).unwrap()).unwrap();
    let judge = |der: &[u8], imprint: Sha256| Ok(verify_token(der, imprint, &anchors)?.gen_time());

    let mut package = TreeFile::build(groups(&[1, 4, 2, 4, 4, 1, 4])).unwrap();
    let run = Tree::build(&[package.root(), of("a second package"), of("a third package")]).unwrap();
    package.place(&run).unwrap();
    let first = stamp(package.run_root());
    let keep = std::env::var("CUSTODE_TEST_KEEP_RECORDS").ok();
    for (n, group) in package.groups().iter().enumerate() {
        let mut record = package.record(group.document, &first).unwrap();
        // Every second one is renewed once, alone or in a tree.
        clock.advance_ms(60_000);
        match n % 3 {
            1 => record.renew(None, stamp(record.renewal_hash().unwrap())),
            2 => {
                let leaf = record.renewal_hash().unwrap();
                let tree = Tree::build(&[leaf, of("another token"), of("one more")]).unwrap();
                record.renew(tree.path(&[leaf]), stamp(tree.root()));
            }
            _ => {}
        }
        let der = record.to_der();
        assert_eq!(verify(&der, &group.members, &judge).unwrap().times.len(), if n % 3 == 0 { 1 } else { 2 });
        assert!(verify(&der, &[of("other")], &judge).is_err());
        if let Some(folder) = &keep {
            let members: Vec<String> = group.members.iter().map(ToString::to_string).collect();
            std::fs::write(format!("{folder}/{n}.ers"), &der).unwrap();
            std::fs::write(format!("{folder}/{n}.txt"), members.join("\n")).unwrap();
        }
    }
    // The token of another tree does not do.
    let (members, wrong) = (&package.groups()[0].members, stamp(of("another root")));
    let record = package.record(package.groups()[0].document, &wrong).unwrap();
    assert_eq!(verify(&record.to_der(), members, &judge).unwrap_err().code, Code::TokenInvalid);
}
