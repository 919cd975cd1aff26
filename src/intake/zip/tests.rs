use std::io::{Cursor, Write as _};

use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, ZipWriter};

use super::*;
use crate::document::Body;
use crate::error::Code;
use crate::intake::spool::Incoming;

const INVOICE: &str =
    "<p:FatturaElettronica xmlns:p='u' versione='FPR12'><FatturaElettronicaHeader/></p:FatturaElettronica>";
const NOTICE: &str = "<RicevutaConsegna><IdentificativoSdI>1</IdentificativoSdI></RicevutaConsegna>";
const ATTESTATION: &str =
    "<AttestazioneTrasmissioneFattura><IdentificativoSdI>1</IdentificativoSdI></AttestazioneTrasmissioneFattura>";

fn zip_with(members: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        if name.ends_with('/') {
            zip.add_directory(*name, options).unwrap();
            continue;
        }
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    zip_with(members, SimpleFileOptions::default())
}

const LIMITS: Limits = Limits { files: 20, document: 8 << 20, total: 16 << 20 };

fn expanded(bytes: Vec<u8>) -> Expanded {
    let dir = tempfile::tempdir().unwrap();
    let incoming = Incoming::open(dir.path()).unwrap();
    let expanded = expand(&Body::from(bytes), &incoming, LIMITS).unwrap();
    if matches!(expanded, Expanded::Refused(..)) {
        // Nothing of it is kept.
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
    expanded
}

/// Names and classes of the documents.
fn members(bytes: Vec<u8>) -> Vec<(String, String)> {
    match expanded(bytes) {
        Expanded::Members(members, _) => members.into_iter().map(|m| (m.name, m.class.to_string())).collect(),
        other => panic!("{other:?}"),
    }
}

/// Codes and places of a refusal.
fn refused(bytes: Vec<u8>) -> Vec<(Code, String)> {
    match expanded(bytes) {
        Expanded::Refused(findings, _) => findings.into_iter().map(|f| (f.code, f.place)).collect(),
        other => panic!("{other:?}"),
    }
}

fn codes(bytes: Vec<u8>) -> Vec<Code> {
    refused(bytes).into_iter().map(|(code, _)| code).collect()
}

/// The same archive with bytes replaced at the n-th place where `from` stands.
fn patched(bytes: &[u8], from: &[u8], nth: usize, at: usize, to: &[u8]) -> Vec<u8> {
    let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|i| bytes[*i..].starts_with(from)).collect();
    let mut out = bytes.to_vec();
    let at = places[nth] + at;
    out[at..at + to.len()].copy_from_slice(to);
    out
}

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";

#[test]
fn invoices_notifications_and_an_attestation_with_its_file() {
    let inner = zip(&[("IT1_1.xml", INVOICE.as_bytes()), ("IT1_1_AT_001.xml", ATTESTATION.as_bytes())]);
    let all = [
        ("2026/", &b""[..]),
        ("2026/IT1_1.xml", INVOICE.as_bytes()),
        ("IT1_1_RC_001.xml", NOTICE.as_bytes()),
        ("perché.xml.p7m", b"non firmata"),
        ("IT1_1_AT_001.zip", &inner),
    ];
    for method in [CompressionMethod::Deflated, CompressionMethod::Stored] {
        let options = SimpleFileOptions::default().compression_method(method);
        for options in [options, options.large_file(true)] {
            let found = members(zip_with(&all, options));
            let found: Vec<(&str, &str)> = found.iter().map(|(name, class)| (name.as_str(), class.as_str())).collect();
            assert_eq!(
                found,
                [
                    // The same name twice: the whole path of both.
                    ("2026/IT1_1.xml", "invoice"),
                    ("IT1_1_RC_001.xml", "sdi-notification"),
                    ("perché.xml.p7m", "invoice"),
                    ("IT1_1_AT_001.zip/IT1_1.xml", "invoice"),
                    ("IT1_1_AT_001.xml", "sdi-notification"),
                ]
            );
        }
    }
}

