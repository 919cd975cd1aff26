use super::*;
use crate::document::reader::signed::tests::wrap;

pub const INVOICE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<p:FatturaElettronica xmlns:p="http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2" versione="FPR12">
<FatturaElettronicaHeader><DatiTrasmissione><IdTrasmittente><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdTrasmittente>
<ProgressivoInvio>00001</ProgressivoInvio><FormatoTrasmissione>FPR12</FormatoTrasmissione><CodiceDestinatario>0000000</CodiceDestinatario>
<PECDestinatario>cliente@pec.example.org</PECDestinatario></DatiTrasmissione>
<CedentePrestatore><DatiAnagrafici><IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdFiscaleIVA>
<Anagrafica><Denominazione>Fornitore Esempio &amp; C.</Denominazione></Anagrafica><RegimeFiscale>RF01</RegimeFiscale></DatiAnagrafici>
<Sede><Indirizzo>Via Esempio 1</Indirizzo><CAP>00100</CAP><Comune>Esempio</Comune><Nazione>IT</Nazione></Sede></CedentePrestatore>
<CessionarioCommittente><DatiAnagrafici><CodiceFiscale>00000000000</CodiceFiscale>
<Anagrafica><Nome>Esempio</Nome><Cognome>Cliente</Cognome></Anagrafica></DatiAnagrafici>
<Sede><Indirizzo>Via Esempio 1</Indirizzo><CAP>00100</CAP><Comune>Esempio</Comune><Nazione>IT</Nazione></Sede></CessionarioCommittente></FatturaElettronicaHeader>
<FatturaElettronicaBody><DatiGenerali><DatiGeneraliDocumento><TipoDocumento>TD01</TipoDocumento><Divisa>EUR</Divisa>
<Data> 2026-03-09</Data><Numero>12/A</Numero></DatiGeneraliDocumento>
<DatiOrdineAcquisto><IdDocumento>1</IdDocumento><CodiceCIG>CIG0000001</CodiceCIG></DatiOrdineAcquisto></DatiGenerali>
<DatiBeniServizi><DettaglioLinee><Descrizione>x</Descrizione></DettaglioLinee>
<DatiRiepilogo><ImponibileImporto>100.00</ImponibileImporto><Imposta>22.00</Imposta></DatiRiepilogo>
<DatiRiepilogo><ImponibileImporto>10.10</ImponibileImporto><Imposta>0.20</Imposta></DatiRiepilogo></DatiBeniServizi></FatturaElettronicaBody>
<FatturaElettronicaBody><DatiGenerali><DatiGeneraliDocumento><TipoDocumento>TD04</TipoDocumento><Divisa>EUR</Divisa>
<Data>2026-03-10</Data><Numero>13</Numero><ImportoTotaleDocumento>-5.00</ImportoTotaleDocumento></DatiGeneraliDocumento></DatiGenerali>
<DatiBeniServizi><DettaglioLinee/><DatiRiepilogo><ImponibileImporto>-5.00</ImponibileImporto><Imposta>0.00</Imposta></DatiRiepilogo></DatiBeniServizi></FatturaElettronicaBody>
</p:FatturaElettronica>"#;

