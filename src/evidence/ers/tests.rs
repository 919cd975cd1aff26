use proptest::prelude::*;
use uuid::Uuid;

use super::der::{INTEGER, OCTETS, SEQUENCE, concat, tlv};
use super::history::Covers;
use super::record::bind;
use super::stamp::{ArchiveTimeStamp, MAX_HASHES, MAX_LISTS};
use super::stand_in::{ALL, StandIn, token};
use super::tree::{Path, combine, group_hash};
use super::*;
use crate::error::{Code, Result};
use crate::evidence::digest::{Algorithm, Digest};

const SHA256: Algorithm = Algorithm::Sha256;

fn of(text: &str) -> Digest {
    SHA256.of(text.as_bytes())
}

fn code<T: std::fmt::Debug>(outcome: Result<T>) -> Code {
    outcome.unwrap_err().code
}

/// Reference page, section 3: documents "A" to "D".
#[test]
fn published_vector() {
    let tree = Tree::build(&["A", "B", "C", "D"].map(of)).unwrap();
    let (ab, cd) = (combine(SHA256, &[of("A"), of("B")]), combine(SHA256, &[of("C"), of("D")]));
    assert_eq!(ab.to_string(), "63956f0ce48edc48a0d528cb0b5d58e4d625afb14d63ca1bb9950eb657d61f40");
    assert_eq!(cd.to_string(), "2219e32655222934f7c1c527341c80b6e4fdc80d2ba7546aa87b0809b7fd7f5b");
    let root = combine(SHA256, &[ab, cd]);
    assert_eq!(root.to_string(), "c8f544cf6452807ca62fe6a50477d19faca3147959aa206efab622d394f40097");
    // Ours sorts the leaves: D, A, C, B become pairs in ascending order of their hashes (3f39, 559a, 6b23, df7e).
    let (da, cb) = (combine(SHA256, &[of("D"), of("A")]), combine(SHA256, &[of("C"), of("B")]));
    assert_eq!(tree.root(), combine(SHA256, &[da, cb]));
    assert_eq!(tree.path(&[of("A")]).unwrap(), vec![vec![of("D"), of("A")], vec![cb]]);
    // A record over the vector's own tree verifies, for A and for its sibling, and for nothing else.
    let path: Path = vec![vec![of("A"), of("B")], vec![cd]];
    let der = Record::new(SHA256, path, token(root, 1)).unwrap().to_der();
    let verified = |members: &[Digest]| verify(&der, &known(members), &ALL);
    assert!(verified(&[of("A")]).is_ok());
    assert!(verified(&[of("B")]).is_ok());
    assert!(verified(&[of("A"), of("B")]).is_ok());
    assert_eq!(code(verified(&[of("C")])), Code::EvidenceAltered);
    assert_eq!(code(verified(&[])), Code::EvidenceAltered);
}

fn groups(algorithm: Algorithm, sizes: &[usize]) -> Vec<Group> {
    let member = |g: usize, m: usize| algorithm.of(format!("{g}/{m}").as_bytes());
    let group = |(g, size): (usize, &usize)| {
        let document = (g > 0).then(|| Uuid::from_u128(g as u128));
        Group::new(document, (0..*size).map(|m| member(g, m)))
    };
    sizes.iter().enumerate().map(group).collect()
}

/// The members of a group as [`groups`] makes them, in any algorithm.
fn members_of(document: Option<Uuid>, size: usize) -> impl Fn(Algorithm) -> Result<Vec<Digest>> {
    let g = document.map_or(0, |id| id.as_u128());
    move |algorithm| Ok((0..size).map(|m| algorithm.of(format!("{g}/{m}").as_bytes())).collect())
}

/// A package of these groups, alone in its run.
fn package(sizes: &[usize], second: i64) -> History {
    let tree = TreeFile::build(groups(SHA256, sizes)).unwrap();
    let token = token(tree.run_root(), second);
    History::new(tree, token)
}

