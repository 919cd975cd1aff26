use jiff::civil::date;
use proptest::prelude::*;
use uuid::Uuid;

use super::agents::AgentName;
use super::check::{FileEntry, Index, read};
use super::write::{Signatures, write};
use super::*;
use crate::error::Code;
use crate::hash::Sha256;
use crate::id::{DocumentId, Lane, ReceiptId, Sequence};
use crate::package::plan::{Document, Link, Plan, PolicyVersion, Receipt, Source};

pub fn process() -> Process {
    let manual = RelevantDocument {
        title: "Manuale di conservazione".into(),
        version: Some("1.0".into()),
        date: Some(date(2026, 1, 1)),
        sha256: Some(Sha256::of(b"manual")),
    };
    let accord =
        RelevantDocument { title: "Accordo <di> versamento & altro".into(), version: None, date: None, sha256: None };
    let holder = Agent {
        name: AgentName::Legal("Organizzazione Esempio".into()),
        id: Some("VATIT-00000000000".parse().unwrap()),
        documents: vec![manual.clone()],
    };
    let signer = Agent {
        name: AgentName::Natural { first: "Nome".into(), last: "Cognome".into() },
        id: None,
        documents: vec![accord.clone(), manual.clone()],
    };
    Process {
        submitter: Agent { documents: vec![accord], ..holder.clone() },
        holders: vec![Holder { agent: holder, role: HolderRole::Producer }],
        signers: vec![Signer { agent: signer, role: Some("Responsabile della conservazione".into()) }],
        manual: Some(manual),
    }
}

pub fn plan(documents: u128) -> Plan {
    let id = |n: u128| Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + n);
    let digest = |text: String| Sha256::of(text.as_bytes());
    let document = |n: u128| Document {
        id: DocumentId(id(n)),
        receipt: ReceiptId(id(1000 + n / 2)),
        lane: Lane(1),
        sequence: Sequence(1 + n as u64 / 2),
        extension: if n.is_multiple_of(2) { "eml".into() } else { "xml.p7m".into() },
        media_type: "message/rfc822".into(),
        bytes: 10,
        sha256: digest(format!("document {n}")),
        metadata_sha256: digest(format!("metadata {n}")),
        label: if n == 0 { String::new() } else { format!("Messaggio \u{7} <{n}> «è» & ]]>") },
        links: match n {
            1 => vec![Link { relation: "ricevuta di".into(), document: DocumentId(id(0)) }],
            2 => vec![Link { relation: "ricevuta di".into(), document: DocumentId(id(77_777)) }],
            _ => vec![],
        },
    };
    let receipt = |n: u128| Receipt {
        id: ReceiptId(id(1000 + n)),
        rdv_sha256: digest(format!("rdv {n}")),
        note_sha256: digest(format!("note {n}")),
        manifest_sha256: digest(format!("manifest {n}")),
    };
    Plan {
        package: "pec-message/7".parse().unwrap(),
        uuid: id(500),
        planned_at: "2026-11-22T10:00:00.123Z".parse().unwrap(),
        class: "pec-message".parse().unwrap(),
        class_version: 1,
        holder: "example".into(),
        profile: "trial".into(),
        cohort: "2036".into(),
        expiry: Some(date(2036, 12, 31)),
        policy: PolicyVersion { id: "ten-years".parse().unwrap(), version: 2 },
        previous: Sha256::of(b"index 6"),
        sources: vec![Source {
            package: "pec-message/3".parse().unwrap(),
            uuid: id(501),
            pindex_sha256: Sha256::of(b"index 3"),
        }],
        documents: (0..documents).map(document).collect(),
        receipts: (0..documents.div_ceil(2)).map(receipt).collect(),
    }
}

fn written() -> String {
    String::from_utf8(write(&plan(4), &process(), &Signatures::new(), Vec::new()).unwrap()).unwrap()
}

fn reading(xml: &str) -> (Index, Vec<FileEntry>) {
    let mut files = Vec::new();
    let index = read(xml.as_bytes(), &mut |file| files.push(file)).unwrap();
    (index, files)
}

