//! Seller and buyer: ordinary invoices nest what simplified ones keep flat.

use crate::document::reader::Extraction;
use crate::document::reader::xml::Node;
use crate::error::{Code, Finding};

/// The parts of a party, wherever the format puts them.
struct Party<'a> {
    vat: String,
    tax_code: &'a str,
    name: &'a str,
    surname: &'a str,
    forename: &'a str,
}

fn parts(party: &Node) -> Party<'_> {
    let first = |leaf: &str, folders: &[&str]| {
        let texts = folders.iter().map(|folder| party.text_at(&format!("{folder}{leaf}")));
        texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
    };
    let codes = ["DatiAnagrafici/", "", "IdentificativiFiscali/"];
    let names = ["DatiAnagrafici/Anagrafica/", "", "AltriDatiIdentificativi/"];
    Party {
        vat: [first("IdFiscaleIVA/IdPaese", &codes), first("IdFiscaleIVA/IdCodice", &codes)].concat(),
        tax_code: first("CodiceFiscale", &codes),
        name: first("Denominazione", &names),
        surname: first("Cognome", &names),
        forename: first("Nome", &names),
    }
}

impl Party<'_> {
    fn whole_name(&self) -> String {
        if self.name.is_empty() { format!("{} {}", self.forename, self.surname) } else { self.name.to_owned() }
    }
}

/// Reads a party that is only named into `<prefix>_name`, `_vat`, `_tax_code`.
pub(super) fn name_and_code(party: &Node, prefix: &str, out: &mut Extraction) {
    let party = parts(party);
    out.set(&format!("{prefix}_name"), &party.whole_name());
    out.set(&format!("{prefix}_vat"), &party.vat);
    out.set(&format!("{prefix}_tax_code"), party.tax_code);
}

/// Reads a party of the header into `<prefix>_name`, `_surname`, `_forename`, `_vat`, `_tax_code`.
pub(super) fn read(header: &Node, element: &str, prefix: &str, out: &mut Extraction) {
    let place = format!("FatturaElettronicaHeader/{element}");
    let mut odd = Vec::new();
    let Some(node) = header.child(element) else {
        return out.findings.push(Finding::warning(Code::InvoiceMissing, place, ""));
    };
    name_and_code(node, prefix, out);
    let party = parts(node);
    out.set(&format!("{prefix}_surname"), party.surname);
    out.set(&format!("{prefix}_forename"), party.forename);

    let mut note = |code, field: &str, detail: &str| {
        odd.push(Finding::warning(code, format!("{place}/{field}"), detail));
    };
    if prefix == "seller" && party.vat.is_empty() {
        note(Code::InvoiceMissing, "IdFiscaleIVA", "");
    } else if party.vat.is_empty() && party.tax_code.is_empty() {
        note(Code::InvoiceIdentifier, "CodiceFiscale", "");
    }
    if party.vat.strip_prefix("IT").is_some_and(|digits| !vat_plausible(digits)) {
        note(Code::InvoiceVat, "IdFiscaleIVA", "");
    }
    let long_enough = (11..=16).contains(&party.tax_code.len());
    let plain = party.tax_code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if !party.tax_code.is_empty() && (!long_enough || !plain) {
        note(Code::InvoiceField, "CodiceFiscale", "not 11 to 16 capital letters and digits");
    }
    let nothing = party.name.is_empty() && party.surname.is_empty() && party.forename.is_empty();
    let company = !party.name.is_empty() && party.surname.is_empty() && party.forename.is_empty();
    let person = party.name.is_empty() && !party.surname.is_empty() && !party.forename.is_empty();
    // Simplified invoices may leave the buyer's name out.
    let may_lack = nothing && node.child("IdentificativiFiscali").is_some();
    if !company && !person && !may_lack {
        note(Code::InvoicePartyName, "Anagrafica", "");
    }
    out.findings.append(&mut odd);
}

/// Eleven digits, the last of which checks the others (DPR 633/72 art. 35).
fn vat_plausible(digits: &str) -> bool {
    digits.len() == 11
        && digits.bytes().all(|b| b.is_ascii_digit())
        && digits.bytes().enumerate().fold(0u32, |sum, (at, byte)| {
            let digit = u32::from(byte - b'0');
            sum + if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        }) % 10
            == 0
}
