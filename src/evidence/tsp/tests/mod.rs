//! The outside judge accepts what the development authority makes; each line of the checklist has what it must refuse.

mod checklist;
mod transport;

use std::sync::Arc;

use super::*;
use crate::clock::{Clock, ManualClock, SystemClock};
use crate::error::Code;
use crate::evidence::anchors::Anchors;
use crate::evidence::fixtures::{at, openssl};
use crate::hash::Sha256;

const NOW: &str = "2026-11-22T10:00:00.250Z";

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(at(NOW)))
}

fn imprint() -> Sha256 {
    Sha256::of(b"documento")
}

#[test]
fn openssl_accepts_what_the_development_authority_makes() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    // openssl judges certificates by the real time.
    let authority = DevelopmentAuthority::create(Arc::new(SystemClock)).unwrap();
    let authority = DevelopmentAuthority::from_pem(&authority.to_pem(), Arc::new(SystemClock)).unwrap();
    std::fs::write(path("ca.pem"), authority.anchors().unwrap().to_pem()).unwrap();
    std::fs::write(path("data"), b"documento").unwrap();
    let verify = ["ts", "-verify", "-queryfile", "q.tsq", "-in", "r.tsr", "-CAfile", "ca.pem"];

    let ours = new_request(imprint()).unwrap();
    std::fs::write(path("q.tsq"), &ours).unwrap();
    std::fs::write(path("r.tsr"), authority.stamp(&ours).unwrap()).unwrap();
    let (good, text) = openssl(dir.path(), &verify);
    assert!(good && text.contains("Verification: OK"), "{text}");
    let (_, text) = openssl(dir.path(), &["ts", "-reply", "-in", "r.tsr", "-text"]);
    assert!(text.contains("PROVA - SENZA VALORE LEGALE") && text.contains("Accuracy: 0x01 seconds"), "{text}");
    let other = request(imprint(), Some(&[9; 8]));
    std::fs::write(path("q.tsq"), &other).unwrap();
    assert!(!openssl(dir.path(), &verify).0, "openssl must see the other nonce");

    // What openssl asks, we answer; with and without certReq, SHA-512 too.
    for (extra, untrusted) in
        [(&["-cert", "-sha256"][..], false), (&["-sha512"], true), (&["-cert", "-sha384", "-no_nonce"], false)]
    {
        let (good, text) = openssl(dir.path(), &[&["ts", "-query", "-data", "data", "-out", "q.tsq"], extra].concat());
        assert!(good, "{text}");
        let reply = authority.stamp(&std::fs::read(path("q.tsq")).unwrap()).unwrap();
        std::fs::write(path("r.tsr"), &reply).unwrap();
        let pem = authority.to_pem();
        std::fs::write(path("tsa.pem"), &pem[pem.find("-----BEGIN CERTIFICATE").unwrap()..]).unwrap();
        let (good, _) = openssl(dir.path(), &verify);
        assert_eq!(good, !untrusted, "without certReq no certificate comes along");
        let (good, text) = openssl(dir.path(), &[&verify[..], &["-untrusted", "tsa.pem"]].concat());
        assert!(good, "{extra:?}: {text}");
    }
    let (good, _) = openssl(dir.path(), &["ts", "-query", "-data", "data", "-sha1", "-cert", "-out", "q.tsq"]);
    assert!(good);
    let reply = authority.stamp(&std::fs::read(path("q.tsq")).unwrap()).unwrap();
    std::fs::write(path("r.tsr"), &reply).unwrap();
    let (_, text) = openssl(dir.path(), &["ts", "-reply", "-in", "r.tsr", "-text"]);
    assert!(text.contains("Rejected") && text.contains("unrecognized or unsupported algorithm identifier"), "{text}");
}

