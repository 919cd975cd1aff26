//! Notifications of the exchange system, nine kinds in both families and the variant namespace (`reference/fatturapa`
//! section 8).
//!
//! Everything is read by local name; the kind comes from the root alone, never from the file's name. What ties a
//! notification to its invoice: IdentificativoSdI, the base name of the file, its SHA-256, the PEC that brought it.

use serde_json::{Map, Value};

use super::{Extraction, Input, Reader, file_base, signed, xml};
use crate::document::{Context, merge};
use crate::error::{Code, Finding, Result};
use xml::Node;

pub struct NotificationReader;

/// Root element, kind, family. The same root in the private family is told by its namespace.
const ROOTS: &[(&str, &str, &str)] = &[
    ("RicevutaConsegna", "RC", PUBLIC),
    ("NotificaScarto", "NS", PUBLIC),
    ("NotificaMancataConsegna", "MC", PUBLIC),
    ("NotificaEsito", "NE", PUBLIC),
    ("NotificaEsitoCommittente", "EC", PUBLIC),
    ("ScartoEsitoCommittente", "SE", PUBLIC),
    ("NotificaDecorrenzaTermini", "DT", PUBLIC),
    ("AttestazioneTrasmissioneFattura", "AT", PUBLIC),
    ("MetadatiInvioFile", "MT", PUBLIC),
    ("RicevutaScarto", "NS", PRIVATE),
    ("RicevutaImpossibilitaRecapito", "MC", PRIVATE),
    ("FileMetadati", "MT", PRIVATE),
];

const PUBLIC: &str = "pa";
const PRIVATE: &str = "privati";

const NAMESPACE_PUBLIC: &str = "http://www.fatturapa.gov.it/sdi/messaggi/v1.0";
/// Written by mistake for a while; real files have it.
const NAMESPACE_VARIANT: &str = "http://www.fatturapa.it/sdi/messaggi/v1.0";
const NAMESPACE_PRIVATE: &str = "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fattura/messaggi/v1.0";

/// Errors listed by one rejection: the schema allows 200.
const MAX_ERRORS: usize = 200;

/// Elements that a kind must have. Hash and CodiceDestinatario are missing in early private files and not asked for.
const MANDATORY: &[(&str, &[&str])] = &[
    ("RC", &["IdentificativoSdI", "NomeFile", "DataOraRicezione", "DataOraConsegna", "Destinatario", "MessageId"]),
    ("NS", &["IdentificativoSdI", "NomeFile", "DataOraRicezione", "ListaErrori", "MessageId"]),
    ("MC", &["IdentificativoSdI", "NomeFile", "DataOraRicezione", "MessageId"]),
    ("NE", &["IdentificativoSdI", "NomeFile", "EsitoCommittente", "MessageId"]),
    ("EC", &["IdentificativoSdI", "Esito"]),
    ("SE", &["IdentificativoSdI", "Scarto", "MessageId"]),
    ("DT", &["IdentificativoSdI", "NomeFile", "MessageId"]),
    ("AT", &["IdentificativoSdI", "NomeFile", "DataOraRicezione", "Destinatario", "MessageId", "HashFileOriginale"]),
    ("MT", &["IdentificativoSdI", "NomeFile", "Formato", "TentativiInvio", "MessageId"]),
];

/// Field and the path its value stands at; of several paths the first that holds something counts.
const TEXTS: &[(&str, &[&str])] = &[
    (
        "sdi_identifier",
        &[
            "IdentificativoSdI",
            "EsitoCommittente/IdentificativoSdI",
            "IdentificativoSDI",
            "EsitoCommittente/IdentificativoSDI",
        ],
    ),
    ("invoice_file", &["NomeFile"]),
    ("message_id", &["MessageId"]),
    ("pec_message_id", &["PecMessageId"]),
    ("buyer_message_id", &["MessageIdCommittente", "EsitoCommittente/MessageIdCommittente"]),
    ("recipient_code", &["Destinatario/Codice", "CodiceDestinatario"]),
    ("recipient_description", &["Destinatario/Descrizione"]),
    ("transmission_format", &["Formato"]),
    ("outcome", &["Esito", "EsitoCommittente/Esito", "Scarto"]),
    ("description", &["Descrizione", "EsitoCommittente/Descrizione"]),
    ("note", &["Note"]),
    ("archive_identifier", &["RiferimentoArchivio/IdentificativoSdI"]),
    ("archive_name", &["RiferimentoArchivio/NomeFile"]),
    ("invoice_number", &["RiferimentoFattura/NumeroFattura", "EsitoCommittente/RiferimentoFattura/NumeroFattura"]),
    ("invoice_year", &["RiferimentoFattura/AnnoFattura", "EsitoCommittente/RiferimentoFattura/AnnoFattura"]),
    (
        "invoice_position",
        &["RiferimentoFattura/PosizioneFattura", "EsitoCommittente/RiferimentoFattura/PosizioneFattura"],
    ),
];

