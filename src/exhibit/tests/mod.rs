//! Bundles made by hand: round trip, every file altered or removed, hostile zips, and the outside judges.

mod keys;
pub(in crate::exhibit) mod sealed;
mod second;

use super::verify::{Outcome, Trust};
use crate::chain::note::Signer;
use crate::error::Code;
use crate::evidence::ers::stamp::ArchiveTimeStamp;
use crate::evidence::tsp::{Authority as _, DevelopmentAuthority, request, token_of_reply};
use crate::hash::Sha256;
use sealed::*;
pub(crate) use second::verify;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use zip::write::SimpleFileOptions;

#[test]
fn a_bundle_of_two_documents_verifies_and_shows_no_neighbour() {
    let sealed = sealed();
    let path = sealed.path("bundle.zip");
    let made = sealed.write(&[1, 0, 1], false, &path).unwrap();
    assert_eq!((made.documents, made.packages), (2, 0));
    let whole = std::fs::read(&path).unwrap();
    assert_eq!((made.bytes, made.sha256), (whole.len() as u64, Sha256::of(&whole)));

    let report = verify(&path, &sealed.trust()).unwrap();
    assert_eq!(report.findings, vec![]);
    assert_eq!(report.outcome, Outcome::Good);
    let stamped = crate::clock::truncate_ms({
        use crate::clock::Clock as _;
        sealed.clock.now()
    });
    assert_eq!(report.documents.len(), 2);
    assert!(report.documents.iter().all(|d| d.exists_since == Some(stamped) && d.outcome == Outcome::Good));

    let files = unzip(&path);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let id = sealed.plan.documents[1].id;
    assert!(names.contains(&format!("documents/{id}/Fattura _1_ perché_.xml.p7m").as_str()), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("packages/")));

    // Alone, a document shows nothing of the one deposited with it.
    sealed.write(&[1], false, &path).unwrap();
    for (name, bytes) in unzip(&path) {
        assert!(!bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes()), "{name}");
    }
    for page in ["LEGGIMI.html", "README.html"] {
        let (_, html) = unzip(&path).into_iter().find(|(name, _)| name == page).unwrap();
        let html = String::from_utf8(html).unwrap();
        assert!(html.contains("PROVA: senza valore legale") && html.contains("oggetto &lt;b&gt;&amp;&lt;/b&gt;"));
        assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"));
    }
}

#[test]
fn without_own_anchors_the_best_answer_is_unchecked_and_each_missing_one_is_named() {
    let sealed = sealed();
    let path = sealed.path("bundle.zip");
    sealed.write(&[0], false, &path).unwrap();
    let places = |trust: &Trust| {
        let report = verify(&path, trust).unwrap();
        assert_eq!(report.outcome, Outcome::Unchecked);
        assert!(report.findings.iter().all(|f| f.code == Code::AnchorMissing));
        assert!(report.documents[0].exists_since.is_some());
        report.findings.iter().map(|f| f.place.clone()).collect::<Vec<_>>()
    };
    assert_eq!(places(&Trust::default()), ["archive key", "time-stamping authority"]);
    assert_eq!(places(&Trust { key: None, ..sealed.trust() }), ["archive key"]);
    assert_eq!(places(&Trust { anchors: None, ..sealed.trust() }), ["time-stamping authority"]);

    // Anchors of somebody else lead nowhere: named, not believed.
    let other = DevelopmentAuthority::create(clock()).unwrap().anchors().unwrap();
    assert_eq!(places(&Trust { anchors: Some(other), ..sealed.trust() }), ["time-stamping authority"]);
    // A key that is not the archive's makes it bad.
    let other = Signer::for_name("archivio.example", &[8; 32]).unwrap().verifier();
    let report = verify(&path, &Trust { key: Some(other), ..sealed.trust() }).unwrap();
    assert_eq!(report.outcome, Outcome::Bad);
    assert!(named(&report, "report.note") && named(&report, "checkpoint"));
}

