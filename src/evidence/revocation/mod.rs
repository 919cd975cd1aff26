//! Whether a certificate was revoked at an instant: by lists (RFC 5280 section 5) and answers (RFC 6960) that somebody brought.
//!
//! Invariants: a list or answer counts only when the certificate's issuer, or a responder it appointed, signed it; that nothing speaks of
//! the certificate is "unknown", never "good"; a list made after the certificate expired says nothing of it.

mod crl;
mod ocsp;

pub use crl::Crl;
pub use ocsp::OcspResponse;

use jiff::Timestamp;

use crate::error::{Code, Error, Result};
use crate::evidence::cms::unwrap::pem_blocks;
use crate::evidence::x509::Certificate;

/// Lists and answers looked through; more is not what a person configures.
const MAX_ITEMS: usize = 4096;

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

/// Lists and answers at hand.
#[derive(Debug, Clone, Default)]
pub struct Material {
    lists: Vec<Crl>,
    answers: Vec<OcspResponse>,
}

impl Material {
    /// Adds a list (DER or PEM) or an answer (DER): whichever it is.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        if self.lists.len() + self.answers.len() >= MAX_ITEMS {
            return Err(Error::new(
                Code::ConfigInvalid,
                format!("more than {MAX_ITEMS} lists and answers of revocation"),
            ));
        }
        if bytes.first() != Some(&0x30) {
            for der in pem_blocks(bytes, &["X509 CRL"])? {
                self.lists.push(Crl::parse(&der)?);
            }
            return Ok(());
        }
        match Crl::parse(bytes) {
            Ok(list) => self.lists.push(list),
            Err(_) => self.answers.push(OcspResponse::parse(bytes)?),
        }
        Ok(())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.answers.is_empty()
    }
}

/// What the material says of a certificate at an instant. The latest source that covers the instant counts; a revocation counts
/// whenever it was told.
pub fn status(certificate: &Certificate, issuer: &Certificate, material: &Material, at: Timestamp) -> Status {
    let mut best = Status::Unknown;
    let lists = material.lists.iter().filter_map(|list| list.look(certificate, issuer));
    let answers = material.answers.iter().filter_map(|answer| answer.look(certificate, issuer));
    for told in lists.chain(answers) {
        match told.revoked {
            Some(since) if since <= at => return Status::Revoked(since),
            // Revoked later: at the instant it was not.
            Some(_) => best = later(best, told.this_update),
            // Lists forget certificates that have expired.
            None if told.this_update > certificate.not_after => {}
            None if told.this_update >= at || told.next_update.is_some_and(|next| next >= at) => {
                best = later(best, told.this_update);
            }
            None => {}
        }
    }
    best
}

fn later(known: Status, of: Timestamp) -> Status {
    match known {
        Status::Good(before) => Status::Good(before.max(of)),
        _ => Status::Good(of),
    }
}

/// What one source says of a certificate.
struct Told {
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    revoked: Option<Timestamp>,
}

#[cfg(test)]
mod tests;
