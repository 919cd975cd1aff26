//! One contract for every vault; then what only folders can do.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{PermissionsExt, symlink};

use super::memory::{Fault, MemoryVault};
use super::*;

const ORIGIN: &str = "archivio.example";
const FILES: [&str; 3] = ["PIndex.xml", "content.tar.zst", "evidence/0001.ers"];

fn names(files: &[&str]) -> Vec<String> {
    files.iter().map(|file| (*file).to_owned()).collect()
}

fn stage(dir: &Path, text: &str) {
    fs::create_dir_all(dir.join("evidence")).unwrap();
    for file in FILES {
        fs::write(dir.join(file), format!("{file} {text}")).unwrap();
    }
    fs::write(dir.join("evidence/0002.ers"), "renewal").unwrap();
}

fn package(text: &str) -> PackageRef {
    text.parse().unwrap()
}

fn read(vault: &dyn Vault, name: &PackageRef, file: &str) -> String {
    let mut text = String::new();
    vault.open(name, file).unwrap().read_to_string(&mut text).unwrap();
    text
}

fn contract(vault: &dyn Vault) {
    let staging = tempfile::tempdir().unwrap();
    stage(staging.path(), "one");
    let (first, files) = (package("invoice/1"), names(&FILES));
    assert!(!vault.exists(&first).unwrap());
    assert_eq!(vault.list_files(&first).unwrap_err().code, Code::FileMissing);
    assert_eq!(vault.open(&first, "toc").err().unwrap().code, Code::FileMissing);
    assert_eq!(vault.add(staging.path(), &first, &files).unwrap_err().code, Code::FileMissing);
    vault.put(staging.path(), &first, &files).unwrap();
    vault.put(staging.path(), &first, &files).unwrap();
    assert!(vault.exists(&first).unwrap());
    assert_eq!(read(vault, &first, "evidence/0001.ers"), "evidence/0001.ers one");
    let mut open = vault.open(&first, "PIndex.xml").unwrap();
    open.seek(SeekFrom::Start(11)).unwrap();
    let mut rest = String::new();
    open.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "one");

    let back = read_back(vault, &first, &files).unwrap();
    assert_eq!(back.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), FILES);
    assert_eq!(back[0].1, Digests::of(b"PIndex.xml one"));

    stage(staging.path(), "two");
    assert_eq!(vault.put(staging.path(), &first, &files).unwrap_err().code, Code::VaultExists);
    assert_eq!(vault.add(staging.path(), &first, &files).unwrap_err().code, Code::VaultExists);
    assert_eq!(read(vault, &first, "PIndex.xml"), "PIndex.xml one", "what is there stays");
    stage(staging.path(), "one");
    let with_renewal = names(&["evidence/0001.ers", "evidence/0002.ers"]);
    assert_eq!(vault.put(staging.path(), &first, &with_renewal).unwrap_err().code, Code::VaultExists);
    vault.add(staging.path(), &first, &with_renewal).unwrap();
    vault.put(staging.path(), &first, &files).unwrap();

    for number in [12, 2] {
        vault.put(staging.path(), &package(&format!("invoice/{number}")), &files).unwrap();
    }
    vault.put(staging.path(), &package("a/1"), &files).unwrap();
    let series = vault.list_series().unwrap();
    assert_eq!((series.items, series.foreign), (vec!["a".parse().unwrap(), "invoice".parse().unwrap()], vec![]));
    let packages = vault.list_packages(&"invoice".parse().unwrap()).unwrap();
    assert_eq!(packages.items, [package("invoice/1"), package("invoice/2"), package("invoice/12")]);
    assert_eq!(packages.foreign, [""; 0]);
    assert_eq!(vault.list_packages(&"none".parse().unwrap()).unwrap().items, []);
    let listed = vault.list_files(&first).unwrap();
    let expected = ["PIndex.xml", "content.tar.zst", "evidence/0001.ers", "evidence/0002.ers"];
    assert_eq!(listed.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), expected);
    assert!(listed.iter().all(|file| file.mode == 0o444 && file.regular));
    assert_eq!(listed[0].bytes, 14);

    vault.delete(&first, &names(&["content.tar.zst", "content.tar.zst", "toc"])).unwrap();
    assert_eq!(vault.open(&first, "content.tar.zst").err().unwrap().code, Code::FileMissing);
    assert_eq!(
        vault.put(staging.path(), &first, &files).unwrap_err().code,
        Code::VaultExists,
        "never made whole by put"
    );
    vault.delete(&package("a/1"), &files).unwrap();
    assert!(!vault.exists(&package("a/1")).unwrap());

    for bad in ["", "/etc/passwd", "../x", "a/../x", "a/b/c", ".hidden", "-rf", "a b", "é", "a\0", "a/", "a//b"] {
        assert!(vault.put(staging.path(), &package("bad/1"), &names(&[bad])).is_err(), "{bad:?}");
        assert!(vault.open(&first, bad).is_err(), "{bad:?}");
        assert!(vault.delete(&first, &names(&[bad])).is_err(), "{bad:?}");
    }
    assert!(!vault.exists(&package("bad/1")).unwrap());
    assert!(vault.put(staging.path(), &package("bad/1"), &names(&["not-staged"])).is_err());
    assert!(!vault.exists(&package("bad/1")).unwrap(), "half a package is never visible");
}

