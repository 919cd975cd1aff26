//! The HTTP client against a server that behaves and misbehaves; several authorities in turn.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;

/// Answers one request with what `answer` makes of its body; gives the request's head back.
fn server(answer: impl FnOnce(&[u8]) -> Vec<u8> + Send + 'static) -> (url::Url, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/tsa?account=7", listener.local_addr().unwrap().port()).parse().unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
        let (head, body) = loop {
            let n = stream.read(&mut buffer).unwrap();
            bytes.extend_from_slice(&buffer[..n]);
            if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
                let length: usize =
                    head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap().parse().unwrap();
                if bytes.len() >= end + 4 + length {
                    break (head, bytes[end + 4..end + 4 + length].to_vec());
                }
            }
        };
        sender.send(head).unwrap();
        let _ = stream.write_all(&answer(&body));
    });
    (url, receiver)
}

fn http(status: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

const KIND: &str = "application/timestamp-reply";
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_time_stamp_comes_over_http_with_basic_authentication() {
    let authority = Arc::new(DevelopmentAuthority::create(clock()).unwrap());
    let anchors = authority.anchors().unwrap();
    let remote = authority.clone();
    let (url, heads) =
        server(move |body| http("200 OK", "Application/Timestamp-Reply; x=y", &remote.stamp(body).unwrap()));
    let client = HttpAuthority::new(url, 5 * SECOND).login("utente", "segreto");
    assert!(!client.name().contains("account") && !format!("{client:?}").contains("segreto"));
    let list: Vec<Box<dyn Authority>> = vec![Box::new(client)];
    let authorities = Authorities::new(list, anchors, Rules::default());
    let sent = new_request(imprint()).unwrap();
    let stamped = authorities.stamp(&sent, clock().as_ref()).unwrap();
    assert_eq!(stamped.token.gen_time(), at(NOW));
    assert_eq!(token_of_reply(&stamped.reply).unwrap(), stamped.token.der());
    let head = heads.recv().unwrap();
    assert!(head.contains("content-type: application/timestamp-query"), "{head}");
    assert!(head.contains("authorization: basic dxrlbnrlonnlz3jldg8="), "{head}");
    assert!(head.starts_with("post /tsa?account=7 "), "{head}");
}

#[test]
fn wrong_answers_are_errors_that_say_why() {
    let fails = |answer: Vec<u8>, why: &str| {
        let (url, _heads) = server(move |_| answer);
        let error = HttpAuthority::new(url, 5 * SECOND).stamp(b"x").unwrap_err();
        assert!(error.code == Code::TsaDown && error.detail.contains(why), "{why}: {error}");
    };
    fails(http("500 Oh", KIND, b""), "status 500");
    fails(http("401 No", KIND, b""), "status 401");
    fails(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec(), "status 302");
    fails(http("200 OK", "text/html", b"<html>"), "text/html");
    fails(http("200 OK", KIND, &vec![0x30; MAX_REPLY + 1]), "larger than 64 KiB");
    fails(format!("HTTP/1.1 200 OK\r\ncontent-type: {KIND}\r\ncontent-length: 100\r\n\r\nshort").into(), "");
    let nobody = HttpAuthority::new("http://127.0.0.1:1/".parse().unwrap(), SECOND);
    assert!(nobody.stamp(b"x").unwrap_err().detail.contains("no connection"));
}

#[test]
fn an_authority_that_does_not_answer_is_given_up_in_time() {
    let (url, _heads) = server(|_| {
        std::thread::sleep(5 * SECOND);
        Vec::new()
    });
    let start = Instant::now();
    let error = HttpAuthority::new(url, Duration::from_millis(300)).stamp(b"x").unwrap_err();
    assert!(error.detail.contains("timed out") && start.elapsed() < 3 * SECOND, "{error}");
}

#[tokio::test]
async fn it_can_be_called_on_a_thread_of_an_asynchronous_runtime() {
    let nobody = HttpAuthority::new("http://127.0.0.1:1/".parse().unwrap(), SECOND);
    assert!(nobody.stamp(b"x").is_err());
    drop(nobody);
}

#[test]
fn the_next_authority_is_tried_and_failures_are_listed() {
    let good = DevelopmentAuthority::create(clock()).unwrap();
    let foreign = DevelopmentAuthority::create(clock()).unwrap();
    let anchors = good.anchors().unwrap();
    let nobody = || Box::new(HttpAuthority::new("http://127.0.0.1:1/a".parse().unwrap(), SECOND));
    let (url, _heads) = server(|_| http("200 OK", KIND, b"garbage"));
    let garbage = Box::new(HttpAuthority::new(url, SECOND));
    let sent = new_request(imprint()).unwrap();
    let clock = ManualClock::at(at(NOW));
    let make = |list: Vec<Box<dyn Authority>>| {
        Authorities::new(list, anchors.clone(), Rules::default()).pause(Duration::from_millis(1))
    };

    let bad = make(vec![nobody(), garbage, Box::new(foreign)]);
    let error = bad.stamp(&sent, &clock).unwrap_err();
    assert_eq!(error.code, Code::TsaDown);
    for part in ["127.0.0.1:1/a: no connection", "der/malformed", "timestamp-untrusted"] {
        assert!(error.detail.contains(part), "{part}: {}", error.detail);
    }
    let stamped = make(vec![nobody(), Box::new(good)]).stamp(&sent, &clock).unwrap();
    assert_eq!(stamped.authority, dev::NAME);
    assert_eq!(make(Vec::new()).stamp(&sent, &clock).unwrap_err().code, Code::TsaDown);

    let (url, _heads) = server(move |_| b"".to_vec());
    let picky = HttpAuthority::new(url, SECOND).require_policy("1.2.3".parse().unwrap());
    assert_eq!(picky.policy().unwrap().to_string(), "1.2.3");
}
