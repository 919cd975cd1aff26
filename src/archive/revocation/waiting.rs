//! The unsealed documents whose signatures lack revocation data, remembered: what their metadata files say is too much to read
//! for every waiting document at every turn of the background.
//!
//! Invariant: only documents that lack something are here, and those of which a signer was found revoked; a document goes when it is
//! sealed, and the former when nothing is lacking any more.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use jiff::Timestamp;
use serde_json::Value;

use crate::archive::state::unpoisoned;
use crate::document::agid::AgidFile;
use crate::id::DocumentId;

/// What is known of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lack {
    /// The first of its signers' certificates expires then.
    expires: Timestamp,
    /// It is not looked at again before.
    rests_until: Timestamp,
    /// Whether what is kept was looked at, and not only what the receipt says.
    seen: bool,
}

#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<HashMap<DocumentId, Lack>>, Mutex<BTreeSet<DocumentId>>);

impl Waiting {
    /// Remembers what a receipt said of the signatures of a document.
    pub fn remember(&self, file: &AgidFile) {
        if ["signatures", "inner_signatures"].into_iter().any(|field| revoked(file.metadata.get(field))) {
            self.note_revoked(file.document);
        }
        if let Some(expires) = lacking(file.metadata.get("signatures")) {
            let lack = Lack { expires, rests_until: Timestamp::MIN, seen: false };
            unpoisoned(self.0.lock()).insert(file.document, lack);
        }
    }

    /// It was looked at and still lacks something until then.
    pub fn note(&self, id: DocumentId, expires: Timestamp) {
        // One that was sealed meanwhile does not come back.
        if let Some(lack) = unpoisoned(self.0.lock()).get_mut(&id) {
            (lack.expires, lack.seen) = (expires, true);
        }
    }

    /// A signer of it was revoked.
    pub fn note_revoked(&self, id: DocumentId) {
        unpoisoned(self.1.lock()).insert(id);
    }

    /// Documents of which a signer was revoked.
    pub fn revoked(&self) -> Vec<DocumentId> {
        unpoisoned(self.1.lock()).iter().copied().collect()
    }

    /// Whether it lacks something.
    pub fn waits(&self, id: DocumentId) -> bool {
        unpoisoned(self.0.lock()).contains_key(&id)
    }

    /// It was looked at and lacks nothing any more.
    pub fn lacks_nothing(&self, id: DocumentId) {
        unpoisoned(self.0.lock()).remove(&id);
    }

    /// It is not looked at again before then.
    pub fn rest(&self, id: DocumentId, until: Timestamp) {
        if let Some(lack) = unpoisoned(self.0.lock()).get_mut(&id) {
            (lack.rests_until, lack.seen) = (until, true);
        }
    }

    pub fn forget(&self, ids: &[DocumentId]) {
        let mut known = unpoisoned(self.0.lock());
        let mut revoked = unpoisoned(self.1.lock());
        for id in ids {
            known.remove(id);
            revoked.remove(id);
        }
    }