#[test]
fn a_whole_package_verifies_and_its_paths_resolve() {
    let sealed = sealed();
    let path = sealed.path("whole.zip");
    let made = sealed.write(&[2], true, &path).unwrap();
    assert_eq!((made.documents, made.packages), (5, 1));
    let report = verify(&path, &sealed.trust()).unwrap();
    assert_eq!(report.findings, vec![]);
    assert_eq!(report.documents.len(), 5);
    let files = unzip(&path);
    let (_, content) = files.iter().find(|(name, _)| name == "packages/generic/7/content.tar.zst").unwrap();
    assert_eq!(*content, std::fs::read(sealed.folder.join("content.tar.zst")).unwrap());
}

#[test]
fn one_flipped_byte_in_any_file_is_bad_and_names_the_file_and_a_missing_file_is_never_good() {
    let sealed = sealed();
    for whole in [false, true] {
        let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
        sealed.write(&[1], whole, &path).unwrap();
        let files = unzip(&path);
        rezip(&files, &changed);
        assert_eq!(verify(&changed, &sealed.trust()).unwrap().outcome, Outcome::Good);
        for n in 0..files.len() {
            let name = &files[n].0;
            let middle = files[n].1.len() / 2;
            for at in [0, middle, files[n].1.len() - 1] {
                let mut other = files.clone();
                other[n].1[at] ^= 1;
                rezip(&other, &changed);
                // The other verifier takes its time: it looks at one of the three.
                let look = if at == middle { verify } else { super::verify::verify };
                match look(&changed, &sealed.trust()) {
                    Ok(report) => {
                        assert_eq!(report.outcome, Outcome::Bad, "{name} byte {at}");
                        let found = if name == "report.json" { "report.note" } else { name };
                        assert!(named(&report, found), "{name} byte {at}: {:?}", report.findings);
                    }
                    // A report that cannot be read leaves nothing to report on.
                    Err(error) => assert!(name == "report.json" && error.code == Code::BundleInvalid, "{name} {error}"),
                }
            }
            let mut fewer = files.clone();
            fewer.remove(n);
            rezip(&fewer, &changed);
            match verify(&changed, &sealed.trust()) {
                Ok(report) => {
                    assert_eq!(report.outcome, Outcome::Bad, "without {name}");
                    assert!(named(&report, name), "without {name}: {:?}", report.findings);
                }
                Err(error) => assert!(name == "report.json" && error.code == Code::BundleFileMissing, "{name} {error}"),
            }
        }
        let mut more = files.clone();
        more.push(("documents/altro.txt".into(), b"x".to_vec()));
        rezip(&more, &changed);
        let report = verify(&changed, &sealed.trust()).unwrap();
        assert!(report.outcome == Outcome::Bad && named(&report, "documents/altro.txt"));
    }
}

/// An archive that lies: it alters a file and signs the list anew. Evidence and receipts still tell.
#[test]
fn a_list_signed_anew_over_altered_files_does_not_help() {
    let sealed = sealed();
    let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
    for whole in [false, true] {
        sealed.write(&[1], whole, &path).unwrap();
        let files = unzip(&path);
        let people = |name: &str| super::FOR_PEOPLE.contains(&name) || name.starts_with("report");
        for n in (0..files.len()).filter(|n| !people(&files[*n].0) && files[*n].0 != super::TSA_ANCHORS) {
            let mut other = files.clone();
            // In a record a hash of the tree: a token holds bits that prove nothing, such as a copy of its own root.
            let at = if files[n].0.starts_with("evidence/") { 60 } else { files[n].1.len() / 2 };
            other[n].1[at] ^= 1;
            sign_again(&mut other, &sealed.signer);
            rezip(&other, &changed);
            let report = verify(&changed, &sealed.trust()).unwrap();
            assert_eq!(report.outcome, Outcome::Bad, "{}", files[n].0);
        }
        let mut more = files.clone();
        more.insert(0, ("documents/altro.txt".into(), b"x".to_vec()));
        sign_again(&mut more, &sealed.signer);
        rezip(&more, &changed);
        assert!(named(&verify(&changed, &sealed.trust()).unwrap(), "documents/altro.txt"));
    }
}

