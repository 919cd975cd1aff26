//! Notifications of the exchange system, both families and the variant namespace (`reference/fatturapa` section 8).

use super::{Extraction, Input, Reader, signed, xml};
use crate::document::merge;
use crate::error::{Code, Finding, Result};

pub struct NotificationReader;

/// Root element, kind, family. The same root in the private family is told by its namespace.
const ROOTS: &[(&str, &str, &str)] = &[
    ("RicevutaConsegna", "RC", "pa"),
    ("NotificaScarto", "NS", "pa"),
    ("NotificaMancataConsegna", "MC", "pa"),
    ("NotificaEsito", "NE", "pa"),
    ("NotificaEsitoCommittente", "EC", "pa"),
    ("ScartoEsitoCommittente", "SE", "pa"),
    ("NotificaDecorrenzaTermini", "DT", "pa"),
    ("AttestazioneTrasmissioneFattura", "AT", "pa"),
    ("MetadatiInvioFile", "MT", "pa"),
    ("RicevutaScarto", "NS", "privati"),
    ("RicevutaImpossibilitaRecapito", "MC", "privati"),
    ("FileMetadati", "MT", "privati"),
];

const NAMESPACE_PA: [&str; 2] =
    ["http://www.fatturapa.gov.it/sdi/messaggi/v1.0", "http://www.fatturapa.it/sdi/messaggi/v1.0"];
const NAMESPACE_PRIVATE: &str = "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fattura/messaggi/v1.0";

/// Kind and family of a root element.
pub fn kind_of_root(root: &str) -> Option<(&'static str, &'static str)> {
    ROOTS.iter().find(|(name, ..)| *name == root).map(|(_, kind, family)| (*kind, *family))
}

impl Reader for NotificationReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        let mut out = Extraction::default();
        let Some(opened) = signed::open(input.body, &mut out.findings)? else { return Ok(out) };
        let root = match xml::parse(&opened.content, &["Signature"]) {
            Ok(parsed) => {
                out.findings.extend(parsed.findings);
                parsed.root
            }
            Err(fault) => {
                out.findings.push(fault);
                return Ok(out);
            }
        };
        let Some((kind, family)) = kind_of_root(&root.name) else {
            out.findings.push(Finding::error(Code::NotificationNot, "root", ""));
            return Ok(out);
        };
        let family = match root.namespace().map(str::trim) {
            Some(NAMESPACE_PRIVATE) => "privati",
            Some(namespace) if NAMESPACE_PA.contains(&namespace) => "pa",
            _ => {
                out.findings.push(Finding::warning(Code::InvoiceNamespace, "root", ""));
                family
            }
        };
        out.set("kind", kind);
        out.set("family", family);
        for (field, path) in [
            ("sdi_identifier", "IdentificativoSdI"),
            ("invoice_file", "NomeFile"),
            ("message_id", "MessageId"),
            ("pec_identifier", "PecMessageId"),
            ("recipient_code", "CodiceDestinatario"),
        ] {
            out.set(field, root.text_at(path));
        }
        out.set("recipient_code", root.text_at("Destinatario/Codice"));
        out.set("invoice_hash", root.text_at("Hash"));
        out.set("invoice_hash", root.text_at("HashFileOriginale"));
        out.set("outcome", root.text_at("Esito"));
        out.set("outcome", root.text_at("EsitoCommittente/Esito"));
        out.set("outcome", root.text_at("Scarto"));
        if root.text_at("IdentificativoSdI").is_empty() {
            out.findings.push(Finding::warning(Code::InvoiceField, "IdentificativoSdI", "missing"));
        }
        instants(&root, &mut out);
        let errors =
            root.child("ListaErrori").map(|list| list.all("Errore").map(|e| e.text_at("Codice").to_owned()).collect());
        out.set_list("error_codes", errors.unwrap_or_default());
        out.fields.insert("signed".to_owned(), (opened.layers > 0 || root.child("Signature").is_some()).into());
        Ok(out)
    }
}

/// The notification's instant is its delivery, else its reception, else the day it was made available.
fn instants(root: &xml::Node, out: &mut Extraction) {
    for (field, path) in [("received_at", "DataOraRicezione"), ("delivered_at", "DataOraConsegna")] {
        let text = root.text_at(path);
        if text.is_empty() {
            continue;
        }
        if merge::instant(text).is_none() {
            out.findings.push(Finding::warning(Code::InvoiceField, path, "not an instant"));
            continue;
        }
        let time = text.split_once('T').map_or("", |(_, time)| time);
        if !time.contains(['Z', '+', '-']) {
            out.findings.push(Finding::info(Code::InvoiceField, path, "no offset; read as Europe/Rome"));
        }
        out.set(field, text);
        out.set("instant", text);
    }
    let available = root.text_at("DataMessaADisposizione");
    if merge::date(available).is_some() {
        out.set("made_available_on", available);
    }
}