#[test]
fn what_is_written_is_read_again() {
    let plan = plan(4);
    plan.validate().unwrap();
    let xml = written();
    if let Ok(keep) = std::env::var("CUSTODE_TEST_KEEP_PINDEX") {
        std::fs::write(keep, &xml).unwrap();
    }
    let (index, files) = reading(&xml);
    assert_eq!(index.findings, vec![]);
    let listed: std::collections::HashMap<_, _> = files.iter().map(|f| (f.path.clone(), f.sha256)).collect();
    let expected: std::collections::HashMap<_, _> =
        plan.members().unwrap().into_iter().map(|(m, sha256)| (m.path(), sha256)).collect();
    assert_eq!(listed, expected);
    let series = index.series.unwrap();
    assert_eq!((&series.package, series.previous, series.expiry), (&plan.package, plan.previous, plan.expiry));
    assert_eq!((series.class, series.policy, series.cohort), (plan.class, plan.policy, plan.cohort));
    assert_eq!((series.holder, series.profile), (plan.holder, plan.profile));
    assert_eq!(index.volume, format!("urn:uuid:{}", plan.uuid));
    assert_eq!(
        index.sources,
        [("urn:custode:pindex:01990000-0000-7000-8000-0000000001f5".to_owned(), plan.sources[0].pindex_sha256)]
    );
    assert_eq!(index.time.unwrap().to_string(), "2026-11-22T10:00:00Z");
    assert!(index.attached_time_stamp);
    assert!(xml.contains("Messaggio \u{fffd} &lt;1&gt; «è» &amp; ]]&gt;"));
}

