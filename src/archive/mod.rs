//! The use-cases: what can be done with an archive. One file each; `http` and `cli` call nothing below this room.
//!
//! Invariants: one process owns an archive (the one `lock`); every use-case takes the [`access::Actor`] on whose behalf
//! it is done and asks the permission matrix first; whatever a person decides is a record on the chain before it has an
//! effect; nothing here assumes that there is only one archive in the process.

pub mod access;
pub mod alarms;
pub mod bundle;
pub mod config;
pub mod copies;
pub mod deposit;
pub mod find;
pub mod init;
pub mod inspect;
pub mod manage;
pub mod read;
pub mod related;

mod acknowledged;
mod adoption;
mod background;
mod blocks;
mod chain;
mod coverage;
mod heal;
mod interrupted;
mod issued;
pub mod keys;
mod layout;
mod lock;
mod manual;
mod nightly;
mod notices;
mod open;
mod reindex;
pub mod renew;
mod replay;
pub mod restore;
mod revocation;
mod rotation;
mod seal;
mod signing;
mod stamp;
mod state;
mod token;
mod turns;
mod unsealed;
mod verified;
mod witness;

pub use open::Opened;
pub use state::{Archive, Limits};
