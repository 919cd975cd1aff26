//! What somebody must look at now: things that are missing, late or about to be.
//!
//! Invariant: an alarm is worked out from what the archive holds at the moment it is asked for, never stored, so it goes
//! when its cause goes; it names installations, identifiers and days, never a person, an address or a metadata value of a
//! personal class. Each kind of alarm is one file here, a function from the archive to a list; this one sorts and pages
//! them. DPR 68/2005 art. 11 (logs without gaps), Linee guida AgID 4.5 (monitoring by the responsabile).

mod conversations;
mod copies;
mod coverage;
mod identity;
mod logs;
mod notices;
mod renewal;
mod revocation;
mod signing;
mod stamp;
mod witness;

pub(super) use logs::period as period_of_log;
pub(super) use signing::said as said_of_signer;

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Archive;
use super::access::{Action, Actor};
use super::state::unpoisoned;
use crate::catalog::{Catalog, DocumentRow, Query, merged};
use crate::clock::iso_ms;
use crate::error::{Code, Error, Lang, Result, Severity};

/// Alarms of one page.
const PAGE: usize = 200;
/// Most alarms of one page.
const MAX_PAGE: usize = 1000;
/// How long the counts that `/metrics` shows may be old: working alarms out reads the catalog.
const COUNTED: SignedDuration = SignedDuration::from_secs(60);

/// Something somebody must look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// What.
    pub code: Code,
    /// How grave: an error makes `custode alarms` end with 1.
    pub severity: Severity,
    /// What it is about: an installation and its days, a document's id, a package.
    pub place: String,
    /// Since when it is so.
    pub since: Timestamp,
    /// English text; never a metadata value.
    pub detail: String,
}

impl Alarm {
    /// As it goes over the wire.
    pub fn to_json(&self) -> Value {
        let text = self.code.text(Lang::En);
        let message = if self.detail.is_empty() { text.to_owned() } else { format!("{text}: {}", self.detail) };
        json!({
            "code": self.code,
            "severity": self.severity,
            "place": self.place,
            "since": iso_ms(self.since),
            "message": message,
            "next": self.code.hint(Lang::En),
        })
    }

    /// Its place in every list: the gravest first, then the oldest.
    fn order(&self) -> String {
        let grave = match self.severity {
            Severity::Error => 0,
            Severity::Warning => 1,
            Severity::Info => 2,
        };
        format!("{grave} {} {} {}", iso_ms(self.since), self.code.as_str(), self.place)
    }
}

/// How many alarms of each severity there were, and when that was worked out.
#[derive(Default)]
pub(super) struct Counted(Mutex<Option<(Timestamp, [usize; 3])>>);

impl Archive {
    /// Everything that somebody must look at, the gravest first.
    pub fn alarms(&self, actor: &Actor) -> Result<Vec<Alarm>> {
        self.may(actor, Action::Check)?;
        self.all_alarms()
    }

    /// One page of [`Archive::alarms`], as JSON: `{alarms, total, errors, cursor, as_of}`.
    pub fn alarms_page(&self, actor: &Actor, limit: Option<usize>, cursor: Option<&str>) -> Result<Value> {
        let limit = limit.unwrap_or(PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Error::new(Code::Usage, format!("expected 1 to {MAX_PAGE}")).at("limit"));
        }
        let after = cursor.map(position).transpose()?;
        let all = self.alarms(actor)?;
        let errors = all.iter().filter(|alarm| alarm.severity == Severity::Error).count();
        let mut rest = all.iter().filter(|alarm| after.as_ref().is_none_or(|after| alarm.order() > *after));
        let page: Vec<&Alarm> = rest.by_ref().take(limit).collect();
        let more = rest.next().is_some();
        Ok(json!({
            "alarms": page.iter().map(|alarm| alarm.to_json()).collect::<Vec<_>>(),
            "total": all.len(),
            "errors": errors,
            "cursor": page.last().filter(|_| more).map(|alarm| URL_SAFE_NO_PAD.encode(alarm.order())),
            "as_of": iso_ms(self.clock.now()),
        }))
    }

    pub(super) fn all_alarms(&self) -> Result<Vec<Alarm>> {
        let now = self.clock.now();
        let mut all = self.log_alarms(now)?;
        all.extend(self.conversation_alarms(now)?);
        all.extend(self.identity_alarms(now)?);
        all.extend(self.revocation_alarms(now)?);
        all.extend(self.signing_alarms(now)?);
        all.extend(self.witness_alarms(now)?);
        all.extend(self.stamp_alarms(now));
        all.extend(self.renewal_alarms(now)?);
        all.extend(self.copies_alarms(now)?);
        all.extend(self.coverage_alarms(now)?);
        all.extend(self.notice_alarms());
        all.sort_by_cached_key(Alarm::order);
        Ok(all)
    }

    /// Every row that a question finds, page by page.
    fn each_row(&self, query: &Query, catalogs: &[&dyn Catalog], mut see: impl FnMut(DocumentRow)) -> Result<()> {
        let mut query = query.clone();
        loop {
            let page = merged::search(catalogs, &query)?;
            page.rows.into_iter().for_each(&mut see);
            match page.cursor {
                Some(cursor) => query.cursor = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    /// Sets the gauges that `/metrics` shows: how many alarms there are of each severity.
    pub(super) fn gauge_alarms(&self) {
        let now = self.clock.now();
        let mut known = unpoisoned(self.alarms_counted.0.lock());
        let fresh = known.filter(|(at, _)| now.duration_since(*at).abs() < COUNTED).map(|(_, counts)| counts);
        let counts = match fresh {
            Some(counts) => counts,
            None => {
                let Ok(all) = self.all_alarms() else { return };
                let mut counts = [0; 3];
                for alarm in &all {
                    counts[alarm.severity as usize] += 1;
                }
                *known = Some((now, counts));
                self.gauge_coverage();
                counts
            }
        };
        for (count, severity) in counts.into_iter().zip(["info", "warning", "error"]) {
            metrics::gauge!("custode_alarms", "severity" => severity).set(count as f64);
        }
    }
}

/// Where a page ended, from its cursor.
fn position(cursor: &str) -> Result<String> {
    let read = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    read.ok_or_else(|| Error::new(Code::Usage, "not a cursor of this list").at("cursor"))
}
