//! The signature over a message's signed part, a provider's or a person's, judged on the bytes as stored (`reference/pec` section 9).
//!
//! The signed part is hashed where it stands, with the algorithms its signers name and no others; bare line feeds become CRLF for the
//! digest only, because tools convert them in silence (RFC 8551 section 3.1.1). A part that was signed as stored is tried too, so
//! neither form is called altered for the other's sake.

use std::ops::Range;

use super::compare::DATE_TOLERANCE;
use super::headers::Headers;
use super::inner::is_promised;
use super::pieces::Pieces;
use super::source::Source;
use super::structure::{Part, Structure};
use super::transfer;
use super::{BRIEF, Mail};
use crate::document::{Context, reader::Extraction};
use crate::error::{AtPlace, Code, Finding, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::cms::{Content, DigestSet, Digester, open};
use crate::evidence::judge::{Judge, Purpose, digests_needed};
use crate::evidence::verdict::{Aspect, AspectVerdict, Outcome, Reference, SignatureReport, TimeReference};

/// Raw bytes read of a signature part: certificates and one signer take ten KiB.
const MAX_SIGNATURE: usize = 2 << 20;

/// Raw bytes read of a message inside its signature.
const MAX_OPAQUE: usize = 32 << 20;

const PLACE: &str = "smime.p7s";

/// Judges the signature of a message; what cannot be judged is a finding.
pub(super) fn judge(mail: &Mail, context: &Context, out: &mut Extraction) -> Result<()> {
    let system = mail.is_system_message();
    if mail.pieces.signed.is_none() {
        if system && is_promised(&mail.structure.parts[0].info, "") {
            return opaque(mail, context, out);
        }
        if system {
            out.findings.push(Finding::warning(Code::PecNotSigned, "body", ""));
        }
        return Ok(());
    }
    let at = mail.certified.as_ref().and_then(|certified| certified.instant);
    let judge = context.judge(at.map(|at| TimeReference { kind: Reference::Daticert, at }));
    let Mail { source, structure, headers, pieces, .. } = mail;
    let signed = Signed { source, structure, headers, pieces, place: PLACE };
    match signed.judge(&judge, if system { Purpose::Pec } else { Purpose::Signature })? {
        Judged::Reports(reports) => out.signatures.extend(reports),
        Judged::Finding(finding) => out.findings.push(finding),
    }
    Ok(())
}

/// A provider's message that is inside its signature (`application/pkcs7-mime`), which no rule of PEC foresees: the signature is judged,
/// what it holds is not taken for the provider's data.
fn opaque(mail: &Mail, context: &Context, out: &mut Extraction) -> Result<()> {
    let part = &mail.structure.parts[0];
    let raw = mail.source.bytes(part.body.clone(), MAX_OPAQUE).at("content")?;
    let bytes = transfer::decoded(&part.info.encoding, &raw).unwrap_or_else(|| raw.into_owned());
    let judged = open(&bytes)
        .and_then(|opened| context.judge(None).mail(&opened, None, Purpose::Pec, mail.headers.senders(true), PLACE));
    match judged {
        Ok(reports) => out.signatures.extend(reports),
        Err(fault) => out.findings.push(Finding::warning(fault.code, PLACE, "")),
    }
    Ok(())
}

/// The proof of time that a provider's signature gives to what it covers: the date of its daticert, when the signature is right and
/// leads to somebody trusted. What is later than the deposit is no date of anything that happened.
pub(super) fn certified_time(mail: &Mail, context: &Context, reports: &[SignatureReport]) -> Option<TimeReference> {
    let at = mail.certified.as_ref()?.instant?;
    if at.duration_since(context.received_at) > DATE_TOLERANCE {
        return None;
    }
    let [report] = reports else { return None };
    let outcome = |aspect| report.verdict(aspect).outcome;
    let trusted = matches!(outcome(Aspect::Chain), Outcome::Good | Outcome::Weak);
    let right = report.is_intact() && trusted && outcome(Aspect::Address) != Outcome::Bad;
    right.then_some(TimeReference { kind: Reference::Daticert, at })
}

/// A message with a signed part.
pub(super) struct Signed<'a> {
    pub source: &'a Source<'a>,
    pub structure: &'a Structure,
    pub headers: &'a Headers,
    pub pieces: &'a Pieces,
    /// Where findings say it is.
    pub place: &'a str,
}

/// What became of it.
pub(super) enum Judged {
    /// One report a signer at least.
    Reports(Vec<SignatureReport>),
    /// There is nothing to judge, and why.
    Finding(Finding),
}