/// An archive that lies with an authority of its own: an older token that nobody believes, renewed by one that proves. The record is
/// in order and proves from the second on; the pages must not say more.
#[test]
fn a_report_claims_no_earlier_time_than_what_is_proved() {
    use crate::evidence::ers::{Judge as _, Record};
    let sealed = sealed();
    let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
    sealed.write(&[1], false, &path).unwrap();
    let mut files = unzip(&path);
    let at = files.iter().position(|(name, _)| name.starts_with("evidence/")).unwrap();
    let mut record = Record::parse(&files[at].1).unwrap();
    let token = |authority: &DevelopmentAuthority, over: crate::evidence::digest::Digest| {
        token_of_reply(&authority.stamp(&request(over, None)).unwrap()).unwrap()
    };
    let honest = record.chains[0][0].clone();
    let root = sealed.anchors.stamped(&honest.token).unwrap();
    let past = std::sync::Arc::new(crate::clock::ManualClock::at("2020-01-01T00:00:00Z".parse().unwrap()));
    let unknown = DevelopmentAuthority::create(past).unwrap();
    let forged = token(&unknown, root);
    // What the archive's own authority would give for it today.
    let renewal = token(&sealed.authority, root.algorithm().of(&forged));
    record.chains[0] = vec![ArchiveTimeStamp::new(honest.path.clone(), forged).unwrap()];
    record.renew(None, renewal).unwrap();
    files[at].1 = record.to_der();
    for (claimed, outcome) in [("2020-01-01T00:00:00Z", Outcome::Bad), ("2026-11-22T10:00:00Z", Outcome::Good)] {
        let report = files.iter_mut().find(|(name, _)| name == "report.json").unwrap();
        let mut told: serde_json::Value = serde_json::from_slice(&report.1).unwrap();
        told["documents"][0]["exists_since"] = claimed.into();
        report.1 = serde_json::to_vec(&told).unwrap();
        sign_again(&mut files, &sealed.signer);
        rezip(&files, &changed);
        let verified = verify(&changed, &sealed.trust()).unwrap();
        assert_eq!(
            (verified.outcome, named(&verified, "report.json")),
            (outcome, outcome == Outcome::Bad),
            "{verified:?}"
        );
        assert_eq!(verified.documents[0].exists_since, Some("2026-11-22T10:00:00Z".parse().unwrap()));
    }
}

