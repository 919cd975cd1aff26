//! Refusals: counted, blocked, kept without names, found when altered.

use super::*;
use crate::chain::note::Signer;
use crate::chain::note::open_note;
use crate::error::ControlOutcome;
use crate::id::PersonId;
use crate::intake::receipt::tests::xmllint;

fn at() -> Timestamp {
    "2026-11-22T10:00:00.5Z".parse().unwrap()
}

fn object(text: &str) -> ObjectKey {
    ObjectKey::of(&ReplayKey::derive(b"secret"), "accordo-1", Some(text), &Sha256::ZERO)
}

fn refused(key: &str) -> Refused {
    let finding = Finding::error(Code::FormatNotAdmitted, "segreto.xml", "in segreto.xml <image/jpeg>");
    Refused {
        refusal: RefusalId::new(at()),
        refused_at: at(),
        received_at: at(),
        agreement: "accordo-1".into(),
        holder: "VATIT-01234567890".into(),
        producer: "prova".into(),
        depositor: Depositor { person: PersonId::new(at()), token: "t".into() },
        channel: Channel::Http,
        class: Some(("invoice".parse().unwrap(), 1)),
        bytes: 3,
        sha256: Sha256::of(b"abc"),
        object: object(key),
        controls: vec![Control::new("malware", ControlOutcome::NotActivated)],
        findings: vec![],
        documents: vec![RefusedItem {
            bytes: 3,
            sha256: Sha256::of(b"abc"),
            media_type: Some("image/jpeg".into()),
            controls: vec![Control::of("format-admitted", std::slice::from_ref(&finding))],
            findings: vec![finding],
        }],
        engine: "0.1.0".into(),
        trial: true,
    }
}

fn signer() -> Signer {
    Signer::for_name(&origin("archivio.example"), &[7; 32]).unwrap()
}

struct Place(tempfile::TempDir);

impl Place {
    fn open(&self) -> (RefusalLog, Vec<Finding>) {
        RefusalLog::open(&self.0.path().join("intake"), &self.0.path().join("quarantine")).unwrap()
    }

    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("intake/refusals-0001.jsonl")
    }

    fn verify(&self, chained: &[Head]) -> Vec<Finding> {
        verify(&self.0.path().join("intake"), chained).unwrap().findings
    }
}

fn place() -> Place {
    Place(tempfile::tempdir().unwrap())
}

#[test]
fn the_limit_blocks_one_object_until_a_manager_unblocks_it_also_after_reopening() {
    let place = place();
    let (mut log, _) = place.open();
    assert!(Limit::new(2).is_err());
    let limit = Limit::new(3).unwrap();
    let mut last = None;
    for attempt in 1..=3 {
        log.admit(&object("a")).unwrap();
        let refusal = log.refuse(refused("a"), limit, &signer()).unwrap();
        assert_eq!((refusal.attempt, refusal.blocks()), (attempt, attempt == 3));
        last = Some(refusal);
        log = place.open().0;
    }
    let last = last.unwrap();
    assert_eq!(log.admit(&object("a")).unwrap_err().code, Code::Blocked);
    log.admit(&object("b")).unwrap();
    let id = last.refused.refusal;
    assert_eq!(log.unblock(id, PersonId::new(at()), "  ", at()).unwrap_err().code, Code::Usage);
    let unknown = log.unblock(RefusalId::new(at()), PersonId::new(at()), "x", at());
    assert_eq!(unknown.unwrap_err().code, Code::NotFound);
    log.unblock(id, PersonId::new(at()), "corretto dal produttore", at()).unwrap();
    log.admit(&object("a")).unwrap();
    let (log, findings) = place.open();
    assert_eq!(findings, vec![]);
    log.admit(&object("a")).unwrap();
    assert_eq!(log.get(id).unwrap().unwrap(), last);
    assert_eq!(log.refuse(refused("a"), limit, &signer()).unwrap().attempt, 1);
    assert_eq!(log.head().lines, 5);
}

