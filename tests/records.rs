//! Evidence records (RFC 4998) as another implementation sees them: what Custode makes, initial and renewed both ways, for
//! single documents and for groups, Bouncy Castle accepts; what was damaged it refuses, and so does Custode.

#[path = "support/bouncy_castle.rs"]
mod bouncy_castle;
#[path = "support/judges.rs"]
mod judges;

use std::sync::Arc;

use bouncy_castle::Case;
use custode::clock::ManualClock;
use custode::error::Result;
use custode::evidence::anchors::Anchors;
use custode::evidence::cms::SignedData;
use custode::evidence::digest::{Algorithm, Digest};
use custode::evidence::ers::{self, Group, History, Link, Tree, TreeFile};
use custode::evidence::tsp::{Authority as _, DevelopmentAuthority, new_request, token_of_reply};
use uuid::Uuid;

/// Members of the groups; the first is the index group.
const SIZES: [usize; 8] = [2, 4, 1, 4, 4, 1, 3, 4];

fn object(group: usize, member: usize) -> Vec<u8> {
    format!("group {group}, member {member}").into_bytes()
}

fn objects(group: usize) -> Vec<Vec<u8>> {
    (0..SIZES[group]).map(|member| object(group, member)).collect()
}

fn document(group: usize) -> Option<Uuid> {
    (group > 0).then(|| Uuid::from_u128(group as u128))
}

fn digests(objects: &[Vec<u8>]) -> impl Fn(Algorithm) -> Result<Vec<Digest>> {
    let objects = objects.to_vec();
    move |algorithm| Ok(objects.iter().map(|object| algorithm.of(object)).collect())
}

struct Stamping {
    clock: Arc<ManualClock>,
    authority: DevelopmentAuthority,
}

impl Stamping {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2024-11-22T10:00:00Z".parse().unwrap()));
        let authority = DevelopmentAuthority::create(Arc::clone(&clock) as _).unwrap();
        Self { clock, authority }
    }

    fn token(&self, imprint: Digest) -> Vec<u8> {
        self.clock.advance_ms(3_600_000);
        token_of_reply(&self.authority.stamp(&new_request(imprint).unwrap()).unwrap()).unwrap()
    }

    /// The certificate of the time-stamping unit.
    fn certificate(&self) -> Vec<u8> {
        let token = self.token(Algorithm::Sha256.of(b""));
        let data = SignedData::parse(&token).unwrap();
        data.signers[0].certificate(&data.certificates).unwrap().der().to_vec()
    }

    fn sealed(&self) -> History {
        let groups = (0..SIZES.len())
            .map(|g| Group::new(document(g), objects(g).iter().map(|object| Algorithm::Sha256.of(object))));
        let mut tree = TreeFile::build(groups.collect()).unwrap();
        let others = [Algorithm::Sha256.of(b"a package"), Algorithm::Sha256.of(b"another"), tree.root()];
        tree.place(&Tree::build(&others).unwrap()).unwrap();
        let token = self.token(tree.run_root());
        History::new(tree, token)
    }

    /// A new token over the last one, alone or with others.
    fn restamp(&self, history: &mut History, others: usize) {
        let leaf = history.renewal_leaf();
        let mut leaves = vec![leaf];
        leaves.extend((0..others).map(|n| leaf.algorithm().of(format!("token {n}").as_bytes())));
        let link = Link::new(history.renewal_tokens(), &Tree::build(&leaves).unwrap()).unwrap();
        history.push(&link.encode(), self.token(link.root())).unwrap();
    }

    /// A new tree in another algorithm.
    fn rehash(&self, history: &mut History, algorithm: Algorithm) {
        let groups = (0..SIZES.len()).map(|g| {
            let mut group = Group::new(document(g), objects(g).iter().map(|object| algorithm.of(object)));
            group.before = Some(history.before(document(g), algorithm).unwrap());
            group
        });
        let mut tree = TreeFile::build(groups.collect()).unwrap();
        tree.place(&Tree::build(&[tree.root(), algorithm.of(b"a package")]).unwrap()).unwrap();
        history.push(&tree.encode(), self.token(tree.run_root())).unwrap();
    }
}

#[test]
fn bouncy_castle_accepts_every_record_of_ours_and_no_damaged_one() {
    let stamping = Stamping::new();
    let mut history = stamping.sealed();
    let mut stages = vec![("initial", history.clone())];
    stamping.restamp(&mut history, 0);
    stages.push(("restamped-alone", history.clone()));
    stamping.restamp(&mut history, 4);
    stages.push(("restamped-in-a-tree", history.clone()));
    stamping.rehash(&mut history, Algorithm::Sha384);
    stages.push(("rehashed", history.clone()));
    stamping.restamp(&mut history, 2);
    stamping.rehash(&mut history, Algorithm::Sha512);
    stamping.restamp(&mut history, 0);
    stages.push(("all", history.clone()));
    let mut only_rehashed = stamping.sealed();
    stamping.rehash(&mut only_rehashed, Algorithm::Sha512);
    stages.push(("rehashed-at-once", only_rehashed));

    let mut cases = Vec::new();
    for (stage, history) in &stages {
        for (group, size) in SIZES.iter().enumerate() {
            let record = history.record(document(group)).unwrap();
            let mut add = |what: &str, record: Vec<u8>, objects: Vec<Vec<u8>>| {
                cases.push(Case { name: format!("{stage}-{group}-{what}"), record, objects });
            };
            add("good", record.to_der(), objects(group));
            // Another object; one too few; a hash of the tree bent; the oldest evidence left out.
            let mut other = objects(group);
            other[0].push(b'!');
            add("other", record.to_der(), other);
            if *size > 2 {
                add("fewer", record.to_der(), objects(group)[1..].to_vec());
            }
            let der = record.to_der();
            let path = record.chains.last().unwrap()[0].path.clone().unwrap();
            let hash = *path.last().unwrap().last().unwrap();
            let at = der.windows(hash.bytes().len()).rposition(|window| window == hash.bytes()).unwrap();
            let mut bent = der.clone();
            bent[at] ^= 1;
            add("bent", bent, objects(group));
            let mut cut = record.clone();
            if cut.chains.len() > 1 {
                cut.chains.remove(0);
                add("cut", cut.to_der(), objects(group));
            } else if cut.chains[0].len() > 1 {
                cut.chains[0].remove(0);
                add("cut", cut.to_der(), objects(group));
            }
        }
    }
    let anchors = stamping.authority.anchors().unwrap();
    let ours = |case: &Case, anchors: &Anchors| ers::verify(&case.record, &digests(&case.objects), anchors);
    for case in &cases {
        assert_eq!(ours(case, &anchors).is_ok(), case.name.ends_with("-good"), "{}", case.name);
    }
    let Some(verdicts) = bouncy_castle::judge(&stamping.certificate(), &cases) else { return };
    for case in &cases {
        let verdict = &verdicts[&case.name];
        assert_eq!(verdict == "accepted", case.name.ends_with("-good"), "{}: {verdict}", case.name);
    }
    assert_eq!(verdicts.values().filter(|verdict| *verdict == "accepted").count(), stages.len() * SIZES.len());
}
