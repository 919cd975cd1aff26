use std::process::Command;

use base64::Engine as _;

use super::{Container, Fate, Format, amount};
use crate::corpus::{Generator, Options};
use crate::hash::Sha256;

fn generator() -> Generator {
    Generator::new(3, Options::default()).unwrap()
}

#[test]
fn openssl_verifies_every_container_and_finds_the_invoice_inside() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut generator = generator();
    let text = base64::engine::general_purpose::STANDARD.encode(generator.root_certificate());
    let root = folder.path().join("ca.pem");
    std::fs::write(&root, format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")).unwrap();
    for container in [Container::Der, Container::Ber, Container::Base64] {
        let items = generator.invoice_case_with(Format::Fpa12, container, Fate::Delivered).unwrap();
        let mut bytes = items[0].bytes.clone();
        if container == Container::Base64 {
            bytes.retain(|b| !b.is_ascii_whitespace());
            bytes = base64::engine::general_purpose::STANDARD.decode(&bytes).unwrap();
        }
        if container == Container::Ber {
            assert_eq!(&bytes[..2], [0x30, 0x80]);
        }
        let (file, out) = (folder.path().join("f.p7m"), folder.path().join("f.xml"));
        std::fs::write(&file, &bytes).unwrap();
        let output = Command::new("openssl")
            .args([
                "cms",
                "-verify",
                "-cades",
                "-binary",
                "-inform",
                "DER",
                "-purpose",
                "any",
                "-no_check_time",
                "-CAfile",
            ])
            .args([&root, std::path::Path::new("-in"), &file, std::path::Path::new("-out"), &out])
            .output()
            .expect("the openssl program is needed by the tests: it is the outside judge");
        assert!(output.status.success(), "{container:?}: {}", String::from_utf8_lossy(&output.stderr));
        let xml = std::fs::read_to_string(&out).unwrap();
        let number = items[0].expected["number"].as_str().unwrap();
        assert!(xml.contains(&format!("<Numero>{number}</Numero>")));
        assert!(xml.contains("versione=\"FPA12\""));
    }
}

#[test]
fn notifications_name_their_invoice() {
    let mut generator = generator();
    for format in [Format::Fpa12, Format::Fpr12, Format::Fsm10] {
        for (fate, kinds) in
            [(Fate::Delivered, &["MT", "RC"][..]), (Fate::Rejected, &["NS"]), (Fate::Undelivered, &["MC"])]
        {
            let items = generator.invoice_case_with(format, Container::Plain, fate).unwrap();
            let (invoice, notices) = items.split_first().unwrap();
            assert_eq!(notices.len(), kinds.len());
            for (notice, kind) in notices.iter().zip(kinds) {
                let xml = String::from_utf8(notice.bytes.clone()).unwrap();
                assert!(notice.name.ends_with(&format!("_{kind}_001.xml")), "{}", notice.name);
                assert!(notice.name.starts_with(invoice.name.trim_end_matches(".xml")));
                assert!(xml.contains(&format!("<NomeFile>{}</NomeFile>", invoice.name)));
                let sdi = invoice.metadata["sdi_identifier"].as_str().unwrap();
                assert!(xml.contains(&format!("<IdentificativoSdI>{sdi}</IdentificativoSdI>")));
                let hash = format!("<Hash>{}</Hash>", Sha256::of(&invoice.bytes));
                assert_eq!(xml.contains(&hash), format != Format::Fpa12);
                assert_well_formed(&notice.bytes);
            }
            assert_well_formed(&invoice.bytes);
        }
    }
}

#[test]
fn the_total_is_the_sum_of_the_lines() {
    let mut generator = generator();
    for _ in 0..20 {
        let items = generator.invoice_case_with(Format::Fpr12, Container::Plain, Fate::Rejected).unwrap();
        let xml = String::from_utf8(items[0].bytes.clone()).unwrap();
        let cents = |element: &str| -> u64 {
            xml.split(&format!("<{element}>"))
                .skip(1)
                .map(|rest| rest.split('<').next().unwrap().replace('.', "").parse::<u64>().unwrap())
                .sum()
        };
        assert_eq!(cents("PrezzoTotale"), cents("ImponibileImporto"));
        assert_eq!(cents("ImportoTotaleDocumento"), cents("ImponibileImporto") + cents("Imposta"));
        assert_eq!(items[0].expected["total"], amount(cents("ImportoTotaleDocumento")));
    }
}

fn assert_well_formed(bytes: &[u8]) {
    let mut reader = quick_xml::Reader::from_reader(bytes);
    let mut buffer = Vec::new();
    loop {
        match reader.read_event_into(&mut buffer) {
            Ok(quick_xml::events::Event::Eof) => break,
            Ok(_) => buffer.clear(),
            Err(e) => panic!("{e}"),
        }
    }
}