/// Evidence that the archive itself bends, and lists anew: a token over a digest that nobody knows here cannot be judged; one in BER of
/// indefinite length, or in a record with bytes behind it, is no evidence at all. Both verifiers say the same.
#[test]
fn tokens_of_unknown_digests_are_not_judged_and_tokens_that_are_not_der_are_bad() {
    use crate::evidence::asn1;
    use crate::evidence::digest::Algorithm;
    use crate::evidence::ers::Record;
    let sealed = sealed();
    let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
    sealed.write(&[1], false, &path).unwrap();
    let files = unzip(&path);
    let at = files.iter().position(|(name, _)| name.starts_with("evidence/")).unwrap();
    let honest = files[at].1.clone();
    let record = Record::parse(&honest).unwrap();
    let (token, stamp) = (record.chains[0][0].token.clone(), record.chains[0][0].der());
    // The record again, around another token.
    let header = |der: &[u8]| if der[1] < 0x80 { 2 } else { 2 + usize::from(der[1] & 0x7f) };
    let path = &stamp[header(stamp)..stamp.len() - token.len()];
    let around = |token: &[u8]| {
        let algorithms = asn1::sequence(&[&Algorithm::Sha256.identifier()]);
        let chains = asn1::sequence(&[&asn1::sequence(&[&asn1::sequence(&[path, token])])]);
        asn1::sequence(&[b"\x02\x01\x01", &algorithms, &chains])
    };
    assert_eq!(around(&token), honest);
    // The name of the imprint's digest stands before it: one arc further it is SHA-224 (RFC 5754), which is not known here.
    let root = crate::evidence::ers::judge::stamped(&token).unwrap();
    let imprint = token.windows(32).position(|window| window == root.bytes()).unwrap();
    let sha256 = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01";
    let name = (0..imprint).rev().find(|at| token[*at..].starts_with(sha256)).unwrap();
    let mut unknown = token.clone();
    unknown[name + sha256.len() - 1] = 4;
    let indefinite = [b"\x30\x80", &token[header(&token)..], b"\0\0"].concat();
    let cases = [
        ("an unknown digest", around(&unknown), Outcome::Unchecked),
        ("BER", around(&indefinite), Outcome::Bad),
        ("a byte behind", [&honest[..], b"\0"].concat(), Outcome::Bad),
        ("as it was", honest.clone(), Outcome::Good),
    ];
    for (what, bytes, outcome) in cases {
        let mut other = files.clone();
        other[at].1 = bytes;
        sign_again(&mut other, &sealed.signer);
        rezip(&other, &changed);
        let report = verify(&changed, &sealed.trust()).unwrap();
        assert_eq!(report.outcome, outcome, "{what}: {:?}", report.findings);
    }
}

/// An archive that shows people one thing and proves another: it alters a page and signs the list anew.
#[test]
fn a_page_that_says_something_else_than_the_report_is_bad() {
    let sealed = sealed();
    let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
    sealed.write(&[1], false, &path).unwrap();
    let files = unzip(&path);
    for name in super::FOR_PEOPLE {
        let mut other = files.clone();
        let at = other.iter().position(|(found, _)| found == name).unwrap();
        let text = String::from_utf8(other[at].1.clone()).unwrap();
        let altered = match name {
            "verify.py" => text.replace("return {\"good\": 0, \"bad\": 1}.get(outcome, 2)", "return 0"),
            name if name.ends_with("html") => text.replacen("2026", "2016", 1),
            _ => text.replacen("sha256sum", "true", 1),
        };
        assert_ne!(text, altered, "{name}");
        other[at].1 = altered.into_bytes();
        sign_again(&mut other, &sealed.signer);
        rezip(&other, &changed);
        let report = super::verify::verify(&changed, &sealed.trust()).unwrap();
        assert!(report.outcome == Outcome::Bad && named(&report, name), "{name}: {:?}", report.findings);
        // The other verifier, which must stay small, says that it does not judge them.
        let trust = sealed.trust();
        let anchors = sealed.path("anchors.pem");
        std::fs::write(&anchors, trust.anchors.unwrap().to_pem()).unwrap();
        let key = trust.key.unwrap().to_string();
        let arguments = ["--trust", anchors.to_str().unwrap(), "--key", &key];
        let (status, second) = crate::second_verifier::second_opinion(&changed, &arguments);
        let not_judged = second.unwrap()["not_judged"].as_array().unwrap().clone();
        assert!(status == 0 && not_judged.contains(&name.into()), "{name}: {not_judged:?}");
    }
    // Of another version: neither judges them, and the first says so.
    let mut other = files;
    let report = other.iter_mut().find(|(name, _)| name == "report.json").unwrap();
    let mut told: serde_json::Value = serde_json::from_slice(&report.1).unwrap();
    told["engine"] = "0.0.9".into();
    report.1 = serde_json::to_vec(&told).unwrap();
    sign_again(&mut other, &sealed.signer);
    rezip(&other, &changed);
    let report = verify(&changed, &sealed.trust()).unwrap();
    assert_eq!((report.outcome, report.findings[0].code), (Outcome::Good, Code::NotLookedAt), "{:?}", report.findings);
}

