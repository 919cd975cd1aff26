//! What stands on disk, judged by tools that have never heard of Custode: tar, zstd, xmllint, openssl, python.
//!
//! A tool that is missing is said loudly (see `judges`): an unread package proves nothing.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::audit;
use super::sandbox::{Acknowledged, Sandbox, Wish, text};

fn judge(command: &mut Command) -> String {
    let name = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{name} is needed: {e}"));
    assert!(output.status.success(), "{name}: {}", text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn archive() -> (Sandbox, Vec<Acknowledged>) {
    let sandbox = Sandbox::new();
    let server = sandbox.serve();
    let sizes = [0_usize, 1, 511, 512, 513, 40_000, 5_000_000, 9_000_000];
    let mut all: Vec<Acknowledged> =
        sizes[1..].iter().zip(0..).map(|(length, number)| server.caller.accepted(Wish::new(number, *length))).collect();
    assert_eq!(server.caller.post("/v1/seal", &json!({})).unwrap().status, 200);
    all.push(server.caller.accepted(Wish::new(50, 100)));
    assert_eq!(server.caller.post("/v1/seal", &json!({})).unwrap().status, 200);
    server.kill();
    (sandbox, all)
}

fn unpack(package: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let line = "zstd -dc \"$1/content.tar.zst\" | tar x -C \"$2\"";
    let script = format!("set -o pipefail; {line}");
    judge(Command::new("bash").args(["-c", &script, "bash"]).arg(package).arg(to));
}

#[test]
fn tar_zstd_xmllint_and_openssl_read_a_package() {
    if !crate::judges::present(&["bash", "openssl", "python3", "tar", "xmllint", "zstd"]) {
        return;
    }
    let (sandbox, all) = archive();
    let root = sandbox.root();
    let sealed = audit::sealed(&sandbox, &all);
    assert_eq!(sealed.packages, 3);
    for entry in audit::entries(&root) {
        if entry["kind"] != "package" {
            continue;
        }
        let (series, number) =
            (entry["package"]["series"].as_str().unwrap(), entry["package"]["number"].as_u64().unwrap());
        let package = root.join("packages").join(series).join(format!("{number:08}"));
        let unpacked = sandbox.path(&format!("unpacked-{number}"));
        unpack(&package, &unpacked);
        index_holds(&package, &unpacked, entry["package"]["documents"].as_u64().unwrap());

        let digest = entry["package"]["run_root"].as_str().unwrap();
        let told = judge(
            Command::new("openssl")
                .args(["ts", "-verify", "-digest", digest, "-in"])
                .arg(package.join("evidence/0001.tsr"))
                .arg("-CAfile")
                .arg(sandbox.keys().join("development-tsa-root.pem")),
        );
        assert!(told.contains("OK"), "{told}");
    }
    for one in &all {
        let (place, _) = &sealed.documents[&one.document];
        let number = place.rsplit('/').next().unwrap();
        let folder = sandbox.path(&format!("unpacked-{number}/documents"));
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        // The extension follows from the content, which is noise here.
        let path = names.into_iter().find(|path| path.to_string_lossy().contains(&one.document)).unwrap();
        assert!(std::fs::read(&path).unwrap() == one.wish.body, "{}", path.display());
    }
}

/// Every file the index names is there with that hash, and nothing else is.
fn index_holds(package: &Path, unpacked: &Path, documents: u64) {
    let index = package.join("PIndex.xml");
    judge(Command::new("xmllint").args(["--noout", "--nonet"]).arg(&index));
    if let Some(schema) = std::env::var_os("CUSTODE_PINDEX_XSD") {
        judge(Command::new("xmllint").args(["--noout", "--nonet", "--schema"]).arg(schema).arg(&index));
    }
    let script = r#"
import hashlib, os, sys
import xml.etree.ElementTree as ET
index, folder = sys.argv[1:3]
named = {}
for element in ET.parse(index).iter():
    tag = element.tag.split('}')[1]
    if tag in ('File', 'ExternalMetadata'):
        path = next(e.text for e in element.iter() if e.tag.endswith('}Path'))
        digest = next(e.text for e in element.iter() if e.tag.endswith('}Hash'))
        named[path] = digest
there = {os.path.relpath(os.path.join(d, f), folder) for d, _, files in os.walk(folder) for f in files}
assert set(named) == there, sorted(set(named) ^ there)
for path, digest in named.items():
    assert hashlib.sha256(open(os.path.join(folder, path), 'rb').read()).hexdigest() == digest, path
print(sum(path.startswith('documents/') for path in named))
"#;
    let told = judge(Command::new("python3").args(["-c", script]).arg(&index).arg(unpacked));
    assert_eq!(told.trim(), documents.to_string());
}

#[test]
fn python_and_openssl_reproduce_the_checkpoint() {
    if !crate::judges::present(&["openssl", "python3"]) {
        return;
    }
    let (sandbox, _) = archive();
    let script = r#"
import base64, hashlib, subprocess, sys
chain, scratch = sys.argv[1:3]
name, _, key = open(chain + '/archive.vkey').read().strip().split('+', 2)
key = base64.b64decode(key)
assert key[0] == 1 and len(key) == 33
text, _, signatures = open(chain + '/checkpoint').read().partition('\n\n')
text += '\n'
origin, size, root = text.split('\n')[:3]
assert origin == name
signature = base64.b64decode(next(l for l in signatures.split('\n') if l.startswith('\u2014 ' + name + ' ')).split(' ')[2])
open(scratch + '/key.der', 'wb').write(bytes.fromhex('302a300506032b6570032100') + key[1:])
open(scratch + '/text', 'w').write(text)
open(scratch + '/signature', 'wb').write(signature[4:])
subprocess.run(['openssl', 'pkeyutl', '-verify', '-rawin', '-pubin', '-keyform', 'DER', '-inkey', scratch + '/key.der',
                '-in', scratch + '/text', '-sigfile', scratch + '/signature'], check=True, stdout=subprocess.DEVNULL)
def tree(leaves):
    if len(leaves) == 1:
        return hashlib.sha256(b'\0' + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b'\1' + tree(leaves[:half]) + tree(leaves[half:])).digest()
lines = open(chain + '/entries', 'rb').read().split(b'\n')[:-1]
assert len(lines) == int(size)
assert base64.b64encode(tree(lines)).decode() == root
print('good')
"#;
    let told =
        judge(Command::new("python3").args(["-c", script]).arg(sandbox.root().join("chain")).arg(sandbox.path("")));
    assert_eq!(told.trim(), "good");
}
