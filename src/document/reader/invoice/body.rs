//! One invoice of a file: type, number, date, total and what it refers to.

use super::structure;
use crate::document::merge;
use crate::document::reader::xml::Node;
use crate::error::{Code, Finding};

/// Bodies read of one file: a lot of a thousand was seen.
pub(super) const MAX_BODIES: usize = 2000;
/// The format knows no date before (section 3); one this far ahead is a slip of the pen.
const FIRST_YEAR: i16 = 1970;
const LAST_YEAR: i16 = 2100;
/// Characters of a Causale.
const MAX_REASON: usize = 200;
/// References read of one body.
const MAX_REFERENCES: usize = 200;

pub(super) struct Body {
    pub kind: String,
    pub number: String,
    /// ISO date, or empty when it cannot be read.
    pub date: String,
    pub currency: String,
    pub total: Option<String>,
    /// Whether the file left it out and it is the sum of its parts.
    pub total_computed: bool,
    pub cig: Vec<String>,
    pub cup: Vec<String>,
    pub linked: Vec<String>,
}

pub(super) fn read(node: &Node, place: &str, simplified: bool, findings: &mut Vec<Finding>) -> Body {
    let empty = Node::default();
    let general = node.child("DatiGenerali").unwrap_or(&empty);
    let document = general.child("DatiGeneraliDocumento").unwrap_or(&empty);
    structure::body(node, simplified, place, findings);
    let mut odd = |code, field: &str, detail: &str| {
        findings.push(Finding::warning(code, format!("{place}/{field}"), detail));
    };
    let kind = document.text_at("TipoDocumento").to_owned();
    if !kind.is_empty() && !known_kind(&kind, simplified) {
        odd(Code::InvoiceType, "TipoDocumento", "");
    }
    for field in ["Data", "Numero"] {
        let written = document.child(field).map_or("", |node| node.text.as_str());
        if written.trim() != written {
            odd(Code::InvoiceBlanks, field, "");
        }
    }
    let number = document.text_at("Numero").to_owned();
    let well_numbered = number.bytes().any(|b| b.is_ascii_digit())
        && number.chars().count() <= 20
        && number.chars().all(|c| (' '..='~').contains(&c));
    if document.child("Numero").is_some() && !well_numbered {
        odd(Code::InvoiceNumber, "Numero", "");
    }
    let read = merge::date(document.text_at("Data"));
    if document.child("Data").is_some()
        && !read.is_some_and(|date| FIRST_YEAR <= date.year() && date.year() <= LAST_YEAR)
    {
        odd(Code::InvoiceDate, "Data", if read.is_none() { "not a date" } else { "out of the format's years" });
    }
    if read.is_some() && !document.text_at("Data").contains('-') {
        odd(Code::InvoiceDate, "Data", "not written as the schema says; read as day, month, year");
    }
    let date = read.map(|date| date.to_string()).unwrap_or_default();
    let currency = document.text_at("Divisa").to_owned();
    if document.child("Divisa").is_some() && (currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()))
    {
        odd(Code::InvoiceField, "Divisa", "not three capital letters");
    }
    if document.all("Causale").any(|causale| causale.text.chars().count() > MAX_REASON) {
        odd(Code::InvoiceField, "Causale", "longer than 200 characters");
    }
    let declared = document.text_at("ImportoTotaleDocumento");
    if !declared.is_empty() && !is_amount(declared) {
        odd(Code::InvoiceAmount, "ImportoTotaleDocumento", "");
    }
    summaries(node, simplified, place, findings);
    let total = match declared {
        "" => {
            let computed = computed_total(node, simplified);
            // Simplified invoices have no declared total: computing it is the rule there.
            if computed.is_some() && !simplified {
                findings.push(Finding::info(Code::InvoiceTotalComputed, format!("{place}/ImportoTotaleDocumento"), ""));
            }
            computed.map(written_amount)
        }
        text => amount(text).map(|_| text.to_owned()),
    };
    let references =
        ["DatiOrdineAcquisto", "DatiContratto", "DatiConvenzione", "DatiRicezione", "DatiFattureCollegate"];
    let gather = |name: &str| -> Vec<String> {
        let all = general.children.iter().filter(|child| references.contains(&child.name.as_str()));
        all.map(|child| child.text_at(name).to_owned()).filter(|text| !text.is_empty()).take(MAX_REFERENCES).collect()
    };
    let mut linked: Vec<String> =
        general.all("DatiFattureCollegate").map(|n| n.text_at("IdDocumento").to_owned()).collect();
    linked.extend(general.all("DatiFatturaRettificata").map(|n| n.text_at("NumeroFR").to_owned()));
    linked.retain(|text| !text.is_empty());
    linked.truncate(MAX_REFERENCES);
    Body {
        cig: gather("CodiceCIG"),
        cup: gather("CodiceCUP"),
        linked,
        total_computed: declared.is_empty() && total.is_some(),
        kind,
        number,
        date,
        currency,
        total,
    }
}