/// What the exchange system signed the notification with is judged apart.
const APART: xml::Apart<'_> = xml::Apart { skip: &["Signature"], base64: &[], doctype: false };

/// Kind and family of a root element.
pub fn kind_of_root(root: &str) -> Option<(&'static str, &'static str)> {
    ROOTS.iter().find(|(name, ..)| *name == root).map(|(_, kind, family)| (*kind, *family))
}

impl Reader for NotificationReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        let mut out = Extraction::default();
        if let Some(whole) = signed::whole(input.body, &mut out.findings)? {
            read(&whole, input.name, Some(input.context), &mut out);
        }
        Ok(out)
    }

    fn not_admitted(&self, head: &[u8], media_type: &str, name: &str) -> Option<Code> {
        super::not_even_signed(head, media_type, name)
    }
}

/// Reads a notification, plain or signed; without a context signatures are not judged.
pub(super) fn read(bytes: &[u8], name: &str, context: Option<&Context<'_>>, out: &mut Extraction) {
    if let Some(opened) = signed::open_judged(bytes, context, out) {
        read_opened(&opened, name, context, out);
    }
}

/// The same for a file whose signatures were taken off and judged.
pub(super) fn read_opened(
    opened: &signed::Opened<'_>,
    name: &str,
    context: Option<&Context<'_>>,
    out: &mut Extraction,
) {
    let Some(root) = signed::root(opened, name, APART, &mut out.findings) else { return };
    let Some((kind, family)) = kind_of_root(&root.name) else {
        return out.findings.push(Finding::error(Code::NotificationNot, "root", ""));
    };
    out.set("kind", kind);
    let family = family_of(&root, family, &mut out.findings);
    out.set("family", family);
    for path in MANDATORY.iter().filter(|(of, _)| *of == kind).flat_map(|(_, paths)| *paths) {
        let otherwise = *path == "IdentificativoSdI" && root.at("IdentificativoSDI").is_some();
        if root.at(path).is_none() {
            irregular(out, path, if otherwise { "written IdentificativoSDI" } else { "missing" });
        }
    }
    for (field, paths) in TEXTS {
        let text = paths.iter().map(|path| root.text_at(path)).find(|text| !text.is_empty()).unwrap_or_default();
        out.set(field, if *field == "sdi_identifier" { number(text) } else { text });
    }
    let base = file_base(root.text_at("NomeFile")).unwrap_or_default();
    out.set("file_base", &base);
    identifiers(&root, out);
    instants(&root, out);
    outcome(&root, kind, out);
    errors(&root, out);
    for (field, attribute) in [("dual_role", "IntermediarioConDupliceRuolo"), ("simplified_flow", "FlussoSemplificato")]
    {
        if let Some(value) = root.attribute(attribute) {
            out.fields.insert(field.to_owned(), value.trim().eq_ignore_ascii_case("si").into());
        }
    }
    if let Ok(attempts) = root.text_at("TentativiInvio").parse::<u32>() {
        out.fields.insert("attempts".to_owned(), attempts.into());
    }
    let xml_signature = signed::judge_xml(&opened.content, &root, context, out);
    let signed = opened.layers > 0 || xml_signature;
    out.fields.insert("signed".to_owned(), signed.into());
    // MT is never signed, EC comes from the buyer who need not sign.
    if !signed && !["MT", "EC"].contains(&kind) {
        out.findings.push(Finding::warning(Code::NotificationUnsigned, "Signature", ""));
    }
}

/// A number without the zeros before it, so that the same one is found whoever wrote it; what is no number stays as it is.
fn number(text: &str) -> &str {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let zeros = text.len() - text.trim_start_matches('0').len();
    if digits { &text[zeros.min(text.len().saturating_sub(1))..] } else { text }
}

fn irregular(out: &mut Extraction, place: &str, detail: &str) {
    out.findings.push(Finding::warning(Code::NotificationField, place, detail));
}

