//! Work that outlives a request: checks and large bundles. A job has an identifier, a progress and an outcome.
//!
//! Invariant: a job always ends in an outcome; a panic in it is one too. Only its last outcomes are kept here: reports
//! and bundles themselves are files of the archive.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::{Code, Error, Result};

/// How many finished jobs are remembered.
const REMEMBERED: usize = 256;

/// Units done and units in all, written by the worker and read by whoever asks.
#[derive(Debug, Default)]
pub struct Progress {
    /// Units done.
    pub done: AtomicU64,
    /// Units in all; 0 while unknown.
    pub total: AtomicU64,
}

impl Progress {
    /// Says how far the work is.
    pub fn set(&self, done: u64, total: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }
}

enum State {
    Running(Arc<Progress>),
    Done(Value),
    Failed(Arc<Error>),
}

/// The jobs of one service.
#[derive(Default)]
pub struct Jobs(Mutex<BTreeMap<Uuid, (&'static str, State)>>);

impl Jobs {
    fn table(&self) -> MutexGuard<'_, BTreeMap<Uuid, (&'static str, State)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts `work` on a blocking thread under this identifier.
    pub fn start(
        self: &Arc<Self>,
        kind: &'static str,
        id: Uuid,
        work: impl FnOnce(&Progress) -> Result<Value> + Send + 'static,
    ) {
        let progress = Arc::new(Progress::default());
        let mut table = self.table();
        while table.len() >= REMEMBERED {
            let Some(oldest) = table.iter().find(|(_, (_, s))| !matches!(s, State::Running(_))).map(|(id, _)| *id)
            else {
                break;
            };
            table.remove(&oldest);
        }
        table.insert(id, (kind, State::Running(Arc::clone(&progress))));
        drop(table);
        let jobs = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&progress)));
            let state = match outcome {
                Ok(Ok(value)) => State::Done(value),
                Ok(Err(error)) => State::Failed(Arc::new(error)),
                Err(_) => State::Failed(Arc::new(Error::new(Code::Internal, "the job panicked"))),
            };
            jobs.table().insert(id, (kind, state));
        });
    }

    /// What is known of a job: `{state: running, done, total}` or its outcome; its error when it failed.
    pub fn state(&self, kind: &str, id: Uuid) -> Option<Result<Value>> {
        match self.table().get(&id) {
            Some((k, state)) if *k == kind => Some(match state {
                State::Running(progress) => Ok(json!({
                    "state": "running",
                    "id": id,
                    "done": progress.done.load(Ordering::Relaxed),
                    "total": progress.total.load(Ordering::Relaxed),
                })),
                State::Done(value) => Ok(value.clone()),
                State::Failed(error) => {
                    let again = Error::new(error.code, error.detail.clone()).at(&error.place);
                    let again = again.with_findings(error.findings.clone());
                    Err(match &error.hint {
                        Some(hint) => again.hint(hint),
                        None => again,
                    })
                }
            }),
            _ => None,
        }
    }

    /// Jobs still running.
    pub fn running(&self) -> usize {
        self.table().values().filter(|(_, state)| matches!(state, State::Running(_))).count()
    }
}
