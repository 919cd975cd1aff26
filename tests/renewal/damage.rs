//! Damage to what renewals made, a file at a time: by accident, by somebody who exchanges files, and by an insider who makes the
//! chain agree and lacks nothing but the time-stamping authority.
//!
//! The check says bad and names the file with a code each time; no bundle verifies as good; no renewal is built upon it.

use std::fs;
use std::path::{Path, PathBuf};

use custode::archive::inspect::read_only;
use custode::evidence::digest::Digest;
use custode::evidence::ers::Roll;
use custode::evidence::ers::roll::Over;
use custode::hash::Digests;
use serde_json::{Value, json};

use super::{IN_19_YEARS, Sandbox, TOMORROW, second_verifier, text};

const PACKAGE: &str = "packages/generic/00000001/evidence";
const OTHER: &str = "packages/generic/00000002/evidence";

/// Two packages and two stamps of the chain, renewed by a time-stamp.
fn restamped() -> Sandbox {
    let sandbox = Sandbox::sealed();
    sandbox.json(TOMORROW, &["nightly"]);
    fs::write(sandbox.path("altro.txt"), "altro atto\n").unwrap();
    let path = sandbox.path("altro.txt");
    let deposit = ["deposit", "--class", "generic", "-m", "date=2026-01-02", path.to_str().unwrap()];
    let done = sandbox.run(TOMORROW, &deposit);
    assert!(done.status.success(), "{}", text(&done));
    sandbox.json(TOMORROW, &["seal"]);
    sandbox.json(2 * TOMORROW, &["nightly"]);
    let renewed = sandbox.json(IN_19_YEARS, &["renew"]);
    let run = &renewed["runs"][0];
    assert_eq!((&run["packages"], &run["stamps"]), (&2.into(), &2.into()), "{renewed}");
    sandbox
}

/// Then with another digest as well.
fn rehashed() -> Sandbox {
    let sandbox = restamped();
    sandbox.retire_sha256();
    let renewed = sandbox.json(IN_19_YEARS, &["renew"]);
    let run = &renewed["runs"][0];
    assert_eq!((&run["packages"], &run["stamps"]), (&2.into(), &2.into()), "{renewed}");
    assert_eq!(report(&sandbox)["outcome"], "good", "{}", report(&sandbox));
    sandbox
}

fn root(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("archive")
}

fn report(sandbox: &Sandbox) -> Value {
    read_only(&root(sandbox), &json!({ "mode": "full" })).unwrap()
}

/// The files of a folder, by their names in the archive.
fn files(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root(sandbox).join(folder)).unwrap().map(Result::unwrap);
    let plain = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let mut names: Vec<String> =
        plain.map(|entry| format!("{folder}/{}", entry.file_name().to_str().unwrap())).collect();
    names.sort();
    names
}

/// All evidence of the first package and of the stamps.
fn evidence(sandbox: &Sandbox) -> Vec<String> {
    let folders = [PACKAGE, "chain/stamps", "chain/stamps/renewed"];
    folders.iter().flat_map(|folder| files(sandbox, folder)).collect()
}

/// Puts other bytes in the place of a file, or nothing; sealed files are not asked for leave.
fn put(path: &Path, bytes: Option<&[u8]>) {
    if path.is_dir() {
        fs::remove_dir(path).unwrap();
    } else if path.symlink_metadata().is_ok() {
        fs::remove_file(path).unwrap();
    }
    if let Some(bytes) = bytes {
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
    }
}

/// What is done to the bytes of a file that has a twin of another package or stamp and, perhaps, an elder.
fn damages(bytes: &[u8], twin: &[u8], elder: Option<&[u8]>) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let length = bytes.len();
    // Magic, kind, algorithm, count and first digest of a tree; tags and lengths of DER; then all along; then the end.
    let places = [0, 1, 2, 3, 8, 9, 10, 14, 15, length / 4, length / 2, length * 3 / 4, length - 33, length - 1];
    for at in places.into_iter().filter(|at| *at < length) {
        for bit in [0x01, 0x80] {
            let mut bent = bytes.to_vec();
            bent[at] ^= bit;
            all.push((format!("bit {bit:#x} of byte {at}"), bent));
        }
    }
    for cut in [0, 1, length / 2, length - 1] {
        all.push((format!("cut to {cut}"), bytes[..cut].to_vec()));
    }
    all.push(("a byte more".to_owned(), [bytes, b"\0"].concat()));
    all.push(("twice".to_owned(), [bytes, bytes].concat()));
    all.push(("another's".to_owned(), twin.to_vec()));
    all.extend(elder.map(|elder| ("an older one".to_owned(), elder.to_vec())));
    all.retain(|(_, damaged)| damaged != bytes);
    all
}

