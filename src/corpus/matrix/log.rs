//! Logs of PEC providers: both layouts, every encoding and dress, and every trap of `reference/pec` section 10.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Sample;
use crate::corpus::invoice::Container;
use crate::corpus::provider::Keys;
use crate::error::Result;

/// The day before the corpus is received: in time.
const DAY: &str = "2026-11-21";
const HEADER: [&str; 12] = [
    "identificativo",
    "data_ora",
    "evento",
    "mittente",
    "destinatari",
    "oggetto",
    "msgid",
    "message_id_evento",
    "gestore_emittente",
    "consegna",
    "ricezione",
    "errore",
];

/// Kind, label, whom it is about, error; a whole transmission.
const GOOD: [(&str, &str, &str, &str); 4] = [
    ("accettazione", "Accettazione", "", ""),
    ("posta-certificata", "BustaTrasporto", "", ""),
    ("presa-in-carico", "PresaInCarico", "", ""),
    ("avvenuta-consegna", "Consegna", "b@pec.example.org", ""),
];
const SENDER: &str = "a@pec.example.org";
const RECIPIENT: &str = "b@pec.example.org";

fn rows(events: &[(&str, &str, &str, &str)], subject: &str) -> Vec<[String; 12]> {
    let row = |n: usize, (kind, _, about, error): &(&str, &str, &str, &str)| {
        let taken = if *kind == "presa-in-carico" { RECIPIENT } else { "" };
        [
            "opec1.20261121@pec.example.org".to_owned(),
            format!("{DAY}T09:00:{n:02}+01:00"),
            (*kind).to_owned(),
            SENDER.to_owned(),
            format!("{RECIPIENT}:certificato"),
            subject.to_owned(),
            "<1@client.example.org>".to_owned(),
            format!("<ric.{n}@pec.example.org>"),
            "Posta Esempio".to_owned(),
            (*about).to_owned(),
            taken.to_owned(),
            (*error).to_owned(),
        ]
    };
    events.iter().enumerate().map(|(n, event)| row(n, event)).collect()
}

