//! FatturaPA, ordinary and simplified, versions 1.0 to 1.2, plain or inside CAdES; a lot is one document with several bodies.
//!
//! Everything is read by local name, because wrong namespaces and prefixes abound and an invoice that the exchange
//! system delivered must be kept; the strict verdicts are findings apart (`reference/fatturapa` sections 1 to 7, 9).

mod attachment;
mod body;
mod direction;
mod file_name;
mod party;
mod search;
mod structure;

use serde_json::{Map, Value};

use super::{Extraction, Input, Reader, signed, xml};
use crate::document::Context;
use crate::error::{Code, Finding, Result};
use xml::Node;

pub use file_name::is_base as is_sdi_base;

pub struct InvoiceReader;

/// How the file is read: what holds nothing for the index is skipped, attachments are measured.
const APART: xml::Apart<'_> = xml::Apart {
    skip: &["DettaglioLinee", "Signature", "DatiVeicoli", "DatiPagamento", "DatiDDT"],
    base64: &["Attachment"],
    doctype: false,
};

/// Root, namespace, `versione`, the FormatoTrasmissione that goes with it.
const FORMATS: &[(&str, &str, &str, &str)] = &[
    (ORDINARY, "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2", "FPA12", "FPA12"),
    (ORDINARY, "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2", "FPR12", "FPR12"),
    (SIMPLIFIED, "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.0", "FSM10", "FSM10"),
    (ORDINARY, "http://www.fatturapa.gov.it/sdi/fatturapa/v1.1", "1.1", "SDI11"),
    (ORDINARY, "http://www.fatturapa.gov.it/sdi/fatturapa/v1.0", "1.0", "SDI10"),
];

const ORDINARY: &str = "FatturaElettronica";
const SIMPLIFIED: &str = "FatturaElettronicaSemplificata";

/// Whether a root element is an invoice's.
pub fn is_root(name: &str) -> bool {
    [ORDINARY, SIMPLIFIED].contains(&name)
}

impl Reader for InvoiceReader {
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

/// Reads an invoice file, plain or signed; without a context signatures are not judged.
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
    if !is_root(&root.name) {
        return out.findings.push(Finding::error(Code::InvoiceNotInvoice, "root", ""));
    }
    namespaces(&root, &mut out.findings);
    structure::root(&root, &mut out.findings);
    file_name::check(name, &mut out.findings);
    out.set("file_base", &super::file_base(name).unwrap_or_default());
    let public = header(&root, out);
    bodies(&root, root.name == SIMPLIFIED, out);
    search::keys(out);
    direction::read(context.map_or(&[], |context| context.holder), out);
    let xml_signature = signed::judge_xml(&opened.content, &root, context, out);
    let signed = opened.layers > 0 || xml_signature;
    out.fields.insert("signed".to_owned(), signed.into());
    out.fields.insert("signature_layers".to_owned(), opened.layers.into());
    if public && !signed {
        out.findings.push(Finding::warning(Code::InvoiceUnsigned, "Signature", ""));
    }
}

/// The root is in its version's namespace and nothing inside is in any (section 1).
fn namespaces(root: &Node, findings: &mut Vec<Finding>) {
    let version = root.attribute("versione").unwrap_or_default().trim();
    let declared = root.namespace();
    // Of a version nobody knows, any of the namespaces will do: the version has its own finding.
    let fits = |(_, namespace, known, _): &&(_, &str, &str, _)| {
        declared == Some(*namespace) && (version == *known || !FORMATS.iter().any(|(_, _, other, _)| *other == version))
    };
    if !FORMATS.iter().any(|format| fits(&format)) {
        findings.push(Finding::warning(Code::InvoiceNamespace, "root", ""));
    }
    for name in ["FatturaElettronicaHeader", "FatturaElettronicaBody"] {
        if root.child(name).is_some_and(|child| root.qualifies(child)) {
            findings.push(Finding::warning(Code::InvoiceNamespace, name, "must be in no namespace"));
        }
    }
}

