//! PEC messages: envelopes, receipts, notices, and ordinary mail that came along (RFC 6109; `reference/pec`).
//!
//! The signed `daticert.xml` is trusted; headers lie outside the signature and are hints: where they contradict it, that is noted.
//! Only the outermost daticert describes this message. Work goes by places: `structure` finds the parts without keeping them,
//! and whoever needs one reads its range from `source`, so a message of 100 MB costs what one of 50 KB does. What refuses a
//! message is not being one, being cut short, and a structure made to exhaust its reader.

mod attachments;
mod breve;
mod compare;
mod daticert;
mod headers;
mod inner;
mod notice;
mod original;
mod part;
mod pieces;
mod signature;
mod source;
mod structure;
mod transfer;

use super::{Extraction, Input, Reader, xml};
use crate::clock::iso_ms;
use crate::document::Context;
use crate::error::{AtPlace, Code, Finding, Result};
use crate::evidence::trust::Trust;
use crate::evidence::verdict::{Role, SignatureReport};
use attachments::{Listing, Message};
use daticert::{Certified, Daticert};
use headers::Headers;
use inner::Inner;
use original::Original;
use pieces::{Announced, Pieces};
use source::Source;
use structure::Structure;

/// Reads everything.
pub struct PecReader;
/// Reads outer headers and daticert and judges the provider's signature over the bytes as they are: a message with a virus is never
/// unpacked.
pub struct VirusReader;

impl Reader for PecReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        let mut out = Extraction::default();
        let source = Source::of(input.body)?;
        if let Some(message) = Mail::open(&source, &mut out)? {
            message.describe(input.context, &mut out);
            signature::judge(&message, input.context, &mut out)?;
            message.certify(&mut out);
            message.certify_time(input.context, &mut out);
            message.enter(input.context, &mut out)?;
        }
        Ok(out)
    }
}

impl Reader for VirusReader {
    fn read(&self, input: &Input) -> Result<Extraction> {
        let mut out = Extraction::default();
        let source = Source::of(input.body)?;
        if let Some(message) = Mail::open(&source, &mut out)? {
            message.describe(input.context, &mut out);
            signature::judge(&message, input.context, &mut out)?;
            message.certify(&mut out);
        }
        Ok(out)
    }
}

/// A message: where its pieces are and what they say.
struct Mail<'a> {
    source: &'a Source<'a>,
    structure: Structure,
    headers: Headers,
    pieces: Pieces,
    certified: Option<Box<Daticert>>,
    /// ETSI evidence stands in the place of daticert.
    rem: bool,
}

impl<'a> Mail<'a> {
    /// Takes it apart; `None` when it is no message at all, and then a finding says so.
    fn open(source: &'a Source<'a>, out: &mut Extraction) -> Result<Option<Self>> {
        let structure = Structure::scan(source, 0..source.len()).at("content")?;
        let Some(headers) = Headers::read(&structure.header) else {
            out.findings.push(Finding::error(Code::MailMalformed, "header", ""));
            return Ok(None);
        };
        for (noticed, finding) in [
            (structure.header_cut, Finding::warning(Code::MailHeaderLong, "header", "only its beginning is read")),
            (structure.truncated, Finding::error(Code::MailTruncated, "body", "ends before its last delimiter")),
            (structure.too_deep, Finding::error(Code::MailTooDeep, "body", "multiparts within multiparts")),
            (structure.too_many, Finding::error(Code::MailTooMany, "body", "")),
            (structure.ambiguous, Finding::warning(Code::MailBoundary, "body", "")),
        ] {
            if noticed {
                out.findings.push(finding);
            }
        }
        let pieces = Pieces::of(&structure);
        let mut message = Self { source, structure, headers, pieces, certified: None, rem: false };
        message.certified(out)?;
        Ok(Some(message))
    }

    /// Reads the outermost daticert, by name, by type and then by content; the first counts, and that there is another is said.
    fn certified(&mut self, out: &mut Extraction) -> Result<()> {
        let mut first: Option<Vec<u8>> = None;
        for part in self.pieces.certified(&self.structure) {
            let announced = pieces::likely(part);
            let named = announced == Some(Announced::Name);
            // In a message that is no provider's, what says nothing of itself is somebody's text.
            let provider = self.headers.marked || self.pieces.signed.is_some();
            if announced == Some(Announced::Nothing) && (self.certified.is_some() || !provider) {
                break;
            }
            let mut bad = |detail| {
                if named {
                    out.findings.push(Finding::warning(Code::PecDaticertBad, "daticert.xml", detail));
                }
            };
            if part.body.end - part.body.start > daticert::MAX_BYTES as u64 {
                bad("larger than 1 MiB");
                continue;
            }
            let raw = self.source.bytes(part.body.clone(), daticert::MAX_BYTES).at("content")?;
            let Some(bytes) = transfer::decoded(&part.info.encoding, &raw) else {
                bad("its transfer encoding");
                continue;
            };
            if announced == Some(Announced::Nothing) && xml::root_after_doctype(&bytes).as_deref() != Some("postacert")
            {
                continue;
            }
            match daticert::read(&bytes, named) {
                Certified::Daticert(found) => match &first {
                    None => {
                        self.certified = Some(found);
                        first = Some(bytes);
                    }
                    Some(first) => {
                        let detail = if *first == bytes { "the same again" } else { "another that differs" };
                        out.findings.push(Finding::warning(Code::PecTwice, "daticert.xml", detail));
                        break;
                    }
                },
                Certified::Rem => self.rem = true,
                Certified::Other => {}
            }
        }
        Ok(())
    }

