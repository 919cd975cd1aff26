//! Signatures of packages by a certificate: made by the real program with a PKCS#12 file that OpenSSL made, judged by OpenSSL.

use std::process::Command;

use serde_json::Value;

use crate::authority::Authority;
use crate::judges;
use crate::seal::{PASSWORD, SUBJECT, Seal, mode, must};
use crate::server::{Archive, Server, problem, text};

/// An archive whose index names "Esempio S.p.A." as who may sign, with this signer.
pub fn archive(seal: &Seal, more: &str) -> Archive {
    let archive = Archive::new();
    let path = archive.path("custode.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, seal.configured(&text, &seal.table(more))).unwrap();
    archive
}

/// Served, so that it seals only when it is told to; and a producer's token.
pub fn served(archive: Archive) -> (Server, String) {
    archive.configure("#interval = \"10s\"", "interval = \"1h\"");
    let server = archive.serve();
    let producer = server.archive.token("producer");
    (server, producer)
}

fn findings(report: &Value) -> Vec<String> {
    let list = report["findings"].as_array().into_iter().flatten();
    list.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_index_is_signed_and_everybody_who_reads_it_judges_the_signature() {
    if !judges::present(&["openssl"]) {
        return;
    }
    for key in ["rsa:2048", "P-256"] {
        let seal = Seal::new(key, SUBJECT, "300");
        let (server, producer) = served(archive(&seal, ""));
        server.generic(&producer, "nota.txt", b"uno");
        assert_eq!(server.seal()["findings"].as_array().unwrap().len(), 0);
        let folder = server.archive.path("packages/generic/00000001");
        let (index, p7s) = (folder.join("PIndex.xml"), folder.join("PIndex.xml.p7s"));
        let out = seal.judges(&index, &p7s);
        let said = text(&out.stderr);
        assert!(out.status.success() && said.contains("CAdES Verification successful"), "{key}: {said}");
        let other = seal.path("other");
        std::fs::write(&other, text(&std::fs::read(&index).unwrap()).replace("Versamento", "versamento")).unwrap();
        assert!(!seal.judges(&other, &p7s).status.success(), "an altered index");

        // Over HTTP: the signature itself, and who signed.
        let auditor = server.archive.token("auditor");
        let given = server.get("/v1/packages/generic/1/signature", &auditor).send().unwrap();
        assert_eq!(given.headers()["content-type"], "application/pkcs7-signature");
        assert_eq!(given.bytes().unwrap(), std::fs::read(&p7s).unwrap());
        let package = server.json("/v1/packages/generic/1", &auditor);
        let subject = package["signature"]["subject"].as_str().unwrap();
        assert!(subject.contains("CN=Sigillo di Esempio") && subject.contains("VATIT-01234567890"), "{package}");

        let check = server.archive.manage(&["check"]);
        assert_eq!(check["outcome"], "good", "{check}");
        let not = check["coverage"]["not_looked_at"].to_string();
        assert!(not.contains("revocation of the certificates that packages are signed with"), "{check}");

        // A bundle of the package, for somebody else, who has the right anchors, none, or others.
        let bundle = seal.path("bundle.zip");
        let bundle = bundle.to_str().unwrap();
        server.archive.manage(&["export", "--package", "generic/1", "-o", bundle]);
        let tsa = server.archive.root.with_extension("keys").join("development-tsa-root.pem");
        let (tsa, ca) = (tsa.to_str().unwrap().to_owned(), seal.path("ca.pem").display().to_string());
        let vkey = server.archive.path("chain/archive.vkey").display().to_string();
        let verify = |trust: &[&str]| {
            let mut arguments = vec!["--json", "verify", bundle];
            trust.iter().for_each(|path| arguments.extend(["--trust", path]));
            arguments.extend(["--key", &vkey]);
            let out = server.archive.run(&arguments);
            let report: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", text(&out.stderr)));
            (out.status.code(), report)
        };
        let (status, report) = verify(&[&tsa, &ca]);
        assert_eq!((status, findings(&report)), (Some(0), vec![]), "{report}");
        let signatures = report["signatures"].as_array().unwrap();
        assert_eq!(signatures.len(), 2, "the report and the index: {report}");
        for signature in signatures {
            assert_eq!(signature["outcome"], "good", "{report}");
            assert!(signature["signer"]["subject"].as_str().unwrap().contains("Sigillo di Esempio"));
        }
        // A blank behind the signature of the report, which is on no list.
        let whole = std::fs::read(bundle).unwrap();
        edited(bundle, "report.json.p7s", |p7s| Some([p7s, b"\n"].concat()));
        let (status, report) = verify(&[&tsa, &ca]);
        assert_eq!((status, findings(&report)), (Some(1), vec!["signature-invalid".to_owned()]), "{report}");
        // Taken away: the report says that it was signed, and by whom.
        std::fs::write(bundle, &whole).unwrap();
        edited(bundle, "report.json.p7s", |_| None);
        let (status, report) = verify(&[&tsa, &ca]);
        assert_eq!((status, findings(&report)), (Some(1), vec!["bundle-file-missing".to_owned()]), "{report}");
        assert_eq!(report["findings"][0]["place"], "report.json.p7s");
        std::fs::write(bundle, whole).unwrap();
        let (status, report) = verify(&[&tsa]);
        assert_eq!((status, findings(&report)), (Some(2), vec!["anchor-missing".to_owned()]), "{report}");
        assert_eq!(report["findings"][0]["place"], "signer");
        let (status, report) = verify(&[]);
        assert_eq!((status, findings(&report).len()), (Some(2), 2), "{report}");
    }
}

/// A bundle with other bytes in this file, or without it.
fn edited(bundle: &str, name: &str, edit: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    let mut old = zip::ZipArchive::new(std::fs::File::open(bundle).unwrap()).unwrap();
    let mut new = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for n in 0..old.len() {
        let mut file = old.by_index(n).unwrap();
        let own = file.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        let Some(bytes) = (if own == name { edit(&bytes) } else { Some(bytes) }) else { continue };
        new.start_file(own.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut new, &bytes).unwrap();
    }
    std::fs::write(bundle, new.finish().unwrap().into_inner()).unwrap();
}

#[test]
fn a_package_without_a_signer_has_no_signature_and_says_so() {
    let server = Server::new();
    let producer = server.archive.token("producer");
    server.generic(&producer, "nota.txt", b"uno");
    server.seal();
    assert!(!server.archive.path("packages/generic/00000001/PIndex.xml.p7s").exists());
    let auditor = server.archive.token("auditor");
    problem(server.get("/v1/packages/generic/1/signature", &auditor).send().unwrap(), 404);
    assert_eq!(server.json("/v1/packages/generic/1", &auditor)["signature"], Value::Null);
}

#[test]
fn an_altered_signature_is_bad_and_a_signer_of_nobody_known_is_unchecked() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let seal = Seal::new("P-256", SUBJECT, "300");
    let (mut server, producer) = served(archive(&seal, ""));
    server.generic(&producer, "nota.txt", b"uno");
    server.seal();
    let outcome = |archive: &Archive| {
        let out = archive.run(&["--json", "check"]);
        serde_json::from_slice::<Value>(&out.stdout).unwrap()
    };
    server.restart_after(&[], |archive| {
        // Whom the archive believes is taken away: what it cannot judge it does not call good.
        let line = format!("signatures = [\"{}\"]", seal.path("ca.pem").display());
        archive.configure(&line, "signatures = []");
        let report = outcome(archive);
        assert_eq!(report["outcome"], "unchecked", "{report}");
        assert_eq!(findings(&report)[..1], ["signature/chain-not-checked"], "{report}");
        archive.configure("signatures = []", &line);
        // Another signature, well made, of the same index, by a stranger.
        let stranger = Seal::new("P-256", "/O=Altri S.r.l./CN=Altro sigillo", "300");
        let p7s = archive.path("packages/generic/00000001/PIndex.xml.p7s");
        let index = archive.path("packages/generic/00000001/PIndex.xml");
        let (index, forged) = (index.display().to_string(), stranger.path("forged").display().to_string());
        must(
            stranger.dir(),
            &[
                "cms", "-sign", "-cades", "-binary", "-outform", "DER", "-signer", "seal.pem", "-inkey", "seal.key",
                "-in", &index, "-out", &forged,
            ],
        );
        std::fs::remove_file(&p7s).unwrap();
        std::fs::copy(&forged, &p7s).unwrap();
        let report = outcome(archive);
        assert_eq!(report["outcome"], "bad");
        let codes = findings(&report);
        for code in ["package-file-altered", "signature/not-authorised"] {
            assert!(codes.iter().any(|found| found == code), "{code}: {report}");
        }
    });
}

/// A signer that cannot sign: its file, its password, its certificate.
#[test]
fn a_signer_that_does_not_sign_delays_sealing_and_loses_nothing() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let seal = Seal::new("P-256", SUBJECT, "300");
    let (mut server, producer) = served(archive(&seal, ""));
    let auditor = server.archive.token("auditor");
    let hidden = seal.path("hidden.p12");
    type Act<'a> = &'a dyn Fn();
    let troubles: [(&str, Act<'_>, Act<'_>); 2] = [
        ("signer-down", &|| std::fs::rename(seal.path("seal.p12"), &hidden).unwrap(), &|| {
            std::fs::rename(&hidden, seal.path("seal.p12")).unwrap()
        }),
        ("signer-pin", &|| std::fs::write(seal.path("password"), "un'altra\n").unwrap(), &|| {
            std::fs::write(seal.path("password"), format!("{PASSWORD}\n")).unwrap()
        }),
    ];
    for (number, (code, spoil, mend)) in troubles.into_iter().enumerate() {
        // The key stays in memory once it was read: a new start has to read it.
        server.restart_after(&[], |_| spoil());
        let first = server.generic(&producer, "nota.txt", format!("prima {number}").as_bytes());
        let refused = problem(server.post("/v1/seal", &server.archive.manager).send().unwrap(), 503);
        assert_eq!(refused["code"], code, "{refused}");
        assert!(!refused.to_string().contains("un'altra") && !server.log.lock().unwrap().contains("un'altra"));
        // Each trouble makes two packages.
        let number = 2 * number + 1;
        let staged = server.archive.path(&format!("staging/generic-{number}/package"));
        assert!(staged.join("PIndex.xml").exists() && !staged.join("PIndex.xml.p7s").exists(), "it waits in staging");
        // Deposits go on, and everybody who looks for alarms finds why it waits.
        let second = server.generic(&producer, "altra.txt", format!("seconda {number}").as_bytes());
        let alarms = server.json("/v1/alarms", &auditor);
        let told: Vec<&str> =
            alarms["alarms"].as_array().unwrap().iter().map(|alarm| alarm["code"].as_str().unwrap()).collect();
        assert!(told.contains(&code) && told.contains(&"signature-waiting"), "{alarms}");
        for receipt in [&first, &second] {
            let id = receipt["documents"][0]["id"].as_str().unwrap();
            assert_eq!(server.json(&format!("/v1/documents/{id}"), &auditor)["status"], "accepted");
        }
        let nightly = server.archive.run(&["--json", "nightly"]);
        assert!(text(&nightly.stdout).contains(code), "{}", text(&nightly.stdout));
        mend();
        let sealed = server.seal();
        assert_eq!(findings(&sealed), Vec::<String>::new(), "{sealed}");
        assert!(server.archive.path(&format!("packages/generic/{number:08}/PIndex.xml.p7s")).exists());
        // The second document goes into a package of its own.
        let alarms = server.json("/v1/alarms", &auditor);
        assert_eq!(alarms["total"], 0, "{alarms}");
        let check = server.archive.manage(&["check"]);
        assert_eq!(check["outcome"], "good", "{check}");
    }
}

