//! Electronic invoices and what the exchange system says of them (FatturaPA 1.2, VFSM10 1.0; SdI messages 1.0 and 1.1).
//! `ordinary` and `simplified` write the XML, `container` signs and wraps it, `notification` answers for SdI.
//!
//! Invariant: a case is one invoice file and its notifications, tied by IdentificativoSdI, NomeFile and, where the family
//! has it, the SHA-256 of the file as transmitted.

mod container;
mod notification;
mod ordinary;
mod simplified;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::item::{Item, Relation, facts};
use super::names;
use super::provider::Keys;
use super::rng::Rng;
use crate::error::Result;
use crate::hash::Sha256;

pub use container::Container;

/// Transmission format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// To a public body; always signed.
    Fpa12,
    /// To a private party.
    Fpr12,
    /// Simplified.
    Fsm10,
}

impl Format {
    /// As written in the file.
    pub fn code(self) -> &'static str {
        match self {
            Self::Fpa12 => "FPA12",
            Self::Fpr12 => "FPR12",
            Self::Fsm10 => "FSM10",
        }
    }
}

/// What happens to the file at SdI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// RC to the seller, MT to the buyer.
    Delivered,
    /// NS: not issued.
    Rejected,
    /// MC: not reached.
    Undelivered,
}

/// What an invoice says.
#[derive(Debug, Clone)]
pub(crate) struct Invoice {
    pub(crate) format: Format,
    pub(crate) seller: (&'static str, String),
    pub(crate) buyer: (&'static str, String),
    pub(crate) recipient_code: String,
    pub(crate) progressive: String,
    pub(crate) document_type: &'static str,
    pub(crate) number: String,
    pub(crate) date: String,
    /// Lines: description, quantity, unit price in cents.
    pub(crate) lines: Vec<(String, u64, u64)>,
    pub(crate) cig: Option<String>,
    /// A PDF inside the file.
    pub(crate) attachment: Option<Vec<u8>>,
}

/// VAT rate of every line, per cent.
pub(crate) const RATE: u64 = 22;

impl Invoice {
    /// Sum of the lines in cents.
    pub(crate) fn taxable(&self) -> u64 {
        self.lines.iter().map(|(_, quantity, price)| quantity * price).sum()
    }

    /// VAT in cents, rounded half up.
    pub(crate) fn tax(&self) -> u64 {
        (self.taxable() * RATE + 50) / 100
    }

    /// What the file says is due: simplified lines are gross.
    pub(crate) fn total(&self) -> u64 {
        if self.format == Format::Fsm10 { self.taxable() } else { self.taxable() + self.tax() }
    }
}

/// Cents as an amount with two decimals.
pub(crate) fn amount(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

const GOODS: [&str; 8] = [
    "Fornitura di materiale di esempio",
    "Canone mensile servizio dimostrativo",
    "Consulenza tecnica (esempio)",
    "Ricambi campione, cod. ESE-001",
    "Trasporto e consegna",
    "Manutenzione ordinaria impianto \"Esempio\"",
    "Licenza d'uso & assistenza",
    "Attività di formazione per 8 persone",
];

fn invent(rng: &mut Rng, format: Format, index: u64, at: Timestamp) -> Invoice {
    let seller = (names::organisation(rng), names::vat_number(rng));
    let buyer = match format {
        Format::Fpa12 => ("Comune di Esempio", names::vat_number(rng)),
        _ => (names::organisation(rng), names::vat_number(rng)),
    };
    let recipient_code = match format {
        Format::Fpa12 => format!("UF{}X", rng.text(3, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
        _ if rng.chance(300) => "0000000".to_owned(),
        _ => format!("ES{}", rng.text(5, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")),
    };
    // Simplified invoices stay under 400 euro.
    let (most, price) = if format == Format::Fsm10 { (2, 4_000) } else { (12, 250_000) };
    let lines = (0..rng.between(1, most))
        .map(|_| ((*rng.pick(&GOODS)).to_owned(), rng.between(1, 4), rng.between(100, price)))
        .collect();
    let document_type = match format {
        Format::Fsm10 => "TD07",
        _ => rng.pick(&["TD01", "TD01", "TD01", "TD01", "TD04", "TD06", "TD24"]),
    };
    let attachment = (format != Format::Fsm10 && rng.chance(300)).then(|| {
        let bytes = rng.size(15_000, 200_000);
        super::pec::scanned_pdf(rng, 1, bytes).bytes
    });
    Invoice {
        format,
        seller,
        buyer,
        recipient_code,
        progressive: base36(index),
        document_type,
        number: format!("{}/{}", rng.between(1, 9_999), at.strftime("%Y")),
        date: at.strftime("%F").to_string(),
        lines,
        cig: (format == Format::Fpa12).then(|| format!("Z{}", rng.text(9, b"0123456789ABCDEF"))),
        attachment,
    }
}

/// Five characters of a file's progressive.
fn base36(mut index: u64) -> String {
    let mut out = [b'0'; 5];
    for place in out.iter_mut().rev() {
        *place = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[usize::try_from(index % 36).unwrap_or(0)];
        index /= 36;
    }
    out.iter().map(|b| char::from(*b)).collect()
}

/// One invoice file and its notifications.
pub(crate) struct Case<'a> {
    pub(crate) index: u64,
    pub(crate) at: Timestamp,
    pub(crate) format: Format,
    pub(crate) container: Container,
    pub(crate) fate: Fate,
    pub(crate) keys: &'a mut Keys,
}

/// The usual proportions.
pub(crate) fn some(rng: &mut Rng) -> (Format, Container, Fate) {
    let format = match rng.below(10) {
        0..=5 => Format::Fpr12,
        6..=8 => Format::Fpa12,
        _ => Format::Fsm10,
    };
    let container = match (format, rng.below(10)) {
        (Format::Fpa12, 0..=6) => Container::Der,
        (Format::Fpa12, 7..=8) => Container::Base64,
        (Format::Fpa12, _) => Container::Ber,
        (Format::Fpr12, 0..=1) => Container::Der,
        _ => Container::Plain,
    };
    let fate = match rng.below(20) {
        0..=16 => Fate::Delivered,
        17 => Fate::Rejected,
        _ => Fate::Undelivered,
    };
    (format, container, fate)
}

pub(crate) fn case(mut rng: Rng, case: Case<'_>) -> Result<Vec<Item>> {
    let Case { index, at, format, container, fate, keys } = case;
    let invoice = invent(&mut rng, format, index, at);
    let xml = if format == Format::Fsm10 { simplified::xml(&invoice) } else { ordinary::xml(&invoice) };
    let signed = container != Container::Plain;
    let bytes = container.wrap(xml.into_bytes(), keys, at)?;
    let extension = if signed { "xml.p7m" } else { "xml" };
    let name = format!("IT{}_{}.{extension}", invoice.seller.1, invoice.progressive);
    let group = format!("IT{}_{}", invoice.seller.1, invoice.progressive);
    let sdi = (100_000_000 + index * 7 + rng.below(7)).to_string();
    let total = invoice.total();
    let expected = facts([
        ("seller_name", json!(invoice.seller.0)),
        ("seller_vat", json!(format!("IT{}", invoice.seller.1))),
        ("buyer_name", json!(invoice.buyer.0)),
        ("buyer_vat", json!(format!("IT{}", invoice.buyer.1))),
        ("document_type", json!(invoice.document_type)),
        ("number", json!(invoice.number)),
        ("date", json!(invoice.date)),
        ("total", json!(amount(total))),
        ("currency", json!("EUR")),
        ("body_count", json!(1)),
        ("transmission_format", json!(format.code())),
        ("progressive", json!(invoice.progressive)),
        ("recipient_code", json!(invoice.recipient_code)),
        ("cig", invoice.cig.as_ref().map_or(Value::Null, |cig| json!([cig]))),
        ("attachments", json!(u8::from(invoice.attachment.is_some()))),
        ("signed", json!(signed)),
    ]);
    let mut items = vec![Item {
        name: name.clone(),
        class: "invoice",
        metadata: facts([("flow", json!("U")), ("sdi_identifier", json!(sdi))]),
        group: group.clone(),
        relations: Vec::new(),
        expected,
        bytes: Vec::new(),
    }];
    let subject = notification::About {
        invoice: &invoice,
        file: &name,
        hash: Sha256::of(&bytes),
        sdi: &sdi,
        at: at + SignedDuration::from_secs(i64::try_from(rng.between(60, 7_200)).unwrap_or(60)),
    };
    items[0].bytes = bytes;
    for kind in notification::kinds(fate) {
        let message = (400_000_000 + index * 16 + items.len() as u64).to_string();
        let (name, bytes, expected) = notification::render(&subject, *kind, &message);
        items.push(Item {
            name,
            class: "sdi-notification",
            bytes,
            metadata: facts([("flow", json!("E"))]),
            group: group.clone(),
            relations: vec![Relation { kind: "notifica-di", name: items[0].name.clone() }],
            expected,
        });
    }
    Ok(items)
}

#[cfg(test)]
mod tests;
