//! Retention: how long a document is kept, from when, and why.
//!
//! Invariant: everything here is pure arithmetic over an adopted policy and a document's metadata; nothing is ever
//! shortened silently, and a document whose start event is not known is never due (`Cohort::Open`). Linee guida AgID
//! 4.11 (scarto), DMCA piano di conservazione.

pub mod algorithms;
pub mod due;
pub mod period;
pub mod policies;
pub mod policy;

pub use algorithms::Algorithms;
pub use due::{Cohort, Due, due, due_in_class};
pub use period::Period;
pub use policies::Policies;
pub use policy::{Policy, Retention};
