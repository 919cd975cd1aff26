//! The watch over conversations: which sent messages lack a receipt that is past its time (`reference/pec` section 8).
//!
//! A month of a large archive is a million messages, so they are walked hour by hour of their certified instants, from the index
//! alone; no package is opened. Of every conversation that was met only a hash is kept (16 bytes each, some 5 MB for that month), and
//! one that was found whole is not put together again by the next walk: that costs what is new, and reading rows. [`AT_ONCE`]
//! conversations are put together at a time, and of what is incomplete at most [`MOST`] are listed, the others counted. Invariants:
//! what is listed holds document ids and counts, never a metadata value; a walk that was made is kept for [`KEPT`], and whatever it
//! lists is looked at again each time it is asked for, so an alarm goes as soon as the receipt comes; only what has its acceptance,
//! which names everybody, is ever taken for whole.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use super::closure::{Asking, Bound, OF_CONVERSATION};
use super::rows;
use super::ties::Known;
use crate::archive::Archive;
use crate::archive::state::unpoisoned;
use crate::catalog::{Criterion, DocumentRow, MAX_LIMIT, Op, Query, merged};
use crate::clock::iso_ms;
use crate::document::conversation::{self, Conversation, Delivery, Kind, Message, Recipient, Transmission};
use crate::document::reader::ReaderKind;
use crate::error::Result;
use crate::id::{ClassId, DocumentId};

/// Conversations put together at a time: their messages are in memory, and one question asks for all of them.
const AT_ONCE: usize = 64;
/// Incomplete conversations that are listed. Where there are more, something is wrong with a mailbox and not with messages.
pub(in crate::archive) const MOST: usize = 1_000;
/// How long a walk is good for: what becomes missing meanwhile is an alarm at most so much later.
const KEPT: SignedDuration = SignedDuration::from_hours(1);
/// The walk goes by slices of certified time, so that no page of it costs more than what is in the slice.
const SLICE: SignedDuration = SignedDuration::from_hours(1);

/// A conversation that lacks something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::archive) struct Incomplete {
    /// The acceptance, else the earliest message that is held.
    pub document: DocumentId,
    /// Since when.
    pub since: Timestamp,
    /// Whether the acceptance is among what is missing.
    pub acceptance: bool,
    /// Recipients without an outcome.
    pub outcomes: usize,
    /// Larger than what is looked at at once: some of it may be there.
    pub in_part: bool,
}

/// What a walk found.
#[derive(Debug, Clone, Default)]
pub(in crate::archive) struct Found {
    /// The first of them by age.
    pub incomplete: Vec<Incomplete>,
    /// How many more there are.
    pub more: usize,
}

/// The last walk, and the conversations that it found whole.
#[derive(Default)]
pub(in crate::archive) struct Watch(Mutex<Option<(Timestamp, Arc<Found>)>>, Mutex<Whole>);

/// Conversations that lack nothing, by hashes that nobody outside can foresee.
#[derive(Default)]
struct Whole {
    hasher: RandomState,
    keys: HashSet<u64>,
}

impl Archive {
    /// Incomplete conversations as of now: those of the last walk that still are, or of a new walk when that is too old.
    pub(in crate::archive) fn incomplete_conversations(&self, now: Timestamp) -> Result<Found> {
        let known = unpoisoned(self.watch.0.lock()).clone();
        match known {
            Some((at, found)) if now.duration_since(at).abs() < KEPT => self.still_incomplete(&found, now),
            _ => self.walk_conversations(now).map(|found| found.as_ref().clone()),
        }
    }

    /// Whether the last walk is too old to answer with: the background makes a new one before anybody waits for it.
    pub(in crate::archive) fn watch_is_due(&self, now: Timestamp) -> bool {
        let half = KEPT / 2;
        unpoisoned(self.watch.0.lock()).as_ref().is_none_or(|(at, _)| now.duration_since(*at).abs() >= half)
    }

