//! `daticert.xml`: parsed leniently (any order, blanks trimmed), reported strictly (RFC 6109 section 4.4,
//! `reference/pec` section 6).

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, date};
use jiff::tz::Offset;

use super::super::xml::{self, Node};
use super::headers::bare_id;
use crate::clock::italian_day;
use crate::error::{Code, Finding};

/// Raw bytes read of one, in whatever transfer encoding.
pub const MAX_BYTES: usize = 3 << 19;
/// Providers tried PEC out before the decree of 2005 (DPR 68/2005), not before this year: an earlier date is a clock's or a forger's.
const FIRST_DAY: Date = date(2004, 1, 1);
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
pub const RECEIPT_TYPES: [&str; 3] = ["completa", "breve", "sintetica"];

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
    /// The offset it was written with, `+hhmm`.
    pub zone: String,
    pub identifier: String,
    pub msgid: String,
    pub receipt_type: String,
    pub delivered_to: String,
    /// Recipients taken in charge.
    pub taken: Vec<String>,
    pub error_detail: String,
    pub findings: Vec<Finding>,
}

/// What an XML part of the envelope is.
pub enum Certified {
    /// `daticert.xml`.
    Daticert(Box<Daticert>),
    /// Evidence of registered electronic mail (ETSI EN 319 522 and 532, before them TS 102 640).
    Rem,
    /// Something else.
    Other,
}

/// Namespaces of ETSI's evidence.
const REM: [&str; 3] = ["http://uri.etsi.org/19522/", "http://uri.etsi.org/19532/", "http://uri.etsi.org/02640/"];

