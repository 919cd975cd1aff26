//! Copies of packages: vaults that are away, copies that lag, copies that are bad, too few of them.
//!
//! Invariant: worked out when asked: a vault that is back, a copy that was made or repaired is no alarm any more.

use jiff::Timestamp;

use super::Alarm;
use crate::archive::Archive;
use crate::archive::config::Profile;
use crate::error::{Code, Result, Severity};

/// Bad copies named one by one; beyond them one line says how many more.
const NAMED: usize = 100;

impl Archive {
    pub(super) fn copies_alarms(&self, now: Timestamp) -> Result<Vec<Alarm>> {
        let mut alarms = Vec::new();
        let mut alarm = |code, severity, place: String, since, detail| {
            alarms.push(Alarm { code, severity, place, since, detail });
        };
        for kept in &self.copies.kept {
            let vault = kept.vault.as_ref();
            let place = || format!("vault {}", vault.name());
            if let Some((since, error)) = self.copies.away(vault, now) {
                let detail = format!("{} [{}]", error.detail, error.place);
                alarm(error.code, Severity::Error, place(), since, detail);
            }
            let behind = if kept.bound { self.copies.behind(vault) } else { Vec::new() };
            if !behind.is_empty() {
                // It lacks something since the oldest of them was sealed.
                let rows = self.catalog.packages(None)?;
                let since =
                    rows.iter().filter(|row| behind.binary_search(&row.package).is_ok()).map(|row| row.sealed_at);
                let detail = format!("{} packages", behind.len());
                alarm(Code::CopyBehind, Severity::Warning, place(), since.min().unwrap_or(now), detail);
            }
        }
        let suspects = self.copies.suspects.all();
        for (package, vault, seen) in suspects.iter().take(NAMED) {
            let detail = format!("{}: {}", seen.code.as_str(), seen.detail);
            alarm(Code::CopyBad, Severity::Error, format!("{package}, vault {vault}"), seen.since, detail);
        }
        if let Some((_, _, seen)) = suspects.get(NAMED) {
            let detail = format!("{} more copies", suspects.len() - NAMED);
            alarm(Code::CopyBad, Severity::Error, "copies".to_owned(), seen.since, detail);
        }
        let allowed = self.copies_are_allowed();
        let few = self.copies_are_few();
        let place = || "custode.toml vault".to_owned();
        match (allowed, few) {
            (Err(error), _) => alarm(error.code, Severity::Error, place(), now, error.detail),
            (Ok(()), Some(few)) => {
                let until = self.derogation_until(now)?.filter(|_| self.profile == Profile::Production);
                let derogation = until.map_or(String::new(), |until| format!("; a derogation holds until {until}"));
                alarm(Code::CopiesFew, Severity::Warning, place(), now, format!("{few}{derogation}"));
            }
            (Ok(()), None) => {}
        }
        Ok(alarms)
    }

    /// Sets the gauges of copies: for each vault whether it is there, what it lacks, how many of its copies are bad.
    pub(in crate::archive) fn gauge_copies(&self) {
        let suspects = self.copies.suspects.all();
        for kept in &self.copies.kept {
            let vault = kept.vault.as_ref();
            let there = self.copies.away(vault, self.clock.now()).is_none();
            let bad = suspects.iter().filter(|(_, name, _)| name == vault.name()).count();
            let label = || vault.name().to_owned();
            metrics::gauge!("custode_vault_available", "vault" => label()).set(if there { 1.0 } else { 0.0 });
            metrics::gauge!("custode_copies_behind", "vault" => label()).set(self.copies.behind(vault).len() as f64);
            metrics::gauge!("custode_copies_bad", "vault" => label()).set(bad as f64);
        }
    }
}
