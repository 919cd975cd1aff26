//! Good messages that look different: recipients, originals, names, encodings and habits seen in the field.

use jiff::SignedDuration;

use super::Set;
use super::mail::{
    COPIED, IDENTIFIER, MSGID, Mail, OUTSIDE, RECIPIENT, SENDER, accepted, bare, certified, mail_part, multipart,
    original, rome, text_part, xml_part,
};
use crate::corpus::pec::daticert::Daticert;
use crate::corpus::pec::notice::Kind;
use crate::corpus::pec::original::{Attachment, BreveHash};
use crate::error::Result;
use crate::evidence::algorithm::DigestAlgorithm;

pub fn samples(set: &mut Set) -> Result<()> {
    recipients(set)?;
    breve(set)?;
    nested(set)?;
    habits(set)?;
    notices(set)
}

fn recipients(set: &mut Set) -> Result<()> {
    let mut to = original();
    to.cc = vec![COPIED.to_owned(), OUTSIDE.to_owned()];
    let all = |data: Daticert| Daticert {
        recipients: vec![(RECIPIENT.to_owned(), true), (COPIED.to_owned(), true), (OUTSIDE.to_owned(), false)],
        ..data
    };
    let about =
        |kind, receipt_type, after| Mail::about(kind, &to, all(certified(kind, receipt_type, after)), receipt_type);
    set.mail("a-e-cc-busta", &about(Kind::Transport, None, 2))?;
    set.mail("a-e-cc-accettazione", &about(Kind::Acceptance, None, 2))?;
    let copied =
        Daticert { delivered_to: Some(COPIED.to_uppercase()), ..all(certified(Kind::Delivery, Some("sintetica"), 14)) };
    set.mail("a-e-cc-consegna-cc-maiuscole", &Mail::about(Kind::Delivery, &to, copied, Some("sintetica")))?;
    let mut outside = original();
    outside.to = vec![OUTSIDE.to_owned()];
    let only = Daticert { recipients: vec![(OUTSIDE.to_owned(), false)], ..certified(Kind::Acceptance, None, 2) };
    set.mail("solo-esterno-accettazione", &Mail::about(Kind::Acceptance, &outside, only, None))?;

    let mut silent = original();
    silent.msgid = None;
    for (name, kind) in [("busta", Kind::Transport), ("accettazione", Kind::Acceptance)] {
        let data = Daticert { msgid: None, ..certified(kind, None, 2) };
        set.mail(&format!("senza-msgid-{name}"), &Mail::about(kind, &silent, data, None))?;
    }
    Ok(())
}

fn hash_part(name: &str) -> Vec<u8> {
    format!(
        "Content-Type: text/plain; charset=us-ascii; name=\"{name}.hash\"\r\nContent-Transfer-Encoding: 7bit\r\n\
         Content-Disposition: attachment; filename=\"{name}.hash\"\r\n\r\nDA39A3EE5E6B4B0D3255BFEF95601890AFD80709"
    )
    .into_bytes()
}

/// The headers of the original as it is carried.
fn carried_top() -> Vec<u8> {
    format!(
        "X-Riferimento-Message-ID: {MSGID}\r\nMessage-ID: <{IDENTIFIER}>\r\nDate: Tue, 10 Mar 2026 10:14:58 +0100\r\n\
         From: {SENDER}\r\nTo: {RECIPIENT}\r\nSubject: Diffida\r\nMIME-Version: 1.0\r\n"
    )
    .into_bytes()
}

fn breve(set: &mut Set) -> Result<()> {
    let mut mail = Mail::new(Kind::Delivery, Some("breve"), 12);
    mail.postacert = Some(mail_part("postacert.eml", &original().as_breve(IDENTIFIER, BreveHash::Decoded)));
    set.mail("breve-impronta-decodificata", &mail)?;

    // The user's own signature stays, what it covers does not: it no longer verifies, as expected.
    let content = multipart("mixed", "interno", &[text_part("Testo firmato."), hash_part("contratto.pdf")]);
    let signature = set.keys.sign_mail(0, b"quanto era prima della sostituzione", accepted(), false)?;
    let mut signed = carried_top();
    let mut wrapped = Mail::new(Kind::Delivery, Some("breve"), 12);
    wrapped.look.outer = "=_firma_utente";
    signed.extend_from_slice(&wrapped.signed(&content, &signature));
    mail.postacert = Some(mail_part("postacert.eml", &signed));
    set.mail("breve-originale-firmato", &mail)?;

    let mut enclosing = carried_top();
    enclosing.extend_from_slice(&multipart("mixed", "interno", &[text_part("Inoltro."), hash_part("messaggio.eml")]));
    mail.postacert = Some(mail_part("postacert.eml", &enclosing));
    set.mail("breve-messaggio-allegato", &mail)
}

