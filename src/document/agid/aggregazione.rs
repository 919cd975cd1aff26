//! AgID Allegato 5, `AggregazioneDocumentaliInformatiche` (AGG): element order and obligation as in `reference/metadata` section 6,
//! from the fields that the reader of aggregations extracts.
//!
//! Nothing is guessed: what the aggregation does not say is left out, also where AGG wants it (its reader has told that as a finding).
//! The index of documents has every member that was held when this version was accepted, with its digest; a member that was not
//! held then has no digest to write, and stands in the fields alone.

use serde_json::Value;

use super::AgidInput;
use super::informatico::{id_doc, organisation_in, person_in};
use crate::document::markup::Writer;
use crate::document::reader::aggregation;

/// The name of the element, which [`super::parse`] passes over.
pub(super) const ELEMENT: &str = "AggregazioneDocumentaliInformatiche";

/// TipologiaFascicolo, and the words it is deposited with.
const FILE_TYPES: [(&str, &str); 5] = [
    ("affare", "Affare"),
    ("attivita", "Attività"),
    ("persona-fisica", "Persona Fisica"),
    ("persona-giuridica", "Persona Giuridica"),
    ("procedimento-amministrativo", "Procedimento Amministrativo"),
];

/// Roles with the text of their TipoRuolo.
const ROLES: [(&str, &str); 6] = [
    ("AmministrazioneTitolare", "Amministrazione Titolare"),
    ("AmministrazionePartecipante", "Amministrazione Partecipante"),
    ("SoggettoIntestatarioPersonaFisica", "Soggetto Intestatario Persona Fisica"),
    ("SoggettoIntestatarioPersonaGiuridica", "Soggetto Intestatario Persona Giuridica"),
    ("RUP", "RUP"),
    ("Assegnatario", "Assegnatario"),
];

pub(super) fn write(xml: &mut Writer, input: &AgidInput) {
    let text = |field: &str| input.metadata.get(field).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let leaf = |xml: &mut Writer, element: &str, field: &str| {
        if let Some(text) = text(field) {
            xml.leaf(element, text);
        }
    };
    xml.open(ELEMENT, &[("xmlns", "")]);
    id_agg(xml, "IdAgg", text("aggregation").unwrap_or_default());
    let file_type = FILE_TYPES.into_iter().find(|(word, _)| text("file_type") == Some(word));
    if let Some((_, agid)) = file_type.filter(|_| text("kind") == Some("fascicolo")) {
        xml.leaf("TipologiaFascicolo", agid);
    }
    parties(xml, input);
    leaf(xml, "DataApertura", "opened_on");
    if let Some(classification) = text("classification") {
        xml.open("Classificazione", &[]);
        xml.leaf("IndiceDiClassificazione", classification);
        xml.close("Classificazione");
    }
    leaf(xml, "Progressivo", "number");
    xml.open("ChiaveDescrittiva", &[]);
    leaf(xml, "Oggetto", "subject");
    for keyword in list(input, "keywords").filter_map(Value::as_str).take(super::informatico::MAX_KEYWORDS) {
        xml.leaf("ParoleChiave", keyword);
    }
    xml.close("ChiaveDescrittiva");
    leaf(xml, "DataChiusura", "closed_on");
    if !input.members.is_empty() {
        xml.open("IndiceDocumenti", &[]);
        for member in input.members {
            id_doc(xml, "IdDoc", member.id, member.sha256);
        }
        xml.close("IndiceDocumenti");
    }
    leaf(xml, "PosizioneFisicaAggregazioneDocumentale", "position");
    if let Some(parent) = text("parent") {
        id_agg(xml, "IdAggPrimario", parent);
    }
    xml.leaf("TempoDiConservazione", &input.class.agid.anni.to_string());
    leaf(xml, "Note", "note");
    xml.close(ELEMENT);
}

fn list<'a>(input: &'a AgidInput, field: &str) -> impl Iterator<Item = &'a Value> {
    input.metadata.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn id_agg(xml: &mut Writer, element: &str, text: &str) {
    let (kind, id) = aggregation::pair(text);
    xml.open(element, &[]);
    xml.leaf("TipoAggregazione", kind);
    xml.leaf("IdAggregazione", id);
    xml.close(element);
}

/// The parties that the aggregation names; without any, the holder, whose aggregation it is.
fn parties(xml: &mut Writer, input: &AgidInput) {
    xml.open("Soggetti", &[]);
    let mut none = true;
    for party in list(input, "parties") {
        let text = |field: &str| party.get(field).and_then(Value::as_str).unwrap_or_default().trim();
        let Some(role) = ROLES.into_iter().find(|(role, _)| *role == text("role")) else { continue };
        let code = Some(text("code")).filter(|code| !code.is_empty());
        none = false;
        match role.0 {
            "SoggettoIntestatarioPersonaFisica" => person_in(xml, role, text("name"), code),
            _ => organisation_in(xml, role, text("name"), code),
        }
    }
    if none && !input.holder.name.is_empty() {
        let code = input.holder.codes.first().map(String::as_str);
        organisation_in(xml, ROLES[0], &input.holder.name, code);
    }
    xml.close("Soggetti");
}
