//! The corpus: every file of `tests/corpus/<class>/` is understood and compared with the `.json` beside it.
//!
//! `CUSTODE_BLESS=1 cargo test --test corpus` writes the answers anew, to be read in the diff. The files of the matrix come
//! from `cargo run --example corpus -- matrix tests/corpus`; others may stand beside them, as those that `tests/corpus/signed.sh`
//! had other programs sign. Expected metadata are a subset:
//! a field that is `null` must not be there.

#[path = "support/damaged_files.rs"]
mod damaged_files;
#[path = "support/judges.rs"]
mod judges;
#[path = "support/signed_files.rs"]
mod signed_files;

use std::path::{Path, PathBuf};
use std::process::Command;

use custode::corpus;
use custode::document::class::{Class, Classes};
use custode::document::{Body, Context, Understood, understand};
use custode::evidence::anchors::Anchors;
use custode::evidence::trust::{Purpose, Trust};
use custode::id::ClassId;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

/// Class and path of every document, in order.
fn documents() -> Vec<(String, PathBuf)> {
    let entries = |dir: &Path| {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let mut all = Vec::new();
    for class in entries(&folder()) {
        let name = class.file_name().unwrap().to_str().unwrap().to_owned();
        if class.is_dir() && name != "trust" {
            let files = entries(&class).into_iter().filter(|path| path.extension().is_none_or(|e| e != "json"));
            all.extend(files.map(|path| (name.clone(), path)));
        }
    }
    all
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap().to_owned();
    name.push(".json");
    path.with_file_name(name)
}

/// The corpus's trust is read once; the library is asked as the intake asks it.
struct Reader {
    classes: Classes,
    trust: Trust,
}

/// When every document of the corpus is received.
const RECEIVED: &str = "2026-11-22T10:00:00Z";

impl Reader {
    fn new() -> Self {
        let folder = std::fs::read_dir(folder().join("trust")).unwrap();
        let paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
        let anchors = Anchors::from_pem_files(&paths).unwrap();
        let trust = Trust::empty().with(Purpose::Pec, anchors.clone()).with(Purpose::Signature, anchors);
        Self { classes: Classes::standard().unwrap(), trust }
    }

    fn class(&self, name: &str) -> &Class {
        self.classes.latest(&name.parse::<ClassId>().unwrap()).unwrap()
    }

    fn look(&self, class: &str, bytes: &[u8], name: &str) -> Understood {
        let context = Context::new(&self.trust, RECEIVED.parse().unwrap());
        understand(self.class(class), &Body::from(bytes.to_vec()), name, &corpus::given(class, name), &context).unwrap()
    }
}

/// What was understood, in the form of the answers.
fn answer(class: &str, understood: &Understood) -> Value {
    let mut metadata = understood.metadata.clone();
    let signatures = metadata.shift_remove("signatures").unwrap_or_else(|| json!([]));
    let inner = metadata.shift_remove("inner_signatures");
    let mut codes: Vec<&str> = understood.findings.iter().map(|finding| finding.code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let parts = |list: &Value| list.as_array().into_iter().flatten().map(signature).collect::<Vec<_>>();
    let mut answer = json!({
        "class": class,
        "accepted": understood.acceptable(),
        "findings": codes,
        "signatures": parts(&signatures),
        "metadata": metadata,
    });
    if let Some(inner) = inner {
        let placed = |(report, mut part): (&Value, Value)| {
            part["place"] = report["place"].clone();
            part
        };
        let both = inner.as_array().into_iter().flatten().zip(parts(&inner));
        answer["inner_signatures"] = both.map(placed).collect();
    }
    answer
}

/// The part of a signature report that an answer fixes.
fn signature(report: &Value) -> Value {
    let mut out = json!({ "kind": report["kind"], "verdicts": report["verdicts"], "conclusion": report["conclusion"] });
    if let Some(reference) = report["reference"].get("kind") {
        out["reference"] = reference.clone();
    }
    out
}

/// Every way in which `found` is not what was expected.
fn differences(expected: &Value, found: &Value) -> Vec<String> {
    let mut out = Vec::new();
    for part in ["class", "accepted", "findings", "signatures"] {
        if expected.get(part).is_some_and(|wanted| *wanted != found[part]) {
            out.push(format!("{part}: expected {}, found {}", expected[part], found[part]));
        }
    }
    // Where none is expected there must be none.
    if expected.get("inner_signatures") != found.get("inner_signatures") {
        out.push(format!(
            "inner_signatures: expected {}, found {}",
            expected["inner_signatures"], found["inner_signatures"]
        ));
    }
    for (name, wanted) in expected["metadata"].as_object().into_iter().flatten() {
        let value = found["metadata"].get(name).unwrap_or(&Value::Null);
        if value != wanted {
            out.push(format!("metadata/{name}: expected {wanted}, found {value}"));
        }
    }
    out
}

#[test]
fn every_document_is_understood_as_expected() {
    let bless = std::env::var_os("CUSTODE_BLESS").is_some();
    let reader = Reader::new();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (class, path) in documents() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.len() <= 40_000 && !bytes.is_empty(), "{name}: {} bytes", bytes.len());
        let found = answer(&class, &reader.look(&class, &bytes, &name));
        if bless {
            std::fs::write(beside(&path), format!("{found:#}\n")).unwrap();
        }
        let expected = std::fs::read(beside(&path)).unwrap_or_else(|_| panic!("{name} has no answer beside it"));
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        wrong.extend(differences(&expected, &found).into_iter().map(|what| format!("{class}/{name}: {what}")));
        seen += 1;
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seen >= 40, "{seen} documents");
}

