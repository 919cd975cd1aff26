//! The second verifier, `tools/verify/verify.py`, which shares no line with the first: it looks at every bundle that tests verify,
//! good and damaged, and must come to the same answer.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Its exit status, and its report when it gave one.
pub fn second_opinion(bundle: &Path, arguments: &[&str]) -> (i32, Option<Value>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/verify/verify.py");
    let output = Command::new("python3").arg(script).arg(bundle).args(arguments).arg("--json").output();
    let output = output.expect("python3 runs");
    let report = serde_json::from_slice(&output.stdout).ok();
    let status = output.status.code().unwrap_or(-1);
    assert!(report.is_some() || status != 0, "good without a report: {}", String::from_utf8_lossy(&output.stderr));
    // An exception that nobody caught is Python's own status 1, and no verdict.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("Traceback"), "{}: {said}", bundle.display());
    (status, report)
}

/// Compares the answers: exit status, verdict, and of every document verdict, digest and times.
pub fn agree(bundle: &Path, arguments: &[&str], status: i32, report: Option<&Value>) {
    if !super::judges::present(&["python3", "openssl"]) {
        return;
    }
    let (other_status, other) = second_opinion(bundle, arguments);
    let both = || format!("{}\nfirst: {report:#?}\nsecond: {other:#?}", bundle.display());
    assert_eq!(status, other_status, "the verifiers disagree: {}", both());
    let (Some(first), Some(second)) = (report, other.as_ref()) else {
        // What one of them cannot even read as a report, the other may: bad for both.
        return assert_ne!(status, 0, "{}", both());
    };
    for field in ["outcome", "bundle", "archive", "trial", "made_at", "packages", "files", "stamps"] {
        assert_eq!(first[field], second[field], "{field}: {}", both());
    }
    let changes = |list: &Value| -> Vec<Value> {
        let all = list.as_array().expect("changes of key").iter();
        all.map(|line| ["entry", "at", "reason"].iter().map(|field| line[field].clone()).collect()).collect()
    };
    assert_eq!(changes(&first["anchors"]["changes"]), changes(&second["changes"]), "{}", both());
    let documents = |report: &Value| -> Vec<Value> {
        let fields = [
            "id",
            "name",
            "file",
            "class",
            "package",
            "sha256",
            "accepted_at",
            "exists_since",
            "stamped_at",
            "outcome",
        ];
        let all = report["documents"].as_array().expect("documents").iter();
        all.map(|line| fields.iter().map(|field| line[field].clone()).collect()).collect()
    };
    assert_eq!(documents(first), documents(second), "{}", both());
    let signatures = |report: &Value| -> Vec<Value> {
        let all = report["signatures"].as_array().expect("signatures").iter();
        all.map(|line| Value::Array(vec![line["file"].clone(), line["outcome"].clone()])).collect()
    };
    assert_eq!(signatures(first), signatures(second), "{}", both());
}
