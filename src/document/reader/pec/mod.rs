//! PEC messages: envelopes, receipts, notices, and ordinary mail that came along (RFC 6109; `reference/pec`).
//!
//! The signed `daticert.xml` is trusted; headers lie outside the signature and are hints: where they contradict it,
//! that is noted. Only the outermost daticert describes this message, so parts are looked for at one place and the
//! tree is never searched. Nothing about a message makes it refused but not being a message at all.

mod daticert;
mod split;

use std::io::BufReader;

use mail_parser::{Address, HeaderName, Message, MessageParser};

use super::{Extraction, Input, Reader};
use crate::clock::iso_ms;
use crate::error::{AtPlace, Code, Finding, Result};
use daticert::Daticert;
use split::Split;

pub struct PecReader;
/// Reads outer headers and daticert and nothing else: a message with a virus is never unpacked.
pub struct VirusReader;

/// Read at a time.
const BUFFER: usize = 64 << 10;

/// Kind of message and the prefix its subject carries.
const PREFIXES: &[(&str, &[&str])] = &[
    ("posta-certificata", &["POSTA CERTIFICATA:"]),
    ("busta-anomalia", &["ANOMALIA MESSAGGIO:"]),
    ("accettazione", &["ACCETTAZIONE:"]),
    ("non-accettazione", &["AVVISO DI NON ACCETTAZIONE PER VIRUS:", "AVVISO DI NON ACCETTAZIONE:"]),
    ("presa-in-carico", &["PRESA IN CARICO:"]),
    ("avvenuta-consegna", &["CONSEGNA:"]),
    ("errore-consegna", &["AVVISO DI MANCATA CONSEGNA PER VIRUS:", "AVVISO DI MANCATA CONSEGNA:"]),
    ("preavviso-errore-consegna", &["AVVISO DI MANCATA CONSEGNA PER SUP. TEMPO MASSIMO:"]),
    ("rilevazione-virus", &["PROBLEMA DI SICUREZZA:"]),
];

impl Reader for PecReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        let (mut out, split) = read(input)?;
        if let Some(envelope) = split.envelope() {
            let named = split.children(envelope).filter(|(_, part)| part.name.is_some()).count();
            out.fields.insert("attachments".to_owned(), named.into());
        }
        Ok(out)
    }
}

impl Reader for VirusReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        Ok(read(input)?.0)
    }
}

impl Split {
    /// The `multipart/signed` part: the message itself, or one level down when a list or gateway wrapped it again.
    fn signed(&self) -> Option<(usize, usize)> {
        if self.parts[0].media_type == "multipart/signed" {
            return Some((0, 0));
        }
        self.children(0).find(|(_, part)| part.media_type == "multipart/signed").map(|(at, _)| (at, 1))
    }

    /// The multipart whose parts are the envelope's: first of the signed ones, else the message's own.
    fn envelope(&self) -> Option<usize> {
        match self.signed() {
            Some((signed, _)) => self.children(signed).next().map(|(at, _)| at),
            None => Some(0),
        }
    }

    /// The outermost daticert: by name, then by content.
    fn daticert(&self, findings: &mut Vec<Finding>) -> Option<Daticert> {
        let envelope = self.envelope()?;
        let named =
            |part: &split::Part| part.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("daticert.xml"));
        // The envelope may itself be the part, when the provider signed daticert alone.
        let mut candidates: Vec<&split::Part> =
            self.children(envelope).map(|(_, part)| part).chain([&self.parts[envelope]]).collect();
        candidates.sort_by_key(|part| !named(part));
        for part in candidates {
            if part.too_long && named(part) {
                findings.push(Finding::warning(Code::PecDaticertBad, "daticert.xml", "larger than 1 MiB"));
            }
            if part.raw.is_none() {
                continue;
            }
            match daticert::decoded(part) {
                Some(bytes) => {
                    if let Some(found) = daticert::read(&bytes, named(part)) {
                        return Some(found);
                    }
                }
                None if named(part) => {
                    findings.push(Finding::warning(Code::PecDaticertBad, "daticert.xml", "its transfer encoding"));
                }
                None => {}
            }
        }
        None
    }
}

fn read(input: &Input) -> Result<(Extraction, Split)> {
    let mut out = Extraction::default();
    let mut reader = BufReader::with_capacity(BUFFER, input.body.open().at("content")?);
    let split = split::split(&mut reader).at("content")?;
    let Some(message) = MessageParser::default().parse_headers(&split.header) else {
        out.findings.push(Finding::error(Code::MailMalformed, "header", ""));
        return Ok((out, split));
    };
    for (noticed, code, place, detail) in [
        (split.header_cut, Code::MailMalformed, "header", "longer than what is read of it"),
        (split.truncated, Code::MailMalformed, "body", "ends before its last delimiter"),
        (split.too_deep, Code::MailTooDeep, "body", ""),
        (split.ambiguous, Code::MailBoundary, "body", ""),
    ] {
        if noticed {
            out.findings.push(Finding::warning(code, place, detail));
        }
    }
    let headers = Headers::of(&message);
    let certified = split.daticert(&mut out.findings);
    if let Some((_, depth)) = split.signed() {
        out.fields.insert("depth".to_owned(), depth.into());
        if depth > 0 {
            out.findings.push(Finding::warning(Code::PecRewrapped, "body", format!("depth {depth}")));
        }
    }
    headers.fill(&mut out);
    match certified {
        Some(mut certified) => {
            out.findings.append(&mut certified.findings);
            headers.compare(&certified, &mut out);
            fill(&certified, &headers, &mut out);
        }
        None => headers.uncertified(&mut out),
    }
    Ok((out, split))
}

