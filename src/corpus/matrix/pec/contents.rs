//! What is carried: files of every kind, ordinary mail, mail of the system that comes after PEC.

use jiff::Timestamp;

use super::Set;
use super::mail::{
    IDENTIFIER, Mail, OUTSIDE, RECIPIENT, SENDER, accepted, certified, mail_part, multipart, original, text_part,
    xml_part,
};
use super::variants::attachment;
use crate::corpus::mime::base64_lines;
use crate::corpus::pec::notice::Kind;
use crate::corpus::pec::original::Original;
use crate::error::Result;

const INVOICE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<p:FatturaElettronica versione=\"FPR12\" \
xmlns:p=\"http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2\"><FatturaElettronicaHeader><DatiTrasmissione><IdTrasmittente>\
<IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdTrasmittente><ProgressivoInvio>00001</ProgressivoInvio>\
<FormatoTrasmissione>FPR12</FormatoTrasmissione><CodiceDestinatario>0000000</CodiceDestinatario></DatiTrasmissione>\
<CedentePrestatore><DatiAnagrafici><IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>00000000000</IdCodice></IdFiscaleIVA>\
<Anagrafica><Denominazione>Officine Esempio S.r.l.</Denominazione></Anagrafica><RegimeFiscale>RF01</RegimeFiscale></DatiAnagrafici>\
<Sede><Indirizzo>Via Esempio 1</Indirizzo><CAP>00000</CAP><Comune>Esempio</Comune><Nazione>IT</Nazione></Sede></CedentePrestatore>\
<CessionarioCommittente><DatiAnagrafici><CodiceFiscale>00000000000</CodiceFiscale><Anagrafica><Denominazione>Comune di Esempio\
</Denominazione></Anagrafica></DatiAnagrafici><Sede><Indirizzo>Via Esempio 2</Indirizzo><CAP>00000</CAP><Comune>Esempio</Comune>\
<Nazione>IT</Nazione></Sede></CessionarioCommittente></FatturaElettronicaHeader><FatturaElettronicaBody><DatiGenerali>\
<DatiGeneraliDocumento><TipoDocumento>TD01</TipoDocumento><Divisa>EUR</Divisa><Data>2026-03-09</Data><Numero>12/A</Numero>\
<ImportoTotaleDocumento>122.00</ImportoTotaleDocumento></DatiGeneraliDocumento></DatiGenerali><DatiBeniServizi><DettaglioLinee>\
<NumeroLinea>1</NumeroLinea><Descrizione>Esempio</Descrizione><PrezzoUnitario>100.00</PrezzoUnitario><PrezzoTotale>100.00</PrezzoTotale>\
<AliquotaIVA>22.00</AliquotaIVA></DettaglioLinee><DatiRiepilogo><AliquotaIVA>22.00</AliquotaIVA><ImponibileImporto>100.00\
</ImponibileImporto><Imposta>22.00</Imposta></DatiRiepilogo></DatiBeniServizi></FatturaElettronicaBody></p:FatturaElettronica>\n";

const NOTIFICATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<types:RicevutaConsegna xmlns:types=\"http://www.fatturapa.gov.it/sdi/messaggi/v1.0\" versione=\"1.0\">\
<IdentificativoSdI>104857600</IdentificativoSdI><NomeFile>IT00000000000_00001.xml.p7m</NomeFile><DataOraRicezione>2026-03-10T10:15:00.000+01:00\
</DataOraRicezione><DataOraConsegna>2026-03-10T10:16:00.000+01:00</DataOraConsegna><Destinatario><Codice>UFESEM</Codice>\
<Descrizione>Comune di Esempio</Descrizione></Destinatario><MessageId>1</MessageId></types:RicevutaConsegna>\n";

pub fn samples(set: &mut Set) -> Result<()> {
    files(set)?;
    originals(set)?;
    ordinary(set)?;
    registered(set)?;
    infected(set)
}

fn carrying(original: &Original) -> Mail {
    Mail::about(Kind::Transport, original, certified(Kind::Transport, None, 2), None)
}

