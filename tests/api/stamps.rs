//! Time-stamps over the chain itself: once a day, kept with the checkpoint they cover, and judged by OpenSSL.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::{Archive, Server, text};

/// A day and an hour later.
const TOMORROW: &[(&str, &str)] = &[("CUSTODE_TEST_CLOCK_SHIFT", "90000")];

fn stamps(archive: &Archive) -> Vec<Value> {
    archive.entries().into_iter().filter(|entry| entry["kind"] == "stamp").collect()
}

/// One document sealed today, and the server running tomorrow.
fn a_day_later() -> Server {
    let archive = Archive::new();
    archive.configure("#interval = \"10s\"", "interval = \"1s\"");
    let mut server = archive.serve();
    let producer = server.archive.token("producer");
    server.generic(&producer, "nota.txt", b"nota");
    server.seal();
    assert!(stamps(&server.archive).is_empty(), "nothing is due on the first day");
    server.restart_after(TOMORROW, |_| {});
    let started = Instant::now();
    while stamps(&server.archive).is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", server.log.lock().unwrap());
        std::thread::sleep(Duration::from_millis(100));
    }
    server
}

#[test]
fn once_a_day_the_chain_is_stamped_and_openssl_says_since_when_it_was_so() {
    let server = a_day_later();
    let stamp = stamps(&server.archive).remove(0);
    let (size, at) =
        (stamp["stamp"]["size"].as_u64().unwrap(), stamp["stamp"]["stamped_at"].as_str().unwrap().to_owned());
    assert_eq!(stamp["seq"].as_u64(), Some(size), "the checkpoint stamped is the one before its entry");
    let folder = server.archive.path("chain/stamps");
    let (checkpoint, reply) = (folder.join(format!("{size:08}.checkpoint")), folder.join(format!("{size:08}.tsr")));
    let anchor = server.archive.root.with_extension("keys").join("development-tsa-root.pem");
    if crate::judges::present(&["openssl"]) {
        let epoch = at.parse::<jiff::Timestamp>().unwrap().as_second().to_string();
        let judged = |data: &std::path::Path| {
            let mut command = Command::new("openssl");
            command
                .args(["ts", "-verify", "-attime", &epoch, "-data"])
                .arg(data)
                .arg("-in")
                .arg(&reply)
                .arg("-CAfile")
                .arg(&anchor);
            text(&command.output().unwrap().stdout)
        };
        assert!(judged(&checkpoint).contains("Verification: OK"));
        assert!(!judged(&reply).contains("Verification: OK"), "openssl sees other bytes");
    }
    let manager = server.archive.manager.clone();
    let check = server.archive.manage(&["check"]);
    assert_eq!(check["outcome"], "good", "{check}");
    // Nothing new, nothing stamped: the check's own entry waits for its day.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(stamps(&server.archive).len(), 1);
    assert_eq!(server.json("/v1/alarms", &manager)["total"], 0);
    assert!(!std::fs::exists(server.archive.path("staging/stamp.tsq")).unwrap());

    // In a bundle, with the way from there to the bundle's checkpoint.
    let bundle = server.archive.root.with_file_name("bundle.zip").display().to_string();
    server.archive.manage(&["export", "--package", "generic/1", "-o", &bundle]);
    let key = server.archive.path("chain/archive.vkey").display().to_string();
    let anchor = anchor.display().to_string();
    let out = server.archive.run(&["verify", &bundle, "--json", "--key", &key, "--trust", &anchor]);
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!((out.status.code(), report["stamps"][0]["size"].as_u64()), (Some(0), Some(size)), "{report}");
    assert_eq!(report["stamps"][0]["at"].as_str().unwrap()[..19], at[..19]);
    let vkey = std::fs::read_to_string(&key).unwrap();
    let arguments = ["--key", vkey.trim(), "--trust", &anchor];
    crate::second_verifier::agree(std::path::Path::new(&bundle), &arguments, 0, Some(&report));
    if crate::judges::present(&["python3", "openssl"]) {
        let (_, second) = crate::second_verifier::second_opinion(std::path::Path::new(&bundle), &arguments);
        assert_eq!(second.unwrap()["stamps"][0]["size"].as_u64(), Some(size));
    }

    // Another token in its place is damage, though the archive has its digest: the files are compared with the chain.
    for path in [&checkpoint, &reply] {
        let good = std::fs::read(path).unwrap();
        let mut bent = good.clone();
        let at = bent.len() - 20;
        bent[at] ^= 1;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::write(path, bent).unwrap();
        let out = server.archive.run(&["check", "--json"]);
        assert_eq!(out.status.code(), Some(1), "{}", text(&out.stdout));
        assert!(text(&out.stdout).contains(path.file_name().unwrap().to_str().unwrap()), "{}", text(&out.stdout));
        std::fs::write(path, good).unwrap();
    }
    assert_eq!(server.archive.run(&["check"]).status.code(), Some(0));
}
