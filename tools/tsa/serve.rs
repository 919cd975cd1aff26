//! The authority behind a small HTTP server (RFC 3161 section 3.4), with what can be wrong with an exchange.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::office::{Defect, Office};

/// Largest request read.
const MAX_REQUEST: usize = 64 << 10;
/// How long a silent or dripping authority keeps a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// An authority that serves.
pub struct Served {
    pub address: SocketAddr,
    /// What is wrong with the next answers.
    pub defect: Arc<Mutex<Defect>>,
    /// Requests that came.
    pub asked: Arc<AtomicU64>,
}

impl Served {
    /// Serves on this address, each request on a thread of its own, until the process ends.
    pub fn start(office: Office, address: SocketAddr, defect: Defect) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let served =
            Self { address: listener.local_addr()?, defect: Arc::new(Mutex::new(defect)), asked: Arc::default() };
        let (office, defect, asked) = (Arc::new(office), Arc::clone(&served.defect), Arc::clone(&served.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (office, defect, asked) = (Arc::clone(&office), Arc::clone(&defect), Arc::clone(&asked));
                std::thread::spawn(move || {
                    let Some(query) = body(&stream) else { return };
                    asked.fetch_add(1, Ordering::SeqCst);
                    let defect = *defect.lock().unwrap_or_else(PoisonError::into_inner);
                    let _ = answer(stream, &office, defect, &query);
                });
            }
        });
        Ok(served)
    }

    pub fn url(&self) -> String {
        format!("http://{}/tsa", self.address)
    }
}

fn answer(mut stream: TcpStream, office: &Office, defect: Defect, query: &[u8]) -> std::io::Result<()> {
    let head = |status: &str, kind: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
    };
    let kind = "application/timestamp-reply";
    match defect {
        Defect::Silent => std::thread::sleep(PATIENCE),
        Defect::Status500 => stream.write_all(head("500 Internal Server Error", kind, 0).as_bytes())?,
        Defect::Html => stream.write_all((head("200 OK", "text/html", 6) + "<html>").as_bytes())?,
        Defect::Huge => {
            stream.write_all(head("200 OK", kind, 64 << 20).as_bytes())?;
            let block = vec![0x30; 1 << 20];
            for _ in 0..64 {
                stream.write_all(&block)?;
            }
        }
        Defect::Half | Defect::Drip => {
            let reply = office.answer(Defect::None, query);
            stream.write_all(head("200 OK", kind, reply.len()).as_bytes())?;
            if defect == Defect::Half {
                return stream.write_all(&reply[..reply.len() / 2]);
            }
            for byte in reply.iter().take(PATIENCE.as_secs() as usize * 4) {
                stream.write_all(&[*byte])?;
                std::thread::sleep(Duration::from_millis(250));
            }
        }
        _ => {
            let reply = office.answer(defect, query);
            stream.write_all(head("200 OK", kind, reply.len()).as_bytes())?;
            stream.write_all(&reply)?;
        }
    }
    Ok(())
}

fn body(mut stream: &TcpStream) -> Option<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        if bytes.len() > MAX_REQUEST {
            return None;
        }
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap_or("0");
        let length: usize = length.trim().parse().ok()?;
        if bytes.len() >= end + 4 + length {
            return Some(bytes[end + 4..end + 4 + length].to_vec());
        }
    }
}
