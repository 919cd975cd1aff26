//! One message, every piece of it open to change: what is left alone is as the rules say.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::corpus::mime::{base64_lines, header_text, quoted_printable_latin1};
use crate::corpus::names::PROVIDERS;
use crate::corpus::pec::daticert::Daticert;
use crate::corpus::pec::notice::Kind;
use crate::corpus::pec::original::{Attachment, BreveHash, Original};
use crate::corpus::provider::Keys;
use crate::error::Result;

/// Who writes, through provider 0.
pub const SENDER: &str = "protocollo@pec.example.it";
/// Who receives, through provider 1.
pub const RECIPIENT: &str = "ufficio.legale@pec.example.org";
/// Who receives a copy, through provider 1.
pub const COPIED: &str = "direzione@pec.example.org";
/// Who receives on ordinary mail.
pub const OUTSIDE: &str = "info@example.com";
/// The PEC identifier of the transmission.
pub const IDENTIFIER: &str = "opec288.20260310101500.01838.310.1.63@pec.example.it";
/// What the sender's client called it, in angle brackets.
pub const MSGID: &str = "<20260310091458.1a2b3c@pec.example.it>";
/// Subject of the original.
pub const SUBJECT: &str = "Diffida ad adempiere, perché il termine è scaduto";

/// When the original was accepted.
pub fn accepted() -> Timestamp {
    "2026-03-10T09:15:00Z".parse().unwrap_or_default()
}

/// The message a user wrote.
pub fn original() -> Original {
    Original {
        from: SENDER.to_owned(),
        to: vec![RECIPIENT.to_owned()],
        cc: Vec::new(),
        subject: SUBJECT.to_owned(),
        msgid: Some(MSGID.to_owned()),
        at: (accepted() - SignedDuration::from_secs(2)).to_zoned(rome()),
        text: "Spett.le Ufficio,\r\n\r\nsi trasmette quanto in oggetto, perché è dovuto.\r\n\r\nDistinti saluti"
            .to_owned(),
        attachments: vec![Attachment {
            name: "diffida.pdf".to_owned(),
            media_type: "application/pdf",
            bytes: b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n".to_vec(),
        }],
        receipt_type: None,
        boundary: "------------0102030405060708".to_owned(),
    }
}

pub fn rome() -> TimeZone {
    TimeZone::get("Europe/Rome").unwrap_or(TimeZone::UTC)
}

/// How a provider writes.
#[derive(Clone)]
pub struct Look {
    pub protocol: &'static str,
    pub micalg: &'static str,
    pub outer: &'static str,
    pub inner: &'static str,
    pub daticert_first: bool,
    /// Bare LF on disk; what is signed is in CRLF all the same.
    pub lf: bool,
    pub weak: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            protocol: "application/x-pkcs7-signature",
            micalg: "sha-256",
            outer: "----1CAE0F5D",
            inner: "----------=_1773134100-310-63",
            daticert_first: true,
            lf: false,
            weak: false,
        }
    }
}

/// A message.
#[derive(Clone)]
pub struct Mail {
    /// Index of the provider that issues it.
    pub provider: usize,
    pub at: Timestamp,
    pub look: Look,
    /// Headers but MIME's, in order.
    pub headers: Vec<(String, String)>,
    pub text: String,
    /// `daticert.xml` as a whole part, headers and all.
    pub daticert: Option<Vec<u8>>,
    /// The message carried inside, as a whole part.
    pub postacert: Option<Vec<u8>>,
    /// Further whole parts.
    pub more: Vec<Vec<u8>>,
}

impl Mail {
    /// A regular message of this kind and receipt type, issued so many seconds after acceptance.
    pub fn new(kind: Kind, receipt_type: Option<&'static str>, after: i64) -> Self {
        Self::about(kind, &original(), certified(kind, receipt_type, after), receipt_type)
    }

    /// The same about another original and with other certified data.
    pub fn about(kind: Kind, original: &Original, data: Daticert, receipt_type: Option<&'static str>) -> Self {
        let provider = PROVIDERS.iter().position(|(name, _)| *name == data.provider).unwrap_or(0);
        let carried = match (kind, receipt_type) {
            (Kind::Transport, _) | (Kind::Delivery, Some("completa") | None) => {
                Some(original.as_carried(&data.identifier))
            }
            (Kind::Delivery, Some("breve")) => Some(original.as_breve(&data.identifier, BreveHash::Encoded)),
            (Kind::Anomaly, _) => Some(original.as_sent()),
            _ => None,
        };
        Self {
            provider,
            at: data.at.timestamp(),
            look: Look::default(),
            headers: headers(kind, original, &data),
            text: kind.text(&data),
            daticert: (kind != Kind::Anomaly).then(|| xml_part("daticert.xml", data.render().as_bytes())),
            postacert: carried.map(|carried| mail_part("postacert.eml", &carried)),
            more: Vec::new(),
        }
    }

