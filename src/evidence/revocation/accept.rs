//! Whether what a source answered is kept: signed by who may, about this certificate, and of now.
//!
//! Invariant: nothing from the network is kept that the judge would not believe.

use jiff::{SignedDuration, Timestamp};

use super::Item;
use crate::error::{Code, Error, Result};
use crate::evidence::cms::unwrap::pem_blocks;
use crate::evidence::x509::Certificate;

/// Clocks of responders differ from ours by this much without meaning anything.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// How long a source that does not say when there will be another is taken for current.
const UNDATED: SignedDuration = SignedDuration::from_hours(24);

/// An answer that may be kept.
#[derive(Debug)]
pub struct Accepted {
    /// The list or answer.
    pub item: Item,
    /// Until when the same question need not be asked again.
    pub fresh_until: Timestamp,
}

/// Judges an answer about a certificate by its issuer, at an instant.
pub fn accept(bytes: &[u8], certificate: &Certificate, issuer: &Certificate, now: Timestamp) -> Result<Accepted> {
    let refused = |why: &str| Error::new(Code::RevocationRefused, why);
    let item = match bytes.first() {
        Some(0x30) => Item::parse(bytes),
        // Some authorities publish their lists in PEM.
        _ => match pem_blocks(bytes, &["X509 CRL"])?.as_slice() {
            [der] => Item::parse(der),
            _ => return Err(refused("neither a list nor an answer")),
        },
    };
    let item = item.map_err(|error| refused(&error.detail))?;
    let told = item
        .look(certificate, issuer)
        .ok_or_else(|| refused("not signed by the issuer, not about this certificate, or its state is not known"))?;
    if told.this_update > now.saturating_add(SKEW).unwrap_or(now) {
        return Err(refused("made later than now"));
    }
    let undated = told.this_update.saturating_add(UNDATED).unwrap_or(told.this_update);
    let fresh_until = told.next_update.unwrap_or(undated);
    if fresh_until < now {
        return Err(refused("expired"));
    }
    Ok(Accepted { item, fresh_until })
}
