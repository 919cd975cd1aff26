//! AgID Allegato 5, `DocumentoInformatico`: element order, fixed texts and obligation as in `reference/metadata`
//! sections 1 to 4; what goes where is said by the class's fields (`x-custode` / `agid`), section 7.
//!
//! Nothing is guessed: an optional element without a source is left out; a compulsory one falls back on what the
//! archive itself knows (the acceptance instant, the document's identifier, the holder who registers).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use super::{AgidInput, Tied};
use crate::document::class::{date_of, legal_date};
use crate::document::markup::Writer;
use crate::document::reader::aggregation;
use crate::hash::Sha256;
use crate::id::DocumentId;

/// The schema allows so many keywords.
pub(super) const MAX_KEYWORDS: usize = 5;

/// `ModalitaDiFormazione`: enumeration values of a public schema, to the byte.
const FORMATION: [(&str, &str); 4] = [
    (
        "a",
        "creazione tramite utilizzo di strumenti software che assicurino la produzione di documenti nei formati previsti in allegato 2",
    ),
    (
        "b",
        "acquisizione di un documento informatico per via telematica o su supporto informatico, acquisizione della copia per immagine su supporto informatico di un documento analogico, acquisizione della copia informatica di un documento analogico",
    ),
    (
        "c",
        "memorizzazione su supporto informatico in formato digitale delle informazioni risultanti da transazioni o processi informatici o dalla presentazione telematica di dati attraverso moduli o formulari resi disponibili ad utente",
    ),
    (
        "d",
        "generazione o raggruppamento anche in via automatica di un insieme di dati o registrazioni, provenienti da una o più banche dati, anche appartenenti a più soggetti interoperanti, secondo una struttura logica predeterminata e memorizzata in forma statica",
    ),
];

const SINGLE: [&str; 11] = [
    "Aggregazione",
    "TipologiaDocumentale",
    "TipologiaDiFlusso",
    "DataDocumento",
    "NumeroDocumento",
    "CodiceRegistro",
    "Oggetto",
    "ParoleChiave",
    "Fascicolo",
    "Note",
    "Produttore/DenominazioneSistema",
];

const PARTS: [&str; 6] =
    ["DenominazioneOrganizzazione", "Cognome", "Nome", "PartitaIva", "CodiceFiscale", "IndirizziDigitaliDiRiferimento"];

const VERIFIED: [&str; 4] = [
    "FirmatoDigitalmente",
    "SigillatoElettronicamente",
    "MarcaturaTemporale",
    "ConformitaCopieImmagineSuSupportoInformatico",
];

/// Whether a field may be mapped to this: one of the single elements, `Verifica/<boolean>`, or `<role>/<part>`.
pub(in crate::document) fn is_element(element: &str) -> bool {
    let pair = element.split_once('/');
    SINGLE.contains(&element)
        || pair.is_some_and(|(role, part)| match role {
            "Verifica" => VERIFIED.contains(&part),
            _ => ROLES.iter().any(|(known, _)| *known == role) && PARTS.contains(&part),
        })
}

/// Values by AgID element, as the class's fields say.
struct Mapped<'a> {
    input: &'a AgidInput<'a>,
    values: BTreeMap<&'a str, Vec<String>>,
}

impl<'a> Mapped<'a> {
    fn of(input: &'a AgidInput<'a>) -> Self {
        let mut values: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for field in &input.class.fields {
            let (Some(element), Some(value)) = (field.agid.as_deref(), input.metadata.get(&field.name)) else {
                continue;
            };
            let texts = texts_of(value).into_iter().map(|text| field.labels.get(&text).cloned().unwrap_or(text));
            values.entry(element).or_default().extend(texts.filter(|text| !text.trim().is_empty()));
        }
        Self { input, values }
    }

    fn all(&self, element: &str) -> &[String] {
        self.values.get(element).map_or(&[], Vec::as_slice)
    }

    fn first(&self, element: &str) -> Option<&str> {
        self.all(element).first().map(String::as_str)
    }

    fn role(&self, role: &str, part: &str) -> &[String] {
        self.all(&format!("{role}/{part}"))
    }

    fn truth(&self, element: &str) -> bool {
        self.first(&format!("Verifica/{element}")) == Some("true")
    }