    /// Replaces a header's value, or adds it.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.headers.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.to_owned(),
            None => self.headers.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Leaves a header out.
    pub fn unset(&mut self, name: &str) {
        self.headers.retain(|(known, _)| known != name);
    }

    /// The part that is signed, in CRLF.
    pub fn signed_part(&self) -> Vec<u8> {
        let mut parts = vec![text_part(&self.text)];
        let (first, second) = if self.look.daticert_first {
            (&self.daticert, &self.postacert)
        } else {
            (&self.postacert, &self.daticert)
        };
        parts.extend(first.clone());
        parts.extend(second.clone());
        parts.extend(self.more.iter().cloned());
        multipart("mixed", self.look.inner, &parts)
    }

    /// The message, signed.
    pub fn render(&self, keys: &mut Keys) -> Result<Vec<u8>> {
        let part = self.signed_part();
        let signature = keys.sign_mail(self.provider, &part, self.at, self.look.weak)?;
        Ok(self.wrap(&part, &signature))
    }

    /// The message around this part and this signature, whatever they are.
    pub fn wrap(&self, part: &[u8], signature: &[u8]) -> Vec<u8> {
        let mut out = self.top();
        out.extend_from_slice(&self.signed(part, signature));
        if self.look.lf { bare(&out) } else { out }
    }

    /// The headers before MIME's.
    pub fn top(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, value) in &self.headers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
        out
    }

    /// The `multipart/signed`, from its Content-Type on.
    pub fn signed(&self, part: &[u8], signature: &[u8]) -> Vec<u8> {
        let Look { protocol, micalg, outer, .. } = self.look;
        let mut out = format!(
            "Content-Type: multipart/signed; protocol=\"{protocol}\";\r\n micalg={micalg};\r\n boundary=\"{outer}\"\r\n\r\n\
             This is an S/MIME signed message\r\n\r\n--{outer}\r\n"
        )
        .into_bytes();
        out.extend_from_slice(part);
        out.extend_from_slice(
            format!(
                "\r\n--{outer}\r\nContent-Type: {protocol}; name=\"smime.p7s\"\r\nContent-Transfer-Encoding: base64\r\n\
                 Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n"
            )
            .as_bytes(),
        );
        base64_lines(&mut out, signature);
        out.extend_from_slice(format!("\r\n--{outer}--\r\n").as_bytes());
        out
    }
}

/// What a provider certifies of the regular transmission.
pub fn certified(kind: Kind, receipt_type: Option<&'static str>, after: i64) -> Daticert {
    let (mut error, mut detail, mut delivered_to, mut taken) = ("nessuno", None, None, Vec::new());
    // Provider 0 speaks of what it accepts, provider 1 of what it delivers.
    let mut provider = PROVIDERS[0].0;
    match kind {
        Kind::NonAcceptance => {
            error = "altro";
            detail = Some("il mittente non coincide con l'utente autenticato");
        }
        Kind::NonAcceptanceVirus => {
            error = "virus";
            detail = Some("il messaggio contiene un virus (Esempio.Finto)");
        }
        Kind::TakenInCharge => {
            provider = PROVIDERS[1].0;
            taken.push(RECIPIENT.to_owned());
        }
        Kind::Delivery => {
            provider = PROVIDERS[1].0;
            delivered_to = Some(RECIPIENT);
        }
        Kind::NonDelivery => {
            provider = PROVIDERS[1].0;
            error = "no-dest";
            detail = Some("5.1.1 - Posta Certa Esempio S.r.l. - indirizzo non valido");
            delivered_to = Some(RECIPIENT);
        }
        Kind::NonDeliveryVirus => {
            error = "virus";
            detail = Some("Esempio.Finto");
            delivered_to = Some(RECIPIENT);
        }
        Kind::Delay12 => {
            error = "altro";
            detail = Some("5.4.1 - Gestore PEC Esempio S.p.A. - messaggio non consegnato nelle prime dodici ore");
            delivered_to = Some(RECIPIENT);
        }
        Kind::Delay24 => {
            error = "altro";
            detail = Some("5.4.1 - Gestore PEC Esempio S.p.A. - messaggio non consegnato nelle prime ventiquattro ore");
            delivered_to = Some(RECIPIENT);
        }
        Kind::VirusDetected => {
            provider = PROVIDERS[1].0;
            error = "virus";
            detail = Some("Esempio.Finto");
        }
        Kind::Transport | Kind::Anomaly | Kind::Acceptance => {}
    }
    Daticert {
        kind: kind.certified_kind(),
        error,
        sender: SENDER.to_owned(),
        recipients: vec![(RECIPIENT.to_owned(), true)],
        subject: SUBJECT.to_owned(),
        provider,
        at: (accepted() + SignedDuration::from_secs(after)).to_zoned(rome()),
        identifier: IDENTIFIER.to_owned(),
        msgid: Some(MSGID.to_owned()),
        receipt_type: receipt_type.or((kind == Kind::Transport).then_some("completa")),
        delivered_to: delivered_to.map(str::to_owned),
        taken,
        error_detail: detail.map(str::to_owned),
    }
}

