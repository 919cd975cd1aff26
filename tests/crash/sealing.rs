//! Stopped at every durable step of sealing, and again while going on from there: the next plain `custode seal` ends it.

use std::sync::atomic::{AtomicU64, Ordering};

use super::audit;
use super::sandbox::{Acknowledged, Sandbox, Wish, aborted, text};

/// Processes at the same time.
const HANDS: usize = 3;

/// An archive with a package sealed and two cohorts open, to be copied for every stop.
pub fn template() -> (Sandbox, Vec<Acknowledged>) {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let mut all = vec![server.caller.accepted(Wish::new(0, 300))];
    let told = server.caller.post("/v1/seal", &serde_json::json!({})).unwrap();
    assert_eq!(told.status, 200, "{}", told.code());
    // Three inline and one with a body file, in both cohorts.
    let sizes = [300, 5_000, 70_000, 1_200_000];
    all.extend(sizes.iter().zip(1..).map(|(length, number)| server.caller.accepted(Wish::new(number, *length))));
    server.kill();
    (sandbox, all)
}

/// Tries every `stride`th step on several threads until one is beyond the last; gives how many there are. Another run
/// begins elsewhere, so that in time all are tried; `CUSTODE_TEST_EVERY_STEP` tries all of them now.
pub fn each_step(stride: u64, attempt: impl Fn(u64) -> bool + Sync) -> u64 {
    let stride = if std::env::var_os("CUSTODE_TEST_EVERY_STEP").is_some() { 1 } else { stride };
    let first = 1 + u64::from(std::process::id()) % stride;
    let (next, most) = (AtomicU64::new(first), AtomicU64::new(u64::MAX));
    std::thread::scope(|scope| {
        for _ in 0..HANDS {
            scope.spawn(|| {
                loop {
                    let step = next.fetch_add(stride, Ordering::SeqCst);
                    if step >= most.load(Ordering::SeqCst) {
                        return;
                    }
                    if !attempt(step) {
                        most.fetch_min(step, Ordering::SeqCst);
                        return;
                    }
                }
            });
        }
    });
    most.load(Ordering::SeqCst) - 1
}

fn ends_well(sandbox: &Sandbox, acknowledged: &[Acknowledged], when: &str) {
    let output = sandbox.run(&["seal"]);
    assert!(output.status.success(), "{when}: {}", text(&output));
    let sealed = audit::sealed(sandbox, acknowledged);
    assert_eq!((sealed.packages, sealed.documents.len()), (3, acknowledged.len()), "{when}");
    assert!(sealed.voided.is_empty(), "{when}");
}

#[test]
fn stopped_at_every_step_of_sealing_it_goes_on() {
    let (template, acknowledged) = template();
    let steps = each_step(1, |step| {
        let sandbox = template.twin();
        let output = sandbox.run_with(&["seal"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        if !aborted(&output) {
            assert!(output.status.success(), "step {step}: {}", text(&output));
        }
        ends_well(&sandbox, &acknowledged, &format!("stopped at step {step}"));
        aborted(&output)
    });
    println!("sealing: {steps} durable steps");
    assert!(steps > 60, "only {steps} steps: something is no longer counted");
}

#[test]
fn stopped_again_while_going_on_it_still_goes_on() {
    let (template, acknowledged) = template();
    let stops = AtomicU64::new(0);
    each_step(61, |first| {
        let once = template.twin();
        let output = once.run_with(&["seal"], "CUSTODE_TEST_ABORT_AT", &first.to_string());
        let mut second = 1 + first % 5;
        loop {
            let sandbox = once.twin();
            let resumed = sandbox.run_with(&["seal"], "CUSTODE_TEST_ABORT_AT", &second.to_string());
            ends_well(&sandbox, &acknowledged, &format!("stopped at step {first}, then at step {second}"));
            if !aborted(&resumed) {
                break;
            }
            stops.fetch_add(1, Ordering::SeqCst);
            second += 53;
        }
        aborted(&output)
    });
    println!("sealing, stopped twice: {stops:?} pairs");
}
