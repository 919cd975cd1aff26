//! Identity documents: images and pages whole, cut and pathological; metadata that agree with one another or not.
//!
//! Invariant: nobody who exists: the person is the specimen that textbooks use.

use serde_json::{Value, json};

use super::Sample;
use crate::corpus::picture;
use crate::corpus::provider::Keys;
use crate::corpus::rng::Rng;
use crate::corpus::small;
use crate::error::Result;

/// What differs from a coherent front side: file name, and the fields changed (null: taken out).
fn variants() -> Vec<(&'static str, Value)> {
    vec![
        ("fronte.jpg", json!({})),
        ("retro.jpg", json!({ "side": "back" })),
        ("codice-errato.jpg", json!({ "tax_code": "RSSMRA80A01H501X" })),
        ("codice-omocodia.jpg", json!({ "tax_code": "RSSMRA80A01H50MM" })),
        ("codice-provvisorio.jpg", json!({ "tax_code": "00000000000" })),
        ("codice-di-altri.jpg", json!({ "surname": "Esempio", "forename": "Prova" })),
        ("codice-altra-data.jpg", json!({ "birth_date": "1981-01-01" })),
        ("codice-altro-sesso.jpg", json!({ "sex": "F" })),
        ("codice-altro-luogo.jpg", json!({ "birth_place_code": "F205" })),
        ("scaduto.jpg", json!({ "expires_on": "2026-01-01" })),
        ("scade-prima-del-rilascio.jpg", json!({ "expires_on": "2019-01-01" })),
        ("rilasciato-dopo.jpg", json!({ "issued_on": "2026-11-21" })),
        ("carta-di-carta.jpg", json!({ "document_number": "AA 1234567" })),
        ("numero-errato.jpg", json!({ "document_number": "123" })),
        ("passaporto.jpg", json!({ "document_kind": "passaporto", "document_number": "YA0000000" })),
        ("patente.jpg", json!({ "document_kind": "patente", "document_number": "U1ABC1234X" })),
        (
            "straniero.jpg",
            json!({ "document_kind": "passaporto", "document_number": "12AB", "country": "FRA", "tax_code": null }),
        ),
        ("servizio-altro.jpg", json!({ "service": "other" })),
        ("servizio-altro-con-politica.jpg", json!({ "service": "other", "policy": "identity-20y" })),
        ("servizio-ignoto.jpg", json!({ "service": "altro" })),
        ("pratica-non-casuale.jpg", json!({ "practice": "RSSMRA80A01H501U" })),
    ]
}

fn coherent() -> serde_json::Map<String, Value> {
    let Value::Object(fields) = json!({
        "part": "identity-document", "practice": "6f1c0a5be2d94c31", "side": "front", "surname": "Rossi", "forename": "Mario",
        "tax_code": "RSSMRA80A01H501U", "birth_date": "1980-01-01", "sex": "M", "birth_place_code": "H501",
        "document_kind": "carta-identita", "document_number": "CA00000AA", "issuer": "Comune di Esempio",
        "issued_on": "2020-05-01", "expires_on": "2030-01-01", "identified_at": "2026-11-20T09:00:00Z", "service": "fea",
    }) else {
        return serde_json::Map::new();
    };
    fields
}

/// The metadata a document of the matrix is deposited with.
pub(super) fn given(name: &str) -> serde_json::Map<String, Value> {
    let mut fields = coherent();
    if let Some((_, Value::Object(changes))) = variants().into_iter().find(|(known, _)| *known == name) {
        for (field, value) in changes {
            if value.is_null() {
                fields.shift_remove(&field);
            } else {
                fields.insert(field, value);
            }
        }
    }
    fields
}

/// Adds the identity documents.
pub(super) fn samples(keys: &mut Keys, all: &mut Vec<Sample>) -> Result<()> {
    let mut add =
        |name: &str, bytes: Vec<u8>| all.push(Sample { class: "identity-document", name: name.to_owned(), bytes });
    let (jpeg, ..) = picture::scan(&mut Rng::new(5), 1_500);
    for (name, _) in variants() {
        add(name, jpeg.clone());
    }
    add("scansione.png", small::png(37, 21, false));
    add("interlacciata.png", small::png(37, 21, true));
    add("scansione.tif", small::tiff(2));
    add("dichiarazione.pdf", small::pdf(2));
    add("dichiarazione-1.5.pdf", small::pdf_with_streams(2));
    add("dichiarazione.pdf.p7m", keys.sign_file(&small::pdf(1), "2026-11-20T09:30:00Z".parse().expect("an instant"))?);
    for (name, whole) in [
        ("troncata.jpg", jpeg.clone()),
        ("troncata.png", small::png(37, 21, false)),
        ("troncata.tif", small::tiff(2)),
        ("troncata.pdf", small::pdf(2)),
    ] {
        add(name, whole[..whole.len() * 2 / 3].to_vec());
    }
    let mut huge = jpeg;
    if let Some(frame) = huge.windows(2).position(|window| window == [0xff, 0xc0]) {
        huge[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    }
    add("65535x65535.jpg", huge);
    let pdf = small::pdf(1);
    let text = String::from_utf8_lossy(&pdf).into_owned();
    let start = text.rsplit("startxref\n").next().and_then(|rest| rest.lines().next()).unwrap_or("0").to_owned();
    let with = |entry: &str| {
        let at = pdf.windows(11).position(|window| window == b"trailer\n<< ").map_or(0, |at| at + 11);
        [&pdf[..at], entry.as_bytes(), b" ", &pdf[at..]].concat()
    };
    add("xref-in-cerchio.pdf", with(&format!("/Prev {start}")));
    add("cifrato.pdf", with("/Encrypt 9 0 R"));
    add("un-testo.jpg", b"non un'immagine\n".to_vec());
    Ok(())
}
