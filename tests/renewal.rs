//! Evidence over twenty years, with the real program and a clock that jumps: planned, renewed by time-stamp, renewed with
//! another digest; and at the end other programs read what is in a bundle.

#[path = "support/bouncy_castle.rs"]
mod bouncy_castle;
#[path = "renewal/damage.rs"]
mod damage;
#[path = "support/judges.rs"]
mod judges;
#[path = "support/second_verifier.rs"]
mod second_verifier;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use bouncy_castle::Case;
use custode::chain::cosignature::{Cosigner, parts, with_line};
use custode::evidence::cms::SignedData;
use custode::evidence::digest::Algorithm;
use custode::evidence::ers::Record;
use serde_json::Value;

/// Seconds: the development authority's certificates last twenty years.
const NOW: u64 = 0;
const TOMORROW: u64 = 90_000;
const IN_19_YEARS: u64 = 606_000_000;
const IN_20_YEARS: u64 = 631_500_000;

struct Sandbox {
    folder: tempfile::TempDir,
    manager: String,
}

impl Sandbox {
    /// A trial archive with a package of three documents.
    fn sealed() -> Self {
        let mut sandbox = Self { folder: tempfile::tempdir().unwrap(), manager: String::new() };
        sandbox.manager = sandbox.json(NOW, &["init"])["manager_token"].as_str().unwrap().to_owned();
        sandbox.deposit_and_seal("2026-01-01");
        sandbox
    }

    /// Three documents of this day, in a package of their own.
    fn deposit_and_seal(&self, day: &str) {
        for n in 0..3 {
            let path = self.path(&format!("atto-{n}.txt"));
            std::fs::write(&path, format!("atto {n} del {day}\n").repeat(50 + n)).unwrap();
            let metadata = ["-m", &format!("date={day}"), path.to_str().unwrap()];
            let done = self.run(NOW, &[&["deposit", "--class", "generic"], &metadata[..]].concat());
            assert!(done.status.success(), "{}", text(&done));
        }
        self.json(NOW, &["seal"]);
    }

    /// The same files again, elsewhere.
    fn twin(&self) -> Self {
        let twin = Self { folder: tempfile::tempdir().unwrap(), manager: self.manager.clone() };
        let copied = Command::new("cp").arg("-a").arg(self.folder.path().join(".")).arg(twin.folder.path()).status();
        assert!(copied.unwrap().success());
        twin
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, shift: u64, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_custode"));
        command.arg("--archive").arg(self.path("archive")).args(["--lang", "en"]).args(arguments);
        command.env("CUSTODE_TEST_CLOCK_SHIFT", shift.to_string()).env_remove("CUSTODE_TOKEN");
        // A manager decides what is adopted; everything else is an operator's.
        if arguments.contains(&"adopt") {
            command.env("CUSTODE_TOKEN", &self.manager);
        }
        command.current_dir(self.folder.path()).output().unwrap()
    }

    /// The JSON of a command, whatever its exit status.
    fn told(&self, shift: u64, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(shift, &[&["--json"], arguments].concat());
        let told = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
        let status = output.status.code().unwrap();
        if let ["verify", bundle] = arguments {
            second_verifier::agree(&self.path(bundle), &[], status, Some(&told));
        }
        (status, told)
    }

    fn json(&self, shift: u64, arguments: &[&str]) -> Value {
        let (status, told) = self.told(shift, arguments);
        assert_eq!(status, 0, "{arguments:?}: {told}");
        told
    }

    fn retire_sha256(&self) {
        self.retire(IN_19_YEARS, &[("SHA-256", "2044-12-31")]);
    }

    /// The table of algorithms says until when these digests are good.
    fn retire(&self, shift: u64, ends: &[(&str, &str)]) {
        let folder = self.path("archive/policies");
        let versions = || (1_u32..).take_while(|n| folder.join(format!("algorithms@{n}.toml")).exists());
        let last = versions().last().unwrap();
        let mut table = std::fs::read_to_string(folder.join("algorithms@1.toml")).unwrap();
        table = table.replace("version = 1", &format!("version = {}", last + 1));
        for (name, until) in ends {
            let line = format!("name = \"{name}\"\n");
            table = table.replacen(&line, &format!("{line}until = \"{until}\"\n"), 1);
        }
        std::fs::write(self.path("table.toml"), table).unwrap();
        self.json(shift, &["policy", "adopt", "table.toml"]);
    }

    /// The file of a bundle.
    fn read(&self, bundle: &str, name: &str) -> Vec<u8> {
        let mut zip = zip::ZipArchive::new(std::fs::File::open(self.path(bundle)).unwrap()).unwrap();
        let mut bytes = Vec::new();
        zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }
}

