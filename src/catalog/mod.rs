//! The catalog: where a document is, and which documents answer a question.
//!
//! Invariant (architecture, I2): the catalog is a projection. Everything in it is made again from packages, chain and
//! journal; it may be deleted at any time; a catalog that is damaged or behind says so at open. Nothing true lives only
//! here, and nothing here stands on the way to a receipt. Three implementations answer alike, and one contract suite says
//! what that means: [`embedded::Embedded`] (sled for small mutable state, tantivy for documents), [`memory::Memory`]
//! (what is accepted and not yet sealed) and, later, a shared database.

#[cfg(test)]
mod contract;
pub mod embedded;
pub mod memory;
pub mod merged;
mod query;
mod rows;
mod terms;

pub use query::{Criterion, FieldSpec, MAX_LIMIT, MAX_TIES, Op, Query, Tie, indexed};
pub use rows::{DepositRow, DocumentRow, Indexed, Order, PackageRow, PackageState};
pub use terms::{Decimal, FieldKind, Value, fold};

use std::collections::BTreeMap;

use crate::error::Result;
use crate::id::{DocumentId, Lane, PackageRef, ReceiptId, Sequence, SeriesId};

/// How recent an answer is.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AsOf {
    /// Chain size up to which packages are in.
    pub watermark: u64,
    /// Highest number of each lane that is in.
    pub sequences: BTreeMap<Lane, Sequence>,
}

/// One page of a search.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// Newest first ([`Order`]).
    pub rows: Vec<DocumentRow>,
    /// Give it back in [`Query::cursor`] for the next page; `None` when this was the last.
    pub cursor: Option<String>,
    /// How recent the answer is.
    pub as_of: AsOf,
}

/// One change of small mutable state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Named tree (`jobs`, `holds` …).
    pub tree: String,
    /// Key inside it.
    pub key: Vec<u8>,
    /// New value, at most [`MAX_STATE_VALUE`]; `None` deletes.
    pub value: Option<Vec<u8>>,
}

/// The longest state value: larger ones would leave sled's main file, and it holds *small* state.
pub const MAX_STATE_VALUE: usize = 64 * 1024;

/// Look-ups, search and small mutable state of one archive.
///
/// Every method may fail with `catalog-damaged` (make a new one: `clear`, then record everything again) and with I/O
/// codes; nobody retries. Writers are serialised by the implementation; readers see a record as soon as its call has
/// returned.
pub trait Catalog: Send + Sync {
    /// Records a package after its chain entry, its documents (`package` is set by this call) and the deposits they came
    /// with, and that everything up to chain size `watermark` is in.
    ///
    /// Precondition: the chain entry is durable. On return all of it is durable, the watermark last: a crash on the way
    /// leaves an older watermark, and the caller records again. Recording again replaces, so it is harmless; a document
    /// recorded with another package has moved (regroup); a watermark never goes back.
    fn record_sealed(
        &self,
        package: &PackageRow,
        documents: &[DocumentRow],
        deposits: &[DepositRow],
        watermark: u64,
    ) -> Result<()>;

    /// Records what a later chain entry changed of a package (expiry, state). When its state is no longer
    /// [`PackageState::Sealed`], the documents still filed under it leave the catalog. Durable on return, as above.
    fn record_package(&self, package: &PackageRow, watermark: u64) -> Result<()>;

    /// Records that the chain reached `watermark` with nothing for the catalog in it. Durable on return.
    fn advance(&self, watermark: u64) -> Result<()>;

    /// Chain size up to which everything is in.
    fn watermark(&self) -> Result<u64>;

    /// Forgets everything; durable on return. The start of a rebuild.
    fn clear(&self) -> Result<()>;

    /// A document by its id.
    fn locate(&self, id: DocumentId) -> Result<Option<DocumentRow>>;

    /// A deposit by its receipt.
    fn receipt(&self, receipt: ReceiptId) -> Result<Option<DepositRow>>;

    /// The latest deposit with this replay key *or* fingerprint (hex keyed hash).
    fn replay(&self, key: &str) -> Result<Option<ReceiptId>>;

    /// Ids of the documents filed under a package, ascending.
    fn documents_of(&self, package: &PackageRef) -> Result<Vec<DocumentId>>;

    /// One package.
    fn package(&self, package: &PackageRef) -> Result<Option<PackageRow>>;

    /// The package of a series with the highest number.
    fn last_package(&self, series: &SeriesId) -> Result<Option<PackageRow>>;

    /// All packages, or those of a series; ascending.
    fn packages(&self, series: Option<&SeriesId>) -> Result<Vec<PackageRow>>;

    /// One page of documents, newest first.
    ///
    /// Errors: `search/query` for a limit out of range, a cursor that is not one, a value that fits no kind.
    fn search(&self, query: &Query) -> Result<Page>;

    /// Applies changes of small state, all or none; durable on return. No row a document: that is what `search` is for.
    fn state_apply(&self, changes: &[Change]) -> Result<()>;

    /// One state value. A value that does not match its checksum is `catalog-damaged`, never an answer.
    fn state_get(&self, tree: &str, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Every key and value of a tree, ascending.
    fn state_iter(&self, tree: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>>;

    /// Puts one state value; durable on return.
    fn state_put(&self, tree: &str, key: &[u8], value: &[u8]) -> Result<()> {
        self.state_apply(&[Change { tree: tree.to_owned(), key: key.to_vec(), value: Some(value.to_vec()) }])
    }

    /// Deletes one state value, if it is there; durable on return.
    fn state_delete(&self, tree: &str, key: &[u8]) -> Result<()> {
        self.state_apply(&[Change { tree: tree.to_owned(), key: key.to_vec(), value: None }])
    }
}

/// The most changes of one call: they are one transaction, and sled's memory grows with it.
pub const MAX_CHANGES: usize = 1_000;

/// What every implementation refuses before it touches anything.
fn check_changes(changes: &[Change]) -> Result<()> {
    let internal = |detail: String| Err(crate::error::Error::new(crate::error::Code::Internal, detail));
    if changes.len() > MAX_CHANGES {
        return internal(format!("{} changes of state at once", changes.len()));
    }
    for Change { tree, key, value } in changes {
        if tree.is_empty()
            || tree.len() > 64
            || key.len() > 1024
            || value.as_ref().is_some_and(|v| v.len() > MAX_STATE_VALUE)
        {
            return internal(format!("state of tree {tree:?} is out of bounds ({} byte key)", key.len()));
        }
    }
    Ok(())
}
