//! The outside judge is `openssl`; the text is judged by a mail parser and by reading daticert.xml back.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use mail_parser::{MessageParser, MimeHeaders as _};

use crate::corpus::{Generator, Item, Options, Outcome};

fn generator() -> Generator {
    let options = Options { big_per_thousand: 0, weak_per_thousand: 200, ..Options::default() };
    Generator::new(11, options).unwrap()
}

/// Runs `openssl cms -verify` as a stranger would.
fn openssl_verifies(folder: &Path, root: &Path, bytes: &[u8]) -> (bool, String) {
    let mail = folder.join("messaggio.eml");
    std::fs::write(&mail, bytes).unwrap();
    let output = Command::new("openssl")
        .args(["cms", "-verify", "-inform", "SMIME", "-purpose", "any", "-no_check_time", "-CAfile"])
        .arg(root)
        .arg("-in")
        .arg(&mail)
        .output()
        .expect("the openssl program is needed by the tests: it is the outside judge");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn root(folder: &Path, der: &[u8]) -> std::path::PathBuf {
    let path = folder.join("ca.pem");
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    std::fs::write(&path, format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")).unwrap();
    path
}

fn kinds(items: &[Item]) -> Vec<&str> {
    items.iter().filter_map(|item| item.expected.get("kind")?.as_str()).collect()
}

#[test]
fn openssl_verifies_every_message_of_every_outcome_and_refuses_an_altered_one() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut generator = generator();
    let root = root(folder.path(), generator.root_certificate());
    let mut judged = 0;
    for outcome in Outcome::ALL {
        for item in generator.conversation_with(outcome).unwrap() {
            if item.class != "pec-message" {
                continue;
            }
            let (good, why) = openssl_verifies(folder.path(), &root, &item.bytes);
            assert!(good, "{}: {why}", item.name);
            judged += 1;
            if judged % 5 == 1 {
                let mut altered = item.bytes.clone();
                let place = altered.windows(10).position(|w| w == b"Content-Tr").unwrap();
                altered[place + 30] ^= 1;
                assert!(!openssl_verifies(folder.path(), &root, &altered).0, "{} altered", item.name);
            }
        }
    }
    assert!(judged > 25, "{judged}");
}

#[test]
fn each_outcome_has_its_messages() {
    let mut generator = generator();
    let mut play = |outcome| generator.conversation_with(outcome).unwrap();
    let complete = play(Outcome::Complete);
    let kinds_of = kinds(&complete);
    assert_eq!(&kinds_of[..3], ["accettazione", "posta-certificata", "presa-in-carico"]);
    assert!(kinds_of.contains(&"avvenuta-consegna"));
    assert_eq!(kinds(&play(Outcome::NotAccepted)), ["non-accettazione"]);
    let virus = play(Outcome::NotAcceptedVirus);
    assert_eq!(kinds(&virus), ["non-accettazione"]);
    assert_eq!(virus[1].class, "pec-virus");
    assert!(kinds(&play(Outcome::NoMailbox)).contains(&"errore-consegna"));
    assert!(kinds(&play(Outcome::Virus)).contains(&"rilevazione-virus"));
    let delayed = play(Outcome::Delayed);
    assert!(kinds(&delayed).iter().filter(|kind| **kind == "preavviso-errore-consegna").count() >= 2);
    assert_eq!(kinds(&play(Outcome::Anomaly)), ["busta-anomalia"]);
}

/// Parts of the first level of the signed part, by name.
fn part(item: &Item, name: &str) -> Option<Vec<u8>> {
    let text = MessageParser::default().parse(&item.bytes).unwrap();
    let found = text.parts.iter().find(|part| part.attachment_name() == Some(name))?;
    Some(match found.message() {
        Some(inner) => inner.raw_message().to_vec(),
        None => found.contents().to_vec(),
    })
}

#[test]
fn certified_data_agree_with_what_is_expected() {
    let mut generator = generator();
    for outcome in [Outcome::Complete, Outcome::Brief, Outcome::Synthetic, Outcome::NoMailbox, Outcome::Delayed] {
        for item in generator.conversation_with(outcome).unwrap() {
            let xml = String::from_utf8(part(&item, "daticert.xml").unwrap()).unwrap();
            let value = |element: &str| {
                let text = xml.split(&format!("<{element}>")).nth(1)?.split('<').next()?;
                Some(text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&"))
            };
            let expected = |field: &str| item.expected.get(field).and_then(|v| v.as_str()).map(str::to_owned);
            assert!(xml.contains(&format!("tipo=\"{}\"", expected("kind").unwrap())));
            for (element, field) in [
                ("mittente", "sender"),
                ("oggetto", "subject"),
                ("gestore-emittente", "provider"),
                ("identificativo", "identifier"),
                ("msgid", "msgid"),
                ("consegna", "delivered_to"),
                ("errore-esteso", "error_detail"),
            ] {
                assert_eq!(value(element), expected(field), "{} {element}", item.name);
            }
            let message = MessageParser::default().parse(&item.bytes).unwrap();
            let header = format!("<{}>", message.message_id().unwrap());
            assert_eq!(Some(header), expected("message_id"));
            assert!(message.subject().unwrap().ends_with(&expected("subject").unwrap()), "{}", item.name);
        }
    }
}

#[test]
fn what_is_carried_follows_the_receipt_type() {
    let mut generator = generator();
    let delivery = |items: &[Item]| {
        let wanted = |i: &&Item| i.expected["kind"] == "avvenuta-consegna";
        items.iter().find(wanted).unwrap().clone()
    };
    let complete = generator.conversation_with(Outcome::Complete).unwrap();
    let envelope = part(&complete[1], "postacert.eml").unwrap();
    assert_eq!(part(&delivery(&complete), "postacert.eml").unwrap(), envelope, "the receipt repeats the message");
    let brief = generator.conversation_with(Outcome::Brief).unwrap();
    let carried = part(&brief[1], "postacert.eml").unwrap();
    let original = MessageParser::default().parse(&carried).unwrap();
    let cut = part(&delivery(&brief), "postacert.eml").unwrap();
    let cut = MessageParser::default().parse(&cut).unwrap();
    let file = original.attachment(0).unwrap();
    let hash = cut.attachment(0).unwrap();
    assert_eq!(hash.attachment_name().unwrap(), format!("{}.hash", file.attachment_name().unwrap()));
    let hash = String::from_utf8(hash.contents().to_vec()).unwrap().trim().to_owned();
    let sha1 =
        |bytes: &[u8]| hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes));
    let mut encoded = Vec::new();
    crate::corpus::mime::base64_lines(&mut encoded, file.contents());
    assert!(hash == sha1(file.contents()) || hash == sha1(&encoded), "{hash}");
    let synthetic = generator.conversation_with(Outcome::Synthetic).unwrap();
    assert!(part(&delivery(&synthetic), "postacert.eml").is_none());
}
