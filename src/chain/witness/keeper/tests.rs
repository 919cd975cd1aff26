//! What the standard asks of a witness, line by line.

use super::*;
use crate::chain::merkle::{Tree, leaf};
use crate::chain::note::Signer;
use crate::clock::ManualClock;

const SEED: [u8; 32] = [7; 32];

struct Stage {
    folder: tempfile::TempDir,
    log: Signer,
    clock: Arc<ManualClock>,
    tree: Tree,
}

impl Stage {
    fn new() -> Self {
        let folder = crate::chain::testing::folder();
        create_key(folder.path(), "testimone.example/w1").unwrap();
        let mut tree = Tree::default();
        (0..40u8).for_each(|n| tree.push(leaf(&[n])));
        let clock = Arc::new(ManualClock::at("2026-11-22T10:00:00Z".parse().unwrap()));
        Self { folder, log: Signer::for_name("archivio.example", &SEED).unwrap(), clock, tree }
    }

    fn keeper(&self) -> Keeper {
        Keeper::open(self.folder.path(), &[self.log.verifier()], self.clock.clone()).unwrap()
    }

    fn note(&self, size: u64) -> String {
        let root = self.tree.root_at(size).unwrap();
        self.log.sign_note(&Checkpoint { origin: "archivio.example".into(), size, root }.text()).unwrap()
    }

    fn request(&self, old: u64, size: u64) -> AddCheckpoint {
        AddCheckpoint { old, proof: self.tree.consistency(old, size).unwrap(), checkpoint: self.note(size) }
    }
}

fn ask(keeper: &Keeper, request: &AddCheckpoint) -> Result<Answer> {
    keeper.add_checkpoint(request.render().as_bytes())
}

#[track_caller]
fn refused(keeper: &Keeper, request: &AddCheckpoint, code: Code) {
    assert_eq!(ask(keeper, request).unwrap_err().code, code);
}

#[test]
fn it_cosigns_what_continues_and_remembers_it_after_a_stop() {
    let stage = Stage::new();
    let keeper = stage.keeper();
    let address = Sha256::of(b"archivio.example").to_string();
    assert_eq!(keeper.checkpoint(&address).unwrap_err().code, Code::WitnessLog, "nothing seen yet");
    let mut old = 0;
    for size in [3, 4, 4, 11, 40] {
        let Answer::Cosigned(line) = ask(&keeper, &stage.request(old, size)).unwrap() else { panic!("{size}") };
        let whole = format!("{}{line}", stage.note(size));
        let note = open_note(&whole, &[keeper.verifier()]).unwrap();
        assert_eq!(note.signed_by[0].time, Some(1_795_341_600));
        assert_eq!(keeper.checkpoint(&address).unwrap(), whole);
        old = size;
    }
    drop(keeper);
    // Stepping back changes nothing of what was seen, nor when.
    stage.clock.advance_ms(-60_000);
    let keeper = stage.keeper();
    assert_eq!(ask(&keeper, &stage.request(0, 40)).unwrap(), Answer::OtherSize(40));
    let Answer::Cosigned(line) = ask(&keeper, &stage.request(40, 40)).unwrap() else { panic!() };
    let note = open_note(&format!("{}{line}", stage.note(40)), &[keeper.verifier()]).unwrap();
    assert_eq!(note.signed_by[0].time, Some(1_795_341_600));
}

#[test]
fn each_wrong_request_has_its_answer_and_changes_nothing() {
    let stage = Stage::new();
    let keeper = stage.keeper();
    // First contact: no proof, and an empty log has the empty root.
    let first = stage.request(0, 9);
    refused(&keeper, &AddCheckpoint { proof: vec![Sha256::ZERO], ..first.clone() }, Code::WitnessInconsistent);
    let nothing = Checkpoint { origin: "archivio.example".into(), size: 0, root: Sha256::ZERO };
    let nothing = AddCheckpoint { checkpoint: stage.log.sign_note(&nothing.text()).unwrap(), ..stage.request(0, 0) };
    refused(&keeper, &nothing, Code::WitnessInconsistent);
    assert!(matches!(ask(&keeper, &stage.request(0, 0)).unwrap(), Answer::Cosigned(_)));
    assert!(matches!(ask(&keeper, &first).unwrap(), Answer::Cosigned(_)));

    assert_eq!(ask(&keeper, &stage.request(4, 20)).unwrap(), Answer::OtherSize(9));
    assert_eq!(ask(&keeper, &stage.request(0, 20)).unwrap(), Answer::OtherSize(9));
    assert_eq!(ask(&keeper, &stage.request(2, 3)).unwrap(), Answer::OtherSize(9));
    refused(&keeper, &AddCheckpoint { old: 21, ..stage.request(9, 20) }, Code::WitnessRequest);
    let mut proof = stage.tree.consistency(9, 20).unwrap();
    proof.pop();
    refused(&keeper, &AddCheckpoint { proof, ..stage.request(9, 20) }, Code::WitnessInconsistent);
    refused(&keeper, &AddCheckpoint { proof: vec![Sha256::ZERO], ..stage.request(9, 9) }, Code::WitnessInconsistent);
    let other = Checkpoint { origin: "archivio.example".into(), size: 9, root: Sha256::of(b"another history") };
    let fork = AddCheckpoint { checkpoint: stage.log.sign_note(&other.text()).unwrap(), ..stage.request(9, 9) };
    refused(&keeper, &fork, Code::WitnessInconsistent);

    let text = parts(&stage.note(20)).unwrap().0.to_owned();
    let stranger = stage.log.renamed("altro.example").unwrap();
    let unknown = stranger.sign_note(&text.replace("archivio.example", "altro.example")).unwrap();
    refused(&keeper, &AddCheckpoint { checkpoint: unknown, ..stage.request(9, 20) }, Code::WitnessLog);
    let impostor = Signer::for_name("archivio.example", &[8; 32]).unwrap();
    let forged = AddCheckpoint { checkpoint: impostor.sign_note(&text).unwrap(), ..stage.request(9, 20) };
    refused(&keeper, &forged, Code::WitnessSignature);
    let bent = AddCheckpoint { checkpoint: stage.note(20).replace("\n20\n", "\n21\n"), ..stage.request(9, 20) };
    refused(&keeper, &bent, Code::WitnessSignature);
    refused(&keeper, &AddCheckpoint { checkpoint: "archivio.example\n".into(), ..first }, Code::WitnessRequest);

    let kept = keeper.checkpoint(&Sha256::of(b"archivio.example").to_string()).unwrap();
    assert!(kept.starts_with(&stage.note(9)));
    assert!(matches!(ask(&keeper, &stage.request(9, 20)).unwrap(), Answer::Cosigned(_)));
}

