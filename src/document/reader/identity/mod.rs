//! Identity documents and their companions: metadata are given by the on-boarding service; what is checked is whether they
//! agree with one another, and whether the image or page can be read to its end. What looks wrong is said by field name;
//! no value ever leaves this module.
//!
//! Invariant: nothing here refuses a document: what identified somebody years ago is kept as it was, with what is odd
//! about it. CAD 32(3)(j), DPCM 22 February 2013 art. 57, `reference/metadata` section 10.

mod tax_code;

use serde_json::Value;

use super::{Extraction, Input, Reader, signed};
use crate::clock::italian_day;
use crate::document::{Body, format, legible, merge};
use crate::error::{Code, Finding, Result};
use crate::evidence::cms;
use crate::evidence::judge::Purpose;
use tax_code::{Person, TaxCode, denies};

/// Reads identity documents.
pub struct IdentityReader;

/// Older than anybody.
const OLDEST_AGE: i16 = 130;

impl Reader for IdentityReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        let mut extraction = Extraction::default();
        fields(input, &mut extraction.findings);
        content(input, &mut extraction)?;
        Ok(extraction)
    }
}

/// Whether it can be read, taken out of its signature where it has one.
fn content(input: &Input, extraction: &mut Extraction) -> Result<()> {
    let mut media_type = input.format.media_type.clone();
    let mut body: Body = input.body.clone();
    if media_type == "application/pkcs7-mime" {
        let Some(bytes) = signed::whole(input.body, &mut extraction.findings)? else { return Ok(()) };
        let judge = input.context.judge(None);
        let (mut reports, mut findings) = (Vec::new(), Vec::new());
        let mut see = |layer: &cms::Opened, place: &str| match judge.opened(layer, None, Purpose::Signature, place) {
            Ok(found) => reports.extend(found),
            Err(error) => findings.push(Finding::warning(error.code, place, error.detail)),
        };
        let opened = signed::open(&bytes, &mut extraction.findings, &mut see);
        extraction.findings.append(&mut findings);
        extraction.signatures.append(&mut reports);
        let Some(opened) = opened else { return Ok(()) };
        let inner = opened.content.into_owned();
        media_type = format::recognise(&inner[..inner.len().min(format::HEAD)], "").media_type;
        body = inner.into();
    }
    let Some(seen) = legible::look(&media_type, &body)? else { return Ok(()) };
    for (name, value) in [("width", seen.width), ("height", seen.height), ("pages", seen.pages), ("dpi", seen.dpi)] {
        if let Some(value) = value {
            extraction.fields.insert(name.to_owned(), value.into());
        }
    }
    extraction.findings.extend(seen.findings);
    Ok(())
}

/// Whether what was given agrees with itself.
fn fields(input: &Input, findings: &mut Vec<Finding>) {
    let text =
        |name: &str| input.given.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let mut say = |code: Code, name: &str, detail: &str| {
        findings.push(Finding::warning(code, format!("metadata/{name}"), detail));
    };
    let date = |name: &str| text(name).and_then(merge::date);
    let day =
        |name: &str| text(name).and_then(|text| merge::instant(text).map(italian_day).or_else(|| merge::date(text)));
    let birth_date = date("birth_date");

    if let Some(code) = text("tax_code") {
        let person = Person {
            surname: text("surname"),
            forename: text("forename"),
            birth_date,
            sex: text("sex"),
            place_code: text("birth_place_code"),
        };
        match TaxCode::read(code) {
            None => say(Code::IdentityField, "tax_code", "its form or its check character does not fit"),
            // Provisional: it says nothing of its bearer.
            Some(TaxCode::Digits) => {}
            Some(TaxCode::Person(code)) => {
                for name in denies(&code, &person) {
                    say(Code::IdentityField, name, "it does not agree with the tax code");
                }
            }
        }
    }

    let identified = day("identified_at");
    let (issued, expires) = (date("issued_on"), date("expires_on"));
    if let (Some(issued), Some(expires)) = (issued, expires)
        && expires < issued
    {
        say(Code::IdentityField, "expires_on", "before the date of issue");
    }
    if let (Some(expires), Some(identified)) = (expires, identified)
        && expires < identified
    {
        say(Code::IdentityExpired, "expires_on", "");
    }
    if let (Some(issued), Some(identified)) = (issued, identified)
        && issued > identified
    {
        say(Code::IdentityField, "issued_on", "after the identification");
    }
    if let Some(born) = birth_date {
        let last = [issued, identified].into_iter().flatten().min().unwrap_or(italian_day(input.context.received_at));
        if born > last {
            say(Code::IdentityField, "birth_date", "after the date of issue or the identification");
        } else if born.year() + OLDEST_AGE < last.year() {
            say(Code::IdentityField, "birth_date", "longer ago than anybody lives");
        }
    }

    let foreign =
        text("country").is_some_and(|country| !["IT", "ITA"].contains(&country.to_ascii_uppercase().as_str()));
    if let (Some(kind), Some(number), false) = (text("document_kind"), text("document_number"), foreign)
        && !number_fits(kind, number)
    {
        say(Code::IdentityField, "document_number", "not of the form that such a document has in Italy");
    }
    if text("service") == Some("other") && text("policy").is_none() {
        say(Code::IdentityMissing, "policy", "the service `other` needs the name of its retention policy");
    }
    if text("practice").is_some_and(|practice| {
        text("tax_code").is_some_and(|code| code.eq_ignore_ascii_case(practice)) || TaxCode::read(practice).is_some()
    }) {
        say(Code::IdentityField, "practice", "expected a random identifier, not a tax code");
    }
}

/// Whether a document's number has the form that its kind has in Italy.
fn number_fits(kind: &str, number: &str) -> bool {
    let number: String = number.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_uppercase).collect();
    // A letter, a digit, either: `A`, `9`, `*`.
    let shaped = |shape: &str| {
        number.chars().count() == shape.len()
            && number.chars().zip(shape.chars()).all(|(c, s)| match s {
                'A' => c.is_ascii_uppercase(),
                '9' => c.is_ascii_digit(),
                '*' => c.is_ascii_uppercase() || c.is_ascii_digit(),
                other => c == other,
            })
    };
    match kind {
        // Electronic (CA00000AA), on paper (AA0000000), the first electronic ones (0000000AA).
        "carta-identita" => ["CA99999AA", "AA9999999", "9999999AA"].iter().any(|shape| shaped(shape)),
        "passaporto" => ["AA9999999", "A999999"].iter().any(|shape| shaped(shape)),
        // U1 and codes of the ministry; older ones begin with the province.
        "patente" => ["U1*******A", "AA9999999A", "AA*******A"].iter().any(|shape| shaped(shape)),
        "permesso-soggiorno" => ["A99999999", "AA9999999", "*********"].iter().any(|shape| shaped(shape)),
        _ => true,
    }
}

/// Which parts of an identification the documents of one subject make up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    front: bool,
    back: bool,
    declaration: bool,
}

impl Parts {
    /// Notes a document by its fields.
    pub fn note(&mut self, part: Option<&str>, side: Option<&str>) {
        match part {
            Some("identity-document") => {
                // A copy that names no side shows what there is.
                self.front |= side != Some("back");
                self.back |= side != Some("front");
            }
            Some("acceptance-declaration") => self.declaration = true,
            _ => {}
        }
    }

    /// What is still missing, in words; none when the file is complete.
    pub fn missing(self) -> Vec<&'static str> {
        let parts = [(self.front, "front"), (self.back, "back"), (self.declaration, "acceptance-declaration")];
        parts.into_iter().filter(|(there, _)| !there).map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests;