    /// Documents to be looked at, those first whose certificates expire first.
    pub fn due(&self, now: Timestamp, most: usize) -> Vec<DocumentId> {
        let known = unpoisoned(self.0.lock());
        let mut due: Vec<(Timestamp, DocumentId)> =
            known.iter().filter(|(_, lack)| lack.rests_until <= now).map(|(id, lack)| (lack.expires, *id)).collect();
        drop(known);
        due.sort_unstable();
        due.truncate(most);
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// Whether only its receipt was looked at so far.
    pub fn is_unseen(&self, id: DocumentId) -> bool {
        unpoisoned(self.0.lock()).get(&id).is_some_and(|lack| !lack.seen)
    }

    /// Documents whose certificates expire between these instants, and when.
    pub fn expiring(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, DocumentId)> {
        let known = unpoisoned(self.0.lock());
        let expiring = known.iter().filter(|(_, lack)| from < lack.expires && lack.expires <= to);
        let mut expiring: Vec<(Timestamp, DocumentId)> = expiring.map(|(id, lack)| (lack.expires, *id)).collect();
        drop(known);
        expiring.sort_unstable();
        expiring
    }
}

/// Whether a signature is known to be of somebody whose certificate was revoked.
fn revoked(signatures: Option<&Value>) -> bool {
    let mut all = signatures.and_then(Value::as_array).into_iter().flatten();
    all.any(|signature| signature["role"] != "time-stamp" && signature["verdicts"]["revocation"] == "bad")
}

/// When the first certificate expires among the signatures that lack revocation data and lead to an anchor.
fn lacking(signatures: Option<&Value>) -> Option<Timestamp> {
    let expires = |signature: &Value| {
        let verdict = |aspect: &str| signature["verdicts"][aspect].as_str().unwrap_or_default().to_owned();
        let lacks = signature["role"] != "time-stamp"
            && matches!(verdict("chain").as_str(), "good" | "weak")
            && matches!(verdict("revocation").as_str(), "absent" | "not-checked");
        lacks.then(|| signature["signer"]["not_after"].as_str()?.parse().ok()).flatten()
    };
    signatures?.as_array()?.iter().filter_map(expires).min()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn what_lacks_is_trusted_not_looked_at_and_no_time_stamp() {
        let signature = |role: &str, chain: &str, revocation: &str, until: &str| json!({ "role": role, "verdicts": { "chain": chain, "revocation": revocation }, "signer": { "not_after": until } });
        let (early, late) = ("2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z");
        let lacking = |list: Value| lacking(Some(&list));
        let both = json!([
            signature("signature", "good", "absent", late),
            signature("counter-signature", "weak", "not-checked", early)
        ]);
        assert_eq!(lacking(both), Some(at(early)));
        for known in [
            signature("signature", "good", "good", early),
            signature("signature", "good", "bad", early),
            signature("signature", "not-checked", "not-checked", early),
            signature("time-stamp", "good", "not-checked", early),
        ] {
            assert_eq!(lacking(json!([known])), None);
        }
        assert_eq!(super::lacking(None), None);
        // Of a revoked signer somebody must know, whatever else is lacking; a time-stamp's authority is judged by its own rules.
        let revoked = |role: &str, word: &str| revoked(Some(&json!([signature(role, "good", word, early)])));
        assert!(revoked("signature", "bad") && revoked("counter-signature", "bad"));
        assert!(!revoked("signature", "absent") && !revoked("time-stamp", "bad") && !super::revoked(None));
    }

    #[test]
    fn documents_rest_expire_and_are_forgotten() {
        let waiting = Waiting::default();
        let (one, two) = (DocumentId(uuid::Uuid::from_u128(1)), DocumentId(uuid::Uuid::from_u128(2)));
        let now = at("2026-11-22T00:00:00Z");
        let lack = |expires: &str| Lack { expires: at(expires), rests_until: Timestamp::MIN, seen: false };
        unpoisoned(waiting.0.lock()).extend([(one, lack("2026-12-01T00:00:00Z")), (two, lack("2026-11-30T00:00:00Z"))]);
        assert_eq!(waiting.due(now, 9), [two, one]);
        assert_eq!(waiting.due(now, 1), [two]);
        waiting.rest(two, at("2026-11-23T00:00:00Z"));
        assert!(waiting.is_unseen(one) && !waiting.is_unseen(two));
        assert_eq!(waiting.due(now, 9), [one]);
        assert_eq!(waiting.expiring(now, at("2026-11-30T12:00:00Z")).len(), 1);
        assert!(waiting.expiring(at("2026-12-02T00:00:00Z"), at("2027-12-02T00:00:00Z")).is_empty());
        waiting.note(one, at("2026-11-29T00:00:00Z"));
        assert_eq!(waiting.due(now, 9), [one]);
        assert_eq!(waiting.expiring(now, at("2026-11-29T12:00:00Z")), [(at("2026-11-29T00:00:00Z"), one)]);
        waiting.note_revoked(two);
        waiting.lacks_nothing(two);
        assert_eq!((waiting.revoked(), waiting.waits(two), waiting.waits(one)), (vec![two], false, true));
        waiting.forget(&[one, two]);
        assert!(waiting.revoked().is_empty() && !waiting.waits(one));
        waiting.note(two, now);
        waiting.rest(two, now);
        assert!(waiting.due(at("2027-01-01T00:00:00Z"), 9).is_empty());
    }
}