    /// E, U or I: said by a field, else by which party is the holder, else by the class.
    fn flow(&self) -> &'a str {
        if let Some(said) =
            self.first("TipologiaDiFlusso").and_then(|said| ["E", "U", "I"].into_iter().find(|f| *f == said))
        {
            return said;
        }
        let class = &self.input.class.agid;
        let is_holder = |role| {
            let codes = self.role(role, "PartitaIva").iter().chain(self.role(role, "CodiceFiscale"));
            let mut codes = codes.map(|code| bare_code(code));
            let mut addresses = self.role(role, "IndirizziDigitaliDiRiferimento").iter();
            codes.any(|code| self.input.holder.codes.iter().any(|own| bare_code(own) == code))
                || addresses
                    .any(|address| self.input.holder.addresses.iter().any(|own| own.eq_ignore_ascii_case(address)))
        };
        let swapped = class.flusso_scambiato.as_ref().is_some_and(|swap| {
            let value = self.input.metadata.get(&swap.field).and_then(Value::as_str);
            value.is_some_and(|value| swap.values.iter().any(|v| v == value))
        });
        match (is_holder("Mittente"), is_holder("Destinatario")) {
            (true, false) => {
                if swapped {
                    "E"
                } else {
                    "U"
                }
            }
            (false, true) => {
                if swapped {
                    "U"
                } else {
                    "E"
                }
            }
            _ => class.flusso.as_str(),
        }
    }
}