#[test]
fn of_many_requests_at_once_only_one_history_is_cosigned() {
    let stage = Stage::new();
    let keeper = stage.keeper();
    let roots: Vec<String> = (0..8u8)
        .map(|n| {
            let root = Sha256::of(&[n]);
            stage.log.sign_note(&Checkpoint { origin: "archivio.example".into(), size: 5, root }.text()).unwrap()
        })
        .collect();
    let cosigned = std::thread::scope(|scope| {
        let asked: Vec<_> = roots
            .iter()
            .map(|note| {
                let request = AddCheckpoint { old: 0, proof: vec![], checkpoint: note.clone() };
                let keeper = &keeper;
                scope.spawn(move || matches!(ask(keeper, &request), Ok(Answer::Cosigned(_))))
            })
            .collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).filter(|good| *good).count()
    });
    assert_eq!(cosigned, 1);
}

#[test]
fn a_witness_that_does_not_know_what_it_saw_does_not_start() {
    let stage = Stage::new();
    ask(&stage.keeper(), &stage.request(0, 9)).unwrap();
    let path = folder_of(stage.folder.path(), "archivio.example").join("checkpoint");
    let good = std::fs::read(&path).unwrap();
    let open = || Keeper::open(stage.folder.path(), &[stage.log.verifier()], stage.clock.clone());
    for at in [0, 20, good.len() / 2, good.len() - 5] {
        let mut bent = good.clone();
        bent[at] ^= 1;
        std::fs::write(&path, bent).unwrap();
        assert_eq!(open().unwrap_err().code, Code::WitnessDamaged, "byte {at}");
    }
    std::fs::write(&path, stage.note(3)).unwrap();
    assert_eq!(open().unwrap_err().code, Code::WitnessDamaged, "not cosigned by us");
    std::fs::write(&path, good).unwrap();
    let keeper = open().unwrap();
    assert_eq!(open().unwrap_err().code, Code::ArchiveLocked, "one process a folder");
    drop(keeper);
    assert_eq!(create_key(stage.folder.path(), "x").unwrap_err().code, Code::ArchiveExists);
}

#[test]
fn a_log_goes_on_under_its_next_key_and_never_back() {
    let stage = Stage::new();
    let next = Signer::for_name("archivio.example", &[8; 32]).unwrap();
    let (old_key, new_key) = (stage.log.verifier(), next.verifier());
    let open = |keys: &[&Verifier]| {
        let keys: Vec<Verifier> = keys.iter().map(|key| (*key).clone()).collect();
        Keeper::open(stage.folder.path(), &keys, stage.clock.clone())
    };
    let by_next = |old: u64, size: u64| {
        let text = parts(&stage.note(size)).unwrap().0.to_owned();
        AddCheckpoint { checkpoint: next.sign_note(&text).unwrap(), ..stage.request(old, size) }
    };
    assert_eq!(open(&[&old_key, &old_key]).unwrap_err().code, Code::Usage);
    let keeper = open(&[&old_key]).unwrap();
    assert!(matches!(ask(&keeper, &stage.request(0, 9)).unwrap(), Answer::Cosigned(_)));
    refused(&keeper, &by_next(9, 11), Code::WitnessSignature);
    // The first checkpoint of the new reign, which both signed, is good for who knows only the old key.
    let both = AddCheckpoint { checkpoint: next.countersign(&stage.note(10)).unwrap(), ..stage.request(9, 10) };
    assert!(matches!(ask(&keeper, &both).unwrap(), Answer::Cosigned(_)));
    drop(keeper);
    assert_eq!(open(&[&new_key]).unwrap_err().code, Code::WitnessDamaged, "what was kept is under the old key");
    let keeper = open(&[&old_key, &new_key]).unwrap();
    assert!(matches!(ask(&keeper, &by_next(10, 11)).unwrap(), Answer::Cosigned(_)));
    // Whoever has the old key goes on alone: no more, not even with a right proof, nor after a stop.
    refused(&keeper, &stage.request(11, 20), Code::WitnessSignature);
    drop(keeper);
    let keeper = open(&[&old_key, &new_key]).unwrap();
    refused(&keeper, &stage.request(11, 20), Code::WitnessSignature);
    let wrong = AddCheckpoint {
        checkpoint: stage.log.countersign(&by_next(11, 20).checkpoint.replace("\n20\n", "\n21\n")).unwrap(),
        ..by_next(11, 20)
    };
    refused(&keeper, &wrong, Code::WitnessSignature);
    assert!(matches!(ask(&keeper, &by_next(11, 20)).unwrap(), Answer::Cosigned(_)));
    drop(keeper);
    assert!(open(&[&new_key]).is_ok(), "from here on the old key is not needed");
}
