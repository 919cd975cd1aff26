//! Signed data (RFC 5652), as CAdES (ETSI EN 319 122), S/MIME and time-stamp tokens use it.

pub mod build;

pub use build::sign;
