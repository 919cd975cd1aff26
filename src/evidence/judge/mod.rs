//! Judges signatures: each aspect apart, at a time that is named, by the anchors a person configured.
//!
//! Invariant I7: what was not looked at is said to be so. Nothing here refuses a document: a bad, weak or untrusted signature is
//! kept and shown; an error means that there is no signature to judge, and its code says what stands in its place
//! (`reference/pec` section 9, `reference/fatturapa` section 7).

mod certificate;
mod cms;
mod revocation;
mod stamp;
mod time;
mod xades;

pub use cms::digests_needed;
pub use xades::unread;

use jiff::Timestamp;

use crate::error::{Code, Result};
use crate::evidence::cms::{Content, Opened, open};
use crate::evidence::revocation::Material;
use crate::evidence::trust::Trust;
use crate::evidence::verdict::{Aspect, AspectVerdict, Role, SignatureKind, SignatureReport, TimeReference};

/// What a signature is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A provider signs a PEC message.
    Pec,
    /// Somebody signs a document.
    Signature,
}

/// Who a message says it is from: addresses without display names, empty when a header is not there (RFC 5322 section 3.6.2).
#[derive(Debug, Clone, Copy)]
pub struct Senders<'a> {
    /// From: the author.
    pub from: &'a str,
    /// Sender: whoever transmitted it for the author.
    pub sender: &'a str,
    /// Why From does not say who it is, in a few words; empty when it does.
    pub doubt: &'static str,
}

/// Judges by this trust, at these times.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// Whom the archive believes.
    pub trust: &'a Trust,
    /// The best proof of time known from outside the signature: a verified daticert, a verified notification …
    pub reference: Option<TimeReference>,
    /// When this archive received the document: the proof of time when there is no better one.
    pub received_at: Timestamp,
    /// Revocation lists and answers, besides those of `trust` and those that travel with the signature.
    pub gathered: Option<&'a Material>,
}

impl Judge<'_> {
    /// Judges CMS as it came (DER, BER, base64, PEM), over its own content or over `detached`. One report a signer; those of its
    /// counter-signatures and time-stamps follow it.
    pub fn cms(
        &self,
        bytes: &[u8],
        detached: Option<Content<'_>>,
        purpose: Purpose,
        place: &str,
    ) -> Result<Vec<SignatureReport>> {
        self.opened(&open(bytes)?, detached, purpose, place)
    }

    /// The same for CMS already opened.
    pub fn opened(
        &self,
        opened: &Opened,
        detached: Option<Content<'_>>,
        purpose: Purpose,
        place: &str,
    ) -> Result<Vec<SignatureReport>> {
        cms::judge(self, opened, detached, purpose, place)
    }

    /// Judges the signature of a message: also whether the certificate's address is the sender's and, of a provider's, whether its
    /// profile is as the rules say. The content is the first part of multipart/signed with CRLF line ends.
    pub fn mail(
        &self,
        opened: &Opened,
        detached: Option<Content<'_>>,
        purpose: Purpose,
        senders: Senders<'_>,
        place: &str,
    ) -> Result<Vec<SignatureReport>> {
        let mut reports = self.opened(opened, detached, purpose, place)?;
        Self::of_sender(&mut reports, purpose, senders);
        Ok(reports)
    }

    /// Makes reports on signatures those of a message's sender: the address counts, CAdES is not asked for.
    pub fn of_sender(reports: &mut [SignatureReport], purpose: Purpose, senders: Senders<'_>) {
        // Whoever counter-signs or time-stamps sent nothing.
        for report in reports.iter_mut().filter(|report| report.role == Role::Signature) {
            report.kind = SignatureKind::Smime;
            let verdict = certificate::address(report, purpose, senders);
            report.set(verdict);
            if report.verdict(Aspect::SigningCertificate).code == Some(Code::SignatureNotCades) {
                report.set(AspectVerdict::not_asked(Aspect::SigningCertificate));
            }
        }
    }

    /// Judges the signatures in the root of an XML document, over its bytes as they came; none when there is none.
    pub fn xades(&self, xml: &[u8], place: &str) -> Result<Vec<SignatureReport>> {
        xades::judge(self, xml, place)
    }
}

#[cfg(test)]
mod tests;
