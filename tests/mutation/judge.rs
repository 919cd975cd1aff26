//! What a check says of a damaged archive, and whether it says where the damage is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use custode::archive::Archive;
use custode::archive::access::Actor;
use custode::archive::inspect::{CheckRequest, read_only_at};
use custode::clock::{Clock, SystemClock};
use custode::error::{Code, Error, Kind};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::made::{LATE, program};
use super::stand::copy;

/// One thing found, with its place as a path in the stand.
#[derive(Debug, Clone)]
struct Found {
    code: String,
    outcome: String,
    place: String,
}

/// What was said.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    pub outcome: String,
    found: Vec<Found>,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.outcome)?;
        let wrong = self.found.iter().filter(|found| found.outcome != "good");
        wrong.take(9).try_for_each(|found| write!(f, ", {} at {}", found.code, found.place))
    }
}

impl Verdict {
    /// Of a report; `folder` is where the stand was.
    fn of(report: &Value, folder: &Path) -> Self {
        let found = report["findings"].as_array().into_iter().flatten().map(|finding| Found {
            code: finding["code"].as_str().unwrap_or_default().to_owned(),
            outcome: finding["outcome"].as_str().unwrap_or_default().to_owned(),
            place: place(&finding["place"], folder),
        });
        Self { outcome: report["outcome"].as_str().unwrap_or_default().to_owned(), found: found.collect() }
    }

    /// Codes that say of what was touched, or of what is in one of the places `also`, that it is not good; with `notes`, those that
    /// only mention it too.
    pub fn naming(&self, touched: &[String], also: &[String], notes: bool) -> BTreeSet<String> {
        let below = |name: &str, folder: &str| name == folder || name.starts_with(&format!("{folder}/"));
        let named = |found: &&Found| {
            let here = touched.iter().any(|name| below(name, &found.place));
            let here = here || also.iter().any(|place| below(&found.place, place));
            // "Could not be looked at" says where nobody looked, not what is wrong.
            let said = found.code != "not-looked-at" && (notes || found.outcome != "good");
            said && found.place != "archive" && here
        };
        self.found.iter().filter(named).map(|found| found.code.clone()).collect()
    }
}

/// The path that a place means: of a file of a package in a vault, or of a file of the archive.
fn place(place: &Value, folder: &Path) -> String {
    let text = |key: &str| place[key].as_str().unwrap_or_default().to_owned();
    let (package, vault, file) = (text("package"), text("vault"), text("file"));
    let root = if vault == "copia" { "copia" } else { "archive/packages" };
    if let Some((series, number)) = package.split_once('/') {
        // What the chain or the catalog says of a package is found there.
        let elsewhere = ["chain/", "catalog", "records/"].iter().any(|part| file.starts_with(part));
        return match (elsewhere, file.as_str()) {
            (false, "") => format!("{root}/{series}/{number:0>8}"),
            (false, file) => format!("{root}/{series}/{number:0>8}/{file}"),
            (true, file) => format!("archive/{file}"),
        };
    }
    // What is read as text has lines: `policies/a@1.toml:3`.
    let mut file = file.as_str();
    while let Some((name, line)) = file.rsplit_once(':')
        && line.bytes().all(|byte| byte.is_ascii_digit())
    {
        file = name;
    }
    if let Ok(inside) = Path::new(file).strip_prefix(folder) {
        return inside.display().to_string().replace("archive/../", "");
    }
    match file.strip_prefix("packages") {
        // A vault as a whole is where its id is.
        Some("") => format!("{root}/vault.id"),
        Some(rest) if vault == "copia" => format!("copia{rest}"),
        _ => format!("archive/{}", file.trim_end_matches('/')),
    }
}

/// A clock as late as the archive.
pub struct Late;

impl Clock for Late {
    fn now(&self) -> Timestamp {
        SystemClock.now() + SignedDuration::from_secs(LATE as i64)
    }
}

/// A check, or something in its place.
pub trait Checker: Sync {
    /// As it lies there: nothing is opened, nothing written.
    fn at_rest(&self, folder: &Path, mode: &str) -> Verdict;
    /// Opens a copy, which may set things right; what stopped that, and what a check says then.
    fn opened(&self, folder: &Path, copied: &Path, mode: &str) -> (Option<Code>, Verdict);
    /// `custode check --json` on a copy, with what somebody kept of the chain, if anything.
    fn program(&self, folder: &Path, copied: &Path, kept: Option<&Path>) -> Verdict;
}