/// The family, which two roots share: told by the namespace, and by the root alone when that is odd.
fn family_of(root: &Node, by_root: &'static str, findings: &mut Vec<Finding>) -> &'static str {
    let declared = root.namespace();
    match declared.map(str::trim) {
        Some(NAMESPACE_PRIVATE) if declared == Some(NAMESPACE_PRIVATE) => PRIVATE,
        Some(NAMESPACE_PUBLIC) if declared == Some(NAMESPACE_PUBLIC) => PUBLIC,
        Some(NAMESPACE_VARIANT) => {
            findings.push(Finding::info(Code::NotificationNamespace, "root", ""));
            PUBLIC
        }
        trimmed => {
            findings.push(Finding::warning(Code::InvoiceNamespace, "root", ""));
            // A namespace nobody knows, with what only private notifications have.
            let private = trimmed == Some(NAMESPACE_PRIVATE) || root.child("Hash").is_some();
            if private { PRIVATE } else { by_root }
        }
    }
}

/// IdentificativoSdI, MessageId and the hash have a form of their own.
fn identifiers(root: &Node, out: &mut Extraction) {
    for (path, most) in [("IdentificativoSdI", 12), ("MessageId", 14)] {
        let text = root.text_at(path);
        if !text.is_empty() && (text.len() > most || !text.bytes().all(|b| b.is_ascii_digit())) {
            irregular(out, path, "not the digits it should be");
        } else if text.len() > 1 && text.starts_with('0') {
            irregular(out, path, "zeros before the number");
        }
    }
    for path in ["Hash", "HashFileOriginale"] {
        let text = root.text_at(path);
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            out.set("file_sha256", &text.to_ascii_lowercase());
        } else if !text.is_empty() {
            irregular(out, path, "not a SHA-256 in hexadecimal");
        }
    }
}

/// The notification's instant is its delivery, else its reception.
fn instants(root: &Node, out: &mut Extraction) {
    for (field, path) in [("received_at", "DataOraRicezione"), ("delivered_at", "DataOraConsegna")] {
        let text = root.text_at(path);
        if text.is_empty() {
            continue;
        }
        if merge::instant(text).is_none() {
            irregular(out, path, "not an instant");
            continue;
        }
        let time = text.split_once(['T', ' ']).map_or("", |(_, time)| time);
        if !time.contains(['Z', 'z', '+', '-']) {
            out.findings.push(Finding::info(Code::NotificationOffset, path, ""));
        }
        out.set(field, text);
        out.set("instant", text);
    }
    let available = root.text_at("DataMessaADisposizione");
    match merge::date(available) {
        Some(date) => out.set("made_available_on", &date.to_string()),
        None if available.is_empty() => {}
        None => irregular(out, "DataMessaADisposizione", "not a date"),
    }
}

/// EC01 accepted, EC02 refused; EN00 and EN01 reject the answer itself.
fn outcome(root: &Node, kind: &str, out: &mut Extraction) {
    let (path, known): (&str, &[&str]) = match kind {
        "NE" => ("EsitoCommittente/Esito", &["EC01", "EC02"]),
        "EC" => ("Esito", &["EC01", "EC02"]),
        "SE" => ("Scarto", &["EN00", "EN01"]),
        _ => return,
    };
    let text = root.text_at(path);
    if !text.is_empty() && !known.contains(&text) {
        irregular(out, path, "not a known code");
    }
}

fn errors(root: &Node, out: &mut Extraction) {
    let Some(list) = root.child("ListaErrori") else { return };
    let listed = list.all("Errore").count();
    if listed == 0 {
        irregular(out, "ListaErrori", "without an error");
    }
    if listed > MAX_ERRORS {
        irregular(out, "ListaErrori", "more than the 200 errors that the schema allows; those are kept");
    }
    let errors: Vec<&Node> = list.all("Errore").take(MAX_ERRORS).collect();
    let codes = errors.iter().map(|error| error.text_at("Codice").to_owned()).filter(|code| !code.is_empty());
    out.set_list("error_codes", codes.collect());
    let objects = errors.iter().map(|error| {
        let parts = [("code", "Codice"), ("description", "Descrizione"), ("suggestion", "Suggerimento")];
        let parts = parts.into_iter().map(|(name, path)| (name.to_owned(), Value::from(error.text_at(path))));
        Value::Object(parts.filter(|(_, text)| text != "").collect::<Map<_, _>>())
    });
    out.fields.insert("errors".to_owned(), objects.collect());
}

#[cfg(test)]
mod tests;
