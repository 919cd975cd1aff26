//! Signatures that are not the provider's: the sender's own around his message, those of files; and who the headers say it is from.

use super::Set;
use super::mail::{
    IDENTIFIER, Mail, OUTSIDE, RECIPIENT, SENDER, accepted, certified, mail_part, multipart, original, text_part,
};
use super::variants::attachment;
use crate::corpus::mime::base64_lines;
use crate::corpus::pec::notice::Kind;
use crate::error::Result;

/// Enveloped data (RFC 5652 section 6) without anything in it.
const ENCRYPTED: [u8; 17] = [0x30, 0x0f, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 3, 0xa0, 2, 0x30, 0];
const CONTRACT: &[u8] = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n";

pub fn samples(set: &mut Set) -> Result<()> {
    messages(set)?;
    files(set)?;
    headers(set)
}

/// Headers of an original from this address.
fn top(from: &str, more: &str) -> String {
    format!(
        "X-Riferimento-Message-ID: <20260310091458.1a2b3c@pec.example.it>\r\nMessage-ID: <{IDENTIFIER}>\r\n\
         Date: Tue, 10 Mar 2026 10:14:58 +0100\r\nFrom: {from}\r\n{more}To: {RECIPIENT}\r\nSubject: Contratto\r\n\
         MIME-Version: 1.0\r\n"
    )
}

fn carrying(original: &[u8]) -> Mail {
    let mut mail = Mail::new(Kind::Transport, None, 2);
    mail.postacert = Some(mail_part("postacert.eml", original));
    mail
}

fn contract() -> Vec<u8> {
    let mut part =
        b"Content-Type: application/pdf; name=\"contratto.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n".to_vec();
    base64_lines(&mut part, CONTRACT);
    part
}

/// A whole part of S/MIME that holds this CMS.
fn opaque(kind: &str, cms: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "Content-Type: application/pkcs7-mime; smime-type={kind}; name=\"smime.p7m\"\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"smime.p7m\"\r\n\r\n"
    )
    .into_bytes();
    base64_lines(&mut out, cms);
    out
}

fn messages(set: &mut Set) -> Result<()> {
    // A provider's message inside its signature: no rule foresees it.
    let envelope = Mail::new(Kind::Transport, None, 2);
    let inside = set.keys.sign_as("posta-certificata@pec.example.it", &envelope.signed_part(), accepted(), true)?;
    set.bytes("busta-dentro-la-firma.eml", [envelope.top(), opaque("signed-data", &inside)].concat());
    let content = multipart("mixed", "interno", &[text_part("Si allega il contratto."), contract()]);
    let detached = set.keys.sign_as(SENDER, &content, accepted(), false)?;
    let mut wrapped = Mail::new(Kind::Transport, None, 2);
    wrapped.look.outer = "=_firma_utente";
    let signed = wrapped.signed(&content, &detached);
    let from = |from: &str, more: &str| [top(from, more).as_bytes(), &signed].concat();
    set.mail("firma-utente-staccata", &carrying(&from(SENDER, "")))?;
    let mut lf = carrying(&from(SENDER, ""));
    lf.look.lf = true;
    set.mail("firma-utente-staccata-lf", &lf)?;
    set.mail("firma-utente-altro-mittente", &carrying(&from("altri@pec.example.it", "")))?;
    let sender = format!("Sender: <{SENDER}>\r\n");
    set.mail("firma-utente-sender", &carrying(&from("altri@pec.example.it", &sender)))?;
    let altered = super::replaced(&from(SENDER, ""), "Si allega il contratto", "Si allega un contratto");
    set.mail("firma-utente-alterata", &carrying(&altered))?;
    let missing =
        super::replaced(&from(SENDER, ""), "application/x-pkcs7-signature; name=\"smime.p7s\"", "text/x-altro");
    let missing = super::replaced(&missing, "filename=\"smime.p7s\"", "filename=\"altro\"");
    set.mail("firma-utente-assente", &carrying(&missing))?;

    let attached = set.keys.sign_as(SENDER, &content, accepted(), true)?;
    let original = [top(SENDER, "").as_bytes(), &opaque("signed-data", &attached)].concat();
    set.mail("firma-utente-opaca", &carrying(&original))?;
    set.bytes("ordinaria-firma-opaca.eml", original);
    let original = [top(SENDER, "").as_bytes(), &opaque("enveloped-data", &ENCRYPTED)].concat();
    set.mail("firma-utente-cifrata", &carrying(&original))
}

fn files(set: &mut Set) -> Result<()> {
    let signed = set.keys.sign_file(CONTRACT, accepted())?;
    let twice = set.keys.sign_file(&signed, accepted())?;
    let mut flipped = signed.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    for (name, bytes) in [
        ("", &signed[..]),
        ("-due-volte", &twice),
        ("-alterato", &flipped),
        ("-solo-di-nome", b"Non e' una firma ma una nota."),
        ("-troncato", &signed[..signed.len() / 2]),
    ] {
        let mut message = original();
        message.attachments = vec![attachment("contratto.pdf.p7m", "application/pkcs7-mime", bytes)];
        let mail = Mail::about(Kind::Transport, &message, certified(Kind::Transport, None, 2), None);
        set.mail(&format!("allegato-firmato{name}"), &mail)?;
    }
    Ok(())
}

/// Sender beside From, as providers write it and as nobody may (RFC 6109 section 4.3).
fn headers(set: &mut Set) -> Result<()> {
    let service = "posta-certificata@pec.example.it";
    for (name, sender) in [("uguale", service), ("diverso", OUTSIDE)] {
        let mut mail = Mail::new(Kind::Acceptance, None, 2);
        mail.set("Sender", sender);
        set.mail(&format!("sender-del-gestore-{name}"), &mail)?;
    }
    Ok(())
}
