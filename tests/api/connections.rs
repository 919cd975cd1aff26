//! Who connects and says nothing, or says it drop by drop, holds nothing for long; nobody needs a token for that.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::server::{Archive, Server};

const HALF: &[u8] = b"POST /v1/documents?class=generic HTTP/1.1\r\nHost: archive.example\r\nX-Slow: ";

fn address(server: &Server) -> String {
    server.base.trim_start_matches("http://").to_owned()
}

/// Whether the server has closed this connection; one that stays open makes the read time out.
fn is_cut(connection: &mut TcpStream) -> bool {
    connection.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
    loop {
        match connection.read(&mut [0; 1024]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(e) => return matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        }
    }
}

fn served(settings: &str) -> Server {
    let archive = Archive::new();
    archive.configure("[http]\n", &format!("[http]\n{settings}"));
    archive.serve()
}

#[test]
fn two_hundred_half_requests_are_cut_and_others_are_answered_meanwhile() {
    let server = served("header_timeout = \"2s\"\n");
    let mut half: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(address(&server)).unwrap()).collect();
    for connection in &mut half[..150] {
        connection.write_all(HALF).unwrap();
    }
    let token = server.archive.token("producer");
    assert_eq!(server.generic(&token, "nota.txt", b"nota")["sequence"], 1);
    // A drop now and then does not win time.
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(400));
        let _ = half[0].write_all(b"x");
    }
    for (n, connection) in half.iter_mut().enumerate() {
        assert!(is_cut(connection), "connection {n} is still open");
    }
    assert_eq!(server.generic(&token, "nota.txt", b"altra nota")["sequence"], 2);
}

#[test]
fn beyond_the_cap_a_client_waits_and_is_served_when_a_place_is_free() {
    let mut server = served("header_timeout = \"2s\"\nmax_connections = 8\n");
    let mut half: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(address(&server)).unwrap()).collect();
    for connection in &mut half {
        connection.write_all(HALF).unwrap();
    }
    std::thread::sleep(Duration::from_millis(300));
    let started = Instant::now();
    drop(half.split_off(20));
    assert!(server.client.get(format!("{}/healthz", server.base)).send().unwrap().status().is_success());
    assert!(started.elapsed() > Duration::from_secs(1), "the cap held nobody back");
    // Connections in the queue do not keep a server from stopping.
    drop(half);
    let _queue: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(address(&server)).unwrap()).collect();
    server.stop();
}
