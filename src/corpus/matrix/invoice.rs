//! Invoices of the matrix (`reference/fatturapa` section 11): formats x containers x encodings x lots, and one file for
//! each thing that can be wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::Sample;
use crate::corpus::invoice::Container;
use crate::corpus::provider::Keys;
use crate::error::{Code, Error, Result};
use crate::evidence::cms::unwrap::armour;

/// `versione`, FormatoTrasmissione, namespace, CodiceDestinatario.
const FORMATS: [(&str, &str, &str, &str); 4] = [
    ("1.0", "SDI10", "http://www.fatturapa.gov.it/sdi/fatturapa/v1.0", "UFESEM"),
    ("1.1", "SDI11", "http://www.fatturapa.gov.it/sdi/fatturapa/v1.1", "UFESEM"),
    ("FPA12", "FPA12", "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2", "UFESEM"),
    ("FPR12", "FPR12", "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2", "ESEMPI0"),
];

const SEAT: &str =
    "<Sede><Indirizzo>Via Esempio 1</Indirizzo><CAP>00100</CAP><Comune>Esempio</Comune><Nazione>IT</Nazione></Sede>";

fn body(number: usize) -> String {
    format!(
        "<FatturaElettronicaBody><DatiGenerali><DatiGeneraliDocumento><TipoDocumento>TD01</TipoDocumento><Divisa>EUR</Divisa>\
         <Data>2026-03-09</Data><Numero>{number}/A</Numero><ImportoTotaleDocumento>122.00</ImportoTotaleDocumento>\
         <Causale>Attività di esempio</Causale></DatiGeneraliDocumento></DatiGenerali><DatiBeniServizi><DettaglioLinee>\
         <NumeroLinea>1</NumeroLinea><Descrizione>Esempio</Descrizione><PrezzoUnitario>100.00</PrezzoUnitario>\
         <PrezzoTotale>100.00</PrezzoTotale><AliquotaIVA>22.00</AliquotaIVA></DettaglioLinee><DatiRiepilogo>\
         <AliquotaIVA>22.00</AliquotaIVA><ImponibileImporto>100.00</ImponibileImporto><Imposta>22.00</Imposta></DatiRiepilogo>\
         </DatiBeniServizi></FatturaElettronicaBody>\n"
    )
}

fn ordinary((version, format, namespace, recipient): (&str, &str, &str, &str), bodies: usize) -> String {
    let bodies: String = (1..=bodies).map(body).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<p:FatturaElettronica versione=\"{version}\" xmlns:p=\"{namespace}\">\n\
         <FatturaElettronicaHeader><DatiTrasmissione><IdTrasmittente><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdTrasmittente>\
         <ProgressivoInvio>00001</ProgressivoInvio><FormatoTrasmissione>{format}</FormatoTrasmissione>\
         <CodiceDestinatario>{recipient}</CodiceDestinatario></DatiTrasmissione>\n<CedentePrestatore><DatiAnagrafici>\
         <IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdFiscaleIVA><Anagrafica><Denominazione>Società Esempio</Denominazione>\
         </Anagrafica><RegimeFiscale>RF01</RegimeFiscale></DatiAnagrafici>{SEAT}</CedentePrestatore>\n<CessionarioCommittente><DatiAnagrafici>\
         <IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdFiscaleIVA><CodiceFiscale>00000000000</CodiceFiscale>\
         <Anagrafica><Denominazione>Cliente Esempio</Denominazione></Anagrafica></DatiAnagrafici>{SEAT}</CessionarioCommittente>\
         </FatturaElettronicaHeader>\n{bodies}</p:FatturaElettronica>\n"
    )
}

fn simplified() -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<p:FatturaElettronicaSemplificata versione=\"FSM10\" \
         xmlns:p=\"http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.0\"><FatturaElettronicaHeader><DatiTrasmissione>\
         <IdTrasmittente><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdTrasmittente><ProgressivoInvio>00001</ProgressivoInvio>\
         <FormatoTrasmissione>FSM10</FormatoTrasmissione><CodiceDestinatario>0000000</CodiceDestinatario></DatiTrasmissione>\
         <CedentePrestatore><IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdFiscaleIVA>\
         <Denominazione>Bar Esempio</Denominazione>{SEAT}<RegimeFiscale>RF01</RegimeFiscale></CedentePrestatore><CessionarioCommittente>\
         <IdentificativiFiscali><CodiceFiscale>00000000000</CodiceFiscale></IdentificativiFiscali></CessionarioCommittente>\
         </FatturaElettronicaHeader><FatturaElettronicaBody><DatiGenerali><DatiGeneraliDocumento><TipoDocumento>TD07</TipoDocumento>\
         <Divisa>EUR</Divisa><Data>2026-01-02</Data><Numero>1</Numero></DatiGeneraliDocumento></DatiGenerali><DatiBeniServizi>\
         <Descrizione>Esempio</Descrizione><Importo>12.50</Importo></DatiBeniServizi></FatturaElettronicaBody></p:FatturaElettronicaSemplificata>\n"
    )
}

