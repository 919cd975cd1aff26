//! Debug builds only: a real process stopped, or made to fail, at one of its durable steps.
//!
//! Every durable step is counted and can be made the last one (`CUSTODE_TEST_ABORT_AT=n` aborts the process *before* step n)
//! or fail (`CUSTODE_TEST_FAIL=enospc@n`, `eio@n`; `@n+` from n on). An abort leaves the page cache alone; what a power cut
//! does to it is `trial`'s.

use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::os::Op;

static STEPS: AtomicU64 = AtomicU64::new(0);
static ABORT_AT: LazyLock<Option<u64>> =
    LazyLock::new(|| std::env::var("CUSTODE_TEST_ABORT_AT").ok().and_then(|n| n.parse().ok()));
static FAIL: LazyLock<Option<(i32, u64, bool)>> = LazyLock::new(|| {
    let text = std::env::var("CUSTODE_TEST_FAIL").ok()?;
    let (what, at) = text.split_once('@')?;
    let errno = match what {
        "enospc" => rustix::io::Errno::NOSPC.raw_os_error(),
        _ => rustix::io::Errno::IO.raw_os_error(),
    };
    let onwards = at.ends_with('+');
    Some((errno, at.trim_end_matches('+').parse().ok()?, onwards))
});

/// Counts the operation; ends the process or fails when the environment says so.
pub(super) fn step(op: Op<'_>) -> io::Result<()> {
    // What never counted for anything is no step: nothing is lost with it, and stopping there shows nothing new.
    if matches!(op, Op::Write(..) | Op::SetMode(..) | Op::Discard(_)) {
        return Ok(());
    }
    if ABORT_AT.is_none() && FAIL.is_none() {
        return Ok(());
    }
    let n = STEPS.fetch_add(1, Ordering::SeqCst) + 1;
    if *ABORT_AT == Some(n) {
        std::process::abort();
    }
    match *FAIL {
        Some((errno, at, onwards)) if n == at || (onwards && n > at) => Err(io::Error::from_raw_os_error(errno)),
        _ => Ok(()),
    }
}
