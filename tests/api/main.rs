//! The interface from outside: the real program, real sockets, real files. What `interface.md` promises is asked for here
//! the way a client, an operator or a mistake would ask for it.

mod accesses;
mod aggregation;
mod alarms;
mod answers;
mod archives;
#[path = "../support/authority.rs"]
mod authority;
mod bad_config;
mod bad_input;
mod breve;
mod connections;
mod copies;
mod deposits;
mod description;
mod exchange;
mod forged;
#[path = "../support/judges.rs"]
mod judges;
mod keys;
mod legibility;
#[path = "../support/listeners.rs"]
mod listeners;
mod logs;
mod many;
mod notices;
mod pec;
mod planted;
mod profile;
mod refusals;
mod related;
mod repair;
mod replay;
mod restored;
mod revocation;
mod roles;
mod rolling;
mod rules;
#[allow(dead_code)]
#[path = "../support/seal.rs"]
mod seal;
#[path = "../support/second_verifier.rs"]
mod second_verifier;
mod sentinel;
#[allow(dead_code)]
#[path = "../support/server.rs"]
mod server;
mod signing;
mod stamps;
mod terms;
mod tiles;
mod trust;
mod unproved;
mod witness;
mod witnessed;