#[test]
fn what_is_not_ours_is_named_or_left_whole() {
    let mixed = zip(&[("a.xml", INVOICE.as_bytes()), ("b.pdf", b"%PDF-1.4"), ("c.txt", b"testo")]);
    assert_eq!(refused(mixed), [(Code::ZipMember, "member 2".into()), (Code::ZipMember, "member 3".into())]);
    assert!(matches!(expanded(zip(&[("b.pdf", b"%PDF-1.4")])), Expanded::Other));
    assert_eq!(codes(zip(&[])), [Code::ZipEmpty]);
    assert_eq!(codes(zip(&[("cartella/", b"")])), [Code::ZipEmpty]);
    assert!(matches!(expanded(zip(&[("a.xml", INVOICE.as_bytes()), ("b", b"x")])), Expanded::Refused(_, true)));
    let inner = zip(&[("IT1_1.xml", INVOICE.as_bytes())]);
    assert_eq!(
        refused(zip(&[("x.xml", INVOICE.as_bytes()), ("in.zip", &inner)])),
        [(Code::ZipTooDeep, "member 2".into())]
    );
    let at = zip(&[("IT1_1_AT_001.xml", ATTESTATION.as_bytes())]);
    let deeper = zip(&[("a.zip", &zip(&[("b.zip", &at), ("c.xml", ATTESTATION.as_bytes())]))]);
    assert_eq!(refused(deeper), [(Code::ZipTooDeep, "member 1, member 1".into())]);
}

#[test]
fn names_that_lead_out_or_stand_twice() {
    let good = zip(&[("aaaaaaaa.xml", INVOICE.as_bytes()), ("bbbbbbbb.xml", INVOICE.as_bytes())]);
    for hostile in [b"../a", b"/etc", b"C:\\x", b"..\\a", b"a\0bc"] {
        let bad = patched(&good, CENTRAL, 0, 46, hostile);
        assert_eq!(refused(bad), [(Code::ZipName, "member 1".into())], "{hostile:?}");
    }
    let twice = patched(&good, CENTRAL, 1, 46, b"aaaaaaaa");
    assert_eq!(refused(twice), [(Code::ZipDuplicate, "member 2".into())]);
    // Without the UTF-8 flag, in code page 437.
    let old = patched(&good, CENTRAL, 0, 46, b"perch\x82");
    assert_eq!(members(old)[0].0, "perchéaa.xml");
}

#[test]
fn bombs_and_crowds() {
    let many: Vec<String> = (0..1250).map(|n| format!("IT01234567890_{n:05}.xml")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), INVOICE.as_bytes())).collect();
    assert_eq!(codes(zip(&many)), [Code::ZipTooMany]);
    assert_eq!(codes(zip(&many[..21])), [Code::ZipTooMany]);
    assert_eq!(members(zip(&many[..20])).len(), 20);
    let zeros = vec![b' '; 6 << 20];
    assert_eq!(refused(zip(&[("a.xml", INVOICE.as_bytes()), ("b.xml", &zeros)])), [(Code::ZipBomb, "member 2".into())]);
    let third = vec![b' '; 3 << 20];
    let six: Vec<(String, &[u8])> = (0..6).map(|n| (format!("{n}.xml"), &third[..])).collect();
    let six: Vec<(&str, &[u8])> = six.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    assert_eq!(codes(zip(&six)), [Code::ZipBomb]);
    // Declares little and expands to much: never more than it declares is taken.
    let liar = patched(&zip(&[("b.xml", &third)]), CENTRAL, 0, 24, &100u32.to_le_bytes());
    assert_eq!(refused(liar), [(Code::ZipSize, "member 1".into())]);
}