/// The file that is the same of another package or stamp, and the one of the generation before.
fn kin(sandbox: &Sandbox, name: &str) -> (Vec<u8>, Option<Vec<u8>>) {
    let read = |name: &str| fs::read(root(sandbox).join(name)).unwrap();
    let (folder, file) = name.rsplit_once('/').unwrap();
    let (number, kind) = file.split_once('.').unwrap();
    let twin = match folder {
        PACKAGE => format!("{OTHER}/{file}"),
        folder => {
            let others = files(sandbox, folder);
            others.into_iter().find(|other| other != name && other.ends_with(kind)).unwrap()
        }
    };
    let elder = number.parse::<u32>().ok().filter(|n| folder != "chain/stamps" && *n > 1).map(|n| n - 1);
    (read(&twin), elder.map(|n| read(&format!("{folder}/{n:04}.{kind}"))))
}

/// Codes of the findings that say bad of this file.
fn codes_of<'a>(report: &'a Value, name: &str) -> Vec<&'a str> {
    let bad = report["findings"].as_array().unwrap().iter().filter(|finding| finding["outcome"] == "bad");
    let of_file = bad.filter(|finding| {
        let file = finding["place"]["file"].as_str().unwrap_or_default();
        let package = finding["place"]["package"] == "generic/1";
        file == name || package && name.strip_prefix("packages/generic/00000001/") == Some(file)
    });
    of_file.filter_map(|finding| finding["code"].as_str()).collect()
}

#[test]
fn every_damage_to_renewed_evidence_is_named_by_the_check() {
    let sandbox = rehashed();
    let mut tried = 0;
    for name in evidence(&sandbox) {
        let path = root(&sandbox).join(&name);
        let bytes = fs::read(&path).unwrap();
        let (twin, elder) = kin(&sandbox, &name);
        let code = if name.starts_with("chain") { "chain-altered" } else { "package-file-altered" };
        for (what, damaged) in damages(&bytes, &twin, elder.as_deref()) {
            put(&path, Some(&damaged));
            let report = report(&sandbox);
            assert_eq!(report["outcome"], "bad", "{name}, {what}: {report:#}");
            assert!(codes_of(&report, &name).contains(&code), "{name}, {what}: {report:#}");
            tried += 1;
        }
        // Gone, or no file at all.
        let missing = if name.starts_with("chain") { "chain-altered" } else { "package-file-missing" };
        put(&path, None);
        assert!(codes_of(&report(&sandbox), &name).contains(&missing), "{name} is gone: {:#}", report(&sandbox));
        std::os::unix::fs::symlink(sandbox.path("altro.txt"), &path).unwrap();
        assert_eq!(report(&sandbox)["outcome"], "bad", "{name} is a link: {:#}", report(&sandbox));
        put(&path, None);
        fs::create_dir(&path).unwrap();
        assert_ne!(report(&sandbox)["outcome"], "good", "{name} is a folder");
        put(&path, Some(&bytes));
    }
    // What no entry names.
    for folder in ["chain/stamps/renewed", "chain/stamps"] {
        let stranger = root(&sandbox).join(folder).join("0009.tree");
        fs::write(&stranger, "x").unwrap();
        assert!(report(&sandbox).to_string().contains("0009.tree"), "{folder}");
        fs::remove_file(stranger).unwrap();
    }
    assert_eq!(report(&sandbox)["outcome"], "good");
    assert!(tried > 300, "{tried}");
}

/// Writes into the entry that names a file the digests of what is there now: an insider can, and can sign the chain anew.
fn agree(sandbox: &Sandbox, name: &str, before: &[u8], after: &[u8]) {
    let (before, after) = (Digests::of(before), Digests::of(after));
    let path = root(sandbox).join("chain/entries");
    let short = name.rsplit_once('/').unwrap().1;
    let mut lines: Vec<String> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    let mut changed = 0;
    for line in &mut lines {
        if !line.contains(&before.sha256.to_string()) {
            continue;
        }
        let mut entry: Value = serde_json::from_str(line).unwrap();
        let kind = entry["kind"].as_str().unwrap().to_owned();
        correct(&mut entry[kind], short, &before, &after);
        *line = entry.to_string();
        changed += 1;
    }
    assert!(changed > 0, "{name} is in no entry");
    fs::write(&path, lines.join("\n") + "\n").unwrap();
}

