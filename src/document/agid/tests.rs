use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::document::class::Classes;
use crate::error::ControlOutcome;

struct Made {
    class: std::sync::Arc<Class>,
    metadata: Metadata,
    origins: Origins,
    findings: Vec<Finding>,
    controls: Vec<Control>,
    format: Format,
    holder: Holder,
    name: String,
    members: Vec<Tied>,
}

fn made(class: &str, metadata: serde_json::Value) -> Made {
    let serde_json::Value::Object(metadata) = metadata else { panic!("an object") };
    Made {
        class: Classes::standard().unwrap().latest(&class.parse().unwrap()).unwrap().clone(),
        origins: metadata.keys().map(|name| (name.clone(), Origin::Extracted)).collect(),
        metadata,
        findings: Vec::new(),
        controls: Vec::new(),
        format: Format { media_type: "application/xml".into(), extension: "xml".into() },
        holder: Holder {
            name: "Titolare Esempio".into(),
            codes: vec!["VATIT-00000000000".into()],
            addresses: vec!["titolare@pec.example.it".into()],
        },
        name: "documento.xml".into(),
        members: Vec::new(),
    }
}

impl Made {
    fn render(&self) -> Vec<u8> {
        self.render_with(&[], None)
    }

    fn render_with(&self, attachments: &[Tied], primary: Option<&Tied>) -> Vec<u8> {
        render(&AgidInput {
            class: &self.class,
            document: "0199c0de-0000-7000-8000-000000000001".parse().unwrap(),
            receipt: "0199c0de-0000-7000-8000-000000000002".parse().unwrap(),
            idempotency_key: Some("chiave \"1\" \\ \u{7}"),
            accepted_at: "2026-11-22T23:30:00.123Z".parse().unwrap(),
            name: &self.name,
            format: &self.format,
            digests: Digests::of(b"abc"),
            salt: [7; 16],
            metadata: &self.metadata,
            origins: &self.origins,
            findings: &self.findings,
            controls: &self.controls,
            holder: &self.holder,
            system: "gestionale di prova",
            attachments,
            primary,
            members: &self.members,
        })
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn what_is_rendered_is_read_back() {
    let hostile: String = ('\0'..'\u{a0}').chain(['\u{fffe}', '\u{ffff}', '😀', ']', ']', '>']).collect();
    let mut made = made(
        "generic",
        json!({ "subject": hostile, "deep": { "a": [1, 2.5, null, true, hostile] }, "note": "  \r\n " }),
    );
    made.metadata.insert(hostile.clone(), json!(hostile));
    made.origins.insert(hostile.clone(), Origin::Given);
    made.findings.push(Finding::warning(Code::MetadataUnknown, hostile.clone(), &hostile));
    made.controls.push(Control::of("metadata-schema", &made.findings));
    made.controls.push(Control::new("malware", ControlOutcome::NotActivated));
    made.name = hostile;
    let bytes = made.render();
    assert_eq!(bytes, made.render());
    let file = parse(&bytes).unwrap();
    assert_eq!(
        file,
        AgidFile {
            salt: [7; 16],
            class: "generic".parse().unwrap(),
            class_version: 1,
            document: "0199c0de-0000-7000-8000-000000000001".parse().unwrap(),
            receipt: "0199c0de-0000-7000-8000-000000000002".parse().unwrap(),
            idempotency_key: Some("chiave \"1\" \\ \u{7}".into()),
            accepted_at: "2026-11-22T23:30:00.123Z".parse::<Timestamp>().unwrap(),
            name: made.name.clone(),
            format: made.format.clone(),
            digests: Digests::of(b"abc"),
            metadata: made.metadata.clone(),
            origins: made.origins.clone().into_iter().collect(),
            findings: made.findings.clone(),
            controls: made.controls.clone(),
        }
    );
}

#[test]
fn damaged_files_are_errors() {
    let bytes = made("invoice", json!({ "number": "1", "total": "2.00" })).render();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x15;
        let _ = parse(&flipped);
        let cut = parse(&bytes[..at]);
        assert!(cut.is_err() || bytes[at..].trim_ascii().is_empty(), "cut at {at}");
    }
}

/// The elements of Allegato 5 in their order.
fn in_order(xml: &str, elements: &[&str]) {
    let mut from = 0;
    for element in elements {
        let found =
            xml[from..].find(&format!("<{element}>")).unwrap_or_else(|| panic!("{element} missing or out of order"));
        from += found + 1;
    }
}

#[test]
fn an_invoice_in_the_words_of_allegato_5() {
    let metadata = json!({ "document_type": "TD04", "number": "12/A", "date": "2026-03-09", "seller_name": "Fornitore & C.",
        "seller_vat": "IT00000000000", "buyer_surname": "Cliente", "buyer_forename": "Esempio", "buyer_tax_code": "X", "cig": ["C1", "C1"], "signed": true });
    let mut made = made("invoice", metadata);
    let tied = Tied {
        id: "0199c0de-0000-7000-8000-000000000003".parse().unwrap(),
        sha256: Sha256::of(b"abc"),
        description: "Ricevuta di consegna SdI".into(),
    };
    let xml = text(&made.render_with(std::slice::from_ref(&tied), Some(&tied)));
    in_order(
        &xml,
        &[
            "Sale",
            "IdDoc",
            "ImprontaCrittograficaDelDocumento",
            "Impronta",
            "Algoritmo",
            "Identificativo",
            "ModalitaDiFormazione",
            "TipologiaDocumentale",
            "DatiDiRegistrazione",
            "TipologiaDiFlusso",
            "TipoRegistro",
            "Nessuno",
            "Soggetti",
            "Ruolo",
            "ChiaveDescrittiva",
            "Oggetto",
            "ParoleChiave",
            "Allegati",
            "NumeroAllegati",
            "IndiceAllegati",
            "Riservato",
            "IdentificativoDelFormato",
            "Formato",
            "Verifica",
            "FirmatoDigitalmente",
            "SigillatoElettronicamente",
            "MarcaturaTemporale",
            "ConformitaCopieImmagineSuSupportoInformatico",
            "IdIdentificativoDocumentoPrimario",
            "NomeDelDocumento",
            "VersioneDelDocumento",
            "TempoDiConservazione",
        ],
    );
    for wanted in [
        "<DocumentoInformatico xmlns=\"\">",
        "<Impronta>ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=</Impronta>",
        "<Oggetto>Nota di credito n. 12/A del 2026-03-09</Oggetto>",
        "<TipologiaDiFlusso>U</TipologiaDiFlusso>",
        "<ModalitaDiFormazione>creazione tramite",
        "<DataDocumento>2026-03-09</DataDocumento>\n          <NumeroDocumento>12/A</NumeroDocumento>",
        "<DenominazioneOrganizzazione>Fornitore &amp; C.</DenominazioneOrganizzazione>",
        "<Cognome>Cliente</Cognome>",
        "<FirmatoDigitalmente>true</FirmatoDigitalmente>",
        "<NumeroAllegati>1</NumeroAllegati>",
    ] {
        assert!(xml.contains(wanted), "{wanted}\n{xml}");
    }
    assert_eq!(xml.matches("<ParoleChiave>").count(), 1);
    // A self-invoice: the buyer's block names the holder, who issues it.
    made.metadata.insert("document_type".into(), json!("TD17"));
    assert!(text(&made.render()).contains("<TipologiaDiFlusso>E</TipologiaDiFlusso>"));
}

#[test]
fn a_receipt_about_what_the_holder_sent_comes_in() {
    let metadata = json!({ "kind": "avvenuta-consegna", "sender": "Titolare@pec.example.it", "instant": "2026-06-30T22:30:00.000Z",
        "recipients": ["a@example.it", "b@example.it"], "identifier": "opec1@example.it", "subject": "Diffida" });
    let mut made = made("pec-message", metadata);
    let xml = text(&made.render());
    for wanted in [
        "<TipologiaDocumentale>Ricevuta PEC di avvenuta consegna</TipologiaDocumentale>",
        "<TipologiaDiFlusso>E</TipologiaDiFlusso>",
        "<DataDocumento>2026-07-01</DataDocumento>",
        "<OraDocumento>00:30:00+02:00</OraDocumento>",
        "<NumeroDocumento>opec1@example.it</NumeroDocumento>",
        "<IndirizziDigitaliDiRiferimento>b@example.it</IndirizziDigitaliDiRiferimento>",
    ] {
        assert!(xml.contains(wanted), "{wanted}\n{xml}");
    }
    made.metadata.insert("kind".into(), json!("posta-certificata"));
    assert!(text(&made.render()).contains("<TipologiaDiFlusso>U</TipologiaDiFlusso>"));
}

#[test]
fn logs_and_identity_documents() {
    let xml =
        text(&made("pec-log", json!({ "provider": "Gestore Esempio", "day": "2026-01-31", "sequence": 3 })).render());
    for wanted in [
        "<Repertorio_Registro>",
        "<TipoRegistro>Repertorio\\Registro</TipoRegistro>",
        "<NumeroRegistrazioneDocumento>3</NumeroRegistrazioneDocumento>",
        "<CodiceRegistro>pec-log</CodiceRegistro>",
        "<Oggetto>Log PEC del 2026-01-31</Oggetto>",
        "<TempoDiConservazione>3</TempoDiConservazione>",
        "<TipologiaDiFlusso>I</TipologiaDiFlusso>",
    ] {
        assert!(xml.contains(wanted), "{wanted}\n{xml}");
    }
    let metadata = json!({ "part": "acceptance-declaration", "practice": "P-1", "surname": "Esempio", "forename": "Persona", "conforming_copy": true });
    let xml = text(&made("identity-document", metadata).render());
    for wanted in [
        "<Oggetto>Dichiarazione di accettazione</Oggetto>",
        "<Riservato>true</Riservato>",
        "<Cognome>Esempio</Cognome>",
        "<ConformitaCopieImmagineSuSupportoInformatico>true<",
        // Nothing says when: the acceptance, in legal time.
        "<DataDocumento>2026-11-23</DataDocumento>",
    ] {
        assert!(xml.contains(wanted), "{wanted}\n{xml}");
    }
}

#[test]
fn every_class_renders_without_any_metadata() {
    let classes = Classes::standard().unwrap();
    for class in classes.iter() {
        let xml = text(&made(class.id.as_str(), json!({})).render());
        assert_eq!(parse(xml.as_bytes()).unwrap().class, class.id);
    }
}

#[test]
fn an_aggregation_is_agids_too_in_its_order() {
    let mut one = made(
        "aggregation",
        json!({
            "aggregation": "fascicolo/2026-001", "kind": "fascicolo", "file_type": "attivita", "subject": "Contratto <1>",
            "keywords": ["contratto"], "opened_on": "2026-01-10", "closed_on": "2026-11-20", "classification": "1.2", "number": "7",
            "version": 2, "members": ["0199c0de-0000-7000-8000-00000000000a"], "parent": "serie-di-fascicoli/2026",
            "position": "Stanza 1", "note": "Nota",
            "parties": [{"role": "SoggettoIntestatarioPersonaFisica", "name": "Esempio Persona", "code": "XXXXXX00X00X000X"},
                        {"role": "Assegnatario", "name": "Ufficio Esempio"}],
        }),
    );
    let sha256 = Sha256::of(b"membro");
    one.members =
        vec![Tied { id: "0199c0de-0000-7000-8000-00000000000a".parse().unwrap(), sha256, description: String::new() }];
    let xml = text(&one.render());
    let agg = &xml[xml.find("<AggregazioneDocumentaliInformatiche xmlns=\"\">").unwrap()..];
    let agg = &agg[..agg.find("</AggregazioneDocumentaliInformatiche>").unwrap()];
    let mut at = 0;
    for wanted in [
        "<TipoAggregazione>Fascicolo</TipoAggregazione>",
        "<IdAggregazione>2026-001</IdAggregazione>",
        "<TipologiaFascicolo>Attività</TipologiaFascicolo>",
        "<TipoRuolo>Soggetto Intestatario Persona Fisica</TipoRuolo>",
        "<Cognome>Esempio Persona</Cognome>",
        "<TipoRuolo>Assegnatario</TipoRuolo>",
        "<DataApertura>2026-01-10</DataApertura>",
        "<IndiceDiClassificazione>1.2</IndiceDiClassificazione>",
        "<Progressivo>7</Progressivo>",
        "<Oggetto>Contratto &lt;1&gt;</Oggetto>",
        "<ParoleChiave>contratto</ParoleChiave>",
        "<DataChiusura>2026-11-20</DataChiusura>",
        "<IndiceDocumenti>",
        &base64::Engine::encode(&base64::engine::general_purpose::STANDARD, sha256.as_bytes()),
        "<Identificativo>urn:uuid:0199c0de-0000-7000-8000-00000000000a</Identificativo>",
        "<PosizioneFisicaAggregazioneDocumentale>Stanza 1</PosizioneFisicaAggregazioneDocumentale>",
        "<IdAggPrimario>",
        "<TipoAggregazione>Serie di Fascicoli</TipoAggregazione>",
        "<TempoDiConservazione>10</TempoDiConservazione>",
        "<Note>Nota</Note>",
    ] {
        at += agg[at..].find(wanted).unwrap_or_else(|| panic!("{wanted} is not there in order\n{agg}"));
    }
    // It is made from the fields: what is read back is them.
    assert_eq!(parse(xml.as_bytes()).unwrap().metadata, one.metadata);
    let other = text(&made("generic", json!({})).render());
    assert!(!other.contains("AggregazioneDocumentaliInformatiche"));
    // Nobody is named: the holder's.
    let bare = text(&made("aggregation", json!({ "aggregation": "fascicolo/1", "kind": "fascicolo" })).render());
    assert!(bare.contains("<TipoRuolo>Amministrazione Titolare</TipoRuolo>") && !bare.contains("<IndiceDocumenti>"));
}
