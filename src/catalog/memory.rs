//! The catalog in memory: the index of what is accepted and not yet sealed, and the model the embedded one is held to.
//!
//! Invariant: what was inserted is found at once (read-your-writes); it is filled again from the journal at start, so
//! nothing here needs to survive. "Durable on return" means nothing for it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::query::{self, Compiled};
use super::terms::Span;
use super::*;

/// The pseudo-fields of a document's own digest and identifier.
const SHA256: &str = "@sha256";
const ID: &str = "@id";

/// Who has a value that ties: nearly always one, and there may be a million of them, so the other case is a pointer.
#[allow(clippy::box_collection)]
enum Who {
    One(DocumentId),
    Many(Box<HashSet<DocumentId>>),
}

/// The first eight bytes of a digest are hash enough, and no producer can choose them so that buckets overflow.
#[derive(Default)]
struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

fn hashed(term: &[u8]) -> u64 {
    let digest = crate::hash::Blake3::of(term).0;
    u64::from_be_bytes([digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7]])
}

/// A catalog that lives as long as the process.
#[derive(Default)]
pub struct Memory(RwLock<Inner>);

#[derive(Default)]
struct Inner {
    documents: BTreeMap<Reverse<Order>, Entry>,
    /// Fields by which documents are tied together, and who has which value of them: these are asked for at every look at a
    /// document, and a walk over everything would make each cost as much as there is.
    tying: HashSet<String>,
    tied: HashMap<u64, Who, BuildHasherDefault<Taken>>,
    orders: HashMap<DocumentId, Order>,
    filed: BTreeMap<PackageRef, BTreeSet<DocumentId>>,
    deposits: HashMap<ReceiptId, DepositRow>,
    replays: HashMap<String, BTreeSet<(Order, ReceiptId)>>,
    packages: BTreeMap<PackageRef, PackageRow>,
    state: BTreeMap<(String, Vec<u8>), Vec<u8>>,
    as_of: AsOf,
}

struct Entry {
    row: DocumentRow,
    /// Ascending, so that a span is a binary search.
    terms: Vec<Vec<u8>>,
}

impl Entry {
    fn has(&self, span: &Span) -> bool {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let start = match &span.from {
            Included(from) => self.terms.partition_point(|term| term < from),
            Excluded(from) => self.terms.partition_point(|term| term <= from),
            Unbounded => 0,
        };
        self.terms.get(start).is_some_and(|term| match &span.to {
            Included(to) => term <= to,
            Excluded(to) => term < to,
            Unbounded => true,
        })
    }

    fn matches(&self, compiled: &Compiled) -> bool {
        compiled.clauses.iter().all(|clause| clause.iter().any(|spans| spans.iter().all(|span| self.has(span))))
    }
}

impl Inner {
    fn insert(&mut self, row: DocumentRow) {
        self.remove(row.id);
        let order = Order::of(&row);
        if let Some(package) = &row.package {
            self.filed.entry(package.clone()).or_default().insert(row.id);
        }
        self.orders.insert(row.id, order);
        for tie in self.ties_of(&row) {
            self.tie(tie, row.id);
        }
        let terms = query::of_document(&row);
        self.documents.insert(Reverse(order), Entry { row, terms });
    }

    fn remove(&mut self, id: DocumentId) -> Option<DocumentRow> {
        let order = self.orders.remove(&id)?;
        let row = self.documents.remove(&Reverse(order))?.row;
        for tie in self.ties_of(&row) {
            match self.tied.get_mut(&tie) {
                Some(Who::One(one)) if *one == id => drop(self.tied.remove(&tie)),
                Some(Who::Many(many)) => {
                    many.remove(&id);
                    if many.is_empty() {
                        self.tied.remove(&tie);
                    }
                }
                Some(Who::One(_)) | None => {}
            }
        }
        if let Some(package) = &row.package
            && let Some(filed) = self.filed.get_mut(package)
        {
            filed.remove(&id);
            if filed.is_empty() {
                self.filed.remove(package);
            }
        }
        Some(row)
    }

    /// What a document can be tied by, hashed.
    fn ties_of(&self, row: &DocumentRow) -> Vec<u64> {
        let hashed = |field: &str, text: &str| hashed(&terms::term(field, FieldKind::Keyword, &terms::keyword(text)));
        let mut found: Vec<_> = row
            .fields
            .iter()
            .filter(|indexed| self.tying.contains(&indexed.name))
            .filter_map(|indexed| match &indexed.value {
                Value::Keyword(text) => Some(hashed(&indexed.name, text)),
                _ => None,
            })
            .collect();
        found.push(hashed(SHA256, &row.sha256.to_string()));
        found.sort_unstable();
        found.dedup();
        found
    }

