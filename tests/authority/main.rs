//! Real authorities and broken ones: the real program against `openssl ts -reply` over real HTTP, with every defect.
//! Each has its own code; sealing is delayed and nothing is lost.

#[path = "../support/judges.rs"]
mod judges;
#[path = "../../tools/tsa/office.rs"]
mod office;
#[allow(dead_code)]
#[path = "../support/second_verifier.rs"]
mod second_verifier;
#[path = "../../tools/tsa/serve.rs"]
mod serve;
#[allow(dead_code)]
#[path = "../support/server.rs"]
mod server;

mod client;
mod defects;
mod outside;