/// Whatever is wrong with the signer, documents are taken, sealing waits, and an alarm says why; put right, nothing is lost.
fn waits_and_goes_on(seal: &Seal, break_it: impl Fn(&Archive), code: &str, parts: &[&str], mend: impl Fn(&Archive)) {
    let chain = seal.path("chain.pem");
    std::fs::copy(seal.path("ca.pem"), &chain).unwrap();
    let archive = archive(seal, &format!("chain = [\"{}\"]", chain.display()));
    break_it(&archive);
    let (mut server, producer) = served(archive);
    server.generic(&producer, "nota.txt", b"uno");
    // What its owner must put right in the configuration is no mere delay to who asks.
    let status = if code == "signer-mismatch" { 422 } else { 503 };
    let refused = problem(server.post("/v1/seal", &server.archive.manager).send().unwrap(), status);
    assert_eq!(refused["code"], code, "{refused}");
    assert!(!server.archive.path("packages/generic/00000001").exists());
    let auditor = server.archive.token("auditor");
    let alarms = server.json("/v1/alarms", &auditor);
    let told = alarms["alarms"].as_array().unwrap().iter().find(|alarm| alarm["code"] == code);
    let told = told.unwrap_or_else(|| panic!("no alarm {code}: {alarms}")).to_string();
    // Whose certificate it is, is for who may seal; an alarm names nobody.
    let told = if code == "signer-mismatch" { refused.to_string() } else { told };
    assert!(parts.iter().all(|part| told.contains(part)), "{parts:?}: {told}");
    // A night without a signer is a night with a check, and a new start takes documents as well.
    server.restart_after(&[], |_| {});
    server.generic(&producer, "altra.txt", b"due");
    server.restart_after(&[], &mend);
    let sealed = server.seal()["sealed"].as_array().unwrap().clone();
    let documents: u64 = sealed.iter().map(|package| package["documents"].as_u64().unwrap()).sum();
    assert_eq!(documents, 2, "{code}: {sealed:?}");
    let alarms = server.json("/v1/alarms", &auditor);
    assert!(!alarms.to_string().contains("signer-"), "{alarms}");
}

