//! Who is told: a small web server and a small mail server, good ones and all sorts of bad ones.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How a server behaves.
#[derive(Clone, Copy, PartialEq)]
pub enum Mode {
    Good,
    /// It refuses: HTTP 503; SMTP 550 for a recipient.
    Refuses,
    /// Half an answer, and the end.
    Half,
    /// It takes the connection and says nothing.
    Silent,
    /// No STARTTLS is offered.
    Plain,
}

/// One request.
#[derive(Clone)]
pub struct Posted {
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Posted {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// What happened, in order: "began signer-down", "reminder" …
    pub fn events(&self) -> Vec<String> {
        let word = |event: &Value| {
            format!("{} {}", event["what"].as_str().unwrap(), event["code"].as_str().unwrap_or_default())
        };
        self.json()["events"].as_array().unwrap().iter().map(|event| word(event).trim().to_owned()).collect()
    }
}

/// A web server that takes notices.
pub struct Hook {
    pub port: u16,
    mode: Arc<Mutex<Mode>>,
    taken: Arc<Mutex<Vec<Posted>>>,
    tried: Arc<Mutex<usize>>,
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Hook {
    pub fn start(port: u16, mode: Mode) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let hook = Self { port, mode: Arc::new(Mutex::new(mode)), taken: Arc::default(), tried: Arc::default() };
        let (mode, taken, tried) = (Arc::clone(&hook.mode), Arc::clone(&hook.taken), Arc::clone(&hook.tried));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (mode, taken, tried) = (Arc::clone(&mode), Arc::clone(&taken), Arc::clone(&tried));
                std::thread::spawn(move || {
                    let posted = posted(&stream)?;
                    *tried.lock().unwrap() += 1;
                    let mode = *mode.lock().unwrap();
                    let answer: &[u8] = match mode {
                        Mode::Refuses => b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                        Mode::Half => b"HTTP/1.1 2",
                        Mode::Silent => {
                            std::thread::sleep(Duration::from_secs(20));
                            b""
                        }
                        _ => {
                            taken.lock().unwrap().push(posted);
                            b"HTTP/1.1 204 Taken\r\nConnection: close\r\n\r\n"
                        }
                    };
                    (&stream).write_all(answer).ok()
                });
            }
        });
        hook
    }

    pub fn becomes(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    pub fn taken(&self) -> Vec<Posted> {
        self.taken.lock().unwrap().clone()
    }

    pub fn tried(&self) -> usize {
        *self.tried.lock().unwrap()
    }

    /// Waits for the notice with this number, counted from 0.
    pub fn wait(&self, number: usize) -> Posted {
        let started = Instant::now();
        loop {
            if let Some(posted) = self.taken().get(number) {
                return posted.clone();
            }
            assert!(started.elapsed() < Duration::from_secs(30), "notice {number} did not come");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn posted(stream: &TcpStream) -> Option<Posted> {
    let mut reader = BufReader::new(stream);
    let (mut headers, mut line) = (BTreeMap::new(), String::new());
    reader.read_line(&mut line).ok()?;
    assert!(line.starts_with("POST /a-secret-path HTTP/1.1"), "{line}");
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => drop(headers.insert(name.to_ascii_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some(Posted { headers, body })
}

/// One message, or the attempt to send one.
#[derive(Clone, Default, Debug)]
pub struct Sent {
    /// Everything the client said, in order, besides the message.
    pub said: Vec<String>,
    /// What it said before TLS.
    pub in_clear: Vec<String>,
    /// The message, when it was taken.
    pub message: Option<String>,
}

/// A mail server.
pub struct Office {
    pub port: u16,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Office {
    /// One with this certificate and key (PEM), when it knows TLS.
    pub fn start(mode: Mode, identity: Option<(&str, &str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let office = Self { port: listener.local_addr().unwrap().port(), sent: Arc::default() };
        let sent = Arc::clone(&office.sent);
        let tls = identity.map(|(certificate, key)| {
            use rustls::pki_types::pem::PemObject as _;
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let chain = vec![rustls::pki_types::CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            Arc::new(rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap())
        });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (sent, tls) = (Arc::clone(&sent), tls.clone());
                std::thread::spawn(move || {
                    let mut attempt = Sent::default();
                    let _ = serve(stream, mode, tls, &mut attempt);
                    sent.lock().unwrap().push(attempt);
                });
            }
        });
        office
    }

    /// Waits for so many attempts to have ended.
    pub fn wait(&self, count: usize) -> Vec<Sent> {
        let started = Instant::now();
        loop {
            let sent = self.sent.lock().unwrap().clone();
            if sent.len() >= count {
                return sent;
            }
            assert!(started.elapsed() < Duration::from_secs(40), "{count} messages did not come");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn serve(
    stream: TcpStream,
    mode: Mode,
    tls: Option<Arc<rustls::ServerConfig>>,
    attempt: &mut Sent,
) -> std::io::Result<()> {
    match mode {
        Mode::Silent => {
            std::thread::sleep(Duration::from_secs(15));
            return Ok(());
        }
        Mode::Half => return (&stream).write_all(b"22"),
        _ => (&stream).write_all(b"220 posta.example\r\n")?,
    }
    let mut clear = BufReader::new(stream.try_clone()?);
    let offers = tls.is_some() && mode != Mode::Plain;
    if !talk(&mut clear, &stream, mode, offers, attempt)? {
        return Ok(());
    }
    attempt.in_clear = std::mem::take(&mut attempt.said);
    let connection = rustls::ServerConnection::new(tls.unwrap()).map_err(std::io::Error::other)?;
    let mut secured = BufReader::new(rustls::StreamOwned::new(connection, stream));
    loop {
        // One stream for both ways: a line is read, its answer is written.
        let mut line = String::new();
        if secured.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let done = answer(&line, mode, false, attempt, &mut |text| secured.get_mut().write_all(text.as_bytes()))?;
        if done == Then::Message {
            let message = message(&mut secured)?;
            attempt.message = Some(message);
            secured.get_mut().write_all(b"250 taken\r\n")?;
        } else if done == Then::Ends {
            return Ok(());
        }
    }
}

#[derive(PartialEq)]
enum Then {
    Goes,
    Tls,
    Message,
    Ends,
}

/// Until TLS is asked for (`true`) or the end.
fn talk(
    reader: &mut impl BufRead,
    mut writer: &TcpStream,
    mode: Mode,
    offers: bool,
    attempt: &mut Sent,
) -> std::io::Result<bool> {
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(false);
        }
        match answer(&line, mode, offers, attempt, &mut |text| writer.write_all(text.as_bytes()))? {
            Then::Goes => {}
            Then::Tls => return Ok(true),
            Then::Ends => return Ok(false),
            Then::Message => {
                attempt.message = Some(message(reader)?);
                writer.write_all(b"250 taken\r\n")?;
            }
        }
    }
}

fn message(reader: &mut impl BufRead) -> std::io::Result<String> {
    let (mut message, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line)? > 0 && line != ".\r\n" {
        message.push_str(&line);
        line.clear();
    }
    Ok(message)
}

fn answer(
    line: &str,
    mode: Mode,
    offers: bool,
    attempt: &mut Sent,
    write: &mut dyn FnMut(&str) -> std::io::Result<()>,
) -> std::io::Result<Then> {
    let line = line.trim_end();
    attempt.said.push(line.to_owned());
    let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
    let (said, then) = match word.as_str() {
        "EHLO" if offers => ("250-posta.example\r\n250-STARTTLS\r\n250 8BITMIME\r\n", Then::Goes),
        "EHLO" => ("250-posta.example\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n", Then::Goes),
        "STARTTLS" if offers => ("220 go on\r\n", Then::Tls),
        "AUTH" => ("235 welcome\r\n", Then::Goes),
        "RCPT" if mode == Mode::Refuses => {
            ("550 5.1.1 <archivio@example.it> Mario Rossi is unknown here\r\n", Then::Goes)
        }
        "MAIL" | "RCPT" | "RSET" | "NOOP" => ("250 well\r\n", Then::Goes),
        "DATA" => ("354 begin\r\n", Then::Message),
        "QUIT" => ("221 bye\r\n", Then::Ends),
        _ => ("502 what?\r\n", Then::Goes),
    };
    write(said).map(|()| then)
}
