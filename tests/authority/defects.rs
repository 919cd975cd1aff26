//! One archive, one authority, every defect in turn; then the authority is mended.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{Archive, packages};
use super::office::Defect;

/// What each defect is called, and a word of what is said of it.
const CODES: &[(Defect, &str, &str)] = &[
    (Defect::Nonce, "timestamp/nonce", "nonce"),
    (Defect::Imprint, "timestamp/imprint", "something else"),
    (Defect::Policy, "timestamp/policy", "1.2.3.5"),
    (Defect::Expired, "timestamp/certificate-expired", ""),
    (Defect::NotYetValid, "timestamp/certificate-not-yet-valid", ""),
    (Defect::NoPurpose, "timestamp/certificate-purpose", "no extended key usage"),
    (Defect::PurposeNotCritical, "timestamp/certificate-purpose", "not critical"),
    (Defect::PurposeNotAlone, "timestamp/certificate-purpose", "not only"),
    (Defect::NoCertificate, "timestamp/certificate-missing", ""),
    (Defect::OtherCertificate, "timestamp/certificate-other", "another certificate"),
    (Defect::Sha1Only, "timestamp/weak", "SHA-1"),
    (Defect::TwoSigners, "timestamp/signers", "2 signers"),
    (Defect::Stranger, "timestamp-untrusted", "anchor"),
    (Defect::Rejected, "tsa-refused", "badAlg"),
    (Defect::Status500, "tsa-down", "status 500"),
    (Defect::Html, "tsa-down", "text/html"),
    (Defect::Half, "tsa-down", ""),
    (Defect::Drip, "tsa-down", "timed out"),
    (Defect::Huge, "tsa-down", "64 KiB"),
    (Defect::Silent, "tsa-down", "timed out"),
];

#[test]
fn each_defect_has_its_code_and_delays_sealing_without_loss() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let named: Vec<Defect> = CODES.iter().map(|(defect, ..)| *defect).collect();
    for (name, defect) in Defect::ALL {
        assert!(*defect == Defect::None || named.contains(defect), "{name} is not tried");
    }
    let archive = Archive::new();
    archive.configure("#interval = \"10s\"", "interval = \"1h\"");
    let server = archive.serve();
    let mut ids = vec![server.file("prima.txt")];
    for (defect, code, word) in CODES {
        server.breaks(*defect);
        let started = Instant::now();
        let reply = server.try_seal();
        assert_eq!(reply.status(), 503, "{defect:?}");
        let told: Value = reply.json().unwrap();
        let detail = told["detail"].as_str().unwrap();
        assert_eq!(told["code"], "tsa-down", "{defect:?}: {told}");
        assert!(detail.contains(&format!("({code})")) && detail.contains(word), "{defect:?}: {detail}");
        // Two tries of two seconds each, however the answer drips.
        assert!(started.elapsed() < Duration::from_secs(15), "{defect:?}: {:?}", started.elapsed());
        assert!(packages(&server.archive).is_empty(), "{defect:?}: something was published");
        assert!(server.archive.entries().iter().all(|entry| entry["kind"] != "package"), "{defect:?}");
        // Intake goes on; everything acknowledged is there.
        ids.push(server.file(&format!("{defect:?}.txt")));
        let content = server.content(&ids[0]);
        assert_eq!(content, b"prima.txt", "{defect:?}");
    }
    server.breaks(Defect::None);
    let asked = server.asked();
    let mut sealed = 0;
    // What was staged under the broken authority first, with the request that is stored; then what came meanwhile.
    for _ in 0..2 {
        let reply = server.try_seal();
        assert_eq!(reply.status(), 200, "{}", reply.text().unwrap());
        let told: Value = reply.json().unwrap();
        sealed += told["sealed"].as_array().unwrap().iter().map(|one| one["documents"].as_u64().unwrap()).sum::<u64>();
    }
    assert_eq!(sealed, ids.len() as u64);
    let asked = server.asked() - asked;
    assert!(asked <= 2, "{asked} tokens for two closing runs");
    for (id, name) in
        ids.iter().zip(std::iter::once("prima.txt".to_owned()).chain(named.iter().map(|d| format!("{d:?}.txt"))))
    {
        let content = server.content(id);
        assert_eq!(content, name.as_bytes());
    }
    let check = server.archive.run(&["check", "--json"]);
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stdout));
}

#[test]
fn a_token_is_judged_at_its_own_time_for_ever() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let archive = Archive::new();
    let server = archive.serve();
    server.file("vecchia.txt");
    assert_eq!(server.try_seal().status(), 200);
    let archive = server.stop();
    // Five years on: the authority's certificates ended after ten days.
    let later = (5 * 365 * 86_400).to_string();
    let out = archive.command(&["check", "--json"]).env("CUSTODE_TEST_CLOCK_SHIFT", later).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stdout));
}

/// A trusted list with one time-stamping service.
fn list(certificate: &[u8], status: &str) -> String {
    use base64::Engine as _;
    let certificate = base64::engine::general_purpose::STANDARD.encode(certificate);
    let state = format!(
        "<ServiceTypeIdentifier>http://uri.etsi.org/TrstSvc/Svctype/TSA/QTST</ServiceTypeIdentifier>\
         <ServiceStatus>http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/{status}</ServiceStatus>\
         <StatusStartingTime>2020-01-01T00:00:00Z</StatusStartingTime>"
    );
    format!(
        "<TrustServiceStatusList xmlns=\"http://uri.etsi.org/02231/v2#\"><TrustServiceProviderList><TrustServiceProvider>\
         <TSPServices><TSPService><ServiceInformation>{state}<ServiceDigitalIdentity><DigitalId><X509Certificate>{certificate}\
         </X509Certificate></DigitalId></ServiceDigitalIdentity></ServiceInformation></TSPService></TSPServices>\
         </TrustServiceProvider></TrustServiceProviderList></TrustServiceStatusList>"
    )
}

#[test]
fn qualified_is_what_a_trusted_list_says_it_was_then() {
    if !crate::judges::present(&["openssl"]) {
        return;
    }
    let archive = Archive::new();
    let path = archive.root.with_file_name("list.xml");
    let ca = super::office::pem(&std::fs::read_to_string(&archive.authority.anchor).unwrap());
    std::fs::write(&path, list(&ca, "withdrawn")).unwrap();
    archive.configure("#trusted_lists = []", &format!("trusted_lists = [\"{}\"]", path.display()));
    archive.configure("#require_qualified = false", "require_qualified = true");
    let server = archive.serve();
    server.file("nota.txt");
    let reply = server.try_seal();
    assert_eq!(reply.status(), 503);
    let told: Value = reply.json().unwrap();
    assert!(told["detail"].as_str().unwrap().contains("(timestamp/not-qualified)"), "{told}");
    let archive = server.stop();
    std::fs::write(&path, list(&ca, "granted")).unwrap();
    let sealed = archive.run(&["seal", "--json"]);
    assert_eq!(sealed.status.code(), Some(0), "{}", String::from_utf8_lossy(&sealed.stderr));
    let entry = archive.entries().into_iter().find(|entry| entry["kind"] == "package").unwrap();
    assert_eq!(entry["package"]["qualified"], true, "{entry}");
}