#[test]
fn a_certificate_of_nobody_who_may_sign_delays_sealing_and_both_are_named() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let seal = Seal::new("P-256", "/O=Altri S.r.l./organizationIdentifier=VATIT-99999999999/CN=Altro sigillo", "300");
    let right = Seal::new("P-256", SUBJECT, "300");
    let mend = |_: &Archive| {
        for name in ["seal.p12", "ca.pem"] {
            std::fs::copy(right.path(name), seal.path(name)).unwrap();
        }
    };
    let parts = ["Esempio S.p.A. (VATIT-01234567890)", "VATIT-99999999999", "Altro sigillo"];
    waits_and_goes_on(&seal, |_| {}, "signer-mismatch", &parts, mend);
}

#[test]
fn a_signer_whose_files_are_missing_or_readable_by_all_delays_sealing_and_says_which() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let seal = Seal::new("P-256", SUBJECT, "300");
    for name in ["seal.p12", "password", "chain.pem"] {
        let (path, aside) = (seal.path(name), seal.path("aside"));
        let away = |_: &Archive| std::fs::rename(&path, &aside).unwrap();
        waits_and_goes_on(&seal, away, "signer-down", &[name], |_| std::fs::rename(&aside, &path).unwrap());
    }
    for name in ["seal.p12", "password"] {
        for bits in [0o644, 0o640] {
            let expose = |_: &Archive| mode(&seal.path(name), bits);
            let parts = [name, "config/secret-exposed"];
            waits_and_goes_on(&seal, expose, "signer-down", &parts, |_| mode(&seal.path(name), 0o400));
        }
    }
    let wrong = |_: &Archive| std::fs::write(seal.path("password"), "sbagliata\n").unwrap();
    let right = |_: &Archive| std::fs::write(seal.path("password"), format!("{PASSWORD}\n")).unwrap();
    mode(&seal.path("password"), 0o600);
    waits_and_goes_on(&seal, wrong, "signer-pin", &[], right);
}

