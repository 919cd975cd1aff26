//! Keys and certificates for the tests of this room, and the outside judge.

use std::path::Path;
use std::process::Command;

use jiff::Timestamp;

use crate::evidence::key::SigningKey;
use crate::evidence::x509::{Dn, Issuer, Profile, issue};

/// A throw-away key, fixed so that signatures are too.
pub fn rsa() -> SigningKey {
    SigningKey::from_pkcs8_pem(include_str!("fixtures/rsa.pem")).unwrap()
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A throw-away authority and one end entity of its.
pub struct Pki {
    pub root_key: SigningKey,
    pub root: Vec<u8>,
    pub leaf_key: SigningKey,
    pub leaf: Vec<u8>,
}

/// The leaf can be changed before it is issued.
pub fn pki(change: impl FnOnce(&mut Profile<'_>)) -> Pki {
    let (root_key, leaf_key) = (rsa(), SigningKey::generate_p256().unwrap().0);
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2036-01-01T00:00:00Z"));
    let spki = root_key.spki_der().unwrap();
    let name = Dn::new().country("IT").organization("Esempio").common_name("Radice di prova");
    let root = issue(&Profile::authority(name, &spki, Issuer::Own(&root_key), 1, from, to)).unwrap();
    let spki = leaf_key.spki_der().unwrap();
    let name = Dn::new().country("IT").organization("Esempio").common_name("Firmatario di prova");
    let issuer = Issuer::Authority { key: &root_key, certificate: &root };
    let mut profile = Profile::leaf(name, &spki, issuer, 2, from, to);
    change(&mut profile);
    let leaf = issue(&profile).unwrap();
    Pki { root_key, root, leaf_key, leaf }
}

/// Runs `openssl`, the judge.
pub fn openssl(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .current_dir(dir)
        .args(arguments)
        .output()
        .expect("the openssl program is needed by the tests: it is the outside judge");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

pub fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|c| std::str::from_utf8(c).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
