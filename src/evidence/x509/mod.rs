//! Certificates (RFC 5280): read, issued, chained to an anchor.

mod certificate;
mod issue;
pub mod name;
pub mod path;

pub use certificate::{BasicConstraints, Certificate, ExtendedKeyUsage, Extension};
pub use issue::{Dn, Issuer, KeyUsage, Profile, Purposes, issue};
