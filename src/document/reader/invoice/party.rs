//! Seller and buyer: ordinary invoices nest what simplified ones keep flat.

use super::irregular;
use crate::document::reader::Extraction;
use crate::document::reader::xml::Node;

/// Reads a party of the header into `<prefix>_name`, `_surname`, `_forename`, `_vat`, `_tax_code`.
pub(super) fn read(header: &Node, element: &str, prefix: &str, out: &mut Extraction) {
    let place = format!("FatturaElettronicaHeader/{element}");
    let Some(party) = header.child(element) else {
        return irregular(out, &place, "missing");
    };
    let first =
        |paths: &[&str]| paths.iter().map(|path| party.text_at(path)).find(|text| !text.is_empty()).unwrap_or_default();
    let identifier = |name: &str| {
        let paths = [format!("DatiAnagrafici/{name}"), name.to_owned(), format!("IdentificativiFiscali/{name}")];
        paths.into_iter().map(|path| party.text_at(&path)).find(|text| !text.is_empty()).unwrap_or_default()
    };
    let vat = [identifier("IdFiscaleIVA/IdPaese"), identifier("IdFiscaleIVA/IdCodice")].concat();
    let tax_code = identifier("CodiceFiscale");
    let name =
        first(&["DatiAnagrafici/Anagrafica/Denominazione", "Denominazione", "AltriDatiIdentificativi/Denominazione"]);
    let surname = first(&["DatiAnagrafici/Anagrafica/Cognome", "Cognome", "AltriDatiIdentificativi/Cognome"]);
    let forename = first(&["DatiAnagrafici/Anagrafica/Nome", "Nome", "AltriDatiIdentificativi/Nome"]);
    out.set(&format!("{prefix}_vat"), &vat);
    out.set(&format!("{prefix}_tax_code"), tax_code);
    out.set(&format!("{prefix}_surname"), surname);
    out.set(&format!("{prefix}_forename"), forename);
    let whole = format!("{forename} {surname}");
    out.set(&format!("{prefix}_name"), if name.is_empty() { &whole } else { name });

    if prefix == "seller" && vat.is_empty() {
        irregular(out, &format!("{place}/IdFiscaleIVA"), "missing");
    }
    if vat.is_empty() && tax_code.is_empty() {
        irregular(out, &format!("{place}/CodiceFiscale"), "neither IdFiscaleIVA nor CodiceFiscale");
    }
    if let Some(digits) = vat.strip_prefix("IT")
        && !vat_plausible(digits)
    {
        irregular(out, &format!("{place}/IdFiscaleIVA"), "its check digit does not fit");
    }
    let personal = !surname.is_empty() || !forename.is_empty();
    if personal && !name.is_empty() {
        irregular(out, &format!("{place}/Anagrafica"), "both Denominazione and Nome or Cognome");
    }
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
