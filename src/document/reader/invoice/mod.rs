//! FatturaPA, ordinary and simplified, plain or inside CAdES; a lot is one document with several bodies.
//!
//! Everything is read by local name, because wrong namespaces and prefixes abound and an invoice that the exchange
//! system delivered must be kept; the strict verdicts are findings apart (`reference/fatturapa` sections 1 to 6).

mod body;
mod file_name;
mod party;

use serde_json::{Map, Value};

use super::{Extraction, Input, Reader, signed, xml};
use crate::error::{Code, Finding, Result};
use xml::Node;

pub struct InvoiceReader;

/// Elements that hold nothing for the index and most of the bytes.
const SKIPPED: &[&str] = &["DettaglioLinee", "Attachment", "Signature", "DatiVeicoli", "DatiPagamento", "DatiDDT"];

const NAMESPACES: &[&str] = &[
    "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2",
    "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.0",
    "http://www.fatturapa.gov.it/sdi/fatturapa/v1.1",
    "http://www.fatturapa.gov.it/sdi/fatturapa/v1.0",
];

/// `versione` of the root and the transmission formats that go with it.
const VERSIONS: &[(&str, &str)] =
    &[("FPA12", "FPA12"), ("FPR12", "FPR12"), ("FSM10", "FSM10"), ("1.1", "SDI11"), ("1.0", "SDI10")];

impl Reader for InvoiceReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        let mut out = Extraction::default();
        let Some(opened) = signed::open(input.body, &mut out.findings)? else { return Ok(out) };
        if opened.layers == 0 && input.name.to_ascii_lowercase().ends_with(".p7m") {
            out.findings.push(Finding::warning(Code::P7mPlain, "name", ""));
        }
        let root = match xml::parse(&opened.content, SKIPPED) {
            Ok(parsed) => {
                out.findings.extend(parsed.findings);
                parsed.root
            }
            Err(fault) => {
                out.findings.push(fault);
                return Ok(out);
            }
        };
        let simplified = match root.name.as_str() {
            "FatturaElettronica" => false,
            "FatturaElettronicaSemplificata" => true,
            _ => {
                out.findings.push(Finding::error(Code::InvoiceNotInvoice, "root", ""));
                return Ok(out);
            }
        };
        if !root.namespace().is_some_and(|namespace| NAMESPACES.contains(&namespace)) {
            out.findings.push(Finding::warning(Code::InvoiceNamespace, "root", ""));
        }
        file_name::check(input.name, &mut out.findings);
        header(&root, &mut out);
        bodies(&root, simplified, &mut out);
        let signed = opened.layers > 0 || root.child("Signature").is_some();
        out.fields.insert("signed".to_owned(), signed.into());
        out.fields.insert("signature_layers".to_owned(), opened.layers.into());
        Ok(out)
    }
}

/// A field that is missing or not as the schema says.
fn irregular(out: &mut Extraction, place: &str, detail: &str) {
    out.findings.push(Finding::warning(Code::InvoiceField, place, detail));
}

fn header(root: &Node, out: &mut Extraction) {
    let version = root.attribute("versione").unwrap_or_default().trim();
    out.set("format_version", version);
    let Some(header) = root.child("FatturaElettronicaHeader") else {
        return irregular(out, "FatturaElettronicaHeader", "missing");
    };
    let format = header.text_at("DatiTrasmissione/FormatoTrasmissione");
    if !VERSIONS.iter().any(|(known, formats)| version == *known && (format == *formats || format.is_empty())) {
        irregular(out, "FatturaElettronica/@versione", "does not go with FormatoTrasmissione");
    }
    out.set("transmission_format", format);
    let transmitter = "DatiTrasmissione/IdTrasmittente";
    let id = [header.text_at(&format!("{transmitter}/IdPaese")), header.text_at(&format!("{transmitter}/IdCodice"))];
    out.set("transmitter", &id.concat());
    for (field, path) in [
        ("progressive", "DatiTrasmissione/ProgressivoInvio"),
        ("recipient_code", "DatiTrasmissione/CodiceDestinatario"),
        ("recipient_pec", "DatiTrasmissione/PECDestinatario"),
    ] {
        out.set(field, header.text_at(path));
    }
    party::read(header, "CedentePrestatore", "seller", out);
    party::read(header, "CessionarioCommittente", "buyer", out);
}

fn bodies(root: &Node, simplified: bool, out: &mut Extraction) {
    let bodies: Vec<body::Body> = root
        .all("FatturaElettronicaBody")
        .enumerate()
        .take(body::MAX_BODIES)
        .map(|(at, node)| {
            body::read(node, &format!("FatturaElettronicaBody[{}]", at + 1), simplified, &mut out.findings)
        })
        .collect();
    let count = root.all("FatturaElettronicaBody").count();
    if count > body::MAX_BODIES {
        out.findings.push(Finding::warning(
            Code::ReaderTooLarge,
            "FatturaElettronicaBody",
            "only the first 2000 were read",
        ));
    }
    let Some(first) = bodies.first() else {
        return irregular(out, "FatturaElettronicaBody", "missing");
    };
    out.set("document_type", &first.kind);
    out.set("number", &first.number);
    out.set("date", &first.date);
    out.set("currency", &first.currency);
    out.set("total", first.total.as_deref().unwrap_or_default());
    out.fields.insert("body_count".to_owned(), count.into());
    out.set_list("numbers", bodies.iter().map(|b| b.number.clone()).filter(|n| !n.is_empty()).collect());
    let gathered = |pick: fn(&body::Body) -> &[String]| {
        let mut all: Vec<String> = bodies.iter().flat_map(pick).cloned().collect();
        all.sort();
        all.dedup();
        all.truncate(body::MAX_BODIES);
        all
    };
    out.set_list("cig", gathered(|b| &b.cig));
    out.set_list("cup", gathered(|b| &b.cup));
    out.set_list("linked_invoices", gathered(|b| &b.linked));
    let attachments: usize = bodies.iter().map(|b| b.attachments).sum();
    out.fields.insert("attachments".to_owned(), attachments.into());
    let objects = bodies.iter().enumerate().map(|(at, body)| {
        let mut object = Map::new();
        object.insert("position".to_owned(), (at + 1).into());
        let texts = [
            ("document_type", &body.kind),
            ("number", &body.number),
            ("date", &body.date),
            ("currency", &body.currency),
        ];
        for (name, text) in texts.into_iter().chain(body.total.as_ref().map(|total| ("total", total))) {
            object.insert(name.to_owned(), text.as_str().into());
        }
        Value::Object(object)
    });
    out.fields.insert("bodies".to_owned(), objects.collect());
}

#[cfg(test)]
pub(super) mod tests;
