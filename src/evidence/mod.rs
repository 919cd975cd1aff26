//! Evidence: signatures (CMS, RFC 5652), certificates (RFC 5280), time-stamps (RFC 3161, 5816) and evidence records
//! (RFC 4998), made and verified.
//!
//! Invariant: no time-stamp is accepted unverified (I8), nothing signed is ever verified over a re-encoding of itself, and
//! bytes from outside are read in bounded memory and depth without ever panicking.

pub mod algorithm;
pub mod anchors;
pub mod asn1;
pub mod cms;
pub mod digest;
pub mod ers;
pub mod judge;
pub mod key;
pub mod oids;
pub mod revocation;
pub mod sign;
pub mod trust;
pub mod tsp;
pub mod verdict;
pub mod x509;
pub mod xades;

/// An ASN.1 object identifier.
pub type Oid = const_oid::ObjectIdentifier;

#[cfg(test)]
pub(crate) mod fixtures;
