use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::error::{Code, Error};

#[test]
fn a_new_file_is_never_overwritten_and_replace_does() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    write_new(&path, b"one", MODE_SEALED).unwrap();
    assert!(write_new(&path, b"two", MODE_SEALED).is_err());
    assert_eq!(fs::read(&path).unwrap(), b"one");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o444);
    replace(&path, b"three", MODE_PLAIN).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"three");
    assert_eq!(fs::read_dir(dir.path()).unwrap().filter(|e| e.as_ref().unwrap().file_name() != ".a.tmp").count(), 1);
}

#[test]
fn a_file_for_somebody_is_whole_or_not_there_and_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copia.eml");
    let names = || fs::read_dir(dir.path()).unwrap().count();
    let mut half = NewFile::start(&path).unwrap();
    half.write_all(b"half").unwrap();
    assert!(!path.exists());
    drop(half);
    assert_eq!(names(), 0);
    let mut whole = NewFile::start(&path).unwrap();
    whole.write_all(b"whole").unwrap();
    whole.finish().unwrap();
    assert_eq!((fs::read(&path).unwrap(), names()), (b"whole".to_vec(), 1));
    assert!(NewFile::start(&path).is_err());
    // One that came meanwhile stays as it is.
    let other = dir.path().join("altra.eml");
    let mut late = NewFile::start(&other).unwrap();
    late.write_all(b"late").unwrap();
    fs::write(&other, "first").unwrap();
    assert!(late.finish().is_err());
    assert_eq!((fs::read(&other).unwrap(), names()), (b"first".to_vec(), 2));
}

#[test]
fn a_lock_is_held_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let held = lock(&path).unwrap();
    assert!(held.is_some());
    assert!(lock(&path).unwrap().is_none());
    drop(held);
    assert!(lock(&path).unwrap().is_some());
}

#[test]
fn only_plain_files_are_opened_and_nothing_hangs() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("file"), "text").unwrap();
    std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", at("device")).unwrap();
    std::os::unix::fs::symlink(at("pipe"), at("to-pipe")).unwrap();
    fs::create_dir(at("folder")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    assert_eq!(read_plain_text(&at("file")).unwrap(), "text");
    for name in ["link", "device", "to-pipe", "folder", "pipe", "socket"] {
        let code = |error: Error| (error.code, error.place);
        let expected = (Code::FileNotPlain, at(name).display().to_string());
        assert_eq!(code(read_plain(&at(name)).unwrap_err()), expected);
        if name != "link" {
            assert_eq!(code(read_linked(&at(name)).unwrap_err()), expected);
        }
        if name != "folder" {
            assert_eq!(code(Appending::open(&at(name), MODE_PLAIN).unwrap_err()), expected);
            assert_eq!(code(lock(&at(name)).unwrap_err()), expected);
        }
    }
    assert_eq!(read_linked_text(&at("link")).unwrap(), "text");
    assert_eq!(read_plain(&at("none")).unwrap_err().code, Code::FileMissing);
    assert!(write_new(&at("pipe/x"), b"", MODE_PLAIN).is_err());
}

#[test]
fn errors_name_the_path() {
    let error = write_new(Path::new("/nonexistent-folder/x"), b"", MODE_PLAIN).unwrap_err();
    assert_eq!(error.code, Code::FileMissing);
    assert!(error.place.contains("/nonexistent-folder"));
}
