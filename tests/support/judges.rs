//! The outside judges: programs that have never heard of Custode and say whether what it writes is right.
//!
//! `cargo test` needs only Rust and a C compiler, so where a judge is not installed its test says loudly that it did not
//! run. Where `CI` is set that is a failure: a judge that never sits proves nothing.

/// Whether all these programs are here.
pub fn present(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing: Vec<&str> = programs
        .iter()
        .copied()
        .filter(|program| !std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
        .collect();
    if missing.is_empty() {
        return true;
    }
    let text = format!("NOT RUN: {} not installed, so nobody judged this", missing.join(", "));
    assert!(std::env::var_os("CI").is_none(), "{text}");
    eprintln!("{text}");
    false
}

/// Whether Python has this module; as [`present`], a missing one is said, and fails where `CI` is set.
#[allow(dead_code)]
pub fn importable(module: &str) -> bool {
    let found = std::process::Command::new("python3").args(["-c", &format!("import {module}")]).output();
    if found.is_ok_and(|out| out.status.success()) {
        return true;
    }
    let text = format!("NOT RUN: the Python module {module} is not installed, so it judged nothing");
    assert!(std::env::var_os("CI").is_none(), "{text}");
    eprintln!("{text}");
    false
}

/// Whether all these files of a Debian package are here.
#[allow(dead_code, reason = "most judges are programs")]
pub fn files(paths: &[&str], package: &str) -> bool {
    let missing: Vec<&str> = paths.iter().copied().filter(|path| !std::path::Path::new(path).is_file()).collect();
    if missing.is_empty() {
        return true;
    }
    let text = format!("NOT RUN: {} not there ({package} not installed), so nobody judged this", missing.join(", "));
    assert!(std::env::var_os("CI").is_none(), "{text}");
    eprintln!("{text}");
    false
}
