use super::*;
use crate::document::format;
use crate::document::reader::signed::tests::wrap;
use crate::document::{Body, Metadata};

pub const INVOICE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<p:FatturaElettronica xmlns:p="http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2" versione="FPR12">
<FatturaElettronicaHeader><DatiTrasmissione><IdTrasmittente><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdTrasmittente>
<ProgressivoInvio>00001</ProgressivoInvio><FormatoTrasmissione>FPR12</FormatoTrasmissione><CodiceDestinatario>0000000</CodiceDestinatario>
<PECDestinatario>cliente@pec.example.org</PECDestinatario></DatiTrasmissione>
<CedentePrestatore><DatiAnagrafici><IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdFiscaleIVA>
<Anagrafica><Denominazione>Fornitore Esempio &amp; C.</Denominazione></Anagrafica></DatiAnagrafici></CedentePrestatore>
<CessionarioCommittente><DatiAnagrafici><CodiceFiscale>00000000000</CodiceFiscale>
<Anagrafica><Nome>Esempio</Nome><Cognome>Cliente</Cognome></Anagrafica></DatiAnagrafici></CessionarioCommittente></FatturaElettronicaHeader>
<FatturaElettronicaBody><DatiGenerali><DatiGeneraliDocumento><TipoDocumento>TD01</TipoDocumento><Divisa>EUR</Divisa>
<Data> 2026-03-09</Data><Numero>12/A</Numero></DatiGeneraliDocumento>
<DatiOrdineAcquisto><IdDocumento>1</IdDocumento><CodiceCIG>CIG0000001</CodiceCIG></DatiOrdineAcquisto></DatiGenerali>
<DatiBeniServizi><DettaglioLinee><Descrizione>x</Descrizione></DettaglioLinee>
<DatiRiepilogo><ImponibileImporto>100.00</ImponibileImporto><Imposta>22.00</Imposta></DatiRiepilogo>
<DatiRiepilogo><ImponibileImporto>10.10</ImponibileImporto><Imposta>0.20</Imposta></DatiRiepilogo></DatiBeniServizi></FatturaElettronicaBody>
<FatturaElettronicaBody><DatiGenerali><DatiGeneraliDocumento><TipoDocumento>TD04</TipoDocumento><Divisa>EUR</Divisa>
<Data>2026-03-10</Data><Numero>13</Numero><ImportoTotaleDocumento>-5.00</ImportoTotaleDocumento></DatiGeneraliDocumento></DatiGenerali></FatturaElettronicaBody>
</p:FatturaElettronica>"#;

fn read(bytes: Vec<u8>, name: &str) -> Extraction {
    let format = format::recognise(&bytes, name);
    let input = Input { body: &Body::from(bytes), name, format: &format, given: &Metadata::new() };
    InvoiceReader.read(&input).unwrap()
}

fn codes(extraction: &Extraction) -> Vec<Code> {
    extraction.findings.iter().map(|f| f.code).collect()
}

#[test]
fn a_lot_of_two() {
    let out = read(INVOICE.as_bytes().to_vec(), "IT00000000000_00001.xml");
    let expected = [
        ("seller_name", "Fornitore Esempio & C."),
        ("seller_vat", "IT00000000000"),
        ("buyer_name", "Esempio Cliente"),
        ("buyer_surname", "Cliente"),
        ("buyer_tax_code", "00000000000"),
        ("document_type", "TD01"),
        ("number", "12/A"),
        ("date", "2026-03-09"),
        ("total", "132.30"),
        ("progressive", "00001"),
        ("recipient_code", "0000000"),
        ("recipient_pec", "cliente@pec.example.org"),
        ("format_version", "FPR12"),
        ("transmitter", "IT00000000000"),
    ];
    for (field, value) in expected {
        assert_eq!(out.fields[field], value, "{field}");
    }
    assert_eq!(out.fields["numbers"], serde_json::json!(["12/A", "13"]));
    assert_eq!(out.fields["cig"], serde_json::json!(["CIG0000001"]));
    assert_eq!(out.fields["bodies"][1]["total"], "-5.00");
    assert_eq!(out.fields["signed"], false);
    // Blanks around the date, and a computed total.
    assert_eq!(codes(&out), [Code::InvoiceField, Code::InvoiceTotalComputed]);
}