#[test]
fn damage_and_lies_have_codes() {
    let good = zip(&[("a.xml", INVOICE.as_bytes()), ("b.xml", INVOICE.as_bytes())]);
    let first = |bytes| codes(bytes)[0];
    assert_eq!(first(patched(&good, CENTRAL, 0, 8, &1u16.to_le_bytes())), Code::ZipEncrypted);
    assert_eq!(first(patched(&good, CENTRAL, 0, 10, &12u16.to_le_bytes())), Code::ZipMethod);
    assert_eq!(first(patched(&good, CENTRAL, 0, 16, &[1, 2, 3, 4])), Code::ZipSize);
    assert_eq!(first(patched(&good, CENTRAL, 0, 24, &9999u32.to_le_bytes())), Code::ZipSize);
    // Both say the same local header.
    assert_eq!(first(patched(&good, CENTRAL, 1, 42, &0u32.to_le_bytes())), Code::ZipOverlap);
    assert_eq!(first(patched(&good, CENTRAL, 0, 42, &0xffff_fff0u32.to_le_bytes())), Code::ZipDamaged);
    assert_eq!(first(patched(&good, CENTRAL, 0, 20, &0x00ff_ffffu32.to_le_bytes())), Code::ZipDamaged);
    assert_eq!(first(patched(&good, LOCAL, 1, 0, b"XX")), Code::ZipDamaged);
    assert_eq!(first(patched(&good, CENTRAL, 1, 0, b"XX")), Code::ZipDamaged);
    assert_eq!(first([b"prima", &good[..]].concat()), Code::ZipDamaged);
    assert_eq!(first(b"PK\x03\x04".to_vec()), Code::ZipDamaged);
    // Every fault of the directory, not the first alone.
    let two = patched(&patched(&good, CENTRAL, 0, 8, &1u16.to_le_bytes()), CENTRAL, 1, 10, &99u16.to_le_bytes());
    assert_eq!(codes(two), [Code::ZipEncrypted, Code::ZipMethod]);
}

/// Entries with descriptors behind their data, as programs that write to a pipe leave them.
#[test]
fn what_was_written_to_a_pipe_is_read_by_its_directory() {
    let mut zip = ZipWriter::new_stream(Vec::new());
    for name in ["a.xml", "b.xml"] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(INVOICE.as_bytes()).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    assert!(bytes.windows(4).any(|w| w == b"PK\x07\x08"), "no descriptor");
    assert_eq!(members(bytes.clone()).len(), 2);
    // Lengths in the local header are zero then; those of the directory count, and the checksum.
    assert_eq!(codes(patched(&bytes, CENTRAL, 1, 16, &[1, 2, 3, 4])), [Code::ZipSize]);
}

