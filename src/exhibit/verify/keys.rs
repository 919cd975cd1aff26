//! The keys a bundle's archive has had: one is given or comes with the bundle, the changes on the chain lead to the others.
//!
//! Invariants: from an old key one goes forward, because each key signed for the next; from the newest one back, because it signed
//! for the chain that holds the changes. Nothing of the keys is left out or bent unseen: changes are numbered, each was signed by
//! both its keys, and the last one put the key in force that signed the bundle. What rests only on a key that was declared
//! compromised is said to. Clauses: C2SP signed-note; RFC 9162.

use jiff::Timestamp;

use super::{Outcome, Run, Trust};
use crate::chain::note::Verifier;
use crate::chain::reign::Reason;
use crate::chain::{MAX_LINE, Reigns};
use crate::error::{Code, Error, Finding, Result};
use crate::exhibit::report::{self, KeyChange};
use crate::exhibit::{REPORT, VKEY};

impl Run {
    /// The keys: as the changes in the bundle tell them; the one given must be among them.
    pub(super) fn keys(&mut self, trust: &Trust, report: &report::Report) -> Result<Reigns> {
        let own = self.files.read(VKEY, 4096).and_then(|bytes| {
            let text = String::from_utf8(bytes).map_err(|_| Error::new(Code::BundleFileAltered, "not UTF-8"))?;
            text.trim().parse::<Verifier>().map_err(|e| Error::new(Code::BundleFileAltered, e.detail))
        });
        let newest = match (&trust.key, own) {
            (_, Ok(own)) => own,
            (Some(given), Err(error)) => {
                self.noted::<()>(VKEY, Err(error));
                given.clone()
            }
            (None, Err(error)) => return Err(error.at(VKEY)),
        };
        let told = self.changes(report, &newest);
        let mut keys = self.noted("", told).unwrap_or_else(|| Reigns::only(newest));
        if let Some(given) = &trust.key {
            if !keys.holds(given) {
                self.bad(Code::BundleInvalid, VKEY, "not the key that was given with --key, nor one that it leads to");
                keys = Reigns::only(given.clone());
            }
            let after = keys.keys().position(|key| key == given).unwrap_or(0);
            if let Some(change) = keys.changes()[after..].iter().find(|change| change.reason == Reason::Compromised) {
                let detail = format!("entry {}: give the newest key with --key", change.seq);
                self.findings.push(Finding::warning(Code::KeyCompromised, "archive key", detail));
            }
        }
        if keys.name() != report.archive {
            self.bad(Code::BundleInvalid, REPORT, "of an archive whose name is not that of the key");
        }
        Ok(keys)
    }

    /// The changes that the report names, each judged by its entry; their last key must be the bundle's own.
    fn changes(&mut self, report: &report::Report, newest: &Verifier) -> Result<Reigns> {
        let mut lines = Vec::new();
        for change in &report.keys {
            lines.push(self.files.read(&format!("chain/{}.json", change.entry), MAX_LINE as u64)?);
        }
        let bad = |place: &str, what: &str| Error::new(Code::KeyChangeBad, what.to_owned()).at(place.to_owned());
        let keys = Reigns::told(&lines, newest).map_err(|e| if e.place.is_empty() { e.at(REPORT) } else { e })?;
        if keys.current() != newest {
            return Err(bad(VKEY, "not the key that the last change put in force"));
        }
        let told: Vec<KeyChange> = keys.changes().iter().map(KeyChange::from).collect();
        if told != report.keys {
            return Err(bad(REPORT, "not what the entries of the changes say"));
        }
        Ok(keys)
    }

    /// A receipt under a key that was declared compromised needs another proof: that it is older than that (its package's entry
    /// before the change, under the newest key, or a time-stamp), or its signature by a certificate.
    pub(super) fn under_compromised(
        &mut self,
        line: &report::Document,
        keys: &Reigns,
        size: u64,
        since: Option<Timestamp>,
    ) {
        let Some(change) = keys.ended(size).filter(|change| change.reason == Reason::Compromised) else { return };
        let chained = self.entries.contains_key(&line.entry) && line.entry < change.seq;
        let stamped = since.is_some_and(|since| since < change.at);
        let good = |file: &String| self.signatures.iter().any(|s| s.file == *file && s.outcome == Outcome::Good);
        if !chained && !stamped && !line.rdv_signature.as_ref().is_some_and(good) {
            let detail =
                format!("receipt under the key {}, whose reign ended with entry {}", change.old.id(), change.seq);
            self.findings.push(Finding::warning(Code::KeyCompromised, &line.note, detail));
        }
    }
}