/// Whether a report was signed is its own word, which the archive marks: a signature that it does not announce is nobody's, and one
/// that it announces must be there.
#[test]
fn a_signature_of_the_report_is_announced_and_there_or_neither() {
    let sealed = sealed();
    let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
    sealed.write(&[1], false, &path).unwrap();
    let files = unzip(&path);
    let mut more = files.clone();
    more.push((super::REPORT_SIGNATURE.into(), b"x".to_vec()));
    rezip(&more, &changed);
    assert!(named(&verify(&changed, &sealed.trust()).unwrap(), super::REPORT_SIGNATURE));
    let mut announced = files;
    let report = announced.iter_mut().find(|(name, _)| name == "report.json").unwrap();
    let mut told: serde_json::Value = serde_json::from_slice(&report.1).unwrap();
    told["signed_by"] = serde_json::json!({ "subject": "CN=X", "certificate_sha256": "0".repeat(64) });
    report.1 = serde_json::to_vec(&told).unwrap();
    sign_again(&mut announced, &sealed.signer);
    rezip(&announced, &changed);
    assert!(named(&verify(&changed, &sealed.trust()).unwrap(), super::REPORT_SIGNATURE));
}

/// Digests and identifiers have one text: upper-case digits are the same number and another report.
#[test]
fn upper_case_digits_are_refused_by_both() {
    let sealed = sealed();
    let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
    sealed.write(&[1], false, &path).unwrap();
    let files = unzip(&path);
    let report = &files.iter().find(|(name, _)| name == "report.json").unwrap().1;
    let told: serde_json::Value = serde_json::from_slice(report).unwrap();
    let digest = |of: &serde_json::Value| of["sha256"].as_str().unwrap().to_owned();
    let whole = String::from_utf8(report.clone()).unwrap();
    let id = told["documents"][0]["id"].as_str().unwrap().to_owned();
    for text in [digest(&told["documents"][0]), digest(&told["files"][3]), id] {
        let upper = text.to_ascii_uppercase();
        if upper == text {
            assert!(text.len() < 64, "a digest without a letter");
            continue;
        }
        let mut other = files.clone();
        let bytes = whole.replacen(&format!("\"{text}\""), &format!("\"{upper}\""), 1).into_bytes();
        assert_ne!(bytes, *report);
        let name = super::origin(sealed.signer.name());
        let note = super::report::Report::parse(report).unwrap().note_text(&bytes);
        let note = sealed.signer.renamed(&name).unwrap().sign_note(&note).unwrap();
        other.iter_mut().find(|(name, _)| name == "report.json").unwrap().1 = bytes;
        other.iter_mut().find(|(name, _)| name == "report.note").unwrap().1 = note.into_bytes();
        rezip(&other, &changed);
        let outcome = verify(&changed, &sealed.trust()).map_or(Outcome::Bad, |report| report.outcome);
        assert_eq!(outcome, Outcome::Bad, "{upper}");
    }
}

fn sign_again(files: &mut Unzipped, signer: &Signer) {
    let at = files.iter().position(|(name, _)| name == "report.json").unwrap();
    let mut report = super::report::Report::parse(&files[at].1).unwrap();
    report.files = files
        .iter()
        .filter(|(name, _)| !name.starts_with("report."))
        .map(|(name, bytes)| super::report::Listed {
            name: name.clone(),
            bytes: bytes.len() as u64,
            sha256: Sha256::of(bytes),
        })
        .collect();
    let bytes = report.to_bytes().unwrap();
    let note = signer.renamed(&super::origin(signer.name())).unwrap().sign_note(&report.note_text(&bytes)).unwrap();
    files[at].1 = bytes;
    let at = files.iter().position(|(name, _)| name == "report.note").unwrap();
    files[at].1 = note.into_bytes();
}