fn text(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn codes(report: &Value) -> Vec<&str> {
    report.as_array().unwrap().iter().filter_map(|one| one["code"].as_str()).collect()
}

/// The entry of a renewal is younger than what the witness cosigned: the present checkpoint proves it, whoever cosigned that.
#[test]
fn a_package_renewed_since_a_witness_saw_the_chain_is_exported_whole() {
    let sandbox = Sandbox::sealed();
    let chain = sandbox.path("archive/chain");
    let note = std::fs::read_to_string(chain.join("checkpoint")).unwrap();
    let witness = Cosigner::for_name("testimone.example/w1", &[7; 32]).unwrap();
    let seen = witness.cosign(parts(&note).unwrap().0, 1).unwrap();
    std::fs::create_dir(chain.join("witness")).unwrap();
    let kept = chain.join(format!("witness/{}.checkpoint", witness.verifier().id()));
    std::fs::write(kept, with_line(&note, &seen, &witness.verifier()).unwrap()).unwrap();
    sandbox.json(NOW, &["export", "--package", "generic/1", "-o", "before.zip"]);
    let proved = sandbox.read("before.zip", "checkpoint");
    assert!(String::from_utf8(proved).unwrap().contains("testimone.example/w1"));
    assert_eq!(sandbox.json(IN_19_YEARS, &["renew"])["runs"].as_array().unwrap().len(), 1);
    sandbox.json(IN_19_YEARS, &["export", "--package", "generic/1", "-o", "after.zip"]);
    let (_, told) = sandbox.told(IN_19_YEARS, &["verify", "after.zip"]);
    assert!(told["findings"].as_array().unwrap().iter().all(|found| found["code"] == "anchor-missing"), "{told}");
}

#[test]
fn evidence_is_planned_renewed_twice_and_read_by_others() {
    let sandbox = Sandbox::sealed();
    // A day later the chain is time-stamped, and what covers the package is renewed as well as its own evidence.
    sandbox.json(TOMORROW, &["nightly"]);
    // Nothing is due for eighteen years; then it is; then it is too late, and everybody says so.
    let plan = sandbox.json(NOW, &["renew", "--plan"]);
    let line = &plan["lines"][0];
    assert_eq!((&plan["feasible"], plan["lines"].as_array().unwrap().len()), (&true.into(), 1), "{plan}");
    assert_eq!((&line["stamps"], &line["bytes"].as_u64().is_some()), (&1.into(), &true), "{plan}");
    assert_eq!(
        (&line["ending"], &line["is_due"], &line["packages"]),
        (&"certificate".into(), &false.into(), &1.into())
    );
    assert_eq!((&line["method"], &line["documents"]), (&"time-stamp".into(), &3.into()));
    assert!(plan["speed"]["bytes_per_second"].as_f64().unwrap() > 0.0 && line["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(sandbox.json(NOW, &["renew"])["runs"].as_array().unwrap().len(), 0);
    let (status, plan) = sandbox.told(IN_20_YEARS, &["renew", "--plan"]);
    assert_eq!((status, &plan["feasible"], codes(&plan["findings"])), (1, &false.into(), vec!["renewal/late"]));
    let (status, alarms) = sandbox.told(IN_20_YEARS, &["alarms"]);
    assert_eq!(status, 1, "{alarms}");
    assert!(codes(&alarms["alarms"]).contains(&"renewal/late"), "{alarms}");
    let plan = sandbox.json(IN_19_YEARS, &["renew", "--plan"]);
    assert_eq!((&plan["lines"][0]["is_due"], &plan["feasible"]), (&true.into(), &true.into()));

    // The night does it.
    let (_, night) = sandbox.told(IN_19_YEARS, &["nightly"]);
    let runs = night["renewal"]["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &runs[0]["method"], &runs[0]["packages"]), (1, &"time-stamp".into(), &1.into()), "{night}");
    assert_eq!(runs[0]["stamps"], 1, "one token for the package and for the stamp: {night}");
    assert_eq!(night["check"]["outcome"], "good", "{night}");
    assert_eq!(sandbox.json(IN_19_YEARS, &["renew"])["runs"].as_array().unwrap().len(), 0);
    sandbox.json(IN_19_YEARS, &["export", "--search", "date=2026-01-01", "-o", "first.zip"]);
    judged(&sandbox, "first.zip", 2, &[Algorithm::Sha256]);

    // SHA-256 has ended, as somebody found out too late: its successor takes over, the documents being read again.
    sandbox.retire_sha256();
    let (status, plan) = sandbox.told(IN_19_YEARS, &["renew", "--plan"]);
    assert_eq!((status, codes(&plan["findings"])), (1, vec!["renewal/late"]), "{plan}");
    let line = &plan["lines"][0];
    assert_eq!(
        (&line["ending"], &line["method"], &line["renewed_with"], &line["is_due"]),
        (&"digest".into(), &"hash-tree".into(), &"SHA-512".into(), &true.into())
    );
    let renewed = sandbox.json(IN_19_YEARS, &["renew"]);
    assert_eq!(renewed["runs"][0]["digest"], "SHA-512", "{renewed}");
    // The first stamp, and that of the night nineteen years later.
    assert_eq!(renewed["runs"][0]["stamps"], 2, "{renewed}");
    let check = sandbox.json(IN_19_YEARS, &["check"]);
    assert_eq!(check["outcome"], "good", "{check}");
    sandbox.json(IN_19_YEARS, &["export", "--search", "date=2026-01-01", "-o", "second.zip"]);
    judged(&sandbox, "second.zip", 3, &[Algorithm::Sha256, Algorithm::Sha512]);
    sandbox.json(IN_19_YEARS, &["export", "--package", "generic/1", "-o", "whole.zip"]);
    let (status, verified) = sandbox.told(NOW, &["verify", "whole.zip"]);
    assert_eq!((status, codes(&verified["findings"])), (2, vec!["anchor-missing"; 2]), "{verified}");
}

/// A bundle verifies here, says of each document that it existed when it was sealed, and Bouncy Castle accepts its records,
/// but not for other documents.
fn judged(sandbox: &Sandbox, bundle: &str, stamps: usize, algorithms: &[Algorithm]) {
    let (status, verified) = sandbox.told(NOW, &["verify", bundle]);
    // Its anchors came along: nothing else is to be said.
    assert_eq!((status, codes(&verified["findings"])), (2, vec!["anchor-missing"; 2]), "{verified}");
    let report: Value = serde_json::from_slice(&sandbox.read(bundle, "report.json")).unwrap();
    let documents = report["documents"].as_array().unwrap();
    assert_eq!(documents.len(), 3);
    let (mut cases, mut certificate) = (Vec::new(), Vec::new());
    for (document, said) in documents.iter().zip(verified["documents"].as_array().unwrap()) {
        assert_eq!(said["stamped_at"].as_array().unwrap().len(), stamps);
        assert_eq!(said["exists_since"], said["stamped_at"][0]);
        let record = sandbox.read(bundle, document["evidence"].as_str().unwrap());
        let parts = ["file", "metadata_file", "rdv", "manifest"];
        let objects: Vec<Vec<u8>> =
            parts.iter().map(|part| sandbox.read(bundle, document[*part].as_str().unwrap())).collect();
        let parsed = Record::parse(&record).unwrap();
        let token = &parsed.chains.last().unwrap().last().unwrap().token;
        let data = SignedData::parse(token).unwrap();
        certificate = data.signers[0].certificate(&data.certificates).unwrap().der().to_vec();
        assert_eq!(parsed.algorithms, algorithms);
        let id = document["id"].as_str().unwrap();
        let mut others = objects.clone();
        others[0].push(b'!');
        cases.push(Case { name: format!("{id}-good"), record: record.clone(), objects });
        cases.push(Case { name: format!("{id}-altered"), record, objects: others });
    }
    // The first stamp of the chain that covers the package: its record is of the checkpoint, and is renewed with the others.
    let stamp = &verified["stamps"][0];
    assert_eq!(stamp["stamped_at"].as_array().unwrap().len(), stamps, "{verified}");
    assert_eq!(stamp["at"], stamp["stamped_at"][0]);
    let file = |extension: &str| format!("chain/stamps/{:08}.{extension}", stamp["size"].as_u64().unwrap());
    // One that was never renewed has no record beside it.
    if stamps > 1 {
        let (record, checkpoint) = (sandbox.read(bundle, &file("ers")), sandbox.read(bundle, &file("checkpoint")));
        let altered = [&checkpoint[..], b"!"].concat();
        cases.push(Case { name: "stamp-good".to_owned(), record: record.clone(), objects: vec![checkpoint] });
        cases.push(Case { name: "stamp-altered".to_owned(), record, objects: vec![altered] });
    }
    let Some(verdicts) = bouncy_castle::judge(&certificate, &cases) else { return };
    for (name, verdict) in verdicts {
        assert_eq!(verdict == "accepted", name.ends_with("-good"), "{bundle} {name}: {verdict}");
    }
}

/// Once SHA-256 has ended, or nearly, nothing new rests on it: neither the tree of a package nor its token, nor the chain's stamp.
#[test]
fn new_evidence_is_made_with_the_digest_that_lasts() {
    let sandbox = Sandbox::sealed();
    sandbox.retire(NOW, &[("SHA-256", "2026-01-31")]);
    sandbox.deposit_and_seal("2026-02-02");
    let first = |file: &str| {
        let reply = std::fs::read(sandbox.path(&format!("archive/{file}"))).unwrap();
        custode::evidence::ers::judge::stamped(&custode::package::generation::token_of(&reply)).unwrap().algorithm()
    };
    assert_eq!(first("packages/generic/00000001/evidence/0001.tsr"), Algorithm::Sha256);
    assert_eq!(first("packages/generic/00000002/evidence/0001.tsr"), Algorithm::Sha512);
    // The night stamps the chain, and renews what was sealed before: the second package is left as it is.
    let (_, night) = sandbox.told(TOMORROW, &["nightly"]);
    let run = &night["renewal"]["runs"][0];
    assert_eq!(
        (&run["digest"], &run["packages"], &run["stamps"]),
        (&"SHA-512".into(), &1.into(), &0.into()),
        "{night}"
    );
    let stamps = std::fs::read_dir(sandbox.path("archive/chain/stamps")).unwrap();
    let names: Vec<String> = stamps.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let stamp = names.iter().find(|name| name.ends_with(".tsr")).unwrap();
    assert_eq!(first(&format!("chain/stamps/{stamp}")), Algorithm::Sha512);
    sandbox.json(TOMORROW, &["check"]);
    sandbox.json(TOMORROW, &["export", "--search", "date=2026-02-02", "-o", "new.zip"]);
    judged(&sandbox, "new.zip", 1, &[Algorithm::Sha512]);
    sandbox.json(TOMORROW, &["export", "--package", "generic/2", "-o", "whole.zip"]);
    let (status, told) = sandbox.told(NOW, &["verify", "whole.zip"]);
    assert_eq!((status, codes(&told["findings"])), (2, vec!["anchor-missing"; 2]), "{told}");

    // A tree that was never over SHA-256 is renewed like any other.
    sandbox.retire(TOMORROW, &[("SHA-256", "2026-01-31"), ("SHA-512", "2026-03-31")]);
    let renewed = sandbox.json(TOMORROW, &["renew"]);
    let run = &renewed["runs"][0];
    assert_eq!(
        (&run["digest"], &run["packages"], &run["stamps"]),
        (&"SHA-384".into(), &2.into(), &1.into()),
        "{renewed}"
    );
    sandbox.json(TOMORROW, &["check"]);
    sandbox.json(TOMORROW, &["export", "--search", "date=2026-02-02", "-o", "again.zip"]);
    judged(&sandbox, "again.zip", 2, &[Algorithm::Sha512, Algorithm::Sha384]);
    // And one bent document in it is found in the new algorithm too.
    let content = sandbox.path("archive/packages/generic/00000002/evidence/0001.tree");
    let mut bytes = std::fs::read(&content).unwrap();
    bytes[40] ^= 1;
    std::fs::remove_file(&content).unwrap();
    std::fs::write(&content, bytes).unwrap();
    let (status, check) = sandbox.told(TOMORROW, &["check"]);
    assert_eq!(status, 1, "{check}");
}

#[test]
fn a_document_that_was_altered_keeps_its_package_from_being_renewed() {
    let sandbox = Sandbox::sealed();
    sandbox.retire_sha256();
    let content = sandbox.path("archive/packages/generic/00000001/content.tar.zst");
    let mut bytes = std::fs::read(&content).unwrap();
    bytes[100] ^= 1;
    std::fs::remove_file(&content).unwrap();
    std::fs::write(&content, bytes).unwrap();
    let (status, renewed) = sandbox.told(IN_19_YEARS, &["renew"]);
    assert_eq!((status, renewed["runs"].as_array().unwrap().len()), (1, 0), "{renewed}");
    assert_eq!(renewed["findings"].as_array().unwrap().len(), 1, "{renewed}");
    assert!(!sandbox.path("archive/packages/generic/00000001/evidence/0002.ers").exists());
}

#[test]
fn nothing_is_proved_again_by_an_authority_that_proves_nothing() {
    let sandbox = Sandbox::sealed();
    let (status, told) = sandbox.told(NOW, &["renew", "--restamp"]);
    assert_eq!((status, &told["code"]), (2, &"config/missing".into()), "{told}");
    let (status, _) = sandbox.told(NOW, &["renew", "--budget", "some"]);
    assert_eq!(status, 2);
}
