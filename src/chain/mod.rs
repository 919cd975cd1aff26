//! The archive's own event log: one line an event, hash-chained, in a Merkle tree, under a signed checkpoint; and the
//! records of what people decided, each of which counts only once the chain holds its digest.
//!
//! Invariants: every event is in the chain (I4); nothing personal is (I6): random ids, counts, instants, digests of
//! objects that hold a 128-bit salt. A line that the archive did not sign for is never signed afterwards. Clauses: AgID
//! guidelines on conservazione (traceability of operations), C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-proof,
//! RFC 9162.
//!
//! `seq` starts at 0 (the genesis) and is the leaf's index. Plain files, all under the archive's folder:
//!
//! | file | what |
//! |---|---|
//! | `chain/entries` | the truth: one JSON line an entry |
//! | `chain/checkpoint` | signed note over size and root |
//! | `chain/witness/<key id>.checkpoint` | what each witness cosigned last |
//! | `chain/stamps/<size>.checkpoint`, `.tsr` | a checkpoint and the time-stamp over its bytes |
//! | `chain/stamps/renewed/<generation>.tree`, `.tsr` | the renewals of those time-stamps |
//! | `chain/pending` | the append in progress; absent at rest |
//! | `chain/archive.vkey` | the public key in force: the genesis', or the one that the last entry of kind `key` names |
//! | `chain/tile/…` | C2SP tlog-tiles, derived |
//! | `records/<kind>.jsonl` | records, one JSON line each |
//! | `records/<kind>/<id>.json` | a record's personal part, which can be erased |

mod accesses;
pub mod checkpoint;
pub mod cosignature;
mod entry;
mod files;
mod index;
mod ledger;
pub mod merkle;
pub mod note;
mod pending;
pub mod proof;
mod record;
mod recover;
pub mod reign;
mod standing;
#[cfg(test)]
mod testing;
mod tiles;
pub mod verify;
pub mod witness;

pub use checkpoint::Checkpoint;
pub use entry::{Entry, Head, Kind, MAX_LINE};
pub use files::{MAX_RECORD, each_entry_of};
pub use index::{RenewalFile, Stamp, StampRenewal};
pub use ledger::{Forgotten, Gate, Kept, Ledger, NewRecord, NewStamp, PAGE_BYTES, PAGE_ENTRIES, Page, StampFiles};
pub use proof::Proof;
pub use record::{COVERAGE, RecordFile, RecordLine};
pub use reign::Reigns;
pub use standing::{Claim, Compared, Restored, Standing, Tip};
