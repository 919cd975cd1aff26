//! What goes wrong in twenty years, and how it is mended with what the product has: kills, a lost catalog, a torn journal, an
//! authority that is down, copies damaged in every vault, an older copy put in the archive's place.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;

use custode::archive::access::Actor;
use custode::error::Code;

use super::life::{Life, text};

/// The real program does this and is killed before its durable step `step`; it must not have come to its end before.
pub fn killed(life: &Life, arguments: &[&str], step: u32) {
    let out = life.command(arguments).env("CUSTODE_TEST_ABORT_AT", step.to_string()).output().unwrap();
    assert_eq!(out.status.signal(), Some(6), "{arguments:?} was not stopped at step {step}: {}", text(&out));
}

/// The catalog is deleted; opening makes it anew, and a check finds it to agree with the packages.
pub fn catalog_lost(life: &mut Life) -> u64 {
    life.close();
    std::fs::remove_dir_all(life.path("archive/catalog")).unwrap();
    let told = life.told(&["reindex"]);
    let ready = life.archive().ready().unwrap();
    assert_eq!(ready["status"], "ready");
    told["documents"].as_u64().unwrap_or_else(|| panic!("{told}"))
}

/// Half a batch stands at the end of the journal, as a power cut leaves it.
pub fn journal_torn(life: &mut Life) {
    life.close();
    let mut segments = files(&life.path("archive/intake/lane-0001"));
    segments.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("segment-")));
    segments.sort();
    let last = segments.last().expect("a journal has a segment");
    let mut bytes = std::fs::read(last).unwrap();
    bytes.extend_from_slice(&[0xa5; 300]);
    std::fs::write(last, bytes).unwrap();
    let ready = life.archive().ready().unwrap();
    let findings = ready["findings"].as_array().unwrap();
    assert!(!findings.is_empty(), "nobody noticed a torn journal: {ready}");
    assert!(!files(&life.path("archive/quarantine")).is_empty(), "nothing was set aside");
}

/// No authority answers at night: nothing is sealed, and it is said.
pub fn authority_down(life: &mut Life) {
    life.office.down.store(true, Ordering::SeqCst);
    let archive = life.archive();
    let sealed = archive.seal(&Actor::local(), None);
    assert!(sealed.is_err_and(|error| error.code == Code::TsaDown));
    life.office.down.store(false, Ordering::SeqCst);
}

/// The archive and its other vaults.
const WHOLE: [&str; 3] = ["archive", "secondo", "terzo"];

/// Copies the whole archive to `copy/`, or from there.
pub fn copy_whole(life: &Life, back: bool) {
    let aside = life.path("copy");
    std::fs::create_dir_all(&aside).unwrap();
    for name in WHOLE {
        let (here, there) = (life.path(name), aside.join(name));
        let (from, to) = if back { (there, here) } else { (here, there) };
        let _ = std::fs::remove_dir_all(&to);
        let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(done.success());
    }
}

/// One package of each vault is damaged, in each another one and in another way: the check names them, the repair restores them
/// from the copies that are whole, and says so on the chain.
pub fn copies_lost(life: &mut Life) {
    life.close();
    let bad = [("archive/packages", "invoice"), ("secondo", "generic"), ("terzo", "pec-message")];
    let folders = bad.map(|(vault, series)| life.path(&format!("{vault}/{series}/00000001")));
    let content = folders[0].join("content.tar.zst");
    let mut bytes = std::fs::read(&content).unwrap();
    bytes[500] ^= 1;
    std::fs::remove_file(&content).unwrap();
    std::fs::write(&content, &bytes).unwrap();
    std::fs::remove_dir_all(&folders[1]).unwrap();
    let index = folders[2].join("PIndex.xml");
    std::fs::OpenOptions::new().write(true).open(with_leave(&index)).unwrap().set_len(100).unwrap();
    let (status, report) = life.said(&["check", "--quick"]);
    let findings = report["findings"].to_string();
    assert_eq!(status, 1, "{report:#}");
    for (_, series) in bad {
        assert!(findings.contains(&format!("{series}/1")), "{series}: {findings}");
    }
    let repaired = life.told(&["repair"]);
    assert_eq!(repaired["restored"].as_array().unwrap().len(), 3, "{repaired:#}");
    assert!(folders[1].join("content.tar.zst").exists() && std::fs::read(&content).unwrap() != bytes);
    let report = life.told(&["check", "--quick"]);
    assert_eq!(report["outcome"], "good", "{report:#}");
}

/// A sealed file, which from now on may be written.
fn with_leave(path: &Path) -> &Path {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    path
}

/// An older copy of the whole archive comes in its place: it takes nothing until the loss is declared.
pub fn older_state(life: &mut Life) {
    life.close();
    copy_whole(life, true);
    std::fs::remove_dir_all(life.path("copy")).unwrap();
    let archive = life.archive();
    let refused = archive.ready().err().or_else(|| archive.may_deposit(&Actor::local(), Some("generic")).err());
    let code = refused.map(|error| error.code);
    assert_eq!(code, Some(Code::ArchiveRestored), "an older state went on as if nothing were missing");
    drop(archive);
    life.close();
    let declared = life.told(&["restore", "declare", "--reason", "disco perso, copia di ieri"]);
    assert_eq!(declared["appends"], true, "{declared}");
    life.have_witness_forget();
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
