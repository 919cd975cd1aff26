//! Bouncy Castle (Debian's libbcpkix-java, 1.72) as a judge of evidence records: another implementation of RFC 4998.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Output, Stdio};

use super::judges;

const JARS: [&str; 3] = ["/usr/share/java/bcpkix.jar", "/usr/share/java/bcprov.jar", "/usr/share/java/bcutil.jar"];

/// What is to be judged: a record and the objects of one data-object group.
#[allow(dead_code, reason = "as `judge`")]
pub struct Case {
    pub name: String,
    pub record: Vec<u8>,
    pub objects: Vec<Vec<u8>>,
}

/// Judges these records, all of whose last tokens this certificate (DER) signed: `accepted`, or `refused` and why, by
/// name. `None`, said aloud, when the judge is not installed.
#[allow(dead_code, reason = "where there are many records they are judged as they come")]
pub fn judge(certificate: &[u8], cases: &[Case]) -> Option<BTreeMap<String, String>> {
    let (work, path) = prepared(certificate)?;
    let folders: Vec<PathBuf> = cases.iter().map(|case| work.path().join(&case.name)).collect();
    for (case, folder) in cases.iter().zip(&folders) {
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("record.ers"), &case.record).unwrap();
        for (n, object) in case.objects.iter().enumerate() {
            std::fs::write(folder.join(format!("{n}.bin")), object).unwrap();
        }
    }
    let judged = command(&work, &path).args(&folders).output().unwrap();
    Some(verdicts(&judged, cases.len()))
}

/// The judge, compiled, and the certificate where it reads it.
fn prepared(certificate: &[u8]) -> Option<(tempfile::TempDir, PathBuf)> {
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
    Some((work, path))
}

fn command(work: &tempfile::TempDir, certificate: &Path) -> Command {
    let mut command = Command::new("java");
    command.args(["-cp", &format!("{}:{}", work.path().display(), JARS.join(":")), "RecordJudge"]).arg(certificate);
    command
}

fn verdicts(judged: &Output, asked: usize) -> BTreeMap<String, String> {
    let said = String::from_utf8_lossy(&judged.stdout);
    assert!(judged.status.success(), "{said}{}", String::from_utf8_lossy(&judged.stderr));
    let verdicts: BTreeMap<String, String> =
        said.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    assert_eq!(verdicts.len(), asked, "{said}");
    verdicts
}

/// The judge at work on thousands of records, one call for all of them.
#[allow(dead_code, reason = "where there are a few records they are judged at once")]
pub struct Session {
    input: BufWriter<ChildStdin>,
    output: std::thread::JoinHandle<Output>,
    asked: usize,
    _work: tempfile::TempDir,
}

#[allow(dead_code, reason = "as above")]
impl Session {
    /// As [`judge`]: all that comes was stamped last by this certificate.
    pub fn start(certificate: &[u8]) -> Option<Self> {
        let (work, path) = prepared(certificate)?;
        let mut command = command(&work, &path);
        command.arg("-").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = BufWriter::with_capacity(1 << 20, child.stdin.take().unwrap());
        let output = std::thread::spawn(move || child.wait_with_output().unwrap());
        Some(Self { input, output, asked: 0, _work: work })
    }

    /// Asks about a record and the objects of its group.
    pub fn ask(&mut self, name: &str, record: &[u8], objects: &[&[u8]]) {
        let parts = [&[name.as_bytes(), record], objects].concat();
        let number = |n: usize| u32::try_from(n).unwrap().to_be_bytes();
        self.input.write_all(&number(parts.len())).unwrap();
        for part in parts {
            self.input.write_all(&number(part.len())).unwrap();
            self.input.write_all(part).unwrap();
        }
        self.asked += 1;
    }

    /// Its verdicts, by name.
    pub fn end(self) -> BTreeMap<String, String> {
        drop(self.input);
        verdicts(&self.output.join().unwrap(), self.asked)
    }
}