/// What is changed in the FPR12 file, and the name of the result.
const CHANGES: &[(&str, &str, &str)] = &[
    (
        "senza-iva-cliente",
        "<CessionarioCommittente><DatiAnagrafici><IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdFiscaleIVA>",
        "<CessionarioCommittente><DatiAnagrafici>",
    ),
    ("senza-codice-cliente", "<CodiceFiscale>00000000000</CodiceFiscale>", ""),
    ("persona", "<Denominazione>Cliente Esempio</Denominazione>", "<Nome>Esempio</Nome><Cognome>Persona</Cognome>"),
    (
        "nome-doppio",
        "<Denominazione>Cliente Esempio</Denominazione>",
        "<Denominazione>X</Denominazione><Nome>Esempio</Nome><Cognome>Persona</Cognome>",
    ),
    (
        "estero",
        "<CedentePrestatore><DatiAnagrafici><IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>00000000000",
        "<CedentePrestatore><DatiAnagrafici><IdFiscaleIVA><IdPaese>FR</IdPaese><IdCodice>XX999999999",
    ),
    ("senza-totale", "<ImportoTotaleDocumento>122.00</ImportoTotaleDocumento>", ""),
    ("totale-negativo", "<ImportoTotaleDocumento>122.00", "<ImportoTotaleDocumento>-122.00"),
    ("totale-virgola", "<ImportoTotaleDocumento>122.00", "<ImportoTotaleDocumento>122,00"),
    ("data-con-spazi", "<Data>2026-03-09</Data>", "<Data>\n 2026-03-09 </Data>"),
    ("data-impossibile", "<Data>2026-03-09", "<Data>2026-02-30"),
    ("data-italiana", "<Data>2026-03-09", "<Data>09/03/2026"),
    ("data-anno-26", "<Data>2026-03-09", "<Data>0026-03-09"),
    ("data-1999", "<Data>2026-03-09", "<Data>1999-03-09"),
    ("data-futura", "<Data>2026-03-09", "<Data>2062-03-09"),
    ("numero-doppio", "<Numero>1/A</Numero>", "<Numero>1/A</Numero><Numero>2/A</Numero>"),
    (
        "totale-doppio",
        "<ImportoTotaleDocumento>122.00</ImportoTotaleDocumento>",
        "<ImportoTotaleDocumento>122.00</ImportoTotaleDocumento><ImportoTotaleDocumento>1.00</ImportoTotaleDocumento>",
    ),
    (
        "intestazione-doppia",
        "</FatturaElettronicaHeader>",
        "</FatturaElettronicaHeader><FatturaElettronicaHeader><CedentePrestatore/></FatturaElettronicaHeader>",
    ),
    ("cedente-doppio", "</CedentePrestatore>", "</CedentePrestatore><CedentePrestatore></CedentePrestatore>"),
    (
        "firma-in-profondita",
        "</DatiBeniServizi></FatturaElettronicaBody>",
        "</DatiBeniServizi><ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo/></ds:Signature></FatturaElettronicaBody>",
    ),
    (
        "firma-di-altro-spazio",
        "</FatturaElettronicaBody>\n</p:",
        "</FatturaElettronicaBody><Signature>firmato</Signature></p:",
    ),
    ("numero-con-barra", "<Numero>1/A", "<Numero>FT 12/2026-A"),
    ("numero-senza-cifre", "<Numero>1/A", "<Numero>A/B"),
    ("tipo-ignoto", "<TipoDocumento>TD01", "<TipoDocumento>TD77"),
    ("autofattura", "<TipoDocumento>TD01", "<TipoDocumento>TD17"),
    ("versione-discorde", "versione=\"FPR12\"", "versione=\"FPA12\""),
    ("namespace-inesistente", "fatture/v1.2", "fatture/v1.3"),
    ("namespace-con-spazio", "fatture/v1.2\"", "fatture/v1.2 \""),
    (
        "allegati",
        "</DatiBeniServizi></FatturaElettronicaBody>",
        "</DatiBeniServizi><Allegati><NomeAttachment>nota.txt</NomeAttachment><FormatoAttachment>PDF</FormatoAttachment><Attachment>VGVz\n dG8gZGkgZXNlbXBpbw==</Attachment></Allegati><Allegati><NomeAttachment>../../vuoto</NomeAttachment><Attachment></Attachment></Allegati></FatturaElettronicaBody>",
    ),
    (
        "foglio-di-stile",
        "<p:Fattura",
        "<?xml-stylesheet type=\"text/xsl\" href=\"http://example.invalid/x.xsl\"?>\n<p:Fattura",
    ),
    ("senza-dichiarazione", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", ""),
    ("malformata", "</CedentePrestatore>", "</Cedente>"),
    ("bomba", "<p:Fattura", "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>\n<p:Fattura"),
    ("entita-ignota", "Cliente Esempio", "&ignota;"),
];

/// Adds the invoices.
pub(super) fn samples(keys: &mut Keys, all: &mut Vec<Sample>) -> Result<()> {
    let at: Timestamp = "2026-03-10T09:00:00Z".parse().map_err(|_| Error::new(Code::Internal, "a constant instant"))?;
    let mut add = |name: String, bytes: Vec<u8>| all.push(Sample { class: "invoice", name, bytes });
    let mut texts: Vec<(&str, String)> = FORMATS.iter().map(|format| (format.0, ordinary(*format, 1))).collect();
    texts.push(("FSM10", simplified()));
    for (format, text) in &texts {
        let stem = format!("{}-", format.to_lowercase());
        let der = keys.sign_file(text.as_bytes(), at)?;
        let text64 = STANDARD.encode(&der);
        let lines: Vec<&str> = (0..text64.len()).step_by(76).map(|n| &text64[n..text64.len().min(n + 76)]).collect();
        add(format!("{stem}piano.xml"), text.clone().into());
        add(format!("{stem}ber.xml.p7m"), Container::Ber.wrap(text.clone().into(), keys, at)?);
        add(format!("{stem}base64-riga.xml.p7m"), text64.clone().into());
        add(format!("{stem}base64-crlf.xml.p7m"), format!("{}\r\n", lines.join("\r\n")).into());
        add(format!("{stem}pem.xml.p7m"), armour("PKCS7", &der).into());
        add(format!("{stem}due-volte.xml.p7m.p7m"), keys.sign_file(&der, at)?);
        add(format!("{stem}der.xml.p7m"), der);
    }
    let plain = ordinary(FORMATS[3], 1);
    for (name, from, to) in CHANGES {
        add(format!("{name}.xml"), plain.replacen(from, to, 1).into());
    }
    for bodies in [2, 5] {
        add(format!("lotto-{bodies}.xml"), ordinary(FORMATS[3], bodies).into());
    }
    let default = plain.replace("p:Fattura", "Fattura").replace("xmlns:p=", "xmlns=");
    add("namespace-predefinito.xml".into(), default.clone().into());
    let reset = ["Header", "Body"].iter().fold(default, |text, part| {
        text.replace(&format!("<FatturaElettronica{part}>"), &format!("<FatturaElettronica{part} xmlns=\"\">"))
    });
    add("namespace-predefinito-azzerato.xml".into(), reset.into());
    encodings(&plain, &mut add);
    super::dress::samples(&plain, &mut add);
    defects(&plain, keys, at, &mut add)
}

fn encodings(plain: &str, add: &mut dyn FnMut(String, Vec<u8>)) {
    let latin: fn(&str) -> Vec<u8> = |text| text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
    add("utf8-bom.xml".into(), format!("\u{feff}{plain}").into());
    add("crlf.xml".into(), plain.replace('\n', "\r\n").into());
    for (name, label) in [("iso-8859-1", "ISO-8859-1"), ("latin1", "latin1"), ("windows-1252", "windows-1252")] {
        add(format!("{name}.xml"), latin(&plain.replace("UTF-8", label)));
    }
    add("latin1-detto-utf8.xml".into(), latin(plain));
    let wide: Vec<u16> = format!("\u{feff}{}", plain.replace("UTF-8", "UTF-16")).encode_utf16().collect();
    add("utf16-le.xml".into(), wide.iter().flat_map(|unit| unit.to_le_bytes()).collect());
    add("utf16-be.xml".into(), wide.iter().flat_map(|unit| unit.to_be_bytes()).collect());
}

fn defects(plain: &str, keys: &mut Keys, at: Timestamp, add: &mut dyn FnMut(String, Vec<u8>)) -> Result<()> {
    let der = keys.sign_file(plain.as_bytes(), at)?;
    let content = der.windows(14).position(|w| w == b"<Numero>1/A</N").unwrap_or_default();
    let mut flipped = der.clone();
    flipped[content + 8] ^= 1;
    add("alterata.xml.p7m".into(), flipped);
    add("troncata.xml.p7m".into(), der[..der.len() / 2].to_vec());
    add("base64-troncata.xml.p7m".into(), STANDARD.encode(&der).as_bytes()[..3001].to_vec());
    add("in-coda.xml.p7m".into(), [&der[..], b"\nCODA"].concat());
    add("a-capo-in-coda.xml.p7m".into(), [&der[..], b"\n"].concat());
    add("certificato-altrui.xml.p7m".into(), keys.sign_file_badly(plain.as_bytes(), at, true)?);
    add("staccata.xml.p7m".into(), keys.sign_file_badly(plain.as_bytes(), at, false)?);
    add("xml-piano.xml.p7m".into(), plain.into());
    add("testo.xml.p7m".into(), b"Il file non e' disponibile, richiederlo al mittente.\n".to_vec());
    add("segnaposto.xml.p7m".into(), b"MII...contenuto rimosso...\n".to_vec());
    add("segnaposto-corto.xml.p7m".into(), b"MII...njA==".to_vec());
    add("annidata-senza-fine.xml.p7m".into(), [0x30, 0x80].repeat(15_000));
    add("due-byte.xml.p7m".into(), b"0\x80".to_vec());
    let six = (0..6).try_fold(b"<a/>".to_vec(), |inner, _| keys.sign_file(&inner, at))?;
    add("sei-volte.xml.p7m".into(), six);
    Ok(())
}
