//! The cohort of each document that waits, remembered: it follows from the metadata file, which is too much to read for
//! every waiting document at every turn of the background.
//!
//! Invariant: an answer is used only for the version of the policy it was found under, and goes with its document.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::archive::state::unpoisoned;
use crate::error::Result;
use crate::id::DocumentId;
use crate::retention::Cohort;

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
        unpoisoned(self.0.lock()).insert(id, (policy, cohort));
        Ok(cohort)
    }

    /// Forgets documents that wait no longer.
    pub fn forget(&self, ids: &[DocumentId]) {
        let mut known = unpoisoned(self.0.lock());
        for id in ids {
            known.remove(id);
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