/// What the daticert says overrides what the headers said.
fn fill(certified: &Daticert, headers: &Headers, out: &mut Extraction) {
    let kind = if certified.kind.is_empty() { headers.kind.unwrap_or("messaggio-ordinario") } else { &certified.kind };
    out.set("kind", kind);
    for (field, text) in [
        ("identifier", &certified.identifier),
        ("msgid", &certified.msgid),
        ("sender", &certified.sender),
        ("reply_to", &certified.reply_to),
        ("provider", &certified.provider),
        ("receipt_type", &certified.receipt_type),
        ("delivered_to", &certified.delivered_to),
        ("error", &certified.error),
        ("error_detail", &certified.error_detail),
        ("subject", &certified.subject),
    ] {
        out.set(field, text);
    }
    out.set_list("recipients", certified.recipients.clone());
    out.set_list("recipients_external", certified.external.clone());
    if let Some(instant) = certified.instant {
        out.set("instant", &iso_ms(instant));
    }
    out.fields.insert("certified".to_owned(), certified.readable().into());
}

/// What the headers of the message itself say.
struct Headers {
    kind: Option<&'static str>,
    message_id: String,
    reference: String,
    receipt_type: String,
    subject: String,
    sender: String,
    reply_to: String,
    recipients: Vec<String>,
    instant: Option<jiff::Timestamp>,
    client: String,
}

impl Headers {
    fn of(message: &Message) -> Self {
        let raw = |name: &'static str| {
            message.header_raw(HeaderName::Other(name.into())).map(str::trim).unwrap_or_default().to_owned()
        };
        let known = |text: &str| daticert::KINDS.into_iter().find(|kind| text.eq_ignore_ascii_case(kind));
        let receipt = raw("X-Ricevuta");
        let transport = raw("X-Trasporto");
        let kind = if !receipt.is_empty() {
            known(&receipt)
        } else if transport.eq_ignore_ascii_case("errore") {
            Some("busta-anomalia")
        } else {
            known(&transport)
        };
        let mut recipients = addresses(message.to());
        recipients.extend(addresses(message.cc()));
        let client = [raw("User-Agent"), raw("X-Mailer")].into_iter().find(|text| !text.is_empty());
        Self {
            kind,
            message_id: message.message_id().unwrap_or_default().trim().to_owned(),
            reference: raw("X-Riferimento-Message-ID").trim_matches(['<', '>']).to_owned(),
            receipt_type: raw("X-TipoRicevuta").to_ascii_lowercase(),
            subject: message.subject().unwrap_or_default().trim().to_owned(),
            sender: addresses(message.from()).into_iter().next().unwrap_or_default(),
            reply_to: addresses(message.reply_to()).into_iter().next().unwrap_or_default(),
            recipients,
            instant: message.date().and_then(|date| jiff::Timestamp::from_second(date.to_timestamp()).ok()),
            client: client.unwrap_or_default(),
        }
    }

    /// Fields of the headers alone; daticert overrides them.
    fn fill(&self, out: &mut Extraction) {
        out.set("kind", self.kind.unwrap_or("messaggio-ordinario"));
        out.set("message_id", &self.message_id);
        out.set("reference_message_id", &self.reference);
        out.set("receipt_type", &self.receipt_type);
        out.set("subject_header", &self.subject);
        out.set("subject", self.kind.map_or(self.subject.as_str(), |kind| without_prefix(&self.subject, kind)));
        out.set("sender", &self.sender);
        out.set("reply_to", &self.reply_to);
        out.set("client", &self.client);
        out.set_list("recipients", self.recipients.clone());
        if let Some(instant) = self.instant {
            out.set("instant", &iso_ms(instant));
        }
    }

    /// No daticert: expected of anomaly envelopes and ordinary mail only.
    fn uncertified(&self, out: &mut Extraction) {
        out.fields.insert("certified".to_owned(), false.into());
        out.findings.push(match self.kind {
            None => Finding::warning(Code::PecNotPec, "header", ""),
            Some("busta-anomalia") => {
                Finding::info(Code::PecNoDaticert, "body", "as the rules say of anomaly envelopes")
            }
            Some(_) => Finding::warning(Code::PecNoDaticert, "body", ""),
        });
        if self.kind == Some("posta-certificata") {
            out.set("identifier", &self.message_id);
        }
    }

    /// Every header that contradicts the signed data.
    fn compare(&self, certified: &Daticert, out: &mut Extraction) {
        let mut differs = |place: &str| out.findings.push(Finding::warning(Code::PecHeaderMismatch, place, ""));
        if !certified.kind.is_empty() && self.kind != Some(certified.kind.as_str()) {
            differs("header/X-Ricevuta, X-Trasporto");
        }
        let envelope = certified.kind == "posta-certificata";
        if envelope && !certified.identifier.is_empty() && self.message_id != certified.identifier {
            differs("header/Message-ID");
        }
        if !certified.msgid.is_empty() && !self.reference.is_empty() && self.reference != certified.msgid {
            differs("header/X-Riferimento-Message-ID");
        }
        let receipt_type = &certified.receipt_type;
        if !receipt_type.is_empty() && !self.receipt_type.is_empty() && self.receipt_type != *receipt_type {
            differs("header/X-TipoRicevuta");
        }
    }
}

fn addresses(header: Option<&Address>) -> Vec<String> {
    header
        .into_iter()
        .flat_map(Address::iter)
        .filter_map(|one| one.address())
        .map(|text| text.trim().to_owned())
        .collect()
}

/// The subject without the one prefix of its kind.
fn without_prefix<'a>(subject: &'a str, kind: &str) -> &'a str {
    let prefixes = PREFIXES.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, prefixes)| prefixes);
    prefixes.iter().find_map(|prefix| subject.strip_prefix(prefix)).unwrap_or(subject).trim_start()
}

#[cfg(test)]
pub(super) mod tests;
