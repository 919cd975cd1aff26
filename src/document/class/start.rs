//! Which dates may start a document's term of keeping (DMCA, piano di conservazione: a document is disposed of by its term, and
//! for ever).
//!
//! Invariant: a date that somebody mistyped or made up never shortens a term: what lies before there were such documents, or
//! after the deposit, starts nothing. The class says since when there are such documents (`start-not-before`), and acceptance,
//! which is never earlier than a real event, stands in where the class allows it.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::{Class, date_of};
use crate::clock::italian_day;
use crate::document::Metadata;
use crate::error::{Code, Finding};

/// For classes that do not say: older papers are for historians, and a term of years no longer says anything of them.
pub const EARLIEST: Date = date(1800, 1, 1);

/// Clocks and zones of others differ by less than a day.
const AHEAD_DAYS: i64 = 1;

/// Why a date starts no term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// There were no such documents yet.
    Early,
    /// It had not come when the document was accepted.
    Future,
}

impl Unfit {
    /// In a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Early => "before there were such documents",
            Self::Future => "after the deposit",
        }
    }

    /// What is wrong with a day as the start of a term, of documents that exist since `not_before`, accepted on `accepted_on`.
    pub fn of(day: Date, not_before: Date, accepted_on: Date) -> Option<Self> {
        if day < not_before {
            return Some(Self::Early);
        }
        (day > accepted_on.saturating_add(AHEAD_DAYS.days())).then_some(Self::Future)
    }
}

/// A finding for each start event of the class whose date starts no term.
pub fn findings(class: &Class, metadata: &Metadata, received_at: jiff::Timestamp) -> Vec<Finding> {
    let received_on = italian_day(received_at);
    let fields = class.start_event.iter();
    fields
        .filter_map(|field| {
            let unfit = Unfit::of(date_of(metadata.get(field)?)?, class.start_not_before, received_on)?;
            Some(Finding::warning(Code::RetentionStart, format!("metadata/{field}"), unfit.as_str()))
        })
        .collect()
}
