//! What a server does by itself: closing runs on the closing rules, accesses and refusals chained in batches.
//!
//! Invariant: background work never stops intake and never ends silently; a run that fails (an authority that is down) is
//! tried again at the next turn.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Archive;
use super::state::unpoisoned;
use crate::error::{Error, Result};

/// The background threads of an archive.
#[derive(Default)]
pub(super) struct Background(Mutex<Vec<JoinHandle<()>>>);

/// How often a witness that is behind is asked again.
const WITNESSING: Duration = Duration::from_secs(60);
/// How often a vault that lags is tried again when nothing was sealed meanwhile.
const COPYING: Duration = Duration::from_secs(120);
/// How often accesses and refusals are chained while serving.
const CHAINING: Duration = Duration::from_secs(60);
/// How often the chain is told how far the numbers went: a journal that loses its end is found out for all but the last of this,
/// and the chain does not grow by an entry a minute.
const NUMBERING: Duration = Duration::from_secs(600);

impl Background {
    /// Whether there are threads at work.
    pub fn is_running(&self) -> bool {
        !unpoisoned(self.0.lock()).is_empty()
    }

    /// Tells the threads to end and waits for them; whether there were any.
    pub fn stop(&self, wake: &(Mutex<bool>, Condvar)) -> bool {
        *unpoisoned(wake.0.lock()) = true;
        wake.1.notify_all();
        let threads = std::mem::take(&mut *unpoisoned(self.0.lock()));
        let served = !threads.is_empty();
        for thread in threads {
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a background thread had panicked");
            }
        }
        served
    }
}

impl Archive {
    /// Starts the background work of a server.
    pub fn start_background(self: &Arc<Self>) -> Result<()> {
        let interval = self.config.sealing.interval.std();
        let start = |name: &str, work: fn(&Weak<Self>, Duration), every: Duration| {
            let archive = Arc::downgrade(self);
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&archive, every));
            thread.map_err(|e| Error::io("background thread", e))
        };
        let mut threads = vec![start("custode-background", turns, interval)?];
        if !self.config.witnesses.is_empty() {
            threads.push(start("custode-witness", witnessing, WITNESSING)?);
        }
        if self.copies.kept.len() > 1 {
            threads.push(start("custode-copies", copying, COPYING)?);
        }
        if !self.notices.is_empty() {
            threads.push(start("custode-notices", telling, self.config.notices.every.std())?);
        }
        *unpoisoned(self.background.0.lock()) = threads;
        Ok(())
    }

    /// Tells the witnesses' thread that something was sealed.
    pub(super) fn was_sealed(&self) {
        self.witnesses.news.store(true, Ordering::SeqCst);
        self.copies.due.store(true, Ordering::SeqCst);
        self.wake.1.notify_all();
    }

    /// As [`Archive::sleep`], and not longer than until something is sealed.
    fn doze(&self, time: Duration) -> bool {
        let guard = unpoisoned(self.wake.0.lock());
        if *guard {
            return true;
        }
        let (guard, _) = unpoisoned(self.wake.1.wait_timeout(guard, time));
        *guard
    }

    /// Whether the archive is being closed: long work ends early.
    pub(super) fn is_ending(&self) -> bool {
        *unpoisoned(self.wake.0.lock())
    }

    /// Sleeps; `true` when it is time to end.
    fn sleep(&self, time: Duration) -> bool {
        let guard = unpoisoned(self.wake.0.lock());
        let (guard, _) = unpoisoned(self.wake.1.wait_timeout_while(guard, time, |ending| !*ending));
        *guard
    }
}

/// Asks witnesses for what they have not seen yet: when something was sealed, and again while one of them is behind.
fn witnessing(archive: &Weak<Archive>, every: Duration) {
    loop {
        let Some(archive) = archive.upgrade() else { return };
        if archive.witnesses_are_due() {
            archive.ask_witnesses();
        }
        if archive.doze(every) {
            return;
        }
    }
}

/// Brings vaults that lag up to what the chain says: at start, when something was sealed, and again while one lags.
fn copying(archive: &Weak<Archive>, every: Duration) {
    loop {
        let Some(archive) = archive.upgrade() else { return };
        for finding in archive.catch_up_copies((None, None)).findings {
            tracing::warn!(code = finding.code.as_str(), place = %finding.place, "a copy lags: {}", finding.message);
        }
        // What was sealed while copies were made is not waited for.
        if !archive.copies.due.load(Ordering::SeqCst) && archive.doze(every) || archive.is_ending() {
            return;
        }
    }
}

/// Tells whoever is named in `[alarms]` what began, got worse or ended.
fn telling(archive: &Weak<Archive>, every: Duration) {
    loop {
        let Some(archive) = archive.upgrade() else { return };
        archive.tell();
        if archive.sleep(every) {
            return;
        }
    }
}

fn turns(archive: &Weak<Archive>, interval: Duration) {
    let (mut chained, mut numbered) = (Instant::now(), Instant::now());
    loop {
        let Some(archive) = archive.upgrade() else { return };
        if archive.sleep(interval) {
            return;
        }
        archive.gather_revocation();
        match archive.close_packages(None, false) {
            Ok(report) if !report.sealed.is_empty() => tracing::info!(packages = report.sealed.len(), "sealed"),
            Ok(_) => {}
            Err(error) => {
                metrics::counter!("custode_sealing_failures_total").increment(1);
                tracing::warn!(code = error.code.as_str(), place = %error.place, detail = %error.detail, "sealing waits");
            }
        }
        let now = archive.clock.now();
        archive.stamp_when_due(false);
        if archive.watch_is_due(now)
            && let Err(error) = archive.walk_conversations(now)
        {
            tracing::error!(code = error.code.as_str(), detail = %error.detail, "conversations could not be looked at");
        }
        if chained.elapsed() >= CHAINING && archive.witnesses.held().is_none() {
            chained = Instant::now();
            let outcome = archive.chain_refusals().and_then(|()| archive.ledger.chain_accesses().map(drop));
            let outcome = outcome.and_then(|()| {
                if numbered.elapsed() < NUMBERING {
                    Ok(())
                } else {
                    numbered = Instant::now();
                    archive.chain_numbers()
                }
            });
            if let Err(error) = outcome {
                tracing::error!(code = error.code.as_str(), detail = %error.detail, "chaining failed");
            }
        }
    }
}