/// TD01 to TD06 and TD16 to TD29; TD07 to TD09 are simplified.
fn known_kind(kind: &str, simplified: bool) -> bool {
    let digits = kind.strip_prefix("TD").filter(|digits| digits.len() == 2);
    match digits.and_then(|digits| digits.parse::<u8>().ok()) {
        Some(7..=9) => simplified,
        Some(1..=6 | 16..=29) => !simplified,
        _ => false,
    }
}

/// Hundred-millionths: the schema allows eight decimals.
const SCALE: i128 = 100_000_000;

/// An amount in hundred-millionths.
fn amount(text: &str) -> Option<i128> {
    let (negative, digits) = match text.trim().strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.trim()),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty()
        || digits.ends_with('.')
        || whole.len() > 15
        || fraction.len() > 8
        || !plain(whole)
        || !plain(fraction)
    {
        return None;
    }
    let value = whole.parse::<i128>().ok()? * SCALE + format!("{fraction:0<8}").parse::<i128>().ok()?;
    Some(if negative { -value } else { value })
}

/// Rounded to the cent, away from zero at the half.
fn written_amount(value: i128) -> String {
    let cents = (value.abs() + SCALE / 200) / (SCALE / 100);
    let sign = if value < 0 && cents > 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// `-?[0-9]{1,11}\.[0-9]{2}`, as the schema writes totals and summaries.
fn is_amount(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    digits.split_once('.').is_some_and(|(whole, cents)| {
        (1..=11).contains(&whole.len()) && cents.len() == 2 && plain(whole) && plain(cents)
    })
}

/// The amounts a total is made of, written as they should be.
fn summaries(node: &Node, simplified: bool, place: &str, findings: &mut Vec<Finding>) {
    let goods = node.all("DatiBeniServizi");
    let mut odd = |name: &str| {
        findings.push(Finding::warning(Code::InvoiceAmount, format!("{place}/DatiBeniServizi/{name}"), ""));
    };
    if simplified {
        if goods.into_iter().any(|line| !is_amount(line.text_at("Importo"))) {
            odd("Importo");
        }
        return;
    }
    let all: Vec<&Node> = goods.flat_map(|goods| goods.all("DatiRiepilogo")).collect();
    for name in ["ImponibileImporto", "Imposta"] {
        if all.iter().any(|summary| !is_amount(summary.text_at(name))) {
            odd(&format!("DatiRiepilogo/{name}"));
        }
    }
}

fn computed_total(node: &Node, simplified: bool) -> Option<i128> {
    if simplified {
        let mut lines = node.all("DatiBeniServizi").map(|line| amount(line.text_at("Importo"))).peekable();
        lines.peek()?;
        return lines.sum();
    }
    let goods = node.child("DatiBeniServizi")?;
    let mut summaries = goods.all("DatiRiepilogo").peekable();
    summaries.peek()?;
    summaries.map(|s| Some(amount(s.text_at("ImponibileImporto"))? + amount(s.text_at("Imposta"))?)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        assert_eq!(written_amount(amount("0.10").unwrap() + amount("0.20").unwrap()), "0.30");
        assert_eq!(written_amount(amount("-12.345").unwrap()), "-12.35");
        assert_eq!(written_amount(amount("-0.001").unwrap()), "0.00");
        for bad in ["", "1,00", "1.123456789", "1e3", "9999999999999999", "--1", "-", "1."] {
            assert_eq!(amount(bad), None, "{bad}");
        }
    }
}
