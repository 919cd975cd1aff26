//! Receipts: the schema, the inverse, the note, the view.

use super::rdv::{SCHEMA, parse, render};
use super::*;
use crate::chain::note::{Signer, open_note};
use crate::document::Metadata;
use crate::error::{Code, Finding};
use crate::intake::manifest::tests::deposit;

fn facts(documents: usize) -> Facts {
    let deposit = deposit(documents);
    Facts {
        accepted_at: deposit.received_at,
        deposit,
        manifest_sha256: Sha256::of(b"manifest"),
        sequence: Sequence(1042),
        chain_size: 41,
        chain_root: Sha256::of(b"root"),
        engine: ENGINE.to_owned(),
        trial: true,
    }
}

/// The outside judge: nothing else would notice a wrong schema.
pub(in crate::intake) fn xmllint(xml: &[u8]) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let (schema, file) = (dir.path().join("rdv@1.xsd"), dir.path().join("file.xml"));
    std::fs::write(&schema, SCHEMA).unwrap();
    std::fs::write(&file, xml).unwrap();
    let output = std::process::Command::new("xmllint").args(["--noout", "--schema"]).arg(schema).arg(file).output();
    let output = output.expect("xmllint (libxml2-utils) is needed to run the tests");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn every_rdv_is_valid_against_its_schema_and_a_wrong_one_is_not() {
    if !crate::judges::present(&["xmllint"]) {
        return;
    }
    let mut other = facts(3);
    other.trial = false;
    other.deposit.client_manifest_sha256 = Some(Sha256::of(b"client"));
    for facts in [facts(1), other] {
        let xml = render(&facts);
        xmllint(&xml).unwrap();
        let text = String::from_utf8(xml).unwrap();
        assert_eq!(text.contains(TRIAL), facts.trial);
        assert!(xmllint(text.replace("PRESA_IN_CARICO", "ALTRO").as_bytes()).is_err());
    }
}

#[test]
fn an_rdv_reads_back_and_a_changed_one_does_not() {
    let mut one = facts(2);
    one.deposit.client_manifest_sha256 = Some(Sha256::of(b"client"));
    for facts in [facts(1), one] {
        let xml = render(&facts);
        assert_eq!(parse(&xml).unwrap(), facts);
        assert_eq!(render(&parse(&xml).unwrap()), xml);
        for at in 0..xml.len() {
            let mut flipped = xml.clone();
            flipped[at] ^= 1;
            assert!(parse(&flipped).map_or(true, |other| other != facts), "byte {at}");
        }
        for at in (0..xml.len()).step_by(7) {
            assert!(parse(&xml[..at]).is_err());
        }
    }
    assert!(parse(b"<!DOCTYPE x [<!ENTITY a \"b\">]><x>&a;</x>").is_err());
    assert!(parse("<a>".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn a_place_that_xml_cannot_hold_is_made_such_that_it_can() {
    if !crate::judges::present(&["xmllint"]) {
        return;
    }
    let mut facts = facts(1);
    facts.deposit.controls[0].place = "a\0b\u{ffff}\u{1b}c".to_owned();
    xmllint(&render(&facts)).unwrap();
    assert!(parse(&render(&facts)).unwrap() != facts);
    rdv::holdable_controls(&mut facts.deposit.controls);
    assert_eq!(parse(&render(&facts)).unwrap(), facts);
}

#[test]
fn the_note_is_of_this_receipt_only() {
    let facts = facts(1);
    let rdv = render(&facts);
    let signer = Signer::for_name(&origin("archivio.example"), &[7; 32]).unwrap();
    let text = note_text(signer.name(), &facts, &rdv);
    assert_eq!(text.lines().count(), 9);
    assert!(text.starts_with("archivio.example/receipt\n"));
    let note = signer.sign_note(&text).unwrap();
    assert!(open_note(&note, &[signer.verifier()]).is_ok());
    check_note(&text, signer.name(), &facts, &rdv).unwrap();
    let said = NoteFacts::parse(&text).unwrap();
    assert_eq!((said.receipt, said.sequence), (facts.deposit.receipt, Sequence(1042)));
    assert_eq!((said.rdv_sha256, said.deposit_sha256), (Sha256::of(&rdv), facts.manifest_sha256));
    assert_eq!((said.chain_size, said.chain_root, said.accepted_at), (41, facts.chain_root, facts.accepted_at));
    let mut other = facts.clone();
    other.sequence = Sequence(1043);
    assert_eq!(check_note(&text, signer.name(), &other, &rdv).unwrap_err().code, Code::SignatureInvalid);
    for cut in 0..text.len() {
        assert!(NoteFacts::parse(&text[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn the_view_has_the_fields_of_the_contract_in_their_order() {
    let facts = facts(1);
    let metadata: Metadata = serde_json::from_str(r#"{"kind":"posta-certificata"}"#).unwrap();
    let findings = [Finding::warning(Code::SignatureWeak, "smime.p7s", "")];
    let shown = [Shown { name: "busta.eml", metadata: &metadata, findings: &findings }];
    let view = view(&facts, Sha256::of(b"rdv"), "note", Some("k-1"), &shown);
    let keys: Vec<&str> = view.as_object().unwrap().keys().map(String::as_str).collect();
    let due = "receipt lane sequence status accepted_at class class_version holder producer idempotency_key deposit documents \
               controls chain rdv_sha256 note notice";
    assert_eq!(keys, due.split(' ').collect::<Vec<_>>());
    assert_eq!(view["accepted_at"], "2026-11-22T10:00:00.123Z");
    let document = &view["documents"][0];
    assert_eq!((&document["name"], &document["format"]), (&"busta.eml".into(), &"message/rfc822".into()));
    assert_eq!(document["metadata"]["kind"], "posta-certificata");
    assert_eq!(document["findings"][0]["code"], "signature/weak-digest");
    assert_eq!(view["chain"]["size"], 41);
}