/// Renews with a token over this package's last one and `others`, through the bytes of the file.
fn restamp(history: &mut History, others: usize, second: i64) {
    let leaf = history.renewal_leaf();
    let mut leaves: Vec<Digest> = (0..others).map(|n| leaf.algorithm().of(format!("token {n}").as_bytes())).collect();
    leaves.push(leaf);
    let tree = Tree::build(&leaves).unwrap();
    let link = Link::new(history.renewal_tokens(), &tree).unwrap();
    assert_eq!((link.root(), Link::parse(&link.encode()).unwrap()), (tree.root(), link.clone()));
    history.push(&link.encode(), token(tree.root(), second)).unwrap();
}

/// Renews the whole tree with another algorithm, beside `others` packages.
fn rehash(history: &mut History, algorithm: Algorithm, sizes: &[usize], others: usize, second: i64) {
    let mut renewed = groups(algorithm, sizes);
    for group in &mut renewed {
        group.before = Some(history.before(group.document, algorithm).unwrap());
    }
    let mut tree = TreeFile::build(renewed).unwrap();
    let mut roots: Vec<Digest> = (0..others).map(|n| algorithm.of(format!("package {n}").as_bytes())).collect();
    roots.push(tree.root());
    let run = Tree::build(&roots).unwrap();
    tree.place(&run).unwrap();
    history.push(&tree.encode(), token(run.root(), second)).unwrap();
    assert_eq!(history.groups(), Some(&tree));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_record_of_every_package_of_a_run_verifies(
        sizes in proptest::collection::vec(1_usize..5, 1..40), others in 0_usize..9, algorithm in 0_usize..3,
    ) {
        let algorithm = Algorithm::ALL[algorithm];
        let mut package = TreeFile::build(groups(algorithm, &sizes)).unwrap();
        let mut roots: Vec<_> = (0..others).map(|n| algorithm.of(format!("package {n}").as_bytes())).collect();
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
            prop_assert_eq!(verify(&der, &known(&group.members), &ALL).unwrap().times().len(), 1);
            // Lists of one hash in first place are what implementations read differently: there is none.
            prop_assert!(record.chains[0][0].path.as_ref().is_none_or(|path| path[0].len() > 1));
            // Fewer, more or other members of the group are not what was stamped.
            let mut more = group.members.clone();
            more.push(algorithm.of(b"more"));
            prop_assert!(verify(&der, &known(&more), &ALL).is_err());
            prop_assert!(verify(&der, &known(&[algorithm.of(b"other")]), &ALL).is_err());
            if group.members.len() > 2 {
                prop_assert!(verify(&der, &known(&group.members[1..]), &ALL).is_err());
            }
        }
    }

    /// Any order of renewals, with any algorithms, read from files each time: every record proves its documents, from its
    /// first token on, and nothing else.
    #[test]
    fn every_record_verifies_after_any_renewals(
        sizes in proptest::collection::vec(1_usize..5, 1..12),
        steps in proptest::collection::vec((any::<bool>(), 0_usize..4, 0_usize..3), 1..6),
    ) {
        let mut history = package(&sizes, 100);
        for (n, (objects, others, algorithm)) in steps.iter().enumerate() {
            let second = 200 + 100 * n as i64;
            if *objects {
                rehash(&mut history, Algorithm::ALL[*algorithm], &sizes, *others, second);
            } else {
                restamp(&mut history, *others, second);
            }
        }
        let groups: Vec<(Option<Uuid>, usize)> =
            history.sealed().unwrap().groups().iter().map(|group| (group.document, group.members.len())).collect();
        for (document, size) in groups {
            let record = history.record(document).unwrap();
            let der = record.to_der();
            prop_assert_eq!(&Record::parse(&der).unwrap(), &record);
            let verified = verify(&der, &members_of(document, size), &ALL).unwrap();
            prop_assert_eq!(verified.times().len(), steps.len() + 1);
            prop_assert_eq!(verified.since().as_second(), 100);
            prop_assert_eq!(verified.algorithm, history.algorithm());
            let other = Some(Uuid::from_u128(999));
            // A lone object has no tree: then it is the token that covers another.
            let refused = verify(&der, &members_of(other, size), &ALL).unwrap_err().code;
            prop_assert!(matches!(refused, Code::EvidenceAltered | Code::TokenInvalid));
        }
    }

    #[test]
    fn hostile_bytes_never_panic_and_never_verify(
        at in any::<proptest::sample::Index>(), mask in 1_u8.., cut in any::<bool>(), which in 0_u8..3,
    ) {
        let sizes = [2, 4, 4, 1, 4];
        let mut history = package(&sizes, 7);
        let first = history.sealed().unwrap().clone();
        restamp(&mut history, 2, 8);
        rehash(&mut history, Algorithm::Sha384, &sizes, 2, 9);
        let document = Some(Uuid::from_u128(1));
        let Covers::Token(link) = &history.generations()[1].covers else { panic!("a renewal of the token") };
        let mut bytes = match which {
            0 => history.record(document).unwrap().to_der(),
            1 => first.encode(),
            _ => link.encode(),
        };
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= mask }
        match which {
            // A changed document id is not a hash: the tree still holds, but the group is another's.
            1 => prop_assert!(TreeFile::parse(&bytes).map_or(true, |read| read != first)),
            2 => prop_assert!(Link::parse(&bytes).is_err()),
            _ => if let Ok(verified) = verify(&bytes, &members_of(document, 4), &ALL) {
                // Only where nothing is proved: the list of algorithms, or the stand-in's time.
                prop_assert!(!cut && verified.times().len() == 3);
            }
        }
    }
}

