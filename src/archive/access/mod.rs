//! Persons, roles and tokens: who may do what (Linee guida AgID 4.4, 4.5; GDPR art. 25 and 32).
//!
//! Invariant: the state is derived from chained records alone ([`Access::from_records`]); nothing here writes. A name is
//! personal and stands in the erasable part of its record; the line itself has random ids, roles, days and digests. A
//! token belongs to a person or a system: "another person" compares persons, never tokens.

mod actor;
mod records;
mod role;
mod state;
mod token;

pub use actor::Actor;
pub use records::{Genesis, NewDelegation, NewPerson, NewRecord, NewToken, genesis};
pub use role::{Action, Role};
pub use state::{Access, Delegation, IssuedToken, Person, PersonKind};
pub use token::{Token, bearer};

/// Name of the records of persons and delegations.
pub const PERSONS: &str = "persons";
/// Name of the records of tokens.
pub const TOKENS: &str = "tokens";

#[cfg(test)]
mod tests;
