//! What the format wants in every file, said apart from what is read (`reference/fatturapa` section 2): elements that must
//! be there. Never a refusal: the exchange system has judged the file, the archive keeps what it delivered.

use crate::document::reader::xml::Node;
use crate::error::{Code, Finding};

/// Elements of the header that every version has.
const TRANSMISSION: &[&str] = &[
    "DatiTrasmissione/IdTrasmittente/IdPaese",
    "DatiTrasmissione/IdTrasmittente/IdCodice",
    "DatiTrasmissione/ProgressivoInvio",
    "DatiTrasmissione/FormatoTrasmissione",
    "DatiTrasmissione/CodiceDestinatario",
];
const ADDRESS: &[&str] = &["Indirizzo", "CAP", "Comune", "Nazione"];
const BODY: &[&str] = &["TipoDocumento", "Divisa", "Data", "Numero"];

fn missing(node: &Node, path: &str, place: &str, findings: &mut Vec<Finding>) {
    if node.at(path).is_none() {
        findings.push(Finding::warning(Code::InvoiceMissing, format!("{place}/{path}"), ""));
    }
}

/// Elements of the header; parties have their own rules beside ([`super::party`]).
pub(super) fn header(header: &Node, simplified: bool, version: &str, findings: &mut Vec<Finding>) {
    let place = "FatturaElettronicaHeader";
    for path in TRANSMISSION {
        missing(header, path, place, findings);
    }
    recipient(header, version, findings);
    let (seller, buyer) = (header.child("CedentePrestatore"), header.child("CessionarioCommittente"));
    if let Some(seller) = seller {
        let place = format!("{place}/CedentePrestatore");
        for part in ADDRESS {
            missing(seller, &format!("Sede/{part}"), &place, findings);
        }
        // Optional before 1.2.
        let regime = if simplified { "RegimeFiscale" } else { "DatiAnagrafici/RegimeFiscale" };
        if !version.starts_with("1.") {
            missing(seller, regime, &place, findings);
        }
    }
    if let Some(buyer) = buyer.filter(|_| !simplified) {
        for part in ADDRESS {
            missing(buyer, &format!("Sede/{part}"), &format!("{place}/CessionarioCommittente"), findings);
        }
    }
}

/// Six characters are a public office, seven an accredited channel (section 3).
fn recipient(header: &Node, version: &str, findings: &mut Vec<Finding>) {
    let code = header.text_at("DatiTrasmissione/CodiceDestinatario");
    let length = match version {
        "FPR12" | "FSM10" => 7,
        "FPA12" | "1.0" | "1.1" => 6,
        _ => return,
    };
    let plain = code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if !code.is_empty() && (code.len() != length || !plain) {
        let place = "FatturaElettronicaHeader/DatiTrasmissione/CodiceDestinatario";
        findings.push(Finding::warning(Code::InvoiceRecipient, place, ""));
    }
}

/// Elements of a body.
pub(super) fn body(body: &Node, simplified: bool, place: &str, findings: &mut Vec<Finding>) {
    for part in BODY {
        missing(body, &format!("DatiGenerali/DatiGeneraliDocumento/{part}"), place, findings);
    }
    missing(body, "DatiBeniServizi", place, findings);
    if simplified || body.child("DatiBeniServizi").is_none() {
        return;
    }
    for part in ["DettaglioLinee", "DatiRiepilogo"] {
        missing(body, &format!("DatiBeniServizi/{part}"), place, findings);
    }
}
