//! Documents and deposits, in tantivy.
//!
//! Two fields are searched: `key` (a document's id, a deposit's receipt and replay keys) and `terms` (everything a document
//! is found by, encoded by `catalog::terms`); five columns hold its place in the order; `row` is the row itself with
//! a checksum. The commit's payload says how far the chain is in. Segment files carry their own checksums.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::ColumnValues;
use tantivy::query::{BooleanQuery, EmptyQuery, Occur, RangeQuery, TermQuery};
use tantivy::schema::{BytesOptions, Field, IndexRecordOption, NumericOptions, STORED, Schema, Value};
use tantivy::{
    DocAddress, DocId, DocSet, IndexReader, IndexWriter, ReloadPolicy, Score, SegmentReader, TERMINATED,
    TantivyDocument, Term,
};

use super::seal::{damaged, guarded, seal, unseal};
use crate::catalog::query::{self, Compiled};
use crate::catalog::terms::{self, FieldKind, Span};
use crate::catalog::{AsOf, DepositRow, DocumentRow, Order};
use crate::durable;
use crate::error::{Code, Error, Result};
use crate::id::{DocumentId, PackageRef, ReceiptId};

/// The least tantivy accepts for one thread; enough for a package, and idle it holds little of it.
const WRITER_BYTES: usize = 15_000_000;
/// Indexes up to this size are read whole, checksums and all, at open; larger ones when a check asks.
const VERIFY_AT_OPEN: u64 = 256 << 20;

const ROW: u8 = b'r';

/// The tantivy side of the embedded catalog.
pub struct Index {
    index: tantivy::Index,
    /// `None` after a failure that left it in an unknown state.
    writer: Mutex<Option<IndexWriter>>,
    reader: IndexReader,
    fields: Fields,
    as_of: RwLock<AsOf>,
    dir: PathBuf,
}

#[derive(Clone, Copy)]
struct Fields {
    key: Field,
    terms: Field,
    row: Field,
    columns: [Field; 5],
}

const COLUMNS: [&str; 5] = ["ms", "sequence", "lane", "id_high", "id_low"];

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let indexed = BytesOptions::default().set_indexed();
    let key = builder.add_bytes_field("key", indexed.clone());
    let terms = builder.add_bytes_field("terms", indexed);
    let row = builder.add_bytes_field("row", STORED);
    let columns = COLUMNS.map(|name| builder.add_u64_field(name, NumericOptions::default().set_fast()));
    (builder.build(), Fields { key, terms, row, columns })
}

fn engine(error: tantivy::TantivyError) -> Error {
    use tantivy::TantivyError as E;
    match error {
        E::LockFailure(..) => Error::new(Code::ArchiveLocked, "the catalog is open elsewhere").because(error),
        E::IoError(e) if matches!(e.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::PermissionDenied) => {
            Error::new(
                if e.kind() == std::io::ErrorKind::StorageFull { Code::DiskFull } else { Code::FilePermission },
                e.to_string(),
            )
            .at("catalog/search")
        }
        other => damaged(other.to_string()),
    }
}

fn document_key(id: DocumentId) -> Vec<u8> {
    [b"d", &id.0.as_bytes()[..]].concat()
}

fn receipt_key(id: ReceiptId) -> Vec<u8> {
    [b"r", &id.0.as_bytes()[..]].concat()
}

fn replay_key(key: &str) -> Vec<u8> {
    [b"p", &terms::keyword(key)[..]].concat()
}

/// The term every document has, whatever it is.
fn is_document() -> Vec<u8> {
    terms::term("@document", FieldKind::Keyword, b"")
}

fn filed_under(package: &PackageRef) -> Vec<u8> {
    terms::term("@package", FieldKind::Keyword, package.to_string().as_bytes())
}

impl Index {
    /// Opens (or makes) the index and verifies it as far as its size allows.
    pub fn open(dir: &Path) -> Result<Self> {
        durable::create_dir_all(dir)?;
        guarded(|| {
            let (schema, fields) = schema();
            let directory = tantivy::directory::MmapDirectory::open(dir).map_err(|e| engine(e.into()))?;
            let index = tantivy::Index::open_or_create(directory, schema).map_err(engine)?;
            if folder_bytes(dir) <= VERIFY_AT_OPEN {
                verify(&index, dir)?;
            }
            let as_of = match index.load_metas().map_err(engine)?.payload {
                Some(payload) => read_payload(&payload)?,
                None => AsOf::default(),
            };
            let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(engine)?;
            let writer = index.writer_with_num_threads(1, WRITER_BYTES).map_err(engine)?;
            Ok(Self {
                index,
                writer: Mutex::new(Some(writer)),
                reader,
                fields,
                as_of: RwLock::new(as_of),
                dir: dir.to_owned(),
            })
        })
    }