/// The same archive with a zip64 end, as programs write it whatever the size; `disk` is what it says of its volumes.
fn zip64(bytes: &[u8], disk: u32) -> Vec<u8> {
    let end = bytes.len() - 22;
    let (count, size, offset) = (&bytes[end + 10..end + 12], &bytes[end + 12..end + 16], &bytes[end + 16..end + 20]);
    let mut out = bytes[..end].to_vec();
    out.extend(b"PK\x06\x06");
    out.extend(44u64.to_le_bytes());
    out.extend([45, 0, 45, 0]);
    out.extend(disk.to_le_bytes());
    out.extend(0u32.to_le_bytes());
    for _ in 0..2 {
        out.extend([count, &[0; 6]].concat());
    }
    out.extend([size, &[0; 4], offset, &[0; 4]].concat());
    out.extend(b"PK\x06\x07\0\0\0\0");
    out.extend((end as u64).to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([0xff; 12]);
    out.extend([0, 0]);
    out
}

#[test]
fn zip64_ends_and_volumes() {
    let good = zip(&[("a.xml", INVOICE.as_bytes()), ("b.xml", INVOICE.as_bytes())]);
    assert_eq!(members(zip64(&good, 0)).len(), 2);
    assert_eq!(codes(zip64(&good, 1)), [Code::ZipVolumes]);
    // The last volume knows its number; one before it has no end at all.
    assert_eq!(codes(patched(&good, b"PK\x05\x06", 0, 4, &[1, 0, 1, 0])), [Code::ZipVolumes]);
    assert_eq!(codes(patched(&good, b"PK\x05\x06", 0, 8, &[1, 0])), [Code::ZipVolumes]);
    let volume = [b"PK\x07\x08", &good[..good.len() / 2]].concat();
    assert_eq!(codes(volume), [Code::ZipDamaged]);
    let lost = patched(&zip64(&good, 0), b"PK\x06\x07", 0, 8, &u64::MAX.to_le_bytes());
    assert_eq!(codes(lost), [Code::ZipDamaged]);
}

#[test]
fn a_zip64_end_that_a_stream_did_not_need() {
    let good = zip(&[("a.xml", INVOICE.as_bytes()), ("b.xml", INVOICE.as_bytes())]);
    // The end keeps its own numbers, as whoever writes to a stream leaves them.
    let wide = zip64(&good, 0);
    let plain_end = &good[good.len() - 22..];
    let streamed = [&wide[..wide.len() - 22], plain_end].concat();
    assert_eq!(members(streamed.clone()).len(), 2);
    // Two ends that speak of different archives are none.
    let other = patched(&streamed, b"PK\x06\x06", 0, 32, &3u64.to_le_bytes());
    assert_eq!(codes(patched(&other, b"PK\x06\x06", 0, 24, &3u64.to_le_bytes())), [Code::ZipDamaged]);
}

#[test]
fn what_stands_behind_the_end_is_said_unless_two_ends_could_be() {
    let good = zip(&[("a.xml", INVOICE.as_bytes())]);
    let behind = [&good[..], b"\r\n--confine--\r\n"].concat();
    assert!(matches!(
        &expanded(behind),
        Expanded::Members(members, noticed) if members.len() == 1 && noticed[0].code == Code::ZipTrailing
    ));
    assert_eq!(codes([&good[..], &good, b"x"].concat()), [Code::ZipDamaged]);
    assert_eq!(codes([&good[..], &[0; 70_000]].concat()), [Code::ZipDamaged]);
}

#[test]
fn what_computers_leave_in_archives() {
    let with = |name: &str, content: &[u8]| zip(&[("a.xml", INVOICE.as_bytes()), (name, content)]);
    for (name, what) in [
        ("__MACOSX/._a.xml", "__MACOSX"),
        ("Thumbs.db", "Thumbs.db"),
        ("cartella/.DS_Store", ".DS_Store"),
        ("desktop.ini", "desktop.ini"),
    ] {
        let found = expanded(with(name, b"\0\x05\x16\x07\0\x02\0\0"));
        let Expanded::Members(members, noticed) = &found else { panic!("{name}: {found:?}") };
        assert_eq!((members.len(), members[0].name.as_str()), (1, "a.xml"));
        assert_eq!((noticed[0].code, noticed[0].place.as_str()), (Code::ZipLitter, "member 2"));
        assert!(noticed[0].message.ends_with(what), "{}", noticed[0].message);
    }
    // A document under such a folder is somebody's document.
    assert_eq!(members(with("__MACOSX/b.xml", INVOICE.as_bytes())).len(), 2);
    assert!(matches!(expanded(zip(&[(".DS_Store", b"x")])), Expanded::Refused(..)));
    for (name, content) in
        [("leggimi.txt", &b""[..]), ("._a.xml", b"\0\x05\x16\x07"), ("malformata.xml", b"<p:FatturaElettronica")]
    {
        let found = expanded(with(name, content));
        assert!(
            matches!(&found, Expanded::Refused(findings, true) if findings[0].code == Code::ZipMember),
            "{name}: {found:?}"
        );
    }
    assert_eq!(members(with("segnaposto.xml.p7m", b"MII...njA=="))[1].1, "invoice");
}

#[test]
fn cutting_and_flipping_never_panics_and_never_gives_other_bytes() {
    let inner = zip(&[("IT1_1.xml", INVOICE.as_bytes()), ("IT1_1_AT_001.xml", ATTESTATION.as_bytes())]);
    let whole = zip(&[("a.xml", INVOICE.as_bytes()), ("x_AT_001.zip", &inner)]);
    let dir = tempfile::tempdir().unwrap();
    let incoming = Incoming::open(dir.path()).unwrap();
    let known: Vec<crate::hash::Sha256> =
        [INVOICE, ATTESTATION].iter().map(|text| crate::hash::Sha256::of(text.as_bytes())).collect();
    let check = |bytes: Vec<u8>| {
        if let Expanded::Members(members, _) = expand(&Body::from(bytes), &incoming, LIMITS).unwrap() {
            for member in members {
                assert!(known.contains(&member.spooled.digests().sha256));
            }
        }
    };
    for cut in 0..whole.len() {
        check(whole[..cut].to_vec());
    }
    for at in 0..whole.len() {
        for bit in [0, 3, 7] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << bit;
            check(flipped);
        }
    }
}