    fn tie(&mut self, tie: u64, id: DocumentId) {
        match self.tied.get_mut(&tie) {
            None => drop(self.tied.insert(tie, Who::One(id))),
            Some(Who::Many(many)) => drop(many.insert(id)),
            Some(who @ Who::One(_)) => {
                let Who::One(first) = *who else { return };
                *who = Who::Many(Box::new([first, id].into()));
            }
        }
    }

    /// The documents that a query with ties has to look at, when every tie is of a field that is indexed. Too many rather
    /// than too few: each is looked at again.
    fn candidates(&self, query: &Query, compiled: &Compiled) -> Option<BTreeSet<Reverse<Order>>> {
        let known = |tie: &Tie| [SHA256, ID].contains(&tie.field.as_str()) || self.tying.contains(&tie.field);
        if query.ties.is_empty() || !query.ties.iter().all(known) {
            return None;
        }
        let mut found = BTreeSet::new();
        let mut add = |id: &DocumentId| found.extend(self.orders.get(id).map(|order| Reverse(*order)));
        for (tie, term) in query.ties.iter().zip(&compiled.ties) {
            match self.tied.get(&hashed(term)) {
                _ if tie.field == ID => drop(tie.value.trim().parse().map(|id| add(&id))),
                Some(Who::One(one)) => add(one),
                Some(Who::Many(many)) => many.iter().for_each(&mut add),
                None => {}
            }
        }
        Some(found)
    }

    fn insert_deposit(&mut self, deposit: &DepositRow) {
        self.remove_deposit(deposit.receipt);
        let seen = self.as_of.sequences.entry(deposit.lane).or_insert(deposit.sequence);
        *seen = deposit.sequence.max(*seen);
        let order = Order::new(deposit.accepted_at, deposit.sequence, deposit.lane, deposit.receipt.0);
        for key in [&deposit.replay_key, &deposit.replay_fingerprint].into_iter().flatten() {
            self.replays.entry(key.clone()).or_default().insert((order, deposit.receipt));
        }
        self.deposits.insert(deposit.receipt, deposit.clone());
    }

    fn remove_deposit(&mut self, receipt: ReceiptId) {
        let Some(deposit) = self.deposits.remove(&receipt) else { return };
        for key in [&deposit.replay_key, &deposit.replay_fingerprint].into_iter().flatten() {
            if let Some(receipts) = self.replays.get_mut(key) {
                receipts.retain(|(_, other)| *other != receipt);
                if receipts.is_empty() {
                    self.replays.remove(key);
                }
            }
        }
    }
}

impl Memory {
    /// Nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says which fields tie documents together; look-ups by them are quick from here on.
    pub fn tie_by(&self, fields: impl IntoIterator<Item = String>) {
        let mut inner = self.write();
        inner.tying = fields.into_iter().collect();
        inner.tied.clear();
        let all: Vec<_> = inner.documents.values().map(|entry| (entry.row.id, inner.ties_of(&entry.row))).collect();
        for (id, ties) in all {
            ties.into_iter().for_each(|tie| inner.tie(tie, id));
        }
    }

    /// Takes a deposit that was accepted; its rows' `package` is `None`. At once visible.
    pub fn insert(&self, deposit: &DepositRow, documents: &[DocumentRow]) {
        let mut inner = self.write();
        inner.insert_deposit(deposit);
        for row in documents {
            inner.insert(row.clone());
        }
    }

    /// Lets go of documents: call it *after* the lasting catalog has recorded their package, so that at every moment one
    /// of the two has them. A deposit goes with its last document.
    pub fn remove(&self, documents: &[DocumentId]) {
        let mut inner = self.write();
        for id in documents {
            let Some(row) = inner.remove(*id) else { continue };
            let done = match inner.deposits.get(&row.receipt) {
                Some(deposit) => !deposit.documents.iter().any(|id| inner.orders.contains_key(id)),
                None => false,
            };
            if done {
                inner.remove_deposit(row.receipt);
            }
        }
    }

    /// Looks at a document's row where it is; nothing else may be asked of this catalog meanwhile.
    pub fn with<T>(&self, id: DocumentId, look: impl FnOnce(&DocumentRow) -> T) -> Option<T> {
        let inner = self.read();
        let order = inner.orders.get(&id)?;
        inner.documents.get(&Reverse(*order)).map(|entry| look(&entry.row))
    }