    /// Reads every file of the index against its checksum.
    pub fn verify(&self) -> Result<()> {
        guarded(|| verify(&self.index, &self.dir))
    }

    /// How far it is.
    pub fn as_of(&self) -> AsOf {
        self.as_of.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Documents and deposits in it.
    pub fn rows(&self) -> u64 {
        self.reader.searcher().num_docs()
    }

    /// Replaces documents and deposits; durable and visible on return.
    pub fn record(
        &self,
        package: &PackageRef,
        documents: &[DocumentRow],
        deposits: &[DepositRow],
        watermark: u64,
    ) -> Result<()> {
        let mut as_of = self.as_of();
        for deposit in deposits {
            let seen = as_of.sequences.entry(deposit.lane).or_insert(deposit.sequence);
            *seen = deposit.sequence.max(*seen);
        }
        as_of.watermark = as_of.watermark.max(watermark);
        self.commit(as_of, |writer| {
            for row in documents {
                let row = DocumentRow { package: Some(package.clone()), ..row.clone() };
                let key = document_key(row.id);
                writer.delete_term(self.key(&key));
                let mut made = self.stored(&key, &row, Order::of(&row))?;
                for term in query::of_document(&row).iter().chain([&is_document()]) {
                    made.add_bytes(self.fields.terms, term);
                }
                writer.add_document(made).map_err(engine)?;
            }
            for row in deposits {
                let key = receipt_key(row.receipt);
                writer.delete_term(self.key(&key));
                let order = Order::new(row.accepted_at, row.sequence, row.lane, row.receipt.0);
                let mut made = self.stored(&key, row, order)?;
                for replay in [&row.replay_key, &row.replay_fingerprint].into_iter().flatten() {
                    made.add_bytes(self.fields.key, &replay_key(replay));
                }
                writer.add_document(made).map_err(engine)?;
            }
            Ok(())
        })
    }

    /// Lets the documents filed under a package go; durable and visible on return.
    pub fn remove_filed(&self, package: &PackageRef, watermark: u64) -> Result<()> {
        let mut as_of = self.as_of();
        as_of.watermark = as_of.watermark.max(watermark);
        self.commit(as_of, |writer| {
            writer.delete_term(Term::from_field_bytes(self.fields.terms, &filed_under(package)));
            Ok(())
        })
    }

    /// Forgets everything.
    pub fn clear(&self) -> Result<()> {
        self.commit(AsOf::default(), |writer| writer.delete_all_documents().map(|_| ()).map_err(engine))
    }

    fn stored<R: Serialize>(&self, key: &[u8], row: &R, order: Order) -> Result<TantivyDocument> {
        let json = serde_json::to_vec(row).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
        let mut made = TantivyDocument::default();
        made.add_bytes(self.fields.key, key);
        made.add_bytes(self.fields.row, &seal(ROW, key, &json));
        let values = [order.ms, order.sequence, order.lane, (order.id >> 64) as u64, order.id as u64];
        for (column, value) in self.fields.columns.into_iter().zip(values) {
            made.add_u64(column, value);
        }
        Ok(made)
    }

    fn commit(&self, as_of: AsOf, work: impl FnOnce(&mut IndexWriter) -> Result<()>) -> Result<()> {
        let payload = write_payload(&as_of)?;
        let mut slot = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out first: after a panic or an error its state is unknown, and the next call must not use it.
        let mut writer = slot.take().ok_or_else(|| damaged("the index gave up earlier"))?;
        let done = guarded(|| {
            work(&mut writer)?;
            let mut prepared = writer.prepare_commit().map_err(engine)?;
            prepared.set_payload(&payload);
            prepared.commit().map_err(engine)?;
            self.reader.reload().map_err(engine)
        });
        match done {
            Ok(()) => {
                *slot = Some(writer);
                *self.as_of.write().unwrap_or_else(PoisonError::into_inner) = as_of;
                Ok(())
            }
            Err(error) => {
                // Back to the last commit when it can; a writer that cannot is gone until the next open.
                *slot = guarded(|| writer.rollback().map_err(engine).map(|_| writer)).ok();
                Err(error)
            }
        }
    }

    /// The document with this id.
    pub fn locate(&self, id: DocumentId) -> Result<Option<DocumentRow>> {
        self.unique(&document_key(id))
    }

    /// The deposit with this receipt.
    pub fn receipt(&self, receipt: ReceiptId) -> Result<Option<DepositRow>> {
        self.unique(&receipt_key(receipt))
    }

    /// The latest deposit with this replay key or fingerprint.
    pub fn replay(&self, key: &str) -> Result<Option<ReceiptId>> {
        guarded(|| {
            let (searcher, term) = (self.reader.searcher(), self.key(&replay_key(key)));
            // Asked for every deposit and nearly always in vain: the dictionaries alone answer then, no column is opened.
            if searcher.doc_freq(&term).map_err(engine)? == 0 {
                return Ok(None);
            }
            let query = TermQuery::new(term, IndexRecordOption::Basic);
            let hits = searcher.search(&query, &Newest::all(1)).map_err(engine)?;
            Ok(hits.first().map(|(order, _)| ReceiptId(uuid::Uuid::from_u128(order.id))))
        })
    }

    /// Ids filed under a package, ascending.
    pub fn documents_of(&self, package: &PackageRef) -> Result<Vec<DocumentId>> {
        guarded(|| {
            let term = Term::from_field_bytes(self.fields.terms, &filed_under(package));
            let query = TermQuery::new(term, IndexRecordOption::Basic);
            let hits = self.reader.searcher().search(&query, &Newest::all(usize::MAX)).map_err(engine)?;
            let mut ids: Vec<_> =
                hits.into_iter().map(|(order, _)| DocumentId(uuid::Uuid::from_u128(order.id))).collect();
            ids.sort();
            Ok(ids)
        })
    }

    /// Rows that answer, newest first, at most one more than the limit.
    pub fn search(&self, compiled: &Compiled) -> Result<Vec<DocumentRow>> {
        guarded(|| {
            let mut clauses: Vec<Box<dyn tantivy::query::Query>> = compiled
                .clauses
                .iter()
                .map(|clause| any(clause.iter().map(|spans| self.all_of(spans)).collect()))
                .collect();
            if clauses.is_empty() {
                clauses.push(self.span(&Span::exact(is_document())));
            }
            let newest =
                Newest { keep: compiled.limit + 1, from: compiled.from, to: compiled.to, before: compiled.before };
            let searcher = self.reader.searcher();
            let hits = searcher.search(&all(clauses), &newest).map_err(engine)?;
            hits.into_iter().map(|(_, address)| self.row(&searcher, address)).collect()
        })
    }

    /// The one living row with this key: a walk of its postings, which opens no column.
    fn unique<R: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<R>> {
        guarded(|| {
            let searcher = self.reader.searcher();
            let term = self.key(key);
            for (segment, reader) in searcher.segment_readers().iter().enumerate() {
                let inverted = reader.inverted_index(self.fields.key).map_err(engine)?;
                let postings = inverted.read_postings(&term, IndexRecordOption::Basic).map_err(|e| engine(e.into()))?;
                let Some(mut postings) = postings else { continue };
                while postings.doc() != TERMINATED {
                    if !reader.is_deleted(postings.doc()) {
                        return self.row(&searcher, DocAddress::new(segment as u32, postings.doc())).map(Some);
                    }
                    postings.advance();
                }
            }
            Ok(None)
        })
    }

    fn key(&self, key: &[u8]) -> Term {
        Term::from_field_bytes(self.fields.key, key)
    }

    fn row<R: DeserializeOwned>(&self, searcher: &tantivy::Searcher, address: DocAddress) -> Result<R> {
        let stored: TantivyDocument = searcher.doc(address).map_err(engine)?;
        let sealed = stored.get_first(self.fields.row).and_then(|value| value.as_bytes().map(<[u8]>::to_vec));
        let sealed = sealed.ok_or_else(|| damaged("a row is missing"))?;
        // The key is not stored beside the row; the row's own id makes it again.
        let json = sealed.get(super::seal::SUM..).unwrap_or_default();
        let key = key_in(json).ok_or_else(|| damaged("a row without id"))?;
        serde_json::from_slice(unseal(ROW, &key, &sealed)?).map_err(|e| damaged(format!("unreadable row: {e}")))
    }

    fn all_of(&self, spans: &[Span]) -> Box<dyn tantivy::query::Query> {
        all(spans.iter().map(|span| self.span(span)).collect())
    }

    fn span(&self, span: &Span) -> Box<dyn tantivy::query::Query> {
        if !span.possible() {
            return Box::new(EmptyQuery);
        }
        let term = |bytes: &[u8]| Term::from_field_bytes(self.fields.terms, bytes);
        if let Some(exact) = span.single() {
            return Box::new(TermQuery::new(term(exact), IndexRecordOption::Basic));
        }
        let bound = |bound: &Bound<Vec<u8>>| bound.as_ref().map(|bytes| term(bytes));
        Box::new(RangeQuery::new(bound(&span.from), bound(&span.to)))
    }
}

/// The key of a stored row, from its own id.
fn key_in(json: &[u8]) -> Option<Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct Ids {
        id: Option<DocumentId>,
        receipt: ReceiptId,
    }
    let ids: Ids = serde_json::from_slice(json).ok()?;
    Some(ids.id.map_or_else(|| receipt_key(ids.receipt), document_key))
}

