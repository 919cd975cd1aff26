//! Finding documents by metadata.
//!
//! Invariant: what is found is what was accepted, sealed or not, in one order; the answer says how far the index is
//! (`as_of`). A field of a personal class is never asked for in an address.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Archive;
use super::access::{Action, Actor};
use super::related::AGGREGATION;
use super::state::unpoisoned;
use crate::catalog::{Catalog, DocumentRow, FieldKind, FieldSpec, Query, Tie, merged};
use crate::clock::iso_ms;
use crate::document;
use crate::document::class::{self, Class};
use crate::error::{Code, Error, Result};
use crate::id::ClassId;

/// Rows of a page when nobody says.
const PAGE: usize = 100;
/// Searches that may wait for `min_sequence` at the same time.
const MOST_WAITING: usize = 8;
/// How long `min_sequence` is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A search as asked.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Only this class.
    pub class: Option<String>,
    /// `FIELD=VALUE`, `FIELD^=PREFIX`, `FIELD>=VALUE`, `FIELD<=VALUE`.
    pub criteria: Vec<String>,
    /// Accepted at this instant or later.
    pub from: Option<String>,
    /// Accepted before this instant.
    pub to: Option<String>,
    /// At most so many rows.
    pub limit: Option<usize>,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// Wait for this number.
    pub min_sequence: Option<u64>,
    /// The criteria stood in an address.
    pub in_url: bool,
}

/// How the catalog searches a class's field; `None` for what is never indexed.
pub(super) fn field_kind(kind: class::FieldKind) -> Option<FieldKind> {
    use class::FieldKind as K;
    match kind {
        K::Text => Some(FieldKind::Text),
        K::Keyword | K::Boolean | K::List => Some(FieldKind::Keyword),
        K::Integer | K::Decimal => Some(FieldKind::Number),
        K::Date => Some(FieldKind::Date),
        K::Instant => Some(FieldKind::Instant),
        K::Object => None,
    }
}

/// The indexed fields of a class, and of one whose documents may be signed what is learnt of them at sealing.
pub(super) fn field_specs(class: &Class) -> Vec<FieldSpec> {
    let indexed = class.fields.iter().filter(|field| field.indexed);
    let indexed = indexed.filter_map(|f| field_kind(f.kind).map(|kind| FieldSpec { name: f.name.clone(), kind }));
    let sealed = FieldSpec { name: document::SEALED_VERDICT.to_owned(), kind: FieldKind::Keyword };
    indexed.chain(document::may_be_signed(class).then_some(sealed)).collect()
}

/// A document as lists show it.
pub(super) fn row_view(row: &DocumentRow) -> Value {
    let mut fields = serde_json::Map::new();
    for indexed in &row.fields {
        let value = indexed.value.to_json();
        match fields.get_mut(&indexed.name) {
            None => drop(fields.insert(indexed.name.clone(), value)),
            Some(Value::Array(values)) => values.push(value),
            Some(single) => *single = json!([single.take(), value]),
        }
    }
    json!({
        "id": row.id,
        "class": row.class,
        "class_version": row.class_version,
        "name": row.name,
        "media_type": row.media_type,
        "bytes": row.bytes,
        "sha256": row.sha256,
        "receipt": row.receipt,
        "lane": row.lane,
        "sequence": row.sequence,
        "accepted_at": iso_ms(row.accepted_at),
        "status": if row.package.is_some() { "sealed" } else { "accepted" },
        "package": row.package,
        "metadata": fields,
    })
}

