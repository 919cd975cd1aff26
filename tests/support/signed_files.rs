//! Signed files of the corpus, and what programs that have never heard of Custode say of them: OpenSSL of every `.p7m`, layer by layer,
//! xmlsec1 of every XML with a signature in it. The digest and signature must be judged alike; where they are good, the chain too.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Reader, documents, folder, judges};

/// Files of which OpenSSL says something else, and why.
const OPENSSL_DIFFERS: &[(&str, &str)] = &[
    ("openssl-cades-sha224.xml.p7m", "it knows this digest; we do not, and say so"),
    ("openssl-cades-sha3-256.xml.p7m", "the same"),
];

/// Files of which xmlsec1 says something else, and why.
const XMLSEC_DIFFERS: &[(&str, &str)] =
    &[("xades-senza-certificato.xml", "it believes a bare key that comes with the signature; we ask whose it is")];

/// What our reports say of one aspect, all signers together.
fn all_good(reports: &[Value], aspect: &str) -> bool {
    let good = |report: &Value| matches!(report["verdicts"][aspect].as_str(), Some("good" | "weak"));
    !reports.is_empty() && reports.iter().all(good)
}

/// The instant our verdict refers to.
fn instant(reports: &[Value]) -> jiff::Timestamp {
    reports[0]["reference"]["at"].as_str().unwrap().parse().unwrap()
}

/// The form OpenSSL is to be told, and the bytes it is given: it does not guess, and of base64 knows only its own lines.
fn undress(bytes: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = bytes.trim_ascii_start();
    if bytes.first() == Some(&0x30) {
        return Some(("DER", bytes.to_vec()));
    }
    if text.starts_with(b"-----BEGIN ") {
        return Some(("PEM", text.to_vec()));
    }
    if text.starts_with(b"MIME-Version:") {
        return Some(("SMIME", text.to_vec()));
    }
    let encoded_twice = text.starts_with(b"TUl").then(|| {
        let compact: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, compact).unwrap_or_default()
    });
    let text = encoded_twice.as_deref().unwrap_or(text);
    let mut digits: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace() && *b != 0).collect();
    if digits.first() != Some(&b'M') || !digits.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b)) {
        return None;
    }
    while !digits.len().is_multiple_of(4) {
        digits.push(b'=');
    }
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, digits).ok()?;
    Some(("DER", der))
}

/// Whether `openssl cms -verify` accepts every layer; the chain too, when an instant is given.
fn openssl(bytes: &[u8], at: Option<jiff::Timestamp>, dir: &Path) -> bool {
    let (file, inner) = (dir.join("in"), dir.join("out"));
    let mut content = bytes.to_vec();
    let mut layers = 0;
    while let Some((form, undressed)) = undress(&content) {
        std::fs::write(&file, undressed).unwrap();
        let mut command = Command::new("openssl");
        command.args(["cms", "-verify", "-binary", "-purpose", "any", "-inform", form, "-in"]).arg(&file);
        command.arg("-out").arg(&inner);
        match at {
            Some(at) => command
                .args(["-attime", &at.as_second().to_string(), "-CAfile"])
                .arg(folder().join("trust/ca-di-prova.pem")),
            None => command.arg("-noverify"),
        };
        if !command.output().expect("openssl is here").status.success() {
            return false;
        }
        content = std::fs::read(&inner).unwrap();
        layers += 1;
    }
    layers > 0
}

/// Whether `xmlsec1 --verify` accepts the signature; the chain too, when an instant is given.
fn xmlsec(path: &Path, at: Option<jiff::Timestamp>) -> bool {
    let mut command = Command::new("xmlsec1");
    command.args(["--verify", "--id-attr:Id", "SignedProperties", "--id-attr:Id", "KeyInfo"]);
    match at {
        Some(at) => {
            let at = at.strftime("%Y-%m-%d %H:%M:%S").to_string();
            command.args(["--verification-gmt-time", &at, "--trusted-pem"]).arg(folder().join("trust/ca-di-prova.pem"))
        }
        None => command.arg("--insecure"),
    };
    command.arg(path).output().expect("xmlsec1 is here").status.success()
}

/// Counts of files judged good, bad, and good under nobody known.
#[derive(Default)]
struct Tally {
    good: u32,
    bad: u32,
    untrusted: u32,
    wrong: Vec<String>,
}

impl Tally {
    /// `differs` when the judge is known to say something else: then it must.
    fn compare(
        &mut self,
        name: &str,
        reports: &[Value],
        differs: bool,
        judge: impl Fn(Option<jiff::Timestamp>) -> bool,
    ) {
        let ours = all_good(reports, "digest") && all_good(reports, "signature");
        if differs {
            if judge(None) == ours {
                self.wrong.push(format!("{name}: the judge says the same by now"));
            }
            return;
        }
        if judge(None) != ours {
            return self.wrong.push(format!("{name}: we say {ours} of digest and signature"));
        }
        *if ours { &mut self.good } else { &mut self.bad } += 1;
        if ours {
            let chain = all_good(reports, "chain");
            if judge(Some(instant(reports))) != chain {
                self.wrong.push(format!("{name}: we say {chain} of the chain"));
            }
            self.untrusted += u32::from(!chain);
        }
    }
}

fn reports(reader: &Reader, class: &str, bytes: &[u8], name: &str) -> Vec<Value> {
    let found = reader.look(class, bytes, name);
    found.metadata.get("signatures").and_then(Value::as_array).cloned().unwrap_or_default()
}

#[test]
fn openssl_says_the_same_of_every_p7m() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let (reader, dir) = (Reader::new(), tempfile::tempdir().unwrap());
    let mut tally = Tally::default();
    for (class, path) in documents() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".p7m") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let differs = OPENSSL_DIFFERS.iter().any(|(known, _)| *known == name);
        tally.compare(&name, &reports(&reader, &class, &bytes, &name), differs, |at| openssl(&bytes, at, dir.path()));
    }
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert!(
        tally.good >= 50 && tally.bad >= 10 && tally.untrusted >= 2,
        "{} {} {}",
        tally.good,
        tally.bad,
        tally.untrusted
    );
}

#[test]
fn xmlsec1_says_the_same_of_every_signed_xml() {
    if !judges::present(&["xmlsec1"]) {
        return;
    }
    let reader = Reader::new();
    let mut tally = Tally::default();
    for (class, path) in documents() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".xml") || !name.starts_with("xades-") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let differs = XMLSEC_DIFFERS.iter().any(|(known, _)| *known == name);
        tally.compare(&name, &reports(&reader, &class, &bytes, &name), differs, |at| xmlsec(&path, at));
    }
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert!(
        tally.good >= 25 && tally.bad >= 6 && tally.untrusted >= 2,
        "{} {} {}",
        tally.good,
        tally.bad,
        tally.untrusted
    );
}
