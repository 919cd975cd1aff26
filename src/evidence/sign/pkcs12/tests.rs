use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::evidence::fixtures::{at, openssl};
use crate::evidence::sign::cades;
use crate::hash::Sha256;

const PASSWORD: &str = "perché no? €";

/// A key and its self-signed certificate, as OpenSSL makes them.
fn material(dir: &Path, name: &str, kind: &[&str]) {
    let (key, certificate, subject) = (format!("{name}.key"), format!("{name}.pem"), format!("/CN={name}"));
    let made = [
        &["req", "-x509", "-nodes", "-days", "30", "-subj", &subject, "-addext", "basicConstraints=critical,CA:false"],
        &["-addext", "keyUsage=critical,nonRepudiation", "-keyout", &key, "-out", &certificate][..],
        kind,
    ]
    .concat();
    let (good, said) = openssl(dir, &made);
    assert!(good, "{said}");
}

fn export(dir: &Path, name: &str, more: &[&str]) -> Vec<u8> {
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let password = format!("pass:{PASSWORD}");
    let arguments =
        ["pkcs12", "-export", "-inkey", &key, "-in", &certificate, "-passout", &password, "-out", "made.p12"];
    let (good, said) = openssl(dir, &[&arguments[..], more].concat());
    assert!(good, "{more:?}: {said}");
    std::fs::read(dir.join("made.p12")).unwrap()
}

#[test]
fn files_that_openssl_makes_are_opened() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    material(dir.path(), "rsa", &["-newkey", "rsa:2048"]);
    material(dir.path(), "p256", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let ways: [&[&str]; 7] = [
        &[],
        &["-certfile", "rsa.pem"],
        &["-macalg", "sha1"],
        &["-macalg", "sha512", "-iter", "10000"],
        &["-certpbe", "AES-128-CBC", "-keypbe", "AES-192-CBC"],
        &["-certpbe", "NONE"],
        &["-name", "Sigillo dell'ente"],
    ];
    for name in ["rsa", "p256"] {
        for way in ways {
            let bytes = export(dir.path(), name, way);
            let (key, credential) = parse(&bytes, PASSWORD).unwrap().signer(&[]).unwrap();
            assert_eq!(key.algorithm(), credential.algorithm, "{name} {way:?}");
            assert_eq!(credential.subject(), format!("CN={name}"));
            assert_eq!(parse(&bytes, "altra").unwrap_err().code, Code::SignerPin, "{name} {way:?}");
            assert_eq!(parse(&bytes, "").unwrap_err().code, Code::SignerPin);
        }
    }
    // A byte cut or bent anywhere: an error, and never a panic.
    let bytes = export(dir.path(), "p256", &["-iter", "1", "-maciter"]);
    for at in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[at] ^= 1;
        if let Ok(contents) = parse(&bent, PASSWORD) {
            assert!(contents.signer(&[]).is_err() || at < 64 || at > bytes.len() - 96, "byte {at} means nothing");
        }
        assert!(parse(&bytes[..at], PASSWORD).is_err(), "cut at {at}");
    }
}

#[test]
fn what_is_not_read_says_why_and_how_to_renew_it() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    material(dir.path(), "rsa", &["-newkey", "rsa:2048"]);
    material(dir.path(), "short", &["-newkey", "rsa:1024"]);
    material(dir.path(), "p384", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    let said = |bytes: &[u8]| {
        let error = parse(bytes, PASSWORD).and_then(|contents| contents.signer(&[])).map(drop).unwrap_err();
        assert_eq!(error.code, Code::SignerKey, "{error}");
        format!("{} {}", error.detail, error.hint.unwrap_or_default())
    };
    let old = said(&export(dir.path(), "rsa", &["-legacy"]));
    assert!(old.contains("nineties") && old.contains("openssl pkcs12 -legacy"), "{old}");
    assert!(said(&export(dir.path(), "rsa", &["-nomac"])).contains("MAC"));
    assert!(said(&export(dir.path(), "short", &[])).contains("2048"));
    assert!(said(&export(dir.path(), "p384", &[])).contains("P-256"));
    let keyless = ["pkcs12", "-export", "-nokeys", "-in", "rsa.pem", "-passout", "pass:x", "-out", "made.p12"];
    assert!(openssl(dir.path(), &keyless).0);
    let bytes = std::fs::read(dir.path().join("made.p12")).unwrap();
    assert!(parse(&bytes, "x").unwrap().signer(&[]).unwrap_err().detail.contains("no key"));
    assert!(said(b"").contains("not a readable"));
    assert!(said(b"-----BEGIN PRIVATE KEY-----").contains("not a readable"));
    assert!(said(&[0x30, 0x80].repeat(200)).contains("not a readable"));
}

#[test]
fn a_file_that_comes_later_or_a_password_put_right_needs_no_restart() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    material(dir.path(), "p256", &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let bytes = export(dir.path(), "p256", &[]);
    let (path, secret) = (dir.path().join("seal.p12"), dir.path().join("password"));
    let told = secret.clone();
    let ask: AskSecret = Box::new(move || crate::durable::read_linked_text(&told));
    let signer = Pkcs12::new(path.clone(), ask, Vec::new());
    let digest = Sha256::of(b"content");
    let now = crate::clock::Clock::now(&crate::clock::SystemClock);
    let attempt = || cades::sign(&signer, digest, now);
    let error = attempt().unwrap_err();
    assert!(error.code == Code::SignerDown && error.place.contains("seal.p12"), "{error}");
    std::fs::write(&path, &bytes).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(attempt().unwrap_err().code, Code::SignerDown, "no password file");
    std::fs::write(&secret, "sbagliata").unwrap();
    let error = attempt().unwrap_err();
    assert_eq!(error.code, Code::SignerPin);
    assert!(!format!("{error} {error:?} {signer:?}").contains("sbagliata"));
    std::fs::write(&secret, PASSWORD).unwrap();
    assert!(!attempt().unwrap().is_empty());
    assert_eq!(cades::sign(&signer, digest, at("2001-01-01T00:00:00Z")).unwrap_err().code, Code::SignerExpired);
    // Once open it stays so.
    std::fs::remove_file(&path).unwrap();
    assert!(!attempt().unwrap().is_empty());
    let hostile = Pkcs12::new(dir.path().join("other.p12"), Box::new(|| Ok(String::new())), Vec::new());
    std::fs::write(dir.path().join("other.p12"), &bytes).unwrap();
    std::fs::set_permissions(dir.path().join("other.p12"), std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(hostile.credential().unwrap_err().detail.contains("config/writable-by-others"));
}