fn headers(kind: Kind, original: &Original, data: &Daticert) -> Vec<(String, String)> {
    let provider = PROVIDERS.iter().find(|(name, _)| *name == data.provider).unwrap_or(&PROVIDERS[0]);
    let service = format!("posta-certificata@{}", provider.1);
    let incoming = matches!(kind, Kind::Transport | Kind::Anomaly);
    let between = matches!(kind, Kind::TakenInCharge | Kind::VirusDetected);
    let mut out: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| out.push((name.to_owned(), value));
    add("Return-Path", format!("<{service}>"));
    add(
        "Received",
        format!("from av.{0} (av.{0} [192.0.2.10])\r\n by smtp.{0} with ESMTPS; {1}", provider.1, date(data)),
    );
    if let (Some(msgid), true) = (&original.msgid, kind != Kind::Anomaly) {
        add("X-Riferimento-Message-ID", msgid.clone());
    }
    let (marker, value) = kind.marker();
    add(marker, value.to_owned());
    if kind.about_virus() {
        add("X-VerificaSicurezza", "errore".to_owned());
    }
    if kind == Kind::VirusDetected {
        add("X-Mittente", original.from.clone());
    }
    if let Some(receipt_type) = data.receipt_type {
        add("X-TipoRicevuta", receipt_type.to_owned());
    }
    if incoming {
        add("From", format!("\"Per conto di: {}\"\r\n <{service}>", original.from));
        add("Reply-To", original.from.clone());
        add("To", original.to.join(",\r\n "));
    } else {
        add("From", service.clone());
        add("To", if between { format!("posta-certificata@{}", PROVIDERS[0].1) } else { original.from.clone() });
    }
    if incoming && !original.cc.is_empty() {
        add("Cc", original.cc.join(",\r\n "));
    }
    add("Subject", header_text(&format!("{} {}", kind.subject_prefix(), original.subject)));
    match kind {
        Kind::Transport => add("Message-ID", format!("<{}>", data.identifier)),
        Kind::Anomaly => add("Message-ID", original.msgid.clone().unwrap_or_default()),
        _ => add("Message-ID", format!("<ric.{}.77.1@{}>", data.at.strftime("%Y%m%d%H%M%S"), provider.1)),
    }
    add("Date", date(data));
    out
}

fn date(data: &Daticert) -> String {
    data.at.strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

/// A multipart of whole parts.
pub fn multipart(subtype: &str, boundary: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("Content-Type: multipart/{subtype}; boundary=\"{boundary}\"\r\n\r\n").into_bytes();
    for part in parts {
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    out
}

pub fn text_part(text: &str) -> Vec<u8> {
    format!(
        "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{}",
        quoted_printable_latin1(text)
    )
    .into_bytes()
}

/// XML in base64, under this name.
pub fn xml_part(name: &str, xml: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "Content-Type: application/xml; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: inline; filename=\"{name}\"\r\n\r\n"
    )
    .into_bytes();
    base64_lines(&mut out, xml);
    out
}

/// A message as it is, under this name.
pub fn mail_part(name: &str, mail: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "Content-Type: message/rfc822; name=\"{name}\"\r\nContent-Transfer-Encoding: 7bit\r\n\
         Content-Disposition: inline; filename=\"{name}\"\r\n\r\n"
    )
    .into_bytes();
    out.extend_from_slice(mail);
    out
}

/// The same with bare LF.
pub fn bare(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\n');
        rest = &rest[at + 2..];
    }
    out.extend_from_slice(rest);
    out
}