#[test]
fn what_openssl_stamps_we_accept() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let config = "[req]\ndistinguished_name=dn\n[dn]\n[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
                  [tsa]\nextendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n\
                  [tsa1]\nserial=serial\ncrypto_device=builtin\nsigner_cert=tsa.pem\ncerts=ca.pem\nsigner_key=tsa.key\n\
                  signer_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256\naccuracy=secs:1,millisecs:500,microsecs:100\n\
                  clock_precision_digits=6\nordering=yes\ntsa_name=yes\ness_cert_id_chain=yes\ness_cert_id_alg=sha256\n";
    std::fs::write(path("c.cnf"), config).unwrap();
    let run = |line: &str| {
        let (good, text) = openssl(dir.path(), &line.split(' ').collect::<Vec<_>>());
        assert!(good, "{line}: {text}");
    };
    run(
        "req -x509 -newkey rsa:3072 -nodes -keyout ca.key -out ca.pem -subj /CN=root -days 9 -config c.cnf -extensions ca",
    );
    run("req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=tsa -config c.cnf");
    run(
        "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -extfile c.cnf -extensions tsa -out tsa.pem",
    );
    let ours = new_request(imprint()).unwrap();
    std::fs::write(path("q.tsq"), &ours).unwrap();
    run("ts -reply -config c.cnf -section tsa1 -queryfile q.tsq -out r.tsr");
    let reply = std::fs::read(path("r.tsr")).unwrap();
    let anchors = Anchors::from_pem_files(&[path("ca.pem")]).unwrap();

    let rules = Rules { max_accuracy: jiff::SignedDuration::from_secs(2), ..Rules::default() };
    let token = rules.verify_reply(&ours, &reply, &anchors, Some(SystemClock.now())).unwrap();
    assert_eq!(token.info().policy.to_string(), "1.2.3.4");
    assert_eq!(token.info().accuracy, Some(Accuracy { seconds: 1, millis: 500, micros: 100 }));
    assert!(token.info().ordering && token.path().len() == 2);
    // The same authority with a short key.
    run("req -newkey rsa:1024 -nodes -keyout tsa.key -out tsa.csr -subj /CN=tsa -config c.cnf");
    run(
        "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -extfile c.cnf -extensions tsa -out tsa.pem",
    );
    run("ts -reply -config c.cnf -section tsa1 -queryfile q.tsq -out short.tsr");
    let short = std::fs::read(path("short.tsr")).unwrap();
    let error = rules.verify_reply(&ours, &short, &anchors, Some(SystemClock.now())).unwrap_err();
    assert!(error.detail.contains("2048"), "{error}");
    let strict = verify_reply(&ours, &reply, &anchors, SystemClock.now()).unwrap_err();
    assert!(strict.code == Code::StampAccuracy && strict.detail.contains("accuracy"), "{strict}");
}

#[test]
fn the_development_authority_honours_the_request() {
    let authority = DevelopmentAuthority::create(clock()).unwrap();
    let anchors = authority.anchors().unwrap();
    let sent = request(imprint(), Some(&[0, 0xff, 1, 2]));
    let token = verify_reply(&sent, &authority.stamp(&sent).unwrap(), &anchors, at(NOW)).unwrap();
    assert_eq!(token.gen_time(), at(NOW), "fractions of a second are kept");
    assert_eq!(token.info().nonce.as_deref(), Some(&[0xff, 1, 2][..]));
    assert_eq!(token.info().policy.to_string(), dev::POLICY);
    assert_eq!(verify_token(token.der(), imprint(), &anchors).unwrap().info(), token.info());
    let again = verify_reply(&sent, &authority.stamp(&sent).unwrap(), &anchors, at(NOW)).unwrap();
    assert_ne!(again.info().serial, token.info().serial);

    let refused = |query: Query, reason: &str| {
        let error = token_of_reply(&authority.stamp(&query.to_der()).unwrap()).unwrap_err();
        assert!(error.code == Code::TsaRefused && error.detail.contains(reason), "{error}");
    };
    let query = || Query::new(imprint());
    let sha1 = crate::evidence::oids::SHA1;
    refused(Query { algorithm: sha1, imprint: vec![1; 20], ..query() }, "badAlg");
    refused(Query { algorithm: "1.2.3.4".parse().unwrap(), ..query() }, "badAlg");
    refused(Query { imprint: vec![1; 31], ..query() }, "badDataFormat");
    refused(Query { policy: Some("1.2.3".parse().unwrap()), ..query() }, "unacceptedPolicy");
    let error = token_of_reply(&authority.stamp(b"\x30\x03\x02\x01\x01").unwrap()).unwrap_err();
    assert!(error.detail.contains("badRequest"), "{error}");
    assert!(DevelopmentAuthority::from_pem("nothing", clock()).is_err());
}

#[test]
fn truncated_and_flipped_replies_are_refused_or_say_the_same() {
    let authority = DevelopmentAuthority::create(clock()).unwrap();
    let anchors = authority.anchors().unwrap();
    let sent = request(imprint(), Some(&[7; 8]));
    let reply = authority.stamp(&sent).unwrap();
    let good = verify_reply(&sent, &reply, &anchors, at(NOW)).unwrap();
    for cut in 0..reply.len() {
        assert!(verify_reply(&sent, &reply[..cut], &anchors, at(NOW)).is_err(), "cut at {cut}");
        assert!(verify_token(&reply[..cut], imprint(), &anchors).is_err());
        let _ = authority.stamp(&reply[..cut]);
    }
    for byte in 0..reply.len() {
        let mut flipped = reply.clone();
        flipped[byte] ^= 1 << (byte % 8);
        // Bits outside the signature can change unseen (version numbers, the other certificate); what is said cannot.
        if let Ok(token) = verify_reply(&sent, &flipped, &anchors, at(NOW)) {
            assert_eq!(token.info(), good.info(), "byte {byte}");
            assert_eq!(token.signer(), good.signer(), "byte {byte}");
        }
    }
    for cut in 0..sent.len() {
        assert!(Query::parse(&sent[..cut]).is_err());
    }
}
