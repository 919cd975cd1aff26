use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::document::{Body, Metadata, format};

const DATICERT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<postacert tipo="avvenuta-consegna" errore="nessuno"><intestazione><mittente>mittente@pec.example.it</mittente>
<destinatari tipo="certificato">Destinatario@pec.example.org</destinatari><destinatari tipo="esterno">altri@example.net</destinatari>
<risposte>mittente@pec.example.it</risposte><oggetto>Diffida &lt;1&gt; perché</oggetto></intestazione>
<dati><gestore-emittente>Gestore Esempio S.p.A.</gestore-emittente><data zona="+0100"><giorno>10/03/2026</giorno><ora>10:15:60</ora></data>
<identificativo>
 opec1.20260310101500.1@pec.example.it </identificativo><msgid>&lt;client-1@example.it&gt;</msgid><ricevuta tipo="completa"/>
<consegna>destinatario@pec.example.org</consegna></dati></postacert>"#;

/// A receipt as providers write it; `header` and `certificate` are the parts that tests change.
fn message(header: &str, daticert: &str, extra: &str) -> String {
    let encoded = STANDARD.encode(daticert);
    let lines: Vec<&str> = encoded.as_bytes().chunks(76).map(|l| std::str::from_utf8(l).unwrap()).collect();
    format!(
        "{header}From: posta-certificata@pec.example.it\r\nTo: mittente@pec.example.it\r\nMessage-ID: <ricevuta.1@pec.example.it>\r\n\
         X-Riferimento-Message-ID: <client-1@example.it>\r\nSubject: =?UTF-8?Q?CONSEGNA:_Diffida?=\r\n =?UTF-8?Q?_perch=C3=A9?=\r\n\
         Date: Tue, 10 Mar 2026 10:15:00 +0100\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/signed; protocol=\"application/x-pkcs7-signature\"; micalg=sha1; boundary=\"----B0\"\r\n\r\n\
         This is an S/MIME signed message\r\n\r\n------B0\r\nContent-Type: multipart/mixed; boundary=\"----B0in\"\r\n\r\n\
         ------B0in\r\nContent-Type: text/plain\r\n\r\nRicevuta\r\n------B0in\r\nContent-Type: application/xml; name=\"daticert.xml\"\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: inline; filename=\"daticert.xml\"\r\n\r\n{}\r\n{extra}------B0in--\r\n\r\n\
         ------B0\r\nContent-Type: application/x-pkcs7-signature; name=\"smime.p7s\"\r\nContent-Transfer-Encoding: base64\r\n\r\nMIIB\r\n------B0--\r\n",
        lines.join("\r\n")
    )
}

const RECEIPT: &str = "X-Ricevuta: avvenuta-consegna\r\nX-Tiporicevuta: completa\r\n";

fn read_with(reader: &dyn Reader, text: &str) -> Extraction {
    let format = format::recognise(text.as_bytes(), "m.eml");
    let input = Input {
        body: &Body::from(text.as_bytes().to_vec()),
        name: "m.eml",
        format: &format,
        given: &Metadata::new(),
        context: crate::document::Context::test(),
    };
    reader.read(&input).unwrap()
}

fn read_text(text: &str) -> Extraction {
    read_with(&PecReader, text)
}

fn codes(extraction: &Extraction) -> Vec<Code> {
    extraction.findings.iter().map(|f| f.code).collect()
}

#[test]
fn a_delivery_receipt_in_both_line_ends() {
    let text = message(RECEIPT, DATICERT, "");
    for text in [text.clone(), text.replace("\r\n", "\n")] {
        let out = read_text(&text);
        let expected = json!({
            "kind": "avvenuta-consegna", "identifier": "opec1.20260310101500.1@pec.example.it", "msgid": "client-1@example.it",
            "message_id": "ricevuta.1@pec.example.it", "reference_message_id": "client-1@example.it",
            "instant": "2026-03-10T09:16:00.000Z", "sender": "mittente@pec.example.it",
            "recipients": ["Destinatario@pec.example.org", "altri@example.net"], "recipients_external": ["altri@example.net"],
            "delivered_to": "destinatario@pec.example.org", "subject": "Diffida <1> perché", "provider": "Gestore Esempio S.p.A.",
            "receipt_type": "completa", "error": "nessuno", "certified": false, "depth": 0, "attachments": 0, "zone": "+0100",
            "profile": "pec",
            "reply_to": "mittente@pec.example.it", "subject_header": "CONSEGNA: Diffida perché",
        });
        assert_eq!(serde_json::Value::Object(out.fields.clone()), expected);
        // The inner delimiter starts like the outer one: other parsers may split elsewhere. The header lost a piece of the
        // subject, the signature is a stump, the original is not there.
        let expected = [
            Code::MailBoundary,
            Code::PecHeaderMismatch,
            Code::SignatureCut,
            Code::RetentionStart,
            Code::PecNoOriginal,
        ];
        assert_eq!(codes(&out), expected);
    }
}

