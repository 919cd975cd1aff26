//! Stopped at the steps of a sealing that signs: receipts, index and all; the next plain `custode seal` ends it, and every
//! signature is there once and right.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::audit;
use super::authority::Web;
use super::judges;
use super::sandbox::{Acknowledged, Sandbox, Wish, aborted, text};
use super::seal::{SUBJECT, Seal};
use super::sealing::each_step;
use super::tsa::Office;

/// An archive whose signer signs receipts too, with documents of two packages.
fn template(seal: &Seal) -> (Sandbox, Vec<Acknowledged>) {
    let sandbox = Sandbox::new();
    let path = sandbox.root().join("custode.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, seal.configured(&config, &seal.table("receipts = true"))).unwrap();
    let server = sandbox.serve();
    let all = (0..4).map(|n| server.caller.accepted(Wish::new(n, 2_000))).collect();
    server.kill();
    (sandbox, all)
}

/// Everything is sealed and signed, and OpenSSL and the archive's own check take it.
fn ends_well(sandbox: &Sandbox, seal: &Seal, acknowledged: &[Acknowledged], when: &str) {
    let output = sandbox.run(&["seal"]);
    assert!(output.status.success(), "{when}: {}", text(&output));
    let sealed = audit::sealed(sandbox, acknowledged);
    assert_eq!((sealed.packages, sealed.documents.len()), (2, acknowledged.len()), "{when}");
    let check = sandbox.json(&["check"]);
    assert_eq!(check["outcome"], "good", "{when}: {check}");
    for entry in audit::entries(&sandbox.root()).iter().filter(|entry| entry["kind"] == "package") {
        let (series, number) = (entry["package"]["series"].as_str().unwrap(), entry["package"]["number"].as_u64());
        let package = sandbox.root().join(format!("packages/{series}/{:08}", number.unwrap()));
        let index = package.join("PIndex.xml");
        let listed = std::fs::read_to_string(&index).unwrap();
        let receipts = listed.matches(".note<").count();
        assert!(receipts > 0 && listed.matches(".xml.p7s<").count() == receipts, "{when}: each receipt once");
        let out = seal.judges(&index, &package.join("PIndex.xml.p7s"));
        assert!(out.status.success(), "{when}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

#[test]
fn stopped_at_the_steps_of_signing_it_goes_on() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let seal = Seal::new("P-256", SUBJECT, "300");
    let (template, acknowledged) = template(&seal);
    let steps = each_step(7, |step| {
        let sandbox = template.twin();
        let output = sandbox.run_with(&["seal"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        if !aborted(&output) {
            assert!(output.status.success(), "step {step}: {}", text(&output));
        }
        // OpenSSL writes beside the seal: one at a time.
        ends_well(&sandbox, &seal.twin(), &acknowledged, &format!("stopped at step {step}"));
        aborted(&output)
    });
    println!("sealing and signing: {steps} durable steps");
    assert!(steps > 60, "only {steps} steps: something is no longer counted");
}

/// A bit of the signature that was time-stamped: it is put back from the copy, or named when both are spoiled.
#[test]
fn a_signature_that_was_stamped_and_is_bent_is_put_back_or_named() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let seal = Seal::new("P-256", SUBJECT, "300");
    let (template, acknowledged) = template(&seal);
    let (mut tried, mut step) = (0, 1);
    loop {
        let sandbox = template.twin();
        let output = sandbox.run_with(&["seal"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        if !aborted(&output) {
            break;
        }
        step += 13;
        let staging = sandbox.root().join("staging");
        let folders = std::fs::read_dir(&staging).unwrap().map(|entry| entry.unwrap().path());
        let signed = |folder: &std::path::PathBuf| folder.join("package/PIndex.xml.p7s");
        let committed = |folder: &std::path::PathBuf| {
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            let named = |entry: &Value| {
                let package = &entry["package"];
                entry["kind"] == "package"
                    && format!("{}-{}", package["series"].as_str().unwrap(), package["number"]) == name
            };
            audit::entries(&sandbox.root()).iter().any(named)
        };
        let found = folders.into_iter().find(|folder| signed(folder).exists() && !committed(folder));
        let Some(folder) = found.filter(|_| staging.join("run.json").exists()) else { continue };
        tried += 1;
        let bend = |path: &std::path::Path| {
            let mut bytes = std::fs::read(path).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            std::fs::remove_file(path).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        bend(&signed(&folder));
        let spoiled = sandbox.twin();
        ends_well(&sandbox, &seal.twin(), &acknowledged, &format!("bent after step {step}"));

        let folder = spoiled.root().join("staging").join(folder.file_name().unwrap());
        bend(&folder.join("signatures/PIndex.xml.p7s"));
        let out = spoiled.run(&["seal"]);
        let said = text(&out);
        assert!(!out.status.success() && said.contains("staging-altered") && said.contains("PIndex.xml.p7s"), "{said}");
        // The way out that it names.
        assert!(said.contains("move this file and staging/run.json out"), "{said}");
        std::fs::rename(signed(&folder), spoiled.path("bent.p7s")).unwrap();
        std::fs::rename(spoiled.root().join("staging/run.json"), spoiled.path("run.json")).unwrap();
        ends_well(&spoiled, &seal.twin(), &acknowledged, &format!("both bent after step {step}"));
    }
    assert!(tried > 1, "{tried}");
}

/// What a signer has signed stays, and a run that is fixed needs it no more.
#[test]
fn a_signer_that_goes_away_while_a_run_is_half_done_delays_only_what_it_has_not_signed() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let seal = Seal::new("P-256", SUBJECT, "300");
    let (template, acknowledged) = template(&seal);
    let (mut without, mut waited, mut step) = (0, 0, 1);
    loop {
        let sandbox = template.twin();
        let output = sandbox.run_with(&["seal"], "CUSTODE_TEST_ABORT_AT", &step.to_string());
        if !aborted(&output) {
            break;
        }
        let file = seal.path("seal.p12");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        let fixed = sandbox.root().join("staging/run.json").exists();
        let alone = sandbox.run(&["seal"]);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let said = text(&alone);
        if alone.status.success() {
            without += 1;
        } else {
            waited += 1;
            assert!(said.contains("signer-down"), "step {step}: {said}");
            assert!(!fixed, "step {step}: a run that is fixed needs no signer: {said}");
        }
        ends_well(&sandbox, &seal, &acknowledged, &format!("without a signer after step {step}"));
        step += 17;
    }
    assert!(without > 2 && waited > 2, "{without} runs ended without the signer, {waited} waited for it");
}

/// A list of what the authority of a seal revoked: nothing yet, or the seal. Good for so many seconds.
fn list(seal: &Seal, revoked: bool, seconds: u32) -> Vec<u8> {
    let line = if revoked { "R\t400101000000Z\t200101000000Z\t07\tunknown\t/CN=Sigillo\n" } else { "" };
    let settings = "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ncrlnumber = number\ndefault_md = sha256\n";
    for (name, text) in [("index.txt", line), ("number", "01\n"), ("list.cnf", settings)] {
        std::fs::write(seal.path(name), text).unwrap();
    }
    let arguments = format!("ca -config list.cnf -gencrl -keyfile ca.key -cert ca.pem -out list.pem -crlsec {seconds}");
    super::seal::must(seal.dir(), &arguments.split(' ').collect::<Vec<_>>());
    super::seal::must(seal.dir(), &["crl", "-in", "list.pem", "-outform", "DER", "-out", "list.der"]);
    std::fs::read(seal.path("list.der")).unwrap()
}

/// The list is asked for where the certificate says; what it says is in the package. Once it names the certificate a trial goes on
/// and says so, and in production nothing is signed: documents wait.
#[test]
fn a_revoked_signer_is_an_alarm_and_signs_nothing_in_production() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let answer = Arc::new(Mutex::new(Vec::new()));
    let given = Arc::clone(&answer);
    let web = Web::new(move |_| Some(given.lock().unwrap().clone()));
    let points = format!("crlDistributionPoints = URI:{}\n", web.url("/list.crl"));
    let seal = Seal::with("P-256", SUBJECT, "300", &points);
    let office = Office::open();
    let (production, _) = super::tsa::archive(&[office.url()], &[&office.anchor]);
    for sandbox in [Sandbox::new(), production] {
        let is_production = sandbox.path("manager.token").exists();
        let path = sandbox.root().join("custode.toml");
        let config = seal.configured(&std::fs::read_to_string(&path).unwrap(), &seal.table(""));
        std::fs::write(&path, config.replace("#hosts = []", &format!("hosts = [\"{}\"]", web.host))).unwrap();
        let deposit = |n| {
            let server = sandbox.serve();
            server.caller.accepted(Wish::new(n, 500));
            server.kill();
        };
        deposit(40);
        *answer.lock().unwrap() = list(&seal, false, 10);
        let sealed = sandbox.run(&["seal"]);
        assert!(sealed.status.success(), "{}", text(&sealed));
        let trust = sandbox.root().join("packages/generic/00000001/trust");
        let told: Value = serde_json::from_slice(&std::fs::read(trust.join("signer.json")).unwrap()).unwrap();
        assert_eq!((&told["revocation"], told["sources"].as_array().unwrap().len()), (&"good".into(), 1), "{told}");
        let source = trust.join(told["sources"][0].as_str().unwrap());
        assert_eq!(std::fs::read(source).unwrap(), *answer.lock().unwrap());
        assert_eq!(sandbox.json(&["check"])["outcome"], "good");
        assert!(!text(&sandbox.run(&["alarms"])).contains("signer-revoked"));

        // The list of before is over, the new one names the certificate.
        *answer.lock().unwrap() = list(&seal, true, 1000);
        std::thread::sleep(Duration::from_secs(10));
        deposit(41);
        let sealed = sandbox.run(&["seal"]);
        let said = text(&sealed);
        assert_eq!(sealed.status.success(), !is_production, "{said}");
        if is_production {
            assert!(said.contains("signer-revoked"), "{said}");
            assert!(!sandbox.root().join("packages/generic/00000003").exists(), "{said}");
        }
        let server = sandbox.serve();
        let seal = server.caller.post("/v1/seal", &serde_json::json!({})).unwrap();
        if is_production {
            assert_eq!((seal.status, seal.code().as_str()), (503, "signer-revoked"));
        }
        server.caller.accepted(Wish::new(42, 500));
        let alarms = server.caller.get("/v1/alarms").unwrap().json().to_string();
        assert!(alarms.contains("signer-revoked"), "{alarms}");
        server.kill();
        assert_eq!(sandbox.json(&["check"])["outcome"], "good");
    }
}
