//! The seal of an organisation, as OpenSSL makes it: an authority, a certificate of it, and both with the key in a PKCS#12 file.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What opens the file.
pub const PASSWORD: &str = "una parola d'ordine";

pub fn openssl(dir: &Path, arguments: &[&str]) -> Output {
    Command::new("openssl").current_dir(dir).args(arguments).output().unwrap()
}

/// OpenSSL must do it.
pub fn must(dir: &Path, arguments: &[&str]) {
    let out = openssl(dir, arguments);
    assert!(out.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// Who may read and write a file.
pub fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

/// An authority, and a seal of it in `seal.p12`: `rsa:2048` or `P-256`, for so many days, of this subject.
pub struct Seal {
    folder: tempfile::TempDir,
}

/// Who may sign in the archives of the tests.
pub const SUBJECT: &str = "/C=IT/O=Esempio S.p.A./organizationIdentifier=VATIT-01234567890/CN=Sigillo di Esempio";

impl Seal {
    pub fn new(key: &str, subject: &str, days: &str) -> Self {
        Self::with(key, subject, days, "")
    }

    /// As [`Seal::new`], with more extensions in its certificate.
    pub fn with(key: &str, subject: &str, days: &str, extensions: &str) -> Self {
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
                "9000",
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
        let usage = "keyUsage = critical, nonRepudiation\nbasicConstraints = CA:false\n";
        std::fs::write(dir.join("leaf"), format!("{usage}{extensions}")).unwrap();
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
        for secret in ["password", "seal.p12"] {
            mode(&dir.join(secret), 0o600);
        }
        new
    }

    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// The lines of `[signer]` in custode.toml.
    pub fn table(&self, more: &str) -> String {
        format!(
            "[signer]\nkind = \"pkcs12\"\nfile = \"{}\"\npassword_file = \"{}\"\n{more}\n",
            self.path("seal.p12").display(),
            self.path("password").display()
        )
    }

    /// custode.toml with this table `[signer]`, "Esempio S.p.A." as who may sign, and the authority believed.
    pub fn configured(&self, text: &str, table: &str) -> String {
        let nobody = "[[signers]]\nname = \"PROVA: titolare non indicato\"\nid = \"\"";
        let somebody = "[[signers]]\nname = \"Esempio S.p.A.\"\nid = \"VATIT-01234567890\"";
        let believed = format!("signatures = [\"{}\"]", self.path("ca.pem").display());
        let mut text = text.to_owned();
        for (from, to) in [(nobody, somebody), ("[signer]\n", table), ("#signatures = []", &believed)] {
            // A production archive names its own signer, who has the same number.
            let named = from == nobody && text.contains("id = \"VATIT-01234567890\"");
            assert!(named || text.contains(from), "custode.toml has no {from:?}");
            text = text.replacen(from, to, 1);
        }
        text
    }

    /// What OpenSSL says of a signature over a file.
    pub fn judges(&self, content: &Path, p7s: &Path) -> Output {
        let fixed = "cms -verify -cades -binary -inform DER -purpose any -CAfile ca.pem -out read -content";
        let files = [content.to_str().unwrap(), "-in", p7s.to_str().unwrap()];
        let arguments: Vec<&str> = fixed.split(' ').chain(files).collect();
        openssl(self.dir(), &arguments)
    }

    /// The same files, elsewhere.
    pub fn twin(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(self.dir()).unwrap().map(|entry| entry.unwrap().path()) {
            std::fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
        }
        Self { folder }
    }
}