/// Every defect a test-suite should contain, made by one replacement in a good index: name, what, with what.
const DEFECTS: &[(&str, &str, &str)] = &[
    ("attributes without prefix", "<sincro:File sincro:encoding=\"binary\"", "<sincro:File encoding=\"binary\""),
    ("AgentID without type", "VATIT-00000000000", "IT00000000000"),
    ("empty AgentID", "VATIT-00000000000", ""),
    ("holderRole unknown", "soggetto produttore", "titolare"),
    ("File without format", " sincro:format=\"message/rfc822\"", ""),
    ("encoding a character set", "sincro:encoding=\"binary\"", "sincro:encoding=\"utf-8\""),
    ("Hash without function", " sincro:hashFunction=\"SHA-256\">7", ">7"),
    (
        "two volumes",
        "</sincro:PVolume>",
        "</sincro:PVolume><sincro:PVolume><sincro:ID sincro:scheme=\"x\">x</sincro:ID></sincro:PVolume>",
    ),
    ("other version", "sincroVersion=\"2.0\"", "sincroVersion=\"2.1\""),
    ("old namespace", "http://www.uni.com/U3011/sincro-v2/\"", "http://www.uni.com/U3011/sincro/\""),
    (
        "TimeInfo and TimeStamp",
        "</sincro:TimeInfo>",
        "</sincro:TimeInfo><sincro:TimeStamp sincro:encoding=\"binary\" sincro:format=\"x\" sincro:normal=\"2026-01-01T00:00:00Z\">x</sincro:TimeStamp>",
    ),
    (
        "enveloped signature",
        "</sincro:PIndex>",
        "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"/></sincro:PIndex>",
    ),
    ("MoreInfo without schema", " sincro:xmlSchema=\"urn:custode:metadata:1\"", ""),
    ("date only", "2026-11-22T10:00:00Z", "2026-11-22"),
    ("path leaving the package", "<sincro:Path>documents/", "<sincro:Path>../documents/"),
    ("absolute path", "<sincro:Path>documents/", "<sincro:Path>/documents/"),
    ("escaped path", "<sincro:Path>documents/", "<sincro:Path>%2e%2e/documents/"),
    ("path with scheme", "<sincro:Path>documents/", "<sincro:Path>file:documents/"),
    (
        "duplicate ID",
        "urn:custode:metadata:01990000-0000-7000-8000-000000000001",
        "urn:custode:metadata:01990000-0000-7000-8000-000000000000",
    ),
    (
        "dangling relation",
        "<sincro:Value>urn:uuid:01990000-0000-7000-8000-000000000000",
        "<sincro:Value>urn:uuid:01990000-0000-7000-8000-00000000ffff",
    ),
    ("time without zone", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00"),
    ("weak hash function", "sincro:hashFunction=\"SHA-256\"", "sincro:hashFunction=\"MD5\""),
    ("hash over canonical form", "canonicalXML=\"false\"", "canonicalXML=\"true\""),
    ("natural person with formal name", "\"legal person\"", "\"natural person\""),
    ("series element missing", "<Serie xmlns=\"urn:custode:series:1\">", "<Serie xmlns=\"urn:other\">"),
    ("text in EmbeddedMetadata", "<sincro:EmbeddedMetadata>", "<sincro:EmbeddedMetadata>x"),
    ("no manifest", "<sincro:Path>manifests/", "<sincro:Path>other/"),
    ("DOCTYPE", "<sincro:PIndex ", "<!DOCTYPE x [<!ENTITY a \"b\">]><sincro:PIndex "),
    ("unknown entity", "Versamento<", "&a;<"),
    ("not closed", "</sincro:PIndex>", ""),
    ("two roots", "</sincro:PIndex>", "</sincro:PIndex><x/>"),
    ("group after process", "</sincro:Process>", "</sincro:Process><sincro:FileGroup/>"),
];

#[test]
fn every_known_defect_is_found() {
    let good = written();
    for (name, what, with) in DEFECTS {
        // The last three receipts all have manifests: replace everywhere where once is not enough.
        let bad = if *name == "no manifest" { good.replace(what, with) } else { good.replacen(what, with, 1) };
        assert_ne!(bad, good, "{name}: nothing replaced");
        let findings = reading(&bad).0.findings;
        assert!(!findings.is_empty(), "{name} was not found");
        assert!(findings.iter().all(|f| f.code == Code::PIndexInvalid && f.place.starts_with("PIndex.xml")));
    }
}

#[test]
fn a_later_package_follows_another() {
    let zeros = written().replace(&Sha256::of(b"index 6").to_string(), &Sha256::ZERO.to_string());
    let (index, _) = reading(&zeros);
    assert_eq!((index.findings.len(), index.series), (1, None));
}

#[test]
fn missing_and_misplaced_elements_are_found() {
    let good = written();
    let cut = |from: &str, to: &str| {
        let start = good.find(from).unwrap();
        let end = start + good[start..].find(to).unwrap() + to.len();
        (good[start..end].to_owned(), format!("{}{}", &good[..start], &good[end..]))
    };
    for (from, to) in [
        ("<sincro:AuthorizedSigner", "</sincro:AuthorizedSigner>"),
        ("<sincro:RelevantDocument>", "</sincro:RelevantDocument>"),
        ("<sincro:Process>", "</sincro:Process>"),
        ("<sincro:PVolume>", "</sincro:PVolume>"),
        ("<sincro:Holder", "</sincro:Holder>"),
        ("<sincro:AgentName>", "</sincro:AgentName>"),
    ] {
        let (_, without) = cut(from, to);
        assert!(!reading(&without).0.findings.is_empty(), "{from}");
    }
    // Relation before Hash.
    let (relation, without) = cut("<sincro:Relation>", "</sincro:Relation>");
    let moved = without.replacen("<sincro:Path>", &format!("{relation}<sincro:Path>"), 1);
    assert!(!reading(&moved).0.findings.is_empty());
}

#[test]
fn base64_hashes_are_read() {
    use base64::Engine as _;
    let hash = Sha256::of(b"document 0");
    let text = base64::engine::general_purpose::STANDARD.encode(hash.0);
    let (index, files) = reading(&written().replacen(&hash.to_string(), &text, 1));
    assert_eq!(index.findings, vec![]);
    assert_eq!(files[0].sha256, hash);
}

proptest! {
    #[test]
    fn mutated_indexes_never_panic(at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = written().into_bytes();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let index = read(&bytes[..], &mut |_| {}).unwrap();
        prop_assert!(!cut || at + 2 > written().len() || !index.findings.is_empty());
    }
}

#[test]
fn endless_text_is_not_kept() {
    let mut xml = written();
    let at = xml.find("<sincro:Name>").unwrap() + 13;
    xml.insert_str(at, &"x".repeat(3 << 20));
    assert!(!reading(&xml).0.findings.is_empty());
}