fn nested(set: &mut Set) -> Result<()> {
    // A PEC forwarded as a whole: the user's message is itself an envelope.
    let other = |mut data: Daticert| {
        data.identifier = "opec11.20260301080000.00001.100.1.10@pec.example.net".to_owned();
        data.subject = "Messaggio di un'altra trasmissione".to_owned();
        data
    };
    let mut inner = Mail::about(Kind::Transport, &original(), other(certified(Kind::Transport, None, 0)), None);
    (inner.look.outer, inner.look.inner) = ("=_altro_fuori", "=_altro_dentro");
    let inner = inner.render(set.keys)?;
    let mut mail = Mail::new(Kind::Transport, None, 2);
    mail.postacert = Some(mail_part("postacert.eml", &inner));
    set.mail("pec-in-pec", &mail)?;
    mail.daticert = None;
    set.mail("pec-in-pec-senza-daticert-esterno", &mail)?;

    let mut forward = carried_top();
    let attached = [
        b"Content-Type: message/rfc822; name=\"inoltrato.eml\"\r\nContent-Disposition: attachment\r\n\r\n".as_slice(),
        &inner,
    ]
    .concat();
    forward.extend_from_slice(&multipart("mixed", "inoltro", &[text_part("Si inoltra."), attached]));
    let mut mail = Mail::new(Kind::Transport, None, 2);
    mail.postacert = Some(mail_part("postacert.eml", &forward));
    set.mail("pec-inoltrata-come-allegato", &mail)?;

    let mut anomaly = Mail::new(Kind::Anomaly, None, 4);
    anomaly.postacert = Some(mail_part("postacert.eml", &inner));
    set.mail("anomalia-di-una-pec", &anomaly)
}

fn habits(set: &mut Set) -> Result<()> {
    let regular = Mail::new(Kind::Delivery, Some("completa"), 12);
    let with = |change: &dyn Fn(&mut Mail)| {
        let mut mail = regular.clone();
        change(&mut mail);
        mail
    };
    set.mail("protocollo-senza-x", &with(&|m| m.look.protocol = "application/pkcs7-signature"))?;
    set.mail("micalg-tra-virgolette", &with(&|m| m.look.micalg = "\"sha1\""))?;
    set.mail("micalg-sbagliato", &with(&|m| m.look.micalg = "md5"))?;
    set.mail("confini-di-soli-trattini", &with(&|m| (m.look.outer, m.look.inner) = ("------", "-----=_-")))?;
    let legalmail = "Posta Certificata Legalmail <posta-certificata@pec.example.org>";
    set.mail("legalmail-nel-mittente", &with(&|m| m.set("From", legalmail)))?;
    set.mail(
        "intestazioni-minuscole-piegate",
        &with(&|m| {
            for (name, _) in &mut m.headers {
                *name = name.to_lowercase();
            }
            m.set("x-riferimento-message-id", &format!("\r\n\t{MSGID}"));
        }),
    )?;
    set.mail("x-tiporicevuta-assente", &with(&|m| m.unset("X-TipoRicevuta")))?;
    set.mail("x-tiporicevuta-maiuscola", &with(&|m| m.set("X-TipoRicevuta", "Completa")))?;
    set.mail("nome-parte-rfc2047", &with(&|m| m.daticert = Some(xml_part("=?UTF-8?Q?daticert=2Exml?=", &xml()))))?;
    set.mail("nome-parte-maiuscolo", &with(&|m| m.daticert = Some(xml_part("DatiCert.XML", &xml()))))?;
    let unnamed = [b"Content-Type: application/xml\r\n\r\n".as_slice(), &xml()].concat();
    set.mail("daticert-senza-nome", &with(&|m| m.daticert = Some(unnamed.clone())))?;
    let eight_bit =
        [b"Content-Type: text/xml; name=daticert.xml\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", &xml()[..]].concat();
    set.mail("daticert-8bit", &with(&|m| m.daticert = Some(eight_bit.clone())))?;
    let encoded = {
        let mut part =
            b"Content-Type: message/rfc822; name=\"postacert.eml\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                .to_vec();
        crate::corpus::mime::base64_lines(&mut part, &original().as_carried(IDENTIFIER));
        part
    };
    set.mail("postacert-base64", &with(&|m| m.postacert = Some(encoded.clone())))?;
    let extra = xml_part("servizio-gestore.xml", b"<?xml version=\"1.0\"?><servizio/>");
    set.mail("parte-in-piu-del-gestore", &with(&|m| m.more.push(extra.clone())))?;
    set.mail(
        "oggetto-con-due-prefissi",
        &Mail::about(
            Kind::Transport,
            &original(),
            Daticert { subject: "POSTA CERTIFICATA: prova".to_owned(), ..certified(Kind::Transport, None, 2) },
            None,
        ),
    )?;

    let rendered = regular.render(set.keys)?;
    set.bytes("estensione.txt", rendered.clone());
    set.bytes(
        "riga-mbox.eml",
        [b"From posta-certificata@pec.example.org Tue Mar 10 10:15:12 2026\r\n", &rendered[..]].concat(),
    );
    set.bytes("epilogo-e-preambolo.eml", epilogue(&rendered));
    // Headers in LF, the signed part in CRLF; and the signed part with some bare LF.
    let end = rendered.windows(4).position(|w| w == b"\r\n\r\n").expect("headers end");
    set.bytes("righe-miste-intestazione.eml", [bare(&rendered[..end + 4]), rendered[end + 4..].to_vec()].concat());
    let middle = rendered.len() / 2;
    set.bytes("righe-miste-corpo.eml", [&rendered[..middle], &bare(&rendered[middle..])].concat());

    let part = regular.signed_part();
    for (name, digest) in [("sha384", DigestAlgorithm::Sha384), ("sha512", DigestAlgorithm::Sha512)] {
        let signature = set.keys.sign_mail_by(regular.provider, &part, regular.at, digest)?;
        set.bytes(&format!("impronta-{name}.eml"), regular.wrap(&part, &signature));
    }
    // Signed as stored, in bare LF: not as the standard says, and yet not altered.
    let mut lf = regular.clone();
    lf.look.lf = true;
    let signature = set.keys.sign_mail(lf.provider, &bare(&part), lf.at, false)?;
    set.bytes("firmata-in-lf.eml", lf.wrap(&part, &signature));
    Ok(())
}

