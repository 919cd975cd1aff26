//! Checks that were killed, or crashed: their report is written all the same, from what they had kept.
//!
//! A check leaves a mark in `reports/` when it begins and takes it away when its report is on the chain. Invariant: a check that
//! was begun has a report, at the latest when the archive is opened again or the next check begins; one that did not come to its
//! end says so, and is never good. The mark proves nothing: what was looked at stands in the coverage ledger.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Archive;
use super::inspect::CheckRequest;
use super::state::unpoisoned;
use crate::chain::COVERAGE;
use crate::check::coverage::Part;
use crate::check::{self, Interrupted, Mode};
use crate::clock::iso_ms;
use crate::durable;
use crate::error::{AtPath, Code, Error, Result};
use crate::id::CheckId;

const MARK: &str = "running";
/// A mark is some hundred bytes.
const MAX_MARK: u64 = 64 << 10;

/// What a check was asked for, kept while it runs.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    check: CheckId,
    started_at: String,
    request: CheckRequest,
}

impl Archive {
    /// Notes that a check begins; durable on return.
    pub(super) fn mark_check(&self, id: CheckId, request: &CheckRequest) -> Result<()> {
        // A checkpoint that was given is long, and nothing of it is asked afterwards.
        let request = CheckRequest { checkpoint: None, ..request.clone() };
        let mark = Mark { check: id, started_at: iso_ms(self.clock.now()), request };
        let bytes = serde_json::to_vec(&mark).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        durable::create_dir_all(&self.layout.reports())?;
        durable::write_new(&self.report_path(id, MARK), &bytes, durable::MODE_PLAIN)
    }

    /// Notes that it came to its end.
    pub(super) fn unmark_check(&self, id: CheckId) -> Result<()> {
        let path = self.report_path(id, MARK);
        if path.exists() { durable::remove_file(&path) } else { Ok(()) }
    }

    /// Writes the reports of checks that never came to their end. Nobody else may be checking. What fails is in the log, and is
    /// tried again by the next check.
    pub(super) fn finish_interrupted(&self) {
        // An older state of the archive takes no entry: that its checks are not there is the least of it.
        if self.witnesses.held().is_some() {
            return;
        }
        let outcome = self.interrupted().and_then(|all| {
            all.into_iter().try_for_each(|(id, mark)| {
                tracing::warn!(%id, "a check was interrupted; its report is written from what it had kept");
                self.finish_one(id, mark)
            })
        });
        if let Err(error) = outcome {
            let (code, place) = (error.code.as_str(), &error.place);
            tracing::error!(code, %place, "the report of an interrupted check could not be written: {}", error.detail);
        }
    }

    /// Checks that have a mark, or lines in the ledger, and no entry.
    fn interrupted(&self) -> Result<BTreeMap<CheckId, Option<Mark>>> {
        let folder = self.layout.reports();
        let mut found = BTreeMap::new();
        let entries = match std::fs::read_dir(&folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            entries => entries.at_path(&folder)?,
        };
        for entry in entries {
            let entry = entry.at_path(&folder)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name.strip_prefix("check-").and_then(|rest| rest.strip_suffix(&format!(".{MARK}")));
            let Some(id) = id.and_then(|id| id.parse::<CheckId>().ok()) else { continue };
            let small = entry.metadata().at_path(&folder)?.len() <= MAX_MARK;
            let bytes = if small { durable::read_plain(&entry.path())? } else { Vec::new() };
            let mark = serde_json::from_slice::<Mark>(&bytes).ok().filter(|mark| mark.check == id);
            found.insert(id, mark);
        }
        let ended = unpoisoned(self.checks.lock()).ended.clone();
        for id in unpoisoned(self.coverage.lock()).checks().difference(&ended) {
            // One with a report and without an entry came to its end while the chain took none.
            if !self.report_path(*id, "json").exists() {
                found.entry(*id).or_insert(None);
            }
        }
        // Stopped between its entry and the end of its mark.
        let over: Vec<CheckId> = found.keys().filter(|id| ended.contains(id)).copied().collect();
        for id in over {
            self.unmark_check(id)?;
            found.remove(&id);
        }
        Ok(found)
    }

    fn finish_one(&self, id: CheckId, mark: Option<Mark>) -> Result<()> {
        let mut parts: Vec<(Timestamp, Part)> = Vec::new();
        self.ledger.each_record(COVERAGE, |line| {
            parts.extend(Part::parse(&line.fields).filter(|part| part.check == id).map(|part| (line.at, part)));
        })?;
        let request = mark.as_ref().map(|mark| mark.request.clone()).unwrap_or_default();
        let scope = request.scope().unwrap_or_else(|_| check::Scope::all(Mode::Full));
        let begun = mark.and_then(|mark| mark.started_at.parse().ok());
        let mode = parts.first().map_or(scope.mode, |(_, part)| part.mode);
        let scope = check::Scope { mode, ..scope };
        let vaults = self.copies.vaults();
        let interrupted = Interrupted {
            root: self.layout.root(),
            id,
            scope: &scope,
            started_at: begun.or_else(|| parts.first().map(|(_, part)| part.from)),
            parts: &parts,
            vaults: &vaults,
            now: self.clock.now(),
        };
        let report = check::interrupted(&interrupted)?;
        // Stopped after it had written some of its report, and before the chain knew of it: those files say what they say, and
        // make way for those that the chain names.
        for extension in ["json", "txt", "html", "json.p7s"] {
            let path = self.report_path(id, extension);
            if path.exists() {
                durable::rename(&path, &self.report_path(id, &format!("{extension}.unfinished")))?;
            }
        }
        self.file_report(&report, &scope).map(drop)
    }
}
