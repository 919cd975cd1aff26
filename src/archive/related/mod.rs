//! Everything related to a document: the same deposit, what shares an identifier, its conversation with the state of every
//! recipient, what SdI answered, the aggregations it is in.
//!
//! Invariants: what was acknowledged is seen at once and looks the same before and after sealing; nothing is shown of a
//! document whose class the caller may not read, it is counted in `not_shown`; a bound that was reached is said in
//! `bounds_reached`; long lists are paged with `cursor`. No content is opened: this is no access to content.

mod aggregation;
mod closure;
mod rows;
mod ties;
mod view;
mod watch;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Archive;
use super::access::{Action, Actor};
use super::find::row_view;
use super::state::unpoisoned;
use crate::catalog::{DocumentRow, MAX_LIMIT, merged};
use crate::document::conversation::{self, Terms};
use crate::document::exchange;
use crate::error::{Code, Error, Result};
use crate::id::DocumentId;

use closure::{Asking, Closure, LEADING};
use ties::{Asked, Known, Shared};

pub(super) use aggregation::FIELD as AGGREGATION;
pub(super) use ties::tying_fields;
pub(super) use watch::Watch;

/// Rows of one page when nobody says how many.
const PAGE: usize = 200;

/// Which part of a long answer is wanted.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// At most so many directly related documents.
    pub limit: Option<usize>,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

