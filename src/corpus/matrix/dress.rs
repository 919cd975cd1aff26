//! The same invoice as different programs write it: declarations, byte-order marks, prefixes, what stands around the root
//! (`reference/fatturapa` sections 1 and 11). Whatever the dress, what is read of it must not change.

/// What every text of the matrix begins with.
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Name, and what stands in the place of the declaration.
const DECLARATIONS: &[(&str, &str)] = &[
    ("apici-singoli", "<?xml version='1.0' encoding='utf-8' standalone='yes'?>"),
    ("dichiarazione-con-spazi", "<?xml  version = \"1.0\"  encoding = \"Utf-8\"  standalone = \"no\"  ?>\n"),
    ("dichiarazione-1.1", "<?xml version=\"1.1\" encoding=\"UTF-8\"?>\n"),
    ("dichiarazione-utf8-senza-trattino", "<?xml version=\"1.0\" encoding=\"utf8\"?>\n"),
    ("dichiarazione-senza-codifica", "<?xml version=\"1.0\"?>\n"),
    ("dichiarazione-utf16-e-non-lo-e", "<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n"),
    ("dichiarazione-ignota", "<?xml version=\"1.0\" encoding=\"x-italiano\"?>\n"),
    ("righe-vuote-in-testa", "\r\n\r\n  <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"),
    ("righe-vuote-senza-dichiarazione", "\n \t\n"),
    ("bom-e-a-capo", "\u{feff}\r\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"),
    ("bom-doppio", "\u{feff}\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"),
    ("bom-frainteso", "ï»¿<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"),
    ("commento-prima-della-dichiarazione", "<!-- esempio --><?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"),
    ("commento-in-testa", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- <FatturaElettronica> di esempio -->\n"),
    (
        "istruzioni-in-testa",
        "<?esempio prova?>\n<?xml-stylesheet type=\"text/xsl\" href=\"fatturaordinaria_v1.2.1.xsl\"?><!--\u{e8}-->\n",
    ),
];

/// Name, and what stands after the root.
const TAILS: &[(&str, &str)] = &[
    ("zeri-in-coda", "\0\0\0\0\0\0\0\0"),
    ("ctrl-z-in-coda", "\u{1a}"),
    ("testo-in-coda", "-- fine del file --\r\n"),
    ("marcatura-in-coda", "</p:FatturaElettronica>\n"),
    ("marcatura-rotta-in-coda", "<"),
    ("commento-in-coda", "<!-- fine --><?fine?>\n\n"),
];

/// Name, and attributes of the root without prefix `p`.
const ROOTS: &[(&str, &str, &str)] = &[
    ("prefisso-ns0", "ns0:", "xmlns:ns0"),
    ("prefisso-ns2", "ns2:", "xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" xmlns:ns2"),
    ("prefisso-q1", "q1:", "xmlns:q1"),
    ("prefisso-v1.2", "v1.2:", "xmlns:v1.2"),
    (
        "posizione-dello-schema",
        "b:",
        "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" SistemaEmittente=\"Esempio\" \
         xsi:schemaLocation=\"http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2 http://example.invalid/v1.2.xsd\" xmlns:b",
    ),
];

/// Adds the invoice in every dress.
pub(super) fn samples(plain: &str, add: &mut dyn FnMut(String, Vec<u8>)) {
    for (name, declaration) in DECLARATIONS {
        add(format!("{name}.xml"), plain.replacen(DECLARATION, declaration, 1).into());
    }
    for (name, tail) in TAILS {
        add(format!("{name}.xml"), format!("{plain}{tail}").into());
    }
    for (name, prefix, attributes) in ROOTS {
        let renamed = plain.replace("p:Fattura", &format!("{prefix}Fattura"));
        add(format!("{name}.xml"), renamed.replacen("xmlns:p", attributes, 1).into());
    }
    let namespace = " xmlns:p=\"http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2\"";
    add("senza-namespace.xml".into(), plain.replace("p:Fattura", "Fattura").replace(namespace, "").into());
    add("prefisso-non-dichiarato.xml".into(), plain.replace(namespace, "").into());
    add("senza-versione.xml".into(), plain.replacen(" versione=\"FPR12\"", "", 1).into());
    add("carattere-di-controllo.xml".into(), plain.replacen("Cliente Esempio", "Cliente\u{b} Esempio", 1).into());
    add("zero-dentro.xml".into(), plain.replacen("Cliente Esempio", "Cliente\0Esempio", 1).into());
    add("cr-soli.xml".into(), plain.replace('\n', "\r").into());
    add("in-maiuscolo.XML".into(), plain.into());
    add(
        "elementi-vuoti.xml".into(),
        plain.replacen("</DatiTrasmissione>", "<PECDestinatario/></DatiTrasmissione>", 1).into(),
    );
    let prefixed = ["Header>", "Body>"].iter().fold(plain.to_owned(), |text, end| {
        text.replace(&format!("<FatturaElettronica{end}"), &format!("<p:FatturaElettronica{end}"))
            .replace(&format!("</FatturaElettronica{end}"), &format!("</p:FatturaElettronica{end}"))
    });
    add("tutto-con-prefisso.xml".into(), prefixed.into());
    encodings(plain, add);
}

fn encodings(plain: &str, add: &mut dyn FnMut(String, Vec<u8>)) {
    let wide = |text: &str| text.encode_utf16().collect::<Vec<u16>>();
    let plain16 = wide(&plain.replace("UTF-8", "UTF-16"));
    let mut little: Vec<u8> = plain16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    add("utf16-le-senza-bom.xml".into(), little.clone());
    add("utf16-be-senza-bom.xml".into(), plain16.iter().flat_map(|unit| unit.to_be_bytes()).collect());
    little.push(0);
    add("utf16-le-byte-dispari.xml".into(), little);
    let bare = wide(&plain.replacen(DECLARATION, "\r\n", 1));
    add("utf16-le-senza-dichiarazione.xml".into(), bare.iter().flat_map(|unit| unit.to_le_bytes()).collect());
    // What Windows calls ISO-8859-1: the euro sign is 0x80.
    let western = |label: &str| -> Vec<u8> {
        let text = plain.replace("UTF-8", label).replace("Cliente Esempio", "Cliente \u{80} Esempio");
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
    };
    add("euro-detto-iso-8859-1.xml".into(), western("iso-8859-1"));
    add("euro-in-cp1252.xml".into(), western("CP1252"));
    add("euro-detto-utf8.xml".into(), western("UTF-8"));
    add("iso-8859-15.xml".into(), western("ISO-8859-15"));
}
