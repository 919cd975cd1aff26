//! Notifications of the matrix (`reference/fatturapa` section 8): nine kinds of the public family, also in the variant
//! namespace, four of the private one, and what real files have wrong. SdI's own XAdES signature is not made here.

use super::Sample;

const PUBLIC: &str = "http://www.fatturapa.gov.it/sdi/messaggi/v1.0";
const VARIANT: &str = "http://www.fatturapa.it/sdi/messaggi/v1.0";
const PRIVATE: &str = "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fattura/messaggi/v1.0";

const FILE: &str = "<IdentificativoSdI>111222333</IdentificativoSdI><NomeFile>IT00000000000_00001.xml.p7m</NomeFile>";
const RECEIVED: &str = "<DataOraRicezione>2026-06-16T18:34:00.000+02:00</DataOraRicezione>";
const DELIVERED: &str = "<DataOraConsegna>2026-06-16T16:40:00Z</DataOraConsegna>";
const RECIPIENT: &str =
    "<Destinatario><Codice>UFESEM</Codice><Descrizione>Ufficio Esempio</Descrizione></Destinatario>";
const END: &str =
    "<MessageId>987654</MessageId><PecMessageId>opec000.20260616@pec.example</PecMessageId><Note>Esempio</Note>";
const REFERENCE: &str = "<RiferimentoFattura><NumeroFattura>12/A</NumeroFattura><AnnoFattura>2026</AnnoFattura><PosizioneFattura>1</PosizioneFattura></RiferimentoFattura>";
const ERRORS: &str = "<ListaErrori><Errore><Codice>00404</Codice><Descrizione>Fattura duplicata</Descrizione><Suggerimento>Verificare</Suggerimento></Errore><Errore><Codice>00305</Codice><Descrizione>IdFiscaleIVA non valido</Descrizione></Errore></ListaErrori>";

/// Kind, root, content of the public family.
fn public() -> Vec<(&'static str, &'static str, String)> {
    let buyer = format!(
        "<IdentificativoSdI>111222333</IdentificativoSdI>{REFERENCE}<Esito>EC02</Esito><Descrizione>Esempio di rifiuto</Descrizione><MessageIdCommittente>7</MessageIdCommittente>"
    );
    let hash = format!("<HashFileOriginale>{}</HashFileOriginale>", "ab".repeat(32));
    vec![
        (
            "rc",
            "RicevutaConsegna",
            format!(
                "{FILE}{RECEIVED}{DELIVERED}{RECIPIENT}<RiferimentoArchivio><IdentificativoSdI>111222330</IdentificativoSdI><NomeFile>IT00000000000_00000.zip</NomeFile></RiferimentoArchivio>{END}"
            ),
        ),
        ("ns", "NotificaScarto", format!("{FILE}{RECEIVED}{ERRORS}{END}")),
        ("mc", "NotificaMancataConsegna", format!("{FILE}{RECEIVED}<Descrizione>Casella piena</Descrizione>{END}")),
        ("ne", "NotificaEsito", format!("{FILE}<EsitoCommittente>{buyer}</EsitoCommittente>{END}")),
        ("ec", "NotificaEsitoCommittente", buyer),
        (
            "se",
            "ScartoEsitoCommittente",
            format!("<IdentificativoSdI>0</IdentificativoSdI>{REFERENCE}<Scarto>EN01</Scarto>{END}"),
        ),
        (
            "dt",
            "NotificaDecorrenzaTermini",
            format!(
                "<IdentificativoSdI>111222333</IdentificativoSdI>{REFERENCE}<NomeFile>IT00000000000_00001.xml</NomeFile>{END}"
            ),
        ),
        ("at", "AttestazioneTrasmissioneFattura", format!("{FILE}{RECEIVED}{RECIPIENT}{END}{hash}")),
        (
            "mt",
            "MetadatiInvioFile",
            format!(
                "{FILE}<CodiceDestinatario>UFESEM</CodiceDestinatario><Formato>FPA12</Formato><TentativiInvio>1</TentativiInvio><MessageId>987654</MessageId>"
            ),
        ),
    ]
}

/// The same of the private family; `hash` is missing in files of 2018.
fn private(hash: &str) -> Vec<(&'static str, &'static str, String)> {
    vec![
        (
            "rc",
            "RicevutaConsegna",
            format!(
                "{FILE}{hash}{RECEIVED}{DELIVERED}<Destinatario><Codice>0000000</Codice><Descrizione/></Destinatario>{END}"
            ),
        ),
        ("ns", "RicevutaScarto", format!("{FILE}{hash}{RECEIVED}{ERRORS}{END}")),
        (
            "mc",
            "RicevutaImpossibilitaRecapito",
            format!("{FILE}{hash}{RECEIVED}<DataMessaADisposizione>2026-06-17</DataMessaADisposizione>{END}"),
        ),
        (
            "mt",
            "FileMetadati",
            format!(
                "{FILE}{hash}<Formato>FPR12</Formato><TentativiInvio>2</TentativiInvio><MessageId>987654</MessageId>"
            ),
        ),
    ]
}

/// Adds the notifications.
pub(super) fn samples(all: &mut Vec<Sample>) {
    let mut add = |name: String, namespace: &str, root: &str, inside: &str| {
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ns3:{root} xmlns:ns3=\"{namespace}\" versione=\"1.0\" IntermediarioConDupliceRuolo=\"Si\">{inside}</ns3:{root}>\n"
        );
        all.push(Sample { class: "sdi-notification", name: format!("{name}.xml"), bytes: text.into() });
    };
    for (kind, root, inside) in public() {
        add(format!("pa-{kind}"), PUBLIC, root, &inside);
        add(format!("pa-variante-{kind}"), VARIANT, root, &inside);
        add(format!("pa-monca-{kind}"), PUBLIC, root, "<IdentificativoSdI>1</IdentificativoSdI>");
    }
    let hash = format!("<Hash>{}</Hash>", "0F".repeat(32));
    for (kind, root, inside) in private(&hash) {
        add(format!("privati-{kind}"), PRIVATE, root, &inside);
    }
    for (kind, root, inside) in private("") {
        add(format!("privati-2018-{kind}"), PRIVATE, root, &inside.replace("+02:00", ""));
    }
    let (_, root, inside) = &private(&hash)[0];
    add("namespace-ignoto".into(), "urn:esempio", root, inside);
    add("namespace-con-spazio".into(), &format!("{PRIVATE} "), root, inside);
    add("impronta-errata".into(), PRIVATE, root, &inside.replace("0F0F", "xyz"));
    add("data-errata".into(), PRIVATE, root, &inside.replace("2026-06-16T18:34", "16/06/2026 18:34"));
    add("identificativo-errato".into(), PRIVATE, root, &inside.replace("111222333", "ABC"));
    add("identificativo-maiuscolo".into(), PRIVATE, root, &inside.replace("IdentificativoSdI>", "IdentificativoSDI>"));
    add("identificativo-con-zeri".into(), PRIVATE, root, &inside.replace(">111222333<", ">000111222333<"));
    let errors = "<Errore><Codice>00404</Codice></Errore>".repeat(201);
    add(
        "duecento-e-un-errore".into(),
        PUBLIC,
        "NotificaScarto",
        &format!("{FILE}{RECEIVED}<ListaErrori>{errors}</ListaErrori>{END}"),
    );
    add("non-notifica".into(), PRIVATE, "Altro", inside);
}