fn read(bytes: Vec<u8>, name: &str) -> Extraction {
    let mut out = Extraction::default();
    super::read(&bytes, name, None, &mut out);
    out
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
    assert_eq!(codes(&out), [Code::InvoiceBlanks, Code::InvoiceTotalComputed]);
    assert_eq!((&out.fields["tax_period"], &out.fields["total_computed"]), (&2026.into(), &true.into()));
    assert_eq!(out.fields["bodies"][0]["total_computed"], true);
    assert_eq!(out.fields["file_base"], "IT00000000000_00001");
    let keys = ["00000000000", "CLIENTE", "ESEMPIO", "ESEMPIO CLIENTE", "FORNITORE ESEMPIO C", "IT00000000000"];
    assert_eq!(out.fields["search_keys"], serde_json::json!(keys));
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
<FatturaElettronicaHeader xmlns=""><DatiTrasmissione><IdTrasmittente><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdTrasmittente>
<ProgressivoInvio>1</ProgressivoInvio><FormatoTrasmissione>FSM10</FormatoTrasmissione><CodiceDestinatario>0000000</CodiceDestinatario></DatiTrasmissione>
<CedentePrestatore><IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdFiscaleIVA><Denominazione>Bar Esempio</Denominazione>
<Sede><Indirizzo>Via Esempio 1</Indirizzo><CAP>00100</CAP><Comune>Esempio</Comune><Nazione>IT</Nazione></Sede><RegimeFiscale>RF01</RegimeFiscale></CedentePrestatore>
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

/// The sample with one thing changed gives these codes beyond its own two.
fn changed(from: &str, to: &str) -> Vec<Code> {
    assert!(INVOICE.contains(from), "{from}");
    let out = read(INVOICE.replacen(from, to, 1).into(), "IT00000000000_00001.xml");
    codes(&out).into_iter().filter(|c| ![Code::InvoiceBlanks, Code::InvoiceTotalComputed].contains(c)).collect()
}

#[test]
fn every_structural_rule_has_its_code_and_refuses_nothing() {
    let cases: [(&str, &str, &[Code]); 18] = [
        ("versione=\"FPR12\"", "versione=\"FPA12\"", &[Code::InvoiceRecipient, Code::InvoiceVersion]),
        ("versione=\"FPR12\"", "", &[Code::InvoiceVersion]),
        ("<TipoDocumento>TD01", "<TipoDocumento>TD07", &[Code::InvoiceType]),
        ("<TipoDocumento>TD01", "<TipoDocumento>TD99", &[Code::InvoiceType]),
        ("<Numero>12/A", "<Numero>A/B", &[Code::InvoiceNumber]),
        ("<Numero>12/A", "<Numero>123456789012345678901", &[Code::InvoiceNumber]),
        ("<Data> 2026-03-09", "<Data>2026-02-30", &[Code::InvoiceDate]),
        ("<Data> 2026-03-09", "<Data>1969-12-31", &[Code::InvoiceDate]),
        ("<Divisa>EUR", "<Divisa>euro", &[Code::InvoiceField]),
        ("<ImportoTotaleDocumento>-5.00", "<ImportoTotaleDocumento>-5,00", &[Code::InvoiceAmount]),
        ("<Imposta>22.00", "<Imposta>22", &[Code::InvoiceAmount]),
        ("<CodiceFiscale>00000000000</CodiceFiscale>", "", &[Code::InvoiceIdentifier]),
        ("<Cognome>Cliente</Cognome>", "", &[Code::InvoicePartyName]),
        ("<Denominazione>Fornitore", "<Nome>N</Nome><Cognome>C</Cognome><Denominazione>F", &[Code::InvoicePartyName]),
        ("<ProgressivoInvio>00001</ProgressivoInvio>", "", &[Code::InvoiceMissing]),
        ("<CodiceDestinatario>0000000", "<CodiceDestinatario>000000", &[Code::InvoiceRecipient]),
        ("<RegimeFiscale>RF01</RegimeFiscale>", "", &[Code::InvoiceMissing]),
        ("<FatturaElettronicaHeader>", "<FatturaElettronicaHeader xmlns=\"u\">", &[Code::InvoiceNamespace]),
    ];
    for (from, to, expected) in cases {
        assert_eq!(changed(from, to), expected, "{from} -> {to}");
    }
    let refusing =
        |text: &str| read(text.into(), "x.xml").findings.iter().any(|f| f.severity == crate::error::Severity::Error);
    let bare = "<FatturaElettronica/>";
    assert!(cases.iter().all(|(from, to, _)| !refusing(&INVOICE.replacen(from, to, 1))) && !refusing(bare));
    assert_eq!(changed("</Numero>", "</Numero><Causale>x</Causale>"), []);
    let public = INVOICE.replace("FPR12", "FPA12").replace("<CodiceDestinatario>0000000", "<CodiceDestinatario>UFABCX");
    assert!(codes(&read(public.clone().into(), "x.xml")).contains(&Code::InvoiceUnsigned));
    assert!(!codes(&read(wrap(public.as_bytes()), "x.xml.p7m")).contains(&Code::InvoiceUnsigned));
}

#[test]
fn namespaces_prefixes_and_old_versions() {
    let root = "<p:FatturaElettronica xmlns:p=\"http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2\"";
    let default = INVOICE.replace("p:FatturaElettronica", "FatturaElettronica").replace("xmlns:p=", "xmlns=");
    let flagged =
        |text: String| codes(&read(text.into(), "x.xml")).iter().filter(|c| **c == Code::InvoiceNamespace).count();
    // A default namespace on the root takes its children along unless they say otherwise: header and body.
    assert_eq!(flagged(default.clone()), 2);
    let reset = default.replace("<FatturaElettronicaHeader>", "<FatturaElettronicaHeader xmlns=\"\">");
    assert_eq!(flagged(reset.replace("<FatturaElettronicaBody>", "<FatturaElettronicaBody xmlns=\"\">")), 0);
    assert_eq!(flagged(INVOICE.replace("p:Fattura", "ns3:Fattura").replace("xmlns:p=", "xmlns:ns3=")), 0);
    assert_eq!(flagged(INVOICE.replace(root, "<FatturaElettronica").replace("</p:", "</")), 1);
    assert_eq!(flagged(INVOICE.replace("fatture/v1.2", "fatture/v1.2 ")), 1);
    for (version, format, namespace) in [("1.1", "SDI11", "v1.1"), ("1.0", "SDI10", "v1.0")] {
        let old = INVOICE
            .replace(
                "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2",
                &format!("http://www.fatturapa.gov.it/sdi/fatturapa/{namespace}"),
            )
            .replace("versione=\"FPR12\"", &format!("versione=\"{version}\""))
            .replace("<FormatoTrasmissione>FPR12", &format!("<FormatoTrasmissione>{format}"))
            .replace("<CodiceDestinatario>0000000", "<CodiceDestinatario>ABCDEF");
        let out = read(old.into(), "IT00000000000_00001.xml");
        assert_eq!(codes(&out), [Code::InvoiceBlanks, Code::InvoiceTotalComputed], "{:?}", out.findings);
    }
}

#[test]
fn attachments_are_measured_and_listed() {
    let inside = "<Allegati><NomeAttachment>../copia.pdf</NomeAttachment><AlgoritmoCompressione>ZIP</AlgoritmoCompressione>\
        <FormatoAttachment>XML</FormatoAttachment><Attachment>JVBE\r\nRi0x LjQK</Attachment></Allegati>\
        <Allegati><NomeAttachment>vuoto</NomeAttachment><Attachment/></Allegati>\
        <Allegati><NomeAttachment>rotto</NomeAttachment><Attachment>QUJD*</Attachment></Allegati></FatturaElettronicaBody>";
    let out = read(INVOICE.replacen("</FatturaElettronicaBody>", inside, 1).into(), "IT00000000000_00001.xml");
    assert_eq!(out.fields["attachments"], 3);
    let sha = |bytes: &[u8]| crate::hash::Sha256::of(bytes).to_string();
    assert_eq!(
        out.fields["attachment_list"],
        serde_json::json!([
            { "body": 1, "name": "copia.pdf", "declared_format": "XML", "compression": "ZIP", "format": "application/pdf", "bytes": 9, "sha256": sha(b"%PDF-1.4\n") },
            { "body": 1, "name": "vuoto", "bytes": 0, "sha256": sha(b"") },
            { "body": 1, "name": "rotto", "format": "text/plain", "bytes": 3, "sha256": sha(b"ABC") },
        ])
    );
    let odd = [Code::InvoiceAttachmentName, Code::InvoiceAttachment, Code::InvoiceAttachment];
    assert_eq!(codes(&out)[2..], odd);
}
