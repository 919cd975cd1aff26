//! The same deposit twice gives the same receipt (`reference/conservazione`, I-9).
//!
//! Invariant: of two requests with the same key or the same fingerprint at the same time, one works and the other waits
//! for it; then the catalog (sealed) and the index of what is not sealed answer, for ever.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex};

use super::state::unpoisoned;

/// Deposits being worked on, by their keys.
#[derive(Default)]
pub(super) struct InFlight {
    keys: Mutex<BTreeSet<String>>,
    freed: Condvar,
}

/// The right to work on a deposit; let go when dropped.
pub(super) struct Claim<'a> {
    table: &'a InFlight,
    keys: Vec<String>,
}

impl InFlight {
    /// Claims all these keys, waiting while a twin holds any of them.
    pub fn claim(&self, mut keys: Vec<String>) -> Claim<'_> {
        keys.sort();
        keys.dedup();
        let mut held = unpoisoned(self.keys.lock());
        while keys.iter().any(|key| held.contains(key)) {
            held = unpoisoned(self.freed.wait(held));
        }
        held.extend(keys.iter().cloned());
        Claim { table: self, keys }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut held = unpoisoned(self.table.keys.lock());
        for key in &self.keys {
            held.remove(key);
        }
        drop(held);
        self.table.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_twin_waits_and_a_stranger_does_not() {
        let table = InFlight::default();
        let inside = AtomicU32::new(0);
        let most = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for n in 0..8 {
                let (table, inside, most) = (&table, &inside, &most);
                scope.spawn(move || {
                    let _claim = table.claim(vec!["same".into(), format!("own-{n}")]);
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(5));
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
            let _stranger = table.claim(vec!["other".into()]);
        });
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert!(unpoisoned(table.keys.lock()).is_empty());
    }
}