#[test]
fn a_certificate_that_expires_is_an_alarm_before_and_does_not_sign_after() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let seal = Seal::new("P-256", SUBJECT, "30");
    let (mut server, producer) = served(archive(&seal, ""));
    let auditor = server.archive.token("auditor");
    let alarms = server.json("/v1/alarms", &auditor);
    assert_eq!(alarms["alarms"][0]["code"], "signer-expiring", "{alarms}");
    server.generic(&producer, "nota.txt", b"uno");
    server.seal();
    server.restart_after(&[("CUSTODE_TEST_CLOCK_SHIFT", "2678400")], |_| {});
    server.generic(&producer, "nota.txt", b"due");
    let refused = problem(server.post("/v1/seal", &server.archive.manager).send().unwrap(), 503);
    assert_eq!(refused["code"], "signer-expired", "{refused}");
    let alarms = server.json("/v1/alarms", &server.archive.token("auditor"));
    assert!(alarms.to_string().contains("signer-expired"), "{alarms}");
    // What was signed in time stays good for ever.
    let check = server.archive.manage(&["check"]);
    assert_eq!(check["outcome"], "good", "{check}");
}

#[test]
fn a_class_that_requires_a_signature_waits_for_a_signer() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let seal = Seal::new("P-256", SUBJECT, "300");
    let archive = archive(&seal, "");
    archive.configure("kind = \"pkcs12\"", "#kind = \"pkcs12\"");
    for key in ["file = \"", "password_file = \""] {
        archive.configure(&format!("\n{key}/"), &format!("\n#{key}/"));
    }
    let rule = std::fs::read_to_string(archive.path("policies/default@1.toml")).unwrap();
    let rule =
        rule.replace("version = 1", "version = 2").replace("age = \"24h\"", "age = \"24h\"\nsignature = \"required\"");
    std::fs::write(seal.path("default@2.toml"), rule).unwrap();
    archive.manage(&["policy", "adopt", seal.path("default@2.toml").to_str().unwrap()]);
    let (mut server, producer) = served(archive);
    server.generic(&producer, "nota.txt", b"uno");
    let out = server.archive.run(&["seal"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stdout).contains("signature-required"), "{}", text(&out.stdout));
    let alarms = server.json("/v1/alarms", &server.archive.token("auditor"));
    assert!(alarms.to_string().contains("signature-required"), "{alarms}");
    assert!(!server.archive.path("packages/generic/00000001").exists());
    server.restart_after(&[], |archive| {
        archive.configure("#kind = \"pkcs12\"", "kind = \"pkcs12\"");
        for key in ["file = \"", "password_file = \""] {
            archive.configure(&format!("\n#{key}/"), &format!("\n{key}/"));
        }
    });
    assert_eq!(server.seal()["sealed"].as_array().unwrap().len(), 1);
    assert!(server.archive.path("packages/generic/00000001/PIndex.xml.p7s").exists());
}

