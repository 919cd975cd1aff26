//! The memory of judged certificates: bounded, forgotten when the process ends, never wrong.
//!
//! Invariant: what is given back is what judging again would give. A path that holds does so for the whole time in which all its
//! certificates are valid; that nothing leads to an anchor does not depend on the time; a path that breaks a rule is remembered for
//! that instant alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;
use jiff::Timestamp;

use super::{Chain, Purpose};
use crate::evidence::x509::Certificate;

/// Certificates remembered: providers are few, signers of invoices many. At some kilobytes each this is a few megabytes.
const MAX_ENTRIES: usize = 2048;

/// A certificate, what came along with it, and its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn of(purpose: Purpose, certificate: &Certificate, bag: &[Certificate]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&[purpose as u8]);
        // DER says its own length: the sequence of certificates can be read in one way only.
        for one in std::iter::once(certificate).chain(bag) {
            context.update(one.der());
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Self(key)
    }
}

#[derive(Debug)]
struct Entry {
    from: Timestamp,
    to: Timestamp,
    chain: Chain,
}

/// What was judged.
#[derive(Debug, Default)]
pub struct Cache(Mutex<HashMap<Key, Entry>>);

impl Cache {
    pub(super) fn get(&self, key: &Key, at: Timestamp) -> Option<Chain> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(key)?;
        (entry.from <= at && at <= entry.to).then(|| entry.chain.clone())
    }

    pub(super) fn put(&self, key: Key, at: Timestamp, chain: &Chain) {
        let (from, to) = match chain {
            Chain::Path(path) => (
                path.iter().map(|c| c.not_before).max().unwrap_or(at),
                path.iter().map(|c| c.not_after).min().unwrap_or(at),
            ),
            Chain::Untrusted | Chain::IssuerMissing => (Timestamp::MIN, Timestamp::MAX),
            Chain::NoAnchors | Chain::Broken(..) => (at, at),
        };
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= MAX_ENTRIES && !entries.contains_key(&key) {
            // Rare, and cheaper than keeping an order: those still in use come back with the next document.
            entries.clear();
        }
        entries.insert(key, Entry { from, to, chain: chain.clone() });
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}