#[test]
fn a_flipped_hash_anywhere_is_found() {
    let package = TreeFile::build(groups(SHA256, &[2, 4])).unwrap();
    let members = package.group(None).unwrap().members.clone();
    let record = package.record(None, &token(package.run_root(), 1)).unwrap();
    let der = record.to_der();
    for hash in record.chains[0][0].path.clone().unwrap().concat() {
        let at = der.windows(32).position(|window| window == hash.bytes()).unwrap();
        let mut altered = der.clone();
        altered[at] ^= 1;
        assert!(verify(&altered, &known(&members), &ALL).is_err());
    }
    let bytes = package.encode();
    for at in (0..bytes.len()).filter(|at| *at >= 30) {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert!(TreeFile::parse(&altered).map_or(true, |read| read != package), "byte {at}");
    }
}

#[test]
fn a_renewal_covers_the_token_before_and_comes_after() {
    let mut history = package(&[2, 4], 100);
    let document = Some(Uuid::from_u128(1));
    let members = members_of(document, 4);
    let checked =
        |history: &History, judge: &StandIn| verify(&history.record(document).unwrap().to_der(), &members, judge);
    restamp(&mut history, 0, 200);
    restamp(&mut history, 3, 300);
    rehash(&mut history, Algorithm::Sha512, &[2, 4], 2, 400);
    restamp(&mut history, 1, 500);
    let verified = checked(&history, &ALL).unwrap();
    assert_eq!((verified.times().len(), verified.since().as_second()), (5, 100));
    assert_eq!(verified.gaps(), []);
    // Times that do not increase; a token over something else; a renewal of another token.
    let leaf = history.renewal_leaf();
    let alone = Link::new(history.renewal_tokens(), &Tree::build(&[leaf]).unwrap()).unwrap();
    let mut early = history.clone();
    early.push(&alone.encode(), token(leaf, 500)).unwrap();
    assert_eq!(code(checked(&early, &ALL)), Code::EvidenceTimes);
    let mut wrong = history.clone();
    wrong.push(&alone.encode(), token(Algorithm::Sha512.of(b"x"), 600)).unwrap();
    assert_eq!(code(checked(&wrong, &ALL)), Code::TokenInvalid);
    let mut other = package(&[2, 4], 101);
    assert_eq!(code(other.push(&alone.encode(), token(leaf, 600))), Code::EvidenceAltered);
    // A tree renewed over another evidence than the one there is.
    let Covers::Groups(tree) = &history.generations()[3].covers else { panic!("a renewal of the tree") };
    assert_eq!(code(other.push(&tree.encode(), token(tree.run_root(), 600))), Code::EvidenceAltered);
    // Renewals that came after the certificate before had ended are told, to the second.
    let short = StandIn { lifetime: 100, ..ALL };
    assert_eq!(checked(&history, &short).unwrap().gaps(), []);
    let short = StandIn { lifetime: 99, ..ALL };
    let gaps = checked(&history, &short).unwrap().gaps();
    assert_eq!((gaps.len(), gaps[0].0.as_second(), gaps[0].1.as_second()), (4, 199, 200));
}

