use serde_json::json;

use super::*;
use crate::document::{Body, Context, format};

fn look(bytes: &[u8], name: &str, given: Value) -> Extraction {
    let body = Body::from(bytes.to_vec());
    let format = format::recognise(bytes, name);
    let Value::Object(given) = given else { panic!("not an object") };
    let trust = crate::evidence::trust::Trust::empty();
    // Received the day after: before the term.
    let context = Context::new(&trust, "2026-03-11T05:00:00Z".parse().unwrap());
    PecLogReader.read(&Input { body: &body, name, format: &format, given: &given, context: &context }).unwrap()
}

fn codes(extraction: &Extraction) -> Vec<&'static str> {
    extraction.findings.iter().map(|finding| finding.code.as_str()).collect()
}

const HEADER: &str = "identificativo;data_ora;evento;mittente;destinatari;oggetto;gestore_emittente;consegna;ricezione";

fn csv() -> String {
    let row = |time: &str, kind: &str, rest: &str| {
        format!(
            "1@x.example;2026-03-10T{time}+01:00;{kind};a@x.example;b@y.example:certificato;Prova;Posta Esempio;{rest}"
        )
    };
    [
        HEADER.to_owned(),
        row("09:00:00", "accettazione", ";"),
        row("09:00:00", "posta-certificata", ";"),
        row("09:00:02", "presa-in-carico", ";b@y.example"),
        row("09:00:05", "avvenuta-consegna", "b@y.example;"),
    ]
    .join("\r\n")
}

fn daily() -> String {
    let line = |time: &str, kind: &str, rest: &str| {
        format!(
            "Mar 10 {time} pecd host1 [42]: 1@x.example: tipo={kind}: mittente=a@x.example: destinatari=b@y.example (certificato): oggetto=Re: prova: message-id=<1@x.example>: gestore=Posta Esempio{rest}\n"
        )
    };
    [
        "Mar 10 00:00:01 host1 newsyslog[7]: logfile turned over\n".to_owned(),
        line("09:00:00", "accettazione (Accettazione)", ""),
        line("09:00:00", "posta-certificata (BustaTrasporto)", ""),
        line(
            "09:00:05",
            "errore-consegna (MancataConsegna)",
            ": consegna=b@y.example: errore=no-dest: errore-esteso=5.1.1",
        ),
        "    casella inesistente\n".to_owned(),
    ]
    .concat()
}

#[test]
fn the_csv_is_read_and_counted() {
    let found = look(csv().as_bytes(), "PEC1-2026-03-10.csv", json!({}));
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    assert_eq!(
        Value::Object(found.fields),
        json!({
            "installation": "PEC1", "format": "csv", "rows": 4, "unreadable_rows": 0, "transactions": 1,
            "events": { "accettazione": 1, "posta-certificata": 1, "presa-in-carico": 1, "avvenuta-consegna": 1 },
            "first_event": "2026-03-10T08:00:00.000Z", "last_event": "2026-03-10T08:00:05.000Z",
            "providers": ["Posta Esempio"], "provider": "Posta Esempio",
            "period_start": "2026-03-10", "period_end": "2026-03-10", "day": "2026-03-10",
        })
    );
}

#[test]
fn the_daily_log_is_read_and_counted() {
    let found = look(daily().as_bytes(), "PEC2-2026-03-10#2026-03-11.log", json!({}));
    // Deposited on the second of its two days.
    let told: Vec<_> = found.findings.iter().map(|f| (f.code, f.place.as_str())).collect();
    assert_eq!(told, [(Code::PecLogPeriod, "period")]);
    let fields = &found.fields;
    assert_eq!(
        (&fields["format"], &fields["rows"], &fields["transactions"]),
        (&json!("key-value"), &json!(4), &json!(1))
    );
    assert_eq!(fields["first_event"], "2026-03-10T08:00:00.000Z");
    assert_eq!((&fields["period_start"], &fields["period_end"]), (&json!("2026-03-10"), &json!("2026-03-11")));
    assert_eq!(fields["events"]["sistema"], 1);
}

