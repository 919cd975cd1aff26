//! Headers that contradict the signed data, and headers that are odd: all outside the signature, which stays good.

use super::Set;
use super::mail::{Mail, certified, xml_part};
use crate::corpus::pec::notice::Kind;
use crate::error::Result;

/// Name, header, value.
const EDITED: &[(&str, &str, &str)] = &[
    ("tipo", "X-Ricevuta", "accettazione"),
    ("tipo-ignoto", "X-Ricevuta", "consegnato"),
    ("riferimento", "X-Riferimento-Message-ID", "<altro@pec.example.it>"),
    ("tiporicevuta", "X-TipoRicevuta", "breve"),
    ("tiporicevuta-strana", "X-TipoRicevuta", "complet"),
    ("destinatario", "To", "altri@pec.example.net"),
    ("data", "Date", "Sun, 1 Mar 2020 10:00:00 +0100"),
    ("data-illeggibile", "Date", "ieri"),
    ("virus", "X-VerificaSicurezza", "errore"),
];

/// The same on a transport envelope.
const EDITED_ENVELOPE: &[(&str, &str, &str)] = &[
    ("busta-message-id", "Message-ID", "<altro@pec.example.it>"),
    ("busta-mittente", "From", "\"Per conto di: altri@pec.example.it\" <posta-certificata@pec.example.it>"),
    (
        "busta-indirizzo-gestore",
        "From",
        "\"Per conto di: protocollo@pec.example.it\" <posta-certificata@pec.example.net>",
    ),
    ("busta-destinatari", "Cc", "aggiunto@pec.example.org"),
    ("busta-oggetto", "Subject", "POSTA CERTIFICATA: altro"),
    ("busta-anomalia", "X-Trasporto", "errore"),
];

/// What stands there once more than it may, before the right one, of a transport envelope.
const REPEATED: &[(&str, &str, &str)] = &[
    ("from", "From", "posta-certificata@pec.example.net"),
    ("from-uguale", "From", "\"Per conto di: protocollo@pec.example.it\" <posta-certificata@pec.example.it>"),
    ("message-id", "Message-ID", "<altro@pec.example.it>"),
    ("subject", "Subject", "POSTA CERTIFICATA: altro"),
    ("to", "To", "altri@pec.example.net"),
    ("content-type", "Content-Type", "text/plain"),
];

pub fn samples(set: &mut Set) -> Result<()> {
    for (kind, receipt_type, after, list) in
        [(Kind::Delivery, Some("completa"), 12, EDITED), (Kind::Transport, None, 2, EDITED_ENVELOPE)]
    {
        for (name, header, value) in list {
            let mut mail = Mail::new(kind, receipt_type, after);
            mail.set(header, value);
            set.mail(&format!("contraddice-{name}"), &mail)?;
        }
    }
    let mut virus = Mail::new(Kind::VirusDetected, None, 5);
    virus.set("X-Mittente", "altri@pec.example.it");
    set.mail("contraddice-x-mittente", &virus)?;
    let mut plain = Mail::new(Kind::Acceptance, None, 2);
    plain.unset("X-Ricevuta");
    set.mail("senza-x-ricevuta", &plain)?;
    let mut twice = Mail::new(Kind::Delivery, Some("completa"), 12);
    twice.headers.insert(0, ("X-Ricevuta".to_owned(), "errore-consegna".to_owned()));
    set.mail("x-ricevuta-doppia", &twice)?;
    for (name, header, value) in REPEATED {
        let mut mail = Mail::new(Kind::Transport, None, 2);
        mail.headers.insert(0, ((*header).to_owned(), (*value).to_owned()));
        set.mail(&format!("doppia-{name}"), &mail)?;
    }
    let mut two = Mail::new(Kind::Transport, None, 2);
    two.set(
        "From",
        "\"Per conto di: protocollo@pec.example.it\" <posta-certificata@pec.example.it>, altri@pec.example.net",
    );
    set.mail("due-indirizzi-in-from", &two)?;
    let ordinary = |date: &str| {
        format!(
            "From: a@example.it\r\nTo: b@example.org\r\nSubject: prova\r\nDate: {date}\r\nMessage-ID: <1@example.it>\r\n\r\nCiao\r\n"
        )
    };
    set.bytes("ordinaria-del-1970.eml", ordinary("Thu, 01 Jan 1970 00:00:00 +0000").into_bytes());
    set.bytes("ordinaria-del-2126.eml", ordinary("Tue, 31 Dec 2126 10:00:00 +0100").into_bytes());
    // Whoever likes can write certified data that nobody signed.
    let xml = String::from_utf8_lossy(&xml_part(
        "daticert.xml",
        certified(Kind::Transport, None, 2).render().replace("10/03/2026", "01/01/1999").as_bytes(),
    ))
    .into_owned();
    let forged = format!(
        "X-Trasporto: posta-certificata\r\nFrom: posta-certificata@pec.example.it\r\nTo: ufficio.legale@pec.example.org\r\n\
         Subject: POSTA CERTIFICATA: prova\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"F\"\r\n\r\n--F\r\n{xml}\r\n--F--\r\n"
    );
    set.bytes("contraffatta-del-1999.eml", forged.into_bytes());
    // Raw characters of another century.
    let regular = Mail::new(Kind::Delivery, Some("completa"), 12).render(set.keys)?;
    let raw = |value: &[u8]| {
        let at = regular.windows(9).position(|w| w == b"Subject: ").expect("a subject") + 9;
        let end = at + regular[at..].windows(8).position(|w| w == b"\r\nMessag").expect("what follows it");
        [&regular[..at], value, &regular[end..]].concat()
    };
    set.bytes("oggetto-8bit-latin1.eml", raw(b"CONSEGNA: perch\xe9 no"));
    set.bytes("oggetto-8bit-utf8.eml", raw("CONSEGNA: perché no".as_bytes()));
    set.bytes("oggetto-8bit-guasto.eml", raw(b"CONSEGNA: \xff\xfe\x80\x00\x01 perch\xc3"));
    set.bytes(
        "oggetto-parola-rotta.eml",
        raw(b"=?UTF-8?B?Q09OU0VHTkE6?= =?UTF-8?Q?perch=C3?= =?boh?X?x?= =?UTF-8?B?%%%"),
    );
    Ok(())
}