/// What one vault takes from another.
fn copying(from: &dyn Vault, to: &dyn Vault) {
    let staging = tempfile::tempdir().unwrap();
    stage(staging.path(), "one");
    let (name, all) = (package("invoice/1"), names(&[&FILES[..], &["evidence/0002.ers"]].concat()));
    from.put(staging.path(), &name, &all).unwrap();
    let facts = read_back(from, &name, &all).unwrap();
    // A file that is not as asked for: nothing is visible.
    let wrong: Vec<_> = facts.iter().map(|(file, _)| (file.clone(), Digests::of(b"other"))).collect();
    assert_eq!(to.receive(&from, &name, &wrong).unwrap_err().code, Code::PackageFileAltered);
    assert!(!to.exists(&name).unwrap());
    // First some, then the rest, then all again.
    to.receive(&from, &name, &facts[..3]).unwrap();
    assert_eq!(to.list_files(&name).unwrap().len(), 3);
    to.receive(&from, &name, &facts).unwrap();
    to.receive(&from, &name, &facts).unwrap();
    assert_eq!(read_back(to, &name, &all).unwrap(), facts);
    assert!(to.list_files(&name).unwrap().iter().all(|file| file.mode == 0o444));
    assert_eq!(holds(to, &name, "PIndex.xml", &facts[0].1).unwrap(), Some(true));
    assert_eq!(holds(to, &name, "PIndex.xml", &facts[1].1).unwrap(), Some(false));
    assert_eq!(holds(to, &name, "toc", &facts[0].1).unwrap(), None);
    // What is there with other bytes stays until somebody restores it, and then only by the right ones.
    to.delete(&name, &names(&["PIndex.xml"])).unwrap();
    fs::write(staging.path().join("PIndex.xml"), "bad").unwrap();
    to.add(staging.path(), &name, &names(&["PIndex.xml"])).unwrap();
    assert_eq!(to.receive(&from, &name, &facts).unwrap_err().code, Code::VaultExists);
    let none = Digests::of(b"none");
    assert_eq!(to.restore(&from, &name, "PIndex.xml", &none).unwrap_err().code, Code::PackageFileAltered);
    assert_eq!(read(to, &name, "PIndex.xml"), "bad");
    to.restore(&from, &name, "PIndex.xml", &facts[0].1).unwrap();
    assert_eq!(read_back(to, &name, &all).unwrap(), facts);
}

#[test]
fn vaults_copy_from_each_other_what_is_right_and_nothing_else() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let local = |dir: &tempfile::TempDir, name| LocalVault::create(dir.path(), name, ORIGIN).unwrap();
    copying(&local(&a, "a"), &local(&b, "b"));
    copying(&MemoryVault::default(), &MemoryVault::default());
    // A link where a file belongs is replaced, never written through.
    let (to, name) = (local(&b, "b"), package("invoice/1"));
    let path = b.path().join("invoice/00000001/PIndex.xml");
    fs::remove_file(&path).unwrap();
    fs::write(a.path().join("outside"), "untouched").unwrap();
    symlink(a.path().join("outside"), &path).unwrap();
    let facts = read_back(&local(&a, "a"), &name, &names(&["PIndex.xml"])).unwrap();
    let from = local(&a, "a");
    let from: &dyn Vault = &from;
    assert_eq!(to.receive(&from, &name, &facts).unwrap_err().code, Code::VaultExists);
    to.restore(&from, &name, "PIndex.xml", &facts[0].1).unwrap();
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(fs::read_to_string(a.path().join("outside")).unwrap(), "untouched");
}