fn csv(events: &[(&str, &str, &str, &str)], subject: &str, delimiter: char, end: &str) -> String {
    let cell = |text: &str| {
        if text.contains([delimiter, '"', '\n']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
        cells.join(&delimiter.to_string()) + end
    };
    let header = HEADER.map(str::to_owned);
    std::iter::once(line(&header)).chain(rows(events, subject).iter().map(|row| line(row))).collect()
}

fn daily(events: &[(&str, &str, &str, &str)], subject: &str, stamp: &str) -> String {
    let line = |n: usize, (kind, label, about, error): &(&str, &str, &str, &str)| {
        let mut line = format!(
            "{stamp}:{n:02} pecd host1 [4242]: opec1.20061231@pec.example.org: tipo={kind} ({label}): mittente={SENDER}: destinatari={RECIPIENT} (certificato), c@example.org (ordinario): oggetto={subject}: message-id=<ric.{n}@pec.example.org>: gestore=Posta Esempio"
        );
        for (key, value) in [("consegna", about), ("errore", error)] {
            if !value.is_empty() {
                line.push_str(&format!(": {key}={value}"));
            }
        }
        line + "\n"
    };
    events.iter().enumerate().map(|(n, event)| line(n, event)).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(bytes).expect("writing to memory does not fail");
    gzip.finish().expect("writing to memory does not fail")
}

/// Adds the logs.
pub(super) fn samples(keys: &mut Keys, all: &mut Vec<Sample>) -> Result<()> {
    let mut add = |name: String, bytes: Vec<u8>| all.push(Sample { class: "pec-log", name, bytes });
    let good = csv(&GOOD, "Saluti", ';', "\r\n");

    for (name, delimiter, end) in
        [("punto-e-virgola", ';', "\r\n"), ("virgola", ',', "\r\n"), ("tab", '\t', "\r\n"), ("lf", ';', "\n")]
    {
        add(format!("PEC1-{DAY}-{name}.csv"), csv(&GOOD, "Saluti", delimiter, end).into_bytes());
    }
    add(format!("PEC1-{DAY}-barra.csv"), csv(&GOOD, "Saluti", '|', "\r\n").into_bytes());
    add(format!("PEC1-{DAY}-solo-cr.csv"), csv(&GOOD, "Saluti", ';', "\r").into_bytes());
    add(format!("PEC1-{DAY}-solo-cr.log"), daily(&GOOD, "Saluti", "2026-11-21 10:00").replace('\n', "\r").into_bytes());
    add(format!("PEC1-{DAY}-sep.csv"), format!("sep=;\r\n{good}").into_bytes());
    add(format!("PEC1-{DAY}-solo-bom.csv"), b"\xEF\xBB\xBF".to_vec());
    add(format!("PEC1-{DAY}-solo-a-capo.log"), b"\r\n".to_vec());
    add(format!("PEC1-{DAY}-non-letto.log"), b"{\"eventi\": []}\n".to_vec());
    // Days that cannot be the log's.
    for (name, days) in [
        ("anno-errato", "9998-11-21"),
        ("anno-di-prima", "1926-11-21"),
        ("30-febbraio", "2026-02-30"),
        ("intervallo-rovesciato", "2026-11-21#2026-11-20"),
        ("domani", "2026-11-23"),
        ("non-finito", "2026-11-22"),
    ] {
        add(format!("PEC7-{days}-{name}.csv"), good.clone().into_bytes());
    }
    add(format!("PEC1-{DAY}-bom.csv"), [b"\xEF\xBB\xBF", good.as_bytes()].concat());
    let accents = csv(&GOOD, "Perché è così", ';', "\r\n");
    add(format!("PEC1-{DAY}-utf8.csv"), accents.clone().into_bytes());
    add(format!("PEC1-{DAY}-windows-1252.csv"), encoding_rs::WINDOWS_1252.encode(&accents).0.into_owned());
    let doubled: String = accents.bytes().map(char::from).collect();
    add(format!("PEC1-{DAY}-utf8-due-volte.csv"), doubled.into_bytes());
    let wide = accents.encode_utf16().flat_map(u16::to_le_bytes);
    add(format!("PEC1-{DAY}-utf16.csv"), [0xff, 0xfe].into_iter().chain(wide).collect());
    add(format!("PEC1-{DAY}-virgolette.csv"), csv(&GOOD, "Offerta \"due\";\r\nriga tre", ';', "\r\n").into_bytes());
    let backwards: String =
        good.lines().map(|line| line.split(';').rev().collect::<Vec<_>>().join(";") + "\r\n").collect();
    add(format!("PEC1-{DAY}-colonne-al-contrario.csv"), backwards.into_bytes());
    let renamed =
        good.replacen("identificativo;data_ora;evento;mittente;destinatari", "ID;Timestamp;Tipo evento;From;To", 1);
    add(format!("PEC1-{DAY}-altri-nomi.csv"), renamed.into_bytes());
    let guarded = csv(&GOOD, "'=1+1", ';', "\r\n");
    add(format!("PEC1-{DAY}-protetto.csv"), guarded.into_bytes());
    let broken =
        good.clone() + "x;ieri;accettazione\r\n1@x;2026-11-21T10:00:00+01:00;accettazione;\"mai chiuso;\r\n;;;\r\n";
    add(format!("PEC1-{DAY}-righe-illeggibili.csv"), broken.into_bytes());
    let header = good.lines().next().unwrap_or_default().to_owned() + "\r\n";
    add(format!("PEC1-{DAY}-senza-traffico.csv"), header.into_bytes());
    add("registro.csv".to_owned(), good.clone().into_bytes());

    for (name, container) in [("der", Container::Der), ("ber", Container::Ber), ("base64", Container::Base64)] {
        let signed = container.wrap(good.clone().into_bytes(), keys, at("2026-11-21T23:30:00Z"))?;
        add(format!("PEC1-{DAY}-{name}.csv.p7m"), signed);
    }
    let der = keys.sign_file(good.as_bytes(), at("2026-11-21T23:30:00Z"))?;
    add(format!("PEC1-{DAY}.csv.gz"), gzip(good.as_bytes()));
    add(format!("PEC1-{DAY}-firmato.csv.p7m.gz"), gzip(&der));
    add(format!("PEC1-{DAY}-in-chiaro.csv.p7m"), good.clone().into_bytes());
    add(format!("PEC1-{DAY}-troncato.csv.p7m"), der[..der.len() / 2].to_vec());
    add(format!("PEC1-{DAY}-troncato.csv.gz"), gzip(good.as_bytes())[..40].to_vec());
    let mut altered = der;
    if let Some(at) = altered.windows(7).position(|window| window == b"avvenut") {
        altered[at] = b'A';
    }
    add(format!("PEC1-{DAY}-alterato.csv.p7m"), altered);

    let file = "PEC2-2006-12-31";
    add(format!("{file}.log"), daily(&GOOD, "Saluti", "Dec 31 23:30").into_bytes());
    add(format!("{file}-italiano.log"), daily(&GOOD, "Saluti", "dic 31 23:30").into_bytes());
    add(format!("{file}-anno.log"), daily(&GOOD, "Saluti", "31 dicembre 2006 23:30").into_bytes());
    add(format!("{file}-iso.log"), daily(&GOOD, "Saluti", "2006-12-31 23:30").into_bytes());
    add("PEC2-2006-05-10#2007-01-19.log".to_owned(), daily(&GOOD, "Saluti", "Gen 10 09:00").into_bytes());
    add("senza-periodo.log".to_owned(), daily(&GOOD, "Saluti", "Mar 10 09:00").into_bytes());
    add(
        format!("{file}-oggetto.log"),
        daily(&GOOD, "Re: offerta: message-id=<x y>: tipo=accettazione: gestore=Altro", "Dec 31 23:30").into_bytes(),
    );
    add(
        format!("{file}-iso-8859-1.log"),
        encoding_rs::WINDOWS_1252.encode(&daily(&GOOD, "Perché", "Dec 31 23:30")).0.into_owned(),
    );
    add(format!("{file}-sostituiti.log"), daily(&GOOD, "Perch\u{fffd}", "Dec 31 23:30").into_bytes());
    let anomaly = [("", "BustaAnomalia", "", "")];
    let anomaly =
        daily(&anomaly, "Ordinaria", "Dec 31 23:30").replace("message-id=<ric.0@pec.example.org>", "message-id=");
    add(format!("{file}-anomalia.log"), anomaly.into_bytes());
    let failed = [GOOD[0], GOOD[1], ("errore-consegna", "MancataConsegna", RECIPIENT, "no-dest: errore-esteso=5.1.1")];
    let failed = daily(&failed, "Saluti", "Dec 31 23:30") + "    casella inesistente\n\tseconda riga\n";
    add(format!("{file}-continuazione.log"), failed.into_bytes());
    let rotation = "Dec 31 00:00:01 host1 newsyslog[7]: logfile turned over\n";
    add(format!("{file}-rotazione.log"), (rotation.to_owned() + &daily(&GOOD, "Saluti", "Dec 31 23:30")).into_bytes());
    add(format!("{file}-solo-rotazione.log"), rotation.as_bytes().to_vec());
    let disordered =
        daily(&GOOD, "Uno", "Dec 31 23:30") + &daily(&GOOD[..2], "Due", "Dec 31 11:30").replace("opec1.", "opec2.");
    add(format!("{file}-fuori-ordine.log"), disordered.into_bytes());
    add(format!("{file}-altro-giorno.log"), daily(&GOOD, "Saluti", "Nov 15 09:00").into_bytes());
    let signed = keys.sign_file(daily(&GOOD, "Saluti", "Dec 31 23:30").as_bytes(), at("2007-01-01T01:00:00Z"))?;
    add(format!("{file}.log.p7m"), signed);
    let plain = daily(&GOOD, "Saluti", "Dec 31 23:30");
    let (head, tail) = plain.split_at(plain.find('\n').map_or(0, |end| end + 1));
    add(format!("{file}-zeri-in-mezzo.log"), format!("{head}{}\n{tail}", "\0".repeat(64)).into_bytes());
    add(format!("{file}-zeri-in-coda.log"), format!("{plain}{}", "\0".repeat(64)).into_bytes());
    add(format!("PEC1-{DAY}-ctrl-z.csv"), format!("{good}\u{1a}").into_bytes());
    add("registro_20061231.log".to_owned(), plain.clone().into_bytes());
    add("registro-31-12-2006.log".to_owned(), plain.into_bytes());
    add(format!("PEC3-{DAY}-altro.log"), b"questo non \xe8 un registro\ncome gli altri\n".to_vec());

    // One contradiction each.
    let virus = [GOOD[0], GOOD[1], ("rilevazione-virus", "RilevazioneVirus", "", ""), GOOD[3]];
    let failed_too = [GOOD[0], GOOD[1], GOOD[2], GOOD[3], ("errore-consegna", "", RECIPIENT, "no-dest")];
    let outside = [GOOD[0], GOOD[1], GOOD[2], GOOD[3], ("avvenuta-consegna", "", "z@pec.example.org", "")];
    for (name, events) in [
        ("due-accettazioni", vec![GOOD[0], GOOD[0], GOOD[1], GOOD[2], GOOD[3]]),
        ("due-buste", vec![GOOD[0], GOOD[1], GOOD[1], GOOD[2], GOOD[3]]),
        ("senza-busta", vec![GOOD[0], GOOD[2], GOOD[3]]),
        ("due-consegne", vec![GOOD[0], GOOD[1], GOOD[2], GOOD[3], GOOD[3]]),
        ("consegnato-e-fallito", failed_too.to_vec()),
        ("virus-senza-errore", virus.to_vec()),
        ("errore-senza-virus", vec![GOOD[0], GOOD[1], ("errore-consegna", "", RECIPIENT, "virus")]),
        ("destinatario-estraneo", outside.to_vec()),
        ("senza-esito", GOOD[..3].to_vec()),
        ("cominciato-prima", GOOD[3..].to_vec()),
    ] {
        add(format!("PEC1-{DAY}-{name}.csv"), csv(&events, "Saluti", ';', "\r\n").into_bytes());
    }
    Ok(())
}

fn at(text: &str) -> jiff::Timestamp {
    text.parse().expect("an instant written here")
}