    /// Walks over everything that was sent in the time looked back to.
    pub(in crate::archive) fn walk_conversations(&self, now: Timestamp) -> Result<Arc<Found>> {
        let known = self.known_links();
        let terms = self.terms();
        let from = self.looked_back_to(now);
        let mut until = now.checked_sub(terms.missing_after).unwrap_or(now);
        // One walk at a time: a second one waits, and then has nothing to put together.
        let mut whole = unpoisoned(self.watch.1.lock());
        let mut walk = Walk::new(self, &known, now, from, std::mem::take(&mut *whole));
        let mut incomplete: BTreeMap<DocumentId, Incomplete> = BTreeMap::new();
        let mut batch = Vec::new();
        while until > from {
            let start = until.checked_sub(SLICE).unwrap_or(from).max(from);
            for class in self.message_classes() {
                walk.slice(&class, start, until, &mut batch, &mut incomplete)?;
            }
            until = start;
        }
        walk.judge(&mut batch, &mut incomplete)?;
        metrics::counter!("custode_conversations_watched_total").increment(walk.judged as u64);
        *whole = Whole { hasher: walk.known_whole.hasher, keys: walk.whole };
        drop(whole);
        let mut all: Vec<Incomplete> = incomplete.into_values().collect();
        all.sort_by_key(|one| (one.since, one.document));
        let more = all.len().saturating_sub(MOST);
        all.truncate(MOST);
        let found = Arc::new(Found { incomplete: all, more });
        *unpoisoned(self.watch.0.lock()) = Some((now, Arc::clone(&found)));
        Ok(found)
    }

    /// What of these is still incomplete.
    fn still_incomplete(&self, found: &Found, now: Timestamp) -> Result<Found> {
        let known = self.known_links();
        let from = self.looked_back_to(now);
        let mut walk = Walk::new(self, &known, now, from, Whole::default());
        let mut incomplete = BTreeMap::new();
        for part in found.incomplete.chunks(AT_ONCE) {
            let rows = part.iter().filter_map(|one| merged::locate(&self.catalogs(), one.document).transpose());
            let mut batch = rows.collect::<Result<Vec<_>>>()?;
            walk.judge(&mut batch, &mut incomplete)?;
        }
        let mut all: Vec<Incomplete> = incomplete.into_values().collect();
        all.sort_by_key(|one| (one.since, one.document));
        Ok(Found { incomplete: all, more: found.more })
    }

    fn looked_back_to(&self, now: Timestamp) -> Timestamp {
        now.checked_sub(self.config.conversations.look_back.signed()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The classes whose documents are PEC messages.
    fn message_classes(&self) -> Vec<ClassId> {
        let classes = unpoisoned(self.classes.read());
        let mut found: Vec<ClassId> =
            classes.iter().filter(|class| class.reader == ReaderKind::Pec).map(|class| class.id.clone()).collect();
        found.dedup();
        found
    }
}

struct Walk<'a> {
    archive: &'a Archive,
    known: &'a Known,
    now: Timestamp,
    /// What was sent before is not looked at, even when what a client sent again leads there.
    from: Timestamp,
    seen: HashSet<u64>,
    /// Found whole by the walk before.
    known_whole: Whole,
    /// Found whole by this walk, or known to be and met again: what is older than the time looked back to is forgotten.
    whole: HashSet<u64>,
    /// How many rows were put together with what they lead to.
    judged: usize,
}

impl<'a> Walk<'a> {
    fn new(archive: &'a Archive, known: &'a Known, now: Timestamp, from: Timestamp, known_whole: Whole) -> Self {
        Self { archive, known, now, from, seen: HashSet::new(), known_whole, whole: HashSet::new(), judged: 0 }
    }

