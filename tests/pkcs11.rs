//! A token signs: SoftHSM2, through its PKCS#11 library, in the real program; OpenSSL judges what comes out.
//!
//! Needs the feature `pkcs11`: `cargo test --features pkcs11 --test pkcs11`.

#[path = "support/judges.rs"]
mod judges;
#[allow(dead_code)]
#[path = "support/seal.rs"]
mod seal;
#[allow(dead_code)]
#[path = "support/second_verifier.rs"]
mod second_verifier;
#[allow(dead_code)]
#[path = "support/server.rs"]
mod server;

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use seal::{SUBJECT, Seal, must};
use serde_json::Value;
use server::{Archive, Server, problem, text};

const PIN: &str = "246810";
/// Where Debian puts it.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

fn present() -> bool {
    judges::present(&["openssl", "softhsm2-util", "pkcs11-tool", "cc"])
}

/// A token with the key and the certificate of a seal.
struct Token {
    seal: Seal,
}

impl Token {
    fn new(key: &str) -> Self {
        let token = Self { seal: Seal::new(key, SUBJECT, "300") };
        std::fs::create_dir(token.path("tokens")).unwrap();
        let settings =
            format!("directories.tokendir = {}\nobjectstore.backend = file\n", token.path("tokens").display());
        std::fs::write(token.path("softhsm2.conf"), settings).unwrap();
        token.must(
            "softhsm2-util",
            &["--init-token", "--free", "--label", "sigillo", "--so-pin", "12345678", "--pin", PIN],
        );
        token.import("seal.key", "firma", "01");
        must(token.seal.dir(), &["x509", "-in", "seal.pem", "-outform", "DER", "-out", "seal.der"]);
        token.tool(&["--write-object", "seal.der", "--type", "cert", "--id", "01", "--label", "firma"]);
        std::fs::write(token.path("pin"), format!("{PIN}\n")).unwrap();
        seal::mode(&token.path("pin"), 0o600);
        token
    }

    fn path(&self, name: &str) -> PathBuf {
        self.seal.path(name)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.current_dir(self.seal.dir()).env("SOFTHSM2_CONF", self.path("softhsm2.conf")).args(arguments);
        command.output().unwrap()
    }

    fn must(&self, program: &str, arguments: &[&str]) {
        let out = self.run(program, arguments);
        assert!(out.status.success(), "{program} {arguments:?}: {}{}", text(&out.stdout), text(&out.stderr));
    }

    fn tool(&self, arguments: &[&str]) {
        let own = ["--module", MODULE, "--token-label", "sigillo", "--login", "--pin", PIN];
        self.must("pkcs11-tool", &[&own[..], arguments].concat());
    }

    fn import(&self, key: &str, label: &str, id: &str) {
        self.must(
            "softhsm2-util",
            &["--import", key, "--token", "sigillo", "--label", label, "--id", id, "--pin", PIN],
        );
    }

    fn archive(&self, module: &str, more: &str) -> Archive {
        let archive = Archive::new();
        let table = format!(
            "[signer]\nkind = \"pkcs11\"\nmodule = \"{module}\"\ntoken = \"sigillo\"\npin_file = \"{}\"\n{more}\n",
            self.path("pin").display()
        );
        let path = archive.path("custode.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, self.seal.configured(&config, &table)).unwrap();
        archive.configure("#interval = \"10s\"", "interval = \"1h\"");
        archive
    }

    fn serve(&self, archive: Archive) -> Server {
        Server::start(archive, &[("SOFTHSM2_CONF", self.path("softhsm2.conf").to_str().unwrap())])
    }
}

fn seal_now(server: &Server) -> reqwest::blocking::Response {
    server.post("/v1/seal", &server.archive.manager).send().unwrap()
}

#[test]
fn a_token_signs_with_rsa_and_with_p256() {
    if !present() {
        return;
    }
    for key in ["rsa:2048", "P-256"] {
        let token = Token::new(key);
        let server = token.serve(token.archive(MODULE, "receipts = true"));
        let producer = server.archive.token("producer");
        // Two packages: the session is used again.
        for number in 1..=2 {
            server.generic(&producer, "nota.txt", format!("{key} {number}").as_bytes());
            let report: Value = server.seal();
            assert_eq!(report["findings"], serde_json::json!([]), "{report}");
            let package = server.archive.path(&format!("packages/generic/{number:08}"));
            let out = token.seal.judges(&package.join("PIndex.xml"), &package.join("PIndex.xml.p7s"));
            let said = text(&out.stderr);
            assert!(out.status.success() && said.contains("CAdES Verification successful"), "{key}: {said}");
        }
        let check = server.archive.manage(&["check"]);
        assert_eq!(check["outcome"], "good", "{check}");
        assert!(!server.log.lock().unwrap().contains(PIN));
    }
}

#[test]
fn the_certificate_may_come_from_a_file_and_the_key_by_its_id() {
    if !present() {
        return;
    }
    let token = Token::new("P-256");
    // Another key in the same token, without certificate.
    must(
        token.seal.dir(),
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "other.key"],
    );
    token.import("other.key", "altra", "02");
    let mut server = token.serve(token.archive(MODULE, ""));
    let producer = server.archive.token("producer");
    server.generic(&producer, "nota.txt", b"uno");
    let refused = problem(seal_now(&server), 503);
    assert_eq!(refused["code"], "signer-key", "{refused}");
    let file = format!("certificate = \"{}\"", token.path("seal.pem").display());
    let variables = token.path("softhsm2.conf");
    let variables = [("SOFTHSM2_CONF", variables.to_str().unwrap())];
    server.restart_after(&variables, |archive| {
        archive.configure("pin_file = ", &format!("key_id = \"02\"\n{file}\npin_file = "));
    });
    // It signs, with a key that is not the certificate's: nothing of it is kept.
    let refused = problem(seal_now(&server), 503);
    assert_eq!(refused["code"], "signer-key", "{refused}");
    assert!(!server.archive.path("staging/generic-1/package/PIndex.xml.p7s").exists());
    server.restart_after(&variables, |archive| archive.configure("key_id = \"02\"", "key_id = \"01\""));
    server.seal();
    let package = server.archive.path("packages/generic/00000001");
    assert!(token.seal.judges(&package.join("PIndex.xml"), &package.join("PIndex.xml.p7s")).status.success());
}