/// The real one.
pub struct Real;

fn fresh(folder: &Path, copied: &Path) {
    let _ = fs::remove_dir_all(copied);
    copy(folder, copied);
}

/// Whether the command line looks at an archive all the same that did not open.
fn damaged(error: &Error) -> bool {
    error.code.kind() == Kind::Damage || error.code == Code::KeyMissing
}

impl Checker for Real {
    fn at_rest(&self, folder: &Path, mode: &str) -> Verdict {
        match read_only_at(&folder.join("archive"), &json!({ "mode": mode }), None, Arc::new(Late)) {
            Ok(report) => Verdict::of(&report, folder),
            Err(error) => stopped(&error, folder),
        }
    }

    fn opened(&self, folder: &Path, copied: &Path, mode: &str) -> (Option<Code>, Verdict) {
        fresh(folder, copied);
        let root = copied.join("archive");
        let checked = Archive::open_with(&root, Arc::new(Late)).and_then(|archive| {
            let request = CheckRequest { mode: Some(mode.to_owned()), ..CheckRequest::default() };
            let id = archive.begin_check(&Actor::local(), &request)?;
            let report = archive.check(&Actor::local(), id, &request, &|_, _| {});
            let _ = archive.close();
            report
        });
        match checked {
            Ok(report) => (None, Verdict::of(&report, copied)),
            Err(error) if damaged(&error) => {
                let report = read_only_at(&root, &json!({ "mode": mode }), Some(&error), Arc::new(Late));
                let verdict = report.map_or_else(|e| stopped(&e, copied), |report| Verdict::of(&report, copied));
                (Some(error.code), verdict)
            }
            Err(error) => (Some(error.code), stopped(&error, copied)),
        }
    }

    fn program(&self, folder: &Path, copied: &Path, kept: Option<&Path>) -> Verdict {
        fresh(folder, copied);
        let mut command = program(copied, LATE, &["check"]);
        if let Some(kept) = kept {
            command.arg("--checkpoint").arg(kept);
        }
        let output = command.output().unwrap();
        // A report goes to standard output, an error that left nothing to report to standard error.
        let said = serde_json::from_slice(&output.stdout).or_else(|_| serde_json::from_slice(&output.stderr));
        let said: Value = said.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let verdict = match said["outcome"].is_string() {
            true => Verdict::of(&said, copied),
            false => of_problem(&said, copied),
        };
        let status = match verdict.outcome.as_str() {
            "good" => 0,
            "bad" => 1,
            _ => 2,
        };
        assert!(output.status.code() == Some(status) || !said["outcome"].is_string(), "{said}");
        verdict
    }
}

/// An error in the place of a report: it could not be checked, and says why and where.
fn stopped(error: &Error, folder: &Path) -> Verdict {
    of_problem(&json!({ "code": error.code, "place": error.place }), folder)
}

fn of_problem(said: &Value, folder: &Path) -> Verdict {
    let file = said["place"].as_str().unwrap_or_default();
    let file = file.split([',', ' ']).next().unwrap_or_default();
    let found = Found {
        code: said["code"].as_str().unwrap_or_default().to_owned(),
        outcome: "unchecked".to_owned(),
        place: place(&json!({ "file": file }), folder),
    };
    Verdict { outcome: "unchecked".to_owned(), found: vec![found] }
}

/// A check that looks at nothing and calls it good: the defect that this whole table is there to exclude.
pub struct Blind;

impl Checker for Blind {
    fn at_rest(&self, _: &Path, _: &str) -> Verdict {
        Verdict { outcome: "good".to_owned(), found: Vec::new() }
    }

    fn opened(&self, folder: &Path, _: &Path, mode: &str) -> (Option<Code>, Verdict) {
        (None, self.at_rest(folder, mode))
    }

    fn program(&self, folder: &Path, _: &Path, _: Option<&Path>) -> Verdict {
        self.at_rest(folder, "full")
    }
}
