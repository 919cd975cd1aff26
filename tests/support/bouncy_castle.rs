//! Bouncy Castle (Debian's libbcpkix-java, 1.72) as a judge of evidence records: another implementation of RFC 4998.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::judges;

const JARS: [&str; 3] = ["/usr/share/java/bcpkix.jar", "/usr/share/java/bcprov.jar", "/usr/share/java/bcutil.jar"];

/// What is to be judged: a record and the objects of one data-object group.
pub struct Case {
    pub name: String,
    pub record: Vec<u8>,
    pub objects: Vec<Vec<u8>>,
}

/// Judges these records, all of whose last tokens this certificate (DER) signed: `accepted`, or `refused` and why, by
/// name. `None`, said aloud, when the judge is not installed.
pub fn judge(certificate: &[u8], cases: &[Case]) -> Option<BTreeMap<String, String>> {
    if !judges::present(&["java", "javac"]) || !judges::files(&JARS, "libbcpkix-java") {
        return None;
    }
    let work = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/judges/RecordJudge.java");
    let compiled = Command::new("javac").arg("-cp").arg(JARS.join(":")).arg("-d").arg(work.path()).arg(source).output();
    let compiled = compiled.unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let path = work.path().join("certificate.der");
    std::fs::write(&path, certificate).unwrap();
    let folders: Vec<PathBuf> = cases.iter().map(|case| work.path().join(&case.name)).collect();
    for (case, folder) in cases.iter().zip(&folders) {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("record.ers"), &case.record).unwrap();
        for (n, object) in case.objects.iter().enumerate() {
            std::fs::write(folder.join(format!("{n}.bin")), object).unwrap();
        }
    }
    let class_path = format!("{}:{}", work.path().display(), JARS.join(":"));
    let judged =
        Command::new("java").args(["-cp", &class_path, "RecordJudge"]).arg(path).args(&folders).output().unwrap();
    let said = String::from_utf8(judged.stdout).unwrap();
    assert!(judged.status.success(), "{said}{}", String::from_utf8_lossy(&judged.stderr));
    let verdicts: BTreeMap<String, String> =
        said.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    assert_eq!(verdicts.len(), cases.len(), "{said}");
    Some(verdicts)
}
