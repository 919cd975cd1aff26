//! The time-stamping service of the simulation: roots and units whose certificates OpenSSL made at their time, behind HTTP.
//!
//! Most tokens are made in this process, which costs a millisecond; whenever [`Office::openssl`] says so, `openssl ts -reply`
//! makes them, with the same key and certificate.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use custode::evidence::tsp::{Authority as _, DevelopmentAuthority};

use super::clock::{Jumping, OpenSsl};

const SETTINGS: &str = "[req]\ndistinguished_name = dn\nprompt = no\n[dn]\n[root]\nbasicConstraints = critical, CA:true\n\
    keyUsage = critical, keyCertSign, cRLSign\nsubjectKeyIdentifier = hash\n\
    [unit]\nextendedKeyUsage = critical, timeStamping\nkeyUsage = critical, digitalSignature\n";

/// What signs time-stamps at a time.
struct Unit {
    name: String,
    own: DevelopmentAuthority,
}

pub struct Office {
    folder: tempfile::TempDir,
    clock: Arc<Jumping>,
    pub command: OpenSsl,
    unit: RwLock<Option<Unit>>,
    /// Whether OpenSSL makes the tokens.
    pub openssl: AtomicBool,
    /// Whether nobody answers.
    pub down: AtomicBool,
    /// Tokens made, and how many of them by OpenSSL.
    pub made: AtomicU64,
    pub made_by_openssl: AtomicU64,
}

fn key(kind: &str) -> String {
    match kind {
        "ec" => "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".to_owned(),
        rsa => format!("-newkey {rsa} -nodes"),
    }
}

impl Office {
    pub fn new(clock: &Arc<Jumping>) -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tsa.cnf"), SETTINGS).unwrap();
        Arc::new(Self {
            command: OpenSsl::new(folder.path(), clock),
            folder,
            clock: Arc::clone(clock),
            unit: RwLock::new(None),
            openssl: AtomicBool::new(false),
            down: AtomicBool::new(false),
            made: AtomicU64::new(0),
            made_by_openssl: AtomicU64::new(0),
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The roots made so far, in one file.
    pub fn anchors(&self) -> PathBuf {
        self.path("roots.pem")
    }

    /// A new root, that holds for so many days.
    pub fn root(&self, name: &str, days: u32) {
        self.command.must(self.folder.path(), &format!(
            "req -x509 {} -config tsa.cnf -extensions root -keyout {name}.key -out {name}.pem -days {days} -subj /CN=Radice-{name}",
            key("rsa:3072")
        ));
        let mut roots = std::fs::read(self.anchors()).unwrap_or_default();
        roots.extend(std::fs::read(self.path(&format!("{name}.pem"))).unwrap());
        std::fs::write(self.anchors(), roots).unwrap();
    }

    /// A new unit below a root: `ec`, `rsa:2048` ...; from now on it signs.
    pub fn unit(&self, root: &str, name: &str, kind: &str, days: u32) {
        let must = |arguments: String| self.command.must(self.folder.path(), &arguments);
        must(format!(
            "req {} -config tsa.cnf -keyout {name}.key -out {name}.csr -subj /CN=Marcatura-{name}",
            key(kind)
        ));
        must(format!(
            "x509 -req -in {name}.csr -CA {root}.pem -CAkey {root}.key -CAcreateserial -days {days} -extfile tsa.cnf -extensions unit -out {name}.pem"
        ));
        let section = format!(
            "[{name}]\nserial = {name}.serial\ncrypto_device = builtin\nsigner_cert = {name}.pem\nsigner_key = {name}.key\n\
             certs = {root}.pem\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256, sha384, sha512\n\
             accuracy = secs:1\nordering = no\ntsa_name = yes\ness_cert_id_chain = no\ness_cert_id_alg = sha256\n"
        );
        let settings = std::fs::read_to_string(self.path("tsa.cnf")).unwrap();
        std::fs::write(self.path("tsa.cnf"), settings + &section).unwrap();
        let files = ["key", "pem"].map(|kind| std::fs::read_to_string(self.path(&format!("{name}.{kind}"))).unwrap());
        let pem = files.concat() + &std::fs::read_to_string(self.path(&format!("{root}.pem"))).unwrap();
        let own = DevelopmentAuthority::from_pem(&pem, Arc::clone(&self.clock) as _).unwrap();
        *self.unit.write().unwrap() = Some(Unit { name: name.to_owned(), own });
    }

    fn answer(&self, query: &[u8]) -> Vec<u8> {
        let n = self.made.fetch_add(1, Ordering::SeqCst);
        let unit = self.unit.read().unwrap();
        let unit = unit.as_ref().expect("a unit signs");
        if !self.openssl.load(Ordering::SeqCst) {
            return unit.own.stamp(query).unwrap();
        }
        self.made_by_openssl.fetch_add(1, Ordering::SeqCst);
        let (asked, given) = (self.path(&format!("{n}.tsq")), self.path(&format!("{n}.tsr")));
        std::fs::write(&asked, query).unwrap();
        self.command.must(
            self.folder.path(),
            &format!("ts -reply -config tsa.cnf -section {} -queryfile {n}.tsq -out {n}.tsr", unit.name),
        );
        let reply = std::fs::read(&given).unwrap();
        for file in [asked, given] {
            std::fs::remove_file(file).unwrap();
        }
        reply
    }

    /// Serves until the process ends; the address.
    pub fn serve(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/tsa", listener.local_addr().unwrap());
        let office = Arc::clone(self);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let office = Arc::clone(&office);
                std::thread::spawn(move || office.exchange(stream));
            }
        });
        address
    }

    fn exchange(&self, mut stream: TcpStream) -> Option<()> {
        let query = body(&stream)?;
        if self.down.load(Ordering::SeqCst) {
            let none = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return stream.write_all(none.as_bytes()).ok();
        }
        let reply = self.answer(&query);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            reply.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&reply)).ok()
    }
}

/// The body of a request with a length.
fn body(mut stream: &TcpStream) -> Option<Vec<u8>> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?;
        let length: usize = length.trim().parse().ok()?;
        if bytes.len() >= end + 4 + length {
            return Some(bytes[end + 4..end + 4 + length].to_vec());
        }
    }
}