    /// What headers and daticert say.
    fn describe(&self, context: &Context, out: &mut Extraction) {
        if let Some((_, depth)) = self.pieces.signed {
            out.fields.insert("depth".to_owned(), depth.into());
            if depth > 0 {
                out.findings.push(Finding::warning(Code::PecRewrapped, "body", format!("depth {depth}")));
            }
        }
        if self.pieces.unsigned {
            let detail = "a part beside the signed one and its signature";
            out.findings.push(Finding::warning(Code::SignatureTrailing, "body", detail));
        }
        self.headers.fill(out);
        let rem = self.rem || self.headers.rem;
        match &self.certified {
            Some(certified) => {
                out.findings.extend(certified.findings.iter().cloned());
                compare::headers(&self.headers, certified, &mut out.findings);
                compare::reception(certified, context.received_at, &mut out.findings);
                fill(certified, &self.headers, out);
            }
            None if rem => self.registered(out),
            None => self.uncertified(out),
        }
        let pec = self.certified.is_some() || self.headers.marked;
        out.set(
            "profile",
            if pec {
                "pec"
            } else if rem {
                "rem"
            } else {
                "none"
            },
        );
    }

    /// The instant that a verified signature certifies; any other proves nothing, and no term of keeping runs from it.
    fn certify_time(&self, context: &Context, out: &mut Extraction) {
        match signature::certified_time(self, context, &out.signatures) {
            Some(time) => out.set("certified_at", &iso_ms(time.at)),
            None if out.fields.contains_key("instant") => {
                out.findings.push(Finding::info(
                    Code::RetentionStart,
                    "metadata/instant",
                    "no verified signature certifies it",
                ));
            }
            None => {}
        }
    }

    /// Registered electronic mail: recognised and kept; its evidence is another format than daticert.
    fn registered(&self, out: &mut Extraction) {
        out.findings.push(Finding::info(Code::PecRem, "body", "kept; its evidence is not read"));
        if !self.headers.marked {
            out.set("kind", if self.pieces.original.is_some() { "rem-dispatch" } else { "rem-evidence" });
        }
    }

    /// No daticert: expected of anomaly envelopes and ordinary mail only.
    fn uncertified(&self, out: &mut Extraction) {
        out.findings.push(match self.headers.kind {
            None => Finding::warning(Code::PecNotPec, "header", ""),
            Some("busta-anomalia") => {
                Finding::info(Code::PecNoDaticert, "body", "as the rules say of anomaly envelopes")
            }
            Some(_) => Finding::warning(Code::PecNoDaticert, "body", ""),
        });
        if self.headers.kind == Some("posta-certificata") {
            out.set("identifier", &self.headers.message_id);
        }
    }

    /// Says whether what daticert says is certified: anybody can write one, so a signature that is mathematically right must cover it,
    /// and no signer's may be wrong.
    fn certify(&self, out: &mut Extraction) {
        let readable = self.certified.as_ref().is_some_and(|certified| certified.readable());
        let mut signers = out.signatures.iter().filter(|report| report.role == Role::Signature).peekable();
        let intact = signers.peek().is_some() && signers.all(SignatureReport::is_intact);
        out.fields.insert("certified".to_owned(), (readable && intact).into());
    }

