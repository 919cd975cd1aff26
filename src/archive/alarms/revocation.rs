//! Signatures of which nobody has said whether their certificate was revoked, while somebody still could: authorities forget
//! certificates that have expired (RFC 5280 section 5, `reference/pec` section 9).
//!
//! Invariant: an alarm names the document by its id, or the package, never the signer. It goes when the data are there, and when the
//! certificate has expired: then nothing can be done any more, and the record of the package says it for ever.

use jiff::Timestamp;

use super::Alarm;
use crate::archive::Archive;
use crate::clock::iso_seconds;
use crate::error::{Code, Result, Severity};

/// Unsealed documents listed one by one; the rest is counted.
const LISTED: usize = 1000;

impl Archive {
    pub(super) fn revocation_alarms(&self, now: Timestamp) -> Result<Vec<Alarm>> {
        let before = self.config.revocation.alarm_before.signed();
        let to = now.saturating_add(before).unwrap_or(Timestamp::MAX);
        let alarm = |place: String, expires: Timestamp, what: &str| Alarm {
            code: Code::RevocationMissing,
            severity: Severity::Warning,
            place,
            since: expires.saturating_sub(before).unwrap_or(expires),
            detail: format!("{what} expires {}", iso_seconds(expires)),
        };
        let waiting = self.expiring_without_revocation(now, to, LISTED);
        let mut alarms: Vec<Alarm> = waiting
            .listed
            .into_iter()
            .map(|(expires, id)| alarm(format!("document {id}"), expires, "the signer's certificate"))
            .collect();
        if waiting.more > 0 {
            alarms.push(Alarm {
                code: Code::RevocationMissing,
                severity: Severity::Warning,
                place: "unsealed".to_owned(),
                since: now,
                detail: format!("{} more documents that are not listed", waiting.more),
            });
        }
        for (package, expires, signatures) in self.packages_lacking_revocation(now)? {
            if expires <= to {
                let what = format!("{signatures} signatures; the first certificate");
                alarms.push(alarm(format!("package {package}"), expires, &what));
            }
        }
        Ok(alarms)
    }
}
