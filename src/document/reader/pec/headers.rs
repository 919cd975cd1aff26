//! What the headers of the message itself say. They lie outside the signature: hints, until `daticert.xml` confirms them
//! (`reference/pec` section 4).

use mail_parser::{Address, HeaderName, Message, MessageParser};

use super::daticert::{KINDS, RECEIPT_TYPES};
use super::part::readable;
use crate::clock::iso_ms;
use crate::document::reader::Extraction;
use crate::error::{Code, Finding};
use crate::evidence::judge::Senders;

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

/// Headers that a message has once at most (RFC 5322 section 3.6, RFC 2045; `reference/pec` section 4).
const ONCE: [&str; 13] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Message-ID",
    "Subject",
    "Date",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "X-Riferimento-Message-ID",
    "X-TipoRicevuta",
];

/// Addresses kept of one header.
const MAX_ADDRESSES: usize = 2000;

/// What the headers say.
#[derive(Debug, Default)]
pub struct Headers {
    /// The kind that X-Ricevuta or X-Trasporto names.
    pub kind: Option<&'static str>,
    /// One of these two is there, whatever it says.
    pub marked: bool,
    pub message_id: String,
    /// X-Riferimento-Message-ID without angle brackets.
    pub reference: String,
    /// X-TipoRicevuta as it is, in lower case.
    pub receipt_type: String,
    /// X-VerificaSicurezza says errore.
    pub unsafe_: bool,
    /// X-Mittente.
    pub original_sender: String,
    pub subject: String,
    /// Address in From.
    pub from: String,
    /// Address in Sender: there when somebody else transmits for the author.
    pub sender: String,
    /// Display name in From.
    pub from_name: String,
    pub reply_to: String,
    pub to: Vec<String>,
    pub cc: Vec<String>,
    pub instant: Option<jiff::Timestamp>,
    pub client: String,
    /// X-Ricevuta or X-Trasporto stands there more than once.
    pub marked_twice: bool,
    /// Headers of [`ONCE`] that stand there more than once.
    pub repeated: Vec<&'static str>,
    /// From names more than one address.
    pub several_authors: bool,
    /// Any X-REM-* header.
    pub rem: bool,
    /// Characters that are neither ASCII nor UTF-8.
    pub odd_characters: bool,
}

impl Headers {
    /// Reads a header block; `None` when there is nothing like a header.
    pub fn read(block: &[u8]) -> Option<Self> {
        let text = readable(block);
        let message = MessageParser::default().parse_headers(text.as_bytes())?;
        let mut out = Self::of(&message);
        out.odd_characters = matches!(text, std::borrow::Cow::Owned(_));
        Some(out)
    }

    fn of(message: &Message) -> Self {
        let raw =
            |name: &'static str| message.header_raw(HeaderName::Other(name.into())).map(unfolded).unwrap_or_default();
        let known = |text: &str| KINDS.into_iter().find(|kind| text.eq_ignore_ascii_case(kind));
        let receipt = raw("X-Ricevuta");
        let transport = raw("X-Trasporto");
        let kind = if !receipt.is_empty() {
            known(&receipt)
        } else if transport.eq_ignore_ascii_case("errore") {
            Some("busta-anomalia")
        } else {
            known(&transport)
        };
        let client = [raw("User-Agent"), raw("X-Mailer")].into_iter().find(|text| !text.is_empty());
        let from = message.from().and_then(Address::first);
        let text = |value: Option<&str>| value.unwrap_or_default().trim().to_owned();
        Self {
            kind,
            marked: !receipt.is_empty() || !transport.is_empty(),
            message_id: text(message.message_id()),
            reference: bare_id(&raw("X-Riferimento-Message-ID")).to_owned(),
            receipt_type: raw("X-TipoRicevuta").to_ascii_lowercase(),
            unsafe_: raw("X-VerificaSicurezza").eq_ignore_ascii_case("errore"),
            original_sender: raw("X-Mittente").trim_matches(['<', '>']).to_owned(),
            subject: text(message.subject()),
            from: text(from.and_then(|a| a.address())),
            sender: addresses(message.sender()).into_iter().next().unwrap_or_default(),
            from_name: text(from.and_then(|a| a.name())),
            reply_to: addresses(message.reply_to()).into_iter().next().unwrap_or_default(),
            to: addresses(message.to()),
            cc: addresses(message.cc()),
            instant: message.date().and_then(|date| jiff::Timestamp::from_second(date.to_timestamp()).ok()),
            client: client.unwrap_or_default(),
            rem: message.headers_raw().any(|(name, _)| name.get(..6).is_some_and(|n| n.eq_ignore_ascii_case("x-rem-"))),
            marked_twice: ["X-Ricevuta", "X-Trasporto"].iter().any(|marker| times(message, marker) > 1),
            repeated: ONCE.into_iter().filter(|name| times(message, name) > 1).collect(),
            several_authors: message
                .from()
                .is_some_and(|from| from.iter().filter(|one| one.address().is_some()).nth(1).is_some()),
            odd_characters: false,
        }
    }

