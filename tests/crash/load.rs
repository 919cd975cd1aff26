//! A thousand deposits at once and a large one among them: flat memory, no error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::audit;
use super::sandbox::{Sandbox, Wish};

/// The limit is the released program's; an unoptimised one has some 40 MB more of its own pages and deeper stacks.
const MOST: u64 = if cfg!(debug_assertions) { 240 << 20 } else { 200 << 20 };
const SMALL: u64 = 1_000;

#[test]
fn a_thousand_deposits_and_a_large_one_in_little_memory() {
    // On disk: what is in memory here would be in memory there, and is not the server's.
    let sandbox = Sandbox::on_disk();
    let server = sandbox.serve();
    let idle = server.peak();
    let url = format!("{}/v1/documents?class=generic", server.caller.base);
    let token = server.caller.token.clone();
    let accepted = Arc::new(AtomicU64::new(0));
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let post = |name: String, body: reqwest::Body, length: u64| {
            let request = client
                .post(format!("{url}&name={name}"))
                .bearer_auth(&token)
                .header("Idempotency-Key", &name)
                .header("Content-Length", length)
                .body(body);
            let accepted = Arc::clone(&accepted);
            tokio::spawn(async move {
                let response = request.send().await.unwrap();
                let status = response.status();
                let told = response.text().await.unwrap();
                assert_eq!(status, 201, "{told}");
                accepted.fetch_add(1, Ordering::SeqCst);
            })
        };
        // 100 MB, made as they are sent.
        let chunk = bytes::Bytes::from(Wish::new(9_999, 100_000).body);
        let chunks = futures_util::stream::iter((0..1_000).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
        let mut all = vec![post("large.bin".into(), reqwest::Body::wrap_stream(chunks), 100_000_000)];
        for number in 0..SMALL {
            let body = Wish::new(number, 40_000).body;
            all.push(post(format!("{number}.bin"), body.into(), 40_000));
        }
        for one in all {
            one.await.unwrap();
        }
    });
    assert_eq!(accepted.load(Ordering::SeqCst), SMALL + 1);
    let peak = server.peak();
    println!("resident: {} MB at rest, {} MB at most", idle >> 20, peak >> 20);
    assert!(peak < MOST, "{} MB resident", peak >> 20);
    server.kill();
    let sealing = sandbox.serve();
    let told = sealing.caller.post("/v1/seal", &serde_json::json!({})).unwrap();
    assert_eq!(told.status, 200, "{}", told.code());
    println!("resident while sealing: {} MB", sealing.peak() >> 20);
    assert!(sealing.peak() < MOST, "{} MB resident while sealing", sealing.peak() >> 20);
    sealing.kill();
    assert_eq!(audit::sealed(&sandbox, &[]).documents.len() as u64, SMALL + 1);
}
