//! The same deposit twice gives the same receipt, byte for byte, for ever.

use custode::hash::Sha256;
use serde_json::Value;

use crate::server::{Server, problem};

struct Depositor<'a> {
    server: &'a Server,
    token: &'a str,
}

impl Depositor<'_> {
    fn send(&self, key: Option<&str>, query: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let path = format!("/v1/documents?class=generic&name=nota.txt{query}");
        let mut request = self.server.post(&path, self.token).body(body.to_vec());
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let reply = request.send().unwrap();
        (reply.status().as_u16(), reply.bytes().unwrap().to_vec())
    }

    fn same(&self, key: Option<&str>, body: &[u8], receipt: &[u8]) {
        let (status, again) = self.send(key, "", body);
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&again));
        assert!(again == receipt, "not byte for byte the same receipt");
    }
}

/// Everything that must answer the same whenever it is asked.
fn asked_again(server: &Server, token: &str, first: &[u8], second: &[u8]) {
    let d = Depositor { server, token };
    let before = server.state();
    d.same(Some("chiave-1"), b"contenuto", first);
    // Without a key of its own, the content is the latest deposit of it.
    d.same(None, b"contenuto", second);
    d.same(Some("chiave-nuova"), b"contenuto", second);
    d.same(Some("chiave-2"), b"contenuto", second);
    let other = server
        .post("/v1/documents?class=generic&name=nota.txt", token)
        .header("idempotency-key", "chiave-1")
        .body("altro contenuto")
        .send()
        .unwrap();
    let conflict = problem(other, 409);
    assert_eq!(conflict["code"], "intake/key-conflict");
    assert!(!conflict["hint"].as_str().unwrap().is_empty());
    assert_eq!(server.state(), before);
}

#[test]
fn a_repeated_deposit_gives_the_same_receipt_for_ever() {
    let mut server = Server::new();
    let token = server.archive.token("producer");
    let d = Depositor { server: &server, token: &token };
    let (status, first) = d.send(Some("chiave-1"), "", b"contenuto");
    assert_eq!(status, 201);
    let (status, second) = d.send(Some("chiave-2"), "&duplicate=allow", b"contenuto");
    assert_eq!(status, 201);
    assert_ne!(first, second);
    // Allowing duplicates without a key would make a retry a second deposit.
    assert_eq!(d.send(None, "&duplicate=allow", b"contenuto").0, 400);
    assert_eq!(d.send(Some("chiave-2"), "&duplicate=allow", b"contenuto"), (200, second.clone()));

    asked_again(&server, &token, &first, &second);
    server.restart_after(&[], |_| {});
    asked_again(&server, &token, &first, &second);
    server.seal();
    asked_again(&server, &token, &first, &second);
    server.restart_after(&[], |archive| std::fs::remove_dir_all(archive.path("catalog")).unwrap());
    asked_again(&server, &token, &first, &second);
    let packages = server.json("/v1/packages", &server.archive.manager);
    assert_eq!(packages["packages"][0]["documents"], 2, "{packages}");
}

#[test]
fn another_producer_with_the_same_key_and_content_is_another_deposit() {
    let server = Server::new();
    let (one, two) = (server.archive.token("producer"), server.archive.token("producer"));
    let (one, two) = (Depositor { server: &server, token: &one }, Depositor { server: &server, token: &two });
    let (status, first) = one.send(Some("k"), "", b"stesso");
    assert_eq!(status, 201);
    let (status, second) = two.send(Some("k"), "", b"stesso");
    assert_eq!(status, 201, "{}", String::from_utf8_lossy(&second));
    assert_ne!(first, second);
}

#[test]
fn twins_at_the_same_time_are_one_deposit() {
    let mut server = Server::new();
    let token = server.archive.token("producer");
    for round in 0..2 {
        let small = format!("gemelli {round}").into_bytes();
        // Over 1 MiB a body has a file of its own.
        let large = vec![b'a' + round; (1 << 20) + 17];
        for (body, key) in [(small, None), (large, Some(format!("gemelli-{round}")))] {
            let d = Depositor { server: &server, token: &token };
            let answers: Vec<(u16, Vec<u8>)> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..20).map(|_| scope.spawn(|| d.send(key.as_deref(), "", &body))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
            assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 201)));
            assert!(answers.iter().all(|(_, receipt)| receipt == &answers[0].1));
            let receipt: Value = serde_json::from_slice(&answers[0].1).unwrap();
            assert_eq!(receipt["documents"][0]["sha256"], Sha256::of(&body).to_string());
        }
        if round == 0 {
            server.seal();
            server.restart_after(&[], |_| {});
            let d = Depositor { server: &server, token: &token };
            assert_eq!(d.send(None, "", b"gemelli 0").0, 200);
        }
    }
}
