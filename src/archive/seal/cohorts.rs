//! The cohort of each document that waits, remembered: it follows from the metadata file, which is too much to read for
//! every waiting document at every turn of the background.
//!
//! Invariant: an answer is used only for the version of the policy it was found under, and goes with its document.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::archive::Archive;
use crate::archive::state::unpoisoned;
use crate::document::agid::AgidFile;
use crate::document::class::Classes;
use crate::error::Result;
use crate::id::DocumentId;
use crate::retention::{Cohort, due_in_class};

/// Cohorts found so far, each with the version of the retention policy that says so.
#[derive(Default)]
pub(in crate::archive) struct Cohorts(Mutex<HashMap<DocumentId, (u32, Cohort)>>);

impl Cohorts {
    /// The cohort of a document under this version of its policy: remembered, or found now.
    pub fn of(&self, id: DocumentId, policy: u32, find: impl FnOnce() -> Result<Cohort>) -> Result<Cohort> {
        if let Some((version, cohort)) = unpoisoned(self.0.lock()).get(&id)
            && *version == policy
        {
            return Ok(*cohort);
        }
        // Not under the lock: it reads a file.
        let cohort = find()?;
        self.remember(id, policy, cohort);
        Ok(cohort)
    }

    fn remember(&self, id: DocumentId, policy: u32, cohort: Cohort) {
        unpoisoned(self.0.lock()).insert(id, (policy, cohort));
    }

    /// Forgets documents that wait no longer.
    pub fn forget(&self, ids: &[DocumentId]) {
        let mut known = unpoisoned(self.0.lock());
        for id in ids {
            known.remove(id);
        }
    }
}

impl Archive {
    /// Remembers the cohort of a document whose metadata file is at hand anyway.
    pub(in crate::archive) fn remember_cohort(&self, classes: &Classes, file: &AgidFile) {
        let policies = unpoisoned(self.policies.read());
        // Without class or policy the closing run says so.
        if let Some(class) = classes.get(&file.class, file.class_version)
            && let Ok(policy) = policies.retention(&class.retention)
        {
            let cohort = due_in_class(policy, class, &file.metadata, file.accepted_at).cohort;
            self.cohorts.remember(file.document, policy.version, cohort);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error};

    #[test]
    fn a_cohort_is_found_once_a_policy_and_forgotten_with_its_document() {
        let cohorts = Cohorts::default();
        let id = DocumentId(uuid::Uuid::from_u128(7));
        let broken = || Err(Error::new(Code::Internal, "unreadable"));
        assert!(cohorts.of(id, 1, broken).is_err());
        assert_eq!(cohorts.of(id, 1, || Ok(Cohort::Year(2036))).unwrap(), Cohort::Year(2036));
        assert_eq!(cohorts.of(id, 1, broken).unwrap(), Cohort::Year(2036));
        assert_eq!(cohorts.of(id, 2, || Ok(Cohort::Open)).unwrap(), Cohort::Open);
        cohorts.forget(&[id]);
        assert!(cohorts.of(id, 2, broken).is_err());
    }
}
