//! A limit on how much happens at once.

use std::sync::{Condvar, Mutex};

use super::state::unpoisoned;

/// So many at a time; the others wait.
pub(super) struct Turns {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A turn; given back when dropped.
pub(super) struct Turn<'a>(&'a Turns);

impl Turns {
    /// At most `most` at a time, at least one.
    pub fn new(most: usize) -> Self {
        Self { free: Mutex::new(most.max(1)), freed: Condvar::new() }
    }

    /// Waits for a turn.
    pub fn turn(&self) -> Turn<'_> {
        let mut free = unpoisoned(self.free.lock());
        while *free == 0 {
            free = unpoisoned(self.freed.wait(free));
        }
        *free -= 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *unpoisoned(self.0.free.lock()) += 1;
        self.0.freed.notify_one();
    }
}
