//! `kill -9` in a loop, while several clients deposit and one closes packages.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::audit;
use super::sandbox::{Acknowledged, Caller, Sandbox, Wish};

const KILLS: u64 = 55;
const CLIENTS: u64 = 4;

/// Small, middling (spooled), large (a body file of its own), and one of several MiB.
const SIZES: [usize; 8] = [1, 900, 5_000, 40_000, 70_000, 300_000, 1_500_000, 3_000_000];

#[test]
fn fifty_kills_under_load_lose_nothing() {
    let sandbox = Sandbox::new();
    let mut all: Vec<Acknowledged> = Vec::new();
    let next = AtomicU64::new(0);
    // What was sent and not answered: sent again after the restart, it must be there once, or be taken now.
    let mut open: Vec<Wish> = Vec::new();
    let mut seen = 0;
    for round in 0..KILLS {
        let server = sandbox.serve();
        for wish in open.drain(..) {
            let told = server.caller.deposit(&wish).expect("an answer");
            assert!(matches!(told.status, 200 | 201), "{}", String::from_utf8_lossy(&told.body));
            all.push(Acknowledged::of(wish, &told));
        }
        for one in &all[seen..] {
            server.caller.holds(one);
        }
        seen = all.len();
        let acknowledged = Mutex::new(&mut all);
        let unanswered = Mutex::new(&mut open);
        let stop = AtomicBool::new(false);
        // From before the first answer to well into the load, never the same moment.
        let pause = Duration::from_millis(20 + (round * 7919) % 260);
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (caller, next, stop) = (server.caller.clone(), &next, &stop);
                let (acknowledged, unanswered) = (&acknowledged, &unanswered);
                scope.spawn(move || load(&caller, client, next, stop, acknowledged, unanswered));
            }
            let (caller, stop) = (server.caller.clone(), &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(70));
                    if round % 3 == 0 {
                        drop(caller.post("/v1/seal", &serde_json::json!({})));
                    }
                }
            });
            std::thread::sleep(pause);
            server.kill();
            stop.store(true, Ordering::SeqCst);
        });
    }
    assert!(all.len() as u64 > KILLS * 2, "only {} deposits: the load was no load", all.len());
    let server = sandbox.serve();
    all.extend(open.drain(..).map(|wish| Acknowledged::of(wish.clone(), &server.caller.deposit(&wish).unwrap())));
    drop(server);
    sandbox.json(&["seal"]);
    let sealed = audit::sealed(&sandbox, &all);
    assert_eq!(sealed.documents.len(), all.len(), "every deposit is there once, and nothing that nobody sent");
    let server = sandbox.serve();
    for one in &all {
        server.caller.holds(one);
        server.caller.replays(one);
    }
    println!(
        "{KILLS} kills, {} deposits, {} packages, {} numbers set aside",
        all.len(),
        sealed.packages,
        sealed.voided.len()
    );
}

fn load(
    caller: &Caller,
    client: u64,
    next: &AtomicU64,
    stop: &AtomicBool,
    acknowledged: &Mutex<&mut Vec<Acknowledged>>,
    unanswered: &Mutex<&mut Vec<Wish>>,
) {
    while !stop.load(Ordering::SeqCst) {
        let number = next.fetch_add(1, Ordering::SeqCst);
        let wish = Wish::new(number, SIZES[((number + client) % SIZES.len() as u64) as usize]);
        match caller.deposit(&wish) {
            Some(told) if told.status == 201 => acknowledged.lock().unwrap().push(Acknowledged::of(wish, &told)),
            Some(told) => panic!("{}: {}", told.status, String::from_utf8_lossy(&told.body)),
            None => unanswered.lock().unwrap().push(wish),
        }
    }
}