fn correct(value: &mut Value, short: &str, before: &Digests, after: &Digests) {
    match value {
        Value::Object(fields) => {
            let of_file = fields.get("name").and_then(Value::as_str).is_none_or(|name| name.ends_with(short));
            let (old, new) = (before.sha256.to_string(), after.sha256.to_string());
            for member in ["sha256", "checkpoint"] {
                if of_file && fields.get(member).and_then(Value::as_str) == Some(&old) {
                    fields.insert(member.to_owned(), json!(new));
                    if fields.contains_key("length") {
                        fields.insert("length".to_owned(), json!(after.bytes));
                    }
                    if fields.contains_key("blake3") {
                        fields.insert("blake3".to_owned(), json!(after.blake3));
                    }
                }
            }
            fields.values_mut().for_each(|value| correct(value, short, before, after));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| correct(value, short, before, after)),
        _ => {}
    }
}

/// Codes that say of a piece of evidence what is wrong with it, whatever the chain says of the file.
fn is_about_evidence(code: &str) -> bool {
    ["evidence", "timestamp", "token", "checkpoint", "signature", "tsa"].iter().any(|room| code.starts_with(room))
}

#[test]
fn an_insider_whose_chain_agrees_still_lacks_the_authority() {
    let sandbox = rehashed();
    let entries = root(&sandbox).join("chain/entries");
    let honest = fs::read(&entries).unwrap();
    let mut tried = 0;
    for name in evidence(&sandbox) {
        let path = root(&sandbox).join(&name);
        let bytes = fs::read(&path).unwrap();
        let (twin, elder) = kin(&sandbox, &name);
        for (what, damaged) in damages(&bytes, &twin, elder.as_deref()) {
            // A reply holds more than the token: what is no part of what was signed proves nothing either way.
            let in_reply = name.ends_with(".tsr") && (what.starts_with("bit") || what.starts_with("cut"));
            if in_reply && !what.ends_with(&format!("byte {}", bytes.len() - 1)) {
                continue;
            }
            put(&path, Some(&damaged));
            agree(&sandbox, &name, &bytes, &damaged);
            let report = report(&sandbox);
            assert_eq!(report["outcome"], "bad", "{name}, {what}: {report:#}");
            // Where a token was exchanged, what it should cover may be named instead of it.
            let named = codes_of(&report, &name).into_iter().any(is_about_evidence);
            let stem = name.rsplit_once('.').unwrap().0;
            let beside = ["tree", "ers", "tsr", "checkpoint"]
                .iter()
                .any(|kind| codes_of(&report, &format!("{stem}.{kind}")).into_iter().any(is_about_evidence));
            let later = name.contains("0001.") || name.contains("0002.");
            let follows = later && report.to_string().contains("evidence-altered");
            assert!(named || beside || follows, "{name}, {what}: {report:#}");
            fs::write(&entries, &honest).unwrap();
            tried += 1;
        }
        put(&path, Some(&bytes));
    }
    assert_eq!(report(&sandbox)["outcome"], "good");
    assert!(tried > 200, "{tried}");
}

/// A stamp that never was, written into a renewal: tree, root and entry agree, the token covers another root.
#[test]
fn a_stamp_that_was_not_renewed_cannot_be_written_into_a_renewal() {
    let sandbox = restamped();
    let entries = root(&sandbox).join("chain/entries");
    let (name, path) = ("chain/stamps/renewed/0001.tree", root(&sandbox).join("chain/stamps/renewed/0001.tree"));
    let bytes = fs::read(&path).unwrap();
    let honest = Roll::parse(&bytes).unwrap();
    let numbers: Vec<u64> = honest.numbers().collect();
    let leaf: Digest = "11".repeat(32).parse().unwrap();
    for leaves in [
        vec![(numbers[0], leaf), (numbers[1], leaf)],
        vec![(numbers[0], leaf)],
        vec![(numbers[0], leaf), (numbers[1], leaf), (1, leaf)],
    ] {
        let count = leaves.len();
        let forged = Roll::build(Over::Tokens, leaves).unwrap();
        let before = fs::read_to_string(&entries).unwrap();
        put(&path, Some(&forged.encode()));
        agree(&sandbox, name, &bytes, &forged.encode());
        let agreed = fs::read_to_string(&entries).unwrap();
        let agreed = agreed.replace(&honest.run_root().to_string(), &forged.run_root().to_string());
        fs::write(&entries, agreed.replace("\"count\":2", &format!("\"count\":{count}"))).unwrap();
        let report = report(&sandbox);
        let codes = [codes_of(&report, name), codes_of(&report, "chain/stamps/renewed/0001.tsr")].concat();
        assert!(codes.into_iter().any(is_about_evidence), "{count}: {report:#}");
        fs::write(&entries, before).unwrap();
        put(&path, Some(&bytes));
    }
    assert_eq!(report(&sandbox)["outcome"], "good");
}