/// A search that waits for a number.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize) -> Result<Self> {
        let waiting = Self(count);
        if count.fetch_add(1, Ordering::SeqCst) >= MOST_WAITING {
            return Err(Error::new(Code::JournalBehind, "too many searches wait").at("min_sequence"));
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Archive {
    /// Finds documents.
    pub fn search(&self, actor: &Actor, request: &Request) -> Result<Value> {
        let query = self.query(actor, request)?;
        if let Some(wanted) = request.min_sequence {
            self.wait_for(wanted)?;
        }
        let page = merged::search(&[&self.unsealed as &dyn Catalog, self.catalog.as_ref()], &query)?;
        Ok(json!({
            "documents": page.rows.iter().map(row_view).collect::<Vec<_>>(),
            "cursor": page.cursor,
            "as_of": page.as_of,
        }))
    }

    /// The rows that a search finds, all of them, up to `most`.
    pub(super) fn find_all(&self, actor: &Actor, request: &Request, most: usize) -> Result<Vec<DocumentRow>> {
        let mut query = self.query(actor, request)?;
        query.limit = crate::catalog::MAX_LIMIT;
        let mut rows = Vec::new();
        loop {
            let page = merged::search(&[&self.unsealed as &dyn Catalog, self.catalog.as_ref()], &query)?;
            rows.extend(page.rows);
            if rows.len() > most {
                return Err(Error::new(Code::QueryInvalid, format!("more than {most} documents; narrow the search")));
            }
            match page.cursor {
                Some(cursor) => query.cursor = Some(cursor),
                None => return Ok(rows),
            }
        }
    }

    fn query(&self, actor: &Actor, request: &Request) -> Result<Query> {
        let class: Option<ClassId> = request.class.as_deref().map(str::parse).transpose()?;
        actor.may(Action::Search, class.as_ref())?;
        let known = self.known_fields(actor, class.as_ref(), request)?;
        let (criteria, ties) = self.in_aggregation(&request.criteria)?;
        let mut query = Query::parse(class, &criteria, &known)?;
        query.ties = ties;
        let instant = |text: &Option<String>, place: &str| {
            let parse = |t: &String| {
                t.parse().map_err(|_| {
                    Error::new(Code::QueryInvalid, "expected an instant, as 2026-11-22T10:00:00Z").at(place)
                })
            };
            text.as_ref().map(parse).transpose()
        };
        query.from = instant(&request.from, "from")?;
        query.to = instant(&request.to, "to")?;
        query.limit = request.limit.unwrap_or(PAGE);
        query.cursor = request.cursor.clone();
        Ok(query)
    }

    /// Takes `aggregation=ID` out of the criteria: it asks for what is in the aggregation, whichever way it says so.
    fn in_aggregation(&self, criteria: &[String]) -> Result<(Vec<String>, Vec<Tie>)> {
        let (mut left, mut ties) = (Vec::new(), None);
        for criterion in criteria {
            let id = criterion.strip_prefix(AGGREGATION).and_then(|rest| rest.trim_start().strip_prefix('='));
            match (id, &ties) {
                (None, _) => left.push(criterion.clone()),
                (Some(id), None) => ties = Some(self.ties_of_aggregation(id)?),
                (Some(_), Some(_)) => {
                    return Err(Error::new(Code::QueryInvalid, "one aggregation at a time").at(AGGREGATION));
                }
            }
        }
        Ok((left, ties.unwrap_or_default()))
    }

    fn known_fields(&self, actor: &Actor, class: Option<&ClassId>, request: &Request) -> Result<Vec<FieldSpec>> {
        let classes = unpoisoned(self.classes.read());
        let mut known: Vec<FieldSpec> = Vec::new();
        let mut seen = false;
        for candidate in classes.iter() {
            if class.is_some_and(|class| *class != candidate.id) {
                continue;
            }
            // Without a class every class is searched: then the token must be good for each.
            actor.may(Action::Search, Some(&candidate.id))?;
            seen = true;
            if candidate.personal && request.in_url && !request.criteria.is_empty() && class.is_some() {
                return Err(Error::new(
                    Code::QueryInvalid,
                    "fields of a personal class are not asked for in an address",
                )
                .hint("use POST /v1/documents/search"));
            }
            if candidate.personal && request.in_url {
                continue;
            }
            for spec in field_specs(candidate) {
                if !known.contains(&spec) {
                    known.push(spec);
                }
            }
        }
        match class {
            Some(class) if !seen => Err(Error::new(Code::ClassUnknown, "").at(class)),
            _ => Ok(known),
        }
    }

    /// What was acknowledged is in the index of the unsealed before the answer leaves, so this only waits for a number
    /// that is not given yet.
    fn wait_for(&self, sequence: u64) -> Result<()> {
        // A wait holds a thread that deposits need too: only some may wait at the same time.
        let waiting = Waiting::begin(&self.searches_waiting)?;
        let started = Instant::now();
        while self.journal.load().next <= sequence {
            if started.elapsed() > PATIENCE {
                return Err(Error::new(Code::JournalBehind, "that number was not given yet").at("min_sequence"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(waiting);
        Ok(())
    }
}
