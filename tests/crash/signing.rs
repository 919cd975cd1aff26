//! Stopped at the steps of a sealing that signs: receipts, index and all; the next plain `custode seal` ends it, and every
//! signature is there once and right.

use std::os::unix::fs::PermissionsExt as _;

use super::audit;
use super::judges;
use super::sandbox::{Acknowledged, Sandbox, Wish, aborted, text};
use super::seal::{SUBJECT, Seal};
use super::sealing::each_step;

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
