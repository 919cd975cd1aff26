//! Signatures of which nobody has said whether their certificate was revoked, while somebody still could: authorities forget
//! certificates that have expired (RFC 5280 section 5, `reference/pec` section 9). And signatures of signers whose certificate was
//! found revoked: the receipt could not know it, and whoever relies on the document must.
//!
//! Invariant: an alarm names the document by its id, or the package, never the signer. What is lacking goes when the data are there, and
//! when the certificate has expired: then nothing can be done any more, and the record of the package says it for ever. A revoked signer
//! is told for [`TOLD`] after sealing.

use jiff::{SignedDuration, Timestamp};

use super::Alarm;
use crate::archive::Archive;
use crate::archive::revocation::MOST_REVOKED;
use crate::catalog::Catalog as _;
use crate::clock::iso_seconds;
use crate::error::{Code, Result, Severity};

/// Unsealed documents listed one by one; the rest is counted.
const LISTED: usize = 1000;
/// How long after sealing a revoked signer is told of: nothing makes the signature good again, so the alarm would never go; whoever
/// looks at alarms has looked by then, and document, search and package say it for ever.
const TOLD: SignedDuration = SignedDuration::from_hours(24 * 90);

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
        self.revoked_alarms(now, &mut alarms)?;
        Ok(alarms)
    }

    fn revoked_alarms(&self, now: Timestamp, alarms: &mut Vec<Alarm>) -> Result<()> {
        let alarm = |place: String, since: Timestamp, detail: &str| Alarm {
            code: Code::SignatureRevoked,
            severity: Severity::Warning,
            place,
            since,
            detail: detail.to_owned(),
        };
        for document in self.unsealed_with_revoked().into_iter().take(LISTED) {
            let Some(row) = self.unsealed.locate(document)? else { continue };
            alarms.push(alarm(format!("document {document}"), row.accepted_at, "the signer's certificate was revoked"));
        }
        for (package, revoked) in self.packages_with_revoked(now.saturating_sub(TOLD).unwrap_or(Timestamp::MIN))? {
            for document in &revoked.documents {
                let detail = format!("the signer's certificate was revoked; sealed in {package}");
                alarms.push(alarm(format!("document {document}"), revoked.sealed_at, &detail));
            }
            if revoked.documents.is_empty() || revoked.documents.len() == MOST_REVOKED {
                let detail = format!("{} signatures whose signer's certificate was revoked", revoked.signatures);
                alarms.push(alarm(format!("package {package}"), revoked.sealed_at, &detail));
            }
        }
        Ok(())
    }
}