#[test]
fn hostile_zips_are_refused_without_panic() {
    let sealed = sealed();
    let (path, changed) = (sealed.path("bundle.zip"), sealed.path("changed.zip"));
    sealed.write(&[1], false, &path).unwrap();
    let files = unzip(&path);
    for name in ["../fuori.txt", "/assoluto", "a\\b", "a//b", "c:x", "a\u{7}"] {
        let mut more = files.clone();
        more.push((name.into(), b"x".to_vec()));
        rezip(&more, &changed);
        assert_eq!(
            verify(&changed, &sealed.trust()).map(|r| r.outcome).unwrap_or(Outcome::Bad),
            Outcome::Bad,
            "{name:?}"
        );
    }
    // The same name twice: only the directory's count gives it away.
    let bytes = std::fs::read(&path).unwrap();
    let twice = String::from_utf8_lossy(&bytes).matches("VERIFY.txt").count();
    assert!(twice >= 2);
    let doubled: Vec<u8> = replace(&bytes, b"LEGGIMI.html", b"README.html\0");
    std::fs::write(&changed, doubled).unwrap();
    assert!(verify(&changed, &sealed.trust()).map_or(true, |r| r.outcome == Outcome::Bad));

    // A header that has another name than the directory: who unpacks from the front reads another bundle.
    let at = bytes.windows(10).position(|window| window == b"VERIFY.txt").unwrap();
    let mut renamed = bytes.clone();
    renamed[at] = b'v';
    std::fs::write(&changed, renamed).unwrap();
    assert_eq!(verify(&changed, &sealed.trust()).unwrap().outcome, Outcome::Bad);

    // The same of what it says of the data; and bytes that no entry claims, in front, before the directory, behind, in a comment.
    let mut method = bytes.clone();
    method[8] ^= 8;
    let end = bytes.windows(4).rposition(|window| window == b"PK\x05\x06").unwrap();
    let directory = u32::from_le_bytes(bytes[end + 16..end + 20].try_into().unwrap());
    let mut between = bytes.clone();
    between.insert(directory as usize, b'x');
    between[end + 17..end + 21].copy_from_slice(&(directory + 1).to_le_bytes());
    let mut comment = [&bytes[..], b"x"].concat();
    comment[end + 20] = 1;
    for other in [method, [b"x", &bytes[..]].concat(), between, [&bytes[..], b"x"].concat(), comment] {
        std::fs::write(&changed, other).unwrap();
        assert_eq!(verify(&changed, &sealed.trust()).map_or(Outcome::Bad, |report| report.outcome), Outcome::Bad);
    }

    // A bomb: the list says ten bytes, the file inflates to a hundred megabytes.
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&changed).unwrap());
    for (name, bytes) in &files {
        zip.start_file(name.as_str(), SimpleFileOptions::default()).unwrap();
        if name == "VERIFY.txt" { zip.write_all(&vec![0; 100 << 20]).unwrap() } else { zip.write_all(bytes).unwrap() }
    }
    zip.finish().unwrap();
    assert!(named(&verify(&changed, &sealed.trust()).unwrap(), "VERIFY.txt"));

    // Bytes of the zip itself: cut, or flipped anywhere.
    for n in 0..200 {
        let at = bytes.len() * n / 200;
        std::fs::write(&changed, &bytes[..at]).unwrap();
        assert!(super::verify::verify(&changed, &sealed.trust()).is_err());
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        std::fs::write(&changed, &flipped).unwrap();
        let look = if n % 8 == 0 { verify } else { super::verify::verify };
        let _ = look(&changed, &sealed.trust()).map(|r| r.outcome);
    }
    assert_eq!(verify(&sealed.path("nessuno.zip"), &Trust::default()).unwrap_err().code, Code::FileMissing);
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in 0..=out.len() - from.len() {
        if out[at..].starts_with(from) {
            out[at..at + from.len()].copy_from_slice(to);
        }
    }
    out
}