fn all(mut queries: Vec<Box<dyn tantivy::query::Query>>) -> Box<dyn tantivy::query::Query> {
    if queries.len() == 1 { queries.remove(0) } else { Box::new(BooleanQuery::intersection(queries)) }
}

fn any(mut queries: Vec<Box<dyn tantivy::query::Query>>) -> Box<dyn tantivy::query::Query> {
    if queries.len() == 1 {
        return queries.remove(0);
    }
    Box::new(BooleanQuery::new(queries.into_iter().map(|query| (Occur::Should, query)).collect()))
}

fn verify(index: &tantivy::Index, dir: &Path) -> Result<()> {
    // tantivy checks only files in its list of managed ones; a segment that is not in that list would pass unread.
    let managed = index.directory().list_managed_files();
    let segments = index.load_metas().map_err(engine)?.list_segment_files();
    let mut files = segments.iter();
    if let Some(path) = files.find(|path| dir.join(path).exists() && !managed.contains(*path)) {
        return Err(damaged("a file of the index is not in its list").at(path.display()));
    }
    let bad = index.validate_checksum().map_err(engine)?;
    match bad.iter().next() {
        Some(path) => Err(damaged("a file of the index does not match its checksum").at(path.display())),
        None => Ok(()),
    }
}

fn folder_bytes(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}