#[test]
fn encodings_of_daticert() {
    let wide: Vec<u8> =
        format!("\u{feff}{}", DATICERT.replace("UTF-8", "UTF-16")).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let plain = message(RECEIPT, DATICERT, "");
    let utf16 = plain.replace(&join(DATICERT.as_bytes()), &join(&wide));
    assert_ne!(plain, utf16);
    let quoted = DATICERT.replace('=', "=3D").replace('é', "=C3=A9");
    let quoted = plain
        .replace(&join(DATICERT.as_bytes()), &quoted)
        .replace("Encoding: base64\r\nContent-Disposition", "Encoding: Quoted-Printable\r\nContent-Disposition");
    let bare = plain
        .replace(&join(DATICERT.as_bytes()), DATICERT)
        .replace("Encoding: base64\r\nContent-Disposition", "Encoding: 8bit\r\nContent-Disposition");
    for text in [utf16, quoted, bare] {
        let out = read_text(&text);
        assert_eq!(out.fields["subject"], "Diffida <1> perché");
        assert_eq!(out.fields["identifier"], "opec1.20260310101500.1@pec.example.it");
    }
}

fn join(bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    let lines: Vec<&str> = encoded.as_bytes().chunks(76).map(|l| std::str::from_utf8(l).unwrap()).collect();
    lines.join("\r\n")
}

#[test]
fn edited_headers_are_noted_and_not_believed() {
    let edited = message("X-Ricevuta: accettazione\r\nX-TipoRicevuta: breve\r\n", DATICERT, "")
        .replace("X-Riferimento-Message-ID: <client-1@", "X-Riferimento-Message-ID: <altro@");
    let out = read_text(&edited);
    assert_eq!(out.fields["kind"], "avvenuta-consegna");
    let places: Vec<&str> =
        out.findings.iter().filter(|f| f.code == Code::PecHeaderMismatch).map(|f| f.place.as_str()).collect();
    let first = ["header/X-Ricevuta, X-Trasporto", "header/X-Riferimento-Message-ID", "header/X-TipoRicevuta"];
    assert_eq!(places[..3], first);
    let envelope = DATICERT.replace("avvenuta-consegna", "posta-certificata");
    let out = read_text(&message("X-Trasporto: posta-certificata\r\n", &envelope, ""));
    assert!(out.findings.iter().any(|f| f.place == "header/Message-ID"));
}

#[test]
fn a_pec_inside_a_pec_is_not_entered() {
    let inner =
        message("X-Ricevuta: accettazione\r\n", &DATICERT.replace("Diffida", "DENTRO").replace("opec1", "opec9"), "")
            .replace("----B0", "----I");
    let extra = format!("------B0in\r\nContent-Type: message/rfc822; name=\"postacert.eml\"\r\n\r\n{inner}\r\n");
    let out = read_text(&message(RECEIPT, DATICERT, &extra));
    assert_eq!(out.fields["subject"], "Diffida <1> perché");
    let names: Vec<&str> =
        out.fields["attachment_list"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["daticert.xml", "smime.p7s"]);
    // Its own daticert gone, the inner one still does not speak for the envelope.
    let lost = message(RECEIPT, DATICERT, &extra).replacen("daticert.xml", "x.bin", 2).replacen(
        "application/xml",
        "text/plain",
        1,
    );
    let out = read_text(&lost);
    assert_eq!(out.fields["certified"], false);
    assert!(codes(&out).contains(&Code::PecNoDaticert));
    assert!(out.fields["subject"].as_str().unwrap().starts_with("Diffida") && !out.fields.contains_key("identifier"));
}

#[test]
fn wrapped_again_by_a_list() {
    let pec = message("", DATICERT, "");
    let at = pec.find("Content-Type: multipart/signed").unwrap();
    let text = format!(
        "X-Ricevuta: avvenuta-consegna\r\n{}Content-Type: multipart/mixed; boundary=L\r\n\r\n--L\r\n{}\r\n--L\r\n\r\nfooter\r\n--L--\r\n",
        &pec[..at],
        &pec[at..]
    );
    let out = read_text(&text);
    assert_eq!((&out.fields["depth"], &out.fields["provider"]), (&json!(1), &json!("Gestore Esempio S.p.A.")));
    assert!(codes(&out).contains(&Code::PecRewrapped));
}

