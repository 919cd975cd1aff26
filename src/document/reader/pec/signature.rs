//! The provider's signature over the envelope, judged on the bytes as stored (`reference/pec` section 9).
//!
//! The signed part is hashed where it stands, with the algorithms its signers name and no others; bare line feeds become CRLF for the
//! digest only, because tools convert them in silence (RFC 8551 section 3.1.1). A part that was signed as stored is tried too, so
//! neither form is called altered for the other's sake.

use std::ops::Range;

use super::Mail;
use super::source::Source;
use super::structure::Part;
use super::transfer;
use crate::document::{Context, reader::Extraction};
use crate::error::{AtPlace, Code, Finding, Result};
use crate::evidence::algorithm::DigestAlgorithm;
use crate::evidence::cms::{Content, DigestSet, Digester, SignedData, open};
use crate::evidence::judge::Purpose;
use crate::evidence::verdict::{Aspect, Outcome, Reference, SignatureReport, TimeReference};

/// Raw bytes read of a signature part: certificates and one signer take ten KiB.
const MAX_SIGNATURE: usize = 2 << 20;

const PLACE: &str = "smime.p7s";

/// Judges the signature of a message; what cannot be judged is a finding.
pub(super) fn judge(mail: &Mail, context: &Context, out: &mut Extraction) -> Result<()> {
    let system = mail.is_system_message();
    let Some(content) = mail.pieces.content else {
        if mail.pieces.signed.is_some() {
            out.findings.push(Finding::warning(Code::SignatureMissing, PLACE, ""));
        } else if system {
            out.findings.push(Finding::warning(Code::PecNotSigned, "body", ""));
        }
        return Ok(());
    };
    let parts = &mail.structure.parts;
    let Some(signature) = mail.pieces.signature else {
        out.findings.push(Finding::warning(Code::SignatureMissing, PLACE, ""));
        return Ok(());
    };
    let signature = signature_bytes(mail.source, &parts[signature])?;
    let opened = match open(&signature) {
        Ok(opened) => opened,
        Err(fault) => {
            out.findings.push(Finding::warning(fault.code, PLACE, ""));
            return Ok(());
        }
    };
    let wanted = algorithms(&opened.data);
    let at = mail.certified.as_ref().and_then(|certified| certified.instant);
    let judge = context.judge(at.map(|at| TimeReference { kind: Reference::Daticert, at }));
    let verdict = |digests: &DigestSet| {
        let content = Content::Digests(digests);
        if system {
            judge.pec(
                &signature,
                content,
                Some(&mail.headers.from).filter(|from| !from.is_empty()).map(String::as_str),
                PLACE,
            )
        } else {
            judge.cms(&signature, Some(content), Purpose::Signature, PLACE)
        }
    };
    let whole = parts[content].whole();
    let (canonical, bare) = hashed(mail.source, whole.clone(), &wanted, true).at("content")?;
    let mut reports = verdict(&canonical);
    if bare && reports.as_ref().is_ok_and(|reports| altered(reports)) {
        let (stored, _) = hashed(mail.source, whole, &wanted, false).at("content")?;
        let second = verdict(&stored);
        if second.as_ref().is_ok_and(|reports| !altered(reports)) {
            reports = second;
        }
    }
    match reports {
        Ok(reports) => out.signatures.extend(reports),
        Err(fault) => out.findings.push(Finding::warning(fault.code, PLACE, "")),
    }
    Ok(())
}

/// The signature's bytes; as they stand when the transfer encoding does not come off: what is there then has its own code.
fn signature_bytes(source: &Source, part: &Part) -> Result<Vec<u8>> {
    let raw = source.bytes(part.body.clone(), MAX_SIGNATURE).at("content")?;
    Ok(transfer::decoded(&part.info.encoding, &raw).unwrap_or_else(|| raw.into_owned()))
}

fn algorithms(data: &SignedData) -> Vec<DigestAlgorithm> {
    let mut wanted = Vec::new();
    for algorithm in data.signers.iter().filter_map(|signer| signer.digest_algorithm()) {
        if !wanted.contains(&algorithm) {
            wanted.push(algorithm);
        }
    }
    wanted
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
