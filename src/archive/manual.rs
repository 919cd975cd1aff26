//! The manual of conservation that receipts and indexes cite: adopted on the chain, in force from its day on.
//!
//! Invariant: the manual in force follows from the chain alone, and each entry is read once: an archive seals packages for
//! decades, and what each one costs must not grow with the chain. Linee guida AgID 4.6 (manuale di conservazione).

use std::sync::Mutex;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::Archive;
use super::access::{Action, Actor};
use super::config::RelevantDocument;
use super::init::object;
use super::state::unpoisoned;
use crate::chain::Kind;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// The manuals adopted so far: how many entries were read, and what they say.
#[derive(Default)]
pub(super) struct Manuals(Mutex<(u64, Vec<RelevantDocument>)>);

impl Archive {
    /// Adopts a manual of conservation: indexes cite it from its day on.
    pub fn adopt_manual(&self, actor: &Actor, version: &str, from: &str, sha256: Sha256) -> Result<Value> {
        self.may(actor, Action::Adopt)?;
        let by = actor.as_person()?;
        let from: Date =
            from.parse().map_err(|_| Error::new(Code::Usage, "expected a day, as 2026-01-01").at("from"))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if version.is_empty() || version.len() > 32 || !version.chars().all(plain) {
            return Err(Error::new(Code::Usage, "1 to 32 letters, digits, points, hyphens").at("version"));
        }
        let entry = json!({ "version": version, "from": from, "sha256": sha256, "by": by });
        let seq = self.ledger.append(Kind::Manual, object(entry))?.seq;
        Ok(json!({ "entry": seq, "version": version, "from": from, "sha256": sha256 }))
    }

    /// The manual in force: the last adopted whose day has come, else the one of custode.toml.
    pub(super) fn manual_in_force(&self, today: Date) -> Result<Option<RelevantDocument>> {
        let mut known = unpoisoned(self.manuals.0.lock());
        let (read, manuals) = &mut *known;
        self.ledger.each_entry(*read, |entry| {
            *read = entry.seq + 1;
            let text = |key: &str| entry.object.get(key).and_then(Value::as_str).unwrap_or_default();
            if entry.kind == Kind::Manual
                && let (Ok(from), Ok(sha256)) = (text("from").parse::<Date>(), text("sha256").parse::<Sha256>())
            {
                manuals.push(RelevantDocument {
                    title: "Manuale di conservazione".to_owned(),
                    version: Some(text("version").to_owned()),
                    date: Some(from),
                    sha256: Some(sha256),
                });
            }
            Ok(())
        })?;
        let found = manuals.iter().rfind(|manual| manual.date.is_some_and(|from| from <= today));
        Ok(found.cloned().or_else(|| self.config.manual.clone()))
    }
}
