//! What the zip says of itself, bit by bit: both verifiers must say the same of every flip.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::exhibit::tests::sealed::{rezip, sealed, unzip};

type Right = Vec<(String, Digests)>;

/// Every file with its digests, as they are read.
fn read(path: &Path) -> Option<Right> {
    let mut findings = Vec::new();
    let mut files = Files::open(path, &mut findings).ok()?;
    let names: Vec<String> = files.names().map(str::to_owned).collect();
    let read = names.into_iter().map(|name| Ok((name.clone(), files.digests(&name, 1 << 30)?)));
    let read: Result<Right> = read.collect();
    read.ok().filter(|_| findings.is_empty())
}

/// The bytes of a zip but the compressed data and what is like others, and what it is: which structure, and where in it.
fn structure(bytes: &[u8]) -> Vec<(usize, String)> {
    let long = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let short = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let end = bytes.windows(4).rposition(|window| window == b"PK\x05\x06").unwrap();
    let (count, directory) = (short(end + 10), long(end + 16));
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut is =
        |what: &str, from: usize, to: usize, fixed: usize| {
            all.extend((from..to).map(|at| {
                (at, if at < from + fixed { format!("{what} {}", at - from) } else { format!("{what} text") })
            }));
        };
    let mut at = directory;
    let mut headers = Vec::new();
    for n in 0..count {
        let header = long(at + 42);
        let data = header + 30 + short(header + 26) + short(header + 28);
        // One file in the midst is as the next.
        let told = n < 2 || n + 2 > count;
        if told {
            is("header", header, data, 30);
        }
        headers.push((header, data + long(at + 20)));
        let next = at + 46 + short(at + 28) + short(at + 30) + short(at + 32);
        if told {
            is("directory", at, next, 46);
        }
        at = next;
    }
    headers.sort_unstable();
    let starts = headers.iter().map(|(start, _)| *start).skip(1).chain([directory]);
    headers.iter().zip(starts).take(2).for_each(|((_, data), next)| is("descriptor", *data, next, 24));
    is("end", at, bytes.len(), 98);
    all
}

/// What the other verifier says of each flip of the zip at `path`; `None` where there is no Python.
fn second_opinions(path: &Path, flips: &[(usize, u8)]) -> Option<std::thread::JoinHandle<Vec<String>>> {
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing");
        eprintln!("NOT RUN: python3 is missing");
        return None;
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new("python3")
        .arg(manifest.join("src/exhibit/verify/files/flips.py"))
        .args([&manifest.join("tools/verify/verify.py"), path, &path.with_extension("second")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let asked: String = flips.iter().map(|(at, mask)| format!("{at} {mask}\n")).collect();
    let mut stdin = python.stdin.take().unwrap();
    Some(std::thread::spawn(move || {
        let asking = std::thread::spawn(move || stdin.write_all(asked.as_bytes()).unwrap());
        let output = python.wait_with_output().unwrap();
        asking.join().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }))
}

#[test]
fn of_every_flipped_bit_of_headers_directory_and_end_both_verifiers_say_the_same() {
    let sealed = sealed();
    let (path, plain, changed) = (sealed.path("bundle.zip"), sealed.path("plain.zip"), sealed.path("changed.zip"));
    sealed.write(&[0], false, &path).unwrap();
    // As others pack the same files again: stored, their lengths in front of them.
    rezip(&unzip(&path), &plain);
    for path in [path, plain] {
        let (whole, right) = (std::fs::read(&path).unwrap(), read(&path).unwrap());
        let structure: std::collections::BTreeMap<usize, String> = structure(&whole).into_iter().collect();
        let flips: Vec<(usize, u8)> = structure.keys().flat_map(|at| (0..8).map(move |n| (*at, 1 << n))).collect();
        assert!(flips.len() > 3_000, "{}", flips.len());
        let Some(second) = second_opinions(&path, &flips) else { return };
        let mut first = Vec::new();
        for (at, mask) in &flips {
            let mut flipped = whole.clone();
            flipped[*at] ^= mask;
            std::fs::write(&changed, flipped).unwrap();
            first.push(if read(&changed).as_ref() == Some(&right) { "good" } else { "bad" });
        }
        let second = second.join().unwrap();
        assert_eq!(first.len(), second.len());
        let mut differ = std::collections::BTreeMap::<String, usize>::new();
        for ((at, mask), (first, second)) in flips.iter().zip(first.iter().zip(&second)) {
            if first != second {
                *differ.entry(format!("{} bit {mask:#x}: {first} {second}", structure[at])).or_default() += 1;
            }
        }
        assert!(differ.is_empty(), "{}: {differ:#?}", path.display());
        // Version, time and attributes of an entry mean nothing here; all else does.
        let good = first.iter().filter(|said| **said == "good").count();
        assert!(good < flips.len() / 2, "{good} of {} flips are good", flips.len());
    }
}

/// More entries than the small record can count: written as bundles are, read by both.
#[test]
fn a_zip_of_many_entries_ends_as_it_should() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("many.zip");
    let mut zip = zip::ZipWriter::new_stream(File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    (0..65_600).for_each(|n| zip.start_file(n.to_string(), options).unwrap());
    zip.finish().unwrap();
    let mut findings = Vec::new();
    let files = Files::open(&path, &mut findings).unwrap();
    assert_eq!((findings, files.names().count()), (vec![], 65_600));
    let length = std::fs::metadata(&path).unwrap().len() as usize;
    // The same file, and one bit of the locator, of the record and of the end.
    let flips =
        [(0, 0), (length - 22 - 20 + 8, 1), (length - 98 + 24, 1), (length - 98 + 32, 1), (length - 22 + 16, 1)];
    let whole = std::fs::read(&path).unwrap();
    let (changed, mut first) = (dir.path().join("changed.zip"), Vec::new());
    for (at, mask) in flips {
        let mut flipped = whole.clone();
        flipped[at] ^= mask;
        std::fs::write(&changed, flipped).unwrap();
        let mut findings = Vec::new();
        let bad = Files::open(&changed, &mut findings).is_err() || !findings.is_empty();
        first.push(if bad { "bad" } else { "good" });
    }
    assert_eq!(first, ["good", "bad", "bad", "bad", "bad"]);
    let Some(second) = second_opinions(&path, &flips) else { return };
    assert_eq!(second.join().unwrap(), first);
}
