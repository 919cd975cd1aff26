//! The manager's derogation: fewer copies than a production archive must have, for a time, on the manager's responsibility.
//!
//! Invariant: an act of a person who is manager, on the chain before it has an effect, with a day on which it ends; the signed
//! document that gives the reasons is named by its SHA-256. Linee guida AgID 4.5 (duties of the responsabile).

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::archive::Archive;
use crate::archive::access::{Action, Actor};
use crate::archive::init::object;
use crate::chain::Ledger;
use crate::clock::italian_day;
use crate::error::{Code, Error, Result};
use crate::hash::Sha256;

/// Records of derogations.
const RECORDS: &str = "derogations";
/// What they are from.
const COPIES: &str = "copies";
/// Longest reason kept.
const LONGEST_REASON: usize = 2000;
/// Days one may last: it is to be thought over every year.
const LONGEST: i64 = 366;

/// A derogation to be recorded.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDerogation {
    /// Last day on which it holds (`2027-06-30`), at most a year ahead.
    until: String,
    /// Why; kept in an erasable side file, never on the chain.
    reason: String,
    /// SHA-256 of the document that the manager signed.
    act: String,
}

/// The last day of the derogation in force; none when there is none, or its day has passed.
pub(super) fn in_force(ledger: &Ledger, now: Timestamp) -> Result<Option<Date>> {
    let (records, _) = ledger.records(RECORDS)?;
    let last = records.iter().rfind(|record| record.fields.get("from").and_then(Value::as_str) == Some(COPIES));
    let until = last.and_then(|record| record.fields.get("until")?.as_str()?.parse::<Date>().ok());
    Ok(until.filter(|until| italian_day(now) <= *until))
}

impl Archive {
    /// Records that fewer copies are enough until some day; the last one holds. A day that has passed ends it.
    pub fn derogate_copies(&self, actor: &Actor, wanted: &NewDerogation) -> Result<Value> {
        self.may(actor, Action::Adopt)?;
        let by = actor.as_person()?;
        let wrong = |place: &str, accepted: &str| Error::new(Code::Usage, accepted.to_owned()).at(place);
        let until: Date = wanted.until.parse().map_err(|_| wrong("until", "expected a day, as 2027-06-30"))?;
        let today = italian_day(self.clock.now());
        let days = today.until(until).map_or(i64::MAX, |span| i64::from(span.get_days()));
        if days > LONGEST {
            return Err(wrong("until", "expected a day within a year: a derogation is to be thought over again"));
        }
        let reason = wanted.reason.trim();
        if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
            return Err(Error::new(Code::ReasonNeeded, format!("1 to {LONGEST_REASON} characters")).at("reason"));
        }
        let act: Sha256 =
            wanted.act.parse().map_err(|_| wrong("act", "expected the SHA-256 of the signed document"))?;
        self.heal()?;
        let fields = json!({ "from": COPIES, "until": until, "act": act, "by": by });
        let record = self.ledger.append_record(RECORDS, object(fields), Some(object(json!({ "reason": reason }))))?;
        Ok(json!({ "derogation": record.id, "from": COPIES, "until": until, "act": act, "entry": record.seq }))
    }
}
