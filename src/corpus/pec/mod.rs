//! PEC conversations: one submission and everything the system says about it (DM 2 November 2005, technical rules; RFC
//! 6109). `original` is what the user wrote, `envelope` how providers wrap and sign, `notice` the kinds, `daticert` the
//! certified data, `attachments` what people attach.
//!
//! Invariant: in a conversation every message carries the same PEC identifier in its daticert.xml, and every certified
//! recipient has exactly one final outcome.

mod attachments;
mod conversation;
pub(in crate::corpus) mod daticert;
mod envelope;
mod issue;
pub(in crate::corpus) mod notice;
pub(in crate::corpus) mod original;

pub(crate) use attachments::scanned_pdf;
pub use conversation::Outcome;
pub(crate) use conversation::{Conversation, Scene};

#[cfg(test)]
mod tests;
