//! Intake: from bytes that arrive to a document that is *accepted*, which means durable.
//!
//! [`spool`] takes the body in bounded memory and hashes it on the way; [`manifest`] is the index of the deposit (PdV)
//! that the server always writes; [`receipt`] is the RdV with its signed note and JSON view; [`journal`] gives the number
//! and makes it all durable before anybody is answered; [`refusal`] keeps what is known of a refused deposit, and counts.
//! [`zip`] takes archives of invoices apart.
//!
//! Invariant I1: no acknowledged document is lost and every number ever issued is accounted for
//! (`reference/conservazione`, I-1 to I-9b; AgID guidelines 4.7 a-e).

pub mod journal;
pub mod manifest;
pub mod receipt;
pub mod refusal;
pub mod spool;
pub mod zip;
