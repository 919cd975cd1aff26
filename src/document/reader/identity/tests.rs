use serde_json::json;

use super::*;
use crate::document::{Context, format};

fn look(bytes: &[u8], given: Value) -> Extraction {
    let body = Body::from(bytes.to_vec());
    let format = format::recognise(bytes, "x");
    let Value::Object(given) = given else { panic!("not an object") };
    IdentityReader
        .read(&Input { body: &body, name: "x", format: &format, given: &given, context: Context::test() })
        .unwrap()
}

fn places(given: Value) -> Vec<String> {
    look(&crate::corpus::jpeg(), given)
        .findings
        .into_iter()
        .map(|f| format!("{} {}", f.code.as_str(), f.place))
        .collect()
}

#[test]
fn a_coherent_document_says_nothing_and_has_its_size() {
    let given = json!({
        "part": "identity-document", "practice": "3f1c", "surname": "Rossi", "forename": "Mario", "tax_code": "RSSMRA80A01H501U",
        "birth_date": "1980-01-01", "sex": "M", "birth_place_code": "H501", "document_kind": "carta-identita",
        "document_number": "CA00000AA", "issuer": "Comune di Esempio", "issued_on": "2020-05-01", "expires_on": "2030-01-01",
        "identified_at": "2026-03-10T09:00:00Z", "service": "fea",
    });
    let found = look(&crate::corpus::jpeg(), given);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    assert_eq!((&found.fields["width"], &found.fields["height"]), (&json!(680), &json!(428)));
}

#[test]
fn each_contradiction_names_its_field() {
    for (given, expected) in [
        (json!({ "tax_code": "RSSMRA80A01H501X" }), "identity/field metadata/tax_code"),
        (json!({ "tax_code": "RSSMRA80A01H501U", "surname": "Verdi" }), "identity/field metadata/surname"),
        (json!({ "issued_on": "2020-01-01", "expires_on": "2019-01-01" }), "identity/field metadata/expires_on"),
        (
            json!({ "expires_on": "2026-03-09", "identified_at": "2026-03-10T09:00:00Z" }),
            "identity/expired metadata/expires_on",
        ),
        (
            json!({ "issued_on": "2026-03-11", "identified_at": "2026-03-10T09:00:00Z" }),
            "identity/field metadata/issued_on",
        ),
        (json!({ "birth_date": "2021-01-01", "issued_on": "2020-01-01" }), "identity/field metadata/birth_date"),
        (json!({ "birth_date": "1800-01-01" }), "identity/field metadata/birth_date"),
        (json!({ "document_kind": "passaporto", "document_number": "12" }), "identity/field metadata/document_number"),
        (json!({ "service": "other" }), "identity/missing metadata/policy"),
        (json!({ "practice": "RSSMRA80A01H501U" }), "identity/field metadata/practice"),
    ] {
        assert_eq!(places(given.clone()), [expected], "{given}");
    }
    for fine in [
        json!({ "tax_code": "00000000000", "surname": "Verdi" }),
        json!({ "document_kind": "passaporto", "document_number": "12", "country": "FRA" }),
        json!({ "service": "other", "policy": "identity-20y" }),
        json!({ "expires_on": "2026-03-10", "identified_at": "2026-03-10T22:30:00Z" }),
    ] {
        assert_eq!(places(fine.clone()), [""; 0], "{fine}");
    }
}

#[test]
fn what_is_inside_a_signature_is_looked_at() {
    let signed = super::super::samples::signed(&crate::corpus::pdf(2));
    let found = look(&signed, json!({}));
    assert_eq!((&found.fields["pages"], found.signatures.len()), (&json!(2), 1), "{:?}", found.findings);
    let jpeg = crate::corpus::jpeg();
    let cut = look(&jpeg[..jpeg.len() / 2], json!({}));
    assert_eq!(cut.findings[0].code, Code::LegibleDamaged);
}

#[test]
fn a_file_is_complete_with_both_sides_and_its_declaration() {
    let parts = |list: &[(&str, Option<&str>)]| {
        let mut parts = Parts::default();
        list.iter().for_each(|(part, side)| parts.note(Some(part), *side));
        parts.missing()
    };
    let copy = "identity-document";
    assert_eq!(parts(&[(copy, Some("front")), (copy, Some("back")), ("acceptance-declaration", None)]), [""; 0]);
    assert_eq!(parts(&[(copy, None), ("acceptance-declaration", None)]), [""; 0]);
    assert_eq!(parts(&[(copy, Some("front"))]), ["back", "acceptance-declaration"]);
    assert_eq!(parts(&[("identification-evidence", None)]).len(), 3);
}
