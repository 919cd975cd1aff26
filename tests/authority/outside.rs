//! Judges of others: OpenSSL and the Python client say of our tokens what we say.

use std::process::Command;

use super::client::{Archive, packages, read};

/// Verifies a reply over a message with the authority's anchor, and must refuse it over another.
const SCRIPT: &str = "
import sys
from cryptography.x509 import load_pem_x509_certificate
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response
reply, digest, anchor = (open(name, 'rb').read() for name in sys.argv[1:4])
reply = decode_timestamp_response(reply)
verifier = VerifierBuilder().add_root_certificate(load_pem_x509_certificate(anchor)).build()
verifier.verify(reply, digest)
try:
    verifier.verify(reply, bytes(32))
except VerificationError:
    print(reply.tst_info.gen_time)
else:
    sys.exit('it covers anything')
";

fn python(reply: &std::path::Path, imprint: &[u8], anchor: &std::path::Path) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let digest = folder.path().join("digest");
    std::fs::write(&digest, imprint).unwrap();
    let out = Command::new("python3").args(["-c", SCRIPT]).arg(reply).arg(&digest).arg(anchor).output().unwrap();
    (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

/// What a token in a package covers: the root of its closing run, from the chain.
fn run_root(archive: &Archive) -> Vec<u8> {
    let entry = archive.entries().into_iter().find(|entry| entry["kind"] == "package").unwrap();
    hex::decode(entry["package"]["run_root"].as_str().unwrap()).unwrap()
}

#[test]
fn the_python_client_accepts_what_openssl_and_our_own_authority_stamped() {
    if !crate::judges::present(&["openssl"]) || !crate::judges::importable("rfc3161_client") {
        return;
    }
    let server = Archive::new().serve();
    server.file("nota.txt");
    assert_eq!(server.try_seal().status(), 200);
    let archive = server.stop();
    let reply = packages(&archive).remove(0).join("evidence/0001.tsr");
    let (good, said) = python(&reply, &run_root(&archive), &archive.authority.anchor);
    assert!(good, "{said}");
    // Our own development authority, which packages of trial archives come from.
    let folder = tempfile::tempdir().unwrap();
    let authority =
        custode::evidence::tsp::DevelopmentAuthority::create(std::sync::Arc::new(custode::clock::SystemClock));
    let authority = authority.unwrap();
    let imprint = custode::hash::Sha256::of(b"di prova");
    let request = custode::evidence::tsp::new_request(imprint).unwrap();
    let stamped = custode::evidence::tsp::Authority::stamp(&authority, &request).unwrap();
    let (reply, anchor) = (folder.path().join("r.tsr"), folder.path().join("ca.pem"));
    std::fs::write(&reply, &stamped).unwrap();
    std::fs::write(&anchor, authority.root_pem()).unwrap();
    let (good, said) = python(&reply, imprint.as_bytes(), &anchor);
    assert!(good, "{said}");
    let mut bent = read(&reply);
    *bent.last_mut().unwrap() ^= 1;
    std::fs::write(&reply, bent).unwrap();
    assert!(!python(&reply, imprint.as_bytes(), &anchor).0, "the judge sees a bent signature");
}