#[test]
fn mail_that_is_no_pec_and_bad_daticerts_are_kept() {
    let out = read_text(
        "From: Esempio <a@example.it>\nTo: b@example.it, c@example.it\nSubject: Re: ACCETTAZIONE: x\nDate: Tue, 10 Mar 2026 10:15:00 +0100\n\nciao\n",
    );
    assert_eq!(codes(&out), [Code::PecNotPec, Code::RetentionStart]);
    assert_eq!(out.fields["kind"], "messaggio-ordinario");
    assert_eq!(out.fields["subject"], "Re: ACCETTAZIONE: x");
    assert_eq!(out.fields["recipients"], json!(["b@example.it", "c@example.it"]));
    assert_eq!(out.fields["instant"], "2026-03-10T09:15:00.000Z");

    let bad = DATICERT
        .replace("<ricevuta tipo=\"completa\"/>", "<ricevuta tipo=\"complet\"/>")
        .replace("10:15:60", "ieri")
        .replace("avvenuta-consegna", "boh");
    let out = read_text(&message(RECEIPT, &bad, ""));
    assert_eq!(out.fields["kind"], "avvenuta-consegna");
    assert_eq!(out.fields["receipt_type"], "completa");
    let bad_places = out.findings.iter().filter(|f| f.code == Code::PecDaticertBad).count();
    assert_eq!(bad_places, 3, "{:?}", out.findings);

    let bomb = format!("<!DOCTYPE postacert [<!ENTITY a \"b\">]>{}", &DATICERT[39..]);
    let out = read_text(&message(RECEIPT, &bomb, ""));
    assert_eq!(out.fields["kind"], "avvenuta-consegna");
    assert!(
        codes(&out).contains(&Code::XmlDoctype)
            && out.findings.iter().all(|f| f.severity < crate::error::Severity::Error)
    );

    let anomaly = "X-Trasporto: errore\r\nFrom: posta-certificata@pec.example.it\r\nSubject: ANOMALIA MESSAGGIO: prova\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n";
    let out = read_text(anomaly);
    assert_eq!((&out.fields["kind"], &out.fields["subject"]), (&json!("busta-anomalia"), &json!("prova")));
}

#[test]
fn cut_short_messages_have_their_own_code() {
    let text = message(RECEIPT, DATICERT, "");
    let out = read_text(&text[..text.len() - 40]);
    let cut = out.findings.iter().find(|f| f.code == Code::MailTruncated).unwrap();
    assert_eq!(cut.severity, crate::error::Severity::Error);
    assert_eq!(out.fields["provider"], "Gestore Esempio S.p.A.");
}

#[test]
fn the_virus_reader_counts_nothing_inside() {
    let out = read_with(&VirusReader, &message(RECEIPT, DATICERT, ""));
    assert!(!out.fields.contains_key("attachments"));
    assert_eq!(out.fields["identifier"], "opec1.20260310101500.1@pec.example.it");
}

#[test]
fn a_hundred_megabytes_from_a_file() {
    use std::io::Write as _;
    let head = "------B0in\r\nContent-Type: message/rfc822; name=\"postacert.eml\"\r\n\r\nSubject: x\r\n\r\n";
    let text = message(RECEIPT, DATICERT, head);
    let at = text.find(head).unwrap() + head.len();
    let line = format!("{}\r\n", "QUJD".repeat(19));
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut writer = std::io::BufWriter::new(file.as_file());
    writer.write_all(&text.as_bytes()[..at]).unwrap();
    for _ in 0..1_300_000 {
        writer.write_all(line.as_bytes()).unwrap();
    }
    writer.write_all(&text.as_bytes()[at..]).unwrap();
    writer.flush().unwrap();
    assert!(file.path().metadata().unwrap().len() > 100_000_000);
    let format = format::Format { media_type: "message/rfc822".into(), extension: "eml".into() };
    let input = Input {
        body: &Body::File(file.path().to_owned()),
        name: "m.eml",
        format: &format,
        given: &Metadata::new(),
        context: crate::document::Context::test(),
    };
    let out = PecReader.read(&input).unwrap();
    assert_eq!((&out.fields["kind"], &out.fields["attachments"]), (&json!("avvenuta-consegna"), &json!(0)));
    assert_eq!(out.fields["original"]["subject"], "x");
}

/// A delivery receipt, for the tests of the whole room.
pub fn delivery() -> String {
    message(RECEIPT, DATICERT, "")
}

/// Every sample of the matrix cut at many places and with bytes changed: findings, never a panic, and quickly.
#[test]
fn cut_and_changed_samples_never_panic() {
    let samples = crate::corpus::samples().unwrap();
    let mut tried = 0;
    for (number, sample) in samples.iter().filter(|s| s.class.starts_with("pec-")).enumerate() {
        let bytes = &sample.bytes;
        // Another place in every sample, so that all of them together cover a message.
        let step = bytes.len() / 6 + 1;
        for at in (number % step..bytes.len()).step_by(step) {
            any_bytes(&bytes[..at]);
            for change in [0x01, 0x80, 0xFF] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                any_bytes(&changed);
                tried += 1;
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn a_header_without_end_costs_no_memory() {
    use std::io::Write as _;
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().write_all(b"From: a@example.com\r\nTo: b@example.com\r\nSubject: ").unwrap();
    // A hole in the file: zeros without a line end.
    file.as_file().set_len(64 << 20).unwrap();
    let body = Body::File(file.path().to_owned());
    let source = Source::of(&body).unwrap();
    let found = Structure::scan(&source, 0..source.len()).unwrap();
    assert!(found.header_cut && found.truncated && found.header.len() < 300 << 10);
}
