//! Verifying twice: with the program, and with the verifier in Python, which must agree.

use std::path::Path;

use crate::error::Result;
use crate::exhibit::verify::{Outcome, Report, Trust};
use crate::second_verifier::agree;

/// The program's answer, after the other verifier gave the same.
pub(crate) fn verify(path: &Path, trust: &Trust) -> Result<Report> {
    let answer = crate::exhibit::verify::verify(path, trust);
    let folder = tempfile::tempdir().unwrap();
    let (anchors, mut arguments) = (folder.path().join("anchors.pem"), Vec::new());
    if let Some(given) = &trust.anchors {
        std::fs::write(&anchors, given.to_pem()).unwrap();
        arguments.extend(["--trust", anchors.to_str().unwrap()]);
    }
    let key = trust.key.as_ref().map(ToString::to_string);
    if let Some(key) = &key {
        arguments.extend(["--key", key]);
    }
    let witnesses: Vec<String> = trust.witnesses.iter().map(ToString::to_string).collect();
    witnesses.iter().for_each(|key| arguments.extend(["--witness", key]));
    let status = match &answer {
        Ok(report) => match report.outcome {
            Outcome::Good => 0,
            Outcome::Bad => 1,
            Outcome::Unchecked => 2,
        },
        Err(error) => i32::from(error.code.kind().exit_status()),
    };
    let report = answer.as_ref().ok().map(|report| serde_json::to_value(report).unwrap());
    agree(path, &arguments, status, report.as_ref());
    answer
}
