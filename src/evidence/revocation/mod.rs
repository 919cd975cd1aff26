//! Whether a certificate was revoked at an instant: by lists (RFC 5280 section 5) and answers (RFC 6960) that somebody brought, that
//! travel with the signature, or that were asked for ([`fetch`]).
//!
//! Invariants: a list or answer counts only when the certificate's issuer, or a responder it appointed, signed it; that nothing speaks of
//! the certificate is "unknown", never "good"; a list made after the certificate expired says nothing of it.

pub mod accept;
mod crl;
pub mod fetch;
pub mod material;
mod ocsp;
mod request;
pub mod sources;

pub use crl::Crl;
pub use material::{Item, Material, Sort};
pub use ocsp::{OcspResponse, dressed};
pub use request::request;

use jiff::Timestamp;

use crate::evidence::x509::Certificate;

/// What is known of a certificate at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not revoked, says a source of that time.
    Good(Timestamp),
    /// Revoked since then.
    Revoked(Timestamp),
    /// Nothing at hand says.
    Unknown,
}

/// What the material says of a certificate at an instant.
pub fn status(certificate: &Certificate, issuer: &Certificate, material: &Material, at: Timestamp) -> Status {
    look(certificate, issuer, &[material], at).0
}

/// The same over several materials, with the source that says so. The latest source that covers the instant counts; a revocation
/// counts whenever it was told.
pub fn look<'a>(
    certificate: &Certificate,
    issuer: &Certificate,
    materials: &[&'a Material],
    at: Timestamp,
) -> (Status, Option<&'a Item>) {
    let mut best: Option<(Timestamp, &Item)> = None;
    for (item, told) in materials.iter().flat_map(|material| material.said(certificate, issuer)) {
        let covers = match told.revoked {
            Some(since) if since <= at => return (Status::Revoked(since), Some(item)),
            // Revoked later: at the instant it was not.
            Some(_) => true,
            // Lists forget certificates that have expired.
            None if told.this_update > certificate.not_after => false,
            None => told.this_update >= at || told.next_update.is_some_and(|next| next >= at),
        };
        if covers && best.is_none_or(|(known, _)| known < told.this_update) {
            best = Some((told.this_update, item));
        }
    }
    best.map_or((Status::Unknown, None), |(since, item)| (Status::Good(since), Some(item)))
}

/// What one source says of a certificate.
#[derive(Debug, Clone, Copy)]
struct Told {
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    revoked: Option<Timestamp>,
}

#[cfg(test)]
mod tests;
