//! A certification authority kept by OpenSSL: its books, its revocation list, its responder, and who signs by it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An authority in a folder of its own; its responder is killed when it is dropped.
pub struct Authority {
    pub folder: tempfile::TempDir,
    /// Where the responder answers, once it runs.
    pub ocsp: String,
    responder: Option<Child>,
}

impl Drop for Authority {
    fn drop(&mut self) {
        if let Some(mut child) = self.responder.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const SETTINGS: &str = "[req]\ndistinguished_name = dn\nprompt = no\n[dn]\n[ca]\ndefault_ca = own\n[own]\ndir = .\ndatabase = index.txt\n\
    new_certs_dir = new\nserial = serial\ncrlnumber = number\ncertificate = ca.pem\nprivate_key = ca.key\ndefault_md = sha256\n\
    default_days = 20\ndefault_crl_days = 10\npolicy = any\nunique_subject = no\n[any]\ncommonName = supplied\n\
    [root]\nbasicConstraints = critical, CA:true\nkeyUsage = critical, keyCertSign, cRLSign\nsubjectKeyIdentifier = hash\n\
    [responder]\nextendedKeyUsage = OCSPSigning\nkeyUsage = critical, digitalSignature\n";

impl Authority {
    /// A new authority, with the certificate of a responder that it appointed. Certificates are good for 20 days.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let new = Self { folder, ocsp: format!("127.0.0.1:{port}"), responder: None };
        let dir = new.dir();
        std::fs::create_dir(dir.join("new")).unwrap();
        for (name, text) in [("index.txt", ""), ("serial", "1000\n"), ("number", "01\n"), ("ca.cnf", SETTINGS)] {
            std::fs::write(dir.join(name), text).unwrap();
        }
        new.openssl(
            "req -x509 -config ca.cnf -extensions root -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 60 -subj /CN=Radice",
        );
        new.certify("responder", SETTINGS, "responder");
        new
    }

    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Runs OpenSSL in the folder; what it says.
    pub fn openssl(&self, arguments: &str) -> String {
        let out =
            Command::new("openssl").current_dir(self.dir()).args(arguments.split_ascii_whitespace()).output().unwrap();
        let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(out.status.success(), "openssl {arguments}: {text}");
        text
    }

    fn certify(&self, name: &str, settings: &str, section: &str) {
        std::fs::write(self.dir().join("leaf.cnf"), settings).unwrap();
        self.openssl(&format!(
            "req -config ca.cnf -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        self.openssl(&format!(
            "ca -config leaf.cnf -batch -notext -extensions {section} -in {name}.csr -out {name}.pem"
        ));
    }

    fn leaf(list: Option<&str>, responder: Option<&str>) -> String {
        let list = list.map(|url| format!("crlDistributionPoints = URI:{url}\n")).unwrap_or_default();
        let responder = responder.map(|url| format!("authorityInfoAccess = OCSP;URI:{url}\n")).unwrap_or_default();
        format!("{SETTINGS}[leaf]\nkeyUsage = critical, nonRepudiation\n{list}{responder}")
    }

    /// A signer's certificate, `name.pem`, that names these sources.
    pub fn signer(&self, name: &str, list: Option<&str>, responder: Option<&str>) {
        self.certify(name, &Self::leaf(list, responder), "leaf");
    }

    /// The same, missing from the authority's books.
    pub fn stray(&self, name: &str, responder: Option<&str>) {
        std::fs::write(self.dir().join("leaf.cnf"), Self::leaf(None, responder)).unwrap();
        self.openssl(&format!(
            "req -config ca.cnf -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -set_serial 9999 -days 20 -extfile leaf.cnf -extensions leaf -out {name}.pem"
        ));
    }

    pub fn revoke(&self, name: &str) {
        self.openssl(&format!("ca -config ca.cnf -revoke {name}.pem"));
    }

    /// The list of now, in DER.
    pub fn list(&self) -> Vec<u8> {
        self.openssl("ca -config ca.cnf -gencrl -out crl.pem");
        self.openssl("crl -in crl.pem -outform DER -out crl.der");
        std::fs::read(self.dir().join("crl.der")).unwrap()
    }

    /// Starts `openssl ocsp` on the port of [`Authority::ocsp`].
    pub fn answer(&mut self) {
        let port = self.ocsp.rsplit(':').next().unwrap();
        let arguments = format!(
            "ocsp -index index.txt -port {port} -rsigner responder.pem -rkey responder.key -CA ca.pem -ndays 7"
        );
        let mut command = Command::new("openssl");
        command.current_dir(self.dir()).args(arguments.split_ascii_whitespace());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = child.stdout.take().unwrap();
        self.responder = Some(child);
        // Not tried by a connection: one that asks nothing ends it.
        let (ready, waiting) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                let _ = ready.send(line);
            }
        });
        let line = waiting.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(line.starts_with("ACCEPT"), "{line}");
    }

    /// CAdES with its content inside.
    pub fn sign(&self, name: &str, content: &[u8]) -> Vec<u8> {
        std::fs::write(self.dir().join("content"), content).unwrap();
        self.openssl(&format!(
            "cms -sign -cades -binary -nodetach -outform DER -signer {name}.pem -inkey {name}.key -in content -out signed"
        ));
        std::fs::read(self.dir().join("signed")).unwrap()
    }
}

/// A small HTTP server on loopback: what each path gives, and what was asked of it. A path without an answer is never answered.
pub struct Web {
    /// `127.0.0.1:port`
    pub host: String,
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    pub fn new(answers: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, answers) = (Arc::clone(&asked), Arc::new(answers));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answers) = (Arc::clone(&seen), Arc::clone(&answers));
                std::thread::spawn(move || talk(stream.unwrap(), &seen, &*answers));
            }
        });
        Self { host, asked }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    pub fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn talk(mut stream: TcpStream, seen: &Mutex<Vec<String>>, answers: &dyn Fn(&str) -> Option<Vec<u8>>) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    while !bytes.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().unwrap().push(path.clone());
    match answers(&path) {
        Some(body) if body.starts_with(b"HTTP/1.1 ") => drop(stream.write_all(&body)),
        Some(body) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
        None => std::thread::sleep(Duration::from_secs(60)),
    }
}
