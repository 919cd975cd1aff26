//! `daticert.xml`: parsed leniently (any order, blanks trimmed), reported strictly (RFC 6109 section 4.4,
//! `reference/pec` section 6).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use super::super::xml::{self, Node};
use super::split::Part;
use crate::error::{Code, Finding};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Largest one read, decoded.
const MAX_BYTES: usize = 1 << 20;
/// Recipients kept; the rules guarantee 50, the market goes to 500.
const MAX_RECIPIENTS: usize = 2000;

pub const KINDS: [&str; 8] = [
    "accettazione",
    "non-accettazione",
    "presa-in-carico",
    "avvenuta-consegna",
    "posta-certificata",
    "errore-consegna",
    "preavviso-errore-consegna",
    "rilevazione-virus",
];

const ERRORS: [&str; 5] = ["nessuno", "no-dest", "no-dominio", "virus", "altro"];
const RECEIPT_TYPES: [&str; 3] = ["completa", "breve", "sintetica"];

/// What the provider certifies.
#[derive(Debug, Default)]
pub struct Daticert {
    /// One of [`KINDS`], or empty when it is none of them.
    pub kind: String,
    pub error: String,
    pub sender: String,
    pub recipients: Vec<String>,
    pub external: Vec<String>,
    pub reply_to: String,
    pub subject: String,
    pub provider: String,
    pub instant: Option<Timestamp>,
    pub identifier: String,
    pub msgid: String,
    pub receipt_type: String,
    pub delivered_to: String,
    pub error_detail: String,
    pub findings: Vec<Finding>,
}

/// The part's bytes without their transfer encoding; `None` when it cannot be undone or is too large.
pub fn decoded(part: &Part) -> Option<Vec<u8>> {
    let raw = part.raw.as_deref()?;
    let bytes = match part.encoding.as_str() {
        "base64" => {
            let digits: Vec<u8> = raw.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
            LENIENT.decode(digits).ok()?
        }
        "quoted-printable" => mail_parser::decoders::quoted_printable::quoted_printable_decode(raw)?,
        _ => raw.to_vec(),
    };
    (bytes.len() <= MAX_BYTES).then_some(bytes)
}

/// Reads it; `None` when this XML is something else. Whatever is wrong with it is a warning: the message is kept.
pub fn read(bytes: &[u8], named: bool) -> Option<Daticert> {
    let mut out = Daticert::default();
    let root = match xml::parse(bytes, &[]) {
        Ok(parsed) => {
            out.findings = parsed.findings;
            parsed.root
        }
        Err(fault) if named => {
            out.findings.push(Finding::warning(fault.code, format!("daticert.xml {}", fault.place), ""));
            out.bad("", "not read");
            return Some(out);
        }
        Err(_) => return None,
    };
    if root.name != "postacert" {
        if named {
            out.bad("root", "not postacert");
            return Some(out);
        }
        return None;
    }
    out.envelope(&root);
    out.event(&root);
    Some(out)
}

impl Daticert {
    fn bad(&mut self, place: &str, detail: &str) {
        let place = format!("daticert.xml/{place}");
        self.findings.push(Finding::warning(Code::PecDaticertBad, place.trim_end_matches('/'), detail));
    }

    /// Whether anything in it could be read.
    pub fn readable(&self) -> bool {
        !self.kind.is_empty() || !self.identifier.is_empty()
    }

    fn envelope(&mut self, root: &Node) {
        let kind = root.attribute("tipo").unwrap_or_default().trim();
        if KINDS.contains(&kind) {
            self.kind = kind.to_owned();
        } else {
            self.bad("@tipo", "unknown");
        }
        self.error = root.attribute("errore").unwrap_or("nessuno").trim().to_owned();
        if !ERRORS.contains(&self.error.as_str()) {
            self.bad("@errore", "unknown");
        }
        let Some(envelope) = root.child("intestazione") else { return self.bad("intestazione", "missing") };
        self.sender = envelope.text_at("mittente").to_owned();
        if self.sender.is_empty() {
            self.bad("intestazione/mittente", "missing");
        }
        for recipient in envelope.all("destinatari").take(MAX_RECIPIENTS) {
            let address = recipient.text.trim();
            if address.is_empty() {
                self.bad("intestazione/destinatari", "empty");
                continue;
            }
            match recipient.attribute("tipo").unwrap_or("certificato").trim() {
                "certificato" => {}
                "esterno" => self.external.push(address.to_owned()),
                _ => self.bad("intestazione/destinatari/@tipo", "unknown"),
            }
            self.recipients.push(address.to_owned());
        }
        if self.recipients.is_empty() {
            self.bad("intestazione/destinatari", "missing");
        }
        self.reply_to = envelope.text_at("risposte").to_owned();
        self.subject = envelope.text_at("oggetto").to_owned();
    }

