//! Signatures of packages by a certificate: made by the real program with a PKCS#12 file that OpenSSL made, judged by OpenSSL.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::judges;
use crate::server::{Archive, Server, problem, text};

const PASSWORD: &str = "una parola d'ordine";

fn openssl(dir: &Path, arguments: &[&str]) -> Output {
    Command::new("openssl").current_dir(dir).args(arguments).output().unwrap()
}

fn must(dir: &Path, arguments: &[&str]) {
    let out = openssl(dir, arguments);
    assert!(out.status.success(), "openssl {arguments:?}: {}", text(&out.stderr));
}

/// An authority, and a seal of it in `seal.p12`: `rsa:2048` or `P-256`, for so many days, of this subject.
struct Seal {
    folder: tempfile::TempDir,
}

const SUBJECT: &str = "/C=IT/O=Esempio S.p.A./organizationIdentifier=VATIT-01234567890/CN=Sigillo di Esempio";

impl Seal {
    fn new(key: &str, subject: &str, days: &str) -> Self {
        let new = Self { folder: tempfile::tempdir().unwrap() };
        let dir = new.dir();
        must(
            dir,
            &[
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-keyout",
                "ca.key",
                "-out",
                "ca.pem",
                "-days",
                "3000",
                "-subj",
                "/CN=Autorita di certificazione",
            ],
        );
        let kind: &[&str] = match key {
            "P-256" => &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
            rsa => &["-newkey", rsa],
        };
        must(
            dir,
            &[&["req", "-nodes", "-keyout", "seal.key", "-out", "seal.csr", "-subj", subject, "-utf8"], kind].concat(),
        );
        std::fs::write(dir.join("leaf"), "keyUsage = critical, nonRepudiation\nbasicConstraints = CA:false\n").unwrap();
        must(
            dir,
            &[
                "x509",
                "-req",
                "-in",
                "seal.csr",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-set_serial",
                "7",
                "-days",
                days,
                "-extfile",
                "leaf",
                "-out",
                "seal.pem",
            ],
        );
        let password = format!("pass:{PASSWORD}");
        must(
            dir,
            &[
                "pkcs12",
                "-export",
                "-inkey",
                "seal.key",
                "-in",
                "seal.pem",
                "-certfile",
                "ca.pem",
                "-passout",
                &password,
                "-out",
                "seal.p12",
            ],
        );
        std::fs::write(dir.join("password"), format!("{PASSWORD}\n")).unwrap();
        new
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// The lines of `[signer]` in custode.toml.
    fn table(&self, more: &str) -> String {
        format!(
            "[signer]\nkind = \"pkcs12\"\nfile = \"{}\"\npassword_file = \"{}\"\n{more}\n",
            self.path("seal.p12").display(),
            self.path("password").display()
        )
    }
}

/// An archive whose index names "Esempio S.p.A." as who may sign, with this signer.
fn archive(seal: &Seal, more: &str) -> Archive {
    let archive = Archive::new();
    archive.configure(
        "[[signers]]\nname = \"PROVA: titolare non indicato\"\nid = \"\"",
        "[[signers]]\nname = \"Esempio S.p.A.\"\nid = \"VATIT-01234567890\"",
    );
    archive.configure("[signer]\n", &seal.table(more));
    archive.configure("#signatures = []", &format!("signatures = [\"{}\"]", seal.path("ca.pem").display()));
    archive
}

fn served(archive: Archive) -> (Server, String) {
    archive.configure("#interval = \"10s\"", "interval = \"1h\"");
    let server = archive.serve();
    let producer = server.archive.token("producer");
    (server, producer)
}

/// What OpenSSL says of a signature over a file.
fn judged(seal: &Seal, content: &Path, p7s: &Path) -> Output {
    openssl(
        seal.dir(),
        &[
            "cms",
            "-verify",
            "-cades",
            "-binary",
            "-inform",
            "DER",
            "-purpose",
            "any",
            "-CAfile",
            "ca.pem",
            "-content",
            content.to_str().unwrap(),
            "-in",
            p7s.to_str().unwrap(),
            "-out",
            "read",
        ],
    )
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
        let out = judged(&seal, &index, &p7s);
        let said = text(&out.stderr);
        assert!(out.status.success() && said.contains("CAdES Verification successful"), "{key}: {said}");
        let other = seal.path("other");
        std::fs::write(&other, text(&std::fs::read(&index).unwrap()).replace("Versamento", "versamento")).unwrap();
        assert!(!judged(&seal, &other, &p7s).status.success(), "an altered index");

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
        assert_eq!(report["signatures"][0]["outcome"], "good", "{report}");
        assert!(report["signatures"][0]["signer"]["subject"].as_str().unwrap().contains("Sigillo di Esempio"));
        let (status, report) = verify(&[&tsa]);
        assert_eq!((status, findings(&report)), (Some(2), vec!["anchor-missing".to_owned()]), "{report}");
        assert_eq!(report["findings"][0]["place"], "signer");
        let (status, report) = verify(&[]);
        assert_eq!((status, findings(&report).len()), (Some(2), 2), "{report}");
    }
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
    let troubles: [(&str, &dyn Fn(), &dyn Fn()); 2] = [
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

#[test]
fn a_certificate_of_nobody_who_may_sign_stops_the_start_and_both_are_named() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let seal = Seal::new("P-256", "/O=Altri S.r.l./organizationIdentifier=VATIT-99999999999/CN=Altro sigillo", "300");
    let archive = archive(&seal, "");
    let out = archive.run(&["search"]);
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{said}");
    for part in ["signer-mismatch", "Esempio S.p.A. (VATIT-01234567890)", "VATIT-99999999999", "Altro sigillo"] {
        assert!(said.contains(part), "{part}: {said}");
    }
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
    let out = judged(&seal, &seal.path("rdv.xml"), &seal.path("rdv.p7s"));
    assert!(out.status.success(), "{}", text(&out.stderr));
    let own = server.get(&signature, &producer).send().unwrap();
    assert_eq!(own.bytes().unwrap(), p7s, "a producer's own receipt");
    // The index lists it beside the RdV.
    let index = std::fs::read_to_string(server.archive.path("packages/generic/00000001/PIndex.xml")).unwrap();
    assert!(index.contains(&format!("receipts/{id}.xml.p7s")), "{index}");

    let check = server.archive.manage(&["check"]);
    assert_eq!(check["outcome"], "good", "{check}");
    let report = server.archive.path(&format!("reports/check-{}.json", check["check"].as_str().unwrap()));
    let out = judged(&seal, &report, &report.with_extension("json.p7s"));
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
    assert_eq!(told["signatures"][0]["file"], format!("receipts/{id}.xml.p7s"));
    let open = seal.path("open");
    let unzipped = Command::new("unzip").args(["-q", &bundle, "-d"]).arg(&open).output().unwrap();
    assert!(unzipped.status.success());
    let python = Command::new("python3")
        .current_dir(&open)
        .args(["verify.py", "--trust", &tsa, "--trust", &ca, "--key", vkey.trim()])
        .output()
        .unwrap();
    assert!(python.status.success(), "{}{}", text(&python.stdout), text(&python.stderr));
}
