//! Documents as a whole: every class from bytes to validated metadata, hostile input with its code, and no value of a
//! personal class outside the metadata.

use serde_json::{Value, json};

use super::class::{Class, Classes};
use super::*;
use std::sync::Arc;

fn class(id: &str) -> Arc<Class> {
    Classes::standard().unwrap().latest(&id.parse().unwrap()).unwrap().clone()
}

fn look(id: &str, bytes: &[u8], name: &str, given: Value) -> Understood {
    let Value::Object(given) = given else { panic!("an object") };
    understand(&class(id), &bytes.to_vec().into(), name, &given, Context::test()).unwrap()
}

fn codes(understood: &Understood) -> Vec<Code> {
    understood.findings.iter().map(|f| f.code).collect()
}

const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xd9";
const NOTIFICATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?><types:RicevutaConsegna xmlns:types="http://www.fatturapa.gov.it/sdi/messaggi/v1.0" versione="1.0">
<IdentificativoSdI>111</IdentificativoSdI><NomeFile>IT00000000000_00001.xml.p7m</NomeFile><DataOraRicezione>2026-06-16T18:34:00.000+02:00</DataOraRicezione>
<DataOraConsegna>2026-06-16T18:40:00</DataOraConsegna><Destinatario><Codice>AAAAAA</Codice><Descrizione>x</Descrizione></Destinatario><MessageId>123456</MessageId><PecMessageId>opec1@example.it</PecMessageId></types:RicevutaConsegna>"#;

#[test]
fn the_classes_compiled_in() {
    let classes = Classes::standard().unwrap();
    let names: Vec<String> = classes.iter().map(|c| c.file_name()).collect();
    let builtin: Vec<&str> = Classes::builtin().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, builtin);
    assert_eq!(names.len(), 8);
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in Classes::builtin() {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let loaded = Classes::load(dir.path()).unwrap();
    assert!(loaded.iter().zip(classes.iter()).all(|(a, b)| a.sha256 == b.sha256));
    let identity = class("identity-document");
    assert!(identity.personal && identity.fields.iter().filter(|f| f.name != "part").all(|f| f.personal));
    assert!(
        class("pec-virus").fields.iter().filter(|f| f.indexed).all(|f| [
            "case",
            "identifier",
            "kind",
            "instant",
            "proof",
            "signature_verdict"
        ]
        .contains(&&*f.name))
    );
    // A file under another class's name, and files that are not classes, name what is wrong.
    std::fs::write(dir.path().join("generic@2.json"), Classes::builtin()[0].1).unwrap();
    assert_eq!(Classes::load(dir.path()).unwrap_err().code, Code::ConfigInvalid);
    let elsewhere = Classes::builtin()[0].1.replace("\"Oggetto\"", "\"Ogetto\"");
    assert!(Class::parse(&elsewhere, "x.json").unwrap_err().detail.contains("properties/subject"));
    for bad in ["", "{}", "[]", "{\"x-custode\": {}}"] {
        assert_eq!(Class::parse(bad, "x.json").unwrap_err().code, Code::ConfigInvalid);
    }
}

#[test]
fn given_and_extracted_become_one() {
    let given = json!({ "number": "12/B", "date": "2026-03-09", "internal": 7, "flow": "U", "total": 132.3 });
    let understood = look("invoice", reader::samples::INVOICE.as_bytes(), "IT00000000000_00001.xml", given);
    assert!(understood.acceptable(), "{:?}", understood.findings);
    assert_eq!(understood.metadata["number"], "12/A");
    assert_eq!(understood.metadata["given"], json!({ "number": "12/B" }));
    assert_eq!(understood.metadata["internal"], 7);
    assert_eq!(understood.origins["number"], Origin::Extracted);
    assert_eq!(understood.origins["flow"], Origin::Given);
    let of = |code| understood.findings.iter().filter(|f| f.code == code).map(|f| f.place.as_str()).collect::<Vec<_>>();
    assert_eq!(of(Code::MetadataContradiction), ["metadata/number"]);
    assert_eq!(of(Code::MetadataUnknown), ["metadata/internal"]);
    let outcomes: Vec<(&str, ControlOutcome)> =
        understood.controls.iter().map(|c| (c.control.as_str(), c.outcome)).collect();
    use ControlOutcome as O;
    assert_eq!(
        outcomes,
        [
            ("format-recognised", O::Positive),
            ("format-admitted", O::Positive),
            ("content-read", O::Warning),
            ("metadata-agreement", O::Warning),
            ("metadata-schema", O::Warning),
            ("signature-digest", O::NotExecuted),
            ("signature-math", O::NotExecuted),
            ("signature-certificate", O::NotExecuted),
            ("signature-address", O::NotExecuted),
            ("signature-profile", O::NotExecuted),
            ("signature-chain", O::NotExecuted),
            ("signature-revocation", O::NotExecuted),
            ("signature-time", O::NotExecuted),
        ]
    );
    assert!(
        codes(&look("invoice", reader::samples::INVOICE.as_bytes(), "a.xml", json!({ "given": {} })))
            .contains(&Code::MetadataSchema)
    );
}

