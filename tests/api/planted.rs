//! Whoever can write to the archive's folder may put a pipe, a link or a device under any name in it. No command waits for
//! it, follows it or takes it for what should stand there.

use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::{Archive, Server, text};

/// Runs a command that must end by itself.
fn ends(archive: &Archive, args: &[&str]) -> Output {
    let mut child = archive.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("{args:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// An archive at rest with a sealed document and one that waits.
fn at_rest() -> Server {
    let mut server = Server::new();
    let token = server.archive.token("producer");
    server.generic(&token, "sigillato.txt", b"sigillato");
    server.seal();
    server.generic(&token, "in attesa.txt", b"in attesa");
    let large = vec![b'x'; 2 << 20];
    server.generic(&token, "grande.txt", &large);
    server.stop();
    server
}

#[test]
fn a_pipe_or_a_link_under_any_name_neither_hangs_nor_misleads() {
    let server = at_rest();
    let archive = &server.archive;
    let mut names: Vec<String> = archive.files().into_iter().map(|(name, _)| name).collect();
    // The catalog's engines open their own files; the index is made anew when they cannot.
    names.retain(|name| {
        !["catalog/", "reports/", "quarantine/"].iter().any(|folder| name.starts_with(folder))
            && !name.contains("/tile/")
    });
    let one_of = |names: &mut Vec<String>, prefix: &str| {
        let first = names.iter().find(|name| name.starts_with(prefix)).cloned();
        names.retain(|name| !name.starts_with(prefix) || Some(name) == first.as_ref());
    };
    one_of(&mut names, "schemas/");
    one_of(&mut names, "policies/");
    for wanted in ["custode.toml", "lock", "chain/checkpoint", "chain/entries", "records/accesses.jsonl", "bodies/"] {
        let there = names.iter().any(|name| name.contains(wanted));
        assert!(there || wanted.starts_with("records"), "{wanted}: {names:?}");
    }
    names.push("chain/pending".into());
    for name in &names {
        let (path, aside) = (archive.path(name), server.archive.root.with_extension("aside"));
        let was_there = path.exists();
        if was_there {
            std::fs::rename(&path, &aside).unwrap();
        }
        for planted in ["pipe", "link"] {
            match planted {
                "pipe" => pipe(&path),
                // The same bytes, but not here: only the configuration may be a link.
                _ => symlink(if was_there { &aside } else { Path::new("/dev/zero") }, &path).unwrap(),
            }
            let check = ends(archive, &["check", "--read-only", "--json"]);
            let opened = ends(archive, &["check", "--json"]);
            let (may_be_a_link, out) = (name == "custode.toml" && planted == "link", text(&opened.stdout));
            let report: Value = serde_json::from_slice(&check.stdout).unwrap_or_default();
            if may_be_a_link {
                assert!(check.status.success() && opened.status.success(), "{report}{}{out}", text(&check.stderr));
            } else if name.starts_with("packages/") {
                assert!(!check.status.success(), "{name} {planted}: {report}");
            } else {
                assert!(!opened.status.success() || !check.status.success(), "{name} {planted}: {report} {out}");
            }
            let _ = std::fs::remove_file(&path);
        }
        if was_there {
            std::fs::rename(&aside, &path).unwrap();
        }
    }
    assert!(!archive.files().iter().any(|(_, path)| path.symlink_metadata().unwrap().file_type().is_fifo()));
    let check = ends(archive, &["check", "--json"]);
    assert!(check.status.success(), "{}", text(&check.stdout));
}

/// The catalog's engines would open a pipe and wait, or write through a link: it is made anew instead.
#[test]
fn a_pipe_or_a_link_in_the_catalog_makes_it_anew() {
    let server = at_rest();
    let archive = &server.archive;
    for planted in ["state/db", "search/meta.json"] {
        for kind in ["pipe", "link"] {
            let (path, aside) = (archive.path("catalog").join(planted), server.archive.root.with_extension("aside"));
            std::fs::rename(&path, &aside).unwrap();
            let before = std::fs::read(&aside).unwrap();
            match kind {
                "pipe" => pipe(&path),
                _ => symlink(&aside, &path).unwrap(),
            }
            let found = ends(archive, &["--json", "search", "--class", "generic"]);
            assert!(found.status.success(), "{planted} {kind}: {}", text(&found.stderr));
            assert_eq!(text(&found.stdout).matches("sigillato.txt").count(), 1, "{planted} {kind}");
            assert_eq!(std::fs::read(&aside).unwrap(), before, "{planted}: written through the link");
            assert!(path.symlink_metadata().unwrap().file_type().is_file());
        }
    }
}

#[test]
fn what_may_stand_in_a_package_that_does_not_open_is_not_sealed_again() {
    let mut server = Server::new();
    let token = server.archive.token("producer");
    let first = server.generic(&token, "uno.txt", b"uno");
    server.seal();
    server.generic(&token, "due.txt", b"due");
    server.stop();
    let archive = &server.archive;
    let (toc, aside) = (archive.path("packages/generic/00000001/toc"), archive.root.with_extension("toc"));
    std::fs::rename(&toc, &aside).unwrap();
    symlink(&aside, &toc).unwrap();
    let id = first["documents"][0]["id"].as_str().unwrap();
    let seal = ends(archive, &["seal", "--json"]);
    let said = text(&seal.stdout);
    assert!(said.contains("due.txt") || said.contains("generic/2") || seal.status.success(), "{said}");
    std::fs::remove_file(&toc).unwrap();
    std::fs::rename(&aside, &toc).unwrap();
    let check = ends(archive, &["check", "--json"]);
    assert!(check.status.success(), "{id}: {} {}", said, text(&check.stdout));
}