/// Whether a PIN is tried is seen by making the refused one right behind the archive's back: it would be taken now.
#[test]
fn a_refused_pin_is_not_tried_again_by_itself() {
    if !present() {
        return;
    }
    let token = Token::new("P-256");
    std::fs::write(token.path("pin"), "135790\n").unwrap();
    let mut server = token.serve(token.archive(MODULE, ""));
    let producer = server.archive.token("producer");
    server.generic(&producer, "nota.txt", b"uno");
    assert_eq!(problem(seal_now(&server), 503)["code"], "signer-pin");
    let mark = server.archive.root.with_extension("keys").join("signer.refused");
    assert!(mark.exists() && !text(&std::fs::read(&mark).unwrap()).contains("135790"));
    token.tool(&["--change-pin", "--new-pin", "135790"]);
    let variables = token.path("softhsm2.conf");
    let variables = [("SOFTHSM2_CONF", variables.to_str().unwrap())];
    for again in 0..2 {
        let refused = problem(seal_now(&server), 503);
        assert_eq!(refused["code"], "signer-pin");
        assert!(refused["hint"].as_str().unwrap().contains("signer.refused"), "{refused}");
        server.generic(&producer, "altra.txt", format!("le consegne proseguono, {again}").as_bytes());
        server.restart_after(&variables, |_| {});
    }
    // A person says so: it is tried, and taken.
    std::fs::remove_file(&mark).unwrap();
    server.seal();
    assert!(server.archive.path("packages/generic/00000001/PIndex.xml.p7s").exists());
    assert!(!server.log.lock().unwrap().contains("135790"));
}

#[test]
fn a_token_that_is_taken_out_delays_sealing_until_it_is_back() {
    if !present() {
        return;
    }
    let token = Token::new("P-256");
    let server = token.serve(token.archive(MODULE, ""));
    let producer = server.archive.token("producer");
    std::fs::rename(token.path("tokens"), token.path("away")).unwrap();
    std::fs::create_dir(token.path("tokens")).unwrap();
    let mut server = server;
    let variables = token.path("softhsm2.conf");
    let variables = [("SOFTHSM2_CONF", variables.to_str().unwrap())];
    server.restart_after(&variables, |_| {});
    server.generic(&producer, "nota.txt", b"uno");
    let refused = problem(seal_now(&server), 503);
    assert_eq!(refused["code"], "signer-down", "{refused}");
    server.restart_after(&variables, |_| {
        std::fs::remove_dir(token.path("tokens")).unwrap();
        std::fs::rename(token.path("away"), token.path("tokens")).unwrap();
    });
    server.seal();
    assert!(server.archive.path("packages/generic/00000001/PIndex.xml.p7s").exists());
}

/// A library that hangs, as a device that waits for somebody to press a button.
#[test]
fn a_library_that_hangs_holds_up_neither_deposits_nor_the_end_of_the_program() {
    if !present() {
        return;
    }
    let token = Token::new("P-256");
    let source = "#include <unistd.h>\nunsigned long C_GetFunctionList(void **list) { sleep(600); return 5; }\n";
    std::fs::write(token.path("hangs.c"), source).unwrap();
    token.must("cc", &["-shared", "-fPIC", "-o", "hangs.so", "hangs.c"]);
    let archive = token.archive(token.path("hangs.so").to_str().unwrap(), "timeout = \"1s\"");
    let began = Instant::now();
    let mut server = token.serve(archive);
    let producer = server.archive.token("producer");
    server.generic(&producer, "nota.txt", b"uno");
    assert_eq!(problem(seal_now(&server), 503)["code"], "signer-slow");
    server.generic(&producer, "altra.txt", b"due");
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}