#[test]
fn receipts_and_reports_are_signed_where_that_is_asked_for() {
    if !judges::present(&["openssl", "python3", "unzip"]) {
        return;
    }
    let seal = Seal::new("P-256", SUBJECT, "300");
    let (server, producer) = served(archive(&seal, "receipts = true"));
    let receipts: Vec<Value> =
        (0..3).map(|n| server.generic(&producer, "nota.txt", format!("testo {n}").as_bytes())).collect();
    let auditor = server.archive.token("auditor");
    let id = receipts[1]["receipt"].as_str().unwrap().to_owned();
    let signature = format!("/v1/receipts/{id}/signature");
    problem(server.get(&signature, &auditor).send().unwrap(), 404);
    assert_eq!(findings(&server.seal()), Vec::<String>::new());

    let p7s = server.get(&signature, &auditor).send().unwrap().bytes().unwrap();
    let rdv = server.get(&format!("/v1/receipts/{id}"), &auditor).header("accept", "application/xml");
    std::fs::write(seal.path("rdv.xml"), rdv.send().unwrap().bytes().unwrap()).unwrap();
    std::fs::write(seal.path("rdv.p7s"), &p7s).unwrap();
    let out = seal.judges(&seal.path("rdv.xml"), &seal.path("rdv.p7s"));
    assert!(out.status.success(), "{}", text(&out.stderr));
    let own = server.get(&signature, &producer).send().unwrap();
    assert_eq!(own.bytes().unwrap(), p7s, "a producer's own receipt");
    // The index lists it beside the RdV.
    let index = std::fs::read_to_string(server.archive.path("packages/generic/00000001/PIndex.xml")).unwrap();
    assert!(index.contains(&format!("receipts/{id}.xml.p7s")), "{index}");

    let check = server.archive.manage(&["check"]);
    assert_eq!(check["outcome"], "good", "{check}");
    let report = server.archive.path(&format!("reports/check-{}.json", check["check"].as_str().unwrap()));
    let out = seal.judges(&report, &report.with_extension("json.p7s"));
    assert!(out.status.success(), "the report: {}", text(&out.stderr));

    // One document's bundle carries the signature of its receipt, and both verifiers judge what they can of it.
    let bundle = seal.path("bundle.zip").display().to_string();
    let document = receipts[1]["documents"][0]["id"].as_str().unwrap();
    server.archive.manage(&["export", "--document", document, "-o", &bundle]);
    let tsa = server.archive.root.with_extension("keys").join("development-tsa-root.pem").display().to_string();
    let vkey = std::fs::read_to_string(server.archive.path("chain/archive.vkey")).unwrap();
    let ca = seal.path("ca.pem").display().to_string();
    let out = server.archive.run(&["--json", "verify", &bundle, "--trust", &tsa, "--trust", &ca, "--key", vkey.trim()]);
    let told: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((out.status.code(), findings(&told)), (Some(0), vec![]), "{told}");
    let files: Vec<&str> =
        told["signatures"].as_array().unwrap().iter().map(|signature| signature["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["report.json.p7s", &format!("receipts/{id}.xml.p7s")]);
    let open = seal.path("open");
    let unzipped = Command::new("unzip").args(["-q", &bundle, "-d"]).arg(&open).output().unwrap();
    assert!(unzipped.status.success());
    let out = seal.judges(&open.join("report.json"), &open.join("report.json.p7s"));
    assert!(out.status.success(), "the bundle's report: {}", text(&out.stderr));
    let page = std::fs::read_to_string(open.join("README.html")).unwrap();
    assert!(page.contains("technical integrity mark") && page.contains("signature of the receipt"), "{page}");
    let python = Command::new("python3")
        .current_dir(&open)
        .args(["verify.py", "--trust", &tsa, "--trust", &ca, "--key", vkey.trim()])
        .output()
        .unwrap();
    assert!(python.status.success(), "{}{}", text(&python.stdout), text(&python.stderr));
}

/// The certificate of a signer names a responder (OCSP): asked before each closing run, sealed with the package, and an alarm when it
/// says revoked.
#[test]
fn the_responder_of_the_signer_s_authority_is_asked_and_its_answer_sealed() {
    if !judges::present(&["openssl"]) {
        return;
    }
    for revoked in [false, true] {
        let mut authority = Authority::new();
        let responder = format!("http://{}/", authority.ocsp);
        authority.signer("Esempio", None, Some(&responder));
        authority.openssl("pkcs12 -export -inkey Esempio.key -in Esempio.pem -passout pass:segreto -out seal.p12");
        std::fs::write(authority.dir().join("password"), "segreto\n").unwrap();
        for secret in ["seal.p12", "password"] {
            mode(&authority.dir().join(secret), 0o600);
        }
        if revoked {
            authority.revoke("Esempio");
        }
        authority.answer();
        let path = |name: &str| authority.dir().join(name).display().to_string();
        let archive = Archive::new();
        archive.configure("[[signers]]\nname = \"PROVA: titolare non indicato\"", "[[signers]]\nname = \"Esempio\"");
        let (file, password) = (path("seal.p12"), path("password"));
        let table = format!("[signer]\nkind = \"pkcs12\"\nfile = \"{file}\"\npassword_file = \"{password}\"\n");
        archive.configure("[signer]\n", &table);
        archive.configure("#signatures = []", &format!("signatures = [\"{}\"]", path("ca.pem")));
        archive.configure("#hosts = []", &format!("hosts = [\"{}\"]", authority.ocsp));
        let (server, producer) = served(archive);
        server.generic(&producer, "nota.txt", b"uno");
        // A trial goes on with a revoked one, and says so.
        assert_eq!(server.seal()["sealed"].as_array().unwrap().len(), 1);
        let trust = server.archive.path("packages/generic/00000001/trust");
        let told: Value = serde_json::from_slice(&std::fs::read(trust.join("signer.json")).unwrap()).unwrap();
        let (said, source) = (told["revocation"].as_str().unwrap(), told["sources"][0].as_str().unwrap());
        assert!(source.ends_with(".ocsp") && trust.join(source).exists(), "{told}");
        assert_eq!(said == "good", !revoked, "{told}");
        let alarms = server.json("/v1/alarms", &server.archive.token("auditor"));
        assert_eq!(alarms.to_string().contains("signer-revoked"), revoked, "{alarms}");
    }
}