impl Signed<'_> {
    pub fn judge(&self, judge: &Judge<'_>, purpose: Purpose) -> Result<Judged> {
        let finding = |code| Ok(Judged::Finding(Finding::warning(code, self.place, "")));
        let (Some(content), Some(signature)) = (self.pieces.content, self.pieces.signature) else {
            return finding(Code::SignatureMissing);
        };
        let parts = &self.structure.parts;
        let opened = match open(&signature_bytes(self.source, &parts[signature])?) {
            Ok(opened) => opened,
            Err(fault) => return finding(fault.code),
        };
        let wanted = digests_needed(&opened);
        let senders = self.headers.senders(purpose == Purpose::Pec);
        let verdict =
            |digests: &DigestSet| judge.mail(&opened, Some(Content::Digests(digests)), purpose, senders, self.place);
        let whole = parts[content].whole();
        let (canonical, bare) = hashed(self.source, whole.clone(), &wanted, true).at("content")?;
        let mut reports = verdict(&canonical);
        if bare && reports.as_ref().is_ok_and(|reports| altered(reports)) {
            let (stored, _) = hashed(self.source, whole, &wanted, false).at("content")?;
            let second = verdict(&stored);
            if second.as_ref().is_ok_and(|reports| !altered(reports)) {
                reports = second;
            }
        }
        match reports {
            Ok(reports) => Ok(Judged::Reports(reports)),
            Err(fault) => finding(fault.code),
        }
    }
}

/// A brief receipt replaces the files that a person's signature covers: that the digest differs is expected and says nothing
/// (`reference/pec` section 7).
pub(super) fn excuse_brief(receipt_type: &str, reports: &mut [SignatureReport]) {
    if receipt_type != BRIEF {
        return;
    }
    for report in reports.iter_mut().filter(|report| report.verdict(Aspect::Digest).outcome == Outcome::Bad) {
        let why = "a brief receipt has hashes in the place of the files that were signed";
        report.set(AspectVerdict::new(Aspect::Digest, Outcome::NotChecked, Code::NotLookedAt, why));
    }
}

/// The signature's bytes; as they stand when the transfer encoding does not come off: what is there then has its own code.
fn signature_bytes(source: &Source, part: &Part) -> Result<Vec<u8>> {
    let raw = source.bytes(part.body.clone(), MAX_SIGNATURE).at("content")?;
    Ok(transfer::decoded(&part.info.encoding, &raw).unwrap_or_else(|| raw.into_owned()))
}

fn altered(reports: &[SignatureReport]) -> bool {
    reports.iter().any(|report| report.verdict(Aspect::Digest).outcome == Outcome::Bad)
}

/// Digests of a range, with every bare line feed as CRLF or as stored; and whether there was one.
fn hashed(
    source: &Source,
    range: Range<u64>,
    algorithms: &[DigestAlgorithm],
    canonical: bool,
) -> std::io::Result<(DigestSet, bool)> {
    let mut digester = Digester::new(algorithms);
    let (mut bare, mut last) = (false, 0u8);
    source.feed(range, &mut |piece| {
        if !canonical {
            return digester.update(piece);
        }
        let mut done = 0;
        for end in memchr::memchr_iter(b'\n', piece) {
            let before = if end == 0 { last } else { piece[end - 1] };
            if before != b'\r' {
                bare = true;
                digester.update(&piece[done..end]);
                digester.update(b"\r\n");
                done = end + 1;
            }
        }
        digester.update(&piece[done..]);
        last = piece.last().copied().unwrap_or(last);
    })?;
    Ok((digester.finish(), bare))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn bare_line_feeds_count_as_crlf_across_pieces() {
        let wanted = [DigestAlgorithm::Sha1, DigestAlgorithm::Sha256];
        // A CRLF lies on the border of two pieces of a file.
        let mut text = vec![b'x'; (256 << 10) - 1];
        text.extend_from_slice(b"\r\nuno\ndue\r\n\ntre\r");
        let canonical = super::super::breve::crlf(&text);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&text).unwrap();
        for source in [Source::Memory(Cow::Borrowed(&text)), Source::File(file, text.len() as u64)] {
            let (digests, bare) = hashed(&source, 0..source.len(), &wanted, true).unwrap();
            assert!(bare);
            assert_eq!(digests, DigestSet::of(&canonical, wanted));
            let (digests, _) = hashed(&source, 0..source.len(), &wanted, false).unwrap();
            assert_eq!(digests, DigestSet::of(&text, wanted));
        }
    }
}
