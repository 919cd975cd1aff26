//! Lists and answers made by OpenSSL, who keeps the authority's books.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::evidence::cms::unwrap::pem_blocks;
use crate::evidence::fixtures::openssl;

fn run(dir: &Path, arguments: &str) {
    let arguments: Vec<&str> = arguments.split_ascii_whitespace().collect();
    let (good, text) = openssl(dir, &arguments);
    assert!(good, "openssl {arguments:?}: {text}");
}

fn certificate(dir: &Path, name: &str) -> Certificate {
    let pem = std::fs::read(dir.join(name)).unwrap();
    Certificate::parse(&pem_blocks(&pem, &["CERTIFICATE"]).unwrap()[0]).unwrap()
}

#[test]
fn lists_and_answers_of_openssl_say_who_is_revoked() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    std::fs::create_dir(dir.join("new")).unwrap();
    std::fs::write(dir.join("index.txt"), "").unwrap();
    std::fs::write(dir.join("serial"), "1000\n").unwrap();
    std::fs::write(dir.join("number"), "01\n").unwrap();
    let config = "[ca]\ndefault_ca=a\n[a]\ndatabase=index.txt\nnew_certs_dir=new\nserial=serial\ncrlnumber=number\ncertificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\n\
                  policy=p\ndefault_days=30\ndefault_crl_days=7\n[p]\ncommonName=supplied\n[responder]\nextendedKeyUsage=OCSPSigning\n[leaf]\nkeyUsage=digitalSignature\n\
                  [req]\ndistinguished_name=d\n[d]\n[root]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";
    std::fs::write(dir.join("ca.cnf"), config).unwrap();
    run(
        dir,
        "req -x509 -config ca.cnf -extensions root -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 60 -subj /CN=Radice",
    );
    for (name, section) in [("good", "leaf"), ("bad", "leaf"), ("responder", "responder"), ("stranger", "leaf")] {
        run(
            dir,
            &format!("req -config ca.cnf -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"),
        );
        run(dir, &format!("ca -config ca.cnf -batch -notext -extensions {section} -in {name}.csr -out {name}.pem"));
    }
    run(dir, "ca -config ca.cnf -revoke bad.pem");
    run(dir, "ca -config ca.cnf -gencrl -out crl.pem");
    let (issuer, good, bad) = (certificate(dir, "ca.pem"), certificate(dir, "good.pem"), certificate(dir, "bad.pem"));
    let now = Timestamp::now();
    let mut list = Material::default();
    list.add(&std::fs::read(dir.join("crl.pem")).unwrap()).unwrap();
    let answer = |who: &str, signer: &str| {
        run(
            dir,
            &format!(
                "ocsp -index index.txt -CA ca.pem -rsigner {signer}.pem -rkey {signer}.key -issuer ca.pem -cert {who}.pem -noverify -respout out.der -ndays 7"
            ),
        );
        let bytes = std::fs::read(dir.join("out.der")).unwrap();
        let mut material = Material::default();
        material.add(&bytes).unwrap();
        (material, bytes)
    };
    let (answered, bytes) = answer("good", "responder");
    for material in [&list, &answered, &answer("good", "ca").0] {
        assert!(matches!(status(&good, &issuer, material, now), Status::Good(_)));
        // Long after the list there will be a newer one.
        let later = now + SignedDuration::from_hours(24 * 20);
        assert_eq!(status(&good, &issuer, material, later), Status::Unknown);
    }
    for material in [&list, &answer("bad", "responder").0] {
        assert!(matches!(status(&bad, &issuer, material, now + SignedDuration::from_mins(1)), Status::Revoked(_)));
        let before = now - SignedDuration::from_hours(1);
        assert!(matches!(status(&bad, &issuer, material, before), Status::Good(_)), "revoked later");
    }
    assert_eq!(status(&bad, &issuer, &answered, now), Status::Unknown, "the answer is about another");
    // A certificate of the same authority that was appointed for nothing.
    assert_eq!(status(&good, &issuer, &answer("good", "stranger").0, now), Status::Unknown);
    // Somebody else's key under the same name.
    run(
        dir,
        "req -x509 -config ca.cnf -extensions root -newkey rsa:2048 -nodes -keyout x.key -out x.pem -days 60 -subj /CN=Radice",
    );
    assert_eq!(status(&good, &certificate(dir, "x.pem"), &list, now), Status::Unknown);
    // Cut and bent: never a panic, never good.
    for at in 0..bytes.len() {
        assert!(OcspResponse::parse(&bytes[..at]).is_err());
        let mut bent = bytes.clone();
        bent[at] ^= 0x40;
        let mut material = Material::default();
        if material.add(&bent).is_ok() && at % 16 == 0 {
            let _ = status(&good, &issuer, &material, now);
        }
    }
}