    /// How many documents are in.
    pub fn len(&self) -> usize {
        self.read().documents.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    // A panic while the lock was held is a bug elsewhere; the maps are whole enough to answer, and are a projection.
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Catalog for Memory {
    fn record_sealed(
        &self,
        package: &PackageRow,
        documents: &[DocumentRow],
        deposits: &[DepositRow],
        watermark: u64,
    ) -> Result<()> {
        let mut inner = self.write();
        inner.packages.insert(package.package.clone(), package.clone());
        for deposit in deposits {
            inner.insert_deposit(deposit);
        }
        for row in documents {
            inner.insert(DocumentRow { package: Some(package.package.clone()), ..row.clone() });
        }
        inner.as_of.watermark = inner.as_of.watermark.max(watermark);
        Ok(())
    }

    fn record_package(&self, package: &PackageRow, watermark: u64) -> Result<()> {
        let mut inner = self.write();
        if package.state != PackageState::Sealed {
            for id in inner.filed.remove(&package.package).unwrap_or_default() {
                inner.remove(id);
            }
        }
        inner.packages.insert(package.package.clone(), package.clone());
        inner.as_of.watermark = inner.as_of.watermark.max(watermark);
        Ok(())
    }

    fn advance(&self, watermark: u64) -> Result<()> {
        let mut inner = self.write();
        inner.as_of.watermark = inner.as_of.watermark.max(watermark);
        Ok(())
    }

    fn watermark(&self) -> Result<u64> {
        Ok(self.read().as_of.watermark)
    }

    fn clear(&self) -> Result<()> {
        let mut inner = self.write();
        *inner = Inner { tying: std::mem::take(&mut inner.tying), ..Inner::default() };
        Ok(())
    }

    fn locate(&self, id: DocumentId) -> Result<Option<DocumentRow>> {
        let inner = self.read();
        Ok(inner.orders.get(&id).and_then(|order| inner.documents.get(&Reverse(*order))).map(|entry| entry.row.clone()))
    }

    fn receipt(&self, receipt: ReceiptId) -> Result<Option<DepositRow>> {
        Ok(self.read().deposits.get(&receipt).cloned())
    }

    fn replay(&self, key: &str) -> Result<Option<ReceiptId>> {
        Ok(self.read().replays.get(key).and_then(|found| found.last()).map(|(_, receipt)| *receipt))
    }

    fn documents_of(&self, package: &PackageRef) -> Result<Vec<DocumentId>> {
        Ok(self.read().filed.get(package).map(|ids| ids.iter().copied().collect()).unwrap_or_default())
    }

    fn package(&self, package: &PackageRef) -> Result<Option<PackageRow>> {
        Ok(self.read().packages.get(package).cloned())
    }

    fn last_package(&self, series: &SeriesId) -> Result<Option<PackageRow>> {
        let number = |number| PackageRef { series: series.clone(), number };
        Ok(self.read().packages.range(number(0)..=number(u64::MAX)).next_back().map(|(_, row)| row.clone()))
    }

    fn packages(&self, series: Option<&SeriesId>) -> Result<Vec<PackageRow>> {
        let inner = self.read();
        Ok(inner.packages.values().filter(|row| series.is_none_or(|s| row.series() == s)).cloned().collect())
    }

    fn search(&self, query: &Query) -> Result<Page> {
        use std::ops::Bound::{Excluded, Unbounded};
        let compiled = query.compile()?;
        let inner = self.read();
        let start = compiled.before.map_or(Unbounded, |order| Excluded(Reverse(order)));
        let answers =
            |(Reverse(order), entry): &(&Reverse<Order>, &Entry)| compiled.admits(order) && entry.matches(&compiled);
        let most = compiled.limit + 1;
        let mut rows: Vec<_> = match inner.candidates(query, &compiled) {
            Some(candidates) => candidates
                .iter()
                .filter_map(|order| inner.documents.get_key_value(order))
                .filter(answers)
                .take(most)
                .map(|(_, entry)| entry.row.clone())
                .collect(),
            None => {
                let range = inner.documents.range((start, Unbounded));
                range.filter(answers).take(most).map(|(_, entry)| entry.row.clone()).collect()
            }
        };
        let more = rows.len() > compiled.limit;
        rows.truncate(compiled.limit);
        let cursor = rows.last().filter(|_| more).map(|row| Order::of(row).cursor());
        Ok(Page { rows, cursor, as_of: inner.as_of.clone() })
    }

    fn state_apply(&self, changes: &[Change]) -> Result<()> {
        super::check_changes(changes)?;
        let mut inner = self.write();
        for Change { tree, key, value } in changes {
            let key = (tree.clone(), key.clone());
            match value {
                Some(value) => inner.state.insert(key, value.clone()),
                None => inner.state.remove(&key),
            };
        }
        Ok(())
    }

    fn state_get(&self, tree: &str, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.read().state.get(&(tree.to_owned(), key.to_vec())).cloned())
    }

    fn state_iter(&self, tree: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let inner = self.read();
        let from = (tree.to_owned(), Vec::new());
        let found = inner.state.range(from..).take_while(|((name, _), _)| name == tree);
        Ok(found.map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }
}
