use super::*;

const GOV: &str = NAMESPACE_PUBLIC;

/// A notification of this root with this inside.
fn notice(root: &str, namespace: &str, inside: &str) -> Extraction {
    let text = format!("<ns3:{root} xmlns:ns3=\"{namespace}\" versione=\"1.0\">{inside}</ns3:{root}>");
    let mut out = Extraction::default();
    read(text.as_bytes(), "IT01234567890_00001_XX_001.xml", None, &mut out);
    out
}

fn codes(out: &Extraction) -> Vec<Code> {
    out.findings.iter().map(|f| f.code).collect()
}

const FILE: &str = "<IdentificativoSdI>111</IdentificativoSdI><NomeFile>IT01234567890_00001.xml.p7m</NomeFile>";
const RECEIVED: &str = "<DataOraRicezione>2018-06-16T18:34:00.000+02:00</DataOraRicezione>";
const END: &str = "<MessageId>222</MessageId><PecMessageId>opec1@pec.example</PecMessageId><Note>n</Note><ds:Signature xmlns:ds=\"x\"/>";

#[test]
fn nine_kinds_of_the_public_family() {
    let buyer = "<ns3:EsitoCommittente><IdentificativoSdI>111</IdentificativoSdI><RiferimentoFattura><NumeroFattura>7/A</NumeroFattura>\
        <AnnoFattura>2018</AnnoFattura><PosizioneFattura>2</PosizioneFattura></RiferimentoFattura><Esito>EC02</Esito>\
        <Descrizione>non dovuta</Descrizione><MessageIdCommittente>9</MessageIdCommittente></ns3:EsitoCommittente>";
    let hash = "AB".repeat(32);
    let cases: [(&str, &str, String); 9] = [
        ("RicevutaConsegna", "RC", format!("{FILE}{RECEIVED}<DataOraConsegna>2018-06-16T18:35:00Z</DataOraConsegna><Destinatario><Codice>AAAAAA</Codice><Descrizione>Ufficio</Descrizione></Destinatario><RiferimentoArchivio><IdentificativoSdI>110</IdentificativoSdI><NomeFile>IT01234567890_00000.zip</NomeFile></RiferimentoArchivio>{END}")),
        ("NotificaScarto", "NS", format!("{FILE}{RECEIVED}<ListaErrori><Errore><Codice>00404</Codice><Descrizione>duplicata</Descrizione></Errore><Errore><Codice>00305</Codice></Errore></ListaErrori>{END}")),
        ("NotificaMancataConsegna", "MC", format!("{FILE}{RECEIVED}<Descrizione>d</Descrizione>{END}")),
        ("NotificaEsito", "NE", format!("{FILE}{buyer}{END}")),
        ("NotificaEsitoCommittente", "EC", "<IdentificativoSdI>111</IdentificativoSdI><Esito>EC01</Esito><MessageIdCommittente>9</MessageIdCommittente>".into()),
        ("ScartoEsitoCommittente", "SE", format!("<IdentificativoSdI>0</IdentificativoSdI><Scarto>EN01</Scarto>{END}")),
        ("NotificaDecorrenzaTermini", "DT", format!("<IdentificativoSdI>111</IdentificativoSdI><RiferimentoFattura><NumeroFattura>1</NumeroFattura><AnnoFattura>2018</AnnoFattura></RiferimentoFattura><NomeFile>IT01234567890_00001.xml</NomeFile>{END}")),
        ("AttestazioneTrasmissioneFattura", "AT", format!("{FILE}{RECEIVED}<Destinatario><Codice>AAAAAA</Codice></Destinatario>{END}<HashFileOriginale>{hash}</HashFileOriginale>")),
        ("MetadatiInvioFile", "MT", format!("{FILE}<CodiceDestinatario>AAAAAA</CodiceDestinatario><Formato>SDI11</Formato><TentativiInvio>3</TentativiInvio><MessageId>222</MessageId>")),
    ];
    for (root, kind, inside) in &cases {
        let out = notice(root, GOV, inside);
        assert_eq!((&out.fields["kind"], &out.fields["family"]), (&(*kind).into(), &"pa".into()));
        assert!(out.findings.is_empty(), "{kind}: {:?}", out.findings);
        // Every mandatory element is missed when it is not there.
        for path in MANDATORY.iter().find(|(of, _)| of == kind).unwrap().1 {
            let without = inside.replace(&format!("<{path}>"), "<x>").replace(&format!("</{path}>"), "</x>");
            let without = without.replace(&format!("<ns3:{path}>"), "<x>").replace(&format!("</ns3:{path}>"), "</x>");
            let out = notice(root, GOV, &without);
            let missed = |f: &Finding| f.code == Code::NotificationField && f.place == **path;
            assert!(out.findings.iter().any(missed), "{kind} without {path}: {:?}", out.findings);
        }
        let variant = notice(root, NAMESPACE_VARIANT, inside);
        assert_eq!(codes(&variant), [Code::NotificationNamespace], "{kind}");
        assert_eq!(variant.fields, out.fields);
    }
    let of = |n: usize| notice(cases[n].0, GOV, &cases[n].2).fields;
    let rc = of(0);
    assert_eq!((&rc["instant"], &rc["recipient_description"]), (&"2018-06-16T18:35:00Z".into(), &"Ufficio".into()));
    assert_eq!((&rc["archive_identifier"], &rc["archive_name"]), (&"110".into(), &"IT01234567890_00000.zip".into()));
    assert_eq!((&rc["pec_message_id"], &rc["file_base"]), (&"opec1@pec.example".into(), &"IT01234567890_00001".into()));
    assert_eq!(of(1)["error_codes"], serde_json::json!(["00404", "00305"]));
    assert_eq!(of(1)["errors"][0]["description"], "duplicata");
    let ne = of(3);
    assert_eq!((&ne["outcome"], &ne["description"]), (&"EC02".into(), &"non dovuta".into()));
    assert_eq!((&ne["invoice_number"], &ne["invoice_position"]), (&"7/A".into(), &"2".into()));
    assert_eq!(ne["buyer_message_id"], "9");
    assert_eq!(of(4)["outcome"], "EC01");
    assert_eq!((&of(5)["outcome"], &of(5)["sdi_identifier"]), (&"EN01".into(), &"0".into()));
    assert_eq!((&of(6)["invoice_year"], &of(6)["file_base"]), (&"2018".into(), &"IT01234567890_00001".into()));
    assert_eq!(of(7)["file_sha256"], "ab".repeat(32));
    assert_eq!((&of(8)["attempts"], &of(8)["transmission_format"]), (&3.into(), &"SDI11".into()));
    assert_eq!(of(8)["signed"], false);
}

