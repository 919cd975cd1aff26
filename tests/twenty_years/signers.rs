//! Who signs packages: an authority, and seals of the organisation in PKCS#12 files, one after the other.

use std::path::{Path, PathBuf};

use super::clock::OpenSsl;

const PASSWORD: &str = "una parola";

/// For nobody else: the archive reads a secret from no other file.
fn mode(path: &Path) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

pub struct Signers {
    folder: tempfile::TempDir,
}

impl Signers {
    /// The authority, for longer than anybody's seal.
    pub fn new(openssl: &OpenSsl) -> Self {
        let new = Self { folder: tempfile::tempdir().unwrap() };
        let root = "req -x509 -newkey rsa:3072 -nodes -keyout ca.key -out ca.pem -days 9000 -subj /CN=Autorita-di-certificazione";
        openssl.must(new.dir(), root);
        std::fs::write(new.dir().join("leaf"), "keyUsage = critical, nonRepudiation\nbasicConstraints = CA:false\n")
            .unwrap();
        std::fs::write(new.dir().join("password"), format!("{PASSWORD}\n")).unwrap();
        mode(&new.dir().join("password"));
        new
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub fn authority(&self) -> PathBuf {
        self.dir().join("ca.pem")
    }

    /// A seal in `name.p12`, for so many days from now.
    pub fn issue(&self, openssl: &OpenSsl, name: &str, days: u32) {
        let subject = format!("/C=IT/O=Esempio S.p.A./organizationIdentifier=VATIT-01234567890/CN=Sigillo {name}");
        let (key, csr) = (format!("{name}.key"), format!("{name}.csr"));
        let request =
            ["req", "-newkey", "rsa:2048", "-nodes", "-utf8", "-keyout", &key, "-out", &csr, "-subj", &subject];
        let out = openssl.run(self.dir(), &request);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        openssl.must(
            self.dir(),
            &format!("x509 -req -in {csr} -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile leaf -out {name}.pem"),
        );
        let password = format!("pass:{PASSWORD}");
        let (cert, file) = (format!("{name}.pem"), format!("{name}.p12"));
        let pack = [
            "pkcs12",
            "-export",
            "-inkey",
            &key,
            "-in",
            &cert,
            "-certfile",
            "ca.pem",
            "-passout",
            &password,
            "-out",
            &file,
        ];
        let out = openssl.run(self.dir(), &pack);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        mode(&self.dir().join(&file));
    }

    /// The table `[signer]` of custode.toml.
    pub fn table(&self, name: &str) -> String {
        let path = |name: &str| self.dir().join(name).display().to_string();
        let (file, password) = (path(&format!("{name}.p12")), path("password"));
        format!("[signer]\nkind = \"pkcs12\"\nfile = \"{file}\"\npassword_file = \"{password}\"\n")
    }
}
