//! What starts a term of keeping, asked for from outside: no date that somebody mistyped or made up.

use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::server::{Server, codes};

fn this_year() -> i16 {
    Timestamp::now().to_zoned(TimeZone::get("Europe/Rome").unwrap()).year()
}

fn ordinary(date: &str) -> Vec<u8> {
    format!("From: a@example.it\r\nTo: b@example.org\r\nSubject: prova\r\nDate: {date}\r\nMessage-ID: <1@example.it>\r\n\r\nCiao\r\n")
        .into_bytes()
}

/// Certified data that nobody signed, of this day.
fn forged(day: &str) -> Vec<u8> {
    format!(
        "X-Trasporto: posta-certificata\r\nFrom: posta-certificata@pec.example.it\r\nTo: b@pec.example.org\r\n\
         Subject: POSTA CERTIFICATA: prova\r\nDate: Tue, 10 Mar 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\nContent-Type: application/xml; name=\"daticert.xml\"\r\n\r\n\
         <postacert tipo=\"posta-certificata\" errore=\"nessuno\"><intestazione><mittente>a@pec.example.it</mittente>\
         <destinatari tipo=\"certificato\">b@pec.example.org</destinatari><risposte>a@pec.example.it</risposte>\
         <oggetto>prova</oggetto></intestazione><dati><gestore-emittente>Gestore Esempio</gestore-emittente>\
         <data zona=\"+0100\"><giorno>{day}</giorno><ora>10:00:00</ora></data>\
         <identificativo>1@pec.example.it</identificativo></dati></postacert>\r\n"
    )
    .into_bytes()
}

fn invoice(date: &str) -> Vec<u8> {
    let whole = std::fs::read_to_string("tests/corpus/invoice/fpr12-piano.xml").unwrap();
    assert!(whole.contains("<Data>2026-03-09</Data>"));
    whole.replace("<Data>2026-03-09</Data>", &format!("<Data>{date}</Data>")).into_bytes()
}

#[test]
fn a_date_that_nobody_vouches_for_never_shortens_a_term() {
    let server = Server::new();
    let token = server.archive.token("operator");
    let (mail, bill) = (this_year() + 10, this_year() + 11);
    for (class, name, body, expected, field) in [
        ("pec-message", "ordinaria-1970.eml", ordinary("Thu, 01 Jan 1970 00:00:00 +0000"), mail, None),
        ("pec-message", "contraffatta-1999.eml", forged("01/01/1999"), mail, None),
        ("pec-message", "contraffatta-26.eml", forged("3/11/26"), mail, None),
        ("pec-message", "contraffatta-1.eml", forged("01/01/0001"), mail, None),
        ("pec-message", "contraffatta-2126.eml", forged("31/12/2126"), mail, None),
        ("invoice", "IT00000000000_D0026.xml", invoice("0026-03-09"), bill, Some("date")),
        ("invoice", "IT00000000000_D1999.xml", invoice("1999-12-31"), bill, Some("date")),
        ("invoice", "IT00000000000_D2126.xml", invoice("2126-03-09"), bill, Some("date")),
        ("generic", "nota.txt", b"senza data".to_vec(), mail, None),
    ] {
        let reply = server.deposit(&token, class, name, &Value::Null, body);
        assert_eq!(reply.status(), 201, "{name}: {}", reply.text().unwrap());
        let receipt: Value = reply.json().unwrap();
        assert_eq!(codes(&receipt).contains(&"retention/start".to_owned()), class != "generic", "{name}: {receipt}");
        let id = receipt["documents"][0]["id"].as_str().unwrap();
        let due = server.json(&format!("/v1/documents/{id}/retention"), &token);
        assert_eq!(due["start"]["field"], "accepted_at", "{name}: {due}");
        assert_eq!(due["cohort"], json!(expected.to_string()), "{name}: {due}");
        assert_eq!(due["passed_over"]["field"], json!(field), "{name}: {due}");
    }
    // A date that may be so starts the term, and nothing is said.
    let dated = invoice(&format!("{}-01-02", this_year() - 1));
    let receipt: Value =
        server.deposit(&token, "invoice", "IT00000000000_D0001.xml", &Value::Null, dated).json().unwrap();
    assert!(!codes(&receipt).contains(&"retention/start".to_owned()), "{receipt}");
    let id = receipt["documents"][0]["id"].as_str().unwrap();
    let due = server.json(&format!("/v1/documents/{id}/retention"), &token);
    assert_eq!((&due["start"]["field"], &due["cohort"]), (&json!("date"), &json!(mail.to_string())), "{due}");
}
