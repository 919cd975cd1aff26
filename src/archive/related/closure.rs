//! Who is related to a document, and to those, as far as a conversation goes.
//!
//! A conversation joins by identifier *and* by the client's message id, an invoice by SdI's identifier, file name and
//! digest: values found on the way lead on. Invariants: both catalogs are asked, what is not sealed first, so what was
//! acknowledged is seen at once; bounded in rounds, values and documents, and a bound that was reached is said; what the
//! caller may not read is counted, shown nowhere, and leads nowhere.

use std::collections::{BTreeMap, BTreeSet};

use super::ties::{Asked, Held, Known, SHA256, Shared};
use crate::archive::access::{Action, Actor};
use crate::catalog::{Catalog, DocumentRow, MAX_LIMIT, MAX_TIES, Query, Tie, merged};
use crate::error::Result;
use crate::id::DocumentId;

/// Namespaces in which a value leads on. A practice or an aggregation gathers whole conversations that have nothing else
/// in common: it is looked up for the document itself and not followed.
pub(super) const LEADING: [&str; 5] = ["pec", "msgid", "sdi", "sdi-file", SHA256];
/// Namespaces of one conversation alone.
pub(super) const OF_CONVERSATION: [&str; 2] = ["pec", "msgid"];
/// From a notification to its invoice, the message that carried it, that message's envelope, its receipts, the sender's
/// copy: six steps; two more for what a client sent again.
pub(super) const MAX_ROUNDS: usize = 8;
/// A message to 500 recipients has some 1,500 receipts; all of them are held in memory.
pub(super) const MAX_DOCUMENTS: usize = 4_000;
/// Values asked for altogether: each is a look-up.
pub(super) const MAX_VALUES: usize = 8_192;

/// Where a search for related documents stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bound {
    Rounds,
    Values,
    Documents,
}

impl Bound {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rounds => "rounds",
            Self::Values => "values",
            Self::Documents => "documents",
        }
    }
}

/// A related document and why it is one.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub row: DocumentRow,
    pub by: BTreeSet<Shared>,
    /// 1 for what shares a value with the document itself.
    pub step: usize,
}

/// Everything found.
#[derive(Debug, Default)]
pub(super) struct Closure {
    pub reached: BTreeMap<DocumentId, Reached>,
    pub not_shown: BTreeSet<DocumentId>,
    pub bounds: BTreeSet<Bound>,
}

/// The catalogs, asked on behalf of somebody.
pub(super) struct Asking<'a> {
    pub catalogs: [&'a dyn Catalog; 2],
    pub known: &'a Known,
    /// None for the archive itself.
    pub actor: Option<&'a Actor>,
    /// The namespaces in which a value leads on.
    pub leading: &'static [&'static str],
}

impl Asking<'_> {
    pub fn may_see(&self, row: &DocumentRow) -> bool {
        self.actor.is_none_or(|actor| actor.may(Action::ReadMetadata, Some(&row.class)).is_ok())
    }

    /// One page of the documents that have at least one of these ties.
    pub fn page(
        &self,
        ties: Vec<Tie>,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<(Vec<DocumentRow>, Option<String>)> {
        let page = merged::search(&self.catalogs, &Query { ties, limit, cursor, ..Query::default() })?;
        Ok((page.rows, page.cursor))
    }

    /// Everything that these documents lead to.
    pub fn closure(&self, start: &[DocumentRow]) -> Result<Closure> {
        let own: BTreeSet<DocumentId> = start.iter().map(|row| row.id).collect();
        let mut found = Closure::default();
        let mut asked: BTreeSet<Held> = BTreeSet::new();
        let mut next: Vec<Held> = start.iter().flat_map(|row| self.leading(row)).collect();
        for step in 1..=MAX_ROUNDS {
            next.retain(|held| asked.insert(held.clone()));
            if asked.len() > MAX_VALUES {
                found.bounds.insert(Bound::Values);
                next.truncate(next.len().saturating_sub(asked.len() - MAX_VALUES));
            }
            if next.is_empty() {
                return Ok(found);
            }
            let mut further = Vec::new();
            for (values, ties) in self.portions(&next) {
                let asked_for = Asked::of(&values);
                let mut cursor = None;
                loop {
                    let (rows, more) = self.page(ties.clone(), MAX_LIMIT, cursor)?;
                    for row in rows {
                        if own.contains(&row.id) {
                            continue;
                        }
                        let by = self.known.shared(&asked_for, &row);
                        if by.is_empty() {
                            continue;
                        }
                        if !self.may_see(&row) {
                            found.not_shown.insert(row.id);
                            continue;
                        }
                        if let Some(met) = found.reached.get_mut(&row.id) {
                            if met.step == step {
                                met.by.extend(by);
                            }
                            continue;
                        }
                        // Reached by a digest alone, it leads on by everything but digests: a picture that is archived by
                        // itself must not relate everybody who ever attached it.
                        let by_digest = by.iter().all(|shared| shared.namespace == SHA256);
                        further.extend(self.leading(&row).filter(|held| !by_digest || held.namespace != SHA256));
                        found.reached.insert(row.id, Reached { row, by, step });
                    }
                    if found.reached.len() + found.not_shown.len() >= MAX_DOCUMENTS {
                        found.bounds.insert(Bound::Documents);
                        return Ok(found);
                    }
                    match more {
                        Some(more) => cursor = Some(more),
                        None => break,
                    }
                }
            }
            next = further;
        }
        if next.iter().any(|held| !asked.contains(held)) {
            found.bounds.insert(Bound::Rounds);
        }
        Ok(found)
    }

    fn leading(&self, row: &DocumentRow) -> impl Iterator<Item = Held> {
        self.known.held(row).into_iter().filter(|held| self.leading.contains(&held.namespace.as_str()))
    }

    /// Values with their ties, so many at a time as one question may hold.
    pub fn portions(&self, values: &[Held]) -> Vec<(Vec<Held>, Vec<Tie>)> {
        let mut portions: Vec<(Vec<Held>, Vec<Tie>)> = Vec::new();
        for held in values {
            let ties = self.known.ties(held);
            match portions.last_mut() {
                Some((values, known)) if known.len() + ties.len() <= MAX_TIES => {
                    values.push(held.clone());
                    known.extend(ties);
                }
                _ => portions.push((vec![held.clone()], ties)),
            }
        }
        portions.retain(|(_, ties)| !ties.is_empty());
        portions
    }
}