#[test]
fn the_matrix_is_what_the_generator_makes() {
    let again = "run cargo run --example corpus -- matrix tests/corpus";
    for sample in corpus::samples().unwrap() {
        let stored = std::fs::read(folder().join(sample.class).join(&sample.name)).unwrap_or_default();
        assert!(stored == sample.bytes, "{}: {again}", sample.name);
    }
    for (name, pem) in corpus::trust_anchors().unwrap() {
        assert!(
            std::fs::read_to_string(folder().join("trust").join(&name)).unwrap_or_default() == pem,
            "{name}: {again}"
        );
    }
}

/// Files that OpenSSL's own MIME reader does not take apart as the standards say, and what it does instead.
const OPENSSL_CANNOT: &[(&str, &str)] = &[
    ("confine-prefisso-dell-altro.eml", "a line that starts like a boundary is one to it"),
    ("confini-di-soli-trattini.eml", "the same"),
    ("riga-come-un-confine.eml", "the same"),
    ("firma-prima-del-contenuto.eml", "the second part is the signature to it"),
    ("firmata-in-lf.eml", "it converts bare line feeds and does not try the part as stored"),
    ("riavvolta-profondita-1.eml", "it does not look a level down"),
    (
        "doppia-content-type.eml",
        "it believes the first Content-Type, which says plain text; the finding says there are two",
    ),
    ("parte-non-firmata.eml", "it takes no multipart/signed of three parts; we say that nobody signed the third"),
    ("troncata-nell-ultimo-confine.eml", "it wants the last delimiter; we refuse the message and judge the signature"),
];

/// Runs `openssl cms -verify` on a stored message; with an instant, the chain is judged too, at that instant.
fn openssl(path: &Path, at: Option<i64>) -> bool {
    let mut command = Command::new("openssl");
    command.args(["cms", "-verify", "-inform", "SMIME", "-purpose", "any", "-out", "/dev/null", "-in"]).arg(path);
    match at {
        Some(at) => {
            let anchor = folder().join("trust/ca-di-prova.pem");
            command.args(["-attime", &at.to_string(), "-CAfile"]).arg(anchor)
        }
        None => command.arg("-noverify"),
    };
    command.output().expect("openssl is here").status.success()
}

#[test]
fn openssl_says_the_same_of_every_signed_message() {
    if !judges::present(&["openssl"]) {
        return;
    }
    let reader = Reader::new();
    let (mut wrong, mut good, mut bad, mut untrusted) = (Vec::new(), 0, 0, 0);
    for (class, path) in documents() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if class != "pec-message" || OPENSSL_CANNOT.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let found = reader.look(&class, &bytes, &name);
        let outcome =
            |report: &Value, aspect: &str| matches!(report["verdicts"][aspect].as_str(), Some("good" | "weak"));
        let reports = found.metadata.get("signatures").and_then(Value::as_array).cloned().unwrap_or_default();
        let ours = reports.first().is_some_and(|r| outcome(r, "digest") && outcome(r, "signature"));
        if openssl(&path, None) != ours {
            wrong.push(format!("{name}: we say {ours} of digest and signature"));
            continue;
        }
        *if ours { &mut good } else { &mut bad } += 1;
        if let (true, Some(report)) = (ours, reports.first()) {
            let at: jiff::Timestamp = report["reference"]["at"].as_str().unwrap().parse().unwrap();
            let chain = outcome(report, "chain");
            if openssl(&path, Some(at.as_second())) != chain {
                wrong.push(format!("{name}: we say {chain} of the chain"));
            }
            untrusted += u32::from(!chain);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(good > 100 && bad > 10 && untrusted >= 3, "{good} good, {bad} bad, {untrusted} untrusted");
}

#[test]
fn a_wrong_answer_is_noticed() {
    let found = json!({ "class": "x", "accepted": true, "findings": ["a"], "signatures": [], "metadata": { "k": 1 } });
    assert!(differences(&found, &found).is_empty());
    let mut other = found.clone();
    other["findings"] = json!([]);
    other["metadata"] = json!({ "k": 2, "gone": 3, "absent": null });
    assert_eq!(differences(&other, &found).len(), 3);
}