    /// The message inside and every file.
    fn enter(&self, context: &Context, out: &mut Extraction) -> Result<()> {
        let context = context.enclosed_in(signature::certified_time(self, context, &out.signatures));
        let is_receipt = text(out, "kind") == "avvenuta-consegna";
        let receipt_type = if is_receipt { text(out, "receipt_type").to_owned() } else { String::new() };
        let mut listing = Listing::new(Inner::new(context, &receipt_type));
        let Some(carried) = self.pieces.original.filter(|_| self.is_system_message()) else {
            // An ordinary message, or a receipt without the original: its own files, without what makes it a receipt.
            if self.is_system_message() {
                if let Some(certified) = &self.certified {
                    compare::original(None, certified, &mut out.findings);
                }
                self.added_parts(&mut listing)?;
            } else {
                let Self { source, structure, headers, .. } = self;
                listing.message(&Message { source, structure, headers, place: "message", depth: 0 })?;
                if matches!(self.headers.receipt_type.as_str(), "" | BRIEF) {
                    Self::note_hashes(self.source, &self.structure, out)?;
                }
            }
            listing.fill(out);
            return Ok(());
        };
        let original = Original::open(self.source, &self.structure.parts[carried])?;
        if let Some(certified) = &self.certified {
            compare::original(original.as_ref(), certified, &mut out.findings);
        }
        if self.pieces.two_originals {
            out.findings.push(Finding::warning(Code::PecTwice, "postacert.eml", "the first counts"));
        }
        if let Some(original) = &original {
            original.headers.note_repeated("postacert.eml", out);
            out.fields.insert("original".to_owned(), original.to_json());
            let (source, structure, headers) = (original.source.source(), &original.structure, &original.headers);
            listing.message(&Message { source, structure, headers, place: "postacert.eml", depth: 1 })?;
            if receipt_type == BRIEF {
                if let Some((lines, unreadable)) = breve::of_receipt(source, structure)? {
                    out.set_list("breve_files", lines);
                    let place = |path: String| format!("postacert.eml/{path}");
                    let findings =
                        unreadable.into_iter().map(|path| Finding::warning(Code::PecBreveHash, place(path), ""));
                    out.findings.extend(findings);
                }
            } else if text(out, "kind") == "posta-certificata" && text(out, "receipt_type") == BRIEF {
                Self::note_hashes(source, structure, out)?;
            }
        }
        self.added_parts(&mut listing)?;
        listing.fill(out);
        Ok(())
    }

    /// What the receipts of a message may say of its files. Only a sender that asks for brief receipts gets any; a copy that does not
    /// say what it asked for may have.
    fn note_hashes(source: &Source, structure: &Structure, out: &mut Extraction) -> Result<()> {
        if let Some(lines) = breve::of_files(source, structure)? {
            out.set_list("original_files", lines);
        }
        Ok(())
    }

    /// Parts that a provider adds for services of its own: named, and none of the usual ones.
    fn added_parts(&self, listing: &mut Listing) -> Result<()> {
        for (at, part) in self.structure.children(self.pieces.envelope) {
            let usual = Some(at) == self.pieces.original || part.info.is_named("daticert.xml");
            if part.info.name.is_some() && !usual {
                listing.part(self.source, part, format!("envelope/{}", self.structure.path(at)))?;
            }
        }
        Ok(())
    }

    /// Made by a provider, not by a person.
    fn is_system_message(&self) -> bool {
        self.headers.marked || self.certified.is_some() || self.rem || self.headers.rem
    }
}

/// The type of receipt that holds hashes in the place of files.
const BRIEF: &str = "breve";

fn text<'a>(out: &'a Extraction, field: &str) -> &'a str {
    out.fields.get(field).and_then(serde_json::Value::as_str).unwrap_or_default()
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
    if !certified.recipients.is_empty() {
        out.set_list("recipients", certified.recipients.clone());
    }
    out.set_list("recipients_external", certified.external.clone());
    out.set_list("taken_in_charge", certified.taken.clone());
    if let Some(instant) = certified.instant {
        out.set("instant", &iso_ms(instant));
        out.set("zone", &certified.zone);
    }
    if kind == "preavviso-errore-consegna" {
        out.fields.insert("final".to_owned(), notice::is_final(&certified.error_detail).into());
    }
}

/// Any bytes at all, read as a message and as a daticert: what fuzzing calls.
#[doc(hidden)]
pub fn any_bytes(bytes: &[u8]) {
    let source = Source::Memory(bytes.into());
    let mut out = Extraction::default();
    let context = Context::new(Trust::nobody(), jiff::Timestamp::UNIX_EPOCH);
    if let Ok(Some(message)) = Mail::open(&source, &mut out) {
        message.describe(&context, &mut out);
        // In memory there is no input/output to fail; everything else is a finding.
        drop(signature::judge(&message, &context, &mut out));
        message.certify(&mut out);
        drop(message.enter(&context, &mut out));
    }
    drop(daticert::read(bytes, true));
}

/// The steps of reading a message, each alone: what the benchmark of understanding measures.
#[doc(hidden)]
pub mod steps {
    use super::{Certified, Source, Structure, daticert};

    /// How many parts a message has.
    pub fn split(bytes: &[u8]) -> usize {
        let source = Source::Memory(bytes.into());
        Structure::scan(&source, 0..source.len()).map_or(0, |structure| structure.parts.len())
    }

    /// Whether these bytes are a daticert.
    pub fn daticert(bytes: &[u8]) -> bool {
        matches!(daticert::read(bytes, true), Certified::Daticert(_))
    }
}

#[cfg(test)]
pub(super) mod tests;