fn xml() -> Vec<u8> {
    certified(Kind::Delivery, Some("completa"), 12).render().replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
}

/// Text before the first delimiter and after the last, of the message and of the signed part's multipart.
fn epilogue(message: &[u8]) -> Vec<u8> {
    let text =
        super::replaced(message, "This is an S/MIME signed message", "Testo che nessuno\r\n--mostra\r\n--\r\nmai");
    [&text[..], b"\r\nEpilogo\r\n--altro--\r\n"].concat()
}

fn notices(set: &mut Set) -> Result<()> {
    let with = |kind, error, detail: Option<&str>, after| {
        let data = Daticert { error, error_detail: detail.map(str::to_owned), ..certified(kind, None, after) };
        Mail::about(kind, &original(), data, None)
    };
    let day = 23 * 3600;
    set.mail("preavviso-24-solo-codice", &with(Kind::Delay24, "altro", Some("5.4.1 - messaggio scaduto"), day))?;
    set.mail("preavviso-24-cifre", &with(Kind::Delay24, "nessuno", Some("non consegnato entro 24 ore"), day))?;
    set.mail("preavviso-senza-dettaglio", &with(Kind::Delay12, "nessuno", None, 12 * 3600))?;
    let reason = Some("5.1.1 - Posta Certa Esempio S.r.l. - indirizzo non valido");
    set.mail("mancata-consegna-altro", &with(Kind::NonDelivery, "altro", reason, 9))?;
    set.mail("mancata-consegna-no-dominio", &with(Kind::NonDelivery, "no-dominio", Some("dominio inesistente"), 9))?;
    // Around the end of daylight saving the offset tells the two hours apart.
    let night = "2026-10-25T00:30:00Z".parse().unwrap_or_else(|_| accepted());
    for (name, hour) in [("prima", 0), ("seconda", 1)] {
        let at = (night + SignedDuration::from_hours(hour)).to_zoned(rome());
        let data = Daticert { at, ..certified(Kind::Acceptance, None, 2) };
        set.mail(&format!("ora-legale-{name}"), &Mail::about(Kind::Acceptance, &original(), data, None))?;
    }
    Ok(())
}

/// A file attached to a user's message.
pub fn attachment(name: &str, media_type: &'static str, bytes: &[u8]) -> Attachment {
    Attachment { name: name.to_owned(), media_type, bytes: bytes.to_vec() }
}
