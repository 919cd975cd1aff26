//! The log of refusals against the chain: every line that an entry of kind `refusals` vouches for is there as it was.
//!
//! Invariant: it may go on beside intake. What an entry names was durable before the entry, so the log is read after the chain; a
//! last line that is being written is looked at again before it counts. A refusal is an answer with findings that its depositor
//! may rely upon (Linee guida AgID 4.4).

use std::path::Path;
use std::time::Duration;

use super::report::{Finding, Place};
use crate::error::Finding as Seen;
use crate::intake::refusal::{Head, verify};

/// How often, and after how long, an unfinished last line is looked at again.
const TRIES: u32 = 5;
const STEP: Duration = Duration::from_millis(40);

/// What is not as the chain says, or not as it was written.
pub(super) fn judge(root: &Path, chained: &[Head]) -> Vec<Finding> {
    let intake = root.join("intake");
    if chained.is_empty() && !intake.is_dir() {
        return Vec::new();
    }
    let mut said: Vec<Seen> = Vec::new();
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(STEP);
        }
        match verify(&intake, chained) {
            Ok(verified) if verified.findings.is_empty() => return Vec::new(),
            Ok(verified) => said = verified.findings,
            Err(error) => return vec![Finding::of_error(&error, Place::file("intake/refusals"))],
        }
    }
    said.iter().map(Finding::of_room).collect()
}