#[test]
fn a_record_proves_from_its_first_token_that_somebody_believes() {
    let mut history = package(&[1, 1, 1], 100);
    let der = |history: &History| history.record(None).unwrap().to_der();
    let real = StandIn { trusted_from: 200, ..ALL };
    assert_eq!(code(verify(&der(&history), &members_of(None, 1), &real)), Code::TokenUntrusted);
    restamp(&mut history, 2, 300);
    restamp(&mut history, 0, 400);
    let verified = verify(&der(&history), &members_of(None, 1), &real).unwrap();
    assert_eq!((verified.since().as_second(), verified.times().len()), (300, 3));
    assert!(verified.stamps[0].untrusted.is_some());
}

#[test]
fn a_renewed_tree_wants_the_objects_in_its_own_algorithm() {
    let mut history = package(&[2, 4], 100);
    rehash(&mut history, Algorithm::Sha384, &[2, 4], 0, 200);
    let der = history.record(None).unwrap().to_der();
    let only_sha256 = members_of(None, 2)(SHA256).unwrap();
    assert_eq!(code(verify(&der, &known(&only_sha256), &ALL)), Code::EvidenceAlgorithm);
    // The object as it was when it was renewed, not as it was when it was sealed: each chain is held against its own.
    let other = |algorithm| match algorithm {
        Algorithm::Sha256 => members_of(None, 2)(algorithm),
        _ => members_of(Some(Uuid::from_u128(9)), 2)(algorithm),
    };
    assert_eq!(code(verify(&der, &other, &ALL)), Code::EvidenceAltered);
    // The list names each algorithm once, as it was first used; parameters absent.
    let record = Record::parse(&der).unwrap();
    assert_eq!(record.algorithms, [Algorithm::Sha256, Algorithm::Sha384]);
    let list = tlv(SEQUENCE, &[Algorithm::Sha256.identifier(), Algorithm::Sha384.identifier()].concat());
    assert!(der.windows(list.len()).any(|window| window == list));
    assert_eq!(hex::encode(Algorithm::Sha384.identifier()), "300b0609608648016503040202");
}

/// A record by hand: these archive time-stamps as one chain, with this list of algorithms.
fn by_hand(algorithms: &[u8], stamps: &[Vec<u8>]) -> Vec<u8> {
    let chain = tlv(SEQUENCE, &stamps.concat());
    tlv(SEQUENCE, &concat([tlv(INTEGER, &[1]), tlv(SEQUENCE, algorithms), tlv(SEQUENCE, &chain)]))
}

fn list(hashes: &[Digest]) -> Vec<u8> {
    tlv(SEQUENCE, &concat(hashes.iter().map(|hash| tlv(OCTETS, hash.bytes()))))
}

fn stamp(fields: &[Vec<u8>]) -> Vec<u8> {
    tlv(SEQUENCE, &fields.concat())
}