/// The header's fields; whether the invoice is to a public body by its own words, and so must be signed.
fn header(root: &Node, out: &mut Extraction) -> bool {
    let version = root.attribute("versione").unwrap_or_default().trim();
    out.set("format_version", version);
    let Some(header) = root.child("FatturaElettronicaHeader") else {
        out.findings.push(Finding::warning(Code::InvoiceMissing, "FatturaElettronicaHeader", ""));
        return version == "FPA12";
    };
    structure::header(header, root.name == SIMPLIFIED, version, &mut out.findings);
    let format = header.text_at("DatiTrasmissione/FormatoTrasmissione");
    let known = FORMATS
        .iter()
        .any(|(name, _, known, transmission)| root.name == *name && version == *known && format == *transmission);
    if !known {
        out.findings.push(Finding::warning(Code::InvoiceVersion, "FatturaElettronica/@versione", ""));
    }
    out.set("transmission_format", format);
    let transmitter = "DatiTrasmissione/IdTrasmittente";
    let id = [header.text_at(&format!("{transmitter}/IdPaese")), header.text_at(&format!("{transmitter}/IdCodice"))];
    out.set("transmitter", &id.concat());
    for (field, path) in [
        ("progressive", "DatiTrasmissione/ProgressivoInvio"),
        ("recipient_code", "DatiTrasmissione/CodiceDestinatario"),
        ("recipient_pec", "DatiTrasmissione/PECDestinatario"),
        ("issuer", "SoggettoEmittente"),
    ] {
        out.set(field, header.text_at(path));
    }
    party::read(header, "CedentePrestatore", "seller", out);
    party::read(header, "CessionarioCommittente", "buyer", out);
    for (element, prefix) in
        [("RappresentanteFiscale", "representative"), ("TerzoIntermediarioOSoggettoEmittente", "intermediary")]
    {
        if let Some(party) = header.child(element) {
            party::name_and_code(party, prefix, out);
        }
    }
    format == "FPA12" || (format.is_empty() && version == "FPA12")
}

fn bodies(root: &Node, simplified: bool, out: &mut Extraction) {
    let count = root.all("FatturaElettronicaBody").count();
    if count > body::MAX_BODIES {
        out.findings.push(Finding::warning(
            Code::ReaderTooLarge,
            "FatturaElettronicaBody",
            "only the first 2000 were read",
        ));
    }
    let nodes = root.all("FatturaElettronicaBody").take(body::MAX_BODIES).enumerate();
    let mut attachments = attachment::List::default();
    let mut bodies = Vec::new();
    for (at, node) in nodes {
        let place = format!("FatturaElettronicaBody[{}]", at + 1);
        bodies.push(body::read(node, &place, simplified, &mut out.findings));
        attachments.read(node, at + 1, &place, &mut out.findings);
    }
    let Some(first) = bodies.first() else {
        return out.findings.push(Finding::warning(Code::InvoiceMissing, "FatturaElettronicaBody", ""));
    };
    out.set("document_type", &first.kind);
    out.set("number", &first.number);
    out.set("date", &first.date);
    out.set("currency", &first.currency);
    out.set("total", first.total.as_deref().unwrap_or_default());
    if first.total.is_some() {
        out.fields.insert("total_computed".to_owned(), first.total_computed.into());
    }
    if let Some(year) = first.date.get(..4).and_then(|year| year.parse::<u32>().ok()) {
        out.fields.insert("tax_period".to_owned(), year.into());
    }
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
    out.fields.insert("attachments".to_owned(), attachments.count.into());
    if !attachments.items.is_empty() {
        out.fields.insert("attachment_list".to_owned(), attachments.items.into());
    }
    out.fields.insert("bodies".to_owned(), bodies.iter().enumerate().map(|(at, body)| entry(at, body)).collect());
}

/// The index entry of one invoice of the file.
fn entry(at: usize, body: &body::Body) -> Value {
    let mut object = Map::new();
    object.insert("position".to_owned(), (at + 1).into());
    let texts =
        [("document_type", &body.kind), ("number", &body.number), ("date", &body.date), ("currency", &body.currency)];
    for (name, text) in texts.into_iter().chain(body.total.as_ref().map(|total| ("total", total))) {
        if !text.is_empty() {
            object.insert(name.to_owned(), text.as_str().into());
        }
    }
    if body.total_computed {
        object.insert("total_computed".to_owned(), true.into());
    }
    Value::Object(object)
}

#[cfg(test)]
pub(super) mod tests;