/// Values as text: strings, numbers, booleans, and lists of them.
fn texts_of(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Bool(truth) => vec![truth.to_string()],
        Value::Array(items) => {
            items.iter().flat_map(|item| if item.is_array() { Vec::new() } else { texts_of(item) }).collect()
        }
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

/// A tax code or VAT number without country and blanks.
fn bare_code(code: &str) -> String {
    let code = code.trim().to_ascii_uppercase();
    let code = code.strip_prefix("VATIT-").or_else(|| code.strip_prefix("TINIT-")).unwrap_or(&code);
    match code.strip_prefix("IT") {
        Some(digits) if digits.len() == 11 && digits.bytes().all(|b| b.is_ascii_digit()) => digits.to_owned(),
        _ => code.to_owned(),
    }
}

pub(super) fn write(xml: &mut Writer, input: &AgidInput) {
    let mapped = Mapped::of(input);
    let class = &input.class.agid;
    let kind = mapped.first("TipologiaDocumentale").unwrap_or(&class.tipologia).to_owned();
    let flow = mapped.flow();
    let outgoing = (flow == "U").then_some(class.formazione_uscita.as_deref()).flatten();
    let mode = outgoing.unwrap_or(&class.formazione);

    xml.open("DocumentoInformatico", &[("xmlns", "")]);
    id_doc(xml, "IdDoc", input.document, input.digests.sha256);
    let formation = FORMATION.iter().find(|(letter, _)| *letter == mode).map_or(FORMATION[1].1, |(_, text)| text);
    xml.leaf("ModalitaDiFormazione", formation);
    xml.leaf("TipologiaDocumentale", &kind);
    registration(xml, &mapped, flow);
    parties(xml, &mapped);
    xml.open("ChiaveDescrittiva", &[]);
    let fallback = || fill(&class.oggetto, &kind, input);
    xml.leaf("Oggetto", &mapped.first("Oggetto").map_or_else(fallback, str::to_owned));
    let mut keywords: Vec<&String> = Vec::new();
    for keyword in mapped.all("ParoleChiave") {
        if keywords.len() < MAX_KEYWORDS && !keywords.contains(&keyword) {
            keywords.push(keyword);
            xml.leaf("ParoleChiave", keyword);
        }
    }
    xml.close("ChiaveDescrittiva");
    attachments(xml, input.attachments);
    xml.leaf("Riservato", if class.riservato { "true" } else { "false" });
    xml.open("IdentificativoDelFormato", &[]);
    xml.leaf("Formato", &input.format.media_type);
    xml.close("IdentificativoDelFormato");
    xml.open("Verifica", &[]);
    // Presence of a signature, not its verdict.
    let enveloped = input.format.media_type.starts_with("application/pkcs7-");
    xml.leaf("FirmatoDigitalmente", truth(enveloped || mapped.truth("FirmatoDigitalmente")));
    xml.leaf("SigillatoElettronicamente", truth(mapped.truth("SigillatoElettronicamente")));
    xml.leaf("MarcaturaTemporale", truth(mapped.truth("MarcaturaTemporale")));
    let conforming = mode == "b" && mapped.truth("ConformitaCopieImmagineSuSupportoInformatico");
    xml.leaf("ConformitaCopieImmagineSuSupportoInformatico", truth(conforming));
    xml.close("Verifica");
    let files = mapped.all("Fascicolo").iter().map(|file| ("Fascicolo", file.as_str()));
    let aggregations = mapped.all("Aggregazione").iter().map(|text| aggregation::pair(text));
    let mut known: Vec<(&str, &str)> = Vec::new();
    for pair in files.chain(aggregations) {
        if !known.contains(&pair) {
            known.push(pair);
        }
    }
    if !known.is_empty() {
        xml.open("Agg", &[]);
        for (kind, id) in known {
            xml.open("TipoAgg", &[]);
            xml.leaf("TipoAggregazione", kind);
            xml.leaf("IdAggregazione", id);
            xml.close("TipoAgg");
        }
        xml.close("Agg");
    }
    if let Some(primary) = input.primary {
        id_doc(xml, "IdIdentificativoDocumentoPrimario", primary.id, primary.sha256);
    }
    xml.leaf("NomeDelDocumento", input.name);
    xml.leaf("VersioneDelDocumento", "1");
    xml.leaf("TempoDiConservazione", &class.anni.to_string());
    if let Some(note) = mapped.first("Note") {
        xml.leaf("Note", note);
    }
    xml.close("DocumentoInformatico");
}

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

pub(super) fn id_doc(xml: &mut Writer, element: &str, id: DocumentId, sha256: Sha256) {
    xml.open(element, &[]);
    xml.open("ImprontaCrittograficaDelDocumento", &[]);
    xml.leaf("Impronta", &STANDARD.encode(sha256.as_bytes()));
    xml.leaf("Algoritmo", "SHA-256");
    xml.close("ImprontaCrittograficaDelDocumento");
    xml.leaf("Identificativo", &format!("urn:uuid:{id}"));
    xml.close(element);
}

fn attachments(xml: &mut Writer, attachments: &[Tied]) {
    xml.open("Allegati", &[]);
    xml.leaf("NumeroAllegati", &attachments.len().to_string());
    for attachment in attachments {
        xml.open("IndiceAllegati", &[]);
        id_doc(xml, "IdDoc", attachment.id, attachment.sha256);
        xml.leaf("Descrizione", &attachment.description);
        xml.close("IndiceAllegati");
    }
    xml.close("Allegati");
}

fn registration(xml: &mut Writer, mapped: &Mapped, flow: &str) {
    let input = mapped.input;
    let (date, hour) = date_and_hour(mapped.first("DataDocumento"), input.accepted_at);
    let number = mapped.first("NumeroDocumento").map_or_else(|| input.document.to_string(), str::to_owned);
    let register = input.class.agid.registro == "Repertorio_Registro";
    xml.open("DatiDiRegistrazione", &[]);
    xml.leaf("TipologiaDiFlusso", flow);
    xml.open("TipoRegistro", &[]);
    let (element, fixed, names) = if register {
        let names = ["DataRegistrazioneDocumento", "OraRegistrazioneDocumento", "NumeroRegistrazioneDocumento"];
        ("Repertorio_Registro", "Repertorio\\Registro", names)
    } else {
        ("Nessuno", "Nessuno", ["DataDocumento", "OraDocumento", "NumeroDocumento"])
    };
    xml.open(element, &[]);
    xml.leaf("TipoRegistro", fixed);
    xml.leaf(names[0], &date.to_string());
    if let Some(hour) = hour {
        xml.leaf(names[1], &hour);
    }
    xml.leaf(names[2], &number);
    if register {
        xml.leaf("CodiceRegistro", mapped.first("CodiceRegistro").unwrap_or(input.class.id.as_str()));
    }
    xml.close(element);
    xml.close("TipoRegistro");
    xml.close("DatiDiRegistrazione");
}

/// The legal date and, when the source is an instant, the hour with its offset; the acceptance when there is no source.
fn date_and_hour(source: Option<&str>, accepted_at: Timestamp) -> (Date, Option<String>) {
    let hour = |instant: Timestamp| {
        let zone = TimeZone::get("Europe/Rome").unwrap_or(TimeZone::UTC);
        Some(instant.to_zoned(zone).strftime("%H:%M:%S%:z").to_string())
    };
    match source.map(|text| (text.parse::<Timestamp>(), date_of(&Value::String(text.to_owned())))) {
        Some((Ok(instant), _)) => (legal_date(instant), hour(instant)),
        Some((Err(_), Some(date))) => (date, None),
        _ => (legal_date(accepted_at), hour(accepted_at)),
    }
}

const ROLES: [(&str, &str); 5] = [
    ("Mittente", "Mittente"),
    ("Destinatario", "Destinatario"),
    ("Autore", "Autore"),
    ("Operatore", "Operatore"),
    ("Altro", "Altro"),
];

fn parties(xml: &mut Writer, mapped: &Mapped) {
    xml.open("Soggetti", &[]);
    let input = mapped.input;
    if !input.holder.name.is_empty() {
        let role = ("SoggettoCheEffettuaLaRegistrazione", "Soggetto Che Effettua La Registrazione");
        let code = input.holder.codes.first().map(|code| bare_code(code));
        organisation(xml, role, &input.holder.name, code.as_deref(), &[]);
    }
    for role in ROLES {
        party(xml, mapped, role);
    }
    let system = mapped.role("Produttore", "DenominazioneSistema").first().map_or(input.system, String::as_str);
    in_role(xml, ("Produttore", "Produttore"), |xml| {
        xml.open("SW", &[]);
        xml.leaf("DenominazioneSistema", system);
        xml.close("SW");
    });
    xml.close("Soggetti");
}

fn in_role(xml: &mut Writer, (element, text): (&str, &str), subject: impl FnOnce(&mut Writer)) {
    xml.open("Ruolo", &[]);
    xml.open(element, &[]);
    xml.leaf("TipoRuolo", text);
    subject(xml);
    xml.close(element);
    xml.close("Ruolo");
}

fn party(xml: &mut Writer, mapped: &Mapped, role: (&str, &str)) {
    let first = |part| mapped.role(role.0, part).first().map(String::as_str);
    let addresses = mapped.role(role.0, "IndirizziDigitaliDiRiferimento");
    let (vat, tax_code) = (first("PartitaIva"), first("CodiceFiscale"));
    if let (Some(surname), Some(forename)) = (first("Cognome"), first("Nome")) {
        in_role(xml, role, |xml| {
            xml.open("PF", &[]);
            xml.leaf("Cognome", surname);
            xml.leaf("Nome", forename);
            if let Some(code) = tax_code.or(vat) {
                xml.leaf("CodiceFiscale", code);
            }
            for address in addresses {
                xml.leaf("IndirizziDigitaliDiRiferimento", address);
            }
            xml.close("PF");
        });
    } else if role.0 == "Operatore" {
        // Only a person can be one, and a person has both names.
    } else if let Some(name) = first("DenominazioneOrganizzazione").or(vat).or(tax_code) {
        organisation(xml, role, name, vat.or(tax_code), addresses);
    } else {
        // Known by address only: each is a party of its own.
        for address in addresses {
            organisation(xml, role, address, None, std::slice::from_ref(address));
        }
    }
}

fn organisation(xml: &mut Writer, role: (&str, &str), name: &str, code: Option<&str>, addresses: &[String]) {
    in_role(xml, role, |xml| {
        xml.open("PG", &[]);
        xml.leaf("DenominazioneOrganizzazione", name);
        if let Some(code) = code {
            xml.leaf("CodiceFiscale_PartitaIva", code);
        }
        for address in addresses {
            xml.leaf("IndirizziDigitaliDiRiferimento", address);
        }
        xml.close("PG");
    });
}

/// A party of an aggregation that is an organisation.
pub(super) fn organisation_in(xml: &mut Writer, role: (&str, &str), name: &str, code: Option<&str>) {
    organisation(xml, role, name, code.map(bare_code).as_deref(), &[]);
}

/// A party of an aggregation that is a person. Its name was given as one text, and how it divides is nobody's to guess: the whole
/// stands where the surname does.
pub(super) fn person_in(xml: &mut Writer, role: (&str, &str), name: &str, code: Option<&str>) {
    in_role(xml, role, |xml| {
        xml.open("PF", &[]);
        xml.leaf("Cognome", name);
        if let Some(code) = code {
            xml.leaf("CodiceFiscale", &bare_code(code));
        }
        xml.close("PF");
    });
}

/// `{tipologia} n. {number} del {date}` with its fields; one that is absent leaves nothing.
fn fill(template: &str, kind: &str, input: &AgidInput) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        out.push_str(before);
        let value = input.metadata.get(name).map(texts_of).and_then(|texts| texts.into_iter().next());
        out.push_str(&if name == "tipologia" { kind.to_owned() } else { value.unwrap_or_default() });
        rest = after;
    }
    out.push_str(rest);
    out
}