#[test]
fn records_of_other_makers_verify() {
    let identifier = SHA256.identifier();
    let verified = |der: &[u8], member: Digest| verify(der, &known(&[member]), &ALL);
    let [a, b, c, d, e] = ["A", "B", "C", "D", "E"].map(of);
    let padding = of("padding");
    // A flat tree of many, with padding; its hashes in any order.
    let root = combine(SHA256, &[a, b, c, padding]);
    let flat = by_hand(&identifier, &[stamp(&[tlv(0xa2, &list(&[c, padding, a, b])), token(root, 1)])]);
    assert!(verified(&flat, b).is_ok());
    // A ternary tree.
    let above = combine(SHA256, &[root, d, e]);
    let lists = [list(&[a, b, c, padding]), list(&[e, d])].concat();
    let ternary = by_hand(&identifier, &[stamp(&[tlv(0xa2, &lists), token(above, 1)])]);
    assert!(verified(&ternary, a).is_ok());
    assert_eq!(code(verified(&ternary, d)), Code::EvidenceAltered);
    // A first list of one: its hash goes up as it is, or hashed once more, as the standard can be read.
    for start in [a, SHA256.of(a.bytes())] {
        let root = combine(SHA256, &[start, b]);
        let lists = [list(&[a]), list(&[b])].concat();
        assert!(verified(&by_hand(&identifier, &[stamp(&[tlv(0xa2, &lists), token(root, 1)])]), a).is_ok());
    }
    // The digest algorithm said, with NULL parameters and without; attributes; unknown algorithms in the list.
    let sha256 = hex::decode("0609608648016503040201").unwrap();
    let sha1 = hex::decode("300906052b0e03021a0500").unwrap();
    for own in [sha256.clone(), [&sha256[..], &[5, 0]].concat()] {
        let attributes = tlv(0xa1, &tlv(SEQUENCE, &[tlv(6, &[42, 3]), tlv(0x31, &tlv(OCTETS, b"x"))].concat()));
        let fields = [tlv(0xa0, &own), attributes, tlv(0xa2, &list(&[a, b])), token(combine(SHA256, &[a, b]), 1)];
        let der = by_hand(&[&sha1[..], &identifier].concat(), &[stamp(&fields)]);
        assert!(verified(&der, a).is_ok());
        assert_eq!(Record::parse(&der).unwrap().algorithms, [SHA256]);
        // A renewal of the whole tree covers those bytes as they stand.
        let member = Algorithm::Sha512.of(b"A");
        let chain = tlv(SEQUENCE, &tlv(SEQUENCE, &stamp(&fields)));
        let bound = bind(&member, &Algorithm::Sha512.of(&chain));
        let second = tlv(SEQUENCE, &stamp(&[token(bound, 2)]));
        let first = tlv(SEQUENCE, &stamp(&fields));
        let sequence = tlv(SEQUENCE, &[first, second].concat());
        let der = tlv(SEQUENCE, &concat([tlv(INTEGER, &[1]), tlv(SEQUENCE, &identifier), sequence]));
        let members = |algorithm: Algorithm| Ok(vec![algorithm.of(b"A")]);
        assert_eq!(verify(&der, &members, &ALL).unwrap().times().len(), 2);
    }
    // Encryption information says nothing of the hashes.
    let chains = tlv(SEQUENCE, &tlv(SEQUENCE, &stamp(&[token(a, 1)])));
    let parts = [tlv(INTEGER, &[1]), tlv(SEQUENCE, &identifier), tlv(0xa0, b""), tlv(0xa1, b""), chains];
    assert!(verified(&tlv(SEQUENCE, &parts.concat()), a).is_ok());
}

