//! Signatures inside a message: the sender's own around what he wrote (`multipart/signed`, and `application/pkcs7-mime` that holds
//! what it signs), those of a PEC that is carried in another, those of files (`.p7m`).
//!
//! Invariant: each has verdicts of its own, listed apart from the signature of the provider, whose verdict they never change; none of
//! them refuses a message; their number is bounded, and that some were not looked at is said. The time they are judged at is that of
//! the enclosing daticert when its signature is verified (`reference/pec` section 9): the provider took the message then.

use super::headers::Headers;
use super::part::Info;
use super::pieces::{Pieces, is_signature};
use super::signature::{Judged, Signed, excuse_brief};
use super::source::Source;
use super::structure::{Part, Structure};
use crate::document::Context;
use crate::document::reader::{Attachment, understand_attachment};
use crate::error::{Code, Finding, Result, Severity};
use crate::evidence::judge::{Judge, Purpose, Senders};
use crate::evidence::verdict::SignatureReport;
use crate::evidence::{Oid, oids};

/// Signatures looked at inside one message, its files' included.
const MAX_OPENED: usize = 64;

/// Kinds of CMS that hide what they hold: for its recipients, compressed.
const HIDING: [Oid; 4] = [oids::ENVELOPED_DATA, oids::ENCRYPTED_DATA, oids::AUTH_ENVELOPED_DATA, oids::COMPRESSED_DATA];

/// What was found of them so far.
pub struct Inner<'a> {
    context: Context<'a>,
    /// What the receipt gives back of the original.
    receipt_type: &'a str,
    opened: usize,
    /// Around a whole message that no provider enclosed: its own signature.
    pub own: Vec<SignatureReport>,
    /// All others.
    pub reports: Vec<SignatureReport>,
    pub findings: Vec<Finding>,
}

impl<'a> Inner<'a> {
    /// Judged in this context; `receipt_type` is that of the receipt that they stand in.
    pub fn new(context: Context<'a>, receipt_type: &'a str) -> Self {
        let (own, reports, findings) = (Vec::new(), Vec::new(), Vec::new());
        Self { context, receipt_type, opened: 0, own, reports, findings }
    }

    /// Whether there is room for one more; the first time there is none, that is said.
    fn may_open(&mut self) -> bool {
        self.opened += 1;
        if self.opened == MAX_OPENED + 1 {
            self.findings.push(Finding::warning(
                Code::MailTooMany,
                "inner_signatures",
                "not all signatures are judged",
            ));
        }
        self.opened <= MAX_OPENED
    }

    /// The signature around a carried message, if it is signed: its sender's, or a provider's when it is itself a PEC.
    pub fn message(&mut self, source: &Source, structure: &Structure, headers: &Headers, place: &str) -> Result<()> {
        let pieces = Pieces::of(structure);
        if pieces.signed.is_none() || !self.may_open() {
            return Ok(());
        }
        let purpose = if headers.marked || headers.rem { Purpose::Pec } else { Purpose::Signature };
        let place = format!("{place}/smime.p7s");
        let signed = Signed { source, structure, headers, pieces: &pieces, place: &place };
        match signed.judge(&self.context.judge(None), purpose)? {
            Judged::Reports(mut reports) => {
                excuse_brief(self.receipt_type, &mut reports);
                self.reports.extend(reports);
            }
            Judged::Finding(finding) => self.findings.push(finding),
        }
        Ok(())
    }

    /// Understands a file that may be an invoice, a notification, or signed. `senders` are those of the message when the file is all
    /// there is of it.
    pub fn file(&mut self, file: &Looked<'_>, senders: Option<Senders<'_>>) -> Option<Attachment> {
        if is_signature(file.part) {
            return None;
        }
        let promised = is_promised(&file.part.info, file.media_type);
        if hides(file.bytes) {
            self.findings.push(Finding::info(Code::MailEncrypted, file.place, ""));
            return None;
        }
        // What merely looks signed may be any text: only what is said to be is counted and complained of.
        let judged = !promised || self.may_open();
        let context = judged.then_some(&self.context);
        let mut found = understand_attachment(file.bytes, file.name, context)?;
        if found.class.is_none() && found.content.is_none() && !promised {
            return None;
        }
        for report in &mut found.signatures {
            report.place = format!("{}/{}", file.place, report.place);
        }
        if let Some(senders) = senders {
            Judge::of_sender(&mut found.signatures, Purpose::Signature, senders);
        }
        for mut finding in found.findings.drain(..) {
            // An attachment never refuses the message that carries it.
            finding.severity = finding.severity.min(Severity::Warning);
            finding.place = format!("{} {}", file.place, finding.place).trim_end().to_owned();
            self.findings.push(finding);
        }
        Some(found)
    }
}

/// A file in memory.
pub struct Looked<'a> {
    pub part: &'a Part,
    pub bytes: &'a [u8],
    pub name: &'a str,
    /// As recognised.
    pub media_type: &'a str,
    pub place: &'a str,
}

/// Whether a file is said to be signed data, by its name or its type.
pub fn is_promised(info: &Info, media_type: &str) -> bool {
    let named = info.name.as_deref().is_some_and(|name| name.to_ascii_lowercase().ends_with(".p7m"));
    let typed = |media_type: &str| matches!(media_type, "application/pkcs7-mime" | "application/x-pkcs7-mime");
    named || typed(&info.media_type) || typed(media_type)
}

/// Whether CMS of a kind that hides its content: told by the identifier it begins with.
fn hides(bytes: &[u8]) -> bool {
    if bytes.first() != Some(&0x30) {
        return false;
    }
    // The length of the sequence takes one byte to five, then come tag and length of the identifier.
    HIDING.iter().any(|oid| {
        let oid = oid.as_bytes();
        (2..=6).any(|at| {
            bytes.get(at..).is_some_and(|rest| {
                rest.first() == Some(&6) && rest[1..].get(1..).is_some_and(|rest| rest.starts_with(oid))
            })
        })
    })
}

/// Whether what was signed is a MIME entity, as in a message, and not a file.
pub fn is_entity(content: &[u8]) -> bool {
    let head = content.get(..64.min(content.len())).unwrap_or_default().to_ascii_lowercase();
    head.starts_with(b"content-") || head.starts_with(b"mime-version:")
}