#[test]
fn what_travels_signed_or_compressed_is_the_same_log() {
    use std::io::Write as _;
    let plain = look(csv().as_bytes(), "PEC1-2026-03-10.csv", json!({})).fields;
    let signed = super::super::samples::signed(csv().as_bytes());
    let squeeze = |bytes: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    };
    for (bytes, name) in [
        (signed.clone(), "PEC1-2026-03-10.log.p7m"),
        (squeeze(csv().as_bytes()), "PEC1-2026-03-10.csv.gz"),
        (squeeze(&signed), "PEC1-2026-03-10.log.p7m.gz"),
        (super::super::samples::signed(&squeeze(csv().as_bytes())), "PEC1-2026-03-10.log.gz.p7m"),
    ] {
        let found = look(&bytes, name, json!({}));
        assert_eq!(found.fields, plain, "{name}: {:?}", found.findings);
    }
    let found = look(csv().as_bytes(), "PEC1-2026-03-10.log.p7m", json!({}));
    assert_eq!((codes(&found), &found.fields), (vec!["p7m/plain"], &plain));
}

#[test]
fn a_bomb_and_a_broken_stream_have_their_codes() {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        gzip.write_all(&vec![b'x'; 1 << 20]).unwrap();
    }
    let bomb = gzip.finish().unwrap();
    assert!(codes(&look(&bomb, "a.log.gz", json!({}))).contains(&"gzip/bomb"));
    assert!(
        codes(&look(&bomb[..bomb.len() / 2], "a.log.gz", json!({})))
            .iter()
            .any(|code| ["gzip/malformed", "gzip/bomb"].contains(code))
    );
}

#[test]
fn a_day_without_traffic_is_an_empty_log_or_a_declaration() {
    let empty = look(b"", "PEC1-2026-03-10.log", json!({}));
    assert_eq!((&empty.fields["no_traffic"], codes(&empty)), (&json!(true), vec![]));
    let header = look(HEADER.as_bytes(), "x.csv", json!({ "day": "2026-03-10" }));
    assert_eq!((&header.fields["no_traffic"], codes(&header)), (&json!(true), vec![]));
    let rotation = look(b"Mar 10 00:00:01 host1 newsyslog[7]: logfile turned over\n", "PEC1-2026-03-10.log", json!({}));
    assert_eq!(rotation.fields["no_traffic"], true);
    let words = b"Si dichiara che non vi sono stati messaggi.";
    let said = look(words, "d.txt", json!({ "day": "2026-03-10", "no_traffic": true }));
    assert_eq!((&said.fields["format"], &said.fields["no_traffic"]), (&json!("declaration"), &json!(true)));
    assert!(codes(&look(words, "d.txt", json!({ "day": "2026-03-10" }))).contains(&"pec-log/format"));
    assert_eq!(look(csv().as_bytes(), "x.csv", json!({ "no_traffic": true })).fields["no_traffic"], false);
}

#[test]
fn what_is_wrong_is_said_by_line_and_never_by_value() {
    let text = format!(
        "{}\r\n;;;\r\nx;ieri;accettazione\r\n1@x.example;2026-03-12T09:00:00+01:00;avvenuta-consegna;a@x.example;b@y.example:certificato;Prova;Posta Esempio;b@y.example;\r\n",
        csv()
    );
    let found = look(text.as_bytes(), "PEC1-2026-03-10.csv", json!({}));
    assert_eq!(codes(&found), ["pec-log/rows", "pec-log/period", "pec-log/inconsistent"]);
    assert!(found.findings[0].message.ends_with("2, from line 6, 7"), "{:?}", found.findings);
    assert!(found.findings.iter().all(|f| !f.message.contains('@') && !f.place.contains('@')));
}

