//! Lists and answers that were asked for, kept in `revocation/` of the archive, so that the same question is not asked twice while
//! the answer is fresh, nor after a restart.
//!
//! Invariant: this is a memory, not evidence: it may be deleted at any time. What a package needs of it is sealed in the package. A
//! file here is judged again whenever it is used.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use crate::durable;
use crate::error::{AtPath, Code, Result};
use crate::evidence::revocation::Sort;
use crate::evidence::x509::Certificate;
use crate::hash::Sha256;

/// How long a file stays that nobody replaced: longer than documents wait to be sealed.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);

pub(super) struct Store(PathBuf);

/// A question: its answer has one place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question(String);

impl Question {
    /// To a responder.
    pub fn answer(certificate: &Certificate, issuer: &Certificate) -> Self {
        let name = Sha256::of_parts(&[certificate.der(), issuer.der()]);
        Self(format!("{name}.{}", Sort::Answer.extension()))
    }

    /// For the list at an address.
    pub fn list(url: &url::Url, issuer: &Certificate) -> Self {
        let name = Sha256::of_parts(&[url.as_str().as_bytes(), issuer.der()]);
        Self(format!("{name}.{}", Sort::List.extension()))
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Store {
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// What was answered, when anything is kept.
    pub fn read(&self, question: &Question) -> Result<Option<Vec<u8>>> {
        match durable::read_plain(&self.0.join(&question.0)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.code == Code::FileMissing => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps an answer in the place of the one before; durable on return.
    pub fn keep(&self, question: &Question, der: &[u8]) -> Result<()> {
        durable::create_dir_all(&self.0)?;
        durable::replace(&self.0.join(&question.0), der, durable::MODE_PLAIN)
    }

    /// Removes what nobody needs any more.
    pub fn tidy(&self, now: Timestamp) -> Result<()> {
        if !self.0.is_dir() {
            return Ok(());
        }
        for entry in std::fs::read_dir(&self.0).at_path(&self.0)? {
            let entry = entry.at_path(&self.0)?;
            let path = entry.path();
            let made = entry.metadata().and_then(|meta| meta.modified()).at_path(&path)?;
            let ours = path.extension().is_some_and(|e| e == "crl" || e == "ocsp");
            if ours && Timestamp::try_from(made).is_ok_and(|made| now.duration_since(made) > KEPT) {
                durable::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::fixtures::pki;

    #[test]
    fn an_answer_is_kept_replaced_and_tidied_away() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("revocation"));
        let pki = pki(|_| {});
        let (leaf, root) = (Certificate::parse(&pki.leaf).unwrap(), Certificate::parse(&pki.root).unwrap());
        let list = Question::list(&"http://crl.example.it/a".parse().unwrap(), &root);
        let answer = Question::answer(&leaf, &root);
        assert!(list.as_str().ends_with(".crl") && answer.as_str().ends_with(".ocsp"));
        store.tidy(Timestamp::now()).unwrap();
        assert_eq!(store.read(&list).unwrap(), None);
        store.keep(&list, b"one").unwrap();
        store.keep(&list, b"two").unwrap();
        assert_eq!(store.read(&list).unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(store.read(&answer).unwrap(), None);
        store.tidy(Timestamp::now() + SignedDuration::from_hours(24 * 80)).unwrap();
        assert!(store.read(&list).unwrap().is_some());
        store.tidy(Timestamp::now() + SignedDuration::from_hours(24 * 91)).unwrap();
        assert_eq!(store.read(&list).unwrap(), None);
    }
}