#[test]
fn notifications() {
    let understood = look("sdi-notification", NOTIFICATION.as_bytes(), "IT00000000000_00001_RC_001.xml", json!({}));
    let expected = json!({ "kind": "RC", "family": "pa", "sdi_identifier": "111", "invoice_file": "IT00000000000_00001.xml.p7m", "message_id": "123456",
        "pec_message_id": "opec1@example.it", "recipient_code": "AAAAAA", "received_at": "2026-06-16T16:34:00.000Z",
        "file_base": "IT00000000000_00001", "recipient_description": "x",
        "instant": "2026-06-16T16:40:00.000Z", "delivered_at": "2026-06-16T16:40:00.000Z", "signed": false, "signature_verdict": "unsigned", "proof": "unsigned" });
    assert_eq!(Value::Object(understood.metadata.clone()), expected);
    assert_eq!(codes(&understood), [Code::NotificationOffset, Code::NotificationUnsigned]);
    let private = NOTIFICATION
        .replace(
            "http://www.fatturapa.gov.it/sdi/messaggi/v1.0",
            "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fattura/messaggi/v1.0",
        )
        .replace("<DataOraRic", &format!("<Hash>{}</Hash><DataOraRic", "AB".repeat(32)));
    let understood = look("sdi-notification", private.as_bytes(), "x.xml", json!({}));
    assert_eq!(
        (&understood.metadata["family"], &understood.metadata["file_sha256"]),
        (&json!("privati"), &json!("ab".repeat(32)))
    );
    assert!(codes(&look("sdi-notification", b"<altro/>", "x.xml", json!({}))).contains(&Code::NotificationNot));
}

#[test]
fn logs_count_their_rows_and_say_what_they_are_not() {
    let log = b"a;b;c\n1;2;3\n4;5;6\n";
    let understood = look(
        "pec-log",
        log,
        "PEC1-2026-01-31.log",
        json!({ "provider": "Gestore Esempio", "day": "31/01/2026", "sequence": "4" }),
    );
    assert!(understood.acceptable(), "{:?}", understood.findings);
    assert_eq!(understood.format.media_type, "text/csv");
    assert_eq!(
        (&understood.metadata["rows"], &understood.metadata["day"], &understood.metadata["sequence"]),
        (&json!(3), &json!("2026-01-31"), &json!(4))
    );
    let understood = look("pec-log", log, "x.log", json!({ "day": "2026-02-30" }));
    let places: Vec<&str> = understood.findings.iter().map(|f| f.place.as_str()).collect();
    assert_eq!(codes(&understood), [Code::PecLogFormat, Code::PecLogPeriod, Code::MetadataSchema]);
    assert!(places.contains(&"metadata/day"), "{places:?}");
}

/// Values that must appear nowhere but in the metadata.
const SENTINEL: &str = "SENTINELLA-4711";

#[test]
fn personal_classes_disclose_nothing_and_refuse_what_they_do_not_know() {
    let good = json!({ "part": "identity-document", "practice": "P-1", "surname": SENTINEL, "issued_on": "2020-01-01", "side": "front" });
    let understood = look("identity-document", &crate::corpus::jpeg(), "fronte.jpg", good);
    assert!(understood.acceptable() && understood.findings.is_empty(), "{:?}", understood.findings);
    assert_eq!(understood.format.media_type, "image/jpeg");
    let bad = json!({ "part": SENTINEL, "surname": SENTINEL.repeat(1000), "tax_code": SENTINEL, "issued_on": SENTINEL, "side": [SENTINEL],
        "birth_date": { SENTINEL: SENTINEL }, "unknown": SENTINEL, format!("{SENTINEL} è un nome"): 1 });
    let understood = look("identity-document", JPEG, SENTINEL, bad);
    assert!(!understood.acceptable());
    let said = format!("{:?} {:?}", understood.findings, understood.controls);
    assert!(!said.contains(SENTINEL), "{said}");
    let unknown: Vec<&str> = understood
        .findings
        .iter()
        .filter(|f| f.code == Code::MetadataUnknownRefused)
        .map(|f| f.place.as_str())
        .collect();
    assert_eq!(unknown, ["metadata/unknown", "metadata/#8"]);
    for field in ["part", "practice", "surname", "issued_on", "side", "birth_date"] {
        let place = format!("metadata/{field}");
        assert!(understood.findings.iter().any(|f| f.code == Code::MetadataSchema && f.place == place), "{field}");
    }
    assert!(understood.findings.iter().any(|f| f.code == Code::IdentityField && f.place == "metadata/tax_code"));
}