    fn event(&mut self, root: &Node) {
        let Some(event) = root.child("dati") else { return self.bad("dati", "missing") };
        self.provider = event.text_at("gestore-emittente").to_owned();
        self.identifier = event.text_at("identificativo").trim_matches(['<', '>']).to_owned();
        if self.identifier.is_empty() {
            self.bad("dati/identificativo", "missing");
        }
        self.msgid = event.text_at("msgid").trim_matches(['<', '>']).to_owned();
        self.delivered_to = event.text_at("consegna").to_owned();
        if event.child("consegna").is_some() && self.delivered_to.is_empty() {
            self.bad("dati/consegna", "empty");
        }
        self.error_detail = event.text_at("errore-esteso").to_owned();
        if let Some(receipt) = event.child("ricevuta") {
            let kind = receipt.attribute("tipo").unwrap_or_default().trim();
            if RECEIPT_TYPES.contains(&kind) {
                self.receipt_type = kind.to_owned();
            } else {
                // A value outside the three is read as the default (section 7).
                self.receipt_type = RECEIPT_TYPES[0].to_owned();
                self.bad("dati/ricevuta/@tipo", "unknown");
            }
        }
        let date = event.child("data");
        self.instant = date.and_then(|date| {
            instant(date.text_at("giorno"), date.text_at("ora"), date.attribute("zona").unwrap_or_default())
        });
        if self.instant.is_none() {
            self.bad("dati/data", "not an instant");
        }
    }
}

/// `dd/mm/yyyy`, `hh:mm:ss` with a legal second 60, `+hhmm`.
fn instant(day: &str, time: &str, zone: &str) -> Option<Timestamp> {
    let numbers = |text: &str, separator: char| -> Option<[i16; 3]> {
        let mut parts = text.trim().split(separator).map(|part| part.parse::<i16>().ok());
        let all = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(all)
    };
    let [day, month, year] = numbers(day, '/')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let small = |n: i16| i8::try_from(n).ok();
    let leap = second == 60;
    let date = Date::new(year, small(month)?, small(day)?).ok()?;
    let time = Time::new(small(hour)?, small(minute)?, if leap { 59 } else { small(second)? }, 0).ok()?;
    let zone = zone.trim();
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits: i32 = digits.parse().ok()?;
    let offset = Offset::from_seconds(sign * (digits / 100 * 3600 + digits % 100 * 60)).ok()?;
    let instant = offset.to_timestamp(DateTime::from_parts(date, time)).ok()?;
    if leap { instant.checked_add(jiff::SignedDuration::from_secs(1)).ok() } else { Some(instant) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_with_offset_and_leap_second() {
        let one = |d, t, z| instant(d, t, z).map(|i| i.to_string());
        assert_eq!(one("31/12/2016", "23:59:60", "+0000").as_deref(), Some("2017-01-01T00:00:00Z"));
        assert_eq!(one("10/03/2026", "10:15:02", "+0100").as_deref(), Some("2026-03-10T09:15:02Z"));
        assert_eq!(one(" 1/3/2026", "1:00:00", "-0330").as_deref(), Some("2026-03-01T04:30:00Z"));
        for bad in [
            ("32/01/2026", "10:00:00", "+0100"),
            ("01/01/2026", "10:00", "+0100"),
            ("01/01/2026", "10:00:00", "01:00"),
            ("", "", ""),
        ] {
            assert_eq!(one(bad.0, bad.1, bad.2), None, "{bad:?}");
        }
    }
}