#[test]
fn each_way_of_being_wrong_has_its_code() {
    let identifier = SHA256.identifier();
    let [a, b] = ["A", "B"].map(of);
    let good = by_hand(&identifier, &[stamp(&[tlv(0xa2, &list(&[a, b])), token(combine(SHA256, &[a, b]), 1)])]);
    let judged = |der: &[u8]| verify(der, &known(&[a]), &ALL);
    assert!(judged(&good).is_ok());
    let with_tree =
        |lists: &[u8], imprint: Digest| by_hand(&identifier, &[stamp(&[tlv(0xa2, lists), token(imprint, 1)])]);

    // Thousands of levels; a huge list; too many time-stamps; too many bytes.
    let levels = |n: usize| with_tree(&list(&[b]).repeat(n), b);
    assert_eq!(code(judged(&levels(MAX_LISTS + 1))), Code::EvidenceDeep);
    assert_eq!(code(judged(&levels(100_000))), Code::EvidenceDeep);
    assert_eq!(code(judged(&levels(MAX_LISTS))), Code::EvidenceAltered);
    assert_eq!(code(judged(&with_tree(&list(&vec![b; MAX_HASHES + 1]), b))), Code::EvidenceLarge);
    assert_eq!(code(judged(&by_hand(&identifier, &vec![stamp(&[token(a, 1)]); 1025]))), Code::EvidenceLarge);
    assert_eq!(code(judged(&vec![0x30; (16 << 20) + 1])), Code::EvidenceLarge);
    // Hashes taken in the order they stand, where the standard wants them ascending: within a list, and between levels.
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    let descending = SHA256.of_parts(&[high.bytes(), low.bytes()]);
    assert_eq!(code(judged(&with_tree(&list(&[high, low]), descending))), Code::EvidenceUnsorted);
    let two = combine(SHA256, &[a, b]);
    let sibling = of("sibling");
    let (first, second) = if two < sibling { (sibling, two) } else { (two, sibling) };
    let descending = SHA256.of_parts(&[first.bytes(), second.bytes()]);
    let lists = [list(&[low, high]), list(&[sibling])].concat();
    assert_eq!(code(judged(&with_tree(&lists, descending))), Code::EvidenceUnsorted);
    // Algorithms mixed: in a list, between lists, between tree and token, inside a chain, against what it says itself.
    let long = Algorithm::Sha384.of(b"A");
    assert_eq!(code(judged(&with_tree(&list(&[a, long]), a))), Code::EvidenceMixed);
    assert_eq!(code(judged(&with_tree(&[list(&[a, b]), list(&[long])].concat(), a))), Code::EvidenceMixed);
    assert_eq!(code(judged(&with_tree(&list(&[a, b]), long))), Code::EvidenceMixed);
    let first = stamp(&[token(a, 1)]);
    let second = stamp(&[token(Algorithm::Sha512.of(&token(a, 1)), 2)]);
    assert_eq!(code(judged(&by_hand(&identifier, &[first.clone(), second]))), Code::EvidenceMixed);
    let says = hex::decode("0609608648016503040203").unwrap();
    assert_eq!(code(judged(&by_hand(&identifier, &[stamp(&[tlv(0xa0, &says), token(a, 1)])]))), Code::EvidenceMixed);
    // Times that go backwards.
    let second = stamp(&[token(SHA256.of(&token(a, 5)), 4)]);
    assert_eq!(code(judged(&by_hand(&identifier, &[stamp(&[token(a, 5)]), second]))), Code::EvidenceTimes);
    // Bytes after the record, after its sequence, inside a time-stamp.
    assert_eq!(code(judged(&[&good[..], &[0]].concat())), Code::EvidenceTrailing);
    let chains = tlv(SEQUENCE, &tlv(SEQUENCE, &first));
    let parts = [tlv(INTEGER, &[1]), tlv(SEQUENCE, &identifier), chains, tlv(OCTETS, b"more")];
    assert_eq!(code(judged(&tlv(SEQUENCE, &parts.concat()))), Code::EvidenceTrailing);
    let inside = by_hand(&identifier, &[stamp(&[token(a, 1), tlv(OCTETS, b"more")])]);
    assert_eq!(code(judged(&inside)), Code::EvidenceTrailing);
    // Indefinite lengths, needlessly long ones.
    let indefinite = [&[0x30, 0x80], &good[4..], &[0, 0]].concat();
    assert_eq!(code(judged(&indefinite)), Code::EvidenceLength);
    let contents = &good[3..];
    assert_eq!(good[1], 0x81);
    assert_eq!(code(judged(&[&[0x30, 0x82, 0, good[2]], contents].concat())), Code::EvidenceLength);
    // Digests that are none of ours: SHA-1.
    let sha1 = hex::decode("06052b0e03021a").unwrap();
    let weak = by_hand(&identifier, &[stamp(&[tlv(0xa0, &sha1), token(a, 1)])]);
    assert_eq!(code(judged(&weak)), Code::EvidenceAlgorithm);
    let short = tlv(0xa2, &tlv(SEQUENCE, &tlv(OCTETS, &[7; 20])));
    assert_eq!(code(judged(&by_hand(&identifier, &[stamp(&[short, token(a, 1)])]))), Code::EvidenceAlgorithm);
    // No record at all.
    for bytes in [&b""[..], &[0x30], &good[..good.len() - 1], &tlv(SEQUENCE, b""), &tlv(OCTETS, b"x")] {
        assert_eq!(code(judged(bytes)), Code::EvidenceMalformed, "{bytes:02x?}");
    }
    for empty in [by_hand(&identifier, &[]), with_tree(&[], a), with_tree(&tlv(SEQUENCE, b""), a)] {
        assert_eq!(code(judged(&empty)), Code::EvidenceMalformed);
    }
    assert_eq!(code(ArchiveTimeStamp::new(None, vec![0x30])), Code::TokenInvalid);
}

