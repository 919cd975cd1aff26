//! The signer's certificate: who it names, whether it is of the kind the use asks for, whether its address is the sender's
//! (`reference/pec` section 9, steps 7 and 8; RFC 6109 section 4.3).

use super::{Judge, Purpose, Senders};
use crate::error::{Code, Result};
use crate::evidence::asn1::{Reader, tag};
use crate::evidence::oids;
use crate::evidence::verdict::{Aspect, AspectVerdict, Outcome, SignatureReport, SignerFacts, serial_hex};
use crate::evidence::x509::{Certificate, name};
use crate::hash::Sha256;

/// Addresses shown of a certificate.
const MAX_EMAILS: usize = 16;

/// Bits of keyUsage.
const DIGITAL_SIGNATURE: usize = 0;
const CONTENT_COMMITMENT: usize = 1;

pub(super) fn facts(certificate: &Certificate) -> SignerFacts {
    let serial = Reader::only(certificate.serial_element(), tag::INTEGER).map(|n| n.value).unwrap_or_default();
    let serial = if serial.len() > 1 { serial.strip_prefix(&[0]).unwrap_or(serial) } else { serial };
    let shorten = |email: String| email.chars().take(320).collect();
    SignerFacts {
        subject: name::text(certificate.subject()),
        issuer: name::text(certificate.issuer()),
        serial: serial_hex(serial),
        emails: certificate.emails().unwrap_or_default().into_iter().take(MAX_EMAILS).map(shorten).collect(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        sha256: Sha256::of(certificate.der()).to_string(),
    }
}

/// Whether a message is from an address of the certificate's. A provider's must be that of From, and of Sender where there is one
/// (RFC 6109 section 4.3); a person's that of either, and a certificate without any address says nothing (RFC 8550 section 3).
pub(super) fn address(report: &SignatureReport, purpose: Purpose, senders: Senders<'_>) -> AspectVerdict {
    let aspect = Aspect::Address;
    let told = |outcome, why: &str| AspectVerdict::new(aspect, outcome, Code::SignatureAddress, why);
    let Some(signer) = &report.signer else {
        return told(Outcome::NotChecked, "no certificate to compare with");
    };
    let (from, sender) = (senders.from.trim(), senders.sender.trim());
    let person = purpose == Purpose::Signature;
    if person && signer.emails.is_empty() {
        let detail = "the certificate names no address".to_owned();
        return AspectVerdict { detail, ..AspectVerdict::not_asked(aspect) };
    }
    if from.is_empty() && (sender.is_empty() || !person) {
        return told(Outcome::Absent, "the message names no sender");
    }
    if signer.emails.is_empty() {
        return told(Outcome::Bad, "the certificate names no address");
    }
    if !senders.doubt.is_empty() {
        return told(Outcome::Bad, senders.doubt);
    }
    // Domains have no case, and no provider tells two mailboxes apart by it.
    let is_ours = |address: &str| signer.emails.iter().any(|email| email.trim().eq_ignore_ascii_case(address));
    match (is_ours(from), sender.is_empty() || is_ours(sender), person) {
        (true, true, _) | (true, _, true) => AspectVerdict::good(aspect, ""),
        (true, false, false) => told(Outcome::Bad, "the address in Sender is not the certificate's"),
        (false, true, true) if !sender.is_empty() => AspectVerdict::good(aspect, "the address in Sender, not in From"),
        (false, ..) => told(Outcome::Bad, "the sender is not the certificate's address"),
    }
}

/// Whether the certificate is of the kind this use asks for.
pub(super) fn profile(judge: &Judge<'_>, certificate: Option<&Certificate>, purpose: Purpose) -> AspectVerdict {
    let aspect = Aspect::Profile;
    let Some(certificate) = certificate else {
        return AspectVerdict { detail: "no certificate".into(), ..AspectVerdict::not_asked(aspect) };
    };
    let judged = match purpose {
        Purpose::Pec => provider(certificate).map(|(wrong, note)| listed(judge, certificate, wrong, note)),
        Purpose::Signature => signer(certificate),
    };
    match judged {
        Ok((wrong, note)) if wrong.is_empty() => AspectVerdict::good(aspect, note),
        Ok((wrong, _)) => AspectVerdict::new(aspect, Outcome::Bad, Code::SignatureProfile, wrong.join("; ")),
        Err(_) => AspectVerdict::new(aspect, Outcome::Bad, Code::SignatureProfile, "an extension cannot be read"),
    }
}

type Judged = Result<(Vec<&'static str>, &'static str)>;

fn provider(certificate: &Certificate) -> Judged {
    let mut wrong = Vec::new();
    let named = |kind| certificate.subject_attribute(kind).is_some_and(|text| !text.trim().is_empty());
    if !named(&oids::ORGANIZATION) && !named(&oids::COMMON_NAME) {
        wrong.push("the subject names no provider");
    }
    match certificate.extension(&oids::KEY_USAGE) {
        None => wrong.push("no keyUsage"),
        Some(usage) if !usage.critical => wrong.push("keyUsage is not critical"),
        Some(_) => {}
    }
    if !certificate.key_usage_allows(DIGITAL_SIGNATURE)? {
        wrong.push("keyUsage does not allow digital signatures");
    }
    for (extension, missing) in [
        (&oids::AUTHORITY_KEY_ID, "no authorityKeyIdentifier"),
        (&oids::SUBJECT_KEY_ID, "no subjectKeyIdentifier"),
        (&oids::SUBJECT_ALT_NAME, "no subjectAltName"),
    ] {
        if certificate.extension(extension).is_none() {
            wrong.push(missing);
        }
    }
    let constraints = certificate.basic_constraints()?;
    if constraints.is_some_and(|constraints| constraints.ca) {
        wrong.push("the certificate of an authority");
    }
    let purposes = certificate.extended_key_usage()?.map(|usage| usage.purposes).unwrap_or_default();
    if !purposes.is_empty()
        && !purposes.contains(&oids::KP_EMAIL_PROTECTION)
        && !purposes.contains(&oids::ANY_EXTENDED_KEY_USAGE)
    {
        wrong.push("extendedKeyUsage does not allow mail");
    }
    let old = constraints.is_some();
    Ok((wrong, if old { "basicConstraints stands there and says no authority, as in old certificates" } else { "" }))
}

/// Where a directory of providers is configured, the certificate must be in it.
fn listed(
    judge: &Judge<'_>,
    certificate: &Certificate,
    mut wrong: Vec<&'static str>,
    note: &'static str,
) -> (Vec<&'static str>, &'static str) {
    let Some(directory) = judge.trust.directory() else { return (wrong, note) };
    let emails = certificate.emails().unwrap_or_default();
    let domain = emails.first().and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain);
    match directory.lists(certificate, domain) {
        Some(true) => (wrong, "listed in the PEC directory, with its domain"),
        Some(false) => (wrong, "listed in the PEC directory"),
        None => {
            wrong.push("not listed in the PEC directory");
            (wrong, note)
        }
    }
}

fn signer(certificate: &Certificate) -> Judged {
    let mut wrong = Vec::new();
    let commits = certificate.key_usage_allows(CONTENT_COMMITMENT)?;
    if !commits && !certificate.key_usage_allows(DIGITAL_SIGNATURE)? {
        wrong.push("keyUsage does not allow signing");
    }
    if certificate.basic_constraints()?.is_some_and(|constraints| constraints.ca) {
        wrong.push("the certificate of an authority");
    }
    let note = if says_qualified(certificate) { "says to be qualified (QcCompliance)" } else { "" };
    Ok((wrong, note))
}

/// Whether the certificate carries the statement of ETSI EN 319 412-5 section 4.2.1. Who issued it may say what it likes: only a
/// trusted list proves it.
fn says_qualified(certificate: &Certificate) -> bool {
    let Some(extension) = certificate.extension(&oids::QC_STATEMENTS) else { return false };
    let Ok(statements) = Reader::only(&extension.value, tag::SEQUENCE).and_then(|list| list.inside().all()) else {
        return false;
    };
    statements.iter().any(|statement| {
        let first = statement.inside().next();
        first.is_ok_and(|id| id.oid().is_ok_and(|oid| oid == oids::QC_COMPLIANCE))
    })
}