#[test]
fn what_cannot_be_exported_leaves_nothing_behind() {
    let sealed = sealed();
    let path = sealed.path("bundle.zip");
    assert_eq!(sealed.write(&[], false, &path).unwrap_err().code, Code::NotFound);
    assert!(!path.exists());
    let tree = sealed.folder.join("evidence/0001.ers");
    let mut bytes = std::fs::read(&tree).unwrap();
    bytes[9] ^= 1;
    std::fs::write(&tree, bytes).unwrap();
    assert_eq!(sealed.write(&[], true, &path).unwrap_err().code, Code::PackageFileAltered);
    assert!(!path.exists());
}

fn extract(files: &Unzipped, folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
    for (name, bytes) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn python(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new("python3").arg("verify.py").args(arguments).current_dir(folder).output();
    let output = output.expect("python3 is needed to run the tests");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

/// Runs the commands of VERIFICA.txt and VERIFY.txt on a bundle that was unzipped here.
fn instructions_work(folder: &Path, temporary: &Path) {
    for instructions in ["VERIFICA.txt", "VERIFY.txt"] {
        let text = std::fs::read_to_string(folder.join(instructions)).unwrap();
        std::fs::create_dir_all(temporary).unwrap();
        let commands: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
        assert!(commands.len() >= 12);
        let mut script = String::from("set -e\nset -o pipefail\n");
        for command in commands {
            // Without anchors of its own the verifier's best answer is 2.
            let judged = if command.ends_with("verify.py") { " || test $? = 2" } else { "" };
            script += &format!("{}{judged}\n", command.replace("/tmp/", &format!("{}/", temporary.display())));
        }
        let output = Command::new("bash").arg("-c").arg(&script).current_dir(folder).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains("Verification: OK"), "{said}");
    }
}

/// The judges that owe Custode nothing: the commands of VERIFY.txt and VERIFICA.txt, and the python verifier.
#[test]
fn the_instructions_in_the_bundle_work_and_notice_alterations() {
    if !crate::judges::present(&["bash", "openssl", "python3", "sha256sum", "unzip"]) {
        return;
    }
    let sealed = sealed();
    let (path, folder) = (sealed.path("bundle.zip"), sealed.path("unzipped"));
    let (ca, vkey) = (sealed.path("ca.pem"), sealed.signer.verifier().to_string());
    std::fs::write(&ca, sealed.anchors.to_pem()).unwrap();
    let own = ["--trust", ca.to_str().unwrap(), "--key", &vkey];
    for whole in [false, true] {
        sealed.write(&[1], whole, &path).unwrap();
        let files = unzip(&path);
        extract(&files, &folder);
        let (status, said) = python(&folder, &own);
        assert_eq!(status, 0, "{said}");
        assert!(said.contains("VERIFIED / VERIFICATO"), "{said}");
        assert_eq!(python(&folder, &[]).0, 2);

        instructions_work(&folder, &sealed.path("tmp"));

        for (n, (name, bytes)) in files.iter().enumerate().filter(|(_, (name, _))| !whole && name != "verify.py") {
            let mut other = files.clone();
            other[n].1[bytes.len() / 2] ^= 1;
            extract(&other, &folder);
            let (status, said) = python(&folder, &own);
            assert_eq!(status, 1, "{name}: {said}");
        }
        // Signed anew by the archive itself: the evidence still tells.
        for n in (0..files.len()).filter(|_| !whole) {
            if ["documents/", "metadata/", "receipts/", "manifests/"].iter().any(|part| files[n].0.starts_with(part)) {
                let mut other = files.clone();
                other[n].1[files[n].1.len() / 2] ^= 1;
                sign_again(&mut other, &sealed.signer);
                extract(&other, &folder);
                assert_eq!(python(&folder, &own).0, 1, "{}", files[n].0);
            }
        }
    }
}