/// With real tokens of the development authority, in every algorithm.
#[test]
fn records_under_real_tokens_verify() {
    use crate::evidence::tsp::dev::DevelopmentAuthority;
    use crate::evidence::tsp::{Authority as _, new_request, token_of_reply};

    let clock = std::sync::Arc::new(crate::clock::ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap()));
    let authority = DevelopmentAuthority::create(clock.clone()).unwrap();
    let anchors = authority.anchors().unwrap();
    let stamp = |imprint: Digest| {
        clock.advance_ms(60_000);
        token_of_reply(&authority.stamp(&new_request(imprint).unwrap()).unwrap()).unwrap()
    };
    let sizes = [1, 4, 2, 4, 4, 1, 4];
    let mut tree = TreeFile::build(groups(SHA256, &sizes)).unwrap();
    tree.place(&Tree::build(&[tree.root(), of("a second package")]).unwrap()).unwrap();
    let mut history = History::new(tree.clone(), stamp(tree.run_root()));
    for algorithm in [Algorithm::Sha384, Algorithm::Sha512] {
        let leaf = history.renewal_leaf();
        let link =
            Link::new(history.renewal_tokens(), &Tree::build(&[leaf, leaf.algorithm().of(b"another token")]).unwrap())
                .unwrap();
        history.push(&link.encode(), stamp(link.root())).unwrap();
        let mut renewed = groups(algorithm, &sizes);
        for group in &mut renewed {
            group.before = Some(history.before(group.document, algorithm).unwrap());
        }
        let tree = TreeFile::build(renewed).unwrap();
        history.push(&tree.encode(), stamp(tree.run_root())).unwrap();
    }
    for group in tree.groups() {
        let der = history.record(group.document).unwrap().to_der();
        let verified = verify(&der, &members_of(group.document, group.members.len()), &anchors).unwrap();
        assert_eq!((verified.times().len(), verified.gaps()), (5, vec![]));
        assert_eq!(verified.since(), verified.times()[0]);
        assert!(verify(&der, &members_of(Some(Uuid::from_u128(77)), 4), &anchors).is_err());
        let nobody = crate::evidence::anchors::Anchors::default();
        let members = members_of(group.document, group.members.len());
        assert_eq!(code(verify(&der, &members, &nobody)), Code::TokenUntrusted);
    }
    // The token of another tree does not do.
    let record = tree.record(None, &stamp(of("another root"))).unwrap();
    assert_eq!(code(verify(&record.to_der(), &members_of(None, 1), &anchors)), Code::StampImprint);
    assert_eq!(group_hash(SHA256, &[of("x")]), of("x"));
}