    /// The messages of an hour; those of conversations not met before are looked at.
    fn slice(
        &mut self,
        class: &ClassId,
        from: Timestamp,
        until: Timestamp,
        batch: &mut Vec<DocumentRow>,
        incomplete: &mut BTreeMap<DocumentId, Incomplete>,
    ) -> Result<()> {
        let bound = |op, at: Timestamp| Criterion { field: "instant".to_owned(), op, value: iso_ms(at) };
        let mut query = Query {
            class: Some(class.clone()),
            criteria: vec![bound(Op::Ge, from), bound(Op::Le, until)],
            limit: MAX_LIMIT,
            ..Query::default()
        };
        loop {
            let page = merged::search(&self.archive.catalogs(), &query)?;
            for row in page.rows {
                let Some(message) = rows::message(self.known, &row) else { continue };
                if message.tells_of_sending() && self.is_new(&message) {
                    batch.push(row);
                }
                if batch.len() >= AT_ONCE {
                    self.judge(batch, incomplete)?;
                }
            }
            match page.cursor {
                Some(cursor) => query.cursor = Some(cursor),
                None => return Ok(()),
            }
        }
    }

    fn is_new(&mut self, message: &Message) -> bool {
        let Some(key) = self.key(message) else { return false };
        if !self.seen.insert(key) {
            return false;
        }
        let whole = self.known_whole.keys.contains(&key);
        if whole {
            self.whole.insert(key);
        }
        !whole
    }

    fn key(&self, message: &Message) -> Option<u64> {
        let key = message.identifier.as_deref().or(message.msgids.first().map(String::as_str))?;
        Some(self.known_whole.hasher.hash_one(key.to_lowercase()))
    }

    /// Puts together the conversations that these rows are of, and lets the rows go.
    fn judge(&mut self, batch: &mut Vec<DocumentRow>, incomplete: &mut BTreeMap<DocumentId, Incomplete>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let catalogs = self.archive.catalogs();
        let asking = Asking { catalogs, known: self.known, actor: None, leading: &OF_CONVERSATION };
        let whole = asking.closure(batch)?;
        if !whole.bounds.is_empty() && batch.len() > 1 {
            // Too much at once: one at a time, each with all the room there is.
            for row in batch.drain(..) {
                self.judge(&mut vec![row], incomplete)?;
            }
            return Ok(());
        }
        let all = batch.iter().chain(whole.reached.values().map(|reached| &reached.row));
        let messages: Vec<Message> = all.filter_map(|row| rows::message(self.known, row)).collect();
        let in_part = whole.bounds.contains(&Bound::Documents) || whole.bounds.contains(&Bound::Values);
        let conversation = conversation::judge(&messages, self.archive.terms(), self.now);
        self.judged += batch.len();
        if !in_part {
            self.remember_whole(batch, &conversation);
        }
        for one in conversation.transactions {
            let Some(since) = one.overdue_since.filter(|_| one.started_at >= Some(self.from)) else { continue };
            let acceptance = one.messages.iter().find(|placed| placed.kind == Kind::Acceptance);
            let Some(placed) = acceptance.or(one.messages.first()) else { continue };
            let outcomes = one.recipients.iter().filter(|recipient| recipient.state == Delivery::Missing).count();
            let found = Incomplete {
                document: placed.document,
                since,
                acceptance: one.state == Transmission::AcceptanceMissing,
                outcomes,
                in_part,
            };
            incomplete.insert(found.document, found);
        }
        batch.clear();
        Ok(())
    }

    /// Remembers of which of these rows every transmission has its acceptance and lacks nothing.
    fn remember_whole(&mut self, batch: &[DocumentRow], conversation: &Conversation) {
        let mut lacking: HashSet<DocumentId> = HashSet::new();
        let mut met: HashSet<DocumentId> = HashSet::new();
        for one in &conversation.transactions {
            let accepted = matches!(one.state, Transmission::Accepted | Transmission::NotAccepted);
            let open = |recipient: &Recipient| {
                matches!(recipient.state, Delivery::Missing | Delivery::Accepted | Delivery::Late | Delivery::Unknown)
            };
            let whole = accepted && one.overdue_since.is_none() && !one.recipients.iter().any(open);
            let into = if whole { &mut met } else { &mut lacking };
            into.extend(one.messages.iter().map(|placed| placed.document));
        }
        for row in batch.iter().filter(|row| met.contains(&row.id) && !lacking.contains(&row.id)) {
            let key = rows::message(self.known, row).and_then(|message| self.key(&message));
            self.whole.extend(key);
        }
    }
}