fn write_payload(as_of: &AsOf) -> Result<String> {
    let json = serde_json::to_vec(as_of).map_err(|e| Error::new(Code::Internal, e.to_string()))?;
    Ok(hex::encode(seal(b'w', b"payload", &json)))
}

fn read_payload(text: &str) -> Result<AsOf> {
    let sealed = hex::decode(text).map_err(|_| damaged("unreadable payload"))?;
    serde_json::from_slice(unseal(b'w', b"payload", &sealed)?).map_err(|e| damaged(format!("unreadable payload: {e}")))
}

/// Collects the newest matches behind a place in the order, reading only the columns.
struct Newest {
    keep: usize,
    from: u64,
    to: u64,
    before: Option<Order>,
}

impl Newest {
    fn all(keep: usize) -> Self {
        Self { keep, from: 0, to: u64::MAX, before: None }
    }
}

type Hit = (Order, DocAddress);

struct NewestOfSegment {
    columns: [Arc<dyn ColumnValues<u64>>; 5],
    segment: u32,
    keep: usize,
    from: u64,
    to: u64,
    before: Option<Order>,
    found: BinaryHeap<Reverse<(Order, DocId)>>,
}

impl SegmentCollector for NewestOfSegment {
    type Fruit = Vec<Hit>;

    fn collect(&mut self, doc: DocId, _: Score) {
        let [ms, sequence, lane, high, low] = &self.columns;
        let ms = ms.get_val(doc);
        let full = self.found.len() >= self.keep;
        let too_old = full && self.found.peek().is_some_and(|Reverse((oldest, _))| ms < oldest.ms);
        if too_old || ms < self.from || ms >= self.to || self.before.is_some_and(|before| ms > before.ms) {
            return;
        }
        let id = (u128::from(high.get_val(doc)) << 64) | u128::from(low.get_val(doc));
        let order = Order { ms, sequence: sequence.get_val(doc), lane: lane.get_val(doc), id };
        if self.before.is_some_and(|before| order >= before) {
            return;
        }
        self.found.push(Reverse((order, doc)));
        if self.found.len() > self.keep {
            self.found.pop();
        }
    }

    fn harvest(self) -> Vec<Hit> {
        let segment = self.segment;
        self.found.into_iter().map(|Reverse((order, doc))| (order, DocAddress::new(segment, doc))).collect()
    }
}

impl Collector for Newest {
    type Fruit = Vec<Hit>;
    type Child = NewestOfSegment;

    fn for_segment(&self, segment: u32, reader: &SegmentReader) -> tantivy::Result<NewestOfSegment> {
        let column =
            |name: &str| Ok::<_, tantivy::TantivyError>(reader.fast_fields().u64(name)?.first_or_default_col(0));
        let [a, b, c, d, e] = COLUMNS;
        Ok(NewestOfSegment {
            columns: [column(a)?, column(b)?, column(c)?, column(d)?, column(e)?],
            segment,
            keep: self.keep,
            from: self.from,
            to: self.to,
            before: self.before,
            found: BinaryHeap::new(),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<Vec<Hit>>) -> tantivy::Result<Vec<Hit>> {
        let mut hits: Vec<_> = segments.into_iter().flatten().collect();
        hits.sort_by(|a, b| b.cmp(a));
        hits.truncate(self.keep);
        Ok(hits)
    }
}