#[test]
fn signed_twice_in_another_encoding_says_the_same() {
    let plain = read(INVOICE.as_bytes().to_vec(), "IT00000000000_00001.xml");
    let latin: Vec<u8> = INVOICE
        .replace("UTF-8", "ISO-8859-1")
        .replace("Esempio &amp;", "Perch\u{e9} &amp;")
        .chars()
        .map(|c| c as u8)
        .collect();
    let out = read(wrap(&wrap(&latin)), "IT00000000000_00001.xml.p7m");
    assert_eq!(out.fields["seller_name"], "Fornitore Perché & C.");
    assert_eq!(out.fields["signature_layers"], 2);
    assert_eq!(out.fields["signed"], true);
    assert_eq!(out.fields["total"], plain.fields["total"]);
}

#[test]
fn simplified_invoices_are_flat() {
    let text = r#"<FatturaElettronicaSemplificata xmlns="http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.0" versione="FSM10">
<FatturaElettronicaHeader xmlns=""><DatiTrasmissione><FormatoTrasmissione>FSM10</FormatoTrasmissione></DatiTrasmissione>
<CedentePrestatore><IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdFiscaleIVA><Denominazione>Bar Esempio</Denominazione></CedentePrestatore>
<CessionarioCommittente><IdentificativiFiscali><CodiceFiscale>00000000000</CodiceFiscale></IdentificativiFiscali></CessionarioCommittente></FatturaElettronicaHeader>
<FatturaElettronicaBody xmlns=""><DatiGenerali><DatiGeneraliDocumento><TipoDocumento>TD07</TipoDocumento><Divisa>EUR</Divisa><Data>2026-01-02</Data><Numero>1</Numero></DatiGeneraliDocumento></DatiGenerali>
<DatiBeniServizi><Importo>10.00</Importo></DatiBeniServizi><DatiBeniServizi><Importo>2.50</Importo></DatiBeniServizi></FatturaElettronicaBody></FatturaElettronicaSemplificata>"#;
    let out = read(text.into(), "IT00000000000_00001.xml");
    assert_eq!(out.fields["total"], "12.50");
    assert_eq!(out.fields["seller_name"], "Bar Esempio");
    assert_eq!(out.fields["buyer_tax_code"], "00000000000");
    assert!(codes(&out).is_empty(), "{:?}", out.findings);
}

#[test]
fn what_is_wrong_is_said() {
    let namespace = INVOICE.replace("fatture/v1.2", "fatture/v1.3");
    assert!(codes(&read(namespace.into(), "x.xml")).starts_with(&[Code::InvoiceNamespace, Code::InvoiceName]));
    assert_eq!(codes(&read(b"<altro/>".to_vec(), "x.xml")), [Code::InvoiceNotInvoice]);
    assert_eq!(codes(&read(b"<altro/>".to_vec(), "x.xml.p7m")), [Code::P7mPlain, Code::InvoiceNotInvoice]);
    let bomb = format!("<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>{}", &INVOICE[39..]);
    assert_eq!(codes(&read(bomb.into(), "IT00000000000_00001.xml")), [Code::XmlDoctype]);
    let vat = INVOICE
        .replace("<IdCodice>00000000000</IdCodice></IdFiscaleIVA>", "<IdCodice>00000000001</IdCodice></IdFiscaleIVA>");
    assert!(read(vat.into(), "x.xml").findings.iter().any(|f| f.place.ends_with("CedentePrestatore/IdFiscaleIVA")));
}