    /// Why the address in From says less than it should of who sent the message: empty when it says it. One address in one header is
    /// what a provider writes; several persons may have written a letter, but not in two headers.
    pub fn doubt(&self, provider: bool) -> &'static str {
        if self.repeated.contains(&"From") {
            "From stands there more than once"
        } else if provider && self.several_authors {
            "From names more than one address"
        } else {
            ""
        }
    }

    /// Who sent it, for whoever judges its signature.
    pub fn senders(&self, provider: bool) -> Senders<'_> {
        Senders { from: &self.from, sender: &self.sender, doubt: self.doubt(provider) }
    }

    /// Says which headers stand there more often than they may.
    pub fn note_repeated(&self, place: &str, out: &mut Extraction) {
        let repeated =
            self.repeated.iter().map(|name| Finding::warning(Code::MailRepeated, format!("{place}/{name}"), ""));
        out.findings.extend(repeated);
    }

    /// Recipients as written.
    pub fn recipients(&self) -> Vec<String> {
        self.to.iter().chain(&self.cc).cloned().collect()
    }

    /// Fields of the headers alone; daticert overrides them.
    pub fn fill(&self, out: &mut Extraction) {
        out.set("kind", self.kind.unwrap_or("messaggio-ordinario"));
        out.set("message_id", &self.message_id);
        out.set("reference_message_id", &self.reference);
        out.set("receipt_type", &self.receipt_type);
        out.set("subject_header", &self.subject);
        out.set("subject", self.kind.map_or(self.subject.as_str(), |kind| without_prefix(&self.subject, kind)));
        out.set("sender", &self.from);
        out.set("reply_to", &self.reply_to);
        out.set("client", &self.client);
        out.set_list("recipients", self.recipients());
        if let Some(instant) = self.instant {
            out.set("instant", &iso_ms(instant));
        }
        if self.odd_characters {
            out.findings.push(Finding::warning(Code::MailCharset, "header", "read as windows-1252"));
        }
        if !self.receipt_type.is_empty() && !RECEIPT_TYPES.contains(&self.receipt_type.as_str()) {
            out.findings.push(Finding::warning(Code::PecReceiptType, "header/X-TipoRicevuta", ""));
            out.set("receipt_type", RECEIPT_TYPES[0]);
        }
        self.note_repeated("header", out);
        if self.marked_twice {
            out.findings.push(Finding::warning(
                Code::PecKindUnknown,
                "header/X-Ricevuta, X-Trasporto",
                "more than once",
            ));
        }
        if self.marked && self.kind.is_none() {
            out.findings.push(Finding::warning(Code::PecKindUnknown, "header/X-Ricevuta, X-Trasporto", ""));
        }
    }
}

/// How often a header stands there, twice at most.
fn times(message: &Message, header: &str) -> usize {
    message.headers_raw().filter(|(name, _)| name.eq_ignore_ascii_case(header)).take(2).count()
}

/// A Message-ID without blanks and angle brackets.
pub fn bare_id(text: &str) -> &str {
    text.trim().trim_start_matches('<').trim_end_matches('>').trim()
}

/// A raw value on one line.
fn unfolded(raw: &str) -> String {
    raw.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn addresses(header: Option<&Address>) -> Vec<String> {
    header
        .into_iter()
        .flat_map(Address::iter)
        .filter_map(|one| one.address())
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .take(MAX_ADDRESSES)
        .collect()
}

/// The subject without the one prefix of its kind.
pub fn without_prefix<'a>(subject: &'a str, kind: &str) -> &'a str {
    let prefixes = PREFIXES.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, prefixes)| prefixes);
    prefixes.iter().find_map(|prefix| subject.strip_prefix(prefix)).unwrap_or(subject).trim_start()
}