impl Archive {
    /// Everything related to a document.
    pub fn related(&self, actor: &Actor, id: DocumentId, part: &Part) -> Result<Value> {
        let row = self.row(id)?;
        actor.may(Action::ReadMetadata, Some(&row.class))?;
        let limit = part.limit.unwrap_or(PAGE);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Error::new(Code::QueryInvalid, format!("limit must be 1 to {MAX_LIMIT}")).at("limit"));
        }
        let known = self.known_links();
        let asking = Asking { catalogs: self.catalogs(), known: &known, actor: Some(actor), leading: &LEADING };
        let mut not_shown: BTreeSet<DocumentId> = BTreeSet::new();

        let same_deposit = self.same_deposit(&asking, &row, &mut not_shown)?;
        let mut links = Links::default();
        let cursor = self.direct(&asking, &row, limit, part.cursor.clone(), &mut links, &mut not_shown)?;
        let closure = asking.closure(std::slice::from_ref(&row))?;
        not_shown.extend(&closure.not_shown);
        if part.cursor.is_none() {
            // What is reached by way of others stands on the first page; it is bounded.
            for reached in closure.reached.values().filter(|reached| reached.step > 1) {
                links.add(&reached.row, &reached.by, reached.step);
            }
        }
        let aggregations = self.aggregations_of(&asking, &row)?;
        Ok(json!({
            "document": id,
            "receipt": row.receipt,
            "same_deposit": same_deposit.iter().map(row_view).collect::<Vec<_>>(),
            "links": links.view(),
            "conversation": self.conversation(&known, &row, &closure),
            "invoice": Self::exchange(&known, &row, &closure),
            "aggregations": aggregations,
            "not_shown": not_shown.len(),
            "bounds_reached": closure.bounds.iter().map(|bound| bound.as_str()).collect::<Vec<_>>(),
            "cursor": cursor,
        }))
    }

    fn same_deposit(
        &self,
        asking: &Asking<'_>,
        row: &DocumentRow,
        not_shown: &mut BTreeSet<DocumentId>,
    ) -> Result<Vec<DocumentRow>> {
        let deposit = merged::receipt(&self.catalogs(), row.receipt)?;
        let mut rows = Vec::new();
        for other in deposit.map(|deposit| deposit.documents).unwrap_or_default() {
            if other == row.id {
                continue;
            }
            let other = self.row(other)?;
            if asking.may_see(&other) {
                rows.push(other);
            } else {
                not_shown.insert(other.id);
            }
        }
        Ok(rows)
    }

    /// One page of what shares a value with the document itself.
    fn direct(
        &self,
        asking: &Asking<'_>,
        row: &DocumentRow,
        limit: usize,
        cursor: Option<String>,
        links: &mut Links,
        not_shown: &mut BTreeSet<DocumentId>,
    ) -> Result<Option<String>> {
        let held = asking.known.held(row);
        let portions = asking.portions(&held);
        // A document may hold more values than one question takes (a deposit of attachments): then every portion is asked for
        // the same page of the common order, and the page ends where the first of them does.
        let mut found: BTreeMap<String, DocumentRow> = BTreeMap::new();
        let mut more = false;
        for (_, ties) in portions {
            let (rows, next) = asking.page(ties, limit, cursor.clone())?;
            more |= next.is_some();
            found.extend(rows.into_iter().map(|row| (merged::cursor_of(&row), row)));
        }
        more |= found.len() > limit;
        let asked = Asked::of(&held);
        let mut last = None;
        // A cursor is a place written so that it sorts as places do; newest first.
        for (place, other) in found.into_iter().rev().take(limit) {
            last = Some(place);
            let by = asking.known.shared(&asked, &other);
            if other.id == row.id || by.is_empty() {
                continue;
            }
            if asking.may_see(&other) {
                links.add(&other, &by, 1);
            } else {
                not_shown.insert(other.id);
            }
        }
        Ok(last.filter(|_| more))
    }

    fn conversation(&self, known: &Known, row: &DocumentRow, closure: &Closure) -> Value {
        let all = std::iter::once(row).chain(closure.reached.values().map(|reached| &reached.row));
        let messages: Vec<_> = all.filter_map(|row| rows::message(known, row)).collect();
        if messages.is_empty() {
            return Value::Null;
        }
        let mut conversation = conversation::judge(&messages, self.terms(), self.clock.now());
        if rows::message(known, row).is_some() {
            view::only_around(&mut conversation, row.id);
        }
        view::conversation(&conversation)
    }

    fn exchange(known: &Known, row: &DocumentRow, closure: &Closure) -> Value {
        let all: Vec<&DocumentRow> =
            std::iter::once(row).chain(closure.reached.values().map(|reached| &reached.row)).collect();
        let invoices: Vec<_> = all.iter().flat_map(|row| rows::invoices(known, row)).collect();
        let notifications: Vec<_> = all.iter().filter_map(|row| rows::notification(known, row)).collect();
        if invoices.is_empty() && notifications.is_empty() {
            return Value::Null;
        }
        let pec = all.iter().filter_map(|row| rows::message(known, row)?.identifier).collect();
        let mut files = exchange::exchanges(&invoices, &notifications, &pec);
        // Asked of an invoice or a notification, the answer is about its file; asked of a message, about every file it brought.
        let of_this = |file: &exchange::Exchange| {
            file.invoices.contains(&row.id)
                || file.carriers.contains(&row.id)
                || file.courses.iter().any(|course| course.steps.iter().any(|step| step.document == row.id))
        };
        if files.iter().any(of_this) {
            files.retain(of_this);
        }
        view::exchanges(&files)
    }

    /// The fields that tie documents together, of every class in force.
    fn known_links(&self) -> Known {
        let classes = unpoisoned(self.classes.read());
        Known::of(&classes)
    }

    /// How long receipts may take.
    pub(super) fn terms(&self) -> Terms {
        let settings = &self.config.conversations;
        Terms { late_after: settings.late_after.signed(), missing_after: settings.missing_after.signed() }
    }
}

/// Related documents by namespace.
#[derive(Default)]
struct Links(BTreeMap<String, (BTreeSet<String>, BTreeMap<DocumentId, Value>)>);

impl Links {
    fn add(&mut self, row: &DocumentRow, by: &BTreeSet<Shared>, steps: usize) {
        for shared in by {
            let (fields, documents) = self.0.entry(shared.namespace.clone()).or_default();
            fields.insert(shared.field.clone());
            let document = documents.entry(row.id).or_insert_with(|| row_view(row));
            document["steps"] = json!(steps);
            // Once to the letter is to the letter.
            if shared.exact || document["match"].is_null() {
                document["match"] = json!(if shared.exact { "exact" } else { "case" });
            }
        }
    }

    fn view(self) -> Vec<Value> {
        let one = |(namespace, (fields, documents)): (String, (BTreeSet<String>, BTreeMap<DocumentId, Value>))| json!({ "namespace": namespace, "fields": fields, "documents": documents.into_values().collect::<Vec<_>>() });
        self.0.into_iter().map(one).collect()
    }
}