#[test]
fn local_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    contract(&LocalVault::create(&dir.path().join("a/packages"), "local", ORIGIN).unwrap());
}

#[test]
fn memory_keeps_the_contract() {
    contract(&MemoryVault::default());
}

#[test]
fn the_faulty_twin_fails_as_ordered() {
    let (vault, staging) = (MemoryVault::default(), tempfile::tempdir().unwrap());
    stage(staging.path(), "one");
    let (name, files) = (package("invoice/1"), names(&FILES));
    vault.fail(Fault::BeforePublish);
    assert!(vault.put(staging.path(), &name, &files).is_err() && !vault.exists(&name).unwrap());
    vault.fail(Fault::AfterPublish);
    assert!(vault.put(staging.path(), &name, &files).is_err() && vault.exists(&name).unwrap());
    vault.put(staging.path(), &name, &files).unwrap();
    vault.fail(Fault::Rot);
    assert_ne!(read_back(&vault, &name, &files).unwrap()[0].1, Digests::of(b"PIndex.xml one"));
    vault.fail(Fault::Missing);
    assert_eq!(vault.exists(&name).unwrap_err().code, Code::VaultMissing);
    vault.heal();
    assert_eq!(read_back(&vault, &name, &files).unwrap()[0].1, Digests::of(b"PIndex.xml one"));
}

#[test]
fn a_vault_that_is_not_mounted_is_not_a_vault_that_lost_its_files() {
    let (dir, staging) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    stage(staging.path(), "one");
    let unknown = LocalVault::bound(dir.path(), "local", &"f".repeat(32), ORIGIN);
    assert_eq!(unknown.mounted().unwrap_err().code, Code::VaultMissing);
    let vault = LocalVault::create(dir.path(), "local", ORIGIN).unwrap();
    assert_eq!(LocalVault::create(dir.path(), "local", ORIGIN).unwrap().id(), vault.id(), "an id is for ever");
    LocalVault::bound(dir.path(), "local", vault.id(), ORIGIN).mounted().unwrap();
    assert_eq!(unknown.mounted().unwrap_err().code, Code::VaultOther);
    let theirs = LocalVault::bound(dir.path(), "local", vault.id(), "altro.example").mounted().unwrap_err();
    assert_eq!(theirs.code, Code::VaultOther);
    assert!(theirs.detail.contains("archivio.example"), "{theirs}");
    let name = package("invoice/1");
    vault.put(staging.path(), &name, &names(&FILES)).unwrap();
    assert_eq!(vault.open(&name, "toc").err().unwrap().code, Code::FileMissing);
    // Unmounted: the mount point is there and empty.
    fs::rename(dir.path().join("invoice"), staging.path().join("away")).unwrap();
    fs::rename(dir.path().join(ID_FILE), staging.path().join(ID_FILE)).unwrap();
    assert_eq!(vault.open(&name, "PIndex.xml").err().unwrap().code, Code::VaultMissing);
    assert_eq!(vault.put(staging.path(), &name, &names(&FILES)).unwrap_err().code, Code::VaultMissing);
    assert_eq!(vault.delete(&name, &names(&FILES)).unwrap_err().code, Code::VaultMissing);
    assert_eq!(vault.list_files(&name).unwrap_err().code, Code::VaultMissing);
    assert_eq!(vault.list_series().unwrap_err().code, Code::VaultMissing);
    assert_eq!(vault.exists(&name).unwrap_err().code, Code::VaultMissing);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is written into an empty mount point");
    for wrong in [&b"short"[..], &[0xff; 40], &[b'g'; 32], &[b'a'; 5000]] {
        fs::write(dir.path().join(ID_FILE), wrong).unwrap();
        assert_eq!(vault.mounted().unwrap_err().code, Code::VaultMissing);
    }
}

