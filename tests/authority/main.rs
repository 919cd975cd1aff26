//! Real authorities and broken ones: the real program against `openssl ts -reply` over real HTTP, with every defect.
//! Each has its own code; sealing is delayed and nothing is lost.

#[path = "../support/judges.rs"]
mod judges;
#[path = "../../tools/tsa/office.rs"]
mod office;
#[path = "../../tools/tsa/serve.rs"]
mod serve;

mod client;
mod defects;
mod outside;
