//! What no stop may break: processes killed, disks full, authorities down, clocks stepping back; the real binary, real HTTP.
//!
//! Invariant I1: no acknowledged document is lost, whatever is killed or unplugged, whenever, and every number ever issued
//! is accounted for. Every test ends in [`audit::sealed`], which believes nothing but the plain files.

mod audit;
#[allow(dead_code)]
#[path = "../support/authority.rs"]
mod authority;
mod clock;
mod copies;
mod disk;
mod forged;
#[path = "../support/judges.rs"]
mod judges;
mod kill;
mod load;
mod outside;
mod renewal;
mod revoked;
mod rolling;
mod rotation;
mod sandbox;
#[allow(dead_code)]
#[path = "../support/seal.rs"]
mod seal;
mod sealing;
mod signing;
mod steps;
mod strace;
mod tsa;
