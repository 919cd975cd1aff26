//! What the format wants in every file, said apart from what is read (`reference/fatturapa` section 2): elements that must
//! be there, and those that may not be there twice, because another program might read the other. Never a refusal: the exchange system has judged the file, the archive keeps what it delivered.

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
/// Parents and what they hold once: of the header, and of a body.
const ONCE_IN_HEADER: &[(&str, &[&str])] = &[
    ("", &["DatiTrasmissione", "CedentePrestatore", "CessionarioCommittente"]),
    (
        "DatiTrasmissione",
        &["IdTrasmittente", "ProgressivoInvio", "FormatoTrasmissione", "CodiceDestinatario", "PECDestinatario"],
    ),
];
const ONCE_IN_PARTY: &[&str] = &["IdFiscaleIVA", "CodiceFiscale", "Anagrafica"];
const ONCE_IN_BODY: &[(&str, &[&str])] = &[
    ("", &["DatiGenerali"]),
    ("DatiGenerali", &["DatiGeneraliDocumento"]),
    ("DatiGenerali/DatiGeneraliDocumento", &["TipoDocumento", "Divisa", "Data", "Numero", "ImportoTotaleDocumento"]),
];

/// Says of every element that stands twice where one may; the first is read.
fn once(node: &Node, once: &[(&str, &[&str])], place: &str, findings: &mut Vec<Finding>) {
    for (parent, names) in once {
        let Some(parent_node) = (if parent.is_empty() { Some(node) } else { node.at(parent) }) else { continue };
        for name in names.iter().filter(|name| parent_node.all(name).nth(1).is_some()) {
            let place =
                [place, parent, name].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("/");
            findings.push(Finding::warning(Code::InvoiceTwice, place, "the first is read"));
        }
    }
}

/// The root holds one header.
pub(super) fn root(root: &Node, findings: &mut Vec<Finding>) {
    once(root, &[("", &["FatturaElettronicaHeader"])], "", findings);
}

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
    once(header, ONCE_IN_HEADER, place, findings);
    for party in ["CedentePrestatore", "CessionarioCommittente"] {
        if let Some(node) = header.at(&format!("{party}/DatiAnagrafici")) {
            once(node, &[("", ONCE_IN_PARTY)], &format!("{place}/{party}/DatiAnagrafici"), findings);
        }
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
    once(body, ONCE_IN_BODY, place, findings);
    missing(body, "DatiBeniServizi", place, findings);
    if simplified || body.child("DatiBeniServizi").is_none() {
        return;
    }
    for part in ["DettaglioLinee", "DatiRiepilogo"] {
        missing(body, &format!("DatiBeniServizi/{part}"), place, findings);
    }
}