/// Reads an XML part. Whatever is wrong with a daticert is a warning: the message is kept.
pub fn read(bytes: &[u8], named: bool) -> Certified {
    let mut out = Daticert::default();
    let root = match xml::parse(bytes, xml::Apart { doctype: true, ..xml::Apart::default() }) {
        Ok(parsed) => {
            if parsed.doctype {
                out.bad("DOCTYPE", "not resolved");
            }
            out.findings.extend(parsed.findings.into_iter().map(|mut finding| {
                finding.place = format!("daticert.xml {}", finding.place);
                finding
            }));
            parsed.root
        }
        Err(fault) if named => {
            out.findings.push(Finding::warning(fault.code, format!("daticert.xml {}", fault.place), ""));
            out.bad("", "not read");
            return Certified::Daticert(Box::new(out));
        }
        Err(_) => return Certified::Other,
    };
    if root.namespace().is_some_and(|ns| REM.iter().any(|known| ns.starts_with(known))) {
        return Certified::Rem;
    }
    if root.name != "postacert" {
        if named {
            out.bad("root", "not postacert");
            return Certified::Daticert(Box::new(out));
        }
        return Certified::Other;
    }
    out.order(&root);
    out.envelope(&root);
    out.event(&root);
    Certified::Daticert(Box::new(out))
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

    /// What the DTD fixes and readers need not: order and number of elements. Reported, never required.
    fn order(&mut self, root: &Node) {
        for (of, known) in [
            ("", &["intestazione", "dati"][..]),
            ("intestazione", &["mittente", "destinatari", "risposte", "oggetto"]),
            (
                "dati",
                &[
                    "gestore-emittente",
                    "data",
                    "identificativo",
                    "msgid",
                    "ricevuta",
                    "consegna",
                    "ricezione",
                    "errore-esteso",
                ],
            ),
        ] {
            let Some(parent) = (if of.is_empty() { Some(root) } else { root.child(of) }) else { continue };
            let places: Vec<Option<usize>> =
                parent.children.iter().map(|child| known.iter().position(|name| *name == child.name)).collect();
            if places.contains(&None) {
                self.bad(of, "an element that the DTD does not have");
            }
            let places: Vec<usize> = places.into_iter().flatten().collect();
            if !places.is_sorted() {
                self.bad(of, "elements not in the order of the DTD");
            }
            let repeats = |name: &str| matches!(name, "destinatari" | "ricezione");
            if places.windows(2).any(|pair| pair[0] == pair[1] && !repeats(known[pair[0]])) {
                self.bad(of, "an element twice");
            }
        }
    }

    fn envelope(&mut self, root: &Node) {
        let kind = root.attribute("tipo").unwrap_or_default().trim();
        if let Some(known) = KINDS.into_iter().find(|known| known.eq_ignore_ascii_case(kind)) {
            self.kind = known.to_owned();
        }
        if self.kind != kind {
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
        if envelope.all("destinatari").nth(MAX_RECIPIENTS).is_some() {
            self.bad("intestazione/destinatari", "more than are kept");
        }
        self.reply_to = envelope.text_at("risposte").to_owned();
        if envelope.child("risposte").is_none() {
            self.bad("intestazione/risposte", "missing");
        }
        self.subject = envelope.text_at("oggetto").to_owned();
    }

    fn event(&mut self, root: &Node) {
        let Some(event) = root.child("dati") else { return self.bad("dati", "missing") };
        self.provider = event.text_at("gestore-emittente").to_owned();
        if self.provider.is_empty() {
            self.bad("dati/gestore-emittente", "missing");
        }
        self.identifier = bare_id(event.text_at("identificativo")).to_owned();
        if self.identifier.is_empty() {
            self.bad("dati/identificativo", "missing");
        }
        self.msgid = bare_id(event.text_at("msgid")).to_owned();
        self.taken = event
            .all("ricezione")
            .map(|one| one.text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .take(MAX_RECIPIENTS)
            .collect();
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
        let written = event.child("data");
        self.zone = written.and_then(|date| date.attribute("zona")).unwrap_or_default().trim().to_owned();
        let read = written.and_then(|date| instant(date.text_at("giorno"), date.text_at("ora"), &self.zone));
        match read {
            None => self.bad("dati/data", "not an instant"),
            Some((_, false)) => self.bad("dati/data", "not written as dd/mm/yyyy and hh:mm:ss"),
            Some((at, true)) if italian_day(at) < FIRST_DAY => self.bad("dati/data", "before there was PEC"),
            Some(_) => {}
        }
        self.instant = read.map(|(at, _)| at);
    }
}

/// `dd/mm/yyyy`, `hh:mm:ss` with a legal second 60, `+hhmm`; and whether it is written so to the digit. A year of fewer digits is
/// none: nobody knows its century.
fn instant(day: &str, time: &str, zone: &str) -> Option<(Timestamp, bool)> {
    let numbers = |text: &str, separator: char, lengths: [usize; 3]| -> Option<([i16; 3], bool)> {
        let parts: Vec<&str> = text.trim().splitn(4, separator).collect();
        let [first, second, third] = <[&str; 3]>::try_from(parts).ok()?;
        let parts = [first, second, third];
        let fits = parts.iter().zip(lengths).all(|(part, length)| {
            (1..=length).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_digit())
                && (length == 2 || part.len() == length)
        });
        let exact = parts.iter().zip(lengths).all(|(part, length)| part.len() == length);
        let number = |at: usize| parts[at].parse::<i16>().ok();
        fits.then_some(([number(0)?, number(1)?, number(2)?], exact))
    };
    let ([day, month, year], exact_day) = numbers(day, '/', [2, 2, 4])?;
    let ([hour, minute, second], exact_time) = numbers(time, ':', [2, 2, 2])?;
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
    let instant = if leap { instant.checked_add(jiff::SignedDuration::from_secs(1)).ok()? } else { instant };
    Some((instant, exact_day && exact_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_with_offset_and_leap_second() {
        let one = |d, t, z| instant(d, t, z).map(|(i, exact)| (i.to_string(), exact));
        let at = |text: &str, exact| Some((text.to_owned(), exact));
        assert_eq!(one("31/12/2016", "23:59:60", "+0000"), at("2017-01-01T00:00:00Z", true));
        assert_eq!(one("10/03/2026", "10:15:02", "+0100"), at("2026-03-10T09:15:02Z", true));
        assert_eq!(one(" 1/3/2026", "1:00:00", "-0330"), at("2026-03-01T04:30:00Z", false));
        for bad in [
            ("32/01/2026", "10:00:00", "+0100"),
            ("01/01/2026", "10:00", "+0100"),
            ("01/01/2026", "10:00:00", "01:00"),
            ("3/11/26", "10:00:00", "+0100"),
            ("03/11/026", "10:00:00", "+0100"),
            ("+3/11/2026", "10:00:00", "+0100"),
            ("003/11/2026", "10:00:00", "+0100"),
            ("03/11/2026/1", "10:00:00", "+0100"),
            ("", "", ""),
        ] {
            assert_eq!(one(bad.0, bad.1, bad.2), None, "{bad:?}");
        }
    }
}