#[test]
fn what_does_not_belong_is_listed_and_never_followed() {
    let (dir, staging) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    stage(staging.path(), "one");
    let vault = LocalVault::create(dir.path(), "local", ORIGIN).unwrap();
    let name = package("invoice/1");
    vault.put(staging.path(), &name, &names(&FILES)).unwrap();
    fs::write(dir.path().join("notes.txt"), "x").unwrap();
    fs::create_dir_all(dir.path().join("invoice/1")).unwrap();
    fs::create_dir_all(dir.path().join("invoice/.00000009.making")).unwrap();
    let folder = dir.path().join("invoice/00000001");
    fs::write(folder.join("virus .exe"), "x").unwrap();
    symlink("/etc/passwd", folder.join("toc")).unwrap();
    fs::create_dir_all(folder.join("evidence/deep")).unwrap();
    fs::remove_file(folder.join("content.tar.zst")).unwrap();
    symlink("/etc/hostname", folder.join("content.tar.zst")).unwrap();
    fs::set_permissions(folder.join("PIndex.xml"), fs::Permissions::from_mode(0o644)).unwrap();
    // Links to folders, at every height: named, not entered, and nothing is read through them.
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir_all(elsewhere.path().join("00000001/evidence")).unwrap();
    fs::write(elsewhere.path().join("00000001/toc"), "theirs").unwrap();
    symlink(elsewhere.path(), dir.path().join("generic")).unwrap();
    symlink(elsewhere.path().join("00000001"), dir.path().join("invoice/00000002")).unwrap();
    symlink(elsewhere.path(), folder.join("linked")).unwrap();
    let series = vault.list_series().unwrap();
    assert_eq!((series.items, series.foreign), (vec![name.series.clone()], names(&["generic", "notes.txt"])));
    for through in ["generic/1", "invoice/2"].map(package) {
        assert!(!vault.exists(&through).unwrap());
        assert_eq!(vault.list_files(&through).unwrap().len(), 0);
        assert_eq!(vault.open(&through, "toc").err().unwrap().code, Code::FileMissing);
    }
    assert_eq!(vault.list_packages(&"generic".parse().unwrap()).unwrap().items, []);
    let listing = vault.list_packages(&name.series).unwrap();
    let foreign = names(&[".00000009.making", "00000002", "1"]);
    assert_eq!((listing.items, listing.foreign), (vec![name.clone()], foreign));
    let listed: Vec<_> = vault.list_files(&name).unwrap().into_iter().map(|f| (f.name, f.regular)).collect();
    let expected = [
        ("PIndex.xml", true),
        ("content.tar.zst", false),
        ("evidence/0001.ers", true),
        ("evidence/deep", false),
        ("linked", false),
        ("toc", false),
        ("virus .exe", false),
    ];
    assert_eq!(listed, expected.map(|(name, regular)| (name.to_owned(), regular)));
    assert_eq!(vault.list_files(&name).unwrap()[0].mode, 0o644);
    assert_eq!(vault.open(&name, "toc").err().unwrap().code, Code::FileMissing);
    assert_eq!(vault.open(&name, "evidence").err().unwrap().code, Code::FileMissing);
    assert_eq!(vault.put(staging.path(), &name, &names(&FILES)).unwrap_err().code, Code::VaultExists);
}

#[test]
fn an_interrupted_put_is_taken_up_again() {
    let (dir, staging) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    stage(staging.path(), "one");
    let vault = LocalVault::create(dir.path(), "local", ORIGIN).unwrap();
    let making = dir.path().join("invoice/.00000001.making");
    fs::create_dir_all(&making).unwrap();
    fs::write(making.join("PIndex.xml"), "half").unwrap();
    fs::write(making.join("stray"), "x").unwrap();
    let name = package("invoice/1");
    vault.put(staging.path(), &name, &names(&FILES)).unwrap();
    assert_eq!(vault.list_files(&name).unwrap().len(), 3);
    assert_eq!(read(&vault, &name, "PIndex.xml"), "PIndex.xml one");
    assert_eq!(vault.list_packages(&name.series).unwrap().foreign, [""; 0]);
    let one = VaultFiles::new(std::sync::Arc::new(vault), name);
    assert_eq!((one.list().unwrap().len(), one.open("toc").is_err(), one.open("PIndex.xml").is_ok()), (3, true, true));
    let mode = fs::metadata(dir.path().join("invoice/00000001/evidence/0001.ers")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);
}
