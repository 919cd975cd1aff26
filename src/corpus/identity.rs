//! The identity file of one subject: both sides of a specimen card, the acceptance declaration, the identification evidence.
//!
//! Invariant: every page says FAC-SIMILE; person, numbers and tax code are invented (see `names`).

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::item::{Facts, Item, Relation, facts};
use super::names::{self, Person};
use super::pdf::{self, Page};
use super::picture;
use super::rng::Rng;
use crate::clock::iso_ms;
use crate::hash::Sha256;

/// What is asked for, in words and in the class's code.
const SERVICES: [(&str, &str); 3] = [
    ("Casella PEC Esempio", "other"),
    ("Firma remota Esempio", "qualified-certificate"),
    ("Firma avanzata Esempio", "fea"),
];

pub(crate) fn file(mut rng: Rng, case: &str, at: Timestamp) -> Vec<Item> {
    let rng = &mut rng;
    let person = names::person(rng);
    let number = format!("CA{}FX", rng.digits(5));
    let subject = format!("SOGG-{:012X}", rng.draw() >> 16);
    let practice = format!("PRATICA-{:012X}", rng.draw() >> 16);
    let (service, code) = *rng.pick(&SERVICES);
    let issued = format!("{}-0{}-1{}", rng.between(2018, 2025), rng.between(1, 9), rng.between(0, 9));
    let front = picture::card(
        rng,
        "CARTA DI IDENTITA",
        &[
            format!("COGNOME: {}", person.family),
            format!("NOME: {}", person.given),
            format!("NATO: {}", person.born),
            "A: LUOGO ESEMPIO".to_owned(),
            format!("N. {number}"),
            format!("RILASCIO: {issued}"),
        ],
        true,
    );
    let back = picture::card(
        rng,
        "COMUNE DI ESEMPIO",
        &[
            format!("COD. FISCALE: {}", person.tax_code),
            "INDIRIZZO: VIA ESEMPIO 1".to_owned(),
            format!("C<ITA{number}<<<<<<<<<<"),
            format!("ESEMPIO<<{}<<<<<<", person.given.to_uppercase()),
        ],
        false,
    );
    let declaration = declaration(&person, &practice, &subject, service, at);
    let evidence = evidence(&person, &practice, &front, &back, at);

    let mut common = facts([
        ("practice", json!(practice)),
        ("surname", json!(person.family)),
        ("forename", json!(person.given)),
        ("tax_code", json!(person.tax_code)),
        ("birth_date", json!(person.born)),
        ("birth_place", json!("Luogo Esempio")),
        ("service", json!(code)),
        ("policy", json!("identity-20y")),
        ("identified_at", json!(iso_ms(at))),
        ("conditions_accepted_at", json!(iso_ms(at))),
        ("method", json!("operatore")),
        ("system", json!("Identificazione Esempio 1.0")),
    ]);
    let card = facts([
        ("document_kind", json!("carta-identita")),
        ("document_number", json!(number)),
        ("issuer", json!("Comune di Esempio")),
        ("issued_on", json!(issued)),
        ("conforming_copy", json!(true)),
    ]);
    if rng.chance(250) {
        common.insert(
            "ended_on".to_owned(),
            json!((at + SignedDuration::from_hours(24 * 700)).strftime("%F").to_string()),
        );
    }
    let first = format!("{case}-1-fronte.jpg");
    let item = |suffix: &str, part: &str, bytes: Vec<u8>, extra: &[&Facts], tie: Option<&'static str>| {
        let mut metadata = facts([("part", json!(part))]);
        for facts in [&common].into_iter().chain(extra.iter().copied()) {
            metadata.extend(facts.clone());
        }
        let media_type = if suffix.ends_with("jpg") { "image/jpeg" } else { "application/pdf" };
        Item {
            name: format!("{case}-{suffix}"),
            class: "identity-document",
            bytes,
            metadata,
            group: case.to_owned(),
            relations: tie.map(|kind| Relation { kind, name: first.clone() }).into_iter().collect(),
            expected: facts([("media_type", json!(media_type))]),
        }
    };
    let (front_side, back_side) = (facts([("side", json!("front"))]), facts([("side", json!("back"))]));
    vec![
        item("1-fronte.jpg", "identity-document", front, &[&card, &front_side], None),
        item("2-retro.jpg", "identity-document", back, &[&card, &back_side], Some("retro-di")),
        item("3-dichiarazione.pdf", "acceptance-declaration", declaration, &[], Some("allegato-a")),
        item("4-evidenza.pdf", "identification-evidence", evidence, &[], Some("allegato-a")),
    ]
}

fn declaration(person: &Person, practice: &str, subject: &str, service: &str, at: Timestamp) -> Vec<u8> {
    let lines = [
        "FAC-SIMILE - DOCUMENTO DI ESEMPIO SENZA VALORE".to_owned(),
        String::new(),
        "DICHIARAZIONE DI ACCETTAZIONE".to_owned(),
        String::new(),
        format!("Il sottoscritto {} {}, nato a Luogo Esempio il {},", person.given, person.family, person.born),
        format!("codice fiscale {} (campione), identificativo {subject},", person.tax_code),
        format!("richiede il servizio: {service}"),
        format!("e accetta le condizioni generali, pratica {practice}."),
        String::new(),
        "Dichiara inoltre di aver ricevuto l'informativa sul trattamento dei dati personali.".to_owned(),
        format!("Luogo Esempio, {}", at.strftime("%F")),
        String::new(),
        "Firma: ______________________".to_owned(),
    ];
    pdf::document("Dichiarazione di accettazione (fac-simile)", &[Page { lines: lines.to_vec(), scan: None }])
}

fn evidence(person: &Person, practice: &str, front: &[u8], back: &[u8], at: Timestamp) -> Vec<u8> {
    let lines = [
        "FAC-SIMILE - DOCUMENTO DI ESEMPIO SENZA VALORE".to_owned(),
        String::new(),
        "EVIDENZA DI IDENTIFICAZIONE".to_owned(),
        String::new(),
        format!("Pratica: {practice}"),
        format!("Persona identificata: {} {}", person.given, person.family),
        format!("Istante: {}", iso_ms(at)),
        "Operatore: Operatore Esempio. Modalità: riconoscimento di persona.".to_owned(),
        "Impronte SHA-256 delle immagini acquisite:".to_owned(),
        format!("fronte {}", Sha256::of(front)),
        format!("retro {}", Sha256::of(back)),
    ];
    pdf::document("Evidenza di identificazione (fac-simile)", &[Page { lines: lines.to_vec(), scan: None }])
}