#[test]
fn the_private_family_and_its_early_files() {
    let hash = "0".repeat(64);
    let rest = format!("<Hash>{hash}</Hash>{RECEIVED}");
    let mc = notice(
        "RicevutaImpossibilitaRecapito",
        NAMESPACE_PRIVATE,
        &format!("{FILE}{rest}<DataMessaADisposizione>2018-06-17</DataMessaADisposizione>{END}"),
    );
    assert_eq!((&mc.fields["family"], &mc.fields["made_available_on"]), (&"privati".into(), &"2018-06-17".into()));
    assert_eq!((&mc.fields["file_sha256"], codes(&mc)), (&hash.as_str().into(), vec![]));
    let ns = notice(
        "RicevutaScarto",
        NAMESPACE_PRIVATE,
        &format!(
            "{FILE}{rest}<ListaErrori><Errore><Codice>00305</Codice><Suggerimento>s</Suggerimento></Errore></ListaErrori>{END}"
        ),
    );
    assert_eq!((&ns.fields["kind"], &ns.fields["errors"][0]["suggestion"]), (&"NS".into(), &"s".into()));
    // 2018: neither Hash nor CodiceDestinatario.
    let mt = notice(
        "FileMetadati",
        NAMESPACE_PRIVATE,
        &format!("{FILE}<Formato>FPR12</Formato><TentativiInvio>1</TentativiInvio><MessageId>2</MessageId>"),
    );
    assert_eq!((&mt.fields["kind"], codes(&mt)), (&"MT".into(), vec![]));
    let rc = format!("{FILE}{rest}<DataOraConsegna>2018-06-16T18:35:00</DataOraConsegna><Destinatario/>{END}");
    let out = notice("RicevutaConsegna", NAMESPACE_PRIVATE, &rc);
    assert_eq!((&out.fields["family"], codes(&out)), (&"privati".into(), vec![Code::NotificationOffset]));
    // A namespace with a stray blank, and one nobody knows.
    for odd in [format!("{NAMESPACE_PRIVATE} "), "urn:altro".to_owned()] {
        let out = notice("RicevutaConsegna", &odd, &rc);
        assert_eq!((&out.fields["family"], codes(&out)[0]), (&"privati".into(), Code::InvoiceNamespace));
    }
}

#[test]
fn what_is_odd_is_said_and_kept() {
    let out = notice("NotificaEsitoCommittente", GOV, "<IdentificativoSdI>12x</IdentificativoSdI><Esito>EC03</Esito>");
    assert_eq!(codes(&out), [Code::NotificationField, Code::NotificationField]);
    assert_eq!(out.fields["outcome"], "EC03");
    let out = notice(
        "AttestazioneTrasmissioneFattura",
        GOV,
        &format!(
            "{FILE}<DataOraRicezione>ieri</DataOraRicezione><Destinatario/><MessageId>1</MessageId><HashFileOriginale>zz</HashFileOriginale>"
        ),
    );
    let places: Vec<&str> = out.findings.iter().map(|f| f.place.as_str()).collect();
    assert_eq!(places, ["HashFileOriginale", "DataOraRicezione", "Signature"]);
    assert!(!out.fields.contains_key("file_sha256") && !out.fields.contains_key("instant"));
    let text = "<FatturaElettronica/>";
    let mut out = Extraction::default();
    read(text.as_bytes(), "x.xml", None, &mut out);
    assert_eq!(codes(&out), [Code::NotificationNot]);
}