#[test]
fn the_answer_is_valid_signed_and_keeps_no_name() {
    if !crate::judges::present(&["xmllint"]) {
        return;
    }
    let place = place();
    let (log, _) = place.open();
    let refusal = log.refuse(refused("a").without_names(&["segreto.xml"]), Limit::default(), &signer()).unwrap();
    let xml = render(&refusal.refused, refusal.attempt, refusal.limit);
    xmllint(&xml).unwrap();
    let text = note_text(&origin("archivio.example"), &refusal.refused, &xml);
    assert!(refusal.note.starts_with(&text));
    open_note(&refusal.note, &[signer().verifier()]).unwrap();
    let view = view(&refusal);
    assert_eq!((&view["status"], &view["attempt"], &view["blocked"]), (&"refused".into(), &1.into(), &false.into()));
    assert_eq!(view["documents"][0]["findings"][0]["place"], "file 1");
    assert_eq!(view["documents"][0]["controls"][0]["outcome"], "negative");
    let kept = std::fs::read_to_string(place.file()).unwrap();
    assert!(!kept.contains("segreto") && !String::from_utf8(xml).unwrap().contains("segreto"));
}

#[test]
fn one_flipped_byte_is_found_and_a_torn_last_line_is_set_aside() {
    let place = place();
    let (log, _) = place.open();
    for key in ["a", "b", "c"] {
        log.refuse(refused(key), Limit::default(), &signer()).unwrap();
    }
    let head = log.head();
    drop(log);
    assert_eq!(place.verify(&[head]), vec![]);
    let whole = std::fs::read(place.file()).unwrap();
    for at in (0..whole.len()).step_by(5) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x01;
        std::fs::write(place.file(), flipped).unwrap();
        assert!(place.verify(&[]).iter().any(|f| f.place.contains("refusals-0001.jsonl at byte")), "byte {at}");
    }
    let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
    std::fs::write(place.file(), [&whole[..ends[0]], &whole[ends[1]..]].concat()).unwrap();
    let opened = RefusalLog::open(&place.0.path().join("intake"), &place.0.path().join("quarantine"));
    assert_eq!(opened.err().unwrap().code, Code::JournalDamaged, "a line is missing");
    std::fs::write(place.file(), &whole[..ends[1]]).unwrap();
    assert_eq!(place.verify(&[head]).len(), 1, "the chain knows of more");
    std::fs::write(place.file(), &whole[..ends[2] - 5]).unwrap();
    let (log, findings) = place.open();
    assert_eq!(
        (findings[0].code, log.head().lines),
        (Code::JournalTail, 3),
        "two, and the opening line of a fresh file"
    );
    assert_eq!(place.verify(&[]), vec![], "what was set aside is settled before anything else is refused");
    let quarantined = std::fs::read_dir(place.0.path().join("quarantine")).unwrap().next().unwrap().unwrap().path();
    assert!(std::fs::read(quarantined).unwrap() == whole[ends[1]..ends[2] - 5]);
    let fourth = log.refuse(refused("d"), Limit::default(), &signer()).unwrap();
    drop(log);
    assert_eq!(place.verify(&[]), vec![]);
    // What was set aside counts for nothing, even when the disk gives the whole line back after all.
    std::fs::write(place.file(), &whole).unwrap();
    assert_eq!(place.verify(&[]), vec![]);
    let (log, findings) = place.open();
    assert_eq!((findings, log.head().lines), (vec![], 4), "two, the opening line of the fresh file, and one");
    assert_eq!(log.get(fourth.refused.refusal).unwrap().unwrap(), fourth);
}

#[test]
fn names_of_thousands_of_files_are_taken_out_in_one_pass() {
    let names: Vec<String> = (0..3000).map(|n| format!("allegato riservato {n} {}.pdf", "x".repeat(150))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut one = refused("a");
    let texts = |n: usize| format!("{} and {}", names[n], names[(n * 7) % names.len()]);
    one.findings = (0..names.len()).map(|n| Finding::error(Code::NameInvalid, texts(n), texts(n))).collect();
    let started = std::time::Instant::now();
    let clean = one.without_names(&names);
    assert_eq!(clean.findings[12].place, "file 13 and file 85");
    assert!(clean.findings.iter().all(|f| !f.place.contains("riservato") && !f.message.contains("riservato")));
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    // A name inside another one does not leave the other's rest.
    let mut nested = refused("a");
    nested.findings = vec![Finding::error(Code::NameInvalid, "rossi.pdf, rossi.pdf.p7m", "x")];
    assert_eq!(nested.without_names(&["rossi.pdf", "rossi.pdf.p7m"]).findings[0].place, "file 1, file 2");
}