/// What of a renewal's evidence is damaged is left out and named; everything else is renewed, under one token.
#[test]
fn no_renewal_is_built_on_damaged_evidence() {
    let template = restamped();
    template.retire_sha256();
    for name in evidence(&template) {
        let bytes = fs::read(root(&template).join(&name)).unwrap();
        let mut bent = bytes.clone();
        let at = bent.len() - 20;
        bent[at] ^= 4;
        for (what, damaged) in [("bent", Some(bent)), ("gone", None)] {
            let sandbox = template.twin();
            put(&root(&sandbox).join(&name), damaged.as_deref());
            let (status, renewed) = sandbox.told(IN_19_YEARS, &["renew"]);
            assert_eq!(status, 1, "{name}, {what}: {renewed}");
            assert!(!renewed["findings"].as_array().unwrap().is_empty(), "{name}, {what}: {renewed}");
            let run = &renewed["runs"][0];
            let (packages, stamps) = (run["packages"].as_u64().unwrap(), run["stamps"].as_u64().unwrap());
            let expected = match name.as_str() {
                name if name.starts_with(PACKAGE) => (1, 2..=2),
                // Without what renewed them nobody can say what they are; without one of them the other is renewed.
                name if name.contains("renewed") => (2, 0..=0),
                _ => (2, 1..=1),
            };
            assert!(packages == expected.0 && expected.1.contains(&stamps), "{name}, {what}: {renewed}");
            let third = root(&sandbox).join(PACKAGE).join("0003.ers").exists();
            assert_eq!(third, !name.starts_with(PACKAGE), "{name}, {what}");
            // What was there before is put back: the rest follows with a token of its own, and everything is good.
            put(&root(&sandbox).join(&name), Some(&bytes));
            let again = sandbox.json(IN_19_YEARS, &["renew"]);
            let run = &again["runs"][0];
            assert_eq!(
                (run["packages"].as_u64(), run["stamps"].as_u64()),
                (Some(2 - packages), Some(2 - stamps)),
                "{name}, {what}: {again}"
            );
            assert_eq!(report(&sandbox)["outcome"], "good", "{name}, {what}: {:#}", report(&sandbox));
        }
    }
}

/// A bundle out of a damaged archive is not made, or is not good.
#[test]
fn no_bundle_of_damaged_evidence_is_good() {
    let sandbox = rehashed();
    let (key, anchor) = (
        fs::read_to_string(root(&sandbox).join("chain/archive.vkey")).unwrap(),
        sandbox.path("archive.keys/development-tsa-root.pem").display().to_string(),
    );
    let verdict = |bundle: &str| {
        let arguments = ["--key", key.trim(), "--trust", &anchor];
        let out = sandbox.run(IN_19_YEARS, &[&["--json", "verify", bundle], &arguments[..]].concat());
        let status = out.status.code().unwrap();
        let report = serde_json::from_slice(&out.stdout).ok();
        second_verifier::agree(&sandbox.path(bundle), &arguments, status, report.as_ref());
        status
    };
    let export = |bundle: &str| {
        let _ = fs::remove_file(sandbox.path(bundle));
        sandbox.run(IN_19_YEARS, &["export", "--package", "generic/1", "-o", bundle])
    };
    assert!(export("good.zip").status.success());
    assert_eq!(verdict("good.zip"), 0);
    let (mut refused, mut bad) = (0, 0);
    for name in evidence(&sandbox) {
        let path = root(&sandbox).join(&name);
        let bytes = fs::read(&path).unwrap();
        let mut bent = bytes.clone();
        let at = bent.len() - 20;
        bent[at] ^= 4;
        put(&path, Some(&bent));
        if export("bad.zip").status.success() {
            // A stamp that the bundle does not hold is none of its affair.
            let held = !name.starts_with("chain") || held(&sandbox, "bad.zip", &name);
            assert!(!held || verdict("bad.zip") != 0, "{name}");
            bad += 1;
        } else {
            refused += 1;
        }
        put(&path, Some(&bytes));
    }
    println!("{refused} bundles refused, {bad} made");
    assert!(refused > 8);
}

fn held(sandbox: &Sandbox, bundle: &str, name: &str) -> bool {
    let zip = zip::ZipArchive::new(fs::File::open(sandbox.path(bundle)).unwrap()).unwrap();
    zip.file_names().any(|file| file.is_ok_and(|file| file == name))
}