fn files(set: &mut Set) -> Result<()> {
    let signed = set.keys.sign_file(INVOICE.as_bytes(), accepted())?;
    let mut base64 = Vec::new();
    base64_lines(&mut base64, &signed);
    for (name, files) in [
        ("nessuno", vec![]),
        ("fattura", vec![attachment("IT00000000000_00001.xml", "text/xml", INVOICE.as_bytes())]),
        ("fattura-firmata", vec![attachment("IT00000000000_00001.xml.p7m", "application/pkcs7-mime", &signed)]),
        (
            "fattura-firmata-base64",
            vec![attachment("IT00000000000_00001.xml.p7m", "application/octet-stream", &base64)],
        ),
        (
            "notifica-sdi",
            vec![attachment("IT00000000000_00001_RC_001.xml", "application/xml", NOTIFICATION.as_bytes())],
        ),
        (
            "molti",
            vec![
                attachment("IT00000000000_00001.xml", "text/xml", INVOICE.as_bytes()),
                attachment("IT00000000000_00001_RC_001.xml", "text/xml", NOTIFICATION.as_bytes()),
                attachment("uguale-1.txt", "text/plain", b"lo stesso contenuto\r\n"),
                attachment("uguale-2.txt", "text/plain", b"lo stesso contenuto\r\n"),
                attachment("vuoto.txt", "text/plain", b""),
            ],
        ),
        (
            "tipo-dichiarato-diverso",
            vec![attachment("foto.pdf", "application/pdf", b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01")],
        ),
        ("bomba-xml", vec![attachment("IT00000000000_00002.xml", "text/xml", &bomb())]),
    ] {
        let mut message = original();
        message.attachments = files;
        set.mail(&format!("allegati-{name}"), &carrying(&message))?;
    }
    Ok(())
}

/// An invoice with entities that expand: refused alone, harmless inside a message.
fn bomb() -> Vec<u8> {
    INVOICE.replacen("<p:", "<!DOCTYPE p:FatturaElettronica [<!ENTITY a \"aaaa\">]><p:", 1).into_bytes()
}

fn originals(set: &mut Set) -> Result<()> {
    let top = format!(
        "X-Riferimento-Message-ID: <20260310091458.1a2b3c@pec.example.it>\r\nMessage-ID: <{IDENTIFIER}>\r\nDate: Tue, 10 Mar 2026 10:14:58 +0100\r\n\
         From: {SENDER}\r\nTo: {RECIPIENT}\r\nSubject: Prova\r\nMIME-Version: 1.0\r\n"
    );
    let mut with = |name: &str, body: Vec<u8>| {
        let mut mail = Mail::new(Kind::Transport, None, 2);
        mail.postacert = Some(mail_part("postacert.eml", &[top.as_bytes(), &body].concat()));
        set.mail(&format!("originale-{name}"), &mail)
    };
    let part = |headers: &str, body: &str| format!("{headers}\r\n\r\n{body}").into_bytes();
    let html = part("Content-Type: text/html; charset=utf-8", "<p>ciao</p>");
    with("alternativa", multipart("alternative", "alt", &[text_part("ciao"), html.clone()]))?;
    let picture = part(
        "Content-Type: image/gif\r\nContent-ID: <logo>\r\nContent-Transfer-Encoding: base64",
        "R0lGODlhAQABAAAAACw=",
    );
    with("immagine-in-linea", multipart("related", "rel", &[html, picture]))?;
    with(
        "nomi-strani",
        multipart(
            "mixed",
            "m",
            &[
                part("Content-Type: application/pdf; name=\"=?UTF-8?Q?perch=C3=A9.pdf?=\"", "%PDF-1.4"),
                part("Content-Type: application/pdf;\r\n name*0=\"molto \";\r\n name*1=\"lungo.pdf\"", "%PDF-1.4"),
                part("Content-Disposition: attachment; filename*=utf-8''citt%C3%A0.txt", "citta'"),
                part("Content-Disposition: attachment; filename=\"../../etc/passwd\"", "x"),
                part("Content-Disposition: attachment", "senza nome"),
                part("Content-Type: application/octet-stream", "senza nome ne' altro"),
            ],
        ),
    )?;
    with(
        "codifiche",
        multipart(
            "mixed",
            "m",
            &[
                part(
                    "Content-Disposition: attachment; filename=qp.txt\r\nContent-Transfer-Encoding: quoted-printable",
                    "perch=E9 =\r\nno=3D",
                ),
                part(
                    "Content-Disposition: attachment; filename=rotto.bin\r\nContent-Transfer-Encoding: base64",
                    "QUJD*!*REVG",
                ),
                part(
                    "Content-Disposition: attachment; filename=ignota.bin\r\nContent-Transfer-Encoding: x-uuencode",
                    "begin 644 x",
                ),
            ],
        ),
    )?;
    let inner = part("From: a@example.com\r\nSubject: interno\r\nContent-Type: text/plain; name=interno.txt", "testo");
    let nested = (0..8).fold(inner, |inner, level| {
        let message = [b"Content-Type: message/rfc822\r\n\r\n".as_slice(), &inner].concat();
        [format!("Subject: livello {level}\r\n").into_bytes(), multipart("mixed", &format!("n{level}"), &[message])]
            .concat()
    });
    with(
        "messaggi-nei-messaggi",
        multipart("mixed", "fuori", &[[b"Content-Type: message/rfc822\r\n\r\n".as_slice(), &nested].concat()]),
    )?;
    let open = b"Content-Type: multipart/mixed; boundary=mai\r\n\r\n--mai\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\n%PDF".to_vec();
    with("multipart-non-chiuso", open)?;

    let mut changed = Mail::new(Kind::Transport, None, 2);
    let other = original().as_carried("altro.identificativo@pec.example.it");
    changed.postacert = Some(mail_part("postacert.eml", &other));
    set.mail("originale-di-un-altra-trasmissione", &changed)?;
    let mut without = Mail::new(Kind::Transport, None, 2);
    without.postacert = None;
    set.mail("originale-assente-busta", &without)?;
    let mut without = Mail::new(Kind::Delivery, Some("completa"), 12);
    without.postacert = None;
    set.mail("originale-assente-consegna", &without)?;
    let mut with_one = Mail::new(Kind::Delivery, Some("sintetica"), 12);
    with_one.postacert = Some(mail_part("postacert.eml", &original().as_carried(IDENTIFIER)));
    set.mail("sintetica-con-originale", &with_one)
}

fn ordinary(set: &mut Set) -> Result<()> {
    set.bytes("ordinaria-copia-inviata.eml", original().as_sent());
    set.bytes("ordinaria-copia-inviata-lf.eml", super::mail::bare(&original().as_sent()));
    let mut invoice = original();
    invoice.attachments = vec![attachment("IT00000000000_00001.xml", "text/xml", INVOICE.as_bytes())];
    set.bytes("ordinaria-con-fattura.eml", invoice.as_sent());
    let mut reply = original();
    reply.subject = "Re: ACCETTAZIONE: prova".to_owned();
    reply.from = OUTSIDE.to_owned();
    reply.msgid = None;
    set.bytes("ordinaria-risposta-a-ricevuta.eml", reply.as_sent());
    // A person's own S/MIME signature is judged too.
    let part = text_part("Messaggio ordinario firmato.");
    let signature = set.keys.sign_mail(0, &part, accepted(), false)?;
    let mut signed = Mail::new(Kind::Acceptance, None, 2);
    signed.headers = vec![
        ("From".to_owned(), "posta-certificata@pec.example.it".to_owned()),
        ("To".to_owned(), RECIPIENT.to_owned()),
        ("Subject".to_owned(), "Firmato".to_owned()),
    ];
    set.bytes("ordinaria-firmata.eml", signed.wrap(&part, &signature));
    Ok(())
}

fn registered(set: &mut Set) -> Result<()> {
    let evidence = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<erds:Evidence xmlns:erds=\"http://uri.etsi.org/19522/v1#\" version=\"1\">\
                     <erds:EvidenceIdentifier>e-1</erds:EvidenceIdentifier></erds:Evidence>\n";
    let headers = |mail: &mut Mail| {
        mail.headers.retain(|(name, _)| !name.starts_with("X-"));
        mail.headers.push(("X-REM-Section".to_owned(), "rem_message/evidence".to_owned()));
    };
    let mut mail = Mail::new(Kind::Acceptance, None, 2);
    headers(&mut mail);
    mail.daticert = Some(xml_part("evidence.xml", evidence));
    set.mail("rem-evidenza", &mail)?;
    let mut mail = Mail::new(Kind::Transport, None, 2);
    headers(&mut mail);
    mail.daticert = Some(xml_part("evidence.xml", evidence));
    set.mail("rem-messaggio", &mail)?;
    // The evidence alone tells.
    mail.unset("X-REM-Section");
    set.mail("rem-senza-intestazioni", &mail)
}

/// Class `pec-virus`: the message is quarantined, nothing of it is looked into.
fn infected(set: &mut Set) -> Result<()> {
    let mut message = original();
    message.attachments =
        vec![attachment("fattura.exe", "application/octet-stream", b"Finto programma dannoso: innocuo.\r\n")];
    let at: Timestamp = accepted();
    let mut mail = carrying(&message);
    mail.at = at;
    let envelope = mail.render(set.keys)?;
    for (name, bytes) in [("virus-inviato.eml", message.as_sent()), ("virus-in-busta.eml", envelope)] {
        set.all.push(crate::corpus::matrix::Sample { class: "pec-virus", name: name.to_owned(), bytes });
    }
    Ok(())
}