#[test]
fn encodings_may_be_declared_marked_or_mixed() {
    let wide: Vec<u8> = [0xfe, 0xff].into_iter().chain(csv().encode_utf16().flat_map(u16::to_be_bytes)).collect();
    let found = look(&wide, "PEC1-2026-03-10.csv", json!({}));
    assert_eq!((&found.fields["rows"], codes(&found)), (&json!(4), vec![]));
    let western: Vec<u8> =
        csv().replace("Prova", "Perche'").bytes().map(|b| if b == b'\'' { 0xe9 } else { b }).collect();
    assert_eq!(codes(&look(&western, "PEC1-2026-03-10.csv", json!({}))), ["pec-log/encoding"]);
    let declared = look(&western, "PEC1-2026-03-10.csv", json!({ "encoding": "iso-8859-1" }));
    assert!(codes(&declared).is_empty(), "{:?}", declared.findings);
    assert_eq!(codes(&look(b"", "PEC1-2026-03-10.csv", json!({ "encoding": "boh" }))), ["pec-log/encoding"]);
}

#[test]
fn a_log_that_comes_after_its_term_says_so() {
    let log = csv();
    assert!(codes(&look(log.as_bytes(), "PEC1-2026-03-10.csv", json!({}))).iter().all(|code| *code != "pec-log/late"));
    assert!(codes(&look(b"", "PEC1-2026-03-08.log", json!({}))).contains(&"pec-log/late"));
    assert_eq!(codes(&look(b"%PDF-1.4 x", "d.pdf", json!({ "day": "2026-03-10", "no_traffic": true }))), [""; 0]);
    assert_eq!(codes(&look(b"%PDF-1.4 x", "d.pdf", json!({ "day": "2026-03-10" }))), ["pec-log/not-log"]);
}

/// A log that never stands anywhere whole: each row is made when it is read.
struct Endless {
    row: u64,
    rows: u64,
    left: Vec<u8>,
    given: u64,
}

impl std::io::Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.left.is_empty() && self.row < self.rows {
            // Four rows a transmission, which comes back for ever after the thousandth.
            let (identifier, kind) = (self.row / 4 % 1000, self.row % 4);
            let kind = ["accettazione", "posta-certificata", "presa-in-carico", "avvenuta-consegna"][kind as usize];
            let subject = "oggetto di esempio ".repeat(100);
            let text = if self.row == 0 { format!("{HEADER}\r\n") } else { String::new() };
            self.left = format!(
                "{text}{identifier}@x.example;2026-03-10T09:00:00+01:00;{kind};a@x.example;b@y.example:certificato;{subject};Posta Esempio;;\r\n"
            )
            .into();
            self.row += 1;
        }
        let count = into.len().min(self.left.len());
        into[..count].copy_from_slice(&self.left[..count]);
        self.left.drain(..count);
        self.given += count as u64;
        Ok(count)
    }
}

/// What is held of a log: one line (at most 256 KiB), the buffer, and hashes of its transmissions (at most 200,000 of them), whatever
/// its length; so half a gigabyte needs no more than this.
#[test]
fn a_large_log_is_read_as_a_stream() {
    let mut source = Endless { row: 0, rows: 15_000, left: Vec::new(), given: 0 };
    let years = Years { period: None, received: None };
    let declared = Declared { encoding: None, columns: BTreeMap::new(), years, span: None };
    let scanned = scan(&mut source, &declared).unwrap();
    assert!(source.given > 30_000_000, "{} bytes", source.given);
    assert_eq!((scanned.rows, scanned.unreadable.count, scanned.transactions.len()), (15_000, 0, 1000));
    assert_eq!(scanned.events.values().sum::<u64>(), 15_000);
}

#[test]
fn cut_and_flipped_logs_never_panic() {
    let signed = super::super::samples::signed(csv().as_bytes());
    for (whole, name) in
        [(csv().into_bytes(), "a.csv"), (daily().into_bytes(), "PEC1-2026-03-10.log"), (signed, "a.log.p7m")]
    {
        for at in (0..whole.len()).step_by(7) {
            look(&whole[..at], name, json!({}));
            let mut flipped = whole.clone();
            flipped[at] ^= 0x55;
            look(&flipped, name, json!({}));
        }
    }
}
