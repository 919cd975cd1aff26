//! Signatures that wait, and the certificate that will not sign for much longer.
//!
//! Invariant: an alarm names packages and classes, never the signer; it goes when the signature is there, and when another
//! certificate is configured.

use jiff::Timestamp;

use super::Alarm;
use crate::archive::Archive;
use crate::archive::state::unpoisoned;
use crate::catalog::{Catalog as _, Query};
use crate::clock::iso_seconds;
use crate::error::{Code, Error, Result, Severity};
use crate::package::PINDEX_SIGNATURE;
use crate::package::writer::Staging;

/// Why a signature waits, with the file that it waits for; without whose certificate it is, which may be a person's.
pub(in crate::archive) fn said(error: &Error) -> String {
    match error.code {
        Code::SignerDown | Code::SignerPin if !error.place.is_empty() => format!("{} [{}]", error.detail, error.place),
        Code::SignerMismatch => String::new(),
        _ => error.detail.clone(),
    }
}

impl Archive {
    pub(super) fn signing_alarms(&self, now: Timestamp) -> Result<Vec<Alarm>> {
        let mut alarms = self.unsigned_packages()?;
        let alarm = |code, severity, since, detail| Alarm { code, severity, place: "signer".to_owned(), since, detail };
        if let Some(trouble) = self.signing.trouble() {
            alarms.push(alarm(trouble.code, Severity::Error, trouble.since, trouble.detail));
        }
        match self.signing.credential() {
            Some(Ok(credential)) => {
                let (from, to) = (credential.certificate.not_before, credential.certificate.not_after);
                let soon = to.saturating_sub(self.signing.alarm_before).unwrap_or(to);
                if now > to {
                    alarms.push(alarm(Code::SignerExpired, Severity::Error, to, format!("since {}", iso_seconds(to))));
                } else if now < from {
                    let detail = format!("valid from {}", iso_seconds(from));
                    alarms.push(alarm(Code::SignerExpired, Severity::Error, now, detail));
                } else if now >= soon {
                    let detail = format!("expires {}", iso_seconds(to));
                    alarms.push(alarm(Code::SignerExpiring, Severity::Warning, soon, detail));
                }
            }
            // Said already when something waits for it.
            Some(Err(error)) if self.signing.trouble().is_none() => {
                alarms.push(alarm(error.code, Severity::Error, now, said(&error)));
            }
            _ => {}
        }
        if let Some(since) = self.signer_found().and_then(|found| found.revoked) {
            let detail = format!("since {}", iso_seconds(since));
            alarms.push(alarm(Code::SignerRevoked, Severity::Error, since, detail));
        }
        if !self.signing.is_configured() {
            alarms.extend(self.classes_without_signer(now)?);
        }
        // The last failure may be the same as the certificate's own trouble.
        alarms.dedup_by(|a, b| a.code == b.code && a.place == b.place);
        Ok(alarms)
    }

    /// Packages being made whose index no signature follows. While a closing run is at work nobody knows yet.
    fn unsigned_packages(&self) -> Result<Vec<Alarm>> {
        let Ok(_quiet) = self.sealing.try_lock() else { return Ok(Vec::new()) };
        let mut alarms = Vec::new();
        // A plan that is not ours is told by every closing run.
        for staging in Staging::pending(&self.layout.staging(), &self.staging_key).unwrap_or_default() {
            let plan = staging.plan();
            let wanted = self.signing.is_configured() || self.requires_signature(&plan.class, plan.class_version);
            let folder = staging.package_folder();
            if wanted && !folder.join(PINDEX_SIGNATURE).exists() {
                alarms.push(Alarm {
                    code: Code::SignatureWaiting,
                    severity: Severity::Error,
                    place: format!("package {}", plan.package),
                    since: plan.planned_at,
                    detail: format!("{} documents", plan.documents.len()),
                });
            }
        }
        Ok(alarms)
    }

    /// Classes whose documents wait because nobody is configured to sign them.
    fn classes_without_signer(&self, now: Timestamp) -> Result<Vec<Alarm>> {
        let classes: Vec<_> = {
            let classes = unpoisoned(self.classes.read());
            classes.iter().map(|class| (class.id.clone(), class.version)).collect()
        };
        let mut alarms = Vec::new();
        for (class, version) in classes {
            if !self.requires_signature(&class, version) {
                continue;
            }
            let waiting = Query { class: Some(class.clone()), limit: 1, ..Query::default() };
            if !self.unsealed.search(&waiting)?.rows.is_empty() {
                alarms.push(Alarm {
                    code: Code::SignatureRequired,
                    severity: Severity::Error,
                    place: format!("class {class}"),
                    since: now,
                    detail: String::new(),
                });
            }
        }
        Ok(alarms)
    }
}