#[test]
fn hostile_documents_have_their_codes() {
    let mail =
        |body: &str| format!("From: a@example.it\nTo: b@example.it\nDate: Tue, 10 Mar 2026 10:15:00 +0100\n{body}");
    let deep: String = (0..30).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}x\n\n--b{n}x\n")).collect();
    let cases = vec![
        ("a JPEG called .xml", "invoice", JPEG.to_vec(), "fattura.xml", Code::FormatNotAdmitted, false),
        ("a JPEG called .xml", "invoice", JPEG.to_vec(), "fattura.xml", Code::FormatMismatch, false),
        (
            "an entity bomb",
            "invoice",
            b"<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]><l>&b;</l>".to_vec(),
            "x.xml",
            Code::XmlDoctype,
            false,
        ),
        (
            "XML cut short",
            "invoice",
            reader::samples::INVOICE.as_bytes()[..900].to_vec(),
            "x.xml",
            Code::XmlMalformed,
            false,
        ),
        ("XML too deep", "invoice", "<a>".repeat(5000).into(), "x.xml", Code::XmlTooDeep, false),
        (
            "DER bomb",
            "invoice",
            [
                &[0x30, 0x80, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2][..],
                &[0xa0, 0x80, 0x30, 0x80].repeat(5000),
            ]
            .concat(),
            "x.xml.p7m",
            Code::DerTooDeep,
            false,
        ),
        (
            "DER cut short",
            "invoice",
            vec![0x30, 0x82, 0x10, 0, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2],
            "x.xml.p7m",
            Code::P7mTruncated,
            false,
        ),
        (
            "a truncated message",
            "pec-message",
            mail("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx").into(),
            "m.eml",
            Code::MailTruncated,
            false,
        ),
        ("MIME too deep", "pec-message", mail(&deep).into(), "m.eml", Code::MailTooDeep, false),
        (
            "a header line of a megabyte",
            "pec-message",
            mail(&format!("Subject: {}\n\nx", "s".repeat(1 << 20))).into(),
            "m.eml",
            Code::MailHeaderLong,
            true,
        ),
        (
            "a header line of a megabyte",
            "pec-message",
            mail(&format!("Subject: {}\n\nx", "s".repeat(1 << 20))).into(),
            "m.eml",
            Code::ReaderTooLarge,
            true,
        ),
        ("not a message", "pec-message", b"%PDF-1.7\n".to_vec(), "m.eml", Code::FormatNotAdmitted, false),
        ("nothing known", "generic", vec![0, 1, 2, 3], "x.bin", Code::FormatUnknown, true),
    ];
    for (what, id, bytes, name, code, kept) in cases {
        let understood = look(id, &bytes, name, json!({}));
        assert!(codes(&understood).contains(&code), "{what}: {:?}", understood.findings);
        assert_eq!(understood.acceptable(), kept, "{what}: {:?}", understood.findings);
    }
    // Twenty megabytes of XML are not read, and so the compulsory fields are missing.
    let large = format!("<FatturaElettronica>{}</FatturaElettronica>", " ".repeat(20 << 20));
    assert!(codes(&look("invoice", large.as_bytes(), "x.xml", json!({}))).contains(&Code::ReaderTooLarge));
}

#[test]
fn classes_by_content() {
    let auto = |bytes: &[u8]| auto_class(&bytes.to_vec().into(), "x").unwrap().to_string();
    assert_eq!(auto(reader::samples::INVOICE.as_bytes()), "invoice");
    assert_eq!(auto(&reader::samples::signed(reader::samples::INVOICE.as_bytes())), "invoice");
    assert_eq!(auto(NOTIFICATION.as_bytes()), "sdi-notification");
    assert_eq!(auto(b"Received: x\nMessage-ID: <1@example.it>\n\nx"), "pec-message");
    assert_eq!(auto(JPEG), "generic");
    assert_eq!(auto(b"<altro/>"), "generic");
}

/// A generator good enough to spoil bytes, and the same on every run.
struct Spoiler(u64);

impl Spoiler {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

#[test]
fn spoiled_documents_never_panic() {
    let seeds: Vec<(&str, Vec<u8>)> = vec![
        ("invoice", reader::samples::INVOICE.into()),
        ("invoice", reader::samples::signed(reader::samples::INVOICE.as_bytes())),
        ("sdi-notification", NOTIFICATION.into()),
        ("pec-message", reader::samples::pec().into()),
        ("pec-virus", reader::samples::pec().replace("\r\n", "\n").into()),
        ("identity-document", JPEG.into()),
        ("pec-log", b"a;b\n1;2\n".to_vec()),
    ];
    let mut spoiler = Spoiler(1);
    let mut kept = 0;
    for (id, seed) in seeds {
        let class = class(id);
        for round in 0..400 {
            let mut bytes = seed.clone();
            for _ in 0..=spoiler.next(4) {
                let at = spoiler.next(bytes.len());
                match spoiler.next(4) {
                    0 => bytes[at] ^= 1 << spoiler.next(8),
                    1 => bytes[at] = [0, 0xff, b'<', b'-', b'\n', 0x80][spoiler.next(6)],
                    2 => bytes.truncate(at + 1),
                    _ => {
                        let end = (at + spoiler.next(64)).min(bytes.len());
                        let copy = bytes[at..end].to_vec();
                        bytes.splice(at..at, copy);
                    }
                }
            }
            let body = Body::from(bytes);
            let understood =
                understand(&class, &body, ["x.xml", "x.p7m", ""][round % 3], &Metadata::new(), Context::test())
                    .unwrap();
            kept += usize::from(understood.acceptable());
            auto_class(&body, "").unwrap();
        }
    }
    assert!(kept > 100, "spoiling too much shows nothing: {kept}");
}
